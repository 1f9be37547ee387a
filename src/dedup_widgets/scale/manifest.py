"""Which files there are, and in which shard each was described.

A shard is some files that are described together, named by their paths, sizes and versions, and
its list says which. A manifest is only added to: each of its generations says which shards came in
since the one before, so that those of what was there stay as they are. Where a file is in several,
the last one counts.

What is held of a file in memory is a few numbers: a digest of its path, and one of its size and
version.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.images.entry import FILE
from dedup_widgets.neighbors.pair_list import Table
from dedup_widgets.neighbors.vectors import parts
from dedup_widgets.scale.shards import FOLDER, read_facts
from dedup_widgets.scale.work import Work, named

SHARD_FILES = 8192
"""Files of a shard: a few minutes of work, and some hundred megabytes of thumbnails."""


_FOLDER, _LISTS = "manifest", "lists"

_SHARD: dict[str, Any] = {"shard": pl.String, "round": pl.UInt32}

_KEY = np.dtype("S16")


_AT_A_TIME = 65_536
"""Files that are looked up at a time, to bound memory."""


@dataclass(frozen=True)
class Manifest:
    """What a work folder knows of files.

    Attributes
    ----------
    work, how
        Where it lies, and the name of how its files are described: by which decoders and model.
    shards
        Name of each, and the round of listing in which it came in.
    generations
        How many there are.
    starts
        The first entry of each shard, and the end: an entry is a file of a shard.
    keys, states
        (m,), digests of the path of each entry, and of size and version.
    """

    work: Work
    how: str
    shards: Sequence[tuple[str, int]]
    generations: int
    starts: NDArray[np.int64]
    keys: NDArray[np.bytes_]
    states: NDArray[np.uint64]

    @classmethod
    def read(cls, work: Work, how: str) -> "Manifest":
        """Return what is there by now."""
        names = sorted(work.names(f"{_FOLDER}/{how}"))
        tables = [_generation(work, f"{_FOLDER}/{how}/{name}") for name in names]
        shards = list(pl.concat([pl.DataFrame(schema=_SHARD), *tables]).iter_rows())
        counts: list[int] = []
        table = Table(_KEY, np.uint64)
        for name, _ in shards:
            files = _read_list(work, name)
            table.append(keys_of(files["path"]), _states(files))
            counts.append(len(files))
        keys, states = table.columns()
        starts = np.cumsum([0, *counts])
        return cls(work, how, shards, len(names), starts, keys, states)

    def find(self, keys: NDArray[np.bytes_]) -> NDArray[np.int32]:
        """Return the last entry of each path, given by its digest; -1 for those that have none."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int32)
        order = np.argsort(self.keys, kind="stable").astype(np.int32)
        in_order = self.keys[order]
        found = np.empty(len(keys), np.int32)
        for part in parts(len(keys), _AT_A_TIME):
            place = np.searchsorted(in_order, keys[part], "right") - 1
            found[part] = np.where(in_order[place] == keys[part], order[place], -1)
        return found

    def shard_of(self, entries: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the number of the shard of each entry."""
        starts = self.starts.astype(np.int32)
        return np.searchsorted(starts, entries, "right").astype(np.int32) - np.int32(1)

    def count(self, names: Sequence[str]) -> int:
        """Return how many files some shards have."""
        files = dict(zip((name for name, _ in self.shards), np.diff(self.starts), strict=True))
        return sum(int(files[name]) for name in names)

    def files(self, shard: str) -> pl.DataFrame:
        """Return ``path``, ``size`` and ``version`` of the files of a shard."""
        return _read_list(self.work, shard)

    def with_listed(
        self,
        keys: NDArray[np.bytes_],
        listed: Callable[[], Iterable[pl.DataFrame]],
        again: NDArray[np.bool_],
        shard_files: int = SHARD_FILES,
    ) -> "Manifest":
        """Return a manifest that has some files; those that are new are written as a generation.

        Parameters
        ----------
        keys
            (n,), digests of the paths of files; a path may occur repeatedly.
        listed
            Returns ``path``, ``size`` and ``version`` of the files in their order, in parts.
        again
            (m,), entries that are to be read again although they have not changed.
        shard_files
            Files of a new shard.
        """
        is_first = np.zeros(len(keys), np.bool_)
        is_first[np.unique(keys, return_index=True)[1]] = True
        known = self.find(keys)
        again, states = np.append(again, True), np.append(self.states, np.uint64(0))
        # What is read again has the name of a shard that is there but for this.
        attempt = self.generations if again[known[known >= 0]].any() else 0
        names: list[str] = []
        start, new = 0, pl.DataFrame(schema=FILE)
        for part in listed():
            its = known[start : start + len(part)]
            is_new = again[its] | (states[its] != _states(part))
            new = pl.concat([new, part.filter(is_new & is_first[start : start + len(part)])])
            start += len(part)
            while len(new) >= shard_files:
                names.append(self._write_list(new[:shard_files], attempt))
                new = new[shard_files:].rechunk()
        if len(new):
            names.append(self._write_list(new, attempt))
        if not names:
            return self
        del known, is_first
        number = max((number for _, number in self.shards), default=-1) + 1
        if self._add(names, number):
            return Manifest.read(self.work, self.how)
        # Another run was quicker.
        there = Manifest.read(self.work, self.how)
        before = np.zeros(len(there.keys), np.bool_)
        before[: len(again) - 1] = again[:-1]
        return there.with_listed(keys, listed, before, shard_files)

    def with_halves(self, shard: str) -> "Manifest":
        """Return a manifest in which two halves stand for a shard."""
        files, number = self.files(shard), dict(self.shards)[shard]
        half = (len(files) + 1) // 2
        pieces = [files[:half], files[half:]]
        self._add([self._write_list(piece, self.generations) for piece in pieces], number)
        return Manifest.read(self.work, self.how)

    def _write_list(self, files: pl.DataFrame, attempt: int) -> str:
        """Write what a shard is of; return its name."""
        name = named(self.how, attempt, *files.iter_rows())
        self.work.write_table(_list(name), files)
        return name

    def _add(self, names: Sequence[str], number: int) -> bool:
        """Write shards as the next generation; return whether nobody else wrote one meanwhile."""
        table = pl.DataFrame({"shard": names, "round": number}, schema_overrides=_SHARD)
        name = f"{_FOLDER}/{self.how}/{self.generations:06}.parquet"
        return self.work.write_table(name, table, only_new=True)


def were_pictures(work: Work, files: pl.DataFrame) -> list[bool]:
    """Tell which files the shards of a work folder have the pictures of."""
    rows = pl.DataFrame(schema={"row": pl.UInt32})
    asked = files.with_row_index("row")
    for name in work.names(_LISTS) & work.names(FOLDER):
        its = work.read_table(f"{_LISTS}/{name}").join(asked, on=[*FILE])
        if len(its):
            read = read_facts(work, name.removesuffix(".parquet"), ["path", "fingerprint"])
            pictures = read.filter(pl.col("fingerprint").is_not_null())
            rows = rows.vstack(its.join(pictures, on="path", how="semi").select("row"))
    found = np.zeros(len(files), np.bool_)
    found[rows["row"]] = True
    return found.tolist()


def keys_of(paths: Iterable[str]) -> NDArray[np.bytes_]:
    """Return digests of paths."""
    digests = (_digest(path.encode("utf-8", "surrogateescape"), 16) for path in paths)
    return np.fromiter(digests, _KEY)


def _states(files: pl.DataFrame) -> NDArray[np.uint64]:
    both = files.select("size", "version").iter_rows()
    digests = (_digest(f"{size} {version}".encode(), 8) for size, version in both)
    return np.fromiter(digests, "S8").view(np.uint64)


def _digest(data: bytes, size: int) -> bytes:
    return blake2b(data, digest_size=size).digest()


def _list(shard: str) -> str:
    return f"{_LISTS}/{shard}.parquet"


def _read_list(work: Work, shard: str) -> pl.DataFrame:
    return work.read_table(_list(shard))


def _generation(work: Work, name: str) -> pl.DataFrame:
    """Return the shards of a generation, each with a list."""
    shards = work.read_table(name, [*_SHARD]).cast(pl.Schema(_SHARD))
    if shards["shard"].is_unique().all() and work.has(_list(shards["shard"][0])):
        return shards
    # Before there were lists, a generation had the files themselves.
    files = work.read_table(name)
    for (shard,), its in files.group_by("shard", maintain_order=True):
        work.write_table(_list(str(shard)), its.select(*FILE))
    return shards.unique("shard", maintain_order=True)
