"""The filters of a view: a clause for each column, of which all must hold.

:mod:`dedup_widgets.filters.clauses` knows what a clause on a column is. Besides columns there are

===================  ======================================  =========================================
key                  JSON                                    in Python
===================  ======================================  =========================================
``collections``      ``{"include": […], "exclude": […]}``    the same: in one of the first, and in
                                                             none of the second
``plan``             ``{"any": ["remove"]}``                 ``"remove"``, ``"keep"``, or a list
``reviewed``         ``{"any": [false]}``                    ``True`` or ``False``: images of groups
                                                             that were reviewed, or were not yet
``label_conflict``   ``true``                                ``True``: groups whose labels disagree
``leakage``          ``true``                                ``True``: groups that straddle splits
``words``            ``{"contains": "a red car"}``           ``"a red car"``: the images nearest to it
``where``            ``{"text": …, "expression": …}``        a Polars expression
===================  ======================================  =========================================
"""  # noqa: E501

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets._text import did_you_mean
from dedup_widgets.errors import InputError
from dedup_widgets.filters import facets
from dedup_widgets.filters.clauses import from_json, searchable, to_expression, to_json

RESERVED = ("collections", "plan", "reviewed", "label_conflict", "leakage", "words", "where")
"""Keys that stand for no column. A column of such a name can be filtered by ``where`` only."""


Clauses = dict[str, Any]
"""Clauses by key, as JSON."""


class Expressions:
    """The ``where`` expressions that Python set.

    A page names the one that it wants. It can bring none of its own, for an expression may run any
    code.

    >>> known = Expressions()
    >>> clause = known.add(pl.col("width") > 100)
    >>> clause["text"]
    '[(col("width")) > (dyn int: 100)]'
    >>> known.find(clause) is not None, known.find({"expression": "another"}) is None
    (True, True)
    """

    def __init__(self) -> None:
        self._known: dict[str, pl.Expr] = {}

    def add(self, expression: pl.Expr) -> dict[str, str]:
        """Remember an expression, and return the JSON that stands for it."""
        try:
            # Not the serialized expression itself: with a list of paths it has many megabytes.
            key = hashlib.sha256(expression.meta.serialize()).hexdigest()
        except Exception as error:
            raise InputError(
                f"the expression of 'where' cannot be told from others ({error}); make a column of "
                "True and False of it, and filter by that"
            ) from error
        self._known[key] = expression
        text = str(expression)
        return {"text": text if len(text) <= 120 else text[:119] + "…", "expression": key}

    def find(self, clause: Any) -> pl.Expr | None:
        """Return the expression that a clause stands for; None when Python set no such one."""
        key = clause.get("expression") if isinstance(clause, Mapping) else None
        return self._known.get(key) if isinstance(key, str) else None


@dataclass(frozen=True, slots=True)
class Context:
    """What filters need to know beyond the columns of a frame; each mask is one of its rows.

    Attributes
    ----------
    path : str
        The column of paths, unique and not null.
    score : str | None
        The column of scores, which are compared as float32 whatever their type.
    collections : callable
        Returns the members of each collection, as masks by name.
    plan : callable | None
        Returns the rows of each action of the plan, as masks by name; None without a plan.
    reviewed : callable | None
        Returns the rows of groups that were reviewed (True), and of those that were not (False);
        None without groups.
    label_conflict, leakage : callable | None
        Return the mask of such rows; None without a column of labels or splits.
    words : callable | None
        Returns the mask of the images nearest to a text; None where the model embeds none.
    expressions : Expressions
        What ``where`` may stand for.
    """

    path: str = "path"
    score: str | None = None
    collections: Callable[[], Mapping[str, np.ndarray]] = dict
    plan: Callable[[], Mapping[str, np.ndarray]] | None = None
    reviewed: Callable[[], Mapping[bool, np.ndarray]] | None = None
    label_conflict: Callable[[], np.ndarray] | None = None
    leakage: Callable[[], np.ndarray] | None = None
    words: Callable[[str], np.ndarray] | None = None
    expressions: Expressions = field(default_factory=Expressions)

    def kind(self, column: str, dtype: pl.DataType) -> facets.Kind | None:
        """Return how a column can be filtered, judged by its type."""
        if column in RESERVED:
            return None
        if column == self.score:
            return "number"
        kind = facets.kind_of(dtype)
        return "text" if column == self.path and kind == "category" else kind


