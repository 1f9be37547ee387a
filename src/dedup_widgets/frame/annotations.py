"""The column of annotations: what was drawn on a picture, object by object."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

NAME = "annotations"


ANNOTATION = pl.Struct(
    {
        "category": pl.String,
        "bbox": pl.List(pl.Float64),
        "segmentation": pl.List(pl.List(pl.Float64)),
    }
)
"""One object: its category; its box as COCO has it, ``[x, y, width, height]`` in pixels of the
picture from its upper left corner; and its outline as polygons ``[x1, y1, x2, y2, …]``, likewise.
The box or the outline is null where there is none."""


ANNOTATIONS = pl.List(ANNOTATION)
"""All objects of a picture: an empty list where it was looked at and shows none, null where nobody
said anything."""


_FIELDS = [field.name for field in ANNOTATION.fields]


FOUND = {
    "path": pl.String,
    **{field.name: field.dtype for field in ANNOTATION.fields},
    "in_shares": pl.Boolean,
}
"""Columns of annotations as files have them, a row each: of which picture, and whether its numbers
are shares of the width and height. A row without category and box says that there is no object."""


DIGITS = 6
"""Decimals of pixels that are made of shares."""


SAME_BOX = 0.5
"""Intersection over union from which on two boxes of one picture are drawn round one object."""


def is_annotations(dtype: Any) -> bool:
    """Tell whether a column of this type holds annotations, as read from Parquet too.

    >>> is_annotations(ANNOTATIONS), is_annotations(pl.List(pl.String))
    (True, False)
    """
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return False
    types = {field.name: field.dtype for field in dtype.inner.fields}
    box = types.get("bbox")
    return types.get("category") == pl.String and isinstance(box, pl.List | pl.Array)


def categories(value: pl.Expr) -> pl.Expr:
    """Return the category of each annotation, as a list of texts."""
    return value.list.eval(pl.element().struct.field("category"))


def category_names(frame: pl.DataFrame) -> list[str]:
    """Return the categories that the annotations of a frame have, by their names."""
    names = frame.select(categories(pl.col(NAME))).to_series()
    found: list[str] = names.explode(empty_as_null=False).drop_nulls().unique().sort().to_list()
    return found


def in_words(column: pl.Series) -> list[str | None]:
    """Return annotations in words.

    >>> box = [0.0, 0.0, 1.0, 1.0]
    >>> dog = {"category": "dog", "bbox": box, "segmentation": None}
    >>> in_words(pl.Series([[dog, dog, dog | {"category": "cat"}], [], None], dtype=ANNOTATIONS))
    ['dog ×2, cat', 'no objects', None]
    """
    return [
        None
        if names is None
        else ", ".join(
            str(name) if count == 1 else f"{name} ×{count}"
            for name, count in Counter(names).most_common()
        )
        or "no objects"
        for names in column.to_frame(NAME).select(categories(pl.col(NAME))).to_series().to_list()
    ]


def count_annotations(frame: pl.DataFrame) -> dict[str, int]:
    """Count the ``images`` whose annotations are known, and their ``objects`` and ``categories``.

    Empty where a frame has no such column.
    """
    if NAME not in frame.columns or not is_annotations(frame.schema[NAME]):
        return {}
    names = frame.select(categories(pl.col(NAME))).to_series()
    every = names.explode(empty_as_null=False).drop_nulls()
    return {
        "images": len(names) - names.null_count(),
        "objects": len(every),
        "categories": every.n_unique(),
    }


def with_annotations(frame: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with the column of annotations, all of it in pixels.

    Parameters
    ----------
    frame
        With ``path``, ``width`` and ``height``, which are null where a picture is not readable.
        What it says of annotations itself stays, and so does a user's own column of that name.
    found
        See :data:`FOUND`.
    """
    known = pl.lit(None, ANNOTATIONS)
    if NAME in frame.columns:
        if not is_annotations(frame.schema[NAME]):
            return frame
        known = pl.col(NAME).cast(ANNOTATIONS)
    column = _column(found, frame.select("path", "width", "height"))
    return frame.with_columns(pl.coalesce(known, column).alias(NAME))


def _column(found: pl.DataFrame, pictures: pl.DataFrame) -> pl.Series:
    rows = found.join(pictures.unique("path"), on="path", how="inner", maintain_order="left")
    sides = ("width", "height", "width", "height")
    in_pixels = pl.concat_list(
        (pl.col("bbox").list.get(i) * pl.col(side)).round(DIGITS) for i, side in enumerate(sides)
    )
    lists = (
        rows.with_columns(
            bbox=pl.when("in_shares").then(in_pixels).otherwise("bbox"),
            segmentation=_outlines(rows),
        )
        # Of a picture that is not readable nobody knows the pixels.
        .with_columns(bbox=pl.when(pl.col("bbox").list.first().is_not_null()).then("bbox"))
        .group_by("path", maintain_order=True)
        .agg(pl.struct(_FIELDS).filter(pl.col("category").is_not_null()).alias(NAME))
    )
    return (
        pictures.join(lists, on="path", how="left", maintain_order="left")
        .select(pl.col(NAME).cast(ANNOTATIONS))
        .to_series()
    )


def _outlines(rows: pl.DataFrame) -> pl.Series:
    outlines = rows["segmentation"]
    scaled = rows["in_shares"] & outlines.is_not_null()
    if not scaled.any():
        return outlines
    every = zip(outlines, rows["width"], rows["height"], scaled, strict=True)
    return pl.Series(
        [_times(its.to_list(), w, h) if is_share else its for its, w, h, is_share in every],
        dtype=outlines.dtype,
    )


def _times(
    outline: list[list[float]], width: int | None, height: int | None
) -> list[list[float]] | None:
    if width is None or height is None:
        return None
    return [
        [round(value * (height if i % 2 else width), DIGITS) for i, value in enumerate(polygon)]
        for polygon in outline
    ]


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes ``[x, y, width, height]``.

    >>> overlap([0, 0, 2, 2], [1, 0, 2, 2])
    0.3333333333333333
    """
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(across, 0) * max(down, 0)
    union = one[2] * one[3] + other[2] * other[3] - both
    return both / union if union > 0 else float(list(one) == list(other))


def are_same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Tell whether two lists of annotations of one picture say the same of it.

    Each object of one is one of the other: of its category, and with a box that overlaps by
    :data:`SAME_BOX`, where both have one.

    >>> dog = {"category": "dog", "bbox": [0, 0, 9, 9]}
    >>> are_same([dog], [dog | {"bbox": [0, 0, 9, 8]}]), are_same([dog], [dog, dog])
    (True, False)
    """
    if Counter(it["category"] for it in one) != Counter(it["category"] for it in other):
        return False
    left = list(other)
    for it in one:
        same = [at for at, its in enumerate(left) if its["category"] == it["category"]]
        near = [_fit(it["bbox"], left[at]["bbox"]) for at in same]
        if not near or max(near) < SAME_BOX:
            return False
        del left[same[near.index(max(near))]]
    return True


def _fit(one: Sequence[float] | None, other: Sequence[float] | None) -> float:
    return 1.0 if one is None or other is None else overlap(one, other)
