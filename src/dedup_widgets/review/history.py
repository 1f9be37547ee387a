"""What a person decided about a frame: what the plan follows, undo and redo, and the log."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Self

import polars as pl

from dedup_widgets.review.collections import Members
from dedup_widgets.review.decisions import Decisions
from dedup_widgets.review.steps import (
    Bits,
    CollectionStep,
    FiltersStep,
    Mask,
    Pair,
    RenameStep,
    ReviewedStep,
    Rows,
    SelectionStep,
    Step,
)

LOG_ACTIONS = ("start", "do", "undo", "redo")


LOG_SCHEMA = {
    "time": pl.Datetime("us", "UTC"),
    "action": pl.Enum(LOG_ACTIONS),
    "step": pl.String(),
    "value": pl.String(),
}
"""The columns of a decision log."""


LOG_VERSION = 1


@dataclass(frozen=True)
class State:
    """Everything that the steps of a review change.

    Attributes
    ----------
    selection : np.ndarray
        Mask over the rows of the frame, shape (n,).
    filters : Mapping
        Clauses by key, as JSON.
    decisions : Decisions
        What the plan follows.
    collections : Mapping
        What the frame sees of each collection, by name.
    reviewed : frozenset of tuple
        Pairs of fingerprints that were looked at side by side.
    """

    selection: Mask
    filters: Mapping[str, Any] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)
    collections: Mapping[str, Members] = field(default_factory=dict)
    reviewed: frozenset[Pair] = frozenset()

    def after(self, step: Step) -> Self:
        """Return the state after a step."""
        match step:
            case SelectionStep():
                return replace(self, selection=step.on(self.selection))
            case FiltersStep():
                return replace(self, filters=dict(step.after))
            case CollectionStep():
                others = {name: it for name, it in self.collections.items() if name != step.name}
                if not step.exists[1]:
                    return replace(self, collections=others)
                # One that was made anew holds nothing of what had its name before.
                known = self.collections.get(step.name) if step.exists[0] else None
                mask = step.add.mask() if known is None else known.mask | step.add.mask()
                members = Members(mask & ~step.remove.mask(), step.description[1])
                return replace(self, collections={**self.collections, step.name: members})
            case RenameStep():
                renamed = {
                    step.new if name == step.old else name: it
                    for name, it in self.collections.items()
                }
                filters = step.in_filters(self.filters)
                return replace(self, collections=renamed, filters=filters)
            case ReviewedStep():
                return replace(self, reviewed=(self.reviewed - step.remove) | step.add)
        return replace(self, decisions=self.decisions.after(step))


Line = tuple[datetime, str, str | None, str]
"""A line of a log: time, action, step, and its value as JSON."""


_Action = Literal["do", "undo", "redo"]


class _Entry(NamedTuple):
    time: datetime
    action: _Action
    step: Step


class History:
    """The steps of one review: undo, redo, and the log of decisions.

    Steps of one move of the hand, such as a drag, are one step. Use it from one thread at a time.

    Parameters
    ----------
    paths
        The paths of the frame's rows.
    start
        What the review starts from.
    limit
        How many steps can be undone; the log is not cut.
    now
        The time, in UTC.
    started
        When the review began; None for now.

    Attributes
    ----------
    first_unkept : int
        The first line of the log that whoever keeps it has not kept yet, as it is now.

    Examples
    --------
    >>> import numpy as np
    >>> from dedup_widgets.review.steps import NearStep
    >>> history = History(["a.jpg", "b.jpg"], State(np.zeros(2, bool)))
    >>> history.record(NearStep(0.05, 0.08))
    >>> history.undo_text
    'near-duplicate threshold 0.05 → 0.08'
    >>> taken_back = history.undo(apply=lambda step: step)
    >>> history.log["action"].to_list()
    ['start', 'do', 'undo']
    """

    def __init__(
        self,
        paths: Sequence[str],
        start: State,
        *,
        limit: int = 1_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        started: datetime | None = None,
    ) -> None:
        self._paths, self._now = paths, now
        self._started = now() if started is None else started
        self._start_selection = Rows(start.selection)
        self._start_filters, self._start_decisions = dict(start.filters), start.decisions
        self._start_reviewed = start.reviewed
        self._start_collections = {
            name: (Rows(members.mask), members.description)
            for name, members in start.collections.items()
        }
        self._entries: list[_Entry] = []
        self._done: deque[Step] = deque(maxlen=limit)
        self._undone: list[Step] = []
        self._action: _Action | None = "do"
        self.first_unkept = 0

    @property
    def undo_text(self) -> str | None:
        """What the step does that would be taken back; None if there is none."""
        return self._done[-1].text if self._done else None

    @property
    def redo_text(self) -> str | None:
        """What the step does that would be done again; None if there is none."""
        return self._undone[-1].text if self._undone else None

    @property
    def started(self) -> datetime:
        """When the review began, in UTC."""
        return self._started

    def record(self, step: Step) -> None:
        """Remember a step that was done; what it took back can no longer be done again.

        A step that changes nothing is passed over. What is recorded first while :meth:`undo` or
        :meth:`redo` carries a step out is that step, as it really happened; what else it brings
        about is none.
        """
        action = self._action
        if action is None or not step:
            return
        time = self._now()
        if action != "do":
            self._action = None
            self._entries.append(_Entry(time, action, step))
            self._move(action, step)
            return
        self._undone.clear()
        merged = self._merged(step, time)
        if merged is not None:
            self._entries.pop()
            self._done.pop()
            # The start is line 0.
            self.first_unkept = min(self.first_unkept, len(self._entries) + 1)
            step = merged
        if step:
            self._entries.append(_Entry(time, "do", step))
            self._done.append(step)

    def note(self, step: Step) -> None:
        """Remember a step that somebody else did: it is in the log, and not undone here."""
        if step:
            self._entries.append(_Entry(self._now(), "do", step))

    def go_on(self, action: str, step: Step, time: datetime) -> None:
        """Take a line of the log of an earlier review as one of this."""
        self._entries.append(_Entry(time, action, step))  # type: ignore[arg-type]
        self._move(action, step)

    def _move(self, action: str, step: Step | None) -> None:
        """Let what undo and redo do next follow an action."""
        match action:
            case "undo" if self._done:
                self._undone.append(self._done.pop())
            case "redo" if self._undone:
                self._undone.pop()
                if step is not None:
                    self._done.append(step)
            case "do" if step is not None:
                self._undone.clear()
                self._done.append(step)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Forget what is recorded inside if that fails."""
        before = list(self._entries), self._done.copy(), list(self._undone), self.first_unkept
        try:
            yield
        except BaseException:
            self._entries, self._done, self._undone, self.first_unkept = before
            raise

    def _merged(self, step: Step, time: datetime) -> Step | None:
        """Return the last step and this one as one, if they are one move of the hand."""
        if not (self._entries and self._done):
            return None
        last = self._entries[-1]
        within = 0 <= (time - last.time).total_seconds() <= step.merges_within
        if last.action != "do" or last.step is not self._done[-1] or not within:
            return None
        return last.step.merged(step)

    def undo(self, apply: Callable[[Step], Step | None]) -> Step | None:
        """Take the last step back.

        Parameters
        ----------
        apply
            Carries out the step that it is given, and returns it as it really happened; None if
            nothing changed. If it raises, nothing counts as taken back. What it does not record
            itself is recorded when it returns.

        Returns
        -------
        Step or None
            The step that was taken back, None if there was none.
        """
        if not self._done:
            return None
        step = self._done[-1]
        self._carry_out("undo", step.inverse(), apply)
        return step

    def redo(self, apply: Callable[[Step], Step | None]) -> Step | None:
        """Do the step again that was taken back last; see :meth:`undo`."""
        if not self._undone:
            return None
        step = self._undone[-1]
        self._carry_out("redo", step, apply)
        return step

    def _carry_out(self, action: _Action, step: Step, apply: Callable[[Step], Step | None]) -> None:
        self._action = action
        try:
            done = apply(step)
            if done:
                self.record(done)
            elif self._action is not None:
                self._move(action, None)
        finally:
            self._action = "do"

    @property
    def log(self) -> pl.DataFrame:
        """Every step, undo and redo since the start, for :func:`dedup_widgets.replay`.

        Columns: ``time`` (Datetime, UTC), ``action`` (Enum: start, do, undo, redo), ``step``
        (String: selection, filters, near, rules, keepers, not_duplicates, reviewed, collection,
        rename; null for the start) and ``value`` (String, JSON: what the step changed, or all there
        was at the start). ``write_ndjson`` keeps it in a file.
        """
        return pl.DataFrame(self.lines(), schema=LOG_SCHEMA, orient="row")

    def lines(self, first: int = 0, *, bits: Bits | None = None) -> list[Line]:
        """Return the lines of the log.

        Parameters
        ----------
        first
            The number of the first one, from 0.
        bits
            How many rows are written; None for paths in any case.
        """
        rows: list[tuple[datetime, str, str | None, Any]] = []
        if first == 0:
            rows.append((self._started, "start", None, self._start(bits)))
        rows += [
            (entry.time, entry.action, entry.step.kind, entry.step.value(self._paths, bits))
            for entry in self._entries[max(first - 1, 0) :]
        ]
        return [
            (time, action, kind, json.dumps(value, ensure_ascii=False))
            for time, action, kind, value in rows
        ]

    def __len__(self) -> int:
        """Return how many lines the log has."""
        return len(self._entries) + 1

    def _start(self, bits: Bits | None) -> dict[str, Any]:
        return {
            "version": LOG_VERSION,
            "selection": self._start_selection.named(self._paths, bits),
            "filters": self._start_filters,
            **self._start_decisions.as_json(),
            "reviewed": [list(pair) for pair in sorted(self._start_reviewed)],
            "collections": {
                name: {"paths": rows.named(self._paths, bits), "description": description}
                for name, (rows, description) in self._start_collections.items()
            },
        }
