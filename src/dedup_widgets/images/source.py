"""Where the bytes of images are read from.

All other modules handle paths and bytes only, and ask :func:`source_for` where they come from, so a
source other than the local disk is one more class with the two methods of `Source`.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dedup_widgets._paths import native
from dedup_widgets.errors import ImageError
from dedup_widgets.images.formats import sniff

MAX_BYTES = 2**31
"""Bytes of the largest file that is read: no picture within the pixel limit needs more."""


_BYTES_READ_AT_ONCE, _BYTES_SNIFFED = 2**22, 2**12
"""Length of a file up to which it is read whole before anything is known of it, and the bytes by
which it is told of a longer one that it is no picture."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a file without reading it.

    Attributes
    ----------
    path : str
        The path as it was asked for.
    size : int
        Bytes.
    version : str
        Changes whenever the content does: of a local file the time of the last change, in
        nanoseconds since 1970; elsewhere a text that is no number, such as a tag of an object.
    device : int, optional
        The number of its disk, within which files can be hardlinked; not compared.
    stamp : str
        What else tells of a local file that it changed, for programs keep sizes and dates; not
        compared but by :meth:`is_unchanged`.
    """

    path: str
    size: int
    version: str
    device: int | None = field(default=None, compare=False)
    stamp: str = field(default="", compare=False)

    def is_unchanged(self, since: "Entry") -> bool:
        """Tell whether a file is what it was when it was looked up earlier."""
        return self == since and (self.stamp == since.stamp or _was_linked(self.stamp, since.stamp))


def _was_linked(stamp: str, before: str) -> bool:
    """Tell whether a file is the same with another number of hardlinks, as datasets make them.

    That changes the time of the last change of its inode, too.
    """
    (file, links, _), (old_file, old_links, _) = (
        (*s.split(), "", "", "")[:3] for s in (stamp, before)
    )
    return file == old_file and links != old_links


class Source(Protocol):
    """A place that holds images, such as the local disk or an object store.

    Its methods are called in several threads at once.
    """

    def read(self, path: str) -> bytes:
        """Return the whole content of `path`; raise `ImageError` if that is impossible."""
        ...

    def stat(self, path: str) -> Entry:
        """Return size and version of `path`; raise `ImageError` if that is impossible."""
        ...


SourceFor = Callable[[str], Source]
"""What tells where a path is read from: :func:`source_for`."""


class LocalFiles:
    """The local disk as a `Source`.

    Examples
    --------
    >>> LocalFiles().read("no-such.jpg")
    Traceback (most recent call last):
    ...
    dedup_widgets.ImageError: no-such.jpg: does not exist; check the path, or scan again
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
            If it is missing, may not be read, is no regular file (a folder, a pipe), is longer
            than `MAX_BYTES`, or is long and does not begin as a picture. The text names the file
            and what to do.
        """
        size = self.stat(path).size
        if size > MAX_BYTES:
            raise ImageError(
                f"{path}: too large to be a picture ({size / 2**30:.1f} GiB, "
                f"limit {MAX_BYTES / 2**30:.0f}); take it out of the input"
            )
        try:
            with open(native(path), "rb") as file:  # noqa: PTH123
                if size > _BYTES_READ_AT_ONCE:
                    start = file.read(_BYTES_SNIFFED)
                    file.seek(-_BYTES_SNIFFED, os.SEEK_END)
                    sniff(start + file.read(_BYTES_SNIFFED))
                    file.seek(0)
                # Not all that a file has that grows meanwhile.
                return file.read(size + 1)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
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
            Size, version and disk; of the target, for a symbolic link.

        Raises
        ------
        ImageError
            If it is missing, may not be looked up, or is no regular file.
        """
        try:
            status = os.stat(native(path))  # noqa: PTH116
        except (OSError, ValueError) as error:
            raise ImageError(_why_unreadable(path, error)) from error
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(_why_unreadable(path, IsADirectoryError()))
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for its writer forever.
            raise ImageError(f"{path}: is not a regular file; take it out of the input")
        stamp = f"{status.st_ino} {status.st_nlink} {status.st_ctime_ns}"
        return Entry(path, status.st_size, str(status.st_mtime_ns), status.st_dev, stamp)


_LOCAL = LocalFiles()
_elsewhere: dict[str, Source] = {}


def set_source(prefix: str, source: Source | None) -> None:
    """Let paths that begin with a prefix, such as ``"s3://"``, be read from a source; None: not."""
    if source is None:
        _elsewhere.pop(prefix, None)
    else:
        _elsewhere[prefix] = source


def source_for(path: str) -> Source:
    """Return what reads a path: the local disk, unless its prefix was given to another source."""
    for prefix, source in _elsewhere.items():
        if path.startswith(prefix):
            return source
    return _LOCAL


def _why_unreadable(path: str, error: Exception) -> str:
    """Say which file cannot be read, why, and what to do."""
    match error:
        case FileNotFoundError() | NotADirectoryError() if "://" in path:
            reason = "is no local file; download it, and pass the path of the file"
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
