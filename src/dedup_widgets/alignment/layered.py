"""What thumbnails do not show must agree as well: transparency, further frames, further bands."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment import pages, photos
from dedup_widgets.alignment.comparable import Comparable
from dedup_widgets.alignment.geometry import Map
from dedup_widgets.alignment.overlay import Overlay, lay
from dedup_widgets.images.layers import is_like_a_page

LEAST_GOOD = 0.6
"""Share of a frame's textured windows that must agree, as for the first frame."""


EQUAL = 6.0
"""Mean difference, in grey levels, up to which two frames without texture are one."""


EQUAL_ANYWHERE, PLACE = 48.0, 3
"""The same at any place of so many pixels a side."""


SIDE = 64
"""Longest side in pixels at which frames that are not like a page are compared."""


def may_correspond(a: Comparable, b: Comparable) -> bool:
    """Tell whether two pictures have as many frames and bands."""
    return all(len(a.of_kind(kind)) == len(b.of_kind(kind)) for kind in ("frame", "band"))


def correspond(a: Comparable, b: Comparable, m: Map, is_decided_by_sight: bool) -> bool:
    """Tell whether all layers agree under the map of the first frames.

    If only one picture has transparency, what is seen must decide by itself.
    """
    alphas = a.of_kind("alpha"), b.of_kind("alpha")
    if len(alphas[0]) != len(alphas[1]) and not is_decided_by_sight:
        return False
    if not all(_have_one_outline(p, q, m) for p, q in zip(*alphas, strict=False)):
        return False
    pairs = [
        pair
        for kind in ("frame", "band")
        for pair in zip(a.of_kind(kind), b.of_kind(kind), strict=True)
    ]
    return all(_agree(p, q, m) for p, q in pairs)


def _have_one_outline(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> bool:
    """Tell whether two pictures are transparent at the same places."""
    laid = lay(a, b, m, SIDE)
    return _are_equal(a, b) if laid is None else _differ_by(laid, 1)


def _are_equal(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b.astype(float)).max() <= EQUAL)


def _agree(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> bool:
    laid = lay(a, b, m, SIDE)
    if laid is None:
        return _are_equal(a, b)
    if _differ_by(laid, 0.25):
        return True
    if is_like_a_page(a) or is_like_a_page(b):
        return pages.agree_everywhere(a, b, m)[0] >= pages.LOWEST_FINE
    found = photos.compare(laid)
    if found.textured < 3:
        return _differ_by(laid, 1)
    return found.good >= LEAST_GOOD


def _differ_by(laid: Overlay, share: float) -> bool:
    """Tell whether two layers differ at most by a share of what is allowed, in all and anywhere.

    Most of a layer may be empty, so that one that is small differs little in the mean.
    """
    difference = np.abs(laid.a - laid.b) * laid.shown
    places = cv2.blur(difference.astype(np.float32), (PLACE, PLACE))
    mean = float(difference.sum() / max(1, laid.shown.sum()))
    return mean <= share * EQUAL and float(places.max()) <= share * EQUAL_ANYWHERE
