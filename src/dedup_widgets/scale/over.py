"""A run over a work folder: which files are missing there, and who makes them.

The driver holds columns, not objects, and no vector or path: what it needs of a million images
takes some hundred megabytes. Each step asks for the files that it needs; those that are there are
not made again, so a run that was ended goes on from where it was, and one with more images, another
boundary or other keeper rules does only what is new.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._memory import give_back
from dedup_widgets._progress import Progress, steps
from dedup_widgets.errors import EngineError, InputError
from dedup_widgets.frame.annotations import NAME as ANNOTATIONS
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.scale import gamma_of, radius_of
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.load import lasting_name
from dedup_widgets.scale.apart import Apart
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
from dedup_widgets.scale.copies import Prints, by_shard, read_copies
from dedup_widgets.scale.describe import FILES_AT_A_TIME, described, key_elsewhere
from dedup_widgets.scale.file_names import FileNames, on_disk
from dedup_widgets.scale.found import RankedPictures, fold
from dedup_widgets.scale.jobs import Engine, Here, Runner
from dedup_widgets.scale.looks import Looks
from dedup_widgets.scale.manifest import SHARD_FILES
from dedup_widgets.scale.parts import ORDER, PICTURE, Run
from dedup_widgets.scale.paths import Paths
from dedup_widgets.scale.ranked import apart_of, ranked
from dedup_widgets.scale.shards import Model, read_facts
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.columns import laid_out
from dedup_widgets.scoring.detail import measure, unmeasured, with_measured
from dedup_widgets.scoring.evidence import evidence_column
from dedup_widgets.scoring.pair_evidence import PairEvidence
from dedup_widgets.scoring.scores import compare_candidates, decide
from dedup_widgets.scoring.task import ScoringTask
from dedup_widgets.scoring.uniqueness import Nearest


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
    task, paths, all_names = on_disk(task)
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
        decoding=task.decoding,
    )
    with (engine or Here(task.workers)).started() as runner:
        if runner.is_elsewhere:
            model = replace(model, key=key_elsewhere(work, runner, replace(model, key="")))
        shards, place = described(paths, work, runner, model, progress, sizes.shard_files)
        return _scored(
            task, paths, all_names, work, runner, embedder, shards, place, progress, sizes
        )


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
    all_names: FileNames,
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
    apart = apart_of(task, paths, work, names, seen, copies)
    if apart is not None:
        copies, seen = apart.copies, seen[apart.rows]
    give_back()
    number, best, kept, ranking = ranked(task, paths, work, names, seen, copies.of_row, apart)
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
    nearest = Nearest(of_row, RankedPictures(best, found), found.comparison(radii.near))
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
        radius=embedder.candidate_distance,
        ranking=ranking,
        spectra=lambda rows: _spectra(work, names, seen, rows, task.workers, progress),
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
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    rows: NDArray[np.integer],
    workers: int,
    progress: Progress,
) -> list[bytes]:
    """Return how fine the detail of some readable rows is; what is measured now is kept."""
    some = place[rows].with_row_index("asked").sort("shard")
    known = ["path", "fingerprint", "spectrum"]
    found = [read_facts(work, shards[shard], known)[at] for shard, at in by_shard(some)]
    if not found:
        return []
    pictures = pl.concat(found)[some["asked"].arg_sort()]
    todo = unmeasured(pictures)
    file = f"detail/{named(*(name for _, name in todo))}.parquet"
    if todo and work.has(file):
        return with_measured(pictures, dict(work.read_table(file).iter_rows()))
    measured = measure(todo, workers, progress)
    if measured and all(measured.values()):
        table = {"fingerprint": [*measured], "spectrum": [*measured.values()]}
        work.write_table(file, pl.DataFrame(table))
    return with_measured(pictures, measured)


def _write(
    task: ScoringTask,
    paths: Paths,
    all_names: FileNames,
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
        for part in table.iter_slices(FILES_AT_A_TIME)
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
