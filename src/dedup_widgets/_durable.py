"""Writing so that a power cut undoes nothing of what was acknowledged.

A file outlasts it once its content was synced, and its name once its folder was.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SYNC_AT_ONCE = 16
"""Files that are synced at the same time: most disks write many in the time of one."""


def sync_file(path: Path) -> None:
    """Bring the content of a file to the disk."""
    # Windows syncs only what may be written, others also what may only be read.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk; on Windows that is not a thing to ask for."""
    if os.name != "nt":
        sync_file(path)


def sync_tree(top: Path) -> None:
    """Bring all files and folders below a folder to the disk, and the folder itself."""
    folders, files = [top], []
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    files.append(Path(entry.path))
    with ThreadPoolExecutor(_SYNC_AT_ONCE) as pool:
        for _ in pool.map(sync_file, files):
            pass
    for folder in folders:
        sync_folder(folder)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, so that they outlast a power cut."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)
