"""Where the two files of a store are, and opening them."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import platformdirs

from dedup_widgets._text import named_place
from dedup_widgets._urls import redacted
from dedup_widgets.errors import InputError
from dedup_widgets.store.cache import CACHE_NAME, Cache
from dedup_widgets.store.database import STORE_VARIABLE
from dedup_widgets.store.library import Library

_APP = "dedup-widgets"
_LIBRARY = "library.sqlite"
_BEFORE_THE_LIBRARY = "store.sqlite"
"""What the file of both was called; where it is, it is the cache from then on."""


@dataclass(frozen=True, eq=False)
class Store:
    """What is kept between sessions.

    Attributes
    ----------
    cache
        What can be computed again.
    library
        What a person decided.
    """

    cache: Cache
    library: Library


class StorePaths(NamedTuple):
    """Where the two files of a store are, or would be."""

    cache: Path
    library: Path


def store_paths(store: "str | os.PathLike[str] | Store | None" = None) -> StorePaths:
    """Return where the two files of a store are, or would be.

    Parameters
    ----------
    store
        One place for both, as :func:`open_store` takes it.
    """
    if isinstance(store, Store):
        return StorePaths(store.cache.path, store.library.path)
    chosen = store or os.environ.get(STORE_VARIABLE)
    if not chosen:
        return StorePaths(
            _cache_in(platformdirs.user_cache_path(_APP, appauthor=False)),
            platformdirs.user_data_path(_APP, appauthor=False) / _LIBRARY,
        )
    chosen = named_place("store", chosen)
    if "://" in chosen:
        raise InputError(f"store is {redacted(chosen)!r}; it must be a folder of this machine")
    place = Path(chosen).expanduser().absolute()
    if place.is_dir() or not (place.suffix or place.exists()):
        return StorePaths(_cache_in(place), place / _LIBRARY)
    return StorePaths(place, place.with_name(f"{place.stem}.library{place.suffix}"))


def _cache_in(folder: Path) -> Path:
    before = folder / _BEFORE_THE_LIBRARY
    return before if before.exists() else folder / CACHE_NAME


def open_store(store: "str | os.PathLike[str] | Store | None" = None) -> Store:
    """Return the store at a place, the same object for one place.

    A file of an earlier version that also holds decisions is the cache from now on; its
    decisions are carried over to the library first.

    Parameters
    ----------
    store
        One place for the cache and the library: a folder, or the file of the cache, next to which
        the library is (``mine.sqlite`` and ``mine.library.sqlite``); an open store; or None for
        where the environment variable ``DEDUP_WIDGETS_STORE`` points, or else the user's cache
        folder and data folder. A name without a suffix is a folder, unless it is a file already.

    Raises
    ------
    StoreError
        When a file cannot be made, is another one, or was written by a newer version.
    """
    if isinstance(store, Store):
        return store
    known = _open(store_paths(store), os.getpid())
    if not known.library.is_in_place:
        # Another file lies there by now; who still holds the old one is told when writing.
        _open.cache_clear()
        known = _open(store_paths(store), os.getpid())
    return known


@lru_cache(maxsize=32)
def _open(paths: StorePaths, _process: int) -> Store:
    # A connection must not cross a fork, so each process opens its own.
    library = Library(paths.library)
    return Store(Cache(paths.cache, carry_over=library.add_from_store), library)
