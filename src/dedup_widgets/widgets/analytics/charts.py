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

from dedup_widgets._text import counted
from dedup_widgets.frame.scale import NEAR
from dedup_widgets.widgets.analytics.metrics import (
    COLOURS,
    KINDS,
    WORDS,
    Bins,
    Bounds,
    Metric,
    bins_for,
    height_ticks,
    heights,
    number,
)
from dedup_widgets.widgets.base import bundle

NEAR_TICKS = (0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1)
"""What is written at the axis of the boundary."""


class Pointer(anywidget.AnyWidget):
    """Shows what is under the mouse in the chart next to it, lets pick there, and has the styles.

    bqplot's own tooltips do not show while a selector is on the figure, which takes all events,
    and never away from a bar or line.
    """

    _esm = bundle("pointer")

    places = traitlets.List(traitlets.Float()).tag(sync=True)
    """Places along the plot, 0 … 1, ascending; the mouse is at the nearest one."""
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The text to show at each of them."""
    values = traitlets.List(traitlets.Float()).tag(sync=True)
    """What a press picks at each of them; empty where nothing can be picked."""
    held = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The value under the pressed mouse, until it is let go."""
    picked = traitlets.Float(None, allow_none=True).tag(sync=True)
    """The value at which it was let go."""
    shown = traitlets.Bool(False).tag(sync=True)
    """Whether the chart is, or was, on a screen."""


class Quiet(threading.local):
    """Separates what this thread sets from what a person does."""

    _depth = 0

    def __bool__(self) -> bool:
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1


class Distribution(ipywidgets.VBox):  # type: ignore[misc]
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
        self._bins: Bins | None = None
        self._drawn: tuple[str, bytes] | None = None
        self._pointer = Pointer()
        # It keeps its height while the figure in it is exchanged.
        self._plot = ipywidgets.Box(layout=ipywidgets.Layout(width="100%", height="240px"))
        self._about, self._legend, self._count = (ipywidgets.HTML() for _ in range(3))
        self._low = ipywidgets.FloatText(description="from", tooltip="Lowest value")
        self._high = ipywidgets.FloatText(description="to", tooltip="Highest value")
        self._reset = ipywidgets.Button(description="Reset", tooltip="All values")
        self._fields = ipywidgets.HBox([self._low, self._high, self._reset, self._count])
        self._low.observe(self._typed, "value")
        self._high.observe(self._typed, "value")
        self._reset.on_click(lambda _: self._brushed(None))
        super().__init__()
        self.add_class("dw-chart")

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
        if not known.size:
            self._bins = None
            self.children = [self._about, self._pointer]
            return
        bins = bins_for(known, log=log, whole=metric.whole, score=metric.score)
        counts = left.counts(bins)
        figure = None
        if self._drawn != (drawn := (metric.name, bins.edges.tobytes())):
            figure, self._drawn = self._make_figure(metric.name, bins), drawn
        self._bins = bins
        self._bars.y = heights(counts)
        write(self._left, height_ticks(int(counts.sum(axis=0).max())))
        if figure is not None:
            show_figure(self._plot, figure)
        has_kinds = bool((metric.kinds != KINDS.index("kept")).any())
        self._pointer.places = [(i + 0.5) / len(bins) for i in range(len(bins))]
        self._pointer.texts = [
            bin_text(bins.bounds(i), column.tolist() if has_kinds else [int(column.sum())])
            for i, column in enumerate(counts.T)
        ]
        totals = zip(WORDS, COLOURS, counts.sum(axis=1).tolist(), strict=True)
        keys = "".join(key(colour, f"{word} {n:,}") for word, colour, n in totals if n)
        self._legend.value = f'<span class="dw-muted">plan:</span> {keys}' if has_kinds else ""
        self.children = [self._about, self._pointer, self._legend, self._plot, self._fields]

    def _make_figure(self, name: str, bins: Bins) -> bqplot.Figure:
        """Make a figure for bins: an axis of bqplot does not change from one scale to another."""
        scale = bqplot.LogScale if bins.log else bqplot.LinearScale
        x = scale(min=float(bins.edges[0]), max=float(bins.edges[-1]), allow_padding=False)
        y = bqplot.LinearScale(min=0, max=1, allow_padding=False)
        self._bars = bqplot.Bars(
            x=bins.middles,
            y=np.zeros((len(KINDS), len(bins))),
            scales={"x": x, "y": y},
            colors=list(COLOURS),
            stroke="transparent",
            padding=0.1,
            unselected_style={"opacity": "0.4"},
        )
        self._brush = bqplot.interacts.BrushIntervalSelector(
            scale=x, marks=[self._bars], color="var(--dw-accent)"
        )
        self._brush.observe(self._moved, "selected")
        self._left = axis(y, "left", "images")
        # Of 5,000 and more, texts in thousands fit; a logarithmic axis may have thousandths, too.
        thousands = bins.high - bins.least >= 5000 and (bins.least >= 1 or not bins.log)
        ticks = {"tick_values": bins.ticks(), "tick_format": "~s" if thousands else "~g"}
        axes = [axis(x, "bottom", name, **ticks), self._left]
        if bins.zero:
            # An axis of its own, on which the bar of the zeros is at 0.
            cells = bqplot.LinearScale(min=-0.5, max=len(bins) - 0.5, allow_padding=False)
            axes.append(axis(cells, "bottom", tick_values=[0.0], tick_format="d"))
        return figure_of([self._bars], axes, self._brush)

    def mark(self, bounds: Bounds) -> None:
        """Show a range of the metric as brushed."""
        if self._metric is None or self._bins is None:
            return
        low, high = bounds or (self._bins.low, self._bins.high)
        with self._quiet:
            self._low.value, self._high.value = tidy(low), tidy(high)
            selected = self._brush.selected
            # A brush in motion stays where the hand is, although its range has rounder bounds.
            if selected is None or self._bins.range(*selected) != bounds:
                self._brush.selected = bounds and np.array(self._bins.places(low, high))
        self._reset.disabled = bounds is None
        total = len(self._metric.known)
        inside = self._metric.count_in(low, high) if bounds else total
        self._count.value = f'<span class="dw-muted">{inside:,} of {counted(total, "image")}</span>'

    def _moved(self, change: Any) -> None:
        if not self._quiet and self._bins is not None:
            selected = change["new"]
            nothing = selected is None or len(selected) != 2
            self._brushed(None if nothing else self._bins.range(*selected.tolist()))

    def _typed(self, _change: Any) -> None:
        if self._quiet or self._bins is None:
            return
        # A field that was not edited stands for the end of the axis, of which it shows 7 digits.
        ends = {tidy(end): end for end in (self._bins.low, self._bins.high)}
        low, high = sorted(ends.get(field.value, field.value) for field in (self._low, self._high))
        everything = low <= self._bins.low and high >= self._bins.high
        self._brushed(None if everything else (low, high))


