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
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np
import polars as pl
import traitlets

from dedup_widgets.errors import DedupError, InputError
from dedup_widgets.filters.facets import wire
from dedup_widgets.frame.provenance import are_compared, provenances
from dedup_widgets.frame.schema import recognised
from dedup_widgets.frame.summary import outcomes
from dedup_widgets.frame.table import require_columns, to_polars
from dedup_widgets.review.session import Session
from dedup_widgets.review.watched import Change
from dedup_widgets.widgets.analytics.charts import Distribution, Quiet, ThresholdCurve
from dedup_widgets.widgets.analytics.metrics import Bounds, Metric, can_be_log, metrics_of
from dedup_widgets.widgets.outputs import Shown

WAIT = 0.2
"""Seconds between two filters that a brush in motion sets."""


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

    The kernel would write it into a log that is rarely read.
    """

    @functools.wraps(method)
    def call(self: "Analytics", *arguments: Any) -> None:
        try:
            method(self, *arguments)
        except Exception as error:
            what = "" if isinstance(error, DedupError) else f"{type(error).__name__}: "
            self._show_error(f"{what}{error}")

    return call


class Analytics(Shown, ipywidgets.VBox):  # type: ignore[misc]
    """See how a metric is distributed, brush a range of it, and choose the near boundary.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`, or any other Polars, pandas or pyarrow table with
        a column of paths and columns of numbers; or an Explorer or a Session, whose filters and
        boundary then follow what is done here, and the other way round.
    path
        The column of paths. A Session brings its own, as it does `score` and `near`.
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
        session = data if isinstance(data, Session) else getattr(data, "session", None)
        self._session = session if isinstance(session, Session) else None
        if self._session is not None:
            path, score = self._session.path, self._session.score or score
            frame, near = self._session.frame, self._session.near
        else:
            frame = to_polars(data)
            require_columns(frame, [path], "Analytics")
        self._path, self._score = path, score if score in frame.columns else None
        self._frame, self._known = frame, recognised(frame, path, self._score)
        self._metrics = metrics_of(frame, score)
        if not self._metrics:
            raise InputError(
                "Analytics shows columns of numbers, and this frame has none; "
                "dedup_widgets.score makes some"
            )
        self._compute_curve = curve or self._threshold_curve
        self._drawn: Metric | None = None
        self._quiet, self._computing = Quiet(), threading.Lock()
        self._pending: tuple[str, Bounds] = ("", None)
        self._set_filter_soon = Throttle(self._set_filter, WAIT)
        self._draw_soon = Throttle(self._draw, WAIT)

        self._distribution = Distribution(self._brushed)
        self._curve = ThresholdCurve(
            self._picked, self._want_curve, confirmed=are_compared(provenances(frame))
        )
        choice = ipywidgets.Dropdown(options=self._metrics, description="Metric")
        choice.add_class("dw-titled")
        self._log = ipywidgets.Checkbox(
            description="log scale",
            indent=False,
            tooltip="Logarithmic axis, with a bar of its own for exactly 0",
        )
        self._error = ipywidgets.HTML(layout=ipywidgets.Layout(display="none"))
        head = ipywidgets.HBox([choice, self._log])
        left = ipywidgets.VBox([head, self._distribution])
        with self._quiet:
            super().__init__(
                [self._error, ipywidgets.GridBox([left, self._curve])],
                near=near,
                metric=self._metrics[0] if metric is None else metric,
            )
        self.add_class("dw-analytics")
        traitlets.link((self, "metric"), (choice, "value"))
        traitlets.link((self, "log_scale"), (self._log, "value"))
        if self._session is not None:
            self._session.watch_weakly(self._follow)

    def __repr__(self) -> str:
        return f"Analytics({len(self._frame):,} images, {', '.join(self._metrics)})"

    @property
    def curve(self) -> pl.DataFrame:
        """What each near-duplicate boundary would do: see :func:`dedup_widgets.threshold_curve`.

        It is computed when it is first read or shown.
        """
        if self._curve.points.is_empty():
            self._complete_curve()
        return self._curve.points

    def refresh(self) -> None:
        """Read the Explorer's frame again, after its plan has changed."""
        if self._session is not None:
            self._frame, self._known = self._session.frame, self._session.known
        self._drawn = None
        self._draw_soon()

    @guarded
    def _follow(self, changes: Sequence[Change]) -> None:
        """Show what changed in the review."""
        assert self._session is not None
        what = {change.what for change in changes}
        if "plan" in what:
            self.refresh()
        if "near" in what:
            with self._quiet:
                self.near = self._session.near
        if "filters" in what:
            # A filter that is about to be set is newer than the one reported.
            if not self._set_filter_soon.due:
                with self._quiet:
                    self.range = self._filtered()
            if self._other_filters() != self._others:
                self._draw_soon()

    # The distribution, and the filters

    @guarded
    def _draw(self) -> None:
        metric = self._drawn
        if metric is None or metric.name != self.metric:
            kind = outcomes(self._known, self._score and "uniqueness", self.near)
            is_score = self.metric == self._score
            metric = self._drawn = Metric.of(self._frame, self.metric, kind, score=is_score)
        left = metric
        self._others = self._other_filters()
        if self._others is not None:
            rows = self._frame.select(left=self._others.expression).to_series().fill_null(False)
            left = metric.within(np.broadcast_to(rows.to_numpy(), len(self._frame)))
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
        self._distribution.mark(tuple(bounds) or None)
        if self._session is not None and not self._quiet:
            if self._pending[0] != column:
                self._set_filter_soon.flush()
            self._pending = column, tuple(bounds) or None
            self._set_filter_soon()

    @guarded
    def _set_filter(self) -> None:
        """Set the filter of the Explorer."""
        assert self._session is not None
        column, bounds = self._pending
        others = {name: it for name, it in self._session.filters.items() if name != column}
        self._session.filters = others if bounds is None else {**others, column: bounds}

    def _filtered(self) -> tuple[str, float, float] | None:
        """Return the range of the metric that the Explorer's filters leave."""
        clause = None if self._session is None else self._session.filters.get(self.metric)
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
        return None if self._session is None else self._session.filters.without(self.metric)

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
        if not self._curve.points.is_empty():
            self._want_curve()
        if self._session is None:
            # Without a column of kinds, they follow from the boundary.
            if "kind" not in self._known.columns and not self._quiet:
                self.refresh()
        elif self._session.near != self.near:
            try:
                self._session.near = self.near
            except DedupError:
                with self._quiet:
                    self.near = self._session.near
                raise

    def _want_curve(self) -> None:
        """Compute what the curve lacks, in the background, for it can take seconds."""
        if self._curve.points.is_empty():
            self._curve.show_text("computing …")
        threading.Thread(target=self._work, name="dedup-widgets-curve", daemon=True).start()

    @guarded
    def _work(self) -> None:
        try:
            self._complete_curve()
        except Exception as error:
            if not self._curve.points.is_empty():
                raise
            self._curve.show_text(f"No curve: {error}")

    def _complete_curve(self) -> None:
        """Compute the curve, and its point of the present boundary if it has none."""
        with self._computing:
            if self._curve.points.is_empty():
                self._add_to_curve(self._compute_curve(None))
            if (near := self.near) not in self._curve.points["near"]:
                found = self._compute_curve([near]).head(1)
                self._add_to_curve(found.with_columns(near=pl.lit(near)))

    def _add_to_curve(self, found: pl.DataFrame) -> None:
        if found.is_empty():
            raise InputError("there are no boundaries to compare")
        found = found.with_columns(pl.col("near").cast(pl.Float64))
        points = pl.concat([self._curve.points, found], how="diagonal_relaxed")
        self._curve.draw(points.unique("near").sort("near"))
        self._curve.mark(self.near)

    def _threshold_curve(self, nears: Sequence[float] | None) -> pl.DataFrame:
        from dedup_widgets.planning.plan import threshold_curve

        if "embedding" not in self._frame.columns:
            raise InputError(
                "this frame has no column 'embedding', by which images could be grouped anew; "
                "dedup_widgets.score makes one"
            )
        if self._session is not None and self._session.planner is not None:
            return self._session.planner.curve(nears)
        named = self._frame
        if self._path != "path":
            named = named.drop("path", strict=False).rename({self._path: "path"})
        return threshold_curve(named, nears)

    def _show_error(self, text: str) -> None:
        self._error.value = f'<span class="dw-error" role="alert">{html.escape(text)}</span>'
        self._error.layout.display = None if text else "none"
