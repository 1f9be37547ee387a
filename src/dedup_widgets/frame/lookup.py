"""Finds the rows of a frame by a text that they hold, in little memory."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray


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
    """

    def __init__(self, texts: pl.Series) -> None:
        self.texts = texts.cast(pl.String)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        hashes = self.texts.hash().to_numpy()
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        return hashes[order], order

    def first(self, wanted: Iterable[str]) -> NDArray[np.int64]:
        """Return the first row of each text, -1 where there is none."""
        texts = wanted if isinstance(wanted, pl.Series) else list(wanted)
        names = pl.Series(texts, dtype=pl.String)
        if not len(names) or not len(self.texts):
            return np.full(len(names), -1)
        hashes, order = self._sorted
        place = np.searchsorted(hashes, names.hash().to_numpy())
        rows = order[np.minimum(place, len(order) - 1)].astype(np.int64)
        found = _are_equal(self.texts[rows], names)
        if not found.all():
            # Two texts of one hash are next to never, so nothing is made quick for them.
            for at in np.flatnonzero(~found).tolist():
                of_text = self._rows(names[at], int(place[at]))
                rows[at] = of_text[0] if of_text.size else -1
        return rows

    def rows(self, wanted: Iterable[str]) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each text that there is, in their order."""
        names = pl.Series(sorted(set(wanted)), dtype=pl.String)
        if not len(names):
            return {}
        places = np.searchsorted(self._sorted[0], names.hash().to_numpy())
        found = {
            name: self._rows(name, place)
            for name, place in zip(names, places.tolist(), strict=True)
        }
        return {name: rows for name, rows in found.items() if rows.size}

    def _rows(self, text: str | None, place: int) -> NDArray[np.int64]:
        """Return the rows of a text whose hashes begin at a place."""
        hashes, order = self._sorted
        if text is None or place == len(hashes):
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
