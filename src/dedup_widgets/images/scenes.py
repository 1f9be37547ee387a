"""Scenes of a video: when what it shows has become something else, and stays so for a moment."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

VIEW = (32, 18)
"""Width and height of the small view by which frames are compared: what is local hardly counts."""


STEADY = 0.5
"""Seconds that a picture stays before it is a scene: a flash or the middle of a fade is none."""


PATIENCE = 2.0
"""Seconds after which a picture that is another and does not stay, as in a pan, is taken anyway."""


_VISIBLE = 0.05 * 255
"""Difference of two colours, in the band that differs most, from which on it is seen."""


def scenes(
    views: Iterable[tuple[float, float, NDArray[np.uint8]]], change: float
) -> Iterator[float]:
    """Yield when a frame of each scene is shown, in seconds.

    Frames are compared with that of the last scene and not with the one before, so that a change
    counts however slow it is.

    Parameters
    ----------
    views
        For each frame when it begins and ends to be shown, and its small view: (h, w, bands).
    change
        Share of the view that has to look different, 0 to 1.
    """
    taken: NDArray[np.uint8] | None = None
    steady: NDArray[np.uint8] | None = None
    since = other_since = 0.0
    for begin, end, view in views:
        if steady is None or _share(view, steady) > change / 2:
            steady, since = view, begin
        if taken is not None and _share(view, taken) <= change:
            other_since = end
        elif end - since >= STEADY or end - other_since >= PATIENCE:
            taken, other_since = view, end
            yield begin


def _share(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return which share of two views looks different."""
    difference = np.abs(one.astype(np.int16) - other).max(axis=2)
    return float(np.mean(difference > _VISIBLE))
