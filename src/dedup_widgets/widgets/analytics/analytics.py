"""Analytics: how a metric is distributed, and what each near-duplicate boundary would do.

Two charts by bqplot. The first one filters: a range brushed in it is the filter of its column in
the Explorer. The second one chooses: a boundary picked on it is the Explorer's ``near``.
"""

import functools
import html
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np
import polars as pl
import traitlets

from dedup_widgets._text import did_you_mean
from dedup_widgets.errors import DedupError, InputError
from dedup_widgets.filters.facets import wire
from dedup_widgets.frame.provenance import are_compared, provenances
from dedup_widgets.frame.schema import recognised
from dedup_widgets.frame.summary import OUTCOMES, outcomes
from dedup_widgets.frame.table import require_columns, to_polars
from dedup_widgets.review.session import Session
from dedup_widgets.review.watched import Change
from dedup_widgets.widgets.analytics.charts import Distribution, ThresholdCurve
from dedup_widgets.widgets.analytics.metrics import Bins, Bounds, can_be_log, metrics_of
from dedup_widgets.widgets.outputs import ShownInCell


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


class Analytics(ShownInCell, ipywidgets.VBox):  # type: ignore[misc]
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
            path, score, near = self._session.path, self._session.score or score, self._session.near
        else:
            data = to_polars(data)
            require_columns(data, [path], "Analytics")
        self._path, self._score = path, score
        self._read(data, near)
        self._metrics = metrics_of(self._frame, score)
        if not self._metrics:
            raise InputError(
                "Analytics shows columns of numbers, and this frame has none; "
                "dedup_widgets.score makes some"
            )
        self._compute_curve, self._computing = curve or self._threshold_curve, threading.Lock()
        self._distribution = Distribution(self._brushed)
        self._curve = ThresholdCurve(
            self._picked, self._want_curve, confirmed=are_compared(provenances(self._frame))
        )
        choice = ipywidgets.Dropdown(options=self._metrics, description="Metric")
        choice.add_class("dw-titled")
        self._log = ipywidgets.Checkbox(
            description="log scale",
            indent=False,
            tooltip="Logarithmic axis, with a bar of its own for exactly 0",
        )
        self._error = ipywidgets.HTML(layout={"display": "none"})
        left = ipywidgets.VBox([ipywidgets.HBox([choice, self._log]), self._distribution])
        super().__init__([self._error, ipywidgets.GridBox([left, self._curve])])
        self.add_class("dw-analytics")
        self.metric = self._metrics[0] if metric is None else metric
        self.near = near
        self._curve.mark(near)
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

    def _read(self, frame: pl.DataFrame, near: float) -> None:
        """Take the frame as it is now planned, and what becomes of each image."""
        if self._session is not None:
            self._frame, known = self._session.frame, self._session.known
        else:
            score = self._score if self._score in frame.columns else None
            self._frame, known = frame, recognised(frame, self._path, score)
        score = "uniqueness" if "uniqueness" in known.columns else None
        codes = {word: code for code, word in enumerate(OUTCOMES)}
        self._kinds = outcomes(known, score, near).replace_strict(codes).to_numpy()

    @guarded
    def _follow(self, changes: Sequence[Change]) -> None:
        """Show what changed in the review."""
        assert self._session is not None
        what = {change.what for change in changes}
        if "near" in what:
            self.near = self._session.near
        if "filters" in what:
            self.range = self._filtered()
        if "plan" in what:
            self._read(self._frame, self.near)
        if "plan" in what or self._others != self._other_filters():
            self._draw()

    # The distribution, and the filters

    def _draw(self) -> None:
        values = wire(self._frame[self.metric], single=self.metric == self._score)
        known = values[np.isfinite(values)]
        self._others, left = self._other_filters(), np.ones(1, np.bool_)
        if self._others is not None:
            rows = self._frame.select(left=self._others.expression).to_series().fill_null(False)
            left = rows.to_numpy()
        left = np.broadcast_to(left, len(values))
        whole = self._frame.schema[self.metric].is_integer()
        bins = Bins.of(known, log=self.log_scale, whole=whole) if known.size else None
        self._log.disabled = not can_be_log(known)
        shown = values[left]
        self._distribution.draw(
            self.metric, shown, self._kinds[left], bins, hidden=len(values) - len(shown)
        )
        self._distribution.mark(self.range and self.range[1:])

    @guarded
    def _brushed(self, bounds: Bounds) -> None:
        self._show_error("")
        self.range = bounds and (self.metric, *bounds)

    @traitlets.validate("metric")
    def _valid_metric(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name not in self._metrics:
            raise InputError(
                f"{name!r} is no metric of this frame; there are: "
                f"{', '.join(map(repr, self._metrics))}.{did_you_mean(name, self._metrics)}"
            )
        return name

    @traitlets.validate("range")
    def _valid_range(self, proposal: Any) -> tuple[str, float, float] | None:
        value: tuple[str, float, float] | None = proposal["value"]
        if value is not None:
            name, low, high = value
            self._valid_metric({"value": name})
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise InputError(
                    f"the range of {name!r} is {low} … {high}: give two numbers, low end first"
                )
        return value

    @traitlets.observe("metric")
    def _metric_changed(self, _change: Any) -> None:
        if self.range is None or self.range[0] != self.metric:
            self.range = self._filtered()
        if self.log_scale != (self.metric == self._score):
            self.log_scale = not self.log_scale
        else:
            self._draw()

    @traitlets.observe("log_scale")
    def _log_changed(self, _change: Any) -> None:
        self._draw()

    @traitlets.observe("range")
    def _range_changed(self, change: Any) -> None:
        column, *bounds = change["new"] or (self.metric,)
        self.metric = column
        self._distribution.mark(tuple(bounds) or None)
        if self._session is not None and self.range != self._filtered():
            filters = {**self._session.filters, column: tuple(bounds)}
            self._session.filters = {name: it for name, it in filters.items() if it != ()}

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
            # Without a column that says what stays, that follows from the boundary.
            self._read(self._frame, self.near)
            self._draw()
        elif self._session.near != self.near:
            try:
                self._session.near = self.near
            except DedupError:
                self.near = self._session.near
                raise

    def _want_curve(self) -> None:
        """Compute what the curve lacks, in the background, for it can take seconds."""
        if self._curve.points.is_empty():
            self._curve.show_text("computing …")
        threading.Thread(target=self._work, name="dedup-widgets-curve", daemon=True).start()

    def _work(self) -> None:
        try:
            self._complete_curve()
        except Exception as error:
            self._curve.show_text(f"No curve: {error}")

    def _complete_curve(self) -> None:
        """Compute the curve, and its point of the present boundary if it has none."""
        with self._computing:
            near, points = self.near, self._curve.points
            if points.is_empty():
                points = self._compute_curve(None)
            if near not in points["near"]:
                points = pl.concat([points, self._compute_curve([near])], how="diagonal_relaxed")
            self._curve.draw(points.sort("near"), self.near)

    def _threshold_curve(self, nears: Sequence[float] | None) -> pl.DataFrame:
        from dedup_widgets.planning.plan import threshold_curve

        require_columns(self._frame, ["embedding"], "a threshold curve")
        if self._session is not None and self._session.planner is not None:
            return self._session.planner.curve(nears)
        named = self._frame
        if self._path != "path":
            named = named.drop("path", strict=False).rename({self._path: "path"})
        return threshold_curve(named, nears)

    def _show_error(self, text: str) -> None:
        self._error.value = f'<span class="dw-error" role="alert">{html.escape(text)}</span>'
        self._error.layout.display = None if text else "none"
