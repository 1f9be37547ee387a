"""Whether two pictures are near-duplicates: propose a map, refine it, compare what lies on it."""

from collections.abc import Iterator

import numpy as np

from dedup_widgets.alignment import flat, layered, pages, photos
from dedup_widgets.alignment.comparable import Comparable
from dedup_widgets.alignment.evidence import REFUSED, Evidence
from dedup_widgets.alignment.extent import Extent, measure
from dedup_widgets.alignment.geometry import IDENTITY, TURNS, Map, inverse, stretch
from dedup_widgets.alignment.overlay import lay, refine
from dedup_widgets.alignment.points import agree

RULES_VERSION = 1
"""Raised when `confirm` changes its results: what a store holds of them is then outdated."""


TURN_CORRELATION = 0.7
"""Correlation of the squashed pictures from which a turn is worth a look."""


LEAST_POINTS = 12
"""Pairs of points that must agree on a map for it to be worth a look: maps between different
photos have 4 to 9."""


MOST_STRETCH = 2.2
"""Ratio of the two scales of a map above which no person would call it a copy."""


LEAST_TEXTURED, LEAST_GOOD = 10, 0.6
"""Windows with texture, and the share of them that must agree."""


LARGEST_REGION = 0.15
"""Share of what both show that one region may take which does not agree."""


LEAST_INSIDE = 0.27
"""Share of the larger picture's content that must be shown: a crop to 55 % a side has 0.30."""


PART_INSIDE, PART_SCALE = 0.6, 0.7
"""A picture that lies in another as less than this share, and made smaller than this, is part of a
collage and not a copy of it."""


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
        return _evidence(a, b, IDENTITY, Extent(1, 1, 1, 1, 0, 0), 1.0)
    if flat.is_flat(a.grey) or flat.is_flat(b.grey):
        turn = flat.equal_turn(a.rgb, b.rgb)
        if turn is None or not layered.correspond(a, b, turn, is_decided_by_sight=False):
            return REFUSED
        return _evidence(a, b, turn, Extent(1, 1, 1, 1, 0, 0), 1.0)
    is_strict = a.is_like_a_page and b.is_like_a_page
    for m in _proposals(a, b):
        found = _page(a, b, m) if is_strict else _photo(a, b, m)
        if found.is_confirmed:
            return found
    return REFUSED


def _proposals(a: Comparable, b: Comparable) -> Iterator[Map]:
    """Yield maps that are worth a look, the cheapest first."""
    likeness = [float((a.square * flat.turned(b.square, turn)).sum()) for turn in TURNS]
    best = int(np.argmax(likeness))
    if likeness[best] >= TURN_CORRELATION:
        yield TURNS[best]
    count, upright = agree(a.points, b.points)
    mirrored_count, mirrored = agree(a.points, b.mirrored_points)
    if mirrored is not None:
        mirrored = np.array([[-1.0], [1.0]]) * mirrored + np.array([[0, 0, 1.0], [0, 0, 0]])
    both = [(count, upright), (mirrored_count, mirrored)]
    for agreeing, m in sorted(both, key=lambda pair: -pair[0]):
        if agreeing >= LEAST_POINTS and m is not None:
            yield m


def _photo(a: Comparable, b: Comparable, m: Map) -> Evidence:
    """Decide by the rule for photos."""
    m = refine(a.grey, b.grey, m, photos.SIDE // 2)
    if stretch(m, (a.width, a.height), (b.width, b.height)) > MOST_STRETCH:
        return REFUSED
    laid = lay(a.grey, b.grey, m, photos.SIDE)
    if laid is None:
        return REFUSED
    found = photos.compare(laid)
    if found.textured < LEAST_TEXTURED or found.good < LEAST_GOOD:
        return REFUSED
    if found.largest > LARGEST_REGION:
        return REFUSED
    extent = measure(a.grey, b.grey, m)
    if not _is_whole(a, b, m, extent):
        return REFUSED
    if not layered.correspond(a, b, m, is_decided_by_sight=True):
        return REFUSED
    return _evidence(a, b, m, extent, found.agreeing)


def _page(a: Comparable, b: Comparable, m: Map) -> Evidence:
    """Decide by the rule for pages."""
    lowest, m = pages.agree_everywhere(a.page, b.page, m)
    if lowest < pages.LOWEST_FINE or not pages.colours_agree(a.rgb, b.rgb, m):
        return REFUSED
    extent = measure(a.grey, b.grey, m)
    if not _is_whole(a, b, m, extent):
        return REFUSED
    if not layered.correspond(a, b, m, is_decided_by_sight=False):
        return REFUSED
    return _evidence(a, b, m, extent, lowest)


def _is_whole(a: Comparable, b: Comparable, m: Map, extent: Extent) -> bool:
    """Tell whether each picture shows enough of the other not to be only a part of it."""
    if min(extent.inside_a, extent.inside_b) < LEAST_INSIDE:
        return False
    area = abs(np.linalg.det(m[:, :2])) * b.width * b.height / (a.width * a.height)
    b_per_a = float(np.sqrt(area))
    is_part_of_b = extent.inside_b < PART_INSIDE and b_per_a < PART_SCALE
    is_part_of_a = extent.inside_a < PART_INSIDE and 1 / b_per_a < PART_SCALE
    return not (is_part_of_a or is_part_of_b)


def _evidence(a: Comparable, b: Comparable, m: Map, extent: Extent, agreeing: float) -> Evidence:
    back = inverse(m)
    return Evidence(
        is_confirmed=True,
        agreement=float(np.clip(agreeing * min(extent.inside_a, extent.inside_b), 0, 1)),
        matrix=tuple(map(float, m.ravel())),
        inverse_matrix=tuple(map(float, back.ravel())),
        a_size=(a.width, a.height),
        b_size=(b.width, b.height),
        inside_a=extent.inside_a,
        inside_b=extent.inside_b,
        border_a=extent.border_a,
        border_b=extent.border_b,
    )
