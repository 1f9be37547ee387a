"""What of a frame is shown, in which order, and what of it is selected: a grid without a screen."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets import filters as filtering
from dedup_widgets.errors import InputError
from dedup_widgets.filters import Context, Filters
from dedup_widgets.filters.facets import Facet, Kind
from dedup_widgets.frame.table import require_columns
from dedup_widgets.review.display import (
    NO_RANK,
    Bands,
    dense_rank,
    display_order,
    first_in_order,
    sortable,
)
from dedup_widgets.review.frame_images import FrameImages
from dedup_widgets.review.steps import Mask
from dedup_widgets.review.watched import Change
from dedup_widgets.store.open import Store

SORT_KEYS = ("column", "descending", "grouped")


@dataclass(frozen=True)
class ViewState:
    """What a person set in a view: filters as Python writes them, order, and a mask of rows.

    ``images`` tells whether another view is of the same images in the same order.
    """

    images: int
    filters: Mapping[str, Any]
    sort: Mapping[str, Any]
    selected: Mask


class View(FrameImages):
    """The rows of a frame: filters, order of display, selection.

    Parameters
    ----------
    data, path, near, store
        As :class:`FrameImages` takes them.
    score
        A column of numbers in [0, 1] to sort by; None for none. It is used where the frame has it.

    Attributes
    ----------
    went_on : str
        Which earlier review this goes on with, in words; nothing where it begins anew.
    """

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str | None = "uniqueness",
        near: float = 0.05,
        store: "str | os.PathLike[str] | Store | None" = None,
    ) -> None:
        super().__init__(data, path=path, score=score, near=near, store=store)
        self.went_on = ""
        self._selected: Mask = np.zeros(len(self), np.bool_)
        self._clauses: dict[str, Any] = {}
        self._kept_order: tuple[Bands, Callable[[], np.ndarray]] | None = None
        self._context = self._filter_context()
        first = self.score
        self._sort: dict[str, Any] = {
            "column": first if first and sortable(self.frame[first].dtype) else path,
            "descending": False,
            "grouped": True,
        }

    def _show(self, frame: pl.DataFrame) -> None:
        super()._show(frame)
        self._ranks: dict[str, np.ndarray] = {}

    def _show_again(self, rows: np.ndarray, part: pl.DataFrame) -> None:
        super()._show_again(rows, part)
        for name in part.columns:
            self._ranks.pop(name, None)

    def _filter_context(self) -> Context:
        return Context(path=self.path, score=self.score, words=self._by_words)

    @property
    def _by_words(self) -> Callable[[str], Mask] | None:
        words = self.words
        if words is None or not words.may_find:
            return None
        return lambda text: self.mask_of(words.find(text))

    def _rank_by_words(self) -> np.ndarray:
        """Return the rank of each row by the words that are filtered by: the nearest first."""
        rank = np.full(len(self), NO_RANK, np.uint32)
        if self.words is not None and "words" in self._clauses:
            rows = self.words.find(self._clauses["words"]["contains"])
            rank[rows] = np.arange(len(rows))
        return rank

    @property
    def state(self) -> ViewState:
        """What is filtered, sorted and selected, for :meth:`resume`."""
        with self.lock:
            return ViewState(self._images, dict(self.filters), self.sort, self._selected)

    @property
    def _images(self) -> int:
        """A number that views of the same images in the same order share."""
        return hash(self._lookup.texts.hash().to_numpy().tobytes())

    def resume(self, state: ViewState) -> None:
        """Filter, sort and select as another view of the same images did.

        It is where a view begins, and no step of it; what makes no sense here is left out.
        """
        if state.images != self._images:
            return
        with self.changing():
            for key, value in state.filters.items():
                with suppress(InputError):
                    self.filters = {**self.filters, key: value}
            with suppress(InputError):
                self.sort = state.sort
            self.select(state.selected)

    # What is selected

    @property
    def selection(self) -> pl.DataFrame:
        """What is selected, in display order, with all columns.

        Set it to a frame with the same path column, a list of paths, or a boolean mask over the
        rows of :attr:`frame`. A widget's ``observe(handler, names="selection")`` calls back on
        each change.
        """
        return self.selection_of(self._selected)

    @selection.setter
    def selection(self, what: Any) -> None:
        self.select(self.mask(what))

    @property
    def selected(self) -> Mask:
        """The mask of the selected rows, shape (n,), not to be written to."""
        return self._selected

    def select(self, mask: Mask, origin: int | None = None) -> None:
        """Select exactly the rows of a mask; `origin` is the page that requests it."""
        with self.lock:
            before = self._selected
            if np.array_equal(mask, before):
                return
            with self.changing(Change("selection", before, mask, origin)):
                self._selected = mask

    def selection_of(self, selected: Mask) -> pl.DataFrame:
        """Return :attr:`selection` as it is, or was, for a mask of selected rows."""
        rows = self.display_order(self.view_mask() | selected)
        return self._gather(rows[selected[rows]])

    @property
    def rest(self) -> pl.DataFrame:
        """The readable images that are not selected, with all columns."""
        return self.frame.filter(self.rest_mask)

    @property
    def rest_mask(self) -> Mask:
        """The mask of :attr:`rest`."""
        rest: Mask = ~self._selected & self._readable
        return rest

    # What is shown

    @property
    def view(self) -> pl.DataFrame:
        """What the filters leave, in display order, with all columns."""
        return self._gather(self.display_order(self.view_mask()))

    @property
    def filters(self) -> Filters:
        """The filters of the view, by column.

        Set them to a mapping, to a Polars expression, or to None for none; the page "Filters" of
        the documentation lists what each type of column takes. As an expression,
        ``frame.filter(grid.filters.expression)`` has the rows of :attr:`view`.

        >>> grid.filters = {"uniqueness": (0, 0.05), "kind": ["near"]}  # doctest: +SKIP
        """
        return self.read_filters(self._clauses)

    @filters.setter
    def filters(self, given: Any) -> None:
        self.clauses = filtering.parse(self.frame, given, self._context)

    @property
    def clauses(self) -> dict[str, Any]:
        """The filters as JSON, as they were set; what makes no sense for the frame is no filter."""
        return self._clauses

    @clauses.setter
    def clauses(self, clauses: Mapping[str, Any]) -> None:
        with self.lock:
            if clauses != self._clauses:
                self._set_clauses(dict(clauses))

    def _set_clauses(self, clauses: dict[str, Any]) -> None:
        with self.changing(Change("filters", self._clauses, clauses)):
            self._clauses = clauses
            self.sort_again()

    def read_filters(self, clauses: Any) -> Filters:
        """Return filters as far as they make sense of some JSON."""
        read = filtering.read(self.frame, clauses, self._context)
        return Filters(self.frame, read, self._context)

    def view_mask(self) -> Mask:
        """Return the mask of the rows that the filters leave."""
        clauses = filtering.read(self.frame, self._clauses, self._context)
        return filtering.mask(self.frame, clauses, self._context)

    def matching(self, key: str, clause: Any) -> Mask:
        """Return the mask of the rows that one clause leaves.

        Raises
        ------
        InputError
            When the clause makes no sense for the frame.
        """
        clauses = filtering.read(self.frame, {key: clause}, self._context)
        if not clauses:
            raise InputError(f"the filter of {key!r} makes no sense for this frame")
        return filtering.mask(self.frame, clauses, self._context)

    def facet(self, column: str) -> Facet:
        """Return what a column holds, to filter by it."""
        require_columns(self.frame, [column], "a filter")
        return filtering.facet(self.frame, column, self._context)

    def facet_kind(self, column: str) -> Kind | None:
        """Return how a column can be filtered, None for not at all."""
        return self._context.kind(column, self.frame.schema[column])

    @property
    def sort(self) -> dict[str, Any]:
        """The order of display: ``column``, ``descending``, and ``grouped`` (bands together).

        Set it to a column name, or to a dict with some of the three.
        """
        return dict(self._sort)

    @sort.setter
    def sort(self, by: str | Mapping[str, Any]) -> None:
        if not isinstance(by, str | Mapping):
            raise InputError(
                f"sort is {by!r:.99}; give a column, or a dict such as "
                "{'column': 'width', 'descending': True}"
            )
        wanted = {**self._sort, **({"column": by} if isinstance(by, str) else by)}
        self.check_sort(wanted)
        with self.lock:
            before = self._sort
            self.sort_again()
            if wanted != before:
                with self.changing(Change("sort", before, wanted)):
                    self._sort = wanted

    def check_sort(self, wanted: Mapping[str, Any]) -> None:
        """Raise an InputError for what is no order of display."""
        if odd := sorted(set(wanted) ^ set(SORT_KEYS), key=str):
            raise InputError(f"sort has {', '.join(SORT_KEYS)}, each once; not so {odd[0]!r}")
        for name in SORT_KEYS[1:]:
            if not isinstance(wanted[name], bool):
                raise InputError(f"sort: {name} is {wanted[name]!r}; it must be True or False")
        self._check_sortable(wanted["column"])

    def rank(self, column: str) -> np.ndarray:
        """Return the dense rank of each row in a column, uint32 (n,).

        ``"words"``, where there is no such column, ranks by the words that are filtered by.
        """
        if column == "words" and column not in self.frame.columns:
            return self._rank_by_words()
        self._check_sortable(column)
        rank = self._ranks.get(column)
        if rank is None:
            rank = self._ranks[column] = dense_rank(self.frame[column])
        return rank

    def _check_sortable(self, column: str) -> None:
        if column == "words" and column not in self.frame.columns:
            return
        require_columns(self.frame, [column], "sorting")
        if not sortable(self.frame[column].dtype):
            raise InputError(f"cannot sort by {column!r}, which holds {self.frame[column].dtype}")

    def display_order(self, mask: Mask) -> np.ndarray:
        """Return the row numbers of a mask, in the order of display."""
        sort = self._sort
        if self._kept_order is None:
            bands, rank = self.bands, self.rank(sort["column"])
        else:
            bands, rank = self._kept_order[0], self._kept_order[1]()
        return display_order(
            rank,
            bands.band,
            bands.place,
            mask,
            descending=sort["descending"],
            grouped=sort["grouped"],
        )

    def first_rows(self, count: int) -> np.ndarray:
        """Return the first rows on screen, in order; none where they are not soon known."""
        sort = self._sort
        if sort["column"] != self.score or self._kept_order is not None:
            return np.zeros(0, np.int64)
        return first_in_order(
            self.shown.scores,
            self.bands.band,
            self.bands.place,
            self.view_mask(),
            count,
            descending=sort["descending"],
            grouped=sort["grouped"],
        )

    @property
    def keeps_order(self) -> bool:
        """Whether rows stand where they stood before the last decisions."""
        return self._kept_order is not None

    def keep_order(self) -> None:
        """Let rows stand where they stand, whatever changes, until other filters or a sort."""
        if self._kept_order is None:
            name = self._sort["column"]
            known = self._ranks.get(name)
            if known is None and name in self.frame.columns:
                # It takes a while, and nobody may ask for it.
                self._kept_order = self.bands, cache(partial(dense_rank, self.frame[name]))
            else:
                self._kept_order = self.bands, partial(np.asarray, self.rank(name))

    def sort_again(self) -> None:
        """Let rows stand where they belong by now."""
        self._kept_order = None
