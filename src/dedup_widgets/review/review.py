"""A review of a frame with scores: what is shown, selected, decided and collected of it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets._paths import absolutes
from dedup_widgets._text import counted
from dedup_widgets.errors import InputError
from dedup_widgets.filters import Context, Expressions
from dedup_widgets.frame.annotations import NAME as ANNOTATIONS
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.frame.scale import NEAR
from dedup_widgets.frame.schema import recognised
from dedup_widgets.frame.table import file_name, in_any_case, require_columns
from dedup_widgets.planning.labels import has_labels, require_labels
from dedup_widgets.planning.planner import Planner
from dedup_widgets.review.by_hand import in_groups_of, pairs_to_part
from dedup_widgets.review.collections import Collections
from dedup_widgets.review.deciding import decides
from dedup_widgets.review.decisions import Decisions, StoredDecisions
from dedup_widgets.review.disagreements import Disagreements
from dedup_widgets.review.history import History, State
from dedup_widgets.review.journal import Journal
from dedup_widgets.review.missing import without_missing
from dedup_widgets.review.planned import Planned
from dedup_widgets.review.recorded import Recorded
from dedup_widgets.review.reviewed import Reviewed
from dedup_widgets.review.steps import (
    CollectionStep,
    FiltersStep,
    KeepersStep,
    Mask,
    NotDuplicatesStep,
    Pair,
    RenameStep,
    ReviewedStep,
    SelectionStep,
    Step,
)
from dedup_widgets.review.view import ViewState
from dedup_widgets.review.watched import Change
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.store.open import Store


class Review(Recorded):
    """A review of a frame with scores.

    Parameters
    ----------
    frame
        As :func:`dedup_widgets.score` made it, so far.
    path, score, near, label, split, store, restore
        As :class:`dedup_widgets.Session` takes them.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        *,
        path: str = "path",
        score: str = "uniqueness",
        near: float | None = None,
        label: str | None = None,
        split: str | None = None,
        store: "str | os.PathLike[str] | Store | None" = None,
        restore: bool = False,
    ) -> None:
        self.label = _label_column(frame, label, "label", ANNOTATIONS)
        self.split = _label_column(frame, split, "split")
        self._disagreements = Disagreements(self.label, self.split)
        self._expressions = Expressions()
        self._plan: pl.DataFrame | None = None
        self._changes = ""
        self._not_duplicates: set[str] = set()
        self._missing: frozenset[str] = frozenset()
        super().__init__(
            frame, path=path, score=score, near=NEAR if near is None else near, store=store
        )
        self._scored_frame = self.frame
        files = absolutes(self._lookup.texts)
        self._files = self._lookup if files is self._lookup.texts else Lookup(files)
        self.collections = Collections(
            self.frame,
            path,
            self.store.library,
            mask=self.mask,
            record=self._record,
            changed=self._collections_changed,
            changing=self.changing,
            together=self._together,
            files=self._files,
        )
        self._start(near, restore)
        self._context = self._filter_context()

    def _start(self, near: float | None, restore: bool) -> None:
        frame = self.frame
        self._stored = self._stored_of(frame)
        self._decisions = self._stored.read()
        self._reviewed = self._seen_of(frame)
        self._planned = self._planned_of(frame)
        try:
            if near is not None and near != self._planned.near(Decisions()):
                self._decisions = self._decisions.with_near(near)
            self._follow(self._decisions)
        except InputError as error:
            self._planned.why_not = self._planned.why_not or str(error)
            self._decisions = Decisions()
            self._show(frame)
        made = "; ".join(map(repr, provenances(frame)))
        self._journal = Journal(self.store.library, self.paths, f"{self.path} {made}")
        if not (restore and self._went_on()):
            self._begin_history()

    def _stored_of(self, frame: pl.DataFrame) -> StoredDecisions:
        return StoredDecisions(
            frame,
            self.store.library,
            self.path,
            self._files,
            record=self._record,
            together=self._together,
        )

    def _planned_of(self, frame: pl.DataFrame) -> Planned:
        return Planned(frame, self.path, self.score, self._lookup, self._missing)

    def _went_on(self) -> bool:
        """Go on with the last review of the same images, if there is one."""
        earlier = self._journal.earlier()
        if earlier is None:
            return False
        given, now, then = self._decisions.near, self._decisions, earlier.end
        self._selected, self._clauses = then.selection, dict(then.filters)
        try:
            if self.planner is not None:
                self._follow(replace(now, near=then.decisions.near, rules=then.decisions.rules))
        except InputError:
            return False  # a rule that this frame cannot follow
        # What others decided since is no step to be undone here.
        for step in then.decisions.steps_to(self._decisions):
            earlier.history.note(step)
        earlier.history.note(ReviewedStep.between(then.reviewed, self._reviewed.pairs))
        self._history = earlier.history
        steps = counted(len(earlier.history) - 1, "step")
        self.went_on = f"Gone on with the review of {earlier.history.started:%Y-%m-%d}: {steps}."
        if given is not None and given != earlier.start.decisions.near:
            self.near = given
        return True

    def catch_up(self) -> None:
        """Take in what was decided by hand elsewhere since it was last looked at."""
        if not self._stored.is_behind:
            return
        with self.changing():
            decisions = self._stored.read_again(self._decisions)
            seen = self._seen_of(self._scored_frame)
            steps = [
                *self._decisions.steps_to(decisions),
                ReviewedStep.between(self._reviewed.pairs, seen.pairs),
            ]
            if self.planner is not None and any(steps[:-1]):
                self._follow(decisions)
            if steps[-1]:
                self._reviewed = seen
                self.tell(Change("reviewed"))
            if self._history is not None:
                for step in steps:
                    self._history.note(step)

    def _begin_history(self) -> None:
        self._history = History(
            self.paths,
            State(
                self._selected,
                self._clauses,
                self._decisions,
                self.collections.members(),
                self._reviewed.pairs,
            ),
        )

    def resume(self, state: ViewState) -> None:
        """Filter, sort and select as another view of the same images did."""
        if len(self._steps) > 1:
            super().resume(state)  # after the steps of an earlier review it is some more
            return
        with self._unrecorded():
            super().resume(state)
        self._begin_history()

    def _filter_context(self) -> Context:
        return Context(
            path=self.path,
            score=self.score,
            collections=lambda: {n: m.mask for n, m in self.collections.members().items()},
            plan=self._planned_actions if self._plan is not None else None,
            reviewed=self._reviewed_groups if "group" in self.known.columns else None,
            label_conflict=self._disagreements.mask_of(self.label),
            leakage=self._disagreements.mask_of(self.split),
            words=self._by_words,
            expressions=self._expressions,
        )

    def _seen_of(self, frame: pl.DataFrame) -> Reviewed:
        prints = frame.get_column("fingerprint", default=None)
        return Reviewed(prints, self.store.library.reviewed())

    def _reviewed_groups(self) -> Mapping[Any, Mask]:
        none = pl.Series([None] * len(self), dtype=pl.UInt32)
        return self._reviewed.groups(self.known.get_column("group", default=none))

    def _planned_actions(self) -> Mapping[str, Mask]:
        removed = (self._require_plan()["action"] == "remove").to_numpy()
        return {"keep": ~removed, "remove": removed}

    def _begin(self, frame: pl.DataFrame) -> None:
        # It is shown as soon as it follows a plan.
        self.frame, self.known = frame, recognised(frame, self.path, self.score)

    def _show(self, frame: pl.DataFrame) -> None:
        super()._show(frame)
        self._disagreements.find(frame, self.known)

    def _show_again(self, rows: np.ndarray, part: pl.DataFrame) -> None:
        super()._show_again(rows, part)
        self._disagreements.find_again(self.frame, self.known, rows)

    def refill(self, frame: pl.DataFrame) -> None:
        """Take other scores and facts of the same images; all else stays as it is."""
        with self.changing(Change("frame")):
            self._scored_frame = frame
            self._search(frame)
            self._stored = self._stored_of(frame)
            found = self._stored.read()
            self._reviewed = self._seen_of(frame)
            self._planned = self._planned_of(frame)
            self._follow(
                replace(
                    self._decisions,
                    keepers=found.keepers,
                    not_duplicates=found.not_duplicates,
                )
            )
            self._context = self._filter_context()

    def note_missing(self, missing: Mask) -> None:
        """Plan without files that are gone: they are shown as missing, and keep nobody's place.

        Where no file is there, it is the disk that is not, or another machine: nothing changes.
        """
        if missing.any() and not missing.all() and self.planner is not None:
            self._missing = frozenset(self.paths_in(missing))
            self.refill(without_missing(self._scored_frame, missing, self.path, self.score))

    # The plan, and what it follows

    @property
    def plan(self) -> pl.DataFrame | None:
        """What stays, what goes and why, row by row of :attr:`frame`.

        See :func:`dedup_widgets.plan`. None where the frame has too little for one.
        """
        self.catch_up()
        return self._plan

    @property
    def why_no_plan(self) -> str | None:
        """Why the frame has too little for a plan; None when there is one."""
        return self._planned.why_not

    def prepare(self) -> None:
        """Work out ahead what the first step would wait for; it changes nothing."""
        super().prepare()
        if self.planner is not None:
            self.planner.prepare()

    @property
    def planner(self) -> Planner | None:
        """What plans this frame, and draws its threshold curve; None where there is no plan."""
        return self._planned.planner

    @property
    def changes(self) -> str:
        """What the present boundary changed, in words; nothing where it is as scored."""
        return self._changes

    @property
    def decisions(self) -> Decisions:
        """What the plan follows: the boundary, the rules, and what was decided by hand."""
        self.catch_up()
        return self._decisions

    @property
    def near(self) -> float:
        """The near-duplicate boundary on the uniqueness scale, in [0, 1].

        Set it, and images are grouped anew without computing an embedding; None for the boundary
        that the frame was scored with.
        """
        return self._near

    @near.setter
    @decides
    def near(self, near: float | None) -> None:
        self._decide(self._decisions.with_near(near))

    @property
    def scored_near(self) -> float:
        """The boundary that the frame was scored with, as far as its kinds show it."""
        return self._near if self.planner is None else self.planner.near

    @property
    def rules(self) -> tuple[str | Rule, ...] | None:
        """The keeper rules, strongest first; see :mod:`dedup_widgets.keepers`.

        None for those that the frame was scored with.
        """
        return self._decisions.rules

    @rules.setter
    @decides
    def rules(self, rules: Sequence[str | Rule] | None) -> None:
        self._decide(self._decisions.with_rules(rules))

    @decides
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
            rivals = in_groups_of(self.frame, chosen)
            self._decide(
                self._decisions.choose(
                    self.paths_in(chosen), instead_of=self.paths_in(gone | rivals)
                )
            )

    def unchoose_keepers(self, what: Any) -> None:
        """Leave the choice of these images' groups to the rules again."""
        self.choose_keepers([], instead_of=what)

    @decides
    def mark_not_duplicates(self, what: Any) -> None:
        """Declare that images are no duplicates of the others in their groups.

        It is remembered for the pairs of contents, so it holds wherever the files are and however
        often they are scored. Exact copies have one content and go on being duplicates of each
        other; in a group of nothing else it means that all of them stay. To keep one more of them,
        choose several keepers.

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
            names = self._names_of(mask)
            pairs = pairs_to_part(self.frame, mask, names)
            self._decide(self._decisions.part(pairs), about=names)

    @decides
    def unmark_not_duplicates(self, what: Any) -> None:
        """Take back what was declared of these images by :meth:`mark_not_duplicates`."""
        mask = self.mask(what)
        self._require_plan()
        require_columns(self.frame, ["fingerprint"], "telling who is not a duplicate")
        prints = self.frame["fingerprint"].filter(mask).cast(pl.String).drop_nulls()
        with self.lock:
            self._decide(self._decisions.rejoin(prints), about=self._names_of(mask))

    def _names_of(self, mask: Mask) -> str:
        rows = np.flatnonzero(mask)
        return file_name(self.paths[rows[0]]) if len(rows) == 1 else counted(len(rows), "image")

    @decides
    def decide(self, decisions: Decisions) -> None:
        """Let the plan follow other decisions.

        Raises
        ------
        InputError
            When the frame has too little for a plan that follows them; nothing is changed.
        """
        self._decide(decisions)

    def _decide(self, decisions: Decisions, *, about: str = "") -> None:
        self._require_plan()
        with self.changing():
            steps = self._decisions.steps_to(decisions)
            if not steps:
                return
            for number, step in enumerate(steps):
                if isinstance(step, NotDuplicatesStep):
                    steps[number] = NotDuplicatesStep(step.add, step.remove, about)
            self._follow(decisions, steps)

    def _require_plan(self) -> pl.DataFrame:
        if self._plan is None:
            raise InputError(f"there is no plan for this frame: {self.why_no_plan}")
        return self._plan

    def _follow(self, decisions: Decisions, steps: Sequence[Step] = ()) -> None:
        """Plan anew, keep the steps and what they decided, and show exactly this plan."""
        with self.lock:
            planned = self._planned
            plan, rows = planned.plan(decisions, self._plan)
            self._stored.write(*steps)
            old_plan, old_near = self._plan, self._near
            near = planned.near(decisions)
            # What a person looks at while deciding stays where it is.
            by_hand = [isinstance(it, KeepersStep | NotDuplicatesStep) for it in steps]
            if by_hand and all(by_hand):
                self.keep_order()
            else:
                self.sort_again()
            self._decisions, self._plan, self._near = decisions, plan, near
            if rows is None or near != old_near:
                self._show(planned.following.at(plan, near))
            else:
                self._show_again(*planned.following.again(plan, near, rows))
            self.collections.frame = self.frame
            self._changes = planned.changes(decisions, plan)
            self._not_duplicates = {print_ for pair in decisions.not_duplicates for print_ in pair}
            moved = [Change("near", old_near, near)] if near != old_near else []
            with self.changing(Change("plan", old_plan, plan), *moved):
                pass

    @property
    def disagreements(self) -> dict[str, int | None]:
        """How many groups hold labels or splits that disagree; None without such a column."""
        columns = {"label_conflicts": self.label, "leakage": self.split}
        found = self._disagreements
        return {name: found.groups(column, self.known) for name, column in columns.items()}

    # What was looked at

    @property
    def reviewed(self) -> pl.DataFrame:
        """The images of groups that were reviewed: whose pictures were looked at side by side."""
        self.catch_up()
        return self.frame.filter(self._reviewed_groups()[True])

    @property
    def seen(self) -> np.ndarray:
        """The set of pictures looked at together that each row belongs to; see `Reviewed`."""
        return self._reviewed.labels

    @decides
    def mark_reviewed(self, what: Any) -> None:
        """Remember that images were looked at side by side.

        It is remembered for the pairs of contents, so it outlives the session and holds wherever
        the files are. A group is reviewed once all its pictures were looked at together.

        Parameters
        ----------
        what
            Paths, a frame with the path column, or a mask over the rows of :attr:`frame`.
        """
        mask = self.mask(what)
        require_columns(self.frame, ["fingerprint"], "telling what was reviewed")
        with self.lock:
            self._review(self._reviewed.joined(mask), mask)

    @decides
    def unmark_reviewed(self, what: Any) -> None:
        """Forget that these images were looked at beside others."""
        mask = self.mask(what)
        require_columns(self.frame, ["fingerprint"], "telling what was reviewed")
        with self.lock:
            self._review(self._reviewed.without(mask), mask)

    def _review(self, pairs: frozenset[Pair], mask: Mask) -> None:
        before = self._reviewed.pairs
        step = ReviewedStep.between(before, pairs, about=self._names_of(mask))
        if step:
            with self.changing():
                self._take_reviewed(step)

    def _take_reviewed(self, step: ReviewedStep) -> None:
        self._stored.write(step)
        with self.changing(Change("reviewed")):
            self._reviewed = self._reviewed.after(step)

    # The steps of a review

    def _together(self) -> AbstractContextManager[None]:
        """Keep what is decided inside and its lines in the log, or neither."""
        return self._journal.together(self._steps)

    def begin_anew(self) -> None:
        """Look at all images again, at the boundary and by the rules that they were scored with.

        Filters and selection are given up, each in a step that can be undone. What was decided by
        hand stays, for it holds in any review: chosen keepers, what is no duplicate, what was
        reviewed, and collections.
        """
        with self.changing(Change("review")):
            self.went_on = ""
            self.filters = None
            self.selection = np.zeros(len(self), np.bool_)
            if self.planner is not None:
                self.near = None
                self.rules = None

    def _carry_out(self, step: Step) -> Step | None:
        """Make a step happen; return what really changed, None for nothing."""
        match step:
            case SelectionStep() | FiltersStep():
                return super()._carry_out(step)
            case CollectionStep() | RenameStep():
                done = self.collections.apply(step)
                self._collections_changed(done)
                return done
            case ReviewedStep():
                self._take_reviewed(step)
            case _:
                self._follow(self._decisions.after(step), [step])
        return step

    def _collections_changed(self, step: CollectionStep | RenameStep | None) -> None:
        with self.changing(Change("collections")):
            if isinstance(step, RenameStep):
                self._follow_rename(step)

    def _follow_rename(self, step: RenameStep) -> None:
        """Filter by the new name where the old one was meant; it is no step of its own."""
        with self._unrecorded():
            self.clauses = step.in_filters(self._clauses)

    # The texts and facts of a tile

    def caption(self, row: int) -> str | None:
        """Return why an image is kept or removed, as the plan has it."""
        if self._plan is None or self.bands.ungrouped[row]:
            return super().caption(row)
        reason: str = self._plan["reason"][row]
        if self._plan["kind"][row] == "near" and self._plan["action"][row] == "remove":
            return self._as_copy(row, self._keeper_of(row)) or reason
        return None if reason in ("unique", "unreadable") else reason

    def _keeper_of(self, row: int) -> int:
        """Return the row of the keeper for which an image goes."""
        keeper: str = self._require_plan()["keeper"][row]
        # Nearly always the first of its group, which need not be looked for.
        first = int(self.bands.keeper[self.bands.band[row]])
        return first if self.paths[first] == keeper else self.row_of(keeper)

    def by_hand(self, row: int) -> tuple[bool, bool]:
        """Return whether a person chose an image as keeper, and called it no duplicate."""
        chosen = self.paths[row] in self._decisions.keepers
        return chosen, self.fact(row, "fingerprint") in self._not_duplicates


def _label_column(frame: pl.DataFrame, given: str | None, *usual: str) -> str | None:
    """Return the column that is named, else the first of the usual names if it can be one."""
    if given is not None:
        require_columns(frame, [given], "Explorer")
        require_labels(frame, given)
        return given
    there = (in_any_case(it, frame.columns) for it in usual)
    return next((it for it in there if it and has_labels(frame.schema[it])), None)
