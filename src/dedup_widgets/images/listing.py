"""Finding the images of a folder, a glob or a list."""

import fnmatch
import glob
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from dedup_widgets._paths import absolute, as_unicode
from dedup_widgets.errors import InputError

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    }
)
"""Suffixes (lower case) of the files that a folder or a glob pattern lists."""


def find_images(where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """List the images of a folder, a glob pattern or a sequence.

    Parameters
    ----------
    where : path-like, or sequence of path-like
        - A directory: searched with all its subdirectories. Symbolic links to directories are
          followed, each real directory once, so that loops end. Hidden files and directories
          and files without a suffix of `IMAGE_SUFFIXES` (any case) are left out.
        - A glob pattern such as ``"photos/**/*.jpg"``, under the same rules. A directory or
          file whose own name contains ``*?[`` takes precedence over the pattern.
        - A single file.
        - A sequence of paths: kept as given and in order, whatever they name; only repetitions
          of one path, however spelled, are dropped.

        A symbolic link to a file that is also found under its own name is left out: a link is
        not a copy, so neither of them may be removed as a duplicate of the other.

        A leading ``~`` stands for the home folder, except in sequences, where it is kept
        (`LocalFiles` expands it on reading).

    Returns
    -------
    list of str
        Absolute and sorted, or as given for a sequence. Empty if nothing matches. A name that
        is no valid Unicode is listed with escapes, by which `LocalFiles` finds it.

    Raises
    ------
    InputError
        If a directory or file of that name does not exist, or `where` is of another type.

    Warns
    -----
    UserWarning
        For every subdirectory that cannot be read; the search goes on.

    Examples
    --------
    >>> find_images(["b.jpg", "a.jpg", "b.jpg"])
    ['b.jpg', 'a.jpg']
    """
    if not isinstance(where, (str, os.PathLike)):
        try:
            paths = [as_unicode(os.fsdecode(path)) for path in where]
        except TypeError as error:
            raise InputError(
                f"images must be a directory, a glob pattern or paths, not {where!r} ({error})"
            ) from error
        first: dict[str, str] = {}
        for path in paths:
            first.setdefault(absolute(path), path)
        return list(first.values())
    given = os.fspath(where)
    path = os.path.abspath(os.path.expanduser(given))  # noqa: PTH100, PTH111
    if not given:
        raise InputError("images is an empty string; pass a directory, '.' for this one")
    if os.path.isdir(path):  # noqa: PTH112
        found = list(_images_in(_folders_below([path])))
    elif os.path.lexists(path):
        found = [path]
    elif glob.has_magic(path):
        found = list(_matches(path))
    else:
        raise InputError(f"{given}: no such directory or file; check the path (seen as {path})")
    return sorted({as_unicode(path) for path in _without_links_to_listed(found)})


def _without_links_to_listed(paths: list[str]) -> Iterator[str]:
    """Yield the paths without links to files that are among them, or to which another link is."""
    links = [path for path in paths if os.path.islink(path)]  # noqa: PTH114
    if not links:
        yield from paths
        return
    files = set(paths) - set(links)
    seen = {os.path.realpath(path) for path in files}
    yield from files
    for link in sorted(links):
        target = os.path.realpath(link)
        if target not in seen:
            seen.add(target)
            yield link


def _matches(pattern: str) -> Iterator[str]:
    """Yield the images that match an absolute glob pattern."""
    # glob.glob would follow a loop of links 40 levels deep, and silently skip unreadable folders.
    root, *parts = Path(pattern).parts
    folders = [root]
    while not glob.has_magic(parts[0]):
        folders = [os.path.join(folders[0], parts.pop(0))]  # noqa: PTH118
    *between, last = parts
    for part in between:
        if part == "**":
            folders = list(_folders_below(folders))
        else:
            folders = [
                entry.path
                for folder in folders
                for entry in _children(folder)
                if _fits(entry.name, part) and _is_folder(entry)
            ]
    if last == "**":
        folders, last = list(_folders_below(folders)), "*"
    return _images_in(folders, last)


def _images_in(folders: Iterator[str] | Sequence[str], pattern: str = "*") -> Iterator[str]:
    """Yield the images directly in folders whose names match a pattern."""
    for folder in folders:
        for entry in _children(folder):
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
            if suffix in IMAGE_SUFFIXES and _fits(entry.name, pattern) and not _is_folder(entry):
                yield entry.path


def _folders_below(tops: Sequence[str]) -> Iterator[str]:
    """Yield `tops` and every directory below them, each real directory once."""
    seen: set[tuple[int, int]] = set()
    waiting = sorted(tops, reverse=True)
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116
        except OSError as error:
            _warn_skipped(folder, error)
            continue
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            continue
        seen.add(identity)
        below = [e.path for e in _children(folder) if _fits(e.name, "*") and _is_folder(e)]
        waiting += sorted(below, reverse=True)
        yield folder


def _children(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        _warn_skipped(folder, error)
        return []


def _fits(name: str, pattern: str) -> bool:
    """Tell whether a name matches a pattern; hidden names need a pattern that begins with a dot."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatch(name, pattern)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _warn_skipped(folder: str, error: OSError) -> None:
    warnings.warn(
        f"{as_unicode(folder)}: this directory was left out ({error.strerror}); "
        "make it readable and scan again",
        stacklevel=2,
    )
