"""Laying pictures over each other, wherever their thumbnails lie."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._progress import Progress, steps
from dedup_widgets.alignment.comparable import comparable
from dedup_widgets.alignment.confirm import RULES_VERSION, confirm
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.errors import EngineError, StoreError
from dedup_widgets.scale.jobs import Runner
from dedup_widgets.scale.shards import read_looks
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.pictures import parts_of_pairs, read_evidence
from dedup_widgets.scoring.verify import Pair

_FOLDER = f"evidence/{RULES_VERSION}"

_PAIRS = {"a": pl.String, "b": pl.String}


class Looks:
    """Compares pictures of a run by jobs, and keeps what was found in the work folder.

    Parameters
    ----------
    names
        Fingerprints of n pictures.
    shard, picture
        (n,), in which shard each lies, by its number, and its number there.
    shards
        The names of all shards.
    """

    def __init__(
        self,
        work: Work,
        runner: Runner,
        names: pl.Series,
        shard: NDArray[np.int32],
        picture: NDArray[np.int32],
        shards: Sequence[str],
        progress: Progress = False,
    ) -> None:
        self._work, self._runner, self._progress = work, runner, progress
        self._names, self._shard, self._picture = names, shard, picture
        self._shards = shards

    def __call__(self, pairs: Sequence[Pair]) -> list[Evidence]:
        """Compare pairs of pictures, given as their numbers; a is the first of each."""
        asked = pl.DataFrame(
            {"first": [a for a, _ in pairs], "second": [b for _, b in pairs]},
            schema={"first": pl.UInt32, "second": pl.UInt32},
        )
        first, second = (self._names.gather(asked[name]) for name in asked.columns)
        is_lower = first < second
        asked = asked.with_columns(
            a=pl.Series(first).zip_with(is_lower, second),
            b=pl.Series(second).zip_with(is_lower, first),
            is_lower=is_lower,
        )
        known = self._known(asked.select("a", "b").unique())
        left = asked.join(known, on=["a", "b"], how="anti")
        if len(left):
            self._compare(left)
            known = self._known(asked.select("a", "b").unique())
        blobs = asked.join(known, on=["a", "b"], how="left", maintain_order="left")
        return [
            evidence if is_lower else evidence.inverse()
            for evidence, is_lower in zip(
                map(_evidence, blobs["found"]), asked["is_lower"], strict=True
            )
        ]

    def _known(self, wanted: pl.DataFrame) -> pl.DataFrame:
        """Return what the work folder has of some pairs."""
        files = sorted(self._work.names(_FOLDER))
        parts = [
            wanted.join(self._work.read_table(f"{_FOLDER}/{file}"), on=["a", "b"]) for file in files
        ]
        nothing = pl.DataFrame(schema={**_PAIRS, "found": pl.Binary})
        return pl.concat([nothing, *parts]).unique(["a", "b"])

    def _compare(self, asked: pl.DataFrame) -> None:
        numbers = {
            (a, b): (first, second) if lower else (second, first)
            for first, second, a, b, lower in asked.sort("a", "b").iter_rows()
        }
        jobs = []
        for part in parts_of_pairs(list(numbers)):
            rows = np.unique([numbers[pair] for pair in part])
            # The number of each picture among those of this job.
            at = [np.searchsorted(rows, numbers[pair]).tolist() for pair in part]
            places = [
                (self._shards[shard], picture)
                for shard, picture in zip(
                    self._shard[rows].tolist(), self._picture[rows].tolist(), strict=True
                )
            ]
            jobs.append((self._work, list(part), at, places, self._runner.cores))
        with steps(len(numbers), "Comparing pictures", self._progress) as report:
            for job, is_done in self._runner.run(compare_pictures, jobs, "comparing pictures"):
                if not is_done:
                    raise EngineError.of("comparing pictures", job[1][0])
                report(len(job[1]))


def _evidence(blob: bytes | None) -> Evidence:
    found = read_evidence(blob)
    if found is None:
        raise StoreError(f"a file below {_FOLDER} of the work folder is damaged; delete it")
    return found


def compare_pictures(
    work: Work,
    names: Sequence[tuple[str, str]],
    pairs: Sequence[tuple[int, int]],
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
