"""The rule for pictures with nothing to align: flat colours, gradients, dark frames."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import TURNS, Map

SIDE = 32
"""Side in pixels of the squashed pictures that are compared."""


EQUAL = 2.5
"""Levels of 255 by which red, green and blue may differ: what JPEG at quality 80 does to them."""


TEXTURE = 5.0
"""Standard deviation, in grey levels, from which a window has something to align by."""


LEAST_TEXTURED = 0.02
"""Share of windows with texture below which a picture is flat."""


def is_flat(grey: NDArray[np.uint8]) -> bool:
    """Tell whether a grey picture has nothing to align by.

    >>> is_flat(np.full((60, 80), 7, np.uint8))
    True
    """
    return textured(grey) < LEAST_TEXTURED


def textured(grey: NDArray[np.uint8]) -> float:
    """Return the share of a grey picture, squashed, in which there is something to align by."""
    values = cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = cv2.boxFilter(values, -1, (5, 5))
    variance = cv2.boxFilter(values * values, -1, (5, 5)) - mean * mean
    return float((variance > TEXTURE**2).mean())


def equal_turn(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Map | None:
    """Return the turn by which two RGB pictures are equal everywhere; None if there is none."""
    small = [
        cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) for p in (a, b)
    ]
    for turn in TURNS:
        if float(np.abs(small[0] - turned(small[1], turn)).max()) <= EQUAL:
            return turn
    return None


def turned(square: NDArray[np.float32], turn: Map) -> NDArray[np.float32]:
    """Return a square picture of b as it lies on a, if the map from a to b is one of the turns."""
    if turn[0, 0] == 0:
        square = square.swapaxes(0, 1)
    across, down = turn[0, :2].sum() > 0, turn[1, :2].sum() > 0
    if turn[0, 0] == 0:
        across, down = down, across
    return square[:: 1 if down else -1, :: 1 if across else -1]
