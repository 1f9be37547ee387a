"""Sets of vectors that are equal to the last bit: one representative is compared for all."""

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.vectors import Vectors, first_equal


class EqualSets:
    """Sets of equal vectors, each with a representative.

    Parameters
    ----------
    vectors
        n of them.
    rank
        n different numbers; default: the row.

    Attributes
    ----------
    representative_of
        (n,), for each row the equal row of the lowest rank, perhaps itself.
    representatives
        (m,), the rows that represent themselves, in ascending order.
    duplicates
        (n - m,), the other rows, in the order of their ranks.
    """

    def __init__(self, vectors: Vectors, rank: NDArray[np.int64] | None = None) -> None:
        self._represent(first_equal(vectors), rank)

    @classmethod
    def of(cls, first: NDArray[np.int64], rank: NDArray[np.int64] | None = None) -> "EqualSets":
        """Return the sets of rows, (n,), that have the same first row."""
        made = cls.__new__(cls)
        made._represent(first, rank)
        return made

    def _represent(self, first: NDArray[np.int64], rank: NDArray[np.int64] | None) -> None:
        n = len(first)
        self._rank = rank = np.arange(n) if rank is None else rank
        lowest = np.full(n, np.iinfo(np.int64).max)
        np.minimum.at(lowest, first, rank)
        is_representative = lowest[first] == rank
        of_first = np.empty(n, np.int64)
        of_first[first[is_representative]] = np.flatnonzero(is_representative)
        self.representative_of = of_first[first]
        self.representatives = np.flatnonzero(is_representative)
        duplicates = np.flatnonzero(~is_representative)
        self.duplicates = duplicates[np.argsort(rank[duplicates])]

    def nearest_of_all(
        self, row: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Extend the nearest neighbours among representatives to all n vectors.

        Parameters
        ----------
        row, cosine
            (m,), for each representative the index in `representatives` of the nearest other one,
            -1 for none, and the cosine of both.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float64]]
            (n,), the row of the nearest other vector of each, -1 for none, and the cosine of both.
        """
        index = np.searchsorted(self.representatives, self.representative_of)
        nearest, highest = np.append(self.representatives, -1)[row][index], cosine[index]
        equal = self.representative_of.copy()
        # Backwards, so that of several duplicates the one of the lowest rank is written last.
        backwards = self.duplicates[::-1]
        equal[self.representative_of[backwards]] = backwards
        # Others may be as near: vectors that differ in the last bit have a cosine of about 1.
        is_equal = (equal != np.arange(len(equal))) & (
            (highest < 1.0) | ((highest == 1.0) & (self._rank[equal] < self._rank[nearest]))
        )
        return np.where(is_equal, equal, nearest), np.where(is_equal, 1.0, highest)

    def pairs_of_all(self, pairs: NDArray[np.int32], max_pairs: int) -> NDArray[np.int32] | None:
        """Extend the pairs of representatives to all n vectors.

        Parameters
        ----------
        pairs
            (p, 2), indices in `representatives`.
        max_pairs
            How many pairs are wanted at most.

        Returns
        -------
        NDArray[np.int32] or None
            (q, 2), rows of the n vectors, the pairs of equal vectors included; None if there are
            more than `max_pairs`.
        """
        if not self.duplicates.size:
            return pairs
        index = np.searchsorted(self.representatives, self.representative_of)
        members = np.argsort(index, kind="stable")
        size = np.bincount(index)
        start = np.cumsum(size) - size
        first, second = size[pairs].T
        if (first * second).sum() + (size * (size - 1) // 2).sum() > max_pairs:
            return None
        pairs = np.concatenate([pairs, np.flatnonzero(size > 1).repeat(2).reshape(-1, 2)])
        first, second = size[pairs].T
        which = np.repeat(np.arange(len(pairs)), first * second)
        nth = np.arange(len(which)) - np.repeat(
            np.cumsum(first * second) - first * second, first * second
        )
        one = members[start[pairs[which, 0]] + nth // second[which]]
        other = members[start[pairs[which, 1]] + nth % second[which]]
        # Of a set with itself, each pair came up twice, and each member with itself.
        once = (pairs[which, 0] != pairs[which, 1]) | (one < other)
        return np.stack([one[once], other[once]], axis=1).astype(np.int32)
