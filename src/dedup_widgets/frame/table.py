"""From what people pass in to one kind of frame: Polars, with the columns that are needed."""

import codecs
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._forks import note_use
from dedup_widgets._paths import absolutes, as_unicode
from dedup_widgets._text import did_you_mean
from dedup_widgets._urls import refuse_secrets
from dedup_widgets.errors import InputError

ACTING_CELL = r"[=@\t\r]|[+-].*[A-Za-z(|!]"
"""How cells begin that a spreadsheet would carry out as formulas."""


def is_frame(data: object) -> bool:
    """Return whether data is a table: Polars, or anything that exports Arrow (pandas, pyarrow)."""
    if isinstance(data, pl.DataFrame | pl.LazyFrame):
        return True
    # A series exports Arrow too, but has neither columns nor a schema.
    return hasattr(data, "__arrow_c_stream__") and (
        hasattr(data, "columns") or hasattr(data, "schema")
    )


def to_polars(data: Any) -> pl.DataFrame:
    """Return a Polars DataFrame of any table.

    Parameters
    ----------
    data
        Polars DataFrame or LazyFrame, or an object with ``__arrow_c_stream__`` such as a pandas
        DataFrame or a pyarrow Table. A pandas index is not a column and is left behind.

    Raises
    ------
    InputError
        When data is no table.
    """
    note_use()
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, pl.DataFrame):
        return data
    why = ""
    if is_frame(data):
        try:
            return pl.DataFrame(data)
        except Exception as error:  # pandas columns of objects, columns of one name, …
            try:
                return pl.DataFrame({name: _plain(data[name]) for name in data.columns})
            except Exception:
                why = f" ({' '.join(str(error).split())[:200]})"
    raise InputError(
        f"cannot make a frame of {type(data).__name__}{why}; pass a Polars DataFrame or "
        "LazyFrame, a pandas DataFrame, or a pyarrow Table"
    )


def _plain(values: Any) -> list[Any]:
    """Return values with paths as text."""
    return [as_unicode(os.fspath(v)) if isinstance(v, str | os.PathLike) else v for v in values]


MOST_NAMED = 40
"""Columns that a message lists: it must fit on a screen."""


def require_columns(frame: pl.DataFrame, columns: Sequence[str], purpose: str) -> None:
    """Raise an InputError that lists what there is when a column is missing."""
    for column in columns:
        if column in frame.columns:
            continue
        shown = [repr(name[:60]) for name in frame.columns[:MOST_NAMED]]
        more = len(frame.columns) - len(shown)
        there = ", ".join(shown) + (f" and {more:,} more" if more else "") or "none"
        raise InputError(
            f"{purpose} needs a column {column!r}; this frame has: {there}."
            f"{did_you_mean(column, frame.columns)} Rename it, or name another one."
        )


def in_any_case(name: str, columns: Sequence[str]) -> str | None:
    """Return the column of that name, or the only one that differs in upper and lower case alone.

    >>> in_any_case("split", ["path", "Split"]), in_any_case("label", ["path"])
    ('Split', None)
    """
    if name in columns:
        return name
    like = [it for it in columns if it.casefold() == name]
    return like[0] if len(like) == 1 else None


def column(name: str) -> pl.Expr:
    """Return the expression of one column, whatever its name.

    To :func:`polars.col` a name such as ``*`` or ``^a.*$`` stands for several.

    >>> pl.DataFrame({"*": [1], "a": [2]}).select(column("*")).columns
    ['*']
    """
    return pl.col(f"^{pl.escape_regex(name)}$" if _is_pattern(name) else name)


def _is_pattern(name: str) -> bool:
    return name == "*" or (name.startswith("^") and name.endswith("$"))


def refuse_pattern(name: str) -> None:
    """Raise an InputError for a column that much of Polars cannot name."""
    if _is_pattern(name):
        raise InputError(
            f"column {name!r} cannot be used: Polars takes its name for a pattern; rename it: "
            f"frame.rename({{{name!r}: …}})"
        )


def checked_paths(frame: pl.DataFrame, column: str = "path") -> list[str]:
    """Return the paths of a frame as :func:`path_column` does, as a list."""
    return path_column(frame, column).to_list()


def path_column(frame: pl.DataFrame, column: str = "path") -> pl.Series:
    """Return the paths of a frame: text, no nulls, none twice.

    Raises
    ------
    InputError
        Naming the column, and the offending rows or paths.
    """
    require_columns(frame, [column], "a frame of images")
    refuse_pattern(column)
    paths = frame[column]
    if paths.dtype != pl.String:
        if not (paths.dtype.is_nested() or paths.dtype.is_numeric() or paths.dtype == pl.Object):
            paths = paths.cast(pl.String)
        elif paths.dtype == pl.Object and all(isinstance(p, str | os.PathLike) for p in paths):
            paths = pl.Series(column, [as_unicode(os.fspath(p)) for p in paths], dtype=pl.String)
        else:
            raise InputError(f"column {column!r} must hold text, not {paths.dtype}")
    if paths.null_count():
        row = int(paths.is_null().arg_max() or 0)
        raise InputError(
            f"column {column!r} is null in {paths.null_count()} rows, row {row} first; "
            f"drop them: frame.drop_nulls({column!r})"
        )
    if paths.str.contains("\0", literal=True).any():
        raise InputError(
            f"column {column!r} holds contents of files, and no names; write pictures that are in "
            "memory to files first"
        )
    for url in paths.filter(paths.str.contains("://", literal=True)):
        refuse_secrets(url)
    files = absolutes(paths)
    # Hashes are counted in a fraction of the time.
    if files.hash().n_unique() < len(files) and files.n_unique() < len(files):
        twice = paths.filter(files.is_duplicated()).unique(maintain_order=True)
        raise InputError(
            f"column {column!r} names {len(twice)} files more than once, {twice[0]!r} first; "
            f"keep one row each: frame.unique({column!r}, keep='first', maintain_order=True)"
        )
    return paths


