"""What was found when one picture was laid over another."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

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


Square = tuple[tuple[float, float], tuple[float, float]]
"""A matrix of 2 x 2 numbers, by rows."""


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
        return replace(
            self,
            matrix=self.inverse_matrix,
            inverse_matrix=self.matrix,
            a_size=self.b_size,
            b_size=self.a_size,
            inside_a=self.inside_b,
            inside_b=self.inside_a,
            border_a=self.border_b,
            border_b=self.border_a,
            over_a=self.over_b,
            over_b=self.over_a,
        )

    @property
    def is_mirrored(self) -> bool:
        """Whether one is a mirror image of the other."""
        return _determinant(self._in_pixels()) < 0

    @property
    def angle(self) -> float:
        """Degrees from -179.95 to 180.05 by which b (or its mirror image) is turned to give a.

        Counter-clockwise is positive. Mirrored top to bottom is mirrored and at 180.
        """
        (p, q), (r, s) = self._turn()
        degrees = math.degrees(math.atan2(q - r, p + s))
        return degrees + 360 if degrees < -179.95 else degrees

    @property
    def is_rotated(self) -> bool:
        """Whether it is turned by more or less than a multiple of 90 degrees."""
        angle = self.angle
        return abs(angle - 90 * round(angle / 90)) > ROTATED_BY

    @property
    def scale(self) -> float:
        """Pixels of a per pixel of b, along a line; 0 where refused."""
        return math.sqrt(abs(_determinant(self._in_pixels())))

    @property
    def stretch(self) -> float:
        """Scale along one direction by that along the other, at least 1; 1 where refused."""
        (p, q), (r, s) = self._in_pixels()
        # The singular values are the sum and the difference of these.
        one, other = math.hypot(p + s, r - q), math.hypot(p - s, r + q)
        return (one + other) / abs(one - other) if one != other else 1.0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom, in b's unit square, of what a shows of it."""
        corners = [
            [min(1.0, max(0.0, p * x + q * y + shift)) for x in (0, 1) for y in (0, 1)]
            for p, q, shift in (self.matrix[:3], self.matrix[3:])
        ]
        (left, top), (right, bottom) = map(min, corners), map(max, corners)
        return left, top, right, bottom

    @property
    def relation(self) -> Relation | None:
        """What a is of b, the change that matters most if there are several; None where refused."""
        if not self.is_confirmed:
            return None
        if self.is_rotated:
            return "rotated"
        least = OVERLAID_RECOLOURED if self.is_recoloured else OVERLAID_SHARE
        if max(self.over_a, self.over_b) >= least:
            return "overlaid"
        if abs(self.border_a - self.border_b) >= FRAMED_SHARE:
            return "framed" if self.border_a > self.border_b else "unframed"
        if min(self.inside_a, self.inside_b) < SEEN_SHARE:
            return "cropped" if self.inside_a > self.inside_b else "uncropped"
        if self.is_mirrored:
            return "flipped"
        if round(self.angle / 90) % 4:
            return "turned"
        if self.is_recoloured:
            return "recoloured"
        longer = zip(self.a_size, self.b_size, strict=True)
        return "resized" if any(abs(a / b - 1) > RESIZED_BY for a, b in longer) else "re-encoded"

    def _in_pixels(self) -> Square:
        """Return the 2 x 2 part of the map from b's pixels to a's."""
        (p, q, _), (r, s, _) = self.inverse_matrix[:3], self.inverse_matrix[3:]
        (a_width, a_height), (b_width, b_height) = (
            (max(1, width), max(1, height)) for width, height in (self.a_size, self.b_size)
        )
        return (
            (p * a_width / b_width, q * a_width / b_height),
            (r * a_height / b_width, s * a_height / b_height),
        )

    def _turn(self) -> Square:
        """Return that part without the mirror."""
        pixels = (p, q), (r, s) = self._in_pixels()
        return ((-p, q), (-r, s)) if _determinant(pixels) < 0 else pixels


def _determinant(square: Square) -> float:
    (p, q), (r, s) = square
    return p * s - q * r


REFUSED = Evidence(is_confirmed=False)
