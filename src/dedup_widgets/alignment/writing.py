"""Whether other words or numbers are written in one place of two pictures that agree otherwise.

What differs may be small: a number on a meter, a caption, a line of a screen. It is looked for at
the size of the thumbnail, and only where two pictures lie on each other pixel for pixel: there, of
a copy, whatever has strong strokes correlates everywhere.
"""

import cv2
import numpy as np

from dedup_widgets.alignment.changes import AS_STEEP
from dedup_widgets.alignment.overlay import Grey, Mask, Overlay, part_about
from dedup_widgets.alignment.photos import NOISE, as_bright, mean
from dedup_widgets.alignment.tones import shared_tones, slope, tone_counts

WINDOW, INK = 7, 15.0
"""Side of the windows that are correlated, and the standard deviation, in grey levels, from which
one has strokes; both pictures must."""


RIM = 0.02
"""Share of the canvas at each side that does not count: there, crops and frames differ."""


MAY_DIFFER, DIFFERS, SPOT = 0.85, 0.7, 12
"""Correlation below which a window may show another letter, and below which one of them must, and
how many pixels these windows must lie about."""


SURELY_ALIKE = 2 * (INK**2 - DIFFERS * (INK**2 + NOISE**2))
"""Mean squared difference, in grey levels, of two windows with strokes below which they correlate
better than `DIFFERS`: their covariance is half of what their variances are more than its."""


MOST, PIXEL_TRUE = 0.02, 0.94
"""Share of all other windows that may agree less, and the correlation that the others must have:
of copies that lie on each other to a part of a pixel, in JPEG or twice as large, 0.94 to 0.99; of
those in perspective, turned, or blurred, less."""


NEARLY, CLEAR, ONE_WORD = 0.885, 0.55, 0.25
"""The same where the others agree less, as crops do, noise and strong JPEG; and what must be below
`DIFFERS` then: this share of all that differs, and in one word this share of it. Where maps miss,
most of it is a little above, and all over."""


WORD = 25
"""Pixels across which letters belong to one word."""


SHARED, GROUND, GROUND_TONES = 0.78, 0.35, 10
"""Share of their tones that two pictures must have in common at a word, and share that must be
ground, of one tone in both within so many grey levels. Measured: words and digits 0.79 to 0.95 and
0.36 to 0.76; of 7,146 copies of photos, those with a logo, a box or letters over strokes have less
of either.
"""


GIVE_AND_TAKE = 0.25
"""How much brighter one picture is at a word, as a share of how much the other is elsewhere in it.
Other words take ink away as they add it (0.25 to 1), a watermark only adds (less than 0.2)."""


def is_other(laid: Overlay, but_for: Mask | None = None) -> bool:
    """Tell whether pictures that lie on each other have other words or digits in one place.

    Parameters
    ----------
    laid
        Both in grey, as large as thumbnails.
    but_for
        Where they may.
    """
    p, q = laid.softened
    if float(mean((p - q) ** 2, WINDOW).max()) < SURELY_ALIKE:
        return False
    likeness, inked = _correlated(p, q)
    inked &= _inner(laid.shown if but_for is None else laid.shown & ~but_for)
    clear = int((inked & (likeness < DIFFERS)).sum())
    if not clear:
        return False
    differs = inked & (likeness < MAY_DIFFER)
    about = np.asarray(cv2.dilate(differs.astype(np.uint8), np.ones((WINDOW + 2, WINDOW + 2)))) > 0
    others = likeness[inked & ~about]
    typical = float(np.quantile(others, MOST)) if len(others) else 0.0
    is_true = typical >= PIXEL_TRUE
    if not is_true and (typical < NEARLY or clear < CLEAR * int(differs.sum())):
        return False
    joined = np.asarray(cv2.dilate(differs.astype(np.uint8), np.ones((WORD, WORD), np.uint8)))
    part = part_about(cv2.boundingRect(joined))
    p_as_q = as_bright(p, laid.b, laid.shown, goes_on=True)[part]
    q_as_p = as_bright(q, laid.a, laid.shown, goes_on=True)[part]
    p, q, likeness, differs = p[part], q[part], likeness[part], differs[part]
    # Where one picture is clipped, strokes of the other are none.
    for one, other in ((p, q_as_p), (p_as_q, q)):
        likeness = np.maximum(likeness, _correlated(one, other)[0])
    count, words, boxes, _ = cv2.connectedComponentsWithStats(joined[part])
    may_differ, least = (MAY_DIFFER, SPOT) if is_true else (DIFFERS, max(SPOT, ONE_WORD * clear))
    return any(
        float(likeness[box][there].min()) < DIFFERS
        and int((likeness[box][there] < may_differ).sum()) >= least
        and _is_exchanged(p[box], q_as_p[box], there)
        for box, there in (
            (box, (words[box] == word) & differs[box])
            for word, box in ((word, part_about(boxes[word][:4])) for word in range(1, count))
        )
    )


def _correlated(p: Grey, q: Grey) -> tuple[Grey, Mask]:
    """Return the correlation of windows about each pixel, and where both have strokes."""
    p_mean, q_mean = mean(p, WINDOW), mean(q, WINDOW)
    p_var = np.maximum(mean(p * p, WINDOW) - p_mean**2, 0)
    q_var = np.maximum(mean(q * q, WINDOW) - q_mean**2, 0)
    covariance = mean(p * q, WINDOW) - p_mean * q_mean
    likeness = covariance / np.sqrt((p_var + NOISE**2) * (q_var + NOISE**2))
    return likeness, np.minimum(p_var, q_var) > INK**2


def _inner(shown: Mask) -> Mask:
    """Return where both pictures are shown, without the rim."""
    inner = np.zeros(shown.shape, bool)
    dy, dx = (WINDOW // 2 + max(2, round(RIM * side)) for side in shown.shape)
    inner[dy:-dy, dx:-dx] = True
    whole = cv2.erode(shown.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8))
    return inner & (np.asarray(whole) > 0)


def _is_exchanged(p: Grey, q: Grey, there: Mask) -> bool:
    """Tell whether two pictures have other strokes, of one ink on one ground, in a place."""
    word = np.asarray(cv2.dilate(there.astype(np.uint8), np.ones((WINDOW, WINDOW)))) > 0
    low, high = sorted(slope(it, word) for it in (p, q))
    if high > AS_STEEP * low:
        return False
    more = (p - q)[word]
    given, taken = sorted((float(more[more > 0].sum()), -float(more[more < 0].sum())))
    if given < GIVE_AND_TAKE * taken:
        return False
    inks = [it[word] for it in (p, q)]
    if shared_tones(*inks) < SHARED:
        return False
    about = np.ones(2 * GROUND_TONES + 1)
    grounds = (np.convolve(tone_counts(it) / len(it), about, "same") for it in inks)
    return float(np.minimum(*grounds).max()) >= GROUND
