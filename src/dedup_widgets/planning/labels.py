"""Labels and splits of duplicates: where they disagree, and how they reach the keeper."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.annotations import are_same, categories, is_annotations
from dedup_widgets.frame.same_file import first_rows
from dedup_widgets.frame.table import column as named
from dedup_widgets.frame.table import require_columns, to_polars


def label_conflicts(df: Any, label: str) -> pl.DataFrame:
    """Find the groups whose members disagree about a label.

    Parameters
    ----------
    df
        A frame as :func:`dedup_widgets.score` makes it: with ``path``, ``group`` and ``keep``.
    label
        A column of single values, of lists of tags, whose order and repetitions do not count, or of
        annotations. Nulls and empty lists of tags agree with everything. Annotations disagree by
        their categories; those of exact copies by their boxes too, where an object of one is none
        of the other: its box overlaps none of its category by half
        (:data:`dedup_widgets.frame.annotations.SAME_BOX`). No annotation at all says that there is
        no object.

    Returns
    -------
    pl.DataFrame
        The rows of those groups, group by group, the keeper first and the others by path, with
        all their columns and ``labels`` (String): what the group says, such as
        ``"cat ×2, dog ×1"``, the most frequent first.

    Raises
    ------
    InputError
        When a column is missing, or the frame has a column ``labels`` already.

    Examples
    --------
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
    ...         "group": [1, 1, 1, None],
    ...         "keep": [False, True, False, True],
    ...         "animal": ["cat", "dog", "cat", "cat"],
    ...     }
    ... )
    >>> label_conflicts(df, "animal").select("path", "animal", "labels").rows()
    [('b.jpg', 'dog', 'cat ×2, dog ×1'), ('a.jpg', 'cat', 'cat ×2, dog ×1'), ('c.jpg', 'cat', 'cat ×2, dog ×1')]
    """  # noqa: E501
    return _disagreeing(to_polars(df), label, "labels", "finding label conflicts")


def leakage(df: Any, split: str) -> pl.DataFrame:
    """Find the groups that straddle splits: what a model is tested on, it has seen in training.

    Parameters
    ----------
    df
        As :func:`label_conflicts` takes it.
    split
        The column of splits, such as ``train`` and ``test``. Images of none (null) do not count.

    Returns
    -------
    pl.DataFrame
        The rows of those groups as :func:`label_conflicts` orders them, with ``splits`` (String),
        such as ``"train ×2, test ×1"``.

    Raises
    ------
    InputError
        When a column is missing, or the frame has a column ``splits`` already.

    Examples
    --------
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg"],
    ...         "group": [1, 1],
    ...         "keep": [True, False],
    ...         "split": ["train", "test"],
    ...     }
    ... )
    >>> leakage(df, "split")["splits"].to_list()
    ['test ×1, train ×1', 'test ×1, train ×1']
    """
    return _disagreeing(to_polars(df), split, "splits", "finding leakage")


def merge_labels(df: Any, plan: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Carry the labels of images that go over to their keepers.

    Parameters
    ----------
    df
        The frame that was planned.
    plan
        What :func:`dedup_widgets.plan` made of it.
    columns
        What to carry over. In a column of single values, a null of the keeper is filled with the
        value of its best-ranked duplicate that has one; a value that is there stays. In a column
        of lists, what the keeper's list lacks is added, the best-ranked duplicate's first. Of
        annotations a null is filled from exact copies only, as boxes fit no other picture.

    Returns
    -------
    pl.DataFrame
        `df` with these columns changed in the rows of keepers, and nothing else: no row is left
        out.

    Raises
    ------
    InputError
        When a column is missing, one name is given instead of a list, or the plan is of another
        frame.

    Examples
    --------
    >>> from dedup_widgets.planning.plan import plan
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg"],
    ...         "group": [1, 1],
    ...         "keep": [True, False],
    ...         "fingerprint": ["f", "f"],
    ...         "label": [None, "cat"],
    ...         "tags": [["red"], ["old", "red"]],
    ...     }
    ... )
    >>> merge_labels(df, plan(df), ["label", "tags"]).select("path", "label", "tags").rows()
    [('a.jpg', 'cat', ['red', 'old']), ('b.jpg', 'cat', ['old', 'red'])]
    """
    if isinstance(columns, str):
        raise InputError(f"columns are a list of names; pass [{columns!r}], not {columns!r}")
    frame = to_polars(df)
    require_columns(frame, ["path", *columns], "merging labels")
    require_columns(plan, ["path", "action", "keeper", "rank"], "merging labels by a plan")
    row = pl.DataFrame({"path": frame["path"].cast(pl.String)}).with_row_index("row")
    removed = plan.filter(pl.col("action").cast(pl.String) == "remove").sort("rank")
    pairs = removed.join(row, on="path", how="left", maintain_order="left").join(
        row.rename({"path": "keeper", "row": "to"}),
        on="keeper",
        how="left",
        maintain_order="left",
    )
    if absent := pairs["row"].null_count() + pairs["to"].null_count():
        raise InputError(
            f"the plan names {absent} images that this frame does not have; make it of this frame"
        )
    return frame.with_columns(_merged(frame[name], pairs) for name in columns)


