"""What is known of a scored frame from laying its pictures over each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.provenance import Provenance, are_compared
from dedup_widgets.frame.relations import in_words
from dedup_widgets.frame.scale import near_distance_of
from dedup_widgets.frame.schema import COLUMNS, RELATION
from dedup_widgets.neighbors.confirmed import ConfirmedPairs
from dedup_widgets.scoring.evidence import confirmed_in_frame, pairs_of_frame

OF_PAIR = {"relation": RELATION, "agreement": pl.Float32(), "words": pl.String()}
"""Columns that tell of pairs of rows."""


def compared_pictures(frame: pl.DataFrame, made: Sequence[Provenance]) -> "ComparedPictures | None":
    """Return which pictures of a frame were laid over each other, and what was found.

    Parameters
    ----------
    frame
        As :func:`dedup_widgets.score` makes it.
    made
        How its scores were made, as far as it says so.

    Returns
    -------
    ComparedPictures or None
        None if only vectors are known, or the scores were made in different ways.
    """
    gammas = {it.gamma for it in made}
    if len(gammas) != 1 or not are_compared(made):
        return None
    if not {"evidence", "fingerprint"} <= set(frame.columns):
        return None
    if not COLUMNS["evidence"].fits(frame["evidence"]):
        return None
    picture, found = pairs_of_frame(frame["fingerprint"].cast(pl.String), frame["evidence"])
    n = int(picture.max(initial=-1)) + 1
    pairs = confirmed_in_frame(n, found, near_distance_of(gammas.pop()))
    return ComparedPictures(picture, pairs, found)


@dataclass(frozen=True)
class ComparedPictures:
    """The pictures of a frame that were laid over each other.

    Attributes
    ----------
    picture
        For each row of the frame, the number of its picture; -1 for none.
    pairs
        Pairs of pictures by their numbers.
    found
        What was found of them, as :func:`~dedup_widgets.scoring.evidence.pairs_of_frame` returns.
    """

    picture: NDArray[np.int64]
    pairs: ConfirmedPairs
    found: pl.DataFrame

    def are_within(self, row: int, others: NDArray[np.int64], radius: float) -> NDArray[np.bool_]:
        """Tell which other rows were confirmed to be copies of a row, within a distance."""
        number = self.picture[row]
        if number < 0:
            return np.zeros(len(others), np.bool_)
        return np.isin(self.picture[others], self.pairs.within(int(number), radius))

    def decide(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        distance: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the distances of pairs of rows from those of their vectors."""
        own, other = self.picture[rows], self.picture[others]
        confirmed = np.full(len(rows), np.nan)
        known = (own >= 0) & (other >= 0)
        confirmed[known] = self.pairs.distances(own[known], other[known])
        beyond = np.minimum(np.maximum(distance, self.pairs.boundary), 1.0)
        decided = np.where(np.isnan(confirmed), beyond, confirmed)
        return np.where((own == other) & known, 0.0, decided)

    def copies(self, row: int) -> NDArray[np.int64]:
        """Return the other rows that show the picture of a row, or a confirmed copy of it."""
        number = int(self.picture[row])
        if number < 0:
            return np.empty(0, np.int64)
        order, start = self._by_picture
        numbers = np.append(self.pairs.agreements(number)[0], number)
        rows = np.concatenate([order[start[n] : start[n + 1]] for n in numbers.tolist()])
        others: NDArray[np.int64] = rows[rows != row]
        return others

    def of_pairs(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> pl.DataFrame:
        """Return what each row is of its other one.

        Returns
        -------
        pl.DataFrame
            With the columns of :data:`OF_PAIR`, null for all pairs but those that were confirmed
            themselves.
        """
        own, other = self.picture[rows], self.picture[others]
        key, columns = self._of_pairs
        wanted = np.where((own < 0) | (other < 0), -1, own * len(self.pairs) + other)
        place = np.searchsorted(key, wanted)
        is_known = np.append(key, -2)[place] == wanted
        return columns.select(pl.all().gather(pl.Series(place).set(pl.Series(~is_known), None)))

    def found_of(
        self, row: int, others: NDArray[np.int64]
    ) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
        """Return what was found of each other row's picture beside that of a row, and back.

        Structs of the column ``evidence``; None for pairs that were not confirmed themselves.
        """
        own = int(self.picture[row])
        pair = pl.col("pair")
        confirmed = self.found.filter(
            (pl.col("first") == own) | (pl.col("second") == own),
            pair.struct.field("agreement").is_not_null(),
        )
        found = {(first, second): it for first, second, it in confirmed.iter_rows()}
        return [
            (found.get((number, own)), found.get((own, number)))
            for number in self.picture[others].tolist()
        ]

    @cached_property
    def _by_picture(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows ordered by their pictures, and where each picture begins."""
        order = np.argsort(self.picture, kind="stable")
        start = np.searchsorted(self.picture[order], np.arange(len(self.pairs) + 1))
        return order, start

    @cached_property
    def _of_pairs(self) -> tuple[NDArray[np.int64], pl.DataFrame]:
        """The confirmed pairs as one ascending number each, and the columns of `OF_PAIR`."""
        pair = pl.col("pair").struct
        confirmed = self.found.filter(pair.field("agreement").is_not_null())
        columns = confirmed.select(
            pair.field("relation"), pair.field("agreement"), words=in_words(pl.col("pair"))
        )
        key = confirmed["first"] * len(self.pairs) + confirmed["second"]
        return key.to_numpy(), columns
