"""Products by numpy."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.magnified import magnify
from dedup_widgets.neighbors.products import MARGIN, Entries, Rough, Tile, threads_of_torch, where
from dedup_widgets.neighbors.vectors import Vectors, float32_error


class NumpyProducts:
    """Products in float32, which holds unit vectors as they are."""

    itemsize = 4
    workers = 1  # the library below numpy has threads of its own

    def __init__(self, block: int = 512, at_a_time: int = 2**27) -> None:
        self.block, self.at_a_time = block, at_a_time

    def load(self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor) -> Rough:
        """Return the vectors as they are; `pool` is for those who round."""
        del pool
        return Rough(vectors.unit(rows), np.zeros(len(rows), np.float32))

    def multiply(self, a: Rough, b: Rough) -> Tile:
        """Return the products of all rows of a with all of b."""
        slack = float(a.error.max() + 1.001 * b.error.max())
        return _NumpyTile(a.data @ b.data.T, MARGIN + slack + 2 * float32_error(a.data.shape[1]))

    def magnify(self, a: NDArray[np.float32], b: NDArray[np.float32], radius: float) -> Tile:
        """Return the cosines of vectors that are close together, more finely than `multiply`."""
        return magnify(self, _rounded_by_numpy, a, b, radius)

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all products in float64."""
        return a @ b.T

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield a thread to compute tiles in."""
        with threads_of_torch(self.workers) as pool:
            yield pool


class _NumpyTile:
    def __init__(self, product: NDArray[np.floating], slack: float) -> None:
        self._product, self.slack = product, slack

    @property
    def width(self) -> int:
        return int(self._product.shape[1])

    @property
    def T(self) -> "_NumpyTile":  # noqa: N802
        return _NumpyTile(self._product.T, self.slack)

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._product[rows, columns] = -np.inf

    def peaks(self) -> NDArray[np.floating]:
        peaks: NDArray[np.floating] = self._product.max(axis=1)
        return peaks

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        some = self._product[rows]
        is_high = some >= low.astype(some.dtype)[:, None]
        is_crowded = is_high.sum(axis=1) > most
        is_high[is_crowded] = False
        at = where(is_high)
        return (*at, some[at]), is_crowded

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        low = low.astype(self._product.dtype)
        return np.flatnonzero((self._product[rows] >= low[:, None]).any(axis=0))


def _rounded_by_numpy(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return rows, rows
