"""Two pictures brought onto one canvas, pixel on pixel and equally sharp, and the map made finer.

The refinement is the one of Lucas and Kanade with the gradients of both pictures (Baker and
Matthews, *Lucas-Kanade 20 years on*, IJCV 2004), on pictures equalised in mean and contrast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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

Projection = NDArray[np.float64]
"""(3, 3): the point (x, y) goes to the first two of ``m @ (x, y, 1)`` by the third."""


Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]


SHARPNESS = 0.45
"""Standard deviation in pixels of the blur that shrinking a picture leaves it with."""


SOFTEN = 0.5
"""Standard deviation in pixels of a blur against the noise of JPEG."""


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


BENT_BLURS, LEAST_BENT, MOST_BENT = (3.0, 1.0), 0.004, 0.07
"""Standard deviations in pixels of the blurs at which a perspective is refined, one after the
other; the share of a side by which it must move a corner, for an affine map to be worse; and that
by which it may move them beside what an affine map does."""


FARTHEST_STEP, LEAST_DEPTH = 0.3, 0.1
"""Halves of the canvas by which one step of it may move a corner, so that it can be undone, and the
depth that no place may come nearer than: a mild perspective goes nowhere near either."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """The part of a that b shows too, and b's pixels there.

    Attributes
    ----------
    a, b : NDArray[np.float32]
        (h, w), or (h, w, 3) of pictures in colour; 0 to 255.
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

    @cached_property
    def softened(self) -> tuple[Grey, Grey]:
        """Both pictures, blurred a little against the noise of JPEG."""
        return blurred(self.a, SOFTEN), blurred(self.b, SOFTEN)


def lay(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, side: int) -> Overlay | None:
    """Lay pictures on a canvas of what both show, its longest side `side` pixels or less.

    Both are grey, (h, w), or both in colour, (h, w, 3).

    It is longer if else it were too narrow, but never finer than the finer of the two pictures.
    None if they hardly touch.
    """
    _, (left, top, right, bottom) = overlap(m)
    (a_height, a_width), (b_height, b_width) = a.shape[:2], b.shape[:2]
    width, height = (right - left) * a_width, (bottom - top) * a_height
    a_pixels, b_pixels = a_width * a_height, b_width * b_height
    finer = max(1.0, float(np.sqrt(abs(np.linalg.det(m[:, :2])) * b_pixels / a_pixels)))
    scale = max(side / max(width, height, 1e-9), SMALLEST / max(min(width, height), 1e-9))
    scale = min(scale, finer)
    width, height = round(width * scale), round(height * scale)
    if min(width, height) < SMALLEST:
        return None
    box = np.array([[right - left, 0, left], [0, bottom - top, top]])
    to_a = after(box, inverse(to_pixels(width, height)))
    to_b = after(m, to_a)
    return _laid(a, b, to_a, squared(to_b), (width, height), to_b)


def _laid(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    to_a: Map,
    projection: Projection,
    size: tuple[int, ...],
    to_b: Map,
) -> Overlay:
    """Lay pictures on a canvas, b by a projection from it, of which `to_b` is the affine part."""
    width, height = size
    steps = [
        float(np.sqrt(abs(np.linalg.det(after(to_pixels(*p.shape[1::-1]), t)[:, :2]))))
        for p, t in ((a, to_a), (b, to_b))
    ]
    soft = max(1.0, *(1 / step for step in steps))
    laid = [
        _warped(p, squared(to_pixels(*p.shape[1::-1])) @ t, (width, height), step, soft)
        for p, t, step in ((a, squared(to_a), steps[0]), (b, projection, steps[1]))
    ]
    return Overlay(laid[0], laid[1], _within(projection, width, height), to_a, to_b)


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
        found = _step(moving, px, py, wanted, jacobian, light)
        if found is None:
            return m
        solved, light = found
        step = solved.reshape(2, 3)
        warp = after(warp, inverse(IDENTITY + after(step, centred)))
        if np.abs(step).max() < STILL:
            break
    if np.linalg.norm(warp - IDENTITY) > 0.25 * max(width, height):
        return m
    return after(laid.to_b, warp) @ squared(inverse(laid.to_a))


def bent(a: NDArray[np.uint8], b: NDArray[np.uint8], laid: Overlay) -> Overlay | None:
    """Lay b anew, in mild perspective beside the map by which the pictures were laid.

    The canvas and the map stay: what of a picture the other shows is measured by these. None if b
    fits no better, or only in a strong perspective.
    """
    height, width = laid.a.shape
    warp = np.eye(3)
    for sigma in BENT_BLURS:
        found = _in_perspective(laid, warp, sigma)
        if found is None:
            return None
        warp, moves = found, _moves(found, width, height)
        if np.abs(moves).max() < LEAST_BENT:
            return None
    # What four corners do beyond what an affine map could, and what all of them do.
    ways = moves @ np.array([[1, 1], [-1, 1], [-1, 1], [1, 1]]) / 4
    if np.abs(ways).max() > MOST_BENT:
        return None
    return _laid(a, b, laid.to_a, squared(laid.to_b) @ warp, laid.a.shape[::-1], laid.to_b)


def _moves(warp: Projection, width: int, height: int) -> NDArray[np.float64]:
    """Return by which shares of the sides a projection moves the corners of a canvas, (2, 4)."""
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1.0, 1, 1, 1]])
    moved = warp @ corners
    return np.asarray((moved[:2] / moved[2] - corners[:2]) / np.array([[width], [height]]))


