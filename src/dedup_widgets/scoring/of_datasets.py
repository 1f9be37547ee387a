"""Datasets of the library `datasets` whose pictures are files: their paths, and other columns."""

import os
from collections.abc import Mapping
from typing import Any

import polars as pl

from dedup_widgets.errors import InputError


def is_of_datasets(images: Any) -> bool:
    """Tell whether something is of the library `datasets`, without importing it."""
    return type(images).__module__.partition(".")[0] == "datasets"


def frame_of(data: Any) -> pl.DataFrame:
    """Return the files of a dataset as the column ``path``, beside its other columns.

    Classes have their names, and of several splits the column ``split`` says which.

    Raises
    ------
    InputError
        When it has no column of pictures or several, or they lie in the dataset itself.
    """
    if isinstance(data, Mapping):
        parts = [
            frame_of(part).with_columns(split=pl.lit(str(name), pl.String))
            for name, part in data.items()
        ]
        if parts:
            return pl.concat(parts, how="diagonal_relaxed")
    features = getattr(data, "features", None) or {}
    pictures = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    kind = type(data).__name__
    if len(pictures) != 1 or not hasattr(data, "num_rows"):
        raise InputError(
            f"a dataset of `datasets` needs one column of pictures, whose files it knows; this "
            f"{kind} of `datasets` has {len(pictures)}: pass the folder that holds its pictures, "
            "or a frame with a column 'path' of their files"
        )
    (name,) = pictures
    undecoded = data.cast_column(name, type(features[name])(decode=False))
    files = [cell and cell["path"] for cell in undecoded[name]]
    missing = next((file for file in files if not file or not os.path.isfile(file)), files)  # noqa: PTH113
    if missing is not files:
        raise InputError(
            f"the pictures of this {kind} of `datasets` lie in the dataset itself and not in files "
            f"of their own; write them to a folder: for i, row in enumerate(data): "
            f"row[{name!r}].save(f'pictures/{{i}}.png')"
        )
    found = pl.DataFrame({"path": files}, schema={"path": pl.String})
    others: pl.DataFrame = data.remove_columns([name]).to_polars()
    if not others.width:
        return found
    if "path" in others.columns:
        raise InputError(
            f"this {kind} of `datasets` has a column 'path' of its own beside its pictures; give "
            "it another name: data.rename_column('path', 'name')"
        )
    classes = {
        column: dict(enumerate(feature.names))
        for column, feature in features.items()
        if type(feature).__name__ == "ClassLabel" and column != name
    }
    named = (
        pl.col(column).replace_strict(names, default=None, return_dtype=pl.String)
        for column, names in classes.items()
    )
    return found.hstack(others.with_columns(*named))
