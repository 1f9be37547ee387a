"""What keeper rules look at, of the files of a run: on the disk of this machine, not in memory."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.moments import in_utc


class FactsOnDisk:
    """Facts of rows that are read when they are asked for.

    Parameters
    ----------
    folder
        Where they are kept meanwhile.
    parts
        The facts of all rows, some at a time.
    others
        Returns some columns of some rows that are kept elsewhere.
    types
        The columns of all, in a frame without rows.
    """

    def __init__(
        self,
        folder: Path,
        parts: Iterable[pl.DataFrame],
        others: Callable[[NDArray[np.integer], Sequence[str]], pl.DataFrame],
        types: pl.DataFrame,
    ) -> None:
        self._folder, self._others, self._types = folder, others, types
        self._starts = [0]
        self._kept = set[str]()
        for number, part in enumerate(parts):
            part = in_utc(part)
            part.write_parquet(self._file(number), compression="lz4")
            self._starts.append(self._starts[-1] + len(part))
            self._kept = set(part.columns)

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def types(self) -> pl.DataFrame:
        """All columns, without rows."""
        return self._types

    def rows(self, rows: NDArray[np.integer], names: Iterable[str]) -> pl.DataFrame:
        """Return some columns of some rows."""
        wanted = list(names)
        kept = [name for name in wanted if name in self._kept]
        others = self._others(rows, [name for name in wanted if name not in self._kept])
        if not kept:
            return others.select(wanted)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], self._starts)
        place = np.empty(len(rows), np.int64)
        place[order] = np.arange(len(rows))
        parts = [self._types.select(kept)]
        for number in np.flatnonzero(np.diff(cuts)).tolist():
            its = rows[order[cuts[number] : cuts[number + 1]]] - self._starts[number]
            parts.append(pl.read_parquet(self._file(number), columns=kept).select(kept)[its])
        found = pl.concat(parts)[place]
        return found.hstack(others.get_columns()).select(wanted)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.parquet"
