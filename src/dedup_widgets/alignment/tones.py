"""Of which tones some pixels are, and how steep a picture is there."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.overlay import Grey, Mask, blurred, part_about

NEAR = 8
"""Grey levels about a tone that belong to it, in a thumbnail."""


FLAT = 0.66
"""Share of what changed that must be of two tones, those of a box and its text, to have been laid
over. Measured: boxes, captions and logos have 0.65 to 1, things that moved 0.3 to 0.65."""


LETTERS, OUTLINED = 0.42, 180
"""The same for letters with an outline, which JPEG blurs, and the grey levels between the two."""


CALM, LEAST_CALM = 10.0, 0.15
"""Grey levels a pixel up to which a picture is calm, beside the edges of letters and rims, and the
share of what changed that must be."""


STROKES, MORE_STROKES = 20.0, 2.5
"""Grey levels a pixel by which a picture changes on average where letters or lines were laid over
it, and how many times as much as the other picture does there. Measured: letters 31 to 54 and
mostly more than 4 times; things that moved less than 19, and 1.7 times."""


SLOPE_REACH = 4
"""Pixels about a place that its slope depends on."""


@dataclass(frozen=True, slots=True)
class Tones:
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
    def of(cls, changed: Grey, about: Grey, within: int = NEAR) -> "Tones":
        """Return the commonest tones of some pixels, and how common they are about them."""
        counts = tone_counts(changed)
        beyond = tone_counts(about)
        total, outside = max(1, int(counts.sum())), max(1, int(beyond.sum()))
        tones, shares = list[int](), list[float]()
        for _ in range(3):
            tones.append(commonest(counts, within))
            near = slice(max(0, tones[-1] - within), tones[-1] + within + 1)
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


def commonest(counts: NDArray[np.integer], within: int) -> int:
    """Return the level about which most pixels lie, in a band of so many levels either way."""
    return int(np.convolve(counts, np.ones(2 * within + 1), "same").argmax())


def shared_tones(p: Grey, q: Grey) -> float:
    """Return the share of their tones that two sets of pixels have in common, within `NEAR`."""
    about = np.ones(2 * NEAR + 1)
    p_share, q_share = (np.convolve(tone_counts(v), about, "same") for v in (p, q))
    return float(np.minimum(p_share / p_share.sum(), q_share / q_share.sum()).sum())


def slope(p: Grey, there: Mask) -> float:
    """Return how steep a picture is on average at some pixels, in grey levels a pixel."""
    part = part_about(cv2.boundingRect(there.astype(np.uint8)), SLOPE_REACH)
    return float(steepness(blurred(p[part], 0.7))[there[part]].mean())


def steepness(p: Grey) -> Grey:
    """Return how steep a picture is at each pixel, in grey levels a pixel."""
    down, across = np.gradient(p)
    return np.asarray(np.hypot(down, across), np.float32)