class Filters(Mapping[str, Any]):
    """The filters of a view, as Python users write them: what ``ex.filters`` is.

    Equal to any mapping that means the same, whatever the order of its lists.

    Parameters
    ----------
    frame
        The frame to filter.
    clauses
        JSON, as :func:`parse` or :func:`read` returns it.
    context
        See :class:`Context`.

    Examples
    --------
    >>> frame = pl.DataFrame({"path": ["a", "b"], "width": [640, 1024], "tag": ["sky", None]})
    >>> filters = Filters(frame, {"width": [1000, None], "tag": {"any": [None]}}, Context())
    >>> filters
    Filters({'width': (1000, None), 'tag': [None]})
    >>> frame.filter(filters.expression)["path"].to_list()
    ['b']
    >>> filters == {"tag": [None], "width": (1000, None)}
    True
    """

    def __init__(self, frame: pl.DataFrame, clauses: Clauses, context: Context) -> None:
        self._frame, self._clauses, self._context = frame, dict(clauses), context

    @property
    def expression(self) -> pl.Expr:
        """The same as one Polars expression: ``frame.filter(filters.expression)``.

        What stands for no column, such as collections, becomes a list of paths.
        """
        tests: list[pl.Expr] = []
        for key, clause in self._clauses.items():
            if _is_of_rows(key):
                paths = self._frame[self._context.path]
                for rows, inside in _row_sets(len(paths), key, clause, self._context):
                    test = pl.col(paths.name).is_in(paths.filter(rows).implode())
                    tests.append(test if inside else ~test)
            else:
                tests.append(_expression(self._frame, key, clause, self._context))
        return reduce(and_, tests) if tests else pl.lit(True)

    @property
    def mask(self) -> np.ndarray:
        """The mask of the rows that they leave, shape (n,)."""
        return mask(self._frame, self._clauses, self._context)

    def without(self, key: str) -> "Filters":
        """Return all filters but one: what a view draws that sets this one itself."""
        clauses = {other: clause for other, clause in self._clauses.items() if other != key}
        return Filters(self._frame, clauses, self._context)

    def __getitem__(self, key: str) -> Any:
        return _value(self._frame, key, self._clauses[key], self._context)

    def __iter__(self) -> Iterator[str]:
        return iter(self._clauses)

    def __len__(self) -> int:
        return len(self._clauses)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Filters):
            return self._clauses == other._clauses
        if not isinstance(other, Mapping):
            return NotImplemented
        try:
            return self._clauses == parse(self._frame, other, self._context)
        except InputError:
            return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        items = (
            f"{key!r}: {value if isinstance(value, pl.Expr) else repr(value)}"
            for key, value in self.items()
        )
        return f"Filters({{{', '.join(items)}}})"


def parse(frame: pl.DataFrame, given: Any, context: Context) -> Clauses:
    """Return the JSON of filters that a user writes.

    Parameters
    ----------
    frame
        The frame to filter.
    given
        A mapping by column or reserved key, an expression (short for ``{"where": expression}``),
        or None for no filters. An expression is remembered in ``context.expressions``.
    context
        See :class:`Context`.

    Raises
    ------
    InputError
        Naming the column, what is wrong, and what it takes.

    Examples
    --------
    >>> from dedup_widgets.filters import present
    >>> frame = pl.DataFrame({"path": ["a"], "width": [640], "tag": ["sky"]})
    >>> parse(frame, {"width": (None, 800), "path": "beach", "tag": present}, Context())
    {'width': [None, 800.0], 'path': {'contains': 'beach'}, 'tag': {'null': False}}
    """
    if given is None:
        return {}
    if isinstance(given, pl.Expr):
        given = {"where": given}
    if not isinstance(given, Mapping):
        raise InputError(
            f"filters are a mapping such as {{'width': (0, 640)}} or a Polars expression, not "
            f"{type(given).__name__}"
        )
    return {key: _clause(frame, key, value, context) for key, value in given.items()}


