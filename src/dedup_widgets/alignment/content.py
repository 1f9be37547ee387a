"""What of a picture is content: not a plain border, and drawn or photographed."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map
from dedup_widgets.alignment.tones import commonest

BORDER_TONES, BORDER_ROW = 10, 0.98
"""A row or column belongs to the border if this share of it lies within so many grey levels of the
outermost one: JPEG at quality 12 stays within them."""


FRAME_TONES, FRAME_EVEN = 2, 0.75
"""Share of a border that lies within so many grey levels of its median, if it is a frame. Measured:
frames, in JPEG too, mostly have 0.9, papers and walls 0.2 to 0.7."""


LEAST_CONTENT = 0.04
"""Share of the picture below which what is left inside a border is no content."""


DRAWN = ((1, 7, 0.55, 0.0), (3, 4, 0.6, 0.52))
"""A picture may be drawn if so many tones, each with those so many grey levels from it, make up
this share of it (pages, screens and charts 0.61 to 1, nine of ten photos less), and this share of
that is within one level of the commonest of each: 0.54 to 1 of drawings, 0.36 to 0.5 of most photos
of animals before grass or water."""


SOLID, VARIED = 5, 2.5
"""Pixels that a stroke is thinner than, and the standard deviation, in grey levels, that a flat
fill stays below, in a thumbnail."""


PHOTO_SHARE = 0.36
"""Share of what is of other tones that must be solid and varied to be photographed: of text, icons
and charts it is mostly less than 0.25, of shaded ones up to 0.35, of most photos of things on white
more."""


CLEAN = 0.85
"""Share of the pixels within those grey levels of the commonest tone that must lie within one of
it. Measured: drawn flags, icons and slides mostly have 0.9 to 1, birds before the sky 0.2 to 0.65.
"""


PLAIN_RIM, LEAST_GROUND = 0.9, 0.15
"""Share of the outermost pixels that must be of one tone for a picture to have a plain ground, and
of what is inside its margins: a photo in a frame has less."""


REPEAT_SIDE, COARSE, NEAREST, FARTHEST = 64, 6, 4, 0.5
"""Longest side in pixels at which a picture is laid over itself, the standard deviation of the blur
that takes away what is coarser than a pattern, the least shift in pixels, and the largest as a
share of each side."""


LIKE_ITSELF, ABOUT, REPEATS = 0.25, 5, 2.7
"""Correlation with itself, shifted, from which a shift counts that is the best of so many pixels a
side; and what these add up to from which a picture is a repeated pattern. Measured: 28 of 30 boards
of squares and of dots, in perspective, have 2.8 to 28, 99 of 100 photos less than 2.7: a thing that
is there twice gives one such shift, a pattern many."""


def content_box(grey: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom, in pixels, of a grey picture without plain borders.

    >>> framed = np.pad(np.full((10, 10), 200, np.uint8), 4)
    >>> content_box(framed)
    (4, 4, 14, 14)
    """
    height, width = grey.shape
    top, bottom = _trimmed(grey)
    left, right = _trimmed(grey[top:bottom].T)
    if left or right < width:
        inner_top, inner_bottom = _trimmed(grey[top:bottom, left:right])
        top, bottom = top + inner_top, top + inner_bottom
    if (right - left) * (bottom - top) < LEAST_CONTENT * grey.size:
        return 0, 0, width, height
    return left, top, right, bottom


def has_frame(grey: NDArray[np.uint8], box: tuple[int, int, int, int]) -> bool:
    """Tell whether a border of a grey picture is even, as a frame is.

    A photographed ground (paper, a wall, the sky) varies, however plain it is: that belongs to the
    picture.

    Parameters
    ----------
    grey
        (h, w).
    box
        Its content: left, top, right, bottom.

    Examples
    --------
    >>> framed = np.pad(np.full((10, 10), 200, np.uint8), 4)
    >>> has_frame(framed, content_box(framed))
    True
    """
    left, top, right, bottom = box
    bands = (grey[:top], grey[bottom:], grey[top:bottom, :left], grey[top:bottom, right:])
    return any(
        (np.abs(band - np.median(band)) <= FRAME_TONES).mean() >= FRAME_EVEN
        for band in bands
        if band.size
    )


def to_whole(box: tuple[int, int, int, int], size: tuple[int, int]) -> Map:
    """Return the map from the unit square of the content to that of the whole picture."""
    left, top, right, bottom = box
    width, height = size
    return np.array(
        [[(right - left) / width, 0, left / width], [0, (bottom - top) / height, top / height]]
    )


def is_drawn(grey: NDArray[np.uint8]) -> bool:
    """Tell whether a grey picture is a page, a slide, a screen, a chart, a sign or an icon.

    These are made of few tones. A photo of a thing on white is not drawn: the thing varies.
    """
    return any(_is_of_few_tones(grey, *rule) for rule in DRAWN)


def has_clean_ground(grey: NDArray[np.uint8]) -> bool:
    """Tell whether few tones make up most of a grey picture, and the commonest is one level.

    So it is of what a program has drawn; of sky, paper and walls it is many levels.

    >>> has_clean_ground(np.full((20, 20), 255, np.uint8))
    True
    """
    if not any(_few_tones(grey, *rule)[0] for rule in DRAWN):
        return False
    counts = _levels(grey)
    tone = commonest(counts, 1)
    at_it, near = (counts[max(0, tone - it) : tone + it + 1].sum() for it in (1, DRAWN[0][1]))
    return bool(at_it >= CLEAN * near)


