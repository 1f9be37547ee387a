"""The work folder: everything that a run knows, on a disk or in an object store.

A file is written whole or not at all, and what it holds follows from its name: whoever finds it
need not write it, and two that write it do no harm.
"""

import io
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._durable import make_folder, sync_file
from dedup_widgets._paths import absolute
from dedup_widgets._text import named_place
from dedup_widgets._urls import STORES, redacted, refuse_secrets, scheme_of
from dedup_widgets.errors import ImageError, InputError, StoreError
from dedup_widgets.images.object_store import check_installed
from dedup_widgets.images.source import store_for

_UNFINISHED = ".part"
"""End of the name of a file that is being written."""


def named(*parts: object) -> str:
    """Return a name that follows from its parts.

    >>> named("a", 1) == named("a", 1), named("a", 1) == named("a1")
    (True, False)
    """
    made = blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        made.update(len(data).to_bytes(8, "little") + data)
    return made.hexdigest()


@dataclass(frozen=True)
class Work:
    """A work folder.

    Attributes
    ----------
    place
        A folder that all machines of a run see under this name, or one of an object store.
    """

    place: str

    @classmethod
    def at(cls, place: "str | os.PathLike[str]") -> "Work":
        """Return the work folder at a place, which need not be there yet."""
        name = named_place("work", place)
        if "://" not in name:
            return cls(absolute(name))
        refuse_secrets(name)
        if scheme_of(name) not in STORES:
            raise InputError(
                f"work is {redacted(name)!r}; it must be a folder, or one of an object store "
                "(s3://, gs://, az://)"
            )
        check_installed()
        return cls(name.rstrip("/"))

    @property
    def is_far(self) -> bool:
        """Whether it lies in an object store."""
        return "://" in self.place

    def names(self, folder: str) -> set[str]:
        """Return the names of the files in a folder of it."""
        if self.is_far:
            try:
                start = f"{self.place}/{folder}/"
                below = store_for(self.place).below(start)["path"]
                return set(below.str.strip_prefix(start))
            except ImageError as error:
                raise StoreError(str(error)) from error
        with suppress(FileNotFoundError):
            found = Path(self.place, folder).iterdir()
            return {it.name for it in found if it.suffix != _UNFINISHED}
        return set()

    def read(self, name: str) -> bytes:
        """Return what a file holds; raise StoreError if it is not there."""
        try:
            if self.is_far:
                return store_for(self.place).read(f"{self.place}/{name}")
            return Path(self.place, name).read_bytes()
        except (ImageError, OSError) as error:
            raise StoreError(f"the work folder lacks a file: {error}") from error

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        if not self.is_far:
            return Path(self.place, name).exists()
        (found,) = store_for(self.place).look_up([f"{self.place}/{name}"])
        return not isinstance(found, ImageError)

    def read_ranges(self, name: str, starts: Sequence[int], ends: Sequence[int]) -> list[bytes]:
        """Return some parts of a file."""
        try:
            if self.is_far:
                return store_for(self.place).ranges(f"{self.place}/{name}", starts, ends)
            with Path(self.place, name).open("rb") as file:
                return [_part(file, start, end) for start, end in zip(starts, ends, strict=True)]
        except (ImageError, OSError) as error:
            raise StoreError(f"the work folder lacks a file: {error}") from error

    def write(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """Write a file, whole or not at all.

        Parameters
        ----------
        only_new
            Whether a file that is there stays as it is.

        Returns
        -------
        bool
            Whether it was written.
        """
        try:
            if self.is_far:
                return store_for(self.place).write(f"{self.place}/{name}", data, only_new=only_new)
            return _write_here(Path(self.place, name), data, only_new=only_new)
        except (ImageError, OSError) as error:
            raise StoreError(f"the work folder cannot be written: {error}") from error

    def read_table(self, name: str, columns: Iterable[str] | None = None) -> pl.DataFrame:
        """Return a table that was written, or some of its columns."""
        chosen = None if columns is None else list(columns)
        if self.is_far:
            return pl.read_parquet(io.BytesIO(self.read(name)), columns=chosen)
        try:
            return pl.read_parquet(Path(self.place, name), columns=chosen)
        except OSError as error:
            raise StoreError(f"the work folder lacks a file: {error}") from error

    def write_table(self, name: str, table: pl.DataFrame, *, only_new: bool = False) -> bool:
        """Write a table as Parquet."""
        file = io.BytesIO()
        table.write_parquet(file)
        return self.write(name, file.getvalue(), only_new=only_new)

    def read_array(self, name: str) -> NDArray[Any]:
        """Return an array that was written."""
        found: NDArray[Any] = np.load(io.BytesIO(self.read(name)))
        return found

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array."""
        file = io.BytesIO()
        np.save(file, array)
        self.write(name, file.getvalue())

    def read_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return arrays that were written."""
        with np.load(io.BytesIO(self.read(name))) as arrays:
            return dict(arrays)

    def write_arrays(self, name: str, **arrays: NDArray[Any]) -> None:
        """Write arrays by name."""
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        self.write(name, file.getvalue())


def _part(file: io.BufferedReader, start: int, end: int) -> bytes:
    file.seek(start)
    data = file.read(end - start)
    if len(data) < end - start:
        raise OSError(f"{file.name} is shorter than it was written")
    return data


def _write_here(path: Path, data: bytes, *, only_new: bool) -> bool:
    make_folder(path.parent)
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_UNFINISHED}")
    try:
        unfinished.write_bytes(data)
        sync_file(unfinished)
        if not only_new:
            unfinished.replace(path)
            return True
        # Of two that write the same name, one is told; a rename would tell none.
        path.hardlink_to(unfinished)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return True
