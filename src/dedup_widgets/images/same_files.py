"""Files that have several names: hard links, symbolic links, and folders under other names."""

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from dedup_widgets._paths import absolute, native
from dedup_widgets.frame.same_file import NAME


def same_files(
    paths: Sequence[str], known: Mapping[str, int] | None = None, first: Collection[str] = ()
) -> list[list[str]]:
    """Return the names of each file that has several among some paths, its own name first.

    That is one of `first`, then one that is no symbolic link, then the one least deep in folders.
    Two files are one by their device and inode; where a disk has no inodes, and elsewhere than on
    this machine, nothing is known.

    Parameters
    ----------
    paths
        Of files; one that is not there is no other's.
    known
        The inodes of some of them that are no symbolic links, as a listing tells them: files are
        only looked up where one occurs repeatedly.
    first
        Some of the paths.
    """
    inodes = known or {}
    found = {path: _identity(path) for path in paths if path not in inodes}
    times = Counter(inodes[path] for path in paths if path in inodes)
    times.update(it[1] for it in found.values() if it is not None)
    doubtful = [path for path in paths if path in inodes and times[inodes[path]] > 1]
    found.update((path, _identity(path)) for path in doubtful)
    names: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for path, identity in found.items():
        if identity is not None:
            names[identity].append(path)
    return [
        sorted(its, key=lambda it: (it not in first, _is_link(it), it.count(os.sep), it))
        for its in names.values()
        if len(its) > 1
    ]


def column_of_same_files(paths: Sequence[str]) -> pl.Series | None:
    """Return the column ``same_file``: of a further name of a file, the path that names it too.

    None where each path is the only one of its file.
    """
    further = {name: its[0] for its in same_files(paths) for name in its[1:]}
    if not further:
        return None
    return pl.Series(NAME, [further.get(path) for path in paths], dtype=pl.String)


def _identity(path: str) -> tuple[int, int] | None:
    """Return the device and the inode of a file, or of what a link leads to."""
    if "://" in path:
        return None
    try:
        status = os.stat(native(absolute(path)))  # noqa: PTH116
    except (OSError, ValueError):
        return None
    is_known = status.st_ino and stat.S_ISREG(status.st_mode)
    return (status.st_dev, status.st_ino) if is_known else None


def _is_link(path: str) -> bool:
    return os.path.islink(native(absolute(path)))  # noqa: PTH114
