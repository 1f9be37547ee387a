"""Files that were read to see what they are, until those come who need them: asked for once."""

import shutil
import tempfile
import threading
import time
from typing import IO

from dedup_widgets.images.entry import Entry

MOST_BYTES = 2**30
"""Bytes that are held at most, and at most a quarter of what is free where temporary files are."""


SECONDS_HELD = 3600
"""Time after which a file gives way to others."""


class Held:
    """Bytes of files, in a temporary file that nobody else sees; may be used from several threads.

    Parameters
    ----------
    most
        Bytes at most.
    seconds
        Time after which a file gives way to others.
    """

    def __init__(self, most: int = MOST_BYTES, seconds: float = SECONDS_HELD) -> None:
        self._most, self._seconds = most, seconds
        self._file: IO[bytes] | None = None
        self._end = 0
        self._places: dict[Entry, tuple[int, float]] = {}
        self._being_written: set[int] = set()
        self._lock = threading.Lock()

    def reserve(self, size: int) -> int | None:
        """Return a place for so many bytes, to be kept or given up; None where there is none."""
        with self._lock:
            if size == 0:
                return None
            if self._file is None:
                folder = tempfile.gettempdir()
                self._most = min(self._most, shutil.disk_usage(folder).free // 4)
                self._file = tempfile.TemporaryFile(prefix="dedup-widgets-")  # noqa: SIM115
            if self._end + size > self._most:
                self._forget_old()
            if self._end + size > self._most:
                return None
            at = self._end
            self._end += size
            self._being_written.add(at)
            return at

    def write(self, at: int, data: bytes) -> None:
        """Write some bytes of a file to its place."""
        with self._lock:
            if self._file is not None:
                self._file.seek(at)
                self._file.write(data)

    def keep(self, entry: Entry, at: int) -> None:
        """Hold a file that was written to its place, as it was then."""
        with self._lock:
            self._being_written.discard(at)
            self._places[entry] = at, time.monotonic()

    def give_up(self, at: int) -> None:
        """Leave a place that was reserved, if nothing is kept there."""
        with self._lock:
            self._being_written.discard(at)
            self._begin_anew()

    def put(self, entry: Entry, data: bytes) -> None:
        """Hold a file, if there is a place for it."""
        if entry.version and (at := self.reserve(len(data))) is not None:
            self.write(at, data)
            self.keep(entry, at)

    def read(self, entry: Entry) -> bytes | None:
        """Return a file that is held; None where it is not, or was another when it was read."""
        with self._lock:
            if self._file is None or entry not in self._places:
                return None
            self._file.seek(self._places[entry][0])
            return self._file.read(entry.size)

    def take(self, entry: Entry) -> bytes | None:
        """Return the same, and hold it no longer."""
        data = self.read(entry)
        with self._lock:
            self._places.pop(entry, None)
            self._begin_anew()
        return data

    def _forget_old(self) -> None:
        now = time.monotonic()
        old = [it for it, (_, since) in self._places.items() if now - since >= self._seconds]
        for entry in old:
            del self._places[entry]
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Give the disk back once nothing is held."""
        if self._file is not None and not self._places and not self._being_written:
            self._file.truncate(0)
            self._end = 0
