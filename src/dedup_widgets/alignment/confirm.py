"""Whether two pictures are near-duplicates: propose a map, refine it, compare what lies on it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment import flat, layered, moved, pages, photos, shades, writing
from dedup_widgets.alignment.changes import FINE, Cover, Exchanged, cover, is_recoloured
from dedup_widgets.alignment.comparable import Comparable
from dedup_widgets.alignment.evidence import FRAMED_SHARE, REFUSED, SEEN_SHARE, Evidence
from dedup_widgets.alignment.extent import (
    FRAME_SHARE,
    MARGIN_SHARE,
    NO_FRAME,
    WHOLE,
    Extent,
    ends_at_seams,
    is_same_frame,
    measure,
)
from dedup_widgets.alignment.geometry import IDENTITY, TURNS, Map, after, inverse, stretch
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, bent, lay, refine
from dedup_widgets.alignment.points import agree

RULES_VERSION = 19
"""Raised when `confirm` changes its results: what a store holds of them is then outdated."""


TURN_CORRELATION, TURN_TIE = 0.7, 0.1
"""Correlation of the squashed pictures from which a turn is worth a look, and by how much the
second best may fall behind to be worth one too."""


SAME_LIGHTNESS, LIKER = 0.9, 0.02
"""Correlation of the squashed lightness from which hues may have been turned, and by how much it
must exceed that of the brightness."""


LEAST_POINTS = 10
"""Pairs of points that must agree on a map for it to be worth a look: maps between different
photos have 4 to 9."""


SURELY = 40
"""The same for it to be tried before a mirrored one is looked for."""


MOST_STRETCH, MOST_STRETCH_WHOLE = 2.2, 4.0
"""Ratio of the two scales of a map above which no person would call it a copy; and where both show
all of each other."""


LEAST_TEXTURED = 10
"""Windows with texture that are needed to decide by them."""


LEAST_GOOD, LEAST_MEDIAN = 0.75, 0.72
"""Share of the textured windows that must agree, and their median correlation. Measured: 49 of 50
crops, turns, strong blurs and JPEGs have 0.9 and 0.8, rotations on a larger canvas 0.78 and 0.77.
"""


MOSTLY = 0.9, 0.87
"""The same of which one must be true where nothing was laid over. Measured: 12 of 3,711 copies of
photos have neither, and 111 of 484 pairs of frames of films that agree else."""


FEW_TEXTURED, CLOSE, CLOSE_FRAMED, CLOSE_APART = 12, (0.9, 0.88), (0.93, 0.75), (0.94, 0.91)
"""Textured windows of its own pixels that a picture smaller than the canvas must have, and half as
many if colours agree, or else must agree more closely: share and median of all windows; the same of
two that show one section; and of windows beside something laid over. At 64 pixels many ranges of
hills, and horizons, have 0.75 and 0.8."""


TIGHT_BUT_FOR, SPECKS = (0.95, 0.9), 0.004
"""Median and share of good windows of copies whose map is true, and the region of them that may
show something else: letters that were laid over, too small to be told from things that moved."""


TIGHT, TIGHT_TURN = (0.97, 0.97), (0.95, 0.93)
"""Share of the textured windows that agree, and their median correlation, of maps that are true to
a third of a pixel; and the same of turns of whole pictures, which are exact: noise and JPEG take
some of the correlation, and no finer map brings it back."""


HOPELESS = 0.15
"""Share of the textured windows that must agree for a finer map to be worth a look."""


NEARLY_GOOD, TRULY = 0.5, 0.95
"""Share of the textured windows that must agree by an affine map for a mild perspective to be worth
a look; and in perspective their median correlation, and their share: a copy is flat, so all of it
lies on the other then. Shelves that were photographed twice have 0.92 to 0.97, but for a place."""


COVERED_GOOD, APART_GOOD, APART_MEDIAN = 0.4, 0.9, 0.85
"""Where something lies over one picture: the share of all textured windows that must agree, and
what must be true of those in which nothing changed. They lie on each other pixel for pixel."""


ALL_APART, MOST_AGREE = (0.985, 0.965), 0.7
"""Share of the windows in which nothing changed that must agree, or their median correlation, and
share of all windows, for a change of strokes to be one of the pictures, and not of a map that
misses: copies in perspective have up to 0.98 and 0.96; of other words 0.75 and more of all agree.
"""


UNCHANGED, COVERED = 0.0025, 0.3
"""Share of the picture from which a region shows something else (see `photos.CHANGED`), and that a
region may take that was laid over it."""


OF_ONE_THING = 0.5, 24.0
"""Saturation of the paler of two copies of a thing on a plain ground, as a share of that of the
other, and levels of Cb or Cr by which a region's colour may differ then."""


