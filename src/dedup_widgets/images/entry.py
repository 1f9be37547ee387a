"""What is known of a file without reading it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

MAX_BYTES = 2**31
"""Bytes of the largest file that is read: no picture within the pixel limit needs more."""


FILE = {"path": pl.String, "size": pl.UInt64, "version": pl.String}
"""What is known of files, as columns."""


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
        Empty where it is not known.
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
        """Tell whether a file is what it was when it was looked up earlier.

        Where nothing tells of a change, as on some web servers, it may have changed.
        """
        return (
            bool(self.version)
            and self == since
            and (self.stamp == since.stamp or _was_linked(self.stamp, since.stamp))
        )


def as_columns(entries: Iterable[Entry]) -> pl.DataFrame:
    """Return what is known of files as a frame with the columns of :data:`FILE`."""
    rows = [(it.path, it.size, it.version) for it in entries]
    return pl.DataFrame(rows, schema=FILE, orient="row")


def _was_linked(stamp: str, before: str) -> bool:
    """Tell whether a file is the same with another number of hardlinks, as datasets make them.

    That changes the time of the last change of its inode, too.
    """
    (file, links, _), (old_file, old_links, _) = (
        (*s.split(), "", "", "")[:3] for s in (stamp, before)
    )
    return file == old_file and links != old_links
