"""The Explorer: grid, range-slider histogram and similar items over one frame."""

import os
from typing import Any

import polars as pl

from dedup_widgets.collections import Collections
from dedup_widgets.embedding import DEFAULT_MODEL
from dedup_widgets.errors import InputError
from dedup_widgets.frames import is_frame, require_columns, to_polars
from dedup_widgets.scoring import score as score_images
from dedup_widgets.scoring import without_scores
from dedup_widgets.store import Store, open_store
from dedup_widgets.uniqueness import uniqueness
from dedup_widgets.widgets.base import bundle
from dedup_widgets.widgets.image_grid import ImageGrid
from dedup_widgets.widgets.protocol import Buffers, Event, Request


class Explorer(ImageGrid):
    """See the duplicates of a set of images side by side, pick, and read the choice back.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`; any other Polars, pandas or pyarrow table with a
        column of paths; or what ``score`` accepts: a directory, a glob, a list of paths. Missing
        scores are computed, from the ``embedding`` column where the frame has one, else from the
        images.
    path
        The column of paths.
    score
        The column of uniqueness.
    model
        Model to score with, if that is needed.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1].
    store
        Where thumbnails, scores and collections are kept; see :func:`dedup_widgets.score`.
    height
        Height of the grid in CSS pixels.
    progress
        Whether scoring shows a progress bar.

    Raises
    ------
    InputError
        When data is no table, or lacks a column; the message lists those there are.
    ModelError
        When scores are needed and the model cannot be loaded.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> ex = dw.Explorer("photos/", model="efficientnet-lite0")  # doctest: +SKIP
    >>> ex.filters = {"uniqueness": (0, 0.0001)}  # doctest: +SKIP
    >>> ex.selection = ex.view.filter(~ex.view["keep"])  # doctest: +SKIP
    >>> ex.collections["Duplicates"] = ex.selection  # doctest: +SKIP
    """

    _esm = bundle("explorer")

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str = "uniqueness",
        model: Any = DEFAULT_MODEL,
        near: float = 0.05,
        store: "str | os.PathLike[str] | Store | None" = None,
        height: int = 560,
        progress: bool = True,
    ) -> None:
        store = open_store(store)

        def run(images: Any) -> pl.DataFrame:
            return score_images(images, model=model, near=near, store=store, progress=progress)

        if not is_frame(data):
            if path != "path" or score != "uniqueness":
                raise InputError("path and score name columns of a frame; data is none")
            frame = run(data)
        else:
            frame = to_polars(data)
            if score not in frame.columns:
                frame = _scored(frame, path, near, run).rename({"uniqueness": score})
        super().__init__(frame, path=path, score=score, near=near, store=store, height=height)
        self.collections = Collections(
            frame, path, store, mask=self._mask, changed=self._tell_collections
        )
        self._handlers[Request.COLLECT] = self._collect

    def _collection_sizes(self) -> list[dict[str, Any]]:
        """Return the collections that have images of this frame."""
        sizes = {name: len(collection) for name, collection in self.collections.items()}
        return [{"name": name, "size": size} for name, size in sizes.items() if size]

    def _tell_collections(self) -> None:
        self._tell(Event.COLLECTIONS, {"collections": self._collection_sizes()})

    def _collect(self, message: dict[str, Any], _in: list[Any], _out: Buffers) -> dict[str, Any]:
        with self._lock:
            selected = self._selected
        self.collections[message["name"]] = selected
        return {"collections": self._collection_sizes()}


def _scored(frame: pl.DataFrame, path: str, near: float, run: Any) -> pl.DataFrame:
    """Add the columns of a score to a frame that lacks them."""
    require_columns(frame, [path], "Explorer")
    if "embedding" not in frame.columns:
        own = without_scores(frame)
        scored = run(frame.select(path=pl.col(path)))
        return own.hstack(scored.drop("path"))
    has_vector = frame["embedding"].is_not_null()
    part = frame.filter(has_vector)
    prints = part["fingerprint"].to_list() if "fingerprint" in frame.columns else None
    scores = uniqueness(part["embedding"], fingerprints=prints, near=near).with_columns(
        nearest=pl.lit(part[path]).gather(pl.col("nearest")), row=has_vector.arg_true()
    )
    scored = (
        frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
        .join(scores, on="row", how="left", maintain_order="left")
        .drop("row")
    )
    return frame.drop(scored.columns, strict=False).hstack(scored)
