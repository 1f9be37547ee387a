"""Bars along a side of one of two pictures, as captions have them."""

from dataclasses import dataclass

import numpy as np

from dedup_widgets.alignment.overlay import Grey, Mask, Overlay
from dedup_widgets.alignment.tones import commonest, tone_counts

EVEN = 5
"""Grey levels about its tone that a bar stays within, in a thumbnail as JPEG."""


MARGIN, WRITTEN, MOSTLY = 0.85, 0.3, 0.55
"""Share of a row of pixels that must be of the tone of a bar where nothing is written on it, and
where something is, which not as much of the other picture may be there; and of all of the bar."""


EDGE = 3
"""Rows in which the edge of a bar is blurred."""


LOWEST, HIGHEST = 0.04, 0.25
"""Height of a bar, as a share of the picture's: a row of an album that has no photos is higher."""


@dataclass(frozen=True, eq=False, slots=True)
class Bar:
    """A bar along a side of one of two pictures.

    Attributes
    ----------
    there : NDArray[np.bool_]
        (h, w).
    is_over_a : bool
        Whether it lies over the first.
    """

    there: Mask
    is_over_a: bool


def bar_over(laid: Overlay) -> Bar | None:
    """Return the bars along sides of one of two grey pictures, if the other has none of its own."""
    there = np.zeros((2, *laid.a.shape), bool)
    for turn in range(4):
        p, q = (np.rot90(it, turn) for it in (laid.a, laid.b))
        rows = _rows(p, q), _rows(q, p)
        # Where both are even at a side, something else may be written on it.
        if not all(rows):
            for it, count in zip(there, rows, strict=True):
                np.rot90(it, turn)[: count + EDGE if count else 0] = True
    is_over_a, is_over_b = (bool(it.any()) for it in there)
    return Bar(there[0] | there[1], is_over_a) if is_over_a != is_over_b else None


def _rows(p: Grey, other: Grey) -> int:
    """Return how many of the first rows of a picture are a bar, and not of the other one, too."""
    most = int(HIGHEST * len(p)) + 1
    tone = commonest(tone_counts(p[: int(LOWEST * len(p)) + 1].ravel()), EVEN)
    shares, of_other = ((np.abs(it[:most] - tone) <= EVEN).mean(axis=1) for it in (p, other))
    end = int(np.append(shares < WRITTEN, True).argmax())
    rows = int(np.append(np.flatnonzero(shares[:end] >= MARGIN), -1).max()) + 1
    if not LOWEST * len(p) <= rows < most or end > rows + 2:
        # What goes on beyond it is a ground.
        return 0
    is_bar = shares[:rows].mean() >= MOSTLY and of_other[:rows].mean() < WRITTEN
    return rows if is_bar else 0
