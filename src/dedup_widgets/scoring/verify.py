"""Looking at pairs of pictures: which of the proposed ones, in which order, and how many.

Whether two pictures are copies depends on these two alone. Which pairs are looked at is bounded:

1. Each picture is compared with its nearest candidates, one after the other, until one is
   confirmed: at most :data:`CANDIDATES`.
2. Pictures that were confirmed to be copies, directly or over others, are a set. The best picture
   of a set is compared with the best of other sets that have candidates in it: at most
   :data:`OTHER_SETS`, the nearest first.
3. The best of a set is compared with all others of it; of those that are no copy of it, the best
   with the rest, and so on: each is compared with at most :data:`KEEPERS` of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.scoring.candidates import Candidates

CANDIDATES = 4
"""Candidates of a picture that are looked at until one is confirmed."""


OTHER_SETS = 3
"""Sets that a set of copies is compared with, by the best picture of each."""


KEEPERS = 3
"""Keepers that a picture is compared with."""


RANKINGS = 3
"""Times that keepers are chosen anew after evidence has shown what is missing in them."""


Pair = tuple[int, int]

Look = Callable[[Sequence[Pair]], Sequence[Evidence]]
"""Compares pairs of pictures, given as their numbers, the lower one first."""

EvidenceOfPairs = Mapping[Pair, Evidence]
"""What was found of pairs, the lower number first."""


Ranked = Callable[[EvidenceOfPairs], NDArray[np.int64]]
"""Ranks n pictures as keepers by what was found, (n,), the lowest for the best."""


@dataclass(frozen=True)
class Looked:
    """What was found.

    Attributes
    ----------
    evidence
        By pair, the lower number first.
    left_out
        Pictures of which no copy was confirmed while candidates were left that were not looked at.
    """

    evidence: dict[Pair, Evidence]
    left_out: int


def look_at_pairs(
    candidates: Candidates, look: Look, ranked: Ranked, old: NDArray[np.bool_] | None = None
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
    old
        (n,), pictures of which no two are looked at; None for none.
    """
    old = np.zeros(len(candidates), np.bool_) if old is None else old
    evidence: dict[Pair, Evidence] = {}

    def compare(pairs: Iterable[Pair]) -> None:
        new = sorted(pair for pair in set(pairs) - evidence.keys() if not old[list(pair)].all())
        evidence.update(zip(new, look(new), strict=True))

    left_out = _compare_with_nearest(candidates, evidence, compare)
    for _ in range(RANKINGS):
        before = len(evidence)
        rank = ranked(evidence)
        _compare_sets(candidates, _copies(candidates, evidence), rank, compare)
        _compare_with_keepers(_copies(candidates, evidence), evidence, rank, compare)
        if len(evidence) == before:
            break
    return Looked(evidence, left_out)


def _compare_with_nearest(
    candidates: Candidates,
    evidence: dict[Pair, Evidence],
    compare: Callable[[Iterable[Pair]], None],
) -> int:
    """Compare each picture with its candidates until one is confirmed; return who has more."""
    left = np.flatnonzero(np.diff(candidates.start)).tolist()
    for place in range(CANDIDATES):
        nearest = {row: _pair(row, int(candidates.of(row)[place])) for row in left}
        compare(nearest.values())
        settled = {row for pair, found in evidence.items() if found.is_confirmed for row in pair}
        left = [row for row in left if row not in settled and len(candidates.of(row)) > place + 1]
    return len(left)


def _compare_sets(
    candidates: Candidates,
    sets: list[list[int]],
    rank: NDArray[np.int64],
    compare: Callable[[Iterable[Pair]], None],
) -> None:
    """Compare the best picture of each set with the best of others, and with single pictures."""
    best = np.arange(len(candidates))
    for rows in sets:
        best[rows] = min(rows, key=rank.__getitem__)
    pairs: list[Pair] = []
    for rows in sets:
        own = int(best[rows[0]])
        near = [slice(candidates.start[row], candidates.start[row + 1]) for row in rows]
        others = best[np.concatenate([candidates.other[part] for part in near])]
        distance = np.concatenate([candidates.distance[part] for part in near])
        order = np.argsort(distance, kind="stable")
        different = dict.fromkeys(others[order].tolist())
        different.pop(own, None)
        pairs += [_pair(own, other) for other in list(different)[:OTHER_SETS]]
    compare(pairs)


def _compare_with_keepers(
    sets: list[list[int]],
    evidence: dict[Pair, Evidence],
    rank: NDArray[np.int64],
    compare: Callable[[Iterable[Pair]], None],
) -> None:
    """Compare each connected set with the best of it, and what is no copy with the next best."""

    def is_confirmed(pair: Pair) -> bool:
        return pair in evidence and evidence[pair].is_confirmed

    left = [sorted(rows, key=rank.__getitem__) for rows in sets]
    for _ in range(KEEPERS):
        left = [rows for rows in left if len(rows) > 1]
        compare(_pair(rows[0], other) for rows in left for other in rows[1:])
        left = [[row for row in rows[1:] if not is_confirmed(_pair(rows[0], row))] for rows in left]


def _copies(candidates: Candidates, evidence: EvidenceOfPairs) -> list[list[int]]:
    """Return the sets of pictures that confirmed pairs connect."""
    return connected(
        len(candidates), (pair for pair, found in evidence.items() if found.is_confirmed)
    )


def connected(n: int, pairs: Iterable[Pair]) -> list[list[int]]:
    """Return the sets of two and more of n pictures that pairs connect."""
    parent = list(range(n))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    paired = set[int]()
    for a, b in pairs:
        parent[root(a)] = root(b)
        paired |= {a, b}
    sets: dict[int, list[int]] = {}
    for row in sorted(paired):
        sets.setdefault(root(row), []).append(row)
    return list(sets.values())


def _pair(row: int, other: int) -> Pair:
    return (row, other) if row < other else (other, row)
