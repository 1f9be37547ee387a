"""What was found of pairs of pictures, as columns: of a million pairs there are no objects."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.alignment.evidence import (
    FRAMED_SHARE,
    OVERLAID_SHARE,
    ROTATED_BY,
    SEEN_SHARE,
    Evidence,
    EvidenceOfPairs,
)
from dedup_widgets.images.detail import has_added, is_enlarged, levels
from dedup_widgets.neighbors.confirmed import spans
from dedup_widgets.neighbors.pair_list import pair_keys
from dedup_widgets.neighbors.vectors import parts

FINER = 1.4
"""Pixels of a picture per pixel of a copy, along a line, from which on it lacks nothing that the
copy shows more of: neither of the two is as good as the other."""


CHANGES = {"bent": 0.05, "turned": 0.01, "recoloured": 0.01}
"""Changes of one of two pictures, of which the pair does not tell which, and what of a picture they
count as missing: rotated by any angle or stretched, turned or mirrored, other colours."""


STRETCHED_BY = 1.04
"""Ratio of the scales of both directions from which a picture is stretched."""


ALSO_COVERED = 0.5
"""What an overlay counts for the picture that seems to be the uncovered one."""


ENLARGED_BY = 1.3
"""Ratio of pixels from which on a picture may be an enlarged copy."""


SAME_SIZE, MOSTLY_SEEN = 1.02, 0.9
"""Ratio of pixels up to which two copies are of one size, and the share of them that must agree for
noise or sharpening to be told: noise takes some of the agreement."""


PAIRS_AT_A_TIME = 16_384
"""Pairs that are worked on at a time, to bound memory."""


Pair = tuple[int, int]


FOUND = np.dtype(
    [
        ("is_confirmed", "?"),
        ("agreement", "f8"),
        ("lacks", "f8", 2),
        *((change, "?") for change in CHANGES),
        ("larger", "i1"),
        ("ratio", "f8"),
        ("is_enlarged", "?"),
        ("relation", "i1", 2),
        ("mirrored", "?", 2),
        ("angle", "f4", 2),
        ("scale", "f4", 2),
        ("box", "f4", (2, 4)),
    ]
)
"""What is kept of a pair. Of two numbers the first is of the first picture beside the second, and
the other the other way round: what it lacks, its relation by number, and how it lies there. Of the
two one has some of `CHANGES`; ``larger`` says which has more pixels, ``ratio`` how many times as
many, and ``is_enlarged`` whether it is an enlarged copy; of two of one size, whether noise or
sharpening was added to one, and ``larger`` to which. All but the first is 0 where the pair was
refused."""


@dataclass(frozen=True)
class PairEvidence:
    """What was found of p pairs of pictures.

    Attributes
    ----------
    pairs
        (p, 2), their numbers, the lower one first; in ascending order, each once.
    found
        (p,), what was found, of the type :data:`FOUND`.
    """

    pairs: NDArray[np.int32]
    found: NDArray[Any]

    @classmethod
    def of(cls, evidence: Mapping[Pair, Evidence]) -> "PairEvidence":
        """Return that of some pairs, the lower number of each first."""
        pairs = np.array(list(evidence), np.int32).reshape(-1, 2)
        return cls.unordered(pairs, as_columns(evidence.values(), len(pairs)))

    @classmethod
    def unordered(cls, pairs: NDArray[np.int32], found: NDArray[Any]) -> "PairEvidence":
        """Return that of pairs in any order, the lower number of each first."""
        order = np.argsort(pair_keys(*pairs.T))
        return cls(pairs[order], found[order])

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def is_confirmed(self) -> NDArray[np.bool_]:
        """(p,), whether the two are copies."""
        is_confirmed: NDArray[np.bool_] = self.found["is_confirmed"]
        return is_confirmed

    @property
    def copies(self) -> NDArray[np.int32]:
        """The pairs of copies."""
        return self.pairs[self.is_confirmed]

    def places(self, pairs: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return where pairs are, the lower number of each first; -1 for those that are not."""
        wanted = pair_keys(*pairs.T)
        place = np.searchsorted(self._key, wanted)
        return np.where(np.append(self._key, -1)[place] == wanted, place, -1)

    def joined(self, more: "PairEvidence") -> "PairEvidence":
        """Return this with that of other pairs."""
        pairs = np.concatenate([self.pairs, more.pairs])
        return self.unordered(pairs, np.concatenate([self.found, more.found]))

    def with_detail(
        self, spectra: Callable[[NDArray[np.int32]], Sequence[bytes]]
    ) -> "PairEvidence":
        """Return this with what the detail of pictures says: whether one has more than is real.

        Parameters
        ----------
        spectra
            Returns how fine the detail of some pictures is; see
            :func:`dedup_widgets.images.detail.spectrum`.
        """
        found = self.found.copy()
        ratio, agreement = found["ratio"], found["agreement"]
        is_larger = (ratio >= ENLARGED_BY) & (agreement >= SEEN_SHARE)
        is_of_one_size = (ratio <= SAME_SIZE) & (agreement >= MOSTLY_SEEN)
        some = np.flatnonzero(found["is_confirmed"] & (is_larger | is_of_one_size))
        pictures, of_pair = np.unique(self.pairs[some], return_inverse=True)
        fine = spectra(pictures)
        of_pair = of_pair.reshape(-1, 2)
        for part in parts(len(some), PAIRS_AT_A_TIME):
            at, sides = some[part], of_pair[part].T.tolist()
            one, other = (levels([fine[picture] for picture in side]) for side in sides)
            is_first = has_added(one, other)
            is_added = is_of_one_size[at] & (is_first | has_added(other, one))
            larger = np.where(is_added, np.where(is_first, 0, 1), found["larger"][at])
            of_first = (larger == 0)[:, None]
            both = np.where(of_first, one, other), np.where(of_first, other, one)
            by_size = is_enlarged(*both, np.sqrt(ratio[at]))
            found["larger"][at] = larger
            found["is_enlarged"][at] = np.where(is_of_one_size[at], is_added, by_size)
        return PairEvidence(self.pairs, found)

    def beside(
        self, pictures: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return what some pictures, each once, were laid over.

        Returns
        -------
        tuple
            A row for each picture and each other one, ordered by the place of the picture: that
            place, where the pair is, and which of its two the picture is.
        """
        first, at = self._both_ways
        wanted = pictures.astype(np.int32)
        start, end = (np.searchsorted(first, wanted, side) for side in ("left", "right"))
        counts = end - start
        place = np.repeat(np.arange(len(pictures)), counts)
        side, pair = np.divmod(at[spans(start, counts)].astype(np.int64), len(self))
        return place, pair, side

    @cached_property
    def _key(self) -> NDArray[np.int64]:
        return pair_keys(*self.pairs.T)

    @cached_property
    def _both_ways(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The first picture of each pair both ways, in ascending order, and where it was."""
        both = self.pairs.T.ravel()
        order = np.argsort(both, kind="stable").astype(np.int32)
        return both[order], order


NOTHING = PairEvidence(np.empty((0, 2), np.int32), np.empty(0, FOUND))


def as_columns(evidence: Iterable[Evidence], count: int) -> NDArray[Any]:
    """Return what is kept of evidence of that many pairs."""
    found, rest = np.zeros(count, FOUND), iter(evidence)
    for part in parts(count, PAIRS_AT_A_TIME):
        some = list(islice(rest, part.stop - part.start))
        rows = part.start + np.flatnonzero([it.is_confirmed for it in some])
        if not len(rows):
            continue
        columns = _columns(EvidenceOfPairs.of([it for it in some if it.is_confirmed]))
        for name, values in columns.items():
            found[name][rows] = values
    return found


def _columns(found: EvidenceOfPairs) -> dict[str, Any]:
    """Return the columns of :data:`FOUND` of pairs that were confirmed."""
    both = found, found.inverse()
    of_a, of_b = found.a_size.prod(axis=1), found.b_size.prod(axis=1)

    def of_both(value: Callable[[EvidenceOfPairs], NDArray[Any]]) -> NDArray[Any]:
        return np.stack([value(it) for it in both], axis=1)

    return {
        "is_confirmed": True,
        "agreement": found.agreement,
        "lacks": of_both(_lacks),
        "bent": (found.stretch > STRETCHED_BY) | found.is_rotated,
        "turned": found.is_mirrored | (abs(found.angle) > ROTATED_BY),
        "recoloured": found.is_recoloured,
        "larger": np.where(of_a > of_b, 0, 1),
        "ratio": np.maximum(of_a, of_b) / np.maximum(1, np.minimum(of_a, of_b)),
        "relation": of_both(lambda it: it.relation),
        "mirrored": of_both(lambda it: it.is_mirrored),
        "angle": of_both(lambda it: it.angle),
        "scale": of_both(lambda it: it.scale),
        "box": of_both(lambda it: it.box),
    }


def _lacks(found: EvidenceOfPairs) -> NDArray[np.float64]:
    """Return the share that picture a of each pair lacks beside b, or hides."""
    is_cut = (found.inside_b < SEEN_SHARE) & (found.scale < FINER)
    missing = np.where(is_cut, 1 - found.inside_b, 0.0)
    border = found.border_a - found.border_b
    over = found.over_a + found.over_b
    # Which of both is covered is told rightly more often than not.
    covered = over * np.where(found.over_a > found.over_b, 1, ALSO_COVERED)
    missing += np.where(over >= OVERLAID_SHARE, covered, 0.0)
    missing += np.where(border >= FRAMED_SHARE, border, 0.0)
    return np.asarray(missing)
