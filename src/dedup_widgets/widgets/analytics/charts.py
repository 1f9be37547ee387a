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
from dedup_widgets.widgets.analytics.metrics import (
    COLOURS,
    KINDS,
    WORDS,
    Axis,
    Bounds,
    Metric,
    axis_for,
    bound,
    height_ticks,
    heights,
    number,
    short,
    steps,
    tidy,
)

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
        self._count.value = f'<span class="dw-muted">{inside:,} of {counted(total, "image")}</span>'

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
    lines.append(counted(sum(counts), "image"))
    if len(counts) > 1:
        lines += [f"{n:,} {word}" for n, word in zip(counts, WORDS, strict=True) if n]
    return "\n".join(lines)


class ThresholdCurve:
    """What stays, and how many groups there are, against the near-duplicate threshold.

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
        self._near = number_box("Near-duplicate threshold, on the uniqueness scale")
        self._head = row(title("Near-duplicate threshold"), self._near)
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
        f"{counted(point['stays'], 'image')} stay, {point['removed']:,} go",
        f"{counted(point['groups'], 'group')}, {point['near_groups']:,} with near-duplicates",
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