def bin_text(bounds: Bounds, counts: Sequence[int]) -> str:
    """Return the text of a bin, from its counts by kind, or from one count of all."""
    if bounds is None:
        return ""
    low, high = bounds
    lines = [number(low, 7) if low == high else f"{number(low)} … {number(high)}"]
    lines.append(counted(sum(counts), "image"))
    if len(counts) > 1:
        lines += [f"{n:,} {word}" for n, word in zip(counts, WORDS, strict=True) if n]
    return "\n".join(lines)


class ThresholdCurve(ipywidgets.VBox):  # type: ignore[misc]
    """What stays, and how many groups there are, against the near-duplicate boundary.

    The boundary has a square-root axis, on which 0.001 is distinct from 0.002 and 0.1 from 0.2.

    Parameters
    ----------
    picked
        Called with the boundary that a person picked.
    shown
        Called when the chart comes on a screen.
    confirmed
        Whether near-duplicates up to 0.05 were confirmed; then it says that others were not.
    """

    def __init__(
        self, picked: Callable[[float], None], shown: Callable[[], None], *, confirmed: bool = False
    ) -> None:
        self._picked, self._shown = picked, shown
        self._confirmed = confirmed
        self._quiet = Quiet()
        self.points = pl.DataFrame()
        self._x, self._images, self._groups, one = (
            bqplot.LinearScale(min=0, max=1, allow_padding=False) for _ in range(4)
        )
        self._lines = [
            bqplot.Lines(
                x=[0.0, 0.0],
                y=[0.0, 0.0],
                scales={"x": self._x, "y": y},
                colors=[f"var(--dw-{colour})"],
                stroke_width=width,
                line_style=style,
            )
            for y, colour, width, style in (
                (self._images, "accent", 2.5, "solid"),
                (self._groups, "exact", 1.5, "solid"),
                (one, "fg", 1.5, "dashed"),
            )
        ]
        self._bottom = axis(self._x, "bottom", "near")
        sides = [axis(self._images, "left", "images"), axis(self._groups, "right", "groups")]
        self._pointer = Pointer()
        self._figure = figure_of(self._lines, [self._bottom, *sides])
        self._text = ipywidgets.HTML()
        self._legend = ipywidgets.HTML(
            key("var(--dw-accent)", "images that stay") + key("var(--dw-exact)", "groups")
        )
        self._near = ipywidgets.FloatText(
            description="Near-duplicate boundary",
            tooltip="Near-duplicate boundary, on the uniqueness scale",
        )
        self._near.add_class("dw-titled")
        self._near.observe(self._typed, "value")
        self._pointer.observe(self._pressed, ["held", "picked", "shown"])
        super().__init__()
        self.add_class("dw-chart")
        self.show_text("")

    def show_text(self, text: str) -> None:
        """Show a text in place of the curve, which the next view will request again."""
        self._text.value = f'<span class="dw-muted">{html.escape(text)}</span>'
        self._near.disabled = True
        self._pointer.shown = False
        self.children = [self._near, self._text, self._pointer]

    def draw(self, points: pl.DataFrame) -> None:
        """Show the rows of :func:`dedup_widgets.threshold_curve`, by ascending near."""
        self.points = points
        near = points["near"].to_numpy()
        end = float(near.max()) or 1.0
        most = points["stays"][0] + points["removed"][0], points["groups"].to_numpy().max()
        write(self._bottom, {math.sqrt(tick): number(tick) for tick in NEAR_TICKS if tick <= end})
        self._x.max = math.sqrt(end)
        # Ten at least: on a shorter axis there would be ticks between whole numbers.
        self._images.max, self._groups.max = (max(10.0, 1.05 * count) for count in most)
        for line, name in zip(self._lines, ("stays", "groups"), strict=False):
            with line.hold_sync():
                line.x, line.y = np.sqrt(near), points[name].to_numpy().astype(float)
        self._pointer.places = np.sqrt(near / end).tolist()
        self._pointer.values = near.tolist()
        self._pointer.texts = [
            "\n".join([f"near {number(point['near'], 7)}", *self._facts(point)])
            for point in points.iter_rows(named=True)
        ]
        self._near.disabled = False
        self.children = [self._near, self._text, self._pointer, self._legend, self._figure]

    def mark(self, near: float) -> None:
        """Show where a boundary is, and what it does."""
        with self._quiet:
            self._pointer.picked = near
        self._preview(near)

    def _preview(self, near: float) -> None:
        with self._quiet:
            self._near.value = tidy(near)
        if self.points.is_empty():
            return
        line = self._lines[-1]
        with line.hold_sync():
            line.x, line.y = [math.sqrt(near)] * 2, [0.0, 1.0]
        point = self.points.filter(pl.col("near") == near).to_dicts()
        does = self._facts(point[0]) if point else ["computing …"]
        self._text.value = " · ".join([f"<b>near {number(near, 7)}</b>", *does])

    def _facts(self, point: Mapping[str, Any]) -> list[str]:
        is_beyond = self._confirmed and point["near"] > NEAR
        hint = [f"beyond {NEAR:g} similar by vectors, confirmed by nobody"] if is_beyond else []
        return facts(point) + hint

    def _pressed(self, change: Any) -> None:
        name, value = change["name"], change["new"]
        if self._quiet or value is None:
            return
        if name == "picked":
            self._picked(value)
        elif name == "held":
            self._preview(value)
        elif value:
            self._shown()

    def _typed(self, change: Any) -> None:
        if not self._quiet:
            self._picked(float(change["new"]))


