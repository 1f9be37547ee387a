"""Files that say what there is to score: tables with a column of paths, and lists of paths."""

import codecs
import contextlib
import json
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._urls import is_far
from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import read_csv
from dedup_widgets.images.other_formats import is_archive


def _read_json(path: Path) -> pl.DataFrame:
    """Read a table, or a list of paths, as JSON."""
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if re.match(rb'\s*\[\s*"', data):
        with contextlib.suppress(ValueError):
            return pl.DataFrame({"path": json.loads(data)}, schema={"path": pl.String})
    return pl.read_json(data)


_TABLES: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": pl.read_parquet,
    ".csv": read_csv,
    ".tsv": partial(read_csv, separator="\t"),
    ".jsonl": pl.read_ndjson,
    ".ndjson": pl.read_ndjson,
    ".json": _read_json,
}


_QUOTED = re.compile(r'"[^"]+"')


_LISTS = (".txt", ".lst", ".list")


def paths_in(given: str) -> Any:
    """Return the table or the list of paths that a file is; else the name as it was given.

    What a table or a list names is looked for beside it first, and then from here.
    """
    path = Path(given).expanduser()
    suffix = path.suffix.lower()
    # Path.is_file raises where a name is too long.
    if not os.path.isfile(path):  # noqa: PTH113
        return given
    if read := _TABLES.get(suffix):
        return _table(path, read)
    if suffix in _LISTS:
        return _list(path)
    with path.open("rb") as file:
        head = file.read(512)
    if is_archive(head):
        kind = "a zip" if head.startswith(b"PK") else "a packed"
        raise InputError(f"{path} is {kind} archive; unpack it, and pass the folder")
    return given


def _table(path: Path, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    try:
        frame = read(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be read as {path.suffix[1:].lower()}: {reason}") from error
    columns = ["path"] if "path" in frame.columns else frame.columns
    named = [name for name in columns if frame.schema[name] == pl.String]
    found = {name: _beside(path, frame[name].to_list()) for name in named}
    if "path" not in frame.columns:
        # In a table of pictures the only column that names files is that of their paths.
        found = {name: names for name, names in found.items() if _are_files(names[:20])}
    if len(found) != 1:
        return frame
    (paths,) = found.values()
    return frame.with_columns(path=pl.Series(paths, dtype=pl.String))


def _are_files(names: Sequence[Any]) -> bool:
    some = [name for name in names if name is not None]
    return bool(some) and all(os.path.isfile(absolute(name)) for name in some)  # noqa: PTH113


def _list(path: Path) -> list[str]:
    text = _text(path)
    # As `find -print0` writes them, and as Windows copies a path.
    lines = text.split("\0") if "\0" in text else text.splitlines()
    names = [_name(path, line) for line in lines if line.strip()]
    names = [name for name in names if name[0] != "#" or os.path.lexists(absolute(name))]
    if not names:
        raise InputError(f"{path}: the list is empty; write one path a line")
    found = _beside(path, names)
    if not any(is_far(name) or os.path.lexists(absolute(name)) for name in found[:1000]):
        raise InputError(
            f"{path} is taken for a list of paths, one a line, but none of its lines names a file "
            f"(the first: {names[0][:100]!r})"
        )
    return found


def _name(path: Path, line: str) -> str:
    """Return the name that a line of a list holds, as some are written with blanks or in quotes."""
    name = line.strip()
    if name != line and os.path.lexists(absolute(_beside(path, [line])[0])):
        return line
    return name[1:-1] if _QUOTED.fullmatch(name) else name


def _beside(path: Path, names: Sequence[Any]) -> list[Any]:
    """Return names as paths beside a file, where there is one, as tools for lists do."""

    def beside(name: Any) -> Any:
        if not name or "\0" in name or is_far(name) or os.path.isabs(name):  # noqa: PTH117
            return name
        at = os.path.join(path.parent, name)  # noqa: PTH118
        return absolute(at) if os.path.lexists(at) else name

    return [beside(name) for name in names]


def _text(path: Path) -> str:
    """Return a list as text: UTF-8, or UTF-16 as Windows writes it, with a mark or without."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="surrogateescape")
