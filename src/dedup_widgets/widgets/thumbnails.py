"""Thumbnails for the grid: from the cache, else decoded now and remembered."""

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from dedup_widgets._paths import absolute
from dedup_widgets._threads import in_order, processors
from dedup_widgets.errors import DedupError, ImageError, StoreError
from dedup_widgets.images.decode import Decoding, decode, decoding_of, preview
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files, Reading
from dedup_widgets.images.source import SourceFor, source_for
from dedup_widgets.images.thumbnail import thumbnail
from dedup_widgets.store.cache import Cache, FileRecord

R = TypeVar("R")

MAX_LATER = 1_000
"""Files whose thumbnails are still to be kept: those before them are forgotten."""
PREVIEW_SIDE = 512
"""Pixels of what a thumbnail is made of that somebody waits for."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG, or the reason why there is none."""

    jpeg: bytes | None = None
    error: str | None = None


def load_thumbnails(
    paths: Sequence[str],
    fingerprints: Sequence[str | None],
    cache: Cache,
    source_for: SourceFor = source_for,
    later: Callable[[Sequence[str]], None] | None = None,
) -> list[Thumbnail]:
    """Return a thumbnail for each path.

    Parameters
    ----------
    paths
        Image files.
    fingerprints
        Fingerprints of the contents to show, as the frame has them; None where it has none: then
        the file as it is now.
    cache, source_for
        Where thumbnails are kept, and what chooses the source of a path.
    later
        Takes the paths of local files of which nothing is kept: their thumbnails are made of less
        than the whole file, in less time. Others are made of all of it, which is fingerprinted,
        and kept.
    """
    paths = [absolute(path) for path in paths]
    files = Files(source_for)
    unnamed = [path for path, f in zip(paths, fingerprints, strict=True) if f is None]
    current = _current_fingerprints(unnamed, cache, files)
    wanted = [f or current.get(path) for path, f in zip(paths, fingerprints, strict=True)]
    jpegs = cache.thumbnails(fingerprint for fingerprint in wanted if fingerprint)
    missing = [path for path, f in zip(paths, wanted, strict=True) if f not in jpegs]
    # What lies elsewhere would be fetched twice.
    if later is not None and files.are_local(missing):
        seen = _read(missing, files, _preview)
        later([path for path, it in seen.items() if isinstance(it, Thumbnail)])
        return [
            Thumbnail(jpegs[f]) if f in jpegs else _told(path, seen[path])
            for path, f in zip(paths, wanted, strict=True)
        ]
    # Of exact copies one is read, and only if that fails another one.
    todo = {f or path: path for path, f in reversed([*zip(paths, wanted, strict=True)])}
    decodings = {path: decoding_of(f) for path, f in zip(paths, wanted, strict=True) if f}
    make = partial(_make, decodings)
    read = _read([path for f, path in todo.items() if f not in jpegs], files, make)
    records = {path: it for path, it in read.items() if isinstance(it, _NewThumbnail)}
    made = {it.record.fingerprint: it.jpeg for it in records.values() if it.record.fingerprint}
    result: list[Thumbnail] = []
    for path, fingerprint in zip(paths, wanted, strict=True):
        jpeg = (jpegs.get(fingerprint) or made.get(fingerprint)) if fingerprint else None
        if jpeg is None:
            found = read[path] if path in read else _read([path], files, make)[path]
            if isinstance(found, ImageError):
                result.append(_told(path, found))
                continue
            records[path] = found
            jpeg = found.jpeg
        result.append(Thumbnail(jpeg))
    if records:
        _keep(cache, [it.record for it in records.values()], made)
    return result


@dataclass(frozen=True, slots=True)
class _NewThumbnail:
    """A thumbnail that was made now."""

    record: FileRecord
    jpeg: bytes


def _told(path: str, found: Thumbnail | ImageError) -> Thumbnail:
    if isinstance(found, Thumbnail):
        return found
    return Thumbnail(error=str(found).removeprefix(f"{path}: "))


def _read(
    paths: Sequence[str], files: Files, make: Callable[[Reading], R]
) -> dict[str, R | ImageError]:
    """Make something of files; what lies elsewhere is read without being looked up."""
    looked_up = dict(zip(paths, files.look_up(paths, remembered=()), strict=True))
    found: dict[str, R | ImageError] = {
        path: it for path, it in looked_up.items() if isinstance(it, ImageError)
    }
    entries = [it for it in looked_up.values() if isinstance(it, Entry)]
    with files.reading(entries) as readings, ThreadPoolExecutor(processors()) as pool:
        made = in_order(pool, make, readings, ahead=2 * processors())
        found |= zip((it.path for it in entries), made, strict=True)
    return found


def _preview(reading: Reading) -> Thumbnail | ImageError:
    try:
        return Thumbnail(thumbnail(preview(reading()[1], PREVIEW_SIDE)))
    except ImageError as error:
        return error


def _make(decodings: Mapping[str, Decoding], reading: Reading) -> "_NewThumbnail | ImageError":
    try:
        entry, data = reading()
        picture = decode(data, decodings.get(entry.path, "full"))
    except ImageError as error:
        return error
    record = FileRecord(entry, picture.fingerprint, picture.facts)
    return _NewThumbnail(record, thumbnail(picture.reduced))


def _keep(cache: Cache, records: list[FileRecord], made: dict[str, bytes]) -> None:
    """Keep what was made; a warning says so where that fails, as it is shown all the same."""
    try:
        cache.add(records, made)
    except StoreError as error:
        warnings.warn(f"pictures are shown, but not remembered: {error}", stacklevel=2)


def _current_fingerprints(paths: Sequence[str], cache: Cache, files: Files) -> dict[str, str]:
    """Return the stored fingerprints of those files that still are what they were."""
    records = cache.files(paths)
    known = [path for path in paths if path in records]
    current = {}
    for path, now in zip(known, files.look_up(known), strict=True):
        record = records[path]
        if isinstance(now, Entry) and now.is_unchanged(record.entry) and record.fingerprint:
            current[path] = record.fingerprint
    return current


class LaterThumbnails:
    """Makes thumbnails to keep, while nobody waits for others.

    Parameters
    ----------
    cache
        Where they are kept.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._paths: deque[str] = deque(maxlen=MAX_LATER)
        self._waiting = 0
        self._works = False
        self._changed = threading.Condition()

    def add(self, paths: Sequence[str]) -> None:
        """Make thumbnails of some files; those that were added last come first."""
        with self._changed:
            self._paths.extend(paths)
            if self._works or not self._paths:
                return
            self._works = True
        threading.Thread(target=self._work, name="dedup-widgets-later", daemon=True).start()

    @contextmanager
    def while_waiting(self) -> Iterator[None]:
        """Make none meanwhile."""
        with self._changed:
            self._waiting += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting == 0)
                if not self._paths:
                    self._works = False
                    return
                some = [self._paths.pop() for _ in range(min(processors(), len(self._paths)))]
            # Who asks for these is told what is wrong.
            with suppress(DedupError):
                load_thumbnails(some, [None] * len(some), self._cache)
