"""The image grid: a view of a frame as tiles on the screen."""

import os
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import traitlets

from dedup_widgets.errors import InputError
from dedup_widgets.filters import Filters
from dedup_widgets.review.view import View
from dedup_widgets.review.watched import Change
from dedup_widgets.store.open import Store
from dedup_widgets.widgets.base import Widget, front_end
from dedup_widgets.widgets.delegate import attribute_of, method_of
from dedup_widgets.widgets.link import link
from dedup_widgets.widgets.outputs import note_made
from dedup_widgets.widgets.protocol import Request
from dedup_widgets.widgets.requests.compare import CompareRequests
from dedup_widgets.widgets.requests.grid import GridRequests
from dedup_widgets.widgets.saved import saved_html


class ImageGrid(Widget):
    """A virtual grid of the images of a frame.

    Parameters
    ----------
    data
        Any table with a column of paths: Polars, pandas, pyarrow, …. Or a :class:`View`, of which
        this then is a screen.
    path
        The column of paths.
    score
        A column of numbers in [0, 1] to show on the tiles and sort by; None for none. It is used
        where the frame has it.
    near
        Near-duplicate boundary on the scale of the score.
    store
        Where thumbnails are remembered; see :func:`dedup_widgets.score`.
    height
        Height of the grid in CSS pixels; None for as much as the window has room for.
    restore
        Whether a cell that is run again goes on with the filters, the order and the selection of
        the grid that it made before, if that was of the same images.

    Attributes
    ----------
    session : View
        What is shown, without the screen.
    revision : int
        Counts the changes of what is selected, filtered, sorted and, in an Explorer, decided and
        collected. A page of marimo answers it, so that cells that use the widget run again.

    Raises
    ------
    InputError
        When data is no table or lacks a column; the message lists those there are.

    Examples
    --------
    >>> grid = ImageGrid(pl.DataFrame({"path": ["/a.jpg", "/b.jpg"], "votes": [3, 7]}))
    >>> grid.filters = {"votes": (5, 10)}
    >>> grid.view["path"].to_list()
    ['/b.jpg']
    >>> grid.selection = ["/b.jpg"]
    >>> grid.selection.rows()
    [('/b.jpg', 7)]
    """

    _esm, _code = front_end("image_grid")
    slow = (*GridRequests.slow, *CompareRequests.slow)
    _filters = traitlets.Dict().tag(sync=True)
    _sort = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(None, allow_none=True, min=160).tag(sync=True)
    revision = traitlets.Int(0, help="Counts what changed, but for the height.").tag(sync=True)
    _seen = traitlets.Int(0).tag(sync=True)
    _saved = traitlets.Unicode().tag(sync=True)
    _observed: frozenset[Any] = frozenset()
    _stop_following: Callable[[], None] | None = None

    frame: pl.DataFrame = attribute_of("The frame behind the grid, all rows and columns.")
    selection: Any = attribute_of(View.selection)
    view: pl.DataFrame = attribute_of(View.view)
    filters: Filters = attribute_of(View.filters)
    sort: Any = attribute_of(View.sort)
    similar = method_of(View.similar)

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str | None = "uniqueness",
        near: float = 0.05,
        store: "str | os.PathLike[str] | Store | None" = None,
        height: int | None = None,
        restore: bool | None = None,
    ) -> None:
        restore = not isinstance(data, View) if restore is None else restore
        if not isinstance(data, View):
            data = View(data, path=path, score=score, near=near, store=store)
        self.session = data
        before = note_made(self)
        if restore and before is not None:
            data.resume(before)
            data.went_on = ""  # what the same cell showed before is no news
        self._requests = self._make_requests()
        super().__init__(
            height=height,
            _filters=data.clauses,
            _sort=data.sort,
            _saved=f"dw-saved-{uuid.uuid4().hex}",
        )
        self.handlers |= self._requests.handlers
        self.handlers |= CompareRequests(data, self._check_wanted).handlers
        if self._stop_following is None:
            self._start_following()

    def _make_requests(self) -> GridRequests:
        return GridRequests(self.session)

    def _start_following(self) -> None:
        self._stop_following = self.session.watch_weakly(self._follow)
        self._filters, self._sort = self.session.clauses, self.session.sort

    def open(self) -> None:
        """Make the widget known to pages, which showing it does."""
        if self._is_made and self._stop_following is None:
            self._start_following()
        super().open()

    def close(self) -> None:
        """Take the widget off all pages; its session goes on without it."""
        self.leave_pages()
        if self._stop_following is not None:
            self._stop_following()
            self._stop_following = None

    def _is_slow(self, request: Request) -> bool:
        return super()._is_slow(request) or self._requests.is_slow(request)

    def link(self, scatter: Any) -> Callable[[], None]:
        """Share selection and filters with a scatter plot of jupyter-scatter.

        What is picked with the lasso there is selected here, and the other way round; the plot
        shows what the filters leave. See :func:`dedup_widgets.projection` for where the points lie.

        Parameters
        ----------
        scatter
            A ``jscatter.Scatter`` whose data has the column of paths, in any order and for any
            part of the images; or has one point for each row.

        Returns
        -------
        callable
            Ends it.

        Raises
        ------
        InputError
            When it is no such plot, or its points cannot be told to be which images.
        """
        return link(self.session, scatter)

    def _ipython_display_(self) -> None:
        """Show the widget, after what stands in for it where there is no kernel."""
        from IPython.display import publish_display_data

        publish: Callable[..., None] = publish_display_data
        publish({"text/html": saved_html(self.session, self._saved)})
        publish(*self._repr_mimebundle_())
        self._do_soon(self._requests.make_first_thumbnails)

    def __len__(self) -> int:
        return len(self.session)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.session.summary})"

    # From the page to the view

    @traitlets.validate("_sort")
    def _sort_of_a_page(self, proposal: Any) -> Any:
        try:
            self.session.check_sort(proposal["value"])
        except InputError as error:
            raise traitlets.TraitError(str(error)) from error
        return proposal["value"]

    @traitlets.observe("_sort")
    def _sort_changed(self, change: Any) -> None:
        self.session.sort = change["new"]

    @traitlets.observe("_filters")
    def _filters_changed(self, change: Any) -> None:
        self.session.clauses = change["new"]

    # From the view to the page, and to the observers of the widget

    def _follow(self, changes: Sequence[Change]) -> None:
        with self._news() as news:
            what = {change.what for change in changes}
            for change in changes:
                # A page that asks for all again gets the plan with it.
                if change.what != "plan" or "frame" not in what:
                    self._requests.report_change(change, news)
        for change in changes:
            self._show(change)
        self.revision += 1

    def _show(self, change: Change) -> None:
        match change.what:
            case "selection":
                self._call_back(change, self.session.selection_of)
            case "filters":
                self._filters = change.new
                self._call_back(change, self.session.read_filters)
            case "sort":
                self._sort = change.new
                self._call_back(change)
            case "plan" | "near":
                self._call_back(change)

    def _call_back(self, change: Change, read: Callable[[Any], Any] = lambda value: value) -> None:
        """Notify the observers of a property that is no trait."""
        if self._observed & {change.what, traitlets.All}:
            old, new = read(change.old), read(change.new)
            self.notify_change(
                traitlets.Bunch(name=change.what, old=old, new=new, owner=self, type="change")
            )

    def observe(self, handler: Any, names: Any = traitlets.All, type: Any = "change") -> None:  # noqa: A002
        """Call a function on each change, as traitlets does.

        Besides traits, ``selection``, ``view``'s ``filters`` and ``sort`` can be observed.
        """
        super().observe(handler, names, type)
        # A frame of the selection is made only if it is observed.
        one = isinstance(names, str) or names is traitlets.All
        self._observed = self._observed | ({names} if one else set(names))
