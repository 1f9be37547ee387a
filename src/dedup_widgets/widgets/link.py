"""What is selected and shown on two screens at once: a grid of images, and a map of them."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.review.view import View
from dedup_widgets.review.watched import Change


def link(session: View, scatter: Any) -> Callable[[], None]:
    """Share selection and filters with a scatter plot; see :meth:`ImageGrid.link`.

    The plot outlives its cell, and must not hold a session that nobody else does.
    """
    row = _row_of_points(session, scatter)
    point = np.full(len(session), -1)
    point[row] = np.arange(len(row))
    widget = scatter.widget
    weak = weakref.ref(session)

    def select_points(mask: NDArray[np.bool_]) -> None:
        widget.selection = _points(point[mask])

    def show() -> None:
        shown = session.view_mask()
        widget.filter = None if shown.all() else _points(point[shown])

    def follow(changes: Sequence[Change]) -> None:
        what = {change.what for change in changes}
        if "selection" in what:
            select_points(session.selected)
        if what - {"selection", "sort", "review"}:
            show()

    def select_rows(change: Any) -> None:
        view = weak()
        if view is None:
            return
        mask = np.zeros(len(view), np.bool_)
        mask[row[np.asarray([] if change["new"] is None else change["new"], np.int64)]] = True
        # What has no point keeps its state: it cannot be picked there.
        mask[point < 0] = view.selected[point < 0]
        view.select(mask)

    select_points(session.selected)
    show()
    stop = session.watch(follow)
    widget.observe(select_rows, "selection")
    unobserve = weakref.finalize(session, widget.unobserve, select_rows, "selection")

    def end() -> None:
        stop()
        unobserve()

    return end


def _points(numbers: NDArray[np.int64]) -> NDArray[np.uint32]:
    return np.sort(numbers[numbers >= 0]).astype(np.uint32)


def _row_of_points(session: View, scatter: Any) -> NDArray[np.int64]:
    """Return the row of each point."""
    widget: Any = getattr(scatter, "widget", None)
    if not all(hasattr(widget, name) for name in ("data", "points", "selection", "filter")):
        raise InputError(
            f"cannot share a selection with {type(scatter).__name__}; pass a Scatter of "
            "jupyter-scatter"
        )
    data = widget.data
    if data is not None and session.path in data.columns:
        paths = pl.Series(data[session.path].to_list(), dtype=pl.String)
        if paths.is_duplicated().any():
            raise InputError("the plot has several points for one image; pass one row a path")
        return np.array([session.row_of(path) for path in paths], np.int64)
    points = len(widget.points)
    if points != len(session):
        raise InputError(
            f"the plot has {points:,} points for {len(session):,} images; give its data the column "
            f"{session.path!r}"
        )
    return np.arange(points)
