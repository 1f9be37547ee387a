"""One clause on one column: as users write it, as JSON for the browser, as a Polars expression.

===========================  =====================  ==================================================
JSON                         in Python              keeps rows with
===========================  =====================  ==================================================
``[0, 0.05]``                ``(0, 0.05)``          a number or date in this range, both ends included
``[640, null]``              ``(640, None)``        the same, with an open end
``{"any": ["sky", null]}``   ``["sky", None]``      one of these texts or booleans, or none
``{"contains": "beach"}``    ``"beach"``            a text with this in it, capitals or not
``{"null": false}``          ``present``            any value
``{"null": true}``           ``absent``             no value; NaN is none
===========================  =====================  ==================================================

Numbers are compared as :mod:`dedup_widgets.filters.facets` sends them to the browser. Capitals and small
letters are the same by Unicode's simple case folding: the regex flag ``i`` here, ``iu`` there.
"""  # noqa: E501

import datetime as dt
import enum
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.filters.facets import Kind, are_numbered, is_tags, wire_expression, wire_type
from dedup_widgets.frame import table as frames
from dedup_widgets.frame.annotations import categories, is_annotations

MAX_SEARCH = 1_000
"""Characters of a text to search for."""


EPOCH = dt.datetime(1970, 1, 1)


class Presence(enum.Enum):
    """Whether a column has a value, as a clause."""

    present = False
    absent = True

    def __repr__(self) -> str:
        return self.name


present = Presence.present
"""As a clause: rows with a value in the column."""


absent = Presence.absent
"""As a clause: rows without a value in the column; NaN is none."""


def to_json(name: str, dtype: pl.DataType, kind: Kind | None, value: Any) -> Any:
    """Return the JSON of a clause that a user writes.

    Parameters
    ----------
    name, dtype, kind
        The column, and how it can be filtered: :func:`dedup_widgets.filters.facets.kind_of`.
    value
        See above. Ends of a range of times of day and durations are seconds, or a `time` and
        `timedelta`. Ends of a range of dates are dates, datetimes or ISO text; without a time
        zone, that of the column is meant; a day as the high end is meant whole.

    Raises
    ------
    InputError
        Naming the column, what is wrong, and what it takes.

    Examples
    --------
    >>> to_json("taken", pl.Date(), "date", ("2024-05-01", None))
    [1714521600000.0, None]
    """
    if isinstance(value, Presence):
        return {"null": value is absent}
    match kind:
        case "number":
            return _range(name, dtype, value, _number)
        case "date":
            return _range(name, dtype, value, _milliseconds)
        case "boolean":
            values = [value] if isinstance(value, bool | np.bool_) else value
            return _any(name, values, bool, "takes True, False, or a list of them and None")
        case None:
            raise InputError(
                f"column {name!r} holds {dtype}, which can only be filtered by filters.present "
                "and filters.absent, or by an expression of your own: {'where': …}"
            )
    if are_numbered(dtype):
        value = _numbered(value)
    if isinstance(value, str):
        return {"contains": searchable(name, value)}
    clause = _any(name, value, str, "takes a text to search for, or a list of values and None")
    if isinstance(dtype, pl.Enum):
        categories = dtype.categories.to_list()
        for text in clause["any"]:
            if text is not None and text not in categories:
                there = ", ".join(map(repr, categories[:20])) + (", …" if categories[20:] else "")
                raise InputError(f"column {name!r} has no category {text!r}; it has {there}")
    return clause


def from_json(name: str, dtype: pl.DataType, kind: Kind | None, clause: Any) -> Any:
    """Return what a user would write for a clause.

    Whether it makes sense is decided by :func:`to_json`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        When it is no clause for such a column.

    Examples
    --------
    >>> from_json("taken", pl.Date(), "date", [1714521600000, None])
    (datetime.date(2024, 5, 1), None)
    """
    match kind, clause:
        case _, {"null": bool(missing)}:
            return Presence(missing)
        case "number", [low, high]:
            return _neat(low), _neat(high)
        case "date", [low, high]:
            return _date(low, dtype), _date(high, dtype)
        case "boolean", {"any": [bool(value)]}:
            return value
        case "boolean" | "category" | "text", {"any": [*values]}:
            return values
        case "category" | "text", {"contains": str(text)}:
            return text
    raise InputError(f"{clause!r} is no filter for column {name!r}")


def to_expression(name: str, dtype: pl.DataType, clause: Any, *, single: bool = False) -> pl.Expr:
    """Return a clause that :func:`to_json` made as a Polars expression.

    It is null for rows without a value where the clause needs one; a filter drops these.

    Examples
    --------
    >>> frame = pl.DataFrame({"place": ["Beach", None, "forest"]})
    >>> frame.select(to_expression("place", pl.String(), {"contains": "beach"})).to_series().to_list()
    [True, None, False]
    """  # noqa: E501
    column = frames.column(name)
    if is_tags(dtype):
        return _tags_expression(column, dtype, clause)
    match clause:
        case {"null": missing}:
            none = column.is_null() | column.is_nan() if dtype.is_float() else column.is_null()
            return none if missing else ~none
        case {"any": values}:
            return column.is_in(values, nulls_equal=True)
        case {"contains": text}:
            return column.cast(pl.String).str.contains("(?i)" + pl.escape_regex(text))
    low, high = clause
    numbers = wire_expression(column, dtype, single=single)
    bound = partial(pl.lit, dtype=wire_type(dtype, single=single))
    if low is None:
        return numbers <= bound(high)
    if high is None:
        # To Polars NaN is greater than any number, to the browser it is not.
        return (numbers.fill_nan(None) if dtype.is_float() else numbers) >= bound(low)
    return numbers.is_between(bound(low), bound(high))


