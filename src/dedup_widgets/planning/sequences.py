"""Pictures of one moment, such as bursts: a kind of group of their own, and how it is thinned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets.errors import InputError
from dedup_widgets.frame.moments import in_utc
from dedup_widgets.frame.provenance import of_one_model, provenances
from dedup_widgets.frame.scale import radius_of
from dedup_widgets.frame.schema import KIND
from dedup_widgets.frame.table import file_name, require_columns, to_polars
from dedup_widgets.neighbors.vectors import distances, unit_vectors
from dedup_widgets.planning.planner import ACTION

SECONDS = 2.0
"""Seconds within which the next picture of a sequence is taken."""


ALIKE = 0.25
"""Distance on the uniqueness scale within which it lies. With EfficientNet, of shots one after the
other 49 in 50 and more do, of other photos 1 in 50 and fewer; by perceptual vectors 59 of 60 do."""


PAIRS_AT_A_TIME = 8192


_OF_A_PLAN: dict[str, Any] = {
    "action": ACTION,
    "reason": pl.String,
    "keeper": pl.String,
    "kind": KIND,
    "rule": pl.String,
    "group": pl.UInt32,
    "distance": pl.Float32,
}


def sequences(df: Any, *, seconds: float = SECONDS, alike: float = ALIKE) -> pl.DataFrame:
    """Find bursts: pictures of one camera, taken one right after the other, that look alike.

    They are no copies. Of copies only the one that stays is in a sequence.

    Parameters
    ----------
    df
        A frame as :func:`dedup_widgets.score` makes it, with ``date_taken`` and ``embedding``, or
        ``video`` and ``time`` instead of a date.
    seconds
        From one picture to the next, at most.
    alike
        Distance from one picture to the next on the uniqueness scale, in [0, 1], at most.

    Returns
    -------
    pl.DataFrame
        The same rows with ``sequence`` (UInt32): same number = same sequence, in the order of time;
        null for pictures in none, and for those of which nobody knows when they were taken.

    Raises
    ------
    InputError
        When a column is missing, or an argument is out of range.

    Examples
    --------
    >>> from datetime import datetime
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg", "c.jpg"],
    ...         "date_taken": [datetime(2024, 5, 1, 12, 0, s) for s in (3, 2, 9)],
    ...         "embedding": [[1.0, 0.1], [1.0, 0.0], [1.0, 0.0]],
    ...     }
    ... )
    >>> sequences(df)["sequence"].to_list()
    [1, 1, None]
    """
    frame = to_polars(df)
    if not seconds > 0:
        raise InputError(f"seconds is {seconds}; it must be above 0")
    if not 0 <= alike <= 1:
        raise InputError(f"alike is {alike}; it must lie in [0, 1], on the uniqueness scale")
    require_columns(frame, ["path", "embedding"], "finding sequences")
    moments = _moments(frame)
    made = of_one_model(provenances(frame), "finding sequences")
    radius = radius_of(alike, 1.0 if made is None else made.gamma)
    row = moments["row"].to_numpy()
    gap = moments.select(pl.col("second").diff().over("source")).to_series().to_numpy()
    follows = np.flatnonzero(gap <= seconds)
    is_linked = np.zeros(len(row), np.bool_)
    for start in range(0, len(follows), PAIRS_AT_A_TIME):
        at = follows[start : start + PAIRS_AT_A_TIME]
        one, other = (unit_vectors(frame["embedding"].gather(row[i])) for i in (at, at - 1))
        is_linked[at] = distances(one, other) <= radius
    found = np.cumsum(~is_linked)
    several = np.bincount(found, minlength=1)[found] > 1 if len(found) else is_linked
    number = np.zeros(len(frame), np.int64)
    _, number[row[several]] = np.unique(found[several], return_inverse=True)
    number[row[several]] += 1
    column = pl.Series("sequence", number, dtype=pl.UInt32)
    return frame.with_columns(column).with_columns(pl.when(pl.col("sequence") > 0).then("sequence"))


def _moments(frame: pl.DataFrame) -> pl.DataFrame:
    """Return when pictures were taken, in order: ``row``, ``source`` and ``second``."""
    no_text = pl.lit(None, pl.String)
    has = {name: name in frame.columns for name in ("date_taken", "video", "time", "camera")}
    if not (has["date_taken"] or (has["video"] and has["time"])):
        require_columns(frame, ["date_taken"], "finding sequences")
    second = pl.lit(None, pl.Float64)
    if has["date_taken"]:
        if not isinstance(frame.schema["date_taken"], pl.Datetime):
            raise InputError(f"column 'date_taken' holds {frame.schema['date_taken']}, no dates")
        second = pl.col("date_taken").dt.epoch("us") / 1e6
    source = pl.col("camera").cast(pl.String) if has["camera"] else no_text
    if has["video"] and has["time"]:
        second = pl.when(pl.col("video").is_not_null()).then("time").otherwise(second)
        source = pl.coalesce(pl.col("video").cast(pl.String), source)
    stays = pl.lit(True)
    if {"group", "keep"} <= set(frame.columns):
        stays = pl.col("group").is_null() | pl.col("keep").cast(pl.Boolean)
    if "embedding" in frame.columns:
        stays = stays & pl.col("embedding").is_not_null()
    return (
        in_utc(frame)
        .with_row_index("row")
        .filter(stays)
        .select("row", "path", source=source.fill_null(""), second=second)
        .filter(pl.col("second").is_not_null())
        .sort("source", "second", "path")
    )


def thin(
    df: Any,
    *,
    every: float | None = None,
    keep: Sequence[str | keepers.Rule] = ("sharpness",),
    seconds: float = SECONDS,
    alike: float = ALIKE,
    plan: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Plan which pictures of each sequence stay: the best, or one in so many seconds.

    Nothing is removed here.

    Parameters
    ----------
    df
        As :func:`sequences` takes it; a column ``sequence`` that is there already is used.
    every
        Seconds of which one picture stays, counted from the first of its sequence; default: one of
        the whole sequence.
    keep
        Keeper rules that choose which one, strongest first.
    seconds, alike
        As :func:`sequences` takes them.
    plan
        What :func:`dedup_widgets.plan` makes of `df`, whose copies go too. Default: of copies none
        goes, but those of a picture that goes.

    Returns
    -------
    pl.DataFrame
        One row an image as in a plan, for :func:`dedup_widgets.script` and ``removed=`` of
        :func:`dedup_widgets.create_dataset`: ``path``, ``action``, ``reason``, ``keeper``, ``kind``
        (null for what goes because of its sequence), ``rule``, ``group``, ``distance``,
        ``sequence``, and ``fingerprint``, if the frame has one.

    Raises
    ------
    InputError
        As :func:`sequences` does; and when a rule cannot be applied, or the plan is of another
        frame.

    Examples
    --------
    >>> df = pl.DataFrame({"path": ["a", "b"], "sequence": [1, 1], "sharpness": [9.0, 10.0]})
    >>> thin(df).select("path", "action", "reason").rows()
    [('a', 'remove', 'one of 2 in a row: b stays'), ('b', 'keep', 'stays of 2 in a row: sharpest')]
    """
    frame = to_polars(df)
    if every is not None and not every > 0:
        raise InputError(f"every is {every}; it must be above 0 seconds")
    require_columns(frame, ["path"], "thinning sequences")
    if plan is not None:
        require_columns(plan, [*_OF_A_PLAN], "thinning by a plan")
        if not plan["path"].equals(frame["path"].cast(pl.String)):
            raise InputError("the plan is of another frame; make it of this one")
        stays = plan["action"].cast(pl.String) == "keep"
        frame = frame.with_columns(keep=stays, group=plan["group"])
    if "sequence" not in frame.columns:
        frame = sequences(frame, seconds=seconds, alike=alike)
    best = _best(frame, every, keep)
    return _laid_out(frame, best, _copy_of(frame, plan), keep, plan)


