"""What was changed in a confirmed copy: something laid over it, its brightness or its colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.bars import bar_over
from dedup_widgets.alignment.geometry import Map, after, inverse, to_pixels
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay
from dedup_widgets.alignment.photos import CHANGED, as_bright
from dedup_widgets.alignment.through import shows_through
from dedup_widgets.alignment.tones import (
    CALM,
    FLAT,
    LEAST_CALM,
    MORE_STROKES,
    NEAR,
    STROKES,
    Tones,
    shared_tones,
    slope,
    steepness,
)

FINE = 256
"""Longest side in pixels at which the tones of what changed are looked at."""


SIGN, BEYOND = 0.7, 0.5
"""Share of what changed that must be of three tones, those of a sign with a rim, and of what lies
about it that may be of them: a wall behind a thing that moved goes on beyond it."""


LARGE, OF_FEW_TONES = 0.12, 0.75
"""Share of the picture from which a cover is large, and that of it which must then be of three
tones: captions and boxes have 0.75 and more, of two photos in one place mostly one has less."""


GOES_ON = 0.8
"""Share of what lies about what changed from which the flat tones of it go on there, as a sky's
do: something came before it, and nothing flat was laid over."""


FLATLY, TWO_TONES, BESIDE = 0.95, 0.85, 0.5
"""Share of what changed and is calm that must be of three tones, and of two, to have been laid over
though there is much edge in it, and of what lies about it that may be of them. Measured: small
signs and captions mostly have 0.96 and 0.9, things that moved 0.5 to 0.9 of three."""


BARE_FLAT, BARE_GROUND = 0.9, 0.8
"""The same share of the other picture from which it shows something flat there, too, and of what
lies about it from which that is its ground: of two labels or boards both are flat."""


SLIGHT, IN_ONE_PLACE, FILLED = 6.0, 0.9, 0.5
"""Grey levels by which the rest of a cover differs at least, where it is of its tones; the share of
it that must lie together; and that of its box that it must fill for all of the box to belong to
it. What moved is in two places, what was looked at from elsewhere differs in many."""


LEAST_PLACE, MOST_PLACES = 24, 0.85
"""Pixels, at `FINE`, that must differ for a place to be judged, and share of what differs in them
that must be covered in one of the pictures."""


PALER_THROUGH, WRITTEN_THROUGH = 1.25, 1.5
"""How many times as much the picture that is seen through the other varies, for the other to be the
covered one without doubt; and how many times as much it changes at letters that are on it."""


APART, ABOUT = 5, 13
"""Pixels, at `FINE`, of the discs that what changed is widened by, to get at what lies about it."""


SHARED, WRITTEN, AS_STEEP = 0.55, 21.0, 1.75
"""Share of the tones of what changed that both pictures have there; the grey levels a pixel, as the
geometric mean of both, by which they change there; and how many times as much one may as the other:
then nothing was laid over one, but other words are written, or a needle points elsewhere. Measured:
of 529 covers 1 has as much of the first, other captions, numbers, codes and needles 0.57 to 0.95.
"""


RECOLOURED = 3.5
"""Mean difference of red, green and blue, in levels of 255, from which colours were changed: JPEG
at quality 12 and strong blur stay below it."""


PALER, DULL = 0.6, 2.0
"""Saturation as a share of that of the other picture from which colours were changed even where
there are few, and levels of 255 by which it must differ: greater than in copies as JPEG."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What lies over one of two pictures, if it is something laid over and not another scene.

    Attributes
    ----------
    over_a, over_b : float
        Share of what both show that is covered in a, and in b; one of them is 0.
    bar : NDArray[np.bool_] or None
        (h, w), where on the larger canvas it is a bar along a side, whatever is written on it.
    """

    over_a: float
    over_b: float
    bar: Mask | None = None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Both pictures have strokes where they differ, of the same tones: other words or numbers."""


