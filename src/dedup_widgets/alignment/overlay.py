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


STEPS, STILL = 8, 0.02
"""Steps of the refinement, and the pixels of movement below which it has arrived."""


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

    It is never finer than the finer of the two pictures. None if they hardly touch.
    """
    _, (left, top, right, bottom) = overlap(m)
    (a_height, a_width), (b_height, b_width) = a.shape, b.shape
    width, height = (right - left) * a_width, (bottom - top) * a_height
    finer = max(1.0, float(np.sqrt(abs(np.linalg.det(m[:, :2])) * b_width * b_height / a.size)))
    scale = min(side / max(width, height, 1e-9), finer)
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
    target = _equalised(blurred(laid.a, 1.0), laid.shown)
    moving = blurred(laid.b, 1.0)
    inside = laid.shown.astype(np.float32)
    x, y = np.meshgrid(
        np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    )
    # In coordinates about the middle of the canvas the six parameters are of one size.
    centred = np.array([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1]])
    warp = IDENTITY
    a_slopes = np.gradient(target)
    for _ in range(STEPS):
        pixels = warp.astype(np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = np.asarray(cv2.warpAffine(moving, pixels, (width, height), flags=flags), np.float32)
        there = np.asarray(cv2.warpAffine(inside, pixels, (width, height), flags=flags)) > 0.99
        if there.sum() < SMALLEST**2 / 2:
            return m
        moved = _equalised(moved, there)
        miss = np.where(there, moved - target, 0).astype(np.float32)
        b_slopes = np.gradient(moved)
        gy, gx = ((p + q) / 2 for p, q in zip(a_slopes, b_slopes, strict=True))
        jacobian = np.stack([gx * x, gx * y, gx, gy * x, gy * y, gy], axis=-1)[there]
        weights = 1 / (1 + (miss[there] / DOUBTED) ** 2)
        weighted = jacobian * weights[:, None]
        moment = (weighted.T @ jacobian).astype(float)
        towards = (weighted.T @ miss[there]).astype(float)
        moment += np.eye(6) * (1e-4 * np.trace(moment) + 1e-9)
        step = np.linalg.solve(moment, towards).reshape(2, 3)
        warp = after(warp, inverse(IDENTITY + after(step, centred)))
        if np.abs(step).max() < STILL:
            break
    if np.linalg.norm(warp - IDENTITY) > 0.25 * max(width, height):
        return m
    return after(laid.to_b, warp) @ squared(inverse(laid.to_a))


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
    x = np.arange(width)[None, :]
    y = np.arange(height)[:, None]
    shown: Mask = np.ones((height, width), bool)
    for row in to_b:
        place = row[0] * x + row[1] * y + row[2]
        shown &= (place >= 0) & (place <= 1)
    return shown


def _equalised(grey: Grey, shown: Mask) -> Grey:
    values = grey[shown]
    return np.asarray((grey - values.mean()) / (values.std() + 1e-3), np.float32)
