"""Nearest neighbours by cosine distance, the same to the last bit however they are found.

Quick products, or a USearch graph, only pick the candidates; the distance of a candidate is
always computed exactly, see :mod:`dedup_widgets.neighbors.vectors`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets._threads import processors
from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.choose import fastest
from dedup_widgets.neighbors.equal_vectors import EqualSets
from dedup_widgets.neighbors.grouping import UNBEATABLE, pairs_among
from dedup_widgets.neighbors.hnsw import graph_pairs
from dedup_widgets.neighbors.pair_list import AT_MOST, PairList
from dedup_widgets.neighbors.vectors import Vectors

Method = Literal["auto", "exact", "hnsw"]


EXACT_UP_TO = {
    "cuda": 100_000_000,
    "bfloat16 by AMX": 4_000_000,
    "bfloat16": 1_500_000,
    "float32": 900_000,
}
"""Vectors up to which all products take less time than a graph, for each processor core.

Extrapolated from 1,000,000 on two cores with AMX, where all products took 450 s and to build a
graph alone 3,700, by one thread, for it to be the same each time; from 100,000 in float32; and
from the rate of bfloat16 on other processors. The products grow with the square. Both grow with
the number of dimensions, so that it hardly counts.
"""


CORES_THAT_COUNT = 8
"""Cores that make a search of all products faster: what is done between them is one core's work."""


@dataclass(frozen=True)
class Found:
    """The nearest other vector of each, and the pairs within reach.

    Attributes
    ----------
    row
        (n,), the row of the nearest other vector, -1 when there is none.
    distance
        (n,), the cosine distance to it in [0, 1], 1 when there is none.
    pairs
        (p, 2), the rows of all pairs within reach in any order; None where they are too many.
    """

    row: NDArray[np.int64]
    distance: NDArray[np.float64]
    pairs: NDArray[np.int32] | None


def nearest(
    vectors: Vectors | NDArray[np.float32],
    *,
    rows: NDArray[np.int64] | None = None,
    rank: NDArray[np.int64] | None = None,
    method: Method = "auto",
    device: str | None = None,
    progress: Progress = False,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest other vector of each row.

    Parameters
    ----------
    vectors
        n of them: :class:`Vectors`, or an array of :func:`unit_vectors`, shape (n, d).
    rows
        Rows to answer for, each once; all of them when None. Given rows are always searched
        exactly.
    rank
        n different numbers: of others equally near, the one with the lowest is the nearest.
        Default: the row.
    method
        ``"exact"`` looks at all pairs: certain, quadratic time. ``"hnsw"`` takes candidates from
        a USearch graph, scores them exactly, and looks at all pairs of the rows that the graph
        serves badly; it may still miss the nearest of a few in 10,000 where thousands crowd
        together. ``"auto"`` is exact up to :data:`EXACT_UP_TO` vectors.
    device
        Torch device; default: CUDA if there is one.
    progress
        Whether to show a bar where it takes more than about a second, or a function that is told
        tiles of products done and in all; what it raises stops the search.

    Returns
    -------
    tuple[NDArray[np.int64], NDArray[np.float64]]
        The row of the nearest other vector, or -1 when there is no other; and the cosine distance
        to it, clipped to [0, 1], 1 when there is none. One entry for each of `rows`.
    """
    vectors = Vectors.of(vectors)
    if rows is None:
        found = search(vectors, rank=rank, method=method, device=device, progress=progress)
        return found.row, found.distance
    check_method(method)
    best = AllPairs(vectors, rank=rank, device=device)
    everyone = np.arange(len(vectors))
    others = np.setdiff1d(everyone, rows, assume_unique=True)
    known = np.full(len(vectors), -np.inf)
    known[others] = UNBEATABLE
    best.know(np.full(len(vectors), -1), known)
    best.compare(np.sort(rows), others, progress)
    return best.row[rows], _distance(best.cosine[rows])


def search(
    vectors: Vectors,
    *,
    rank: NDArray[np.int64] | None = None,
    reach: float = -1.0,
    at_most: int = AT_MOST,
    method: Method = "auto",
    device: str | None = None,
    progress: Progress = False,
) -> Found:
    """Find the nearest other vector of each, and the pairs within reach, in one go.

    Parameters are those of :func:`nearest`, and

    Parameters
    ----------
    reach
        Largest cosine distance of the pairs to be listed; negative: none are.
    at_most
        How many of them are listed; where there are more, none is.
    """
    check_method(method)
    # Equal vectors damage a graph, and are many products for nothing.
    sets = EqualSets(vectors, rank)
    uses_graph = method == "hnsw" or (method == "auto" and not _is_exact(len(sets.heads), device))
    listed = PairList(at_most)
    best = AllPairs(
        vectors.take(sets.heads),
        rank=None if rank is None else rank[sets.heads],
        reach=reach,
        sink=None if uses_graph else listed,
        device=device,
    )
    if uses_graph:
        graph_pairs(best, progress)
    else:
        best.compare(np.arange(len(sets.heads)), progress=progress)
    row, cosine = sets.nearest_of_all(best.row, best.cosine)
    distance = _distance(cosine)
    if uses_graph:
        near = np.flatnonzero(distance <= reach)
        return Found(row, distance, pairs_among(vectors, near, reach, at_most, device, progress))
    pairs = listed.pairs()
    if pairs is not None and reach >= 0:
        pairs = sets.pairs_of_all(pairs, at_most)
    return Found(row, distance, pairs)


def check_method(method: str) -> None:
    """Raise unless there is such a method."""
    if method not in ("auto", "exact", "hnsw"):
        raise InputError(f"method is {method!r}; it must be 'auto', 'exact' or 'hnsw'")


def _is_exact(n: int, device: str | None) -> bool:
    """Tell whether ``"auto"`` looks at all pairs of n vectors on this machine."""
    if n <= min(EXACT_UP_TO.values()):
        return True
    kind = fastest(device)
    cores = 1 if kind == "cuda" else min(processors(), CORES_THAT_COUNT)
    return n <= EXACT_UP_TO[kind] * cores


def _distance(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(1.0 - cosine, 0.0, 1.0)
