"""All pairs of vectors within a radius, listed for greedy groups at any smaller radius."""

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.greedy import group_greedily
from dedup_widgets.neighbors.vectors import BLOCK_ROWS, cosines, float32_error, parts


def pairs_within(
    vectors: NDArray[np.float32], radius: float, *, max_pairs: int, block: int = BLOCK_ROWS
) -> "Pairs":
    """Find all pairs of vectors within a radius.

    Parameters
    ----------
    vectors
        :func:`unit_vectors`, shape (n, d).
    radius
        Largest cosine distance of a pair; negative: no pairs.
    max_pairs
        How many pairs to keep. Where there are more, the farthest are dropped and the radius
        shrinks, below 0 if necessary: memory is bounded, and within the remaining radius no pair
        is missing.
    block
        Rows multiplied at a time. It bounds memory too.

    Examples
    --------
    >>> from dedup_widgets.neighbors.vectors import unit_vectors
    >>> found = pairs_within(unit_vectors([[1, 0], [3, 4], [0, 1]]), 0.5, max_pairs=100)
    >>> found.of(1, radius=0.5).tolist(), found.of(1, radius=0.3).tolist()
    ([2, 0], [2])
    """
    found = _NearestPairs(radius, float32_error(vectors.shape[1]), max_pairs)
    blocks = list(parts(len(vectors), block))
    for i, row_block in enumerate(blocks):
        for column_block in blocks[i:]:
            if found.radius < 0:
                break
            tile = vectors[row_block] @ vectors[column_block].T
            if row_block == column_block:
                tile[np.tril_indices(len(tile))] = np.nan  # each pair once
            # Several times as quick as nonzero in two dimensions.
            at = np.flatnonzero(tile >= found.lowest)
            rows, columns = np.divmod(at, tile.shape[1])
            found.add(rows + row_block.start, columns + column_block.start, tile.ravel()[at])
    return Pairs(vectors, found.radius, *found.joined())


class Pairs:
    """All pairs of vectors within a radius, listed for each vector.

    The float32 distance decides where its error allows; a pair about as far apart as the radius is
    computed exactly. So groups are those of
    :func:`dedup_widgets.neighbors.grouping.greedy_groups`, to the last bit.

    Attributes
    ----------
    radius
        Cosine distance within which no pair is missing; negative: there are no pairs.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        radius: float,
        first: NDArray[np.int32],
        second: NDArray[np.int32],
        product: NDArray[np.float32],
    ) -> None:
        self.radius = radius
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

    def of(self, row: int, radius: float) -> NDArray[np.int32]:
        """Return the vectors within the radius of one, about the nearest first.

        Parameters
        ----------
        row
            Its row.
        radius
            Largest cosine distance, at most that of these pairs.
        """
        start, end = self._start[row], self._start[row + 1]
        distance, other = self._distance[start:end], self._other[start:end]
        if radius >= 1:  # no distance is more than 1, whatever the product
            return other
        sure, possible = distance.searchsorted((radius - self._slack, radius + self._slack))
        if sure == possible:
            return other[:sure]
        uncertain = other[sure:possible]
        exact = 1.0 - cosines(self._vectors[[row]], self._vectors[uncertain])[0]
        return np.concatenate([other[:sure], uncertain[exact <= radius]])

    def greedy_groups(
        self, rows: NDArray[np.int64], radius: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Group some of the vectors greedily.

        Parameters
        ----------
        rows
            Their rows, each once, in the order in which they may become representatives.
        radius
            Largest cosine distance from a representative to a member, at most that of these pairs;
            negative: no groups.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.bool_]]
            For each of `rows`, where in `rows` its representative is, and whether any other of
            them is within the radius.
        """
        has_neighbor = np.zeros(len(rows), np.bool_)
        index = np.full(len(self._vectors), -1)
        index[rows] = np.arange(len(rows))

        def neighbors(i: int) -> NDArray[np.int64]:
            near: NDArray[np.int64] = index[self.of(rows[i], radius)]
            near = near[near >= 0]
            has_neighbor[i] = near.size > 0
            return near

        may_have_neighbor = self._nearest[rows] <= (radius + self._slack if radius < 1 else np.inf)
        order = np.flatnonzero(may_have_neighbor & (radius >= 0)).tolist()
        representative = group_greedily(order, len(rows), neighbors)
        return representative, has_neighbor | (representative != np.arange(len(rows)))


class _NearestPairs:
    """The nearest of the pairs so far: the farthest are dropped when there are too many."""

    def __init__(self, radius: float, slack: float, max_pairs: int) -> None:
        self.radius = radius
        self._slack = slack
        self._max_pairs = max_pairs
        self._size = 0
        self._first = [np.empty(0, np.int32)]
        self._second = [np.empty(0, np.int32)]
        self._product = [np.empty(0, np.float32)]

    @property
    def lowest(self) -> float:
        """The lowest float32 product of a pair that may be within the radius."""
        # No distance is more than 1, whatever the product.
        return 1.0 - self.radius - self._slack if self.radius < 1 else -np.inf

    def add(
        self, first: NDArray[np.int64], second: NDArray[np.int64], product: NDArray[np.float32]
    ) -> None:
        """Add pairs, (p,): their rows and their float32 product."""
        self._first.append(first.astype(np.int32))
        self._second.append(second.astype(np.int32))
        self._product.append(product)
        self._size += len(product)
        while self._size > self._max_pairs:
            self._halve()

    def joined(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Return first row, second row and float32 product of each pair, (p,)."""
        return (
            np.concatenate(self._first),
            np.concatenate(self._second),
            np.concatenate(self._product),
        )

    def _halve(self) -> None:
        """Drop the farther half of the pairs, and shrink the radius accordingly."""
        first, second, product = self.joined()
        too_far = np.partition(product, len(product) // 2)[len(product) // 2]
        # Twice, so that this very product is lower than the lowest; and no distance is above 1.
        self.radius = 1.0 - max(float(too_far), 0.0) - 2 * self._slack
        near = (product >= self.lowest) & (self.radius >= 0)
        self._first, self._second = [first[near]], [second[near]]
        self._product = [product[near]]
        self._size = len(self._product[0])
