"""Which files of a run are not described yet, and describing them, a shard a job."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._paths import absolutes
from dedup_widgets._progress import Progress, steps
from dedup_widgets.errors import EngineError, ImageError
from dedup_widgets.images.entry import Entry, as_columns
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.source import source_for
from dedup_widgets.models.perceptual import PERCEPTUAL_KEY
from dedup_widgets.scale.copies import smallest
from dedup_widgets.scale.jobs import Runner
from dedup_widgets.scale.manifest import Manifest, keys_of
from dedup_widgets.scale.paths import Paths
from dedup_widgets.scale.shards import (
    AGAIN,
    FOLDER,
    Model,
    describe_shard,
    name_vectors,
    write_lost,
)
from dedup_widgets.scale.work import Work, named

FILES_AT_A_TIME = 4096
"""Files, or rows, that are worked on at a time."""


def key_elsewhere(work: Work, runner: Runner, model: Model) -> str:
    """Return what the machines that do the work call the vectors of a model."""
    name = model.model if isinstance(model.model, str) else model.model.name
    file = f"models/{named(name, model.precision, model.device)}"
    for job, is_done in runner.run(name_vectors, [(work, file, model)], "loading the model"):
        if not is_done:
            raise EngineError.of("loading the model", job[1])
    return work.read(file).decode()


def _listed(paths: Paths) -> Iterator[pl.DataFrame]:
    """Look all files up, and yield what is known of them, some at a time."""
    start = 0
    for some in paths.parts(FILES_AT_A_TIME):
        stop = start + len(some)
        listed: dict[str, Entry] = {}
        if (known := paths.known(start, stop)) is not None:
            rows = zip(some, known.iter_rows(), strict=True)
            listed = {path: Entry(path, *it) for path, it in rows if it[0] is not None}
        spelled = absolutes(some).to_list()
        found = Files(source_for, listed).look_up(spelled)
        yield as_columns(
            Entry(path, 0, "") if isinstance(entry, ImageError) else entry
            for path, entry in zip(spelled, found, strict=True)
        )
        start = stop


def described(
    paths: Paths,
    work: Work,
    runner: Runner,
    model: Model,
    progress: Progress,
    shard_files: int,
) -> tuple[list[tuple[str, int]], pl.DataFrame]:
    """Describe what is new.

    Returns
    -------
    tuple
        Name and round of the shards that have files of this run; and ``shard``, a number of these,
        ``at``, the place in it, and ``order``, the place in the list, ascending by the first two.
    """
    how = [model.key, model.decoder, PERCEPTUAL_KEY]
    if model.decoding != "full":
        how.append(model.decoding)
    manifest = Manifest.read(work, named(*how))
    keys = keys_of(path for part in paths.parts(FILES_AT_A_TIME) for path in absolutes(part))
    again = _to_read_again(work, manifest)
    manifest = manifest.with_listed(keys, partial(_listed, paths), again, shard_files)
    shared = runner.share(model)
    while True:
        entries = manifest.find(keys)
        shard = manifest.shard_of(entries)
        done = work.names(FOLDER)
        wanted = np.unique(shard)
        names = [manifest.shards[number][0] for number in wanted]
        missing = [name for name in names if f"{name}.parquet" not in done]
        if not missing:
            break
        manifest = _describe(work, runner, shared, manifest, missing, progress)
    # Halves of a shard belong to the round in which it came in.
    rounds = np.array([manifest.shards[number][1] for number in wanted], np.int64)
    by_round = wanted[np.argsort(rounds, kind="stable")]
    number = np.zeros(len(manifest.shards), np.int32)
    number[by_round] = np.arange(len(by_round))
    at = entries - manifest.starts[shard].astype(np.int32)
    place = pl.DataFrame(
        {
            "order": np.arange(len(keys), dtype=np.uint32),
            "at": smallest(at),
            "shard": smallest(number[shard]),
        }
    )
    shards = [manifest.shards[number] for number in by_round]
    return shards, place.sort("shard", "at", "order")


def _to_read_again(work: Work, manifest: Manifest) -> NDArray[np.bool_]:
    """Return which entries are to be read again: they could not be read for now."""
    again = np.zeros(len(manifest.keys), np.bool_)
    names = work.names(AGAIN)
    for number, (shard, _) in enumerate(manifest.shards):
        if (file := f"{shard}.parquet") in names:
            entries = manifest.find(keys_of(work.read_table(f"{AGAIN}/{file}")["path"]))
            again[entries[manifest.shard_of(entries) == number]] = True
    return again


def _describe(
    work: Work,
    runner: Runner,
    model: Any,
    manifest: Manifest,
    missing: Sequence[str],
    progress: Progress,
) -> Manifest:
    """Describe the shards that are missing; those that end their workers are halved."""
    jobs = ((work, name, manifest.files(name), model, runner.cores) for name in missing)
    halved = manifest
    with steps(manifest.count(missing), "Reading and embedding", progress) as report:
        for job, is_done in runner.run(describe_shard, jobs, "reading and embedding"):
            _, name, part, *_ = job
            if is_done:
                report(len(part))
            elif len(part) > 1:
                halved = halved.with_halves(name)
            else:
                write_lost(work, name, part)
                report(1)
    return halved
