"""A picture as it is laid over others, with what is computed of it once."""

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.alignment import pages
from dedup_widgets.alignment.content import (
    Shift,
    content_box,
    has_clean_ground,
    has_frame,
    is_cut_out,
    is_drawn,
    is_repeating,
    shifts_onto_itself,
    to_whole,
)
from dedup_widgets.alignment.flat import is_flat, textured
from dedup_widgets.alignment.geometry import Map
from dedup_widgets.alignment.points import Points, find_points
from dedup_widgets.images.layers import Kind, Layer, from_bytes

SQUARE = 32
"""Side in pixels of the squashed picture by which the eight turns are told apart."""


ICON_SIDE, LITTLE = 200, 0.3
"""Longest side in pixels of icons, and the share of a drawing with texture below which it has
little to show: pages have 0.45 to 0.65, slides more than 0.35, arrows, letters and flags less."""


MOST_SHIFTS = 8
"""Shifts by which a page is laid on itself; each is there twice, forth and back."""


@dataclass(frozen=True, eq=False)
class Comparable:
    """One picture, small.

    Attributes
    ----------
    rgb : NDArray[np.uint8]
        (h, w, 3), the thumbnail of the first frame, longest side ≤ 256.
    layers : tuple of Layer
        What the thumbnail does not show.
    width, height : int
        Pixels of the picture itself.
    """

    rgb: NDArray[np.uint8]
    layers: tuple[Layer, ...]
    width: int
    height: int

    @cached_property
    def order(self) -> bytes:
        """A fixed place among all pictures; equal for equal ones only."""
        shapes = [self.rgb.shape, *((kept.kind, kept.pixels.shape) for kept in self.layers)]
        digest = hashlib.blake2b(repr((self.width, self.height, shapes)).encode())
        for pixels in (self.rgb, *(kept.pixels for kept in self.layers)):
            digest.update(pixels.tobytes())
        return digest.digest()

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """(h, w): the brightness of the thumbnail."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def page(self) -> NDArray[np.uint8]:
        """(h, w): the grey picture at the size at which its text can be read, if it is kept."""
        return next((kept.pixels for kept in self.layers if kept.kind == "page"), self.grey)

    @cached_property
    def is_drawn(self) -> bool:
        """Whether it is a page, a slide, a screen, a chart or an icon."""
        return is_drawn(self.grey)

    @cached_property
    def has_clean_ground(self) -> bool:
        """Whether it is mostly of few tones, and its ground of one, as programs draw."""
        return has_clean_ground(self.grey)

    @cached_property
    def is_sign(self) -> bool:
        """Whether it is a drawing that is another one when turned, cut or in another colour.

        That is a drawing of little detail (an arrow, a letter, a flag), or an icon: two of small,
        transparent and drawn.
        """
        is_small = max(self.width, self.height) <= ICON_SIDE
        if is_small + bool(self.of_kind("alpha")) + self.is_drawn >= 2:
            return True
        return self.is_drawn and self.has_clean_ground and textured(self.grey) < LITTLE

    @cached_property
    def is_flat(self) -> bool:
        """Whether it has nothing to align by."""
        return is_flat(self.grey)

    @cached_property
    def content_box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of what is not a plain border, in pixels of the thumbnail."""
        return content_box(self.grey)

    @cached_property
    def content(self) -> NDArray[np.uint8]:
        """(h, w): the brightness of what is not a plain border."""
        left, top, right, bottom = self.content_box
        return np.ascontiguousarray(self.grey[top:bottom, left:right])

    @property
    def content_rgb(self) -> NDArray[np.uint8]:
        """(h, w, 3): the same in colour."""
        left, top, right, bottom = self.content_box
        return self.rgb[top:bottom, left:right]

    @property
    def content_page(self) -> NDArray[np.uint8]:
        """(h, w): of the page, what is not a plain border."""
        across, down = (
            n / m for n, m in zip(self.page.shape[::-1], self.grey.shape[::-1], strict=True)
        )
        left, top, right, bottom = self.content_box
        rows = slice(round(top * down), round(bottom * down))
        return np.ascontiguousarray(self.page[rows, round(left * across) : round(right * across)])

    @cached_property
    def is_repeating(self) -> bool:
        """Whether it is a repeated pattern, which lies on itself in several ways."""
        return is_repeating(self._shifts)

    @cached_property
    def is_repeating_page(self) -> bool:
        """Whether it is a repeated pattern as pages are compared, too.

        Lines of text and the cells of a table lie on the next ones, but what they say does not.
        """
        likest = sorted(self._shifts, key=lambda shift: -shift.likeness)[:MOST_SHIFTS]
        return self.is_repeating and any(
            pages.lies_on_itself(self.content_page, shift.m) for shift in likest
        )

    @cached_property
    def _shifts(self) -> list[Shift]:
        return shifts_onto_itself(self.content)

    @cached_property
    def is_cut_out(self) -> bool:
        """Whether it is a thing on a plain ground."""
        return is_cut_out(self.grey, self.content)

    @cached_property
    def has_ground(self) -> bool:
        """Whether its plain borders are photographed ones, and no frame."""
        whole = (0, 0, self.grey.shape[1], self.grey.shape[0])
        return self.content_box != whole and not has_frame(self.grey, self.content_box)

    @cached_property
    def to_whole(self) -> Map:
        """The map from the unit square of the content to that of the picture."""
        return to_whole(self.content_box, (self.grey.shape[1], self.grey.shape[0]))

    @cached_property
    def square(self) -> NDArray[np.float32]:
        """(32, 32): the content, squashed, with mean 0 and norm 1; zeros if it is all alike."""
        return _squashed(self.content)

    @cached_property
    def whole_square(self) -> NDArray[np.float32]:
        """(32, 32): the same of all of it."""
        return _squashed(self.grey)

    @cached_property
    def colours(self) -> NDArray[np.float32]:
        """(32, 32, 3): the whole picture in colour, squashed and blurred."""
        small = cv2.resize(self.rgb, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.blur(small, (5, 5)), np.float32)

    @cached_property
    def in_lightness(self) -> "Comparable":
        """The same in grey by lightness, (max + min) / 2 of red, green and blue.

        Turning the hues, or exchanging channels, leaves it as it is, but not how bright a picture
        is.
        """
        red, green, blue = cv2.split(self.rgb)
        low, high = (np.asarray(it(it(red, green), blue), np.uint8) for it in (cv2.min, cv2.max))
        # Half of the sum, rounded down.
        lightness = (low & high) + ((low ^ high) >> 1)
        return replace(self, rgb=np.asarray(cv2.merge([lightness] * 3), np.uint8))

    @cached_property
    def points(self) -> Points:
        """Points of the content to align by."""
        return find_points(self.content)

    @cached_property
    def mirrored_points(self) -> Points:
        """Points of the content mirrored left to right."""
        return find_points(np.ascontiguousarray(self.content[:, ::-1]))

    def of_kind(self, kind: Kind) -> tuple[NDArray[np.uint8], ...]:
        """Return the layers of one kind, in order."""
        return tuple(kept.pixels for kept in self.layers if kept.kind == kind)


def _squashed(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(grey, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    centred = small.astype(np.float32) - np.float32(small.mean())
    norm = float(np.linalg.norm(centred))
    return centred / np.float32(norm) if norm > 1 else np.zeros_like(centred)


def comparable(thumbnail: bytes, layers: bytes, width: int, height: int) -> Comparable:
    """Read what the store holds of a picture.

    Parameters
    ----------
    thumbnail : bytes
        A JPEG, longest side ≤ 256.
    layers : bytes
        What :func:`~dedup_widgets.images.layers.to_bytes` made.
    width, height : int
        Pixels of the picture itself.

    Returns
    -------
    Comparable
        Nothing is computed of it yet.
    """
    rgb = np.asarray(Image.open(io.BytesIO(thumbnail)).convert("RGB"))
    return Comparable(rgb, from_bytes(layers), width, height)
