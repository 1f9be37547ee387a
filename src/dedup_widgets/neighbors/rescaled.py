"""Cosines within a dense cluster: vectors are re-centred and rescaled before they are multiplied.

Low precision cannot distinguish the products of nearly equal vectors, all close to 1. Their
differences from a common centre are small, so the same relative error of a product of differences
is a much smaller absolute error of the cosine.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.products import Entries, Products, RoundedVectors, Tile
from dedup_widgets.neighbors.vectors import float32_error


class _RescaledTile:
    """Cosines of close vectors, made from products of their rescaled differences.

    The cosine is ``1 - (1 - product) * scale``.
    """

    def __init__(self, tile: Tile, scale: float, slack: float) -> None:
        self._tile, self._scale, self.slack = tile, scale, slack

    @property
    def width(self) -> int:
        return self._tile.width

    @property
    def T(self) -> "_RescaledTile":  # noqa: N802
        return _RescaledTile(self._tile.T, self._scale, self.slack)

    def mask(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._tile.mask(rows, columns)

    def row_maxima(self) -> NDArray[np.floating]:
        return self._cosine(self._tile.row_maxima())

    def entries_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        (row, column, product), is_dense = self._tile.entries_above(
            rows, self._product(threshold), most
        )
        return (row, column, self._cosine(product)), is_dense

    def columns_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        return self._tile.columns_above(rows, self._product(threshold))

    def _cosine(self, product: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the cosines that products stand for."""
        return 1 - (1 - product.astype(np.float64)) * self._scale

    def _product(self, cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the products that stand for cosines."""
        product: NDArray[np.float64] = 1 - (1 - cosine.astype(np.float64)) / self._scale
        return product


def multiply_rescaled(
    products: Products,
    rounded: Callable[[NDArray[np.float32]], tuple[Any, NDArray[np.float32]]],
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    max_norm: float,
) -> Tile:
    """Multiply differences from a common centre so that a product of 1 means equal vectors.

    With x and y the differences a and b divided by √2 `max_norm`, the dot product of
    (x, 1/2 - |x|²/2, 1) and (y, 1, 1/2 - |y|²/2) is 1 - |x - y|²/2.

    The length of a vector that is rounded to the grid differs from 1 by sqrt(d) * 2**-25 at most.
    That changes the squared distance of two vectors by twice as much, relatively, and by the square
    of the difference of their lengths. The error of summing the squares in float32 is added.

    Parameters
    ----------
    products
        How to multiply.
    rounded
        Rounds rows; returns them as `products` takes them, and as float32.
    a, b, max_norm
        As in :meth:`Products.multiply_rescaled`.
    """

    def extended(rows: NDArray[np.float32], is_left: bool) -> RoundedVectors:
        """Return rescaled rows with their lengths in four more columns, rounded."""
        n, d = rows.shape
        wide = np.zeros((n, -(-(d + 4) // 32) * 32), np.float32)  # as wide as tiles of AMX
        x = np.multiply(rows, np.float32(1 / (np.sqrt(2) * max_norm)), out=wide[:, :d])
        rest = np.float32(0.5) - np.einsum("nd,nd->n", x, x) / 2
        own, ones = (slice(d, d + 2), slice(d + 2, d + 4))[:: 1 if is_left else -1]
        wide[:, ones] = 1
        wide[:, own.start] = rounded(rest)[1]
        wide[:, own.stop - 1] = rest - wide[:, own.start]
        data, exactly = rounded(wide)
        off = wide - exactly
        # The error of x counts 0.71 times at most, that of the columns added once: together at
        # most 1.25 times the length of both.
        return RoundedVectors(data, 1.26 * np.sqrt(np.einsum("nd,nd->n", off, off)))

    tile = products.multiply(extended(a, is_left=True), extended(b, is_left=False))
    scale, d = 2 * max_norm**2, a.shape[1]
    relative = d**0.5 * 2.0**-23 + float32_error(d)
    return _RescaledTile(tile, scale, scale * (tile.slack + relative) + d * 2.0**-48)
