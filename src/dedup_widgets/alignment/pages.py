"""The strict rule, for pages, slides, screens, drawings and icons: they must agree everywhere.

Two pages of one layout agree nearly everywhere, so the lowest region decides. The measure is the
structural similarity without its brightness term (Wang et al., *Image quality assessment: from
error visibility to structural similarity*, IEEE TIP 2004).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.extent import is_same_frame
from dedup_widgets.alignment.geometry import Map, after, inverse
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, blurred, lay, refine
from dedup_widgets.alignment.photos import SIDE, mean
from dedup_widgets.alignment.sharpness import equally_sharp

COARSE, FINE = 256, 640
"""Longest side in pixels of the canvases: the first refuses most pairs, the second reads text."""


WINDOW, STRIDE = 9, 4
"""Side of the windows that are compared, and their distance, in pixels: about one letter."""


SOFTEN = 0.8
"""Standard deviation in pixels of a blur, without which thin lines differ by where they fall
between pixels."""


NOISE = 14.0
"""Standard deviation, in grey levels, of the noise of scans and of JPEG at quality 30."""


LOWEST_COARSE, LOWEST_FINE = 0.5, 0.9
"""How much the lowest region must agree at least."""


LOWEST_WRITTEN, GROUND, SOLID = 0.6, 12.0, 9
"""The same for what is written beside a photo, whose copies may be blurred or noisy; grey levels
from the ground's from which something is written on it, and the pixels that strokes are thinner
than."""


TYPICAL, OUTLIER, CLEAN = 0.05, 5.0, 0.015
"""What the lowest region lacks of full agreement must be at most so many times what is lacked at
this quantile of the regions with texture, plus a little: JPEG, scanning and shrinking change all of
a page, another digit changes one place. Measured on drawn and real pages: copies have 1 to 4 times,
pages with another number, word or cell from 50 times."""


HOPEFUL, SOFTEST, EVENLY, EVEN = 0.3, 1.5, 2.0, 0.01
"""How much the lowest region must agree for the pictures to be made equally sharp; the standard
deviation in pixels of the blur that one may need for it: of more blurred ones nobody can read the
numbers; and what the lowest region may lack then, as above. Measured on drawn pages that were
blurred, tilted, cropped and made smaller: it takes 1,521 of 1,837 copies, and none of 688 with
another number, word or row; with 3 for 2 ten of these."""


SAME_PART, IN_ONE_PIECE, PATTERN = 0.8, 81, 0.58
"""How much a region must agree with another of the same page; the diameter in pixels of the discs
that must agree all over; and the share of the regions with texture in such discs from which a page
is a pattern. Measured: drawn boards of squares in any pose have 0.68 to 0.87, text, tables, forms,
charts, calendars and number puzzles 0 to 0.5: other words or numbers are in every disc."""


LINES, FAINT, ABOVE_NOISE = 1.5, 3.0, 2.0
"""Standard deviation in pixels of the blur that takes fine lines away; that, in grey levels, of
what it takes from which a region has any; and how often the noise of the picture it must be, which
is what is taken of its ground."""


GROUND_SHARE, LOW, LEAST_LIKE = 0.1, 0.1, 0.25
"""Share of a drawing that is ground at least; the share of the regions with fine lines that may
agree less, and the correlation of these lines that the others must have. Measured: copies 0.34 to 1
(blur, JPEG at quality 12), rosettes and hatchings of other lines mostly -0.6 to 0.2."""


TONE = 40.0
"""Grey levels, after equalising, by which a window's brightness may differ."""


RIM = 0.02
"""Share of the canvas at each side that does not count: there, crops and scans differ."""


ENDS_ALIKE, BESIDE = 0.005, 16
"""Share of a side by which the corners of two pictures may miss each other that end alike; and, of
others, the pixels at each side that do not count, unless these are more than one of so many: what
one of them shows beyond the other shines in. A region reaches 8 pixels, a block of JPEG 8 more."""


