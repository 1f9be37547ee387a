"""Columns of numbers, and the bins in which their values are counted."""

import math
from dataclasses import dataclass

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

    Values of 0, for which a logarithmic axis has no place, have the first bin; the second one,
    empty, sets it apart.

    Attributes
    ----------
    edges
        Where the bins lie between on the axis, ascending; rounded to what a pixel is worth.
    lows, highs
        The lowest and the highest value of each bin; the outer ones hold what lies beyond the
        edges, too.
    log, zero
        Whether the axis is logarithmic, and has a bin for 0.
    half
        How far the edges lie from whole numbers, if the bins count these: a half, else nothing.
    """

    edges: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    log: bool = False
    zero: bool = False
    half: float = 0.0

    @classmethod
    def of(cls, values: Floats, *, log: bool = False, whole: bool = False) -> "Bins":
        """Return bins for values, all finite.

        A linear axis goes from 0 to 1 where all values lie between; one of whole numbers has bins
        for equally many of them. `log` is without effect on what :func:`can_be_log` denies.
        """
        values = values if values.size else np.zeros(1)
        low, high = float(values.min()), float(values.max())
        log, half = log and can_be_log(values), 0.0
        zero = log and low == 0
        if log:
            least = float(values[values > 0].min())
            low = max(high / 10**DECADES, min(least, high / 10))
            edges = [float(f"{edge:.3g}") for edge in np.geomspace(low, high, BINS + 1)]
            low = min(least, edges[0])
        elif whole:
            half, width = 0.5, math.ceil((high - low + 1) / BINS)
            edges = (np.arange(low, high + width + 1, width) - half).tolist()
        else:
            if low >= 0 and high <= 1:
                low, high = 0.0, 1.0
            elif low == high:
                high = low + max(1.0, abs(low) * 1e-3)
            digits = 3 - math.floor(math.log10(high - low))
            edges = np.linspace(low, high, BINS + 1).round(digits).tolist()
        inner = edges[1:-1]
        lows, highs = [low, *(it + half for it in inner)], [*(it - half for it in inner), high]
        if zero:
            step = edges[0] / edges[1]
            edges = [edges[0] * step**2, edges[0] * step, *edges]
            lows, highs = [0.0, low, *lows], [0.0, 0.0, *highs]
        return cls(tuple(edges), tuple(lows), tuple(highs), log, zero, half)

    def __len__(self) -> int:
        return len(self.lows)

    @property
    def middles(self) -> NDArray[np.float64]:
        """The middle of each bin on the axis."""
        low, high = np.array(self.edges[:-1]), np.array(self.edges[1:])
        middles: NDArray[np.float64] = np.sqrt(low * high) if self.log else (low + high) / 2
        return middles

    def count(self, values: Floats, kinds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count finite values by kind, its place in `OUTCOMES`, and bin: (kinds, bins)."""
        cells = kinds * len(self) + np.searchsorted(self.lows, values, side="right") - 1
        return np.bincount(cells, minlength=len(OUTCOMES) * len(self)).reshape(-1, len(self))

    def part(self, low: float, high: float) -> Bounds:
        """Return a range of values, None for one that leaves none out."""
        return None if low <= self.lows[0] and high >= self.highs[-1] else (low, high)

    def places(self, low: float, high: float) -> tuple[float, float]:
        """Return where a range of values starts and ends on the axis."""
        first, last = self.edges[2 if self.zero else 0], self.edges[-1]
        start, end = (min(max(it, first), last) for it in (low - self.half, high + self.half))
        if self.zero:
            start, end = (self.edges[0] if low <= 0 else start, self.edges[1] if high <= 0 else end)
        return start, end

    def range(self, start: float, end: float) -> Bounds:
        """Return the range of the bars that a brush touches: bqplot shows these as selected."""
        first = int(np.searchsorted(self.edges[1:-1], start, side="right"))
        last = max(first, int(np.searchsorted(self.edges[1:-1], end)))
        low, high = self.lows[first], self.highs[last]
        return self.part(min(low, high), high)

    def ticks(self) -> NDArray[np.float64] | None:
        """Return the values to write where bqplot's own run into each other, or are none: 2.5."""
        if not self.log:
            few = self.half and self.highs[-1] - self.lows[0] < 12
            return np.arange(self.lows[0], self.highs[-1] + 1) if few else None
        # A text next to that of 0 would run into it.
        first, last = self.edges[4 if self.zero else 0], self.edges[-1]
        powers = 10.0 ** np.arange(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
        ticks = np.outer(powers, [1, 2, 5] if last / first < 300 else [1]).ravel()
        return ticks[(ticks > 0.999 * first) & (ticks < 1.001 * last)]


def can_be_log(values: Floats) -> bool:
    """Return whether a logarithmic axis can show values: none is negative, and one is positive."""
    return bool(values.size and values.min() >= 0 and values.max() > 0)


def metrics_of(frame: pl.DataFrame, score: str | None) -> list[str]:
    """Return the columns of numbers: the score, then the quality metrics, then the others."""
    columns = [n for n, dtype in frame.schema.items() if dtype.is_numeric() and n not in NUMBERED]
    return list(dict.fromkeys([n for n in (score, *METRICS) if n in columns] + columns))
