"""The Explorer: what is shown, selected, decided and collected of one frame."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import polars as pl
import traitlets

from dedup_widgets._text import counted
from dedup_widgets.dataset.create import create_dataset
from dedup_widgets.dataset.result import Dataset
from dedup_widgets.errors import InputError
from dedup_widgets.filters import filters as filtering
from dedup_widgets.filters.filters import Context
from dedup_widgets.frame.collection import Collection
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
    NotDuplicatesStep,
    RenameStep,
    SelectionStep,
    Step,
)
from dedup_widgets.scoring.job import Job
from dedup_widgets.scoring.keepers import Rule
from dedup_widgets.scoring.score import add_scores
from dedup_widgets.scoring.score import score as score_images
from dedup_widgets.scoring.uniqueness import NEAR
from dedup_widgets.store.database import Store
from dedup_widgets.store.open import open_store
from dedup_widgets.widgets.base import bundle
from dedup_widgets.widgets.image_grid import ImageGrid
from dedup_widgets.widgets.protocol import Buffers, Event, Request, pack_bits
from dedup_widgets.widgets.requests.dataset import DatasetRequests
from dedup_widgets.widgets.requests.review import ReviewRequests

if TYPE_CHECKING:
    from dedup_widgets.widgets.analytics.analytics import Analytics


MAX_PAIRS = 200_000
"""Pairs of contents that one decision may part; more would make each further plan slow."""


class Explorer(ImageGrid):
    """See the duplicates of a set of images side by side, pick, and read the choice back.

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
    height
        Height of the grid in CSS pixels.
    progress
        Whether scoring shows a progress bar.

    Raises
    ------
    InputError
        When data is no table, or lacks a column; the message lists those there are.
    ModelError
        When scores are needed and the model cannot be loaded.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> ex = dw.Explorer("photos/", model="efficientnet-lite0")  # doctest: +SKIP
    >>> ex.filters = {"uniqueness": (0, 0)}  # doctest: +SKIP
    >>> ex.accept_plan("Unique")  # doctest: +SKIP
    >>> ex.create_dataset("Unique", "clean-v1")  # doctest: +SKIP
    """

    _esm = bundle("explorer")
    slow = ImageGrid.slow | {Request.PREVIEW, Request.CREATE, Request.ANALYTICS}
    _analytics = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )

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
        height: int = 560,
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
        self._label = _column_of(frame, label, "label")
        self._split = _column_of(frame, split, "split")
        self._disagreeing: dict[str, np.ndarray] = {}
        self._expressions = filtering.Expressions()
        self._requests = ReviewRequests(self)
        self._plan: pl.DataFrame | None = None
        self._plan_off: str | None = None
        self._changes = ""
        self._as_scored: tuple[Decisions, pl.DataFrame | None] = Decisions(), None
        self._apart: set[str] = set()
        self._history: History | None = None
        super().__init__(
            frame,
            path=path,
            score=score,
            near=NEAR if near is None else near,
            store=store,
            height=height,
        )
        self.collections = Collections(
            self._frame,
            path,
            store,
            mask=self._mask,
            changed=self._collections_changed,
            lock=self._lock,
        )
        self._start_review(near)
        self._context = self._filter_context()
        self._told = self.collections.members()
        self._handlers |= self._requests.handlers
        self._handlers |= DatasetRequests(self, self._tell_progress).handlers
        self._handlers[Request.ANALYTICS] = self._make_analytics

    def _start_review(self, near: float | None) -> None:
        self._scored_frame = frame = self._frame
        self._stored = StoredDecisions(frame, self._store, self._path)
        self._decisions = self._stored.read()
        try:
            self._planner = Planner(for_planning(frame, self._path, self._score))
            if near is not None and near != self._planner.near:
                self._decisions = self._decisions.with_near(near)
            self._follow(self._decisions)
        except InputError as error:
            self._plan_off = str(error)
            self._decisions = Decisions()
        self._history = History(
            self._paths,
            State(self._selected, self._filters, self._decisions, self.collections.members()),
        )

    # The plan, and what it follows

    @property
    def path(self) -> str:
        """The column of paths."""
        return self._path

    @property
    def plan(self) -> pl.DataFrame | None:
        """What stays, what goes and why, row by row of :attr:`frame`.

        See :func:`dedup_widgets.plan`. None where the frame has too little for one.
        """
        return self._plan

    @property
    def why_no_plan(self) -> str | None:
        """Why the frame has too little for a plan; None when there is one."""
        return self._plan_off

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
        with self._lock:
            self.decide(self._decisions.with_near(near))

    @property
    def scored_near(self) -> float:
        """The boundary that the frame was scored with, as far as its kinds tell."""
        return self._near if self._plan is None else self._planner.near

    @property
    def rules(self) -> tuple[str | Rule, ...] | None:
        """The keeper rules, strongest first; see :mod:`dedup_widgets.keepers`.

        None for those that the frame was scored with.
        """
        return self._decisions.rules

    @rules.setter
    def rules(self, rules: Sequence[str | Rule] | None) -> None:
        with self._lock:
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
        with self._lock:
            chosen, gone = self._mask(what), self._mask(instead_of)
            group = self._frame["group"]
            rivals = group.is_in(group.filter(chosen).drop_nulls().implode()).fill_null(False)
            self.decide(
                self._decisions.choose(
                    self._paths_in(chosen), instead_of=self._paths_in(gone | rivals.to_numpy())
                )
            )

    def unchoose_keepers(self, what: Any) -> None:
        """Leave the choice of these images' groups to the rules again."""
        self.choose_keepers([], instead_of=what)

    def mark_not_duplicates(self, what: Any) -> None:
        """Declare that images are no duplicates of the others in their groups.

        It is remembered for the pairs of contents, so it holds wherever the files lie and however
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
        mask = self._mask(what)
        self._require_plan()
        require_columns(self._frame, ["fingerprint"], "telling who is not a duplicate")
        with self._lock:
            groups = self._frame.select("group", f=pl.col("fingerprint").cast(pl.String))
            copies = groups.drop_nulls().group_by("group", "f").len()
            mine = copies.join(groups.filter(mask), on=["group", "f"], how="semi")
            sizes = (
                mine["group"]
                .value_counts()
                .join(copies["group"].value_counts(name="others"), on="group")
            )
            asked = int((sizes["count"].cast(pl.Int64) * sizes["others"]).sum())
            if asked > MAX_PAIRS:
                raise InputError(
                    f"that {self._names_of(mask)} are no duplicates of any other in their groups "
                    f"makes {asked:,} pairs to remember, and {MAX_PAIRS:,} are the most; mark "
                    "fewer at once, or lower near so that the groups fall apart"
                )
            # Copies have one content: all that can be said of them is that they all stay.
            pairs = mine.join(copies, on="group", suffix="_other").filter(
                (pl.col("f") == pl.col("f_other")) == (pl.col("len") > 1)
            )
            self.decide(
                self._decisions.part(pairs.select("f", "f_other").iter_rows()),
                about=self._names_of(mask),
            )

    def unmark_not_duplicates(self, what: Any) -> None:
        """Take back what was declared of these images by :meth:`mark_not_duplicates`."""
        mask = self._mask(what)
        self._require_plan()
        require_columns(self._frame, ["fingerprint"], "telling who is not a duplicate")
        prints = self._frame.filter(mask)["fingerprint"].cast(pl.String).drop_nulls()
        with self._lock:
            self.decide(self._decisions.rejoin(prints), about=self._names_of(mask))

    def paths_of(self, rows: Iterable[int]) -> list[str]:
        """Return the paths of rows of :attr:`frame`, by their numbers."""
        return [self._paths[row] for row in self._checked_rows(rows)]

    def _paths_in(self, mask: np.ndarray) -> list[str]:
        return [self._paths[row] for row in np.flatnonzero(mask).tolist()]

    def _names_of(self, mask: np.ndarray) -> str:
        rows = np.flatnonzero(mask)
        return file_name(self._paths[rows[0]]) if len(rows) == 1 else counted(len(rows), "image")

    def decide(self, decisions: Decisions, *, about: str = "") -> None:
        """Let the plan follow other decisions.

        Raises
        ------
        InputError
            When the frame has too little for a plan that follows them; nothing is changed.
        """
        self._require_plan()
        with self._lock:
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
            raise InputError(f"there is no plan for this frame: {self._plan_off}")
        return self._plan

    def _follow(self, decisions: Decisions, steps: Sequence[Step] = ()) -> None:
        """Plan anew, keep what the steps decided, and show exactly this plan."""
        with self._lock:
            plan = self._planner.plan(**decisions.arguments())
            self._stored.write(*steps)
            self._decisions, self._plan = decisions, plan
            self._near = self._planner.near if decisions.near is None else decisions.near
            self._show(planned(self._scored_frame, plan, self._score, self._near))
            self.collections.frame = self._frame
            self._changes = self._changes_since_scored()
            self._apart = {fingerprint for pair in decisions.not_duplicates for fingerprint in pair}
        if self._history is not None:
            out = Buffers()
            self._tell(Event.PLAN, self._plan_arrays(out), out)
            self._notify("plan", None, plan)
            self._notify("near", None, self._near)

    def _changes_since_scored(self) -> str:
        """Say what the present boundary changed."""
        if self._plan is None or self._decisions.near is None:
            return ""
        as_scored = self._decisions.with_near(None)
        known, plan = self._as_scored
        if plan is None or known != as_scored:
            plan = self._planner.plan(**as_scored.arguments())
            self._as_scored = as_scored, plan
        return str(changes(plan, self._plan))

    # Undo, redo, and the log

    def undo(self) -> str | None:
        """Take the last review step back; return what it was, None when there is none."""
        return self._step_through(self._review.undo)

    def redo(self) -> str | None:
        """Do the step again that was taken back last; return what it is, None for none."""
        return self._step_through(self._review.redo)

    @property
    def log(self) -> pl.DataFrame:
        """Every step of this review, for :func:`dedup_widgets.replay`; see :class:`History`.

        >>> ex.log.write_ndjson("review.jsonl")  # doctest: +SKIP
        """
        with self._lock:
            return self._review.log

    @property
    def next_steps(self) -> tuple[str | None, str | None]:
        """What :meth:`undo` would take back and :meth:`redo` do again; None for nothing."""
        if self._history is None:
            return None, None
        return self._history.undo_text, self._history.redo_text

    @property
    def _review(self) -> History:
        assert self._history is not None
        return self._history

    def _step_through(
        self, go: Callable[[Callable[[Step], Step | None]], Step | None]
    ) -> str | None:
        with self._lock:
            step = go(self._carry_out)
        self._tell_review()
        return None if step is None else step.text

    def _carry_out(self, step: Step) -> Step | None:
        """Make a step happen; return what really changed, None for nothing."""
        match step:
            case SelectionStep():
                self._set_selection(step.on(self._selected), origin=None)
            case FiltersStep():
                self._filters = dict(step.after)
            case CollectionStep() | RenameStep():
                done = self.collections.apply(step)
                self._tell_collections()
                if isinstance(done, RenameStep):
                    self._follow_rename(done)
                return done
            case _:
                self._follow(self._decisions.after(step), [step])
        return step

    def _record(self, step: Step) -> None:
        with self._lock:
            if self._history is None:
                return
            self._history.record(step)
        self._tell_review()

    def _set_selection(self, mask: np.ndarray, origin: int | None) -> None:
        with self._lock:
            before = self._selected
            super()._set_selection(mask, origin)
            # What a page sends in one go is one move of the hand.
            self._record(SelectionStep.between(before, mask, drag=origin is not None))

    @traitlets.observe("_filters")
    def _filters_changed(self, change: Any) -> None:
        super()._filters_changed(change)
        self._record(FiltersStep(change["old"], change["new"]))

    def _collections_changed(self, step: CollectionStep | RenameStep) -> None:
        self._tell_collections()
        self._record(step)
        if isinstance(step, RenameStep):
            self._follow_rename(step)

    def _follow_rename(self, step: RenameStep) -> None:
        """Filter by the new name where the old one was meant; it is no step of its own."""
        with self._unrecorded():
            self._filters = step.in_filters(self._filters)

    @contextmanager
    def _unrecorded(self) -> Iterator[None]:
        with self._lock:
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
        with self._lock:
            plan = self._require_plan()
            self.selection = self._view_mask() & (plan["action"] == "remove").to_numpy()
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
        rows = self._images(what)
        options.setdefault("removed", self.left_out(rows))
        if merge and self._plan is not None:
            goes = self._plan.filter(~pl.col("path").is_in(rows[self._path].implode()))
            named = self._frame.select(path=pl.col(self._path), **{c: pl.col(c) for c in merge})
            merged = merge_labels(named, goes, list(merge))
            rows = self._frame.with_columns(merged[c] for c in merge).filter(
                pl.col(self._path).is_in(rows[self._path].implode())
            )
        return create_dataset(rows, name, path=self._path, **options)

    def left_out(self, what: Any) -> pl.DataFrame:
        """Return what a dataset of these images leaves out, and why: for ``removed=…``."""
        return left_out(self._frame, self._plan, self._images(what)[self._path], self._path)

    def _images(self, what: Any) -> pl.DataFrame:
        if isinstance(what, str) and what in self.collections:
            what = self.collections[what]
        mask = self._mask(what.paths if isinstance(what, Collection) else what)
        return self._frame.filter(mask)

    @property
    def rest(self) -> pl.DataFrame:
        """The readable images that are not selected, with all columns."""
        error = self._known.get_column("error", default=None)
        rest = ~self._selected
        return self._frame.filter(rest if error is None else rest & error.is_null().to_numpy())

    @property
    def mergeable(self) -> list[str]:
        """The columns of labels and tags: that of labels, and those of lists of words."""
        tags = [name for name, dtype in self._frame.schema.items() if dtype == pl.List(pl.String)]
        return [self._label, *(t for t in tags if t != self._label)] if self._label else tags

    # Analytics

    @property
    def analytics(self) -> "Analytics":
        """The distribution of each metric and the threshold curve; brushing filters the view."""
        with self._lock:
            if self._analytics is None:
                from dedup_widgets.widgets.analytics.analytics import Analytics

                self._analytics = Analytics(self)
            return self._analytics

    def _make_analytics(
        self, _message: dict[str, Any], _in: list[Any], _out: Buffers
    ) -> dict[str, Any]:
        self.analytics  # noqa: B018 - making it sets the trait
        return {}

    # What the view is made of

    def _filter_context(self) -> Context:
        return Context(
            path=self._path,
            score=self._score,
            collections=lambda: {n: m.mask for n, m in self.collections.members().items()},
            plan=self._planned_actions if self._plan is not None else None,
            label_conflict=self._doubtful(self._label),
            leakage=self._doubtful(self._split),
            expressions=self._expressions,
        )

    def _doubtful(self, column: str | None) -> Callable[[], np.ndarray] | None:
        return (lambda: self._disagreeing[column]) if column in self._disagreeing else None

    def _planned_actions(self) -> Mapping[str, np.ndarray]:
        assert self._plan is not None
        goes = (self._plan["action"] == "remove").to_numpy()
        return {"keep": ~goes, "remove": goes}

    def _plan_arrays(self, out: Buffers) -> dict[str, Any]:
        arrays = super()._plan_arrays(out)
        doubts = {"label_conflicts": self._label, "leakage": self._split}
        counts = {
            name: self._known["group"].filter(self._disagreeing[column]).n_unique()
            if column in self._disagreeing
            else None
            for name, column in doubts.items()
        }
        return {
            **arrays,
            "summary": {**arrays["summary"], **counts},
            "review": self._requests.info(),
        }

    def _show(self, frame: pl.DataFrame) -> None:
        super()._show(frame)
        self._disagreeing = {
            column: disagreeing(self._known.select("group", value=frame[column]), "value")
            for column in (self._label, self._split)
            if column is not None and "group" in self._known.columns
        }

    def _caption(self, row: int) -> str | None:
        if self._plan is None or self._bands.beside[row]:
            return super()._caption(row)
        reason = self._plan["reason"][row]
        return None if reason in ("unique", "unreadable") else reason

    def _by_hand(self, row: int) -> dict[str, bool]:
        fingerprint = self._fact(row, "fingerprint")
        return {
            "chosen": self._paths[row] in self._decisions.keepers,
            "apart": fingerprint in self._apart,
        }

    # Answers

    def _open(self, message: dict[str, Any], _in: list[Any], out: Buffers) -> dict[str, Any]:
        return {
            **super()._open(message, _in, out),
            **self.collections_on_the_wire(out),
            "mergeable": self.mergeable,
        }

    def collections_on_the_wire(self, out: Buffers) -> dict[str, Any]:
        """Return the collections as the browser gets them: ``CollectionsReply``."""
        self._told = members = self.collections.members()
        bits = [pack_bits(mask) for mask, _ in members.values()]
        return {
            "collections": [
                {"name": name, "size": int(mask.sum()), "description": description}
                for name, (mask, description) in members.items()
            ],
            "members": out.add(np.concatenate(bits) if bits else np.zeros(0, np.uint8)),
        }

    def _receive(self, widget: object, message: Any, buffers: list[Any]) -> None:
        super()._receive(widget, message, buffers)
        # Another notebook may have changed collections since this page was told of them.
        if self.collections.members() is not self._told:
            self._tell_collections()

    def _tell_collections(self) -> None:
        out = Buffers()
        self._tell(Event.COLLECTIONS, self.collections_on_the_wire(out), out)

    def _tell_review(self) -> None:
        self._tell(Event.REVIEW, {"review": self._requests.info()})

    def _is_slow(self, message: dict[str, Any]) -> bool:
        # Pairs of near images are searched once, which takes a while.
        change = message.get("change")
        return super()._is_slow(message) or (isinstance(change, dict) and "near" in change)


def _column_of(frame: pl.DataFrame, given: str | None, usual: str) -> str | None:
    """Return the column that is named, else the one of the usual name if it can be one."""
    if given is not None:
        require_columns(frame, [given], "Explorer")
        require_labels(frame, given)
        return given
    return usual if usual in frame.columns and has_labels(frame.schema[usual]) else None
