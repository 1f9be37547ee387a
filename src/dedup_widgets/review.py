"""What a person decided about a frame: what the plan follows, undo and redo, and the log."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import polars as pl

from dedup_widgets.collections import Members
from dedup_widgets.errors import InputError
from dedup_widgets.keepers import Rule, check
from dedup_widgets.sources import absolute
from dedup_widgets.steps import (
    KeepersStep,
    Mask,
    NearStep,
    NotDuplicatesStep,
    Pair,
    Rows,
    Rules,
    RulesStep,
    Step,
    rules_as_json,
)
from dedup_widgets.store import Store

LOG_ACTIONS = ("start", "do", "undo", "redo")
LOG_SCHEMA = {
    "time": pl.Datetime("us", "UTC"),
    "action": pl.Enum(LOG_ACTIONS),
    "step": pl.String(),
    "value": pl.String(),
}
"""The columns of a decision log."""

LOG_VERSION = 1


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a plan follows, beside the frame.

    Attributes
    ----------
    near : float or None
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; None for the frame's own.
    rules : tuple or None
        Keeper rules, strongest first; None for those that the frame was scored with.
    keepers : frozenset of str
        Paths chosen by hand to be keepers.
    not_duplicates : frozenset of tuple
        Pairs of fingerprints (a, b), a ≤ b, that are no duplicates of each other.

    Raises
    ------
    InputError
        When near lies outside [0, 1], or there is no such rule.

    Examples
    --------
    >>> decisions = Decisions().choose(["b.jpg"])
    >>> [step.text for step in Decisions().steps_to(decisions)]
    ['make b.jpg the keeper']
    """

    near: float | None = None
    rules: Rules = None
    keepers: frozenset[str] = frozenset()
    not_duplicates: frozenset[Pair] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "near", _checked_near(self.near))
        if self.rules is not None:
            check(self.rules)
            object.__setattr__(self, "rules", tuple(self.rules))
        pairs = frozenset((min(a, b), max(a, b)) for a, b in self.not_duplicates)
        object.__setattr__(self, "not_duplicates", pairs)
        object.__setattr__(self, "keepers", frozenset(self.keepers))

    def __eq__(self, other: object) -> bool:
        return self.as_json() == other.as_json() if isinstance(other, Decisions) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def as_json(self) -> dict[str, Any]:
        """Return the decisions as a log has them."""
        return {
            "near": self.near,
            "rules": rules_as_json(self.rules),
            "keepers": sorted(self.keepers),
            "not_duplicates": [list(pair) for pair in sorted(self.not_duplicates)],
        }

    def arguments(self) -> dict[str, Any]:
        """Return what :func:`dedup_widgets.plan` takes of it: ``plan(df, **arguments)``."""
        return {
            "near": self.near,
            "keep": self.rules,
            "keepers": self.keepers,
            "not_duplicates": self.not_duplicates,
        }

    def with_near(self, near: float | None) -> Self:
        """Return the same decisions at another boundary."""
        return replace(self, near=near)

    def with_rules(self, rules: Sequence[str | Rule] | None) -> Self:
        """Return the same decisions with other keeper rules."""
        if rules is None:
            return replace(self, rules=None)
        check(rules)
        return replace(self, rules=tuple(rules))

    def choose(self, keepers: Iterable[str], instead_of: Iterable[str] = ()) -> Self:
        """Return the same decisions with more keepers, chosen instead of others."""
        return replace(self, keepers=(self.keepers - set(instead_of)) | set(keepers))

    def part(self, pairs: Iterable[Pair]) -> Self:
        """Return the same decisions with more pairs of fingerprints that are no duplicates."""
        return replace(self, not_duplicates=self.not_duplicates | set(pairs))

    def rejoin(self, fingerprints: Iterable[str]) -> Self:
        """Return the same decisions without the pairs that one of the fingerprints is in."""
        gone = set(fingerprints)
        left = {(a, b) for a, b in self.not_duplicates if a not in gone and b not in gone}
        return replace(self, not_duplicates=frozenset(left))

    def for_frame(self, frame: pl.DataFrame, path: str = "path") -> Self:
        """Return the same decisions without keepers that a frame lacks."""
        return replace(self, keepers=self.keepers & set(frame[path].to_list()))

    def steps_to(self, other: "Decisions") -> list[Step]:
        """Return the steps that lead from these decisions to others; none if they are equal."""
        steps = (
            NearStep(self.near, other.near),
            RulesStep(self.rules, other.rules),
            KeepersStep.between(self.keepers, other.keepers),
            NotDuplicatesStep.between(self.not_duplicates, other.not_duplicates),
        )
        return [step for step in steps if step]

    def after(self, step: Step) -> Self:
        """Return the decisions after a step; one that is about something else leaves them."""
        match step:
            case NearStep():
                return replace(self, near=step.after)
            case RulesStep():
                return replace(self, rules=step.after)
            case KeepersStep():
                return replace(self, keepers=(self.keepers - step.remove) | step.add)
            case NotDuplicatesStep():
                return replace(self, not_duplicates=(self.not_duplicates - step.remove) | step.add)
        return self


def _checked_near(near: Any) -> float | None:
    if near is None:
        return None
    is_number = isinstance(near, float | int | np.floating) and not isinstance(near, bool)
    if is_number and 0 <= near <= 1:
        return float(near)
    raise InputError(f"near is {near!r}; it must be a number in [0, 1], on the uniqueness scale")


