"""Columns of numbers, and the bins in which their values are counted."""

import math
from dataclasses import dataclass

import humanize
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.schema import METRICS, NUMBERED
from dedup_widgets.frame.summary import OUTCOMES

BINS = 50
"""Bins of an axis, beside that of 0; at most, where the values are whole numbers."""

DECADES = 6
"""A logarithmic axis reaches no further down from its end."""

Bounds = tuple[float, float] | None
"""Lowest and highest value of a range, or None for all values."""

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Bins that are equally wide on a linear or a logarithmic axis.

    A bin holds its lower edge, the outer ones what lies beyond the edges, too. Values of 0, for
    which a logarithmic axis has no place, have the first bin; the second one, empty, sets it apart.

    Attributes
    ----------
    edges
        Where the bins lie between on the axis, ascending.
    least, high
        The lowest and the highest value there is, zeros with a bin of their own aside.
    log, zero, whole
        Whether the axis is logarithmic, has a bin for 0, and shows whole numbers.
    """

    edges: NDArray[np.float64]
    least: float
    high: float
    log: bool = False
    zero: bool = False
    whole: bool = False

    @classmethod
    def of(cls, values: Floats, *, log: bool = False, whole: bool = False) -> "Bins":
        """Return bins for values, one or more, all finite.

        A linear axis goes from 0 to 1 where all values lie between; one of whole numbers has bins
        for equally many of them. `log` is without effect on what :func:`can_be_log` denies.
        """
        low, high = float(values.min()), float(values.max())
        if log and can_be_log(values):
            least = float(values[values > 0].min())
            edges = np.geomspace(max(high / 10**DECADES, min(least, high / 10)), high, BINS + 1)
            if low == 0:
                before = edges[0] * (edges[0] / edges[1]) ** np.array([2, 1])
                edges = np.array([*before, *edges])
            return cls(edges, least, high, log=True, zero=low == 0, whole=whole)
        if whole:
            width = math.ceil((high - low + 1) / BINS)
            edges = np.arange(low, high + width + 1, width) - 0.5
            return cls(edges, low, high, whole=True)
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        elif low == high:
            high = low + max(1.0, abs(low) * 1e-3)
        return cls(np.linspace(low, high, BINS + 1), low, high)

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def low(self) -> float:
        """The lowest value."""
        return 0.0 if self.zero else self.least

    @property
    def middles(self) -> NDArray[np.float64]:
        """The middle of each bin on the axis."""
        low, high = self.edges[:-1], self.edges[1:]
        return np.sqrt(low * high) if self.log else (low + high) / 2

    @property
    def _first(self) -> int:
        return 2 if self.zero else 0

    def bin_of(self, values: Floats) -> NDArray[np.int64]:
        """Return the bin of each value."""
        found = np.searchsorted(self.edges, values, side="right") - 1
        found = found.clip(self._first, len(self) - 1)
        return np.where(values <= 0, 0, found) if self.zero else found

    def count(self, values: Floats, kinds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count finite values by kind, its place in `OUTCOMES`, and bin: (kinds, bins)."""
        cells = kinds * len(self) + self.bin_of(values)
        return np.bincount(cells, minlength=len(OUTCOMES) * len(self)).reshape(-1, len(self))

    def bounds(self, index: int) -> Bounds:
        """Return the lowest and the highest value that a bin can hold; None for the empty one."""
        if index < self._first:
            return (0.0, 0.0) if index == 0 else None
        low, high = self.edges[index : index + 2].tolist()
        if self.whole:
            low, high = math.ceil(low), math.ceil(high) - 1
        low = self.least if index == self._first else low
        return low, max(low, self.high if index == len(self) - 1 else high)

    def places(self, low: float, high: float) -> list[float]:
        """Return where a range of values starts and ends on the axis."""
        half = 0.5 if self.whole and not self.log else 0.0
        ends = np.clip([low - half, high + half], self.edges[self._first], self.edges[-1])
        on_zero = [self.zero and value <= 0 for value in (low, high)]
        places: list[float] = np.where(on_zero, self.edges[:2], ends).tolist()
        return places

    def range(self, start: float, end: float) -> Bounds:
        """Return the range of values between two places on the axis."""
        low, high = self._value(start), self._value(end)
        if self.whole:
            low, high = math.ceil(low), math.floor(high)
            if low > high:
                low = high = round((start + end) / 2)
        low, high = (min(max(value, self.low), self.high) for value in (low, high))
        return None if (low, high) == (self.low, self.high) else (low, high)

    def _value(self, place: float) -> float:
        first, last = self.edges[self._first], self.edges[-1]
        # The browser's logarithms are not the same to the last bit.
        hair = 1e-6 * (self.edges[self._first + 1] - first)
        if place >= last - hair:
            return self.high
        if place <= first + hair:
            # Between 0 and the rest: "more than 0" leaves none of the rest out.
            return 0.0 if self.zero and place < self.middles[1] else self.least
        if self.whole:
            return place
        # As many digits as a pixel is worth.
        return float(f"{place:.3g}") if self.log else round(place, 3 - exponent(last - first))

    def ticks(self) -> NDArray[np.float64] | None:
        """Return the values to write at a logarithmic axis, or at few whole numbers.

        On these bqplot writes so many that they run into each other, and 2.5; else its own are
        good.
        """
        if not self.log:
            few = self.whole and self.high - self.least < 12
            return np.arange(self.least, self.high + 1) if few else None
        # A text next to that of 0 would run into it.
        first, last = self.edges[4 if self.zero else 0], self.edges[-1]
        powers = 10.0 ** np.arange(exponent(first), exponent(last) + 1)
        ticks = np.outer(powers, [1, 2, 5] if last / first < 300 else [1]).ravel()
        return np.extract((ticks > 0.999 * first) & (ticks < 1.001 * last), ticks)