def _tags_expression(column: pl.Expr, dtype: pl.DataType, clause: Any) -> pl.Expr:
    """Return a clause on lists of tags: one of them is enough; an empty list is no value."""
    if is_annotations(dtype):
        column = categories(column)
    tags = column.arr.to_list() if isinstance(dtype, pl.Array) else column
    tags = tags.cast(pl.List(pl.String))
    none = (tags.list.len() == 0).fill_null(True)
    match clause:
        case {"null": missing}:
            return none if missing else ~none
        case {"any": values}:
            texts = [value for value in values if value is not None]
            one = tags.list.eval(pl.element().is_in(texts)).list.any().fill_null(False)
            return (one | none) if None in values else one
    pattern = "(?i)" + pl.escape_regex(clause["contains"])
    found = tags.list.eval(pl.element().str.contains(pattern)).list.any()
    return found.fill_null(False)


def _numbered(value: Any) -> Any:
    """Return numbers of classes as the texts that they are filtered by."""
    many = value if isinstance(value, list | tuple | set | frozenset) else [value]
    texts = [str(it) if isinstance(it, int) and not isinstance(it, bool) else it for it in many]
    return texts if many is value or isinstance(value, int) else value


def _range(
    name: str, dtype: pl.DataType, value: Any, number: Callable[..., float]
) -> list[float | None]:
    takes = f"column {name!r} ({dtype}) takes a range (low, high), None for an open end"
    if isinstance(value, str | Mapping | set | frozenset):
        raise InputError(f"{takes}, not {value!r}")
    try:
        low, high = value
        bottom = None if low is None else number(low, dtype)
        top = None if high is None else number(high, dtype, high=True)
    except (TypeError, ValueError, OverflowError) as error:
        why = f": {error}" if isinstance(error, InputError) else ""
        raise InputError(f"{takes}, not {value!r}{why}") from error
    if bottom is None and top is None:
        raise InputError(f"{takes}; for any value, give filters.present")
    if not all(end is None or math.isfinite(end) for end in (bottom, top)):
        raise InputError(f"{takes}; {value!r} has an end that is no finite number")
    if bottom is not None and top is not None and bottom > top:
        raise InputError(f"{takes}; {value!r} has its high end first")
    return [bottom, top]


def _number(value: Any, dtype: pl.DataType, *, high: bool = False) -> float:  # noqa: ARG001
    if isinstance(value, dt.timedelta) and dtype == pl.Duration:
        return value // dt.timedelta(microseconds=1) * 1e-6
    if isinstance(value, dt.time) and dtype == pl.Time:
        return (dt.datetime.combine(EPOCH, value) - EPOCH) // dt.timedelta(microseconds=1) * 1e-6
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise InputError(f"{value!r} is no number")
    return float(value)


def _neat(bound: Any) -> Any:
    whole = isinstance(bound, float) and bound.is_integer() and abs(bound) < 2**53
    return int(bound) if whole else bound


def _milliseconds(value: Any, dtype: pl.DataType, *, high: bool = False) -> float:
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.date):
        raise InputError(f"{value!r} is no date")
    to_its_end = False
    if not isinstance(value, dt.datetime):
        to_its_end = high and dtype != pl.Date
        value = dt.datetime.combine(value + dt.timedelta(days=to_its_end), dt.time())
    zone = getattr(dtype, "time_zone", None)
    if zone is None and value.tzinfo is not None:
        raise InputError(f"{value} has a time zone, and the column has none")
    if zone is not None and value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(zone))
    epoch = EPOCH if zone is None else EPOCH.replace(tzinfo=dt.UTC)
    return float((value - epoch) // dt.timedelta(milliseconds=1) - to_its_end)


def _date(bound: Any, dtype: pl.DataType) -> dt.date | None:
    if bound is None:
        return None
    moment = EPOCH + dt.timedelta(milliseconds=round(_number(bound, dtype)))
    if zone := getattr(dtype, "time_zone", None):
        return moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone))
    return moment.date() if dtype == pl.Date and moment.time() == dt.time() else moment


def _any(name: str, values: Any, member: type, takes: str) -> dict[str, list[Any]]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InputError(f"column {name!r} {takes}, not {values!r}")
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    if not values:
        raise InputError(
            f"the list for column {name!r} is empty and would leave nothing; leave the column out "
            "for all rows, or give filters.absent for those without a value"
        )
    for value in values:
        if value is not None and not isinstance(value, member):
            raise InputError(f"column {name!r} {takes}; {value!r} is neither")
        if isinstance(value, str):
            _whole(name, value)
    # In one order, so that two lists of the same values are the same filter.
    ordered: list[Any] = sorted(set(values) - {None}, reverse=member is bool)
    return {"any": [*ordered, None] if None in values else ordered}


def searchable(name: str, text: str) -> str:
    """Return a text to search for, unless it is empty, too long, or half a character."""
    if not 0 < len(text) <= MAX_SEARCH:
        raise InputError(
            f"the text to search for in column {name!r} has {len(text):,} characters; give 1 to "
            f"{MAX_SEARCH:,}, or a list of whole values"
        )
    return _whole(name, text)


def _whole(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the text for column {name!r} has half a character: {text!r}") from error
    return text
