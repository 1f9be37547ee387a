"""Points of a picture that are found again in its copies, and the map that most of them agree on.

ORB: Rublee et al., *ORB: an efficient alternative to SIFT or SURF*, ICCV 2011. A pair of points
whose angles and sizes are known gives a similarity by itself, so all pairs are tried as the seed of
a map (as in Lowe, *Distinctive image features from scale-invariant keypoints*, IJCV 2004, section
7.3): nothing is drawn at random, and few true pairs among many false ones are enough.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map, after, inverse, squared, to_pixels

SIDE = 256
"""Longest side in pixels at which points are looked for; smaller pictures are enlarged to it."""


COUNT, LEVELS = 400, 6
"""Points a picture, and sizes at which they are looked for: measured on real photos, more of
either find hardly any more copies."""


EDGE = 12
"""Points lie at least so many pixels from the margin: crops need those that lie near it."""


CONTRAST = 10
"""Grey levels by which a ring around a point must differ from it."""


RATIO = 0.9
"""A pair counts if the second nearest point is so much farther (Lowe, section 7.1)."""


SEED_REACH, REACH = 14.0, 4.0
"""Pixels by which pairs may miss a map: one made of a single pair, and the final one."""


ROUNDS = 5


@dataclass(frozen=True, eq=False)
class Points:
    """Points of one picture.

    Attributes
    ----------
    places : NDArray[np.float64]
        (n, 2), pixels of the enlarged picture.
    frames : NDArray[np.float64]
        (n, 2), size times cosine and sine of the point's angle.
    words : NDArray[np.uint8]
        (n, 32), ORB descriptors.
    size : tuple of 2 ints
        Width and height in pixels of the enlarged picture.
    """

    places: NDArray[np.float64]
    frames: NDArray[np.float64]
    words: NDArray[np.uint8]
    size: tuple[int, int]


def find_points(grey: NDArray[np.uint8]) -> Points:
    """Find the points of a grey picture (height, width), however large."""
    height, width = grey.shape
    scale = SIDE / max(height, width)
    if scale > 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        height, width = grey.shape
    low, high = np.percentile(grey[::2, ::2], (1, 99))
    if high - low > 4:
        grey = np.asarray(cv2.convertScaleAbs(_at_least(grey, low), alpha=255 / (high - low)))
    orb = cv2.ORB.create(
        COUNT, 1.2, LEVELS, edgeThreshold=EDGE, patchSize=31, fastThreshold=CONTRAST
    )
    found, words = orb.detectAndCompute(grey, None)
    rows = np.array([(*p.pt, p.size, p.angle) for p in found], float).reshape(-1, 4)
    turns = np.deg2rad(rows[:, 3])
    frames = rows[:, 2:3] * np.column_stack([np.cos(turns), np.sin(turns)])
    described = np.asarray(words, np.uint8) if found else np.zeros((0, 32), np.uint8)
    return Points(rows[:, :2], frames, described, (width, height))


def agree(a: Points, b: Points) -> tuple[int, Map | None]:
    """Return how many pairs of points agree on a map, and that map between unit squares."""
    if len(a.places) < 8 or len(b.places) < 8:
        return 0, None
    distances, nearest = cv2.batchDistance(
        a.words, b.words, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2
    )
    clear = np.flatnonzero(distances[:, 0] < RATIO * distances[:, 1])
    if len(clear) < 4:
        return 0, None
    chosen = np.asarray(nearest)[clear, 0]
    start, end = a.places[clear], b.places[chosen]
    inliers = _best_seed(start, end, a.frames[clear], b.frames[chosen])
    m: Map | None = None
    for _ in range(ROUNDS):
        if inliers.sum() < 4:
            return 0, None
        m = _least_squares(start[inliers], end[inliers])
        miss = np.hypot(*(start @ m[:, :2].T + m[:, 2] - end).T)
        reach = max(REACH, min(SEED_REACH, 2.5 * float(np.median(miss[inliers]))))
        before, inliers = inliers, miss < reach
        if reach == REACH and (inliers == before).all():
            break
    if m is None or abs(np.linalg.det(m[:, :2])) < 1e-4:
        return 0, None
    count = len(np.unique(np.round(end[inliers] / 3), axis=0))
    unit = inverse(to_pixels(*b.size)) @ squared(after(m, to_pixels(*a.size)))
    return count, unit


def _at_least(grey: NDArray[np.uint8], low: float) -> NDArray[np.uint8]:
    return np.asarray(cv2.subtract(grey, np.full_like(grey, int(low))), np.uint8)


def _best_seed(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    start_frames: NDArray[np.float64],
    end_frames: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which pairs agree with the similarity of that pair with which most agree."""
    p, q, size, other = (
        (it @ (1, 1j)).astype(np.complex64) for it in (start, end, start_frames, end_frames)
    )
    factor = other / size
    miss = factor[:, None] * (p[None, :] - p[:, None]) + q[:, None] - q[None, :]
    reach = SEED_REACH * np.maximum(1, np.abs(factor))
    near = miss.real**2 + miss.imag**2 < (reach**2)[:, None]
    rows: NDArray[np.bool_] = near[int(near.sum(axis=1).argmax())]
    return rows


def _least_squares(start: NDArray[np.float64], end: NDArray[np.float64]) -> Map:
    """Fit an affine map, held together where the points lie on one line."""
    middle, target = start.mean(axis=0), end.mean(axis=0)
    x, y = start - middle, end - target
    moment = x.T @ x
    linear = np.linalg.solve(moment + 1e-6 * np.trace(moment) * np.eye(2), x.T @ y).T
    return np.column_stack([linear, target - linear @ middle])
