"""Products of vectors that lie close together, told apart by their differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.products import Entries, Products, Rough, Tile
from dedup_widgets.neighbors.vectors import float32_error


class _Magnified:
    """Cosines that were computed from how far apart vectors are: 1 - (1 - product) * by."""

    def __init__(self, tile: Tile, by: float, slack: float) -> None:
        self._tile, self._by, self.slack = tile, by, slack

    @property
    def width(self) -> int:
        return self._tile.width

    @property
    def T(self) -> "_Magnified":  # noqa: N802
        return _Magnified(self._tile.T, self._by, self.slack)

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._tile.forget(rows, columns)

    def peaks(self) -> NDArray[np.floating]:
        return self._cosine(self._tile.peaks())

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        (row, column, product), is_crowded = self._tile.at_least(rows, self._product(low), most)
        return (row, column, self._cosine(product)), is_crowded

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        return self._tile.columns_at_least(rows, self._product(low))

    def _cosine(self, product: NDArray[np.floating]) -> NDArray[np.float64]:
        return 1 - (1 - product.astype(np.float64)) * self._by

    def _product(self, cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        product: NDArray[np.float64] = 1 - (1 - cosine.astype(np.float64)) / self._by
        return product


def magnify(
    products: Products,
    rounded: Callable[[NDArray[np.float32]], tuple[Any, NDArray[np.float32]]],
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    radius: float,
) -> Tile:
    """Multiply vectors so that a product of 1 means equal ones, and 0 those that are far apart.

    With x and y the differences a and b, divided by √2 times the radius, the product of
    (x, 1/2 - |x|²/2, 1) and (y, 1, 1/2 - |y|²/2) is 1 - |x - y|²/2.

    Rounded to the grid, a vector is off from length 1 by sqrt(d) * 2**-25 at most. That changes
    the square of a difference by twice as much, in proportion, and by the square of what two
    lengths differ by. The sums of squares in float32 come on top.
    """

    def rough(rows: NDArray[np.float32], is_left: bool) -> Rough:
        n, d = rows.shape
        wide = np.zeros((n, -(-(d + 4) // 32) * 32), np.float32)  # as wide as tiles of AMX
        x = np.multiply(rows, np.float32(1 / (np.sqrt(2) * radius)), out=wide[:, :d])
        rest = np.float32(0.5) - np.einsum("nd,nd->n", x, x) / 2
        own, ones = (slice(d, d + 2), slice(d + 2, d + 4))[:: 1 if is_left else -1]
        wide[:, ones] = 1
        wide[:, own.start] = rounded(rest)[1]
        wide[:, own.stop - 1] = rest - wide[:, own.start]
        data, exactly = rounded(wide)
        off = wide - exactly
        # What x is off by counts 0.71 times at most, the rest once: 1.25 times the length of both.
        return Rough(data, 1.26 * np.sqrt(np.einsum("nd,nd->n", off, off)))

    tile, by, d = products.multiply(rough(a, True), rough(b, False)), 2 * radius**2, a.shape[1]
    in_proportion = d**0.5 * 2.0**-23 + float32_error(d)
    return _Magnified(tile, by, by * (tile.slack + in_proportion) + d * 2.0**-48)
