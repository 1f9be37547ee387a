"""Nearest neighbours by cosine distance, the same to the last bit however they are found.

Quick products, or a USearch graph, only pick the candidates; the distance of a candidate is
always computed exactly, see :mod:`dedup_widgets.vectors`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.allpairs import AT_MOST, AllPairs, PairList, Sink
from dedup_widgets.equals import EqualSets
from dedup_widgets.errors import InputError
from dedup_widgets.graph import CANDIDATES, build_graph
from dedup_widgets.pairs import leaders_of_pairs
from dedup_widgets.products import fastest
from dedup_widgets.progress import Progress
from dedup_widgets.threads import processors
from dedup_widgets.vectors import (
    BLOCK,
    Vectors,
    cosines,
    float32_error,
    parts,
    row_cosines,
)

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

GRAPH_ERROR = 1e-3
"""Cosine distance by which bfloat16 may misplace a candidate: ten times its usual error."""

HEADS = (32_768, 2_048)
"""Rows that are grouped among themselves at a time; the lower number where pairs are too many."""

UNBEATABLE = 2.0
"""A cosine that no vector reaches: whoever has it needs no neighbour."""


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
        _graph_pairs(best, progress)
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


def pairs_among(
    vectors: Vectors,
    rows: NDArray[np.int64],
    reach: float,
    at_most: int = AT_MOST,
    device: str | None = None,
    progress: Progress = False,
) -> NDArray[np.int32] | None:
    """Return the pairs of some rows within reach of each other, in any order; None: too many."""
    found = PairList(at_most)
    _pairs_into(found, vectors, reach, device).compare(rows, progress=progress)
    return found.pairs()


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


def leaders(
    vectors: Vectors | NDArray[np.float32],
    reach: float,
    *,
    at_most: int = AT_MOST,
    device: str | None = None,
) -> NDArray[np.int64]:
    """Group vectors greedily in row order, each group within reach of its leader.

    The first row that is in no group leads one, and takes all later rows within `reach` of it
    that are in none; so no row comes in through another member.

    Parameters
    ----------
    vectors
        n of them, best leader first: :class:`Vectors`, or an array of :func:`unit_vectors`.
    reach
        Largest cosine distance from a leader to a member; negative: no groups.
    at_most
        Pairs that are held at a time, at least 2 million. It bounds memory, and changes no result.
    device
        Torch device; default: CUDA if there is one.

    Returns
    -------
    NDArray[np.int64]
        The leader of each row; a leader's own row for itself.
    """
    vectors = Vectors.of(vectors)
    leader = np.arange(len(vectors))
    if reach < 0 or not len(vectors):
        return leader
    # Equal vectors have the same neighbours: the first of them stands for all.
    sets = EqualSets(vectors)
    distinct = vectors.take(sets.heads)
    of_distinct = np.arange(len(sets.heads))
    left, heads = of_distinct.copy(), HEADS[0]
    while left.size:
        head, rest = left[:heads], left[heads:]
        pairs = pairs_among(distinct, head, reach, at_most, device)
        if pairs is None:
            heads = HEADS[1]
            continue
        of_distinct[head] = leaders_of_pairs(len(distinct), pairs)[head]
        leading = head[of_distinct[head] == head]
        first = _FirstLeader(len(distinct))
        _pairs_into(first, distinct, reach, device).compare(leading, rest)
        of_distinct[rest] = np.minimum(of_distinct[rest], first.leader[rest])
        left = rest[of_distinct[rest] == rest]
    leader[sets.heads] = sets.heads[of_distinct]
    return leader[sets.head]


class _FirstLeader:
    """The first leader that each row is within reach of."""

    def __init__(self, n: int) -> None:
        self.leader = np.full(n, n)

    def add(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
        np.minimum.at(self.leader, others, rows)
        return True


def _pairs_into(sink: Sink, vectors: Vectors, reach: float, device: str | None) -> AllPairs:
    """Return what finds pairs within reach, and nothing else."""
    found = AllPairs(vectors, reach=reach, sink=sink, device=device)
    found.know(np.full(len(vectors), -1), np.full(len(vectors), UNBEATABLE))
    return found


def any_within(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32],
    reach: float,
    *,
    block: int = BLOCK,
) -> NDArray[np.bool_]:
    """Tell which vectors have any of the others within reach.

    Parameters
    ----------
    vectors, others
        :func:`unit_vectors`, shapes (n, d) and (m, d).
    reach
        Largest cosine distance; negative: nobody has.
    block
        Rows multiplied at a time. It bounds memory, and changes no result.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n,).
    """
    found = np.zeros(len(vectors), np.bool_)
    for beside in parts(len(others) if reach >= 0 else 0, block):
        left = np.flatnonzero(~found)
        for part in parts(len(left), block):
            rows = left[part]
            found[rows] = _within(vectors[rows], others[beside], reach).any(axis=1)
    return found


def _distance(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(1.0 - cosine, 0.0, 1.0)


def _graph_pairs(best: AllPairs, progress: Progress) -> None:
    """Take candidates from a graph, and look at all pairs of the rows that it serves badly.

    Many nearly equal vectors cut a graph into pieces, for the others too. They are among the rows
    that the graph serves badly, which are then compared with everyone: where they are many, a
    second graph is built without them.
    """
    left = everyone = np.arange(len(best.vectors))
    for _ in range(2):
        if len(left) <= CANDIDATES:
            best.compare(left, np.setdiff1d(everyone, left), progress)
            break
        badly_served = _ask_graph(best, left)
        best.compare(badly_served, np.setdiff1d(everyone, badly_served), progress)
        left = np.setdiff1d(left, badly_served, assume_unique=True)
        if len(badly_served) < len(left) // 100:
            break


def _ask_graph(best: AllPairs, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take in what a graph of some rows finds for each; return the rows that it serves badly.

    A row that does not find itself is lost in the graph, and likely missing from the answers of
    others. A row whose last candidate is about as near as its best may have better ones that did
    not fit the list.
    """
    graph = build_graph(best.vectors.take(nodes))
    badly_served = []
    for part in parts(len(nodes)):
        rows = nodes[part]
        unit = best.vectors.unit(rows)
        # One query alone would be answered in another form; the second answer is not used.
        found = graph.search(unit if len(unit) > 1 else unit.repeat(2, axis=0), CANDIDATES)
        # Short answers are padded with key 0.
        valid = np.arange(CANDIDATES) < found.counts[: len(unit), None]
        others = nodes[np.where(valid, found.keys[: len(unit)].astype(np.int64), 0)]
        cosine = row_cosines(unit, best.vectors.unit(others.ravel()).reshape(*others.shape, -1))
        itself = others == rows[:, None]
        usable = valid & ~itself
        best_found = np.where(usable, cosine, -np.inf).max(axis=1)
        last_found = np.where(usable, cosine, np.inf).min(axis=1)
        is_full = last_found >= best_found - GRAPH_ERROR
        badly_served.append(rows[is_full | ~(itself & valid).any(axis=1)])
        asking = np.repeat(rows, usable.sum(axis=1))
        best.offer_pairs(asking, others[usable], cosine[usable])
        best.offer_pairs(others[usable], asking, cosine[usable])
    return np.concatenate(badly_served)


def _within(a: NDArray[np.float32], b: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
    """Return which cosine distances, clipped to [0, 1], are at most `reach`."""
    if reach >= 1:
        return np.ones((len(a), len(b)), np.bool_)
    tile = a @ b.T
    slack = float32_error(a.shape[1])
    within = tile >= 1 - reach + slack
    doubtful = (tile >= 1 - reach - slack) & ~within
    rows, columns = np.flatnonzero(doubtful.any(axis=1)), np.flatnonzero(doubtful.any(axis=0))
    within[np.ix_(rows, columns)] = 1.0 - cosines(a[rows], b[columns]) <= reach
    return within
