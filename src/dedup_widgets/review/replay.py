"""Bring back on a frame what a decision log says."""

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.schema import for_planning
from dedup_widgets.frame.table import checked_paths, is_frame, require_columns, to_polars
from dedup_widgets.planning.plan import plan
from dedup_widgets.review.decisions import Decisions
from dedup_widgets.review.history import LOG_ACTIONS, LOG_VERSION
from dedup_widgets.review.steps import (
    CollectionStep,
    FiltersStep,
    KeepersStep,
    Mask,
    NearStep,
    NotDuplicatesStep,
    Pair,
    RenameStep,
    Rules,
    RulesStep,
    SelectionStep,
)
from dedup_widgets.scoring.keepers import Rule

T = TypeVar("T")


PLAIN_FUNCTIONS = {
    "Boolean",
    "CategoricalExpr",
    "Clip",
    "Pow",
    "Replace",
    "ReplaceStrict",
    "Round",
    "StringExpr",
    "SumHorizontal",
    "TemporalExpr",
}
"""Families of Polars functions of which none takes a Python function or loads a library."""


@dataclass(frozen=True, eq=False)
class Replay:
    """What a log leads to on a frame.

    Attributes
    ----------
    frame : pl.DataFrame
        The frame that it was replayed on.
    decisions : Decisions
        What the plan follows.
    selection : pl.DataFrame
        The selected rows, in the order of the frame.
    filters : dict
        Clauses by key, as JSON.
    collections : dict
        The collections by name, as the review made them: what others did to them meanwhile is in
        no log of this review.
    path : str
        The column of paths.
    score : str
        The column of uniqueness, if there is one of this name.
    """

    frame: pl.DataFrame
    decisions: Decisions
    selection: pl.DataFrame
    filters: dict[str, Any]
    collections: dict[str, Collection]
    path: str = "path"
    score: str = "uniqueness"

    @cached_property
    def plan(self) -> pl.DataFrame:
        """The plan by these decisions; see :func:`dedup_widgets.plan`, whose errors it raises."""
        score = self.score if self.score in self.frame.columns else None
        frame = for_planning(self.frame, self.path, score)
        return plan(frame, **self.decisions.arguments())


def replay(
    df: Any,
    log: Any,
    *,
    path: str = "path",
    score: str = "uniqueness",
    missing: Literal["raise", "ignore"] = "raise",
) -> Replay:
    """Bring back on a frame what a decision log says.

    Parameters
    ----------
    df
        The frame that was reviewed, as :func:`dedup_widgets.score` made it. Rows may come in any
        order, and there may be more of them.
    log
        ``ex.log``, the path of a file of JSON lines that was written from it, or dicts with the
        same keys. Logs may follow each other: each starts anew.
    path, score
        The columns of paths and of uniqueness, as the review was given them.
    missing
        What to do about paths that the frame lacks: ``"raise"``, or ``"ignore"`` them.

    Raises
    ------
    InputError
        When the log has paths that the frame lacks, or a line that is no entry of a log; both
        are named, lines from 1.

    Notes
    -----
    A log may come from anybody, so no code in it is run: a keeper rule that is made of a Python
    function, or of anything else that a log cannot bring back safely, is an error.

    Examples
    --------
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg"],
    ...         "group": [1, 1],
    ...         "keep": [True, False],
    ...         "fingerprint": ["f", "f"],
    ...     }
    ... )
    >>> from dedup_widgets.review.history import History, State
    >>> history = History(df["path"], State(np.zeros(2, bool)))
    >>> history.record(KeepersStep.between(set(), {"b.jpg"}))
    >>> replay(df, history.log).plan["action"].to_list()
    ['remove', 'keep']
    """
    if missing not in ("raise", "ignore"):
        raise InputError(f"missing is {missing!r}; choose 'raise' or 'ignore'")
    frame = to_polars(df)
    fold = _Fold(checked_paths(frame, path))
    line = 0
    for line, entry in _entries(log):
        try:
            fold.take(line, entry)
        except InputError as error:
            raise InputError(
                f"line {line} of the log is no entry that can be replayed: {error}"
            ) from error
    if not line:
        raise InputError("the log is empty; its first line tells what the review started from")
    if fold.unknown and missing == "raise":
        first, line = next(iter(fold.unknown.items()))
        raise InputError(
            f"{len(fold.unknown):,} of the log's paths are not in this frame, {first!r} in line "
            f"{line} first; give the frame that was reviewed, or pass missing='ignore'"
        )
    return Replay(
        frame,
        fold.decisions,
        frame.filter(fold.selection),
        fold.filters,
        {
            name: Collection(name, frame.filter(mask), path, description)
            for name, (mask, description) in fold.collections.items()
        },
        path,
        score,
    )


def _entries(log: Any) -> Iterator[tuple[int, Any]]:
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


