"""The rule for photos: small windows of both pictures must go up and down together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, blurred, part_about

SIDE = 128
"""Longest side in pixels of the canvas: coarser than the thumbnail, so that noise, JPEG and small
errors of alignment do not count."""


WINDOW, STRIDE = 9, 4
"""Side of the windows that are correlated, and their distance, in pixels of the canvas."""


NOISE = 3.0
"""Standard deviation, in grey levels, up to which a window may be noise."""


TEXTURE = 6.0
"""Standard deviation, in grey levels, from which a window has texture."""


GOOD = 0.55
"""Correlation from which a textured window agrees."""


PLAIN_DIFFERENCE = 28.0
"""Grey levels, after equalising, by which windows without texture may differ."""


CHANGED = 25.0
"""Grey levels, after equalising, from which a pixel differs that lies outside the range of the
other picture's neighbouring ones. Measured on 2,000 copies of photos: strong JPEG, blur, noise and
errors of alignment leave regions of up to 0.2 % of the picture, things that moved larger ones."""


ALIKE = 0.8
"""Correlation from which a textured window shows the same in another tone, as another hue does."""


FINELY = 4
"""Steps a grey level in which tones are told apart to bring one picture to those of another."""


LEAST_APART, NOTHING = 0.4, 1e-3
"""Share of the textured windows in which nothing may have changed, for them to say anything, and
the share of a window that is nothing."""


@dataclass(frozen=True, slots=True)
class WindowAgreement:
    """How the windows of two pictures agree.

    Attributes
    ----------
    textured : float
        Number of textured windows that do not overlap, about.
    good : float
        Share of the textured windows that agree.
    median : float
        Median correlation of the textured windows.
    apart_good, apart_median : float
        The same of the textured windows in which nothing changed; 0 where these are few.
    agreeing : float
        Share of all windows that agree.
    changed : NDArray[np.bool_]
        (h, w), the pixels of the canvas that differ where windows do not agree.
    largest : float
        The largest connected region that shows something else, as a share of what both show.
    """

    textured: float
    good: float
    median: float
    apart_good: float
    apart_median: float
    agreeing: float
    changed: Mask
    largest: float


def compare(laid: Overlay) -> WindowAgreement:
    """Correlate the windows of two pictures that lie on each other, and find what changed."""
    a = blurred(laid.a, 0.8)
    b = as_bright(blurred(laid.b, 0.8), a, laid.shown)
    shown = np.asarray(cv2.erode(laid.shown.astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
    a_mean, b_mean = mean(a), mean(b)
    a_var = np.maximum(mean(a * a) - a_mean**2, 0)
    b_var = np.maximum(mean(b * b) - b_mean**2, 0)
    covariance = mean(a * b) - a_mean * b_mean
    correlation = covariance / np.sqrt((a_var + NOISE**2) * (b_var + NOISE**2))
    is_textured = np.maximum(a_var, b_var) > TEXTURE**2
    changed = shown & (np.abs(a - b) > CHANGED)
    # What lies beyond the other's range differs from it by as much, so mostly nothing does.
    moved = changed & (beyond(a, b) > CHANGED) if changed.any() else changed
    moved = moved & ~(is_textured & (correlation > ALIKE))
    changed &= ~(is_textured & (correlation > GOOD))
    pick = (slice(WINDOW // 2, None, STRIDE), slice(WINDOW // 2, None, STRIDE))
    inside, correlation = shown[pick], correlation[pick]
    textured = is_textured[pick] & inside
    plain_differs = np.abs(a_mean - b_mean)[pick] > PLAIN_DIFFERENCE
    disagreeing = inside & np.where(textured, correlation < GOOD, plain_differs)
    count = int(textured.sum())
    apart = correlation[textured & (mean(changed.astype(np.float32))[pick] < NOTHING)]
    has_apart = len(apart) >= LEAST_APART * count > 0
    return WindowAgreement(
        textured=count * (STRIDE / WINDOW) ** 2,
        good=float((correlation[textured] >= GOOD).mean()) if count else 0.0,
        median=float(np.median(correlation[textured])) if count else 0.0,
        apart_good=float((apart >= GOOD).mean()) if has_apart else 0.0,
        apart_median=float(np.median(apart)) if has_apart else 0.0,
        agreeing=1 - int(disagreeing.sum()) / max(1, int(inside.sum())),
        changed=changed,
        largest=largest_region(moved) / max(1, int(shown.sum())),
    )


def beyond(a: Grey, b: Grey) -> Grey:
    """Return by how much each of two pixels lies beyond the other picture's range about it."""
    about = np.ones((3, 3), np.uint8)
    by = [
        np.maximum(p - np.asarray(cv2.dilate(q, about)), np.asarray(cv2.erode(q, about)) - p)
        for p, q in ((a, b), (b, a))
    ]
    return np.asarray(np.minimum(*by), np.float32)


