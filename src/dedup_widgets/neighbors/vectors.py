"""Unit vectors, and exact cosines between them.

Unit vectors are rounded to multiples of 2**-24, which float32 represents exactly. A product of two
components is then a multiple of 2**-48, and every partial sum of a dot product is at most about 1
(Cauchy-Schwarz), so float64 sums them without any rounding: the dot product is the same number in
whatever order, block or thread it is computed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError

GRID = 2.0**24
"""Unit vectors are rounded to multiples of 1 / GRID."""


BLOCK_ROWS = 512
"""Rows multiplied at a time: a tile of 512 x 512 products stays in the processor's cache."""


CACHE_BYTES = 2**19
"""Bytes that are worked on at a time where each is used several times."""


class Vectors:
    """Unit vectors of many rows, computed on demand.

    The embeddings are not copied or converted, so they may be a memory-mapped file that is larger
    than memory; all are read once, to be checked.

    Parameters
    ----------
    embeddings
        n x d numbers: an array, a tensor, a list of rows, or a polars Array or List column.

    Raises
    ------
    InputError
        When the shape is not (n, d), or a row is zero, NaN, infinite or null.

    Examples
    --------
    >>> vectors = Vectors([[3, 4], [0, 2]])
    >>> len(vectors), vectors.dimensions, vectors.unit([1]).tolist()
    (2, 2, [[0.0, 1.0]])
    """

    def __init__(self, embeddings: Any) -> None:
        self._matrix = _matrix(embeddings)
        self._rows: NDArray[np.int64] | None = None
        self._is_unit = False
        largest = np.empty(len(self._matrix))
        for part in parts(len(largest)):
            largest[part] = _largest(self._matrix[part])
        _refuse(~np.isfinite(largest), "contain NaN or infinity")
        _refuse(largest == 0, "are zero, so they have no direction")

    @classmethod
    def of(cls, vectors: "Vectors | NDArray[np.float32]") -> "Vectors":
        """Return :class:`Vectors` unchanged, or make them of an array of :func:`unit_vectors`."""
        if isinstance(vectors, Vectors):
            return vectors
        made = cls.__new__(cls)
        made._matrix, made._rows, made._is_unit = vectors, None, True
        return made

    def __len__(self) -> int:
        return len(self._matrix) if self._rows is None else len(self._rows)

    @property
    def dimensions(self) -> int:
        """Numbers of a row, d."""
        return int(self._matrix.shape[1])

    def take(self, rows: NDArray[np.int64]) -> "Vectors":
        """Return the vectors of some rows, in their order; nothing is copied."""
        made = Vectors.__new__(Vectors)
        made._matrix, made._is_unit = self._matrix, self._is_unit
        made._rows = rows if self._rows is None else self._rows[rows]
        return made

    def unit(self, rows: "slice | Sequence[int] | NDArray[np.int64]") -> NDArray[np.float32]:
        """Normalise some rows to unit length and round them to multiples of 2**-24.

        A result depends on its own row alone, and not on the memory layout.

        Returns
        -------
        NDArray[np.float32]
            Shape (len(rows), d), each component within 2**-25 of the exact one.
        """
        if self._rows is not None:
            rows = self._rows[rows]
        if self._is_unit:
            return self._matrix[rows]
        raw = self._matrix[rows]
        unit = np.empty(raw.shape, np.float32)
        for part in parts(len(raw), CACHE_BYTES // (8 * self.dimensions + 1) + 1):
            _normalise(raw[part], out=unit[part])
        return unit


def unit_vectors(embeddings: Any) -> NDArray[np.float32]:
    """Normalise embeddings to unit length and round them to multiples of 2**-24.

    Parameters, errors and results are those of :class:`Vectors`, for all rows at once.

    Examples
    --------
    >>> unit_vectors([[3, 4], [0, 2]]).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 1.0]]
    """
    return Vectors(embeddings).unit(slice(None))


def cosines(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    multiply: Callable[..., NDArray[np.float64]] = lambda a, b: a @ b.T,
) -> NDArray[np.float64]:
    """Return the cosine of each row of `a` with each row of `b`, shape (len(a), len(b)).

    Both hold :func:`unit_vectors`; `multiply` returns all products of float64 rows. Dividing by
    the exact lengths takes the rounding to the grid back out: a vector's cosine with itself is
    exactly 1.
    """
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    squares = np.outer(_squares(a64), _squares(b64))
    quotient: NDArray[np.float64] = multiply(a64, b64) / np.sqrt(squares)
    return quotient


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine distance of each row of `a` to the same row of `b`, clipped to [0, 1].

    Both hold :func:`unit_vectors`, n of them.
    """
    cosine = [row_cosines(a[part], b[part][:, None])[:, 0] for part in parts(len(a))]
    return np.clip(1.0 - np.concatenate([np.empty(0), *cosine]), 0.0, 1.0)


def row_hashes(bits: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row, (n,)."""
    odd = 2 * np.random.default_rng(0).integers(2**63, size=bits.shape[1], dtype=np.uint64) + 1
    hashed: NDArray[np.uint64] = bits.astype(np.uint64) @ odd
    return hashed


def first_equal(
    vectors: Vectors | NDArray[np.float32],
    hashes: Callable[[NDArray[np.uint32]], NDArray[np.uint64]] = row_hashes,
) -> NDArray[np.int64]:
    """Return, for each row, the first row with the very same components.

    Parameters
    ----------
    vectors
        n x d.
    hashes
        What hashes each row; rows with one hash are compared.
    """
    vectors = Vectors.of(vectors)
    n = len(vectors)
    hashed = np.empty(n, np.uint64)
    for part in parts(n):
        hashed[part] = hashes(np.ascontiguousarray(vectors.unit(part)).view(np.uint32))
    order = np.argsort(hashed, kind="stable")
    is_first = np.diff(hashed[order], prepend=hashed[order[:1]] ^ np.uint64(1)) != 0
    first = np.empty(n, np.int64)
    first[order] = order[is_first][np.cumsum(is_first) - 1]
    seen: dict[bytes, int] = {}
    later = np.flatnonzero(first != np.arange(n))
    for part in parts(len(later)):
        rows = later[part]
        mine, theirs = vectors.unit(rows), vectors.unit(first[rows])
        for i in np.flatnonzero((mine != theirs).any(axis=1)):
            first[rows[i]] = seen.setdefault(mine[i].tobytes(), int(rows[i]))
    return first


def row_cosines(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return cosines of row i, (n, d), with each of its k others, (n, k, d); as `cosines` does."""
    a, b = rows.astype(np.float64), others.astype(np.float64)
    dot = np.einsum("nd,nkd->nk", a, b)
    quotient: NDArray[np.float64] = dot / np.sqrt(_squares(a)[:, None] * _squares(b))
    return quotient


def pair_cosines(vectors: Vectors, rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine of each row with its other one, as `cosines` does."""
    each, at = np.unique(np.concatenate([rows, others]), return_inverse=True)
    unit = vectors.unit(each).astype(np.float64)
    squares = _squares(unit)
    a, b = at[: len(rows)], at[len(rows) :]
    dot = np.einsum("nd,nd->n", unit[a], unit[b])
    quotient: NDArray[np.float64] = dot / np.sqrt(squares[a] * squares[b])
    return quotient


def float32_error(dimensions: int) -> float:
    """Bound the error of a float32 dot product of unit vectors on the grid, as their cosine.

    d * 2**-24 for the sum [1]_, sqrt(d) * 2**-24 for lengths that are not exactly 1, both rounded
    up for the terms of higher order and for a threshold that is itself rounded to float32.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002,
       chapter 3.
    """
    return float(1.01 * (dimensions + np.sqrt(dimensions) + 8) * 2.0**-24)


def _largest(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the largest magnitude of each row, NaN or infinite if a component is."""
    if rows.dtype.kind != "f" or rows.dtype.itemsize > 8 or not rows.dtype.isnative:
        rows = rows.astype(np.float64)
    # Floats without their sign are ordered like their bits, NaN above infinity above all others.
    whole = np.dtype(f"u{rows.dtype.itemsize}")
    bits = rows.view(whole) & np.array(np.iinfo(whole).max >> 1, whole)
    largest: NDArray[np.float64] = bits.max(axis=1).view(rows.dtype).astype(np.float64)
    return largest


def _normalise(rows: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Write the unit vectors of rows, (n, d), to `out`, of the same shape."""
    wide = rows.astype(np.float64, order="C")
    if rows.dtype.kind != "f" or rows.dtype.itemsize > 4:
        # A power of two changes no digit, and keeps the squares from over- and underflowing.
        wide = np.ldexp(wide, -np.frexp(_largest(wide))[1][:, None])
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    wide /= length / GRID
    np.rint(wide, out=wide)
    np.multiply(wide, 1 / GRID, out=out, casting="same_kind")
    out += 0.0  # turns -0.0 into 0.0: equal vectors are equal bytes


def _squares(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared length of each vector, (..., d) to (...)."""
    squares: NDArray[np.float64] = np.einsum("...d,...d->...", vectors, vectors)
    return squares


def parts(n: int, block: int = BLOCK_ROWS) -> Iterator[slice]:
    """Yield slices that cut n rows into blocks."""
    return (slice(start, min(start + block, n)) for start in range(0, n, block))


def _matrix(embeddings: Any) -> NDArray[Any]:
    """Return embeddings as an (n, d) array of numbers, in their own precision."""
    try:
        if isinstance(embeddings, pl.Series):
            matrix = _from_series(embeddings)
        elif hasattr(embeddings, "detach"):  # a torch tensor, recognised without importing torch
            tensor = embeddings.detach().cpu()
            # numpy has no bfloat16, and float32 holds all its values
            matrix = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
        else:
            matrix = np.asarray(embeddings)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the embeddings are no n x d numbers ({error}); pass rows of one length"
        ) from error
    if matrix.ndim == 1 and not matrix.size:
        return np.empty((0, 0), np.float32)
    if matrix.ndim != 2 or (len(matrix) and not matrix.shape[1]):
        raise InputError(
            f"the embeddings have shape {matrix.shape}; pass one row of d > 0 numbers an image"
        )
    if matrix.dtype.kind not in "fiub":
        raise InputError(f"the embeddings are {matrix.dtype}; pass real numbers")
    return matrix


def _from_series(column: pl.Series) -> NDArray[Any]:
    """Return an Array or List column as an (n, d) array."""
    _refuse(column.is_null().to_numpy(), "are null")
    if not column.len():
        return np.empty((0, 0), np.float32)
    if isinstance(column.dtype, pl.List):
        column = column.list.to_array(column.list.len()[0])
    return column.to_numpy()


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    """Raise an InputError if any row is bad, naming the first ones."""
    rows = np.flatnonzero(bad)
    if rows.size:
        more = f" and {rows.size - 5} more" if rows.size > 5 else ""
        raise InputError(
            f"embeddings {what}: row {', '.join(map(str, rows[:5]))}{more}; "
            "leave these rows out, or embed them again"
        )