class _Fold:
    """What a log has led to so far, on the rows of a frame."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._row_of = {path: row for row, path in enumerate(paths)}
        self._line = 0
        self.unknown: dict[str, int] = {}
        self.filters: dict[str, Any] = {}
        self.decisions = Decisions()
        self.collections: dict[str, tuple[Mask, str]] = {}
        self.selection = self._mask([])

    def take(self, line: int, entry: Any) -> None:
        """Take the next entry.

        Raises
        ------
        InputError
            When it is none, saying why.
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
            self._start(value)
        else:
            self._step(entry.get("step"), value)

    def _start(self, value: Any) -> None:
        if _field(value, "version", int) > LOG_VERSION:
            raise InputError("it was written by a newer version; upgrade")
        self.selection = self._mask(_texts(value, "selection"))
        self.filters = _field(value, "filters", dict)
        self.decisions = Decisions(
            value.get("near"),
            _rules(value.get("rules")),
            frozenset(self._known(_texts(value, "keepers"))),
            _pairs(value, "not_duplicates"),
        )
        self.collections = {
            name: (self._mask(_texts(found, "paths")), _field(found, "description", str))
            for name, found in _field(value, "collections", dict).items()
        }

    def _step(self, step: Any, value: Any) -> None:
        match step:
            case SelectionStep.kind:
                self.selection = self._changed(self.selection, value)
            case FiltersStep.kind:
                if not isinstance(value, dict):
                    raise InputError("its value is no clauses by their key")
                self.filters = value
            case NearStep.kind:
                self.decisions = self.decisions.with_near(value)
            case RulesStep.kind:
                self.decisions = self.decisions.with_rules(_rules(value))
            case KeepersStep.kind:
                add, remove = (set(self._known(_texts(value, key))) for key in ("add", "remove"))
                self.decisions = self.decisions.choose(add, instead_of=remove)
            case NotDuplicatesStep.kind:
                added, removed = _pairs(value, "add"), _pairs(value, "remove")
                left = (self.decisions.not_duplicates - removed) | added
                self.decisions = replace(self.decisions, not_duplicates=left)
            case CollectionStep.kind:
                self._collection(value)
            case RenameStep.kind:
                old, new = _field(value, "from", str), _field(value, "to", str)
                renamed = {old: new}
                self.collections = {renamed.get(k, k): v for k, v in self.collections.items()}
                self.filters = RenameStep(old, new).in_filters(self.filters)
            case _:
                raise InputError(f"there is no step {step!r}")

    def _collection(self, value: Any) -> None:
        name = _field(value, "name", str)
        made, deleted = _field(value, "made", bool), _field(value, "deleted", bool)
        before = self._mask([]) if made else self.collections.get(name, (self._mask([]), ""))[0]
        after = self._changed(before, value), _field(value, "description", str)
        if deleted:
            self.collections.pop(name, None)
        else:
            self.collections[name] = after

    def _changed(self, mask: Mask, value: Any) -> Mask:
        add, remove = self._mask(_texts(value, "add")), self._mask(_texts(value, "remove"))
        return (mask | add) & ~remove

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
    except ValueError as error:
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


def _rules(value: Any) -> Rules:
    if value is None:
        return None
    if not isinstance(value, list):
        raise InputError("keeper rules are a list or null")
    return tuple(rule if isinstance(rule, str) else _rule(rule) for rule in value)


def _rule(value: Any) -> Rule:
    about, text = _field(value, "about", str), _field(value, "value", str)
    tree = _parsed(text, f"the keeper rule {about!r}")
    if not _is_plain(tree):
        raise InputError(
            f"the keeper rule {about!r} is made of more than a log can bring back; make a column "
            "of it and use dedup_widgets.keepers.highest(column)"
        )
    try:
        # Written anew, so that what is read is what was looked at.
        expression = pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise InputError(
            f"this version of Polars cannot read the keeper rule {about!r} ({error})"
        ) from error
    return Rule(about, expression, _field(value, "highest_first", bool))


def _is_plain(node: Any) -> bool:
    """Tell whether a serialized expression only computes.

    Others hold pickled Python functions, which run when they are read, or name libraries.
    """
    match node:
        case {"Column": _} | {"Literal": {"Dyn": _} | {"Scalar": _} | {"Series": _}}:
            parts = []
        case {"BinaryExpr": {"left": left, "right": right}}:
            parts = [left, right]
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            parts = [predicate, truthy, falsy]
        case {"Cast": {"expr": part}} | {"Alias": [part, _]}:
            parts = [part]
        case {"Function": {"input": [*parts], "function": str()}}:
            pass
        case {"Function": {"input": [*parts], "function": {**function}}}:
            if not function.keys() <= PLAIN_FUNCTIONS:
                return False
        case _:
            return False
    return len(node) == 1 and all(_is_plain(part) for part in parts)
