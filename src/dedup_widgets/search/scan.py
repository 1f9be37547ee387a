"""The vectors nearest to a query: all are compared, in 8 bits first and then exactly."""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._text import whole
from dedup_widgets._threads import processors
from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.vectors import Vectors, cosines, parts, unit_vectors

MOST = 127
"""The largest magnitude of a rounded number; -128, which 8 bits have too, is left out."""


MARGIN = 2.0**-16
"""More than all errors of computing scales, errors and cosines in float32."""


ROWS_AT_A_TIME = 4096
"""Rows at a time, to bound memory."""


PIECES = 64
"""Pieces, for each neighbour that is wanted, of which the largest cosines are looked at first."""


Answer = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows and cosine distances, nearest first."""


class Scan:
    """The vectors nearest to a query, for similar-items.

    A search compares the query with all vectors, so none is missed, and nothing is built but a copy
    of them of a byte a number, at the first search. Each vector is rounded to whole numbers times a
    scale of its own; products of these are exact, by numkong, and how far they are from the cosine
    is bounded by the rounding of both, as measured, and the Cauchy-Schwarz inequality. What may be
    among the nearest by this bound is computed exactly. So distances are exact, whatever the
    processor and its threads, and rows at the same distance come in row order.

    One may serve several threads.

    Parameters
    ----------
    vectors
        n x d numbers, as :class:`dedup_widgets.neighbors.vectors.Vectors` takes them. They are
        not copied, and must not change.
    rows_at_a_time
        Rows that are rounded, or compared exactly, at a time. It changes no result.

    Raises
    ------
    InputError
        When the vectors are not n x d, or one is zero, NaN or infinite.

    Examples
    --------
    >>> rows, distances = Scan([[1, 0], [0, 1], [1, 0]]).search([2, 0], k=2)
    >>> rows.tolist(), distances.tolist()
    ([0, 2], [0.0, 0.0])
    """

    def __init__(self, vectors: Any, *, rows_at_a_time: int = ROWS_AT_A_TIME) -> None:
        self._vectors = Vectors(vectors)
        self._rows_at_a_time = rows_at_a_time
        self._lock = Lock()
        self._held: Rounded | None = None

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, query: Any, k: int) -> Answer:
        """Return the rows nearest to a query and their cosine distances, nearest first.

        Parameters
        ----------
        query
            d numbers, of any length but zero.
        k
            How many rows; all of them when there are fewer.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float32]]
            Row numbers and cosine distances in [0, 1], each of length min(k, n).

        Raises
        ------
        InputError
            When the query has another length than the vectors, or is zero, NaN or infinite, or k
            is negative.
        """
        unit = unit_vectors([query])
        if len(self) and unit.shape[1] != self._vectors.dimensions:
            raise InputError(
                f"the query has {unit.shape[1]} dimensions and the vectors have "
                f"{self._vectors.dimensions}; embed both with the same model"
            )
        return self._nearest(unit, k)

    def nearest_to_row(self, row: int, k: int) -> Answer:
        """Return the rows nearest to a row, itself left out; otherwise like :meth:`search`."""
        rows, distances = self._nearest(self._vectors.unit([row]), k + 1)
        others = rows != row
        return rows[others][:k], distances[others][:k]

    def _nearest(self, unit: NDArray[np.float32], k: int) -> Answer:
        """Return what :meth:`search` does for a unit vector, (1, d)."""
        k = min(whole("k", k, 0), len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = self._rounded().candidates(unit, k)
        cosine = np.concatenate(
            [
                cosines(unit, self._vectors.unit(rows[part]))[0]
                for part in parts(len(rows), self._rows_at_a_time)
            ]
        )
        order = np.lexsort((rows, -cosine))[:k]
        return rows[order], np.clip(1.0 - cosine[order], 0.0, 1.0).astype(np.float32)

    def _rounded(self) -> "Rounded":
        with self._lock:
            if self._held is None:
                self._held = Rounded(self._vectors, self._rows_at_a_time)
        return self._held


class Rounded:
    """Unit vectors as 8-bit numbers, a scale each, and the length of what rounding took off."""

    def __init__(self, vectors: Vectors, rows_at_a_time: int = ROWS_AT_A_TIME) -> None:
        n = len(vectors)
        self.numbers = np.empty((n, vectors.dimensions), np.int8)
        self.scale, self.error = np.empty(n, np.float32), np.empty(n, np.float32)
        for part in parts(n, rows_at_a_time):
            self.numbers[part], self.scale[part], self.error[part] = _round(vectors.unit(part))

    def candidates(
        self, unit: NDArray[np.float32], k: int, threads: int | None = None
    ) -> NDArray[np.int64]:
        """Return the rows that may be among the k nearest to a unit vector, (1, d)."""
        from numkong import cdist

        numbers, scale, error = _round(unit)
        product = np.asarray(cdist(numbers, self.numbers, "dot", threads=threads or processors()))[
            0
        ]
        cosine = (product * self.scale).astype(np.float32) * scale
        # |a·b - â·b̂| <= |a - â| |b̂| + |a| |b - b̂|, and |b̂| <= 1 + |b - b̂|
        slack = self.error * (1 + error[0]) + (error[0] + np.float32(MARGIN))
        least, most = cosine - slack, cosine + slack
        # The k-th largest of the largest of each piece is quickly found, and no larger than that of
        # all.
        starts = np.arange(0, len(least), max(1, len(least) // (PIECES * k)))
        rows = np.flatnonzero(most >= _kth_largest(np.maximum.reduceat(least, starts), k))
        candidates: NDArray[np.int64] = rows[most[rows] >= _kth_largest(least[rows], k)]
        return candidates


def _round(
    unit: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Round unit vectors, (n, d); return numbers, (n, d), scales and errors, (n,)."""
    scale = np.abs(unit).max(axis=1) / np.float32(MOST)
    whole = np.rint(unit / scale[:, None])
    off = unit - whole * scale[:, None]
    return whole.astype(np.int8), scale, np.sqrt(np.einsum("nd,nd->n", off, off))


def _kth_largest(numbers: NDArray[np.float32], k: int) -> np.float32:
    largest: np.float32 = np.partition(numbers, -k)[-k]
    return largest
