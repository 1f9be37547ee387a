"""Vectors that are equal to the last bit: one of them is compared and answers for all."""

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.vectors import Vectors, first_equal


class EqualSets:
    """Which vectors are equal.

    Parameters
    ----------
    vectors
        n of them.
    rank
        n different numbers; default: the row.

    Attributes
    ----------
    head
        (n,), the row of the lowest rank among those equal to each.
    heads
        The rows that are their own heads, in ascending order.
    rest
        The other rows, in the order of their ranks.
    """

    def __init__(self, vectors: Vectors, rank: NDArray[np.int64] | None = None) -> None:
        n = len(vectors)
        self._rank = rank = np.arange(n) if rank is None else rank
        first = first_equal(vectors)
        lowest = np.full(n, np.iinfo(np.int64).max)
        np.minimum.at(lowest, first, rank)
        is_head = lowest[first] == rank
        of_first = np.empty(n, np.int64)
        of_first[first[is_head]] = np.flatnonzero(is_head)
        self.head = of_first[first]
        self.heads = np.flatnonzero(is_head)
        rest = np.flatnonzero(~is_head)
        self.rest = rest[np.argsort(rank[rest])]

    def nearest_of_all(
        self, row: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return everyone's nearest and the cosine with it, from those among the heads alone.

        Parameters
        ----------
        row, cosine
            For each head, the place of the nearest other one among them, -1 for none, and the
            cosine of both.
        """
        place = np.searchsorted(self.heads, self.head)
        nearest, highest = np.append(self.heads, -1)[row][place], cosine[place]
        equal = self.head.copy()
        equal[self.head[self.rest][::-1]] = self.rest[::-1]  # the first of the rest is written last
        # Others may be as near: vectors that differ in the last bit have a cosine of about 1.
        is_equal = (equal != np.arange(len(equal))) & (
            (highest < 1.0) | ((highest == 1.0) & (self._rank[equal] < self._rank[nearest]))
        )
        return np.where(is_equal, equal, nearest), np.where(is_equal, 1.0, highest)

    def pairs_of_all(self, pairs: NDArray[np.int32], at_most: int) -> NDArray[np.int32] | None:
        """Return everyone's pairs, from those of the heads; None if they are more than `at_most`.

        Parameters
        ----------
        pairs
            (p, 2), places among the heads.
        at_most
            How many pairs are wanted at most.
        """
        if not self.rest.size:
            return pairs
        place = np.searchsorted(self.heads, self.head)
        members = np.argsort(place, kind="stable")
        size = np.bincount(place)
        start = np.cumsum(size) - size
        first, second = size[pairs].T
        if (first * second).sum() + (size * (size - 1) // 2).sum() > at_most:
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
