"""Which image of a group to keep: named rules, applied in order.

Between pictures that differ, the better picture stays. Between copies of one picture, which share
a fingerprint, bytes and format say nothing of its quality, and what tells the original from its
copies decides.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import ArrayLike, NDArray

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
    its own; without one, for the date in EXIF, and the file's time where there is none.

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


def prefer_folder(folder: str) -> Rule:
    r"""Return the rule that prefers images that lie in a folder or below it.

    Parameters
    ----------
    folder
        As the paths begin; ``/`` stands for ``\`` too.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["/photos/export/a.jpg", "/photos/camera/2024/a.jpg"]})
    >>> rank(facts, [prefer_folder("/photos/camera")]).tolist()
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


def _derived() -> pl.Expr:
    """Tell which names begin with the shortest name of a copy: IMG_5-1 beside IMG_5."""
    name = stem(pl.col("path"))
    shortest = name.sort_by(name.str.len_chars(), name).first().over("fingerprint")
    return (name != shortest) & name.str.starts_with(shortest)


RULES: dict[str, Rule] = {
    "completeness": Rule("nothing missing", pl.col("completeness").cast(pl.Float64)),
    "detail": Rule("real detail, not enlarged", ~pl.col("enlarged")),
    "pixels": Rule("most pixels", pl.col("width").cast(pl.Int64) * pl.col("height")),
    "lossless": Rule("lossless format", pl.col("lossless")),
    "bytes": Rule("most bytes", pl.col("bytes")),
    "sharpness": Rule("sharpest", pl.col("sharpness").cast(pl.Float64)),
    "plain_name": Rule("name that does not say copy", ~says_copy(pl.col("path"))),
    "path": Rule("path that sorts first", pl.col("path"), highest_first=False),
    "exif": Rule("EXIF present", pl.col("exif")),
    "copies_exif": Rule("of exact copies, one with EXIF", pl.col("exif"), among="copies"),
    "copies_taken": Rule(
        "of exact copies, the one taken first", pl.col("date_taken"), False, among="copies"
    ),
    "copies_modified": Rule(
        "of exact copies, the oldest file", pl.col("modified"), False, among="copies"
    ),
    "copies_plain_name": Rule(
        "of exact copies, a name that does not say copy",
        ~(says_copy(pl.col("path")) | _derived()),
        among="copies",
    ),
    "copies_fewest_bytes": Rule(
        "of exact copies, the smallest file", pl.col("bytes"), False, among="copies"
    ),
}
"""The rules that need no more than their name."""


BY_DATE = ("oldest", "newest")
"""The rules whose name stands for the only column of dates that a frame has."""


_DATES_OF_FILES = ("date_taken", "modified")
"""Columns of dates that each score has."""


DEFAULT = (
    *("copies_exif", "copies_taken", "copies_modified"),
    *("copies_plain_name", "copies_fewest_bytes"),
    *("completeness", "detail", "pixels", "lossless", "bytes", "sharpness"),
    *("plain_name", "path"),
)
"""The rules that apply when none are chosen, strongest first, as far as there are their columns."""


_NOT_IN_BIN = Rule("not in a recycle bin", ~in_bin(pl.col("path")))
"""Comes before all others: what lies in a bin is never keeper of what does not."""


OLD_FIRST = Rule("there before", pl.col("role").cast(pl.String) == "old")
"""Of a set that was scored against another: what was there before comes before all else."""


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


