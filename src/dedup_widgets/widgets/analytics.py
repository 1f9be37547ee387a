"""Analytics: how a metric is distributed, and what each near-duplicate boundary would do.

Two charts by bqplot. The first one filters: a range brushed in it is the filter of its column in
the Explorer. The second one chooses: a boundary picked on it is the Explorer's ``near``.
"""

import difflib
import functools
import html
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import anywidget
import bqplot
import ipywidgets
import numpy as np
import polars as pl
import traitlets
from numpy.typing import NDArray

from dedup_widgets.errors import DedupError, InputError
from dedup_widgets.facets import wire
from dedup_widgets.frames import require_columns, to_polars
from dedup_widgets.summary import kinds
from dedup_widgets.widgets.display import recognised

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

WAIT = 0.2
"""Seconds between two filters that a brush in motion sets."""

Bounds = tuple[float, float] | None
"""Lowest and highest value of a range, or None for all values."""

Floats = NDArray[np.float32] | NDArray[np.float64]


@runtime_checkable
class Explorer(Protocol):
    """What Analytics needs of an Explorer."""

    frame: pl.DataFrame
    filters: Any
    near: float

    def observe(self, handler: Callable[[Any], None], names: Any) -> None:
        """Call back when one of these properties changes."""


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
        parts = [images(len(known))]
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