def can_be_log(values: Floats) -> bool:
    """Return whether a logarithmic axis can show values: none is negative, and one is positive."""
    return bool(values.size and values.min() >= 0 and values.max() > 0)


def metrics_of(frame: pl.DataFrame, score: str) -> list[str]:
    """Return the columns of numbers: the score, then the quality metrics, then the others."""
    columns = [n for n, dtype in frame.schema.items() if dtype.is_numeric() and n not in NUMBERED]
    return list(dict.fromkeys([n for n in (score, *METRICS) if n in columns] + columns))


def heights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how high the parts of each bar are, (kinds, bins), where the highest bar is 1.

    A bar grows with the square root of its images, as in the Explorer's histogram: among 100,000
    images 30 still show. The kinds share it as they share its images.
    """
    whole = counts.sum(axis=0)
    tall = np.sqrt(whole / max(1, whole.max())).clip(0.03)
    parts: NDArray[np.float64] = tall * counts / whole.clip(1)
    return parts


def height_ticks(most: int) -> dict[float, str]:
    """Return the counts to write at heights, when the highest bar is so many images."""
    ticks = {0.0: "0"}
    for count in (c * 10**p for p in range(exponent(max(most, 1)), -1, -1) for c in (5, 2, 1)):
        height = math.sqrt(count / max(most, 1))
        if count <= most and all(abs(height - other) >= 0.16 for other in ticks):
            # Without its space it reads as at the axes that bqplot writes.
            ticks[height] = humanize.metric(count, precision=1).replace(" ", "")
    return ticks


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many digits, or as a whole.

    Seven are all that float32, as which scores are compared, holds.

    >>> number(0.042137), number(1204.4), number(0.00003), number(0.0421337, 7)
    ('0.0421', '1,204', '3e-5', '0.0421337')
    """
    if value == round(value) or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}".replace("e-0", "e-")


def exponent(value: float) -> int:
    """Return the power of ten of a positive number's first digit."""
    return math.floor(math.log10(value))
