"""What a column holds, as the browser needs it to offer a filter on it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from dedup_widgets.frame.annotations import is_annotations

Kind = Literal["number", "date", "category", "boolean", "text"]


MAX_LABELS, MAX_LABEL_BYTES = 5_000, 1_000_000
"""A column of more different texts than this is searched, not listed."""


@dataclass(frozen=True, slots=True)
class Facet:
    """What one column holds.

    Attributes
    ----------
    kind : str | None
        How the column can be filtered; None where rows can only be filtered by having a
        value.
    values : ndarray of float32 or float64, (n,)
        Of a number or date: see :func:`wire`.
    codes : ndarray of uint32, (n,)
        Of a category or boolean: the place of each row's value in `labels`.
    labels : list of str, bool and None
        Enums in their order, True before False, texts by how often they occur, then by the text.
        None is the last one, where rows have no value.
    counts : ndarray of int64, (number of labels,)
        How many rows have each label.
    """

    kind: Kind | None
    values: np.ndarray | None = None
    codes: np.ndarray | None = None
    labels: list[Any] = field(default_factory=list)
    counts: np.ndarray | None = None


def kind_of(dtype: pl.DataType) -> Kind | None:
    """Return how a column of this type can be filtered.

    >>> kind_of(pl.Int8()), kind_of(pl.Enum(["train", "test"])), kind_of(pl.List(pl.String))
    ('number', 'category', 'text')
    >>> kind_of(pl.List(pl.Float32)) is None
    True
    """
    if is_tags(dtype):
        return "text"
    if dtype.is_numeric() or dtype in (pl.Time, pl.Duration):
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype == pl.Boolean:
        return "boolean"
    return "category" if dtype in (pl.String, pl.Categorical, pl.Enum) else None


def is_tags(dtype: pl.DataType) -> bool:
    """Tell whether a column of this type holds lists of tags, or annotations by category.

    Tags are texts, or whole numbers of classes.
    """
    if is_annotations(dtype) or are_numbered(dtype):
        return True
    is_list = isinstance(dtype, pl.List | pl.Array)
    return is_list and dtype.inner in (pl.String, pl.Categorical, pl.Enum)  # type: ignore[attr-defined]


def are_numbered(dtype: pl.DataType) -> bool:
    """Tell whether a column of this type holds lists of whole numbers."""
    return isinstance(dtype, pl.List) and dtype.inner.is_integer()


def facet(column: pl.Series, kind: Kind | None, *, single: bool = False) -> Facet:
    """Return what a column holds.

    Parameters
    ----------
    column
        Any column.
    kind
        See :func:`kind_of`. A category of more than 5,000 different texts, or of more than
        1 MB of them, comes back as ``text``.
    single
        See :func:`wire`.

    Examples
    --------
    >>> found = facet(pl.Series(["sky", None, "sea", "sky"]), "category")
    >>> found.labels, found.counts.tolist(), found.codes.tolist()
    (['sky', 'sea', None], [2, 1, 1], [0, 2, 1, 0])
    """
    column = column.alias("column")  # some names are patterns to Polars
    if kind == "number" or kind == "date":
        return Facet(kind, values=wire(column, single=single))
    if kind == "boolean":
        return _labelled(kind, ~column, [True, False])
    if kind != "category":
        return Facet(kind)
    if isinstance(column.dtype, pl.Enum):
        texts = column.dtype.categories
    elif column.head(10 * MAX_LABELS).n_unique() > MAX_LABELS + 1:
        return Facet("text")  # without counting a million names
    else:
        counts = column.cast(pl.String).alias("text").drop_nulls().value_counts()
        texts = counts.sort("count", "text", descending=[True, False])["text"]
    if len(texts) > MAX_LABELS or int(texts.str.len_bytes().sum()) > MAX_LABEL_BYTES:
        return Facet("text")
    return _labelled(kind, column.cast(pl.Enum(texts)).to_physical(), texts.to_list())


def _labelled(kind: Kind, codes: pl.Series, labels: list[Any]) -> Facet:
    numbers = codes.cast(pl.UInt32).fill_null(len(labels)).to_numpy()
    if codes.null_count():
        labels = [*labels, None]
    counts = np.bincount(numbers, minlength=len(labels))
    return Facet(kind, codes=numbers, labels=labels, counts=counts)


def wire(column: pl.Series, *, single: bool = False) -> np.ndarray:
    """Return a column of numbers or dates as it travels to the browser, and is compared.

    Parameters
    ----------
    column
        Numbers; dates, which become whole milliseconds since 1970; times of day and durations,
        which become seconds, whole microseconds of them.
    single
        Whether to use float32 whatever the column's type, as for scores.

    Returns
    -------
    ndarray of float32 or float64, (n,)
        float32 for Float32 and Float16, float64 for others; NaN for null.

    Examples
    --------
    >>> import datetime as dt
    >>> wire(pl.Series([dt.date(1970, 1, 2), None])).tolist()
    [86400000.0, nan]
    """
    numbers = wire_expression(pl.col("column"), column.dtype, single=single)
    return column.to_frame("column").select(numbers).to_series().to_numpy()


def wire_type(dtype: pl.DataType, *, single: bool = False) -> type[pl.DataType]:
    """Return the type in which numbers of a column travel."""
    return pl.Float32 if single or dtype in (pl.Float32, pl.Float16) else pl.Float64


def wire_expression(column: pl.Expr, dtype: pl.DataType, *, single: bool = False) -> pl.Expr:
    """Return what :func:`wire` does as an expression on a column of this type."""
    if isinstance(dtype, pl.Datetime):
        return column.dt.timestamp("ms").cast(pl.Float64)
    if dtype == pl.Date:
        return column.to_physical().cast(pl.Float64) * 86_400_000
    # A product, for Polars divides by a constant a little differently from one row to many.
    if dtype == pl.Time:
        return (column.to_physical() // 1000).cast(pl.Float64) * 1e-6
    if dtype == pl.Duration:
        return column.dt.total_microseconds().cast(pl.Float64) * 1e-6
    return column.cast(wire_type(dtype, single=single))
