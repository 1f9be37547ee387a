"""What a search among originals finds, from nothing or going on from an earlier one.

Originals are numbered by their place, the best keeper first. They are read in the order in which
they lie, which is quick from a disk, and of others equally near the best keeper is the nearest.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets.neighbors import grouping
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.grouping import leaders_of_pairs, ordered
from dedup_widgets.neighbors.pair_list import PairList
from dedup_widgets.neighbors.search import Method, search
from dedup_widgets.neighbors.vectors import Vectors, pair_cosines, parts

PAIRS_AT_A_TIME = 2048


@dataclass(frozen=True)
class Compared:
    """What a search found, to go on from when images come or go.

    Attributes
    ----------
    fingerprints
        Of the n originals, the best keeper first; none where vectors stood in for them.
    nearest
        (n,), the place of the nearest other original, -1 when there is none.
    distance
        (n,), the cosine distance to it in [0, 1], 1 when there is none.
    reach
        Largest cosine distance of `pairs`; negative: there are none.
    pairs
        (p, 2), the places of all pairs of originals within reach, the lower one first, in
        ascending order; None where there were too many to keep.
    """

    fingerprints: Sequence[Hashable]
    nearest: NDArray[np.int64]
    distance: NDArray[np.float64]
    reach: float
    pairs: NDArray[np.int32] | None


@dataclass(frozen=True)
class Originals:
    """The vectors to compare, and how.

    Attributes
    ----------
    vectors
        Of all images.
    rows
        The row of each original among them, the best keeper first.
    reach
        Largest cosine distance of the pairs to find.
    method, device, progress
        As for :func:`dedup_widgets.neighbors.search.search`.
    """

    vectors: Vectors
    rows: NDArray[np.int64]
    reach: float
    method: Method
    device: str | None
    progress: Progress

    def search(self, fingerprints: Sequence[Hashable] = ()) -> Compared:
        """Compare all from nothing."""
        places, lying = self._as_they_lie()
        found = search(
            lying,
            rank=places,
            reach=self.reach,
            method=self.method,
            device=self.device,
            progress=self.progress,
        )
        return self._compared(fingerprints, places, found.row, found.distance, found.pairs)

    def go_on(self, earlier: Compared, fingerprints: Sequence[Hashable]) -> Compared | None:
        """Compare only who is new, or lost its nearest, with all.

        Returns
        -------
        Compared or None
            To the last bit what a search from nothing finds, provided that the earlier one was
            exact; None where it says nothing about this one, as the keepers' order is another.
        """
        now = {fingerprint: place for place, fingerprint in enumerate(fingerprints)}
        place = np.array([now.get(name, -1) for name in earlier.fingerprints], np.int64)
        stays = place >= 0
        if not (np.diff(place[stays]) > 0).all():
            return None
        known = np.full(len(self.rows), -1)
        distance = np.ones(len(self.rows))
        # An earlier place of -1, for no nearest, is that of the -1 at the end.
        known[place[stays]] = np.append(place, -1)[earlier.nearest[stays]]
        distance[place[stays]] = earlier.distance[stays]

        places, lying = self._as_they_lie()
        at = np.empty_like(places)  # where each place lies
        at[places] = np.arange(len(places))
        row = np.where(known >= 0, at[known], -1)[places]
        pairs = PairList()
        reuses_pairs = earlier.pairs is not None and earlier.reach >= self.reach
        if reuses_pairs:
            old = self._still_within(lying, at, place, known, earlier)
            pairs.add(old[:, 0], old[:, 1])
        best = AllPairs(
            lying,
            rank=places,
            reach=self.reach,
            sink=pairs if reuses_pairs else None,
            device=self.device,
        )
        best.know(row, _cosine(lying, row, distance[places]))
        best.compare(np.flatnonzero(row < 0), np.flatnonzero(row >= 0), self.progress)
        found = np.clip(1.0 - best.cosine, 0.0, 1.0)
        near = pairs.pairs() if reuses_pairs else self._pairs_among_near(lying, found)
        return self._compared(fingerprints, places, best.row, found, near)

    def leaders(self, compared: Compared) -> NDArray[np.int64]:
        """Group originals greedily within reach, each group led by its best keeper.

        Returns
        -------
        NDArray[np.int64]
            (n,), the place of each one's leader; a leader's own place for itself.
        """
        if compared.pairs is not None:
            return leaders_of_pairs(len(self.rows), compared.pairs)
        leader = np.arange(len(self.rows))
        # Who is farther than that from its nearest can be in no group.
        near = np.flatnonzero(compared.distance <= self.reach)
        vectors = self.vectors.take(self.rows[near])
        leader[near] = near[grouping.leaders(vectors, self.reach, device=self.device)]
        return leader

    def without_twins(
        self, compared: Compared, same: float
    ) -> "tuple[NDArray[np.int64], Originals, Compared]":
        """Let each that is within `same` of a better one, itself no such twin, go with that one.

        Returns
        -------
        tuple
            The place of the one that each goes with, its own if it stays; the originals that
            stay; and what a search among them finds.
        """
        twins = np.flatnonzero(compared.distance <= same)
        leader = np.arange(len(self.rows))
        vectors = self.vectors.take(self.rows[twins])
        leader[twins] = twins[grouping.leaders(vectors, same, device=self.device)]
        stays = np.flatnonzero(leader == np.arange(len(leader)))
        if len(stays) == len(leader):
            return leader, self, compared
        left = replace(self, rows=self.rows[stays])
        numbered = replace(compared, fingerprints=range(len(leader)))
        found = left.go_on(numbered, stays.tolist())
        assert found is not None, "who stays is in the same order"
        return leader, left, replace(found, fingerprints=())

    def _as_they_lie(self) -> tuple[NDArray[np.int64], Vectors]:
        """Return the places in the order of rows, and their vectors."""
        places = np.argsort(self.rows)
        return places, self.vectors.take(self.rows[places])

    def _pairs_among_near(
        self, lying: Vectors, distance: NDArray[np.float64]
    ) -> NDArray[np.int32] | None:
        near = np.flatnonzero(distance <= self.reach)
        return grouping.pairs_among(
            lying, near, self.reach, device=self.device, progress=self.progress
        )

    def _still_within(
        self,
        lying: Vectors,
        at: NDArray[np.int64],
        place: NDArray[np.int64],
        known: NDArray[np.int64],
        earlier: Compared,
    ) -> NDArray[np.int64]:
        """Return the earlier pairs, as they lie, of two who are not compared again."""
        assert earlier.pairs is not None
        pairs: NDArray[np.int64] = place[earlier.pairs]
        pairs = pairs[(pairs >= 0).all(axis=1)]
        pairs = at[pairs[(known[pairs] >= 0).all(axis=1)]]
        if earlier.reach == self.reach:
            return pairs
        within = np.empty(len(pairs), np.bool_)
        for part in parts(len(pairs), PAIRS_AT_A_TIME):
            cosine = pair_cosines(lying, *pairs[part].T)
            within[part] = np.clip(1.0 - cosine, 0.0, 1.0) <= self.reach
        return pairs[within]

    def _compared(
        self,
        fingerprints: Sequence[Hashable],
        places: NDArray[np.int64],
        row: NDArray[np.int64],
        distance: NDArray[np.float64],
        pairs: NDArray[np.int32] | None,
    ) -> Compared:
        """Return what was found as they lie, numbered by place."""
        nearest, at_distance = np.empty_like(row), np.empty_like(distance)
        nearest[places] = np.append(places, -1)[row]
        at_distance[places] = distance
        placed = None if pairs is None else ordered(places.astype(np.int32)[pairs])
        return Compared(fingerprints, nearest, at_distance, self.reach, placed)


def _cosine(
    vectors: Vectors, row: NDArray[np.int64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the exact cosine of each vector with its nearest, -inf where there is none."""
    # From 1/2 to 1, and down to 0, 1 minus a float is exact, so nothing was rounded away.
    cosine = np.where(row >= 0, 1.0 - distance, -np.inf)
    rounded = np.flatnonzero((row >= 0) & ((distance > 0.5) | (distance == 0)))
    for part in parts(len(rounded), PAIRS_AT_A_TIME):
        some = rounded[part]
        cosine[some] = pair_cosines(vectors, some, row[some])
    return cosine
