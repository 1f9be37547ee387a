"""Whether what is called a mask of a picture looks like one: its shape, and few tones."""

import os
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import shown, size_of
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.source import source_for

MAX_LOOKED_AT = 16
"""Masks of one folder that are looked at; more are what these are."""


MAX_PIXELS = 50_000_000
"""Pixels of a mask that is looked at: it is decoded to see whether it is one."""


MOST_TONES = 32
"""Tones that make up nearly all of a mask."""


LEAST_IN_TONES, LEAST_FLAT = 0.9, 0.6
"""Share of the pixels of a mask that have these tones, and that are like the one before."""


_ROWS, _COLUMNS = 256, 4096
_CHANGE_OF_SHAPE = 0.02


def confirmed_masks(pairs: dict[str, str], files: Files) -> dict[str, str]:
    """Return those of some masks and their pictures that look like it.

    Of many in one folder some are looked at. Where none can be, their names decide.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for mask, picture in pairs.items():
        groups[_folder_of_masks(mask, picture)].append(mask)
    if len(groups) > MAX_LOOKED_AT:
        by_name: defaultdict[str, list[str]] = defaultdict(list)
        for folder, masks in groups.items():
            by_name[os.path.basename(folder).lower()] += masks  # noqa: PTH119
        groups = by_name
    found: set[str] = set()
    for masks in groups.values():
        found.update(_confirmed([(mask, pairs[mask]) for mask in masks], files))
    return {mask: picture for mask, picture in pairs.items() if mask in found}


def _folder_of_masks(mask: str, picture: str) -> str:
    """Return the folder that all of its masks are in, such as ``gtFine``."""
    both = os.path.commonprefix([mask, picture])  # noqa: RUF071
    start = 1 + max(map(both.rfind, "/\\"))
    ends = [at for at in (mask.find("/", start), mask.find("\\", start)) if at >= 0]
    return mask[: min(ends, default=start)]


def _confirmed(pairs: Sequence[tuple[str, str]], files: Files) -> list[str]:
    step = max(1, len(pairs) // MAX_LOOKED_AT)
    looked = _look_at(pairs[::step], files)
    known = [it for it in looked.values() if it is not None]
    share = sum(known) / len(known) if known else 1
    if step > 1 and not 0.25 < share < 0.75:
        return [mask for mask, _ in pairs] if share > 0.5 else []
    its = looked if step == 1 else _look_at(pairs, files)
    return [mask for mask, is_one in its.items() if is_one or is_one is None]


def _look_at(pairs: Sequence[tuple[str, str]], files: Files) -> dict[str, bool | None]:
    """Tell which pictures look like masks of others; None where that cannot be seen."""
    looked: dict[str, bool | None] = {}
    for pair in pairs:
        mask, picture = files.look_up(pair)
        seen = isinstance(mask, Entry) and isinstance(picture, Entry)
        looked[pair[0]] = _looks_like(mask, picture) if seen else None
    return looked


@lru_cache(maxsize=4096)
def _looks_like(mask: Entry, picture: Entry) -> bool | None:
    files = Files(source_for)
    try:
        data = files.look_at(mask)
        size = size_of(data)
        if size[0] * size[1] > MAX_PIXELS:
            return None
        if not _are_alike(size, size_of(files.look_at(picture))):
            return False
        return _has_few_tones(np.asarray(shown(data)))
    except ImageError:
        return None


def _are_alike(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two pictures have one shape, stored turned or not."""
    a, b = (max(it) / min(it) for it in (size, other))
    return abs(a - b) <= _CHANGE_OF_SHAPE * max(a, b)


def _has_few_tones(pixels: NDArray[np.uint8]) -> bool:
    rows = pixels[:: max(1, len(pixels) // _ROWS), :_COLUMNS]
    tones = rows.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    counts = np.unique(tones, return_counts=True)[1]
    share = np.sort(counts)[-MOST_TONES:].sum() / tones.size
    flat = np.mean(tones[:, 1:] == tones[:, :-1]) if tones.shape[1] > 1 else 1.0
    return bool(share >= LEAST_IN_TONES and flat >= LEAST_FLAT)