def cover(laid: Overlay, coarse: Overlay, changed: Mask) -> Cover | Exchanged | None:
    """Measure what was laid over one of two grey pictures; None if something else changed.

    What was laid over a picture (a logo, a box) has few tones, or is all strokes (letters, lines),
    and lies over one picture alone: that in which it stands out from what lies about it. Of things
    that moved, either picture shows some, and beside them what they uncovered. Where other words
    are written, or a needle points elsewhere, the tones stay and strokes are in both. A bar along a
    side of one picture lies over it, whatever is written on it.

    Parameters
    ----------
    laid
        The pictures on each other, as large as thumbnails.
    coarse, changed
        The same on a smaller canvas, and where they differ on it.
    """
    share = int(changed.sum()) / max(1, int(coarse.shown.sum()))
    there = np.asarray(cv2.resize(changed.astype(np.uint8), laid.a.shape[::-1], interpolation=0))
    there = np.asarray(cv2.dilate(there, np.ones((5, 5), np.uint8)))
    difference = np.abs(laid.a - as_bright(laid.b, laid.a, laid.shown))
    differs = (there > 0) & (difference > CHANGED)
    if not differs.any():
        return None
    bar = bar_over(laid)
    if bar is not None and (differs & bar.there).sum() >= MOST_PLACES * differs.sum():
        over: Side | None = Side.A if bar.is_over_a else Side.B
    else:
        over, is_seen_through = _side_by_places(laid, differs, difference)
        if not is_seen_through:
            over = _side(laid, differs, difference, share) or over
    if over is Side.BOTH:
        return Exchanged()
    if over is None:
        return None
    is_over_a = over is Side.A
    of_both = (share, 0.0) if is_over_a else (0.0, share)
    return Cover(*of_both, bar.there if bar is not None and bar.is_over_a is is_over_a else None)


class Side(Enum):
    """Over which of two pictures something was laid; over both, where other words are written."""

    A, B, BOTH = range(3)


def _side(laid: Overlay, differs: Mask, difference: Grey, share: float) -> Side | None:
    """Tell over which picture lies what differs; None if it was not laid over one."""
    pictures = laid.a, laid.b
    slopes = [slope(p, differs) for p in pictures]
    if max(slopes) >= max(STROKES, MORE_STROKES * min(slopes)):
        return Side.A if slopes[0] > slopes[1] else Side.B
    if _are_written(slopes) and shared_tones(*(p[differs] for p in pictures)) >= SHARED:
        return Side.BOTH
    about = _about(differs, laid.shown)
    tones = [Tones.of(p[differs], p[about]) for p in pictures]
    is_over_a = tones[0].standing_out > tones[1].standing_out
    covered, bare = tones if is_over_a else tones[::-1]
    is_sign = covered.three >= SIGN and covered.beyond < min(BEYOND, bare.beyond)
    is_flat = covered.are_flat or (bare.are_flat and bare.beyond < GOES_ON)
    is_another_picture = share >= LARGE and covered.three < OF_FEW_TONES
    if not is_another_picture and (is_sign or is_flat):
        return Side.A if is_over_a else Side.B
    if share >= LARGE:
        return None
    if _is_laid_flat(laid.a, laid.b, differs, difference, laid.shown):
        return Side.A
    if _is_laid_flat(laid.b, laid.a, differs, difference, laid.shown):
        return Side.B
    return None


