"""Greedy groups: each member lies within a radius of the representative of its group.

The rows are the preferred representatives in their order.
"""

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.equal_vectors import EqualSets
from dedup_widgets.neighbors.pair_list import (
    MAX_PAIRS,
    PairCollector,
    PairList,
    pair_keys,
    pairs_of_keys,
)
from dedup_widgets.neighbors.vectors import BLOCK_ROWS, Vectors, cosines, float32_error, parts

GROUPED_ROWS_AT_A_TIME = (32_768, 2_048)
"""Rows that are grouped among themselves at a time; the lower number where pairs are too many."""


PAIRS_AT_A_TIME = 16_384
"""Pairs that are gone through at a time."""


def pairs_among(
    vectors: Vectors,
    rows: NDArray[np.int64],
    radius: float,
    max_pairs: int = MAX_PAIRS,
    device: str | None = None,
    progress: Progress = False,
) -> NDArray[np.int32] | None:
    """Return the pairs of some rows within the radius, in any order; None for too many."""
    found = PairList(max_pairs)
    _pairs_into(found, vectors, radius, device).compare(rows, progress=progress)
    return found.pairs()


def greedy_groups(
    vectors: Vectors | NDArray[np.float32],
    radius: float,
    *,
    also: NDArray[np.int32] | None = None,
    max_pairs: int = MAX_PAIRS,
    rows_at_a_time: tuple[int, int] = GROUPED_ROWS_AT_A_TIME,
    device: str | None = None,
) -> NDArray[np.int64]:
    """Group vectors greedily in row order, each group within the radius of its representative.

    The first row that is in no group becomes the representative of a new one, which all later rows
    within `radius` of it join that are in none. Members do not bring in further rows.

    Parameters
    ----------
    vectors
        n of them, the preferred representatives first: :class:`Vectors`, or an array of
        :func:`unit_vectors`.
    radius
        Largest cosine distance from a representative to a member; negative: no groups.
    also
        (p, 2), rows of pairs that count as within the radius, wherever their vectors are.
    max_pairs
        Pairs that are held at a time, at least 2 million. It bounds memory, and changes no result.
    rows_at_a_time
        Rows that are grouped at a time, and how many where those have too many pairs. They change
        no result.
    device
        Torch device; default: CUDA if there is one.

    Returns
    -------
    NDArray[np.int64]
        (n,), the row of the representative of each; that of a representative is its own.

    See Also
    --------
    greedy_groups_of_pairs : The same from a list of the pairs within the radius.
    """
    vectors = Vectors.of(vectors)
    representative = np.arange(len(vectors))
    if radius < 0 or not len(vectors):
        return representative
    if also is not None:
        return _grouped(vectors, radius, ordered(also), max_pairs, rows_at_a_time, device)
    # Equal vectors have the same neighbours, so one of them is enough.
    sets = EqualSets(vectors)
    distinct = vectors.take(sets.representatives)
    none = np.empty((0, 2), np.int32)
    of_distinct = _grouped(distinct, radius, none, max_pairs, rows_at_a_time, device)
    representative[sets.representatives] = sets.representatives[of_distinct]
    return representative[sets.representative_of]


def _grouped(
    distinct: Vectors,
    radius: float,
    also: NDArray[np.int32],
    max_pairs: int,
    rows_at_a_time: tuple[int, int],
    device: str | None,
) -> NDArray[np.int64]:
    """Group vectors greedily, a block at a time."""
    of_distinct = np.arange(len(distinct))
    left, size = of_distinct.copy(), rows_at_a_time[0]
    while left.size:
        block, later = left[:size], left[size:]
        pairs = pairs_among(distinct, block, radius, max_pairs, device)
        if pairs is None:
            size = rows_at_a_time[1]
            continue
        in_block = np.isin(also, block)
        pairs = np.concatenate([pairs, also[in_block.all(axis=1)]])
        of_distinct[block] = greedy_groups_of_pairs(len(distinct), pairs)[block]
        representatives = block[of_distinct[block] == block]
        first = _FirstRepresentative(len(distinct))
        _pairs_into(first, distinct, radius, device).compare(representatives, later)
        from_here = also[np.isin(also[:, 0], representatives)]
        first.add(*from_here.T.astype(np.int64))
        of_distinct[later] = np.minimum(of_distinct[later], first.representative[later])
        left = later[of_distinct[later] == later]
    return of_distinct


