"""How much of each picture the other shows, and whether a border lies beyond or more content."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map, inverse, overlap

SIDE = 64
"""Longest side in pixels at which the part beyond is looked at."""


BORDER_TONES, BORDER_SHARE = 8, 0.6
"""The part beyond is a border if this share of it lies within so many grey levels of one: the rest
may be a caption or the buttons of a screen."""


LEAST = 0.01
"""Share of the picture below which the part beyond is a matter of rounding."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Shares, in [0, 1], of pictures a and b; see `Evidence` for `inside` and `border`.

    Attributes
    ----------
    shown_a, shown_b : float
        Share of the whole of a that lies inside b, and of b inside a.
    """

    shown_a: float
    shown_b: float
    inside_a: float
    inside_b: float
    border_a: float
    border_b: float


def measure(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> Extent:
    """Measure what two grey pictures show of each other under the map from a to b."""
    shown_a = min(1.0, overlap(m)[0])
    shown_b = min(1.0, shown_a * float(abs(np.linalg.det(m[:, :2]))))
    border_a, more_a = _beyond(a, m)
    border_b, more_b = _beyond(b, inverse(m))
    return Extent(
        shown_a,
        shown_b,
        shown_a / max(shown_a + more_a, 1e-9),
        shown_b / max(shown_b + more_b, 1e-9),
        border_a,
        border_b,
    )


def _beyond(grey: NDArray[np.uint8], m: Map) -> tuple[float, float]:
    """Return which share of a picture is border beyond the other, and which more content."""
    scale = SIDE / max(grey.shape)
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    small = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA))
    x = (np.arange(width)[None, :] + 0.5) / width
    y = (np.arange(height)[:, None] + 0.5) / height
    beyond = np.zeros(small.shape, bool)
    for row in m:
        place = row[0] * x + row[1] * y + row[2]
        beyond |= (place < 0) | (place > 1)
    share = float(beyond.mean())
    if share < LEAST:
        return 0.0, share
    counts = np.bincount(small[beyond], minlength=256)
    tone = int(counts.argmax())
    like_it = counts[max(0, tone - BORDER_TONES) : tone + BORDER_TONES + 1].sum()
    return (share, 0.0) if like_it >= BORDER_SHARE * beyond.sum() else (0.0, share)