def rank(facts: pl.DataFrame, rules: Sequence[str | Rule] = DEFAULT) -> NDArray[np.int64]:
    """Rank images as keepers, 0 for the best.

    The first rule that tells two images apart decides. Images of one fingerprint are ranked among
    themselves, and the best of them stands for their picture; without a column ``fingerprint``
    each image is a picture. What lies in a recycle bin comes after what does not, whatever the
    rules. The path is always the last rule, so the order of the rows decides nothing as long as no
    path occurs twice.

    Parameters
    ----------
    facts
        One row an image, with ``path`` and the columns that the rules look at; the default rules
        whose columns it does not have are silent.
    rules
        Names from :data:`RULES` or :data:`BY_DATE`, or rules, strongest first.

    Returns
    -------
    NDArray[np.int64]
        Shape (n,): a permutation of 0 … n-1, in the order of the rows of `facts`. Images of one
        fingerprint follow each other.

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
    return Ranking(facts, rules).ranks()


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
    return Ranking(facts, rules).decided_by(keepers, others)


class Ranking:
    """What keeper rules compare of images, worked out once: :func:`rank` and :func:`decided_by`.

    Parameters
    ----------
    facts, rules
        As :func:`rank` takes them.
    """

    def __init__(self, facts: pl.DataFrame, rules: Sequence[str | Rule] = DEFAULT) -> None:
        self._rules = _resolve(facts, rules)
        self._values = _values(facts, self._rules)
        self._copies = _order(self._values, self._rules, "copies")
        self._best_copy = _best_copies(facts, self._copies)

    def ranks(self) -> NDArray[np.int64]:
        """Return the rank of each image, as :func:`rank` does."""
        copies, best_copy = self._copies, self._best_copy
        pictures = np.unique(best_copy)
        place = np.empty(len(copies), np.int64)
        best = _order(self._values[pictures], self._rules, "pictures")
        place[pictures[best]] = np.arange(len(pictures))
        best_first = copies[np.argsort(place[best_copy[copies]], kind="stable")]
        ranks = np.empty(len(copies), np.int64)
        ranks[best_first] = np.arange(len(copies))
        return ranks

    def decided_by(self, keepers: ArrayLike, others: ArrayLike) -> list[str | None]:
        """Return the rule that decided for each pair, as :func:`decided_by` does."""
        values, best_copy = self._values, self._best_copy
        one, other = np.asarray(keepers, np.int64), np.asarray(others, np.int64)
        are_copies = best_copy[one] == best_copy[other]
        one, other = (np.where(are_copies, rows, best_copy[rows]) for rows in (one, other))
        first, second = values[one], values[other]
        differ = pl.DataFrame(
            [first[name].ne_missing(second[name]).alias(name) for name in values.columns]
        ).with_columns(are_copies=are_copies)
        asked = {"all": pl.lit(True), "copies": pl.col("are_copies")}
        asked["pictures"] = ~pl.col("are_copies")
        deciding = pl.coalesce(
            pl.when(pl.col(name) & asked[rule.among]).then(pl.lit(rule.about))
            for name, rule in zip(values.columns, self._rules, strict=True)
        )
        return differ.select(deciding.alias("rule"))["rule"].to_list()


def _resolve(facts: pl.DataFrame, rules: Sequence[str | Rule]) -> list[Rule]:
    """Return the rules behind the names, bins first and the path last, their columns checked."""
    check(rules)
    if tuple(rules) == DEFAULT:
        rules = applicable(facts.columns)
    before = [OLD_FIRST] if any(rule is OLD_FIRST for rule in rules) else []
    chosen = [
        rule if isinstance(rule, Rule) else RULES.get(rule) or _by_date(facts, rule)
        for rule in (*before, _NOT_IN_BIN, *rules, "path")
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


def _best_copies(facts: pl.DataFrame, copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the first row of its fingerprint in an order that is given, (n,)."""
    if "fingerprint" not in facts.columns:
        return np.arange(len(facts))
    pictures = facts.select(pl.coalesce(pl.col("fingerprint").cast(pl.String), "path"))
    ordered = pictures.select(pl.all().gather(copies)).to_series()
    first = ordered.to_frame("picture").with_row_index("at").select(pl.min("at").over("picture"))
    best = np.empty(len(facts), np.int64)
    best[copies] = copies[first.to_series().to_numpy()]
    return best


def _order(
    values: pl.DataFrame, rules: Sequence[Rule], among: Literal["pictures", "copies"]
) -> NDArray[np.int64]:
    """Return the rows of what the rules compare, the best first, by those asked among these."""
    asked = [i for i, rule in enumerate(rules) if rule.among in ("all", among)]
    best_first = values.with_row_index("row").sort(
        [str(i) for i in asked],
        descending=[rules[i].highest_first for i in asked],
        nulls_last=True,
        maintain_order=True,
    )
    return best_first["row"].to_numpy().astype(np.int64)


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
