"""Collectors of the pairs of vectors within a radius."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

MAX_PAIRS = 8_000_000
"""Pairs in a list, at most: 64 MB."""


def pair_keys(rows: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return one number for each pair, in the order of pairs: quicker to sort and to look up.

    >>> pair_keys(np.array([1, 0]), np.array([0, 7])).tolist()
    [4294967296, 7]
    """
    keys: NDArray[np.int64] = rows.astype(np.int64) << 32 | others
    return keys


def pairs_of_keys(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the pairs, (p, 2), that numbers stand for.

    >>> pairs_of_keys(np.array([4294967296, 7])).tolist()
    [[1, 0], [0, 7]]
    """
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1).astype(np.int32)


class PairCollector(Protocol):
    """Something that collects the pairs within a radius while they are found."""

    def add(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
        """Add pairs, given as their two rows, (p,) each; return whether more are wanted."""


class PairList:
    """A list of pairs that is discarded when it becomes too long."""

    def __init__(self, max_pairs: int = MAX_PAIRS) -> None:
        self._max_pairs = max_pairs
        self._table = Table(np.int32, np.int32)
        self._is_full = False

    def add(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
        """Add pairs; return whether the list is not too long yet."""
        self._table.append(rows, others)
        if len(self._table) > self._max_pairs:
            self._is_full = True
            self._table.clear()
        return not self._is_full

    def pairs(self) -> NDArray[np.int32] | None:
        """Return the pairs in any order, (p, 2); None if there were too many."""
        return None if self._is_full else np.stack(self._table.columns(), axis=1)


class Table:
    """Columns that grow, each in one array: many small arrays would fragment memory."""

    def __init__(self, *types: DTypeLike) -> None:
        self._types = types
        self.clear()

    def __len__(self) -> int:
        return self._size

    def clear(self) -> None:
        """Remove all rows."""
        self._size = 0
        self._columns: list[NDArray[Any]] = [np.empty(0, dtype) for dtype in self._types]

    def append(self, *columns: NDArray[Any]) -> None:
        """Add rows, given column by column."""
        start, end = self._size, self._size + len(columns[0])
        if end > len(self._columns[0]):
            self._columns = [_enlarged(own, start, max(end, 2 * start)) for own in self._columns]
        for own, new in zip(self._columns, columns, strict=True):
            own[start:end] = new
        self._size = end

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return the rows, column by column, each of shape (rows,)."""
        return tuple(own[: self._size] for own in self._columns)


def _enlarged(column: NDArray[Any], used: int, size: int) -> NDArray[Any]:
    """Return a column of another size with the same first rows."""
    larger = np.empty(size, column.dtype)
    larger[:used] = column[:used]
    return larger