def _merged(column: pl.Series, pairs: pl.DataFrame) -> pl.Series:
    if is_annotations(column.dtype):
        require_columns(pairs, ["kind"], "merging annotations by a plan")
        exact = pairs.filter(pl.col("kind").cast(pl.String) == "exact")
        return _filled(column, exact)
    return (_united if isinstance(column.dtype, pl.List) else _filled)(column, pairs)


def _filled(column: pl.Series, pairs: pl.DataFrame) -> pl.Series:
    """Fill nulls of keepers with the first value that there is among their duplicates."""
    first = (
        pairs.select("to", value=column.gather(pairs["row"]))
        .filter(column.gather(pairs["to"]).is_null())
        .drop_nulls("value")
        .unique("to", keep="first", maintain_order=True)
    )
    return _replaced(column, first["to"], first["value"])


def _united(column: pl.Series, pairs: pl.DataFrame) -> pl.Series:
    """Add to the lists of keepers what only their duplicates have."""
    united: dict[int, list[Any]] = {}
    for to, values in zip(pairs["to"], column.gather(pairs["row"]).to_list(), strict=True):
        if not values:
            continue
        if to not in united:
            own = column[to]
            united[to] = [] if own is None else own.to_list()
        for value in values:
            if value not in united[to]:
                united[to].append(value)
    rows = pl.Series(list(united), dtype=pl.UInt32)
    return _replaced(column, rows, pl.Series(list(united.values()), dtype=column.dtype))


