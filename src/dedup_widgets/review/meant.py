"""Which rows of a frame are meant by what a person gives: a frame, paths, or a mask."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets._paths import absolute, as_unicode
from dedup_widgets._text import counted
from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.table import is_frame, require_columns, to_polars
from dedup_widgets.review.steps import Mask


def mask_meant(what: Any, lookup: Lookup, path: str) -> Mask:
    """Return the mask of the rows that a frame, paths or a mask stand for.

    Parameters
    ----------
    what
        A frame with the column of paths, one path or many, or whether each row is meant.
    lookup, path
        The paths of the rows, and what their column is called.

    Raises
    ------
    InputError
        When a path is not in the frame, or `what` is nothing of these.
    """
    n = len(lookup.texts)
    if is_frame(what):
        frame = to_polars(what)
        require_columns(frame, [path], "a selection given as a frame")
        values = frame[path].to_list()
    elif isinstance(what, np.ndarray) and what.dtype == bool and what.shape == (n,):
        return what.copy()
    elif isinstance(what, str | os.PathLike):
        values = [what]
    elif hasattr(what, "__arrow_c_stream__"):
        series = pl.Series(what)
        # A null, such as the score of an unreadable file compared to a number, is not picked.
        values = (series.fill_null(False) if series.dtype == pl.Boolean else series).to_list()
    elif isinstance(what, Iterable):
        values = list(what)
    else:
        raise InputError(
            f"cannot select by {type(what).__name__}; give a frame, paths, or a mask over rows"
        )
    if values and all(isinstance(value, bool | np.bool_) for value in values):
        if len(values) != n:
            raise InputError(f"the mask has {len(values)} values for {n} rows")
        return np.array(values, bool)
    texts = [as_text(value) for value in values]
    rows = lookup.first(texts)
    if (rows < 0).any():  # Written by hand, a path often begins at the working folder.
        rows = np.where(rows < 0, lookup.first(map(absolute, texts)), rows)
    if unknown := [value for value, row in zip(values, rows, strict=True) if row < 0]:
        more = f" and {counted(len(unknown) - 1, 'more path')}" if len(unknown) > 1 else ""
        raise InputError(
            f"{str(unknown[0])!r}{more}: not in this frame; give values of its column {path!r}"
        )
    mask = np.zeros(n, np.bool_)
    mask[rows] = True
    return mask


def as_text(path: Any) -> str:
    """Return a path as text; what is none has a text that no path has."""
    return as_unicode(os.fspath(path)) if isinstance(path, str | os.PathLike) else ""
