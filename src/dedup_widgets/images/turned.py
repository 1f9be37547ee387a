"""A picture that is stored turned: read the right way up, without turning all of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from dedup_widgets.images.depth import strips

_Turn = Image.Transpose

_SIDEWAYS = {_Turn.TRANSPOSE, _Turn.ROTATE_90, _Turn.ROTATE_270, _Turn.TRANSVERSE}
"""Turns that make columns lines."""


_FROM_THE_RIGHT = {_Turn.FLIP_LEFT_RIGHT, _Turn.ROTATE_180, _Turn.ROTATE_90, _Turn.TRANSVERSE}
"""Turns after which what is stored on the right comes first."""


_FROM_BELOW = {_Turn.FLIP_TOP_BOTTOM, _Turn.ROTATE_180, _Turn.ROTATE_270, _Turn.TRANSVERSE}


_COLUMNS = 64
"""Columns that are turned at a time, at least: with fewer, each line is fetched too often."""


def size_after(size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int]:
    """Return width and height of a picture of that size once it is turned."""
    width, height = size
    return (height, width) if turn in _SIDEWAYS else (width, height)


@dataclass(frozen=True, slots=True)
class Turned:
    """A decoded picture and how it is turned to be seen.

    Turning a large picture takes as long as decoding it, and its memory once more. What is read of
    it is turned instead: some lines at a time, tiles, or a reduced copy.

    Attributes
    ----------
    stored : PIL.Image.Image
        As it was decoded.
    turn : PIL.Image.Transpose or None
        What brings it the right way up; None if it is.
    """

    stored: Image.Image
    turn: Image.Transpose | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height, the right way up."""
        return size_after(self.stored.size, self.turn)

    def upright(self) -> Image.Image:
        """Return all of it; the stored picture itself if that is not turned."""
        return self._turned(self.stored)

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """Return a part: left, top, right and bottom as they are the right way up."""
        left, top, right, bottom = box
        width, height = self.size
        if self.turn in _SIDEWAYS:
            left, top, right, bottom, width, height = top, left, bottom, right, height, width
        if self.turn in _FROM_THE_RIGHT:
            left, right = width - right, width - left
        if self.turn in _FROM_BELOW:
            top, bottom = height - bottom, height - top
        return self._turned(self.stored.crop((left, top, right, bottom)))

    def reduced(self, factor: int) -> "Turned":
        """Return the mean of each square block of so many pixels a side, from the upper left."""
        if factor == 1:
            return self
        if self.turn is not None and any(side % factor for side in self.size):
            # Blocks from another corner would be other ones.
            return Turned(self.upright().reduce(factor))
        return Turned(self.stored.reduce(factor), self.turn)

    def lines(self) -> Iterator[bytes]:
        """Yield the pixels of all lines, some at a time: a copy of all costs more than its use."""
        width, height = self.size
        for top, bottom in strips(height, 4 * width, _COLUMNS if self.turn in _SIDEWAYS else 1):
            if self.turn is None:
                yield _pixels(self.stored, (0, top, width, bottom))
            else:
                yield _pixels(self.crop((0, top, width, bottom)), (0, 0, width, bottom - top))

    def _turned(self, picture: Image.Image) -> Image.Image:
        return picture if self.turn is None else picture.transpose(self.turn)


def _pixels(picture: Image.Image, box: tuple[int, int, int, int]) -> bytes:
    """Return what ``picture.crop(box).tobytes()`` does, which copies all three times."""
    left, top, right, bottom = box
    encoder = Image._getencoder(picture.mode, "raw", (picture.mode,))
    encoder.setimage(picture.im, box)
    size = (right - left) * (bottom - top) * len(picture.getbands())
    _, _, pixels = encoder.encode(size)
    assert len(pixels) == size
    return bytes(pixels)
