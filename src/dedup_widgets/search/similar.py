"""The nearest images to an image, a picture file, or a text."""

import io
import os
import weakref
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from dedup_widgets._paths import as_unicode
from dedup_widgets._text import whole
from dedup_widgets._urls import is_far
from dedup_widgets.errors import ImageError, InputError, ModelError
from dedup_widgets.frame.provenance import Provenance, of_one_model, provenances
from dedup_widgets.frame.relations import EXACT, NEAR
from dedup_widgets.frame.table import require_columns, to_polars
from dedup_widgets.images.decode import decode
from dedup_widgets.images.formats import IMAGE_SUFFIXES
from dedup_widgets.images.source import source_for
from dedup_widgets.models.base import DEFAULT_MODEL, Embedder, Precision
from dedup_widgets.models.load import load_embedder
from dedup_widgets.scoring.compared import OF_PAIR, ComparedPictures, compared_pictures
from dedup_widgets.search.scan import Scan


def similar(
    df: Any,
    query: Any,
    k: int = 12,
    *,
    model: Any = None,
    device: str | None = None,
    precision: Precision | None = None,
) -> pl.DataFrame:
    """Return the images of a frame that are nearest to a query.

    All images are compared, so none is missed. The first call with a frame takes a copy of its
    embeddings of a byte a number; from then on calls with the same frame take milliseconds: see
    :class:`dedup_widgets.search.scan.Scan`.

    Parameters
    ----------
    df
        A frame with columns ``path`` and ``embedding``, as :func:`dedup_widgets.score` makes it;
        Polars, pandas or pyarrow.
    query
        A path of the frame; another image file; a picture (``PIL.Image``) or its pixels (an array
        of uint8); or, for a model that embeds text too, such as CLIP, a text.
    k
        How many to return, at most.
    model
        The model that made the embeddings. It is loaded for a file or a text only. Default: the
        one that the frame says it was scored with, else ``"clip-ViT-B-32"``.
    device, precision
        How it runs; see :func:`dedup_widgets.score`. Default of the precision: as for the frame's
        own embeddings, where it says so and no model is given.

    Returns
    -------
    pl.DataFrame
        Rows of the frame, nearest first, where ``distance`` is that to the query (Float32, [0, 1]).
        A query of the frame is itself left out, its duplicates are not.

        Where the frame's pictures were laid over each other, its confirmed copies come first, with
        the distance that they have in scoring; ``relation`` and ``agreement`` tell what they are of
        the query. All others are beyond the near-duplicate boundary. Another file or a text was
        laid over nothing: there it is the cosine distance.

    Raises
    ------
    InputError
        When the frame lacks a column, its embeddings are of different models or of an object that
        only ``model=`` can bring, the query is no image that can be found, or the model's vectors
        are of another length than those of the frame.
    ModelError
        When the model cannot be loaded.
    ImageError
        When the query is a file that cannot be read as a picture.

    Examples
    --------
    >>> frame = pl.DataFrame(
    ...     {"path": ["/a.jpg", "/b.jpg", "/c.jpg"], "embedding": [[1, 0], [0.8, 0.6], [0, 1]]},
    ...     schema_overrides={"embedding": pl.Array(pl.Float32, 2)},
    ... )
    >>> similar(frame, "/a.jpg", k=2).select("path", "distance").rows()
    [('/b.jpg', 0.20000000298023224), ('/c.jpg', 1.0)]
    """
    k = whole("k", k, 0)
    pixels = None if isinstance(query, str | os.PathLike) else _as_file(query)
    text = "" if pixels is not None else as_unicode(os.fspath(query))
    images = _images_of(df, text)
    if text in images.row_of:
        return images.frame(text, k)
    embedder = embedder_of(images.made, model, device, precision)
    if pixels is not None:
        vector = embedder.encode([embedder.prepare(decode(pixels).reduced)])[0]
    elif Path(text).suffix.lower() in IMAGE_SUFFIXES or is_far(text) or _is_file(text):
        data = source_for(text).read(text)
        try:
            picture = decode(data)
        except ImageError as error:
            raise ImageError(f"{text}: {error}") from error
        vector = embedder.encode([embedder.prepare(picture.reduced)])[0]
    elif embedder.can_embed_text:
        vector = embedder.encode_text(text)
    else:
        raise InputError(
            f"{text[:200]!r} is neither a path of this frame nor an image file, and "
            f"{embedder.name} does not embed text; CLIP does"
        )
    rows, distances = images.nearest(vector, k)
    return images.rows_as_frame(rows, distances, None)


