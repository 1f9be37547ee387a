"""Why an image is kept or removed, in words."""

from collections.abc import Set

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.schema import KIND
from dedup_widgets.planning.groups import Groups
from dedup_widgets.planning.ranking import RankedImages

EXACT, NEAR = 1, 2
"""What an image is to its keeper, as an index of :data:`KINDS`; 0 for neither."""


UNCONFIRMED = "not confirmed"
"""What an image is to its keeper where the boundary lies beyond what was confirmed."""


KINDS = pl.Series([None, "exact", "near"], dtype=KIND)
"""What an image is to its keeper, by number."""


def outcomes(
    picture: NDArray[np.int64], representative: NDArray[np.int64], removable: Set[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the keeper of each image, what it is to its keeper, and whether it is removed.

    A duplicate is exact if a copy of it is kept, even if the group's representative is another
    picture.

    Parameters
    ----------
    picture, representative
        (n,), as in :class:`RankedImages` and :class:`Groups`.
    removable
        The kinds that may be removed.

    Returns
    -------
    tuple
        Three arrays, (n,): the image that is its keeper; 0, EXACT or NEAR; and a mask of those to
        be removed.
    """
    rows = np.arange(len(picture))
    kept = representative == rows
    kept_copy = np.full(len(rows), -1)
    kept_copy[picture[kept][::-1]] = rows[kept][::-1]
    if "near" not in removable:
        kept_copy = np.where(kept_copy < 0, rows, kept_copy)
    copy = kept_copy[picture]
    is_exact = ~kept & (copy >= 0) & (copy != rows)
    is_near = ~kept & ~is_exact
    has_copies = np.bincount(picture, minlength=len(rows))[picture] > 1
    removed = np.zeros(len(rows), np.bool_)
    if "exact" in removable:
        removed |= is_exact
    if "near" in removable:
        removed |= is_near & ~has_copies if "exact" not in removable else is_near
    kind = np.select([is_exact, is_near], [EXACT, NEAR], 0)
    return np.where(is_exact, copy, representative), kind, removed


def counts_of_groups(
    ranked: RankedImages, groups: Groups, images: int
) -> tuple[int, int, int, int]:
    """Return groups, near groups, kept and removed images, of so many readable images."""
    other_picture = ranked.picture != ranked.picture[groups.representative]
    removed = int((groups.representative != np.arange(len(ranked))).sum())
    return (
        int(groups.number.max(initial=0)),
        len(np.unique(groups.number[other_picture])),
        images - removed,
        removed,
    )


def rules_of_keepers(
    ranked: RankedImages, representative: NDArray[np.int64], *, among_copies: bool
) -> pl.Series:
    """Return which rule decided for each keeper; null elsewhere, and where rules contradict.

    With `among_copies` the rules chose among exact copies only. Where they would have chosen
    another member of the group, only the copies of its keeper count.
    """
    picture = ranked.picture
    followers = np.flatnonzero(representative != np.arange(len(ranked)))
    if among_copies:
        outranked = np.isin(
            representative, representative[followers[followers < representative[followers]]]
        )
        followers = followers[(~outranked | (picture == picture[representative]))[followers]]
    keepers, first = np.unique(representative[followers], return_index=True)
    runners_up = followers[first]
    decided = ranked.decided_by(keepers, runners_up)
    disagrees = pl.Series(keepers > runners_up, dtype=pl.Boolean)
    rule = pl.Series([None] * len(ranked), dtype=pl.String)
    return rule.scatter(keepers, pl.Series(decided, dtype=pl.String).set(disagrees, None))


def reason_of(removable: Set[str]) -> pl.Expr:
    """Return an expression for the reason why an image is kept or removed.

    Its column ``relation`` has in words what the image is of its keeper, null where that is not
    known.
    """
    # A copy in another folder often has the same name.
    is_namesake = pl.col("name") == pl.col("keeper_name")
    name = pl.when(is_namesake).then("keeper").otherwise("keeper_name")
    no_score = pl.lit("not compared: it has no score or embedding")
    because = {"exact": "exact duplicates stay", "near": "near-duplicates stay"}

    relation = pl.format(": {}", "relation").fill_null("")
    is_confirmed = pl.col("relation").ne_missing(UNCONFIRMED)
    near = pl.when(is_confirmed).then(pl.lit("near-duplicate of")).otherwise(pl.lit("similar to"))

    def duplicate(words: pl.Expr, held_back_by: str) -> pl.Expr:
        text = pl.format("{} {}{}", words, name, relation)
        return (
            pl.when("removed").then(text).otherwise(text + ", but " + pl.lit(because[held_back_by]))
        )

    return (
        pl.when("chosen")
        .then(pl.lit("keeper: chosen by hand"))
        .when(pl.col("kind") == "exact")
        .then(duplicate(pl.lit("exact duplicate of"), "exact"))
        .when(pl.col("kind") == "near")
        .then(duplicate(near, "exact" if "near" in removable else "near"))
        .when("is_representative")
        .then(pl.format("keeper: {}", pl.col("rule").fill_null("as scored")))
        .when("kept_by_decision")
        .then(pl.lit("not a duplicate: decided by hand"))
        .when("has_neighbor")
        .then(pl.lit("not within near of any keeper"))
        .when(pl.col("rank").is_not_null())
        .then(pl.lit("unique"))
        .otherwise(pl.when("is_unreadable").then(pl.lit("unreadable")).otherwise(no_score))
    )
