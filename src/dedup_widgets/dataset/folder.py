"""A folder that is there whole, or not at all."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dedup_widgets.errors import DatasetError

_PARTIAL = ".dedup-partial"


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yield a hidden folder to fill; rename it to `final` at the end, or remove it."""
    root = final.parent
    missing = [folder for folder in final.parents if not os.path.exists(folder)]  # noqa: PTH110
    partial = root / f".{final.name}{_PARTIAL}"
    lock = None
    try:
        try:
            root.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(root)
            if not partial.exists():
                partial.mkdir()
                lock = _lock(partial)
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
            yield partial
            # A rename would put it in the place of an empty folder without a word.
            if os.path.lexists(final):
                raise DatasetError(
                    f"{final} was made by someone else meanwhile; choose another name. "
                    "Nothing was written."
                )
            partial.rename(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    finally:
        if lock is not None and lock >= 0:
            os.close(lock)


def _remove_leftovers(root: Path) -> None:
    """Remove the hidden folders of runs that were killed."""
    if sys.platform == "win32":
        return  # nothing tells them from those of runs at work
    for folder in sorted(root.glob(f".*{_PARTIAL}")):
        if folder.is_symlink() or (lock := _lock(folder)) is None:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed or the process dies; None if another has it."""
    if sys.platform == "win32":
        return -1
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been renamed or removed before the lock was there.
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
