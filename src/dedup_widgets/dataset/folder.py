"""A folder that is there whole, or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from dedup_widgets._durable import make_folder, sync_folder, sync_tree
from dedup_widgets.errors import DatasetError

_PARTIAL = ".dedup-partial"


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yield a folder to fill, in a hidden one; rename it to `final` at the end, or remove it.

    All that is in it is on the disk before it has its name, so a power cut leaves it whole or not
    at all; and its name is, before this returns.
    """
    root = final.parent
    missing = [folder for folder in final.parents if not os.path.exists(folder)]  # noqa: PTH110
    partial = root / f".{final.name}{_PARTIAL}"
    try:
        try:
            make_folder(root)
            _remove_leftovers(root)
            partial.mkdir(exist_ok=True)
            if lock := _locked(partial):
                # Not the locked folder itself is filled: on Windows, it cannot be renamed.
                filled = partial / final.name
                filled.mkdir()
        except OSError as error:
            raise DatasetError(
                f"cannot write to {root} ({error.strerror}); choose another root="
            ) from error
        if lock is None:
            raise DatasetError(
                f"another process is creating {final.name!r} in {partial}; wait for it, or "
                "choose another name. If no process is, delete that folder."
            )
        try:
            yield filled
            # A rename would put it in the place of an empty folder without a word.
            if os.path.lexists(final):
                raise DatasetError(
                    f"{final} was made by someone else meanwhile; choose another name. "
                    "Nothing was written."
                )
            try:
                sync_tree(filled)
                filled.rename(final)
                sync_folder(root)
            except OSError as error:
                raise DatasetError(
                    f"{final} could not be written ({error.strerror}); look after its disk, or "
                    "choose another root="
                ) from error
        finally:
            _remove(partial, lock)
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _remove_leftovers(root: Path) -> None:
    """Remove the hidden folders of runs that were killed."""
    for folder in sorted(root.glob(f".*{_PARTIAL}")):
        with contextlib.suppress(OSError):
            if lock := _locked(folder):
                _remove(folder, lock)


def _locked(folder: Path) -> BaseFileLock | None:
    """Lock a folder until it is removed or the process dies; None if another has it."""
    if folder.is_symlink():
        return None
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def _remove(folder: Path, lock: BaseFileLock) -> None:
    """Remove a locked folder: the lock last, so that no process takes it before it is empty."""
    for filled in folder.glob("[!.]*"):
        shutil.rmtree(filled, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    # Windows removes no file that is open.
    with contextlib.suppress(OSError):
        folder.rmdir()
