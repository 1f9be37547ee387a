"""Where bytes come from: naming the images of a run, and reading them.

Everything above this module sees paths and bytes only, so a source other than the local
disk is one more class with the two methods of `Source`.
"""

import fnmatch
import glob
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dedup_widgets.errors import ImageError, InputError

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    }
)
"""Suffixes (lower case) of the files that a folder or a glob pattern lists."""

MAX_BYTES = 2**31
"""A longer file is refused unread: no picture within the pixel limit needs as much."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a file without reading it.

    Attributes
    ----------
    path : str
        The path as it was asked for.
    size : int
        Bytes.
    mtime_ns : int
        Time of the last change, in nanoseconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int


class Source(Protocol):
    """A place that holds images: the local disk, and later an object store."""

    def read(self, path: str) -> bytes:
        """Return the whole content of `path`; raise `ImageError` if that is impossible."""
        ...

    def stat(self, path: str) -> Entry:
        """Return size and time of `path`; raise `ImageError` if that is impossible."""
        ...


class LocalFiles:
    """The local disk as a `Source`.

    Examples
    --------
    >>> LocalFiles().read("no-such.jpg")
    Traceback (most recent call last):
    ...
    dedup_widgets.errors.ImageError: no-such.jpg: does not exist; check the path, or scan again
    """

    def read(self, path: str) -> bytes:
        """Read a file.

        Parameters
        ----------
        path : str
            A local path; a leading ``~`` stands for the home folder.

        Returns
        -------
        bytes
            The whole content.

        Raises
        ------
        ImageError
            If it is missing, may not be read, is no regular file (a folder, a pipe), or is
            longer than `MAX_BYTES`. The text names the file and what to do.
        """
        size = self.stat(path).size
        if size > MAX_BYTES:
            raise ImageError(
                f"{path}: too large to be a picture ({size / 2**30:.1f} GiB, "
                f"limit {MAX_BYTES / 2**30:.0f}); take it out of the input"
            )
        try:
            with open(_native(path), "rb") as file:  # noqa: PTH123
                return file.read()
        except (OSError, MemoryError) as error:
            raise ImageError(_why_unreadable(path, error)) from error

    def stat(self, path: str) -> Entry:
        """Look a file up without reading it.

        Parameters
        ----------
        path : str
            A local path; a leading ``~`` stands for the home folder.

        Returns
        -------
        Entry
            Size in bytes and time of the last change; of the target, for a symbolic link.

        Raises
        ------
        ImageError
            If it is missing, may not be looked up, or is no regular file.
        """
        try:
            status = os.stat(_native(path))  # noqa: PTH116
        except (OSError, ValueError) as error:
            raise ImageError(_why_unreadable(path, error)) from error
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(_why_unreadable(path, IsADirectoryError()))
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for its writer for ever.
            raise ImageError(f"{path}: is not a regular file; take it out of the input")
        return Entry(path, status.st_size, status.st_mtime_ns)


def _why_unreadable(path: str, error: Exception) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            reason = "does not exist; check the path, or scan again"
        case PermissionError():
            reason = "permission denied; make the file readable for this user"
        case IsADirectoryError():
            reason = "is a directory; pass it alone to score the images in it"
        case MemoryError():
            reason = "does not fit into memory; use fewer workers"
        case OSError() if error.strerror:
            reason = f"cannot be read ({error.strerror}); check the disk or the link"
        case _:
            reason = f"cannot be read ({error}); check the path"
    return f"{path}: {reason}"


_PLAIN = re.compile(r"(?:/[^/.][^/]*)+")
"""Absolute paths in their one spelling, but for those with a dot after a slash."""


def absolute(path: str) -> str:
    """Return the one spelling of a path under which a store knows the file.

    Parameters
    ----------
    path : str
        A local path, relative or absolute, or a URL, which is left as it is.

    Examples
    --------
    >>> absolute("/photos/../photos/a.jpg")
    '/photos/a.jpg'
    """
    if os.sep == "/" and _PLAIN.fullmatch(path):  # most are, and a frame has many
        return path
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111


def find_images(where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """Name the images of a folder, a glob pattern or a list.

    Parameters
    ----------
    where : path-like, or sequence of path-like
        - A directory: searched with all its subdirectories. Symbolic links to directories are
          followed, each real directory once, so that loops end. Hidden files and directories
          and files without a suffix of `IMAGE_SUFFIXES` (any case) are left out.
        - A glob pattern such as ``"photos/**/*.jpg"``, under the same rules. A directory or
          file whose own name contains ``*?[`` wins over the pattern.
        - A single file.
        - A sequence of paths: kept as given and in order, whatever they name; only repetitions
          of one path, however spelled, are dropped.

        A symbolic link to a file that is found under its own name too is left out: a link is no
        copy, and the file it stands for must not be taken for one.

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
            paths = [_as_unicode(os.fsdecode(path)) for path in where]
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
    return sorted({_as_unicode(path) for path in _without_links_to_listed(found)})


def _without_links_to_listed(paths: list[str]) -> Iterator[str]:
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
    # glob.glob would walk a loop of links up to 40 levels deep and skip unreadable folders
    # in silence.
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
        f"{_as_unicode(folder)}: this directory was left out ({error.strerror}); "
        "make it readable and scan again",
        stacklevel=2,
    )


def _native(path: str) -> str | bytes:
    """Return what the system calls a file: its own bytes where the name is no valid Unicode."""
    path = os.path.expanduser(path)  # noqa: PTH111
    if "\\udc" in path and not os.path.lexists(path):
        escape = re.compile(r"\\udc([89a-f][0-9a-f])")
        return os.fsencode(escape.sub(lambda found: chr(0xDC00 + int(found[1], 16)), path))
    return path


def _as_unicode(path: str) -> str:
    # Frames and JSON hold valid Unicode only; undecodable bytes of a name are lone surrogates.
    return path.encode("utf-8", "backslashreplace").decode()