COLOUR_SIDE = SIDE
"""Longest side in pixels at which colours are compared: that of photos, so that masks of these
fit."""


GREY, AS_BRIGHT = 4.0, 24.0
"""Levels of Cb and Cr of a grey picture, and grey levels by which its copy in colour may differ."""


SAME_TONE = 16.0
"""Levels of red, green or blue by which a region of two copies of an icon may differ: JPEG at
quality 30 and half the size stay below it, the skin tones of emoji do not."""


LEAST_PALE = 0.75
"""Saturation of the paler of two copies, as a share of that of the other."""


CHROMA = 18.0
"""Levels of Cb or Cr by which a region's colour may differ: JPEG at quality 30 stays below 10."""


def agree_roughly(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> tuple[Map, float]:
    """Return a refined map of two grey thumbnails, and how much the lowest region agrees."""
    laid = lay(a, b, m, COARSE)
    least = lowest(laid)[0] if laid else -1.0
    if least < LOWEST_FINE:
        m = refine(a, b, m, COARSE // 2)
        laid = lay(a, b, m, COARSE)
        least = lowest(laid)[0] if laid else -1.0
    return m, least


def agree_everywhere(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> tuple[float, Map]:
    """Return how much the lowest region of two grey pages agrees, and the refined map.

    It is -1 if the region stands out from all others, or fine lines differ. Pages that nearly agree
    are made equally sharp before it is measured.
    """
    least, _ = _lowest_unless_it_stands_out(a, b, m)
    if least >= LOWEST_FINE:
        return least, m
    m = refine(a, b, m, FINE // 2)
    least, laid = _lowest_unless_it_stands_out(a, b, m)
    sharp = equally_sharp(laid, SOFTEST) if laid and HOPEFUL <= least < LOWEST_FINE else None
    if laid is None or sharp is None:
        return least, m
    least, typical = lowest(sharp)
    stands_out = 1 - least > EVENLY * (1 - typical) + EVEN
    return (-1.0 if stands_out or not _lines_agree(laid) else least), m


def _lowest_unless_it_stands_out(
    a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map
) -> tuple[float, Overlay | None]:
    """Return how much the lowest region agrees, -1 if it stands out, and the pages laid so."""
    laid = lay(a, b, m, FINE)
    if laid is None:
        return -1.0, None
    least, typical = lowest(laid)
    stands_out = 1 - least > OUTLIER * (1 - typical) + CLEAN
    differs = stands_out or (least >= LOWEST_FINE and not _lines_agree(laid))
    return (-1.0 if differs else least), laid


def lies_on_itself(page: NDArray[np.uint8], m: Map) -> bool:
    """Tell whether most of a grey page agrees with itself, shifted, without gaps."""
    laid = lay(page, page, refine(page, page, m, FINE // 2), FINE)
    if laid is None:
        return False
    similar, inside, textured = _similarity(laid)
    agrees = (inside & (similar >= SAME_PART)).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (IN_ONE_PIECE, IN_ONE_PIECE))
    pieces = np.asarray(cv2.morphologyEx(agrees, cv2.MORPH_OPEN, disc)) > 0
    return int((pieces & textured).sum()) >= PATTERN * max(1, int(textured.sum()))


def _lines_agree(laid: Overlay) -> bool:
    """Tell whether fine lines agree, which are too faint for the structural similarity.

    They count where both pictures have some: a copy may be too soft for them.
    """
    a, b = (p - blurred(p, LINES) for p in (laid.a, laid.b))
    there = np.asarray(cv2.erode(laid.shown.astype(np.uint8), np.ones((WINDOW, WINDOW)))) > 0
    a_var, b_var = mean(a * a, WINDOW), mean(b * b, WINDOW)
    for variance in (a_var, b_var):
        noise = float(np.quantile(variance[laid.shown], GROUND_SHARE))
        there = there & (variance > max(FAINT**2, ABOVE_NOISE**2 * noise))
    if not there.any():
        return True
    likeness = mean(a * b, WINDOW)[there] / np.sqrt(a_var[there] * b_var[there])
    return float(np.quantile(likeness, LOW)) >= LEAST_LIKE


def lowest(laid: Overlay) -> tuple[float, float]:
    """Return the least structural similarity of a region, in [-1, 1], and a typical low one."""
    similar, inside, textured = _similarity(laid)
    if not inside.any():
        return -1.0, -1.0
    typical = float(np.quantile(similar[textured], TYPICAL)) if textured.any() else 1.0
    return float(similar[inside].min()), typical


def writing_agrees(
    a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, but_for: Mask | None = None
) -> bool:
    """Tell whether what is written on the grounds of two pictures agrees, whatever else they show.

    A page may have a photo on it, and be decided as one; its text must agree all the same. What
    counts are thin strokes on the commonest tone of both, and not what lies beside a solid thing.

    Parameters
    ----------
    a, b, m
        The grey pictures, and the map between them.
    but_for
        Where it may not, on the canvas of `COLOUR_SIDE`: what was laid over one.
    """
    laid = lay(a, b, m, FINE)
    if laid is None:
        return True
    similar, inside, _ = _similarity(laid)
    counts = inside.copy()
    for p in (laid.a, laid.b):
        solid = cv2.morphologyEx(_off_ground(p), cv2.MORPH_OPEN, np.ones((SOLID, SOLID), np.uint8))
        counts &= np.asarray(cv2.dilate(solid, np.ones((2 * WINDOW + 1,) * 2, np.uint8))) == 0
    if but_for is not None:
        size = laid.shown.shape[::-1]
        counts &= np.asarray(cv2.resize(box_about(but_for).astype(np.uint8), size)) == 0
    return not counts.any() or float(similar[counts].min()) >= LOWEST_WRITTEN


def _off_ground(grey: Grey) -> NDArray[np.uint8]:
    """Return which pixels are not of the commonest tone."""
    levels = np.bincount(np.rint(grey).clip(0, 255).astype(np.uint8).ravel(), minlength=256)
    return np.asarray(np.abs(grey - int(levels.argmax())) > GROUND, np.uint8)


def _similarity(laid: Overlay) -> tuple[Grey, Mask, Mask]:
    """Return the structural similarity of regions, where it counts, and where there is texture."""
    a, b, shown = blurred(laid.a, SOFTEN), blurred(laid.b, SOFTEN), laid.shown
    of_a, of_b = (_mean_and_deviation(it, shown) for it in (a, b))
    gain = float(np.clip(of_a[1] / (of_b[1] + 1e-3), 0.1, 10))
    b = np.asarray(cv2.addWeighted(b, gain, b, 0, of_a[0] - gain * of_b[0]), np.float32)
    a_mean, b_mean = mean(a, WINDOW), mean(b, WINDOW)
    a_var = np.maximum(mean(a * a, WINDOW) - a_mean**2, 0)
    b_var = np.maximum(mean(b * b, WINDOW) - b_mean**2, 0)
    covariance = mean(a * b, WINDOW) - a_mean * b_mean
    noise = np.float32(2 * NOISE**2)
    similar = (2 * covariance + noise) / (a_var + b_var + noise)
    similar[np.abs(a_mean - b_mean) > TONE] = -1
    similar = np.asarray(cv2.boxFilter(similar, -1, (WINDOW, WINDOW)))
    inside = _without_rim(shown, *(_rim(laid, side) for side in shown.shape))
    textured = inside & (np.maximum(a_var, b_var) > NOISE**2)
    return similar, inside, textured


def _rim(laid: Overlay, side: int) -> int:
    """Return how many pixels do not count at the ends of a side, and beside what b has not."""
    least = max(WINDOW // 2, round(RIM * side))
    return least if _ends_alike(laid) else max(least, min(BESIDE, side // BESIDE))


def _ends_alike(laid: Overlay) -> bool:
    """Tell whether the pictures end at the same places."""
    return is_same_frame(after(laid.to_b, inverse(laid.to_a)), ENDS_ALIKE)


def _without_rim(shown: Mask, down: int, across: int) -> Mask:
    """Return what is shown without so many pixels at its ends and at those of the canvas."""
    inside = np.zeros(shown.shape, bool)
    inside[down:-down, across:-across] = True
    near = np.ones((2 * down + 1, 2 * across + 1), np.uint8)
    inside &= np.asarray(cv2.erode(shown.astype(np.uint8), near)) > 0
    return inside


def _mean_and_deviation(p: Grey, there: Mask) -> tuple[float, float]:
    """Return the mean and the standard deviation of some pixels, 0 where there are none."""
    mean_of, deviation = cv2.meanStdDev(p, mask=there.astype(np.uint8))
    return float(mean_of[0, 0]), float(deviation[0, 0])


def colours_agree(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    m: Map,
    least_pale: float = LEAST_PALE,
    chroma_apart: float = CHROMA,
    but_for: Mask | None = None,
) -> bool:
    """Tell whether the colours of two RGB pictures are the same, region by region.

    One may be paler than the other everywhere. It may be grey if it is as bright as the other.

    Parameters
    ----------
    a, b, m
        The pictures, (h, w, 3), and the map between them.
    least_pale
        Saturation of the paler one, as a share of that of the other.
    chroma_apart
        Levels of Cb or Cr by which a region's colour may differ.
    but_for
        Where it may, on the canvas of `COLOUR_SIDE` that :func:`lay` gives: what was laid over one.
    """
    a, b = (np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2YCrCb), np.uint8) for p in (a, b))
    planes = _laid_means(a, b, m, but_for)
    if planes is None:
        return False
    luma, *chroma = planes
    p, q = (np.stack([plane[k] for plane in chroma]) - 128 for k in range(2))
    vivid, pale = (p, q) if (p**2).sum() > (q**2).sum() else (q, p)
    if float(np.abs(pale).max()) <= GREY < float(np.abs(vivid).max()):
        return float(np.abs(luma[0] - luma[1]).max()) <= AS_BRIGHT
    share = float((vivid * pale).sum() / max(1.0, float((vivid**2).sum())))
    return float(np.abs(vivid * max(share, least_pale) - pale).max()) <= chroma_apart


def tones_agree(a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map) -> bool:
    """Tell whether two RGB pictures have the same colours everywhere, or one of them is grey."""
    if min(float(np.ptp(p, axis=2).max()) for p in (a, b)) <= 2 * GREY:
        a, b = (
            np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.uint8)[..., None] for p in (a, b)
        )
    planes = _laid_means(a, b, m)
    return planes is not None and all(float(np.abs(p - q).max()) <= SAME_TONE for p, q in planes)


def _laid_means(
    a: NDArray[np.uint8], b: NDArray[np.uint8], m: Map, but_for: Mask | None = None
) -> list[list[NDArray[np.float32]]] | None:
    """Return, of each channel, the means of regions of both pictures; None where none counts."""
    laid = lay(a, b, m, COLOUR_SIDE)
    if laid is None:
        return None
    counts = laid.shown if but_for is None else laid.shown & ~box_about(but_for)
    if not _ends_alike(laid):
        inside = counts & _without_rim(laid.shown, WINDOW // 2, WINDOW // 2)
        counts = inside if inside.any() else counts
    if not counts.any():
        return None
    p, q = (mean(it)[counts].reshape(-1, a.shape[2]).T for it in (laid.a, laid.b))
    return [list(pair) for pair in zip(p, q, strict=True)]


def box_about(there: Mask) -> Mask:
    """Return the box about all that is there, and a window more: the whole of a box with text."""
    left, top, width, height = cv2.boundingRect(there.astype(np.uint8))
    box = np.zeros(there.shape, np.uint8)
    box[top : top + height, left : left + width] = 1
    return np.asarray(cv2.dilate(box, np.ones((2 * WINDOW + 1, 2 * WINDOW + 1), np.uint8))) > 0
