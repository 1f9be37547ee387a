"""Finds the rows of a frame by a text that they hold, in little memory."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

T = TypeVar("T", bound=np.integer[Any])


def inverse_of(order: NDArray[T]) -> NDArray[T]:
    """Return at which place of an order of all rows each row stands.

    >>> inverse_of(np.array([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    places = np.empty_like(order)
    places[order] = np.arange(len(order), dtype=order.dtype)
    return places


class Lookup:
    """The rows of a column of texts, by text.

    The column is sorted by its hashes once, when something is first looked up.

    Parameters
    ----------
    texts
        Of the rows; a null is found by nothing.

    Examples
    --------
    >>> lookup = Lookup(pl.Series(["a", "b", "a", None]))
    >>> lookup.first(["b", "c"]).tolist()
    [1, -1]
    >>> {text: rows.tolist() for text, rows in lookup.rows(["a", "c"]).items()}
    {'a': [0, 2]}
    >>> lookup.equals.tolist()
    [0, 1, 0, 3]
    """

    def __init__(self, texts: pl.Series) -> None:
        self.texts = texts.cast(pl.String)

    def prepare(self) -> None:
        """Sort ahead what the first search would sort."""
        self._sorted  # noqa: B018

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        # In one number with its row a hash is sorted ten times as fast as beside it.
        hashes = self._hashes(self.texts) << self._bits
        both = np.sort(hashes | np.arange(len(hashes), dtype=np.uint64))
        of_row = (np.uint64(1) << self._bits) - np.uint64(1)
        return both >> self._bits, (both & of_row).astype(np.int32)

    @property
    def _bits(self) -> np.uint64:
        """How many bits the number of a row takes."""
        return np.uint64(len(self.texts).bit_length())

    def _hashes(self, texts: pl.Series) -> NDArray[np.uint64]:
        """Return hashes without the last bits, so that two texts seldom have the same."""
        hashes: NDArray[np.uint64] = texts.hash().to_numpy() >> self._bits
        return hashes

    @cached_property
    def equals(self) -> NDArray[np.int32]:
        """For each row the first row of the same text, itself where that is null."""
        hashes, order = self._sorted
        starts = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] + np.uint64(1)))
        equals = np.empty_like(order)
        equals[order] = np.repeat(order[starts], np.diff(starts, append=len(order)))
        is_null = self.texts.is_null().to_numpy()
        equals[is_null] = np.flatnonzero(is_null)
        if not (_are_equal(self._taken(equals), self.texts) | is_null).all():
            texts = self.texts.to_frame("text").with_row_index("at")
            first = (
                pl.when(pl.col("text").is_null()).then("at").otherwise(pl.min("at").over("text"))
            )
            equals = texts.select(first).to_series().to_numpy().astype(np.int32)
        return equals

    def first(self, wanted: Iterable[str]) -> NDArray[np.int64]:
        """Return the first row of each text, -1 where there is none."""
        texts = wanted if isinstance(wanted, pl.Series) else list(wanted)
        names = pl.Series(texts, dtype=pl.String)
        if not len(names) or not len(self.texts):
            return np.full(len(names), -1)
        hashes, order = self._sorted
        wanted_hashes = self._hashes(names)
        place = np.minimum(_places(hashes, wanted_hashes), len(order) - 1)
        rows = order[place].astype(np.int64)
        found = _are_equal(self._taken(rows), names)
        rows[~found] = -1
        # Two texts of one hash are next to never, so nothing is made quick for them.
        may_follow = ~found & (hashes[place] == wanted_hashes) & names.is_not_null().to_numpy()
        for at in np.flatnonzero(may_follow).tolist():
            of_text = self._rows(names[at], int(place[at]))
            rows[at] = of_text[0] if of_text.size else -1
        return rows

    def _taken(self, rows: NDArray[np.integer]) -> pl.Series:
        # From several chunks, as read from a file, many take ten times as long.
        is_many = len(rows) > len(self.texts) // 100
        return (self.texts.rechunk() if is_many else self.texts).gather(rows)

    def rows(self, wanted: Iterable[str]) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each text that there is, in their order."""
        names = pl.Series(sorted(set(wanted)), dtype=pl.String)
        if not len(names):
            return {}
        places = _places(self._sorted[0], self._hashes(names))
        found = {
            name: self._rows(name, place)
            for name, place in zip(names, places.tolist(), strict=True)
        }
        return {name: rows for name, rows in found.items() if rows.size}

    def _rows(self, text: str, place: int) -> NDArray[np.int64]:
        """Return the rows of a text whose hashes begin at a place."""
        hashes, order = self._sorted
        if place == len(hashes):
            return np.empty(0, np.int64)
        end = place + int(np.searchsorted(hashes[place:], hashes[place], "right"))
        rows = order[place:end].astype(np.int64)
        return rows[_are_equal(self.texts[rows], text)]


def _are_equal(texts: pl.Series, others: pl.Series | str) -> NDArray[np.bool_]:
    are_equal = texts == others
    if are_equal.null_count():
        are_equal = are_equal.fill_null(False)
    found: NDArray[np.bool_] = are_equal.to_numpy()
    return found


def _places(hashes: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where in sorted hashes others are, or would be."""
    if len(wanted) < len(hashes) // 100:
        return np.searchsorted(hashes, wanted)
    # Many are found much faster one after the other than here and there.
    order = np.argsort(wanted)
    places = np.empty(len(wanted), np.int64)
    places[order] = np.searchsorted(hashes, wanted[order])
    return places
