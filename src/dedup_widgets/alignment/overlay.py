"""Two pictures brought onto one canvas, pixel on pixel and equally sharp, and the map made finer.

The refinement is the one of Lucas and Kanade with the gradients of both pictures (Baker and
Matthews, *Lucas-Kanade 20 years on*, IJCV 2004), on pictures equalised in mean and contrast.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import (
    IDENTITY,
    Map,
    after,
    inverse,
    overlap,
    squared,
    to_pixels,
)

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]


SHARPNESS = 0.45
"""Standard deviation in pixels of the blur that shrinking a picture leaves it with."""


SMALLEST = 24
"""Pixels of a canvas' shorter side below which there is nothing to compare."""


STEPS, STILL = 12, 0.03
"""Steps of the refinement, and the pixels of movement below which it has arrived."""


POINTS, FEWEST = 1500, 60
"""Pixels that the refinement goes by at most, and at least."""


RIM = 9
"""Pixels of the square that takes a rim of half its side off the part of b that is shown: the
refinement does not go by that rim."""


DOUBTED = 0.6
"""Difference, in standard deviations of the picture, at which a pixel has half its weight."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """The part of a that b shows too, and b's pixels there.

    Attributes
    ----------
    a, b : NDArray[np.float32]
        (h, w), 0 to 255.
    shown : NDArray[np.bool_]
        (h, w), where b has pixels.
    to_a, to_b : Map
        From pixels of the canvas to the unit squares.
    """

    a: Grey
    b: Grey
    shown: Mask
    to_a: Map
    to_b: Map


def lay(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, side: int) -> Overlay | None:
    """Lay grey pictures on a canvas of what both show, its longest side `side` pixels or less.

    It is longer if else it were too narrow, but never finer than the finer of the two pictures.
    None if they hardly touch.
    """
    _, (left, top, right, bottom) = overlap(m)
    (a_height, a_width), (b_height, b_width) = a.shape, b.shape
    width, height = (right - left) * a_width, (bottom - top) * a_height
    finer = max(1.0, float(np.sqrt(abs(np.linalg.det(m[:, :2])) * b_width * b_height / a.size)))
    scale = max(side / max(width, height, 1e-9), SMALLEST / max(min(width, height), 1e-9))
    scale = min(scale, finer)
    width, height = round(width * scale), round(height * scale)
    if min(width, height) < SMALLEST:
        return None
    box = np.array([[right - left, 0, left], [0, bottom - top, top]])
    to_a = after(box, inverse(to_pixels(width, height)))
    to_b = after(m, to_a)
    steps = [
        float(np.sqrt(abs(np.linalg.det(after(to_pixels(*p.shape[::-1]), t)[:, :2]))))
        for p, t in ((a, to_a), (b, to_b))
    ]
    soft = max(1.0, *(1 / step for step in steps))
    laid = [
        _warped(p, after(to_pixels(*p.shape[::-1]), t), (width, height), step, soft)
        for p, t, step in ((a, to_a, steps[0]), (b, to_b, steps[1]))
    ]
    return Overlay(laid[0], laid[1], _within(to_b, width, height), to_a, to_b)


def refine(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, side: int) -> Map:
    """Move a map so that the pictures fit better, judged on a canvas of `side` pixels."""
    laid = lay(a, b, m, side)
    if laid is None:
        return m
    height, width = laid.a.shape
    target, moving = blurred(laid.a, 1.0), blurred(laid.b, 1.0)
    slope_y, slope_x = (np.asarray(slope, np.float32) for slope in np.gradient(target))
    # At the rim of b there are slopes towards what lies beyond, to which b cannot come nearer.
    rows, columns = _steep(np.hypot(slope_x, slope_y), _eroded(laid.shown))
    if len(rows) < FEWEST:
        return m
    # In coordinates about the middle of the canvas the six parameters are of one size.
    x, y = 2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1
    centred = np.array([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1]])
    wanted, (_, spread) = _equalised(target[rows, columns])
    gx, gy = slope_x[rows, columns] / spread, slope_y[rows, columns] / spread
    # The last two are the contrast and the brightness of b.
    columns_of = (gx * x, gx * y, gx, gy * x, gy * y, gy, wanted, np.ones(len(rows)))
    jacobian = np.stack(columns_of, axis=1)
    places = np.stack([columns, rows, np.ones(len(rows))])
    warp, light = IDENTITY, None
    for _ in range(STEPS):
        px, py = (warp @ places).astype(np.float32)
        inside = (px >= 0) & (px <= width - 1) & (py >= 0) & (py <= height - 1)
        if inside.sum() < FEWEST:
            return m
        found = np.ravel(cv2.remap(moving, px[None], py[None], cv2.INTER_LINEAR))
        if light is None:
            light = _equalised(found[inside])[1]
        miss = (found - light[0]) / light[1] - wanted
        weights = inside / (1 + (miss / DOUBTED) ** 2) ** 2
        weighted = jacobian * weights[:, None]
        moment = weighted.T @ jacobian
        moment += np.eye(8) * (1e-4 * np.trace(moment) + 1e-9)
        solved = np.linalg.solve(moment, weighted.T @ miss)
        step = solved[:6].reshape(2, 3)
        warp = after(warp, inverse(IDENTITY + after(step, centred)))
        light = light[0] + light[1] * solved[7], light[1] * float(np.clip(1 + solved[6], 0.5, 2))
        if np.abs(step).max() < STILL:
            break
    if np.linalg.norm(warp - IDENTITY) > 0.25 * max(width, height):
        return m
    return after(laid.to_b, warp) @ squared(inverse(laid.to_a))


def _steep(slopes: Grey, shown: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of pixels on edges, those of each neighbourhood alike."""
    width = slopes.shape[1]
    about = np.asarray(cv2.boxFilter(slopes, -1, (15, 15)))
    score = np.where(shown, slopes / (about + 0.5 * slopes.mean() + 1e-3), -1)
    score[:2] = score[-2:] = -1
    score[:, :2] = score[:, -2:] = -1
    count = min(POINTS, int((score > 0).sum()))
    places = np.sort(np.argpartition(-score, max(count, 1) - 1, axis=None)[:count])
    return places // width, places % width


