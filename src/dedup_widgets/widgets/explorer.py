"""The Explorer: a review on the screen."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import polars as pl
import traitlets

from dedup_widgets.models.base import DEFAULT_MODEL, Precision
from dedup_widgets.review.collections import Collections
from dedup_widgets.review.decisions import Decisions
from dedup_widgets.review.session import Session
from dedup_widgets.review.watched import Change
from dedup_widgets.store.open import Store
from dedup_widgets.widgets.base import front_end
from dedup_widgets.widgets.delegate import attribute_of, method_of
from dedup_widgets.widgets.image_grid import ImageGrid
from dedup_widgets.widgets.protocol import AnalyticsRequest, Buffers
from dedup_widgets.widgets.requests.dataset import DatasetRequests
from dedup_widgets.widgets.requests.review import ReviewRequests

if TYPE_CHECKING:
    from dedup_widgets.widgets.analytics.analytics import Analytics


class Explorer(ImageGrid):
    """See the duplicates of a set of images side by side, pick, and read the choice back.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`; any other Polars, pandas or pyarrow table with a
        column of paths; or what ``score`` accepts: a directory, a glob, a list of paths. Missing
        scores are computed, from the ``embedding`` column where the frame has one, else from the
        images. Or a :class:`dedup_widgets.Job`, of which it shows what is scored so far; or a run
        of :func:`dedup_widgets.scale.open`, of which it shows the images in groups where all would
        be more than a million. Or a :class:`dedup_widgets.Session`, of which it then is a screen.
    path
        The column of paths.
    score
        The column of uniqueness.
    model, device, precision
        Model to score with, if that is needed, and how it runs; see :func:`dedup_widgets.score`.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; images are grouped anew at it.
        Default: the one that the frame was scored with.
    label, split
        The columns of labels and of splits, whose disagreements within groups are counted and can
        be filtered by. Default: the columns ``label`` and ``split``, if there are any.
    store
        Where thumbnails, scores, decisions and collections are kept; see
        :func:`dedup_widgets.score`.
    height
        Height of the grid in CSS pixels; None for as much as the window has room for.
    progress
        Whether scoring shows a progress bar.
    restore
        Whether to go on with the last review of the same images: its boundary, rules, filters,
        selection, undo and log, as the library has them. A cell that is run again goes on with the
        Explorer that it made before.
    roots
        Folders in which the dialog may make datasets, such as ``["datasets"]``, where a page is
        not its user's own, as on a voila server; None for any.

    Attributes
    ----------
    session : Session
        The review, without the screen.

    Raises
    ------
    InputError
        When data is no table, or lacks a column; the message lists those there are.
    ModelError
        When scores are needed and the model cannot be loaded.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> ex = dw.Explorer("photos/", model="efficientnet-lite0")  # doctest: +SKIP
    >>> ex.filters = {"uniqueness": (0, 0)}  # doctest: +SKIP
    >>> ex.accept_plan("Unique")  # doctest: +SKIP
    >>> ex.create_dataset("Unique", "clean-v1")  # doctest: +SKIP
    """

    _esm, _code = front_end("explorer")
    slow = (*ImageGrid.slow, *DatasetRequests.slow, AnalyticsRequest)
    _analytics = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )
    _scoring = traitlets.Unicode().tag(sync=True)
    session: Session
    _requests: ReviewRequests

    collections: Collections = attribute_of("The named collections: a mapping to frames.")
    path: str = attribute_of("The column of paths.")
    rest: pl.DataFrame = attribute_of(Session.rest)
    plan: pl.DataFrame | None = attribute_of(Session.plan)
    why_no_plan: str | None = attribute_of(Session.why_no_plan)
    changes: str = attribute_of(Session.changes)
    decisions: Decisions = attribute_of(Session.decisions)
    near: Any = attribute_of(Session.near)
    scored_near: float = attribute_of(Session.scored_near)
    rules: Any = attribute_of(Session.rules)
    reviewed: pl.DataFrame = attribute_of(Session.reviewed)
    log: pl.DataFrame = attribute_of(Session.log)
    next_steps: tuple[str | None, str | None] = attribute_of(Session.next_steps)
    mergeable: list[str] = attribute_of(Session.mergeable)
    decide = method_of(Session.decide)
    choose_keepers = method_of(Session.choose_keepers)
    unchoose_keepers = method_of(Session.unchoose_keepers)
    mark_not_duplicates = method_of(Session.mark_not_duplicates)
    unmark_not_duplicates = method_of(Session.unmark_not_duplicates)
    mark_reviewed = method_of(Session.mark_reviewed)
    unmark_reviewed = method_of(Session.unmark_reviewed)
    begin_anew = method_of(Session.begin_anew)
    undo = method_of(Session.undo)
    redo = method_of(Session.redo)
    accept_plan = method_of(Session.accept_plan)
    create_dataset = method_of(Session.create_dataset)  # type: ignore[arg-type]  # takes any options
    left_out = method_of(Session.left_out)
    report = method_of(Session.report)

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str = "uniqueness",
        model: Any = DEFAULT_MODEL,
        device: str | None = None,
        precision: Precision = "fast",
        near: float | None = None,
        label: str | None = None,
        split: str | None = None,
        store: "str | os.PathLike[str] | Store | None" = None,
        height: int | None = None,
        progress: bool = True,
        restore: bool = True,
        roots: Sequence[str | os.PathLike[str]] | None = None,
    ) -> None:
        is_own = not isinstance(data, Session)
        if is_own:
            data = Session(
                data,
                path=path,
                score=score,
                model=model,
                device=device,
                precision=precision,
                near=near,
                label=label,
                split=split,
                store=store,
                progress=progress,
                restore=restore,
            )
        super().__init__(data, height=height, restore=restore and is_own)
        self.handlers |= DatasetRequests(data, self._report_progress, roots).handlers
        self.handlers[AnalyticsRequest] = self._make_analytics

    def _make_requests(self) -> ReviewRequests:
        return ReviewRequests(self.session)

    @property
    def analytics(self) -> "Analytics":
        """The distribution of each metric and the threshold curve; brushing filters the view."""
        with self.session.lock:
            if self._analytics is None:
                # bqplot takes most of a second to import, which the first view need not wait for.
                from dedup_widgets.widgets.analytics.analytics import Analytics

                self._analytics = Analytics(self.session)
            return self._analytics

    def leave_pages(self) -> None:
        """Take the widget off all pages; it opens again when it is shown again."""
        super().leave_pages()
        # They are made anew when they are looked at again.
        self._analytics = None

    def _make_analytics(self, _request: AnalyticsRequest, _in: list[Any], _out: Buffers) -> None:
        self.analytics  # noqa: B018 - making it sets the trait

    def _show(self, change: Change) -> None:
        super()._show(change)
        if change.what == "scoring":
            self._scoring = change.new

    def _start_following(self) -> None:
        super()._start_following()
        self._scoring = self.session.scoring

    def _receive(self, widget: object, content: Any, buffers: list[Any]) -> None:
        super()._receive(widget, content, buffers)
        self.session.catch_up()
        if self._requests.collections_changed:
            self._follow([Change("collections")])
