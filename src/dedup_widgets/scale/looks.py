"""Laying pictures over each other, wherever their thumbnails lie."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._progress import Progress, steps
from dedup_widgets.alignment.confirm import RULES_VERSION
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.alignment.worker import Stored
from dedup_widgets.errors import EngineError, StoreError
from dedup_widgets.neighbors.confirmed import spans
from dedup_widgets.neighbors.pair_list import pair_keys
from dedup_widgets.neighbors.vectors import parts
from dedup_widgets.scale.copies import Prints
from dedup_widgets.scale.jobs import Job, Runner
from dedup_widgets.scale.shards import read_looks
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.pair_evidence import FOUND, PairEvidence, as_columns
from dedup_widgets.scoring.pictures import parts_of_pairs, read_evidence
from dedup_widgets.scoring.processes import PictureWorkers

_FOLDER = f"evidence/{RULES_VERSION}"

_PAIRS = {"a": pl.String, "b": pl.String}


_PAIRS_AT_A_TIME = 32_768
"""Pairs that are cut into jobs at a time."""


class Looks:
    """Compares pictures of a run by jobs, and keeps what was found in the work folder.

    Parameters
    ----------
    prints
        Fingerprints of those that are compared.
    shard, picture
        (n,), of all pictures: in which shard each lies, by its number, and its number there.
    shards
        The names of all shards.
    """

    def __init__(
        self,
        work: Work,
        runner: Runner,
        prints: Prints,
        shard: NDArray[np.integer],
        picture: NDArray[np.integer],
        shards: Sequence[str],
        progress: Progress = False,
    ) -> None:
        self._work, self._runner, self._progress = work, runner, progress
        self._prints, self._shard, self._picture = prints, shard, picture
        self._shards = shards
        # A pair is asked for once, or once a part: whoever has none left need not be read again.
        self._left: dict[str, int] = {}

    def __call__(self, pairs: NDArray[np.int32]) -> PairEvidence:
        """Compare pairs of pictures, given as their numbers; a is the first of each."""
        found, is_known = np.zeros(len(pairs), FOUND), np.zeros(len(pairs), np.bool_)
        self._take_known(pairs, found, is_known)
        if not is_known.all():
            self._compare(self._once(pairs[~is_known]))
            self._take_known(pairs, found, is_known)
        if not is_known.all():
            raise StoreError(f"{self._work.place} has lost a file of {_FOLDER}; score again")
        return PairEvidence(pairs, found)

    def _take_known(
        self, pairs: NDArray[np.int32], found: NDArray[Any], is_known: NDArray[np.bool_]
    ) -> None:
        """Take what the work folder has of some pairs, a file at a time."""
        ranks = self._prints.ranks(pairs)
        is_turned = ranks[:, 0] > ranks[:, 1]
        ranks.sort(axis=1)
        keys = pair_keys(*ranks.T)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        for file in sorted(self._work.names(_FOLDER)):
            if self._left.get(file) == 0 and self._prints.are_different:
                continue
            name = f"{_FOLDER}/{file}"
            names = self._work.read_table(name, [*_PAIRS])
            a, b = (self._prints.find(names[column]) for column in _PAIRS)
            its = np.where((a >= 0) & (b >= 0), pair_keys(a, b), -1)
            start, end = (np.searchsorted(keys, its, side) for side in ("left", "right"))
            here = np.flatnonzero(end > start)
            here = here[~is_known[order[start[here]]]]
            self._left[file] = self._left.get(file, len(names)) - len(here)
            if not len(here):
                continue
            blobs = self._work.read_table(name, ["found"]).to_series().gather(here)
            counts = (end - start)[here]
            at = order[spans(start[here], counts)]
            evidence = zip(map(_evidence, blobs), counts.tolist(), strict=True)
            each = (it for it, count in evidence for _ in range(count))
            found[at] = as_columns(
                (
                    it.inverse() if turned else it
                    for it, turned in zip(each, is_turned[at], strict=True)
                ),
                len(at),
            )
            is_known[at] = True

    def _once(self, pairs: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return pairs of which no two are of the same fingerprints."""
        ranks = np.sort(self._prints.ranks(pairs), axis=1)
        return pairs[np.unique(pair_keys(*ranks.T), return_index=True)[1]]

    def _compare(self, pairs: NDArray[np.int32]) -> None:
        with steps(len(pairs), "Comparing pictures", self._progress) as report:
            jobs = self._jobs(pairs)
            for job, is_done in self._runner.run(compare_pictures, jobs, "comparing pictures"):
                if not is_done:
                    raise EngineError.of("comparing pictures", job[1][0])
                report(len(job[1]))

    def _jobs(self, pairs: NDArray[np.int32]) -> Iterator[Job]:
        for numbers, table in self.named(pairs):
            start = 0
            for part in parts_of_pairs(list(table.iter_rows())):
                # The number of each picture among those of this job.
                its = numbers[start : start + len(part)]
                start += len(part)
                rows, at = np.unique(its, return_inverse=True)
                places = [
                    (self._shards[shard], picture)
                    for shard, picture in zip(
                        self._shard[rows].tolist(), self._picture[rows].tolist(), strict=True
                    )
                ]
                both = at.reshape(-1, 2).tolist()
                yield self._work, list(part), both, places, self._runner.cores

    def named(
        self, pairs: NDArray[np.int32], at_a_time: int = _PAIRS_AT_A_TIME
    ) -> Iterator[tuple[NDArray[np.int32], pl.DataFrame]]:
        """Yield pairs by fingerprint, the lower one first, in ascending order, some at a time.

        Yields
        ------
        tuple
            The numbers of the pictures, (p, 2), and their fingerprints as ``a`` and ``b``.
        """
        ranks = self._prints.ranks(pairs)
        pairs = np.where((ranks[:, 0] < ranks[:, 1])[:, None], pairs, pairs[:, ::-1])
        ranks.sort(axis=1)
        pairs = pairs[np.lexsort((ranks[:, 1], ranks[:, 0]))]
        for part in parts(len(pairs), at_a_time):
            a, b = (self._prints.texts(its) for its in pairs[part].T)
            yield pairs[part], pl.DataFrame({"a": a, "b": b})


