"""Looking at pairs of pictures: which of the proposed ones, in which order, and how many.

Whether two pictures are copies depends on these two alone. Which pairs are looked at is bounded:

1. Pictures that are copies by their vectors, hardly in doubt, are compared with the best of them,
   most often the keeper. Which it is shows beside a sample of :data:`SAMPLE` of them; it is chosen
   at most :data:`RANKINGS` times.
2. Of the others, and of those of which the best shows a part only, each is compared with its
   nearest candidates, one after the other, until one is confirmed: at most :data:`CANDIDATES`. For
   a candidate that is a copy of the best of its group, that one is.
3. Pictures that were confirmed to be copies, directly or over others, are a set. The best picture
   of a set is compared with the best of other sets that have candidates in it: at most
   :data:`OTHER_SETS`, the nearest first.
4. The best of a set is compared with all others of it, and the next best that is as good with
   those that are no copy of it; of these, the best with the rest, and so on: each is compared with
   at most :data:`KEEPERS` of them, and as many of the next best.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.frame.lookup import inverse_of
from dedup_widgets.neighbors.confirmed import spans
from dedup_widgets.neighbors.grouping import greedy_groups_of_pairs
from dedup_widgets.neighbors.pair_list import pair_keys
from dedup_widgets.scoring.candidates import Candidates, once
from dedup_widgets.scoring.pair_evidence import NOTHING, PairEvidence

SURELY, NEARLY_ALL = 0.25, 0.9
"""Share of the candidate radius within which nearly all pairs are copies, and agreement from which
such a picture shows what the best one does."""


SAMPLE = 3
"""Pictures of a group beside which it shows whether another one is the best to keep."""


CANDIDATES = 4
"""Candidates of a picture that are looked at until one is confirmed."""


OTHER_SETS = 3
"""Sets that a set of copies is compared with, by the best picture of each."""


KEEPERS = 3
"""Keepers that a picture is compared with."""


RANKINGS = 6
"""Times, at most, that keepers are chosen anew as evidence shows what is missing in them: of 23
edits of a photo four may be needed."""


Look = Callable[[NDArray[np.int32]], PairEvidence]
"""Compares pairs of pictures, (p, 2), given as their numbers, the lower one first, in ascending
order."""


Ranked = Callable[[PairEvidence], NDArray[np.integer]]
"""Ranks n pictures as keepers by what was found, (n,), the lowest for the best."""


@dataclass(frozen=True)
class Looked:
    """What was found.

    Attributes
    ----------
    evidence
        Of the pairs that were looked at.
    left_out
        Pictures of which no copy was confirmed while candidates were left that were not looked at.
    """

    evidence: PairEvidence
    left_out: int


class _Looking:
    """What was found so far of the pairs of n pictures that were looked at."""

    def __init__(self, look: Look, old: NDArray[np.bool_]) -> None:
        self._look, self._old = look, old
        self.evidence = NOTHING

    def compare(self, rows: NDArray[np.integer], others: NDArray[np.integer]) -> None:
        """Look at the pairs of pictures of which nothing is known; they may occur repeatedly."""
        new = once(pairs_of(rows, others))
        new = new[(self.evidence.places(new) < 0) & ~self._old[new].all(axis=1)]
        if len(new):
            self.evidence = self.evidence.joined(self._look(new))

    def are_copies(
        self, rows: NDArray[np.integer], others: NDArray[np.integer], agreement: float = 0.0
    ) -> NDArray[np.bool_]:
        """Tell which pairs were confirmed, with an agreement of as much or more."""
        places = self.evidence.places(pairs_of(rows, others))
        is_copy = self.evidence.is_confirmed & (self.evidence.found["agreement"] >= agreement)
        return np.append(is_copy, False)[places]


def look_at_pairs(
    candidates: Candidates,
    look: Look,
    ranked: Ranked,
    *,
    radius: float,
    old: NDArray[np.bool_] | None = None,
) -> Looked:
    """Compare pictures with their candidates, and members of a group with its keeper.

    Parameters
    ----------
    candidates
        Of n pictures.
    look
        Compares two pictures.
    ranked
        Says which pictures are the better keepers.
    radius
        The distance within which candidates lie.
    old
        (n,), pictures of which no two are looked at; None for none.
    """
    looking = _Looking(look, np.zeros(len(candidates), np.bool_) if old is None else old)
    best = _compare_within_groups(candidates, looking, ranked, SURELY * radius)
    left_out = _compare_with_nearest(candidates, looking, best)
    for _ in range(RANKINGS):
        before = len(looking.evidence)
        rank = ranked(looking.evidence)
        _compare_sets(candidates, looking, rank)
        _compare_with_keepers(looking, rank)
        if len(looking.evidence) == before:
            break
    return Looked(looking.evidence, left_out)


def _compare_within_groups(
    candidates: Candidates, looking: _Looking, ranked: Ranked, radius: float
) -> NDArray[np.int32]:
    """Group pictures greedily within a radius, and compare those of a group with the best of it.

    First the one that seems to be the best is compared with a sample of the group, until none is
    better. Where it is a copy of none of these the group is none of copies, as of pages.

    Returns
    -------
    NDArray[np.int32]
        (n,), the best of the group of each picture; the picture itself where it has no group.
    """
    best_first = np.argsort(ranked(NOTHING), kind="stable").astype(np.int32)
    place = inverse_of(best_first)
    row = np.repeat(np.arange(len(place), dtype=np.int32), np.diff(candidates.start))
    is_near = (candidates.distance <= radius) & (row < candidates.other)
    pairs = np.stack([place[row[is_near]], place[candidates.other[is_near]]], axis=1)
    places, at = np.unique(pairs, return_inverse=True)
    leader = greedy_groups_of_pairs(len(places), at.reshape(-1, 2).astype(np.int32))
    by_group = np.argsort(leader, kind="stable")
    rows = best_first[places[by_group]]
    _, start, group, size = np.unique(
        leader[by_group], return_index=True, return_inverse=True, return_counts=True
    )
    # Of each group some that lie evenly in their order.
    is_sample = (np.arange(len(rows)) - start[group]) * SAMPLE % size[group] < SAMPLE

    best = rows
    for _ in range(RANKINGS):
        before = len(looking.evidence)
        order = np.lexsort((ranked(looking.evidence)[rows], group))
        best = rows[order[start]][group]
        some = is_sample & (rows != best)
        looking.compare(best[some], rows[some])
        if len(looking.evidence) == before:
            break
    are_copies = np.bincount(group, looking.are_copies(best, rows))[group] > 0
    some = are_copies & (rows != best)
    looking.compare(best[some], rows[some])
    best_of = np.arange(len(candidates), dtype=np.int32)
    best_of[rows] = best
    return best_of


def _compare_with_nearest(
    candidates: Candidates, looking: _Looking, best: NDArray[np.int32]
) -> int:
    """Compare each picture with its candidates until one is confirmed; return who has more.

    For a candidate of which the `best` of its group shows nearly all, that one is looked at: it
    shows the same, and may become the keeper. Pictures of which the best shows a part only are
    compared with their nearest, too.
    """
    counts = np.diff(candidates.start)
    rows = np.arange(len(candidates), dtype=np.int32)
    stands_for = np.where(looking.are_copies(best, rows, NEARLY_ALL), best, rows)
    is_seen = stands_for != rows
    is_seen[stands_for[is_seen]] = True
    left = np.flatnonzero((counts > 0) & ~is_seen)
    for place in range(CANDIDATES):
        looking.compare(left, stands_for[candidates.other[candidates.start[left] + place]])
        settled = np.zeros(len(candidates), np.bool_)
        settled[looking.evidence.copies] = True
        left = left[~settled[left] & (counts[left] > place + 1)]
    return len(left)


def _compare_sets(candidates: Candidates, looking: _Looking, rank: NDArray[np.integer]) -> None:
    """Compare the best picture of each set with the best of others, and with single pictures."""
    rows, first = connected(looking.evidence.copies)
    order = np.lexsort((rank[rows], first))
    which, starts = np.unique(first[order], return_index=True)
    best = np.arange(len(candidates), dtype=np.int32)
    best[rows] = rows[order[starts]][np.searchsorted(which, first)]
    own = best[rows]
    # All candidates of a set, the nearest first, each best of another set once.
    counts = np.diff(candidates.start)[rows]
    near = spans(candidates.start[rows], counts)
    own, others = np.repeat(own, counts), best[candidates.other[near]]
    order = np.lexsort((np.repeat(rows, counts), candidates.distance[near], own))
    order = order[(own != others)[order]]
    own, others = own[order], others[order]
    first_seen = np.unique(pair_keys(own, others), return_index=True)[1]
    first_seen.sort()
    own, others = own[first_seen], others[first_seen]
    _, starts, counts = np.unique(own, return_index=True, return_counts=True)
    place = np.arange(len(own)) - np.repeat(starts, counts)
    looking.compare(own[place < OTHER_SETS], others[place < OTHER_SETS])


def _compare_with_keepers(looking: _Looking, rank: NDArray[np.integer]) -> None:
    """Compare each connected set with the best of it, and what is no copy with the next best.

    What is no copy of the best may be one of a picture that is as good, and from which both were
    made: so it is compared with the next best that is nearly all of the best, too.
    """
    rows, first = connected(looking.evidence.copies)
    order = np.lexsort((rank[rows], first))
    rows, first = rows[order], first[order]
    for _ in range(KEEPERS):
        _, starts, counts = np.unique(first, return_index=True, return_counts=True)
        best = np.repeat(rows[starts], counts)
        is_other = rows != best
        rows, first, best = rows[is_other], first[is_other], best[is_other]
        looking.compare(best, rows)
        is_left = ~looking.are_copies(best, rows)
        is_like_best = looking.are_copies(best, rows, NEARLY_ALL)
        has_other, at = np.unique(first[is_like_best], return_index=True)
        some = np.flatnonzero(is_left & np.isin(first, has_other))
        second = rows[is_like_best][at][np.searchsorted(has_other, first[some])]
        looking.compare(second, rows[some])
        rows, first = rows[is_left], first[is_left]


def connected(
    pairs: NDArray[np.integer],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the sets of pictures that pairs, (p, 2), connect.

    Returns
    -------
    tuple
        The pictures that have a pair, in ascending order, and the lowest of the set of each.

    Examples
    --------
    >>> [it.tolist() for it in connected(np.array([[5, 1], [2, 3], [5, 7]]))]
    [[1, 2, 3, 5, 7], [1, 2, 2, 1, 1]]
    """
    rows, at = np.unique(pairs.astype(np.int32), return_inverse=True)
    a, b = at.reshape(-1, 2).T
    root = np.arange(len(rows), dtype=np.int32)
    while (root[a] != root[b]).any():
        both = root[a], root[b]
        np.minimum.at(root, np.maximum(*both), np.minimum(*both))
        while (root != root[root]).any():
            root = root[root]
    return rows, rows[root]


def pairs_of(rows: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return pairs, (p, 2), with the lower number of each first."""
    return np.stack([np.minimum(rows, others), np.maximum(rows, others)], axis=1).astype(np.int32)
