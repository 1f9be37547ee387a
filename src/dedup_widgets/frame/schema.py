"""The columns that the package knows, under their own names and types."""

from collections.abc import Callable

import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import refuse_pattern


def for_planning(frame: pl.DataFrame, path: str, score: str | None) -> pl.DataFrame:
    """Return a frame with the columns of paths and scores under the names that a plan knows.

    Raises
    ------
    InputError
        When ``group`` or ``keep`` is a column of something else.
    """
    for name in {"group", "keep"} & set(frame.columns):
        dtype = frame.schema[name]
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            raise InputError(
                f"column {name!r} holds {dtype}, which says nothing of duplicates; rename it"
            )
    names = {path: "path"} | ({score: "uniqueness"} if score is not None else {})
    taken = [new for old, new in names.items() if old != new and new in frame.columns]
    return frame.drop(taken).rename(names)


SCORE_COLUMNS = ("uniqueness", "kind", "group", "keep", "nearest", "distance")


FACT_TYPES = {
    "width": pl.UInt32,
    "height": pl.UInt32,
    "bytes": pl.UInt64,
    "format": pl.String,
    "mode": pl.String,
    "frames": pl.UInt32,
    "lossless": pl.Boolean,
    "exif": pl.Boolean,
    "brightness": pl.Float32,
    "contrast": pl.Float32,
    "sharpness": pl.Float32,
}


SHAPE = {
    "aspect_ratio": (pl.col("width") / pl.col("height")).cast(pl.Float32),
    "area": pl.col("width").cast(pl.UInt64) * pl.col("height"),
}


def without_scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that are the user's own, without those of an earlier score.

    Raises
    ------
    InputError
        When there was no earlier score, and a column has a name that scoring needs.
    """
    ours = [*SCORE_COLUMNS, *FACT_TYPES, *SHAPE, "fingerprint", "error", "embedding"]
    clash = [name for name in frame.columns if name in ours]
    if clash and not {"uniqueness", "kind", "keep"} <= set(frame.columns):
        raise InputError(
            f"scoring makes columns that this frame has already: {', '.join(map(repr, clash))}; "
            f"rename them: frame.rename({{{clash[0]!r}: 'my_{clash[0]}'}})"
        )
    return frame.drop(clash)


KIND = pl.Enum(["exact", "near", "unique"])


def recognised(frame: pl.DataFrame, path: str, score: str | None) -> pl.DataFrame:
    """Return the columns that the widgets know, under their own names and types.

    A column of one of these names that holds something else is the user's own and is left out: a
    ``group`` of words, a ``kind`` of fruit. Groups below 1 stand for none.

    Raises
    ------
    InputError
        When the score column holds no numbers in [0, 1].
    """
    columns = {"path": frame[path].cast(pl.String)}
    if score is not None:
        columns["uniqueness"] = _checked_score(frame[score])
    for name, (fits, dtype) in _KNOWN.items():
        if name in frame.columns and name not in columns and fits(frame[name]):
            columns[name] = frame[name].cast(dtype, strict=False)
    known = pl.DataFrame(columns)
    if "group" in columns:
        known = known.with_columns(pl.when(pl.col("group") > 0).then("group").cast(pl.UInt32))
    return known


def _is_text(column: pl.Series) -> bool:
    return isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum)


def is_kind(column: pl.Series) -> bool:
    """Tell whether a column holds kinds."""
    return _is_text(column) and set(column.cast(pl.String).unique()) <= {*KIND.categories, None}


def _is_whole(column: pl.Series) -> bool:
    """Tell whether a column holds whole numbers; those of pandas are floats where some miss."""
    if column.dtype.is_float():
        numbers = column.drop_nulls().drop_nans()
        return bool((numbers.is_finite() & (numbers % 1 == 0)).all())
    return column.dtype.is_integer()


_KNOWN: dict[str, tuple[Callable[[pl.Series], bool], type[pl.DataType]]] = {
    "kind": (is_kind, pl.String),
    "group": (_is_whole, pl.Int64),
    "keep": (lambda column: column.dtype == pl.Boolean, pl.Boolean),
    "nearest": (_is_text, pl.String),
    "distance": (lambda column: column.dtype.is_numeric(), pl.Float32),
    "width": (_is_whole, pl.Int64),
    "height": (_is_whole, pl.Int64),
    "fingerprint": (_is_text, pl.String),
    "error": (_is_text, pl.String),
}


def _checked_score(column: pl.Series) -> pl.Series:
    refuse_pattern(column.name)
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise InputError(
            f"column {column.name!r} must hold numbers in [0, 1], not {column.dtype}; name "
            "another one: score=…"
        )
    values = column.cast(pl.Float32).fill_nan(None)
    low, high = values.min(), values.max()
    if low is not None and not (low >= 0 and high <= 1):  # type: ignore[operator]
        raise InputError(
            f"column {column.name!r} holds numbers from {low} to {high}, and a score lies in "  # type: ignore[str-bytes-safe]
            "[0, 1]; bring it there, or name another one: score=…"
        )
    return values
