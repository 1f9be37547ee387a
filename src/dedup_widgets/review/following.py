"""A scored frame as it follows the plan: groups, who stays, and who of exact copies has the score.

The copies of one picture share one distance to the nearest other picture. So the score, and what
decided it, go over to whichever of them is the keeper, by rule or by hand; the others have 0.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.provenance import at_near, provenances
from dedup_widgets.frame.schema import COLUMNS, KIND
from dedup_widgets.frame.scope import scope_of
from dedup_widgets.frame.table import scattered

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
    shown : ndarray of int64, (n,)
        Equal numbers for equal pictures.
    picture : ndarray of int64, (n,)
        The same for those that may be exact copies of each other: where a set was scored against
        another, or within parts, not all of them may.
    """

    def __init__(self, frame: pl.DataFrame, path: str, score: str | None) -> None:
        self._frame, self._path, self._score = frame, path, score
        self._rows = np.arange(len(frame))
        self._nearest = _rows_of_nearest(frame, path)
        self.shown = self._shown_pictures()
        self.picture = self._within_scope(self.shown)
        self._scored: list[str] = []
        if score is None:
            return
        names = [c for c in DECIDED if c in frame.columns and COLUMNS[c].fits(frame[c])]
        if self._nearest is not None and "nearest" not in names:
            names.append("nearest")
        self._scored = [score, *names]
        scores = frame[score].cast(pl.Float32).fill_nan(None)
        has_score = scores.is_not_null().to_numpy()
        has_more = (scores > 0).fill_null(False).to_numpy()
        self._holder = np.full(len(frame), -1)
        self._holder[self.picture[has_more]] = np.flatnonzero(has_more)
        # In a part of a frame the copy with the score may be missing: then it is not known.
        size = np.bincount(self.picture[has_score], minlength=len(frame))
        shared = (size > 1) & (self._holder >= 0)
        self._copies = np.flatnonzero(has_score & shared[self.picture])
        zeros = self._copies[~has_more[self._copies]]
        self._zero = np.full(len(frame), -1)
        self._zero[self.picture[zeros]] = zeros

    def _shown_pictures(self) -> NDArray[np.int64]:
        frame, score = self._frame, self._score
        if "fingerprint" in frame.columns:
            prints = frame.select(picture=pl.col("fingerprint").cast(pl.String)).with_row_index(
                "at"
            )
            is_none = pl.col("picture").is_null()
            first = pl.when(is_none).then("at").otherwise(pl.col("at").min().over("picture"))
            return prints.select(first).to_series().to_numpy().astype(np.int64)
        if score is None or self._nearest is None:
            return self._rows
        is_copy = (frame[score] == 0).fill_null(False).to_numpy() & (self._nearest >= 0)
        return np.where(is_copy, self._nearest, self._rows)

    def _within_scope(self, picture: NDArray[np.int64]) -> NDArray[np.int64]:
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

    def at(self, plan: pl.DataFrame, near: float) -> pl.DataFrame:
        """Return the frame as a plan at a boundary has it.

        Where the frame records the boundary it was scored with, `near` is recorded instead.
        """
        compared = plan["rank"].is_not_null()
        columns = [
            plan["group"],
            plan.select(keep=pl.when(compared).then(pl.col("action") == "keep")).to_series(),
            *self._scores(plan),
        ]
        frame, score = self._frame, self._score
        if score is not None and "kind" in frame.columns and COLUMNS["kind"].fits(frame["kind"]):
            kind, is_near = (
                pl.col("kind").cast(pl.String),
                pl.col(score) <= pl.lit(near, pl.Float32),
            )
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
        return at_near(frame.with_columns(columns), near)

    def _scores(self, plan: pl.DataFrame) -> list[pl.Series]:
        """Return the columns of scores, where a plan has another keeper among copies."""
        if not self._scored or not self._copies.size:
            return []
        copies, picture = self._copies, self.picture[self._copies]
        stays = (plan["action"] == "keep").to_numpy()[copies]
        rank = plan["rank"].fill_null(len(plan)).to_numpy()[copies]
        # The first to stay, by rank; where none does, the score remains where it was.
        first = self._holder.copy()
        order = np.argsort(rank[stays], kind="stable")[::-1]
        first[picture[stays][order]] = copies[stays][order]
        has_it = stays | (first[picture] == copies)
        source = np.where(has_it, self._holder[picture], self._zero[picture])
        changed = source != copies
        if not changed.any():
            return []
        rows, source = copies[changed], source[changed]
        scored = self._frame.select(self._scored)
        columns = [scattered(column, rows, column.gather(source)) for column in scored]
        if self._nearest is None:
            return columns
        nearest = self._nearest.copy()
        nearest[rows] = nearest[source]
        head = np.where(first[self.picture] >= 0, first[self.picture], self._rows)
        # Whoever had its nearest in one of these pictures has the one with the score.
        named = np.flatnonzero((nearest >= 0) & (head[nearest] != nearest))
        column = columns[self._scored.index("nearest")]
        is_number = column.dtype.is_integer()
        heads = head[nearest[named]]
        texts = pl.Series(heads) if is_number else self._frame[self._path].gather(heads)
        columns[self._scored.index("nearest")] = scattered(column, named, texts.cast(column.dtype))
        return columns


def _rows_of_nearest(frame: pl.DataFrame, path: str) -> NDArray[np.int64] | None:
    """Return the row of each row's nearest image, -1 for none; None where no column has it."""
    dtype = frame.schema.get("nearest", pl.Null)
    if dtype.is_integer():
        nearest = frame["nearest"].cast(pl.Int64)
        return (
            pl.select(pl.when(nearest < len(frame)).then(nearest))
            .to_series()
            .fill_null(-1)
            .to_numpy()
        )
    if not isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return None
    known = frame.select(nearest=pl.col(path).cast(pl.String)).with_row_index("at")
    found = frame.select(pl.col("nearest").cast(pl.String)).join(
        known, on="nearest", how="left", maintain_order="left"
    )
    return found["at"].cast(pl.Int64).fill_null(-1).to_numpy()
