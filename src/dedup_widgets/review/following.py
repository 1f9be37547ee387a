"""A scored frame as it follows the plan: groups, who stays, and who of exact copies has the score.

The copies of one picture share one distance to the nearest other picture. So the score, and what
decided it, go over to whichever of them is the keeper, by rule or by hand; the others have 0.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.provenance import at_near, provenances
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.frame.schema import COLUMNS, KIND
from dedup_widgets.frame.scope import scope_of
from dedup_widgets.frame.table import rows_of, scattered

DECIDED = ("nearest", "distance", "relation", "agreement")
"""The columns that say what decided a score."""


class Following:
    """A scored frame, for one plan after the other.

    Parameters
    ----------
    frame
        The frame as it was scored.
    path, score
        Its columns of paths and of uniqueness; without the latter, scores stay as they are.

    Attributes
    ----------
    shown : ndarray of int32, (n,)
        Equal numbers for equal pictures.
    picture : ndarray of int32, (n,)
        The same for those that may be exact copies of each other: where a set was scored against
        another, or within parts, not all of them may.
    """

    def __init__(self, frame: pl.DataFrame, path: str, score: str | None) -> None:
        self._frame, self._path, self._score = frame, path, score
        self._rows = np.arange(len(frame), dtype=np.int32)
        self._nearest = _rows_of_nearest(frame, path)
        self._first = first_rows(frame, path)
        self.shown = self._shown_pictures()
        self.picture = self._within_scope(self.shown)
        self._has_kind = "kind" in frame.columns and COLUMNS["kind"].fits(frame["kind"])
        self._scored: list[str] = []
        self._copies = np.zeros(len(frame), np.bool_)
        self._holder = np.full(len(frame), -1, np.int32)
        self._zero = self._holder
        if score is not None:
            self._find_copies(score)
        # Of each picture, the copy that has the score; of each row, the row whose score it has.
        self._head, self._source = self._holder, self._rows

    def _find_copies(self, score: str) -> None:
        """Find the copies that share one score, which of them has it, and one that has 0."""
        frame = self._frame
        names = [c for c in DECIDED if c in frame.columns and COLUMNS[c].fits(frame[c])]
        if self._nearest is not None and "nearest" not in names:
            names.append("nearest")
        self._scored = [score, *names]
        scores = frame[score].cast(pl.Float32).fill_nan(None)
        has_score = scores.is_not_null().to_numpy()
        has_more = (scores > 0).fill_null(False).to_numpy()
        self._holder[self.picture[has_more]] = np.flatnonzero(has_more)
        # In a part of a frame the copy with the score may be missing: then it is not known.
        size = np.bincount(self.picture[has_score], minlength=len(frame))
        shared = (size > 1) & (self._holder >= 0)
        self._copies = has_score & shared[self.picture]
        zeros = np.flatnonzero(self._copies & ~has_more)
        self._zero = np.full(len(frame), -1, np.int32)
        self._zero[self.picture[zeros]] = zeros

    def _shown_pictures(self) -> NDArray[np.int32]:
        frame, score = self._frame, self._score
        if "fingerprint" in frame.columns:
            return Lookup(frame["fingerprint"]).equals
        if score is None or self._nearest is None:
            return self._rows
        is_copy = (frame[score] == 0).fill_null(False).to_numpy() & (self._nearest >= 0)
        return np.where(is_copy, self._nearest, self._rows)

    def _within_scope(self, picture: NDArray[np.int32]) -> NDArray[np.int32]:
        scope = scope_of(self._frame, provenances(self._frame), self._path)
        if scope is None:
            return picture
        # The old image that stands for its picture is that in a group, if there is one.
        group = self._frame.get_column("group", default=pl.Series([None] * len(self._rows)))
        order = np.argsort(group.is_null().to_numpy(), kind="stable")
        _, places = np.unique(picture, return_inverse=True)
        of_order = scope[order].pictures(places[order])
        pictures = np.empty_like(picture)
        pictures[order] = order[of_order]
        return pictures

    def without_further(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return some rows without further names of files that are among them."""
        if self._first is None:
            return mask
        is_further: NDArray[np.bool_] = self._first != self._rows
        left: NDArray[np.bool_] = mask & ~(is_further & mask[self._first])
        return left

    def at(self, plan: pl.DataFrame, near: float) -> pl.DataFrame:
        """Return the frame as a plan at a boundary has it.

        Where the frame records the boundary it was scored with, `near` is recorded instead.
        """
        self._head, self._source = self._holder, self._rows
        self._follow(plan, None)
        return at_near(self._frame.with_columns(self._columns(plan, near, None)), near)

    def again(
        self, plan: pl.DataFrame, near: float, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], pl.DataFrame]:
        """Return what other decisions about some rows change.

        Parameters
        ----------
        plan, near
            The plan, at the same boundary as the one before.
        rows
            Where it may be unlike the one before: with all copies of their pictures.

        Returns
        -------
        tuple[NDArray[np.int64], pl.DataFrame]
            These rows, and those whose nearest image is among them; and their columns.
        """
        self._follow(plan, rows)
        if self._nearest is not None:
            is_here = np.zeros(len(self._rows) + 1, np.bool_)  # one more, for -1
            is_here[rows] = True
            is_here[:-1] |= is_here[self._nearest[self._source]]
            rows = np.flatnonzero(is_here)
        return rows, pl.DataFrame(self._columns(plan, near, rows))

    def _columns(
        self, plan: pl.DataFrame, near: float, rows: NDArray[np.int64] | None
    ) -> list[pl.Series]:
        """Return the columns that follow a plan, all rows of them without `rows`."""
        frame, score = self._frame, self._score
        scores = self._scores(rows)
        if rows is not None:
            plan = rows_of(plan, rows, ["group", "action", "rank"])
            names = [name for name in ("kind", score) if name is not None and self._has_kind]
            frame = rows_of(frame, rows, names)
        compared = pl.col("rank").is_not_null()
        columns = [
            plan["group"],
            plan.select(keep=pl.when(compared).then(pl.col("action") == "keep")).to_series(),
            *scores,
        ]
        if score is not None and self._has_kind:
            kind = pl.col("kind").cast(pl.String)
            is_near = pl.col(score) <= pl.lit(near, pl.Float32)
            columns.append(
                frame.select(
                    kind=pl.when((kind == "exact") | kind.is_null())
                    .then(kind)
                    .when(is_near)
                    .then(pl.lit("near"))
                    .otherwise(pl.lit("unique"))
                    .cast(KIND)
                ).to_series()
            )
        return columns

    def _follow(self, plan: pl.DataFrame, rows: NDArray[np.int64] | None) -> None:
        """Let the scores of copies go over to those that a plan keeps."""
        copies = np.flatnonzero(self._copies) if rows is None else rows[self._copies[rows]]
        if not copies.size:
            return
        picture = self.picture[copies]
        planned = rows_of(plan, copies, ["action", "rank"])
        stays = (planned["action"] == "keep").to_numpy()
        rank = planned["rank"].fill_null(len(plan)).to_numpy()
        # The first to stay, by rank; where none does, the score remains where it was.
        head, source = self._head.copy(), self._source.copy()
        head[picture] = self._holder[picture]
        order = np.argsort(rank[stays], kind="stable")[::-1]
        head[picture[stays][order]] = copies[stays][order]
        has_it = stays | (head[picture] == copies)
        source[copies] = np.where(has_it, self._holder[picture], self._zero[picture])
        if self._first is not None:
            further = further_rows(self._first)
            source[further] = source[self._first[further]]
        self._head, self._source = head, source

    def _scores(self, rows: NDArray[np.int64] | None) -> list[pl.Series]:
        """Return the columns of scores, for all rows those that are unlike the frame's."""
        if rows is None and self._source is self._rows:
            return []
        source = self._source if rows is None else self._source[rows]
        if rows is None and not (source != self._rows).any():
            return []
        columns = [self._frame[name].gather(source) for name in self._scored]
        if self._nearest is None or not self._scored:
            return columns
        # Whoever had its nearest in a picture whose score went over has the one that has it now.
        nearest = self._nearest[source]
        head = self._head[self.picture[nearest]]
        moved = (head != self._holder[self.picture[nearest]]) & (nearest >= 0) & (head >= 0)
        named = np.flatnonzero(moved & (head != nearest))
        at = self._scored.index("nearest")
        dtype = columns[at].dtype
        texts = (
            pl.Series(head[named])
            if dtype.is_integer()
            else self._frame[self._path].gather(head[named])
        )
        columns[at] = scattered(columns[at], named, texts.cast(dtype))
        return columns


def _rows_of_nearest(frame: pl.DataFrame, path: str) -> NDArray[np.int32] | None:
    """Return the row of each row's nearest image, -1 for none; None where no column has it."""
    dtype = frame.schema.get("nearest", pl.Null)
    if dtype.is_integer():
        nearest = frame["nearest"].cast(pl.Int64)
        return (
            pl.select(pl.when(nearest < len(frame)).then(nearest))
            .to_series()
            .fill_null(-1)
            .to_numpy()
            .astype(np.int32)
        )
    if not isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return None
    return Lookup(frame[path]).first(frame["nearest"].cast(pl.String)).astype(np.int32)
