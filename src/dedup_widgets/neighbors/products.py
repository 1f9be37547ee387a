"""Quick products of unit vectors, each off by no more than is known.

They pick who may be near whom; what they pick is then computed exactly. For vectors a and b that
are rounded to â and b̂, Cauchy-Schwarz bounds what a product is off by:
``|a·b - â·b̂| <= |a - â| |b| + |â| |b - b̂|``, where the lengths of the differences are measured as
the vectors are rounded. Adding up in float32 and rounding the sum come on top.
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
"""What rounding a bound to float32 may add to an error, with plenty to spare."""


PIECE = 64
"""Products of a row that are passed over at a time."""


SHAPED = 4 * PIECE
"""What the rows and the columns of a tile are multiples of."""


CUDA_BLOCK = 8192


CUDA_BYTES = 2**31


Kind = Literal["cuda", "bfloat16 by AMX", "bfloat16", "float32"]


Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]


@dataclass(frozen=True)
class Rough:
    """Some vectors, rounded.

    Attributes
    ----------
    data
        Array or tensor, (n, d).
    error
        Length of what rounding changed, of each.
    """

    data: Any
    error: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.error)

    def __getitem__(self, part: slice) -> "Rough":
        return Rough(self.data[part], self.error[part])


class Tile(Protocol):
    """Products of some vectors with some others, (rows, columns).

    Attributes
    ----------
    slack
        What each is off by at most, and what rounding may add when it is compared.
    """

    slack: float

    @property
    def width(self) -> int:
        """How many columns there are."""

    @property
    def T(self) -> "Tile":  # noqa: N802 - as in numpy and torch
        """The same products, (columns, rows)."""

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """Put -inf in the place of some products: those of vectors with themselves."""

    def peaks(self) -> NDArray[np.floating]:
        """Return the largest product of each row, or something lower if all are negative."""

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        """Return the products of some rows that are at least so much, one bound a row.

        Returns
        -------
        tuple
            Place in `rows`, column and product of each; and which rows are left out because they
            have more than `most`, or about as many.
        """

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        """Return the columns in which any of these products is."""


class Products(Protocol):
    """A way to compute products.

    Attributes
    ----------
    block
        Rows and columns of a tile.
    at_a_time
        Bytes of rounded vectors to hold at a time, twice.
    itemsize
        Bytes of a number.
    workers
        Threads that compute tiles at the same time.
    """

    block: int
    at_a_time: int
    itemsize: int
    workers: int

    def load(self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor) -> Rough:
        """Round some vectors."""

    def multiply(self, a: Rough, b: Rough) -> Tile:
        """Return the products of all rows of a with all of b."""

    def magnify(self, a: NDArray[np.float32], b: NDArray[np.float32], radius: float) -> Tile:
        """Return the cosines of vectors that are close together, more finely than `multiply`.

        Parameters
        ----------
        a, b
            What is left of unit vectors when their centre, on the same grid, is subtracted.
        radius
            The length of the longest.
        """

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all products in float64, in the threads that `pool` gives."""

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield the threads to compute tiles in."""


def where(is_so: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns; several times as quick as nonzero in two dimensions."""
    row, column = np.divmod(np.flatnonzero(is_so), is_so.shape[1])
    return row, column


@contextmanager
def threads_of_torch(workers: int, *begin: Any) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that begin with a call; what they have not begun when work fails is dropped."""
    initializer, *arguments = begin or (None,)
    pool = ThreadPoolExecutor(workers, initializer=initializer, initargs=tuple(arguments))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