def _side_by_places(laid: Overlay, differs: Mask, difference: Grey) -> tuple[Side | None, bool]:
    """Tell the same by the places where pictures differ, and whether most are seen through."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (ABOUT, ABOUT))
    closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    count, places = cv2.connectedComponents(closed)
    votes = dict.fromkeys((*Side, None), 0)
    through, paler = 0, 0.0
    for place in range(1, count):
        there = (places == place) & laid.shown
        part = differs & there
        area = int(part.sum())
        if area < LEAST_PLACE:
            continue
        seen = _seen_through(laid, there, part)
        if seen is None:
            votes[_side(laid, part, difference, area / int(laid.shown.sum()))] += area
            continue
        through += area
        if seen.side is None:
            paler += seen.paler * area
        else:
            votes[seen.side] += area
    total = sum(votes.values())
    if not total and through:
        return (Side.A if paler > 0 else Side.B), True
    most = max(Side, key=votes.__getitem__)
    side = most if votes[most] >= MOST_PLACES * total > 0 else None
    return side, side is not None and through > total / 2


@dataclass(frozen=True, slots=True)
class _SeenThrough:
    """How one picture is seen through what lies over it in the other.

    Attributes
    ----------
    paler : float
        By how much less the first picture varies there, as a logarithm: negative if more.
    side : Side or None
        The one that is covered; None if it cannot be told.
    """

    paler: float
    side: Side | None


def _seen_through(laid: Overlay, there: Mask, differs: Mask) -> _SeenThrough | None:
    """Tell whether one picture is seen through the other, but for what is written over it."""
    through = shows_through(laid.a, laid.b, there)
    if through is None:
        return None
    paler = -float(np.log(through.contrast))
    sides = [(laid.a, laid.b, Side.A), (laid.b, laid.a, Side.B)]
    if paler < 0:
        sides.reverse()
    is_clear = abs(paler) >= np.log(PALER_THROUGH)
    rest = differs & ~through.there
    if rest.sum() < LEAST_PLACE:
        return _SeenThrough(paler, sides[0][2] if is_clear else None)
    for over, bare, side in sides[:1] if is_clear else sides:
        is_flat = Tones.of(over[rest], over[rest]).three >= FLAT
        if is_flat or slope(over, rest) >= max(STROKES, WRITTEN_THROUGH * slope(bare, rest)):
            return _SeenThrough(paler, side)
    return None


def _is_laid_flat(over: Grey, bare: Grey, differs: Mask, difference: Grey, shown: Mask) -> bool:
    """Tell whether what changed is of few tones in one picture, but for its edges.

    Half of a small sign is edges, which are of no tone. And a dark bar differs little where the
    other picture is dark, too: what joins it there, and is of its tones, belongs to it.
    """
    calm = steepness(over) <= CALM
    seeds = differs & calm
    if seeds.sum() < LEAST_CALM * differs.sum():
        return False
    of_tones = _near(over, Tones.of(over[seeds], over[seeds]).tones)
    whole = _joined(differs, differs | (of_tones & (difference > SLIGHT))) & shown
    box = _one_place(whole)
    if box is None:
        return False
    about = _about(box, shown)
    covered = Tones.of(over[whole & calm], over[about])
    if covered.three < FLATLY or covered.two < TWO_TONES or covered.beyond >= BESIDE:
        return False
    bare_calm = whole & (steepness(bare) <= CALM)
    ground = Tones.of(bare[bare_calm], bare[about])
    return ground.three < BARE_FLAT or ground.beyond >= BARE_GROUND


def _near(p: Grey, tones: Sequence[int]) -> Mask:
    """Return which pixels are of one of some tones."""
    levels = np.zeros(256, bool)
    for tone in tones:
        levels[max(0, tone - NEAR) : tone + NEAR + 1] = True
    return np.asarray(levels[p.clip(0, 255).astype(np.intp)])


def _joined(there: Mask, may_join: Mask) -> Mask:
    """Return a region with what is joined to it."""
    _, regions = cv2.connectedComponents(may_join.astype(np.uint8), connectivity=4)
    belongs = np.zeros(int(regions.max()) + 1, bool)
    belongs[np.unique(regions[there])] = True
    belongs[0] = False
    return np.asarray(belongs[regions])


def _one_place(there: Mask) -> Mask | None:
    """Return a region with its box, if it fills most of it; None if it lies in several places."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (ABOUT, ABOUT))
    closed = cv2.morphologyEx(there.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    _, regions, parts, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    counts = np.bincount(regions[there], minlength=len(parts))
    largest = int(counts.argmax())
    if counts[largest] < IN_ONE_PLACE * counts.sum():
        return None
    left, top, width, height, area = parts[largest]
    whole = there.copy()
    if area >= FILLED * width * height:
        whole[top : top + height, left : left + width] = True
    return whole


def _are_written(slopes: list[float]) -> bool:
    """Tell whether two pictures have strokes where they differ, given how steep they are there."""
    low, high = sorted(slopes)
    return low * high >= WRITTEN**2 and high <= AS_STEEP * low


def _about(there: Mask, shown: Mask) -> Mask:
    """Return the pixels that lie about a region, its gaps closed, but do not touch it."""
    discs = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) for side in (APART, ABOUT)]
    closed = cv2.morphologyEx(there.astype(np.uint8), cv2.MORPH_CLOSE, discs[1])
    near, far = (np.asarray(cv2.dilate(closed, disc)) > 0 for disc in discs)
    around: Mask = far & ~near & shown
    return around


def is_recoloured(a: NDArray[np.float32], b: NDArray[np.float32], m: Map) -> bool:
    """Tell whether colours differ where two pictures, (n, n, 3), squashed, show the same."""
    side = len(a)
    pixels = to_pixels(side, side)
    back = after(pixels, after(m, inverse(pixels)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = (
        cv2.warpAffine(np.ones((side, side), np.float32), back, (side, side), flags=flags) > 0.99
    )
    laid = np.asarray(cv2.warpAffine(b, back, (side, side), flags=flags), np.float32)
    p, q = a[shown], laid[shown]
    if len(p) == 0:
        return False
    if float(np.median(np.abs(p - q), axis=0).mean()) > RECOLOURED:
        return True
    pale, vivid = sorted(_saturation(it) for it in (p, q))
    return pale < PALER * vivid and vivid - pale > DULL


def _saturation(pixels: Grey) -> float:
    """Return by how much the channels of pixels, (n, 3), differ on average."""
    red, green, blue = pixels.T
    high, low = (it(it(red, green), blue) for it in (np.maximum, np.minimum))
    return float((high - low).mean())
