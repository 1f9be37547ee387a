"""Which pictures are masks of others: by their names, and by what they show.

A name says so by a word, in a folder (``masks/1.png`` beside ``images/1.jpg``) or after the name of
the picture (``1_mask.png`` beside ``1.jpg``). As masks can also be worn, a mask must look like one:
have the shape of its picture, and few tones.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OF_MASKS = _words_of(
    """
    mask masks msk msks seg segs segmentation segmentations segmap segmaps label labels labeled
    labelled lbl labelmap labelmaps parts annot annots annotation annotations anno gt truth
    groundtruth trimap trimaps matte mattes alpha alphas instance instances instanceids panoptic
    semantic semantics parsing silhouettes colormap colormaps stuffthingmaps lesion labelids
    """
)
"""Words for masks in names of files and folders."""


_OF_PICTURES = _words_of(
    """
    images image imgs img jpegimages rgb pictures picture photos photo jpeg jpg png left 8bit
    sat input inputs frame
    """
)
"""Words for pictures, which say nothing beside those for masks."""


_MORE = _words_of(
    """
    class classes object objects fine coarse id ids train trainids color colors colour colours
    binary ground sem map maps l machine human manual approved raw gray grey full
    """
)
"""Words that go with those for masks, such as ``labelIds`` and ``gtFine_color``."""


_KNOWN = _OF_MASKS | _OF_PICTURES | _MORE


_ENDINGS = re.compile(
    r"([^\W\d_]{3,}?)(annot|annotations?|masks?|labels?|segmentations?|images?|instances|maps)"
)
"""Words that are written together, as ``trainannot``."""


_LAST = ("annot", "annotation", "mask", "label", "segmentation", "image", "s")


_IN_NAMES_OF_MASKS = (
    *("mask", "msk", "seg", "label", "lbl", "anno", "gt", "truth", "trimap", "matte", "alpha"),
    *("instance", "panoptic", "semantic", "parsing", "silhouette", "colormap", "stuffthing"),
    *("lesion", "parts"),
)
"""One of these is in each of the words for masks, whatever it is written together with."""


_PARTS = re.compile(r"[/\\]")


_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)")


_Words = tuple[str, ...]
_Key = tuple[tuple[_Words, ...], _Words]


@lru_cache(maxsize=65_536)
def _words(name: str) -> _Words:
    """Return the words of a name, in lower case.

    >>> _words("SegmentationClass"), _words("trainannot"), _words("a_gtFine_labelIds")
    (('segmentation', 'class'), ('train', 'annot'), ('a', 'gt', 'fine', 'label', 'ids'))
    """
    found: list[str] = []
    for piece in re.split(r"[-_. ()]+", _BOUNDARY.sub("_", name)):
        word = piece.lower()
        is_whole = word in _OF_MASKS or word in _OF_PICTURES or not word.endswith(_LAST)
        joined = None if is_whole else _ENDINGS.fullmatch(word)
        found += joined.groups() if joined else [word]
    return tuple(filter(None, found))


@cache
def _folder(name: str) -> tuple[bool, _Words]:
    """Return whether a folder is called by masks, and what else its name says.

    >>> _folder("train_masks"), _folder("leftImg8bit"), _folder("dogs")
    ((True, ('train',)), (False, ()), (False, ('dogs',)))
    """
    words = _words(name)
    if not _OF_MASKS.isdisjoint(words):
        left = [it for it in words if it not in _OF_MASKS and it not in _OF_PICTURES]
        return True, tuple(it for it in left if it == "train" or it not in _MORE)
    return False, tuple(it for it in words if it not in _OF_PICTURES)


def is_called_by_masks(folder: str) -> bool:
    """Tell whether the name of a folder says that there are masks or labels in it.

    >>> is_called_by_masks("SegmentationClass"), is_called_by_masks("masked")
    (True, False)
    """
    return _folder(folder)[0]


def is_called_by_pictures(folder: str) -> bool:
    """Tell whether the name of a folder says no more, or not only, than that there are pictures.

    >>> is_called_by_pictures("JPEGImages"), is_called_by_pictures("cats")
    (True, False)
    """
    return not is_called_by_masks(folder) and not _OF_PICTURES.isdisjoint(_words(folder))


def words_of(folder: str) -> tuple[str, ...]:
    """Return what the name of a folder says else than that there are pictures or masks in it.

    >>> words_of("train_masks"), words_of("images_png")
    (('train',), ())
    """
    return _folder(folder)[1]


def _stems_of_picture(words: _Words) -> set[_Words]:
    """Return by which names masks may call a picture: with and without what says that it is one."""
    start, end = 0, len(words)
    found = {words}
    while end > 1 and words[end - 1] in _OF_PICTURES:
        end -= 1
        found.add(words[:end])
    while start < end - 1 and words[start] in _OF_PICTURES:
        start += 1
        found |= {words[start:], words[start:end]}
    return found


def _stems_of_mask(words: _Words, *, in_folder: bool) -> Iterator[tuple[_Words, bool]]:
    """Yield what a picture may be called whose mask has a name, and whether that says mask.

    Parameters
    ----------
    in_folder
        Whether its folder says that there are masks in it.
    """
    if in_folder:
        yield words, False
    said = False
    for end in range(len(words) - 1, 0, -1):
        # 1_mask_2.png may be the second mask of 1.jpg.
        if words[end] not in _KNOWN and not (words[end].isdigit() and end > 1):
            break
        said = said or words[end] in _OF_MASKS
        if said or in_folder:
            yield words[:end], said
    said = False
    for start in range(1, len(words)):
        if words[start - 1] not in _KNOWN:
            break
        said = said or words[start - 1] in _OF_MASKS
        if said or in_folder:
            yield words[start:], said


class _Folder:
    """What the folders that a file is in say of what it may be a mask of.

    Attributes
    ----------
    names
        Those of a picture, without those that only say that it is one.
    marks
        How many of them say that there are masks in them.
    keys
        The names of folders of pictures of which it may hold masks.
    holes
        The same without one of them, and which.
    """

    def __init__(self, path: str) -> None:
        parts = [_folder(it) for it in _PARTS.split(path)]
        self.names = tuple(words for _, words in parts if words)
        self.marks = sum(is_marked for is_marked, _ in parts)
        keys, holes = [], []
        for first in [at for at, (is_marked, _) in enumerate(parts) if is_marked]:
            # Marks before it may be part of what the pictures' folders are called, too.
            before = [words for _, words in parts[:first] if words]
            after = parts[first:]
            named = (*before, *(words for _, words in after if words))
            plain = (*before, *(words for is_marked, words in after if words and not is_marked))
            # "train_masks" are those of "train", "nuclei_masks" of all.
            keys += [named, plain]
            if named == plain:
                # "ground_truth/broken" stands for "test/broken".
                holes.append((len(before), plain))
        self.keys, self.holes = list(dict.fromkeys(keys)), holes
        if not self.marks:
            self.keys = [self.names]


@dataclass(frozen=True, slots=True)
class _File:
    """A file by its name: where it is, and how often it says that it is a mask."""

    path: str
    folder: _Folder
    words: _Words
    count: int
    stems: Sequence[_Words] = ()

    @classmethod
    def of(cls, path: str, folder: _Folder, stem: str, *, may_be_mask: bool) -> "_File":
        words = _words(stem)
        if not may_be_mask:
            return cls(path, folder, words, folder.marks)
        stems = dict(_stems_of_mask(words, in_folder=folder.marks > 0))
        return cls(path, folder, words, folder.marks + any(stems.values()), list(stems))


def mask_pairs(paths: Sequence[str]) -> dict[str, str]:
    """Return which pictures may be masks of others among them, and of which, by their names.

    Examples
    --------
    >>> mask_pairs(["/d/images/1.jpg", "/d/masks/1.png", "/d/a.jpg", "/d/a_mask.png"])
    {'/d/masks/1.png': '/d/images/1.jpg', '/d/a_mask.png': '/d/a.jpg'}
    >>> mask_pairs(["/d/test/broken/1.png", "/d/ground_truth/broken/1_mask.png"])
    {'/d/ground_truth/broken/1_mask.png': '/d/test/broken/1.png'}
    >>> mask_pairs(["/d/masks/1.png", "/d/b_mask.png"])
    {}
    """
    # What folders above all of them are called says nothing of one of them.
    start = _length_of_common(paths)
    # Many in one text, as most sets have no masks.
    many = range(0, len(paths), _PATHS_AT_A_TIME)
    texts = ("\n".join([it[start:] for it in paths[at : at + _PATHS_AT_A_TIME]]) for at in many)
    if not any(map(_may_say_mask, texts)):
        return {}
    folders: dict[str, _Folder] = {}
    files = []
    for path in paths:
        above, name = path[start : (at := _start_of_name(path))], path[at:]
        folder = folders.get(above) or folders.setdefault(above, _Folder(above))
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        may_be = folder.marks > 0 or _may_say_mask(stem)
        files.append(_File.of(path, folder, stem, may_be_mask=may_be))
    left = [it for it in files if it.count]
    found: dict[str, _File] = {}
    for by_holes in (False, True):
        holes = {hole for it in left for hole, _ in it.folder.holes} if by_holes else {-1}
        pictures = _Pictures(files, {stem for it in left for stem in it.stems}, holes)
        for it in left:
            keys = it.folder.holes if by_holes else [(-1, names) for names in it.folder.keys]
            if (picture := pictures.of(it, keys)) is not None:
                found[it.path] = picture
        left = [it for it in left if it.path not in found]
    common = {_words(it) for it in _PARTS.split(paths[0][:start])}
    found |= _alone_beside(left, files, common)
    return {mask: picture.path for mask, picture in found.items()}


_PATHS_AT_A_TIME = 65_536


def _may_say_mask(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _IN_NAMES_OF_MASKS)


def _start_of_name(path: str) -> int:
    return 1 + max(path.rfind("/"), path.rfind("\\"))


def _length_of_common(paths: Sequence[str]) -> int:
    """Return how much of all paths is the folder that holds them all."""
    if not paths:
        return 0
    both = os.path.commonprefix([min(paths), max(paths)])  # noqa: RUF071
    return 1 + max(map(both.rfind, "/\\"))


class _Pictures:
    """Pictures by what masks call them, looked up by folders and stem."""

    def __init__(self, files: Sequence[_File], wanted: set[_Words], holes: set[int]) -> None:
        self._found: defaultdict[tuple[int, _Key], list[_File]] = defaultdict(list)
        for it in files:
            names = it.folder.names
            for stem in _stems_of_picture(it.words) & wanted:
                for hole in holes:
                    if hole < 0:
                        self._found[hole, (names, stem)].append(it)
                    elif hole < len(names):
                        self._found[hole, (names[:hole] + names[hole + 1 :], stem)].append(it)

    def of(self, mask: _File, keys: Iterable[tuple[int, tuple[_Words, ...]]]) -> _File | None:
        """Return the picture of a mask, by the first key under which there is one."""
        for hole, names in keys:
            for stem in mask.stems:
                there = self._found.get((hole, (names, stem)), ())
                if less := [it for it in there if it.count < mask.count]:
                    return min(less, key=lambda it: (it.count, it.path))
        return None


def _alone_beside(
    masks: Sequence[_File], files: Sequence[_File], common: set[_Words]
) -> dict[str, _File]:
    """Return the pictures of masks whose folder is beside that of one picture, as it is called.

    Such masks have any name, as in ``7f3/masks`` beside ``7f3/images/7f3.png``.
    """
    wanted = {names for it in masks for _, names in it.folder.holes}
    beside: defaultdict[tuple[_Words, ...], list[_File]] = defaultdict(list)
    for it in files:
        names = it.folder.names
        if names in wanted and (it.words in names or it.words in common):
            beside[names].append(it)
    found = {}
    for mask in masks:
        for _, names in mask.folder.holes:
            less = [it for it in beside.get(names, ()) if it.count < mask.count]
            if len(less) == 1:
                found[mask.path] = less[0]
    return found
