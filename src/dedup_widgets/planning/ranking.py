"""The comparable images of a scored frame, best keeper first."""

import threading
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.lookup import inverse_of
from dedup_widgets.frame.provenance import of_one_model, provenances
from dedup_widgets.frame.scale import FLOOR, NEAR, radius_of, scale
from dedup_widgets.frame.schema import NESTED
from dedup_widgets.frame.scope import scope_of
from dedup_widgets.frame.table import rows_of
from dedup_widgets.neighbors.vectors import distances, unit_vectors
from dedup_widgets.planning.closeness import Closeness, Limits
from dedup_widgets.scoring.compared import ComparedPictures, compared_pictures
from dedup_widgets.scoring.keepers import Ranking, Rule

PAIRS_AT_A_TIME = 16_384
"""Pairs of embeddings whose distance is computed at a time, to bound memory."""


class ScoredImages:
    """The images of a scored frame that can be compared with each other.

    Parameters
    ----------
    frame
        A frame with ``path``.
    needed
        The column without which an image cannot be compared.
    limits
        How much is compared and kept.

    Attributes
    ----------
    images
        The images, without their embeddings.
    row
        The row of each in the frame.
    total
        How many rows the frame has.
    embeddings
        The frame's column of them, null for images without one; None if it has none.
    made
        How its scores were made, as far as the frame says so.
    scope
        Which rows of the frame may be duplicates of each other; None where all may.
    closeness
        Which images are near each other; None if another column than embeddings is needed.

    Notes
    -----
    A frame of :func:`dedup_widgets.score` says which gamma and near it was made with. Where one
    does not, for it is older or somebody's own, both are inferred from its scores.
    """

    def __init__(self, frame: pl.DataFrame, needed: str, limits: Limits) -> None:
        compared = pl.col(needed).is_not_null()
        if "error" in frame.columns:
            compared &= pl.col("error").is_null()
        mask = frame.select(compared).to_series()
        images = frame.drop(NESTED, strict=False)
        self.images = images if mask.all() else images.filter(mask)
        self.row = np.flatnonzero(mask.to_numpy())
        self.total = len(frame)
        self.made = provenances(self.images)
        self.scope = scope_of(frame, self.made)
        self.embeddings = frame["embedding"] if "embedding" in frame.columns else None
        self._known = frame.select(pl.col("^(fingerprint|evidence)$"))
        self.closeness: Closeness | None = None
        if needed == "embedding":
            assert self.embeddings is not None
            self.closeness = Closeness(
                self.embeddings,
                self.row,
                self._lowest_boundaries(),
                self.radius,
                limits,
                compared=self.compared,
                scope=self.scope,
            )

    def _lowest_boundaries(self) -> NDArray[np.float64]:
        """Return the lowest boundary at which each image may have a neighbour, by its score."""
        if not self.is_on_scale or self.pictures is None:
            return np.zeros(len(self.images))
        score = self.images["uniqueness"].cast(pl.Float64).fill_null(0.0)
        # The score of copies is 0 for all but one, and any of them may become the keeper.
        score = score.set(self.pictures.is_duplicated(), 0.0)
        # A little less than the score: gamma may have been inferred from rounded numbers.
        lowest: NDArray[np.float64] = (score.to_numpy() - 2 * FLOOR) / 1.001
        return lowest

    @cached_property
    def near(self) -> float:
        """The boundary that the frame was scored with.

        Of frames put together it is the lowest. Where none says so, it is inferred from kinds and
        groups: it lies between the scores of kind near and those of kind unique, and no member of a
        group is farther from its keeper. If the default does not fit, it is the lowest that does: a
        boundary that is too low keeps images, one that is too high loses them.
        """
        if self.made:
            return min(made.near for made in self.made)
        if not {"kind", "uniqueness"} <= set(self.images.columns):
            return NEAR
        score = self.images["uniqueness"].cast(pl.Float32)
        kind = self.images["kind"].cast(pl.String)
        low = score.filter(kind == "near").to_numpy().max(initial=self._widest_group())
        high = score.filter(kind == "unique").to_numpy().min(initial=np.inf)
        return NEAR if low <= np.float32(NEAR) < high else float(low)

    def _widest_group(self) -> float:
        """Return how far the farthest member of a group is from its keeper, as uniqueness."""
        embeddings = self.embeddings
        if (
            embeddings is None
            or self.gamma is None
            or not {"group", "keep"} <= set(self.images.columns)
        ):
            return 0.0
        grouped = (
            self.images.select("group", pl.col("keep").cast(pl.Boolean))
            .with_columns(row=self.row)
            .filter(embeddings.is_not_null().gather(self.row), pl.col("group").is_not_null())
        )
        keepers = grouped.filter("keep")
        pairs = grouped.filter(~pl.col("keep")).join(keepers, on="group", suffix="_keeper")
        distance = distances_between(
            embeddings, pairs["row"].to_numpy(), pairs["row_keeper"].to_numpy()
        )
        return float(scale(distance.max(initial=0.0), self.gamma))

    @cached_property
    def gamma(self) -> float | None:
        """The exponent between the frame's distances and its scores, None if there is none.

        Where the frame does not say, it is the one that most rows agree with.
        """
        if self.made:
            gammas = {made.gamma for made in self.made}
            return gammas.pop() if len(gammas) == 1 else None
        if not {"uniqueness", "distance"} <= set(self.images.columns):
            return None
        score = self.images["uniqueness"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        distance = self.images["distance"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        # At the lowest score the exponent is lost, and near 1 the logarithm is mostly rounding.
        usable = (score > 1.001 * FLOOR) & (score < 1) & (distance > 0) & (distance < 0.999)
        for floor in (FLOOR, 0.0):  # frames of the first version had no floor
            powered = (score[usable] - floor) / (1 - floor)
            exponents = np.log(powered) / np.log(distance[usable])
            if not exponents.size:
                return None
            gamma = float(np.median(exponents))
            agrees = abs(exponents - gamma) <= 1e-3 * gamma
            if 1e-3 <= gamma <= 1e3 and np.mean(agrees) >= 0.9:
                return 1.0 if abs(gamma - 1) < 1e-5 else gamma
        return None

    @cached_property
    def is_on_scale(self) -> bool:
        """Whether scores follow from the distances; a column of a user's own need not."""
        if not self.made or self.gamma is None:
            return self.gamma is not None
        if not {"uniqueness", "distance"} <= set(self.images.columns):
            return False
        both = self.images.select(
            pl.col("uniqueness", "distance").cast(pl.Float64).fill_nan(None)
        ).filter((pl.col("uniqueness") > 0) & pl.col("distance").is_not_null())
        score, distance = (both[name].to_numpy() for name in both.columns)
        follows = abs(score - scale(distance, self.gamma)) <= 1e-3 * score
        return not follows.size or bool(np.mean(follows) >= 0.9)

    @cached_property
    def compared(self) -> ComparedPictures | None:
        """What is known from laying pictures over each other; None if only vectors are known."""
        return compared_pictures(self._known, self.made)

    def distances(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distance of each row of the frame to its other one; NaN where not known."""
        distance = np.full(len(rows), np.nan)
        if self.embeddings is not None:
            has_vector = self.embeddings.is_not_null().to_numpy()
            known = has_vector[rows] & has_vector[others]
            distance[known] = distances_between(self.embeddings, rows[known], others[known])
        return distance if self.compared is None else self.compared.decide(rows, others, distance)

    def check_models(self, purpose: str) -> None:
        """Raise an InputError that names two models whose embeddings cannot be compared."""
        of_one_model(self.made, purpose)

    @property
    def limit(self) -> float:
        """The boundary up to which new groups take seconds, however many images there are."""
        return self.near if self.closeness is None else self.closeness.limit

    def radius(self, near: float) -> float:
        """Return the largest cosine distance within a boundary, -1 when none is."""
        return radius_of(near, 1.0 if self.gamma is None else self.gamma)

    @cached_property
    def pictures(self) -> pl.Series | None:
        """A text for each image, equal for exact duplicates; None if no column shows them."""
        if "fingerprint" in self.images.columns:
            text = pl.coalesce(pl.col("fingerprint").cast(pl.String), "path")
        elif {"uniqueness", "nearest"} <= set(self.images.columns):
            text = pl.when(pl.col("uniqueness") == 0).then("nearest").otherwise("path")
        else:
            return None
        return self.images.select(text).to_series()


class RankedImages:
    """Images that can be compared with each other, the best keeper first.

    Attributes
    ----------
    scored, rules
        The images, and the rules that rank them.
    row
        The row of each in the frame.
    picture
        The first image with the same picture that it may be a duplicate of, itself if there is
        none before it.
    old
        (n,), whether it was there before, so that it stays whatever is decided.
    """

    def __init__(self, scored: ScoredImages, rules: Sequence[str | Rule]) -> None:
        ranking = Ranking(scored.images, rules)
        ranks = ranking.ranks()
        order = inverse_of(ranks)
        self._ranking, self._order = ranking, order
        # What decided for keepers, as far as it was asked for.
        self._runner_up = np.full(len(order), -1, np.int32)
        self._decided = np.full(len(order), None, object)
        self._lock = threading.Lock()
        self.scored, self.rules = scored, tuple(rules)
        self.row = scored.row[order]
        if "fingerprint" in scored.images.columns:
            self.picture = ranks[ranking.best_copy[order]]
        elif scored.pictures is None:
            assert scored.closeness is not None
            self.picture = scored.closeness.same(self.row)
        else:
            pictures = scored.pictures.gather(order).to_frame("picture").with_row_index("index")
            first = pictures.select(pl.col("index").min().over("picture"))
            self.picture = first.to_series().to_numpy().astype(np.int64)
        self.old = np.zeros(len(self.row), np.bool_)
        if scored.scope is not None:
            scope = scored.scope[self.row]
            self.picture, self.old = scope.pictures(self.picture), scope.old

    def __len__(self) -> int:
        return len(self.row)

    @property
    def total(self) -> int:
        """How many rows the frame has."""
        return self.scored.total

    def part(self, images: NDArray[np.int64]) -> Self:
        """Return some of the images in their order, each with all copies of its picture."""
        part = copy(self)
        part._order, part.row = self._order[images], self.row[images]
        part.picture = np.searchsorted(images, self.picture[images])
        part.old = self.old[images]
        part._runner_up, part._decided = self._runner_up[images], self._decided[images]
        part._runner_up[:] = -1
        return part

    @property
    def columns(self) -> list[str]:
        """The columns of the frame, without those for machines."""
        return self.scored.images.columns

    def facts(
        self, names: Sequence[str], images: NDArray[np.int64] | slice = slice(None)
    ) -> pl.DataFrame:
        """Return some columns of the frame for images, by default for all."""
        return rows_of(self.scored.images, self._order[images], names)

    def decided_by(
        self, keepers: NDArray[np.int64], runners_up: NDArray[np.int64]
    ) -> list[str | None]:
        """Tell which rule decided between keepers and their runners-up.

        Most keepers are those of the last plan, so what decided for them is remembered.
        """
        with self._lock:
            new = self._runner_up[keepers] != runners_up
            if new.any():
                pairs = self._order[keepers[new]], self._order[runners_up[new]]
                self._decided[keepers[new]] = self._ranking.decided_by(*pairs)
                self._runner_up[keepers[new]] = runners_up[new]
            decided: list[str | None] = self._decided[keepers].tolist()
            return decided


def distances_between(
    embeddings: pl.Series, rows: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the cosine distance of each row's embedding to that of its other one, in [0, 1]."""
    distance = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_A_TIME):
        part = slice(start, start + PAIRS_AT_A_TIME)
        a = unit_vectors(embeddings.gather(rows[part]))
        b = unit_vectors(embeddings.gather(others[part]))
        distance[part] = distances(a, b)
    return distance
