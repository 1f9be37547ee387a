"""Laying pictures over each other, wherever their thumbnails lie."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._progress import Progress, steps
from dedup_widgets.alignment.comparable import comparable
from dedup_widgets.alignment.confirm import RULES_VERSION, confirm
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.errors import EngineError, StoreError
from dedup_widgets.scale.copies import texts
from dedup_widgets.scale.jobs import Job, Runner
from dedup_widgets.scale.shards import read_looks
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.pair_evidence import FOUND, PairEvidence, as_columns
from dedup_widgets.scoring.pictures import parts_of_pairs, read_evidence

_FOLDER = f"evidence/{RULES_VERSION}"

_PAIRS = {"a": pl.String, "b": pl.String}


_PAIRS_AT_A_TIME = 32_768
"""Pairs that are cut into jobs at a time."""


class Looks:
    """Compares pictures of a run by jobs, and keeps what was found in the work folder.

    Parameters
    ----------
    prints
        Fingerprints of n pictures, as :func:`dedup_widgets.scale.copies.texts` takes them.
    shard, picture
        (n,), in which shard each lies, by its number, and its number there.
    shards
        The names of all shards.
    """

    def __init__(
        self,
        work: Work,
        runner: Runner,
        prints: NDArray[np.uint64],
        shard: NDArray[np.integer],
        picture: NDArray[np.integer],
        shards: Sequence[str],
        progress: Progress = False,
    ) -> None:
        self._work, self._runner, self._progress = work, runner, progress
        self._prints, self._shard, self._picture = prints, shard, picture
        self._shards = shards

    def __call__(self, pairs: NDArray[np.int32]) -> PairEvidence:
        """Compare pairs of pictures, given as their numbers; a is the first of each."""
        asked = pl.DataFrame(pairs, schema={"first": pl.Int32, "second": pl.Int32})
        first, second = (texts(self._prints[row]) for row in pairs.T)
        is_lower = first < second
        asked = asked.with_columns(
            a=first.zip_with(is_lower, second),
            b=second.zip_with(is_lower, first),
            is_lower=is_lower,
        ).with_row_index("at")
        found, is_known = np.zeros(len(pairs), FOUND), np.zeros(len(pairs), np.bool_)
        self._take_known(asked, found, is_known)
        if not is_known.all():
            self._compare(asked.filter(~is_known))
            self._take_known(asked.filter(~is_known), found, is_known)
        if not is_known.all():
            raise StoreError(f"{self._work.place} has lost a file of {_FOLDER}; score again")
        return PairEvidence(pairs, found)

    def _take_known(
        self, asked: pl.DataFrame, found: NDArray[Any], is_known: NDArray[np.bool_]
    ) -> None:
        """Take what the work folder has of some pairs, a file at a time."""
        for file in sorted(self._work.names(_FOLDER)):
            name = f"{_FOLDER}/{file}"
            here = self._work.read_table(name, [*_PAIRS])
            if not len(asked.join(here, on=[*_PAIRS], how="semi").head(1)):
                continue
            its = asked.join(self._work.read_table(name), on=[*_PAIRS])
            at = its["at"].to_numpy()
            evidence = zip(map(_evidence, its["found"]), its["is_lower"], strict=True)
            found[at] = as_columns(
                (it if is_lower else it.inverse() for it, is_lower in evidence), len(its)
            )
            is_known[at] = True

    def _compare(self, asked: pl.DataFrame) -> None:
        with steps(len(asked), "Comparing pictures", self._progress) as report:
            jobs = self._jobs(asked)
            for job, is_done in self._runner.run(compare_pictures, jobs, "comparing pictures"):
                if not is_done:
                    raise EngineError.of("comparing pictures", job[1][0])
                report(len(job[1]))

    def _jobs(self, asked: pl.DataFrame) -> Iterator[Job]:
        asked = asked.sort("a", "b")
        for some in asked.iter_slices(_PAIRS_AT_A_TIME):
            names = list(some.select("a", "b").iter_rows())
            numbers = some.select("first", "second").to_numpy()
            start = 0
            for part in parts_of_pairs(names):
                its = numbers[start : start + len(part)]
                its = np.where(some["is_lower"][start : start + len(part)], its.T, its.T[::-1])
                start += len(part)
                # The number of each picture among those of this job.
                rows, at = np.unique(its.T, return_inverse=True)
                places = [
                    (self._shards[shard], picture)
                    for shard, picture in zip(
                        self._shard[rows].tolist(), self._picture[rows].tolist(), strict=True
                    )
                ]
                pairs = at.reshape(-1, 2).tolist()
                yield self._work, list(part), pairs, places, self._runner.cores


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
    """
    by_shard: dict[str, list[int]] = {}
    for number, (shard, _) in enumerate(places):
        by_shard.setdefault(shard, []).append(number)
    looks: dict[int, tuple[bytes, bytes, tuple[int, int]]] = {}
    for shard, numbers in by_shard.items():
        found = read_looks(work, shard, [places[number][1] for number in numbers])
        looks.update(zip(numbers, found, strict=True))
    pictures = {
        number: comparable(jpeg, layers, *size) for number, (jpeg, layers, size) in looks.items()
    }
    with ThreadPoolExecutor(cores, "dedup-widgets") as pool:
        evidence = list(pool.map(lambda pair: confirm(pictures[pair[0]], pictures[pair[1]]), pairs))
    table = pl.DataFrame(
        {
            "a": [a for a, _ in names],
            "b": [b for _, b in names],
            "found": [msgspec.msgpack.encode(it) for it in evidence],
        },
        schema={**_PAIRS, "found": pl.Binary},
    )
    work.write_table(f"{_FOLDER}/{named(*names)}.parquet", table)
