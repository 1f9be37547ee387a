"""The nearest images to an image, a picture file, or a text."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.embedding import DEFAULT_MODEL, load_embedder
from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.frames import require_columns, to_polars
from dedup_widgets.images import decode
from dedup_widgets.index import VectorIndex
from dedup_widgets.sources import IMAGE_SUFFIXES, LocalFiles


def similar(
    df: Any,
    query: str | os.PathLike[str],
    k: int = 12,
    *,
    model: Any = DEFAULT_MODEL,
    device: str | None = None,
) -> pl.DataFrame:
    """Return the images of a frame that are nearest to a query.

    Parameters
    ----------
    df
        A frame with columns ``path`` and ``embedding``, as :func:`dedup_widgets.score` makes it;
        Polars, pandas or pyarrow.
    query
        A path of the frame; another image file; or, for a model that embeds text too, such as
        CLIP, a text.
    k
        How many to return, at most.
    model
        The model that made the embeddings. It is loaded for a file or a text only.
    device
        Torch device for it.

    Returns
    -------
    pl.DataFrame
        Rows of the frame, nearest first, where ``distance`` is the cosine distance to the query
        (Float32, [0, 1]). A query of the frame is itself left out, its duplicates are not.

    Raises
    ------
    InputError
        When the frame lacks a column, the query is no image that can be found, or the model's
        vectors are of another length than those of the frame.
    ImageError
        When the query is a file that cannot be read as a picture.
    """
    if k < 0:
        raise InputError(f"k is {k}; it must be 0 or more")
    images = SimilarImages(to_polars(df))
    text = os.fspath(query)
    if text in images.row_of:
        return images.frame(text, k)
    embedder = load_embedder(model, device)
    if Path(text).suffix.lower() in IMAGE_SUFFIXES or Path(text).is_file():
        data = LocalFiles().read(text)
        try:
            picture = decode(data)
        except ImageError as error:
            raise ImageError(f"{text}: {error}") from error
        vector = embedder.encode([embedder.prepare(picture.rgb)])[0]
    elif embedder.can_embed_text:
        vector = embedder.encode_text(text)
    else:
        raise InputError(
            f"{text!r} is neither a path of this frame nor an image file, and {embedder.name} "
            "does not embed text; CLIP does"
        )
    return images.rows_as_frame(*images.nearest(vector, k))


class SimilarImages:
    """The nearest neighbours of the images of a frame.

    Parameters
    ----------
    frame
        Has the column of paths, and ``embedding``: Array or List of floats, null where there is
        none.
    path
        The column of paths.
    """

    def __init__(self, frame: pl.DataFrame, path: str = "path") -> None:
        require_columns(frame, [path, "embedding"], "similar items")
        self._frame, self._path = frame, path
        self._with_vector = frame["embedding"].is_not_null().arg_true().to_numpy()
        self.row_of = {p: row for row, p in enumerate(frame[path].to_list())}

    @cached_property
    def _index(self) -> VectorIndex:
        return VectorIndex(self._frame["embedding"].drop_nulls())

    def frame(self, path: str, k: int) -> pl.DataFrame:
        """Return the rows nearest to an image of the frame, itself left out."""
        if path not in self.row_of:
            raise InputError(f"{path!r} is not in this frame")
        return self.rows_as_frame(*self.rows(self.row_of[path], k))

    def rows(self, row: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row numbers and cosine distances of the nearest to a row, itself left out."""
        at = int(np.searchsorted(self._with_vector, row))
        if at == len(self._with_vector) or self._with_vector[at] != row:
            path = self._frame[self._path][row]
            raise InputError(f"{path} has no embedding, so nothing is similar to it")
        rows, distances = self.nearest(self._index.vectors[at], k + 1)
        others = rows != row
        return rows[others][:k], distances[others][:k]

    def nearest(self, vector: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row numbers and cosine distances of the nearest to a vector, (d,)."""
        places, distances = self._index.search(vector, k)
        return self._with_vector[places], distances

    def rows_as_frame(self, rows: np.ndarray, distances: np.ndarray) -> pl.DataFrame:
        """Return rows of the frame with the distance to the query as ``distance``."""
        return self._frame[rows].with_columns(
            pl.Series("distance", distances.astype(np.float32), dtype=pl.Float32)
        )