def read(frame: pl.DataFrame, json: Any, context: Context) -> Clauses:
    """Return the clauses that make sense of what a page or a saved notebook sent, and no others.

    Names of collections that are gone stay; they stand for collections without members.
    """
    clauses = {}
    for key, clause in json.items() if isinstance(json, Mapping) else ():
        with suppress(ValueError, TypeError, LookupError, OverflowError):
            if key == "where":
                if context.expressions.find(clause) is not None:
                    clauses[key] = clause
            elif key == "collections":
                clauses[key] = _collections(clause)
            else:
                value = _value(frame, key, clause, context)
                clauses[key] = _clause(frame, key, value, context)
    return clauses


def mask(frame: pl.DataFrame, clauses: Clauses, context: Context) -> np.ndarray:
    """Return the mask of the rows that clauses of :func:`parse` or :func:`read` leave.

    These are the rows of ``frame.filter(Filters(frame, clauses, context).expression)``.

    Returns
    -------
    ndarray of bool, (n,)
    """
    kept = np.ones(len(frame), bool)
    for key, clause in clauses.items():
        if _is_of_rows(key):
            for rows, inside in _row_sets(len(frame), key, clause, context):
                kept &= rows == inside
        else:
            test = frame.select(kept=_expression(frame, key, clause, context)).to_series()
            # An expression of a user may come to one value for all rows.
            kept &= test.fill_null(False).to_numpy()
    return kept


def facet(frame: pl.DataFrame, column: str, context: Context) -> facets.Facet:
    """Return what the browser needs to offer a filter on a column."""
    kind = context.kind(column, frame.schema[column])
    return facets.facet(frame[column], kind, single=column == context.score)


def _is_of_rows(key: str) -> bool:
    return key in RESERVED and key != "where"


