"""Keeps what was computed, batch by batch, also where another process writes for long."""

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from dedup_widgets.store.cache import FileRecord
from dedup_widgets.store.database import StoreBusyError

MOST_BATCHES_WAITING = 64
"""More would take too much memory: then the work waits."""


class Memory(Protocol):
    """What keeps records of files and vectors of pictures: a cache, or for a while anything."""

    def files(self, paths: Iterable[str]) -> dict[str, FileRecord]:
        """Return what is known of paths; see :meth:`Cache.files`."""
        ...

    def embeddings(self, fingerprints: Iterable[str], model: str) -> dict[str, np.ndarray]:
        """Return vectors by fingerprint; see :meth:`Cache.embeddings`."""
        ...

    def wait_for_turn(self) -> None:
        """Wait for another process that writes."""
        ...

    def add(
        self,
        files: Iterable[FileRecord] = (),
        thumbnails: Mapping[str, bytes] | None = None,
        embeddings: Mapping[str, Mapping[str, np.ndarray]] | None = None,
        layers: Mapping[str, bytes] | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Keep a batch; see :meth:`Cache.add`."""
        ...


class Keeper:
    """Adds batches to a cache, in order; those that cannot be added yet are tried again.

    On leaving, what still waits is added, for which it waits a while: pictures are compared by what
    is kept of them. Raises a StoreBusyError where that is in vain.

    Parameters
    ----------
    cache
        Where to keep them.
    """

    def __init__(self, cache: Memory) -> None:
        self._cache = cache
        self._waiting: deque[tuple[Any, ...]] = deque()

    def add(self, *batch: Any) -> None:
        """Add a batch, as :meth:`Cache.add` takes it, with those that wait."""
        self._waiting.append(batch)
        if len(self._waiting) > MOST_BATCHES_WAITING:
            self._cache.wait_for_turn()
        # What cannot be added now is with the next one.
        with suppress(StoreBusyError):
            self._add_all(wait=False)

    def _add_all(self, *, wait: bool) -> None:
        while self._waiting:
            self._cache.add(*self._waiting[0], wait=wait)
            self._waiting.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(*(() if error is None else (StoreBusyError,))):
            self._add_all(wait=error is None)
