"""The images that a dataset leaves out, and why."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    error = frame.get_column("error", default=pl.Series([None] * len(frame), dtype=pl.String))
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


def one_of_each(
    mask: NDArray[np.bool_], picture: NDArray[np.integer], plan: pl.DataFrame | None
) -> NDArray[np.bool_]:
    """Return some images without the exact copies of others of them.

    Of the copies of a picture those stay that stay under the plan; where none of them does, or
    there is no plan, the first by rank.

    Parameters
    ----------
    mask
        The images, (n,).
    picture
        (n,), equal numbers for exact copies.
    plan
        The plan of all images, row by row.

    Examples
    --------
    >>> plan = pl.DataFrame({"action": ["remove", "keep", "remove"], "rank": [1, 0, 2]})
    >>> copies = np.array([0, 0, 0])
    >>> one_of_each(np.array([True, True, True]), copies, plan).tolist()
    [False, True, False]
    >>> one_of_each(np.array([True, False, True]), copies, plan).tolist()
    [True, False, False]
    """
    rows = np.flatnonzero(mask)
    stays = np.zeros(len(rows), np.bool_)
    rank = rows
    if plan is not None:
        stays = (plan["action"].cast(pl.String) == "keep").to_numpy()[rows]
        rank = plan["rank"].fill_null(len(plan)).to_numpy()[rows]
    # Those that stay come first, then the best.
    order = np.lexsort((rank, ~stays))
    _, first = np.unique(picture[rows][order], return_index=True)
    chosen = np.zeros(len(rows), np.bool_)
    chosen[order[first]] = True
    result = np.zeros(len(mask), np.bool_)
    result[rows[stays | chosen]] = True
    return result
