"""A run over a work folder: which files are missing there, and who makes them.

The driver holds columns, not objects, and no vector or path: what it needs of a million images
takes some hundred megabytes. Each step asks for the files that it needs; those that are there are
not made again, so a run that was ended goes on from where it was, and one with more images, another
boundary or other keeper rules does only what is new.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._memory import give_back
from dedup_widgets._paths import absolutes
from dedup_widgets._progress import Progress, steps
from dedup_widgets.errors import EngineError, ImageError, InputError
from dedup_widgets.frame.annotations import NAME as ANNOTATIONS
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.same_file import NAME as SAME_FILE
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.frame.scale import gamma_of, radius_of
from dedup_widgets.frame.scope import scope_of
from dedup_widgets.images.entry import Entry, as_columns
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.source import source_for
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.load import lasting_name
from dedup_widgets.models.perceptual import PERCEPTUAL_KEY
from dedup_widgets.scale.apart import PART, Apart, RankedApart, rules_apart
from dedup_widgets.scale.blocks import (
    BLOCK_PICTURES,
    Block,
    Radii,
    compare_blocks,
    cut_blocks,
    cut_parts,
    equal_file,
    find_equal,
    tile_file,
    tiles,
)
from dedup_widgets.scale.copies import Copies, Prints, by_shard, read_copies, smallest
from dedup_widgets.scale.facts import Facts
from dedup_widgets.scale.found import Pictures, fold
from dedup_widgets.scale.jobs import Engine, Here, Runner
from dedup_widgets.scale.looks import Looks
from dedup_widgets.scale.manifest import SHARD_FILES, Manifest, keys_of
from dedup_widgets.scale.parts import ORDER, PICTURE, Run
from dedup_widgets.scale.paths import Paths
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
from dedup_widgets.scoring.columns import facts_of, laid_out
from dedup_widgets.scoring.evidence import evidence_column
from dedup_widgets.scoring.pair_evidence import PairEvidence
from dedup_widgets.scoring.scores import (
    PictureRanking,
    can_be_seen,
    compare_candidates,
    decide,
)
from dedup_widgets.scoring.task import ScoringTask
from dedup_widgets.scoring.uniqueness import Nearest

_FILES_AT_A_TIME = 4096


@dataclass(frozen=True)
class Names:
    """All names of the files of a task: a file is described and compared once.

    Attributes
    ----------
    paths
        Of all names.
    given
        Further columns of all.
    first
        (n,), the first row of each file; None where each row is one.
    """

    paths: Paths
    given: pl.DataFrame | None
    first: NDArray[np.int64] | None

    def with_further(self, part: pl.DataFrame) -> pl.DataFrame:
        """Return a part of the frame with all names, by their places in the list of all."""
        if self.first is None:
            return part
        own, further = np.unique(self.first), further_rows(self.first)
        rows = own[part[ORDER].to_numpy()]
        place = np.full(len(self.first), -1)
        place[rows] = np.arange(len(rows))
        here = further[place[self.first[further]] >= 0]
        table = part[np.concatenate([np.arange(len(rows)), place[self.first[here]]])]
        is_further = pl.Series(np.arange(len(table)) >= len(rows))
        order = np.concatenate([rows, here])
        return table.with_columns(
            self.paths.gather(order).alias("path"),
            pl.Series(ORDER, order, part.schema[ORDER]),
            group=pl.when(~(is_further & pl.col("keep"))).then("group"),
        )


def _on_disk(task: ScoringTask) -> tuple[ScoringTask, Paths, Names]:
    """Return a task without its paths, those with one name of each file, and all names.

    From here on nobody holds what is known of the files in memory, unless who asked does.
    """
    inputs, given, first = task.inputs, task.given, None
    if given is not None and SAME_FILE in given.columns:
        first = first_rows(pl.DataFrame([inputs.paths, given[SAME_FILE]]))
    if first is None:
        paths = every = Paths(inputs.paths, inputs.known)
        own = given
    else:
        rows = np.unique(first)
        known = None if inputs.known is None else inputs.known[rows]
        paths, every = Paths(inputs.paths.gather(rows), known), Paths(inputs.paths)
        own = None if given is None else given[rows]
    bare = replace(inputs, paths=inputs.paths.clear(), known=None, given=own)
    return replace(task, inputs=bare), paths, Names(every, given, first)


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
    sizes = sizes or Sizes()
    task, paths, all_names = _on_disk(task)
    give_back()
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
        shards, place = _described(paths, work, runner, model, progress, sizes)
        return _scored(
            task, paths, all_names, work, runner, embedder, shards, place, progress, sizes
        )


def _key_elsewhere(work: Work, runner: Runner, model: Model) -> str:
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
    for some in paths.parts(_FILES_AT_A_TIME):
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


# Describing


def _described(
    paths: Paths,
    work: Work,
    runner: Runner,
    model: Model,
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
    manifest = Manifest.read(work, named(model.key, model.decoder, PERCEPTUAL_KEY))
    keys = keys_of(path for part in paths.parts(_FILES_AT_A_TIME) for path in absolutes(part))
    again = _to_read_again(work, manifest)
    manifest = manifest.with_listed(keys, partial(_listed, paths), again, sizes.shard_files)
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


# Scoring


_KEPT_ELSEWHERE = {"path", "fingerprint", *keepers.OF_EVIDENCE}
"""Columns that keeper rules look at and facts of shards do not have, or in another form."""


@dataclass(frozen=True)
class _Told:
    """What is told of the rows that are readable.

    Attributes
    ----------
    scores
        As :func:`decide` returns them.
    picture
        The number of the picture of each.
    evidence, prints
        Of the pictures.
    order
        The place of each in the list.
    apart
        Of which of these each readable row has the score, where not all are compared.
    """

    scores: pl.DataFrame
    picture: NDArray[np.int32]
    evidence: PairEvidence
    prints: Prints
    order: pl.Series
    apart: Apart | None

    def part(self, rows: slice, paths: Paths) -> pl.DataFrame:
        """Return some rows, with all columns; `paths` are those of the list."""
        its = rows if self.apart is None else self.apart.at[rows]
        column = evidence_column(self.picture[its], self.evidence, self.prints.texts)
        own = self.scores[its] if self.apart is None else self.apart.told(self.scores, rows)
        nearest = paths.gather(self.order.gather(own["nearest"])).alias("nearest")
        return own.with_columns(nearest=nearest, evidence=column)


def _scored(
    task: ScoringTask,
    paths: Paths,
    all_names: Names,
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
    copies = read_copies(work, names, place)
    readable = copies.is_readable
    seen = place if readable.all() else place.filter(readable)
    apart = _apart(task, paths, work, names, seen, copies)
    if apart is not None:
        copies, seen = apart.copies, seen[apart.rows]
    give_back()
    number, best, kept, ranking = _ranked(task, paths, work, names, seen, copies.of_row, apart)
    give_back()
    if apart is None:
        blocks = cut_blocks(work, copies.place, shards, sizes.block_pictures)
    else:
        blocks = cut_parts(work, apart.pictures(), shards, sizes.block_pictures)
    radii = Radii(
        embedder.candidate_distance,
        max(embedder.candidate_distance, radius_of(task.near, gamma_of(embedder.near_distance))),
    )
    _compare(work, runner, blocks, radii, task.device, progress)
    # From here on pictures are numbered by rank, as on one machine.
    of_row = number[copies.of_row]
    shard, at, tie = (
        _by_rank(it, number) for it in (*map(pl.Series.to_numpy, copies.place), copies.rank)
    )
    del copies
    give_back()
    part_of, old = (None, None) if apart is None else (apart.part_of, apart.old)
    found = fold(work, blocks, radii, number, part_of, old)
    old = None if old is None else _by_rank(old, number)
    nearest = Nearest(of_row, Pictures(best, found), found.comparison(radii.near))
    del number, of_row, best
    give_back()
    candidates = found.candidates(embedder.candidate_distance, kept, tie)
    # Only they are compared.
    some = np.flatnonzero(np.diff(candidates.start))
    prints = Prints.read(work, names, some, shard[some], at[some])
    looked = compare_candidates(
        nearest,
        candidates,
        Looks(work, runner, prints, shard, at, names, progress),
        ranking=ranking,
        spectra=lambda rows: _spectra(work, names, seen, rows),
        old=old,
    )
    looked = replace(looked, left_out=looked.left_out + int((~kept).sum()))
    del candidates, shard, at, tie, kept
    give_back()
    scores = decide(
        nearest,
        looked.evidence,
        ranking=ranking,
        near=task.near,
        near_distance=embedder.near_distance,
        old=old,
    )
    made = task.provenance(embedder, [looked])
    told = _Told(scores, nearest.of_row, looked.evidence, prints, seen["order"], apart)
    del nearest, found, ranking, scores
    give_back()
    return _write(task, paths, all_names, work, names, place, readable, told, made)


def _by_rank(values: NDArray[Any], number: NDArray[np.int32]) -> NDArray[Any]:
    """Return the values of pictures in the order of their ranks."""
    by_rank = np.empty_like(values)
    by_rank[number] = values
    return by_rank


def _apart(
    task: ScoringTask,
    paths: Paths,
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    copies: Copies,
) -> Apart | None:
    """Return who of the readable rows is compared with whom; None where all are."""
    if task.within is None and not task.against:
        return None
    frame = paths.gather(place["order"]).to_frame()
    if (given := task.given) is not None:
        its = given.select(it for it in given.columns if it in {"role", task.within})
        frame = frame.hstack(its[place["order"]])
    scope = scope_of(frame, [Provenance(against=task.against, within=task.within)])
    if scope is None:
        return None
    with _ranking(task, paths, work, shards, place, copies.of_row) as (ranking, _):
        return Apart.of(scope, copies, ranking.ranks())


def _ranked(
    task: ScoringTask,
    paths: Paths,
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    of_row: NDArray[np.int32],
    apart: Apart | None,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_], PictureRanking]:
    """Rank rows and their pictures by facts alone: what vectors say depends on no evidence.

    Returns
    -------
    tuple
        The rank of each picture; and by these ranks the row of its best copy, whether it can be
        seen, and how evidence ranks pictures.
    """
    with _ranking(task, paths, work, shards, place, of_row, apart) as (ranking, are_whole):
        best = ranking.best_first
        if apart is not None:
            best = best[np.argsort(apart.part[best], kind="stable")]
        number = np.empty(len(best), np.int32)
        number[of_row[best]] = np.arange(len(best), dtype=np.int32)
        give_back()
        by_evidence: PictureRanking = ranking.of_pictures(best)
        if apart is not None:
            by_evidence = RankedApart(by_evidence, apart.part[best])
        return number, best, are_whole[best], by_evidence


@contextmanager
def _ranking(
    task: ScoringTask,
    paths: Paths,
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    of_row: NDArray[np.int32],
    apart: Apart | None = None,
) -> Iterator[tuple[keepers.Ranking, NDArray[np.bool_]]]:
    """Give what keeper rules say of rows, and which of these can be seen."""
    given, in_list = task.given, place["order"].to_numpy()
    known = facts_of([], [])
    types = known if given is None else known.hstack(given.clear())
    if "shot" not in types.columns:  # where no picture has further parts
        types = types.with_columns(shot=pl.lit(None))
    rules = task.rules
    if apart is not None:
        rules = rules_apart(rules)
        types = types.with_columns(pl.lit(0, pl.Int64).alias(PART))
    needed = keepers.looked_at(types, rules) | {"utc_offset"}
    columns = [name for name in known.columns if name in needed - _KEPT_ELSEWHERE]
    whole: list[NDArray[np.bool_]] = [np.empty(0, np.bool_)]

    def facts() -> Iterator[pl.DataFrame]:
        for shard, at in by_shard(place):
            part = read_facts(work, shards[shard], {*columns, "frames"})[at]
            whole.append(can_be_seen(part["frames"]))
            yield part.select(columns)

    def others(rows: NDArray[np.integer], names: Sequence[str]) -> pl.DataFrame:
        found = {"fingerprint": pl.Series(of_row[rows])}
        if "path" in names:
            found["path"] = paths.gather(in_list[rows])
        for name in names:
            if name == PART and apart is not None:
                found[name] = pl.Series(apart.part[rows])
            elif given is not None and name in given.columns:
                found[name] = given[name].gather(in_list[rows])
        nothing = {
            name: pl.repeat(None, len(rows), dtype=types.schema.get(name, pl.Null), eager=True)
            for name in set(names) - found.keys()
        }
        return pl.DataFrame(found | nothing).select(names)

    types = types.with_columns(fingerprint=pl.Series(of_row[:0]))
    with TemporaryDirectory() as folder:
        ranking = keepers.Ranking(Facts(Path(folder), facts(), others, types), rules)
        give_back()
        yield ranking, np.concatenate(whole)


def _compare(
    work: Work,
    runner: Runner,
    blocks: Sequence[Block],
    radii: Radii,
    device: str | None,
    progress: Progress,
) -> None:
    """Compare the blocks that were not compared yet."""
    there = work.names("tiles")
    equal = [
        (work, a.name)
        for a in blocks
        if a.old and equal_file(a.name).partition("/")[2] not in there
    ]
    for job, is_done in runner.run(find_equal, equal, "comparing vectors"):
        if not is_done:
            raise EngineError.of("comparing vectors", job[1:2])
    jobs = [
        (work, a.name, b.name, radii, device)
        for a, b in tiles(blocks)
        if tile_file(a.name, b.name, radii).partition("/")[2] not in there
    ]
    with steps(len(jobs), "Comparing vectors", progress) as report:
        for job, is_done in runner.run(compare_blocks, jobs, "comparing vectors"):
            if not is_done:
                raise EngineError.of("comparing vectors", job[1:3])
            report(1)


def _spectra(
    work: Work, shards: Sequence[str], place: pl.DataFrame, rows: NDArray[np.integer]
) -> list[bytes]:
    """Return how fine the detail of some readable rows is, from their shards."""
    some = place[rows].with_row_index("asked").sort("shard")
    found = [read_facts(work, shards[shard], ["spectrum"])[at] for shard, at in by_shard(some)]
    if not found:
        return []
    spectra = pl.concat(found).to_series().gather(some["asked"].arg_sort())
    return [*map(bytes.fromhex, spectra)]


def _write(
    task: ScoringTask,
    paths: Paths,
    all_names: Names,
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    readable: NDArray[np.bool_],
    told: _Told,
    made: Provenance,
) -> Run:
    """Write the frame, a part a shard."""
    numbers = told.scores.select(
        "uniqueness", "group", "keep", "nearest", "completeness", "enlarged"
    )
    given = all_names.given
    given = given if given is not None and given.width else None
    drawn = task.inputs.annotations
    extra = [it.hash_rows().to_numpy().tobytes() for it in (given, drawn) if it is not None]
    if told.apart is not None:
        extra.append(told.apart.at.tobytes())
    contents = [
        named(*(it.cast(pl.Float64).fill_null(0).to_numpy().tobytes() for it in part))
        for table in (place, numbers)
        for part in table.iter_slices(_FILES_AT_A_TIME)
    ]
    name = named(made.text, *shards, *extra, *contents)
    written: list[tuple[str, str]] = []
    start = first = dimensions = 0
    for shard, at in by_shard(place):
        part = slice(start, start + len(at))
        order = place["order"][part]
        facts = read_facts(work, shards[shard])[at].with_columns(path=paths.gather(order))
        count = int(readable[part].sum())
        own = told.part(slice(first, first + count), paths)
        laid = laid_out(facts, own, made).with_columns(
            order.alias(ORDER), facts["picture"].alias(PICTURE)
        )
        laid = all_names.with_further(laid)
        rows = laid[ORDER]
        table = task.with_given(laid.drop(ORDER, PICTURE), None if given is None else given[rows])
        dimensions = max(dimensions, facts["dimensions"][0])
        table = table.with_columns(laid.select(ORDER, PICTURE))
        file = f"frame/{name}/{len(written):06}.parquet"
        work.write_table(file, table)
        written.append((file, shards[shard]))
        start, first = part.stop, first + count
    further = [*([] if given is None else given.columns), *([] if drawn is None else [ANNOTATIONS])]
    run = Run(
        work, written, len(all_names.paths), dimensions, after=further[0] if further else None
    )
    run.write()
    return run
