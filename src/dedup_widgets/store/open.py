"""Where the store is, and opening it."""

import os
from functools import lru_cache
from pathlib import Path

import platformdirs

from dedup_widgets.store.database import STORE_VARIABLE, Store


def store_path(store: "str | os.PathLike[str] | Store | None" = None) -> Path:
    """Return where a store lies: where it is said, ``DEDUP_WIDGETS_STORE``, or the user's cache."""
    if isinstance(store, Store):
        return store.path
    chosen = store or os.environ.get(STORE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("dedup-widgets", appauthor=False) / "store.sqlite"


def open_store(store: "str | os.PathLike[str] | Store | None" = None) -> "Store":
    """Return the store at a path (default: :func:`store_path`), the same object for one file.

    Parameters
    ----------
    store
        Path of the SQLite file, an open store, or None for the default one.

    Raises
    ------
    StoreError
        When the file cannot be made, is no store, or was written by a newer version.
    """
    if isinstance(store, Store):
        return store
    return _open(store_path(store), os.getpid())


@lru_cache(maxsize=32)
def _open(path: Path, _process: int) -> "Store":
    # A connection must not cross a fork, so each process opens its own.
    return Store(path)
