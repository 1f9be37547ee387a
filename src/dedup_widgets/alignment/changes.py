"""What was changed in a confirmed copy: something laid over it, its brightness or its colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.geometry import Map, after, inverse, to_pixels
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, blurred, lay
from dedup_widgets.alignment.photos import CHANGED, as_bright

FINE = 256
"""Longest side in pixels at which the tones of what changed are looked at."""


NEAR = 8
"""Grey levels about a tone that belong to it, in a thumbnail."""


FLAT = 0.66
"""Share of what changed that must be of two tones, those of a box and its text, to have been laid
over. Measured: boxes, captions and logos have 0.65 to 1, things that moved 0.3 to 0.65."""


LETTERS, OUTLINED = 0.42, 180
"""The same for letters with an outline, which JPEG blurs, and the grey levels between the two."""


SIGN, BEYOND = 0.7, 0.5
"""Share of what changed that must be of three tones, those of a sign with a rim, and of what lies
about it that may be of them: a wall behind a thing that moved goes on beyond it."""


LARGE, OF_FEW_TONES = 0.12, 0.75
"""Share of the picture from which a cover is large, and that of it which must then be of three
tones: captions and boxes have 0.75 and more, of two photos in one place mostly one has less."""


GOES_ON = 0.8
"""Share of what lies about what changed from which the flat tones of it go on there, as a sky's
do: something came before it, and nothing flat was laid over."""


CALM, LEAST_CALM = 10.0, 0.15
"""Grey levels a pixel up to which a picture is calm, beside the edges of letters and rims, and the
share of what changed that must be."""


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


APART, ABOUT = 5, 13
"""Pixels, at `FINE`, of the discs that what changed is widened by, to get at what lies about it."""


STROKES, MORE_STROKES = 20.0, 2.5
"""Grey levels a pixel by which a picture changes on average where letters or lines were laid over
it, and how many times as much as the other picture does there. Measured: letters 31 to 54 and
mostly more than 4 times; things that moved less than 19, and 1.7 times."""


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
    """

    over_a: float
    over_b: float


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Both pictures have strokes where they differ, of the same tones: other words or numbers."""


def cover(
    a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, coarse: Overlay, changed: Mask
) -> Cover | Exchanged | None:
    """Measure what was laid over one of two grey pictures; None if something else changed.

    What was laid over a picture (a logo, a box) has few tones, or is all strokes (letters, lines),
    and lies over one picture alone: that in which it stands out from what lies about it. Of things
    that moved, either picture shows some, and beside them what they uncovered. Where other words
    are written, or a needle points elsewhere, the tones stay and strokes are in both.

    Parameters
    ----------
    a, b, m
        The pictures and the map between them.
    coarse, changed
        The pictures on a smaller canvas, and where they differ on it.
    """
    share = int(changed.sum()) / max(1, int(coarse.shown.sum()))
    laid = lay(a, b, m, FINE)
    if laid is None:
        return None
    there = np.asarray(cv2.resize(changed.astype(np.uint8), laid.a.shape[::-1], interpolation=0))
    there = np.asarray(cv2.dilate(there, np.ones((5, 5), np.uint8)))
    difference = np.abs(laid.a - as_bright(laid.b, laid.a, laid.shown))
    differs = (there > 0) & (difference > CHANGED)
    if not differs.any():
        return None
    pictures = laid.a, laid.b
    slopes = [slope(p, differs) for p in pictures]
    if max(slopes) >= max(STROKES, MORE_STROKES * min(slopes)):
        return Cover(share, 0.0) if slopes[0] > slopes[1] else Cover(0.0, share)
    if _are_written(slopes) and shared_tones(*(p[differs] for p in pictures)) >= SHARED:
        return Exchanged()
    about = _about(differs, laid.shown)
    tones = [_Tones.of(p[differs], p[about]) for p in pictures]
    is_over_a = tones[0].standing_out > tones[1].standing_out
    covered, bare = tones if is_over_a else tones[::-1]
    is_sign = covered.three >= SIGN and covered.beyond < min(BEYOND, bare.beyond)
    is_flat = covered.are_flat or (bare.are_flat and bare.beyond < GOES_ON)
    is_another_picture = share >= LARGE and covered.three < OF_FEW_TONES
    if not is_another_picture and (is_sign or is_flat):
        return Cover(share, 0.0) if is_over_a else Cover(0.0, share)
    if share >= LARGE:
        return None
    if _is_laid_flat(laid.a, laid.b, differs, difference, laid.shown):
        return Cover(share, 0.0)
    if _is_laid_flat(laid.b, laid.a, differs, difference, laid.shown):
        return Cover(0.0, share)
    return None


def _is_laid_flat(over: Grey, bare: Grey, differs: Mask, difference: Grey, shown: Mask) -> bool:
    """Tell whether what changed is of few tones in one picture, but for its edges.

    Half of a small sign is edges, which are of no tone. And a dark bar differs little where the
    other picture is dark, too: what joins it there, and is of its tones, belongs to it.
    """
    calm = _steepness(over) <= CALM
    seeds = differs & calm
    if seeds.sum() < LEAST_CALM * differs.sum():
        return False
    of_tones = _near(over, _Tones.of(over[seeds], over[seeds]).tones)
    whole = _joined(differs, differs | (of_tones & (difference > SLIGHT))) & shown
    box = _one_place(whole)
    if box is None:
        return False
    about = _about(box, shown)
    covered = _Tones.of(over[whole & calm], over[about])
    if covered.three < FLATLY or covered.two < TWO_TONES or covered.beyond >= BESIDE:
        return False
    bare_calm = whole & (_steepness(bare) <= CALM)
    ground = _Tones.of(bare[bare_calm], bare[about])
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


@dataclass(frozen=True, slots=True)
class _Tones:
    """The commonest tones of what changed, in one of the pictures.

    Attributes
    ----------
    tones : tuple of 3 ints
        The three commonest ones, in grey levels.
    two, three : float
        Share of it near two of these, and all three.
    beyond : float
        Share of what lies about it near the three.
    """

    tones: tuple[int, ...]
    two: float
    three: float
    beyond: float

    @classmethod
    def of(cls, changed: Grey, about: Grey) -> "_Tones":
        counts = tone_counts(changed)
        beyond = tone_counts(about)
        total, outside = max(1, int(counts.sum())), max(1, int(beyond.sum()))
        tones, shares = list[int](), list[float]()
        for _ in range(3):
            tones.append(int(np.convolve(counts, np.ones(2 * NEAR + 1), "same").argmax()))
            near = slice(max(0, tones[-1] - NEAR), tones[-1] + NEAR + 1)
            counts[near] = beyond[near] = 0
            shares.append(1 - int(counts.sum()) / total)
        return cls(tuple(tones), shares[1], shares[2], 1 - int(beyond.sum()) / outside)

    @property
    def are_flat(self) -> bool:
        """Whether they may be those of a box and its text, or of letters with an outline."""
        return self.two >= (LETTERS if abs(self.tones[0] - self.tones[1]) >= OUTLINED else FLAT)

    @property
    def standing_out(self) -> float:
        """How flat it is, and how unlike what lies about it."""
        return self.three - self.beyond


def tone_counts(values: Grey) -> NDArray[np.int64]:
    """Return how many of some pixels have each of 256 grey levels."""
    return np.bincount(values.clip(0, 255).astype(np.intp), minlength=256)


def _are_written(slopes: list[float]) -> bool:
    """Tell whether two pictures have strokes where they differ, given how steep they are there."""
    low, high = sorted(slopes)
    return low * high >= WRITTEN**2 and high <= AS_STEEP * low


def shared_tones(p: Grey, q: Grey) -> float:
    """Return the share of their tones that two sets of pixels have in common, within `NEAR`."""
    about = np.ones(2 * NEAR + 1)
    p_share, q_share = (np.convolve(tone_counts(v), about, "same") for v in (p, q))
    return float(np.minimum(p_share / p_share.sum(), q_share / q_share.sum()).sum())


def _about(there: Mask, shown: Mask) -> Mask:
    """Return the pixels that lie about a region, its gaps closed, but do not touch it."""
    discs = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) for side in (APART, ABOUT)]
    closed = cv2.morphologyEx(there.astype(np.uint8), cv2.MORPH_CLOSE, discs[1])
    near, far = (np.asarray(cv2.dilate(closed, disc)) > 0 for disc in discs)
    around: Mask = far & ~near & shown
    return around


def slope(p: Grey, there: Mask) -> float:
    """Return how steep a picture is on average at some pixels, in grey levels a pixel."""
    return float(_steepness(blurred(p, 0.7))[there].mean())


def _steepness(p: Grey) -> Grey:
    down, across = np.gradient(p)
    return np.asarray(np.hypot(down, across), np.float32)


def is_recoloured(a: NDArray[np.float32], b: NDArray[np.float32], m: Map) -> bool:
    """Tell whether colours differ where two pictures, (n, n, 3), squashed, show the same."""
    side = len(a)
    pixels = to_pixels(side, side)
    back = after(pixels, after(m, inverse(pixels)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = (
        cv2.warpAffine(np.ones((side, side), np.float32), back, (side, side), flags=flags) > 0.99
    )
    laid = np.asarray(cv2.warpAffine(b, back, (side, side), flags=flags))
    p, q = a[shown], laid[shown]
    if len(p) == 0:
        return False
    if float(np.median(np.abs(p - q), axis=0).mean()) > RECOLOURED:
        return True
    pale, vivid = sorted(float(np.ptp(pixels, axis=1).mean()) for pixels in (p, q))
    return pale < PALER * vivid and vivid - pale > DULL
