"""What was found when one picture was laid over another."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

Relation = Literal[
    "re-encoded",
    "resized",
    "recoloured",
    "flipped",
    "turned",
    "rotated",
    "cropped",
    "uncropped",
    "framed",
    "unframed",
    "overlaid",
]
"""What a copy is of the other picture.

``flipped``: mirrored; ``turned``: by a multiple of 90°, ``rotated``: by any other angle;
``cropped``: shows a part, ``uncropped``: shows more; ``framed``: has a plain border that the other
lacks, ``unframed``: lacks it; ``overlaid``: something lies over one of them.
"""


RELATIONS: tuple[Relation, ...] = get_args(Relation)


NO_MATRIX = (0.0,) * 6


ROTATED_BY = 1.5
"""Degrees from the next multiple of 90 from which on a picture is called rotated: a scan or a
re-encoding lies within it."""


OVERLAID_SHARE, OVERLAID_RECOLOURED = 0.0025, 0.05
"""Share of the picture that must be covered for a copy to be called overlaid, and if it was
recoloured: other hues look like a cover."""


SEEN_SHARE = 0.97
"""Share of the content that must be shown for nothing to have been cropped: refined alignments
are true to about one part in a hundred."""


FRAMED_SHARE = 0.015
"""Share of a picture that must be plain border for it to be called framed."""


RESIZED_BY = 0.02
"""Relative difference of the sides from which on a copy is called resized."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How picture a lies on picture b, and how much of them agrees.

    Attributes
    ----------
    is_confirmed : bool
        Whether the two are near-duplicates. All other fields are 0 or empty where they are not.
    agreement : float
        Share of the larger picture's content that both show and that agrees, in [0, 1].
    matrix, inverse_matrix : tuple of 6 floats
        Affine map, by rows ``(m00, m01, m02, m10, m11, m12)``, from a's unit square (x to the
        right, y down) to b's; and its inverse.
    a_size, b_size : tuple of 2 ints
        Width and height in pixels of the pictures themselves.
    inside_a, inside_b : float
        Share of a's content (what is not plain border) that lies inside b, and of b's inside a.
    border_a, border_b : float
        Share of a that is a plain border or a frame, and of b.
    over_a, over_b : float
        Share of what both show where something lies over a, and over b.
    is_recoloured : bool
        Whether brightness, contrast or colours were changed.
    """

    is_confirmed: bool
    agreement: float = 0.0
    matrix: tuple[float, ...] = NO_MATRIX
    inverse_matrix: tuple[float, ...] = NO_MATRIX
    a_size: tuple[int, int] = (0, 0)
    b_size: tuple[int, int] = (0, 0)
    inside_a: float = 0.0
    inside_b: float = 0.0
    border_a: float = 0.0
    border_b: float = 0.0
    over_a: float = 0.0
    over_b: float = 0.0
    is_recoloured: bool = False

    def inverse(self) -> "Evidence":
        """Return the same evidence with a and b exchanged."""
        return _exchanged(self)

    @property
    def is_mirrored(self) -> bool:
        """Whether one is a mirror image of the other."""
        return bool(self._alone().is_mirrored[0])

    @property
    def angle(self) -> float:
        """See :attr:`EvidenceOfPairs.angle`."""
        return float(self._alone().angle[0])

    @property
    def scale(self) -> float:
        """Pixels of a per pixel of b, along a line; 0 where refused."""
        return float(self._alone().scale[0])

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom, in b's unit square, of what a shows of it."""
        left, top, right, bottom = self._alone().box[0].tolist()
        return left, top, right, bottom

    @property
    def relation(self) -> Relation | None:
        """What a is of b, the change that matters most if there are several; None where refused."""
        return RELATIONS[self._alone().relation[0]] if self.is_confirmed else None

    def _alone(self) -> "EvidenceOfPairs":
        return EvidenceOfPairs.of([self])


