"""What the charts of the analytics draw: metrics, their bins, and numbers in words."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._text import counted
from dedup_widgets.filters.facets import wire

QUALITY = (
    "brightness",
    "contrast",
    "sharpness",
    "aspect_ratio",
    "area",
    "bytes",
    "width",
    "height",
    "distance",
)
"""Metrics of :func:`dedup_widgets.score`, in the order in which they are offered."""


NAMES = frozenset({"group", "nearest"})
"""Columns whose numbers name things and measure nothing."""


BINS, FEWEST_BINS, MOST_BINS = 50, 40, 60


DECADES = 6
"""A logarithmic axis reaches no further down from its end."""


KINDS = ("exact", "near", "unique", "")


WORDS = ("exact", "near", "unique", "no kind")


COLOURS = ("var(--dw-exact)", "var(--dw-near)", "var(--dw-unique)", "var(--dw-none)")


Bounds = tuple[float, float] | None
"""Lowest and highest value of a range, or None for all values."""


Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """The bins of a metric: equally wide on the screen, whatever values they hold.

    A place on the axis counts bins, so that 2.5 is the middle of the third one.

    Attributes
    ----------
    edges
        The values between which the bins lie, ascending. A bin holds its lower edge; the last one
        holds its upper edge, too.
    least, high
        The lowest and the highest value that is not in the bin of 0; the outer ones of the other
        bins reach as far.
    log
        Whether the bins grow by a factor.
    zero
        Whether a bin for exactly 0 comes first, and an empty one to set it apart.
    whole
        Whether the values are whole numbers.
    """

    edges: NDArray[np.float64]
    least: float
    high: float
    log: bool = False
    zero: bool = False
    whole: bool = False

    @property
    def low(self) -> float:
        """The lowest value."""
        return 0.0 if self.zero else self.least

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return self._first + len(self.edges) - 1

    def bin_of(self, values: Floats) -> NDArray[np.int64]:
        """Return the bin of each value."""
        found = np.searchsorted(self.edges, values, side="right") - 1
        bins = self._first + found.clip(0, len(self.edges) - 2)
        return np.where(values <= 0, 0, bins) if self.zero else bins

    def bounds(self, index: int) -> tuple[float, float]:
        """Return the lowest and the highest value of a bin."""
        if index < self._first:
            return 0.0, 0.0
        low, high = (float(self.edges[index - self._first + i]) for i in (0, 1))
        if index == self._first:
            low = min(low, self.least)
        if self.whole:
            last = index == self.bins - 1 and self.log
            low, high = math.ceil(low), math.floor(high) if last else math.ceil(high) - 1
        return low, max(low, min(high, self.high))

    def place(self, value: float, *, end: bool = False) -> float:
        """Return where a value lies, or, with `end`, where a range up to it ends."""
        if self.zero and value <= 0:
            return 1.0 if end else 0.0
        if self._cells and end:
            value += 1
        value = max(value, self.edges[0])
        at = np.interp(self._even(value), self._even(self.edges), np.arange(len(self.edges)))
        return self._first + float(at)

    def range(self, start: float, end: float) -> Bounds:
        """Return the range of values between two places."""
        low, high = self._rounded(start), self._rounded(end)
        if self._cells and self._digits == 0 and end < self.bins:
            # The next number's cell begins where that of the last one ends.
            high -= 1
            low = min(low, float(math.floor(self._value((start + end) / 2))))
        low = min(max(low, self.low), self.high)
        high = min(max(high, low), self.high)
        return None if low == self.low and high == self.high else (low, high)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places along the axis and what to write there."""
        first, last = float(self.edges[0]), float(self.edges[-1])
        values = powers(first, last) if self.log else steps(first, last)
        if self.whole:
            values = [value for value in values if value == round(value)]
        middle = 0.5 if self._cells and self.edges[1] - self.edges[0] == 1 else 0.0
        ticks = [(self.place(value) + middle, short(value)) for value in values]
        ticks = [tick for tick in ticks if tick[0] <= self.bins]
        # The text beside that of 0 would run into it.
        return [(0.5, "0"), *(t for t in ticks if t[0] > 4)] if self.zero else ticks

    @property
    def _first(self) -> int:
        return 2 if self.zero else 0

    @property
    def _cells(self) -> bool:
        """Whether each whole number has as much room on the axis as any other."""
        return self.whole and not self.log

    def _even(self, values: Any) -> Any:
        return np.log10(values) if self.log else values

    def _value(self, place: float) -> float:
        edges = self._even(self.edges)
        at = float(np.interp(place - self._first, np.arange(len(edges)), edges))
        return 10.0**at if self.log else at

    def _rounded(self, place: float) -> float:
        """Return the value at a place with as many digits as a pixel is worth."""
        if place <= 0:
            return self.low
        if place >= self.bins:
            return self.high
        if self.zero and place <= self._first:
            # Between 0 and the rest: "more than 0" leaves none of the rest out.
            return 0.0 if place < 1.5 else min(self.least, float(self.edges[0]))
        value = self._value(place)
        digits = 2 - exponent(value) if self.log else self._digits
        return float(round(value, min(digits, 0) if self.whole else digits))

    @property
    def _digits(self) -> int:
        """To how many digits after the point a linear axis is read."""
        digits = 3 - exponent(self.high - self.low)
        return min(digits, 0) if self.whole else digits


