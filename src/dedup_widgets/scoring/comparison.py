"""A search among representatives, from the beginning or continuing from an earlier one.

A representative stands for all exact copies of a picture. Representatives are identified by their
rank, 0 for the best keeper; of others equally near, the one of the lowest rank is the nearest. The
search itself runs in storage order, the order in which vectors lie in memory or on disk, because
reading them in order is faster.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets.frame.lookup import inverse_of
from dedup_widgets.neighbors import grouping
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.confirmed import ConfirmedPairs
from dedup_widgets.neighbors.grouping import greedy_groups_of_pairs, ordered
from dedup_widgets.neighbors.pair_list import PairList
from dedup_widgets.neighbors.search import Method, search
from dedup_widgets.neighbors.vectors import Vectors, pair_cosines, parts

PAIRS_AT_A_TIME = 2048
"""Pairs that are computed exactly at a time."""


@dataclass(frozen=True)
class Comparison:
    """The result of a search, to continue from when images are added or removed.

    Attributes
    ----------
    fingerprints
        Of the n representatives, by rank; empty where vectors alone identified them.
    nearest
        (n,), the rank of the nearest other representative, -1 when there is none.
    distance
        (n,), the cosine distance to it in [0, 1], 1 when there is none.
    radius
        Largest cosine distance of `pairs`; negative: there are none.
    pairs
        (p, 2), the ranks of all pairs of representatives within the radius, the lower one first,
        in ascending order; None where there were too many to keep.
    """

    fingerprints: Sequence[Hashable]
    nearest: NDArray[np.integer]
    distance: NDArray[np.float64]
    radius: float
    pairs: NDArray[np.int32] | None


@dataclass(frozen=True)
class Representatives:
    """The vectors to compare, and how.

    Attributes
    ----------
    vectors
        Of all images.
    rows
        The row of each representative among them, by rank.
    radius
        Largest cosine distance of the pairs to find.
    method, device, progress
        As for :func:`dedup_widgets.neighbors.search.search`.
    old
        (n,), by rank: no two of these are compared; None for all.
    """

    vectors: Vectors
    rows: NDArray[np.int64]
    radius: float
    method: Method
    device: str | None
    progress: Progress
    old: NDArray[np.bool_] | None = None

    def search(self, fingerprints: Sequence[Hashable] = ()) -> Comparison:
        """Compare all of them from the beginning."""
        if self.old is not None:
            return self._search_against(self.old, self.radius, fingerprints)
        rank, stored = self._in_storage_order()
        found = search(
            stored,
            rank=rank,
            radius=self.radius,
            method=self.method,
            device=self.device,
            progress=self.progress,
        )
        return self._comparison(fingerprints, rank, found.row, found.distance, found.pairs)

    def continue_from(
        self, earlier: Comparison, fingerprints: Sequence[Hashable]
    ) -> Comparison | None:
        """Compare only those that are new, or whose nearest was removed, with all.

        Returns
        -------
        Comparison or None
            To the last bit what a search from the beginning finds, provided that the earlier one
            was exact; None if the keepers' order has changed, so that the earlier one is of no use.
        """
        rank_of = {fingerprint: rank for rank, fingerprint in enumerate(fingerprints)}
        new_rank = np.array([rank_of.get(name, -1) for name in earlier.fingerprints], np.int64)
        remains = new_rank >= 0
        if not (np.diff(new_rank[remains]) > 0).all():
            return None
        nearest = np.full(len(self.rows), -1)
        distance = np.ones(len(self.rows))
        # Index -1, for no nearest, selects the -1 that is appended.
        nearest[new_rank[remains]] = np.append(new_rank, -1)[earlier.nearest[remains]]
        distance[new_rank[remains]] = earlier.distance[remains]

        rank, stored = self._in_storage_order()
        position = inverse_of(rank)  # of each rank in storage order
        row = np.where(nearest >= 0, position[nearest], -1)[rank]
        pairs = PairList()
        reuses_pairs = earlier.pairs is not None and earlier.radius >= self.radius
        if reuses_pairs:
            kept = self._pairs_to_keep(stored, position, new_rank, nearest, earlier)
            pairs.add(kept[:, 0], kept[:, 1])
        best = AllPairs(
            stored,
            rank=rank,
            radius=self.radius,
            collector=pairs if reuses_pairs else None,
            device=self.device,
        )
        best.initialise(row, _cosine(stored, row, distance[rank]))
        best.compare(np.flatnonzero(row < 0), np.flatnonzero(row >= 0), self.progress)
        found = np.clip(1.0 - best.cosine, 0.0, 1.0)
        near = pairs.pairs() if reuses_pairs else self._pairs_among_near(stored, found)
        return self._comparison(fingerprints, rank, best.row, found, near)

    def _search_against(
        self, old: NDArray[np.bool_], radius: float, fingerprints: Sequence[Hashable] = ()
    ) -> Comparison:
        """Compare those that are new with each other and with the old ones."""
        rank, stored = self._in_storage_order()
        pairs = PairList()
        best = AllPairs(stored, rank=rank, radius=radius, collector=pairs, device=self.device)
        best.compare(np.flatnonzero(~old[rank]), np.flatnonzero(old[rank]), self.progress)
        distance = np.where(best.row >= 0, np.clip(1.0 - best.cosine, 0.0, 1.0), 1.0)
        return self._comparison(fingerprints, rank, best.row, distance, pairs.pairs())

    def greedy_groups(self, compared: Comparison) -> NDArray[np.integer]:
        """Group representatives greedily within the radius, each group round its best keeper.

        Returns
        -------
        NDArray[np.int64]
            (n,), the rank of the keeper of each one's group, its own for a keeper and for those in
            no group.
        """
        if compared.pairs is not None:
            return greedy_groups_of_pairs(len(self.rows), compared.pairs)
        keeper = np.arange(len(self.rows))
        # Those that are farther from their nearest are in no group.
        near = np.flatnonzero(compared.distance <= self.radius)
        vectors = self.vectors.take(self.rows[near])
        keeper[near] = near[grouping.greedy_groups(vectors, self.radius, device=self.device)]
        return keeper

    def greedy_groups_with(
        self,
        radius: float,
        order: NDArray[np.int32],
        confirmed: ConfirmedPairs,
    ) -> NDArray[np.int32]:
        """Group representatives by vectors within a radius, and by what was confirmed.

        Parameters
        ----------
        radius
            Largest cosine distance from the keeper of a group to a member.
        order
            Representatives, the best keeper first.
        confirmed
            Pairs that belong together whatever their vectors.

        Returns
        -------
        NDArray[np.int32]
            (n,), the representative that leads the group of each one.
        """
        place = inverse_of(order)
        if self.old is not None:
            near = self._search_against(self.old, radius).pairs
            both = confirmed.pairs() if near is None else np.concatenate([near, confirmed.pairs()])
            pairs = np.sort(place[both], axis=1)
            pairs = pairs[np.lexsort(pairs.T[::-1])].astype(np.int32)
            return order[greedy_groups_of_pairs(len(order), pairs)[place]]
        also = place[confirmed.pairs()].astype(np.int32)
        leader = grouping.greedy_groups(
            self.vectors.take(self.rows[order]), radius, also=also, device=self.device
        )
        return order[leader[place]]

    def without_duplicates(
        self, compared: Comparison, same: float
    ) -> "tuple[NDArray[np.int64], Representatives, Comparison]":
        """Merge those within a cosine distance of `same`, greedily, into the best of them.

        Returns
        -------
        tuple
            (n,), the rank of the one that each is merged into, its own if it remains; the
            representatives that remain; and the result of a search among them.
        """
        duplicates = np.flatnonzero(compared.distance <= same)
        merged_into = np.arange(len(self.rows))
        vectors = self.vectors.take(self.rows[duplicates])
        merged_into[duplicates] = duplicates[
            grouping.greedy_groups(vectors, same, device=self.device)
        ]
        remaining = np.flatnonzero(merged_into == np.arange(len(merged_into)))
        if len(remaining) == len(merged_into):
            return merged_into, self, compared
        left = replace(self, rows=self.rows[remaining])
        numbered = replace(compared, fingerprints=range(len(merged_into)))
        found = left.continue_from(numbered, remaining.tolist())
        assert found is not None, "those that remain are in the same order"
        return merged_into, left, replace(found, fingerprints=())

    def _in_storage_order(self) -> tuple[NDArray[np.int64], Vectors]:
        """Return ranks and vectors in storage order: that of the rows."""
        rank = np.argsort(self.rows)
        return rank, self.vectors.take(self.rows[rank])

    def _pairs_among_near(
        self, stored: Vectors, distance: NDArray[np.float64]
    ) -> NDArray[np.int32] | None:
        """Return the pairs within the radius, of vectors in storage order; None for too many."""
        near = np.flatnonzero(distance <= self.radius)
        return grouping.pairs_among(
            stored, near, self.radius, device=self.device, progress=self.progress
        )

    def _pairs_to_keep(
        self,
        stored: Vectors,
        position: NDArray[np.int64],
        new_rank: NDArray[np.int64],
        nearest: NDArray[np.int64],
        earlier: Comparison,
    ) -> NDArray[np.int64]:
        """Return the earlier pairs, (p, 2) in storage order, that are not compared again."""
        assert earlier.pairs is not None
        pairs: NDArray[np.int64] = new_rank[earlier.pairs]
        pairs = pairs[(pairs >= 0).all(axis=1)]
        pairs = position[pairs[(nearest[pairs] >= 0).all(axis=1)]]
        if earlier.radius == self.radius:
            return pairs
        within = np.empty(len(pairs), np.bool_)
        for part in parts(len(pairs), PAIRS_AT_A_TIME):
            cosine = pair_cosines(stored, *pairs[part].T)
            within[part] = np.clip(1.0 - cosine, 0.0, 1.0) <= self.radius
        return pairs[within]

    def _comparison(
        self,
        fingerprints: Sequence[Hashable],
        rank: NDArray[np.int64],
        row: NDArray[np.int64],
        distance: NDArray[np.float64],
        pairs: NDArray[np.int32] | None,
    ) -> Comparison:
        """Return what was found in storage order by rank."""
        nearest, distance_by_rank = np.empty_like(row), np.empty_like(distance)
        nearest[rank] = np.append(rank, -1)[row]
        distance_by_rank[rank] = distance
        ranked_pairs = None if pairs is None else ordered(rank.astype(np.int32)[pairs])
        return Comparison(fingerprints, nearest, distance_by_rank, self.radius, ranked_pairs)


def _cosine(
    vectors: Vectors, row: NDArray[np.int64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the exact cosine of each vector with its nearest, -inf where there is none."""
    # From 1/2 to 1, and down to 0, 1 minus a float is exact, so the cosine is not rounded.
    cosine = np.where(row >= 0, 1.0 - distance, -np.inf)
    inexact = np.flatnonzero((row >= 0) & ((distance > 0.5) | (distance == 0)))
    for part in parts(len(inexact), PAIRS_AT_A_TIME):
        some = inexact[part]
        cosine[some] = pair_cosines(vectors, some, row[some])
    return cosine
