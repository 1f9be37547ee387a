"""Files that went missing after they were scored: a frame without what they would decide."""

import polars as pl

from dedup_widgets.frame.schema import COLUMNS, MISSING
from dedup_widgets.review.steps import Mask
from dedup_widgets.scoring.keepers import applicable, rank

KEPT_ROLES = ("path", "provenance", "fact", "metric")
"""What is still known of a file that is gone, its fingerprint and error aside."""


def without_missing(
    frame: pl.DataFrame, missing: Mask, path: str, score: str | None
) -> pl.DataFrame:
    """Return a frame in which files that are gone have no scores, and keep nobody's place.

    Parameters
    ----------
    frame
        As it was scored.
    missing
        The rows whose files are gone, shape (n,).
    path, score
        Its columns of paths and of uniqueness.

    Returns
    -------
    pl.DataFrame
        The same rows. Where the keeper of a group is gone, the best of its exact copies is keeper
        and has the score; without one the group falls apart and all of it stays, until images are
        grouped anew, for its members are near to the keeper and need not be near to each other.
    """
    gone = pl.Series("gone", missing)
    columns = set(frame.columns)
    if {"group", "keep"} <= columns and frame["group"].dtype.is_numeric():
        frame = _with_other_keepers(frame, gone, path, score)
    blank = [
        name
        for name in dict.fromkeys((*COLUMNS, score))
        if name is not None
        and name in columns
        and (name == score or COLUMNS[name].role not in KEPT_ROLES or name == "fingerprint")
        and name not in (path, "error")
    ]
    error = pl.col("error").cast(pl.String) if "error" in columns else pl.lit(None, pl.String)
    known = pl.when(~gone)
    return frame.with_columns(
        *(known.then(pl.col(name)).otherwise(None).alias(name) for name in blank),
        error=known.then(error).otherwise(pl.lit(MISSING)),
    )


def _with_other_keepers(
    frame: pl.DataFrame, gone: pl.Series, path: str, score: str | None
) -> pl.DataFrame:
    named = frame if path == "path" else frame.drop("path", strict=False).rename({path: "path"})
    order = pl.Series("rank", rank(named, applicable(named.columns)))
    print_ = (
        pl.col("fingerprint").cast(pl.String) if "fingerprint" in frame.columns else pl.lit(None)
    )
    rows = frame.select(
        gone,
        order,
        group=pl.when(pl.col("group") > 0).then("group"),
        keep=pl.col("keep").cast(pl.Boolean),
        print=print_,
        value=pl.col(score) if score is not None else pl.lit(None),
    )
    of_group = pl.col("group").is_not_null()
    lost = (pl.col("gone") & pl.col("keep")).any().over("group") & of_group
    old_print = pl.col("print").filter(pl.col("keep")).first().over("group")
    is_copy = lost & (pl.col("print") == old_print)
    first_copy = pl.col("rank").filter(is_copy & ~pl.col("gone")).min().over("group")
    rows = rows.with_columns(
        lost=lost.fill_null(False),
        first=first_copy,
        old=pl.col("value").filter(pl.col("keep")).first().over("group"),
    )
    promoted = rows.select((pl.col("lost") & (pl.col("rank") == pl.col("first"))).fill_null(False))
    leaves = rows.select(pl.col("lost") & pl.col("first").is_null()).to_series()
    is_promoted = promoted.to_series()
    keep = pl.when(is_promoted | leaves).then(True).otherwise(pl.col("keep")).alias("keep")
    group = pl.when(~leaves).then(pl.col("group")).alias("group")
    new = [keep, group]
    if score is not None:
        old = rows["old"].cast(frame.schema[score])
        new.append(pl.when(is_promoted).then(old).otherwise(pl.col(score)).alias(score))
    return frame.with_columns(new)
