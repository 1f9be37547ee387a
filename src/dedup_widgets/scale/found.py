"""From what comparing blocks found to what scoring takes: the nearest of each, and candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.confirmed import ConfirmedPairs
from dedup_widgets.neighbors.grouping import greedy_groups_of_pairs, ordered
from dedup_widgets.scale.blocks import Block, Radii, equal_file, tile_file, tiles
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.candidates import LEAST_RADIUS, Candidates, listed
from dedup_widgets.scoring.comparison import Comparison


@dataclass(frozen=True)
class Found:
    """What all comparisons of a run found of its n pictures, numbered by rank.

    Attributes
    ----------
    nearest, apart
        (n,), the nearest of each, of equally near ones the one of the lowest rank, -1 for none; and
        the cosine distance of both.
    pairs
        (p, 2), each once.
    pair_cosine, distance
        (p,), of the pairs: by embeddings, and as candidates.
    is_listed
        (p,), which of them a search on one machine lists: of too many, only the nearest.
    """

    nearest: NDArray[np.int32]
    apart: NDArray[np.float64]
    pairs: NDArray[np.int32]
    pair_cosine: NDArray[np.float64]
    distance: NDArray[np.float64]
    is_listed: NDArray[np.bool_]

    def comparison(self, radius: float) -> Comparison:
        """Return the nearest of each as a search returns them."""
        return Comparison((), self.nearest, self.apart, radius, None)

    def candidates(
        self, radius: float, can_be_seen: NDArray[np.bool_], tie: NDArray[np.integer]
    ) -> Candidates:
        """Return the pairs that are to be looked at; see :func:`scoring.candidates.propose`."""
        kept = self.is_listed & (self.distance <= radius) & can_be_seen[self.pairs].all(axis=1)
        return listed(len(self.nearest), self.pairs[kept], self.distance[kept], tie)


@dataclass(frozen=True)
class RankedPictures:
    """The pictures of a run as representatives, by rank; see `scoring.comparison.Representatives`.

    Attributes
    ----------
    rows
        The row of the best copy of each.
    found
        What was found of them.
    """

    rows: NDArray[np.integer]
    found: Found

    def greedy_groups(self, compared: Comparison) -> NDArray[np.int32]:
        """Group them within the radius of the search."""
        return greedy_groups_of_pairs(len(self.rows), self._within(compared.radius))

    def greedy_groups_with(
        self, radius: float, order: NDArray[np.int32], confirmed: ConfirmedPairs
    ) -> NDArray[np.int32]:
        """Group them within a radius, and by what was confirmed, the best keeper first."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order), dtype=np.int32)
        pairs = ordered(place[np.concatenate([self._within(radius), confirmed.pairs()])])
        return order[greedy_groups_of_pairs(len(order), pairs)[place]]

    def _within(self, radius: float) -> NDArray[np.int32]:
        return self.found.pairs[np.clip(1.0 - self.found.pair_cosine, 0.0, 1.0) <= radius]