def axis_for(
    values: Floats, *, log: bool = False, whole: bool = False, score: bool = False
) -> Axis:
    """Return the axis for the values of a metric.

    Parameters
    ----------
    values
        The values, (n,), all finite; at least one.
    log
        Whether bins grow by a factor; without effect on values that :func:`can_be_log` denies.
        Values of 0 get a bin of their own.
    whole
        Whether the values are whole numbers: then the bins hold equally many of them.
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
        bins = min(MOST_BINS, max(FEWEST_BINS, round(10 * math.log10(end / start))))
        edges = np.geomspace(start, end, bins + 1)
        return Axis(edges, least, end, log=True, zero=score or low == 0, whole=whole)
    if whole:
        cell = math.ceil((high - low + 1) / MOST_BINS)
        bins = math.ceil((high - low + 1) / cell)
        return Axis(low + cell * np.arange(bins + 1.0), low, high, whole=True)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low == high:
        high = low + max(1.0, abs(low) * 1e-3)
    return Axis(np.linspace(low, high, BINS + 1), low, high)


def can_be_log(values: Floats) -> bool:
    """Tell whether a logarithmic axis can show values: none is negative, and one is positive."""
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
        (n,), the place of each row's kind in ``KINDS``.
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
        codes = {word: i for i, word in enumerate(KINDS[:-1])}
        numbers = kind.replace_strict(codes, default=len(KINDS) - 1, return_dtype=pl.Int64)
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

    def counts(self, axis: Axis) -> NDArray[np.int64]:
        """Count the values by kind and bin, (kinds, bins)."""
        known = np.isfinite(self.values)
        cells = self.kinds[known] * axis.bins + axis.bin_of(self.values[known])
        return np.bincount(cells, minlength=len(KINDS) * axis.bins).reshape(-1, axis.bins)

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
    columns = [n for n, dtype in frame.schema.items() if dtype.is_numeric() and n not in NAMES]
    first = [name for name in (score, *QUALITY) if name in columns]
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


def height_ticks(most: int) -> list[tuple[float, str]]:
    """Return heights and the counts to write there, when the highest bar is so many images."""
    counts = [c * 10**p for p in range(exponent(most), -1, -1) for c in (5, 2, 1)]
    ticks: list[tuple[float, str]] = []
    for count in [count for count in counts if count <= most]:
        height = math.sqrt(count / most)
        if not ticks or 0.16 <= height <= ticks[-1][0] - 0.16:
            ticks.append((height, short(count)))
    return [*ticks, (0.0, "0")]


# Numbers as people read them


def number(value: float) -> str:
    """Write a number with three digits, or as a whole.

    >>> number(0.042137), number(1204.4), number(0.00003)
    ('0.0421', '1,204', '3e-5')
    """
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("e-0", "e-")


def bound(value: float) -> str:
    """Write a number with all the digits that float32, as which scores are compared, holds.

    >>> bound(0.0421337), bound(1204567.0), bound(0.0001)
    ('0.0421337', '1,204,567', '0.0001')
    """
    return f"{value:,.0f}" if value == round(value) else f"{value:.7g}".replace("e-0", "e-")


def short(value: float) -> str:
    """Write a number for an axis.

    >>> short(0.25), short(0.00001), short(250_000), short(12_000_000)
    ('0.25', '1e-5', '250k', '12M')
    """
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, 1e4):
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}".replace("e-0", "e-")


def tidy(value: float) -> float:
    """Return a number as a field shows it, without the digits that come of float32."""
    return float(f"{value:.7g}")


def exponent(value: float) -> int:
    """Return the power of ten of a number's first digit; 0 for 0."""
    return math.floor(math.log10(abs(value))) if value else 0


def steps(low: float, high: float, most: int = 8) -> list[float]:
    """Return round numbers from one to another, evenly apart.

    >>> steps(0, 1, 4), steps(640, 1024, 4)
    ([0.0, 0.5, 1.0], [700.0, 800.0, 900.0, 1000.0])
    """
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** exponent(rough)
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def powers(low: float, high: float) -> list[float]:
    """Return powers of ten from one number to another, and some between if those are few.

    >>> powers(0.001, 1), powers(30, 1200)
    ([0.001, 0.01, 0.1, 1.0], [50.0, 100.0, 200.0, 500.0, 1000.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    values = [float(f"{c}e{p}") for p in range(first, last + 1) for c in factors]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
