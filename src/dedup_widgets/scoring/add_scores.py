"""Adding scores to a frame that lacks them."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from dedup_widgets.frame.provenance import NAME, Provenance, of_one_model, provenances
from dedup_widgets.frame.scale import NEAR
from dedup_widgets.frame.schema import without_scores
from dedup_widgets.frame.table import require_columns
from dedup_widgets.scoring.uniqueness import uniqueness


def add_scores(
    frame: pl.DataFrame, path: str, near: float | None, run: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Add the columns of a score to a frame that lacks them.

    Parameters
    ----------
    frame, path
        A frame, and its column of paths.
    near
        As for :func:`score`; default: what the frame says that it was scored with.
    run
        Scores the images of a frame; called unless the frame has a column ``embedding``.

    Returns
    -------
    pl.DataFrame
        All columns of the frame, with those of the score.
    """
    require_columns(frame, [path], "Explorer")
    if "embedding" not in frame.columns:
        own = without_scores(frame)
        scored = run(frame.select(path=pl.col(path))).drop("path")
        # Such as the shots and files that an earlier score told of.
        return own.drop(scored.columns, strict=False).hstack(scored)
    has_vector = frame["embedding"].is_not_null()
    part = frame.filter(has_vector)
    prints = part["fingerprint"].to_list() if "fingerprint" in frame.columns else None
    made = of_one_model(provenances(part), "scoring") or Provenance(near=NEAR)
    if near is not None:
        made = replace(made, near=near)
    scores = uniqueness(
        part["embedding"], fingerprints=prints, near=made.near, gamma=made.gamma
    ).with_columns(nearest=pl.lit(part[path]).gather(pl.col("nearest")), row=has_vector.arg_true())
    scored = (
        frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
        .join(scores, on="row", how="left", maintain_order="left")
        .drop("row")
    )
    if NAME not in frame.columns or provenances(frame):
        scored = scored.with_columns(made.column)
    return frame.drop(scored.columns, strict=False).hstack(scored)
