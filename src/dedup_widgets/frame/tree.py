"""What a tree of folders says of its images: their split, and their class."""

import re
from collections.abc import Sequence
from itertools import groupby

import polars as pl

_SPLIT = re.compile(
    r"(?i)(\w+[-_ ])?(train|training|trainval|test|testing|val|valid|validation|dev|eval"
    r"|evaluation|holdout|held_out)([-_ ]?(set|split|images?|imgs?|data|\d+))?"
)
"""Names of folders that hold the images of a split."""


_OF_PICTURES = frozenset({"images", "image", "imgs", "img", "jpegimages", "pictures", "photos"})
"""Names of folders that say no more than what lies in them, as beside ``labels/``."""


_NO_CLASS = re.compile(
    # What people and cameras call folders of photos: dates, devices, programs, states of work.
    r"(?i)(19|20)\d\d([-_. ]?\d\d)*([-_. ].*)?|\d\d[-_. ]\d\d[-_. ](19|20)?\d\d|\d{3}[a-z_]{3,5}\w*"
    r"|(dcim|camera|phone|iphone|android|whatsapp|telegram|screenshots?|scans?|downloads?|desktop"
    r"|import(ed|s)?|export(ed|s)?|edit(ed|s)?|originals?|raws?|jpe?gs?|pngs?|web|print|final"
    r"|backups?|archives?|old|new|misc|other|unsorted|inbox|todo|tmp|temp|share[ds]?|library"
    r"|copy|copies|duplicates?|thumb(nail)?s?|previews?|small|large|full|low|high|datasets?"
    r"|deep|sub|folders?|dirs?|in|out|left|right|front|back|albums?|holidays?|album|data|set"
    r"|labels?|annotations?|results?|[a-z]|(ch|chapter|vol|volume|part|page|pages|scene"
    r"|seq|sequence|clip|video|batch|day|session|frames?|patient|subject|run|disc|cd|dvd|nas|usb"
    r"|hdd|ssd|sd|disk|drive|card|roll|film|set|series|issue|book)[-_ .]?\d*)"
)


def columns_of_tree(paths: Sequence[str], root: str | None, *, sure: bool = False) -> pl.DataFrame:
    """Return the splits and the classes that the folders of images name.

    The tree is clear where every image lies in a folder of a split (``train/cat/1.jpg``,
    ``train/1.jpg``, ``images/train/1.jpg``, ``cat/train/1.jpg``; but for what lies beside the
    folders of several splits), or where every image lies in
    a folder of a class and no folder is called by a date, a device or the like.

    Parameters
    ----------
    paths
        Absolute paths.
    root
        The folder that was searched; None where there is none, which says nothing.
    sure
        Whether folders are labels in any case: then the last folder of each image names its class.

    Returns
    -------
    pl.DataFrame
        With ``split`` and ``label``, one row a path, or none of both.

    Examples
    --------
    >>> columns_of_tree(["/d/train/cat/1.jpg", "/d/test/dog/2.jpg"], "/d").rows()
    [('train', 'cat'), ('test', 'dog')]
    >>> columns_of_tree(["/d/2019/1.jpg", "/d/2020/2.jpg"], "/d").columns
    []
    """
    if root is None or not paths:
        return pl.DataFrame()
    # What is told follows from the folder alone, and there are fewer of these.
    number: dict[str, int] = {}
    heads = (re.sub(r"[^/\\]*$", "", path[len(root) :]).lstrip("/\\")[:-1] for path in paths)
    folder = [number.setdefault(head, len(number)) for head in heads]
    below = [re.split(r"[/\\]", head) if head else [] for head in number]
    below = [[name for name in parts if name.lower() not in _OF_PICTURES] for parts in below]
    # A folder in one of its own name, as archives are unpacked, says nothing new.
    below = [[name for name, _ in groupby(parts)] for parts in below]
    below = _without_common(below)
    columns = {}
    if (level := _level_of_splits(below)) is not None:
        # Names of splits are words.
        named = [parts[level] if parts else None for parts in below]
        splits = [name and re.sub(r"\W", "_", name) for name in named]
        columns["split"] = pl.Series(splits, dtype=pl.String)
        below = [parts[:level] + parts[level + 1 :] for parts in below]
    if sure:
        labels = [parts[-1] if parts else None for parts in below]
        columns["label"] = pl.Series(labels, dtype=pl.String)
    elif all(len(parts) == 1 or (not parts and "split" in columns) for parts in below):
        # Of some sets the images to test on have no classes.
        names = {parts[0] for parts in below if parts}
        is_clear = "split" in columns or not any(
            _SPLIT.fullmatch(name) or _NO_CLASS.fullmatch(name) for name in names
        )
        if len(names) > 1 and is_clear:
            labels = [parts[0] if parts else None for parts in below]
            columns["label"] = pl.Series(labels, dtype=pl.String)
    return pl.DataFrame(columns).select(pl.all().gather(folder))


def _level_of_splits(below: list[list[str]]) -> int | None:
    """Return at which level all folders are called by splits: the first, or the second."""
    # What lies at the top beside several splits is in none of them.
    names = {parts[0] for parts in below if parts}
    if len(names) > 1 and all(map(_SPLIT.fullmatch, names)):
        return 0
    for level in (0, 1):
        if all(len(parts) > level and _SPLIT.fullmatch(parts[level]) for parts in below):
            # Below other folders one name alone, such as `test`, may mean anything.
            return level if level == 0 or len({parts[level] for parts in below}) > 1 else None
    return None


def _without_common(below: list[list[str]]) -> list[list[str]]:
    """Return the folders of each image below the last that holds them all and names no split."""
    while all(parts for parts in below):
        first = below[0][0]
        if _SPLIT.fullmatch(first) or any(parts[0] != first for parts in below):
            break
        # The last folder, if all lie in it, is no class among others.
        below = [parts[1:] for parts in below]
    return below
