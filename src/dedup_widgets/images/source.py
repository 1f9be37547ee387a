"""Where the bytes of images are read from.

All other modules handle paths and bytes only, and ask :func:`source_for` where they come from, so a
source other than the local disk is one more class with the two methods of `Source`.
"""

import os
import stat
from collections.abc import Callable, Sequence
from typing import Protocol

from dedup_widgets._paths import native
from dedup_widgets._urls import is_far
from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.images.entry import MAX_BYTES, Entry
from dedup_widgets.images.formats import sniff
from dedup_widgets.images.object_store import ObjectStore
from dedup_widgets.images.videos import PREFIX, VideoFrames

_BYTES_READ_AT_ONCE, _BYTES_SNIFFED = 2**22, 2**12
"""Length of a file up to which it is read whole before anything is known of it, and the bytes by
which it is told of a longer one that it is no picture."""


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
        if not size:
            return b""  # what the system makes as it is read counts as empty, and may never end
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
_FAR = ObjectStore()
_VIDEOS = VideoFrames()
_elsewhere: dict[str, Source] = {}


def set_source(prefix: str, source: Source | None) -> None:
    """Let paths that begin with a prefix be read from a source; None: as they were before.

    Parameters
    ----------
    prefix
        Such as ``"s3://"`` or ``"s3://a-bucket"``.
    source
        For example ``ObjectStore(endpoint="https://…", skip_signature=True)``, of
        :mod:`dedup_widgets.images.object_store`.
    """
    if source is None:
        _elsewhere.pop(prefix, None)
    else:
        _elsewhere[prefix] = source


def source_for(path: str) -> Source:
    """Return what reads a path: a source that its prefix was given to, else by what it is."""
    if "://" not in path:
        return _LOCAL
    for prefix, source in _elsewhere.items():
        if path.startswith(prefix):
            return source
    if path.startswith(PREFIX):
        return _VIDEOS
    return _FAR if is_far(path) else _LOCAL


def store_for(url: str) -> ObjectStore:
    """Return what lists a folder of an object store."""
    source = source_for(url)
    if not isinstance(source, ObjectStore):
        raise InputError(
            f"{url[:200]}: what reads it lists no folders; pass the paths of its files"
        )
    return source


def first_bytes(
    entries: Sequence[Entry], length: int, is_wanted: Callable[[str, bytes], bool]
) -> list[bytes]:
    """Return the first bytes of files that lie elsewhere; none of what cannot be read.

    Those of which `is_wanted` says so, by path and first bytes, are fetched next.
    """
    heads: dict[str, bytes] = {}
    by_source: dict[ObjectStore, list[Entry]] = {}
    for entry in entries:
        by_source.setdefault(store_for(entry.path), []).append(entry)
    for source, its in by_source.items():
        for entry, head in zip(its, source.starts(its, length, is_wanted), strict=True):
            heads[entry.path] = head if isinstance(head, bytes) else b""
    return [heads[entry.path] for entry in entries]


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
