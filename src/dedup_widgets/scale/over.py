"""A run over a work folder: which files are missing there, and who makes them.

The driver holds columns, not objects, and no vector: what it needs of a million images takes some
hundred megabytes. Each step asks for the files that it needs; those that are there are not made
again, so a run that was ended goes on from where it was, and one with more images, another
boundary or other keeper rules does only what is new.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._paths import absolute
from dedup_widgets._progress import Progress, steps
from dedup_widgets.errors import EngineError, ImageError, InputError
from dedup_widgets.frame.annotations import NAME as ANNOTATIONS
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.scale import gamma_of, radius_of
from dedup_widgets.frame.schema import types
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.source import source_for
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.load import lasting_name
from dedup_widgets.models.perceptual import PERCEPTUAL_KEY
from dedup_widgets.scale.blocks import (
    BLOCK_PICTURES,
    Block,
    Reach,
    compare_blocks,
    cut_blocks,
    tile_file,
    tiles,
)
from dedup_widgets.scale.found import Pictures, fold
from dedup_widgets.scale.jobs import Engine, Here, Runner
from dedup_widgets.scale.looks import Looks
from dedup_widgets.scale.manifest import FILE, SHARD_FILES, Manifest
from dedup_widgets.scale.parts import ORDER, PICTURE, Run
from dedup_widgets.scale.shards import (
    AGAIN,
    FOLDER,
    Model,
    describe_shard,
    name_vectors,
    read_facts,
    write_lost,
)
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.columns import facts_of, laid_out, names_of
from dedup_widgets.scoring.scores import can_be_seen, decide
from dedup_widgets.scoring.task import ScoringTask
from dedup_widgets.scoring.uniqueness import Nearest

_FILES_AT_A_TIME = 4096


@dataclass(frozen=True)
class Sizes:
    """How the work is cut; it changes no result.

    Attributes
    ----------
    shard_files
        Files that are described by one job.
    block_pictures
        Pictures of a block.
    """

    shard_files: int = SHARD_FILES
    block_pictures: int = BLOCK_PICTURES


def score_over(
    task: ScoringTask,
    work: Work,
    engine: Engine | None = None,
    progress: Progress = False,
    sizes: Sizes | None = None,
) -> Run:
    """Score the images of a task by jobs over a work folder.

    Parameters
    ----------
    task
        What is to be scored, and how; its store is not used.
    work
        Where all that is made lies.
    engine
        Where the jobs run; None: here.
    progress
        As :func:`dedup_widgets.score` takes it.
    sizes
        How the work is cut.
    """
    if task.within is not None or task.against:
        raise InputError("within and against are for one machine: leave out work and engine")
    sizes = sizes or Sizes()
    embedder = task.load()
    if not embedder.persistent:
        raise InputError(
            "over a work folder, a model of your own needs a `key` that names its weights"
        )
    is_named = isinstance(task.model, str | os.PathLike)
    model = Model(
        lasting_name(task.model) if is_named else task.model,
        task.device,
        task.precision,
        embedder.key,
        batch_size=task.batch_size,
    )
    with (engine or Here(task.workers)).started() as runner:
        if runner.is_elsewhere:
            model = replace(model, key=_key_elsewhere(work, runner, replace(model, key="")))
        shards, place = _described(work, runner, model, _listed(task), progress, sizes)
        return _scored(task, work, runner, embedder, shards, place, progress, sizes)


def _key_elsewhere(work: Work, runner: Runner, model: Model) -> str:
    """Return what the machines that do the work call the vectors of a model."""
    name = model.model if isinstance(model.model, str) else model.model.name
    file = f"models/{named(name, model.precision, model.device)}"
    for job, is_done in runner.run(name_vectors, [(work, file, model)], "loading the model"):
        if not is_done:
            raise EngineError.of("loading the model", job[1])
    return work.read(file).decode()


def _listed(task: ScoringTask) -> pl.DataFrame:
    """Look all files up, and return what is known of them."""
    files = Files(source_for, task.inputs.entries)
    pieces = []
    for start in range(0, len(task.paths), _FILES_AT_A_TIME):
        paths = [absolute(path) for path in task.paths[start : start + _FILES_AT_A_TIME]]
        found = [
            (path, 0, "") if isinstance(entry, ImageError) else (path, entry.size, entry.version)
            for path, entry in zip(paths, files.look_up(paths), strict=True)
        ]
        pieces.append(pl.DataFrame(found, schema=FILE, orient="row"))
    return pl.concat([pl.DataFrame(schema=FILE), *pieces])


# Describing


def _described(
    work: Work,
    runner: Runner,
    model: Model,
    listed: pl.DataFrame,
    progress: Progress,
    sizes: Sizes,
) -> tuple[list[tuple[str, int]], pl.DataFrame]:
    """Describe what is new.

    Returns
    -------
    tuple
        Name and round of the shards that have files of this run; and ``shard``, a number of these,
        ``at``, the place in it, and ``order``, the place in the list, ascending by the first two.
    """
    how = named(model.key, model.decoder, PERCEPTUAL_KEY)
    manifest = Manifest.read(work, how)
    names = work.names(AGAIN)
    of_how = {f"{name}.parquet" for name in manifest.files["shard"].unique()}
    again = [
        work.read_table(f"{AGAIN}/{name}").with_columns(
            shard=pl.lit(name.partition(".")[0], pl.Categorical())
        )
        for name in sorted(names & of_how)
    ]
    schema: dict[str, Any] = {"path": pl.String, "shard": pl.Categorical()}
    unread = pl.concat([pl.DataFrame(schema=schema), *again])
    unread = unread.join(manifest.current, on=["path", "shard"], how="semi").select("path")
    once = (
        listed
        if listed["path"].n_unique() == len(listed)
        else listed.unique("path", maintain_order=True)
    )
    manifest = manifest.with_listed(once, unread, sizes.shard_files)
    shared = runner.share(model)
    while True:
        current = _of_run(listed, manifest.current)
        wanted = current["shard"].unique(maintain_order=True)
        done = work.names(FOLDER)
        missing = wanted.filter([f"{name}.parquet" not in done for name in wanted])
        if not len(missing):
            break
        manifest = _describe(work, runner, shared, manifest, missing, progress)
    return _placed(listed, current)


def _of_run(listed: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """Return what the manifest has of the files of a run."""
    if current["path"].equals(listed["path"]):
        return current
    return current.join(listed.select("path"), on="path", how="semi")


def _describe(
    work: Work,
    runner: Runner,
    model: Any,
    manifest: Manifest,
    missing: pl.Series,
    progress: Progress,
) -> Manifest:
    """Describe the shards that are missing; those that end their workers are halved."""
    files = manifest.files.filter(pl.col("shard").is_in(missing.to_list()))
    by_name = {
        str(name): part.select(*FILE)
        for (name,), part in files.group_by("shard", maintain_order=True)
    }
    jobs = ((work, name, part, model, runner.cores) for name, part in by_name.items())
    with steps(len(files), "Reading and embedding", progress) as report:
        for job, is_done in runner.run(describe_shard, jobs, "reading and embedding"):
            _, name, part, *_ = job
            if is_done:
                report(len(part))
            elif len(part) > 1:
                manifest = manifest.with_halves(name)
            else:
                write_lost(work, name, part)
                report(1)
    return manifest


def _placed(
    listed: pl.DataFrame, current: pl.DataFrame
) -> tuple[list[tuple[str, int]], pl.DataFrame]:
    # Halves of a shard belong to the round in which it came in.
    shards = current.select("shard", "round").unique("shard", maintain_order=True)
    shards = shards.sort("round", maintain_order=True).with_row_index("number")
    if current["path"].equals(listed["path"]):
        files = current.select("shard", "at").with_row_index("order")
    else:
        files = listed.select("path").with_row_index("order")
        files = files.join(current.select("path", "shard", "at"), on="path")
    place = (
        files.join(shards.select("shard", "number"), on="shard")
        .select("order", "at", shard="number")
        .sort("shard", "at", "order")
    )
    return list(shards.select("shard", "round").iter_rows()), place


# Scoring


def _scored(
    task: ScoringTask,
    work: Work,
    runner: Runner,
    embedder: Embedder,
    shards: Sequence[tuple[str, int]],
    place: pl.DataFrame,
    progress: Progress,
    sizes: Sizes,
) -> Run:
    """Compare what was described, score it, and write the frame."""
    names = [name for name, _ in shards]
    facts = _facts_to_rank(task, work, names, place)
    paths, readable = facts["path"], facts["fingerprint"].is_not_null()
    # What it takes to decide is let go of before anything is written.
    scores, made = _decided(task, work, runner, embedder, shards, place, facts, progress, sizes)
    del facts
    return _write(task, work, names, place, paths, readable, scores, made)


def _decided(
    task: ScoringTask,
    work: Work,
    runner: Runner,
    embedder: Embedder,
    shards: Sequence[tuple[str, int]],
    place: pl.DataFrame,
    facts: pl.DataFrame,
    progress: Progress,
    sizes: Sizes,
) -> tuple[pl.DataFrame, Provenance]:
    """Score the images that are readable; return that, and how it was done."""
    names = [name for name, _ in shards]
    readable = facts["fingerprint"].is_not_null()
    seen = facts.filter(readable).drop("picture")
    pictures, of_row = _pictures(place.filter(readable), facts.filter(readable))
    # Ranks by facts alone, as on one machine: what vectors say depends on no evidence.
    number, rows, order, representative = _by_rank(keepers.rank(seen, task.rules), of_row)
    blocks = cut_blocks(work, pictures, shards, sizes.block_pictures)
    reach = Reach(
        embedder.candidate_distance,
        max(embedder.candidate_distance, radius_of(task.near, gamma_of(embedder.near_distance))),
    )
    _compare(work, runner, blocks, reach, task.device, progress)
    found = fold(work, blocks, reach, number)
    by_rank = np.argsort(number)
    kept = can_be_seen(seen["frames"].gather(rows))
    prints = seen["fingerprint"].gather(rows)
    shard, picture = (pictures[it].to_numpy()[by_rank] for it in ("shard", "picture"))
    scores, looked = decide(
        seen,
        Nearest(order, representative, Pictures(rows, found), found.comparison(reach.near)),
        found.candidates(
            embedder.candidate_distance, kept, prints.rank("ordinal").to_numpy().astype(np.int64)
        ),
        Looks(work, runner, prints, shard, picture, names, progress),
        near=task.near,
        keep=task.rules,
        near_distance=embedder.near_distance,
        spectra=_Spectra(work, names, place.filter(readable)),
    )
    looked = replace(looked, left_out=looked.left_out + int((~kept).sum()))
    return scores, task.provenance(embedder, [looked])


def _facts_to_rank(
    task: ScoringTask, work: Work, shards: Sequence[str], place: pl.DataFrame
) -> pl.DataFrame:
    """Return what keeper rules look at, and of each row the number of its picture in the shard."""
    given = task.given
    known = facts_of([], [])
    needed = keepers.looked_at(known if given is None else known.hstack(given.clear()), task.rules)
    later = {"path", "completeness", "enlarged"}
    needed |= {"frames"}
    columns = [name for name in known.columns if name in needed - later] + ["picture"]
    parts = [read_facts(work, shards[shard], columns)[at] for shard, at in _by_shard(place)]
    nothing = known.select(columns[:-1]).with_columns(picture=pl.lit(None, pl.UInt32))
    order = place["order"]
    facts = pl.concat([nothing, *parts]).with_columns(
        pl.Series("path", task.paths, pl.String).gather(order),
        *(pl.lit(None, dtype).alias(it) for it, dtype in types("completeness", "enlarged").items()),
    )
    ranked = [] if given is None else [given[it].gather(order) for it in needed & {*given.columns}]
    return facts.hstack(ranked)


def _by_shard(place: pl.DataFrame) -> Iterator[tuple[int, pl.Series]]:
    """Yield each shard, and which of its rows are in this run."""
    for (shard,), part in place.group_by("shard", maintain_order=True):
        yield int(str(shard)), part["at"]


def _pictures(place: pl.DataFrame, facts: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return where the pictures of readable rows lie, and the picture of each row."""
    first = facts.with_row_index("row").select(pl.min("row").over("fingerprint"))
    of_row = first.to_series().to_numpy()
    rows = np.unique(of_row)
    pictures = pl.DataFrame(
        {"shard": place["shard"].gather(rows), "picture": facts["picture"].gather(rows)}
    )
    return pictures, np.searchsorted(rows, of_row)


