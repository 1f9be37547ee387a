"""Pairs of pictures that were laid over each other, and who is a near-duplicate of whom by them.

A pair that was confirmed has an agreement: the share of the larger picture that both show. From it
follows the distance of the pair. Of two copies of one picture that were not laid over each other
themselves, it is known that they agree in at least ``a + b - 1`` of it, where a and b are the
shares in which they agree with it: more cannot be missing than is missing of both.
"""

from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dedup_widgets.neighbors.pair_list import pair_keys
from dedup_widgets.neighbors.vectors import parts

_PAIRS_AT_A_TIME = 16_384
"""Pairs of which it is asked at a time what follows from them, to bound memory."""


LEAST_AGREEMENT = 0.3
"""The lowest agreement of a confirmed pair; it lies at the near-duplicate boundary."""


LEAST_IMPLIED = 0.6
"""The lowest agreement for which a pair counts that was not compared itself."""


MOST_COPIES = 256
"""Copies of a picture up to which pairs follow through it."""


NEAREST, FARTHEST = 0.2, 0.999
"""Distances of confirmed pairs, as shares of the model's near-duplicate boundary: all are within
it, and none is as near as an exact duplicate."""


REFUSED = 1.02
"""The least distance of all other pairs, as a share of the boundary: they are beyond it."""


def distance_of(agreement: NDArray[np.float64], near_distance: float) -> NDArray[np.float64]:
    """Return the distance of confirmed pairs.

    Parameters
    ----------
    agreement
        Share of the larger picture that agrees, in [0, 1], of any shape.
    near_distance
        The model's near-duplicate boundary.

    Examples
    --------
    >>> distance_of(np.array([1.0, 0.65, 0.3]), 0.4).round(3).tolist()
    [0.08, 0.24, 0.4]
    """
    missing = np.clip((1 - agreement) / (1 - LEAST_AGREEMENT), 0, 1)
    shares: NDArray[np.float64] = near_distance * (NEAREST + (FARTHEST - NEAREST) * missing)
    return shares


