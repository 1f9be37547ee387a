"""The groups of a review whose labels or splits disagree."""

from collections.abc import Callable

import numpy as np
import polars as pl

from dedup_widgets.planning.labels import disagreeing
from dedup_widgets.review.steps import Mask


class Disagreements:
    """Which rows are in groups whose values disagree, column by column.

    Parameters
    ----------
    columns
        Of labels and of splits; None for one that there is not.
    """

    def __init__(self, *columns: str | None) -> None:
        self._columns = [column for column in columns if column is not None]
        self._rows: dict[str, Mask] = {}

    def find(self, frame: pl.DataFrame, known: pl.DataFrame) -> None:
        """Find them in a frame, of which the known columns tell the groups."""
        self._rows = {}
        if "group" in known.columns:
            self._rows = {it: _disagreeing(known, frame[it]) for it in self._columns}

    def find_again(self, frame: pl.DataFrame, known: pl.DataFrame, rows: np.ndarray) -> None:
        """Find them among some rows, which are whole groups."""
        part = known[rows]
        for column, mask in self._rows.items():
            later = mask.copy()
            later[rows] = _disagreeing(part, frame[column][rows])
            self._rows = {**self._rows, column: later}

    def mask_of(self, column: str | None) -> Callable[[], Mask] | None:
        """Return what has the mask of the rows, as it is by then; None where nothing tells."""
        return (lambda: self._rows[column]) if column in self._rows else None

    def groups(self, column: str | None, known: pl.DataFrame) -> int | None:
        """Return how many groups they are; None where nothing tells."""
        if column not in self._rows:
            return None
        return known["group"].filter(self._rows[column]).n_unique()


def _disagreeing(known: pl.DataFrame, values: pl.Series) -> Mask:
    there = [name for name in ("group", "fingerprint") if name in known.columns]
    return disagreeing(known.select(there).with_columns(values.alias("value")), "value")