def is_cut_out(grey: NDArray[np.uint8], content: NDArray[np.uint8]) -> bool:
    """Tell whether a grey picture shows a thing on a plain ground, as catalogues do.

    Parameters
    ----------
    grey
        (h, w), the whole picture.
    content
        What of it is no margin.

    Examples
    --------
    >>> disc = np.hypot(*(np.indices((40, 40)) - 20)) < 12
    >>> ground = np.where(disc, np.arange(40) * 3, 255).astype(np.uint8)
    >>> is_cut_out(ground, ground[8:33, 8:33])
    True
    """
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    tone = float(np.median(rim))

    def share(pixels: NDArray[np.uint8]) -> float:
        return float((np.abs(pixels - tone) <= BORDER_TONES).mean())

    return share(rim) >= PLAIN_RIM and share(content) >= LEAST_GROUND


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift by which a picture lies on itself.

    Attributes
    ----------
    likeness : float
        Correlation of what both cover, at most 1.
    m : Map
        The shift of the unit square.
    """

    likeness: float
    m: Map


def shifts_onto_itself(grey: NDArray[np.uint8]) -> list[Shift]:
    """Return by which shifts a grey picture lies on itself best, each forth and back."""
    scale = REPEAT_SIDE / max(grey.shape)
    height, width = (max(COARSE, round(side * scale)) for side in grey.shape)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = small - cv2.GaussianBlur(small, (0, 0), COARSE)
    size = (2 * height, 2 * width)
    picture, energy, whole = (np.fft.rfft2(p, size) for p in (fine, fine**2, np.ones_like(fine)))
    # What either lends to the part that both cover, for each shift, and their product there.
    lent = np.fft.irfft2(energy * whole.conj(), size)
    borrowed = np.fft.irfft2(energy.conj() * whole, size)
    product = np.fft.irfft2(np.abs(picture) ** 2, size)
    down = np.abs(np.fft.fftfreq(size[0], 1 / size[0]))[:, None]
    across = np.abs(np.fft.fftfreq(size[1], 1 / size[1]))[None, :]
    counts = (down <= FARTHEST * height) & (across <= FARTHEST * width)
    counts &= np.minimum(lent, borrowed) > 0.3 * (fine**2).sum()
    likeness = np.where(counts, product / np.sqrt(np.maximum(lent * borrowed, 0) + 1), 0)
    likeness = np.fft.fftshift(likeness).astype(np.float32)
    best = likeness == np.asarray(cv2.dilate(likeness, np.ones((ABOUT, ABOUT), np.uint8)))
    best &= (likeness >= LIKE_ITSELF) & np.fft.fftshift(np.hypot(down, across) >= NEAREST)
    return [
        Shift(
            float(likeness[row, column]),
            np.array([[1, 0, column / width - 1], [0, 1, row / height - 1]]),
        )
        for row, column in zip(*np.nonzero(best), strict=True)
    ]


def is_repeating(shifts: Sequence[Shift]) -> bool:
    """Tell whether a picture is a repeated pattern, so that several maps fit equally.

    >>> board = np.kron(np.indices((8, 8)).sum(axis=0) % 2 * 255, np.ones((8, 8)))
    >>> is_repeating(shifts_onto_itself(board))
    True
    """
    # Each shift is there twice, forth and back.
    return sum(shift.likeness for shift in shifts) >= 2 * REPEATS


def _is_of_few_tones(
    grey: NDArray[np.uint8], tones: int, within: int, share: float, pure: float
) -> bool:
    """Tell whether few tones make up a share of a picture, and the rest is no photo."""
    are_few, apart = _few_tones(grey, tones, within, share, pure)
    if not are_few:
        return False
    solid = cv2.erode(apart[grey].astype(np.uint8), np.ones((SOLID, SOLID), np.uint8)) > 0
    values = grey.astype(np.float32)
    mean = cv2.boxFilter(values, -1, (SOLID, SOLID))
    variance = cv2.boxFilter(values * values, -1, (SOLID, SOLID)) - mean * mean
    varied = int((solid & (variance > VARIED**2)).sum())
    return varied < PHOTO_SHARE * max(1, int(apart[grey].sum()))


def _few_tones(
    grey: NDArray[np.uint8], tones: int, within: int, share: float, pure: float
) -> tuple[bool, NDArray[np.bool_]]:
    """Tell whether few tones make up a share of a picture, and which grey levels are none."""
    counts = _levels(grey)
    apart, at_tones = np.ones(256, bool), 0
    for _ in range(tones):
        left = counts * apart
        tone = commonest(left, within)
        about = slice(max(0, tone - within), tone + within + 1)
        at_tones += int(np.convolve(left[about], np.ones(3), "same").max())
        apart[about] = False
    of_tones = int(counts[~apart].sum())
    return of_tones >= share * grey.size and at_tones >= pure * of_tones, apart


def _levels(grey: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return how many pixels have each of 256 grey levels."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256])
    return np.asarray(counts.ravel(), np.intp)


def _trimmed(grey: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the first row that is content, and the one after the last."""
    start = _border_rows(grey)
    return (0, len(grey)) if start == len(grey) else (start, len(grey) - _border_rows(grey[::-1]))


def _border_rows(grey: NDArray[np.uint8]) -> int:
    if grey.size == 0:
        return len(grey)
    # The median, by sorting: of few numbers that is faster.
    tones = np.sort(grey[0])
    tone = (float(tones[(len(tones) - 1) // 2]) + float(tones[len(tones) // 2])) / 2
    for at, row in enumerate(grey):
        if np.count_nonzero(np.abs(row - tone) <= BORDER_TONES) / len(row) < BORDER_ROW:
            return at
    return len(grey)
