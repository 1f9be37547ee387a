"""Files that are one shot: a raw file and what was developed of it, a live photo and its video."""

import os
from collections import defaultdict
from collections.abc import Sequence

import polars as pl

from dedup_widgets._paths import absolute, as_unicode, native
from dedup_widgets.images.other_formats import RAW_SUFFIXES

DEVELOPED = frozenset({".jpg", ".jpeg", ".jpe", ".heic", ".heif", ".hif", ".avif", ".jxl"})
"""Suffixes of what cameras and phones write beside a raw file or a video."""


LIVE = frozenset({".mov", ".mp4"})
"""Suffixes of the videos of live photos."""


PARTS = RAW_SUFFIXES | LIVE
"""Suffixes of files that belong to the picture of the same name, as one shot."""


def shot_of(path: str) -> tuple[str, str]:
    """Return what the parts of one shot have in common: their folder, and their name in any case.

    >>> shot_of("/d/IMG_1.JPG") == shot_of("/d/img_1.cr2")
    True
    """
    folder, name = os.path.split(path)
    return folder, os.path.splitext(name)[0].casefold()  # noqa: PTH122


def shots_of(paths: Sequence[str] | pl.Series) -> pl.Series | None:
    """Return the column ``shot`` of pictures; None where none has further parts.

    It is the path without the suffix, and null where a picture is all of its shot.
    """
    parts = parts_beside(paths)
    if not any(parts):
        return None
    stems = (os.path.splitext(path)[0] for path in paths)  # noqa: PTH122
    found = [stem if its else None for stem, its in zip(stems, parts, strict=True)]
    return pl.Series("shot", found, dtype=pl.String)


def parts_beside(paths: Sequence[str] | pl.Series) -> list[tuple[str, ...]]:
    """Return the other parts of the shot of each picture, by their paths.

    Of a developed picture these are its raw files and its video, of a raw file what was developed
    of it too. Elsewhere than on this disk nothing is looked for but `paths`.
    """
    found = _parts_by_shot(paths)
    if not found:
        return [()] * len(paths)
    sources = [absolute(path) for path in paths]
    parts = []
    for source in sources:
        suffix = _suffix(source)
        its = found.get(shot_of(source), ()) if suffix in DEVELOPED | RAW_SUFFIXES else ()
        is_one = any(_suffix(it) in DEVELOPED for it in its) and len(its) > 1
        parts.append(tuple(it for it in its if it != source) if is_one else ())
    return parts


def _parts_by_shot(
    paths: Sequence[str] | pl.Series,
) -> dict[tuple[str, str], list[str]]:
    """Return the files of each shot that has parts other than developed pictures."""
    # Most folders have none, and to hold all names of a million files takes a hundred megabytes.
    folders, have_parts = set[str](), set[str]()
    for path in paths:
        source = absolute(path)
        folders.add(folder := os.path.dirname(source))  # noqa: PTH120
        if _suffix(source) in PARTS:
            have_parts.add(folder)
    have_parts.update(it for it in folders if any(_suffix(name) in PARTS for name in _names(it)))
    in_folder: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths if have_parts else ():
        folder, name = os.path.split(absolute(path))
        if folder in have_parts:
            in_folder[folder].add(name)
    by_shot: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for folder, given in in_folder.items():
        names = given | _names(folder)
        stems = {shot_of(name)[1] for name in names if _suffix(name) in PARTS}
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118
            if _suffix(name) in DEVELOPED | PARTS and (shot := shot_of(path))[1] in stems:
                by_shot[shot].append(path)
    return by_shot


def _names(folder: str) -> set[str]:
    if "://" in folder:
        return set()
    try:
        return {as_unicode(os.fsdecode(name)) for name in os.listdir(native(folder))}  # noqa: PTH208
    except OSError:
        return set()


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