class StoredDecisions:
    """The decisions by hand that a store keeps, as far as they are about one frame.

    Keepers are kept by path and content, and no longer hold once the content is another;
    not-duplicates by pair of contents, wherever the files lie. A frame without the column
    ``fingerprint`` has none, and nothing is kept of it. The boundary and the rules are not kept.

    Parameters
    ----------
    frame
        The rows to look at.
    store
        Where the decisions are kept.
    path
        The column of paths.
    """

    def __init__(self, frame: pl.DataFrame, store: Store, path: str = "path") -> None:
        self._store = store
        self._fingerprints: dict[str, str] = {}
        if "fingerprint" in frame.columns:
            prints = frame.select(path, pl.col("fingerprint").cast(pl.String)).drop_nulls()
            self._fingerprints = dict(prints.iter_rows())

    def read(self) -> Decisions:
        """Return the keepers and not-duplicates that hold for the frame."""
        chosen = self._store.chosen_keepers(self._fingerprints.values())
        with_choice = set(chosen.values())
        return Decisions(
            keepers=frozenset(
                path
                for path, fingerprint in self._fingerprints.items()
                if fingerprint in with_choice and chosen.get(absolute(path)) == fingerprint
            ),
            not_duplicates=frozenset(self._store.not_duplicates(self._fingerprints.values())),
        )

    def write(self, *steps: Step) -> None:
        """Keep what steps decided, in one transaction; what was not by hand is passed over.

        Raises
        ------
        StoreError
            When the store cannot be written.
        """
        keepers = [step for step in steps if isinstance(step, KeepersStep)]
        apart = [step for step in steps if isinstance(step, NotDuplicatesStep)]
        if keepers or apart:
            self._store.decide(
                add_keepers={
                    absolute(path): self._fingerprints[path]
                    for step in keepers
                    for path in step.add
                    if path in self._fingerprints
                },
                remove_keepers=[absolute(path) for step in keepers for path in step.remove],
                add_not_duplicates=[pair for step in apart for pair in step.add],
                remove_not_duplicates=[pair for step in apart for pair in step.remove],
            )


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
    """

    selection: Mask
    filters: Mapping[str, Any] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)
    collections: Mapping[str, Members] = field(default_factory=dict)


class _Entry(NamedTuple):
    time: datetime
    action: Literal["do", "undo", "redo"]
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

    Examples
    --------
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
    ) -> None:
        self._paths, self._now = paths, now
        self._started = now()
        self._start_selection = Rows(start.selection)
        self._start_filters, self._start_decisions = dict(start.filters), start.decisions
        self._start_collections = {
            name: (Rows(members.mask), members.description)
            for name, members in start.collections.items()
        }
        self._entries: list[_Entry] = []
        self._done: deque[Step] = deque(maxlen=limit)
        self._undone: list[Step] = []
        self._applying = False

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._undone)

    @property
    def undo_text(self) -> str | None:
        """What the step does that would be taken back; None if there is none."""
        return self._done[-1].text if self._done else None

    @property
    def redo_text(self) -> str | None:
        """What the step does that would be done again; None if there is none."""
        return self._undone[-1].text if self._undone else None

    def record(self, step: Step) -> None:
        """Remember a step that was done; what it took back can no longer be done again.

        A step that changes nothing is passed over, and so is one that :meth:`undo` or
        :meth:`redo` brings about while it carries out another.
        """
        if self._applying or not step:
            return
        time = self._now()
        self._undone.clear()
        merged = self._merged(step, time)
        if merged is not None:
            self._entries.pop()
            self._done.pop()
            step = merged
        if step:
            self._entries.append(_Entry(time, "do", step))
            self._done.append(step)

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
            nothing changed. If it raises, nothing counts as taken back.

        Returns
        -------
        Step or None
            The step that was taken back, None if there was none.
        """
        if not self._done:
            return None
        step = self._done[-1]
        self._carry_out("undo", step.inverse(), apply)
        self._undone.append(self._done.pop())
        return step

    def redo(self, apply: Callable[[Step], Step | None]) -> Step | None:
        """Do the step again that was taken back last; see :meth:`undo`."""
        if not self._undone:
            return None
        step = self._undone[-1]
        done = self._carry_out("redo", step, apply)
        self._undone.pop()
        if done is not None:
            self._done.append(done)
        return step

    def _carry_out(
        self, action: Literal["undo", "redo"], step: Step, apply: Callable[[Step], Step | None]
    ) -> Step | None:
        self._applying = True
        try:
            done = apply(step)
        finally:
            self._applying = False
        if done is not None:
            self._entries.append(_Entry(self._now(), action, done))
        return done

    @property
    def log(self) -> pl.DataFrame:
        """Every step, undo and redo since the start, for :func:`dedup_widgets.replay`.

        Columns: ``time`` (Datetime, UTC), ``action`` (Enum: start, do, undo, redo), ``step``
        (String: selection, filters, near, rules, keepers, not_duplicates, collection, rename;
        null for the start) and ``value`` (String, JSON: what the step changed, or all there was
        at the start). ``write_ndjson`` keeps it in a file.
        """
        rows: list[tuple[datetime, str, str | None, Any]] = [
            (self._started, "start", None, self._start())
        ]
        rows += [
            (entry.time, entry.action, entry.step.kind, entry.step.value(self._paths))
            for entry in self._entries
        ]
        texts = ((*row, json.dumps(value, ensure_ascii=False)) for *row, value in rows)
        return pl.DataFrame(list(texts), schema=LOG_SCHEMA, orient="row")

    def _start(self) -> dict[str, Any]:
        return {
            "version": LOG_VERSION,
            "selection": self._start_selection.paths(self._paths),
            "filters": self._start_filters,
            **self._start_decisions.as_json(),
            "collections": {
                name: {"paths": rows.paths(self._paths), "description": description}
                for name, (rows, description) in self._start_collections.items()
            },
        }
