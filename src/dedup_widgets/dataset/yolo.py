"""A folder as YOLO trains on it: pictures, a text of boxes each, and the names of categories."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from dedup_widgets._text import counted
from dedup_widgets.dataset.folder import whole_folder
from dedup_widgets.dataset.naming import check_splits, file_names, picture_formats
from dedup_widgets.dataset.placing import link_or_copy
from dedup_widgets.dataset.spec import usual_split_column
from dedup_widgets.errors import DatasetError, ImageError
from dedup_widgets.frame.annotations import NAME, category_names
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.source import source_for

_KEYS = {"valid": "val", "validation": "val", "dev": "val", "training": "train", "testing": "test"}
"""What YOLO calls splits that have other names."""


def write_yolo(frame: pl.DataFrame, target: Path) -> None:
    """Write a folder with ``data.yaml``, ``images/<split>/`` and ``labels/<split>/``.

    A picture that nobody looked at has no text, one that shows no object an empty one. Outlines are
    written where each object has one polygon, else boxes, as YOLO takes no mixture.

    Parameters
    ----------
    frame
        With ``path``, ``width``, ``height``, ``annotations``, and perhaps ``split``.
    target
        The folder; it must not exist yet.
    """
    if os.path.lexists(target):
        raise DatasetError(f"{target} exists already; choose another name. Nothing was written.")
    sources = frame["path"].to_list()
    column = usual_split_column(frame, "split")
    splits = ["train"] * len(frame) if column is None else frame[column].cast(pl.String).to_list()
    check_splits(splits)
    pictures = picture_formats(frame, [Entry(source, 0, "") for source in sources])
    names = file_names(sources, splits, pictures, "webdataset", "number")
    categories = category_names(frame)
    number = {name: i for i, name in enumerate(categories)}
    with_outlines = _have_outlines(frame[NAME])
    lost = 0
    with whole_folder(target.absolute()) as folder:
        for split in dict.fromkeys(splits):
            for kind in ("images", "labels"):
                (folder / kind / split).mkdir(parents=True)
        rows = frame.select("width", "height", NAME).iter_rows()
        for source, split, name, (width, height, its) in zip(
            sources, splits, names, rows, strict=True
        ):
            _place(source, folder / "images" / split / name)
            if its is None or not width or not height:
                continue
            lines = [_line(it, number, (width, height), with_outlines) for it in its]
            lost += lines.count(None)
            text = "".join(f"{line}\n" for line in lines if line is not None)
            (folder / "labels" / split / f"{Path(name).stem}.txt").write_text(text)
        said: dict[str, Any] = {
            "path": ".",
            **{_KEYS.get(it.lower(), it): f"images/{it}" for it in splits},
        }
        said["names"] = dict(enumerate(categories))
        text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
        (folder / "data.yaml").write_text(text, encoding="utf-8")
    if lost:
        warnings.warn(
            f"YOLO has no place for {counted(lost, 'annotation')} without a box in its picture; "
            "a .coco.json has",
            stacklevel=3,
        )


def _place(source: str, target: Path) -> None:
    try:
        if "://" in source:
            target.write_bytes(source_for(source).read(source))
        else:
            link_or_copy(source, target)
    except (OSError, ImageError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{source} cannot be placed: {why}. Nothing was written.") from error


def _have_outlines(column: pl.Series) -> bool:
    """Tell whether there are objects and each has one polygon."""
    every = column.explode(empty_as_null=False).drop_nulls()
    if every.is_empty() or "segmentation" not in every.struct.fields:
        return False
    return bool((every.struct.field("segmentation").list.len() == 1).fill_null(False).all())


def _line(
    it: Mapping[str, Any], number: Mapping[str, int], size: tuple[int, int], with_outlines: bool
) -> str | None:
    """Return an object as YOLO has it, in shares of the picture; None if it has no place there."""
    width, height = size
    if with_outlines:
        values = [
            _share(value, height if i % 2 else width)
            for i, value in enumerate(it["segmentation"][0])
        ]
    else:
        if it["bbox"] is None:
            return None
        x, y, across, down = it["bbox"]
        left, right = _share(x, width), _share(x + across, width)
        top, bottom = _share(y, height), _share(y + down, height)
        if right <= left or bottom <= top:
            return None
        values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    return " ".join([str(number[it["category"]]), *(f"{value:.10g}" for value in values)])


def _share(value: float, of: int) -> float:
    return min(max(value / of, 0.0), 1.0)
