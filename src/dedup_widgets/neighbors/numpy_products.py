"""Approximate dot products by numpy."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.products import (
    MARGIN,
    Entries,
    RoundedVectors,
    Tile,
    where,
    worker_threads,
)
from dedup_widgets.neighbors.rescaled import multiply_rescaled
from dedup_widgets.neighbors.vectors import Vectors, float32_error


class NumpyProducts:
    """Dot products in float32, which represents unit vectors exactly."""

    itemsize = 4
    workers = 1  # the library below numpy has threads of its own

    def __init__(self, block: int = 512, bytes_at_a_time: int = 2**27) -> None:
        self.block, self.bytes_at_a_time = block, bytes_at_a_time

    def load(
        self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> RoundedVectors:
        """Return the vectors unrounded; `pool` is not used."""
        del pool
        return RoundedVectors(vectors.unit(rows), np.zeros(len(rows), np.float32))

    def multiply(self, a: RoundedVectors, b: RoundedVectors) -> Tile:
        """Return the dot products of all rows of a with all rows of b."""
        slack = float(a.error.max() + 1.001 * b.error.max())
        return _NumpyTile(a.data @ b.data.T, MARGIN + slack + 2 * float32_error(a.data.shape[1]))

    def multiply_rescaled(
        self, a: NDArray[np.float32], b: NDArray[np.float32], max_norm: float
    ) -> Tile:
        """Return the cosines of vectors that lie close together, see :class:`Products`."""
        return multiply_rescaled(self, _rounded_by_numpy, a, b, max_norm)

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all dot products in float64."""
        return a @ b.T

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield a pool of one thread to compute tiles in."""
        with worker_threads(self.workers) as pool:
            yield pool


class _NumpyTile:
    """A :class:`Tile` in a numpy array."""

    def __init__(self, product: NDArray[np.floating], slack: float) -> None:
        self._product, self.slack = product, slack

    @property
    def width(self) -> int:
        return int(self._product.shape[1])

    @property
    def T(self) -> "_NumpyTile":  # noqa: N802
        return _NumpyTile(self._product.T, self.slack)

    def mask(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._product[rows, columns] = -np.inf

    def row_maxima(self) -> NDArray[np.floating]:
        row_maxima: NDArray[np.floating] = self._product.max(axis=1)
        return row_maxima

    def entries_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        some = self._product[rows]
        is_high = some >= threshold.astype(some.dtype)[:, None]
        is_dense = is_high.sum(axis=1) > most
        is_high[is_dense] = False
        at = where(is_high)
        return (*at, some[at]), is_dense

    def columns_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        threshold = threshold.astype(self._product.dtype)
        return np.flatnonzero((self._product[rows] >= threshold[:, None]).any(axis=0))


def _rounded_by_numpy(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rows as they are multiplied and as float32: here the same."""
    return rows, rows
