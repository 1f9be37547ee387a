"""Which images are near each other, at any boundary: by their vectors, and by confirmed pairs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.scope import Scope
from dedup_widgets.neighbors import grouping
from dedup_widgets.neighbors.greedy import group_greedily
from dedup_widgets.neighbors.pairs import Pairs, pairs_within
from dedup_widgets.neighbors.vectors import distances, first_equal, unit_vectors
from dedup_widgets.scoring.compared import ComparedPictures
from dedup_widgets.scoring.uniqueness import SAME

PLANNER_NEAR_LIMIT = 0.2
"""Boundary, on the uniqueness scale, up to which one search of pairs serves all boundaries."""


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

    Parameters
    ----------
    embeddings
        Of all rows of a frame.
    row
        (n,), the rows that can be compared.
    lowest
        (n,), the lowest boundary at which each of them may have a neighbour.
    radius
        Returns the largest cosine distance within a boundary, -1 when none is.
    limits
        How much is compared and held.
    compared
        What is known from laying pictures over each other; None if only vectors are known.
    scope
        Which rows may be duplicates of each other; None: all.
    """

    def __init__(
        self,
        embeddings: pl.Series,
        row: NDArray[np.int64],
        lowest: NDArray[np.float64],
        radius: Callable[[float], float],
        limits: Limits,
        *,
        compared: ComparedPictures | None = None,
        scope: Scope | None = None,
    ) -> None:
        self._limits = limits
        self._embeddings, self._row = embeddings, row
        self.radius = radius
        self._compared, self._scope = compared, scope
        self._from = np.zeros(len(embeddings))
        self._from[row] = lowest
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
