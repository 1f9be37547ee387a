"""Affine maps between the unit squares of two pictures, and what they cover of each other.

A map is an array (2, 3): the point (x, y), x to the right and y down, goes to ``m @ (x, y, 1)``.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# `confirm` is called from many threads; OpenCV must not start as many more in each of them.
cv2.setNumThreads(1)


Map = NDArray[np.float64]


IDENTITY: Map = np.array([[1.0, 0, 0], [0, 1, 0]])


TURNS: tuple[Map, ...] = tuple(
    np.array(rows, float)
    for rows in (
        ((1, 0, 0), (0, 1, 0)),
        ((-1, 0, 1), (0, 1, 0)),
        ((1, 0, 0), (0, -1, 1)),
        ((-1, 0, 1), (0, -1, 1)),
        ((0, 1, 0), (1, 0, 0)),
        ((0, -1, 1), (1, 0, 0)),
        ((0, 1, 0), (-1, 0, 1)),
        ((0, -1, 1), (-1, 0, 1)),
    )
)
"""The eight ways to lay a square on itself."""


def squared(m: Map) -> NDArray[np.float64]:
    """Return a map as a matrix (3, 3)."""
    whole = np.eye(3)
    whole[:2] = m
    return whole


def after(second: Map, first: Map) -> Map:
    """Return the map that does `first`, then `second`."""
    done: Map = second[:, :2] @ first
    done[:, 2] += second[:, 2]
    return done


def inverse(m: Map) -> Map:
    """Return the map back.

    >>> inverse(np.array([[2.0, 0, 1], [0, 4, 0]]))
    array([[ 0.5 ,  0.  , -0.5 ],
           [ 0.  ,  0.25,  0.  ]])
    """
    (a, b, x), (c, d, y) = m.tolist()
    area = a * d - b * c
    if area == 0:
        raise np.linalg.LinAlgError("a map onto a line has no inverse")
    back: Map = np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / area
    return back + 0.0


def to_pixels(width: int, height: int) -> Map:
    """Return the map from the unit square to pixels, whose centres have whole coordinates."""
    return np.array([[width, 0, -0.5], [0, height, -0.5]])


def stretch(m: Map, a_size: tuple[int, int], b_size: tuple[int, int]) -> float:
    """Return the ratio of the largest to the smallest scale of a map, in pixels; at least 1."""
    a, b = np.array(a_size, float), np.array(b_size, float)
    scales = np.linalg.svd(m[:, :2] * b[:, None] / a[None, :], compute_uv=False)
    return float(scales[0] / max(scales[1], 1e-12))


def overlap(m: Map) -> tuple[float, tuple[float, float, float, float]]:
    """Return the area of a's unit square that lies inside b's, and its bounding box.

    Not by `cv2.intersectConvexConvex`, which loses corners of squares that are nearly the same.

    >>> overlap(np.array([[1.0, 0, 0.25], [0, 1, 0]]))
    (0.75, (0.0, 0.0, 0.75, 1.0))
    """
    square = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    corners = [(float(x), float(y)) for x, y in square @ inverse(m).T]
    for axis in (0, 1):
        for side, inwards in ((0.0, 1), (1.0, -1)):
            corners = _clipped(corners, axis, side, inwards)
    if len(corners) < 3:
        return 0.0, (0.0, 0.0, 0.0, 0.0)
    xs, ys = zip(*corners, strict=True)
    following = [*corners[1:], corners[0]]
    twice = sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))
    return abs(twice) / 2, (min(xs), min(ys), max(xs), max(ys))


def _clipped(
    corners: list[tuple[float, float]], axis: int, side: float, inwards: int
) -> list[tuple[float, float]]:
    """Return what lies on one side of a line of the corners of a convex polygon."""
    left: list[tuple[float, float]] = []
    for before, corner in zip([*corners[-1:], *corners[:-1]], corners, strict=True):
        depths = [inwards * (point[axis] - side) for point in (before, corner)]
        if (depths[0] < 0) != (depths[1] < 0):
            share = depths[0] / (depths[0] - depths[1])
            crossing = [p + share * (q - p) for p, q in zip(before, corner, strict=True)]
            crossing[axis] = side
            left.append((crossing[0], crossing[1]))
        if depths[1] >= 0:
            left.append(corner)
    return left