def fold(
    work: Work,
    blocks: Sequence[Block],
    radii: Radii,
    number: NDArray[np.int32],
    part_of: NDArray[np.integer] | None = None,
    old: NDArray[np.bool_] | None = None,
) -> Found:
    """Put together what all comparisons of blocks found.

    Parameters
    ----------
    number
        (n,), the rank of each picture.
    part_of, old
        (n,), the part of each, and which were there before; None where there is one part, and
        where none were.
    """
    n = len(number)
    best, cosine = np.full(n, -1, np.int32), np.full(n, -np.inf)
    # Of pictures with equal vectors: the first, the best, and the next best of its block.
    same = np.arange(n, dtype=np.int32)
    for block in blocks:
        part = slice(block.start, block.start + block.count)
        name = block.name
        file = equal_file(name) if block.old else tile_file(name, name, radii)
        same[part] = block.start + work.read_arrays(file)["same"]
    lead = _lowest(same, number, np.arange(n))
    pairs, near = [np.empty((0, 2), np.int32)], [np.empty((0, 2))]
    are_alike, of_pair = [np.empty(0, np.bool_)], [np.empty(0, np.int32)]
    # Of each part.
    count = max((block.part + block.parts for block in blocks), default=1)
    radius, alike = np.full(count, radii.candidates), np.zeros(count, np.int64)
    for a, b in tiles(blocks):
        tile = work.read_arrays(tile_file(a.name, b.name, radii))
        row, other = (_in_run(tile[name], a, b) for name in ("row", "other"))
        _take_nearest(best, cosine, row, lead[other], tile["cosine"], number)
        low, high = (_in_run(tile[name], a, b) for name in ("low", "high"))
        its = slice(a.part, a.part + a.parts)
        of_pair.append(_parts_of(low, a, part_of))
        low, high = number[low], number[high]
        pairs.append(np.stack([np.minimum(low, high), np.maximum(low, high)], axis=1))
        near.append(np.stack([tile["pair_cosine"], tile["distance"]], axis=1))
        are_alike.append(tile["is_alike"])
        radius[its] = np.minimum(radius[its], tile["radius"])
        alike[its] = np.where(tile["alike"] < 0, radii.most + 1, alike[its] + tile["alike"])
    best, cosine = best[same], cosine[same]
    # The nearest of a picture with an equal vector is one of these, unless rounding says otherwise.
    has_mates = np.bincount(same, minlength=n)[same] > 1
    if old is not None:
        has_mates &= ~old
    mates = np.flatnonzero(has_mates)
    second = _lowest(same, number, np.flatnonzero(lead[same] != np.arange(n)))
    mate = np.where(lead[same[mates]] == mates, second[same[mates]], lead[same[mates]])
    _take_nearest(best, cosine, mates, mate, np.ones(len(mates)), number)
    nearest = np.full(n, -1, np.int32)
    nearest[number] = np.append(number, np.int32(-1))[best]
    apart = np.empty_like(cosine)
    apart[number] = np.clip(1.0 - cosine, 0.0, 1.0)
    both = np.concatenate(near)
    by_embedding, of = np.clip(1.0 - both[:, 0], 0.0, 1.0), np.concatenate(of_pair)
    while True:
        is_near = by_embedding <= radius[of]
        too_many = np.bincount(of[is_near], minlength=count) > radii.most
        too_many &= radius >= LEAST_RADIUS
        if not too_many.any():
            break
        radius[too_many] /= 2
    is_listed = is_near & (radius >= LEAST_RADIUS)[of]
    is_listed |= np.concatenate(are_alike) & (alike <= radii.most)[of]
    return Found(nearest, apart, np.concatenate(pairs), both[:, 0], both[:, 1], is_listed)


def _parts_of(
    pictures: NDArray[np.int32], block: Block, part_of: NDArray[np.integer] | None
) -> NDArray[np.int32]:
    """Return the part of each of some pictures of a block."""
    if part_of is None or block.parts == 1:
        return np.full(len(pictures), block.part, np.int32)
    return part_of[pictures].astype(np.int32)


def _in_run(numbers: NDArray[np.int32], a: Block, b: Block) -> NDArray[np.int32]:
    """Return the numbers in the run of pictures of two blocks that were compared."""
    in_b = b.start - (0 if a == b else a.count)
    return np.where(numbers < a.count, a.start + numbers, in_b + numbers).astype(np.int32)


def _lowest(
    same: NDArray[np.int32], number: NDArray[np.int32], some: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return for each first one of equal vectors the one of them with the lowest rank."""
    lowest = np.full(len(same), len(same), np.int32)
    np.minimum.at(lowest, same[some], number[some])
    picture = np.full(len(same) + 1, -1, np.int32)
    picture[number] = np.arange(len(same))
    return picture[lowest]


def _take_nearest(
    best: NDArray[np.int32],
    cosine: NDArray[np.float64],
    rows: NDArray[np.int32] | NDArray[np.int64],
    others: NDArray[np.int32],
    new: NDArray[np.float64],
    number: NDArray[np.int32],
) -> None:
    """Take what is nearer than the best so far, or as near and of a lower rank."""
    order = np.lexsort((number[others], -new, rows))
    each, first = np.unique(rows[order], return_index=True)
    other, its = others[order][first], new[order][first]
    known = np.where(best[each] < 0, len(number), number[best[each]])
    better = (its > cosine[each]) | ((its == cosine[each]) & (number[other] < known))
    best[each[better]], cosine[each[better]] = other[better], its[better]
