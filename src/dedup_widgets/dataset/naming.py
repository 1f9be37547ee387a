"""Names that are safe on every file system: of the dataset, its splits and its files."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import polars as pl
from pathvalidate import is_valid_filename, sanitize_filename
from pathvalidate.handler import ReservedNameHandler

from dedup_widgets._text import about_file
from dedup_widgets.errors import DatasetError, ImageError, InputError
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.formats import IMAGE_SUFFIXES, sniff
from dedup_widgets.images.source import source_for

Format = Literal["imagefolder", "webdataset"]
Clash = Literal["number", "error"]

_NAME_BYTES = 200
# What file systems forbid somewhere, and what `datasets` reads as a pattern or a chained URL.
_UNSAFE_IN_DATASET_NAMES = re.compile(r'[<>:"/\\|?*\[\]{}]')
# What loaders take for a variable, the home folder, or a character of a URL.
_EXPANDED = re.compile(r"\$|^~|%(?=[0-9A-Fa-f]{2})")
_SPLIT_NAME = re.compile(r"\w+(\.\w+)*")


def check_name(name: str) -> None:
    """Raise unless a dataset may be called so."""
    wrong = None
    if not isinstance(name, str) or not name.strip():
        wrong = "is empty"
    elif unsafe := _UNSAFE_IN_DATASET_NAMES.findall(name):
        wrong = f"contains {', '.join(map(repr, dict.fromkeys(unsafe)))}"
    elif not name.isprintable():
        wrong = "contains characters that do not print"
    elif name[0] in ". " or name[-1] in ". ":
        wrong = "begins or ends with a dot or a space"
    elif len(name.encode()) > _NAME_BYTES:
        wrong = f"is longer than {_NAME_BYTES} bytes"
    elif not is_valid_filename(name, fs_encoding="utf-8"):
        wrong = "means a device on Windows"
    if wrong:
        raise InputError(
            f"the dataset name {name!r} {wrong}; it becomes the name of a folder: use letters, "
            "digits, spaces, '-', '_' and '.', and choose the place with root="
        )


def check_splits(splits: Iterable[str]) -> None:
    """Raise unless splits may be called so."""
    seen: dict[str, str] = {}
    for name in dict.fromkeys(splits):
        good = isinstance(name, str) and _SPLIT_NAME.fullmatch(name) and name != "all"
        if not good or len(name.encode()) > _NAME_BYTES:
            raise InputError(
                f"{name!r} cannot be the name of a split; use letters, digits and '_', "
                "such as 'train', 'validation' or 'test' ('all' means every split)"
            )
        if other := seen.get(name.casefold()):
            raise InputError(
                f"the splits {other!r} and {name!r} would be one folder on some disks; "
                "give them the same name"
            )
        seen[name.casefold()] = name


def file_names(
    sources: list[str],
    splits: Sequence[str],
    pictures: Sequence[str],
    format: Format,  # noqa: A002
    clash: Clash,
) -> list[str]:
    """Give each picture a file name that is safe everywhere and used once in its split.

    Names go by the order of the paths, so the order of the frame does not matter. `pictures` are
    the formats of those whose own names do not say it.
    """
    wanted = [safe_name(_plain(it), of) for it, of in zip(sources, pictures, strict=True)]
    if format == "webdataset":
        wanted = [_as_key(name) for name in wanted]

    def key(split: str, name: str) -> tuple[str, str]:
        part = Path(name).stem if format == "webdataset" else name
        return split, unicodedata.normalize("NFC", part).casefold()

    asked_for = {key(split, name) for split, name in zip(splits, wanted, strict=True)}
    taken: dict[tuple[str, str], str] = {}
    last_number: Counter[tuple[str, str]] = Counter()
    names = list(wanted)
    for row in sorted(range(len(sources)), key=sources.__getitem__):
        split, name = splits[row], wanted[row]
        first = key(split, name)
        if first in taken:
            if clash == "error":
                raise DatasetError(
                    f"{taken[first]} and {sources[row]} would both be {split}/{name}; rename "
                    'one, or number them with on_name_clash="number". Nothing was written.'
                )
            stem, suffix = Path(name).stem, Path(name).suffix
            number = max(last_number[first], 1)
            while (candidate := key(split, name)) in taken or candidate in asked_for:
                number += 1
                name = f"{stem}-{number}{suffix}"
            last_number[first] = number
        taken[key(split, name)] = sources[row]
        names[row] = name
    return names


def picture_formats(frame: pl.DataFrame, entries: Sequence[Entry]) -> list[str]:
    """Return the formats of pictures whose names do not say it, by their scores or read anew."""
    known = [None] * len(entries)
    if provenances(frame) and "format" in frame.columns:
        known = frame["format"].to_list()
    files, found = Files(source_for), []
    for entry, its in zip(entries, known, strict=True):
        if its or _own_name(_plain(entry.path))[1]:
            found.append(its or "")
            continue
        try:
            found.append(sniff(files.look_at(entry)).lower())
        except ImageError as error:
            raise DatasetError(f"{about_file(entry.path, error)}. Nothing was written.") from error
    return found


def _plain(source: str) -> str:
    # The query of an address is no part of a name, and may hold a signature.
    return source.partition("?")[0] if "://" in source else source


def _own_name(source: str) -> tuple[str, str]:
    """Return what a file is called, and its suffix if that is one of a picture."""
    name = "".join(c if c.isprintable() else "_" for c in Path(source).name).strip(". ")
    stem, suffix = Path(name).stem, Path(name).suffix
    return (stem, suffix) if suffix.lower() in IMAGE_SUFFIXES else (name, "")


def safe_name(source: str, picture: str = "") -> str:
    """Return the nearest file name that is safe everywhere and has the suffix of a picture."""
    stem, suffix = _own_name(source)
    suffix = suffix or (".jpg" if picture == "jpeg" else f".{picture}")
    stem = sanitize_filename(
        stem, "_", fs_encoding="utf-8", reserved_name_handler=ReservedNameHandler.as_is
    )
    stem = _EXPANDED.sub("_", stem)
    stem = _without_double_start(stem.strip(". ")) or "image"
    if not is_valid_filename(stem, fs_encoding="utf-8"):
        stem = f"_{stem}"  # a device on Windows
    room = _NAME_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore") + suffix


def _as_key(name: str) -> str:
    # What follows the first dot of a member's name is its field.
    stem = Path(name).stem.replace(".", "_")
    return _without_double_start(stem) + Path(name).suffix


def _without_double_start(stem: str) -> str:
    # `datasets` skips such files in an archive without a word.
    return re.sub("^__+", "_", stem)
