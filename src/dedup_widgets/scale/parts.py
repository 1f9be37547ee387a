"""A finished run: its frame, in parts that are read when they are needed."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from dedup_widgets.errors import StoreError
from dedup_widgets.scale.shards import read_vectors
from dedup_widgets.scale.work import Work

LATEST = "run.json"
"""The file that says which run of a work folder was finished last."""


ORDER, PICTURE = "_order", "_picture"
"""Columns of a part that no frame has: the place of a row in the list that was given, and the
number of its picture in the shard."""


FITS_ROWS = 1_000_000
"""Rows up to which a screen shows all, and not only those in groups."""


@dataclass(frozen=True)
class Run:
    """What a run over a work folder found.

    Attributes
    ----------
    work
        The folder.
    parts
        The name of each part of the frame, and the shard that has its vectors.
    rows
        Rows in all.
    dimensions
        Numbers of a vector.
    after
        The column that follows the vectors in the frame, if there is any: of what was given along.
    """

    work: Work
    parts: Sequence[tuple[str, str]]
    rows: int
    dimensions: int
    after: str | None

    @classmethod
    def read(cls, work: Work) -> "Run":
        """Return the run that was finished last."""
        if not work.has(LATEST):
            raise StoreError(
                f"{work.place} holds no finished run; make one: dedup_widgets.score(…, work=…)"
            )
        known = json.loads(work.read(LATEST))
        parts = [(name, shard) for name, shard in known["parts"]]
        return cls(work, parts, known["rows"], known["dimensions"], known["after"])

    def write(self) -> None:
        """Say that this is the run that was finished last."""
        known = {
            "parts": self.parts,
            "rows": self.rows,
            "dimensions": self.dimensions,
            "after": self.after,
        }
        self.work.write(LATEST, json.dumps(known).encode())

    def __repr__(self) -> str:
        return f"Run({self.work.place!r}, rows={self.rows})"

    @property
    def frame(self) -> pl.LazyFrame:
        """All columns of a score, of all rows, in the order of the parts.

        A part is read when its rows are asked for, and its vectors only with ``embedding``.
        """
        return register_io_source(self._read, schema=self._schema)

    @property
    def near(self) -> pl.LazyFrame:
        """The rows that are in a group."""
        return self.frame.filter(pl.col("group").is_not_null())

    def collect(self) -> pl.DataFrame:
        """Return the whole frame, in the order of what was given."""
        order = [self.work.read_table(name, [ORDER]).to_series() for name, _ in self.parts]
        frame = self.frame.collect()
        if not order:
            return frame
        place = pl.concat(order)
        return frame if place.is_sorted() else frame[place.arg_sort()]

    def to_review(self, fits: int = FITS_ROWS) -> pl.DataFrame:
        """Return the rows that a screen shows: all up to so many, else those in groups."""
        return self.collect() if self.rows <= fits else self.near.collect()

    @cached_property
    def _schema(self) -> dict[str, Any]:
        """The columns of the frame."""
        if not self.parts:
            return {}
        schema = dict(self.work.read_table(self.parts[0][0]).clear().schema)
        del schema[ORDER], schema[PICTURE]
        names = list(schema)
        at = names.index(self.after) if self.after else len(names)
        vectors = {"embedding": pl.Array(pl.Float16, self.dimensions)}
        first, last = names[:at], names[at:]
        return {n: schema[n] for n in first} | vectors | {n: schema[n] for n in last}

    def _read(
        self,
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        wanted = list(self._schema) if with_columns is None else with_columns
        asked = set(predicate.meta.root_names()) if predicate is not None else set()
        left = self.rows if n_rows is None else n_rows
        for name, shard in self.parts:
            columns = [it for it in self._schema if it in {*wanted, *asked} and it != "embedding"]
            part = self.work.read_table(name, [*columns, PICTURE])
            if predicate is not None and "embedding" not in asked:
                part = part.filter(predicate)
            if "embedding" in {*wanted, *asked} and len(part):
                part = part.with_columns(self._vectors(shard, part[PICTURE]))
                if "embedding" in asked and predicate is not None:
                    part = part.filter(predicate)
            if len(part) and left:
                part = part.select(wanted).head(left)
                left -= len(part)
                yield part
            if not left:
                return

    def _vectors(self, shard: str, pictures: pl.Series) -> pl.Series:
        """Return the vectors of some pictures of a shard; null for no picture."""
        dtype = pl.Array(pl.Float16, self.dimensions)
        there = pictures.drop_nulls()
        if not len(there):
            return pl.Series("embedding", [None] * len(pictures), dtype)
        vectors, _ = read_vectors(self.work, shard, there.to_numpy())
        place = (pictures.is_not_null().cum_sum() - 1).cast(pl.UInt32)
        index = pl.select(pl.when(pictures.is_not_null()).then(place)).to_series()
        return pl.Series("embedding", np.ascontiguousarray(vectors), dtype).gather(index)


def open_run(work: "str | os.PathLike[str]") -> Run:
    """Return the run that was finished last in a work folder.

    Parameters
    ----------
    work
        As :func:`dedup_widgets.score` took it.

    Raises
    ------
    StoreError
        When there is none.
    """
    return Run.read(Work.at(work))
