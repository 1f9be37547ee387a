"""COCO files, which describe many pictures each: which of them describe some pictures."""

import codecs
import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dedup_widgets._paths import native

MOST_BYTES = 2**30
"""Bytes of a COCO file up to which it is read."""


_FOLDERS = ("annotations", "Annotations", "labels")


_HEAD = 2**16


@dataclass(frozen=True, slots=True)
class CocoDocument:
    """One COCO file, and which of its images each of some pictures is.

    Attributes
    ----------
    file : str
        Where it is.
    document : dict
        What it says; ``images`` and ``annotations`` are lists of objects.
    rows : list of int
        The pictures that it may describe, by their numbers.
    images : list of int or None
        Which image of the document each of them is; None where it is none.
    """

    file: str
    document: dict[str, Any]
    rows: list[int]
    images: list[int | None]


def coco_documents(
    sources: Sequence[str], damaged: dict[str, str] | None = None
) -> Iterator[CocoDocument]:
    """Find the COCO files beside pictures, one after the other, as each may fill the memory.

    Parameters
    ----------
    sources
        (n,): absolute paths of pictures. Elsewhere than on this disk nothing is looked for.
    damaged
        Gets the files that seem to be some and cannot be read, with why.
    """
    of_file: defaultdict[str, list[int]] = defaultdict(list)
    known: dict[str, list[str]] = {}
    # Of a picture's own labels there may be as many files as pictures.
    stems = {os.path.splitext(os.path.basename(source))[0] for source in sources}  # noqa: PTH119, PTH122
    for row, source in enumerate(sources):
        folder = os.path.dirname(source)  # noqa: PTH120
        if "://" not in source:
            if folder not in known:
                known[folder] = _json_files(Path(folder), stems)
            for file in known[folder]:
                of_file[file].append(row)
    for file, rows in sorted(of_file.items()):
        try:
            document = _coco(file)
        except ValueError as error:
            if damaged is not None:
                damaged[file] = str(error)
            continue
        if document is not None:
            images = _described(document, file, [sources[row] for row in rows])
            yield CocoDocument(file, document, rows, images)


def _json_files(folder: Path, stems: Collection[str]) -> list[str]:
    """Return the JSON files that may describe pictures of a folder."""
    places = [folder, folder.parent, folder.parent.parent]
    places += [place / name for place in places for name in _FOLDERS]
    files = []
    for place in dict.fromkeys(places):
        try:
            names = sorted(str(name) for name in os.listdir(native(str(place))))  # noqa: PTH208
        except OSError:
            continue
        json_names = [name for name in names if name.lower().endswith(".json")]
        files += [str(place / name) for name in json_names if Path(name).stem not in stems]
    return files


def _coco(file: str) -> dict[str, Any] | None:
    """Return what a COCO file says, None for any other; raise ValueError if it is damaged."""
    try:
        with open(native(file), "rb") as opened:  # noqa: PTH123
            head = opened.read(_HEAD)
            if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] != b"{":
                return None
            if os.fstat(opened.fileno()).st_size > MOST_BYTES:
                raise ValueError(f"larger than {MOST_BYTES >> 20:,} MB")
            document = json.loads(head + opened.read())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError) or not (b'"images"' in head or b'"annotations"' in head):
            return None
        raise ValueError(f"no valid JSON ({error})") from error
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
