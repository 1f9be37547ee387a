"""Rows that name one file: what becomes of it becomes of them all."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.lookup import Lookup

NAME = "same_file"
"""The column that has, for a further name of a file, the path of the row that names it too."""


def first_rows(frame: pl.DataFrame, path: str = "path") -> NDArray[np.int64] | None:
    """Return for each row the first row of its file; None where each row names another file.

    Where the row that a column names is not there, as in a part of a frame, the first of the others
    by its path stands for the file. Rows that show different pictures name different files.

    Examples
    --------
    >>> frame = pl.DataFrame({"path": ["a", "b", "c"], "same_file": [None, "a", None]})
    >>> first_rows(frame).tolist()
    [0, 0, 2]
    >>> first_rows(frame.drop("same_file")) is None
    True
    """
    if NAME not in frame.columns or frame.schema[NAME] != pl.String:
        return None
    further = frame[NAME].is_not_null().arg_true()
    if further.is_empty():
        return None
    named, paths = frame[NAME].gather(further), frame[path].cast(pl.String)
    target = pl.Series(Lookup(paths).first(named))
    own = further.cast(pl.Int64)
    table = pl.DataFrame({"row": own, "file": named, "path": paths.gather(further)})
    stands = pl.col("row").sort_by("path").first().over("file")
    first = table.with_columns(target).select(
        pl.when(pl.col(target.name) >= 0).then(target.name).otherwise(stands)
    )
    rows = np.arange(len(frame))
    rows[further.to_numpy()] = first.to_series().to_numpy()
    if "fingerprint" in frame.columns:
        prints = frame["fingerprint"]
        differs = prints.ne_missing(prints.gather(rows)).to_numpy()
        rows[differs] = np.flatnonzero(differs)
    rows = rows[rows]
    return rows if (rows != np.arange(len(rows))).any() else None


def further_rows(first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that are not the first of their file."""
    return np.flatnonzero(first != np.arange(len(first)))


def in_parts(frame: pl.DataFrame, part: pl.Series) -> pl.DataFrame:
    """Let only rows of one part name one file: where they may not be duplicates of others.

    Examples
    --------
    >>> frame = pl.DataFrame({"path": ["a", "b", "c"], "same_file": [None, "a", "a"]})
    >>> in_parts(frame, pl.Series([1, 2, 2]))["same_file"].to_list()
    [None, None, 'b']
    """
    if NAME not in frame.columns or frame.schema[NAME] != pl.String:
        return frame
    file, path = pl.coalesce(NAME, "path"), pl.col("path")
    first = path.sort_by(pl.col(NAME).is_not_null(), "path").first().over(file, "part")
    named = frame.select("path", NAME, part.alias("part")).select(
        pl.when(first != path).then(first).alias(NAME)
    )
    return frame.with_columns(named)
