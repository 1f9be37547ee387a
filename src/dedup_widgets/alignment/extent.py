"""How much of each picture the other shows, and whether a border lies beyond or more content."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map, inverse, overlap
from dedup_widgets.alignment.photos import NOISE

SIDE = 64
"""Longest side in pixels at which the part beyond is looked at."""


FRAME_TONES, FRAME_SHARE, MARGIN_SHARE = 2, 0.6, 0.97
"""The part beyond is a frame if this share of it lies within so many grey levels of one: the rest
may be a caption or the buttons of a screen. Beyond a drawing, where much is of one tone anyway, the
other share is asked for."""


NO_FRAME = 1.1
"""The same where nothing is a frame."""


UPRIGHT, ACROSS, APART = 2.5, 1.5, 3.0
"""Pixels by which a side may be tilted, and by which what lies beyond it must lie inside the larger
picture; pixels from a side at which pictures are compared across it; and what these places are
apart, as are those that are compared on either side of it."""


SEAM_RISE, SEAM_TIMES = 8.0, 2.5
"""Grey levels, and how often what changes over as many pixels inside, by which a picture changes
across a seam, at half of the places or more."""


UNLIKE, UNLIKE_TIMES = 0.3, 1.5
"""How much worse lines along a side correlate across it than on one of its sides, where it is a
seam; and how often what changes on one of them it must change then. Measured on 320 photos: of 546
crops none ends at seams, of 378 that end where in a collage another photo begins 313.
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """Shares, in [0, 1], of pictures a and b.

    Attributes
    ----------
    inside_a, inside_b : float
        Share of a's content that lies inside b's, and of b's inside a's.
    border_a, border_b : float
        Share of a that is a plain border, and of b.
    """

    inside_a: float
    inside_b: float
    border_a: float
    border_b: float


WHOLE = Extent(1.0, 1.0, 0.0, 0.0)


SAME_FRAME = 0.02
"""Share of a side by which the corners of two pictures may miss each other if both show the same:
refined maps are true to 0.01, and plain borders are not found alike in all copies."""


def is_same_frame(m: Map, within: float = SAME_FRAME) -> bool:
    """Tell whether the corners of the one picture lie on those of the other.

    >>> is_same_frame(np.array([[0.0, 1, 0], [-1, 0, 1]]))
    True
    """
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]]) @ m.T
    return bool(np.abs(corners - corners.round().clip(0, 1)).max() <= within)


def measure(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    m: Map,
    plain: tuple[float, float] = (FRAME_SHARE, FRAME_SHARE),
) -> Extent:
    """Measure what two grey pictures show of each other under the map from a to b.

    What is called border here lies inside the pictures; the caller adds what it has cut off. At
    least the share `plain` of it is of one tone, in a and in b.
    """
    shown_a = min(1.0, overlap(m)[0])
    shown_b = min(1.0, shown_a * float(abs(np.linalg.det(m[:, :2]))))
    border_a, border_b = _border(a, m, plain[0]), _border(b, inverse(m), plain[1])
    return Extent(
        min(1.0, shown_a / max(1 - border_a, 1e-9)),
        min(1.0, shown_b / max(1 - border_b, 1e-9)),
        border_a,
        border_b,
    )


def ends_at_seams(larger: NDArray[np.uint8], m: Map) -> bool:
    """Tell whether a picture that shows a part of a larger one ends at its seams, as in a collage.

    A photo goes on beyond the side of a crop. Where another picture begins, it changes there and
    not a little before, and its pixels have nothing to do with those on the other side. Only where
    it lies upright, or by a quarter turn: turned pictures have corners of one colour.

    Parameters
    ----------
    larger
        The larger picture, grey.
    m
        The map from the unit square of the part to that of the larger picture.
    """
    size = np.array(larger.shape[::-1])
    corners = (np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ m.T) * size
    middle = corners.mean(axis=0)
    ends = False
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = end - start
        if np.abs(along).min() > UPRIGHT:
            return False
        length = max(1.0, float(np.hypot(*along)))
        outwards = np.array([along[1], -along[0]]) / length
        outwards *= np.sign(float(outwards @ (start - middle))) or 1
        on_side = start + np.linspace(0.04, 0.96, round(length))[:, None] * along
        beyond = on_side + UPRIGHT * outwards
        there = ((beyond >= UPRIGHT) & (beyond <= size - UPRIGHT)).all(axis=1)
        if there.mean() < 0.5:
            continue
        steps = (-ACROSS - APART, -ACROSS, ACROSS, ACROSS + APART)
        if not _is_seam(*(_values(larger, on_side[there] + step * outwards) for step in steps)):
            return False
        ends = True
    return ends


def _is_seam(*lines: NDArray[np.float64]) -> bool:
    """Tell whether a picture changes between the second and the third of four lines.

    They lie side by side, (n,) grey levels each, and are crossed from inside to outside.
    """
    inside, across, outside = (
        (float(np.median(np.abs(p - q))), _correlation(p, q)) for p, q in pairwise(lines)
    )
    rise, likeness = across
    if rise >= SEAM_RISE + SEAM_TIMES * inside[0]:
        return True
    usual, usually_like = min(inside[0], outside[0]), max(inside[1], outside[1])
    return rise >= SEAM_RISE + UNLIKE_TIMES * usual and likeness < usually_like - UNLIKE


def _correlation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the correlation of two lines of grey levels, of which some are noise."""
    covariance = ((p - p.mean()) * (q - q.mean())).mean()
    return float(covariance / np.sqrt((p.var() + NOISE**2) * (q.var() + NOISE**2)))


def _values(grey: NDArray[np.uint8], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the grey levels of the pixels at places, (n, 2), that lie in a picture or near it."""
    x, y = (
        np.clip(it.astype(int), 0, n - 1) for it, n in zip(places.T, grey.shape[::-1], strict=True)
    )
    return np.asarray(grey[y, x], np.float64)


def _border(grey: NDArray[np.uint8], m: Map, plain: float) -> float:
    """Return which share of a picture is a frame beyond the other."""
    scale = SIDE / max(grey.shape)
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    small = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA))
    x = (np.arange(width)[None, :] + 0.5) / width
    y = (np.arange(height)[:, None] + 0.5) / height
    beyond = np.zeros(small.shape, bool)
    for row in m:
        place = row[0] * x + row[1] * y + row[2]
        beyond |= (place < 0) | (place > 1)
    if not beyond.any():
        return 0.0
    counts = np.bincount(small[beyond], minlength=256)
    tone = int(counts.argmax())
    like_it = counts[max(0, tone - FRAME_TONES) : tone + FRAME_TONES + 1].sum()
    return float(beyond.mean()) if like_it >= plain * beyond.sum() else 0.0
