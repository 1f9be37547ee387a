"""Files that belong to a picture: its labels, its settings, its mask."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dedup_widgets._paths import as_unicode, native

SIDECAR_SUFFIXES = frozenset(
    {
        *(".txt", ".xml", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".md"),  # labels, captions
        *(".caption", ".cap", ".tags", ".npy", ".npz", ".mat", ".pts", ".geojson"),
        *(".xmp", ".aae", ".pp3", ".dop", ".on1", ".cos", ".arp", ".thm"),  # of photo programs
        *(".jgw", ".jpgw", ".pgw", ".tfw", ".wld", ".prj", ".aux"),  # of maps
    }
)
"""Suffixes (lower case) of files that belong to the picture of the same name."""


_OF_PICTURES = {"images", "image", "imgs", "img", "jpegimages", "rgb", "pictures", "photos"}


_OF_LABELS = {"labels", "label", "annotations", "annotation", "captions", "xml", "txt"}


_OF_MASKS = {
    *("masks", "mask", "segmentation", "segmentations", "segmentationclass", "seg", "segs"),
    *("segmentationobject", "gt", "groundtruth", "ground_truth", "labelmaps", "mattes"),
    *_OF_LABELS,
}


_MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".gif", ".webp"})


_MASK_NAME = re.compile(r"(?i)^(.+)[-_. ](mask|masks|seg|segmentation|gt|matte|labelids?)$")


_MAY_BE_MASK = re.compile(
    rf"(?i)[/\\]({'|'.join(sorted(_OF_MASKS))})[/\\]|[-_. ](mask|masks|seg|segmentation|gt|matte"
    r"|labelids?)\.[^./\\]*$"
)


_PARTS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class Companions:
    """The files that belong to one picture.

    Attributes
    ----------
    sidecars : tuple of str
        Labels, captions, settings: files that are no pictures.
    masks : tuple of str
        Pictures of the same shape that say what each pixel is.
    """

    sidecars: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()


def masks_among(paths: Iterable[str]) -> set[str]:
    """Return the pictures that are masks of others among them.

    A mask lies in a folder such as ``masks`` under the name of its picture, or beside it with
    a name such as ``1_mask.png``.

    Examples
    --------
    >>> sorted(masks_among(["/d/images/1.jpg", "/d/masks/1.png", "/d/a.jpg", "/d/a_mask.png"]))
    ['/d/a_mask.png', '/d/masks/1.png']
    >>> masks_among(["/d/masks/1.png", "/d/b_mask.png"])
    set()
    """
    paths = list(paths)
    doubtful = {path for path in paths if _MAY_BE_MASK.search(path)}
    if not doubtful:
        return set()
    pictures = {_key(path, _OF_PICTURES) for path in paths if path not in doubtful}
    return {path for path in doubtful if _key_of_mask(path) in pictures}


def have_companions(sources: Sequence[str], suffixes: Collection[str]) -> list[int]:
    """Return which pictures lie in, or beside, a folder that holds files of these suffixes.

    To look at folders is enough for most sets, where there are none.
    """
    ends = tuple(suffixes)

    @cache
    def has(folder: str) -> bool:
        try:
            names = os.listdir(native(folder))  # noqa: PTH208
        except OSError:
            return False
        return any(os.fsdecode(name).lower().endswith(ends) for name in names)

    @cache
    def is_beside(folder: str) -> bool:
        return any(has(other) for other in (folder, *_parallel(folder)))

    return [
        row
        for row, source in enumerate(sources)
        if "://" not in source and is_beside(os.path.dirname(source))  # noqa: PTH120
    ]


def companions_of(sources: Sequence[str]) -> list[Companions]:
    """Return the files that belong to each picture, as they lie on the disk.

    Parameters
    ----------
    sources
        Absolute paths. Elsewhere than on this disk nothing is looked for.
    """
    listed: dict[str, dict[str, list[str]]] = {}

    def in_folder(folder: str) -> dict[str, list[str]]:
        if folder not in listed:
            by_stem: defaultdict[str, list[str]] = defaultdict(list)
            try:
                names = sorted(as_unicode(os.fsdecode(n)) for n in os.listdir(native(folder)))  # noqa: PTH208
            except OSError:
                names = []
            for name in names:
                by_stem[_stem_of_companion(name)].append(name)
            listed[folder] = dict(by_stem)
        return listed[folder]

    beside = cache(_parallel)
    own = set(sources)
    found = []
    for source in sources:
        if "://" in source:
            found.append(Companions())
            continue
        folder, name = os.path.split(source)
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        sidecars, masks = [], []
        for other in (folder, *beside(folder)):
            for it in dict.fromkeys(
                [*in_folder(other).get(stem, ()), *in_folder(other).get(name, ())]
            ):
                path = os.path.join(other, it)  # noqa: PTH118
                suffix = Path(it).suffix.lower()
                if path in own or not os.path.isfile(native(path)):  # noqa: PTH113
                    continue
                if suffix in SIDECAR_SUFFIXES:
                    sidecars.append(path)
                elif suffix in _MASK_SUFFIXES and (
                    other != folder or _MASK_NAME.match(Path(it).stem)
                ):
                    masks.append(path)
        found.append(Companions(tuple(sidecars), tuple(masks)))
    return found


def _stem_of_companion(name: str) -> str:
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    mask = _MASK_NAME.match(stem)
    return mask[1] if mask and Path(name).suffix.lower() in _MASK_SUFFIXES else stem


def _parallel(folder: str) -> list[str]:
    """Return folders of labels and masks that stand beside those of pictures."""
    parts = Path(folder).parts
    places = [i for i, part in enumerate(parts) if part.lower() in _OF_PICTURES]
    place = places[-1] if places else len(parts)
    parent = Path(*parts[:place])
    try:
        beside = sorted(map(str, os.listdir(native(str(parent)))))  # noqa: PTH208
    except OSError:
        return []
    named = [name for name in beside if name.lower() in _OF_MASKS]
    return [str(parent.joinpath(name, *parts[place + 1 :])) for name in named]


def _key(path: str, names: set[str]) -> tuple[tuple[str, ...], str]:
    *folders, name = _PARTS.split(path)
    return tuple(f for f in folders if f.lower() not in names), os.path.splitext(name)[0]  # noqa: PTH122


def _key_of_mask(path: str) -> tuple[tuple[str, ...], str]:
    folders, stem = _key(path, _OF_PICTURES | _OF_MASKS)
    named = _MASK_NAME.match(stem)
    return folders, named[1] if named else stem
