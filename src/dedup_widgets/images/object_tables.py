"""Tables with a row for each object on pictures, such as ``_annotations.csv``."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dedup_widgets.frame.table import read_csv
from dedup_widgets.images.label_files import Shape
from dedup_widgets.images.tables import boxes_in, naming_columns, nearest, tables_in

_CATEGORIES = ("class", "label", "category", "class_name", "classname", "labelname", "class_id")
"""What people call the column that says what an object is."""


def objects_in_tables(
    sources: Sequence[str], damaged: dict[str, str]
) -> dict[int, tuple[list[Shape], bool]]:
    """Return the objects that tables name on pictures, and whether their boxes are in shares.

    Parameters
    ----------
    sources
        Absolute paths of pictures. Elsewhere than on this disk nothing is looked for.
    damaged
        Gets the tables that cannot be read, with why.
    """
    found: dict[int, tuple[list[Shape], bool]] = {}
    row_of = {source: row for row, source in enumerate(sources)}
    for file in sorted(nearest(sources, lambda folder, _: tables_in(folder))):
        try:
            of_picture, in_shares = _read(file, sources)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            damaged[file] = " ".join(str(error).split())[:200]
            continue
        for source, shapes in of_picture.items():
            found.setdefault(row_of[source], (shapes, in_shares))
    return found


def _read(file: str, sources: Sequence[str]) -> tuple[dict[str, list[Shape]], bool]:
    """Return the objects of each picture of a table, none if it is not one of objects."""
    table = read_csv(Path(file))
    corners = boxes_in(table.columns)
    named = {name.lower(): name for name in table.columns}
    category = next((named[name] for name in _CATEGORIES if name in named), None)
    if not corners or category is None:
        return {}, False
    pictures = next(
        (paths for _, paths in naming_columns(table, file, sources) if paths.count()), None
    )
    if pictures is None:
        return {}, False
    boxes = table.select(corners)
    if not all(dtype.is_numeric() or dtype == pl.Null for dtype in boxes.dtypes):
        raise ValueError(f"{', '.join(corners)} are not all numbers")
    of_picture = defaultdict[str, list[Shape]](list)
    for source, what, box in zip(
        pictures, table[category].cast(pl.String), boxes.iter_rows(), strict=True
    ):
        if source is None:
            continue
        shapes = of_picture[source]
        if what is not None and None not in box:  # else the picture shows none
            left, top, right, bottom = map(float, box)
            if not all(map(math.isfinite, box)):
                raise ValueError(f"{', '.join(corners)} are not all numbers")
            shapes.append(Shape(what, [left, top, right - left, bottom - top]))
    # As Open Images has them.
    in_shares = all(
        it.bbox is None or max(it.bbox) <= 1 for its in of_picture.values() for it in its
    )
    return dict(of_picture), in_shares
