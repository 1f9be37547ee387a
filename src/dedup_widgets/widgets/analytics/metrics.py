"""What the charts of the analytics count: columns of numbers, and the bins of their values."""

import math
from dataclasses import dataclass, replace

import humanize
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._text import counted
from dedup_widgets.filters.facets import wire
from dedup_widgets.frame.schema import METRICS, NUMBERED
from dedup_widgets.frame.summary import OUTCOMES

BINS, FEWEST_BINS, MOST_BINS = 50, 40, 60
DECADES = 6
"""A logarithmic axis reaches no further down from its end."""

KINDS = OUTCOMES
WORDS = ("exact duplicates go", "near-duplicates go", "kept", "unreadable")
COLOURS = ("var(--dw-exact)", "var(--dw-near)", "var(--dw-unique)", "var(--dw-none)")

Bounds = tuple[float, float] | None
"""Lowest and highest value of a range, or None for all values."""

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Bins that are equally wide on a linear or a logarithmic axis.

    Attributes
    ----------
    edges
        Where the bins lie between on the axis, ascending. A bin holds its lower edge; values
        beyond the edges are in the outer bins.
    least, high
        The lowest and the highest value there is, zeros with a bin of their own aside.
    log
        Whether the axis is logarithmic.
    zero
        Whether values of 0, for which a logarithmic axis has no place, have the first bin. The
        second one is empty, to separate it.
    whole
        Whether the values are whole numbers.
    """

    edges: NDArray[np.float64]
    least: float
    high: float
    log: bool = False
    zero: bool = False
    whole: bool = False

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
        """The first bin on the axis proper."""
        return 2 if self.zero else 0

    def bin_of(self, values: Floats) -> NDArray[np.int64]:
        """Return the bin of each value."""
        found = np.searchsorted(self.edges, values, side="right") - 1
        found = found.clip(self._first, len(self) - 1)
        return np.where(values <= 0, 0, found) if self.zero else found

    def bounds(self, index: int) -> Bounds:
        """Return the lowest and the highest value that a bin can hold; None for the empty one."""
        if index < self._first:
            return (0.0, 0.0) if index == 0 else None
        low, high = (float(edge) for edge in self.edges[index : index + 2])
        if index == self._first:
            low = min(low, self.least)
        if self.whole:
            low, high = math.ceil(low), math.ceil(high) - 1
        return low, max(low, self.high if index == len(self) - 1 else min(high, self.high))

    def places(self, low: float, high: float) -> list[float]:
        """Return where a range of values starts and ends on the axis."""
        half = 0.5 if self.whole and not self.log else 0.0
        first, last = self.edges[self._first], self.edges[-1]
        start, end = np.clip([low - half, high + half], first, last).tolist()
        if self.zero and low <= 0:
            start = float(self.edges[0])
        if self.zero and high <= 0:
            end = float(self.edges[1])
        return [start, end]

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
        """Return the value at a place, with as many digits as a pixel is worth."""
        first, last = self.edges[self._first], self.edges[-1]
        # The browser's logarithms are not the same to the last bit.
        hair = 1e-6 * (self.edges[self._first + 1] - first)
        if place >= last - hair:
            return self.high
        if place <= first + hair:
            # Between 0 and the rest: "more than 0" leaves none of the rest out.
            return 0.0 if self.zero and place < self.middles[1] else self.least
        digits = 2 - exponent(place) if self.log else 3 - exponent(self.high - self.least)
        # The ends of a range of whole numbers are rounded inwards, not to the nearest one.
        return place if self.whole and digits >= 0 else round(place, digits)

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
        powers = np.arange(math.floor(math.log10(first)), math.log10(last) + 1)
        ticks = np.outer(10.0**powers, [1, 2, 5] if last / first < 300 else [1]).ravel()
        inside: NDArray[np.bool_] = (ticks > 0.999 * first) & (ticks < 1.001 * last)
        return np.extract(inside, ticks)


def bins_for(
    values: Floats, *, log: bool = False, whole: bool = False, score: bool = False
) -> Bins:
    """Return the bins for the values of a metric.

    Parameters
    ----------
    values
        The values, (n,), all finite; at least one.
    log
        Whether a logarithmic axis is wanted; without effect on values that :func:`can_be_log`
        denies. Values of 0 get a bin of their own.
    whole
        Whether the values are whole numbers: then the bins of a linear axis hold equally many.
    score
        Whether this is the score, whose logarithmic axis is always that of the Explorer's
        histogram: 0, and 1e-6 … 1.

    Notes
    -----
    Values that all lie in [0, 1] get the axis 0 … 1, unless it is logarithmic.
    """
    low, high = float(values.min()), float(values.max())
    if log and can_be_log(values):
        end, least = 1.0 if score else high, float(values[values > 0].min())
        start = end * 10.0**-DECADES
        if not score:
            start = max(start, least if least < end else end / 10)
        decades = math.log10(end / start)
        edges = np.geomspace(start, end, min(MOST_BINS, max(FEWEST_BINS, round(10 * decades))) + 1)
        zero = score or low == 0
        if zero:
            step = edges[1] / edges[0]
            edges = np.array([start / step**2, start / step, *edges])
        return Bins(edges, least, end, log=True, zero=zero, whole=whole)
    if whole:
        width = math.ceil((high - low + 1) / MOST_BINS)
        count = math.ceil((high - low + 1) / width)
        return Bins(low - 0.5 + width * np.arange(count + 1.0), low, high, whole=True)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low == high:
        high = low + max(1.0, abs(low) * 1e-3)
    return Bins(np.linspace(low, high, BINS + 1), low, high)


def can_be_log(values: Floats) -> bool:
    """Return whether a logarithmic axis can show values: none is negative, and one is positive."""
    return bool(values.size and values.min() >= 0 and values.max() > 0)


@dataclass(frozen=True)
class Metric:
    """One column of numbers, a row an image.

    Attributes
    ----------
    name
        The column.
    values
        (n,), as they are compared; not finite where a row has no value.
    kinds
        (n,), the place in ``KINDS`` of what becomes of each row.
    whole
        Whether they are whole numbers.
    score
        Whether this is the score.
    """

    name: str
    values: Floats
    kinds: NDArray[np.int64]
    whole: bool
    score: bool

    @classmethod
    def of(cls, frame: pl.DataFrame, name: str, kind: pl.Series, *, score: bool) -> "Metric":
        """Read a column of a frame, whose rows are of these kinds."""
        column = frame[name]
        codes = {word: i for i, word in enumerate(KINDS)}
        numbers = kind.replace_strict(codes, return_dtype=pl.Int64)
        return cls(
            name=name,
            values=wire(column, single=score),
            kinds=numbers.to_numpy(),
            whole=column.dtype.is_integer(),
            score=score,
        )

    @property
    def known(self) -> Floats:
        """The values of the rows that have one."""
        return self.values[np.isfinite(self.values)]

    def within(self, mask: NDArray[np.bool_]) -> "Metric":
        """Return the metric of some rows."""
        return replace(self, values=self.values[mask], kinds=self.kinds[mask])

    def counts(self, bins: Bins) -> NDArray[np.int64]:
        """Count the values by kind and bin, (kinds, bins)."""
        known = np.isfinite(self.values)
        cells = self.kinds[known] * len(bins) + bins.bin_of(self.values[known])
        return np.bincount(cells, minlength=len(KINDS) * len(bins)).reshape(-1, len(bins))

    def count_in(self, low: float, high: float) -> int:
        """Count the values from one number to another, both included."""
        type_ = self.values.dtype.type
        return int(((self.values >= type_(low)) & (self.values <= type_(high))).sum())

    def about(self) -> str:
        """Sum the metric up in a line."""
        known = self.known
        parts = [counted(len(known), "image")]
        if known.size:
            ends = {"min": known.min(), "median": np.median(known), "max": known.max()}
            parts += [f"{word} {number(float(value))}" for word, value in ends.items()]
        return " · ".join([*parts, f"{len(self.values) - len(known):,} missing"])


def metrics_of(frame: pl.DataFrame, score: str) -> list[str]:
    """Return the columns of numbers: the score, then the quality metrics, then the others."""
    columns = [n for n, dtype in frame.schema.items() if dtype.is_numeric() and n not in NUMBERED]
    first = [name for name in (score, *METRICS) if name in columns]
    return [*first, *(name for name in columns if name not in first)]


def heights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how high the parts of each bar are, (kinds, bins), where the highest bar is 1.

    A bar grows with the square root of its images, as in the Explorer's histogram: among 100,000
    images 30 still show. The kinds share it as they share its images.
    """
    whole = counts.sum(axis=0)
    tall = np.where(whole > 0, np.sqrt(whole / max(1, whole.max())).clip(0.03), 0.0)
    parts: NDArray[np.float64] = tall * counts / whole.clip(1)
    return parts


def height_ticks(most: int) -> dict[float, str]:
    """Return the counts to write at heights, when the highest bar is so many images."""
    ticks = {0.0: "0"}
    for count in (c * 10**p for p in range(exponent(most), -1, -1) for c in (5, 2, 1)):
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
    """Return the power of ten of a number's first digit; 0 for 0."""
    return math.floor(math.log10(abs(value))) if value else 0
