"""The product itself, by model: as it is, and on the word of its vectors alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import dedup_widgets as dw
from benchmarks.harness import processor_seconds
from benchmarks.quality import measure, thresholds
from benchmarks.quality.negatives import BURSTS
from benchmarks.quality.thresholds import Distances
from benchmarks.quality.truth import (
    FURTHER_SET,
    PHOTOS_SET,
    STANDARD_SET,
    THRESHOLDS_SET,
)
from dedup_widgets.frame.provenance import provenances

NEGATIVES = "negatives"
EDITED = (STANDARD_SET, FURTHER_SET)
STRICT, BEST = "P ≥ 99.9 % of pairs", "best F1"
"""How a threshold is chosen on other photos than those judged."""

Scored = dict[str, pl.DataFrame]
"""By part: the sets of edits, the different photos, the negatives together; each with the truth."""


def parts(truth: pl.DataFrame) -> Scored:
    """Return the pictures that are scored together."""
    apart = [*EDITED, PHOTOS_SET, THRESHOLDS_SET, BURSTS]
    divided = {name: truth.filter(set=name) for name in apart}
    divided[NEGATIVES] = truth.filter(~pl.col("set").is_in(apart))
    return {name: part for name, part in divided.items() if len(part)}


def score(
    truth: pl.DataFrame, model: str, folder: Path, say: Callable[[str], None] = lambda text: None
) -> tuple[Scored, dict[str, Any]]:
    """Score each part in a store of its own, and the standard edits and photos a second time.

    Parameters
    ----------
    truth, model
        What to score, and how.
    folder
        Where the stores are; empty, so that nothing is known before.
    say
        Is told after each part.

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
        say(f"{model}: {name}, {len(part):,} pictures, {first:.1f} ms of processors each")
        if name in (STANDARD_SET, PHOTOS_SET):
            cost[name]["second"] = timed(run, len(part))[1]
    return frames, cost


def timed(run: Callable[[], Any], n: int) -> tuple[Any, float]:
    """Return a result, and the milliseconds of all processors it took, by image."""
    start = processor_seconds()
    result = run()
    return result, (processor_seconds() - start) * 1000 / n


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
                "relations": measure.relations(frame),
                "keepers": measure.keepers(frame) if keepers else {},
            }
    for name in (NEGATIVES, BURSTS, PHOTOS_SET):
        if name in frames:
            found[name] = measure.negatives(frames[name])
    return found


def looked_at(frames: Scored) -> dict[str, dict[str, int]]:
    """Return, by part, the pairs of pictures compared, and images not compared with all they might.

    Nothing where vectors alone decide.
    """
    found = {}
    for name, frame in frames.items():
        for made in provenances(frame):
            if made.compared is not None:
                found[name] = {"pairs": made.compared, "left_out": made.left_out}
    return found


def is_confirmed(frame: pl.DataFrame) -> bool:
    """Return whether pictures were compared, and not only vectors."""
    return "relation" in frame.columns


def by_distance(
    frames: Scored, distance: Callable[[pl.DataFrame], Distances], default: float | None = None
) -> dict[str, dict[str, Any]]:
    """Return the figures of a method that only says how far apart two pictures are.

    Parameters
    ----------
    frames
        All parts; the thresholds are chosen on theirs.
    distance
        Of the pictures of a frame.
    default
        The threshold of a library where it is not told one.

    Returns
    -------
    dict
        By how the threshold was chosen. ``alone``: pairs of the standard edits within it, before
        they are grouped.
    """
    distances = {name: distance(frame) for name, frame in frames.items()}
    aside = distances[THRESHOLDS_SET], frames[THRESHOLDS_SET]
    chosen = {STRICT: thresholds.strict(*aside), BEST: thresholds.best(*aside)}
    if default is not None:
        chosen["default"] = default
    found = {}
    for name, threshold in chosen.items():
        grouped = {
            part: thresholds.group(distances[part], _bare(frame), threshold)
            for part, frame in frames.items()
        }
        alone = thresholds.pairs(distances[STANDARD_SET], frames[STANDARD_SET], threshold)
        found[name] = {
            "threshold": threshold,
            "alone": alone,
            **figures(grouped, keepers=False),
        }
    return found


def _bare(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("path", "source", "edit", "set")