class ConfirmedPairs:
    """Pairs of n pictures that were compared.

    Parameters
    ----------
    n
        How many pictures.
    first, second
        (p,), the two of each pair; a pair occurs once, in either order.
    agreement
        (p,), NaN for pairs that were refused.
    near_distance
        The model's near-duplicate boundary, as a distance.
    old
        (n,), pictures of which no two may be copies, so that it follows of no pair of them; None
        for none.
    """

    def __init__(
        self,
        n: int,
        first: NDArray[np.integer],
        second: NDArray[np.integer],
        agreement: NDArray[np.float64],
        near_distance: float,
        old: NDArray[np.bool_] | None = None,
    ) -> None:
        self.near_distance, self._old = near_distance, old
        row = np.concatenate([first, second]).astype(np.int32)
        other = np.concatenate([second, first]).astype(np.int32)
        both = np.tile(np.asarray(agreement, np.float64), 2)
        self._compared = np.sort(pair_keys(row, other))
        is_confirmed = ~np.isnan(both)
        self._direct = _Lists(n, row[is_confirmed], other[is_confirmed], both[is_confirmed])

    def __len__(self) -> int:
        return len(self._direct.start) - 1

    @property
    def boundary(self) -> float:
        """The distance up to which these pairs alone decide."""
        return REFUSED * self.near_distance

    @cached_property
    def _all(self) -> "_Lists":
        """The confirmed pairs, and those that follow from two of them."""
        direct = self._direct
        # Through a hub with a thousand copies would follow a million pairs.
        counts = np.diff(direct.start)
        middles = np.flatnonzero(counts[direct.other] <= MOST_COPIES)
        further = (
            self._through(middles[part], counts) for part in parts(len(middles), _PAIRS_AT_A_TIME)
        )
        row, other, agreement = zip(
            (direct.row, direct.other, direct.agreement), *further, strict=True
        )
        return _Lists(
            len(self), np.concatenate(row), np.concatenate(other), np.concatenate(agreement)
        )

    def _through(
        self, middles: NDArray[np.int64], counts: NDArray[np.integer]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """Return the pairs that follow from some pairs and those of the other picture of each."""
        direct = self._direct
        times = counts[direct.other[middles]]
        first = np.repeat(middles, times)
        second = spans(direct.start[direct.other[middles]], times)
        row, other = direct.row[first], direct.other[second]
        agreement = direct.agreement[first] + direct.agreement[second] - 1
        follows = (agreement >= LEAST_IMPLIED) & (row != other)
        if self._old is not None:
            follows &= ~(self._old[row] & self._old[other])
        follows[follows] = ~_are_among(pair_keys(row[follows], other[follows]), self._compared)
        return row[follows], other[follows], agreement[follows]

    def of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the pictures that were confirmed to be copies of one, and their agreement."""
        return self._direct.of(row)

    def agreements(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the same, with those of which it follows, in ascending order."""
        return self._all.of(row)

    def within(self, row: int, radius: float) -> NDArray[np.int32]:
        """Return the pictures that are copies of one within a distance below the boundary."""
        other, agreement = self._all.of(row)
        return other[distance_of(agreement, self.near_distance) <= radius]

    def pairs(self, radius: float = 1.0) -> NDArray[np.int32]:
        """Return all pairs of copies within a distance, (p, 2), each in both orders."""
        is_within = distance_of(self._all.agreement, self.near_distance) <= radius
        return np.stack([self._all.row[is_within], self._all.other[is_within]], axis=1)

    def distances(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distance of each pair, NaN where nothing says that they are copies."""
        known, wanted = pair_keys(self._all.row, self._all.other), pair_keys(rows, others)
        place = np.searchsorted(known, wanted)
        is_known = np.append(known, -1)[place] == wanted
        found = np.full(len(rows), np.nan)
        found[is_known] = distance_of(self._all.agreement[place[is_known]], self.near_distance)
        return found

    def decide(
        self, nearest: NDArray[np.integer], distance: NDArray[np.float64]
    ) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        """Return the nearest of each picture and its distance, now that pairs were compared.

        Parameters
        ----------
        nearest, distance
            (n,), the nearest by vectors, -1 for none, and its distance.

        Returns
        -------
        tuple
            The confirmed copy that agrees most, of several the one that is nearest by vectors or
            has the lowest number; where there is none, the nearest by vectors, which is beyond the
            boundary.
        """
        direct = self._direct
        is_farther = direct.other != nearest[direct.row]
        best_first = np.lexsort((direct.other, is_farther, -direct.agreement, direct.row))
        rows, first = np.unique(direct.row[best_first], return_index=True)
        best = best_first[first]
        nearest = nearest.copy()
        beyond = np.maximum(distance, self.boundary)
        np.clip(beyond, 0, 1, out=beyond)
        np.copyto(beyond, distance, where=nearest < 0)
        distance = beyond
        nearest[rows] = direct.other[best]
        distance[rows] = distance_of(direct.agreement[best], self.near_distance)
        return nearest, distance


def _are_among(keys: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which numbers are among others, which are in ascending order and none is negative."""
    found: NDArray[np.bool_] = np.append(known, -1)[np.searchsorted(known, keys)] == keys
    return found


class _Lists:
    """For each of n pictures some others with an agreement, in ascending order and once."""

    def __init__(
        self,
        n: int,
        row: NDArray[np.int32],
        other: NDArray[np.int32],
        agreement: NDArray[np.float64],
    ) -> None:
        order = np.lexsort((-agreement, other, row))
        order = order[np.diff(pair_keys(row[order], other[order]), prepend=-1) > 0]
        self.row, self.other, self.agreement = row[order], other[order], agreement[order]
        self.start = starts(self.row, n)

    def of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        part = slice(self.start[row], self.start[row + 1])
        return self.other[part], self.agreement[part]


def starts(rows: NDArray[np.integer], n: int) -> NDArray[np.integer]:
    """Return where in ascending numbers each of n begins, and the end, (n + 1,)."""
    dtype: DTypeLike = np.int32 if len(rows) < 2**31 else np.int64
    start: NDArray[np.integer] = np.zeros(n + 1, dtype)
    np.cumsum(np.bincount(rows, minlength=n), out=start[1:])
    return start


def spans(begin: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the places of lists, one list after the other: where each begins, and on from there.

    >>> spans(np.array([5, 0, 8]), np.array([2, 0, 3])).tolist()
    [5, 6, 8, 9, 10]
    """
    places: NDArray[np.int64] = np.repeat(begin - (np.cumsum(counts) - counts), counts)
    return places + np.arange(len(places))