class Texts(Sequence[str]):
    """A column of texts as a sequence, which takes no more memory than the column.

    >>> list(Texts(pl.Series(["a", "b", "c"]))[1:])
    ['b', 'c']
    """

    def __init__(self, column: pl.Series) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> "Texts": ...
    def __getitem__(self, at: int | slice) -> "str | Texts":
        return Texts(self.column[at]) if isinstance(at, slice) else self.column[int(at)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.column)


def file_name(path: str) -> str:
    """Return the last part of a path or URL, for people to read."""
    return Path(path.rstrip("/\\")).name or path


MOST_FOLDERS = 1000
"""Folders that are counted: a list that people choose from."""


def folders(paths: Iterable[str]) -> tuple[str, dict[str, int]]:
    r"""Return the folder that holds all files, and those below it with their numbers of files.

    Parameters
    ----------
    paths
        Paths or URLs; ``/`` and ``\`` part folders.

    Returns
    -------
    root : str
        The deepest folder that holds them all, empty where there is none.
    counts : dict
        How many files lie in each folder below it, at any depth, by the folder's own path, in the
        order of the names. Of more than a thousand folders those with the most files.

    Examples
    --------
    >>> folders(["/p/a/1.jpg", "/p/a/b/2.jpg", "/p/c/3.jpg"])
    ('/p', {'/p/a': 2, '/p/a/b': 1, '/p/c': 1})
    """
    parents = pl.Series(paths, dtype=pl.String).str.extract(r"(?s)^(.*)[/\\][^/\\]*$", 1)
    direct = dict(parents.fill_null("").value_counts().iter_rows())
    if not direct:
        return "", {}
    split = re.compile(r"[/\\]").split
    first, last = (split(end(direct, key=split)) for end in (min, max))
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))))
    some = next(iter(direct))
    root = some[: max(0, sum(map(len, first[:shared])) + shared - 1)]
    counts: Counter[str] = Counter()
    for folder, files in sorted(direct.items()):
        while len(folder) > len(root):
            counts[folder] += files
            folder = re.sub(r"(^|[/\\])[^/\\]*$", "", folder)
    return root, dict(sorted(counts.most_common(MOST_FOLDERS)))


def scattered(column: pl.Series, rows: NDArray[np.int64], values: pl.Series) -> pl.Series:
    """Return a column with other values in some rows."""
    if not len(rows):
        return column
    if isinstance(column.dtype, pl.Enum):
        codes = column.to_physical().clone().scatter(rows, values.to_physical())
        return codes.cat.to(column.dtype)
    return column.clone().scatter(rows, values)


def rows_of(
    frame: pl.DataFrame, rows: NDArray[np.integer] | slice, names: Iterable[str] | None = None
) -> pl.DataFrame:
    """Return some rows of some columns, by default of all; at once, however many there are."""
    columns = frame.get_columns() if names is None else [frame.get_column(it) for it in names]
    # Not by an expression, for of a few rows most of the time would go into its optimizer.
    return pl.DataFrame(columns)[rows] if columns else pl.DataFrame()


def amended(frame: pl.DataFrame, rows: NDArray[np.int64], part: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with other values in some rows, of the columns that a part of it has.

    Columns in which nothing changes are the same as before.
    """
    before, later = rows_of(frame, rows, part.columns), frame.clone()
    for name in part.columns:
        if not before[name].equals(part[name], null_equal=True):
            changed = scattered(frame[name], rows, part[name])
            later.replace_column(frame.get_column_index(name), changed)
    return later


def read_csv(path: Path, separator: str = ",") -> pl.DataFrame:
    """Read a table by commas, or by what spreadsheets of other countries write for them.

    What :mod:`dedup_widgets.frame.export` writes before cells that would act, is taken off.
    """
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    try:
        frame = pl.read_csv(data, separator=separator)
        for other in ";\t":
            if frame.width == 1 and other in frame.columns[0]:
                frame = pl.read_csv(data, separator=other)
    except pl.exceptions.ComputeError as error:
        if "utf-8" in str(error):
            raise pl.exceptions.ComputeError("it is not in UTF-8; save it so") from error
        raise
    return frame.with_columns(pl.col(pl.String).str.replace(f"(?s)^'({ACTING_CELL})", "${1}"))
