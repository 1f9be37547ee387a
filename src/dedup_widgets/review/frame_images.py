"""The images of a frame: what is known of each, what is like it, and whom a path means."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.frame.relations import of_image
from dedup_widgets.frame.scale import scale
from dedup_widgets.frame.schema import recognised
from dedup_widgets.frame.summary import Summary, of_input, summarize
from dedup_widgets.frame.table import Texts, amended, file_name, path_column, rows_of, to_polars
from dedup_widgets.review.display import Bands, Fact, Shown, bands, shown, shown_value
from dedup_widgets.review.meant import as_text, mask_meant
from dedup_widgets.review.steps import Mask
from dedup_widgets.review.watched import Watched
from dedup_widgets.search.similar import SimilarImages
from dedup_widgets.search.words import WordSearch
from dedup_widgets.store.open import Store, open_store


class FrameImages(Watched):
    """The images of a frame, and what is known of them.

    Parameters
    ----------
    data
        Any table with a column of paths: Polars, pandas, pyarrow, ….
    path
        The column of paths.
    score
        The column of uniqueness in [0, 1]; None for none. It is used where the frame has it.
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
        self._near = near
        self._lookup = Lookup(paths)
        self._search(frame)
        self._begin(frame)

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

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary})"

    @property
    def near(self) -> float:
        """The near-duplicate boundary on the uniqueness scale, in [0, 1]."""
        return self._near

    @property
    def _readable(self) -> Mask:
        error = self.known.get_column("error", default=None)
        return np.ones(len(self), np.bool_) if error is None else error.is_null().to_numpy()

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
