"""The images that a dataset leaves out, and why."""

import polars as pl

BY_HAND = "left out by hand"


def left_out(
    frame: pl.DataFrame, plan: pl.DataFrame | None, kept: pl.Series, path: str = "path"
) -> pl.DataFrame:
    """Return the images that are not in a dataset, with the plan's reason where it has one.

    Parameters
    ----------
    frame
        All images.
    plan
        The plan of this frame, row by row; None when there is none.
    kept
        The paths in the dataset.
    path
        The column of paths of `frame`.

    Returns
    -------
    pl.DataFrame
        As :func:`dedup_widgets.create_dataset` takes it for ``removed``.
    """
    in_dataset = frame[path].is_in(kept.implode())
    error = frame.get_column("error", default=pl.Series([None] * len(frame)))
    if plan is None:
        plan = frame.select(path=pl.col(path), action=pl.lit("keep"), reason=pl.lit(""))
    facts = [c for c in ("fingerprint", "group", "keeper", "distance") if c in plan.columns]
    why = (
        pl.when(error.is_not_null())
        .then(pl.lit("unreadable"))
        .when(pl.col("action").cast(pl.String) == "remove")
        .then("reason")
        .otherwise(pl.lit(BY_HAND))
    )
    return plan.select("path", *facts, reason=why).filter(~in_dataset)
