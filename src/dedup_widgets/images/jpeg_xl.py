"""The header of a JPEG XL file, before it is decoded: the plugin that does so decodes at once.

By ISO/IEC 18181-1, section 9 and annex D.
"""

import struct
from dataclasses import dataclass

CODESTREAM = b"\xff\x0a"


CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"


_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width by height, by number."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a JPEG XL file says.

    Attributes
    ----------
    size : tuple of int
        Width and height, as they are stored.
    bits : int or None
        Bits per sample; None where the file holds more than one picture of up to four bands, of
        which the plugin would deliver a part only.
    """

    size: tuple[int, int]
    bits: int | None


def read_header(data: bytes) -> Header:
    """Read the header of a JPEG XL file.

    Raises
    ------
    ValueError
        When it is none, or is damaged.
    """
    bits = _Bits(_codestream(data))
    try:
        size = _size(bits)
        return Header(size, _depth(bits))
    except IndexError as error:
        raise ValueError("truncated") from error


class _Bits:
    """Bits of a text of bytes, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for place in range(count):
            value |= (self._data[self._at >> 3] >> (self._at & 7) & 1) << place
            self._at += 1
        return value

    def number(self, *kinds: tuple[int, int]) -> int:
        """Take a number of one of four kinds: so many bits, and what is added."""
        count, added = kinds[self.take(2)]
        return self.take(count) + added


def _codestream(data: bytes) -> bytes:
    """Return the beginning of the picture itself."""
    if data.startswith(CODESTREAM):
        return data[2:64]
    at = 0
    while data.startswith(CONTAINER) and at + 16 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 16 if size == 1 else 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        start = at + head + (4 if kind == b"jxlp" else 0)
        if kind in (b"jxlc", b"jxlp") and data[start : start + 2] == CODESTREAM:
            return data[start + 2 : start + 64]
        if size < head:
            break
        at += size
    raise ValueError("no picture in it")


def _size(bits: _Bits) -> tuple[int, int]:
    kinds = (9, 1), (13, 1), (18, 1), (30, 1)
    is_small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if is_small else bits.number(*kinds)
    ratio = bits.take(3)
    if ratio:
        wide, high = _RATIOS[ratio]
        return height * wide // high, height
    width = (bits.take(5) + 1) * 8 if is_small else bits.number(*kinds)
    return width, height


def _depth(bits: _Bits) -> int | None:
    """Return the bits per sample of what follows the size, if it is one plain picture."""
    if bits.take(1):  # all as usual
        return 8
    if bits.take(1):
        bits.take(3)  # how it is turned
        if bits.take(1):
            _size(bits)  # how large it is meant to be shown
        if bits.take(1) or bits.take(1):  # a preview, or an animation
            return None
    if bits.take(1):  # floats
        return None
    depth = bits.number((0, 8), (0, 10), (0, 12), (6, 1))
    bits.take(1)
    return depth if bits.number((0, 0), (0, 1), (4, 2), (12, 1)) <= 1 else None
