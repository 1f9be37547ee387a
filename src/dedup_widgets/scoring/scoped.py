"""Scores within parts, and of a new set against an old one: who may be a duplicate of whom."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.scope import Scope
from dedup_widgets.scoring.verify import Looked

ScoreRows = Callable[[NDArray[np.int64], NDArray[np.bool_] | None], tuple[pl.DataFrame, Looked]]
"""Scores some rows as if there were no others; the mask says which of them were there before."""


def score_in_scope(
    scope: Scope, prints: pl.Series, rank: NDArray[np.int64], score_rows: ScoreRows
) -> tuple[pl.DataFrame, list[Looked]]:
    """Score images of which not all may be duplicates of each other.

    Parameters
    ----------
    scope
        Who may be, of n images.
    prints
        (n,), their fingerprints.
    rank
        (n,), the lowest for the best keeper; old images come first.
    score_rows
        Scores a part of them.

    Returns
    -------
    tuple
        Scores as :func:`dedup_widgets.scoring.scores.score_pictures` returns them, and what was
        looked at in each part. An old image that is a copy of another old one is in no group, and
        has the score of that.
    """
    rows = np.arange(len(rank))
    if not len(rows):
        scores, looked = score_rows(rows, None)
        return scores, [looked]
    stands_for = _first_old(scope, prints.to_list(), np.argsort(rank))
    compared = stands_for == rows
    parts, all_looked, groups = [], [], 0
    for part in np.unique(scope.part):
        own = np.flatnonzero(compared & (scope.part == part))
        old = scope.old[own]
        scores, looked = score_rows(own, old if old.any() else None)
        numbered = pl.col("group") + pl.lit(groups, pl.UInt32)
        nearest = pl.Series(own).cast(pl.UInt32).gather(scores["nearest"])
        parts.append(scores.with_columns(numbered, nearest=nearest, row=pl.Series(own)))
        groups += int(scores["group"].max() or 0)  # type: ignore[arg-type]
        all_looked.append(looked)
    scored = pl.concat(parts).sort("row")
    at = np.searchsorted(scored["row"].to_numpy(), stands_for)
    is_further = pl.Series(~compared)
    return (
        scored[at]
        .drop("row")
        .with_columns(group=pl.when(~is_further).then("group"), keep=pl.col("keep") | is_further),
        all_looked,
    )


def _first_old(scope: Scope, prints: list[str], best_first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each old image, the best old one of its picture and part; others themselves."""
    first = np.arange(len(best_first))
    seen: dict[tuple[int, str], int] = {}
    for row in best_first[scope.old[best_first]].tolist():
        first[row] = seen.setdefault((int(scope.part[row]), prints[row]), row)
    return first
