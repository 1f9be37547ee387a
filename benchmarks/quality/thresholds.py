"""Distances of pairs, thresholds chosen on them, and groups formed by a threshold."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.quality import measure
from dedup_widgets.images.perceptual import best_of_turns

PRECISION = 0.999
"""Of pairs, that a strict threshold has on the pictures it is chosen on."""

Distances = NDArray[np.float32]
"""n × n, symmetric; infinite for a picture that could not be read."""


def strict(distance: Distances, frame: pl.DataFrame) -> float:
    """Return the largest distance at which pairs have `PRECISION`; -1 where none is.

    Parameters
    ----------
    distance, frame
        Of n pictures: how far apart, and what they are.
    """
    found, called, at, _ = _swept(distance, frame)
    good = np.flatnonzero(found >= PRECISION * called)
    return float(at[good[-1]]) if len(good) else -1.0


def best(distance: Distances, frame: pl.DataFrame) -> float:
    """Return the distance at which pairs have the highest F1."""
    found, called, at, true = _swept(distance, frame)
    return float(at[np.argmax(2 * found / (called + true))])


def _swept(
    distance: Distances, frame: pl.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64], Distances, int]:
    """Return right pairs and all pairs within each distance that occurs; these; and true pairs."""
    above = np.triu_indices(len(distance), 1)
    is_true = same_source(frame)[above]
    of_pairs = distance[above]
    order = np.argsort(of_pairs, kind="stable")
    of_pairs = of_pairs[order]
    # Pairs of one distance are found together or not at all.
    last = np.flatnonzero(np.append(np.diff(of_pairs) > 0, True) & np.isfinite(of_pairs))
    found = np.cumsum(is_true[order], dtype=np.int64)[last]
    return found, last.astype(np.int64) + 1, of_pairs[last], int(is_true.sum())


def pairs(distance: Distances, frame: pl.DataFrame, threshold: float) -> measure.Figures:
    """Return precision and recall of the pairs within a threshold, grouped or not."""
    above = np.triu_indices(len(distance), 1)
    is_true = same_source(frame)[above]
    is_called = distance[above] <= threshold
    found = int((is_true & is_called).sum())
    return measure.rates(int(is_true.sum()), found, int(is_called.sum()))


def same_source(frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Return n × n: whether two pictures are of one source."""
    source = frame["source"].rank("dense").to_numpy()
    equal: NDArray[np.bool_] = source[:, None] == source
    return equal


def group(distance: Distances, frame: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Add ``group`` and ``keep``: the first picture that is in no group takes all within reach.

    In the order of the paths, so that an original is not first because it is one.
    """
    leader = np.full(len(distance), -1)
    for row in frame["path"].arg_sort().to_list():
        if leader[row] < 0:
            leader[(leader < 0) & (distance[row] <= threshold)] = row
            leader[row] = row
    sizes = np.bincount(leader, minlength=len(leader))[leader]
    return frame.with_columns(
        group=pl.when(pl.Series(sizes > 1)).then(pl.Series(leader)),
        keep=pl.Series(leader == np.arange(len(leader))),
    )


def cosine(frame: pl.DataFrame) -> Distances:
    """Return the cosine distances of the column ``embedding``."""
    return _distances(frame, lambda vectors: vectors @ vectors.T)


def turned_cosine(frame: pl.DataFrame) -> Distances:
    """Return the distances of perceptual vectors, in the best of eight turns and flips."""
    return _distances(
        frame,
        lambda vectors: np.stack(
            [best_of_turns(np.broadcast_to(one, vectors.shape), vectors) for one in vectors]
        ),
    )


def _distances(
    frame: pl.DataFrame, cosines: Callable[[NDArray[np.floating]], NDArray[np.floating]]
) -> Distances:
    is_read = frame["embedding"].is_not_null().to_numpy()
    vectors = np.stack(frame["embedding"].drop_nulls().to_list()).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.full((len(frame), len(frame)), np.inf, np.float32)
    distance[np.ix_(is_read, is_read)] = 1 - cosines(vectors)
    return distance
