"""One scoring run: its checked arguments, its steps, and the frame that it makes."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._forks import note_use
from dedup_widgets._paths import absolute
from dedup_widgets._progress import Progress
from dedup_widgets._text import whole
from dedup_widgets._threads import processors
from dedup_widgets._urls import is_far
from dedup_widgets.errors import InputError
from dedup_widgets.frame.annotations import with_annotations
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.same_file import first_rows, in_parts
from dedup_widgets.frame.scale import NEAR, checked_near, gamma_of
from dedup_widgets.frame.scope import part_column, scope_of
from dedup_widgets.frame.summary import about_not_taken
from dedup_widgets.images.decode import Decoding, check_decoding
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.listing import WerePictures
from dedup_widgets.images.object_store import ObjectStore, check_installed
from dedup_widgets.images.source import source_for
from dedup_widgets.models.base import DEFAULT_MODEL, Embedder, Precision, check_precision
from dedup_widgets.models.load import lasting_name, load_embedder
from dedup_widgets.scoring.columns import facts_of, laid_out, names_of
from dedup_widgets.scoring.inputs import Inputs, Labels, inputs_of, joined
from dedup_widgets.scoring.pipeline import Descriptions, describe, look_up
from dedup_widgets.scoring.scoped import score_in_scope
from dedup_widgets.scoring.scores import score_pictures
from dedup_widgets.scoring.verify import Looked
from dedup_widgets.store.open import Store, open_store, store_paths

_FILES_AT_A_TIME = 4096
"""Files that are looked up in the store at a time."""


@dataclass(frozen=True)
class ScoringTask:
    """What is to be scored, and how: checked arguments, before any work.

    Attributes
    ----------
    inputs
        The images, with what comes along.
    within, against
        Whether only images of one part may be duplicates of each other, and whether new ones are
        compared with old ones.
    near, keep, store, model, device, precision, decoding, batch_size, workers
        As :func:`score` takes them, with its defaults filled in.
    """

    inputs: Inputs
    near: float
    keep: Sequence[str | keepers.Rule]
    store: Store
    model: Any
    device: str | None
    precision: Precision
    decoding: Decoding
    batch_size: int
    workers: int
    within: str | None = None
    against: bool = False

    @property
    def paths(self) -> pl.Series:
        """As they are spelled in the frame."""
        return self.inputs.paths

    @cached_property
    def listed(self) -> dict[str, Entry]:
        """What is known of files elsewhere than on this disk, by path; more may be added."""
        return self.known(slice(None))

    def known(self, rows: slice) -> dict[str, Entry]:
        """Return what is known of some rows by listing them."""
        if self.inputs.known is None:
            return {}
        known = zip(self.paths[rows], self.inputs.known[rows].iter_rows(), strict=True)
        return {path: Entry(path, *it) for path, it in known if it[0] is not None}

    @property
    def given(self) -> pl.DataFrame | None:
        """Other columns of the same rows, if there are any."""
        return self.inputs.given

    def load(self) -> Embedder:
        """Load the model."""
        return load_embedder(self.model, self.device, self.precision)

    def describe(self, embedder: Embedder, progress: Progress) -> Descriptions:
        """Read and embed what the store does not have yet, and add it to the store."""
        files = [absolute(path) for path in self.paths]
        return describe(
            files,
            embedder,
            self.store.cache,
            source_for,
            batch_size=self.batch_size,
            workers=self.workers,
            progress=progress,
            also=about_not_taken(self.inputs.not_taken),
            listed=self.listed,
            decoding=self.decoding,
        )

    def look_up(self, embedder: Embedder) -> Descriptions:
        """Return what the store has by now."""
        files = [absolute(path) for path in self.paths]
        return look_up(
            files,
            embedder,
            self.store.cache,
            source_for,
            self.workers,
            self.listed,
            self.decoding,
        )

    def frame(
        self, described: Descriptions, embedder: Embedder, progress: Progress = False
    ) -> pl.DataFrame:
        """Score what was described, and lay it out as :func:`score` does."""
        paths, given = self.paths, self.given
        if len(described.records) < len(paths):
            known = {record.entry.path for record in described.records}
            rows = [row for row, path in enumerate(paths) if absolute(path) in known]
            paths = paths.gather(rows)
            given = None if given is None else given[rows]
        facts = facts_of(paths, described.records)
        readable = facts["error"].is_null()
        seen = facts.filter(readable)
        of_rows = [described.row_of[name] for name in seen["fingerprint"].to_list()]
        ranked = seen if given is None else seen.hstack(given.filter(readable))
        # A file is one image, however many rows name it.
        first = first_rows(ranked)
        if first is not None:
            own = np.unique(first)
            ranked, of_rows = ranked[own], [of_rows[row] for row in own]
        embeddings = described.embeddings[of_rows]
        perceptual = described.perceptual[of_rows]

        def score_rows(
            rows: NDArray[np.int64], old: NDArray[np.bool_] | None
        ) -> tuple[pl.DataFrame, Looked]:
            return score_pictures(
                ranked[rows],
                embeddings[rows],
                perceptual[rows],
                embedder,
                self.store.cache,
                near=self.near,
                keep=self.rules,
                device=self.device,
                workers=self.workers,
                progress=progress,
                old=old,
                # Those of thousands of parts would take the place of all others.
                keep_searches=self.within is None,
            )

        scope = scope_of(ranked, [Provenance(against=self.against, within=self.within)])
        if scope is None:
            scores, looked = score_rows(np.arange(len(ranked)), None)
            made = self.provenance(embedder, [looked])
        else:
            rank = keepers.rank(ranked, self.rules)
            scores, all_looked = score_in_scope(scope, ranked["fingerprint"], rank, score_rows)
            made = self.provenance(embedder, all_looked)
        scores = scores.with_columns(names_of(scores["nearest"], ranked["path"]))
        if first is not None:
            scores = _of_all_names(scores[np.searchsorted(own, first)], first)
        scored = laid_out(facts, scores, made)
        return self.with_given(scored, given)

    def with_given(self, scored: pl.DataFrame, given: pl.DataFrame | None) -> pl.DataFrame:
        """Add the columns that came along with rows, and the annotations of their files."""
        if given is not None:
            scored = scored.hstack(given)
        if (found := self.inputs.annotations) is not None:
            scored = with_annotations(scored, found)
        return scored

    @property
    def rules(self) -> Sequence[str | keepers.Rule]:
        """The keeper rules, with what was there before first."""
        return [keepers.OLD_FIRST, *self.keep] if self.against else self.keep

    def provenance(self, embedder: Embedder, looked: Sequence[Looked]) -> Provenance:
        """Return how the scores were made, by what was looked at."""
        is_named = isinstance(self.model, str | os.PathLike)
        return Provenance(
            model=lasting_name(self.model) if is_named else embedder.name,
            is_named=is_named,
            precision=self.precision if is_named else None,
            decoding=None if self.decoding == "full" else self.decoding,
            gamma=gamma_of(embedder.near_distance),
            near=float(self.near),
            compared=sum(len(it.evidence) for it in looked),
            left_out=sum(it.left_out for it in looked),
            against=self.against,
            within=self.within,
            from_folders=self.inputs.from_folders,
            not_taken=self.inputs.not_taken,
        )


def plan_scoring(
    images: Any,
    *,
    model: Any = DEFAULT_MODEL,
    near: float | None = None,
    keep: Sequence[str | keepers.Rule] = keepers.DEFAULT,
    store: "str | os.PathLike[str] | Store | None" = None,
    device: str | None = None,
    precision: Precision = "fast",
    decoding: Decoding = "full",
    batch_size: int | None = None,
    workers: int | None = None,
    labels: Labels = "auto",
    exclude: Sequence[str] = (),
    against: Any = None,
    within: str | None = None,
    were_pictures: WerePictures | None = None,
) -> ScoringTask:
    """Check the arguments of :func:`score`, and find the images, before any work.

    What was read before is asked of `were_pictures`, else of the store.
    """
    note_use()
    near = NEAR if near is None else checked_near(near)
    check_precision(precision)
    check_decoding(decoding)
    batch_size = 32 if batch_size is None else whole("batch_size", batch_size, 1)
    workers = processors() if workers is None else whole("workers", workers, 1)
    were_pictures = were_pictures or partial(_were_pictures, store)
    found = inputs_of(images, labels, exclude, were_pictures)
    if any(is_far(it) and isinstance(source_for(it), ObjectStore) for it in found.paths):
        check_installed()
    _refuse_store_among_images(store, images, found.paths)
    if against is not None:
        found = joined(found, inputs_of(against, labels, exclude, were_pictures))
    given, paths = found.given, found.paths
    _check_rules(keep, given)
    if within is not None:
        here = paths.to_frame()
        here = here if given is None else here.hstack(given)
        here = in_parts(here, part_column(here, within))
        found = replace(found, given=None if given is None else here.drop("path"))
    if not isinstance(model, str | os.PathLike):
        model = load_embedder(model, device, precision)
    return ScoringTask(
        inputs=found,
        near=near,
        keep=keep,
        store=open_store(store),
        model=model,
        device=device,
        precision=precision,
        decoding=decoding,
        batch_size=batch_size,
        workers=workers,
        within=within,
        against=against is not None,
    )


def _were_pictures(
    store: "str | os.PathLike[str] | Store | None", files: pl.DataFrame
) -> list[bool]:
    """Tell which files the store has the pictures of."""
    if not store_paths(store).cache.exists():
        return [False] * len(files)
    cache = open_store(store).cache
    found = []
    for part in files.iter_slices(_FILES_AT_A_TIME):
        known = cache.files(part["path"])
        for path, size, version in part.iter_rows():
            its = known.get(path)
            is_same = its is not None and its.entry == Entry(path, size, version)
            found.append(is_same and its is not None and its.fingerprint is not None)
    return found


def _of_all_names(scores: pl.DataFrame, first: NDArray[np.int64]) -> pl.DataFrame:
    """Return scores of which each row has those of its file; further names of one that stays stay.

    Such a name is in no group: to remove it would free nothing.
    """
    is_further = pl.Series(first != np.arange(len(first)))
    return scores.with_columns(group=pl.when(~(is_further & pl.col("keep"))).then("group"))


def _check_rules(keep: Sequence[str | keepers.Rule], given: pl.DataFrame | None) -> None:
    """Refuse rules that cannot be applied, before hours are spent on the images to be ranked."""
    facts = facts_of([], [])
    keepers.rank(facts if given is None else facts.hstack(given.clear()), keep)


def _refuse_store_among_images(
    store: "str | os.PathLike[str] | Store | None", images: Any, paths: Iterable[str]
) -> None:
    """Raise if the store would be in a folder that holds images."""
    # By name: making a Path of each of a million images takes ten seconds.
    folders = {os.path.dirname(absolute(image)) for image in paths}  # noqa: PTH120
    for path in store_paths(store):
        path = path.resolve()
        among = str(path.parent) in folders
        if isinstance(images, str | os.PathLike) and (given := Path(images).expanduser()).is_dir():
            among = among or path.is_relative_to(given.resolve())
        if among:
            raise InputError(
                f"the store {path} would lie inside the image folder, which dedup_widgets never "
                "writes to; choose a place outside it"
            )