def _replaced(column: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """Return a column with other values, none of them null, in some rows."""
    new = pl.DataFrame({"row": rows.cast(pl.UInt32), "new": values})
    return (
        column.to_frame("old")
        .with_row_index("row")
        .join(new, on="row", how="left", maintain_order="left")
        .select(pl.coalesce("new", "old").alias(column.name))
        .to_series()
    )


def disagreeing(df: Any, column: str) -> np.ndarray:
    """Mark the rows of :func:`label_conflicts` or :func:`leakage`.

    Parameters
    ----------
    df
        A frame with this column and ``group``.
    column
        The column of labels or splits.

    Returns
    -------
    ndarray of bool, (n,)

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> disagreeing(pl.DataFrame({"group": [1, 1, 2], "split": ["a", "b", "a"]}), "split").tolist()
    [True, True, False]
    """
    frame = to_polars(df)
    require_columns(frame, ["group", column], "finding groups that disagree")
    alike = frame.with_columns(alike_rows(frame))
    groups = _summaries(alike, column)["group"]
    return alike["group"].is_in(groups.implode()).fill_null(False).to_numpy()


def alike_rows(frame: pl.DataFrame) -> pl.Series:
    """Return the groups of rows; rows that name one file and are in none make one of their own."""
    group = frame["group"]
    first = first_rows(frame) if "path" in frame.columns else None
    if first is None:
        return group
    own = group.cast(pl.Int64).gather(first)
    several = np.bincount(first, minlength=len(first))[first] > 1
    new = pl.Series(-1 - first).set(pl.Series(~several), None)
    return pl.select(pl.coalesce(own, new)).to_series().alias("group")


def _disagreeing(frame: pl.DataFrame, column: str, summary: str, purpose: str) -> pl.DataFrame:
    """Return the groups with two or more values in a column, and a summary of them."""
    require_columns(frame, ["path", "group", "keep", column], purpose)
    if summary in frame.columns:
        raise InputError(
            f"the frame has a column {summary!r}, and {purpose} adds one of this name; rename yours"
        )
    alike = frame.rename({"group": _OWN}).with_columns(alike_rows(frame))
    return (
        alike.join(_summaries(alike, column).rename({"summary": summary}), on="group", how="inner")
        .sort("group", "keep", "path", descending=[False, True, False], nulls_last=True)
        .drop("group")
        .rename({_OWN: "group"})
        .select(*frame.columns, summary)
    )


_OWN = "group as it is"


def _summaries(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the values of each group that has two or more, in words, the most frequent first."""
    counts = (
        frame.select("group", value=_as_text(frame, column))
        .drop_nulls()
        .group_by("group", "value")
        .len()
        .sort("group", "len", "value", descending=[False, True, False])
    )
    return (
        counts.group_by("group", maintain_order=True)
        .agg(pl.len().alias("values"), pl.format("{} ×{}", "value", "len").alias("summary"))
        .filter(pl.col("values") > 1)
        .select("group", pl.col("summary").list.join(", "))
    )


def require_labels(frame: pl.DataFrame, column: str) -> None:
    """Raise an InputError when a column holds nothing that can be compared as labels."""
    if not has_labels(frame.schema[column]):
        raise InputError(
            f"column {column!r} holds {frame.schema[column]}, which cannot be compared as labels; "
            "make text of it"
        )


def has_labels(dtype: pl.DataType) -> bool:
    """Tell whether a column of this type can be one of labels or splits."""
    if is_annotations(dtype):
        return True
    if isinstance(dtype, pl.List | pl.Array):
        return not (dtype.inner.is_nested() or dtype.inner in (pl.Object, pl.Binary))
    return dtype not in (pl.Object, pl.Binary)


def _as_text(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Return a column as text: null for no value, equal for equal sets of tags."""
    value, dtype = named(column), frame.schema[column]
    require_labels(frame, column)
    if is_annotations(dtype):
        tags = categories(value).list.drop_nulls().list.unique().list.sort().list.join(" + ")
        text = pl.when(tags == "").then(pl.lit("no objects")).otherwise(tags)
        return text + pl.lit(_other_boxes(frame, column))
    if isinstance(dtype, pl.Array):
        value, dtype = value.arr.to_list(), pl.List(dtype.inner)
    if dtype.is_float():
        return value.fill_nan(None).cast(pl.String)
    if not isinstance(dtype, pl.List):
        return value.cast(pl.String)
    tags = value.list.eval(pl.element().cast(pl.String).drop_nulls().unique().sort())
    return pl.when(tags.list.len() > 0).then(tags.list.join(" + "))


def _other_boxes(frame: pl.DataFrame, column: str) -> pl.Series:
    """Return what is added to the categories of each row: which of its exact copies' boxes it has.

    Empty but where copies of one picture have the same categories and clearly different boxes.
    """
    added = pl.Series([""] * len(frame), dtype=pl.String)
    if "fingerprint" not in frame.columns:
        return added
    print_ = pl.col("fingerprint")
    copies = (
        frame.select("fingerprint", said=named(column))
        .with_row_index("row")
        .drop_nulls()
        .filter(pl.col("said").hash().n_unique().over(print_) > 1)
        .sort("fingerprint", maintain_order=True)
    )
    rows, texts = [], []
    for _, its in copies.group_by("fingerprint", maintain_order=True):
        by_category: defaultdict[frozenset[str], list[list[Any]]] = defaultdict(list)
        for row, said in its.select("row", "said").iter_rows():
            kinds = by_category[frozenset(it["category"] for it in said)]
            same = (i for i, kind in enumerate(kinds) if are_same(kind, said))
            number = next(same, len(kinds))
            if number == len(kinds):
                kinds.append(said)
            if number:
                rows.append(row)
                texts.append(" (other boxes)" if number == 1 else f" (other boxes {number})")
    return added.scatter(rows, texts) if rows else added
