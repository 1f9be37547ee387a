"""Approximate dot products of unit vectors in low precision, with a bound on their error.

They select the pairs that may be near each other; the selected pairs are then computed exactly.
For vectors a and b that are rounded to â and b̂, the Cauchy-Schwarz inequality bounds the error of
their dot product: ``|a·b - â·b̂| <= |a - â| |b| + |â| |b - b̂|``. The lengths of the differences are
measured when the vectors are rounded. The errors of summing in float32 and of rounding the sum are
added to it [1]_.

References
----------
.. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002,
   chapter 3: for inner products, ``|fl(x·y) - x·y| <= n u / (1 - n u) |x|·|y|``, in whatever
   order the n terms are summed.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.vectors import Vectors

MARGIN = 2.0**-20
"""More than the error of rounding a threshold to float32."""


PIECE_COLUMNS = 64
"""Columns of a row that are skipped together when their maximum is below the threshold."""


TILE_MULTIPLE = 4 * PIECE_COLUMNS
"""The numbers of rows and of columns of a tile are multiples of this."""


CUDA_BLOCK_ROWS = 8192
"""Rows and columns of a tile on a CUDA device."""


CUDA_BYTES_AT_A_TIME = 2**31
"""Bytes of rounded vectors to hold at a time on a CUDA device, twice."""


Kind = Literal["cuda", "bfloat16 by AMX", "bfloat16", "float32"]


Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]
"""Some entries of a matrix: index of the row, index of the column, value; each of shape (m,)."""


@dataclass(frozen=True)
class RoundedVectors:
    """Vectors rounded to low precision.

    Attributes
    ----------
    data
        Array or tensor, (n, d).
    error
        (n,), length of the difference between each vector and its rounded form.
    """

    data: Any
    error: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.error)

    def __getitem__(self, part: slice) -> "RoundedVectors":
        return RoundedVectors(self.data[part], self.error[part])


class Tile(Protocol):
    """Approximate dot products of some vectors with some others, (rows, columns).

    Attributes
    ----------
    slack
        Bound on the error of each product, rounding of the threshold that it is compared with
        included.
    """

    slack: float

    @property
    def width(self) -> int:
        """Number of columns."""

    @property
    def T(self) -> "Tile":  # noqa: N802 - as in numpy and torch
        """The same products, (columns, rows)."""

    def mask(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """Set some products to -inf: those of vectors with themselves."""

    def row_maxima(self) -> NDArray[np.floating]:
        """Return the largest product of each row, or a lower value if all are negative."""

    def entries_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        """Return the products of some rows that are not below a threshold.

        Parameters
        ----------
        rows
            (k,), indices of rows.
        threshold
            (k,), one for each of `rows`.
        most
            Rows with more such products, or about as many, are left out.

        Returns
        -------
        tuple
            The index in `rows`, the column and the value of each product; and a mask, (k,), of the
            rows that are left out.
        """

    def columns_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        """Return the columns that hold any product of these rows not below its threshold."""


class Products(Protocol):
    """A way to compute approximate dot products.

    Attributes
    ----------
    block
        Rows and columns of a tile.
    bytes_at_a_time
        Bytes of rounded vectors to hold at a time, twice.
    itemsize
        Bytes of a number.
    workers
        Threads that compute tiles at the same time.
    """

    block: int
    bytes_at_a_time: int
    itemsize: int
    workers: int

    def load(
        self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> RoundedVectors:
        """Round some vectors."""

    def multiply(self, a: RoundedVectors, b: RoundedVectors) -> Tile:
        """Return the dot products of all rows of a with all rows of b.

        The tile is valid until the same thread calls `multiply` again.
        """

    def multiply_rescaled(
        self, a: NDArray[np.float32], b: NDArray[np.float32], max_norm: float
    ) -> Tile:
        """Return the cosines of vectors that lie close together, more precisely than `multiply`.

        Parameters
        ----------
        a, b
            Differences of unit vectors from a common centre that lies on the same grid.
        max_norm
            Length of the longest difference.
        """

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all dot products in float64; called by the threads of `pool`."""

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield the threads to compute tiles in."""


def where(is_so: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the true entries; several times as fast as 2-d nonzero."""
    row, column = np.divmod(np.flatnonzero(is_so), is_so.shape[1])
    return row, column


@contextmanager
def worker_threads(workers: int, *begin: Any) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that first make the call `begin`; on an error, queued work is cancelled."""
    initializer, *arguments = begin or (None,)
    pool = ThreadPoolExecutor(workers, initializer=initializer, initargs=tuple(arguments))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
