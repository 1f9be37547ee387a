"""Dated copies of a file beside it: one a day, a few kept."""

import os
import sqlite3
import threading
import warnings
from contextlib import closing, suppress
from datetime import date
from glob import escape
from pathlib import Path

from dedup_widgets._durable import sync_file, sync_folder

COPIES_KEPT = 7


def copies_of(path: Path) -> list[Path]:
    """Return the dated copies of a file, the newest first."""
    return sorted(path.parent.glob(f"{escape(path.stem)}.????-??-??{path.suffix}"), reverse=True)


def copy_today(db: sqlite3.Connection, path: Path, today: date) -> None:
    """Copy a database, unless there is a copy of today; a warning says so where that fails."""
    copy = path.with_name(f"{path.stem}.{today.isoformat()}{path.suffix}")
    if copy.exists():
        return
    unfinished = copy.with_name(f".{copy.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with closing(sqlite3.connect(unfinished)) as target:
            db.backup(target)
        sync_file(unfinished)
        unfinished.replace(copy)
        sync_folder(copy.parent)
        for old in copies_of(path)[COPIES_KEPT:]:
            old.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        warnings.warn(
            f"there is no copy of {path} of today ({error}); make room in {copy.parent}",
            stacklevel=2,
        )
