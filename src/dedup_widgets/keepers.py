"""Which image of a group to keep: named rules, applied in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

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


RULES: dict[str, Rule] = {
    "pixels": Rule("most pixels", pl.col("width").cast(pl.Int64) * pl.col("height")),
    "bytes": Rule("most bytes", pl.col("bytes")),
    "lossless": Rule("lossless format", pl.col("lossless")),
    "sharpness": Rule("sharpest", pl.col("sharpness").cast(pl.Float64).fill_nan(None)),
    "path": Rule("path that sorts first", pl.col("path"), highest_first=False),
}
"""The rules there are, by name."""

DEFAULT = ("pixels", "bytes", "lossless", "sharpness", "path")
"""The rules that apply when none are chosen, strongest first."""


def check(rules: Sequence[str]) -> None:
    """Refuse names that are no rule.

    Parameters
    ----------
    rules
        Names from :data:`RULES`, strongest first.

    Raises
    ------
    InputError
        When a name is unknown, or one string is given instead of a list.
    """
    if isinstance(rules, str):
        raise InputError(f"keeper rules are a list of names; pass [{rules!r}], not {rules!r}")
    for rule in rules:
        if rule not in RULES:
            raise InputError(f"there is no keeper rule {rule!r}; choose from: {', '.join(RULES)}")


def rank(facts: pl.DataFrame, rules: Sequence[str] = DEFAULT) -> NDArray[np.int64]:
    """Rank images as keepers, 0 for the best.

    The first rule that tells two images apart decides. The path is always the last one, so the
    order of the rows decides nothing as long as no path occurs twice.

    Parameters
    ----------
    facts
        One row an image, with the columns that the rules look at: ``path``, ``width``,
        ``height``, ``bytes``, ``lossless``, ``sharpness``.
    rules
        Names from :data:`RULES`, strongest first.

    Returns
    -------
    NDArray[np.int64]
        Shape (n,): a permutation of 0 … n-1, in the order of the rows of `facts`.

    Raises
    ------
    InputError
        When a rule is unknown, or a column that it looks at is missing.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["b.jpg", "a.jpg", "c.jpg"], "bytes": [10, 10, 20]})
    >>> rank(facts, ["bytes"]).tolist()
    [2, 1, 0]
    """
    check(rules)
    chosen = [RULES[name] for name in (*rules, "path")]
    needed = {column for rule in chosen for column in rule.value.meta.root_names()}
    if missing := sorted(needed - set(facts.columns)):
        raise InputError(
            f"the facts have no column {', '.join(missing)}, which the keeper rules "
            f"{', '.join(rules)} look at; add it or choose other rules"
        )
    values = facts.select(rule.value.alias(str(i)) for i, rule in enumerate(chosen))
    best_first = values.with_row_index("row").sort(
        values.columns,
        descending=[rule.highest_first for rule in chosen],
        nulls_last=True,
        maintain_order=True,
    )
    ranks = np.empty(len(facts), np.int64)
    ranks[best_first["row"].to_numpy()] = np.arange(len(facts))
    return ranks