@dataclass(frozen=True)
class EvidenceOfPairs:
    """How the first picture of each of p pairs, a, lies on the second one, b: columns of evidence.

    Attributes
    ----------
    matrix, inverse_matrix
        (p, 6), as those of `Evidence`.
    a_size, b_size
        (p, 2).
    agreement, inside_a, inside_b, border_a, border_b, over_a, over_b, is_recoloured
        (p,).
    """

    agreement: NDArray[np.float64]
    matrix: NDArray[np.float64]
    inverse_matrix: NDArray[np.float64]
    a_size: NDArray[np.int64]
    b_size: NDArray[np.int64]
    inside_a: NDArray[np.float64]
    inside_b: NDArray[np.float64]
    border_a: NDArray[np.float64]
    border_b: NDArray[np.float64]
    over_a: NDArray[np.float64]
    over_b: NDArray[np.float64]
    is_recoloured: NDArray[np.bool_]

    @classmethod
    def of(cls, evidence: Sequence[Evidence]) -> "EvidenceOfPairs":
        """Return evidence of pairs, at least one, as columns."""
        values = ((it.name, map(attrgetter(it.name), evidence)) for it in fields(cls))
        return cls(**{name: np.array(list(its)) for name, its in values})

    def inverse(self) -> "EvidenceOfPairs":
        """Return the same evidence with a and b of each pair exchanged."""
        return _exchanged(self)

    @cached_property
    def is_mirrored(self) -> NDArray[np.bool_]:
        """(p,), whether one is a mirror image of the other."""
        return self._determinant < 0

    @cached_property
    def angle(self) -> NDArray[np.float64]:
        """(p,), degrees by which b (or its mirror image) is turned to give a, -179.95 to 180.05.

        Counter-clockwise is positive. Mirrored top to bottom is mirrored and at 180.
        """
        (p, q), (r, s) = self._in_pixels
        unmirrored = np.where(self.is_mirrored, -1, 1)
        degrees = np.degrees(np.arctan2(q - unmirrored * r, unmirrored * p + s))
        return np.asarray(np.where(degrees < -179.95, degrees + 360, degrees))

    @cached_property
    def is_rotated(self) -> NDArray[np.bool_]:
        """(p,), whether it is turned by more or less than a multiple of 90 degrees."""
        return np.asarray(abs(self.angle - 90 * np.rint(self.angle / 90)) > ROTATED_BY)

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """(p,), pixels of a per pixel of b, along a line; 0 where refused."""
        return np.asarray(np.sqrt(abs(self._determinant)))

    @property
    def stretch(self) -> NDArray[np.float64]:
        """(p,), scale along one direction by that along the other, at least 1; 1 where refused."""
        (p, q), (r, s) = self._in_pixels
        # The singular values are the sum and the difference of these.
        one, other = np.hypot(p + s, r - q), np.hypot(p - s, r + q)
        stretch: NDArray[np.float64] = np.ones_like(one)
        np.divide(one + other, abs(one - other), out=stretch, where=one != other)
        return stretch

    @property
    def box(self) -> NDArray[np.float64]:
        """(p, 4): left, top, right, bottom, in b's unit square, of what a shows of it."""
        x, y = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
        along, across, shift = self.matrix.reshape(-1, 2, 3, 1).transpose(2, 0, 1, 3)
        corners = np.clip(along * x + across * y + shift, 0.0, 1.0)
        return np.concatenate([corners.min(axis=2), corners.max(axis=2)], axis=1)

    @property
    def relation(self) -> NDArray[np.int8]:
        """(p,), what a is of b by its number among `RELATIONS`, where confirmed.

        Of several changes it is the one that matters most.
        """
        is_recoloured = self.is_recoloured
        least = np.where(is_recoloured, OVERLAID_RECOLOURED, OVERLAID_SHARE)
        border = self.border_a - self.border_b
        is_cut = np.minimum(self.inside_a, self.inside_b) < SEEN_SHARE
        is_resized = abs(self.a_size / np.maximum(1, self.b_size) - 1) > RESIZED_BY
        changes: dict[Relation, NDArray[np.bool_]] = {
            "rotated": self.is_rotated,
            "overlaid": np.maximum(self.over_a, self.over_b) >= least,
            "framed": border >= FRAMED_SHARE,
            "unframed": -border >= FRAMED_SHARE,
            "cropped": is_cut & (self.inside_a > self.inside_b),
            "uncropped": is_cut,
            "flipped": self.is_mirrored,
            "turned": np.rint(self.angle / 90) % 4 != 0,
            "recoloured": is_recoloured,
            "resized": is_resized[:, 0] | is_resized[:, 1],
        }
        numbers = [np.int8(RELATIONS.index(change)) for change in changes]
        none = np.int8(RELATIONS.index("re-encoded"))
        return np.select(list(changes.values()), numbers, none)

    @cached_property
    def _in_pixels(self) -> NDArray[np.float64]:
        """The 2 x 2 part of the maps from b's pixels to a's, (2, 2, p)."""
        to_a = self.inverse_matrix.reshape(-1, 2, 3)[:, :, :2].transpose(1, 2, 0)
        a_size, b_size = (np.maximum(1, size).T for size in (self.a_size, self.b_size))
        pixels: NDArray[np.float64] = to_a * a_size[:, None] / b_size[None]
        return pixels

    @cached_property
    def _determinant(self) -> NDArray[np.float64]:
        (p, q), (r, s) = self._in_pixels
        determinant: NDArray[np.float64] = p * s - q * r
        return determinant


_Found = TypeVar("_Found", Evidence, EvidenceOfPairs)

_OF_BOTH = (
    ("matrix", "inverse_matrix"),
    ("a_size", "b_size"),
    ("inside_a", "inside_b"),
    ("border_a", "border_b"),
    ("over_a", "over_b"),
)
"""What there is of a beside b, and of b beside a."""


def _exchanged(found: _Found) -> _Found:
    """Return evidence with a and b exchanged."""
    changes = {}
    for a, b in _OF_BOTH:
        changes[a], changes[b] = getattr(found, b), getattr(found, a)
    return replace(found, **changes)


REFUSED = Evidence(is_confirmed=False)