def _best(
    frame: pl.DataFrame, every: float | None, keep: Sequence[str | keepers.Rule]
) -> NDArray[np.int64]:
    """Return for each row of a sequence the row that stays of its part, itself for all others."""
    rank = pl.Series("rank", keepers.rank(frame.drop("embedding", strict=False), keep))
    parts = frame.select(pl.col("sequence"), rank, part=pl.lit(0)).with_row_index("row")
    if every is not None:
        second = _moments(frame).select("row", "second")
        since = pl.col("second") - pl.col("second").min().over("sequence")
        # A little more, as a thirtieth of a second is no binary number.
        part = ((since + 1e-6) / every).floor().cast(pl.Int64).fill_null(0)
        parts = parts.join(second, on="row", how="left", maintain_order="left").with_columns(
            part=part
        )
    first = pl.col("row").sort_by("rank").first().over("sequence", "part")
    stays = pl.when(pl.col("sequence").is_null()).then("row").otherwise(first)
    return parts.select(stays.cast(pl.Int64)).to_series().to_numpy()


def _copy_of(frame: pl.DataFrame, plan: pl.DataFrame | None) -> NDArray[np.int64]:
    """Return for each row the one that it is a copy of and that stays; itself for all others."""
    rows = pl.int_range(len(frame), eager=True).alias("row")
    if plan is not None:
        names = pl.DataFrame({"keeper": plan["path"], "of": rows})
        goes = pl.when(pl.col("action").cast(pl.String) == "remove").then("keeper")
        both = plan.select(goes).join(names, on="keeper", how="left", maintain_order="left")
        return both["of"].fill_null(rows).to_numpy()
    if not {"group", "keep"} <= set(frame.columns):
        return rows.to_numpy()
    kept = pl.when(pl.col("keep").cast(pl.Boolean)).then("row").min().over("group")
    copy = pl.col("group").is_not_null() & ~pl.col("keep").cast(pl.Boolean)
    of = pl.when(copy).then(pl.coalesce(kept, "row")).otherwise("row")
    return frame.select("group", "keep", rows).select(of).to_series().to_numpy()


