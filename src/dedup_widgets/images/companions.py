"""Files that belong to a picture: its labels, its settings, its mask."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from dedup_widgets._paths import absolute, as_unicode, native
from dedup_widgets.images.formats import why_not_taken

SIDECAR_SUFFIXES = frozenset(
    {
        *(".txt", ".xml", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".md"),  # labels, captions
        *(".tsv", ".toml", ".text", ".caption", ".cap", ".tags", ".prompt", ".lab", ".ann"),
        *(".npy", ".npz", ".mat", ".pts", ".geojson"),
        *(".xmp", ".aae", ".pp3", ".dop", ".on1", ".cos", ".arp", ".thm"),  # of photo programs
        *(".vrd", ".exif", ".meta", ".wav", ".mp3", ".m4a"),  # and of cameras, with what was said
        *(".jgw", ".jpgw", ".pgw", ".tfw", ".wld", ".prj", ".aux"),  # of maps
    }
)
"""Suffixes (lower case) of files that belong to the picture of the same name."""


_NUMBERED = re.compile(r"(?i)(.+)(\.[a-z0-9]{3,5})((?:\.[a-z-]+)?)(\(\d+\))(\.json)")
"""As Google writes what it knows of ``1(1).jpg``: ``1.jpg.supplemental-metadata(1).json``."""


_OF_PICTURES = {"images", "image", "imgs", "img", "jpegimages", "rgb", "pictures", "photos"}


_OF_LABELS = {"labels", "label", "annotations", "annotation", "captions", "xml", "txt"}


_OF_MASKS = {
    *("masks", "mask", "segmentation", "segmentations", "segmentationclass", "seg", "segs"),
    *("segmentationobject", "gt", "groundtruth", "ground_truth", "labelmaps", "mattes"),
    *_OF_LABELS,
}


_WORDS_OF_MASKS = {
    *("mask", "masks", "seg", "segs", "segmentation", "segmentations", "gt"),
    *("trimap", "trimaps", "matte", "mattes"),
}
"""Words in the names of folders of masks, such as ``train_masks`` beside ``train``."""


_WORDS_OF_PICTURES = {"images", "image", "imgs", "img", "pictures", "photos"}


_MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".gif", ".webp"})


_MASK_NAME = re.compile(r"(?i)^(.+)[-_. ](mask|masks|seg|segmentation|gt|matte|labelids?)$")


_MAY_BE_MASK = re.compile(
    rf"(?i)[/\\]({'|'.join(sorted(_OF_MASKS))})[/\\]"
    rf"|[/\\]([^/\\]*[-_. ])?({'|'.join(sorted(_WORDS_OF_MASKS))})([-_. ][^/\\]*)?[/\\]"
    r"|[-_. ](mask|masks|seg|segmentation|gt|matte|labelids?)\.[^./\\]*$"
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


def masks_among(paths: Sequence[str]) -> set[str]:
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
    # What folders above all of them are called says nothing of one of them.
    start = _end_of_common(paths)
    doubtful = {path for path in paths if _MAY_BE_MASK.search(f"/{path[start:]}")}
    if not doubtful:
        return set()
    pictures = {_key(path[start:]) for path in paths if path not in doubtful}
    return {path for path in doubtful if not pictures.isdisjoint(_keys_of_mask(path[start:]))}


def _end_of_common(paths: Sequence[str]) -> int:
    """Return where in each path the name of the folder that holds them all ends."""
    if not paths:
        return 0
    both = os.path.commonprefix([min(paths), max(paths)])  # noqa: RUF071
    return 1 + max(map(both.rfind, "/\\"))


def have_companions(sources: Sequence[str], suffixes: Collection[str]) -> list[int]:
    """Return which pictures lie in, or beside, a folder that holds files of these suffixes.

    To look at folders is enough for most sets, where there are none.
    """
    ends = tuple(suffixes)

    @cache
    def has(folder: str) -> bool:
        return any(name.lower().endswith(ends) for name in _names(folder))

    return _in_folders(sources, lambda folder: any(map(has, (folder, *_parallel(folder)))))


def masks_of(paths: Sequence[str]) -> pl.Series | None:
    """Return the column ``mask_path`` of pictures: the first mask of each; None where none has one.

    Elsewhere than on this disk nothing is looked for.
    """

    def may_have(folder: str) -> bool:
        if any(_MASK_NAME.match(os.path.splitext(name)[0]) for name in _names(folder)):  # noqa: PTH122
            return True
        suffixes = (Path(name).suffix.lower() for it in _parallel(folder) for name in _names(it))
        return any(suffix in _MASK_SUFFIXES for suffix in suffixes)

    sources = [absolute(path) for path in paths]
    rows = _in_folders(sources, may_have)
    found = companions_of([sources[row] for row in rows])
    masks = {row: its.masks[0] for row, its in zip(rows, found, strict=True) if its.masks}
    if not masks:
        return None
    return pl.Series("mask_path", [masks.get(row) for row in range(len(paths))], dtype=pl.String)


def _in_folders(sources: Sequence[str], holds: Callable[[str], bool]) -> list[int]:
    """Return which files lie on this disk in a folder of which something holds."""
    asked = cache(holds)
    folders = (os.path.dirname(source) for source in sources)  # noqa: PTH120
    return [
        row
        for row, (source, folder) in enumerate(zip(sources, folders, strict=True))
        if "://" not in source and asked(folder)
    ]


def _folders(parent: Path) -> list[str]:
    try:
        return [
            as_unicode(os.fsdecode(it.name))
            for it in os.scandir(native(str(parent)))
            if it.is_dir()
        ]
    except OSError:
        return []


def _names(folder: str) -> list[str]:
    try:
        return sorted(as_unicode(os.fsdecode(name)) for name in os.listdir(native(folder)))  # noqa: PTH208
    except OSError:
        return []


def companions_of(sources: Sequence[str]) -> list[Companions]:
    """Return the files that belong to each picture, as they lie on the disk.

    Parameters
    ----------
    sources
        Absolute paths. Elsewhere than on this disk nothing is looked for.
    """

    @cache
    def in_folder(folder: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return what lies in a folder by the stems, and by the whole names, of pictures."""
        by_stem, by_name = defaultdict(list), defaultdict(list)
        for name in _names(folder):
            by_stem[_stem_of_companion(name)].append(name)
            for picture, _ in pictures_of(name):
                by_name[picture].append(name)
        return dict(by_stem), dict(by_name)

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
            by_stem, by_name = in_folder(other)
            of_name = by_name.get(name, ())
            for it in dict.fromkeys([*by_stem.get(stem, ()), *of_name]):
                path = os.path.join(other, it)  # noqa: PTH118
                suffix = Path(it).suffix.lower()
                if path in own or not os.path.isfile(native(path)):  # noqa: PTH113
                    continue
                if suffix in SIDECAR_SUFFIXES or (it in of_name and _is_no_picture(path)):
                    sidecars.append(path)
                elif suffix in _MASK_SUFFIXES and (
                    other != folder or _MASK_NAME.match(Path(it).stem)
                ):
                    masks.append(path)
        found.append(Companions(tuple(sidecars), tuple(masks)))
    return found