def images(count: int, word: str = "image") -> str:
    """Write a count with its unit.

    >>> images(1), images(1204), images(2, "group")
    ('1 image', '1,204 images', '2 groups')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


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


# Charts

STYLE = """<style>
.dw-analytics {
  --dw-bg: var(--jp-layout-color1, var(--vscode-editor-background, var(--bg, #fff)));
  --dw-fg: var(--jp-ui-font-color1, var(--vscode-foreground, var(--fg, #1f2328)));
  --dw-accent: var(--jp-brand-color1, var(--vscode-focusBorder, var(--accent, #2563eb)));
  --dw-error: var(--jp-error-color1, var(--vscode-errorForeground, var(--error, #c62828)));
  --dw-muted: color-mix(in srgb, var(--dw-fg) 68%, var(--dw-bg));
  --dw-line: color-mix(in srgb, var(--dw-fg) 14%, var(--dw-bg));
  --dw-exact: color-mix(in srgb, var(--dw-fg) 78%, var(--dw-bg));
  --dw-near: var(--dw-accent);
  --dw-unique: color-mix(in srgb, var(--dw-fg) 32%, var(--dw-bg));
  --dw-none: color-mix(in srgb, var(--dw-error) 55%, var(--dw-bg));
}
.dw-analytics .widget-html-content { line-height: 1.5; color: var(--dw-fg); }
.dw-analytics .bqplot .axis path, .dw-analytics .bqplot .axis .tick line { stroke: var(--dw-line); }
.dw-analytics .bqplot .axis text.axislabel { font: 12px sans-serif; }
.dw-analytics .bqplot .zeroLine { display: none; }
.dw-analytics .bqplot .selection { fill-opacity: 0.16; }
.dw-title { font-weight: 600; }
.dw-muted { color: var(--dw-muted); }
.dw-error { color: var(--dw-error); }
.dw-key { margin-right: 12px; white-space: nowrap; }
.dw-key::before {
  content: ""; display: inline-block; width: 10px; height: 10px; margin-right: 5px;
  border-radius: 2px; background: var(--dw-colour);
}
.dw-tip, .dw-guide { position: absolute; pointer-events: none; z-index: 2; }
.dw-guide { width: 0; border-left: 1px dashed var(--dw-muted); }
.dw-tip {
  margin: 2px 6px; padding: 4px 8px; border: 1px solid var(--dw-line); border-radius: 4px;
  background: var(--dw-bg); color: var(--dw-fg); font: 12px/1.4 sans-serif; white-space: pre;
}
.dw-tip.dw-before { transform: translateX(calc(-100% - 12px)); }
</style>"""


class Pointer(anywidget.AnyWidget):
    """Says what is under the mouse in the chart beside it, and lets pick there.

    bqplot's own tooltips do not show while a selector is on the figure, which takes all events.
    """

    _esm = """
    export default {
      render({ model, el, signal }) {
        const page = el.ownerDocument;
        const guide = page.createElement("div");
        const tip = page.createElement("div");
        guide.className = "dw-guide";
        tip.className = "dw-tip";
        guide.hidden = tip.hidden = true;
        el.append(guide, tip);
        let picking = false;
        let picked = -1;

        const under = (event) => {
          const chart = el.closest(".dw-chart");
          const plot = chart?.querySelector(".plotarea_events")?.getBoundingClientRect();
          if (!plot || plot.width < 1) return null;
          const { clientX: x, clientY: y } = event;
          const inside = x >= plot.left && x <= plot.right && y >= plot.top && y <= plot.bottom;
          const share = (x - plot.left) / plot.width;
          const far = model.get("places").map((place) => Math.abs(place - share));
          const index = far.indexOf(Math.min(...far));
          const over = inside && chart.contains(event.composedPath()[0]);
          return { plot, index, over };
        };
        const show = (event) => {
          const at = under(event);
          const text = at && (at.over || picking) ? model.get("texts")[at.index] : "";
          guide.hidden = tip.hidden = !text;
          if (!text) return;
          const share = model.get("places")[at.index];
          const origin = el.getBoundingClientRect();
          const left = `${at.plot.left - origin.left + share * at.plot.width}px`;
          const top = `${at.plot.top - origin.top}px`;
          Object.assign(guide.style, { left, top, height: `${at.plot.height}px` });
          Object.assign(tip.style, { left, top });
          tip.classList.toggle("dw-before", share > 0.5);
          tip.textContent = text;
        };
        const pick = (event, done) => {
          const at = under(event);
          if (!at || at.index < 0 || (!done && at.index === picked)) return;
          picked = at.index;
          model.send({ pick: picked, done });
        };
        const stop = (event) => {
          if (!picking) return;
          picking = false;
          pick(event, true);
          picked = -1;
        };
        const on = (name, listener) => page.addEventListener(name, listener, { signal });
        on("pointermove", (event) => {
          show(event);
          if (picking) pick(event, false);
        });
        on("pointerdown", (event) => {
          if (event.button !== 0 || !model.get("picks") || !under(event)?.over) return;
          picking = true;
          pick(event, false);
        });
        on("pointerup", stop);
        on("pointercancel", stop);
        model.send({ shown: true });
      },
    };
    """

    places = traitlets.List(traitlets.Float()).tag(sync=True)
    """Places along the plot, 0 … 1, ascending; the mouse is at the nearest one."""
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """What to say at each of them."""
    picks = traitlets.Bool(False).tag(sync=True)
    """Whether a press picks one."""


class Quiet(threading.local):
    """Tells what this thread sets from what a person does."""

    _depth = 0

    def __bool__(self) -> bool:
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1


class Distribution:
    """The bars of a metric, and the brush over them.

    Parameters
    ----------
    brushed
        Called with the range that a person brushed or typed.
    """

    def __init__(self, brushed: Callable[[Bounds], None]) -> None:
        self._brushed = brushed
        self._quiet = Quiet()
        self._metric: Metric | None = None
        self._axis: Axis | None = None
        self._x, y = unit_scale(), unit_scale()
        self._bars = bqplot.Bars(
            x=[0.5],
            y=[[0.0]] * len(KINDS),
            scales={"x": self._x, "y": y},
            colors=list(COLOURS),
            stroke="transparent",
            padding=0.1,
            unselected_style={"opacity": "0.4"},
        )
        self._brush = bqplot.interacts.BrushIntervalSelector(
            scale=self._x, marks=[self._bars], color="var(--dw-accent)"
        )
        self._bottom, self._left = axis_on(self._x, "bottom"), axis_on(y, "left")
        self._left.label = "images"
        self._pointer = Pointer()
        self._figure = figure([self._bars], [self._bottom, self._left], self._brush)
        self._about, self._legend, self._count = (ipywidgets.HTML() for _ in range(3))
        self._low, self._high = number_box("Lowest value"), number_box("Highest value")
        self._reset = ipywidgets.Button(
            description="Reset", tooltip="All values", layout=ipywidgets.Layout(width="auto")
        )
        self._bounds = row(self._low, ipywidgets.HTML("…"), self._high, self._reset, self._count)
        self.view = stack(self._about, self._pointer)
        self.view.add_class("dw-chart")
        self._brush.observe(self._moved, "selected")
        self._low.observe(self._typed, "value")
        self._high.observe(self._typed, "value")
        self._reset.on_click(lambda _: self._brushed(None))

    def draw(self, metric: Metric, left: Metric, *, log: bool) -> None:
        """Show a metric.

        Parameters
        ----------
        metric
            All images: they decide on the axis.
        left
            Those to count.
        log
            Whether a logarithmic axis is wanted.
        """
        self._metric = left
        hidden = len(metric.values) - len(left.values)
        others = f" · {hidden:,} filtered out" if hidden else ""
        self._about.value = html.escape(left.about() + others)
        known = metric.known
        self._axis = None
        if not known.size:
            self.view.children = (self._about, self._pointer)
            return
        axis = axis_for(known, log=log, whole=metric.whole, score=metric.score)
        counts = left.counts(axis)
        self._axis = axis
        set_ticks(self._bottom, axis.ticks())
        set_ticks(self._left, height_ticks(int(counts.sum(axis=0).max())))
        self._bottom.label = metric.name
        with self._quiet, self._bars.hold_sync():
            self._x.max = float(axis.bins)
            self._bars.x = np.arange(axis.bins) + 0.5
            self._bars.y = heights(counts)
        told_apart = bool((metric.kinds < len(KINDS) - 1).any())
        self._pointer.places = [(i + 0.5) / axis.bins for i in range(axis.bins)]
        self._pointer.texts = [
            bin_text(axis, i, counts[:, i].tolist() if told_apart else [int(counts[:, i].sum())])
            for i in range(axis.bins)
        ]
        totals = zip(WORDS, COLOURS, counts.sum(axis=1).tolist(), strict=True)
        keys = "".join(key(colour, f"{word} {n:,}") for word, colour, n in totals if n)
        self._legend.value = f'<span class="dw-muted">kind:</span> {keys}' if told_apart else ""
        self.view.children = (
            *(self._about, self._pointer),
            *(self._legend, self._figure, self._bounds),
        )

    def mark(self, bounds: Bounds) -> None:
        """Show a range of the metric as brushed."""
        if self._metric is None or self._axis is None:
            return
        low, high = bounds or (self._axis.low, self._axis.high)
        with self._quiet:
            self._low.value, self._high.value = tidy(low), tidy(high)
            selected = self._brush.selected
            # A brush in motion stays where the hand is, although its range has rounder bounds.
            if selected is None or self._axis.range(*selected) != bounds:
                self._brush.selected = bounds and np.array(
                    [self._axis.place(low), self._axis.place(high, end=True)]
                )
        self._reset.disabled = bounds is None
        total = len(self._metric.known)
        inside = self._metric.count_in(low, high) if bounds else total
        self._count.value = f'<span class="dw-muted">{inside:,} of {images(total)}</span>'

    def _moved(self, change: Any) -> None:
        if self._quiet or self._axis is None:
            return
        selected = change["new"]
        nothing = selected is None or len(selected) != 2
        self._brushed(None if nothing else self._axis.range(*selected))

    def _typed(self, _change: Any) -> None:
        if self._quiet or self._axis is None:
            return
        # A field that nobody touched stands for the end of the axis, of which it shows 7 digits.
        ends = {tidy(end): end for end in (self._axis.low, self._axis.high)}
        low, high = sorted(ends.get(field.value, field.value) for field in (self._low, self._high))
        everything = low <= self._axis.low and high >= self._axis.high
        self._brushed(None if everything else (low, high))


def bin_text(axis: Axis, index: int, counts: Sequence[int]) -> str:
    """Say what a bin holds, from its counts by kind, or from one count of all."""
    if axis.zero and index == 1:
        return ""
    low, high = axis.bounds(index)
    lines = [bound(low) if low == high else f"{number(low)} … {number(high)}"]
    lines.append(images(sum(counts)))
    if len(counts) > 1:
        lines += [f"{n:,} {word}" for n, word in zip(counts, WORDS, strict=True) if n]
    return "\n".join(lines)


class ThresholdCurve:
    """What stays, and how many groups there are, against the near-duplicate boundary.

    The boundary has a square-root axis, on which 0.001 can be told from 0.002 and 0.1 from 0.2.

    Parameters
    ----------
    picked
        Called with the boundary that a person picked.
    shown
        Called when the chart comes on a screen.
    """

    def __init__(self, picked: Callable[[float], None], shown: Callable[[], None]) -> None:
        self._picked, self._shown = picked, shown
        self._quiet = Quiet()
        self._points = pl.DataFrame()
        self._x = unit_scale()
        looks = (
            ("var(--dw-accent)", 2.5, "solid"),
            ("var(--dw-exact)", 1.5, "solid"),
            ("var(--dw-fg)", 1.5, "dashed"),
        )
        self._stays, self._groups, self._line = (
            bqplot.Lines(
                x=[0.0, 0.0],
                y=[0.0, 0.0],
                scales={"x": self._x, "y": unit_scale()},
                colors=[colour],
                stroke_width=width,
                line_style=style,
            )
            for colour, width, style in looks
        )
        self._bottom = axis_on(self._x, "bottom")
        self._left = axis_on(self._stays.scales["y"], "left")
        self._right = axis_on(self._groups.scales["y"], "right")
        self._bottom.label, self._left.label, self._right.label = "near", "images", "groups"
        self._pointer = Pointer(picks=True)
        self._figure = figure(
            [self._stays, self._groups, self._line], [self._bottom, self._left, self._right]
        )
        self._said = ipywidgets.HTML()
        self._legend = ipywidgets.HTML(
            key("var(--dw-accent)", "images that stay") + key("var(--dw-exact)", "groups")
        )
        self._near = number_box("Near-duplicate boundary, on the uniqueness scale")
        self._head = row(title("Near-duplicate boundary"), self._near)
        self.view = stack()
        self.view.add_class("dw-chart")
        self._near.observe(self._typed, "value")
        self._pointer.on_msg(self._heard)
        self.say("")

    def say(self, text: str) -> None:
        """Show a text in place of the curve."""
        self._said.value = f'<span class="dw-muted">{html.escape(text)}</span>'
        self._near.layout.display = "none"
        self.view.children = (self._head, self._said, self._pointer)

    def draw(self, points: pl.DataFrame) -> None:
        """Show the rows of :func:`dedup_widgets.threshold_curve`, by ascending near."""
        self._points = points
        near = points["near"].to_numpy()
        places, end = np.sqrt(near), float(near.max()) or 1.0
        total = int(points["stays"][0] + points["removed"][0])
        for line, axis, name, most in (
            (self._stays, self._left, "stays", total),
            (self._groups, self._right, "groups", int(points["groups"].to_numpy().max())),
        ):
            set_ticks(axis, [(y, short(y)) for y in steps(0, max(1, most), 5) if y == round(y)])
            line.scales["y"].max = max(1.0, 1.05 * most)
            with line.hold_sync():
                line.x, line.y = places, points[name].to_numpy().astype(float)
        ticks = [x for x in (0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1) if x <= end]
        set_ticks(self._bottom, [(math.sqrt(x), short(x)) for x in ticks])
        self._x.max = math.sqrt(end)
        self._pointer.places = (places / math.sqrt(end)).tolist()
        self._pointer.texts = [
            "\n".join([f"near {bound(point['near'])}", *facts(point)])
            for point in points.iter_rows(named=True)
        ]
        self._near.layout.display = None
        self.view.children = (
            *(self._head, self._said, self._pointer),
            *(self._legend, self._figure),
        )

    def mark(self, near: float) -> None:
        """Show where a boundary lies, and what it does."""
        with self._quiet:
            self._near.value = tidy(near)
        if self._points.is_empty():
            return
        with self._line.hold_sync():
            self._line.x, self._line.y = [math.sqrt(near)] * 2, [0.0, 1.0]
        point = self._points.filter(pl.col("near") == near).to_dicts()
        does = facts(point[0]) if point else ["computing …"]
        self._said.value = " · ".join([f"<b>near {bound(near)}</b>", *does])

    def _heard(self, _widget: Any, message: Any, _buffers: Any) -> None:
        if message.get("shown"):
            self._shown()
        elif message.get("pick", math.inf) < len(self._points):
            near = float(self._points["near"][message["pick"]])
            if message["done"]:
                self._picked(near)
            else:
                self.mark(near)

    def _typed(self, change: Any) -> None:
        if not self._quiet:
            self._picked(float(change["new"]))


def facts(point: Mapping[str, Any]) -> list[str]:
    """Say what a boundary does, from its row of the curve."""
    return [
        f"{images(point['stays'])} stay, {point['removed']:,} go",
        f"{images(point['groups'], 'group')}, {point['near_groups']:,} with near-duplicates",
    ]


def unit_scale() -> bqplot.LinearScale:
    """Return a scale from 0 to 1; its end moves with what is drawn."""
    return bqplot.LinearScale(min=0, max=1, allow_padding=False)


def axis_on(scale: bqplot.Scale, side: str) -> bqplot.Axis:
    """Return an axis, whose ticks :func:`set_ticks` sets."""
    return bqplot.Axis(
        scale=scale,
        side=side,
        grid_lines="solid" if side == "left" else "none",
        grid_color="var(--dw-line)",
        label_color="var(--dw-muted)",
        label_offset="34px",
        tick_style={"fill": "var(--dw-muted)", "font-size": "11px"},
    )


def set_ticks(axis: bqplot.Axis, ticks: Sequence[tuple[float, str]]) -> None:
    """Write texts at places along an axis, before its scale changes.

    Anything else that changes an axis starts a transition to the texts that it has by then, which
    would write over those that come later.
    """
    places = [round(place, 6) for place, _ in ticks]
    # The browser looks a text up by its place as JavaScript writes that: 2, not 2.0.
    axis.tick_labels = {
        str(int(place) if place == int(place) else place): text
        for place, (_, text) in zip(places, ticks, strict=True)
    }
    axis.tick_values = np.array(places)


def figure(
    marks: Sequence[bqplot.Mark],
    axes: Sequence[bqplot.Axis],
    brush: bqplot.interacts.Interaction | None = None,
) -> bqplot.Figure:
    """Return a figure without a background of its own."""
    return bqplot.Figure(
        marks=list(marks),
        axes=list(axes),
        interaction=brush,
        fig_margin={"top": 8, "bottom": 44, "left": 52, "right": 52 if len(axes) > 2 else 12},
        padding_y=0,
        background_style={"fill": "transparent"},
        display_toolbar=False,
        layout=ipywidgets.Layout(width="100%", min_width="0", height="240px"),
    )


def stack(*children: ipywidgets.Widget) -> ipywidgets.VBox:
    """Put widgets one below the other."""
    layout = ipywidgets.Layout(width="100%", min_width="0", overflow="visible")
    return ipywidgets.VBox(children, layout=layout)


def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Put widgets side by side, as far as they fit."""
    layout = ipywidgets.Layout(flex_flow="row wrap", align_items="center", overflow="visible")
    return ipywidgets.HBox(children, layout=layout)


def number_box(tooltip: str) -> ipywidgets.FloatText:
    """Return a field for a number."""
    return ipywidgets.FloatText(tooltip=tooltip, layout=ipywidgets.Layout(width="104px"))


def style_sheet() -> ipywidgets.HTML:
    """Return the style of all this, which shows nothing itself."""
    return ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))


def title(text: str) -> ipywidgets.HTML:
    """Return the name of a panel."""
    return ipywidgets.HTML(f'<span class="dw-title">{html.escape(text)}</span>')


def key(colour: str, text: str) -> str:
    """Return the HTML of an entry of a legend."""
    return f'<span class="dw-key" style="--dw-colour: {colour}">{html.escape(text)}</span>'


# The widget


class Throttle:
    """Runs a task at most once every `wait` seconds, and always once more after the last call."""

    def __init__(self, task: Callable[[], None], wait: float) -> None:
        self._task, self._wait = task, wait
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._last = -math.inf

    @property
    def due(self) -> bool:
        """Whether a run is to come."""
        return self._timer is not None

    def __call__(self) -> None:
        """Run now if the last run is long enough ago, else as soon as it is."""
        with self._lock:
            if self._timer is not None:
                return
            rest = self._last + self._wait - time.monotonic()
            if rest > 0:
                self._timer = threading.Timer(rest, self.flush)
                self._timer.daemon = True
                self._timer.start()
                return
            self._last = time.monotonic()
        self._task()

    def flush(self) -> None:
        """Run now if a run is to come."""
        with self._lock:
            timer, self._timer = self._timer, None
            if timer is None:
                return
            timer.cancel()
            self._last = time.monotonic()
        self._task()


def guarded(method: Callable[..., None]) -> Callable[..., None]:
    """Show what goes wrong in a method that the browser or a thread calls.

    The kernel would write it into a log that nobody reads.
    """

    @functools.wraps(method)
    def call(self: "Analytics", *arguments: Any) -> None:
        try:
            method(self, *arguments)
        except Exception as error:
            what = "" if isinstance(error, DedupError) else f"{type(error).__name__}: "
            self._show_error(f"{what}{error}")

    return call


class Analytics(ipywidgets.VBox):  # type: ignore[misc]
    """See how a metric is distributed, brush a range of it, and choose the near boundary.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`, or any other Polars, pandas or pyarrow table with
        a column of paths and columns of numbers; or an Explorer, whose filters and boundary then
        follow what is done here, and the other way round.
    path
        The column of paths. An Explorer brings its own, as it does `score` and `near`.
    score
        The column of uniqueness, which comes first among the metrics.
    metric
        The column to start with. Default: the first one.
    near
        The near-duplicate boundary to start with, on the uniqueness scale, in [0, 1].
    curve
        Returns the frame of :func:`dedup_widgets.threshold_curve` for a list of boundaries, or,
        for None, for those that it chooses. Default: that function, of the frame.

    Attributes
    ----------
    metric : str
        The column that is shown.
    log_scale : bool
        Whether its axis is logarithmic, where it can be. It starts so for the score only.
    range : tuple of str, float, float, or None
        The column and the lowest and highest value of what is brushed, both included.
    near : float
        The near-duplicate boundary that is picked.

    Raises
    ------
    InputError
        When data is no table, lacks a column, or has no column of numbers.

    Notes
    -----
    The attributes can be set, and observed: ``analytics.observe(handler, "range")``.

    Examples
    --------
    >>> df = pl.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"], "uniqueness": [0.0, 0.02, 0.9]})
    >>> analytics = Analytics(df)
    >>> analytics.range = ("uniqueness", 0, 0.05)
    >>> column, low, high = analytics.range
    >>> df.filter(pl.col(column).is_between(low, high))["path"].to_list()
    ['a.jpg', 'b.jpg']
    """

    metric = traitlets.Unicode()
    log_scale = traitlets.Bool(True)
    range: Any = traitlets.Tuple(
        traitlets.Unicode(), traitlets.Float(), traitlets.Float(), allow_none=True
    )
    near = traitlets.Float(0.05)

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str = "uniqueness",
        metric: str | None = None,
        near: float = 0.05,
        curve: Callable[[Sequence[float] | None], pl.DataFrame] | None = None,
    ) -> None:
        self._explorer = data if isinstance(data, Explorer) else None
        if self._explorer is not None:
            path = getattr(data, "_path", path)
            score = getattr(data, "_score", None) or score
            near = self._explorer.near
        frame = to_polars(data) if self._explorer is None else self._explorer.frame
        require_columns(frame, [path], "Analytics")
        self._path, self._score = path, score if score in frame.columns else None
        self._frame, self._known = frame, recognised(frame, path, self._score)
        self._metrics = metrics_of(frame, score)
        if not self._metrics:
            raise InputError(
                "Analytics shows columns of numbers, and this frame has none; "
                "dedup_widgets.score makes some"
            )
        self._quiet = Quiet()
        self._planner = getattr(data, "_planner", None)
        self._compute_curve = curve or self._threshold_curve
        self._drawn: Metric | None = None
        self._points = pl.DataFrame()
        self._computing = False
        self._lock = threading.Lock()
        self._pending: tuple[str, Bounds] = ("", None)
        self._tell_soon = Throttle(self._tell, WAIT)
        self._draw_soon = Throttle(self._draw, WAIT)

        self._distribution = Distribution(self._brushed)
        self._curve = ThresholdCurve(self._picked, self._want_curve)
        self._choice = ipywidgets.Dropdown(
            options=self._metrics, tooltip="Metric", layout=ipywidgets.Layout(width="200px")
        )
        self._log = ipywidgets.ToggleButton(
            description="log scale",
            tooltip="Logarithmic axis, with a bar of its own for exactly 0",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._error = ipywidgets.HTML(layout=ipywidgets.Layout(display="none"))
        head = row(title("Metric"), self._choice, self._log)
        panels = ipywidgets.GridBox(
            [stack(head, self._distribution.view), self._curve.view],
            layout=ipywidgets.Layout(
                grid_template_columns="repeat(auto-fit, minmax(min(440px, 100%), 1fr))",
                grid_gap="16px 32px",
                overflow="visible",
            ),
        )
        with self._quiet:
            super().__init__(
                [style_sheet(), self._error, panels],
                near=near,
                metric=self._metrics[0] if metric is None else metric,
                layout=ipywidgets.Layout(overflow="visible", min_width="0"),
            )
        self.add_class("dw-analytics")
        traitlets.link((self, "metric"), (self._choice, "value"))
        traitlets.link((self, "log_scale"), (self._log, "value"))
        if self._explorer is not None:
            self._explorer.observe(self._follow_filters, names="filters")
            self._explorer.observe(self._follow_near, names="near")
            self._explorer.observe(lambda _: self.refresh(), names="plan")

    def __repr__(self) -> str:
        return f"Analytics({len(self._frame):,} images, {', '.join(self._metrics)})"

    @property
    def curve(self) -> pl.DataFrame:
        """What each near-duplicate boundary would do: see :func:`dedup_widgets.threshold_curve`.

        It is computed when it is first asked for or shown.
        """
        if self._points.is_empty():
            self._complete_curve()
        return self._points

    def refresh(self) -> None:
        """Read the Explorer's frame again, after its plan has changed."""
        if self._explorer is not None:
            self._frame = self._explorer.frame
            self._known = recognised(self._frame, self._path, self._score)
        self._drawn = None
        self._draw_soon()

    # The distribution, and the filters

    @guarded
    def _draw(self) -> None:
        metric = self._drawn
        if metric is None or metric.name != self.metric:
            kind = kinds(self._known, self._score and "uniqueness", self.near)
            is_score = self.metric == self._score
            metric = self._drawn = Metric.of(self._frame, self.metric, kind, score=is_score)
        self._others = self._other_filters()
        left = metric if self._others is None else metric.within(self._rows(self._others))
        self._log.disabled = not can_be_log(metric.known)
        self._distribution.draw(metric, left, log=self.log_scale)
        self._distribution.mark(self.range and self.range[1:])

    @guarded
    def _brushed(self, bounds: Bounds) -> None:
        self._show_error("")
        self.range = bounds and (self.metric, *bounds)

    @traitlets.validate("metric")
    def _valid_metric(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name not in self._metrics:
            close = difflib.get_close_matches(name, self._metrics, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InputError(
                f"{name!r} is no metric of this frame; there are: "
                f"{', '.join(map(repr, self._metrics))}.{hint}"
            )
        return name

    @traitlets.validate("range")
    def _valid_range(self, proposal: Any) -> tuple[str, float, float] | None:
        value: tuple[str, float, float] | None = proposal["value"]
        if value is None:
            return None
        name, low, high = value
        self._valid_metric({"value": name})
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise InputError(
                f"the range of {name!r} is {low} … {high}: give two numbers, low end first"
            )
        return value

    @traitlets.observe("metric")
    def _metric_changed(self, _change: Any) -> None:
        with self._quiet:
            self.log_scale = self.metric == self._score
            if self.range is None or self.range[0] != self.metric:
                self.range = self._filtered()
        self._draw()

    @traitlets.observe("log_scale")
    def _log_changed(self, _change: Any) -> None:
        if not self._quiet:
            self._draw()

    @traitlets.observe("range")
    def _range_changed(self, change: Any) -> None:
        column, *bounds = change["new"] or (self.metric,)
        if column != self.metric:
            self.metric = column
        self._distribution.mark((bounds[0], bounds[1]) if bounds else None)
        if self._explorer is not None and not self._quiet:
            if self._pending[0] != column:
                self._tell_soon.flush()
            self._pending = column, (bounds[0], bounds[1]) if bounds else None
            self._tell_soon()

    @guarded
    def _tell(self) -> None:
        """Set the filter of the Explorer."""
        assert self._explorer is not None
        column, bounds = self._pending
        filters = {name: it for name, it in self._explorer.filters.items() if name != column}
        self._explorer.filters = filters if bounds is None else {**filters, column: bounds}

    @guarded
    def _follow_filters(self, _change: Any) -> None:
        # What is about to be told is newer than what is heard.
        if not self._tell_soon.due:
            with self._quiet:
                self.range = self._filtered()
        if self._other_filters() != self._others:
            self._draw_soon()

    def _filtered(self) -> tuple[str, float, float] | None:
        """Return the range of the metric that the Explorer's filters leave."""
        if self._explorer is None:
            return None
        clause = self._explorer.filters.get(self.metric)
        if not (isinstance(clause, Sequence) and len(clause) == 2):
            return None
        values = wire(self._frame[self.metric])
        known = values[np.isfinite(values)]
        low, high = clause
        low = known.min(initial=high) if low is None else low
        high = known.max(initial=low) if high is None else high
        return (self.metric, float(low), float(high))

    def _other_filters(self) -> Any:
        """Return the Explorer's filters except that of the metric, which must not hide itself."""
        return None if self._explorer is None else self._explorer.filters.without(self.metric)

    def _rows(self, filters: Any) -> NDArray[np.bool_]:
        """Return the mask of the rows that filters leave."""
        left = self._frame.select(filters.expression.alias("left")).to_series()
        mask = left.fill_null(False).to_numpy()
        return np.broadcast_to(mask, len(self._frame))

    # The boundary, and its curve

    @guarded
    def _picked(self, near: float) -> None:
        self._show_error("")
        try:
            self.near = near
        finally:
            self._curve.mark(self.near)

    @traitlets.validate("near")
    def _valid_near(self, proposal: Any) -> float:
        near: float = proposal["value"]
        if not 0 <= near <= 1:
            raise InputError(f"near is {near}; it must lie in [0, 1], on the uniqueness scale")
        return near

    @traitlets.observe("near")
    def _near_changed(self, _change: Any) -> None:
        self._curve.mark(self.near)
        if not self._points.is_empty():
            self._want_curve()
        if self._explorer is None:
            # Where no column tells the kinds, they follow from the boundary.
            if "kind" not in self._known.columns and not self._quiet:
                self.refresh()
        elif not self._quiet and self._explorer.near != self.near:
            try:
                self._explorer.near = self.near
            except DedupError:
                with self._quiet:
                    self.near = self._explorer.near
                raise

    @guarded
    def _follow_near(self, _change: Any) -> None:
        if self._explorer is not None:
            with self._quiet:
                self.near = self._explorer.near

    def _want_curve(self) -> None:
        """Compute what the curve lacks, in the background, for it can take seconds."""
        with self._lock:
            if self._computing:
                return
            self._computing = True
        if self._points.is_empty():
            self._curve.say("computing …")
        threading.Thread(target=self._work, name="dedup-widgets-curve", daemon=True).start()

    @guarded
    def _work(self) -> None:
        try:
            while self._complete_curve():
                pass
        except Exception as error:
            self._computing = False
            if not self._points.is_empty():
                raise
            self._curve.say(f"No curve: {error}")

    def _complete_curve(self) -> bool:
        """Compute what the curve lacks; return False, and end the work, if that is nothing."""
        with self._lock:
            whole, near = self._points.is_empty(), self.near
            if not whole and near in self._points["near"]:
                self._computing = False
                return False
        found = self._compute_curve(None if whole else [near])
        found = found.with_columns(pl.col("near").cast(pl.Float64))
        if found.is_empty():
            raise InputError("there are no boundaries to compare")
        if not whole:
            found = found.head(1).with_columns(near=pl.lit(near))
        with self._lock:
            points = pl.concat([self._points, found], how="diagonal_relaxed")
            self._points = points.unique("near").sort("near")
        self._curve.draw(self._points)
        self._curve.mark(near)
        return True

    def _threshold_curve(self, nears: Sequence[float] | None) -> pl.DataFrame:
        from dedup_widgets.plan import threshold_curve

        if "embedding" not in self._frame.columns:
            raise InputError(
                "this frame has no column 'embedding', by which images could be grouped anew; "
                "dedup_widgets.score makes one"
            )
        if self._planner is not None:
            found: pl.DataFrame = self._planner.curve(nears)
            return found
        named = self._frame
        if self._path != "path":
            named = named.drop("path", strict=False).rename({self._path: "path"})
        return threshold_curve(named, nears)

    def _show_error(self, text: str) -> None:
        self._error.value = f'<span class="dw-error" role="alert">{html.escape(text)}</span>'
        self._error.layout.display = None if text else "none"
