"""Unit vectors, and exact cosines between them.

Unit vectors are rounded to multiples of 2**-24, which float32 holds exactly. A product of two
components is then a multiple of 2**-48, and every partial sum of a dot product is at most about 1
(Cauchy-Schwarz), so float64 adds them up without any rounding: in whatever order, block or thread
it is done, the dot product is the same number.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError

GRID = 2.0**24
BLOCK = 512
"""Rows multiplied at a time: a tile of 512 x 512 products stays in the processor's cache."""


def unit_vectors(embeddings: Any) -> NDArray[np.float32]:
    """Normalise embeddings to unit length and round them to multiples of 2**-24.

    Each row depends on nothing but itself, and not on the memory layout.

    Parameters
    ----------
    embeddings
        n x d numbers: an array, a tensor, a list of rows, or a polars Array or List column.

    Returns
    -------
    NDArray[np.float32]
        Shape (n, d), each component within 2**-25 of the exact one.

    Raises
    ------
    InputError
        When the shape is not (n, d), or a row is zero, NaN, infinite or null.

    Examples
    --------
    >>> unit_vectors([[3, 4], [0, 2]]).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 1.0]]
    """
    matrix = _matrix(embeddings)
    unit = np.empty(matrix.shape, np.float32)
    largest = np.empty(len(matrix))
    for part in parts(len(matrix)):
        rows = matrix[part].astype(np.float64, order="C")
        largest[part] = np.abs(rows).max(axis=1)
        # A power of two changes no digit, and keeps the squares from over- and underflowing.
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = np.ldexp(rows, -np.frexp(largest[part])[1][:, None])
            length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
            unit[part] = np.rint(rows / length * GRID) / GRID
    _refuse(~np.isfinite(largest), "contain NaN or infinity")
    _refuse(largest == 0, "are zero, so they have no direction")
    unit += 0.0  # turns -0.0 into 0.0: equal vectors are equal bytes
    return unit


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each row of `a` with each row of `b`, shape (len(a), len(b)).

    Both hold :func:`unit_vectors`. Dividing by the exact lengths takes the rounding to the grid
    back out: a vector's cosine with itself is exactly 1.
    """
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    squares = np.outer(_squares(a64), _squares(b64))
    quotient: NDArray[np.float64] = (a64 @ b64.T) / np.sqrt(squares)
    return quotient


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine distance of each row of `a` to the same row of `b`, clipped to [0, 1].

    Both hold :func:`unit_vectors`, n of them.
    """
    cosine = [row_cosines(a[part], b[part][:, None])[:, 0] for part in parts(len(a))]
    return np.clip(1.0 - np.concatenate([np.empty(0), *cosine]), 0.0, 1.0)


def first_equal(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return, for each row, the first row with the very same components."""
    seen: dict[bytes, int] = {}
    rows = (seen.setdefault(row.tobytes(), i) for i, row in enumerate(vectors))
    return np.fromiter(rows, np.int64, len(vectors))


def row_cosines(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return cosines of row i, (n, d), with each of its k others, (n, k, d); as `cosines` does."""
    a, b = rows.astype(np.float64), others.astype(np.float64)
    dot = np.einsum("nd,nkd->nk", a, b)
    quotient: NDArray[np.float64] = dot / np.sqrt(_squares(a)[:, None] * _squares(b))
    return quotient


def float32_error(dimensions: int) -> float:
    """Bound what a float32 product of unit vectors on the grid is off from their cosine by.

    d * 2**-24 for the sum, sqrt(d) * 2**-24 for lengths that are not quite 1, both rounded up
    for the terms of higher order and for a threshold that is itself rounded to float32.
    """
    return float(1.01 * (dimensions + np.sqrt(dimensions) + 8) * 2.0**-24)


def _squares(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.einsum("...d,...d->...", vectors, vectors)
    return squares


def parts(n: int, block: int = BLOCK) -> Iterator[slice]:
    """Cut n rows into blocks."""
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
    _refuse(column.is_null().to_numpy(), "are null")
    if not column.len():
        return np.empty((0, 0), np.float32)
    if isinstance(column.dtype, pl.List):
        column = column.list.to_array(column.list.len()[0])
    return column.to_numpy()


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    """Raise for the rows that are bad, naming the first of them."""
    rows = np.flatnonzero(bad)
    if rows.size:
        more = f" and {rows.size - 5} more" if rows.size > 5 else ""
        raise InputError(
            f"embeddings {what}: row {', '.join(map(str, rows[:5]))}{more}; "
            "leave these rows out, or embed them again"
        )
