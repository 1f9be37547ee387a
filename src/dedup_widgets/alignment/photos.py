"""The rule for photos: small windows of both pictures must go up and down together."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, blurred

SIDE = 128
"""Longest side in pixels of the canvas: coarser than the thumbnail, so that noise, JPEG and small
errors of alignment do not count."""


WINDOW, STRIDE = 9, 4
"""Side of the windows that are correlated, and their distance, in pixels of the canvas."""


NOISE = 3.0
"""Standard deviation, in grey levels, up to which a window may be noise."""


TEXTURE = 6.0
"""Standard deviation, in grey levels, from which a window has texture."""


GOOD = 0.55
"""Correlation from which a textured window agrees."""


PLAIN_DIFFERENCE = 28.0
"""Grey levels, after equalising, by which windows without texture may differ."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the windows of two pictures agree.

    Attributes
    ----------
    textured : float
        Number of textured windows that do not overlap, about.
    good : float
        Share of the textured windows that agree.
    median : float
        Median correlation of the textured windows.
    agreeing : float
        Share of all windows that agree.
    largest : float
        Share of the canvas that the largest connected region of disagreeing windows takes.
    disagreeing : NDArray[np.bool_]
        (rows, columns) of windows.
    shown : NDArray[np.bool_]
        (rows, columns) of windows that lie in both pictures.
    """

    textured: float
    good: float
    median: float
    agreeing: float
    largest: float
    disagreeing: NDArray[np.bool_]
    shown: NDArray[np.bool_]


def compare(laid: Overlay) -> Comparison:
    """Correlate the windows of two pictures that lie on each other."""
    a = blurred(laid.a, 0.8)
    b = _matched(a, blurred(laid.b, 0.8), laid.shown)
    shown = np.asarray(cv2.erode(laid.shown.astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
    pick = (slice(WINDOW // 2, None, STRIDE), slice(WINDOW // 2, None, STRIDE))
    a_mean, b_mean = mean(a)[pick], mean(b)[pick]
    a_var = np.maximum(mean(a * a)[pick] - a_mean**2, 0)
    b_var = np.maximum(mean(b * b)[pick] - b_mean**2, 0)
    covariance = mean(a * b)[pick] - a_mean * b_mean
    correlation = covariance / np.sqrt((a_var + NOISE**2) * (b_var + NOISE**2))
    shown = shown[pick]
    textured = (np.maximum(a_var, b_var) > TEXTURE**2) & shown
    plain_differs = ~textured & (np.abs(a_mean - b_mean) > PLAIN_DIFFERENCE)
    disagreeing = shown & np.where(textured, correlation < GOOD, plain_differs)
    count = int(textured.sum())
    whole = max(1, int(shown.sum()))
    return Comparison(
        textured=count * (STRIDE / WINDOW) ** 2,
        good=float((correlation[textured] >= GOOD).mean()) if count else 0.0,
        median=float(np.median(correlation[textured])) if count else 0.0,
        agreeing=1 - int(disagreeing.sum()) / whole,
        largest=largest_region(disagreeing) / whole,
        disagreeing=disagreeing,
        shown=shown,
    )


def mean(values: Grey, window: int = WINDOW) -> Grey:
    """Return the mean over windows about each pixel."""
    return np.asarray(
        cv2.boxFilter(values, -1, (window, window), borderType=cv2.BORDER_REFLECT), np.float32
    )


def largest_region(there: NDArray[np.bool_]) -> int:
    """Return the number of cells of the largest region of `there`, joined side by side.

    >>> largest_region(np.array([[1, 1, 0], [0, 0, 1]], bool))
    2
    """
    count, _, regions, _ = cv2.connectedComponentsWithStats(there.astype(np.uint8), connectivity=4)
    return int(regions[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0


def _matched(a: Grey, b: Grey, shown: Mask) -> Grey:
    """Return b with the mean and contrast of a."""
    p, q = a[shown], b[shown]
    gain = float(np.clip(p.std() / (q.std() + 1e-3), 0.1, 10))
    return np.asarray((b - q.mean()) * gain + p.mean(), np.float32)