def _row_sets(n: int, key: str, clause: Any, context: Context) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield masks, and whether their rows or all others are left."""
    if key == "collections":
        members = context.collections()
        for word, names in clause.items():
            yield _union(members, names, n), word == "include"
    elif key == "plan":
        yield _union(context.plan() if context.plan else {}, clause["any"], n), True
    elif key == "reviewed":
        yield _union(context.reviewed() if context.reviewed else {}, clause["any"], n), True
    elif key == "words":
        yield context.words(clause["contains"]) if context.words else np.zeros(n, bool), True
    else:
        yield getattr(context, key)(), True


def _union(members: Mapping[Any, np.ndarray], names: list[Any], n: int) -> np.ndarray:
    return reduce(or_, (members[name] for name in names if name in members), np.zeros(n, bool))


def _expression(frame: pl.DataFrame, key: str, clause: Any, context: Context) -> pl.Expr:
    if key != "where":
        return to_expression(key, frame.schema[key], clause, single=key == context.score)
    expression = context.expressions.find(clause)
    if expression is None:
        raise InputError("Python did not set this 'where'; set it again: filters = {'where': …}")
    return expression


def _value(frame: pl.DataFrame, key: str, clause: Any, context: Context) -> Any:
    """Return what a user would write for a clause."""
    if key == "where":
        return context.expressions.find(clause)
    if key in ("plan", "reviewed"):
        values = list(clause["any"])
        return values[0] if len(values) == 1 else values
    if key == "words":
        return clause["contains"]
    if key in RESERVED:
        return deepcopy(clause)
    dtype = frame.schema.get(key, pl.Null())
    return from_json(key, dtype, context.kind(key, dtype), clause)


def _clause(frame: pl.DataFrame, key: Any, value: Any, context: Context) -> Any:
    """Return the clause that a user writes for one key."""
    if key in RESERVED:
        return _reserved(frame, key, value, context)
    if key not in frame.columns:
        raise InputError(
            f"cannot filter by {key!r}: this frame has {', '.join(map(repr, frame.columns))}, and "
            f"besides there are {', '.join(map(repr, RESERVED))}."
            f"{did_you_mean(key, [*frame.columns, *RESERVED])}"
        )
    dtype = frame.schema[key]
    return to_json(key, dtype, context.kind(key, dtype), value)


def _reserved(frame: pl.DataFrame, key: str, value: Any, context: Context) -> Any:
    if key == "where":
        return context.expressions.add(_checked(frame, value))
    if key == "collections":
        clause, known = _collections(value), context.collections()
        for name in [name for names in clause.values() for name in names]:
            if name not in known:
                there = ", ".join(map(repr, known)) or "none yet"
                raise InputError(f"no collection {name!r} to filter by; there are: {there}")
        return clause
    masks = getattr(context, key)
    if masks is None:
        raise InputError(f"cannot filter by {key!r}: {_MISSING[key]}")
    if key == "plan":
        actions, known = _names(value), masks()
        if not actions or not all(isinstance(a, str) and a in known for a in actions):
            names = ", ".join(map(repr, known))
            raise InputError(f"'plan' takes {names}, or a list of them, not {value!r}")
        return {"any": sorted(set(actions))}
    if key == "reviewed":
        if not isinstance(value, bool):
            raise InputError(f"'reviewed' takes True or False, not {value!r}")
        return {"any": [value]}
    if key == "words":
        if not isinstance(value, str):
            raise InputError(f"'words' takes a text, not {value!r}")
        masks(searchable(key, value))  # a model that cannot be loaded is said at once
        return {"contains": value}
    if value is not True:
        raise InputError(f"{key!r} takes True, not {value!r}; leave it out for all rows")
    return True


_MISSING = {
    "plan": "there is no plan for this frame; dedup_widgets.score makes the columns that it needs",
    "reviewed": "it has no groups; dedup_widgets.score makes them",
    "label_conflict": "no column of labels is named",
    "leakage": "no column of splits is named",
    "words": "the model of these embeddings does not embed text; score with CLIP",
}


def _collections(value: Any) -> dict[str, list[str]]:
    takes = "'collections' takes {'include': [names], 'exclude': [names]}"
    if not isinstance(value, Mapping) or not set(value) <= {"include", "exclude"}:
        raise InputError(f"{takes}, not {value!r}")
    clause = {}
    for word, given in value.items():
        names = [] if given is None else _names(given)
        if not all(isinstance(name, str) for name in names):
            raise InputError(f"{takes}; {given!r} are no names")
        if names:
            clause[word] = sorted(set(names))
    if not clause:
        raise InputError(f"{takes}; {value!r} has no name; leave it out for all rows")
    return clause


def _names(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def _checked(frame: pl.DataFrame, expression: Any) -> pl.Expr:
    """Return an expression that is true or false for each row of a frame."""
    if not isinstance(expression, pl.Expr):
        raise InputError(f"'where' takes a Polars expression, not {expression!r}")
    name = "where, as it is tried"
    try:
        dtype = frame.with_columns(expression.alias(name)).schema[name]
    except (Exception, pl.exceptions.PanicException) as error:
        raise InputError(f"the expression of 'where' fails on this frame: {error}") from error
    if dtype != pl.Boolean:
        raise InputError(
            f"the expression of 'where' gives {dtype}, not True or False for each row; compare it "
            "to something, as in pl.col('width') > 640"
        )
    return expression
