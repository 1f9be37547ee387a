"""What was changed in a confirmed copy: something laid over it, its brightness or its colours."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map, after, inverse, to_pixels
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, blurred, lay
from dedup_widgets.alignment.photos import CHANGED, as_bright

FINE = 256
"""Longest side in pixels at which the tones of what changed are looked at."""


NEAR = 8
"""Grey levels about a tone that belong to it, in a thumbnail."""


FLAT = 0.66
"""Share of what changed that must be of two tones, those of a box and its text, to have been laid
over. Measured: boxes, captions and logos have 0.65 to 1, things that moved 0.3 to 0.65."""


LETTERS, OUTLINED = 0.42, 180
"""The same for letters with an outline, which JPEG blurs, and the grey levels between the two."""


STROKES, MORE_STROKES = 20.0, 2.5
"""Grey levels a pixel by which a picture changes on average where letters or lines were laid over
it, and how many times as much as the other picture does there. Measured: letters 31 to 54 and
mostly more than 4 times; things that moved less than 19, and 1.7 times."""


RECOLOURED = 3.5
"""Mean difference of red, green and blue, in levels of 255, from which colours were changed: JPEG
at quality 12 and strong blur stay below it."""


PALER, DULL = 0.6, 2.0
"""Saturation as a share of that of the other picture from which colours were changed even where
there are few, and levels of 255 by which it must differ: greater than in copies as JPEG."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What lies over one of two pictures, if it is something laid over and not another scene.

    Attributes
    ----------
    over_a, over_b : float
        Share of what both show that is covered in a, and in b; one of them is 0.
    """

    over_a: float
    over_b: float


def cover(
    a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, coarse: Overlay, changed: Mask
) -> Cover | None:
    """Measure what was laid over one of two grey pictures; None if something else changed.

    What was laid over a picture (a logo, a box) has few tones, or is all strokes (letters, lines),
    and lies over one picture alone. Of things that moved, either picture shows some, and beside
    them what they uncovered.

    Parameters
    ----------
    a, b, m
        The pictures and the map between them.
    coarse, changed
        The pictures on a smaller canvas, and where they differ on it.
    """
    share = int(changed.sum()) / max(1, int(coarse.shown.sum()))
    laid = lay(a, b, m, FINE)
    if laid is None:
        return None
    there = np.asarray(cv2.resize(changed.astype(np.uint8), laid.a.shape[::-1], interpolation=0))
    there = np.asarray(cv2.dilate(there, np.ones((5, 5), np.uint8)))
    differs = (there > 0) & (np.abs(laid.a - as_bright(laid.b, laid.a, laid.shown)) > CHANGED)
    if not differs.any():
        return None
    slopes = [_slope(p, differs) for p in (laid.a, laid.b)]
    if max(slopes) >= max(STROKES, MORE_STROKES * min(slopes)):
        return Cover(share, 0.0) if slopes[0] > slopes[1] else Cover(0.0, share)
    shares = []
    for p in (laid.a, laid.b):
        flat, apart = _two_tones(p[differs])
        shares.append(flat if flat >= (LETTERS if apart >= OUTLINED else FLAT) else 0.0)
    if max(shares) == 0:
        return None
    return Cover(share, 0.0) if shares[0] > shares[1] else Cover(0.0, share)


def _slope(p: Grey, there: Mask) -> float:
    """Return how steep a picture is on average at some pixels, in grey levels a pixel."""
    down, across = np.gradient(blurred(p, 0.7))
    return float(np.hypot(down, across)[there].mean())


def _two_tones(values: Grey) -> tuple[float, int]:
    """Return which share of grey values lies near the two commonest tones, and their distance."""
    counts = np.bincount(values.clip(0, 255).astype(np.intp), minlength=256)
    total = max(1, int(counts.sum()))
    tones = []
    for _ in range(2):
        tones.append(int(np.convolve(counts, np.ones(2 * NEAR + 1), "same").argmax()))
        counts[max(0, tones[-1] - NEAR) : tones[-1] + NEAR + 1] = 0
    return 1 - int(counts.sum()) / total, abs(tones[0] - tones[1])


def is_recoloured(a: NDArray[np.float32], b: NDArray[np.float32], m: Map) -> bool:
    """Tell whether colours differ where two pictures, (n, n, 3), squashed, show the same."""
    side = len(a)
    pixels = to_pixels(side, side)
    back = after(pixels, after(m, inverse(pixels)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = (
        cv2.warpAffine(np.ones((side, side), np.float32), back, (side, side), flags=flags) > 0.99
    )
    laid = np.asarray(cv2.warpAffine(b, back, (side, side), flags=flags))
    p, q = a[shown], laid[shown]
    if len(p) == 0:
        return False
    if float(np.median(np.abs(p - q), axis=0).mean()) > RECOLOURED:
        return True
    pale, vivid = sorted(float(np.ptp(pixels, axis=1).mean()) for pixels in (p, q))
    return pale < PALER * vivid and vivid - pale > DULL
