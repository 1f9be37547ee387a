"""How much of each picture the other shows, and whether a border lies beyond or more content."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map, inverse, overlap

SIDE = 64
"""Longest side in pixels at which the part beyond is looked at."""


FRAME_TONES, FRAME_SHARE = 2, 0.6
"""The part beyond is a frame if this share of it lies within so many grey levels of one: the rest
may be a caption or the buttons of a screen."""


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


def measure(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> Extent:
    """Measure what two grey pictures show of each other under the map from a to b.

    What is called border here lies inside the pictures; the caller adds what it has cut off.
    """
    shown_a = min(1.0, overlap(m)[0])
    shown_b = min(1.0, shown_a * float(abs(np.linalg.det(m[:, :2]))))
    border_a, border_b = _border(a, m), _border(b, inverse(m))
    return Extent(
        min(1.0, shown_a / max(1 - border_a, 1e-9)),
        min(1.0, shown_b / max(1 - border_b, 1e-9)),
        border_a,
        border_b,
    )


def _border(grey: NDArray[np.uint8], m: Map) -> float:
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
    return float(beyond.mean()) if like_it >= FRAME_SHARE * beyond.sum() else 0.0
