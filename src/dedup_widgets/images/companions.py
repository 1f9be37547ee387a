"""Files that belong to a picture: its labels, its settings, its mask."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import polars as pl

from dedup_widgets._paths import absolute, as_unicode, native
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.formats import why_not_taken
from dedup_widgets.images.mask_content import confirmed_masks
from dedup_widgets.images.masks import (
    is_called_by_masks,
    is_called_by_pictures,
    mask_pairs,
    words_of,
)
from dedup_widgets.images.source import source_for

SIDECAR_SUFFIXES = frozenset(
    {
        *(".txt", ".xml", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".md"),  # labels, captions
        *(".tsv", ".toml", ".text", ".caption", ".cap", ".tags", ".prompt", ".lab", ".ann"),
        *(".npy", ".npz", ".mat", ".pts", ".geojson"),
        *(".xmp", ".aae", ".pp3", ".dop", ".on1", ".cos", ".arp", ".thm"),  # of photo programs
        *(".nksc", ".dr4", ".mie", ".exv"),
        *(".vrd", ".exif", ".meta", ".wav", ".mp3", ".m4a"),  # and of cameras, with what was said
        *(".gpx", ".kml", ".srt", ".vtt"),
        *(".jgw", ".jpgw", ".pgw", ".tfw", ".wld", ".prj", ".aux", ".ovr"),  # of maps
    }
)
"""Suffixes (lower case) of files that belong to the picture of the same name."""


_NUMBERED = re.compile(r"(?i)(.+)(\.[a-z0-9]{3,5})((?:\.[a-z-]+)?)(\(\d+\))(\.json)")
"""As Google writes what it knows of ``1(1).jpg``: ``1.jpg.supplemental-metadata(1).json``."""


_MOST_LETTERS_OF_GOOGLE = 51
"""Letters to which Google cuts the name of what it knows of a picture, in the midst if need be."""


_OF_LABELS = {"captions", "caption", "xml", "xmls", "txt", "ann"}
"""What folders of labels are called that hold no masks."""


_MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".gif", ".webp"})


_FOR_PEOPLE = re.compile(r"(?i)colou?r|instance|object|panoptic|visible|_vis[_.]")


_LEVELS_UP = 4
"""Folders above that of a picture, beside which there may be one of its masks."""


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


def masks_among(paths: Sequence[str], known: pl.DataFrame | None = None) -> set[str]:
    """Return the pictures that are masks of others among them.

    A mask lies in a folder such as ``masks`` under the name of its picture, or beside it with
    a name such as ``1_mask.png``; and it looks like one, as far as that can be seen.

    Parameters
    ----------
    paths
        Files.
    known
        What is known of files elsewhere than on this disk, as
        :data:`~dedup_widgets.images.entry.FILE` has it.

    Examples
    --------
    >>> sorted(masks_among(["/d/images/1.jpg", "/d/masks/1.png", "/d/a.jpg", "/d/a_mask.png"]))
    ['/d/a_mask.png', '/d/masks/1.png']
    >>> masks_among(["/d/masks/1.png", "/d/b_mask.png"])
    set()
    """
    pairs = mask_pairs(list(paths))
    listed = {}
    if known is not None and pairs:
        its = known.filter(pl.col("path").is_in({*pairs, *pairs.values()}))
        listed = {path: Entry(path, *more) for path, *more in its.iter_rows()}
    return set(confirmed_masks(pairs, Files(source_for, listed)))


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
    masks = _masks_beside([absolute(path) for path in paths])
    if not masks:
        return None
    first = [masks.get(absolute(path), [None])[0] for path in paths]
    return pl.Series("mask_path", first, dtype=pl.String)


def _masks_beside(sources: Sequence[str]) -> dict[str, list[str]]:
    """Return the masks on this disk of each picture that has any."""
    own = [source for source in sources if "://" not in source]
    folders = {os.path.dirname(source) for source in own}  # noqa: PTH120
    within = cache(_folders)
    looked_at = folders | {it for folder in folders for it in _folders_of_masks(folder, within)}
    known = set(own)
    others = [
        path
        for folder in sorted(looked_at)
        for name in _names(folder)
        if _suffix(name) in _MASK_SUFFIXES and (path := os.path.join(folder, name)) not in known  # noqa: PTH118
    ]
    pairs = mask_pairs([*own, *others]) if others else {}
    pairs = {mask: its for mask, its in pairs.items() if mask not in known and its in known}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for mask, picture in confirmed_masks(pairs, Files(source_for)).items():
        found[picture].append(mask)
    return {picture: sorted(masks, key=_classes_first) for picture, masks in found.items()}


def _classes_first(mask: str) -> tuple[bool, str]:
    """Order masks of classes before those in colours for people, and those of single objects."""
    return bool(_FOR_PEOPLE.search(mask)), mask


def _folders_of_masks(folder: str, within: Callable[[str], list[str]]) -> set[str]:
    """Return the folders in which masks of the pictures of a folder may lie.

    Parameters
    ----------
    within
        Returns the folders in one.
    """
    parts = Path(folder).parts
    found = set()
    for up in range(min(_LEVELS_UP, len(parts) - 1) + 1):
        above, below = str(Path(*parts[: len(parts) - up])), parts[len(parts) - up :]
        tops = [os.path.join(above, it) for it in within(above) if is_called_by_masks(it)]  # noqa: PTH118
        for _ in range(2):
            # As annotations/trimaps, and annotations/panoptic_train.
            tops += [
                deeper
                for it in tops
                for name in within(it)
                if is_called_by_masks(name) and (deeper := os.path.join(it, name)) not in tops  # noqa: PTH118
            ]
        # In the place of one of the folders, of two, or of none.
        ends = {below[taken:] for taken in range(3)}
        found |= {os.path.join(top, *end) for top in tops for end in ends}  # noqa: PTH118
    return {it for it in found if it != folder and os.path.isdir(native(it))}  # noqa: PTH112


def _in_folders(sources: Sequence[str], holds: Callable[[str], bool]) -> list[int]:
    """Return which files lie on this disk in a folder of which something holds."""
    asked = cache(holds)
    folders = (os.path.dirname(source) for source in sources)  # noqa: PTH120
    return [
        row
        for row, (source, folder) in enumerate(zip(sources, folders, strict=True))
        if "://" not in source and asked(folder)
    ]


def _folders(parent: str) -> list[str]:
    try:
        with os.scandir(native(parent)) as entries:
            return [as_unicode(os.fsdecode(it.name)) for it in entries if it.is_dir()]
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
    given = defaultdict[str, list[str]](list)
    for folder, name in (os.path.split(source) for source in sources if "://" not in source):
        given[folder].append(name)
    names, beside = cache(_names), cache(_parallel)

    @cache
    def in_folder(folder: str, pictures: str) -> dict[str, list[str]]:
        """Return what lies in a folder of the pictures in one, by their names."""
        owners = _Owners([*given[pictures], *names(pictures)])
        its = defaultdict(list)
        for name in names(folder):
            for picture in owners.of(name):
                its[picture].append(name)
        return dict(its)

    own, masks = set(sources), _masks_beside(sources)
    found = []
    for source in sources:
        if "://" in source:
            found.append(Companions())
            continue
        folder, name = os.path.split(source)
        sidecars = []
        for other in (folder, *beside(folder)):
            for it in in_folder(other, folder).get(name, ()):
                path = os.path.join(other, it)  # noqa: PTH118
                if path in own or not os.path.isfile(native(path)):  # noqa: PTH113
                    continue
                if _suffix(it) in SIDECAR_SUFFIXES or _is_no_picture(path):
                    sidecars.append(path)
        found.append(Companions(tuple(sidecars), tuple(masks.get(source, ()))))
    return found


_ByNames = tuple[dict[str, str], dict[str, list[str]]]


class _Owners:
    """Tells to which pictures of a folder a file belongs, by its name."""

    def __init__(self, names: Iterable[str]) -> None:
        # Of what is a sidecar itself, nothing is one.
        self._names = list(dict.fromkeys(it for it in names if _suffix(it) not in SIDECAR_SUFFIXES))

    def of(self, name: str) -> list[str]:
        """Return the pictures whose name, or stem, it begins with; the longest that there is."""
        is_sidecar = _suffix(name) in SIDECAR_SUFFIXES
        if not is_sidecar and name.count(".") < 2:
            return []  # as of most names, which are pictures
        for fold, by_name, by_stem in (str, *self._as_written), (str.casefold, *self._in_any_case):
            for begin, _ in _begins(name):
                if picture := by_name.get(fold(begin)):
                    return [picture]
                if is_sidecar and (found := by_stem.get(fold(begin))):
                    return found
        if len(name) == _MOST_LETTERS_OF_GOOGLE and name.lower().endswith(".json"):
            stem = name[: -len(".json")]
            begun = [it for it in self._names if len(it) > len(stem) and it.startswith(stem)]
            return begun if len(begun) == 1 else []
        return []

    @cached_property
    def _as_written(self) -> _ByNames:
        return self._by(str)

    @cached_property
    def _in_any_case(self) -> _ByNames:
        return self._by(str.casefold)

    def _by(self, fold: Callable[[str], str]) -> _ByNames:
        by_stem = defaultdict[str, list[str]](list)
        for name in self._names:
            by_stem[fold(os.path.splitext(name)[0])].append(name)  # noqa: PTH122
        return {fold(name): name for name in self._names if "." in name[1:]}, dict(by_stem)


def _begins(name: str) -> list[tuple[str, str]]:
    """Return what a name begins with, up to each of its dots, and the rest; the longest first."""
    found = []
    if numbered := _NUMBERED.fullmatch(name):
        stem, suffix, kind, number, end = numbered.groups()
        found.append((f"{stem}{number}{suffix}", f"{kind}{end}"))
    dots = [at for at, letter in enumerate(name) if letter == "." and at]
    return [*found, *((name[:at], name[at:]) for at in reversed(dots))]


def name_beside(sidecar: str, picture: str, new: str) -> str:
    """Return what a sidecar of a picture is called when that gets another name.

    Examples
    --------
    >>> name_beside("1.jpg.xmp", "1.jpg", "cat.jpg"), name_beside("1.XMP", "1.JPG", "cat.jpg")
    ('cat.jpg.xmp', 'cat.XMP')
    >>> name_beside("1.jpg.supplemental-metadata(2).json", "1(2).jpg", "cat.jpg")
    'cat.jpg.supplemental-metadata.json'
    """
    for begin, rest in _begins(sidecar):
        if begin.casefold() == picture.casefold():
            return f"{new}{rest}"
        if begin.casefold() == os.path.splitext(picture)[0].casefold():  # noqa: PTH122
            return f"{os.path.splitext(new)[0]}{rest}"  # noqa: PTH122
    return f"{new}{os.path.splitext(sidecar)[1]}"  # noqa: PTH122


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _is_no_picture(path: str) -> bool:
    """Tell whether a file of any suffix is neither a picture nor an archive, by its content."""
    try:
        with open(native(path), "rb") as file:  # noqa: PTH123
            return why_not_taken(file.read(512), os.path.splitext(path)[1].lower()) == ""  # noqa: PTH122
    except OSError:
        return False


def _parallel(folder: str) -> list[str]:
    """Return folders of labels that stand beside those of pictures."""
    parts = Path(folder).parts
    places = [i for i, part in enumerate(parts) if is_called_by_pictures(part)]
    place = places[-1] if places else len(parts)
    below = parts[place + 1 :]
    parent = str(Path(*parts[:place]))
    labels = {name: _of_labels(name) for name in _folders(parent)}
    if places:
        what = words_of(parts[place])
        named = [it for it, of in labels.items() if of in ((), what) or (of and not what)]
    else:
        named = [it for it, of in labels.items() if of == ()]
    found = {os.path.join(parent, it) for it in named}  # noqa: PTH118
    # As of annotations/trimaps.
    found |= {deeper for it in found for deeper in _plain_folders_of_labels(it)}
    if not places and parts:
        above, own = os.path.split(folder)
        its = [it for it in _folders(above) if _of_labels(it) == words_of(own)]
        found |= {os.path.join(above, it) for it in its}  # noqa: PTH118
    return sorted(os.path.join(it, *below) for it in found)  # noqa: PTH118


def _of_labels(name: str) -> tuple[str, ...] | None:
    """Return of what a folder holds labels or masks, empty if it does not say; None for neither."""
    if name.lower() in _OF_LABELS:
        return ()
    return words_of(name) if is_called_by_masks(name) else None


def _plain_folders_of_labels(folder: str) -> list[str]:
    return [os.path.join(folder, it) for it in _folders(folder) if _of_labels(it) == ()]  # noqa: PTH118