def mean(values: Grey, window: int = WINDOW) -> Grey:
    """Return the mean over windows about each pixel."""
    return np.asarray(
        cv2.boxFilter(values, -1, (window, window), borderType=cv2.BORDER_REFLECT), np.float32
    )


def largest_region(there: NDArray[np.bool_]) -> int:
    """Return the number of cells of the largest region of `there`, joined side by side.

    >>> largest_region(np.array([[1, 1, 0], [0, 0, 1]], bool))
    2
    """
    cells = there.astype(np.uint8)
    some = cells[part_about(cv2.boundingRect(cells))]
    if not some.size:
        return 0
    _, _, regions, _ = cv2.connectedComponentsWithStats(some, connectivity=4)
    return int(regions[1:, cv2.CC_STAT_AREA].max())


def as_bright(b: Grey, a: Grey, shown: Mask, goes_on: bool = False) -> Grey:
    """Return b with its tones brought to those of a by the rising curve that fits best.

    Tones that do not fit it are left out: something dark may have been laid over a bright place.

    Parameters
    ----------
    b, a, shown
        The pictures on one canvas, and where both show something.
    goes_on
        Whether tones beyond the curve stay as far beyond it; else they become its ends.
    """
    of_a, of_b = ((p.ravel() if shown.all() else p[shown])[::3] for p in (a, b))
    place, tone = (of_b / 8).astype(np.intp), (of_a * FINELY).astype(np.intp)
    # How often each tone of a is where b has one of 32 tones, and the median of them.
    levels = 256 * FINELY
    counts = np.bincount(levels * place + tone, minlength=32 * levels).reshape(32, levels)
    at_most = counts.cumsum(axis=1)
    total = at_most[:, -1]
    known = np.flatnonzero(total >= max(4, len(place) // 500))
    if len(known) == 0:
        return b
    median = ((2 * at_most[known] > total[known, None]).argmax(axis=1) + 0.5) / FINELY
    rising = _heaviest_rise(median.tolist(), total[known].tolist())
    middles = 8 * known[rising] + 4.0
    curve = np.interp((np.arange(levels) + 0.5) / FINELY, middles, median[rising])
    brought: Grey = curve.astype(np.float32).take((b * FINELY).astype(np.uint16))
    return brought + (b - b.clip(middles[0], middles[-1])) if goes_on else brought


def _heaviest_rise(values: Sequence[float], weights: Sequence[int]) -> list[int]:
    """Return the places of those values that rise, or stay, and weigh most together.

    >>> _heaviest_rise([9, 1, 2, 3], [2, 1, 1, 1])
    [1, 2, 3]
    """
    if all(value <= following for value, following in pairwise(values)):
        return list(range(len(values)))
    weight, before = list(weights), [-1] * len(values)
    for at, value in enumerate(values):
        for earlier in range(at):
            heavier = weight[earlier] + weights[at]
            if values[earlier] <= value and heavier > weight[at]:
                weight[at], before[at] = heavier, earlier
    at, chosen = max(range(len(values)), key=weight.__getitem__), list[int]()
    while at >= 0:
        chosen.append(at)
        at = before[at]
    return chosen[::-1]
