"""Which image of a group to keep: named rules, applied in order."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import ArrayLike, NDArray

from dedup_widgets.errors import InputError


@dataclass(frozen=True)
class Rule:
    """One way to say which of two images is the better keeper.

    Attributes
    ----------
    about
        What the rule prefers, in words for people: ``"most pixels"``.
    value
        What it compares, as an expression on the facts. Images without a value (null or NaN)
        rank last.
    highest_first
        Whether the highest value is the best.
    """

    about: str
    value: pl.Expr
    highest_first: bool = True


def highest(column: str) -> Rule:
    """Return the rule that prefers the highest value of a column: numbers, dates or text.

    Examples
    --------
    >>> highest("votes").about
    'highest votes'
    """
    return Rule(f"highest {column}", pl.col(column))


def lowest(column: str) -> Rule:
    """Return the rule that prefers the lowest value of a column: numbers, dates or text."""
    return Rule(f"lowest {column}", pl.col(column), highest_first=False)


def oldest(column: str) -> Rule:
    """Return the rule that prefers the earliest date of a column.

    The rule's name alone, ``"oldest"``, stands for the only column of dates that a frame has.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["a.jpg", "b.jpg"], "taken": ["2024-05-01", "2023-01-31"]})
    >>> rank(facts, [oldest("taken")]).tolist()
    [1, 0]
    """
    return Rule(f"oldest by {column}", pl.col(column), highest_first=False)


def newest(column: str) -> Rule:
    """Return the rule that prefers the latest date of a column; see :func:`oldest`."""
    return Rule(f"newest by {column}", pl.col(column))


def prefer_path(pattern: str) -> Rule:
    r"""Return the rule that prefers images whose path matches a pattern.

    Parameters
    ----------
    pattern
        What the whole path looks like: ``*`` stands for any text, folders included, ``?`` for one
        character, and ``/`` for ``\`` too. Upper and lower case differ.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["/photos/export/a.jpg", "/photos/originals/a.jpg"]})
    >>> rank(facts, [prefer_path("*/originals/*")]).tolist()
    [1, 0]
    """
    wildcards = {"*": ".*", "?": ".", "/": r"[/\\]"}
    regex = "".join(wildcards.get(character, re.escape(character)) for character in pattern)
    return Rule(f"path like {pattern}", pl.col("path").str.contains(f"(?s)^{regex}$"))


def prefer(column: str, values: Sequence[Any]) -> Rule:
    """Return the rule that prefers some values of a column, such as where a label came from.

    Parameters
    ----------
    column
        Any column of single values.
    values
        The best one first; what is not listed ranks last.

    Raises
    ------
    InputError
        When there are no values, or one string is given instead of a list.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["a", "b", "c"], "source": ["web", "scan", "camera"]})
    >>> rank(facts, [prefer("source", ["camera", "web"])]).tolist()
    [1, 2, 0]
    """
    if isinstance(values, str) or not values:
        raise InputError(f"prefer({column!r}, …) takes a list of values, the best first")
    # Text of an Enum column cannot be compared with a value that is none of its categories.
    is_text = all(isinstance(value, str) for value in values)
    value = pl.col(column).cast(pl.String) if is_text else pl.col(column)
    best_first = list(dict.fromkeys(values))
    place = value.replace_strict(
        best_first, range(len(best_first)), default=None, return_dtype=pl.UInt32
    )
    listed = ", then ".join(map(str, best_first))
    return Rule(f"{column} {listed}", place, highest_first=False)


RULES: dict[str, Rule] = {
    "pixels": Rule("most pixels", pl.col("width").cast(pl.Int64) * pl.col("height")),
    "bytes": Rule("most bytes", pl.col("bytes")),
    "lossless": Rule("lossless format", pl.col("lossless")),
    "sharpness": Rule("sharpest", pl.col("sharpness").cast(pl.Float64)),
    "path": Rule("path that sorts first", pl.col("path"), highest_first=False),
    "exif": Rule("EXIF present", pl.col("exif")),
}
"""The rules that need no more than their name."""


BY_DATE: dict[str, Callable[[str], Rule]] = {"oldest": oldest, "newest": newest}
"""The rules whose name stands for the only column of dates that a frame has."""


DEFAULT = ("pixels", "bytes", "lossless", "sharpness", "path")
"""The rules that apply when none are chosen, strongest first."""


def check(rules: Sequence[str | Rule]) -> None:
    """Refuse what is no rule.

    Parameters
    ----------
    rules
        Names from :data:`RULES` or :data:`BY_DATE`, or rules, strongest first.

    Raises
    ------
    InputError
        When a name is unknown, or one rule is given instead of a list.
    """
    if isinstance(rules, str | Rule):
        shown = repr(rules) if isinstance(rules, str) else f"the rule {rules.about!r}"
        raise InputError(f"keeper rules are a list; pass [{shown}], not {shown}")
    for rule in rules:
        if not isinstance(rule, Rule) and rule not in RULES and rule not in BY_DATE:
            names = ", ".join([*RULES, *BY_DATE])
            raise InputError(
                f"there is no keeper rule {rule!r}; choose from: {names}, or make one, such as "
                "dedup_widgets.keepers.highest('votes')"
            )


def applicable(columns: Sequence[str]) -> list[str]:
    """Return the names of the default rules that look at these columns only.

    Examples
    --------
    >>> applicable(["path", "bytes", "label"])
    ['bytes', 'path']
    """
    return [name for name in DEFAULT if set(RULES[name].value.meta.root_names()) <= set(columns)]


def rank(facts: pl.DataFrame, rules: Sequence[str | Rule] = DEFAULT) -> NDArray[np.int64]:
    """Rank images as keepers, 0 for the best.

    The first rule that tells two images apart decides. The path is always the last one, so the
    order of the rows decides nothing as long as no path occurs twice.

    Parameters
    ----------
    facts
        One row an image, with ``path`` and the columns that the rules look at, by default
        ``width``, ``height``, ``bytes``, ``lossless`` and ``sharpness``.
    rules
        Names from :data:`RULES` or :data:`BY_DATE`, or rules, strongest first.

    Returns
    -------
    NDArray[np.int64]
        Shape (n,): a permutation of 0 … n-1, in the order of the rows of `facts`.

    Raises
    ------
    InputError
        When a rule is unknown, a column that it looks at is missing, or its values have no order.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["b.jpg", "a.jpg", "c.jpg"], "bytes": [10, 10, 20]})
    >>> rank(facts, ["bytes"]).tolist()
    [2, 1, 0]
    """
    chosen = _resolve(facts, rules)
    values = _values(facts, chosen)
    best_first = values.with_row_index("row").sort(
        values.columns,
        descending=[rule.highest_first for rule in chosen],
        nulls_last=True,
        maintain_order=True,
    )
    ranks = np.empty(len(facts), np.int64)
    ranks[best_first["row"].to_numpy()] = np.arange(len(facts))
    return ranks


def decided_by(
    facts: pl.DataFrame,
    keepers: ArrayLike,
    others: ArrayLike,
    rules: Sequence[str | Rule] = DEFAULT,
) -> list[str | None]:
    """Tell which rule decided between keepers and their runners-up.

    Parameters
    ----------
    facts
        As :func:`rank` takes them.
    keepers, others
        Row numbers of `facts`, shape (k,): pairs of images.
    rules
        As :func:`rank` takes them; the path comes last.

    Returns
    -------
    list[str | None]
        For each pair, what the first rule that tells the two apart prefers, in words; None when
        none does. It decided in favour of the one that :func:`rank` ranks first.

    Raises
    ------
    InputError
        As :func:`rank` does.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["b.jpg", "a.jpg", "c.jpg"], "bytes": [10, 10, 20]})
    >>> decided_by(facts, keepers=[2, 1], others=[1, 0], rules=["bytes"])
    ['most bytes', 'path that sorts first']
    """
    chosen = _resolve(facts, rules)
    values = _values(facts, chosen)
    first, second = values[np.asarray(keepers, np.int64)], values[np.asarray(others, np.int64)]
    differ = pl.DataFrame(
        [first[name].ne_missing(second[name]).alias(name) for name in values.columns]
    )
    deciding = pl.coalesce(
        pl.when(name).then(pl.lit(rule.about))
        for name, rule in zip(values.columns, chosen, strict=True)
    )
    return differ.select(deciding.alias("rule"))["rule"].to_list()


def _resolve(facts: pl.DataFrame, rules: Sequence[str | Rule]) -> list[Rule]:
    """Return the rules behind the names, with the path as the last, and their columns checked."""
    check(rules)
    chosen = [
        rule if isinstance(rule, Rule) else RULES.get(rule) or BY_DATE[rule](_dates(facts, rule))
        for rule in (*rules, "path")
    ]
    needed = {column for rule in chosen for column in rule.value.meta.root_names()}
    if missing := sorted(needed - set(facts.columns)):
        named = ", ".join(rule.about if isinstance(rule, Rule) else rule for rule in rules)
        raise InputError(
            f"the facts have no column {', '.join(missing)}, which the keeper rules "
            f"{named} look at; add it or choose other rules"
        )
    return chosen


def _dates(facts: pl.DataFrame, rule: str) -> str:
    columns = facts.select(cs.date() | cs.datetime()).columns
    if len(columns) != 1:
        there = f"{len(columns)} columns of dates ({', '.join(columns)})" if columns else "no dates"
        raise InputError(
            f"the keeper rule {rule!r} needs a column of dates and the facts have {there}; name "
            f"one, such as dedup_widgets.keepers.{rule}({columns[0] if columns else 'taken'!r})"
        )
    return columns[0]


def _values(facts: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Return what the rules compare, a column each, named by its place."""
    try:
        values = facts.select(rule.value.alias(str(i)) for i, rule in enumerate(rules))
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"the keeper rules cannot be applied to these facts ({error}); check the types of the "
            "columns that they look at"
        ) from error
    for rule, dtype in zip(rules, values.dtypes, strict=True):
        if dtype.is_nested() or dtype == pl.Object:
            raise InputError(
                f"the keeper rule {rule.about!r} compares {dtype}, which has no order; choose a "
                "column of numbers, dates or text"
            )
    return values.with_columns(cs.float().fill_nan(None))
