"""Files that have several names: hard links, symbolic links, and folders under other names."""

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import polars as pl

from dedup_widgets._paths import absolute, native
from dedup_widgets.frame.same_file import NAME


def same_files(
    paths: Sequence[str] | pl.Series,
    known: Mapping[str, int] | None = None,
    first: Collection[str] = (),
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
    listed = known or {}
    # Numbers in a column: identities of a million files as objects take some hundred megabytes.
    inodes = np.fromiter(
        ((listed[path] if path in listed else _identity(path)[1]) % 2**64 for path in paths),
        np.uint64,
    )
    each, times = np.unique(inodes[inodes > 0], return_counts=True)
    doubtful = np.flatnonzero(np.isin(inodes, each[times > 1])).tolist()
    names: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for path in dict.fromkeys(paths[row] for row in doubtful):
        if (identity := _identity(path)) != _UNKNOWN:
            names[identity].append(path)
    return [
        sorted(its, key=lambda it: (it not in first, _is_link(it), it.count(os.sep), it))
        for its in names.values()
        if len(its) > 1
    ]


def column_of_same_files(paths: Sequence[str] | pl.Series) -> pl.Series | None:
    """Return the column ``same_file``: of a further name of a file, the path that names it too.

    None where each path is the only one of its file.
    """
    further = {name: its[0] for its in same_files(paths) for name in its[1:]}
    if not further:
        return None
    return pl.Series(NAME, [further.get(path) for path in paths], dtype=pl.String)


_UNKNOWN = 0, 0


def _identity(path: str) -> tuple[int, int]:
    """Return the device and the inode of a file, or of what a link leads to."""
    if "://" in path:
        return _UNKNOWN
    try:
        status = os.stat(native(absolute(path)))  # noqa: PTH116
    except (OSError, ValueError):
        return _UNKNOWN
    is_known = status.st_ino and stat.S_ISREG(status.st_mode)
    return (status.st_dev, status.st_ino) if is_known else _UNKNOWN


def _is_link(path: str) -> bool:
    return os.path.islink(native(absolute(path)))  # noqa: PTH114
