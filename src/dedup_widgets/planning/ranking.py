"""The comparable images of a scored frame, best keeper first, and which are near each other."""

import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.provenance import of_one_model, provenances
from dedup_widgets.frame.scale import FLOOR, NEAR, radius_of, scale
from dedup_widgets.frame.schema import NESTED
from dedup_widgets.frame.scope import Scope, scope_of
from dedup_widgets.frame.table import rows_of
from dedup_widgets.neighbors import grouping
from dedup_widgets.neighbors.greedy import group_greedily
from dedup_widgets.neighbors.pairs import Pairs, pairs_within
from dedup_widgets.neighbors.vectors import distances, first_equal, unit_vectors
from dedup_widgets.scoring.compared import ComparedPictures, compared_pictures
from dedup_widgets.scoring.keepers import Ranking, Rule
from dedup_widgets.scoring.uniqueness import SAME

PLANNER_NEAR_LIMIT = 0.2
"""Boundary, on the uniqueness scale, up to which one search of pairs serves all boundaries."""


PAIRS_AT_A_TIME = 16_384
"""Pairs of embeddings whose distance is computed at a time, to bound memory."""


@dataclass(frozen=True)
class Limits:
    """How much a planner compares and holds. No group depends on them."""

    max_images: int = 32_768
    """Images whose pairs are all compared in a few seconds."""

    max_pairs: int = 8_000_000
    """Pairs of near images to hold, at most: 128 MB."""

    max_part: float = 0.05
    """Share of the images up to which only those are planned anew that a decision concerns."""


LIMITS = Limits()


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
        self.closeness = Closeness(self, limits) if needed == "embedding" else None

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
        order = np.empty(len(ranks), np.int64)
        order[ranks] = np.arange(len(ranks))
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


