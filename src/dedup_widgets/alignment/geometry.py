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
    return np.vstack([m, (0.0, 0.0, 1.0)])


def after(second: Map, first: Map) -> Map:
    """Return the map that does `first`, then `second`."""
    done: Map = second @ squared(first)
    return done


def inverse(m: Map) -> Map:
    """Return the map back.

    >>> inverse(np.array([[2.0, 0, 1], [0, 4, 0]]))
    array([[ 0.5 ,  0.  , -0.5 ],
           [ 0.  ,  0.25,  0.  ]])
    """
    linear = np.linalg.inv(m[:, :2])
    return np.column_stack([linear, -linear @ m[:, 2]]) + 0.0


def to_pixels(width: int, height: int) -> Map:
    """Return the map from the unit square to pixels, whose centres have whole coordinates."""
    return np.array([[width, 0, -0.5], [0, height, -0.5]])


def stretch(m: Map, a_size: tuple[int, int], b_size: tuple[int, int]) -> float:
    """Return the ratio of the largest to the smallest scale of a map, in pixels; at least 1."""
    a, b = np.array(a_size, float), np.array(b_size, float)
    scales = np.linalg.svd(m[:, :2] * b[:, None] / a[None, :], compute_uv=False)
    return float(scales[0] / max(scales[1], 1e-12))


def overlap(m: Map) -> tuple[float, tuple[float, float, float, float]]:
    """Return the area of a's unit square that lies inside b's, and its bounding box."""
    square = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    other = (square @ inverse(m).T).astype(np.float32)
    area, polygon = cv2.intersectConvexConvex(square[:, :2].astype(np.float32), other)
    if area <= 0 or polygon is None:
        return 0.0, (0.0, 0.0, 0.0, 0.0)
    corners = np.asarray(polygon).reshape(-1, 2)
    left, top = np.clip(corners.min(axis=0), 0, 1)
    right, bottom = np.clip(corners.max(axis=0), 0, 1)
    return float(area), (float(left), float(top), float(right), float(bottom))