def _eroded(shown: Mask) -> Mask:
    """Return a mask without the rim that it has inside the canvas."""
    rim = np.ones((RIM, RIM), np.uint8)
    return np.asarray(cv2.erode(shown.astype(np.uint8), rim)) > 0


def blurred(grey: Grey, sigma: float) -> Grey:
    """Return a picture blurred by a Gaussian of standard deviation `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)


def _warped(p: NDArray[np.uint8], m: Map, size: tuple[int, int], step: float, soft: float) -> Grey:
    """Return a picture on the canvas, as soft as the softer of the two."""
    source = p.astype(np.float32)
    if step > 1.05:
        source = blurred(source, SHARPNESS * np.sqrt(step**2 - 1))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = np.asarray(
        cv2.warpAffine(source, m, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
    missing = soft**2 - max(1.0, 1 / step) ** 2
    if missing > 0.1:
        laid = blurred(laid, SHARPNESS * np.sqrt(missing))
    return laid


def _within(to_b: Map, width: int, height: int) -> Mask:
    shown: Mask = np.ones((height, width), bool)
    right, bottom = width - 1, height - 1
    corners = to_b @ np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]])
    if corners.min() >= 0 and corners.max() <= 1:
        return shown
    x = np.arange(width)[None, :]
    y = np.arange(height)[:, None]
    for row in to_b:
        place = row[0] * x + row[1] * y + row[2]
        shown &= (place >= 0) & (place <= 1)
    return shown


def _equalised(values: Grey) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return values with median 0 and a spread of about 1, and what these were."""
    low, middle, high = (float(v) for v in np.quantile(values, (0.2, 0.5, 0.8)))
    spread = (high - low) / 1.7 + 1.0
    return (values.astype(float) - middle) / spread, (middle, spread)