def _in_perspective(laid: Overlay, warp: NDArray[np.float64], sigma: float) -> Projection | None:
    """Return the projection of the canvas by which b fits better, refined from another one."""
    height, width = laid.a.shape
    target, moving = blurred(laid.a, sigma), blurred(laid.b, sigma)
    slope_y, slope_x = (np.asarray(slope, np.float32) for slope in np.gradient(target))
    rows, columns = _steep(np.hypot(slope_x, slope_y), _eroded(laid.shown))
    if len(rows) < FEWEST:
        return None
    centred = np.array([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]])
    back = np.linalg.inv(centred)
    x, y = 2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1
    wanted, (_, spread) = _equalised(target[rows, columns])
    # Slopes by the coordinates that go from -1 to 1.
    gx = slope_x[rows, columns] / spread * (width - 1) / 2
    gy = slope_y[rows, columns] / spread * (height - 1) / 2
    away = gx * x + gy * y
    columns_of = (gx * x, gx * y, gx, gy * x, gy * y, gy, -away * x, -away * y)
    jacobian = np.stack([*columns_of, wanted, np.ones(len(rows))], axis=1)
    places = np.stack([columns, rows, np.ones(len(rows))])
    light = None
    for _ in range(STEPS):
        px, py, depth = warp @ places
        if depth.min() < LEAST_DEPTH:
            return None
        px, py = (px / depth).astype(np.float32), (py / depth).astype(np.float32)
        found = _step(moving, px, py, wanted, jacobian, light)
        if found is None:
            return None
        solved, light = found
        if np.abs(solved).max() > FARTHEST_STEP:
            return None
        step = np.eye(3) + np.append(solved, 0.0).reshape(3, 3)
        warp = warp @ back @ np.linalg.inv(step) @ centred
        if np.abs(solved).max() * max(width, height) / 2 < STILL:
            break
    found_warp: Projection = warp / warp[2, 2]
    return found_warp


def _step(
    moving: Grey,
    px: Grey,
    py: Grey,
    wanted: NDArray[np.float64],
    jacobian: NDArray[np.float64],
    light: tuple[float, float] | None,
) -> tuple[NDArray[np.float64], tuple[float, float]] | None:
    """Return by how much to move so that b fits better at some places, and its brightness there.

    The last two columns of the Jacobian are the contrast and the brightness of b. None where too
    few of the places lie inside it.
    """
    height, width = moving.shape
    inside = (px >= 0) & (px <= width - 1) & (py >= 0) & (py <= height - 1)
    if inside.sum() < FEWEST:
        return None
    found = np.ravel(cv2.remap(moving, px[None], py[None], cv2.INTER_LINEAR))
    if light is None:
        light = _equalised(found[inside])[1]
    miss = (found - light[0]) / light[1] - wanted
    weighted = jacobian * (inside / (1 + (miss / DOUBTED) ** 2) ** 2)[:, None]
    moment = weighted.T @ jacobian
    moment += np.eye(len(moment)) * (1e-4 * np.trace(moment) + 1e-9)
    solved = np.linalg.solve(moment, weighted.T @ miss)
    contrast = float(np.clip(1 + solved[-2], 0.5, 2))
    return solved[:-2], (light[0] + light[1] * solved[-1], light[1] * contrast)


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


def part_about(rectangle: Sequence[int] | NDArray[np.int32], reach: int = 0) -> tuple[slice, slice]:
    """Return the rows and columns of a rectangle, and of what lies within some pixels about it.

    >>> part_about((1, 5, 10, 20), reach=2)
    (slice(3, 27, None), slice(0, 13, None))
    """
    left, top, width, height = (int(it) for it in rectangle)
    rows = slice(max(0, top - reach), top + height + reach)
    return rows, slice(max(0, left - reach), left + width + reach)


def blurred(grey: Grey, sigma: float) -> Grey:
    """Return a picture blurred by a Gaussian of standard deviation `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)


def _warped(
    p: NDArray[np.uint8], m: Projection, size: tuple[int, int], step: float, soft: float
) -> Grey:
    """Return a picture on the canvas, as soft as the softer of the two."""
    source = p.astype(np.float32)
    if step > 1.05:
        source = blurred(source, SHARPNESS * np.sqrt(step**2 - 1))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warp, m = (cv2.warpPerspective, m) if m[2, :2].any() else (cv2.warpAffine, m[:2])
    laid = np.asarray(
        warp(source, m, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
    missing = soft**2 - max(1.0, 1 / step) ** 2
    if missing > 0.1:
        laid = blurred(laid, SHARPNESS * np.sqrt(missing))
    return laid


def _within(to_b: Projection, width: int, height: int) -> Mask:
    shown: Mask = np.ones((height, width), bool)
    right, bottom = width - 1, height - 1
    corners = to_b @ np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]])
    corners = corners[:2] / corners[2]
    if corners.min() >= 0 and corners.max() <= 1:
        return shown
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    *places, depth = (row[0] * x + (row[1] * y + row[2]) for row in to_b)
    for place in places:
        shown &= (place >= 0) & (place <= depth)
    return shown


def _equalised(values: Grey) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return values with median 0 and a spread of about 1, and what these were."""
    low, middle, high = (float(v) for v in np.quantile(values, (0.2, 0.5, 0.8)))
    spread = (high - low) / 1.7 + 1.0
    return (values.astype(float) - middle) / spread, (middle, spread)
