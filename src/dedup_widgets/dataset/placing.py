"""Bringing pictures and tables into the folder: as links, copies or shards, if there is room."""

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
from humanize import naturalsize

from dedup_widgets._paths import as_unicode, native
from dedup_widgets.dataset.spec import DatasetSpec, Item, Mode, Place, read_in_order, read_unchanged
from dedup_widgets.dataset.tables import as_parquet
from dedup_widgets.dataset.webdataset import stored_bytes, write_shards
from dedup_widgets.errors import DatasetError

_CANNOT_LINK = {
    errno.EXDEV,
    errno.EPERM,
    errno.EACCES,
    errno.EMLINK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cost(spec: DatasetSpec) -> tuple[dict[str, int], int]:
    """Return how many pictures are placed how, and the bytes that they add to the disk."""
    if spec.format == "webdataset":
        return {"shard": len(spec.items)}, stored_bytes(spec.items)
    if spec.mode == "hardlink":
        device = _existing(spec.path).stat().st_dev
        copies = [item.size for item in spec.items if item.device != device]
        placed = {"hardlink": len(spec.items) - len(copies), "copy": len(copies)}
        return {how: count for how, count in placed.items() if count}, sum(copies)
    return {spec.mode: len(spec.items)}, spec.bytes if spec.mode == "copy" else 0


def check_room(spec: DatasetSpec) -> None:
    """Raise if the pictures do not fit on the disk."""
    _, needed = cost(spec)
    free = free_bytes(spec.path)
    if needed > free:
        raise DatasetError(
            f"{spec.name} needs {naturalsize(needed)}, but only {naturalsize(free)} are free at "
            f"{spec.path.parent}; free some, choose another root=, or mode='hardlink' on the disk "
            "of the pictures. Nothing was written."
        )


def free_bytes(path: Path) -> int:
    """Return the bytes free on the disk where `path` is or would be."""
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    # Path.exists raises where a folder on the way may not be looked into.
    return next(folder for folder in path.parents if os.path.exists(folder))  # noqa: PTH110


def place_all(
    spec: DatasetSpec, folder: Path, shard_bytes: int, step: Callable[[int], object]
) -> tuple[list[Place], dict[str, int]]:
    """Write the pictures; return where each is, in the order of the items, and how many how."""
    for split in spec.splits:
        (folder / split).mkdir()
    if spec.format == "webdataset":
        return write_shards(spec, folder, shard_bytes, step), {"shard": len(spec.items)}
    places, how = [], Counter[str]()
    copied = [item for item in spec.items if _is_copied(item, spec.mode)]
    with read_in_order(copied) as read:
        for item in spec.items:
            target = folder / item.split / item.name
            if _is_copied(item, spec.mode):
                target.write_bytes(next(read))
                how["copy"] += 1
            else:
                how[_place(item, target, spec.mode)] += 1
            places.append(Place(item.source if spec.mode == "paths" else str(target)))
            step(1)
    return places, dict(how)


def place_companions(spec: DatasetSpec, folder: Path) -> None:
    """Put what belongs to pictures beside them, as the pictures are put."""
    for companion in spec.companions:
        target = folder / companion.split / companion.name
        target.parent.mkdir(exist_ok=True)
        if spec.mode == "symlink":
            os.symlink(native(companion.source), target)  # noqa: PTH211
        elif spec.mode == "hardlink":
            link_or_copy(companion.source, target)
        else:
            shutil.copyfile(native(companion.source), target)
    for file in spec.coco:
        target = folder / file.split / file.name
        # A picture's own labels may have that name already.
        if target.exists():
            target = target.with_stem(f"coco-{target.stem}")
        target.write_bytes(file.as_bytes())


def _is_copied(item: Item, mode: Mode) -> bool:
    return mode == "copy" or (mode == "hardlink" and item.device is None)


def _place(item: Item, target: Path, mode: Mode) -> str:
    if mode == "symlink":
        os.symlink(native(item.source), target)  # noqa: PTH211
    elif mode == "hardlink" and not _could_link(item.source, target):
        target.write_bytes(read_unchanged(item, Place(item.source)))
        return "copy"
    return mode


def link_or_copy(source: str, target: Path) -> None:
    """Put a further name of a file at its place, or a copy where that is impossible."""
    if not _could_link(source, target):
        shutil.copyfile(native(source), target)


def _could_link(source: str, target: Path) -> bool:
    try:
        # Of a symbolic link, Linux would link the link.
        os.link(os.path.realpath(native(source)), target)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        return False
    return True


def write_tables(spec: DatasetSpec, folder: Path) -> None:
    """Write the metadata of each split, and what was left out."""
    if spec.format == "imagefolder":
        splits = pl.Series([item.split for item in spec.items])
        for split in spec.splits:
            rows = spec.metadata.filter(splits == split)
            (folder / split / "metadata.parquet").write_bytes(as_parquet(rows, spec.classes))
    (folder / "removed.parquet").write_bytes(as_parquet(spec.removed))


def why_not_written(spec: DatasetSpec, error: OSError) -> str:
    """Return what the system refused, and what to do."""
    if error.errno in _DISK_FULL:
        reason = "the disk is full: free some space, or choose another root="
    elif isinstance(error, FileNotFoundError):
        reason = "a source vanished while it was placed: scan again"
    else:
        reason = "check the permissions of the folder and the disk, or choose another mode="
    where = as_unicode(os.fsdecode(error.filename or spec.path.parent))
    return (
        f"{spec.name} could not be written: {where}: {error.strerror or error}; {reason}. "
        "Nothing was left."
    )
