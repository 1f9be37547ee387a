"""What of a frame is shown, in which order, and what of it is selected: a grid without a screen."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets import filters as filtering
from dedup_widgets.errors import InputError
from dedup_widgets.filters import Context, Filters
from dedup_widgets.filters.facets import Facet, Kind
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.frame.relations import of_image
from dedup_widgets.frame.scale import scale
from dedup_widgets.frame.schema import recognised
from dedup_widgets.frame.summary import Summary, of_input, summarize
from dedup_widgets.frame.table import (
    Texts,
    amended,
    file_name,
    path_column,
    require_columns,
    rows_of,
    to_polars,
)
from dedup_widgets.review.display import (
    NO_RANK,
    Bands,
    Fact,
    Shown,
    bands,
    dense_rank,
    display_order,
    first_in_order,
    shown,
    shown_value,
    sortable,
)
from dedup_widgets.review.meant import as_text, mask_meant
from dedup_widgets.review.steps import Mask
from dedup_widgets.review.watched import Change, Watched
from dedup_widgets.search.similar import SimilarImages
from dedup_widgets.search.words import WordSearch
from dedup_widgets.store.open import Store, open_store

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


class View(Watched):
    """The rows of a frame: filters, order of display, selection.

    Parameters
    ----------
    data
        Any table with a column of paths: Polars, pandas, pyarrow, ….
    path
        The column of paths.
    score
        A column of numbers in [0, 1] to sort by; None for none. It is used where the frame has it.
    near
        Near-duplicate boundary on the scale of the score.
    store
        Where thumbnails are remembered; see :func:`dedup_widgets.score`.

    Attributes
    ----------
    path : str
        The column of paths.
    score : str or None
        The column of uniqueness.
    paths : sequence of str
        The path of each row.
    store : Store
        Where what is dear to compute is kept, and what a person decided.
    frame : pl.DataFrame
        All rows and columns.
    known : pl.DataFrame
        The columns of it that are known, under their own names; see :func:`recognised`.
    bands : Bands
        Which rows stand together.
    summary : Summary
        What the frame holds, counted.
    searched : SimilarImages or None
        The images as similar ones are searched among them; None without embeddings.
    words : WordSearch or None
        What finds them by words; None without embeddings.
    went_on : str
        Which earlier review this goes on with, in words; nothing where it begins anew.
    """

    label: str | None = None
    """The column of labels; a review has one."""
    split: str | None = None
    """The column of splits; a review has one."""

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str | None = "uniqueness",
        near: float = 0.05,
        store: "str | os.PathLike[str] | Store | None" = None,
    ) -> None:
        super().__init__()
        # From several chunks, as read from a file, rows are taken ten times as slowly.
        frame = pl.DataFrame(
            [it if it.dtype.is_nested() else it.rechunk() for it in to_polars(data).get_columns()]
        )
        paths = path_column(frame, path)
        if frame.schema[path] == pl.Object:
            frame = frame.with_columns(paths)
        self.paths = Texts(paths)
        self.path = path
        self.score = score if score in frame.columns else None
        self.store = open_store(store)
        self.went_on = ""
        self._near = near
        self._lookup = Lookup(paths)
        self._selected: Mask = np.zeros(len(frame), np.bool_)
        self._clauses: dict[str, Any] = {}
        self._kept_order: tuple[Bands, Callable[[], np.ndarray]] | None = None
        self._search(frame)
        self._begin(frame)
        self._context = self._filter_context()
        first = self.score
        self._sort: dict[str, Any] = {
            "column": first if first and sortable(frame[first].dtype) else path,
            "descending": False,
            "grouped": True,
        }

    def _begin(self, frame: pl.DataFrame) -> None:
        """Take the frame that was given."""
        self._show(frame)

    def _show(self, frame: pl.DataFrame) -> None:
        """Take a frame of the same images for what is shown."""
        self.frame = frame
        self.known = recognised(frame, self.path, self.score)
        self.bands: Bands = bands(self.known)
        self.shown: Shown = shown(self.known, self._near, self.bands)
        self._provenances = provenances(frame)
        self.summary: Summary = replace(
            self._summed(self.known), **of_input(frame, self._provenances, self.path)
        )
        self._ranks: dict[str, np.ndarray] = {}

    def _summed(self, known: pl.DataFrame) -> Summary:
        return summarize(known, self.score and "uniqueness", self._near, self._provenances)

    def _show_again(self, rows: np.ndarray, part: pl.DataFrame) -> None:
        """Take other values for some rows of the frame that is shown.

        Parameters
        ----------
        rows
            Their numbers: whole groups, and all images whose nearest is among them.
        part
            Their columns as far as they may change.
        """
        before = rows_of(self.known, rows)
        self.frame = amended(self.frame, rows, part)
        self.known = self._recognised_again(part)
        self.bands = self.bands.again(self.known, rows, self._lookup)
        self.shown = self.shown.again(self.known, self._near, self.bands, rows)
        self.summary = self.summary.moved(
            self._summed(before), self._summed(rows_of(self.known, rows))
        )
        for name in part.columns:
            self._ranks.pop(name, None)

    def _recognised_again(self, part: pl.DataFrame) -> pl.DataFrame:
        known = self.known.clone()
        for name in part.columns:
            own = "uniqueness" if name == self.score else name
            if own in known.columns:
                column = self.frame[name].cast(known.schema[own], strict=False).alias(own)
                column = column.fill_nan(None) if own == "uniqueness" else column
                known.replace_column(known.get_column_index(own), column)
        return known

    def _search(self, frame: pl.DataFrame) -> None:
        self.searched: SimilarImages | None = None
        self.words: WordSearch | None = None
        if "embedding" in frame.columns:
            self.searched = SimilarImages(frame, self.path)
            self.words = WordSearch(self.searched)

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

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary})"

    @property
    def near(self) -> float:
        """The near-duplicate boundary on the uniqueness scale, in [0, 1]."""
        return self._near

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

    @property
    def _readable(self) -> Mask:
        error = self.known.get_column("error", default=None)
        return np.ones(len(self), np.bool_) if error is None else error.is_null().to_numpy()

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

    # Similar images

    def similar(self, path: str | os.PathLike[str], k: int = 12) -> pl.DataFrame:
        """Return the k nearest images to one of the frame; see :func:`dedup_widgets.similar`."""
        return self._searcher().frame(as_text(path), k)

    def similar_rows(self, row: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the k nearest images to a row, and how far away they are."""
        return self._searcher().rows(row, k)

    def on_scale(self, distances: np.ndarray) -> np.ndarray:
        """Return distances to an image on the scale of uniqueness, which tiles show; float32.

        The same picture has 0, and NaN stays NaN.
        """
        made = None if self.searched is None else self.searched.made
        score = scale(distances, 1.0 if made is None else made.gamma)
        return np.where(distances == 0, np.float32(0), score)

    def relations(self, rows: np.ndarray, row: int) -> list[str | None]:
        """Return what some rows are of a row, in words; None where it is not known."""
        if self.searched is not None and self.searched.compared is not None:
            return self.searched.relations(rows, row)
        if not {"relation", "nearest"} <= set(self.known.columns):
            return [None] * len(rows)
        known = rows_of(self.known, rows, ("relation", "nearest")).rows()
        return [relation if near == self.paths[row] else None for relation, near in known]

    @property
    def why_no_similar(self) -> str | None:
        """Why there are no similar items; None when there are."""
        if self.searched is not None:
            return None
        return "this frame has no column 'embedding'; dedup_widgets.score makes one"

    def _searcher(self) -> SimilarImages:
        if self.searched is None:
            raise InputError(f"similar items are off: {self.why_no_similar}")
        return self.searched

    # Rows

    def mask(self, what: Any) -> Mask:
        """Return the mask of the rows that a frame, paths or a mask stand for.

        Raises
        ------
        InputError
            When a path is not in the frame, or `what` is nothing of these.
        """
        return mask_meant(what, self._lookup, self.path)

    def mask_of(self, rows: Iterable[int]) -> Mask:
        """Return the mask of some rows, by their numbers."""
        mask = np.zeros(len(self.frame), np.bool_)
        mask[rows if isinstance(rows, np.ndarray) else np.fromiter(rows, np.int64)] = True
        return mask

    def row_of(self, path: str | os.PathLike[str]) -> int:
        """Return the row of a path.

        Raises
        ------
        InputError
            When it is not in the frame.
        """
        (row,) = self._lookup.first([as_text(path)]).tolist()
        if row < 0:
            raise InputError(f"{os.fspath(path)!r} is not in this frame")
        return int(row)

    def paths_in(self, mask: Mask) -> list[str]:
        """Return the paths of the rows of a mask."""
        return self._lookup.texts.filter(pl.Series(mask)).to_list()

    def _gather(self, rows: np.ndarray) -> pl.DataFrame:
        return self.frame.rechunk()[rows]

    # The texts and facts of a tile

    def fact(self, row: int, column: str) -> Any:
        """Return the value of a known column in a row, None where there is no such column."""
        return self.known[column][row] if column in self.known.columns else None

    def facts(self, rows: Sequence[int], columns: Sequence[str]) -> list[dict[str, Fact]]:
        """Return the values of some columns in some rows, for people to read.

        Dates are milliseconds since 1970, in UTC; lists are joined by commas. A column that the
        frame does not have is passed over.
        """
        there = [name for name in columns if name in self.frame.columns]
        if not there:
            return [{} for _ in rows]
        values = rows_of(self.frame, np.asarray(rows), there).select(
            shown_value(name, self.frame.schema[name]) for name in there
        )
        return values.to_dicts()

    def caption(self, row: int) -> str | None:
        """Return what an image is to the others, as far as the frame's own columns show it."""
        frame = self.known
        if not {"uniqueness", "group", "keep", "nearest"} <= set(frame.columns):
            return None
        if self.bands.ungrouped[row]:
            return f"near {file_name(frame['nearest'][row])}, in no group"
        if frame["group"][row] is None or frame["keep"][row]:
            return None
        if frame["uniqueness"][row] == 0:
            return f"exact duplicate of {file_name(frame['nearest'][row])}"
        keeper = int(self.bands.keeper[frame["group"][row]])
        return self._as_copy(row, keeper) or f"near-duplicate of {file_name(self.paths[keeper])}"

    def _as_copy(self, row: int, other: int) -> str | None:
        """Return which copy of another image it is, by name; None where that is not known."""
        (relation,) = self.relations(np.array([row]), other)
        return of_image(relation, file_name(self.paths[other])) if relation else None

    def by_hand(self, _row: int) -> tuple[bool, bool]:
        """Return whether a person chose an image as keeper, and called it no duplicate."""
        return False, False