def _by_rank(
    rank: NDArray[np.int64], of_row: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers of pictures by the rank of their best copy.

    Returns
    -------
    tuple
        The number of each picture, and the row of its best copy by number; and the rows in order of
        rank, with the number of the picture of each.
    """
    order = np.argsort(rank)
    in_order = of_row[order]
    _, best = np.unique(in_order, return_index=True)
    by_rank = np.argsort(best)
    number = np.empty(len(best), np.int32)
    number[by_rank] = np.arange(len(best))
    return number, order[best[by_rank]], order, number[in_order].astype(np.int64)


def _compare(
    work: Work,
    runner: Runner,
    blocks: Sequence[Block],
    reach: Reach,
    device: str | None,
    progress: Progress,
) -> None:
    """Compare the blocks that were not compared yet."""
    there = work.names("tiles")
    jobs = [
        (work, a.name, b.name, reach, device)
        for a, b in tiles(blocks)
        if tile_file(a.name, b.name, reach).partition("/")[2] not in there
    ]
    with steps(len(jobs), "Comparing vectors", progress) as report:
        for job, is_done in runner.run(compare_blocks, jobs, "comparing vectors"):
            if not is_done:
                raise EngineError.of("comparing vectors", job[1:3])
            report(1)


class _Spectra:
    """How fine the detail of rows is, read from their shards and remembered."""

    def __init__(self, work: Work, shards: Sequence[str], place: pl.DataFrame) -> None:
        self._work, self._shards, self._place = work, shards, place
        self._known: dict[int, str] = {}

    def __call__(self, rows: list[int]) -> list[str]:
        left = np.array([row for row in rows if row not in self._known], np.int64)
        shard, at = (self._place[name].to_numpy()[left] for name in ("shard", "at"))
        for number in np.unique(shard):
            some = shard == number
            spectrum = read_facts(self._work, self._shards[number], ["spectrum"])["spectrum"]
            self._known.update(zip(left[some].tolist(), spectrum.gather(at[some]), strict=True))
        return [self._known[row] for row in rows]


def _write(
    task: ScoringTask,
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    paths: pl.Series,
    readable: pl.Series,
    scores: pl.DataFrame,
    made: Provenance,
) -> Run:
    """Write the frame, a part a shard."""
    seen = paths.filter(readable)
    numbers = scores.select("uniqueness", "group", "keep", "nearest", "completeness", "enlarged")
    given = task.given if task.given is not None and task.given.width else None
    drawn = task.inputs.annotations
    extra = [it.hash_rows().to_numpy().tobytes() for it in (given, drawn) if it is not None]
    contents = [named(it.cast(pl.Float64).fill_null(0).to_numpy().tobytes()) for it in numbers]
    name = named(made.text, *shards, *(place[it].to_numpy().tobytes() for it in place.columns))
    name = named(name, *extra, *contents)
    parts: list[tuple[str, str]] = []
    start = first = dimensions = 0
    for shard, at in _by_shard(place):
        part = slice(start, start + len(at))
        order = place["order"][part]
        facts = read_facts(work, shards[shard])[at].with_columns(path=paths[part])
        count = int(readable[part].sum())
        own = scores[first : first + count]
        table = laid_out(facts, own.with_columns(names_of(own["nearest"], seen)), made)
        table = task.with_given(table, None if given is None else given[order])
        dimensions = max(dimensions, facts["dimensions"][0])
        table = table.with_columns(order.alias(ORDER), facts["picture"].alias(PICTURE))
        file = f"frame/{name}/{len(parts):06}.parquet"
        work.write_table(file, table)
        parts.append((file, shards[shard]))
        start, first = part.stop, first + count
    further = [*([] if given is None else given.columns), *([] if drawn is None else [ANNOTATIONS])]
    run = Run(work, parts, len(place), dimensions, after=further[0] if further else None)
    run.write()
    return run
