"""Rules by which one image of a group is kept: what each prefers, and when it is asked.

Between pictures that differ, the better picture stays. Between copies of one picture, which share
a fingerprint, bytes and format say nothing of its quality, and what tells the original from its
copies decides.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
import polars.selectors as cs

from dedup_widgets.errors import InputError
from dedup_widgets.scoring.file_names import in_bin, says_copy, stem

Among = Literal["all", "pictures", "copies"]


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
    among
        ``"copies"``: it is asked between images of one fingerprint only; ``"pictures"``: only
        between those of different ones; ``"all"``: between any two.
    """

    about: str
    value: pl.Expr
    highest_first: bool = True
    among: Among = "all"


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

    The rule's name alone, ``"oldest"``, stands for the only column of dates that a frame has of
    its own; without one, for the date in EXIF, and the file's time where there is none. Dates in
    EXIF are compared by their offset from UTC, where they have one.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> facts = pl.DataFrame({"path": ["a.jpg", "b.jpg"], "taken": ["2024-05-01", "2023-01-31"]})
    >>> dw.keepers.rank(facts, [dw.keepers.oldest("taken")]).tolist()
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
    >>> import dedup_widgets as dw
    >>> facts = pl.DataFrame({"path": ["/photos/export/a.jpg", "/photos/originals/a.jpg"]})
    >>> dw.keepers.rank(facts, [dw.keepers.prefer_path("*/originals/*")]).tolist()
    [1, 0]
    """
    wildcards = {"*": ".*", "?": ".", "/": r"[/\\]"}
    regex = "".join(wildcards.get(character, re.escape(character)) for character in pattern)
    return Rule(f"path like {pattern}", pl.col("path").str.contains(f"(?s)^{regex}$"))


def prefer_folder(folder: str) -> Rule:
    r"""Return the rule that prefers images that lie in a folder or below it.

    Parameters
    ----------
    folder
        As the paths begin; ``/`` stands for ``\`` too.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> facts = pl.DataFrame({"path": ["/photos/export/a.jpg", "/photos/camera/2024/a.jpg"]})
    >>> dw.keepers.rank(facts, [dw.keepers.prefer_folder("/photos/camera")]).tolist()
    [1, 0]
    """
    parts = folder.replace("\\", "/").rstrip("/")
    path = pl.col("path").str.replace_all("\\", "/", literal=True)
    named = "/".join(parts.split("/")[-2:]) or "/"
    return Rule(f"in the folder {named}", path.str.starts_with(f"{parts}/"))


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
    >>> import dedup_widgets as dw
    >>> facts = pl.DataFrame({"path": ["a", "b", "c"], "source": ["web", "scan", "camera"]})
    >>> dw.keepers.rank(facts, [dw.keepers.prefer("source", ["camera", "web"])]).tolist()
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


def _derived(name: pl.Expr) -> pl.Expr:
    """Tell which names begin with the shortest name of a copy: IMG_5-1 beside IMG_5."""
    shortest = name.sort_by(name.str.len_chars(), name).first().over("fingerprint")
    return (name != shortest) & name.str.starts_with(shortest)


RULES: dict[str, Rule] = {
    "completeness": Rule("nothing missing", pl.col("completeness").cast(pl.Float64)),
    "detail": Rule("real detail, not enlarged or added", ~pl.col("enlarged")),
    "pixels": Rule("most pixels", pl.col("width").cast(pl.Int64) * pl.col("height")),
    "lossless": Rule("lossless format", pl.col("lossless")),
    "bytes": Rule("most bytes", pl.col("bytes")),
    "sharpness": Rule("sharpest", pl.col("sharpness").cast(pl.Float64)),
    "plain_name": Rule("name that does not say copy", ~says_copy(pl.col("path"))),
    "path": Rule("path that sorts first", pl.col("path"), highest_first=False),
    "exif": Rule("EXIF present", pl.col("exif")),
    "shot": Rule("with its raw file or live video", pl.col("shot").is_not_null()),
    "copies_shot": Rule(
        "of exact copies, one with its raw file or live video",
        pl.col("shot").is_not_null(),
        among="copies",
    ),
    "copies_exif": Rule("of exact copies, one with EXIF", pl.col("exif"), among="copies"),
    "copies_taken": Rule(
        "of exact copies, the one taken first", pl.col("date_taken"), False, among="copies"
    ),
    "copies_modified": Rule(
        "of exact copies, the oldest file", pl.col("modified"), False, among="copies"
    ),
    "copies_plain_name": Rule(
        "of exact copies, a name that does not say copy",
        ~(says_copy(pl.col("path")) | _derived(stem(pl.col("path")))),
        among="copies",
    ),
    "copies_fewest_bytes": Rule(
        "of exact copies, the smallest file", pl.col("bytes"), False, among="copies"
    ),
}
"""The rules that need no more than their name."""


PLAIN_COPY = RULES["copies_plain_name"]
"""The one of these that looks at all copies of a picture."""


BY_DATE = ("oldest", "newest")
"""The rules whose name stands for the only column of dates that a frame has."""


_DATES_OF_FILES = ("date_taken", "modified")
"""Columns of dates that each score has."""


DEFAULT = (
    *("copies_shot", "copies_exif", "copies_taken", "copies_modified"),
    *("copies_plain_name", "copies_fewest_bytes"),
    *("completeness", "detail", "pixels", "lossless", "bytes", "sharpness"),
    *("plain_name", "path"),
)
"""The rules that apply when none are chosen, strongest first, as far as there are their columns."""


NOT_IN_BIN = Rule("not in a recycle bin", ~in_bin(pl.col("path")))
"""Comes before all others: what lies in a bin is never keeper of what does not."""


OF_EVIDENCE = ("completeness", "enlarged")
"""Columns that only evidence tells."""


OLD_FIRST = Rule("there before", pl.col("role").cast(pl.String) == "old")
"""Of a set that was scored against another: what was there before comes before all else."""


_ROW_BY_ROW = (
    OLD_FIRST,
    NOT_IN_BIN,
    *(rule for rule in RULES.values() if rule is not PLAIN_COPY),
)
"""Rules whose value depends on nothing but the row that it is of."""


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
    if not isinstance(rules, Iterable):
        raise InputError(f"keeper rules are a list such as ['pixels', 'path'], not {rules!r:.99}")
    for rule in rules:
        if not isinstance(rule, Rule) and rule not in RULES and rule not in BY_DATE:
            names = ", ".join([*RULES, *BY_DATE])
            raise InputError(
                f"there is no keeper rule {rule!r}; choose from: {names}, or make one, such as "
                "dedup_widgets.keepers.highest('votes')"
            )


def about(rule: str | Rule) -> str:
    """Return what a rule prefers, in words.

    >>> about("sharpness"), about(highest("votes")), about("oldest")
    ('sharpest', 'highest votes', 'oldest')
    """
    found = RULES.get(rule, rule) if isinstance(rule, str) else rule
    return found.about if isinstance(found, Rule) else found


def applicable(columns: Sequence[str]) -> list[str]:
    """Return the names of the default rules that look at these columns only.

    Examples
    --------
    >>> applicable(["path", "bytes", "label"])
    ['bytes', 'plain_name', 'path']
    """
    there = set(columns)
    return [name for name in DEFAULT if _suits(RULES[name], there)]


def _suits(rule: Rule, columns: set[str]) -> bool:
    return set(rule.value.meta.root_names()) <= columns and (
        "fingerprint" in columns or rule.among != "copies"
    )


def named(facts: pl.DataFrame) -> dict[str, Rule]:
    """Return the rules that need no more than their name, as far as facts have their columns.

    Examples
    --------
    >>> list(named(pl.DataFrame({"path": ["a.jpg"], "bytes": [10], "taken": [None]})))
    ['bytes', 'plain_name', 'path']
    """
    there = set(facts.columns)
    rules = {name: rule for name, rule in RULES.items() if _suits(rule, there)}
    for name in BY_DATE:
        with contextlib.suppress(InputError):
            rules[name] = _by_date(facts, name)
    return rules


def resolve(facts: pl.DataFrame, rules: Sequence[str | Rule]) -> list[Rule]:
    """Return the rules behind the names, bins first and the path last, their columns checked."""
    check(rules)
    if tuple(rules) == DEFAULT:
        rules = applicable(facts.columns)
    before = [OLD_FIRST] if any(rule is OLD_FIRST for rule in rules) else []
    chosen = [
        rule if isinstance(rule, Rule) else RULES.get(rule) or _by_date(facts, rule)
        for rule in (*before, NOT_IN_BIN, *rules, "path")
    ]
    needed = {column for rule in chosen for column in rule.value.meta.root_names()}
    if missing := sorted(needed - set(facts.columns)):
        named = ", ".join(rule.about if isinstance(rule, Rule) else rule for rule in rules)
        raise InputError(
            f"the facts have no column {', '.join(missing)}, which the keeper rules "
            f"{named} look at; add it or choose other rules"
        )
    return chosen


def _by_date(facts: pl.DataFrame, name: str) -> Rule:
    """Return the rule that a name stands for in a frame with these columns of dates."""
    own = facts.select(cs.date() | cs.datetime()).columns
    columns = [column for column in own if column not in _DATES_OF_FILES]
    if not columns and (known := [column for column in _DATES_OF_FILES if column in own]):
        about = f"{name} by EXIF date, else by file time"
        return Rule(about, pl.coalesce(known), highest_first=name == "newest")
    if len(columns) != 1:
        there = f"{len(columns)} columns of dates ({', '.join(columns)})" if columns else "no dates"
        raise InputError(
            f"the keeper rule {name!r} needs a column of dates and the facts have {there}; name "
            f"one, such as dedup_widgets.keepers.{name}({columns[0] if columns else 'taken'!r})"
        )
    return oldest(columns[0]) if name == "oldest" else newest(columns[0])


def is_row_by_row(rule: Rule) -> bool:
    """Tell whether a rule's value depends on nothing but the row that it is of."""
    return any(rule is known for known in _ROW_BY_ROW)


def plain_copies(copies: pl.DataFrame) -> pl.Series:
    """Return what :data:`PLAIN_COPY` says of all copies; their names are worked out once.

    Parameters
    ----------
    copies
        With ``path`` and ``fingerprint``.
    """
    names = copies.with_columns(name=stem(pl.col("path")))
    return names.select(~(says_copy(pl.col("path")) | _derived(pl.col("name")))).to_series()
