"""What lies below a folder of an object store, under the rules for folders of the disk."""

import glob
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from dedup_widgets._paths import as_unicode
from dedup_widgets._urls import split_url
from dedup_widgets.errors import InputError
from dedup_widgets.images.entry import Entry, as_columns
from dedup_widgets.images.formats import IMAGE_SUFFIXES
from dedup_widgets.images.left_out import (
    BIN,
    DATASET,
    HIDDEN,
    HIDDEN_FOLDER,
    MADE_BY_US,
    fits,
    is_left_out,
)
from dedup_widgets.images.object_store import check_installed
from dedup_widgets.images.source import store_for


@dataclass
class Objects:
    """Objects below a folder, and what was not taken.

    Attributes
    ----------
    root
        The folder, without a slash at its end; None for a pattern.
    entries
        What is known of each, as :data:`~dedup_widgets.images.entry.FILE` has it.
    not_taken
        See :data:`~dedup_widgets.images.listing.NotTaken`.
    """

    root: str | None
    entries: pl.DataFrame = field(default_factory=lambda: as_columns([]))
    not_taken: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def objects_at(url: str) -> Objects | None:
    """List what a bucket, a folder or a pattern stands for; None for a single object.

    Parameters
    ----------
    url
        Such as ``"s3://bucket/photos"`` or ``"s3://bucket/photos/**/*.jpg"``.

    Raises
    ------
    InputError
        If nothing lies there, or it cannot be listed.
    """
    _, bucket, key = split_url(url)
    if not bucket:
        raise InputError(f"{url[:200]} names no bucket; pass one, such as 's3://bucket/photos'")
    check_installed()
    store = store_for(url)
    root = url.rstrip("/")
    listed = store.below(root + "/")
    if len(listed):
        return _taken(listed, root, ["**", "*"], Objects(root))
    if glob.has_magic(key):
        *parts, last = root.split("/")
        fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
        above = "/".join(parts[:fixed])
        pattern = [*parts[fixed:], last]
        listed = store.below(above + "/")
        if (listed["path"] == url).any():  # What has just this name comes before the pattern.
            return None
        return _taken(listed, above, pattern, Objects(None))
    if not key:
        return Objects(root)
    if url.endswith("/"):
        raise InputError(f"{url[:200]}: no object lies there; check the name of the folder")
    (found,) = store.look_up([url])
    if not isinstance(found, Entry):
        raise InputError(str(found))
    return None


def _taken(listed: pl.DataFrame, above: str, pattern: Sequence[str], found: Objects) -> Objects:
    """Take those objects that match a pattern below a folder, and are not left out."""
    names_in: defaultdict[str, set[str]] = defaultdict(set)
    for path in listed["path"]:
        folder, _, name = path.rpartition("/")
        if name in MADE_BY_US:
            names_in[folder].add(name)
    datasets = {f for f, names in names_in.items() if names >= MADE_BY_US and f != above}
    passed_by: dict[str, str | None] = {}

    def why_passed_by(folder: str) -> str | None:
        """Return why a folder or one above it is left out; the first time it is counted."""
        if len(folder) <= len(above):
            return None
        if folder not in passed_by:
            parent, _, name = folder.rpartition("/")
            why = why_passed_by(parent)
            if why is None:
                if is_left_out(name, parent.rpartition("/")[2]):
                    why = BIN
                elif name.startswith("."):
                    why = HIDDEN_FOLDER
                elif folder in datasets:
                    why = DATASET
                if why:
                    found.not_taken[why][as_unicode(name)] += 1
            passed_by[folder] = why
        return passed_by[folder]

    is_taken = np.zeros(len(listed), np.bool_)
    for row, (path, size) in enumerate(listed.select("path", "size").iter_rows()):
        folder, _, name = path.rpartition("/")
        suffix = os.path.splitext(name)[1].lower() or "without a suffix"  # noqa: PTH122
        # Consoles make an empty object for a folder.
        is_marker = size == 0 and suffix == "without a suffix"
        below = path[len(above) + 1 :].split("/")
        if is_marker or why_passed_by(folder) or not _fits(below, pattern):
            continue
        if name.startswith(".") and not pattern[-1].startswith("."):
            if suffix in IMAGE_SUFFIXES and not name.startswith("._"):
                found.not_taken[HIDDEN][suffix] += 1
        else:
            is_taken[row] = True
    found.entries = listed.filter(is_taken)
    return found


def _fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether the names of a path match a pattern, name by name."""
    if not pattern:
        return not names
    first, *rest = pattern
    if first == "**":
        if not rest:
            return True
        return _fits(names, rest) or (len(names) > 1 and _fits(names[1:], pattern))
    is_last = len(names) == 1 and not rest
    # That a file is hidden is counted.
    name = names[0].removeprefix(".") if is_last and names else names[0] if names else ""
    return bool(names) and fits(name, first) and _fits(names[1:], rest)
