"""Files that say what is on one picture: YOLO, Pascal VOC, LabelMe and Supervisely."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from dedup_widgets._paths import native

MOST_BYTES = 2**26
"""Bytes of a label file up to which it is read."""


_OUTSIDE = 0.01
"""How far a box of YOLO may reach beyond the picture, by rounding."""


_FOLDERS_ABOVE = 3


_NAMES = ("classes.txt", "obj.names", "classes.names", "_darknet.labels", "predefined_classes.txt")


@dataclass(frozen=True, slots=True)
class Shape:
    """One object that a file tells of.

    Attributes
    ----------
    category : str
        What it is.
    bbox : list of float or None
        Left, top, width, height.
    segmentation : list of list of float or None
        Its outline as polygons ``[x1, y1, x2, y2, …]``.
    """

    category: str
    bbox: list[float] | None = None
    segmentation: list[list[float]] | None = None


@dataclass(frozen=True, slots=True)
class CategoryNames:
    """What a set's ``data.yaml`` or ``classes.txt`` says of its YOLO files.

    Attributes
    ----------
    of : dict
        Categories by number.
    are_expected : bool
        Whether any text there is meant for one of YOLO, as in a folder of labels, or beside names
        of categories; elsewhere it may be a caption.
    has_keypoints : bool
        Whether points of a pose follow each box.
    file : str or None
        Where the names stand.
    """

    of: Mapping[int, str]
    are_expected: bool = False
    has_keypoints: bool = False
    file: str | None = None


def names_for(folder: str) -> CategoryNames:
    """Return the categories of the YOLO files of a folder: from there, or from a folder above."""
    place = Path(folder)
    is_of_labels = any(part.lower() == "labels" for part in place.parts[-2:])
    for at in (place, *place.parents[:_FOLDERS_ABOVE]):
        try:
            there = sorted(map(str, os.listdir(native(str(at)))))  # noqa: PTH208
        except OSError:
            continue
        listed = [name for name in _NAMES if name in there]
        tables = [name for name in there if name.lower().endswith((".yaml", ".yml"))]
        for name in (*tables, *listed):
            file = str(at / name)
            try:
                found = (_yaml if name in tables else _listed)(read(file).decode("utf-8-sig"))
            except (OSError, ValueError, TypeError, ArithmeticError, RecursionError):
                continue
            except yaml.YAMLError:
                continue
            if found is not None:
                return CategoryNames(found[0], is_of_labels or at == place, found[1], file)
    return CategoryNames({}, is_of_labels)


def _yaml(text: str) -> tuple[dict[int, str], bool] | None:
    said = yaml.safe_load(text)
    if not isinstance(said, dict) or not isinstance(names := said.get("names"), list | dict):
        return None
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in pairs}, "kpt_shape" in said


def _listed(text: str) -> tuple[dict[int, str], bool]:
    return {i: line.strip() for i, line in enumerate(text.splitlines()) if line.strip()}, False


def read(file: str) -> bytes:
    """Return the bytes of a label file; raise ValueError if they are too many."""
    with open(native(file), "rb") as opened:  # noqa: PTH123
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES >> 20:,} MB")
    return data


def yolo(data: bytes, names: CategoryNames) -> list[Shape] | None:
    """Return what a YOLO file says, in shares of width and height; None if it is another text.

    Each line has the number of a category and a box (centre, width, height), which a confidence may
    follow; or the points of an outline.

    Examples
    --------
    >>> yolo(b"1 0.5 0.5 0.2 0.4", CategoryNames({1: "dog"}))
    [Shape(category='dog', bbox=[0.4, 0.3, 0.2, 0.4], segmentation=None)]
    >>> yolo(b"a dog on a sofa", CategoryNames({})) is None
    True

    Raises
    ------
    ValueError
        When it is one, and a line of it is none of these.
    """
    try:
        lines = [line.split() for line in data.decode("utf-8-sig").splitlines() if line.strip()]
        rows = [_numbers(line) for line in lines]
    except UnicodeDecodeError as error:
        if not names.are_expected:
            return None
        raise ValueError("no text") from error
    if not names.are_expected and not any(row is not None and len(row) >= 5 for row in rows):
        return None
    shapes = []
    for number, row in enumerate(rows, start=1):
        if row is None or len(row) < 5 or not row[0].is_integer() or row[0] < 0:
            raise ValueError(f"line {number} is no number of a class with a box")
        if names.has_keypoints:
            row = row[:5]
        values, category = row[1:], names.of.get(int(row[0]), str(int(row[0])))
        inside = values[:4] if len(values) < 6 else values
        if not all(-_OUTSIDE <= value <= 1 + _OUTSIDE for value in inside):
            raise ValueError(f"line {number} has a box outside of the picture")
        if len(values) < 6:
            x, y, width, height = values[:4]
            left, top = (round(at, 12) for at in (x - width / 2, y - height / 2))
            shapes.append(Shape(category, [left, top, width, height]))
        elif len(values) % 2 == 0:
            shapes.append(Shape(category, _box_of(values), [values]))
        else:
            raise ValueError(f"line {number} has a point with one coordinate")
    return shapes


def _numbers(words: Sequence[str]) -> list[float] | None:
    try:
        values = [float(word) for word in words]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def voc(data: bytes, _names: CategoryNames) -> list[Shape] | None:
    """Return what a Pascal VOC file says, in pixels as they stand; None if it is another XML.

    Examples
    --------
    >>> box = "<xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>6</ymax>"
    >>> of_dog = f"<object><name>dog</name><bndbox>{box}</bndbox></object>"
    >>> voc(f"<annotation>{of_dog}</annotation>".encode(), CategoryNames({}))
    [Shape(category='dog', bbox=[1.0, 2.0, 3.0, 4.0], segmentation=None)]

    Raises
    ------
    ValueError
        When it is damaged.
    """
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ValueError(f"no valid XML ({error})") from error
    if root.tag != "annotation":
        return None
    shapes = []
    for number, it in enumerate(root.iterfind("object"), start=1):
        category = (it.findtext("name") or "").strip()
        sides = [it.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        values = None if None in sides else _numbers([str(side) for side in sides])
        if not category or (values is None and it.find("bndbox") is not None):
            raise ValueError(f"object {number} has no name, or no box of numbers")
        points = it.find("polygon")
        outline = None if points is None else _numbers([str(point.text) for point in points])
        box = _box_of(values or outline or []) if values or outline else None
        shapes.append(Shape(category, box, [outline] if outline else None))
    return shapes


def json_shapes(data: bytes, _names: CategoryNames) -> list[Shape] | None:
    """Return what a LabelMe or Supervisely file says, in pixels; None if it is another JSON.

    Raises
    ------
    ValueError
        When it is damaged.
    """
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        if b'"shapes"' not in data and b'"classTitle"' not in data:
            return None
        raise ValueError(f"no valid JSON ({error})") from error
    listed = _listed_shapes(said)
    if listed is None:
        return None
    shapes = []
    for number, it in enumerate(listed, start=1):
        try:
            points = [float(value) for point in it["points"] for value in point[:2]]
            category, kind = str(it["label"]), it.get("shape_type", "polygon")
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"shape {number} has no label, or no points") from error
        if kind == "bitmap":
            shapes.append(Shape(category))
            continue
        if not points or not all(map(math.isfinite, points)):
            raise ValueError(f"shape {number} has no points")
        if kind == "circle" and len(points) == 4:
            radius = math.dist(points[:2], points[2:])
            x, y = points[:2]
            points = [x - radius, y - radius, x + radius, y + radius]
        outline = [points] if kind == "polygon" and len(points) >= 6 else None
        shapes.append(Shape(category, _box_of(points), outline))
    return shapes


def _listed_shapes(said: object) -> list[Any] | None:
    """Return the shapes of a document as LabelMe has them; None if it is of another program."""
    if not isinstance(said, dict):
        return None
    if isinstance(shapes := said.get("shapes"), list):
        return shapes
    objects = said.get("objects")
    if not isinstance(objects, list) or "size" not in said:
        return None
    return [
        {
            "label": it.get("classTitle"),
            "points": (it.get("points") or {}).get("exterior", []),
            "shape_type": it.get("geometryType"),
        }
        if isinstance(it, dict) and "classTitle" in it
        else it
        for it in objects
    ]


def _box_of(outline: Sequence[float]) -> list[float]:
    x, y = outline[::2], outline[1::2]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


READERS: dict[str, Callable[[bytes, CategoryNames], list[Shape] | None]] = {
    ".xml": voc,
    ".txt": yolo,
    ".json": json_shapes,
}
"""What reads the label files of each suffix: of a picture with several the first counts."""
