"""What is known of the files of a run, row by row: on the disk of this machine, not in memory."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.neighbors.vectors import parts

_ROWS = 16
"""Rows that are read together: fewer take more memory, more take longer where one is asked for."""


_ROWS_AT_A_TIME = 4096


class Paths:
    """A column of paths, with what is known of each, in a temporary file that goes with it.

    Parameters
    ----------
    paths
        The column.
    known
        Further columns of the same rows.
    """

    def __init__(self, paths: pl.Series, known: pl.DataFrame | None = None) -> None:
        self._count, self._name = len(paths), paths.name
        self._known = None if known is None else known.clear()
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="dedup-widgets-")  # noqa: SIM115
        self._lock = threading.Lock()
        encode = msgspec.msgpack.Encoder().encode
        ends = [0]
        for part in parts(len(paths), _ROWS_AT_A_TIME):
            columns = [paths[part].to_list()]
            columns += [] if known is None else [it.to_list() for it in known[part]]
            for at in range(0, len(columns[0]), _ROWS):
                data = encode([column[at : at + _ROWS] for column in columns])
                self._file.write(data)
                ends.append(ends[-1] + len(data))
        self._file.flush()
        self._starts = np.array(ends, np.uint64)

    def __len__(self) -> int:
        return self._count

    def parts(self, rows: int) -> Iterator[pl.Series]:
        """Yield the column in its order, some rows at a time."""
        for part in parts(self._count, rows):
            yield self.gather(np.arange(part.start, min(part.stop, self._count)))

    def gather(self, rows: "pl.Series | NDArray[np.integer]") -> pl.Series:
        """Return the paths of some rows; null where the row is."""
        asked = pl.Series(rows)
        found = [pl.Series(self._name, [], pl.String)]
        for part in asked.to_frame().iter_slices(_ROWS_AT_A_TIME):
            some = part.to_series()
            wanted = some.drop_nulls().to_numpy()
            texts = self._rows(wanted, 0)
            if some.null_count():
                its = iter(texts)
                texts = [None if row is None else next(its) for row in some]
            found.append(pl.Series(self._name, texts, pl.String))
        return pl.concat(found)

    def known(self, start: int, stop: int) -> pl.DataFrame | None:
        """Return what else is known of rows that follow each other."""
        if self._known is None:
            return None
        rows = np.arange(start, stop)
        columns = {
            name: pl.Series(name, self._rows(rows, 1 + at), dtype)
            for at, (name, dtype) in enumerate(self._known.schema.items())
        }
        return pl.DataFrame(columns)

    def _rows(self, rows: NDArray[np.integer], column: int) -> list[Any]:
        blocks, places = np.divmod(rows, _ROWS)
        order = np.argsort(blocks, kind="stable")
        found: list[Any] = [None] * len(rows)
        number = -1
        block: Sequence[Any] = ()
        decode = msgspec.msgpack.Decoder().decode
        with self._lock:
            for at, its, place in zip(
                order.tolist(), blocks[order].tolist(), places[order].tolist(), strict=True
            ):
                if its != number:
                    start, end = self._starts[its : its + 2].tolist()
                    self._file.seek(start)
                    number, block = its, decode(self._file.read(end - start))[column]
                found[at] = block[place]
        return found