class _FirstRepresentative:
    """A collector of pairs that keeps the first representative within the radius of each row."""

    def __init__(self, n: int) -> None:
        self.representative = np.full(n, n)

    def add(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
        """Take in pairs of a representative and another row; more are always wanted."""
        np.minimum.at(self.representative, others, rows)
        return True


def _pairs_into(
    collector: PairCollector, vectors: Vectors, radius: float, device: str | None
) -> AllPairs:
    """Return a comparison that only collects the pairs within the radius, and no nearest."""
    none = np.zeros(len(vectors), np.bool_)
    return AllPairs(vectors, radius=radius, collector=collector, wanted=none, device=device)


def any_within(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32],
    radius: float,
    *,
    block: int = BLOCK_ROWS,
) -> NDArray[np.bool_]:
    """Tell which vectors have any of the others within the radius.

    Parameters
    ----------
    vectors, others
        :func:`unit_vectors`, shapes (n, d) and (m, d).
    radius
        Largest cosine distance; negative: none have.
    block
        Rows multiplied at a time. It bounds memory, and changes no result.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n,).
    """
    found = np.zeros(len(vectors), np.bool_)
    for block_of_others in parts(len(others) if radius >= 0 else 0, block):
        left = np.flatnonzero(~found)
        for part in parts(len(left), block):
            rows = left[part]
            found[rows] = _within(vectors[rows], others[block_of_others], radius).any(axis=1)
    return found


def _within(a: NDArray[np.float32], b: NDArray[np.float32], radius: float) -> NDArray[np.bool_]:
    """Return which cosine distances, clipped to [0, 1], are at most `radius`."""
    if radius >= 1:
        return np.ones((len(a), len(b)), np.bool_)
    tile = a @ b.T
    slack = float32_error(a.shape[1])
    within = tile >= 1 - radius + slack
    uncertain = (tile >= 1 - radius - slack) & ~within
    rows, columns = np.flatnonzero(uncertain.any(axis=1)), np.flatnonzero(uncertain.any(axis=0))
    within[np.ix_(rows, columns)] = 1.0 - cosines(a[rows], b[columns]) <= radius
    return within


def greedy_groups_of_pairs(n: int, pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """Group n rows greedily in row order, as :func:`greedy_groups` does.

    Parameters
    ----------
    n
        How many rows.
    pairs
        Shape (p, 2), the rows of each pair within the radius, in any order.

    Returns
    -------
    NDArray[np.int32]
        (n,), the row of the representative of each; that of a representative is its own.

    Examples
    --------
    >>> greedy_groups_of_pairs(4, np.array([[0, 1], [2, 1], [2, 3]], np.int32)).tolist()
    [0, 0, 2, 2]
    >>> greedy_groups_of_pairs(2, np.empty((0, 2), np.int32)).tolist()
    [0, 1]
    """
    pairs = ordered(pairs)
    is_member = bytearray(n)
    for part in parts(len(pairs), PAIRS_AT_A_TIME):
        # When a row comes first, all better ones have said whether it is a member.
        for row, later in pairs[part].tolist():
            if not is_member[row]:
                is_member[later] = 1
    first, later = pairs[np.frombuffer(is_member, np.bool_)[pairs[:, 0]] == 0].T
    representative = np.arange(n, dtype=np.int32)
    np.minimum.at(representative, later, first)
    return representative


def ordered(pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return pairs, (p, 2), with the lower number of each first, in ascending order."""
    keys = pair_keys(pairs.min(axis=1), pairs.max(axis=1))
    keys.sort()
    return pairs_of_keys(keys)