class Closeness:
    """Which images are near each other, for groups at any boundary.

    The pairs within a limit are searched once, when they are first needed, and kept. Beyond the
    limit, or where there are too many pairs to keep, each boundary is searched by itself; the
    groups are the same. It may serve several threads.

    Where pictures were laid over each other, up to the model's own boundary only the pairs count
    that were confirmed; beyond it vectors count as well.

    An image whose score is above a boundary has no other within it, so only images with lower
    scores are compared. In a frame without fingerprints, or whose scores do not follow from its
    distances, all images are.
    """

    def __init__(self, scored: ScoredImages, limits: Limits) -> None:
        assert scored.embeddings is not None
        self._limits = limits
        self._embeddings = scored.embeddings
        self.radius = scored.radius
        self._row = scored.row
        self._compared, self._scope = scored.compared, scored.scope
        # The lowest boundary at which a row of the frame may have a neighbour.
        self._from = np.zeros(len(scored.embeddings))
        if scored.is_on_scale and scored.pictures is not None:
            score = scored.images["uniqueness"].cast(pl.Float64).fill_null(0.0)
            # The score of copies is 0 for all but one, and any of them may become the keeper.
            score = score.set(scored.pictures.is_duplicated(), 0.0)
            # A little less than the score: gamma may have been inferred from rounded numbers.
            self._from[self._row] = (score.to_numpy() - 2 * FLOOR) / 1.001
        self._lowest = np.sort(self._from[self._row])
        self._lock = threading.Lock()
        self._found: _NearPairs | None = None

    @property
    def limit(self) -> float:
        """The boundary up to which comparing takes seconds, however many images there are."""
        return min(PLANNER_NEAR_LIMIT, self._affordable(self._limits.max_images))

    def _affordable(self, images: int) -> float:
        """Return the highest boundary at which at most so many images may have a neighbour."""
        return float(self._lowest[images]) if images < len(self._lowest) else 1.0

    def greedy_groups(
        self, rows: NDArray[np.int64], near: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Group images greedily, as :func:`dedup_widgets.neighbors.grouping.greedy_groups` does.

        Parameters
        ----------
        rows
            Rows of the frame, one for each picture, best keeper first.
        near
            Boundary on the uniqueness scale.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.bool_]]
            For each of `rows`, where in `rows` its representative is, and whether any other of
            them is within the boundary.
        """
        representative, has_neighbor = np.arange(len(rows)), np.zeros(len(rows), np.bool_)
        some = np.flatnonzero(self._from[rows] <= near)
        radius, compared = self.radius(near), self._compared
        if compared is None and self._scope is None:
            of_some, has_neighbor[some] = self._greedy_groups(rows[some], near, radius)
        elif compared is None:
            none = [np.empty(0, np.int64)] * len(some)
            of_some, has_neighbor[some] = self._greedy_groups_with(rows[some], near, radius, none)
        elif radius < compared.pairs.boundary:
            copies = _confirmed(rows[some], compared, radius, self._scope)
            of_some, has_neighbor[some] = _grouped_by(copies)
        else:
            copies = _confirmed(rows[some], compared, radius, self._scope)
            of_some, has_neighbor[some] = self._greedy_groups_with(rows[some], near, radius, copies)
        representative[some] = some[of_some]
        return representative, has_neighbor

    def same(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return, for each of `rows`, the index in `rows` of the first with the same picture.

        Pictures count as the same by their embeddings alone.
        """
        return self._greedy_groups(rows, 0.0, SAME)[0]

    def _greedy_groups_with(
        self, rows: NDArray[np.int64], near: float, radius: float, copies: list[NDArray[np.int64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Group rows by their vectors, and with their copies wherever the vectors of these are."""
        if radius < 0:
            return np.arange(len(rows)), np.zeros(len(rows), np.bool_)
        found, scope = self._pairs(near), self._scope
        if found.near < near or found.pairs.radius < radius:
            vectors = unit_vectors(self._embeddings.gather(rows))
            if scope is None:
                return _greedy_groups_by_search(vectors, radius, _pairs_of(copies))
            return _grouped_by(
                [
                    _near_in_scope(vectors, i, np.flatnonzero(scope.allows(row, rows)), radius)
                    for i, row in enumerate(rows.tolist())
                ]
            )
        vector = found.vector[rows]
        order = np.argsort(vector, kind="stable")
        start = np.searchsorted(vector[order], np.arange(vector.max(initial=-1) + 2))

        def neighbors(i: int) -> NDArray[np.int64]:
            near_vectors = np.append(found.pairs.of(int(vector[i]), radius), vector[i])
            near_vectors = near_vectors[near_vectors < len(start) - 1]
            of_vectors = [order[start[v] : start[v + 1]] for v in near_vectors.tolist()]
            both: NDArray[np.int64] = np.concatenate([*of_vectors, copies[i]])
            others: NDArray[np.int64] = np.unique(both[both != i])
            if scope is not None:
                others = others[scope.allows(int(rows[i]), rows[others])]
            return others

        return _grouped_by([neighbors(i) for i in range(len(rows))])

    def _greedy_groups(
        self, rows: NDArray[np.int64], near: float, radius: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Do the same for rows that may all have neighbours, at a boundary and its distance."""
        if radius < 0:
            return np.arange(len(rows)), np.zeros(len(rows), np.bool_)
        found = self._pairs(near)
        if found.near < near or found.pairs.radius < radius:
            return _greedy_groups_by_search(unit_vectors(self._embeddings.gather(rows)), radius)
        # Equal vectors have the same neighbours, so the best of them is enough.
        _, first, which = np.unique(found.vector[rows], return_index=True, return_inverse=True)
        distinct = np.sort(first)
        distinct_of = np.searchsorted(distinct, first[which])
        representative, has_neighbor = found.pairs.greedy_groups(
            found.vector[rows[distinct]], radius
        )
        has_equal = np.bincount(distinct_of)[distinct_of] > 1
        return distinct[representative[distinct_of]], has_neighbor[distinct_of] | has_equal

    def _pairs(self, near: float) -> "_NearPairs":
        """Return the pairs up to a boundary, or up to a lower one if there are too many."""
        with self._lock:
            known = found = self._found
            if found is None or (found.near < near and not found.is_cut):
                found = self._search(near)
                if known is not None and found.pairs.radius < known.pairs.radius:
                    found = replace(known, is_cut=True)
                self._found = found
            return found

    def _search(self, near: float) -> "_NearPairs":
        """Search the pairs up to a boundary, or a higher one if that is affordable."""
        before = 0 if self._found is None else int((self._found.vector >= 0).sum())
        # Search farther than asked: a boundary that is moved up in small steps would otherwise cost
        # a search at each step.
        wanted = PLANNER_NEAR_LIMIT if near <= PLANNER_NEAR_LIMIT else min(1.0, 1.5 * near)
        images = max(self._limits.max_images, 2 * before)
        limit = max(near, min(wanted, self._affordable(images)))
        rows = self._row[self._from[self._row] <= limit]
        vectors = unit_vectors(self._embeddings.gather(rows))
        distinct, which = np.unique(first_equal(vectors), return_inverse=True)
        vector = np.full(len(self._from), -1)
        vector[rows] = which
        radius = self.radius(limit)
        pairs = pairs_within(vectors[distinct], radius, max_pairs=self._limits.max_pairs)
        return _NearPairs(limit, vector, pairs, is_cut=pairs.radius < radius)


@dataclass(frozen=True)
class _NearPairs:
    """The pairs of images within a boundary.

    Attributes
    ----------
    near
        The boundary.
    vector
        For each row of the frame, the index of its vector among the distinct ones; -1 for images
        that cannot have a neighbour within the boundary.
    pairs
        The pairs of distinct vectors.
    is_cut
        Whether there are too many pairs at this boundary, or a higher one, to keep them all.
    """

    near: float
    vector: NDArray[np.int64]
    pairs: Pairs
    is_cut: bool


def _near_in_scope(
    vectors: NDArray[np.float32], one: int, others: NDArray[np.int64], radius: float
) -> NDArray[np.int64]:
    """Return which others, in ascending order, are within a distance of a vector."""
    others = others[others != one]
    of_one = np.broadcast_to(vectors[one], (len(others), vectors.shape[1]))
    near: NDArray[np.int64] = others[distances(of_one, vectors[others]) <= radius]
    return near


def _confirmed(
    rows: NDArray[np.int64], compared: ComparedPictures, radius: float, scope: Scope | None
) -> list[NDArray[np.int64]]:
    """Return, for each of some rows of different pictures, which of them are copies of it.

    In a scope several rows may show one picture: in other parts, or in the old set.
    """
    if scope is not None:
        picture = compared.picture[rows]
        order = np.argsort(picture, kind="stable")
        start = np.searchsorted(picture[order], np.arange(len(compared.pairs) + 1))
        copies = []
        for i, (row, own) in enumerate(zip(rows.tolist(), picture.tolist(), strict=True)):
            numbers = np.append(compared.pairs.within(own, radius), own)
            other = np.sort(np.concatenate([order[start[n] : start[n + 1]] for n in numbers]))
            copies.append(other[scope.allows(row, rows[other]) & (other != i)])
        return copies
    index = np.full(len(compared.pairs), -1)
    index[compared.picture[rows]] = np.arange(len(rows))
    near = (index[compared.pairs.within(int(n), radius)] for n in compared.picture[rows])
    return [others[others >= 0] for others in near]


def _grouped_by(
    near: list[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    has_neighbor = np.array([others.size > 0 for others in near], np.bool_)
    return group_greedily(range(len(near)), len(near), near.__getitem__), has_neighbor


def _pairs_of(near: list[NDArray[np.int64]]) -> NDArray[np.int32]:
    first = np.repeat(np.arange(len(near)), [len(others) for others in near])
    pairs = np.stack([first, np.concatenate([np.empty(0, np.int64), *near])], axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]].astype(np.int32)


def _greedy_groups_by_search(
    vectors: NDArray[np.float32], radius: float, also: NDArray[np.int32] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the same as :meth:`Closeness.greedy_groups`, without a list of all pairs."""
    rows = np.arange(len(vectors))
    representative = grouping.greedy_groups(vectors, radius, also=also)
    has_neighbor = np.bincount(representative, minlength=len(rows))[representative] > 1
    # An image that has neighbours and yet no group is only near members of other groups.
    members, alone = vectors[representative != rows], np.flatnonzero(~has_neighbor)
    has_neighbor[alone] = grouping.any_within(vectors[alone], members, radius)
    if also is not None:
        has_neighbor[also.ravel()] = True
    return representative, has_neighbor


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
