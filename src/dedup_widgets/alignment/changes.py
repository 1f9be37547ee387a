"""What was changed in a confirmed copy: something laid over it, its brightness or its colours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map
from dedup_widgets.alignment.overlay import Overlay, lay
from dedup_widgets.alignment.photos import STRIDE, WINDOW, Comparison

DIFFERENT = 30.0
"""Grey levels from which a pixel of a disagreeing region is taken to be covered."""


COLOUR_SIDE = 32
"""Longest side in pixels at which colours are compared."""


RECOLOURED = 3.5
"""Mean difference of red, green and blue, in levels of 255, from which colours were changed: JPEG
at quality 12 and strong blur stay below it."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What lies over one of two pictures, if it is something laid over and not another scene.

    Attributes
    ----------
    over_a, over_b : float
        Share of what both show that is covered in a, and in b; one of them is 0.
    spread : float
        Median deviation, in grey levels, of the covering picture's pixels from their median.
    """

    over_a: float
    over_b: float
    spread: float


def cover(laid: Overlay, found: Comparison) -> Cover:
    """Measure what disagrees.

    What was laid over a picture (letters, a logo, a bar) has one tone, what it hides has many; of
    a thing that moved, both pictures show many.
    """
    there = _under(found.disagreeing, laid.shown) & (np.abs(laid.a - laid.b) > DIFFERENT)
    if int(there.sum()) < STRIDE**2:
        return Cover(0.0, 0.0, 0.0)
    share = int(found.disagreeing.sum()) / max(1, int(found.shown.sum()))
    a, b = (float(np.median(np.abs(p - np.median(p)))) for p in (laid.a[there], laid.b[there]))
    return Cover(share, 0.0, a) if a < b else Cover(0.0, share, b)


def _under(windows: NDArray[np.bool_], shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a canvas that lie in the middle of these windows."""
    each = np.ones((STRIDE, STRIDE), bool)
    start = WINDOW // 2 - STRIDE // 2
    pixels = np.kron(windows, each)[: shown.shape[0] - start, : shown.shape[1] - start]
    there = np.zeros(shown.shape, bool)
    there[start : start + pixels.shape[0], start : start + pixels.shape[1]] = pixels
    return there & shown


def is_recoloured(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> bool:
    """Tell whether the colours of two RGB pictures differ where they show the same."""
    differences = []
    for channel in range(3):
        planes = [np.ascontiguousarray(p[..., channel]) for p in (a, b)]
        laid = lay(planes[0], planes[1], m, COLOUR_SIDE)
        if laid is None:
            return False
        differences.append(np.median(np.abs(laid.a - laid.b)[laid.shown]))
    return float(np.mean(differences)) > RECOLOURED