def _as_file(query: Any) -> bytes:
    """Return a picture in memory as a file, so that it is read as all others are."""
    if isinstance(query, np.ndarray):
        try:
            query = Image.fromarray(query)
        except TypeError as error:
            raise InputError(
                f"an array of {query.dtype}, shape {query.shape}, is no picture; pass uint8, "
                "(height, width) or (height, width, 3)"
            ) from error
    if not isinstance(query, Image.Image):
        raise InputError(
            f"query is a {type(query).__name__}; pass a path, a text, a PIL.Image or an array of "
            "its pixels"
        )
    file = io.BytesIO()
    plain = query if query.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else None
    (plain or query.convert("RGB")).save(file, "PNG")
    return file.getvalue()


def _is_file(path: str) -> bool:
    try:
        source_for(path).stat(path)
    except ImageError:
        return False
    return True


def embedder_of(
    made: Provenance | None,
    model: Any = None,
    device: str | None = None,
    precision: Precision | None = None,
) -> Embedder:
    """Load the model that is given, or that which made a frame's embeddings."""
    if model is not None:
        return load_embedder(model, device, precision or "fast")
    if made is None or made.model is None:
        return load_embedder(DEFAULT_MODEL, device, precision or "fast")
    if not made.is_named:
        raise InputError(
            f"the embeddings of this frame were made with an object, {made.model}, and this needs "
            "it to embed the query; pass it: model=…"
        )
    wanted = precision or ("exact" if made.precision == "exact" else "fast")
    try:
        return load_embedder(made.model, device, wanted)
    except ModelError as error:
        raise ModelError(
            f"the embeddings of this frame were made with {made.model}, and no other model can "
            f"embed the query: {error}"
        ) from error


_last: "tuple[weakref.ref[pl.DataFrame], SimilarImages] | None" = None


def _images_of(df: Any, path: str) -> "SimilarImages":
    """Return the images of a frame, with the scan of the last call if the frame is the same."""
    global _last
    frame = to_polars(df)
    last = _last
    if last is not None and last[0]() is frame:
        images = last[1].of(frame, path)
        if images is not None:
            return images
    # A clone, so that the frame itself is freed when its owner drops it.
    images = SimilarImages(frame.clone())
    if frame is df:
        _last = weakref.ref(df, _forget), images
    return images


