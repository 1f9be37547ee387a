"""COCO files: the part of some that is about the pictures of a dataset, and new ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dedup_widgets._version import __version__
from dedup_widgets.frame.annotations import NAME, category_names
from dedup_widgets.images.coco import coco_documents


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What a COCO file says of the pictures of one split, under their new names."""

    split: str
    name: str
    document: dict[str, Any]

    def as_bytes(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(self.document, ensure_ascii=False).encode()


def coco_files(
    sources: Sequence[str], splits: Sequence[str], names: Sequence[str]
) -> list[CocoFile]:
    """Return what the COCO files beside pictures say of them, one file a split and document.

    Parameters
    ----------
    sources, splits, names
        (n,): absolute paths of pictures, and where each goes.
    """
    found = []
    for it in coco_documents(sources):
        for split in dict.fromkeys(splits[row] for row in it.rows):
            new_name = {
                image: names[row]
                for row, image in zip(it.rows, it.images, strict=True)
                if image is not None and splits[row] == split
            }
            if new_name:
                found.append(CocoFile(split, Path(it.file).name, _part(it.document, new_name)))
    return found


def _part(document: dict[str, Any], new_name: dict[int, str]) -> dict[str, Any]:
    images = document["images"]
    numbers = sorted(new_name)
    ids = {str(images[number].get("id")) for number in numbers}
    return {
        **document,
        "images": [{**images[number], "file_name": new_name[number]} for number in numbers],
        "annotations": [it for it in document["annotations"] if str(it.get("image_id")) in ids],
    }


def as_coco(frame: pl.DataFrame, folder: Path) -> str:
    """Return the annotations of a frame as a COCO file that is to lie in a folder.

    Pictures below the folder are named from there, others by their whole path. Categories are
    numbered from 1, by their names.

    Parameters
    ----------
    frame
        With ``path``, ``width``, ``height``, ``annotations``, and perhaps ``split``.
    """
    names = category_names(frame)
    number = {name: i for i, name in enumerate(names, start=1)}
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    splits = frame.get_column("split", default=pl.Series([None] * len(frame)))
    rows = frame.select("path", "width", "height", NAME).iter_rows()
    for i, ((path, width, height, its), split) in enumerate(zip(rows, splits, strict=True), 1):
        below = Path(path).is_relative_to(folder)
        name = Path(path).relative_to(folder).as_posix() if below else path
        image = {"id": i, "file_name": name, "width": width, "height": height}
        images.append(image if split is None else image | {"split": str(split)})
        for it in its or []:
            box = it["bbox"]
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": i,
                    "category_id": number[it["category"]],
                    "bbox": box,
                    "area": None if box is None else box[2] * box[3],
                    "iscrowd": 0,
                    "segmentation": it.get("segmentation") or [],
                }
            )
    document = {
        "info": {"description": f"written by dedup_widgets {__version__}"},
        "images": images,
        "annotations": objects,
        "categories": [{"id": i, "name": name} for name, i in number.items()],
    }
    return json.dumps(document, ensure_ascii=False)
