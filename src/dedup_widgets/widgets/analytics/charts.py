"""The charts of the analytics: a distribution to brush, and the threshold curve to pick from."""

import html
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import bqplot
import ipywidgets
import numpy as np
import polars as pl
import traitlets
from numpy.typing import NDArray

from dedup_widgets._text import counted, number
from dedup_widgets.frame.scale import NEAR
from dedup_widgets.frame.summary import OUTCOMES
from dedup_widgets.planning.planner import CURVE_SCHEMA
from dedup_widgets.widgets.analytics.metrics import Bins, Bounds, Floats
from dedup_widgets.widgets.base import bundle
from dedup_widgets.widgets.outputs import parts

WORDS = ("exact duplicates go", "near-duplicates go", "kept", "unreadable")
COLOURS = tuple(f"var(--dw-{name})" for name in ("exact", "near", "unique", "none"))
"""For each of `OUTCOMES`."""

ACCENT = "var(--dw-accent)"


class Pointer(anywidget.AnyWidget):
    """Shows what is under the mouse in the chart next to it, and has the styles.

    bqplot's own tooltips do not show while a selector is on the figure, which takes all events,
    and never away from a bar or line. It tells when the chart comes on a screen (``shown``), and at
    which of the places the mouse was pressed and let go (``picked``).
    """

    _esm = bundle("pointer")
    # The mouse is at the nearest of places along the plot, 0 … 1, and shows the text of that.
    places = traitlets.List(traitlets.Float()).tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)


