"""What the files beside pictures say is on them, picture by picture."""

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets.frame.annotations import FOUND
from dedup_widgets.images.coco import CocoDocument, coco_documents
from dedup_widgets.images.companions import companions_of, have_companions
from dedup_widgets.images.label_files import READERS, Shape, names_for, read
from dedup_widgets.images.object_tables import objects_in_tables


def annotations_beside(paths: Sequence[str]) -> tuple[pl.DataFrame, dict[str, str]]:
    """Read the annotations that lie beside pictures.

    A picture's own file comes first (Pascal VOC ``.xml``, YOLO ``.txt``, LabelMe and Supervisely
    ``.json``; beside it, or in ``labels/`` beside ``images/``), then a COCO ``.json`` that names
    it, then a table with a row for each object. What is damaged counts as not there.

    Parameters
    ----------
    paths
        Of pictures. Elsewhere than on this disk nothing is looked for.

    Returns
    -------
    tuple
        A frame as :data:`dedup_widgets.frame.annotations.FOUND` has it; and the files that cannot
        be read, with why.
    """
    sources = [absolute(path) for path in paths]
    damaged: dict[str, str] = {}
    found: dict[int, tuple[list[Shape], bool]] = {}
    labelled = have_companions(sources, READERS)
    own = dict(zip(labelled, companions_of([sources[row] for row in labelled]), strict=True))
    names = cache(names_for)
    empty: defaultdict[str, list[int]] = defaultdict(list)
    with_boxes = set()
    for row, its in own.items():
        for suffix, file in _label_files(its.sidecars):
            folder = os.path.dirname(file)  # noqa: PTH120
            try:
                data = read(file)
                if suffix == ".txt" and not data.strip():
                    empty[folder].append(row)
                    continue
                shapes = READERS[suffix](data, names(folder))
            except (OSError, ValueError) as error:
                damaged[file] = str(error)
                continue
            if shapes is not None:
                found[row] = shapes, suffix == ".txt"
                if suffix == ".txt":
                    with_boxes.add(folder)
                break
    for folder, rows in empty.items():
        # YOLO has an empty file for a picture without objects.
        if folder in with_boxes or names(folder).file is not None:
            found |= {row: ([], True) for row in rows if row not in found}
    for document in coco_documents(sources, damaged):
        for row, shapes in _of_coco(document, damaged).items():
            found.setdefault(row, (shapes, False))
    for row, told in objects_in_tables(sources, damaged).items():
        found.setdefault(row, told)
    return _as_frame(paths, found), damaged


def _label_files(sidecars: Sequence[str]) -> list[tuple[str, str]]:
    """Return suffix and name of the files that may be labels, in the order in which they count."""
    order = list(READERS)
    files = [(Path(file).suffix.lower(), file) for file in sidecars]
    return sorted((it for it in files if it[0] in order), key=lambda it: order.index(it[0]))


def _as_frame(paths: Sequence[str], found: dict[int, tuple[list[Shape], bool]]) -> pl.DataFrame:
    objects = [
        (paths[row], it, in_shares)
        for row, (shapes, in_shares) in sorted(found.items())
        for it in shapes
    ]
    # Polars takes lists of numbers much faster than numbers in lists.
    sides = [[None if it.bbox is None else it.bbox[i] for _, it, _ in objects] for i in range(4)]
    outlines = [it.segmentation for _, it, _ in objects]
    said = pl.DataFrame(
        {
            "path": pl.Series([path for path, _, _ in objects], dtype=pl.String),
            "category": pl.Series([it.category for _, it, _ in objects], dtype=pl.String),
            **{
                side: pl.Series(its, dtype=pl.Float64)
                for side, its in zip("xywh", sides, strict=True)
            },
            "in_shares": pl.Series([in_shares for _, _, in_shares in objects], dtype=pl.Boolean),
        }
    ).select(
        "path",
        "category",
        bbox=pl.when(pl.col("x").is_not_null()).then(pl.concat_list("x", "y", "w", "h")),
        segmentation=pl.Series(outlines, dtype=FOUND["segmentation"])
        if any(outlines)
        else pl.lit(None, FOUND["segmentation"]),
        in_shares="in_shares",
    )
    nothing = [paths[row] for row, (shapes, _) in sorted(found.items()) if not shapes]
    none = pl.DataFrame({"path": nothing, "in_shares": False}, schema_overrides=FOUND)
    return pl.concat([said, none], how="diagonal")


def _of_coco(it: CocoDocument, damaged: dict[str, str]) -> dict[int, list[Shape]]:
    """Return the objects of each picture of a COCO file, if it tells of any.

    A picture with an object that cannot be read is left out.
    """
    document = it.document
    listed = document.get("categories")
    categories = {
        str(one.get("id")): str(one.get("name", one.get("id")))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    }
    of_image: defaultdict[str, list[Any]] = defaultdict(list)
    for one in document["annotations"]:
        # Captions describe a picture as a whole.
        if "category_id" in one:
            of_image[str(one.get("image_id"))].append(one)
    if not of_image:
        return {}
    found, bad = {}, 0
    for row, number in zip(it.rows, it.images, strict=True):
        if number is None:
            continue
        objects = of_image.get(str(document["images"][number].get("id")), [])
        try:
            found[row] = [_shape(one, categories) for one in objects]
        except (TypeError, ValueError, KeyError):
            bad += 1
    if bad:
        damaged[it.file] = f"the objects of {bad:,} of its pictures are no boxes of numbers"
    return found


def _shape(one: dict[str, Any], categories: dict[str, str]) -> Shape:
    category = str(one["category_id"])
    box, outline = one.get("bbox"), one.get("segmentation")
    # Masks as run lengths are no outlines.
    polygons = [_floats(polygon) for polygon in outline] if isinstance(outline, list) else []
    if not box and polygons:
        x = [value for polygon in polygons for value in polygon[::2]]
        y = [value for polygon in polygons for value in polygon[1::2]]
        box = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
    values = _floats(box) if box else None
    if values is not None and len(values) != 4:
        raise ValueError("a box has four numbers")
    return Shape(categories.get(category, category), values, polygons or None)


def _floats(values: Sequence[Any]) -> list[float]:
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("no finite number")
    return numbers
