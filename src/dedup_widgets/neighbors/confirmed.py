"""Pairs of pictures that were laid over each other, and who is a near-duplicate of whom by them.

A pair that was confirmed has an agreement: the share of the larger picture that both show. From it
follows the distance of the pair. Of two copies of one picture that were not laid over each other
themselves, it is known that they agree in at least ``a + b - 1`` of it, where a and b are the
shares in which they agree with it: more cannot be missing than is missing of both.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

LEAST_AGREEMENT = 0.3
"""The lowest agreement of a confirmed pair; it lies at the near-duplicate boundary."""


LEAST_IMPLIED = 0.6
"""The lowest agreement for which a pair counts that was not compared itself."""


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
    """

    def __init__(
        self,
        n: int,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        agreement: NDArray[np.float64],
        near_distance: float,
    ) -> None:
        self.near_distance = near_distance
        row = np.concatenate([first, second])
        other = np.concatenate([second, first])
        both = np.tile(np.asarray(agreement, np.float64), 2)
        order = np.lexsort((other, row))
        self._other, self._agreement = other[order], both[order]
        self._start = np.searchsorted(row[order], np.arange(n + 1))

    def __len__(self) -> int:
        return len(self._start) - 1

    @property
    def boundary(self) -> float:
        """The distance up to which these pairs alone decide."""
        return REFUSED * self.near_distance

    def of(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the pictures that were confirmed to be copies of one, and their agreement."""
        part = slice(self._start[row], self._start[row + 1])
        is_confirmed = ~np.isnan(self._agreement[part])
        return self._other[part][is_confirmed], self._agreement[part][is_confirmed]

    def has_any(self) -> NDArray[np.bool_]:
        """Tell of which pictures a copy was confirmed, (n,)."""
        row = np.repeat(np.arange(len(self)), np.diff(self._start))
        return np.bincount(row[~np.isnan(self._agreement)], minlength=len(self)) > 0

    def agreements(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the same, with those of which it follows, in ascending order."""
        direct, agreement = self.of(row)
        if not direct.size:
            return direct, agreement
        part = slice(self._start[row], self._start[row + 1])
        others, shares = [direct], [agreement]
        for middle, share in zip(direct.tolist(), agreement.tolist(), strict=True):
            beyond, further = self.of(middle)
            others.append(beyond)
            shares.append(share + further - 1)
        other, share = np.concatenate(others), np.concatenate(shares)
        follows = np.arange(len(other)) >= len(direct)
        compared = np.isin(other, np.append(self._other[part], row))
        keep = ~follows | ((share >= LEAST_IMPLIED) & ~compared)
        other, share = other[keep], share[keep]
        order = np.lexsort((-share, other))
        other, share = other[order], share[order]
        first = np.flatnonzero(np.diff(other, prepend=-1))
        return other[first], share[first]

    def within(self, row: int, radius: float) -> NDArray[np.int64]:
        """Return the pictures that are copies of one within a distance below the boundary."""
        other, agreement = self.agreements(row)
        return other[distance_of(agreement, self.near_distance) <= radius]

    def distances(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distance of each pair, NaN where nothing says that they are copies."""
        found = np.full(len(rows), np.nan)
        for at, (row, other) in enumerate(zip(rows.tolist(), others.tolist(), strict=True)):
            known, agreement = self.agreements(row)
            place = int(np.searchsorted(known, other))
            if place < len(known) and known[place] == other:
                found[at] = distance_of(agreement[[place]], self.near_distance)[0]
        return found

    def decide(
        self, nearest: NDArray[np.int64], distance: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the nearest of each picture and its distance, now that pairs were compared.

        Parameters
        ----------
        nearest, distance
            (n,), the nearest by vectors, -1 for none, and its distance.

        Returns
        -------
        tuple
            The confirmed copy that agrees most, where there is any; else the nearest by vectors,
            which is beyond the boundary.
        """
        nearest = nearest.copy()
        distance = np.where(
            nearest >= 0, np.clip(np.maximum(distance, self.boundary), 0, 1), distance
        )
        for row in np.flatnonzero(self.has_any()).tolist():
            other, agreement = self.of(row)
            best = int(agreement.argmax())
            nearest[row] = other[best]
            distance[row] = distance_of(agreement[[best]], self.near_distance)[0]
        return nearest, distance


def greedy_groups(
    order: Iterable[int], n: int, neighbors: Callable[[int], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Group n items greedily: the first of an order that is in no group takes its neighbours.

    Parameters
    ----------
    order
        Items, the preferred representatives first; the others are members at most.
    n
        How many items there are.
    neighbors
        Returns the neighbours of an item.

    Returns
    -------
    NDArray[np.int64]
        (n,), the representative of each item; that of a representative is its own.

    Examples
    --------
    >>> near = {0: [1], 1: [0, 2], 2: [1]}
    >>> greedy_groups([0, 1, 2], 3, lambda item: np.array(near[item])).tolist()
    [0, 0, 2]
    """
    representative = np.full(n, -1)
    for item in order:
        if representative[item] < 0:
            representative[item] = item
            near = neighbors(item)
            representative[near[representative[near] < 0]] = item
    return np.where(representative < 0, np.arange(n), representative)
