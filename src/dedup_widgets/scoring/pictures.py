"""Laying pictures of the store over each other, once for each pair."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress, steps
from dedup_widgets.alignment.confirm import RULES_VERSION
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.alignment.worker import Stored
from dedup_widgets.errors import StoreError
from dedup_widgets.scoring.pair_evidence import PairEvidence, as_columns
from dedup_widgets.scoring.processes import (
    PICTURES_AT_A_TIME,
    Pair,
    Part,
    PictureWorkers,
    sets_of,
)
from dedup_widgets.store.cache import Cache

PAIRS_KEPT_AT_A_TIME = 1024
"""Pairs that are written to the store at a time: an interrupt loses no more of them."""


class PictureComparison:
    """Compares pictures that the store has thumbnails of, and remembers what was found.

    Parameters
    ----------
    cache
        Has the thumbnails and layers, and keeps the evidence.
    fingerprints
        Of n pictures.
    sizes
        Width and height in pixels by fingerprint.
    workers
        Compare them.
    progress
        Whether to show a bar, or a function that is called with pairs done and in all.
    """

    def __init__(
        self,
        cache: Cache,
        fingerprints: Sequence[str],
        sizes: Mapping[str, tuple[int, int]],
        workers: PictureWorkers,
        progress: Progress = False,
    ) -> None:
        self._cache, self._fingerprints, self._sizes = cache, fingerprints, sizes
        self._workers, self._progress = workers, progress

    def __call__(self, pairs: NDArray[np.int32]) -> PairEvidence:
        """Compare pairs of pictures, given as their numbers; a is the first of each.

        A picture of which the store has no thumbnail is refused, and asked for again next time.
        """
        names = [(self._fingerprints[a], self._fingerprints[b]) for a, b in pairs.tolist()]
        ordered = [(a, b) if a < b else (b, a) for a, b in names]
        stored = self._cache.evidence(ordered, RULES_VERSION)
        known = {
            pair: it for pair, blob in stored.items() if (it := read_evidence(blob)) is not None
        }
        todo = sorted(set(ordered) - known.keys())
        if todo:
            known |= self._compared(todo)
        refused = Evidence(is_confirmed=False)
        in_order = (
            (asked == pair, known.get(pair, refused))
            for asked, pair in zip(names, ordered, strict=True)
        )
        found_in_order = (it if as_asked else it.inverse() for as_asked, it in in_order)
        return PairEvidence(pairs, as_columns(found_in_order, len(pairs)))

    def _compared(self, pairs: Sequence[Pair]) -> dict[Pair, Evidence]:
        """Compare pairs of which the store knows nothing, and keep what is found."""
        found: dict[Pair, Evidence] = {}
        blobs: dict[Pair, bytes] = {}
        with steps(len(pairs), "Comparing pictures", self._progress) as report:
            parts = self._parts(pairs, report)
            for pair, evidence in self._workers.compare(parts, len(pairs)):
                found[pair], blobs[pair] = evidence, msgspec.msgpack.encode(evidence)
                if len(blobs) == PAIRS_KEPT_AT_A_TIME:
                    self._cache.add_evidence(blobs, RULES_VERSION)
                    blobs = {}
                report(1)
            self._cache.add_evidence(blobs, RULES_VERSION)
        return found

    def _parts(self, pairs: Sequence[Pair], report: Callable[[int], object]) -> Iterator[Part]:
        """Yield pairs with what the store has of them; report those of which it lacks a picture."""
        for part in parts_of_pairs([*chain.from_iterable(sets_of(pairs))]):
            there = self._stored({name for pair in part for name in pair})
            both = [(a, b) for a, b in part if a in there and b in there]
            if missing := len(part) - len(both):
                report(missing)
            yield there, both

    def _stored(self, fingerprints: set[str]) -> dict[str, Stored]:
        thumbnails = self._cache.thumbnails(fingerprints)
        if len(thumbnails) < len(fingerprints) and self._cache.times_opened > 1:
            # Without them, copies would be taken for others.
            raise StoreError(
                f"the cache {self._cache.path} was lost or damaged while its pictures were "
                "compared; score again"
            )
        layers = self._cache.layers(thumbnails)
        return {
            name: Stored(jpeg, layers.get(name, b""), *self._sizes[name])
            for name, jpeg in thumbnails.items()
        }


def read_evidence(blob: Any) -> Evidence | None:
    """Return evidence as it was kept; None for what is none."""
    try:
        found = msgspec.msgpack.decode(blob, type=Evidence)
    except (msgspec.MsgspecError, TypeError, ValueError):
        return None
    numbers = (found.agreement, *found.matrix, *found.inverse_matrix)
    is_whole = len(found.matrix) == len(found.inverse_matrix) == 6
    return found if is_whole and all(map(math.isfinite, numbers)) else None


def parts_of_pairs(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    """Cut pairs, in their order, into parts of which each needs a bounded number of pictures."""
    cuts, held = [0], set[str]()
    for at, pair in enumerate(pairs):
        if len(held) + 2 > PICTURES_AT_A_TIME:
            cuts.append(at)
            held = set()
        held.update(pair)
    return (pairs[start:end] for start, end in pairwise([*cuts, len(pairs)]))
