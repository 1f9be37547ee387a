"""Files of one run: looked up together, read ahead of whoever decodes them, each asked for once."""

import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from dedup_widgets.errors import ImageError
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.object_store import CONCURRENCY, ObjectStore
from dedup_widgets.images.source import LocalFiles, Source, SourceFor, store_for

_BYTES_AHEAD = 2**28
"""Bytes of files elsewhere that are read before they are needed."""


_USUAL_BYTES = 2**20
"""Taken for the size of a file that was not looked up."""


Reading = Callable[[], tuple[Entry, bytes]]
"""Returns a file with its bytes; raises `ImageError` if it cannot be read."""


class Files:
    """What one run knows of its files; may be used from several threads.

    Parameters
    ----------
    source_for
        What tells where a file is read from.
    listed
        Files elsewhere that were looked up already, by path. What is looked up or read later is
        added.
    """

    def __init__(self, source_for: SourceFor, listed: dict[str, Entry] | None = None) -> None:
        self._source_for = source_for
        self._listed = {} if listed is None else listed

    def look_up(
        self,
        paths: Sequence[str],
        known: Sequence[Entry | ImageError | None] | None = None,
        remembered: Container[str] | None = None,
    ) -> list[Entry | ImageError]:
        """Return size and version of each file, or why it cannot be looked up.

        Parameters
        ----------
        paths
            Files.
        known
            What :meth:`known` says of each.
        remembered
            Files elsewhere whose version is of use; that of others, which will be read anyway, is
            empty. None: of all.
        """
        found = [self.known(path) for path in paths] if known is None else list(known)
        asked: dict[ObjectStore, list[str]] = {}
        for at, (path, entry) in enumerate(zip(paths, found, strict=True)):
            if entry is not None:
                continue
            if remembered is not None and path not in remembered:
                found[at] = Entry(path, 0, "")
            else:
                asked.setdefault(store_for(path), []).append(path)
        answers: dict[str, Entry | ImageError] = {}
        for source, its in asked.items():
            answers.update(zip(its, source.look_up(its), strict=True))
        self._listed.update((p, e) for p, e in answers.items() if isinstance(e, Entry))
        return [entry or answers[path] for path, entry in zip(paths, found, strict=True)]

    def are_local(self, paths: Iterable[str]) -> bool:
        """Tell whether files all lie on this disk, where reading one twice costs little."""
        return all(isinstance(self._source_for(path), LocalFiles) for path in paths)

    def known(self, path: str) -> Entry | ImageError | None:
        """Return what is known of a file without a request; None if that is nothing."""
        source = self._source_for(path)
        if isinstance(source, ObjectStore):
            return self._listed.get(path)
        try:
            return source.stat(path)
        except ImageError as error:
            return error

    def look_at(self, entry: Entry) -> bytes:
        """Return the bytes of a file that is read again soon, and is not asked for then."""
        source = self._source_for(entry.path)
        if isinstance(source, ObjectStore):
            return source.look_at(entry)
        return source.read(entry.path)

    @contextmanager
    def reading(self, entries: Iterable[Entry]) -> Iterator[Iterator[Reading]]:
        """Give what reads each file, in order; those elsewhere are under way by then.

        At the end, what is under way still is given up.
        """
        held = _ReadAhead()
        try:
            yield self._readings(entries, held)
        finally:
            held.give_up()

    def _readings(self, entries: Iterable[Entry], held: "_ReadAhead") -> Iterator[Reading]:
        waiting: deque[tuple[Reading, bool]] = deque()
        far = 0
        for entry in entries:
            source = self._source_for(entry.path)
            if isinstance(source, ObjectStore):
                future = source.fetch(entry)
                waiting.append((held.add(future, entry, self._listed), True))
                far += 1
            else:
                waiting.append((partial(_read_here, source, entry), False))
            while waiting and (not waiting[0][1] or far >= CONCURRENCY or held.is_full):
                reading, was_far = waiting.popleft()
                far -= was_far
                yield reading
        for reading, _ in waiting:
            yield reading


class _ReadAhead:
    """Reads that are under way, or whose bytes nobody has taken yet."""

    def __init__(self) -> None:
        self._bytes = 0
        self._futures: set[Future[tuple[Entry, bytes]]] = set()
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        return self._bytes > _BYTES_AHEAD

    def add(
        self, future: "Future[tuple[Entry, bytes]]", entry: Entry, listed: dict[str, Entry]
    ) -> Reading:
        size = entry.size or _USUAL_BYTES
        with self._lock:
            self._futures.add(future)
            self._bytes += size

        def take() -> tuple[Entry, bytes]:
            try:
                found = future.result()
            finally:
                with self._lock:
                    self._futures.discard(future)
                    self._bytes -= size
            listed[entry.path] = found[0]
            return found

        return take

    def give_up(self) -> None:
        with self._lock:
            futures = list(self._futures)
        for future in futures:
            future.cancel()


def _read_here(source: Source, entry: Entry) -> tuple[Entry, bytes]:
    return entry, source.read(entry.path)
