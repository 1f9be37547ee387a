"""Keeper rules as text that anybody may have written: what is read only computes, and little.

Polars keeps lists in a binary form, which it reads without suspicion: what is twisted ends the
process. So one that this process did not write is read by another one first.
"""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import polars as pl

from dedup_widgets.errors import InputError

MAX_DEPTH = 60
MAX_NODES = 2_000

_LISTED = ("String", "Int32", "Int64", "Float64", "Boolean", "Null")
"""Types of the values of a list."""

MAX_LIST_BYTES = 1_000_000
SECONDS_TO_READ = 30.0

_READ = """
import io, sys, polars as pl
values = pl.read_ipc_stream(io.BytesIO(sys.stdin.buffer.read())).to_series()
values.to_list()
print(values.dtype)
"""
"""What the other process does."""

_written: set[bytes] = set()
"""Lists that this process wrote."""

_CASTS = {
    *("String", "Boolean", "Float32", "Float64", "Date"),
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
}

_FUNCTIONS: dict[str, set[str] | None] = {
    "Boolean": {
        *("IsIn", "Not", "IsNull", "IsNotNull", "IsNan", "IsNotNan", "IsFinite", "IsBetween"),
        *("AllHorizontal", "AnyHorizontal"),
    },
    "StringExpr": {
        *("Contains", "StartsWith", "EndsWith", "Lowercase", "Uppercase", "LenChars", "LenBytes"),
        "Replace",
    },
    "TemporalExpr": {
        *("Year", "Month", "Day", "Hour", "Minute", "Second", "WeekDay", "OrdinalDay", "Date"),
    },
    **dict.fromkeys(
        (
            *("Abs", "Clip", "Coalesce", "FillNull", "MaxHorizontal", "MinHorizontal", "Negate"),
            *("Pow", "ReplaceStrict", "Round", "SumHorizontal"),
        )
    ),
}
"""Functions of Polars that rules may use, and of families which: none takes Python, loads a
library, or makes more text than it is given."""


def to_text(expression: pl.Expr) -> str:
    """Return an expression as JSON."""
    text: str = expression.meta.serialize(format="json")
    if '"List"' in text:
        _written.update(_lists_in(json.loads(text)))
    return text


def from_text(text: str, about: str) -> pl.Expr:
    """Return the expression of a text.

    Raises
    ------
    InputError
        When it is none, or does anything but compute; the message names the rule.
    """
    try:
        tree = json.loads(text)
        plain = _is_plain(tree, iter(range(MAX_NODES)))
        if not plain:
            raise InputError(
                f"the keeper rule {about!r} is made of more than a log can bring back; make a "
                "column of it and use dedup_widgets.keepers.highest(column)"
            )
        # Written anew, so that what is read is what was looked at.
        for data in _lists_in(tree):
            _check_list(data)
        return pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")
    except (pl.exceptions.PolarsError, ValueError, RecursionError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"this version of Polars cannot read the keeper rule {about!r} ({error})"
        ) from error


def _lists_in(node: Any) -> Iterator[bytes]:
    match node:
        case {"List": [*data]} if len(node) == 1:
            yield bytes(data)
        case dict():
            for value in node.values():
                yield from _lists_in(value)
        case list():
            for value in node:
                yield from _lists_in(value)


@lru_cache(64)
def _check_list(data: bytes) -> None:
    """Raise a ValueError for a list that a process does not survive, or that is of other values."""
    if data in _written:
        return
    if len(data) > MAX_LIST_BYTES:
        raise ValueError("it has a list that is too long")
    try:
        found = subprocess.run(
            [sys.executable, "-c", _READ],
            input=data,
            capture_output=True,
            timeout=SECONDS_TO_READ,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError("it has a list that is none") from error
    if found.stdout.decode().strip() not in _LISTED:
        raise ValueError("it has a list of other than plain values")


def _is_plain(node: Any, left: Iterator[int], depth: int = 0) -> bool:
    """Return whether a serialized expression only computes; others hold pickled functions."""
    if depth > MAX_DEPTH or next(left, None) is None:
        return False
    match node:
        case {"Column": str() | int()}:
            parts = []
        case {"Literal": literal}:
            return len(node) == 1 and _is_plain_literal(literal)
        case {"BinaryExpr": {"left": one, "op": str(), "right": other}}:
            parts = [one, other]
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            parts = [predicate, truthy, falsy]
        case {"Cast": {"expr": part, "dtype": {"Literal": str(dtype)}}} if dtype in _CASTS:
            parts = [part]
        case {"Alias": [part, str()]}:
            parts = [part]
        case {"Function": {"input": [*parts], "function": function}}:
            if not _is_plain_function(function, parts):
                return False
        case _:
            return False
    return len(node) == 1 and all(_is_plain(part, left, depth + 1) for part in parts)


def _is_plain_function(function: Any, parts: list[Any]) -> bool:
    name, options = _named(function)
    if name not in _FUNCTIONS:
        return False
    known = _FUNCTIONS[name]
    if known is not None:
        name, options = _named(options)
        if name not in known:
            return False
    if name == "Replace":
        # Text that grows at each of many levels takes all memory.
        match parts:
            case [
                _,
                {"Literal": {"Scalar": {"String": old}}},
                {"Literal": {"Scalar": {"String": new}}},
            ]:
                return options["literal"] is True and len(new) <= len(old)
        return False
    return _is_small(options)


def _named(function: Any) -> tuple[str, Any]:
    """Return the name of a function and its options."""
    if isinstance(function, str):
        return function, None
    if isinstance(function, dict) and len(function) == 1:
        ((name, options),) = function.items()
        return str(name), options
    return "", None


def _is_small(options: Any) -> bool:
    """Tell whether options are plain values, and types of columns."""
    if isinstance(options, dict):
        return len(options) <= 8 and all(map(_is_small, options.values()))
    return options is None or isinstance(options, bool | int | float | str)


def _is_plain_literal(literal: Any) -> bool:
    match literal:
        case {"Dyn": {**value}} | {"Scalar": {**value}} if len(literal) == 1 and len(value) == 1:
            ((kind, found),) = value.items()
        case {"Scalar": "Null"}:
            return True
        case _:
            return False
    if kind == "List":
        return isinstance(found, list) and set(map(type, found)) <= {int}
    return found is None or isinstance(found, bool | int | float | str)
