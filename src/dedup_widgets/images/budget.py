"""What decoding may take: memory that all threads share, and counts that a file may claim.

A few bytes can claim billions of pixels, frames, pages or scans. Each is counted before it is
decoded, and refused beyond what decodes in about ten seconds.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dedup_widgets.errors import ImageError

MAX_FRAMES = 10_000
"""Frames of an animation that are read."""


MAX_PAGES = 2_000
"""Pages of a TIFF that are read: each takes some milliseconds, however small it is."""


MAX_SCANNED_PIXELS = 8 * 10**9
"""Pixels of a progressive JPEG times its scans, each of which goes over all of them. Encoders make
about ten."""


MAX_SECONDS = 10
"""Seconds that decoding one file may take, as `seconds_to_decode` estimates it."""


_NANOSECONDS = {
    "raw": (0, 5),
    "PNG": (12, 23),
    "TIFF": (12, 4),
    "fax": (9, 60),
    "JPEG": (10, 11),
    "progressive JPEG": (10, 36),
    "GIF": (20, 20),
    "WEBP": (22, 90),
    "lossless WEBP": (22, 13),
    "AVIF": (20, 125),
    "HEIF": (20, 145),
    "JPEG2000": (40, 190),
    "JXL": (30, 130),
    "RAW": (60, 30),
}
"""What a pixel and what a byte of a file took to decode, by its coding, on a core of a server."""

_OF_OTHERS = (15, 10)

_OF_A_DEEP_BYTE = 5
"""What a byte took at most in samples of 16 bits: most of them are noise, which is stored as such.
"""

_OF_DEEP, _OF_DEEP_AND_WIDE, _OF_DECODING_TWICE = 30, 48, 15
"""What a pixel took more in samples of 16 or 32 bits; Pillow decodes colours of 16 bits twice."""

_OF_ALPHA, _OF_DEEP_ALPHA = 40, 65
"""What a pixel took more with transparency."""


_OF_MEMORY = 0.5
"""Share of the machine's memory that pictures may take while they are decoded."""

MEMORY_VARIABLE = "DEDUP_WIDGETS_MAX_MEMORY"
"""The environment variable that says how many GB they may take instead."""


class NoRoomError(ImageError):
    """A picture does not fit into this machine's memory, now; nothing is wrong with the file."""

    is_about_the_bytes = False


class ByteBudget:
    """Bytes that may be in work at a time, over all threads.

    Parameters
    ----------
    limit
        Bytes; None for what the environment says, or half of the memory that this process may use.

    Examples
    --------
    >>> budget = ByteBudget(100)
    >>> with budget.room_for(60, "it"):
    ...     pass
    >>> try:
    ...     with budget.room_for(2 * 10**9, "it"):
    ...         pass
    ... except NoRoomError as error:
    ...     print(str(error)[:25])
    it takes 2.0 GB to decode
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._of_memory = int(memory() * _OF_MEMORY)
        self._used = 0
        self._changed = threading.Condition()
        self._turn = threading.Lock()

    @property
    def limit(self) -> int:
        """How many bytes may be in work."""
        if self._limit is not None:
            return self._limit
        try:
            return int(float(os.environ.get(MEMORY_VARIABLE, "")) * 1e9)
        except (ValueError, OverflowError):
            return self._of_memory

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for bytes to become free."""
        return self._turn.locked()

    @contextmanager
    def room_for(self, needed: int, what: str) -> Iterator[None]:
        """Wait until so many bytes are free, in the order of asking, and hold them.

        Raises
        ------
        NoRoomError
            If there are never so many.
        """
        if needed > (limit := self.limit):
            raise NoRoomError(
                f"{what} takes {needed / 1e9:.1f} GB to decode, and {limit / 1e9:.1f} GB of "
                "this machine's memory are for that; shrink it, or score it where there is more"
            )
        # Who waits holds the turn, so that a large picture is not passed by small ones for ever.
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._used + needed <= limit)
            self._used += needed
        try:
            yield
        finally:
            with self._changed:
                self._used -= needed
                self._changed.notify_all()


