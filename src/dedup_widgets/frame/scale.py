"""The scale of uniqueness: from a distance between pictures to a score in [0, 1], and back.

    uniqueness = FLOOR + (1 - FLOOR) * distance ** gamma

The exponent belongs to the model: it puts the distance of its near-duplicate boundary at 0.05, so
that the ranges that people know mean the same for every model. The map is fixed; it never depends
on the other images. From 0 to 0.0001 there are only exact duplicates that can go, with exactly 0.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dedup_widgets.errors import InputError

FLOOR = 2e-4
"""Lowest uniqueness of an image that is scored: zero is reserved for exact duplicates that can go,
and people select these by the range 0 to 0.0001."""


NEAR = 0.05
"""Near-duplicate boundary on the uniqueness scale, where none is given."""


def checked_near(near: Any) -> float:
    """Return a near-duplicate boundary.

    Raises
    ------
    InputError
        If it is no number in [0, 1].
    """
    is_number = isinstance(near, float | int | np.floating) and not isinstance(near, bool)
    if is_number and 0 <= near <= 1:
        return float(near)
    raise InputError(f"near is {near!r}; it must lie in [0, 1], on the uniqueness scale")


def scale(distance: ArrayLike, gamma: float = 1.0) -> NDArray[np.float32]:
    """Turn a distance into uniqueness: ``FLOOR + (1 - FLOOR) * distance ** gamma``.

    Parameters
    ----------
    distance
        Distance in [0, 1], of any shape.
    gamma
        Exponent of the model; see :func:`gamma_of`.

    Returns
    -------
    NDArray[np.float32]
        Uniqueness in [FLOOR, 1], of the shape of `distance`; higher is more unique.

    Examples
    --------
    >>> scale([0.0, 0.25, 1.0], gamma=0.5).astype(float).round(4).tolist()
    [0.0002, 0.5001, 1.0]
    """
    powered = np.array(np.power(np.asarray(distance, np.float64), gamma))
    powered *= 1 - FLOOR
    powered += FLOOR
    return powered.astype(np.float32)


def gamma_of(near_distance: float) -> float:
    """Return the exponent that puts a model's near-duplicate boundary at a uniqueness of 0.05.

    Parameters
    ----------
    near_distance
        The boundary ``d_near`` as a distance, between 0 and 1.

    Returns
    -------
    float
        About 1 for CLIP ViT-B/32, whose ``d_near`` is 0.05.

    Raises
    ------
    InputError
        If `near_distance` is not strictly between 0 and 1.

    Examples
    --------
    >>> round(gamma_of(0.05), 3), round(gamma_of(0.25), 2)
    (1.001, 2.16)
    """
    if not 0 < near_distance < 1:
        raise InputError(
            f"near_distance must lie between 0 and 1, not {near_distance}; 0.05 suits a model "
            "that was not calibrated"
        )
    return math.log((NEAR - FLOOR) / (1 - FLOOR)) / math.log(near_distance)


def near_distance_of(gamma: float) -> float:
    """Return the distance of a model's near-duplicate boundary: the inverse of `gamma_of`.

    >>> round(near_distance_of(gamma_of(0.25)), 6)
    0.25
    """
    return float(((NEAR - FLOOR) / (1 - FLOOR)) ** (1 / gamma))


def radius_of(near: float, gamma: float) -> float:
    """Return the largest distance whose uniqueness is at most `near`, -1 when none is.

    Uniqueness is compared as the Float32 of the column. Floats from 0 to 1 are ordered like their
    bits, so bisecting the bits finds the largest such float.
    """
    limit = np.float32(near)

    def is_near(bits: int) -> bool:
        return bool(scale(np.int64(bits).view(np.float64), gamma) <= limit)

    low, high = 0, int(np.float64(1.0).view(np.int64))
    if not is_near(low):
        return -1.0
    if is_near(high):
        return 1.0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_near(middle) else (low, middle)
    return float(np.int64(low).view(np.float64))