def _laid_out(
    frame: pl.DataFrame,
    best: NDArray[np.int64],
    copy_of: NDArray[np.int64],
    keep: Sequence[str | keepers.Rule],
    plan: pl.DataFrame | None,
) -> pl.DataFrame:
    paths = frame["path"].cast(pl.String)
    names = pl.Series([file_name(path) for path in paths], dtype=pl.String)
    rows = np.arange(len(frame))
    stays_of = best[copy_of]
    is_thinned = stays_of != copy_of
    sequence = frame["sequence"].gather(copy_of)
    about = keepers.about(keep[0] if keep else "path")
    laid = pl.DataFrame(
        {
            "path": paths,
            "sequence": sequence.cast(pl.UInt32),
            "thinned": is_thinned,
            "survives": (rows == copy_of) & ~is_thinned & sequence.is_not_null().to_numpy(),
            "survivor": paths.gather(stays_of),
            "name": names.gather(stays_of),
        }
    ).with_columns(size=(pl.col("thinned") | pl.col("survives")).sum().over("sequence"))
    words = (
        pl.when("thinned")
        .then(pl.format("one of {} in a row: {} stays", "size", "name"))
        .when(pl.col("survives") & (pl.col("action").cast(pl.String) == "keep"))
        .then(pl.format("stays of {} in a row: {}", "size", pl.lit(about)))
        .otherwise("reason")
    )
    both = laid.hstack(_nothing_goes(len(frame)) if plan is None else plan.select(*_OF_A_PLAN))
    prints = [frame["fingerprint"]] if "fingerprint" in frame.columns else []
    return both.select(
        "path",
        action=pl.when("thinned").then(pl.lit("remove", ACTION)).otherwise(pl.col("action")),
        reason=words,
        keeper=pl.when("thinned").then("survivor").otherwise("keeper"),
        kind=pl.when(~pl.col("thinned")).then("kind"),
        rule=pl.when(pl.col("survives")).then(pl.lit(about)).otherwise("rule"),
        group="group",
        distance=pl.when(~pl.col("thinned")).then("distance"),
        sequence="sequence",
    ).with_columns(*prints)


def _nothing_goes(rows: int) -> pl.DataFrame:
    said = {"action": "keep", "reason": "in no sequence"}
    values = (pl.lit(said.get(name), dtype).alias(name) for name, dtype in _OF_A_PLAN.items())
    return pl.DataFrame({"row": range(rows)}).select(pl.col("row"), *values).drop("row")