LEAST_INSIDE = 0.27
"""Share of the larger picture's content that must be shown: a crop to 55 % a side has 0.30."""


REPEATED_FRAME, REPEATED_TURN, REPEATED_STRETCH = 0.15, 1.0, 1.02
"""Share of a side by which the corners of two pictures of a repeated pattern may miss each other,
and degrees and the ratio of scales by which it may be turned and stretched then: most calibration
boards in another pose miss more, and turn more."""


ALL_INSIDE = 0.9
"""Share of one of two drawings that the other must show: two that are made of the same parts, such
as charts side by side, show parts of each other."""


LEAST_COVERED = 0.45
"""Share of the pictures that must agree where something was laid over one of them: of a smaller
part, under a cover, there is too little left to tell by."""


SIGN_FRAME = 0.05
"""Share of a side by which the contents of two copies of a sign may miss each other."""


PART_INSIDE, PART_SCALE = 0.6, 0.7
"""A picture that lies in another as less than this share, and made smaller than this, is part of a
collage and not a copy of it."""


ALL_BUT_FRAME = 0.7
"""Share that a picture takes of what is not plain in another one which may frame it: the rest is
what is written on the frame, or the buttons of a phone. Of a collage with gaps it takes less."""


DIFFERENT = replace(REFUSED)
"""Refused for good: the map is right, and what lies on it differs. Another map needs no look."""


def confirm(a: Comparable, b: Comparable) -> Evidence:
    """Lay one picture over the other.

    A pure function of the two, and symmetric: ``confirm(b, a) == confirm(a, b).inverse()``.

    Parameters
    ----------
    a, b : Comparable
        The pictures. What is computed of one of them alone is kept with it.

    Returns
    -------
    Evidence
        How a lies on b.
    """
    return _confirm(a, b) if a.order <= b.order else _confirm(b, a).inverse()


def _confirm(a: Comparable, b: Comparable) -> Evidence:
    if not layered.may_correspond(a, b):
        return REFUSED
    if a.order == b.order:
        return _evidence(a, b, IDENTITY, WHOLE, 1.0)
    if a.is_flat or b.is_flat:
        turn = flat.equal_turn(a.rgb, b.rgb)
        if turn is None or not layered.correspond(a, b, turn, is_decided_by_sight=False):
            return REFUSED
        return _evidence(a, b, turn, WHOLE, 1.0)
    decide = _page if _are_drawn(a, b) else _photo
    for m in _proposals(a, b):
        found = decide(a, b, m)
        if found is DIFFERENT:
            return REFUSED
        if found.is_confirmed:
            return found
    return REFUSED if decide is _page or _are_things(a, b) else _by_lightness(a, b)


def _are_drawn(a: Comparable, b: Comparable) -> bool:
    """Tell whether both are drawn, or both are signs."""
    return (a.is_drawn and b.is_drawn) or _are_signs(a, b)


def _are_signs(a: Comparable, b: Comparable) -> bool:
    """Tell whether both are signs: turned, cut or in other colours they are others then."""
    return a.is_sign and b.is_sign


def _are_things(a: Comparable, b: Comparable) -> bool:
    """Tell whether both are things on a plain ground: another colour is another thing then."""
    return a.is_cut_out and b.is_cut_out


def _by_lightness(a: Comparable, b: Comparable) -> Evidence:
    """Decide by lightness, if two pictures are liker by it than by how bright they are."""
    by_brightness, _ = _best_turn(a, b)
    p, q = a.in_lightness, b.in_lightness
    likeness, turn = _best_turn(p, q)
    if likeness < max(SAME_LIGHTNESS, by_brightness + LIKER):
        return REFUSED
    found = _photo(p, q, turn)
    return replace(found, is_recoloured=True) if found.is_confirmed else REFUSED