def _evidence(blob: bytes) -> Evidence:
    found = read_evidence(blob)
    if found is None:
        raise StoreError(f"a file below {_FOLDER} of the work folder is damaged; delete it")
    return found


def compare_pictures(
    work: Work,
    names: Sequence[tuple[str, str]],
    pairs: Sequence[Sequence[int]],
    places: Sequence[tuple[str, int]],
    cores: int,
) -> None:
    """Compare pairs of pictures, and write what was found.

    Parameters
    ----------
    names
        The fingerprints of each pair, the lower one first.
    pairs
        The numbers of each pair among the pictures.
    places
        Shard of each picture, and its number there.
    cores
        Processor cores that compare.
    """
    by_shard: dict[str, list[int]] = {}
    for number, (shard, _) in enumerate(places):
        by_shard.setdefault(shard, []).append(number)
    looks: dict[int, Stored] = {}
    for shard, numbers in by_shard.items():
        found = read_looks(work, shard, [places[number][1] for number in numbers])
        stored = (Stored(jpeg, layers, *size) for jpeg, layers, size in found)
        looks.update(zip(numbers, stored, strict=True))
    pictures = {
        name: looks[number]
        for pair, numbers in zip(names, pairs, strict=True)
        for name, number in zip(pair, numbers, strict=True)
    }
    with PictureWorkers(cores) as workers:
        evidence = dict(workers.compare([(pictures, names)], len(names)))
    table = pl.DataFrame(
        {
            "a": [a for a, _ in names],
            "b": [b for _, b in names],
            "found": [msgspec.msgpack.encode(evidence[pair]) for pair in names],
        },
        schema={**_PAIRS, "found": pl.Binary},
    )
    work.write_table(f"{_FOLDER}/{named(*names)}.parquet", table)
