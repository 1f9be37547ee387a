"""A frame as a file of a table, of JSON lines, or of a plain list of paths."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.schema import NESTED
from dedup_widgets.frame.table import ACTING_CELL, column, require_columns

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt", ".parquet")
"""What a name may end in."""


def writer(
    target: Path, path: str = "path", *, vectors: bool | None = None
) -> Callable[[pl.DataFrame], None]:
    """Return what writes a frame to a file; raise before hours are spent on making one."""
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"cannot write {target.name}: its name must end in one of {', '.join(SUFFIXES)}"
        )
    if not target.absolute().parent.is_dir():
        raise InputError(f"there is no folder {target.absolute().parent} to write {target.name} to")
    keeps_vectors = suffix == ".parquet" if vectors is None else vectors

    def write(frame: pl.DataFrame) -> None:
        if not keeps_vectors:
            hidden = [c for c in NESTED if c in frame.columns and frame.schema[c].is_nested()]
            frame = frame.drop(hidden)
        try:
            replace_file(target, lambda file: _write(frame, file, suffix, path))
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"cannot write {target}: {reason}; name another file") from error

    return write


def replace_file(target: Path, write: Callable[[str], object]) -> None:
    """Write a file beside its place, and put it there when it is whole."""
    handle, partial = tempfile.mkstemp(target.suffix, f".{target.stem}-", target.absolute().parent)
    os.close(handle)
    try:
        write(partial)
        mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
        os.chmod(partial, mode & 0o777)  # noqa: PTH101
        os.replace(partial, target)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)  # noqa: PTH108
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write(frame: pl.DataFrame, file: str, suffix: str, path: str) -> None:
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    frame = frame.with_columns(
        pl.Series(name, [None if it is None else str(it) for it in frame[name]], dtype=pl.String)
        for name in objects
    )
    match suffix:
        case ".parquet":
            frame.write_parquet(file)
        case ".txt":
            require_columns(frame, [path], "a list of paths")
            paths = frame[path].cast(pl.String)
            broken = paths.filter(paths.str.contains(r"[\r\n]"))
            if not broken.is_empty():
                raise InputError(
                    f"a list has one path a line, and {broken[0][:100]!r} is of several; write a "
                    ".csv or .jsonl"
                )
            lines = "".join(f"{name}\n" for name in paths)
            Path(file).write_text(lines, encoding="utf-8", newline="\n")
        case ".csv" | ".tsv":
            flat = frame.select(_flat(name, dtype) for name, dtype in frame.schema.items())
            flat = flat.with_columns(
                _inert(name, "./" if name == path else "'")
                for name, dtype in flat.schema.items()
                if dtype in (pl.String, pl.Categorical, pl.Enum)
            )
            # Spreadsheets take a file for UTF-8 by its mark; other programs pass it over.
            needs_mark = any(
                not text.is_empty() and bool(text.str.contains(r"[^\x00-\x7f]").any())
                for text in flat.select(pl.col(pl.String))
            )
            flat.write_csv(
                file, separator="\t" if suffix == ".tsv" else ",", include_bom=needs_mark
            )
        case _:
            plain = frame.select(_for_json(name, dtype) for name, dtype in frame.schema.items())
            if suffix == ".json":
                plain.write_json(file)
            else:
                plain.write_ndjson(file)


def _inert(name: str, mark: str) -> pl.Expr:
    """Return a column of texts of which none acts as a formula, as a camera's name may.

    The mark is what spreadsheets take for the beginning of a text; :func:`read_csv` takes it off.
    """
    text = column(name).cast(pl.String)
    acts = text.str.contains(f"(?s)^({ACTING_CELL})")
    return pl.when(acts).then(pl.lit(mark) + text).otherwise(text).alias(name)


def _flat(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as a table of texts and numbers can hold it."""
    value = column(name)
    match dtype:
        case pl.Binary():
            return value.bin.encode("hex")
        case pl.Duration():
            return value.dt.total_microseconds() / 1e6
        case pl.List() | pl.Array() if not dtype.inner.is_nested():
            items = value.arr.to_list() if isinstance(dtype, pl.Array) else value
            if dtype.inner in (pl.Binary, pl.Object):
                return pl.lit(None, pl.String).alias(name)
            return items.list.eval(pl.element().cast(pl.String)).list.join("|", ignore_nulls=True)
        case pl.List() | pl.Array() | pl.Struct():
            wrapped = pl.struct(value.alias("v")).struct.json_encode()
            return wrapped.str.strip_prefix('{"v":').str.strip_suffix("}").alias(name)
        case _:
            return value


def _for_json(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as JSON can hold it."""
    value = column(name)
    if dtype == pl.Binary:
        return value.bin.encode("hex")
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return value.cast(pl.String)
    if isinstance(dtype, pl.Array):
        return value.arr.to_list()
    if dtype.is_float():
        return pl.when(value.is_finite()).then(value).alias(name)
    return value
