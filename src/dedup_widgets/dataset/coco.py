"""COCO files, which describe many pictures each: the part of them that is about some pictures."""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dedup_widgets._paths import native

MOST_BYTES = 2**30
"""Bytes of a COCO file up to which it is read."""


_FOLDERS = ("annotations", "Annotations", "labels")


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
    of_file: defaultdict[str, list[int]] = defaultdict(list)
    known: dict[str, list[str]] = {}
    for row, source in enumerate(sources):
        folder = os.path.dirname(source)  # noqa: PTH120
        if "://" not in source:
            known.setdefault(folder, _json_files(Path(folder)))
            for file in known[folder]:
                of_file[file].append(row)
    found = []
    for file, rows in sorted(of_file.items()):
        document = _coco(file)
        if document is None:
            continue
        described = _described(document, file, [sources[row] for row in rows])
        for split in dict.fromkeys(splits[row] for row in rows):
            new_name = {
                image: names[row]
                for row, image in zip(rows, described, strict=True)
                if image is not None and splits[row] == split
            }
            if new_name:
                found.append(CocoFile(split, Path(file).name, _part(document, new_name)))
    return found


def _json_files(folder: Path) -> list[str]:
    """Return the JSON files that may describe pictures of a folder."""
    places = [folder, folder.parent, folder.parent.parent]
    places += [place / name for place in places for name in _FOLDERS]
    files = []
    for place in dict.fromkeys(places):
        try:
            names = sorted(str(name) for name in os.listdir(native(str(place))))  # noqa: PTH208
        except OSError:
            continue
        files += [str(place / name) for name in names if name.lower().endswith(".json")]
    return files


def _coco(file: str) -> dict[str, Any] | None:
    try:
        if os.path.getsize(native(file)) > MOST_BYTES:  # noqa: PTH202
            return None
        with open(native(file), "rb") as opened:  # noqa: PTH123
            head = opened.read(1)
            document = json.loads(head + opened.read()) if head == b"{" else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    parts = document.get("images"), document.get("annotations")
    good = all(isinstance(it, list) and all(isinstance(one, dict) for one in it) for it in parts)
    return document if good else None


def _described(document: dict[str, Any], file: str, sources: list[str]) -> list[int | None]:
    """Return, for each picture, which image of the document it is."""
    by_path: dict[str, int] = {}
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for number, image in enumerate(document["images"]):
        name = str(image.get("file_name", "")).replace("\\", "/")
        by_path[os.path.normpath(os.path.join(os.path.dirname(file), name))] = number  # noqa: PTH118, PTH120
        by_name[name.rpartition("/")[2]].append(number)
    same_name: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        same_name[os.path.basename(source)].append(source)  # noqa: PTH119
    called_after = cache(_is_called_after)
    found: list[int | None] = []
    for source in sources:
        name = os.path.basename(source)  # noqa: PTH119
        # Most files say no more than the name: it has to be the only one on both sides, or in the
        # folder after which the file is called.
        own = called_after(file, os.path.dirname(source))  # noqa: PTH120
        is_meant = own is True or (own is None and len(same_name[name]) == 1)
        by_name_alone = by_name[name][0] if len(by_name[name]) == 1 and is_meant else None
        found.append(by_path.get(source, by_name_alone))
    return found


def _is_called_after(file: str, folder: str) -> bool | None:
    """Tell whether a file has the name of a folder in its own, or of one beside it; None for none.

    ``instances_train2017.json`` is called after ``train2017``.
    """
    stem, own = Path(file).stem, Path(folder)
    if own.name in stem:
        return True
    try:
        beside = [str(name) for name in os.listdir(native(str(own.parent)))]  # noqa: PTH208
    except OSError:
        return None
    is_other = any(
        len(name) > 2 and name in stem
        for name in beside
        if name not in _FOLDERS and "." not in name
    )
    return False if is_other else None


def _part(document: dict[str, Any], new_name: dict[int, str]) -> dict[str, Any]:
    images = document["images"]
    numbers = sorted(new_name)
    ids = {str(images[number].get("id")) for number in numbers}
    return {
        **document,
        "images": [{**images[number], "file_name": new_name[number]} for number in numbers],
        "annotations": [it for it in document["annotations"] if str(it.get("image_id")) in ids],
    }
