"""A whole review without a screen: what is shown, selected, decided and collected of one frame."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets._text import counted
from dedup_widgets.dataset.create import create_dataset
from dedup_widgets.dataset.result import Dataset
from dedup_widgets.errors import InputError
from dedup_widgets.filters import Context, Expressions
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.scale import NEAR
from dedup_widgets.frame.schema import for_planning
from dedup_widgets.frame.table import file_name, is_frame, require_columns, to_polars
from dedup_widgets.models.base import DEFAULT_MODEL, Precision
from dedup_widgets.planning.changes import changes
from dedup_widgets.planning.labels import disagreeing, has_labels, merge_labels, require_labels
from dedup_widgets.planning.left_out import left_out
from dedup_widgets.planning.planner import Planner
from dedup_widgets.review.collections import Collections
from dedup_widgets.review.decisions import Decisions, StoredDecisions
from dedup_widgets.review.display import planned
from dedup_widgets.review.history import History, State
from dedup_widgets.review.steps import (
    CollectionStep,
    FiltersStep,
    Mask,
    NotDuplicatesStep,
    RenameStep,
    SelectionStep,
    Step,
)
from dedup_widgets.review.view import View
from dedup_widgets.review.watched import Change
from dedup_widgets.scoring.job import Job
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.scoring.score import add_scores
from dedup_widgets.scoring.score import score as score_images
from dedup_widgets.store.open import Store, open_store

MAX_NOT_DUPLICATE_PAIRS = 200_000
"""Pairs of contents that one decision may part; more would make each further plan slow."""


class Session(View):
    """A whole review without a screen; :class:`dedup_widgets.Explorer` is a screen over one.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`; any other Polars, pandas or pyarrow table with a
        column of paths; or what ``score`` accepts: a directory, a glob, a list of paths. Missing
        scores are computed, from the ``embedding`` column where the frame has one, else from the
        images. Or a :class:`dedup_widgets.Job`, of which it shows what is scored so far.
    path
        The column of paths.
    score
        The column of uniqueness.
    model, device, precision
        Model to score with, if that is needed, and how it runs; see :func:`dedup_widgets.score`.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; images are grouped anew at it.
        Default: the one that the frame was scored with.
    label, split
        The columns of labels and of splits, whose disagreements within groups are counted and can
        be filtered by. Default: the columns ``label`` and ``split``, if there are any.
    store
        Where thumbnails, scores, decisions and collections are kept; see
        :func:`dedup_widgets.score`.
    progress
        Whether scoring shows a progress bar.

    Attributes
    ----------
    collections : Collections
        The named collections of the library, as this frame sees them: a mapping.

    Raises
    ------
    InputError
        When data is no table, or lacks a column; the message lists those there are.
    ModelError
        When scores are needed and the model cannot be loaded.

    Notes
    -----
    One session can be used from several threads. :meth:`watch` calls back after each change.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> review = dw.Session("photos/", model="efficientnet-lite0")  # doctest: +SKIP
    >>> review.filters = {"uniqueness": (0, 0)}  # doctest: +SKIP
    >>> review.accept_plan("Unique")  # doctest: +SKIP
    >>> review.create_dataset("Unique", "clean-v1")  # doctest: +SKIP
    """

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str = "uniqueness",
        model: Any = DEFAULT_MODEL,
        device: str | None = None,
        precision: Precision = "fast",
        near: float | None = None,
        label: str | None = None,
        split: str | None = None,
        store: "str | os.PathLike[str] | Store | None" = None,
        progress: bool = True,
    ) -> None:
        is_job = isinstance(data, Job)
        store = data.store if is_job and store is None else open_store(store)

        def run(images: Any) -> pl.DataFrame:
            return score_images(
                images,
                model=model,
                near=near,
                store=store,
                device=device,
                precision=precision,
                progress=progress,
            )

        if not is_frame(data):
            if path != "path" or score != "uniqueness":
                raise InputError("path and score name columns of a frame; data is none")
            frame = data.so_far() if is_job else run(data)
        else:
            frame = to_polars(data)
            if score not in frame.columns:
                frame = add_scores(frame, path, near, run).rename({"uniqueness": score})
        self.label = _column_of(frame, label, "label")
        self.split = _column_of(frame, split, "split")
        self._disagreeing: dict[str, Mask] = {}
        self._expressions = Expressions()
        self._plan: pl.DataFrame | None = None
        self._planner: Planner | None = None
        self._why_no_plan: str | None = None
        self._changes = ""
        self._as_scored: tuple[Decisions, pl.DataFrame | None] = Decisions(), None
        self._not_duplicates: set[str] = set()
        self._history: History | None = None
        super().__init__(
            frame, path=path, score=score, near=NEAR if near is None else near, store=store
        )
        self._scored_frame = self.frame
        self.collections = Collections(
            self.frame,
            path,
            self.store.library,
            mask=self.mask,
            changed=self._collections_changed,
            lock=self.lock,
        )
        self._start(near)
        self._context = self._filter_context()

    def _start(self, near: float | None) -> None:
        frame = self.frame
        self._stored = StoredDecisions(frame, self.store.library, self.path)
        self._decisions = self._stored.read()
        try:
            self._planner = Planner(for_planning(frame, self.path, self.score))
            if near is not None and near != self._planner.near:
                self._decisions = self._decisions.with_near(near)
            self._follow(self._decisions)
        except InputError as error:
            self._why_no_plan = str(error)
            self._planner = None
            self._decisions = Decisions()
        self._history = History(
            self.paths,
            State(self._selected, self._clauses, self._decisions, self.collections.members()),
        )

    def _filter_context(self) -> Context:
        return Context(
            path=self.path,
            score=self.score,
            collections=lambda: {n: m.mask for n, m in self.collections.members().items()},
            plan=self._planned_actions if self._plan is not None else None,
            label_conflict=self._disagreement(self.label),
            leakage=self._disagreement(self.split),
            words=self._by_words,
            expressions=self._expressions,
        )

    def _disagreement(self, column: str | None) -> Callable[[], Mask] | None:
        return (lambda: self._disagreeing[column]) if column in self._disagreeing else None

    def _planned_actions(self) -> Mapping[str, Mask]:
        removed = (self._require_plan()["action"] == "remove").to_numpy()
        return {"keep": ~removed, "remove": removed}

    def _show(self, frame: pl.DataFrame) -> None:
        super()._show(frame)
        self._disagreeing = {
            column: disagreeing(self.known.select("group", value=frame[column]), "value")
            for column in (self.label, self.split)
            if column is not None and "group" in self.known.columns
        }

    # The plan, and what it follows

    @property
    def plan(self) -> pl.DataFrame | None:
        """What stays, what goes and why, row by row of :attr:`frame`.

        See :func:`dedup_widgets.plan`. None where the frame has too little for one.
        """
        return self._plan

    @property
    def why_no_plan(self) -> str | None:
        """Why the frame has too little for a plan; None when there is one."""
        return self._why_no_plan

    @property
    def planner(self) -> Planner | None:
        """What plans this frame, and draws its threshold curve; None where there is no plan."""
        return self._planner

    @property
    def changes(self) -> str:
        """What the present boundary changed, in words; nothing where it is as scored."""
        return self._changes

    @property
    def decisions(self) -> Decisions:
        """What the plan follows: the boundary, the rules, and what was decided by hand."""
        return self._decisions

    @property
    def near(self) -> float:
        """The near-duplicate boundary on the uniqueness scale, in [0, 1].

        Set it, and images are grouped anew without computing an embedding; None for the boundary
        that the frame was scored with.
        """
        return self._near

    @near.setter
    def near(self, near: float | None) -> None:
        with self.lock:
            self.decide(self._decisions.with_near(near))

    @property
    def scored_near(self) -> float:
        """The boundary that the frame was scored with, as far as its kinds show it."""
        return self._near if self._planner is None else self._planner.near

    @property
    def rules(self) -> tuple[str | Rule, ...] | None:
        """The keeper rules, strongest first; see :mod:`dedup_widgets.keepers`.

        None for those that the frame was scored with.
        """
        return self._decisions.rules

    @rules.setter
    def rules(self, rules: Sequence[str | Rule] | None) -> None:
        with self.lock:
            self.decide(self._decisions.with_rules(rules))

    def choose_keepers(self, what: Any, *, instead_of: Any = ()) -> None:
        """Let images be the keepers of their groups; no rule overrides that.

        They take the place of those chosen before in the same groups. Of one group several can be
        chosen at once, and all of them stay.

        Parameters
        ----------
        what
            Paths, a frame with the path column, or a mask over the rows of :attr:`frame`.
        instead_of
            The same, of images whose groups are left to the rules again.
        """
        self._require_plan()
        with self.lock:
            chosen, gone = self.mask(what), self.mask(instead_of)
            group = self.frame["group"]
            rivals = group.is_in(group.filter(chosen).drop_nulls().implode()).fill_null(False)
            self.decide(
                self._decisions.choose(
                    self.paths_in(chosen), instead_of=self.paths_in(gone | rivals.to_numpy())
                )
            )

    def unchoose_keepers(self, what: Any) -> None:
        """Leave the choice of these images' groups to the rules again."""
        self.choose_keepers([], instead_of=what)

    def mark_not_duplicates(self, what: Any) -> None:
        """Declare that images are no duplicates of the others in their groups.

        It is remembered for the pairs of contents, so it holds wherever the files are and however
        often they are scored. Of an image that has exact copies in its group it means that all of
        them stay.

        Parameters
        ----------
        what
            Paths, a frame with the path column, or a mask over the rows of :attr:`frame`.

        Raises
        ------
        InputError
            When the frame has no plan or no fingerprints, something is not in it, or these are
            hundreds of images of one large group: pairs are what is remembered.
        """
        mask = self.mask(what)
        self._require_plan()
        require_columns(self.frame, ["fingerprint"], "telling who is not a duplicate")
        with self.lock:
            groups = self.frame.select("group", f=pl.col("fingerprint").cast(pl.String))
            copies = groups.drop_nulls().group_by("group", "f").len()
            mine = copies.join(groups.filter(mask), on=["group", "f"], how="semi")
            sizes = (
                mine["group"]
                .value_counts()
                .join(copies["group"].value_counts(name="others"), on="group")
            )
            n_pairs = int((sizes["count"].cast(pl.Int64) * sizes["others"]).sum())
            if n_pairs > MAX_NOT_DUPLICATE_PAIRS:
                raise InputError(
                    f"that {self._names_of(mask)} are no duplicates of any other in their groups "
                    f"makes {n_pairs:,} pairs to remember, and {MAX_NOT_DUPLICATE_PAIRS:,} are the "
                    "most; mark fewer at once, or lower near so that the groups fall apart"
                )
            # Copies have one content: all that can be recorded is that they are all kept.
            pairs = mine.join(copies, on="group", suffix="_other").filter(
                (pl.col("f") == pl.col("f_other")) == (pl.col("len") > 1)
            )
            self.decide(
                self._decisions.part(pairs.select("f", "f_other").iter_rows()),
                about=self._names_of(mask),
            )

    def unmark_not_duplicates(self, what: Any) -> None:
        """Take back what was declared of these images by :meth:`mark_not_duplicates`."""
        mask = self.mask(what)
        self._require_plan()
        require_columns(self.frame, ["fingerprint"], "telling who is not a duplicate")
        prints = self.frame.filter(mask)["fingerprint"].cast(pl.String).drop_nulls()
        with self.lock:
            self.decide(self._decisions.rejoin(prints), about=self._names_of(mask))

    def _names_of(self, mask: Mask) -> str:
        rows = np.flatnonzero(mask)
        return file_name(self.paths[rows[0]]) if len(rows) == 1 else counted(len(rows), "image")

    def decide(self, decisions: Decisions, *, about: str = "") -> None:
        """Let the plan follow other decisions.

        Raises
        ------
        InputError
            When the frame has too little for a plan that follows them; nothing is changed.
        """
        self._require_plan()
        with self.changing():
            steps = self._decisions.steps_to(decisions)
            if not steps:
                return
            self._follow(decisions, steps)
            for step in steps:
                if isinstance(step, NotDuplicatesStep):
                    step = NotDuplicatesStep(step.add, step.remove, about)
                self._record(step)

    def _require_plan(self) -> pl.DataFrame:
        if self._plan is None:
            raise InputError(f"there is no plan for this frame: {self._why_no_plan}")
        return self._plan

    def _follow(self, decisions: Decisions, steps: Sequence[Step] = ()) -> None:
        """Plan anew, keep what the steps decided, and show exactly this plan."""
        assert self._planner is not None
        with self.lock:
            plan = self._planner.plan(**decisions.arguments())
            self._stored.write(*steps)
            old_plan, old_near = self._plan, self._near
            near = self._planner.near if decisions.near is None else decisions.near
            self._decisions, self._plan, self._near = decisions, plan, near
            self._show(planned(self._scored_frame, plan, self.score, near))
            self.collections.frame = self.frame
            self._changes = self._changes_since_scored()
            self._not_duplicates = {print_ for pair in decisions.not_duplicates for print_ in pair}
            moved = [Change("near", old_near, near)] if near != old_near else []
            with self.changing(Change("plan", old_plan, plan), *moved):
                pass

    def _changes_since_scored(self) -> str:
        """Return what the present boundary changed, as a text."""
        if self._plan is None or self._planner is None or self._decisions.near is None:
            return ""
        as_scored = self._decisions.with_near(None)
        known, plan = self._as_scored
        if plan is None or known != as_scored:
            plan = self._planner.plan(**as_scored.arguments())
            self._as_scored = as_scored, plan
        return str(changes(plan, self._plan))

    @property
    def disagreements(self) -> dict[str, int | None]:
        """How many groups hold labels or splits that disagree; None without such a column."""
        columns = {"label_conflicts": self.label, "leakage": self.split}
        return {
            name: self.known["group"].filter(self._disagreeing[column]).n_unique()
            if column in self._disagreeing
            else None
            for name, column in columns.items()
        }

    # Undo, redo, and the log

    def undo(self) -> str | None:
        """Take the last review step back; return what it was, None when there is none."""
        return self._step_through(self._steps.undo)

    def redo(self) -> str | None:
        """Do the step again that was taken back last; return what it is, None for none."""
        return self._step_through(self._steps.redo)

    @property
    def log(self) -> pl.DataFrame:
        """Every step of this review, for :func:`dedup_widgets.replay`; see :class:`History`.

        >>> ex.log.write_ndjson("review.jsonl")  # doctest: +SKIP
        """
        with self.lock:
            return self._steps.log

    @property
    def next_steps(self) -> tuple[str | None, str | None]:
        """What :meth:`undo` would take back and :meth:`redo` do again; None for nothing."""
        if self._history is None:
            return None, None
        return self._history.undo_text, self._history.redo_text

    @property
    def _steps(self) -> History:
        assert self._history is not None
        return self._history

    def _step_through(
        self, go: Callable[[Callable[[Step], Step | None]], Step | None]
    ) -> str | None:
        with self.changing(Change("review")):
            step = go(self._carry_out)
        return None if step is None else step.text

    def _carry_out(self, step: Step) -> Step | None:
        """Make a step happen; return what really changed, None for nothing."""
        match step:
            case SelectionStep():
                self.select(step.on(self._selected))
            case FiltersStep():
                self.clauses = dict(step.after)
            case CollectionStep() | RenameStep():
                done = self.collections.apply(step)
                self.report(Change("collections"))
                if isinstance(done, RenameStep):
                    self._follow_rename(done)
                return done
            case _:
                self._follow(self._decisions.after(step), [step])
        return step

    def _record(self, step: Step) -> None:
        if self._history is not None:
            with self.changing(Change("review")):
                self._history.record(step)

    def select(self, mask: Mask, origin: int | None = None) -> None:
        """Select exactly the rows of a mask; `origin` is the page that requests it."""
        with self.changing():
            before = self._selected
            super().select(mask, origin)
            # What a page sends in one go is one move of the hand.
            self._record(SelectionStep.between(before, mask, drag=origin is not None))

    def _set_clauses(self, clauses: dict[str, Any]) -> None:
        with self.changing():
            before = self._clauses
            super()._set_clauses(clauses)
            self._record(FiltersStep(before, clauses))

    def _collections_changed(self, step: CollectionStep | RenameStep) -> None:
        with self.changing(Change("collections")):
            self._record(step)
            if isinstance(step, RenameStep):
                self._follow_rename(step)

    def _follow_rename(self, step: RenameStep) -> None:
        """Filter by the new name where the old one was meant; it is no step of its own."""
        with self._unrecorded():
            self.clauses = step.in_filters(self._clauses)

    @contextmanager
    def _unrecorded(self) -> Iterator[None]:
        with self.lock:
            history, self._history = self._history, None
            try:
                yield
            finally:
                self._history = history

    # From the plan to a dataset

    def accept_plan(self, name: str = "Unique") -> Collection:
        """Select what the plan removes of the images in view, and collect all that stays.

        Parameters
        ----------
        name
            Of the collection: every readable image of :attr:`frame` that is not selected then.
        """
        with self.changing():
            plan = self._require_plan()
            self.select(self.view_mask() & (plan["action"] == "remove").to_numpy())
            self.collections[name] = self.rest
            return self.collections[name]

    def create_dataset(
        self, what: Any, name: str, *, merge: Sequence[str] = (), **options: Any
    ) -> Dataset:
        """Write images as a dataset, with the plan's reasons for what is left out.

        Parameters
        ----------
        what
            The name of a collection, a collection, a frame, paths, or a mask over the rows.
        name
            Of the dataset.
        merge
            Columns of labels or tags that are carried over from duplicates that are left out to
            their keepers; see :func:`dedup_widgets.merge_labels`.
        options
            As for :func:`dedup_widgets.create_dataset`.
        """
        rows = self.images(what)
        options.setdefault("removed", self.left_out(rows))
        if merge and self._plan is not None:
            removed = self._plan.filter(~pl.col("path").is_in(rows[self.path].implode()))
            named = self.frame.select(path=pl.col(self.path), **{c: pl.col(c) for c in merge})
            merged = merge_labels(named, removed, list(merge))
            rows = self.frame.with_columns(merged[c] for c in merge).filter(
                pl.col(self.path).is_in(rows[self.path].implode())
            )
        return create_dataset(rows, name, path=self.path, **options)

    def left_out(self, what: Any) -> pl.DataFrame:
        """Return what a dataset of these images leaves out, and why: for ``removed=…``."""
        return left_out(self.frame, self._plan, self.images(what)[self.path], self.path)

    def images(self, what: Any) -> pl.DataFrame:
        """Return the rows that a collection, its name, a frame, paths or a mask stand for."""
        if isinstance(what, str) and what in self.collections:
            what = self.collections[what]
        return self.frame.filter(self.mask(what.paths if isinstance(what, Collection) else what))

    @property
    def mergeable(self) -> list[str]:
        """The columns of labels and tags: that of labels, and those of lists of words."""
        tags = [name for name, dtype in self.frame.schema.items() if dtype == pl.List(pl.String)]
        return [self.label, *(t for t in tags if t != self.label)] if self.label else tags

    # The texts and facts of a tile

    def caption(self, row: int) -> str | None:
        """Return why an image is kept or removed, as the plan has it."""
        if self._plan is None or self.bands.ungrouped[row]:
            return super().caption(row)
        reason: str = self._plan["reason"][row]
        if self._plan["kind"][row] == "near" and self._plan["action"][row] == "remove":
            return self._as_copy(row, self.row_of(self._plan["keeper"][row])) or reason
        return None if reason in ("unique", "unreadable") else reason

    def by_hand(self, row: int) -> tuple[bool, bool]:
        """Return whether a person chose an image as keeper, and called it no duplicate."""
        chosen = self.paths[row] in self._decisions.keepers
        return chosen, self.fact(row, "fingerprint") in self._not_duplicates


def _column_of(frame: pl.DataFrame, given: str | None, usual: str) -> str | None:
    """Return the column that is named, else the one of the usual name if it can be one."""
    if given is not None:
        require_columns(frame, [given], "Explorer")
        require_labels(frame, given)
        return given
    return usual if usual in frame.columns and has_labels(frame.schema[usual]) else None
