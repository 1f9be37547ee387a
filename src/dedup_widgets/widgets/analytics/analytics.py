"""Analytics: how a metric is distributed, and what each near-duplicate boundary would do.

Two charts by bqplot. The first one filters: a range brushed in it is the filter of its column in
the Explorer. The second one chooses: a boundary picked on it is the Explorer's ``near``.
"""

import html
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets
import numpy as np
import polars as pl
import traitlets

from dedup_widgets.errors import DedupError, InputError
from dedup_widgets.filters.facets import wire
from dedup_widgets.frame.provenance import are_compared, provenances
from dedup_widgets.frame.scale import NEAR, checked_near
from dedup_widgets.frame.schema import for_planning
from dedup_widgets.frame.summary import OUTCOMES, outcomes
from dedup_widgets.frame.table import require_columns
from dedup_widgets.planning.planner import Planner
from dedup_widgets.review.review import Review
from dedup_widgets.review.view import View
from dedup_widgets.review.watched import Change
from dedup_widgets.widgets.analytics.charts import Distribution, ThresholdCurve
from dedup_widgets.widgets.analytics.metrics import Bins, Bounds, can_be_log, metrics_of
from dedup_widgets.widgets.outputs import ShownInCell


class Analytics(ShownInCell, ipywidgets.VBox):  # type: ignore[misc]
    """See how a metric is distributed, brush a range of it, and choose the near boundary.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`, or any other Polars, pandas or pyarrow table with
        a column of paths and columns of numbers; or an Explorer, an ImageGrid or a Session, whose
        filters and boundary then follow what is done here, and the other way round.
    path
        The column of paths. A Session brings its own, as it does `score` and `near`.
    score
        The column of uniqueness, which comes first among the metrics.
    metric
        The column to start with. Default: the first one.
    near
        The near-duplicate boundary to start with, on the uniqueness scale, in [0, 1].

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
    near = traitlets.Float(NEAR)

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str = "uniqueness",
        metric: str | None = None,
        near: float = NEAR,
    ) -> None:
        shown: Any = data if isinstance(data, View) else getattr(data, "session", None)
        self._is_own = not isinstance(shown, View)
        self._view: View = View(data, path=path, score=score, near=near) if self._is_own else shown
        self._metrics = metrics_of(self._view.frame, self._view.score)
        if not self._metrics:
            raise InputError(
                "Analytics shows columns of numbers, and this frame has none; "
                "dedup_widgets.score makes some"
            )
        self._computing = threading.Lock()
        self._distribution = Distribution(self._brushed)
        confirmed = are_compared(provenances(self._view.frame))
        self._curve = ThresholdCurve(self._picked, self._want_curve, confirmed=confirmed)
        choice = ipywidgets.Dropdown(options=self._metrics, description="Metric")
        choice.add_class("dw-titled")
        self._log = ipywidgets.Checkbox(
            description="log scale",
            indent=False,
            tooltip="Logarithmic axis, with a bar of its own for exactly 0",
        )
        self._error = ipywidgets.HTML()
        left = ipywidgets.VBox([ipywidgets.HBox([choice, self._log]), self._distribution])
        super().__init__([self._error, ipywidgets.GridBox([left, self._curve])])
        self.add_class("dw-analytics")
        self.metric = self._metrics[0] if metric is None else metric
        self.near = self._view.near
        self._curve.mark(self.near)
        traitlets.link((self, "metric"), (choice, "value"))
        traitlets.link((self, "log_scale"), (self._log, "value"))
        self._view.watch_weakly(self._follow)

    def __repr__(self) -> str:
        return f"Analytics({len(self._view):,} images, {', '.join(self._metrics)})"

    def _follow(self, changes: Sequence[Change]) -> None:
        """Show what changed in the review."""
        what = {change.what for change in changes}
        with self._errors_shown():
            if "near" in what:
                self.near = self._view.near
            if "filters" in what:
                self.range = self._filtered()
            if "plan" in what or self._others != self._view.filters.without(self.metric):
                self._draw()

    @contextmanager
    def _errors_shown(self) -> Iterator[None]:
        """Show what goes wrong, which the kernel would write into a log that is rarely read."""
        self._error.value = ""
        try:
            yield
        except Exception as error:
            what = "" if isinstance(error, DedupError) else f"{type(error).__name__}: "
            text = html.escape(f"{what}{error}")
            self._error.value = f'<span class="dw-error" role="alert">{text}</span>'

    # The distribution, and the filters

    @traitlets.observe("log_scale")
    def _draw(self, _change: Any = None) -> None:
        view = self._view
        # Its own filter must not hide the metric itself.
        self._others = view.filters.without(self.metric)
        left = self._others.mask
        values = wire(view.frame[self.metric], single=self.metric == view.score)
        known = values[np.isfinite(values)]
        self._log.disabled = not can_be_log(known)
        whole = view.frame.schema[self.metric].is_integer()
        bins = Bins.of(known, log=self.log_scale, whole=whole)
        becomes = outcomes(view.known, view.score and "uniqueness", self.near)
        kinds = becomes.cast(pl.Enum(OUTCOMES)).to_physical().to_numpy()
        self._distribution.draw(
            self.metric, values[left], kinds[left], bins, hidden=int((~left).sum())
        )
        found = self._filtered()
        self._distribution.mark(found and found[1:])

    def _brushed(self, bounds: Bounds) -> None:
        with self._errors_shown():
            self.range = bounds and (self.metric, *bounds)

    @traitlets.validate("metric")
    def _valid_metric(self, proposal: Any) -> str:
        name: str = proposal["value"]
        require_columns(self._view.frame[self._metrics], [name], "a chart of numbers")
        return name

    @traitlets.observe("metric")
    def _metric_changed(self, _change: Any) -> None:
        if self._is_own:
            self._view.filters = None
        if self.log_scale != (self.metric == self._view.score):
            self.log_scale = not self.log_scale
        else:
            self._draw()
        self.range = self._filtered()

    @traitlets.validate("range")
    def _valid_range(self, proposal: Any) -> tuple[str, float, float]:
        value: tuple[str, float, float] = proposal["value"]
        self.metric, *bounds = value
        if value != self._filtered():
            self._view.filters = {**self._view.filters, self.metric: tuple(bounds)}
        return value

    @traitlets.observe("range")
    def _range_changed(self, _change: Any) -> None:
        if self.range is None and self._filtered() is not None:
            self._view.filters = self._view.filters.without(self.metric)
        self._distribution.mark(self.range and self.range[1:])

    def _filtered(self) -> tuple[str, float, float] | None:
        """Return the range of the metric that the filters leave."""
        clause = self._view.filters.get(self.metric)
        if not (isinstance(clause, Sequence) and len(clause) == 2):
            return None
        values = wire(self._view.frame[self.metric])
        known = values[np.isfinite(values)]
        low, high = clause
        low = known.min(initial=high) if low is None else low
        high = known.max(initial=low) if high is None else high
        return (self.metric, float(low), float(high))

    # The boundary, and its curve

    def _picked(self, near: float) -> None:
        with self._errors_shown():
            self.near = near
        self._curve.mark(self.near)

    @traitlets.validate("near")
    def _valid_near(self, proposal: Any) -> float:
        near = checked_near(proposal["value"])
        if isinstance(self._view, Review) and self._view.near != near:
            self._view.near = near  # or it says why not
        return near

    @traitlets.observe("near")
    def _near_changed(self, _change: Any) -> None:
        self._curve.mark(self.near)
        if not self._curve.points.is_empty():
            self._want_curve()
        if not isinstance(self._view, Review):
            # Without a column that says what stays, that follows from the boundary.
            self._draw()

    @property
    def curve(self) -> pl.DataFrame:
        """What each near-duplicate boundary would do: see :func:`dedup_widgets.threshold_curve`.

        It is computed when it is first read or shown, and has a row for the present one too.
        """
        with self._computing:
            view, near, points = self._view, self.near, self._curve.points
            if near not in points["near"]:
                planner = getattr(view, "planner", None)
                planner = planner or Planner(for_planning(view.frame, view.path, view.score))
                points = planner.curve() if points.is_empty() else points
                if near not in points["near"]:
                    points = pl.concat([points, planner.curve([near])]).sort("near")
                self._curve.draw(points)
            return points

    def _want_curve(self) -> None:
        """Compute what the curve lacks, in the background, for it can take seconds."""
        if self._curve.points.is_empty():
            self._curve.show_text("computing …")
        threading.Thread(target=self._work, name="dedup-widgets-curve", daemon=True).start()

    def _work(self) -> None:
        try:
            self.curve  # noqa: B018 - reading it draws it
        except Exception as error:
            self._curve.show_text(f"No curve: {error}")
