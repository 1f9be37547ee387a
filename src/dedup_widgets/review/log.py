"""Reading a decision log: what it starts from, and its lines as steps."""

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import is_frame, require_columns, to_polars
from dedup_widgets.review.collections import Members
from dedup_widgets.review.decisions import Decisions
from dedup_widgets.review.expressions import from_text
from dedup_widgets.review.history import LOG_ACTIONS, LOG_VERSION, State
from dedup_widgets.review.steps import (
    CollectionStep,
    FiltersStep,
    KeepersStep,
    Mask,
    NearStep,
    NotDuplicatesStep,
    Pair,
    RenameStep,
    ReviewedStep,
    Rows,
    Rules,
    RulesStep,
    SelectionStep,
    Step,
)
from dedup_widgets.scoring.keepers import Among, Rule

T = TypeVar("T")


def entries_of(log: Any) -> Iterator[tuple[int, Any]]:
    """Return the entries of a log, each with its line."""
    if is_frame(log):
        frame = to_polars(log)
        require_columns(frame, ["action", "step", "value"], "a decision log")
        yield from enumerate(frame.iter_rows(named=True), 1)
    elif isinstance(log, str | os.PathLike):
        try:
            with Path(log).open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield number, _parsed(line, f"line {number} of {os.fspath(log)}")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the log {os.fspath(log)}: {error}") from error
    elif isinstance(log, Iterable):
        yield from enumerate(log, 1)
    else:
        raise InputError(f"a log is a frame, the path of a file or dicts, not {type(log).__name__}")


