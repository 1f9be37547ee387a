"""Two pictures that lie on each other, the sharper one blurred until both are equally sharp."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.overlay import Grey, Overlay, blurred

SOFTEN = 0.8
"""Standard deviation in pixels of a blur against the noise of JPEG, which would count as sharp."""


RIM = 17
"""Pixels of the square that takes a rim of half its side off what both show: other things end
there."""


STEPS = 6
"""Halvings of the range in which the blur is looked for."""


def equally_sharp(laid: Overlay, softest: float) -> Overlay | None:
    """Blur the sharper of two pictures until both are as steep; None if it takes more than so much.

    Steepness is the root of the mean squared slope, in standard deviations of the picture, so that
    contrast does not count.

    Parameters
    ----------
    laid
        The pictures on each other.
    softest
        Standard deviation in pixels of the strongest blur.
    """
    there = cv2.erode(laid.shown.astype(np.uint8), np.ones((RIM, RIM), np.uint8)).astype(np.uint8)
    if not there.any():
        return None
    of_a, of_b = (_steepness(blurred(p, SOFTEN), there) for p in (laid.a, laid.b))
    sharper, aim = (laid.a, of_b) if of_a > of_b else (laid.b, of_a)
    least, most = 0.0, softest
    for _ in range(STEPS):
        sigma = (least + most) / 2
        is_sharp = _steepness(blurred(sharper, float(np.hypot(SOFTEN, sigma))), there) > aim
        least, most = (sigma, most) if is_sharp else (least, sigma)
    if most == softest:
        return None
    soft = blurred(sharper, (least + most) / 2)
    return replace(laid, a=soft) if of_a > of_b else replace(laid, b=soft)


def _steepness(p: Grey, there: NDArray[np.uint8]) -> float:
    """Return how steep a picture is at some pixels, whatever its contrast."""
    across, down = (cv2.Sobel(p, cv2.CV_32F, x, 1 - x) for x in (1, 0))
    _, deviation = cv2.meanStdDev(p, mask=there)
    squared = cv2.mean(across * across + down * down, mask=there)[0]
    return float(np.sqrt(squared)) / (float(deviation[0, 0]) + 1e-3)
