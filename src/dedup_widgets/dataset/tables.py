"""The two tables of a dataset: what is known of its pictures, and what was left out."""

import io
import json
from pathlib import Path
from typing import Any

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._secrets import without_secrets
from dedup_widgets.errors import InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.provenance import NAME, provenances
from dedup_widgets.frame.schema import COLUMNS, NESTED, types
from dedup_widgets.frame.table import checked_paths, require_columns, to_polars

REMOVED_SCHEMA = {
    **types("path", "fingerprint", "group"),
    "keeper": COLUMNS["path"].dtype,
    **types("distance"),
    "reason": pl.String(),
}
"""Columns of ``removed.parquet``."""


def metadata_columns(
    frame: pl.DataFrame,
    sources: list[str],
    file_names: list[str] | None,
    *,
    binary: bool,
    embedding: bool,
) -> tuple[pl.DataFrame, list[str]]:
    """Return the columns that the format and `datasets` hold, and the names of the others."""
    left_out = [c for c, dtype in frame.schema.items() if dtype == pl.Object]
    if not embedding:
        # How it was made is of use together with the vectors; the card has it for readers.
        hidden = set(NESTED) | ({NAME} if provenances(frame) else set())
        left_out += [c for c in frame.columns if c in hidden]
    if not binary:
        left_out += [c for c, dtype in frame.schema.items() if dtype == pl.Binary]
    frame = frame.drop(left_out)
    own = [pl.Series("source_path", sources, dtype=pl.String)]
    if file_names is not None:
        own.insert(0, pl.Series("file_name", file_names, dtype=pl.String))
    taken = {"source_path", *frame.columns}
    renamed = {}
    for column in frame.columns:
        if _is_reserved(column):
            free = f"{column}_"
            while free in taken or _is_reserved(free):
                free += "_"
            renamed[column] = free
            taken.add(free)
    others = [
        frame[column].cast(_plain(dtype)).alias(renamed.get(column, column))
        for column, dtype in frame.schema.items()
    ]
    return _without_secrets(pl.DataFrame([*own, *others])), left_out


def _is_reserved(column: str) -> bool:
    # `datasets` makes a picture of every text column whose name ends like this.
    picture = column.endswith(("_file_name", "_file_names"))
    return picture or column in ("file_name", "file_names", "image", "source_path")


def _plain(dtype: Any) -> Any:
    """Return the nearest type that `datasets` reads back."""
    match dtype:
        case pl.Enum() | pl.Categorical() | pl.Int128() | pl.UInt128():
            return pl.String()
        case pl.List() | pl.Array():
            return pl.List(_plain(dtype.inner))
        case pl.Struct():
            return pl.Struct({field.name: _plain(field.dtype) for field in dtype.fields})
        case _:
            return dtype


def removed_rows(plan: Any, unreadable: list[str], kept: list[str]) -> pl.DataFrame:
    """Return the rows of ``removed.parquet``: those of a plan, then the unreadable images."""
    parts = [pl.DataFrame(schema=REMOVED_SCHEMA)]
    if plan is not None:
        parts.append(_left_out_by(plan, kept))
    known = set(parts[-1]["path"])
    rest = pl.Series("path", [path for path in unreadable if path not in known], dtype=pl.String)
    parts.append(rest.to_frame().with_columns(reason=pl.lit("unreadable")))
    return _without_secrets(pl.concat(parts, how="diagonal"))


def _without_secrets(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose addresses hold no password and no signature."""
    texts = [column for column in frame if column.dtype == pl.String]
    return frame.with_columns(
        pl.Series(column.name, [text and without_secrets(text) for text in column], dtype=pl.String)
        for column in texts
        if column.str.contains("://", literal=True).any()
    )


def _left_out_by(plan: Any, kept: list[str]) -> pl.DataFrame:
    path = "path"
    if isinstance(plan, Collection):
        plan, path = plan.frame, plan.path
    frame = to_polars(plan)
    paths = map(absolute, checked_paths(frame, path))
    frame = frame.with_columns(pl.Series("path", paths, dtype=pl.String))
    if "action" in frame.columns:
        frame = frame.filter(pl.col("action").cast(pl.String).ne_missing("keep"))
    both = frame["path"].filter(frame["path"].is_in(kept))
    if len(both):
        raise InputError(
            f"{len(both):,} images are both in the dataset and removed, {both[0]} first; pass "
            "only the rows that stay: frame.join(removed, on='path', how='anti')"
        )
    if "keeper" in frame.columns:
        keepers = [k and absolute(k) for k in frame["keeper"].cast(pl.String)]
        frame = frame.with_columns(pl.Series("keeper", keepers, dtype=pl.String))
    there = {name: dtype for name, dtype in REMOVED_SCHEMA.items() if name in frame.columns}
    try:
        return frame.select(pl.col(name).cast(dtype) for name, dtype in there.items())
    except pl.exceptions.InvalidOperationError as error:
        raise InputError(f"the columns of removed cannot be used: {error}") from error


MOST_CLASSES = 1000
"""Different texts of a column up to which it is one of classes."""


_FEATURES = "huggingface"


def classes_of(frame: pl.DataFrame, column: str | None) -> dict[str, list[str]]:
    """Return the column of classes and their names, sorted; none if there is no such column.

    Without a name it is ``label``, if that comes from folders or holds few texts, each often.
    """
    if column is not None:
        require_columns(frame, [column], "label_column")
    name = "label" if column is None else column
    text = isinstance(frame.schema.get(name), pl.String | pl.Categorical | pl.Enum)
    if not text or _is_reserved(name):
        return {}
    labels = frame[name].cast(pl.String).drop_nulls()
    names = sorted(labels.unique())
    is_sure = column is not None or any(name in it.from_folders for it in provenances(frame))
    if not 0 < len(names) <= (len(labels) if is_sure else min(MOST_CLASSES, len(labels) - 1)):
        return {}
    return {name: names}


def as_parquet(frame: pl.DataFrame, classes: dict[str, list[str]] | None = None) -> bytes:
    """Return a frame as a Parquet file, in which loaders find the names of classes.

    Columns of classes hold numbers there, as `datasets` has a ``ClassLabel``.
    """
    buffer = io.BytesIO()
    if not classes:
        frame.write_parquet(buffer)
        return buffer.getvalue()
    numbers = (
        pl.col(name).replace_strict(names, range(len(names)), default=None, return_dtype=pl.Int64)
        for name, names in classes.items()
    )
    features = {name: {"names": names, "_type": "ClassLabel"} for name, names in classes.items()}
    frame.with_columns(numbers).write_parquet(
        buffer, metadata={_FEATURES: json.dumps({"info": {"features": features}})}
    )
    # pyarrow shows what else a file says of its columns only where Arrow's own schema is not there;
    # the types are in the file without it.
    data, name, rest = buffer.getvalue().rpartition(b"ARROW:schema")
    return data + name.lower() + rest


def read_table(file: Path) -> pl.DataFrame:
    """Return a table that :func:`as_parquet` wrote, with classes by their names."""
    frame = pl.read_parquet(file)
    said = pl.read_parquet_metadata(file).get(_FEATURES)
    features = json.loads(said)["info"]["features"] if said else {}
    return frame.with_columns(
        pl.col(name).replace_strict(
            range(len(it["names"])), it["names"], default=None, return_dtype=pl.String
        )
        for name, it in features.items()
        if it.get("_type") == "ClassLabel"
    )