def memory() -> int:
    """Return the bytes of memory that this process may use: of its machine, or of its container."""
    found = [2**33]
    with suppress(AttributeError, OSError, ValueError):
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path("/sys/fs/cgroup", limit).read_text()))
    return min(found)


def seconds_to_decode(
    coding: str,
    pixels: int,
    size: int,
    *,
    deep: bool = False,
    wide: bool = True,
    alpha: bool = False,
) -> float:
    """Estimate what decoding a file takes, by counts: the same on every machine.

    Parameters
    ----------
    coding
        A format by Pillow's name, or a way in which it is stored, as in `_NANOSECONDS`.
    pixels, size
        Pixels of all that is decoded of it, and its bytes.
    deep, wide, alpha
        Whether its pixels have more than 8 bits a sample; have colours, or more than 16 bits; may
        be transparent.

    Examples
    --------
    >>> seconds_to_decode("JPEG", 200_000_000, 60_000_000) < MAX_SECONDS
    True
    >>> seconds_to_decode("PNG", 200_000_000, 1_200_000_000, deep=True) < MAX_SECONDS
    False
    """
    a_pixel, a_byte = _NANOSECONDS.get(coding, _OF_OTHERS)
    if deep and coding != "raw":
        a_byte = min(a_byte, _OF_A_DEEP_BYTE)
        a_pixel += _OF_DEEP_AND_WIDE if wide else _OF_DEEP
        a_pixel += _OF_DECODING_TWICE if wide and coding != "PNG" else 0
    if alpha:
        a_pixel += _OF_DEEP_ALPHA if deep else _OF_ALPHA
    return (a_pixel * pixels + a_byte * size) / 1e9


def check_counts(data: bytes, name: str) -> None:
    """Refuse a file of too many frames or pages, by counting them without reading any."""
    if name == "TIFF" and tiff_pages(data) > MAX_PAGES:
        raise ImageError(f"too large: more than {MAX_PAGES:,} pages; split it")
    if name == "GIF" and gif_frames(data) > MAX_FRAMES:
        raise ImageError(_too_many_frames())


def check_frame_count(frames: int) -> None:
    """Refuse a file that says that it has too many frames."""
    if frames > MAX_FRAMES:
        raise ImageError(_too_many_frames())


def check_scans(data: bytes, pixels: int) -> None:
    """Refuse a progressive JPEG that goes over its pixels too often."""
    # Within a scan this byte is followed by another one, so no scan is counted that is none.
    if data.count(b"\xff\xda") * pixels > MAX_SCANNED_PIXELS:
        raise ImageError(
            f"too large: {data.count(bytes.fromhex('ffda')):,} scans of {pixels / 1e6:.0f} "
            "megapixels; export it again, as a baseline JPEG"
        )


def _too_many_frames() -> str:
    return f"too large: more than {MAX_FRAMES:,} frames; split it"


def tiff_pages(data: bytes) -> int:
    """Return how many pages a TIFF lists, or one more than are read."""
    order = "little" if data[:2] == b"II" else "big"
    is_big = data[2:4] in (b"+\0", b"\0+")

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    # Counts and offsets in bytes: of a directory's entries, of an entry, of a place in the file.
    of_count, of_entry, of_place = (8, 20, 8) if is_big else (2, 12, 4)
    seen: set[int] = set()
    at = number(8, 8) if is_big else number(4, 4)
    while 0 < at < len(data) and at not in seen and len(seen) <= MAX_PAGES:
        seen.add(at)
        at = number(at + of_count + number(at, of_count) * of_entry, of_place)
    return len(seen)


def gif_frames(data: bytes) -> int:
    """Return how many frames a GIF has, or one more than are read."""

    def after_table(at: int) -> int:
        """Return what follows the flags at a place, the descriptor's rest and its colours."""
        return 3 << ((data[at] & 7) + 1) if data[at] & 0x80 else 0

    frames = 0
    with suppress(IndexError):
        at = 13 + after_table(10)
        while frames <= MAX_FRAMES and data[at] != 0x3B:
            if data[at] == 0x2C:
                frames += 1
                at += 11 + after_table(at + 9)
            elif data[at] == 0x21:
                at += 2
            else:
                at += 1
                continue
            while data[at]:
                at += data[at] + 1
            at += 1
    return frames
