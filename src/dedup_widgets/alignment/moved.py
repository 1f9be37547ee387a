"""Whether something moved between two pictures that agree elsewhere: a walker, an arm, a face.

Two shots from one place agree nearly everywhere, and what moved may be small. It is looked for at
the size of the thumbnail, place by place: in a copy, what shows something else was laid over, so it
is of few tones or all strokes, or is seen through, and all of it lies over one of the two pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, part_about
from dedup_widgets.alignment.photos import as_bright, beyond
from dedup_widgets.alignment.through import shows_through
from dedup_widgets.alignment.tones import (
    CALM,
    LEAST_CALM,
    MORE_STROKES,
    STROKES,
    Tones,
    slope,
    steepness,
)

DIFFERS, SMALLEST = 20.0, 24
"""Grey levels, after equalising, from which a pixel lies outside the range of the other picture's
neighbouring ones, and how many such pixels a place must have to count."""


UNLIKE = 0.5
"""Correlation of two pictures at a place below which they show something else there."""


RIM, JOINED, TOUCHED, AROUND = 9, 7, 5, 17
"""Pixels of the squares by which the rim of what is shown is left out, what differs is joined, and
a place is widened to get at what does not touch it but lies about it."""


OF_FEW_TONES, WITHIN, EVEN = 0.7, 3, 0.75
"""Share of a place that is of three tones in one of the pictures, if it was laid over that; grey
levels about a tone that belong to it, where it is even; and share that is of three such tones then,
but for its edges. Of 3,711 copies of photos 12 have a place that is neither that nor strokes."""


WHOLLY_EVEN, UNEVEN = 0.88, 0.7
"""The same share of one picture, and of the other, where all of it was laid over the first, though
in part it is darker and in part brighter than what it lies over."""


BOX, BOX_OUT, LEAST_BOX = 0.95, 0.45, 200
"""Share of a place that is of three tones, with its edges and without them, if it is a box of one
colour; by how much it must stand out in that picture, over which it lies then; and its pixels:
what is smaller may be what is seen between letters."""


OF_ALL = 0.1
"""Share of all places that one must have to count."""


LEAST_STEEP, STEEPER = 15.0, 1.75
"""Grey levels a pixel by which a picture changes where strokes may have been laid over it, and how
many times as much as the other; `STROKES` and `MORE_STROKES` are of those that surely were."""


DOUBTED = 1.5
"""The same from which it is not said on which side a place lies that stands out in the other."""


STANDS_OUT, OTHER_SIDE = 0.2, 0.25
"""By how much more a place must stand out in one picture than in the other to lie over that, and
area of those over one picture, as a share of those over the other, from which things moved."""


THIN = 3
"""Side in pixels of the square that what is thinner than it does not survive: letters in a box."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where two pictures show something else.

    Attributes
    ----------
    area : int
        Pixels that differ.
    side : float
        How much more it stands out in the first picture than in the second.
    was_laid_over : bool
        Whether it may have been laid over one of them.
    """

    area: int
    side: float
    was_laid_over: bool


def has_moved(laid: Overlay, but_for: Mask | None = None) -> bool:
    """Tell whether pictures that lie on each other show something that moved.

    Parameters
    ----------
    laid
        Both in grey, as large as thumbnails.
    but_for
        Where it does not count.
    """
    places = list(_places(laid, but_for))
    total = sum(place.area for place in places)
    if any(not place.was_laid_over and place.area >= OF_ALL * total for place in places):
        return True
    less, more = sorted(
        sum(place.area for place in places if sign * place.side > STANDS_OUT) for sign in (1, -1)
    )
    return less > 0 and less >= OTHER_SIDE * more


def _places(laid: Overlay, but_for: Mask | None) -> Iterator[_Place]:
    """Yield the places where two pictures show something else."""
    a, b = laid.softened
    shown = np.asarray(cv2.erode(laid.shown.astype(np.uint8), np.ones((RIM, RIM), np.uint8))) > 0
    if but_for is not None:
        shown &= ~but_for
    if _differs(a, b, shown).sum() < SMALLEST:
        return
    b = as_bright(b, a, laid.shown)
    differs = _differs(a, b, shown)
    square = np.ones((JOINED, JOINED), np.uint8)
    joined = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, square)
    count, regions, boxes, _ = cv2.connectedComponentsWithStats(joined)
    for region in range(1, count):
        box = part_about(boxes[region][:4], AROUND)
        there = regions[box] == region
        if int((there & differs[box]).sum()) >= SMALLEST:
            yield from _judged(a[box], b[box], there, there & differs[box], shown[box])


def _differs(a: Grey, b: Grey, shown: Mask) -> Mask:
    apart = shown & (np.abs(a - b) > DIFFERS)
    # What lies beyond the other's range differs by as much: where little does, none of it counts.
    return np.asarray(apart & (beyond(a, b) > DIFFERS)) if apart.sum() >= SMALLEST else apart


def _judged(a: Grey, b: Grey, there: Mask, differs: Mask, shown: Mask) -> Iterator[_Place]:
    """Judge a place where pictures differ, in two parts if it is darker here and brighter there.

    Nothing is yielded if they show the same there, or one is seen through the other, or little is
    shown about it.
    """
    within = _widened(there, 3)
    about = _widened(there, AROUND) & ~_widened(there, TOUCHED) & shown
    if not about.any() or _correlation(a[within], b[within]) >= UNLIKE:
        return
    if shows_through(a, b, within) is not None:
        return
    steep = [slope(it, within) for it in (a, b)]
    low, high = sorted(steep)
    tones = [Tones.of(it[there], it[about]) for it in (a, b)]
    even = [_evenness(it, there, differs) for it in (a, b)]
    is_one_thing = max(even) >= WHOLLY_EVEN and min(even) < UNEVEN
    is_flat = max(it.three for it in tones) >= OF_FEW_TONES and max(even) >= EVEN
    was_laid_over = is_flat or is_one_thing or high >= max(LEAST_STEEP, STEEPER * low)
    area = int(differs.sum())
    out = [it.standing_out for it in tones]
    boxed = 0 if out[0] > out[1] else 1
    is_box = area >= LEAST_BOX and min(even[boxed], tones[boxed].three) >= BOX
    if is_box and out[boxed] >= max(BOX_OUT, out[1 - boxed] + STANDS_OUT):
        # Where the other one has strokes, they are its own.
        yield _Place(area, out[0] - out[1], True)
        return
    if high >= max(STROKES, MORE_STROKES * low):
        yield _Place(area, 1.0 if steep[0] > steep[1] else -1.0, was_laid_over)
        return
    blobs = [_opened(differs & part) for part in (a > b, a < b)]
    less, more = sorted(int(it.sum()) for it in blobs)
    is_two = less >= max(SMALLEST, OTHER_SIDE * more) and not is_one_thing
    for part in blobs if is_two else (there,):
        p, q = (Tones.of(it[part], it[about]) for it in (a, b))
        share = int((differs & part).sum())
        side = p.standing_out - q.standing_out
        is_steep = high >= max(LEAST_STEEP, DOUBTED * low)
        if is_steep and (side > 0) != (steep[0] > steep[1]):
            side = 0.0
        if is_one_thing and (side > 0) != (even[0] > even[1]):
            side = 0.0
        yield _Place(share, side, was_laid_over)


def _evenness(p: Grey, there: Mask, differs: Mask) -> float:
    """Return which share of a place, or of what differs there, is of three tones, but for edges."""
    calm = steepness(p) <= CALM
    return max(
        Tones.of(p[part & calm], p[part & ~part], within=WITHIN).three
        if (part & calm).sum() >= LEAST_CALM * part.sum()
        else 0.0
        for part in (there, differs)
    )


def _opened(there: Mask) -> Mask:
    """Return a region without what is thin in it."""
    square = np.ones((THIN, THIN), np.uint8)
    return np.asarray(cv2.morphologyEx(there.astype(np.uint8), cv2.MORPH_OPEN, square)) > 0


def _widened(there: Mask, side: int) -> Mask:
    return np.asarray(cv2.dilate(there.astype(np.uint8), np.ones((side, side), np.uint8))) > 0


def _correlation(p: Grey, q: Grey) -> float:
    """Return the correlation of two sets of pixels, 0 if one of them is flat."""
    spread = float(p.std()) * float(q.std())
    if min(float(p.std()), float(q.std())) <= 1:
        return 0.0
    return float(((p - p.mean()) * (q - q.mean())).mean()) / spread
