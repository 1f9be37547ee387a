"""What a person says of some images, as what is remembered of it: pairs of contents."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import rows_of
from dedup_widgets.review.steps import Mask, Pair

MAX_NOT_DUPLICATE_PAIRS = 200_000
"""Pairs of contents that one decision may part; more would make each further plan slow."""


def in_groups_of(frame: pl.DataFrame, mask: Mask) -> Mask:
    """Return the mask of the rows of the groups that some rows are in."""
    group = frame["group"].fill_null(0).to_numpy()
    is_one = np.zeros(int(group.max(initial=0)) + 1, np.bool_)
    is_one[group[mask]] = True
    is_one[0] = False
    among: Mask = is_one[group]
    return among


def pairs_to_part(
    frame: pl.DataFrame, mask: Mask, names: str, limit: int = MAX_NOT_DUPLICATE_PAIRS
) -> Iterable[Pair]:
    """Return the pairs of contents that are no duplicates, where some images are none.

    Parameters
    ----------
    frame
        With the columns ``group`` and ``fingerprint``.
    mask
        The rows that are no duplicates of the others in their groups.
    names
        What they are called, for the error.
    limit
        How many pairs there may be.

    Raises
    ------
    InputError
        When they are more.
    """
    rows = np.flatnonzero(in_groups_of(frame, mask))
    groups = rows_of(frame, rows, ["group", "fingerprint"]).select(
        "group", f=pl.col("fingerprint").cast(pl.String)
    )
    copies = groups.drop_nulls().group_by("group", "f").len()
    mine = copies.join(groups.filter(mask[rows]), on=["group", "f"], how="semi")
    sizes = (
        mine["group"].value_counts().join(copies["group"].value_counts(name="others"), on="group")
    )
    n_pairs = int((sizes["count"].cast(pl.Int64) * sizes["others"]).sum())
    if n_pairs > limit:
        raise InputError(
            f"that {names} are no duplicates of any other in their groups makes {n_pairs:,} pairs "
            f"to remember, and {limit:,} are the most; mark fewer at once, or lower near so that "
            "the groups fall apart"
        )
    # Of copies alone, which have one content, it can be recorded that all are kept.
    pairs = (
        mine.join(copies, on="group", suffix="_other")
        .with_columns(alone=pl.col("f_other").n_unique().over("group") == 1)
        .filter((pl.col("f") != pl.col("f_other")) | (pl.col("alone") & (pl.col("len") > 1)))
    )
    return pairs.select("f", "f_other").iter_rows()
