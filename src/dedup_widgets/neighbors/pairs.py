"""All pairs of vectors within reach of each other, for groups at any boundary."""

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.vectors import BLOCK, cosines, float32_error, parts


def pairs_within(
    vectors: NDArray[np.float32], reach: float, *, at_most: int, block: int = BLOCK
) -> "Pairs":
    """Find all pairs of vectors within reach of each other.

    Parameters
    ----------
    vectors
        :func:`unit_vectors`, shape (n, d).
    reach
        Largest cosine distance of a pair; negative: no pairs.
    at_most
        How many pairs to keep. Where there are more, the farthest are dropped and the reach
        shrinks, to nothing if need be: memory is bounded, and within the reach that is left none
        is missing.
    block
        Rows multiplied at a time. It bounds memory too.

    Examples
    --------
    >>> from dedup_widgets.neighbors.vectors import unit_vectors
    >>> found = pairs_within(unit_vectors([[1, 0], [3, 4], [0, 1]]), 0.5, at_most=100)
    >>> found.of(1, reach=0.5).tolist(), found.of(1, reach=0.3).tolist()
    ([2, 0], [2])
    """
    found = _PairsSoFar(reach, float32_error(vectors.shape[1]), at_most)
    blocks = list(parts(len(vectors), block))
    for i, above in enumerate(blocks):
        for beside in blocks[i:]:
            if found.reach < 0:
                break
            tile = vectors[above] @ vectors[beside].T
            if above == beside:
                tile[np.tril_indices(len(tile))] = np.nan  # each pair once
            # Several times as quick as nonzero in two dimensions.
            at = np.flatnonzero(tile >= found.lowest)
            rows, columns = np.divmod(at, tile.shape[1])
            found.add(rows + above.start, columns + beside.start, tile.ravel()[at])
    return Pairs(vectors, found.reach, *found.joined())


class Pairs:
    """All pairs of vectors within reach of each other, listed for each vector.

    What float32 says about a distance decides where it can; a pair about as far apart as is asked
    for is computed exactly. So groups are the same as those of :func:`leaders`, to the last bit.

    Attributes
    ----------
    reach
        Cosine distance within which no pair is missing; negative: nothing is known.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        reach: float,
        first: NDArray[np.int32],
        second: NDArray[np.int32],
        product: NDArray[np.float32],
    ) -> None:
        self.reach = reach
        self._vectors = vectors
        self._slack = float32_error(vectors.shape[1])
        row = np.concatenate([first, second])
        distance = np.tile(np.maximum(np.float32(1) - product, 0), 2)
        # One key of both, quicker to sort: floats from 0 on are ordered like their bits.
        order = np.argsort(row.astype(np.int64) << 32 | distance.view(np.uint32))
        self._other = np.concatenate([second, first])[order]
        self._distance = distance[order]
        self._start = np.searchsorted(row[order], np.arange(len(vectors) + 1))
        has_any = np.flatnonzero(np.diff(self._start))
        self._nearest = np.full(len(vectors), np.inf, np.float32)
        self._nearest[has_any] = self._distance[self._start[has_any]]

    def __len__(self) -> int:
        return len(self._other) // 2

    def of(self, row: int, reach: float) -> NDArray[np.int32]:
        """Return the vectors within reach of one, about the nearest first.

        Parameters
        ----------
        row
            Its row.
        reach
            Largest cosine distance, at most that of these pairs.
        """
        start, end = self._start[row], self._start[row + 1]
        distance, other = self._distance[start:end], self._other[start:end]
        if reach >= 1:  # no distance is more than 1, whatever the product
            return other
        sure, possible = distance.searchsorted((reach - self._slack, reach + self._slack))
        if sure == possible:
            return other[:sure]
        doubtful = other[sure:possible]
        exact = 1.0 - cosines(self._vectors[[row]], self._vectors[doubtful])[0]
        return np.concatenate([other[:sure], doubtful[exact <= reach]])

    def leaders(
        self, rows: NDArray[np.int64], reach: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Group some of the vectors greedily, as :func:`leaders` does.

        Parameters
        ----------
        rows
            Their rows, each once, best leader first.
        reach
            Largest cosine distance from a leader to a member, at most that of these pairs;
            negative: no groups.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.bool_]]
            For each of `rows`, the place in `rows` of its leader, and whether any other of them
            is within reach.
        """
        leader = np.arange(len(rows))
        crowded = np.zeros(len(rows), np.bool_)
        place = np.full(len(self._vectors), -1)
        place[rows] = leader
        may_lead = self._nearest[rows] <= (reach + self._slack if reach < 1 else np.inf)
        for i in np.flatnonzero(may_lead & (reach >= 0)):
            if leader[i] == i:
                near = place[self.of(rows[i], reach)]
                near = near[near >= 0]
                crowded[i] = near.size > 0
                later = near[near > i]
                leader[later[leader[later] == later]] = i
        return leader, crowded | (leader != np.arange(len(rows)))


class _PairsSoFar:
    """Pairs of which the farthest are dropped when they become too many."""

    def __init__(self, reach: float, slack: float, at_most: int) -> None:
        self.reach = reach
        self._slack = slack
        self._at_most = at_most
        self._size = 0
        self._first = [np.empty(0, np.int32)]
        self._second = [np.empty(0, np.int32)]
        self._product = [np.empty(0, np.float32)]

    @property
    def lowest(self) -> float:
        """The lowest float32 product of a pair that may be within reach."""
        # No distance is more than 1, whatever the product.
        return 1.0 - self.reach - self._slack if self.reach < 1 else -np.inf

    def add(
        self, first: NDArray[np.int64], second: NDArray[np.int64], product: NDArray[np.float32]
    ) -> None:
        self._first.append(first.astype(np.int32))
        self._second.append(second.astype(np.int32))
        self._product.append(product)
        self._size += len(product)
        while self._size > self._at_most:
            self._halve()

    def joined(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        return (
            np.concatenate(self._first),
            np.concatenate(self._second),
            np.concatenate(self._product),
        )

    def _halve(self) -> None:
        first, second, product = self.joined()
        too_far = np.partition(product, len(product) // 2)[len(product) // 2]
        # Twice, so that this very product is lower than the lowest; and no distance is above 1.
        self.reach = 1.0 - max(float(too_far), 0.0) - 2 * self._slack
        near = (product >= self.lowest) & (self.reach >= 0)
        self._first, self._second = [first[near]], [second[near]]
        self._product = [product[near]]
        self._size = len(self._product[0])
