"""Whether one picture is seen through what lies over it in another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.overlay import Grey, Mask

LEAST_THROUGH, THROUGH_STEPS, MISSED = 40, 6, 12.0
"""Pixels that are needed to tell whether something is seen through, steps in which those that do
not fit are left out, and grey levels by which one that does may miss."""


MOST_FITTED = 1000
"""Pixels by which it is told at most how one picture follows from the other."""


SEEN_THROUGH, LEAST_SEEN, UNSEEN = 0.6, 3.0, 0.3
"""Share of the pixels that must fit; grey levels, as a standard deviation, that they must vary by,
beyond an even shade; and share of that variance that may not follow from the other picture."""


@dataclass(frozen=True, eq=False, slots=True)
class Through:
    """Where one of two pictures is seen through what lies over it in the other.

    Attributes
    ----------
    there : NDArray[np.bool_]
        (h, w).
    contrast : float
        How much the first varies there, as a share of how much the second does.
    """

    there: Mask
    contrast: float


def shows_through(a: Grey, b: Grey, there: Mask) -> Through | None:
    """Tell whether one of two pictures is seen through what lies over it in the other, and where.

    A bar that is half transparent, a shade towards the foot, a dimmed button: there one picture is
    the other, paler or darker by as much everywhere, or evenly more from one side to the other. Two
    things that were photographed one after the other are not.
    """
    through = _over(a, b, there)
    if through is None:
        through = _over(b, a, there)
        return through and Through(through.there, 1 / through.contrast)
    return through


def _over(over: Grey, bare: Grey, there: Mask) -> Through | None:
    """Tell whether a picture is seen through what lies over it."""
    rows, columns = np.nonzero(there)
    if len(rows) < LEAST_THROUGH:
        return None
    p, q = over[there].astype(float), bare[there].astype(float)
    down, across = ((it - it.mean()) / max(1.0, float(np.ptp(it))) for it in (rows, columns))
    plane = np.stack([np.ones_like(q), down, across], axis=1)
    varying = plane * (q - q.mean())[:, None]
    given = np.hstack([plane, varying])
    some = slice(None, None, 1 + len(q) // MOST_FITTED)
    fitted = np.ones(len(p[some]), bool)
    for _ in range(THROUGH_STEPS):
        factors = _factors(given[some], p[some], fitted)
        missed = np.abs(p[some] - given[some] @ factors)
        before, fitted = fitted, missed <= max(MISSED, 1.5 * float(np.median(missed)))
        if (fitted == before).all():
            break
    missed = np.abs(p - given @ factors)
    counts = missed <= MISSED
    if counts.sum() < SEEN_THROUGH * len(q) or factors[3] <= 0:
        return None
    left = float((missed[counts] ** 2).sum())
    without = float(((p - plane @ _factors(plane, p, counts))[counts] ** 2).sum())
    if without < LEAST_SEEN**2 * counts.sum() or left > UNSEEN * without:
        return None
    seen = np.zeros(there.shape, bool)
    seen[rows[counts], columns[counts]] = True
    return Through(seen, float(factors[3]) / float(np.sqrt(1 - left / without)))


def _factors(
    given: NDArray[np.float64], wanted: NDArray[np.float64], by: Mask
) -> NDArray[np.float64]:
    """Return the factors of the columns that give some values best, judged by some rows."""
    some = given[by]
    moment = some.T @ some + 1e-6 * len(some) * np.eye(given.shape[1])
    return np.asarray(np.linalg.solve(moment, some.T @ wanted[by]))