def pictures_of(name: str) -> list[tuple[str, str]]:
    """Return the whole names of pictures that a file may belong to, and what it adds to each.

    >>> pictures_of("1.jpg.xmp")
    [('1.jpg', '.xmp')]
    >>> pictures_of("1.jpg.supplemental-metadata(2).json")
    [('1(2).jpg', '.supplemental-metadata.json')]
    """
    if numbered := _NUMBERED.fullmatch(name):
        stem, suffix, kind, number, end = numbered.groups()
        return [(f"{stem}{number}{suffix}", f"{kind}{end}")]
    dots = [at for at, letter in enumerate(name) if letter == "." and at]
    return [(name[:at], name[at:]) for at in dots[1:]]


def _is_no_picture(path: str) -> bool:
    """Tell whether a file of any suffix is neither a picture nor an archive, by its content."""
    try:
        with open(native(path), "rb") as file:  # noqa: PTH123
            return why_not_taken(file.read(512), os.path.splitext(path)[1].lower()) == ""  # noqa: PTH122
    except OSError:
        return False


def _stem_of_companion(name: str) -> str:
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    mask = _MASK_NAME.match(stem)
    return mask[1] if mask and Path(name).suffix.lower() in _MASK_SUFFIXES else stem


def _parallel(folder: str) -> list[str]:
    """Return folders of labels and masks that stand beside those of pictures."""
    parts = Path(folder).parts
    places = [i for i, part in enumerate(parts) if _without_pictures(part) != part]
    place = places[-1] if places else len(parts)
    below = parts[place + 1 :]
    parent = Path(*parts[:place])
    named = [parent / name for name in _folders(parent) if name.lower() in _OF_MASKS]
    # As of annotations/trimaps.
    nested = [it / name for it in named for name in _folders(it) if _of_masks(name) == ""]
    if places:
        what = _without_pictures(parts[place])
        masks = {it: _of_masks(it) for it in _folders(parent)}
        named += [parent / it for it, of in masks.items() if of in ("", what) or (of and not what)]
    elif parts:
        own = parts[-1]
        siblings = Path(folder).parent
        named += [siblings / it for it in _folders(siblings) if _of_masks(it) == own]
    found = (it.joinpath(*below) for it in (*named, *nested))
    return sorted({str(it) for it in found})


@cache
def _without(name: str, whole: frozenset[str], words: frozenset[str]) -> str:
    """Return the name of a folder without some words; empty if it is one of whole names."""
    if name.lower() in whole:
        return ""
    parts = re.split(r"[-_. ]", name)
    left = [part for part in parts if part.lower() not in words]
    return name if len(left) == len(parts) else "_".join(left)


def _without_pictures(name: str) -> str:
    return _without(name, frozenset(_OF_PICTURES), frozenset(_WORDS_OF_PICTURES))


def _of_masks(name: str) -> str | None:
    """Return of what a folder holds masks, empty if it does not say; None if it holds none.

    >>> _of_masks("train_masks"), _of_masks("masks"), _of_masks("train")
    ('train', '', None)
    """
    words = frozenset(_WORDS_OF_MASKS)
    left = _without(name, frozenset(_OF_MASKS), words)
    return None if left == name else _without(left, frozenset(), frozenset(_WORDS_OF_PICTURES))


def _key(path: str) -> tuple[tuple[str, ...], str]:
    *folders, name = _PARTS.split(path)
    named = map(_without_pictures, folders)
    return tuple(filter(None, named)), os.path.splitext(name)[0]  # noqa: PTH122


def _keys_of_mask(path: str) -> list[tuple[tuple[str, ...], str]]:
    """Return the keys of pictures of which a file may be the mask."""
    *folders, name = _PARTS.split(path)
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    named = _MASK_NAME.match(stem)
    stem = named[1] if named else stem
    of = [(_of_masks(folder), _without_pictures(folder)) for folder in folders]
    # "binary_masks" are masks of all, "train_masks" those of "train".
    every = [plain if what is None else "" for what, plain in of]
    each = [plain if what is None else what for what, plain in of]
    return [(tuple(filter(None, it)), stem) for it in (every, each)]
