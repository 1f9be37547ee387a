"""Which row is the best keeper of a picture, and which picture is a better one, by facts alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._memory import give_back
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.scope import scope_of
from dedup_widgets.scale.apart import PART, Apart, RankedApart, rules_apart
from dedup_widgets.scale.copies import Copies, by_shard
from dedup_widgets.scale.facts import FactsOnDisk
from dedup_widgets.scale.paths import Paths
from dedup_widgets.scale.shards import read_facts
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.columns import facts_of
from dedup_widgets.scoring.scores import EvidenceRanking, can_be_seen
from dedup_widgets.scoring.task import ScoringTask

_KEPT_ELSEWHERE = {"path", "fingerprint", *keepers.OF_EVIDENCE}
"""Columns that keeper rules look at and facts of shards do not have, or in another form."""


def apart_of(
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


def ranked(
    task: ScoringTask,
    paths: Paths,
    work: Work,
    shards: Sequence[str],
    place: pl.DataFrame,
    of_row: NDArray[np.int32],
    apart: Apart | None,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_], EvidenceRanking]:
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
        by_evidence: EvidenceRanking = ranking.of_pictures(best)
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
        ranking = keepers.Ranking(FactsOnDisk(Path(folder), facts(), others, types), rules)
        give_back()
        yield ranking, np.concatenate(whole)