class Distribution(ipywidgets.VBox):  # type: ignore[misc]
    """The bars of a metric, and a brush over them: `brushed` is called with what a person chose."""

    def __init__(self, brushed: Callable[[Bounds], None]) -> None:
        self._brushed = brushed
        self._drawn: tuple[str, Bins] | None = None
        self._marked: tuple[float, float] | None = None
        self._pointer = Pointer()
        # It keeps its height while the figure in it is exchanged.
        self._plot = ipywidgets.Box(layout={"width": "100%", "height": "240px"})
        self._about, self._legend, self._count = (ipywidgets.HTML() for _ in range(3))
        self._fields = [
            ipywidgets.FloatText(description=end, tooltip=f"{which} value")
            for end, which in (("from", "Lowest"), ("to", "Highest"))
        ]
        for field in self._fields:
            field.observe(self._typed, "value")
        self._reset = ipywidgets.Button(description="Reset", tooltip="All values")
        self._reset.on_click(lambda _: self._brushed(None))
        self._range = ipywidgets.HBox([*self._fields, self._reset, self._count])
        super().__init__([self._about, self._pointer, self._legend, self._plot, self._range])
        self.add_class("dw-chart")

    def draw(
        self, name: str, values: Floats, kinds: NDArray[np.int64], bins: Bins, hidden: int
    ) -> None:
        """Show the values of a metric, where `hidden` images are left out.

        Kinds are what becomes of each, its place in `OUTCOMES`.
        """
        known = np.isfinite(values)
        if self._drawn != (name, bins):
            before, self._plot.children = self._plot.children, [self._make_figure(name, bins)]
            for part in [part for figure in before for part in parts(figure)]:
                part.close()
        self._drawn, self._bins, self._values = (name, bins), bins, values[known]
        others = f" · {hidden:,} filtered out" if hidden else ""
        self._about.value = html.escape(about(self._values, len(values)) + others)
        counts = bins.count(self._values, kinds[known])
        whole = counts.sum(axis=0)
        most = max(1, int(whole.max()))
        # A bar grows with the square root of its images, as in the Explorer's histogram: among
        # 100,000 images 30 still show. What becomes of them shares it.
        self._bars.y = np.sqrt(whole / most).clip(0.03) * counts / whole.clip(1)
        write(self._left, {math.sqrt(n / most): number(n) for n in (0, most // 4, most)})
        totals = zip(WORDS, COLOURS, counts.sum(axis=1).tolist(), strict=True)
        keys = "".join(key(colour, f"{word} {n:,}") for word, colour, n in totals if n)
        has_kinds = bool((kinds != OUTCOMES.index("kept")).any())
        self._legend.value = f'<span class="dw-muted">plan:</span> {keys}' if has_kinds else ""
        self._pointer.places = ((np.arange(len(bins)) + 0.5) / len(bins)).tolist()
        self._pointer.texts = [
            bin_text(*each, WORDS if has_kinds else ())
            for each in zip(bins.lows, bins.highs, counts.T.tolist(), strict=True)
        ]

    def _make_figure(self, name: str, bins: Bins) -> bqplot.Figure:
        """Make a figure for bins: an axis of bqplot does not change from one scale to another."""
        first, last = bins.edges[0], bins.edges[-1]
        scale = bqplot.LogScale if bins.log else bqplot.LinearScale
        x = scale(min=first, max=last, allow_padding=False)
        y = bqplot.LinearScale(min=0, max=1, allow_padding=False)
        self._bars = bqplot.Bars(
            x=bins.middles,
            y=np.zeros((len(OUTCOMES), len(bins))),
            scales={"x": x, "y": y},
            colors=list(COLOURS),
            stroke="transparent",
            padding=0.1,
            unselected_style={"opacity": "0.4"},
        )
        self._brush = bqplot.interacts.BrushIntervalSelector(
            scale=x, marks=[self._bars], color=ACCENT
        )
        self._brush.observe(self._moved, "selected")
        self._left = axis(y, "left", "images")
        # Of 5,000 and more, texts in thousands fit; a logarithmic axis may have thousandths, too.
        thousands = last - first >= 5000 and (first >= 1 or not bins.log)
        ticks = {"tick_values": bins.ticks(), "tick_format": "~s" if thousands else "~g"}
        axes = [axis(x, "bottom", name, **ticks), self._left]
        if bins.zero:
            # An axis of its own, on which the bar of the zeros is at 0.
            cells = bqplot.LinearScale(min=-0.5, max=len(bins) - 0.5, allow_padding=False)
            axes.append(axis(cells, "bottom", tick_values=[0.0], tick_format="d"))
        return figure_of([self._bars], axes, interaction=self._brush)

    def mark(self, bounds: Bounds) -> None:
        """Show a range of the metric as brushed."""
        self._ends = low, high = bounds or (self._bins.lows[0], self._bins.highs[-1])
        # Without the digits that come of float32.
        self._shown = [float(f"{end:.7g}") for end in self._ends]
        for field, end in zip(self._fields, self._shown, strict=True):
            field.value = end
        selected = self._brush.selected
        # A brush in motion stays where the hand is, although it selects whole bars.
        if selected is None or self._bins.range(*selected) != bounds:
            self._marked = bounds and self._bins.places(low, high)
            self._brush.selected = bounds and np.array(self._marked)
        self._reset.disabled = bounds is None
        inside = int(((self._values >= low) & (self._values <= high)).sum())
        images = counted(len(self._values), "image")
        self._count.value = f'<span class="dw-muted">{inside:,} of {images}</span>'

    def _moved(self, change: Any) -> None:
        places = None if change["new"] is None else tuple(change["new"].tolist())
        if places != self._marked:
            self._brushed(self._bins.range(*places) if places else None)

    def _typed(self, change: Any) -> None:
        ends, typed = list(self._ends), self._fields.index(change["owner"])
        if change["new"] != self._shown[typed]:
            ends[typed] = change["new"]
            self._brushed(self._bins.part(min(ends), max(ends)))


class ThresholdCurve(ipywidgets.VBox):  # type: ignore[misc]
    """What stays, and how many groups there are, against the near-duplicate boundary.

    The boundary has a square-root axis, on which 0.001 is distinct from 0.002 and 0.1 from 0.2.
    `picked` is called with the one that a person picked, `shown` when the chart comes on a screen.
    Where near-duplicates up to 0.05 were `confirmed` it says that others were not.
    """

    def __init__(
        self, picked: Callable[[float], None], shown: Callable[[], None], *, confirmed: bool
    ) -> None:
        self._picked, self._shown, self._confirmed = picked, shown, confirmed
        self.points = pl.DataFrame(schema=CURVE_SCHEMA)
        # Points come from a thread: what they say must not be overwritten by what was said before.
        self._saying = threading.RLock()
        self._x, self._images, self._groups, one = (
            bqplot.LinearScale(min=0, max=1, allow_padding=False) for _ in range(4)
        )
        colours = {ACCENT: self._images, COLOURS[0]: self._groups, "var(--dw-fg)": one}
        self._lines = [
            bqplot.Lines(x=[0.0, 0.0], y=[0.0, 0.0], scales={"x": self._x, "y": y}, colors=[colour])
            for colour, y in colours.items()
        ]
        self._lines[-1].line_style = "dashed"
        self._bottom = axis(self._x, "bottom", "near")
        sides = [axis(self._images, "left", "images"), axis(self._groups, "right", "groups")]
        figure = figure_of(self._lines, [self._bottom, *sides])
        self._pointer = Pointer()
        self._pointer.on_msg(self._told)
        self._text = ipywidgets.HTML()
        legend = ipywidgets.HTML(key(ACCENT, "images that stay") + key(COLOURS[0], "groups"))
        self._field = ipywidgets.BoundedFloatText(
            description="Near-duplicate boundary",
            tooltip="Near-duplicate boundary, on the uniqueness scale",
            max=1.0,
        )
        self._field.add_class("dw-titled")
        self._field.observe(self._typed, "value")
        self._parts = [self._field, self._text, self._pointer, legend, figure]
        super().__init__(self._parts[:3])
        self.add_class("dw-chart")

    def show_text(self, text: str) -> None:
        """Show a text in place of what a boundary does."""
        self._text.value = f'<span class="dw-muted">{html.escape(text)}</span>'

    def draw(self, points: pl.DataFrame) -> None:
        """Show the rows of :func:`dedup_widgets.threshold_curve`, by ascending near."""
        self.points = points
        near = points["near"].to_numpy()
        end = float(near.max()) or 1.0
        most = points["stays"][0] + points["removed"][0], points["groups"].to_numpy().max()
        ticks = (it for it in (0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1) if it <= end)
        write(self._bottom, {math.sqrt(tick): f"{tick:g}" for tick in ticks})
        self._x.max = math.sqrt(end)
        # Ten at least: on a shorter axis there would be ticks between whole numbers.
        self._images.max, self._groups.max = (max(10.0, 1.05 * count) for count in most)
        for line, name in zip(self._lines, ("stays", "groups"), strict=False):
            with line.hold_sync():
                line.x, line.y = np.sqrt(near), points[name].to_numpy().astype(float)
        self._pointer.places = np.sqrt(near / end).tolist()
        self._pointer.texts = [
            "\n".join([f"near {point['near']:g}", *self._facts(point)])
            for point in points.iter_rows(named=True)
        ]
        self.mark(self._marked)
        self.children = self._parts

    def mark(self, near: float) -> None:
        """Show where a boundary is, and what it does."""
        with self._saying:
            self._marked = self._field.value = near
            if self.points.is_empty():
                return
            line = self._lines[-1]
            with line.hold_sync():
                line.x, line.y = [math.sqrt(near)] * 2, [0.0, 1.0]
            point = self.points.filter(pl.col("near") == near).to_dicts()
            does = self._facts(point[0]) if point else ["computing …"]
            self._text.value = " · ".join([f"<b>near {near:g}</b>", *does])

    def _facts(self, point: Mapping[str, Any]) -> list[str]:
        """Return what a boundary does, from its row of the curve."""
        is_beyond = self._confirmed and point["near"] > NEAR
        return [
            f"{counted(point['stays'], 'image')} stay, {point['removed']:,} go",
            f"{counted(point['groups'], 'group')}, {point['near_groups']:,} with near-duplicates",
            *([f"beyond {NEAR:g} similar by vectors, confirmed by nobody"] if is_beyond else []),
        ]

    def _told(self, _pointer: Pointer, content: Mapping[str, Any], _buffers: Any) -> None:
        if "picked" in content:
            self._picked(self.points["near"][content["picked"]])
        elif "shown" in content:
            self._shown()

    def _typed(self, change: Any) -> None:
        if change["new"] != self._marked:
            self._picked(change["new"])


def about(values: Floats, images: int) -> str:
    """Sum up the values of so many images in a line."""
    found = np.quantile(values, (0, 0.5, 1)).tolist() if values.size else ()
    named = zip(("min", "median", "max"), found, strict=False)
    said = [f"{word} {number(value)}" for word, value in named]
    return " · ".join([counted(len(values), "image"), *said, f"{images - len(values):,} missing"])


def bin_text(low: float, high: float, counts: Sequence[int], words: Sequence[str]) -> str:
    """Return the text of a bin: its values, its images, and those that each word is for."""
    if low > high:
        return ""
    lines = [number(low) if low == high else f"{number(low)} … {number(high)}"]
    lines.append(counted(sum(counts), "image"))
    lines += [f"{n:,} {word}" for n, word in zip(counts, words, strict=False) if n]
    return "\n".join(lines)


def axis(scale: bqplot.Scale, side: str, label: str = "", **ticks: Any) -> bqplot.Axis:
    """Return an axis, whose lines are drawn over the chart if it is the left one."""
    lines = "solid" if side == "left" else "none"
    return bqplot.Axis(
        scale=scale, side=side, label=label, grid_lines=lines, label_offset="34px", **ticks
    )


def write(axis: bqplot.Axis, ticks: Mapping[float, str]) -> None:
    """Write texts at places along an axis of square roots, for which bqplot has no scale.

    Do so before anything else of a shown axis changes, its scale included: that starts a transition
    to the texts there are by then, which would write over those that come later.
    """
    # The browser looks a text up by its place as JavaScript writes that: 1, not 1.0.
    axis.tick_labels = {f"{place:.4g}": text for place, text in ticks.items()}
    axis.tick_values = np.array([float(place) for place in axis.tick_labels])


def figure_of(
    marks: Sequence[bqplot.Mark], axes: Sequence[bqplot.Axis], **more: Any
) -> bqplot.Figure:
    """Return a figure with room for what its axes say."""
    right = 52 if axes[-1].side == "right" else 12
    return bqplot.Figure(
        marks=list(marks),
        axes=list(axes),
        fig_margin={"top": 8, "bottom": 44, "left": 52, "right": right},
        padding_y=0,
        display_toolbar=False,
        layout={"width": "100%", "min_width": "0", "height": "240px"},
        **more,
    )


def key(colour: str, text: str) -> str:
    """Return the HTML of an entry of a legend."""
    return f'<span class="dw-key" style="--dw-colour: {colour}">{html.escape(text)}</span>'
