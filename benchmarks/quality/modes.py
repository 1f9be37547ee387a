"""The product itself, by model: as it is, and on the word of its vectors alone."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import dedup_widgets as dw
from benchmarks.quality import measure
from benchmarks.quality.negatives import BURSTS
from benchmarks.quality.truth import (
    FURTHER_SET,
    PHOTOS_SET,
    STANDARD_SET,
    THRESHOLDS_SET,
)

NEGATIVES = "negatives"
EDITED = (STANDARD_SET, FURTHER_SET)
PRECISION = 0.999
"""Of pairs, that a threshold must have where it is chosen."""

Scored = dict[str, pl.DataFrame]
"""By part: the sets of edits, the different photos, the negatives together; each with the truth."""


def parts(truth: pl.DataFrame) -> Scored:
    """Return the pictures that are scored together."""
    apart = [*EDITED, PHOTOS_SET, THRESHOLDS_SET, BURSTS]
    divided = {name: truth.filter(set=name) for name in apart}
    divided[NEGATIVES] = truth.filter(~pl.col("set").is_in(apart))
    return {name: part for name, part in divided.items() if len(part)}


def score(truth: pl.DataFrame, model: str, folder: Path) -> tuple[Scored, dict[str, Any]]:
    """Score each part in a store of its own, and the standard edits and photos a second time.

    Returns
    -------
    tuple
        The frames, and processor milliseconds an image by part: ``first`` and ``second`` run.
    """
    frames: Scored = {}
    cost: dict[str, dict[str, float]] = {}
    for name, part in parts(truth).items():
        store = folder / f"{name.replace(' ', '-')}.sqlite"
        run = partial(dw.score, part, model=model, store=store, progress=False)
        if not frames:  # to load the network and its libraries is no part of the cost
            dw.score(part.head(2), model=model, store=folder / "warm.sqlite", progress=False)
        frames[name], first = timed(run, len(part))
        cost[name] = {"first": first}
        if name in (STANDARD_SET, PHOTOS_SET):
            cost[name]["second"] = timed(run, len(part))[1]
    return frames, cost


def timed(run: Callable[[], Any], n: int) -> tuple[Any, float]:
    """Return a result, and the milliseconds of all processors it took, by image."""
    start = time.process_time()
    result = run()
    return result, (time.process_time() - start) * 1000 / n


def figures(frames: Scored, *, keepers: bool = True) -> dict[str, Any]:
    """Return all figures of one method; those of keepers where it has rules for them."""
    found: dict[str, Any] = {}
    for name in EDITED:
        if name in frames:
            frame = frames[name]
            found[name] = {
                "pairs": measure.pairs(frame),
                "edits": measure.edits(frame),
                "exact": measure.exact(frame),
                "keepers": measure.keepers(frame) if keepers else {},
            }
    for name in (NEGATIVES, BURSTS, PHOTOS_SET):
        if name in frames:
            found[name] = measure.negatives(frames[name])
    return found


def is_confirmed(frame: pl.DataFrame) -> bool:
    """Return whether pictures were compared, and not only vectors."""
    return "relation" in frame.columns


def by_vectors(frame: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Group a scored frame anew by its vectors alone: those within a cosine distance are near."""
    readable = frame.filter(pl.col("embedding").is_not_null())
    if not len(readable):
        return readable
    found = dw.uniqueness(
        readable["embedding"], fingerprints=readable["fingerprint"].to_list(), near=threshold
    )
    return readable.select("path", "source", "edit", "set").hstack(found)


def choose_threshold(distance: np.ndarray[Any, Any], is_true: np.ndarray[Any, Any]) -> float:
    """Return the largest distance at which pairs still have `PRECISION`.

    Parameters
    ----------
    distance, is_true
        Of each pair: how far apart, and whether it is of one source.
    """
    order = np.argsort(distance, kind="stable")
    right = np.cumsum(is_true[order])
    enough = right / np.arange(1, len(order) + 1) >= PRECISION
    # Pairs of one distance are found together or not at all.
    last_of_its_distance = np.append(np.diff(distance[order]) > 0, True)
    good = np.flatnonzero(enough & last_of_its_distance)
    return float(distance[order[good[-1]]]) if len(good) else -1.0


def vector_pairs(frame: pl.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the cosine distance of each pair, and whether it is of one source."""
    readable = frame.filter(pl.col("embedding").is_not_null())
    vectors = readable["embedding"].to_numpy().astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    source = readable["source"].rank("dense").to_numpy()
    above = np.triu_indices(len(vectors), 1)
    return (1 - vectors @ vectors.T)[above], (source[:, None] == source)[above]
