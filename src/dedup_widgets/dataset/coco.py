"""The part of COCO files that is about the pictures of a dataset."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
