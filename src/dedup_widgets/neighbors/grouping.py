"""Greedy groups of vectors that lie close to the first of each."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.equal_vectors import EqualSets
from dedup_widgets.neighbors.pair_list import AT_MOST, PairList, Sink
from dedup_widgets.neighbors.vectors import BLOCK, Vectors, cosines, float32_error, parts

HEADS = (32_768, 2_048)
"""Rows that are grouped among themselves at a time; the lower number where pairs are too many."""


UNBEATABLE = 2.0
"""A cosine that no vector reaches: whoever has it needs no neighbour."""


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


def leaders_of_pairs(n: int, pairs: NDArray[np.int32]) -> NDArray[np.int64]:
    """Group n rows greedily in row order, as :func:`dedup_widgets.neighbors.grouping.leaders` does.

    Parameters
    ----------
    n
        How many rows.
    pairs
        Shape (p, 2), the rows of each pair within reach, in any order.

    Returns
    -------
    NDArray[np.int64]
        The leader of each row; a leader's own row for itself.

    Examples
    --------
    >>> leaders_of_pairs(4, np.array([[0, 1], [2, 1], [2, 3]], np.int32)).tolist()
    [0, 0, 2, 2]
    """
    leader = np.arange(n)
    first, later = ordered(pairs).T.astype(np.int64)
    for begin, end in pairwise(np.flatnonzero(np.diff(first, prepend=-1, append=-1))):
        row = first[begin]
        if leader[row] == row:
            near = later[begin:end]
            leader[near[leader[near] == near]] = row
    return leader


def ordered(pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return pairs, (p, 2), with the lower number of each first, in ascending order."""
    # One key of both, quicker to sort.
    key = pairs.min(axis=1).astype(np.int64) << 32 | pairs.max(axis=1)
    key.sort()
    return np.stack([key >> 32, key & 0xFFFFFFFF], axis=1).astype(np.int32)
