"""From records of files, and scores, to the columns of a frame."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta

import polars as pl

from dedup_widgets.frame.moments import local_and_offset
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.schema import COLUMNS, types
from dedup_widgets.images.decode import Facts
from dedup_widgets.store.cache import FileRecord

SHAPE = {
    "aspect_ratio": pl.col("width") / pl.col("height"),
    "area": pl.col("width").cast(pl.UInt64) * pl.col("height"),
}
"""Metrics that follow from the facts."""


_EPOCH = datetime(1970, 1, 1)


def facts_of(paths: Sequence[str] | pl.Series, records: Sequence[FileRecord]) -> pl.DataFrame:
    """Return the paths with the facts, fingerprint and error of each file, and its spectrum."""
    measured = [field.name for field in fields(Facts)]
    columns = {name: [getattr(r.facts, name, None) for r in records] for name in measured}
    taken = pl.Series(columns.pop("date_taken"), dtype=pl.String)
    spectrum = pl.Series("spectrum", columns.pop("spectrum"), dtype=pl.String)
    return pl.DataFrame(
        {
            "path": paths,
            "completeness": [None] * len(paths),
            "enlarged": [None] * len(paths),
            **columns,
            **local_and_offset(taken),
            "modified": [_time(record.entry.version) for record in records],
            "fingerprint": [record.fingerprint for record in records],
            "error": [record.error for record in records],
        },
        schema=types(
            *("path", "completeness", "enlarged", *columns),
            *("date_taken", "utc_offset", "modified", "fingerprint", "error"),
        ),
    ).with_columns(spectrum)


def names_of(rows: pl.Series, paths: pl.Series) -> pl.Series:
    """Return the path of each row number; null for none."""
    if not len(paths):
        return pl.Series(rows.name, [None] * len(rows), pl.String)
    return paths.gather(rows).alias(rows.name)


def laid_out(facts: pl.DataFrame, scores: pl.DataFrame, made: Provenance) -> pl.DataFrame:
    """Return the columns of a score, with nulls where a file is not readable.

    Parameters
    ----------
    facts
        What :func:`facts_of` returns.
    scores
        Of the rows without an error, in their order; ``nearest`` holds paths. Of ``embedding`` the
        frame has a column only if there is one.
    made
        How the scores were made.
    """
    scores = scores.with_columns(row=facts["error"].is_null().arg_true())
    there = [name for name in COLUMNS if name != "embedding" or name in scores.columns]
    return (
        facts.drop("completeness", "enlarged", strict=False)
        .with_row_index("row")
        .join(scores, on="row", how="left", maintain_order="left")
        .with_columns(value.cast(COLUMNS[name].dtype).alias(name) for name, value in SHAPE.items())
        .with_columns(made.column)
        .select(there)
    )


def _time(version: str) -> datetime | None:
    """Return the time of a file's last change, if that is what its version says."""
    try:
        return _EPOCH + timedelta(microseconds=int(version) // 1000)
    except (ValueError, OverflowError):
        return None
