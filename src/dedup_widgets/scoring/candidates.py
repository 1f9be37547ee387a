"""Which pairs of pictures are worth a look: vectors propose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.images.perceptual import (
    PERCEPTUAL_RADIUS,
    UNDAMPED_RADIUS,
    best_of_turns,
    undamped,
)
from dedup_widgets.neighbors.confirmed import starts
from dedup_widgets.neighbors.grouping import pairs_among
from dedup_widgets.neighbors.pair_list import MAX_PAIRS, pair_keys, pairs_of_keys
from dedup_widgets.neighbors.vectors import Vectors, pair_cosines, parts
from dedup_widgets.scoring.comparison import Comparison

LEAST_RADIUS = 1e-7
"""Radius below which no smaller one is tried: float16 vectors that are so near are equal."""


PAIRS_AT_A_TIME = 512
"""Pairs whose vectors are compared at a time: so many fit into the cache of a core."""


@dataclass(frozen=True)
class Candidates:
    """Pairs of n pictures that may be copies, the nearest first for each picture.

    Attributes
    ----------
    start
        (n + 1,): those of picture i are at ``start[i]`` to ``start[i + 1]``.
    other, distance
        The other picture of each, and how far it is by vectors.
    """

    start: NDArray[np.integer]
    other: NDArray[np.int32]
    distance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start) - 1

    def of(self, row: int) -> NDArray[np.int32]:
        """Return the candidates of a picture, the nearest first."""
        return self.other[self.start[row] : self.start[row + 1]]

    def without(self, old: NDArray[np.bool_]) -> "Candidates":
        """Return the pairs of which not both are old, (n,)."""
        row = np.repeat(np.arange(len(self)), np.diff(self.start))
        left = ~(old[row] & old[self.other])
        start = starts(row[left], len(self))
        return Candidates(start, self.other[left], self.distance[left])


def propose(
    vectors: Vectors,
    found: Comparison,
    radius: float,
    perceptual: NDArray[np.float16],
    alike: NDArray[np.int32] | None,
    can_be_seen: NDArray[np.bool_],
    tie: NDArray[np.int64],
) -> Candidates:
    """Return the pairs that are near by either vector.

    The distance of a pair is the cosine distance of its embeddings, lowered where the perceptual
    vectors are nearer in the best of turns.

    Parameters
    ----------
    vectors
        The embeddings of n pictures.
    found
        What was found of them.
    radius
        The model's candidate radius: the distance within which a copy may lie.
    perceptual
        Their perceptual vectors, (n, 144).
    alike
        (p, 2), the pairs that may be within `UNDAMPED_RADIUS` in some turn; None for too many,
        which are then not looked for.
    can_be_seen
        (n,), whether a picture can be compared at all; the others are no candidates.
    tie
        (n,), numbers that order pictures that are equally near, whatever their order here.
    """
    near = pairs_within(vectors, found, radius)
    pairs = once(near if alike is None else np.concatenate([near, alike]))
    pairs = pairs[can_be_seen[pairs].all(axis=1)]
    _, distance = distances(vectors, perceptual, pairs, radius)
    within = distance <= radius
    return listed(len(vectors), pairs[within], distance[within], tie)


def distances(
    vectors: Vectors, perceptual: NDArray[np.float16], pairs: NDArray[np.int32], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact cosine of the embeddings of pairs, (p, 2), and their distance as candidates.

    The parameters are those of :func:`propose`.
    """
    cosine, distance = np.empty(len(pairs)), np.empty(len(pairs))
    for part in parts(len(pairs), PAIRS_AT_A_TIME):
        a, b = pairs[part].T
        cosine[part] = pair_cosines(vectors, a, b)
        by_vectors = np.clip(1 - cosine[part], 0, 1)
        pictures, at = np.unique(pairs[part], return_inverse=True)
        one, other = at.reshape(-1, 2).T
        damped = perceptual[pictures]
        plain = undamped(damped)
        of_damped = (1 - best_of_turns(damped[one], damped[other])) / PERCEPTUAL_RADIUS
        of_plain = (1 - best_of_turns(plain[one], plain[other])) / UNDAMPED_RADIUS
        by_looks = np.clip(np.minimum(of_damped, of_plain) * radius, 0, 1)
        # Rounded, so that the order of pairs depends on no last bit.
        distance[part] = np.minimum(by_vectors, by_looks).round(6)
    return cosine, distance


def listed(
    n: int, pairs: NDArray[np.int32], distance: NDArray[np.float64], tie: NDArray[np.integer]
) -> Candidates:
    """Return pairs of n pictures, (p, 2), each once, as the candidates of both."""
    row, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    both = np.tile(distance, 2)
    order = np.lexsort((tie[other], both, row))
    return Candidates(starts(row, n), other[order], both[order])


def pairs_within(
    vectors: Vectors, found: Comparison, radius: float, most: int = MAX_PAIRS
) -> NDArray[np.int32]:
    """Return the pairs within a radius, or within a smaller one where they are more than `most`.

    Where vectors tell too many apart at no radius, there are none.
    """
    pairs = found.pairs
    while pairs is None:
        radius /= 2
        if radius < LEAST_RADIUS:
            return np.empty((0, 2), np.int32)
        pairs = pairs_among(vectors, np.flatnonzero(found.distance <= radius), radius, most)
    return pairs


def once(pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each pair once, the lower number first."""
    return pairs_of_keys(np.unique(pair_keys(pairs.min(axis=1), pairs.max(axis=1))))