def _best_turn(a: Comparable, b: Comparable) -> tuple[float, Map]:
    """Return how alike the squashed contents are in the best of the turns, and that turn."""
    return max(
        ((_likeness(a.square, b.square, turn), turn) for turn in TURNS), key=lambda of: of[0]
    )


def _proposals(a: Comparable, b: Comparable) -> Iterator[Map]:
    """Yield maps between the contents that are worth a look, the cheapest first."""
    to_b = inverse(b.to_whole)
    if _are_signs(a, b):
        yield IDENTITY
        yield after(to_b, a.to_whole)
        return
    turns = [(_likeness(a.square, b.square, turn), turn) for turn in TURNS]
    if not is_same_frame(after(to_b, a.to_whole)):
        # What lies over a picture may look like a border of it.
        turns += [
            (_likeness(a.whole_square, b.whole_square, turn), after(to_b, after(turn, a.to_whole)))
            for turn in TURNS
        ]
    turns.sort(key=lambda pair: -pair[0])
    for likeness, turn in turns[:2]:
        if likeness >= max(TURN_CORRELATION, turns[0][0] - TURN_TIE):
            yield turn
    yield from _proposals_by_points(a, b)


def _proposals_by_points(a: Comparable, b: Comparable) -> Iterator[Map]:
    """Yield the maps on which points agree: the mirrored one is looked for if it may be better."""
    count, m = agree(a.points, b.points)
    if m is not None and count >= SURELY:
        yield m
        m = None
    more, mirrored = agree(a.points, b.mirrored_points)
    if mirrored is not None:
        mirrored = after(TURNS[1], mirrored)
    for agreeing, it in sorted([(count, m), (more, mirrored)], key=lambda pair: -pair[0]):
        if agreeing >= LEAST_POINTS and it is not None:
            yield it


def _likeness(a: Grey, b: Grey, turn: Map) -> float:
    """Correlate two squashed pictures in one of the turns."""
    return float((a * flat.turned(b, turn)).sum())


@dataclass(frozen=True, eq=False)
class _Fit:
    """How two contents lie on each other best.

    Attributes
    ----------
    a, b
        The pictures.
    m, whole
        The map between the contents, and between the whole pictures.
    laid
        One over the other.
    found
        How their windows agree.
    is_bent
        Whether they lie so in perspective, and by the maps only nearly.
    """

    a: Comparable
    b: Comparable
    m: Map
    whole: Map
    laid: Overlay
    found: photos.WindowAgreement
    is_bent: bool = False

    @cached_property
    def fine(self) -> Overlay | None:
        """One over the other by the map between them, as large as thumbnails."""
        return lay(self.a.content, self.b.content, self.m, FINE)


def _photo(a: Comparable, b: Comparable, m: Map) -> Evidence:
    """Decide by the rule for photos, given a map between the contents."""
    fit = _fitted(a, b, m)
    if fit is None:
        return REFUSED
    found = fit.found
    over = _laid_over(a, b, fit)
    if isinstance(over, Exchanged):
        if found.good >= MOST_AGREE and (
            found.apart_good >= ALL_APART[0] or found.apart_median >= ALL_APART[1]
        ):
            return DIFFERENT
        over = None
    if not (_agrees(found) or _agrees_but_for(over, found)):
        return REFUSED
    if not fit.is_bent and fit.fine is not None:
        bar = over.bar if over else None
        if writing.is_other(fit.fine, bar):
            return DIFFERENT
        if moved.has_moved(fit.fine, bar):
            in_perspective = _in_perspective(fit)
            if in_perspective is None:
                return REFUSED
            fit, found, over = in_perspective, in_perspective.found, None
    if not _is_one_thing(a, b, fit, found.changed if over else None):
        return REFUSED
    extent = _extent(a, b, fit.m, fit.whole)
    if not _is_whole(a, b, fit.whole, extent) or _is_patch(a, b, fit.m, extent):
        return REFUSED
    # Two views of a board; where something lies over it, it is only nearly a pattern.
    patterns = (it.is_repeating for it in (a, b))
    is_moved = _is_another_pose(a, b, fit.whole) and not _is_one_framed(a, b, fit.m)
    if is_moved and (any(patterns) if over else all(patterns)):
        return REFUSED
    if not layered.correspond(a, b, fit.whole, is_decided_by_sight=True):
        return REFUSED
    if over and found.agreeing * min(extent.inside_a, extent.inside_b) < LEAST_COVERED:
        return REFUSED
    if a.has_ground or b.has_ground:
        extent = _extent_with_ground(a, b, fit.whole)
    evidence = _evidence(a, b, fit.whole, extent, found.agreeing, over)
    few = FEW_TEXTURED if evidence.is_recoloured else FEW_TEXTURED // 2
    is_doubtful = _is_little(a, b, found, few) or (over and not _is_framed_alike(fit))
    return REFUSED if is_doubtful and not _are_close(fit, over) else evidence