def _forget(frame: "weakref.ref[pl.DataFrame]") -> None:
    """Drop the images of a frame that was freed."""
    global _last
    if _last is not None and _last[0] is frame:
        _last = None


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
    def made(self) -> Provenance | None:
        """How the embeddings were made, where the frame says so."""
        return of_one_model(provenances(self._frame), "telling what is similar")

    @cached_property
    def compared(self) -> ComparedPictures | None:
        """What is known from laying pictures over each other; None if only vectors are known."""
        return compared_pictures(self._frame, provenances(self._frame))

    @cached_property
    def _scan(self) -> Scan:
        self.made  # noqa: B018 - raises where vectors cannot be compared
        return Scan(self._frame["embedding"].drop_nulls())

    def of(self, frame: pl.DataFrame, path: str) -> "SimilarImages | None":
        """Return the same for a frame that may have been changed in place since.

        Returns None if it has other embeddings, or this path in another row.
        """
        paths = frame.get_column(self._path, default=None)
        row = self.row_of.get(path)
        address = _address(frame)
        if paths is None or address is None or address != _address(self._frame):
            return None
        if len(paths) != len(self._frame):
            return None
        if paths[row] != path if row is not None else not paths.equals(self._frame[self._path]):
            return None
        same = copy(self)
        same._frame = frame.clone()
        if frame.schema != self._frame.schema:
            vars(same).pop("compared", None)
        return same

    def frame(self, path: str, k: int) -> pl.DataFrame:
        """Return the rows nearest to an image of the frame, itself left out."""
        if path not in self.row_of:
            raise InputError(f"{path!r} is not in this frame")
        row = self.row_of[path]
        return self.rows_as_frame(*self.rows(row, k), row)

    def rows(self, row: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row numbers and distances of the nearest to a row, itself left out.

        Confirmed copies come first, those that its vector misses too.
        """
        at = int(np.searchsorted(self._with_vector, row))
        if at == len(self._with_vector) or self._with_vector[at] != row:
            path = self._frame[self._path][row]
            raise InputError(f"{path} has no embedding, so nothing is similar to it")
        found, distances = self._scan.nearest_to_row(at, k)
        rows = self._with_vector[found]
        return (
            (rows, distances) if self.compared is None else self._decided(row, rows, distances, k)
        )

    def _decided(
        self, row: int, rows: np.ndarray, distances: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k nearest to a row by its copies, and else by its nearest by their vectors."""
        assert self.compared is not None
        missed = np.setdiff1d(self.compared.copies(row), rows)
        rows = np.append(rows, missed)
        by_vectors = np.append(distances, np.ones(len(missed)))
        distances = self.compared.decide(np.full(len(rows), row), rows, by_vectors)
        # At one distance a pair that was confirmed itself comes before one that follows from
        # others; of those beyond the boundary vectors still say which is nearer.
        picture, pairs = self.compared.picture, self.compared.pairs
        follows = ~np.isin(picture[rows], pairs.of(int(picture[row]))[0])
        then = np.where(distances < pairs.boundary, follows, by_vectors)
        first = np.lexsort((rows, then, distances))[:k]
        return rows[first], distances[first].astype(np.float32)

    def relations(self, rows: np.ndarray, row: int) -> list[str | None]:
        """Return what some rows are of a row, in words; None where nothing is known of the pair."""
        compared = self.compared
        if compared is None:
            return [None] * len(rows)
        own, others = compared.picture[row], compared.picture[rows]
        copies = np.isin(rows, compared.copies(row))
        words = compared.of_pairs(rows, np.full(len(rows), row))["words"].to_list()
        for i in range(len(words)):
            if words[i] is None and copies[i]:
                words[i] = EXACT if others[i] == own else NEAR
        return words

    def distances(self, row: int, others: np.ndarray) -> np.ndarray:
        """Return how far some rows are from a row, as :meth:`rows` has it; NaN where unknown."""
        vectors = self._frame["embedding"].gather([row, *others.tolist()])
        known = vectors.is_not_null().to_numpy()
        distances = np.full(len(others), np.nan)
        if known[0] and known[1:].any():
            unit = np.stack(vectors.drop_nulls().to_list()).astype(np.float64)
            unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
            distances[known[1:]] = np.clip(1 - unit[1:] @ unit[0], 0, 1)
        if self.compared is None:
            return distances
        decided = self.compared.decide(
            np.full(len(others), row), others, np.nan_to_num(distances, nan=1)
        )
        return np.where(known[1:] & known[0], decided, np.nan)

    def nearest(self, vector: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row numbers and cosine distances of the nearest to a vector, (d,)."""
        found, distances = self._scan.search(vector, k)
        return self._with_vector[found], distances

    def rows_as_frame(
        self, rows: np.ndarray, distances: np.ndarray, of: int | None
    ) -> pl.DataFrame:
        """Return rows of the frame with what they are to the query.

        Parameters
        ----------
        rows, distances
            (m,), the rows and how far away they are.
        of
            The row that was asked for; None for what is no row.
        """
        found = self._frame[rows].with_columns(
            pl.Series("distance", distances.astype(np.float32), dtype=pl.Float32)
        )
        if self.compared is None:
            return found
        names = ["relation", "agreement"]
        if of is None:
            nothing = (pl.lit(None, OF_PAIR[name]).alias(name) for name in names)
            return found.with_columns(nothing)
        pairs = self.compared.of_pairs(rows, np.full(len(rows), of))
        return found.with_columns(pairs.select(names))


def _address(frame: pl.DataFrame) -> int | None:
    """Return the address of the embeddings in memory; None if they are not one array of numbers."""
    if "embedding" not in frame.columns or not isinstance(frame.schema["embedding"], pl.Array):
        return None
    try:
        numbers = frame["embedding"].to_numpy(allow_copy=False)
    except RuntimeError:  # several chunks, nulls
        return None
    return int(numbers.__array_interface__["data"][0])
