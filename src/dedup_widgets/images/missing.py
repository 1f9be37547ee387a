"""Files that are not there any more."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._paths import absolute
from dedup_widgets.images.source import LocalFiles, source_for

Item = TypeVar("Item")

_AT_ONCE, _SECONDS_BETWEEN = 200, 0.0002
"""Files that are looked for without a pause, and how long that is: other threads come to their turn
at once, and not after Python's five milliseconds each time that they have waited for something."""


def find_missing(paths: Sequence[str]) -> NDArray[np.bool_]:
    """Return which local files do not exist, shape (n,).

    Each folder is listed once; a file that is not in the list, as one in another spelling, is
    looked for by itself.
    """
    missing = np.zeros(len(paths), np.bool_)
    of_folder: dict[str, list[int]] = {}
    files = [absolute(path) for path in _unhurried(paths)]
    for row, path in enumerate(_unhurried(files)):
        if isinstance(source_for(path), LocalFiles):
            of_folder.setdefault(os.path.dirname(path), []).append(row)  # noqa: PTH120
    for folder, rows in of_folder.items():
        try:
            there = set(os.listdir(folder))  # noqa: PTH208
        except OSError:
            there = set()
        for row in _unhurried(rows):
            path = files[row]
            if os.path.basename(path) not in there:  # noqa: PTH119
                missing[row] = not os.path.exists(path)  # noqa: PTH110
    return missing


def _unhurried(items: Iterable[Item]) -> Iterator[Item]:
    for number, item in enumerate(items, 1):
        yield item
        if number % _AT_ONCE == 0:
            time.sleep(_SECONDS_BETWEEN)