def _fitted(a: Comparable, b: Comparable, m: Map) -> _Fit | None:
    """Make a map between the contents finer; None where it is no map of a copy."""
    laid = lay(a.content, b.content, m, photos.SIDE)
    if laid is None:
        return None
    found = photos.compare(laid)
    if found.good < HOPELESS:
        return None
    if not _is_tight(found, TIGHT_TURN if _is_turn(a, b, m) else TIGHT):
        finer = refine(a.content, b.content, m, 3 * photos.SIDE // 4)
        again = lay(a.content, b.content, finer, photos.SIDE)
        if again is None:
            return None
        compared = photos.compare(again)
        # What lies over a picture can draw the finer map away from what was right.
        if compared.median >= found.median or compared.apart_median >= found.apart_median:
            m, laid, found = finer, again, compared
    whole = after(b.to_whole, after(m, inverse(a.to_whole)))
    most = MOST_STRETCH_WHOLE if is_same_frame(whole) else MOST_STRETCH
    if stretch(whole, (a.width, a.height), (b.width, b.height)) > most:
        return None
    if found.textured < LEAST_TEXTURED or found.good < COVERED_GOOD:
        return None
    fit = _Fit(a, b, m, whole, laid, found)
    if found.good < NEARLY_GOOD or _agrees(found):
        return fit
    in_perspective = _in_perspective(fit)
    if in_perspective is None or a.is_repeating or b.is_repeating:
        return fit
    return in_perspective


def _in_perspective(fit: _Fit) -> _Fit | None:
    """Lay contents on each other in a mild perspective; None unless all of them agrees so."""
    laid = bent(fit.a.content, fit.b.content, fit.laid)
    if laid is None:
        return None
    found = photos.compare(laid)
    if found.median < TRULY or found.good < TRULY or found.largest > 0:
        return None
    return replace(fit, laid=laid, found=found, is_bent=True)


def _laid_over(a: Comparable, b: Comparable, fit: _Fit) -> Cover | Exchanged | None:
    """Tell what was laid over one of the pictures, if windows beside it agree closely."""
    found = fit.found
    if found.apart_good < APART_GOOD or found.apart_median < APART_MEDIAN:
        return None
    if a.has_clean_ground and b.has_clean_ground and (a.is_drawn or b.is_drawn):
        return None
    if found.changed.sum() <= UNCHANGED * fit.laid.shown.sum():
        return None
    return cover(fit.fine, fit.laid, found.changed) if fit.fine is not None else None


def _is_one_thing(a: Comparable, b: Comparable, fit: _Fit, but_for: Mask | None) -> bool:
    """Tell whether shades, colours and writing agree, where they count."""
    may_tell = not fit.is_bent and _smaller_side(a, b) >= shades.SIDE
    if may_tell and shades.are_other(a.content_rgb, b.content_rgb, fit.m, fit.laid, but_for):
        return False
    if _are_things(a, b) and not pages.colours_agree(
        a.content_rgb, b.content_rgb, fit.m, *OF_ONE_THING, but_for=but_for
    ):
        return False
    if not (a.has_clean_ground and b.has_clean_ground):
        return True
    return pages.writing_agrees(a.content_page, b.content_page, fit.m, but_for)


def _is_framed_alike(fit: _Fit) -> bool:
    """Tell whether two pictures, or their contents, show the same section."""
    return is_same_frame(fit.m) or is_same_frame(fit.whole)


def _is_little(a: Comparable, b: Comparable, found: photos.WindowAgreement, few: int) -> bool:
    """Tell whether a small picture has fewer textured windows of pixels of its own."""
    own = _smaller_side(a, b) / photos.SIDE
    return own < 1 and found.textured * own**2 < few


def _smaller_side(a: Comparable, b: Comparable) -> int:
    """Return the longest side in pixels of the smaller picture."""
    return min(max(a.width, a.height), max(b.width, b.height))


def _are_close(fit: _Fit, over: Cover | None) -> bool:
    """Tell whether windows agree more closely than those of copies must."""
    found = fit.found
    if over is not None:
        return found.apart_good >= CLOSE_APART[0] and found.apart_median >= CLOSE_APART[1]
    good, median = CLOSE_FRAMED if _is_framed_alike(fit) else CLOSE
    return found.good >= good and found.median >= median


def _is_turn(a: Comparable, b: Comparable, m: Map) -> bool:
    """Tell whether a map is one of the turns of whole pictures, without borders."""
    are_whole = all(it.content.size == it.grey.size for it in (a, b))
    return are_whole and is_same_frame(m, 0)


def _is_tight(found: photos.WindowAgreement, least: tuple[float, float]) -> bool:
    """Tell whether a map cannot be made finer to any use."""
    good, median = least
    return found.good >= good and found.median >= median and found.largest == 0


def _agrees(found: photos.WindowAgreement) -> bool:
    """Tell whether windows agree everywhere."""
    median, good = TIGHT_BUT_FOR
    if found.median >= median and found.good >= good:
        return found.largest <= SPECKS
    is_one_scene = found.good >= LEAST_GOOD and found.median >= LEAST_MEDIAN
    is_one_shot = found.good >= MOSTLY[0] or found.median >= MOSTLY[1]
    return is_one_scene and is_one_shot and found.largest <= UNCHANGED


def _agrees_but_for(over: Cover | None, found: photos.WindowAgreement) -> bool:
    """Tell whether windows agree everywhere but under what was laid over."""
    return over is not None and found.largest <= COVERED


def _page(a: Comparable, b: Comparable, m: Map) -> Evidence:
    """Decide by the rule for pages, given a map between the contents."""
    whole = after(b.to_whole, after(m, inverse(a.to_whole)))
    whole, coarse = pages.agree_roughly(a.grey, b.grey, whole)
    if coarse < pages.LOWEST_COARSE:
        return REFUSED
    lowest, whole = pages.agree_everywhere(a.page, b.page, whole)
    if lowest < pages.LOWEST_FINE or not pages.colours_agree(a.rgb, b.rgb, whole):
        return DIFFERENT
    if _are_signs(a, b) and not _is_same_sign(a, b, whole):
        return REFUSED
    extent = WHOLE
    if not is_same_frame(whole):
        extent = measure(a.grey, b.grey, whole, (MARGIN_SHARE, MARGIN_SHARE))
    if not _is_whole(a, b, whole, extent) or max(extent.inside_a, extent.inside_b) < ALL_INSIDE:
        return REFUSED
    are_patterns = _is_another_pose(a, b, whole) and a.is_repeating and b.is_repeating
    if are_patterns and (_is_stretched(a, b, whole) or a.is_repeating_page or b.is_repeating_page):
        return REFUSED
    if not layered.correspond(a, b, whole, is_decided_by_sight=False):
        return REFUSED
    return _evidence(a, b, whole, extent, lowest)


def _is_same_sign(a: Comparable, b: Comparable, whole: Map) -> bool:
    """Tell whether two signs, or their contents, lie on each other as they are, in one colour."""
    contents = after(inverse(b.to_whole), after(whole, a.to_whole))
    is_upright = any(np.abs(m - IDENTITY).max() <= SIGN_FRAME for m in (contents, whole))
    return is_upright and pages.tones_agree(a.rgb, b.rgb, whole)


def _extent(a: Comparable, b: Comparable, m: Map, whole: Map) -> Extent:
    """Measure the extent of a map between contents, `whole` between the whole pictures."""
    if is_same_frame(whole):
        return WHOLE
    return _with_borders(measure(a.content, b.content, m), a, a.content, b, b.content)


def _extent_with_ground(a: Comparable, b: Comparable, whole: Map) -> Extent:
    """Measure the extent where plain borders that were photographed are picture, too."""
    if is_same_frame(whole):
        return WHOLE
    (p, p_to_whole, p_plain), (q, q_to_whole, q_plain) = (
        (it.grey, IDENTITY, NO_FRAME) if it.has_ground else (it.content, it.to_whole, FRAME_SHARE)
        for it in (a, b)
    )
    m = after(inverse(q_to_whole), after(whole, p_to_whole))
    return _with_borders(measure(p, q, m, (p_plain, q_plain)), a, p, b, q)


def _with_borders(
    extent: Extent,
    a: Comparable,
    a_part: NDArray[np.uint8],
    b: Comparable,
    b_part: NDArray[np.uint8],
) -> Extent:
    """Add to an extent of parts of two pictures the borders about these."""
    return replace(
        extent,
        border_a=1 - a_part.size / a.grey.size * (1 - extent.border_a),
        border_b=1 - b_part.size / b.grey.size * (1 - extent.border_b),
    )


def _is_whole(a: Comparable, b: Comparable, m: Map, extent: Extent) -> bool:
    """Tell whether each picture shows enough of the other not to be only a part of it."""
    if min(extent.inside_a, extent.inside_b) < LEAST_INSIDE:
        return False
    area = abs(np.linalg.det(m[:, :2])) * b.width * b.height / (a.width * a.height)
    b_per_a = float(np.sqrt(area))
    is_part_of_b = extent.inside_b < PART_INSIDE and b_per_a < PART_SCALE
    is_part_of_a = extent.inside_a < PART_INSIDE and 1 / b_per_a < PART_SCALE
    return not (is_part_of_a or is_part_of_b)


def _is_patch(a: Comparable, b: Comparable, m: Map, extent: Extent) -> bool:
    """Tell whether one picture ends where in the other another one begins, as in a collage."""
    sides = (
        (a.content, inverse(m), extent.inside_a, extent.border_a),
        (b.content, m, extent.inside_b, extent.border_b),
    )
    return any(
        inside < (SEEN_SHARE if border < FRAMED_SHARE else ALL_BUT_FRAME)
        and ends_at_seams(larger, to_larger)
        for larger, to_larger, inside, border in sides
    )


def _is_another_pose(a: Comparable, b: Comparable, m: Map) -> bool:
    """Tell whether a thing was turned or bent between two pictures, or lies elsewhere in them."""
    if is_same_frame(m):
        return False
    sizes = (a.width, a.height), (b.width, b.height)
    (p, q), (r, s) = m[:, :2] * np.array(sizes[1])[:, None] / np.array(sizes[0])[None, :]
    turned = float(
        np.rad2deg(np.arctan2(max(min(abs(q), abs(p)), min(abs(r), abs(s))), max(abs(p), abs(q))))
    )
    is_bent = turned > REPEATED_TURN or _is_stretched(a, b, m)
    return is_bent or not is_same_frame(m, REPEATED_FRAME)


def _is_one_framed(a: Comparable, b: Comparable, m: Map) -> bool:
    """Tell whether contents lie on each other, and only one of them has a plain border."""
    a_has_border, b_has_border = (it.content.size < it.grey.size for it in (a, b))
    return is_same_frame(m) and a_has_border != b_has_border


def _is_stretched(a: Comparable, b: Comparable, m: Map) -> bool:
    """Tell whether a repeated pattern was stretched or bent between two pictures."""
    return stretch(m, (a.width, a.height), (b.width, b.height)) > REPEATED_STRETCH


def _evidence(
    a: Comparable,
    b: Comparable,
    m: Map,
    extent: Extent,
    agreeing: float,
    over: Cover | None = None,
) -> Evidence:
    return Evidence(
        is_confirmed=True,
        agreement=float(np.clip(agreeing * min(extent.inside_a, extent.inside_b), 0, 1)),
        matrix=tuple(map(float, m.ravel())),
        inverse_matrix=tuple(map(float, inverse(m).ravel())),
        a_size=(a.width, a.height),
        b_size=(b.width, b.height),
        inside_a=extent.inside_a,
        inside_b=extent.inside_b,
        border_a=extent.border_a,
        border_b=extent.border_b,
        over_a=over.over_a if over else 0.0,
        over_b=over.over_b if over else 0.0,
        is_recoloured=is_recoloured(a.colours, b.colours, m),
    )