class LogReader:
    """Reads the entries of a log one after the other, on the rows of a frame.

    Parameters
    ----------
    paths
        The paths of the frame's rows.
    order
        The row that each bit of a set of rows stands for, where the log is known to be of exactly
        these rows; None for a log that names rows by their paths.

    Attributes
    ----------
    state : State
        What the entries read so far lead to.
    start : State
        What they start from.
    unknown : dict of str to int
        Paths that the frame lacks, each with the line that it is first found in.
    """

    def __init__(self, paths: Sequence[str], *, order: NDArray[np.integer] | None = None) -> None:
        self._order = order
        self._row_of = {path: row for row, path in enumerate(paths)}
        self._line = 0
        self.unknown: dict[str, int] = {}
        self.start = self.state = State(self._mask([]))

    def take(self, line: int, entry: Any) -> Step | None:
        """Read the next entry; return its step, None for a start.

        Raises
        ------
        InputError
            When it is none; the message has the reason.
        """
        action = entry.get("action") if isinstance(entry, Mapping) else None
        if action not in LOG_ACTIONS:
            raise InputError("it has no 'action' that is start, do, undo or redo")
        if not self._line and action != "start":
            raise InputError("a log begins with its start")
        self._line = line
        value = entry.get("value")
        if isinstance(value, str):
            value = _parsed(value, "its value")
        if action == "start":
            self.start = self.state = self._start(value)
            return None
        step = self._step(entry.get("step"), value)
        self.state = self.state.after(step)
        return step

    def _start(self, value: Any) -> State:
        if _field(value, "version", int) > LOG_VERSION:
            raise InputError("it was written by a newer version; upgrade")
        return State(
            self._rows(value, "selection").mask(),
            _field(value, "filters", dict),
            Decisions(
                value.get("near"),
                _rules(value.get("rules")),
                frozenset(self._known(_texts(value, "keepers"))),
                _pairs(value, "not_duplicates"),
            ),
            {
                name: Members(self._rows(found, "paths").mask(), _field(found, "description", str))
                for name, found in _field(value, "collections", dict).items()
            },
            # Earlier logs know nothing of it.
            _pairs(value, "reviewed") if "reviewed" in value else frozenset(),
        )

    def _step(self, kind: Any, value: Any) -> Step:
        """Return an entry as the step that was made, whether done, undone or done again."""
        decisions = self.state.decisions
        match kind:
            case SelectionStep.kind:
                return SelectionStep(self._rows(value, "add"), self._rows(value, "remove"))
            case FiltersStep.kind:
                if not isinstance(value, dict):
                    raise InputError("its value is no clauses by their key")
                return FiltersStep(self.state.filters, value)
            case NearStep.kind:
                return NearStep(decisions.near, decisions.with_near(value).near)
            case RulesStep.kind:
                return RulesStep(decisions.rules, decisions.with_rules(_rules(value)).rules)
            case KeepersStep.kind:
                add, remove = (self._known(_texts(value, key)) for key in ("add", "remove"))
                return KeepersStep(frozenset(add), frozenset(remove))
            case NotDuplicatesStep.kind:
                return NotDuplicatesStep(*_pairs_step(value))
            case ReviewedStep.kind:
                return ReviewedStep(*_pairs_step(value))
            case CollectionStep.kind:
                return self._collection(value)
            case RenameStep.kind:
                return RenameStep(_field(value, "from", str), _field(value, "to", str))
        raise InputError(f"there is no step {kind!r}")

    def _collection(self, value: Any) -> CollectionStep:
        name = _field(value, "name", str)
        made, deleted = _field(value, "made", bool), _field(value, "deleted", bool)
        description = _field(value, "description", str)
        before = self.state.collections.get(name)
        return CollectionStep(
            name,
            self._rows(value, "add"),
            self._rows(value, "remove"),
            ("" if before is None else before.description, description),
            (not made, not deleted),
        )

    def _rows(self, value: Any, key: str) -> Rows:
        packed = value.get(key) if isinstance(value, dict) else None
        if self._order is not None and isinstance(packed, dict):
            try:
                return Rows.packed(_field(packed, "bits", str), self._order)
            except (ValueError, zlib.error) as error:
                raise InputError(f"its value has no rows in {key!r} ({error})") from error
        return Rows(self._mask(_texts(value, key)))

    def _mask(self, paths: Sequence[str]) -> Mask:
        mask = np.zeros(len(self._row_of), np.bool_)
        mask[[self._row_of[path] for path in self._known(paths)]] = True
        return mask

    def _known(self, paths: Sequence[str]) -> Sequence[str]:
        """Return the paths that the frame has; the others are noted."""
        if self._row_of.keys() >= set(paths):
            return paths
        for path in paths:
            if path not in self._row_of:
                self.unknown.setdefault(path, self._line)
        return [path for path in paths if path in self._row_of]


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is no JSON ({error})") from error


def _field(value: Any, key: str, kind: type[T]) -> T:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise InputError(f"its value has no {kind.__name__} {key!r}")
    return found


def _texts(value: Any, key: str) -> list[str]:
    found = _field(value, key, list)
    if not all(isinstance(text, str) for text in found):
        raise InputError(f"its value has no texts in {key!r}")
    return found


def _pairs(value: Any, key: str) -> frozenset[Pair]:
    pairs = _field(value, key, list)
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and {type(f) for f in pair} == {str}):
            raise InputError(f"its value has {pair!r} in {key!r}, which is no pair of fingerprints")
    return frozenset((min(pair), max(pair)) for pair in pairs)


def _pairs_step(value: Any) -> tuple[frozenset[Pair], frozenset[Pair], str]:
    about = _field(value, "about", str) if isinstance(value, dict) and "about" in value else ""
    return _pairs(value, "add"), _pairs(value, "remove"), about


def _rules(value: Any) -> Rules:
    if value is None:
        return None
    if not isinstance(value, list):
        raise InputError("keeper rules are a list or null")
    return tuple(rule if isinstance(rule, str) else _rule(rule) for rule in value)


def _rule(value: Any) -> Rule:
    about, text = _field(value, "about", str), _field(value, "value", str)
    expression = from_text(text, about)
    among = value.get("among", "all")
    if among not in get_args(Among):
        raise InputError(f"the keeper rule {about!r} is asked among {among!r}, which is unknown")
    return Rule(about, expression, _field(value, "highest_first", bool), among)
