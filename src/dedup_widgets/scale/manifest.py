"""Which files there are, and in which shard each was described.

A shard is some files that are described together, named by their paths, sizes and versions. A
manifest is only added to: each of its generations says what came in since the one before, so that
the shards of what was there stay as they are. Where a file is in several, the last one counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from dedup_widgets.scale.work import Work, named

SHARD_FILES = 8192
"""Files of a shard: a few minutes of work, and some hundred megabytes of thumbnails."""


_FOLDER = "manifest"

FILE = {"path": pl.String, "size": pl.UInt64, "version": pl.String}
"""What is known of a file before it is read."""

_SCHEMA = {**FILE, "shard": pl.String, "round": pl.UInt32}


@dataclass(frozen=True)
class Manifest:
    """What a work folder knows of files.

    Attributes
    ----------
    work, how
        Where it lies, and the name of how its files are described: by which decoders and model.
    files
        ``path``, ``size``, ``version``, ``shard``, its place in the shard as ``at``, and the
        ``round`` of listing in which it came in.
    generations
        How many there are.
    """

    work: Work
    how: str
    files: pl.DataFrame
    generations: int

    @classmethod
    def read(cls, work: Work, how: str) -> "Manifest":
        """Return what is there by now."""
        names = sorted(work.names(f"{_FOLDER}/{how}"))
        tables = [work.read_table(f"{_FOLDER}/{how}/{name}") for name in names]
        files = pl.concat([pl.DataFrame(schema=_SCHEMA), *tables])
        files = files.with_columns(at=pl.int_range(pl.len(), dtype=pl.UInt32).over("shard"))
        return cls(work, how, files, len(names))

    @property
    def current(self) -> pl.DataFrame:
        """The last of each file."""
        return self.files.unique("path", keep="last", maintain_order=True)

    def with_listed(
        self, listed: pl.DataFrame, again: pl.DataFrame, shard_files: int = SHARD_FILES
    ) -> "Manifest":
        """Return a manifest that has some files; those that are new are written as a generation.

        Parameters
        ----------
        listed
            ``path``, ``size`` and ``version`` of files, each once.
        again
            ``path`` of those that are to be read again although they have not changed.
        shard_files
            Files of a new shard.
        """
        known = self.current.join(again, on="path", how="anti")
        new = listed.join(known, on=list(FILE), how="anti", nulls_equal=True, maintain_order="left")
        if not len(new):
            return self
        # What is read again has the name of a shard that is there but for this.
        attempt = self.generations if len(new.join(again, on="path", how="semi")) else 0
        pieces = [new[start : start + shard_files] for start in range(0, len(new), shard_files)]
        number = self.files["round"].max()
        if self._add(pieces, 0 if number is None else int(str(number)) + 1, attempt):
            return Manifest.read(self.work, self.how)
        # Another run was quicker.
        return Manifest.read(self.work, self.how).with_listed(listed, again, shard_files)

    def with_halves(self, shard: str) -> "Manifest":
        """Return a manifest in which two halves stand for a shard."""
        files = self.files.filter(pl.col("shard") == shard)
        half = (len(files) + 1) // 2
        pieces = [files[:half].select(*FILE), files[half:].select(*FILE)]
        self._add(pieces, files["round"][0], self.generations)
        return Manifest.read(self.work, self.how)

    def _add(self, pieces: Iterable[pl.DataFrame], number: int, attempt: int) -> bool:
        """Write shards as the next generation; return whether nobody else wrote one meanwhile."""
        tables = [
            piece.with_columns(
                shard=pl.lit(named(self.how, attempt, *piece.iter_rows())),
                round=pl.lit(number, pl.UInt32),
            )
            for piece in pieces
        ]
        name = f"{_FOLDER}/{self.how}/{self.generations:06}.parquet"
        return self.work.write_table(name, pl.concat(tables).select(*_SCHEMA), only_new=True)
