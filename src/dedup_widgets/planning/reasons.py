"""Why an image stays or goes, in words."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.schema import KIND
from dedup_widgets.planning.groups import Groups
from dedup_widgets.planning.ranking import Ranked
from dedup_widgets.scoring.keepers import decided_by

EXACT, NEAR = 1, 2


KINDS = pl.Series([None, "exact", "near"], dtype=KIND)
"""What an image is to its keeper."""


def fates(
    picture: NDArray[np.int64], leader: NDArray[np.int64], removable: set[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each image its keeper, what it is to it (0, EXACT, NEAR), and whether it goes.

    A duplicate is exact where a copy of it stays, even if another image leads its group.
    """
    rows = np.arange(len(picture))
    stays = leader == rows
    copy_that_stays = np.full(len(rows), -1)
    copy_that_stays[picture[stays][::-1]] = rows[stays][::-1]
    if "near" not in removable:
        copy_that_stays = np.where(copy_that_stays < 0, rows, copy_that_stays)
    copy = copy_that_stays[picture]
    is_exact = ~stays & (copy >= 0) & (copy != rows)
    is_near = ~stays & ~is_exact
    has_copies = np.bincount(picture, minlength=len(rows))[picture] > 1
    goes = np.zeros(len(rows), np.bool_)
    if "exact" in removable:
        goes |= is_exact
    if "near" in removable:
        goes |= is_near & ~has_copies if "exact" not in removable else is_near
    kind = np.select([is_exact, is_near], [EXACT, NEAR], 0)
    return np.where(is_exact, copy, leader), kind, goes


def counts_of_groups(ranked: Ranked, groups: Groups, images: int) -> tuple[int, int, int, int]:
    """Return what :data:`CURVE` counts, of all images of the frame."""
    other_picture = ranked.picture != ranked.picture[groups.leader]
    removed = int((groups.leader != np.arange(len(ranked))).sum())
    return (
        int(groups.number.max(initial=0)),
        len(np.unique(groups.number[other_picture])),
        images - removed,
        removed,
    )


def rules_of_keepers(ranked: Ranked, leader: NDArray[np.int64], *, among_copies: bool) -> pl.Series:
    """Return which rule decided each keeper, null elsewhere and where the rules say otherwise.

    With `among_copies` they chose among exact copies only, and are asked about those alone where
    another member of the group would have been their choice.
    """
    picture = ranked.picture
    followers = np.flatnonzero(leader != np.arange(len(ranked)))
    if among_copies:
        outranked = np.isin(leader, leader[followers[followers < leader[followers]]])
        followers = followers[(~outranked | (picture == picture[leader]))[followers]]
    keepers, first = np.unique(leader[followers], return_index=True)
    runners_up = followers[first]
    decided = decided_by(ranked.images, keepers, runners_up, ranked.rules)
    disagrees = pl.Series(keepers > runners_up, dtype=pl.Boolean)
    rule = pl.Series([None] * len(ranked), dtype=pl.String)
    return rule.scatter(keepers, pl.Series(decided, dtype=pl.String).set(disagrees, None))


def reason_of(removable: set[str]) -> pl.Expr:
    """Say in words why an image stays or goes."""
    # A copy in another folder often has the same name.
    is_namesake = pl.col("name") == pl.col("keeper_name")
    name = pl.when(is_namesake).then("keeper").otherwise("keeper_name")
    no_score = pl.lit("not compared: it has no score or embedding")
    stays = {"exact": "exact duplicates stay", "near": "near-duplicates stay"}

    def duplicate(words: str, held_back_by: str) -> pl.Expr:
        text = pl.format(words + " of {}", name)
        return pl.when("goes").then(text).otherwise(text + ", but " + pl.lit(stays[held_back_by]))

    return (
        pl.when("chosen")
        .then(pl.lit("keeper: chosen by hand"))
        .when(pl.col("kind") == "exact")
        .then(duplicate("exact duplicate", "exact"))
        .when(pl.col("kind") == "near")
        .then(duplicate("near-duplicate", "exact" if "near" in removable else "near"))
        .when("leads")
        .then(pl.format("keeper: {}", pl.col("rule").fill_null("as scored")))
        .when("spared")
        .then(pl.lit("not a duplicate: decided by hand"))
        .when("crowded")
        .then(pl.lit("not within near of any keeper"))
        .when(pl.col("rank").is_not_null())
        .then(pl.lit("unique"))
        .otherwise(pl.when("is_unreadable").then(pl.lit("unreadable")).otherwise(no_score))
    )