def facts(point: Mapping[str, Any]) -> list[str]:
    """Return what a boundary does, from its row of the curve."""
    return [
        f"{counted(point['stays'], 'image')} stay, {point['removed']:,} go",
        f"{counted(point['groups'], 'group')}, {point['near_groups']:,} with near-duplicates",
    ]


def axis(scale: bqplot.Scale, side: str, label: str = "", **arguments: Any) -> bqplot.Axis:
    """Return an axis in the colours of the page."""
    return bqplot.Axis(
        scale=scale,
        side=side,
        label=label,
        grid_lines="solid" if side == "left" else "none",
        grid_color="var(--dw-line)",
        label_color="var(--dw-muted)",
        label_offset="34px",
        tick_style={"fill": "var(--dw-muted)", "font-size": "11px"},
        **arguments,
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
    marks: Sequence[bqplot.Mark],
    axes: Sequence[bqplot.Axis],
    brush: bqplot.interacts.Interaction | None = None,
) -> bqplot.Figure:
    """Return a figure without a background of its own."""
    right = 52 if axes[-1].side == "right" else 12
    return bqplot.Figure(
        marks=list(marks),
        axes=list(axes),
        interaction=brush,
        fig_margin={"top": 8, "bottom": 44, "left": 52, "right": right},
        padding_y=0,
        background_style={"fill": "transparent"},
        display_toolbar=False,
        layout=ipywidgets.Layout(width="100%", min_width="0", height="240px"),
    )


def show_figure(place: ipywidgets.Box, figure: bqplot.Figure) -> None:
    """Put a figure in the place of the last one, and close that with all that was in it."""
    before, place.children = place.children, [figure]
    for old in before:
        scales = {old.scale_x, old.scale_y, *(axis.scale for axis in old.axes)}
        for widget in (old, old.layout, old.interaction, *old.marks, *old.axes, *scales):
            widget.close()


def tidy(value: float) -> float:
    """Return a number as a field shows it, without the digits that come of float32."""
    return float(f"{value:.7g}")


def key(colour: str, text: str) -> str:
    """Return the HTML of an entry of a legend."""
    return f'<span class="dw-key" style="--dw-colour: {colour}">{html.escape(text)}</span>'
