"""Whether smooth pictures differ in their shades, as neighbouring slices of a scan do.

Such pictures go up and down together nearly everywhere. But whatever was done to the colours of a
copy was done to all pixels of one colour alike, and light falls on it evenly or from one side: so
the brightness of one picture follows from the colours of the other, and from the place. What does
not follow, and is no edge that lies a little elsewhere, is something else that was photographed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, blurred, lay
from dedup_widgets.alignment.pages import box_about
from dedup_widgets.alignment.photos import mean

SIDE, SOFTEN = 64, 1.2
"""Longest side in pixels of the canvas, and the standard deviation of the blur there."""


COARSE, ABOUT, SMOOTH = 2.0, 5, 5.0
"""Standard deviation in pixels of a blur that leaves no fine detail, at the size of photos; side of
the windows in which what it takes is measured; and that, in grey levels, up to which a picture is
smooth. Most photos have more, and of these every edit leaves shades that nothing explains."""


DARK, BRIGHT, CLIPPED = 5, 250, 5.0
"""Levels beyond which a channel may have been clipped, and how much of that, of 255, makes a pixel
of the canvas one that does not count."""


FEWEST = 300
"""Pixels that must count."""


OTHER_HUE = 4.0
"""Levels by which a channel may differ from the mean of all from one picture to the other: turning
hues is no smooth function of red, green and blue."""


UNEXPLAINED, OF_DETAIL, OF_ALL = 1.6, 0.5, 0.05
"""Median deviation, as a standard deviation in grey levels, from which shades are others, and what
it must be of the fine detail there, which edits mix with them, and of all shades. Measured: slices
of drawn scans have 1.8 to 8, 0.5 to 2 and 0.08 to 0.45; of 1,874 copies of photos none has all."""


def are_other(
    a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, coarse: Overlay, but_for: Mask | None
) -> bool:
    """Tell whether the shades of two RGB pictures are others, if both are smooth.

    Parameters
    ----------
    a, b, m
        The pictures, (h, w, 3), and the map between them.
    coarse
        Both in grey on the canvas of photos.
    but_for
        Where they may be, on that canvas: what was laid over one.
    """
    detail = np.maximum(*(_detail(it) for it in (coarse.a, coarse.b)))
    if float(np.median(detail[coarse.shown])) > SMOOTH:
        return False
    clipped = lay(_clipped(a), _clipped(b), m, SIDE)
    if clipped is None:
        return False
    counts = _inner(clipped.shown) & (_widened((clipped.a > CLIPPED) | (clipped.b > CLIPPED)) == 0)
    if but_for is not None:
        size = counts.shape[::-1]
        counts &= np.asarray(cv2.resize(box_about(but_for).astype(np.uint8), size)) == 0
    if int(counts.sum()) < FEWEST:
        return False
    p, q = _laid(a, b, m)
    hues = [it[counts] - it[counts].mean(axis=1, keepdims=True) for it in (p, q)]
    if float(np.median(np.abs(hues[0] - hues[1]))) > OTHER_HUE:
        return False
    slopes = [np.hypot(*np.gradient(it.mean(axis=2))) for it in (p, q)]
    steep = (slopes[0] + slopes[1])[counts]
    is_even = steep <= np.median(steep)
    size = counts.shape[::-1]
    fine = np.asarray(cv2.resize(detail, size, interpolation=cv2.INTER_AREA))[counts]
    typical = float(np.median(fine[is_even]))
    left, shades = min(_left(p, q, counts, is_even), _left(q, p, counts, is_even))
    return left >= max(UNEXPLAINED, OF_DETAIL * typical, OF_ALL * shades)


def _detail(grey: Grey) -> Grey:
    """Return how much fine detail a picture has about each pixel, in grey levels."""
    fine = grey - blurred(grey, COARSE)
    return np.asarray(np.sqrt(np.maximum(mean(fine * fine, ABOUT), 0)), np.float32)


def _clipped(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 255 where a channel is as dark or as bright as it can be, else 0."""
    return np.asarray(255 - cv2.inRange(rgb, (DARK,) * 3, (BRIGHT,) * 3), np.uint8)


def _widened(there: Mask) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(there.astype(np.uint8), np.ones((3, 3), np.uint8)))


def _inner(shown: Mask) -> Mask:
    """Return where both pictures are shown, without a rim of two pixels."""
    rim = np.ones((5, 5), np.uint8)
    padded = cv2.erode(shown.astype(np.uint8), rim, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(padded) > 0


def _laid(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> list[Grey]:
    """Return both pictures in colour on the canvas, softened, (h, w, 3)."""
    laid = lay(a, b, m, SIDE)
    return [] if laid is None else [blurred(it, SOFTEN) for it in (laid.a, laid.b)]


def _left(p: Grey, q: Grey, counts: Mask, is_even: NDArray[np.bool_]) -> tuple[float, float]:
    """Return what of the brightness of p does not follow from q, and how much p varies."""
    height, width = counts.shape
    at = np.flatnonzero(counts)
    down, across = 2 * (at // width + 0.5) / height - 1, 2 * (at % width + 0.5) / width - 1
    red, green, blue = (q[counts] / 128.0 - 1).T
    light = (red + green + blue) / 3
    colours = (red, green, blue, red**2, green**2, blue**2, red * green, red * blue, green * blue)
    places = (across, down, light * across, light * down, light * (across**2 + down**2))
    given = np.stack([np.ones_like(light), *colours, *places], axis=1)
    wanted = p[counts].mean(axis=1).astype(float)
    moment = given.T @ given + 1e-6 * len(given) * np.eye(given.shape[1])
    missed = (wanted - given @ np.linalg.solve(moment, given.T @ wanted))[is_even]
    return 1.48 * float(np.median(np.abs(missed - np.median(missed)))), float(wanted.std())
