"""From images to a frame of scores.

The only module that runs the whole line; each step is a plain function of another module.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.keepers as keepers
from dedup_widgets.embedding import (
    DEFAULT_MODEL,
    Embedder,
    Precision,
    check_precision,
    gamma,
    load_embedder,
)
from dedup_widgets.errors import InputError
from dedup_widgets.frames import checked_paths, is_frame, require_columns, to_polars
from dedup_widgets.pipeline import Described, describe, recall
from dedup_widgets.progress import Progress
from dedup_widgets.searches import compare_remembering
from dedup_widgets.sources import LocalFiles, absolute, find_images
from dedup_widgets.store import FileRecord, Store, open_store, store_path
from dedup_widgets.threads import processors
from dedup_widgets.uniqueness import NEAR, uniqueness

SCORE_COLUMNS = ("uniqueness", "kind", "group", "keep", "nearest", "distance")
FACT_TYPES = {
    "width": pl.UInt32,
    "height": pl.UInt32,
    "bytes": pl.UInt64,
    "format": pl.String,
    "mode": pl.String,
    "frames": pl.UInt32,
    "lossless": pl.Boolean,
    "exif": pl.Boolean,
    "brightness": pl.Float32,
    "contrast": pl.Float32,
    "sharpness": pl.Float32,
}
SHAPE = {
    "aspect_ratio": (pl.col("width") / pl.col("height")).cast(pl.Float32),
    "area": pl.col("width").cast(pl.UInt64) * pl.col("height"),
}


def score(
    images: Any,
    *,
    model: Any = DEFAULT_MODEL,
    near: float | None = None,
    keep: Sequence[str | keepers.Rule] = keepers.DEFAULT,
    store: "str | os.PathLike[str] | Store | None" = None,
    device: str | None = None,
    precision: Precision = "fast",
    batch_size: int | None = None,
    workers: int | None = None,
    progress: Progress = True,
) -> pl.DataFrame:
    """Score every image by how unlike the others it is, and suggest what to keep.

    What was computed before is taken from the store: a second call on the same folder embeds
    nothing, one after m images came in embeds and compares m, and an interrupted one goes on from
    where it was.

    Parameters
    ----------
    images
        A directory (searched through all its folders), a glob, a list of paths, or a frame with
        a ``path`` column, whose other columns pass through.
    model
        ``"clip-ViT-B-32"`` or any other name or local folder that sentence-transformers loads,
        ``"efficientnet-lite0"``, or an object with ``encode(list[PIL.Image]) -> array``.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; default 0.05.
    keep
        Keeper rules, strongest first: names of :data:`dedup_widgets.keepers.RULES`, or rules made
        by :func:`dedup_widgets.keepers.prefer` and its like, which may look at other columns of a
        frame that is given.
    store
        The SQLite file to remember in; default: ``DEDUP_WIDGETS_STORE``, or the user's cache.
    device
        Torch device, such as ``"cuda"``, that embeds and compares; default: the fastest there is.
    precision
        ``"fast"``: the network in its fastest faithful form, at a cosine of 0.999 or more to the
        reference; ``"exact"``: just as the reference computes it.
    batch_size
        Images a pass of the network; default 32.
    workers
        Threads that read and decode; default: one a processor core.
    progress
        Whether to show a progress bar with images a second, or a function that is told how many
        steps are done and how many there are, of reading first and then of comparing. What it
        raises stops the work; what was done by then is kept.

    Returns
    -------
    pl.DataFrame
        One row an image, in the order given, or found (sorted by path):

        ``path``, ``uniqueness`` (Float32, [0, 1], 0 exactly for what can go as an exact duplicate,
        higher is more unique), ``kind`` (exact, near, unique), ``group``, ``keep``, ``nearest``
        (path of the image that decided the score) and its cosine ``distance`` (Float32, [0, 1]),
        the facts of the file, the quality metrics (``brightness`` [0, 1], ``contrast`` [0, 0.5],
        ``sharpness`` [0, 1,040,400], see :mod:`dedup_widgets.quality`; ``aspect_ratio``, width by
        height; ``area``, pixels; ``bytes``), ``fingerprint`` (32 hex digits), ``error`` (why it
        could not be read; its scores are then null), ``embedding`` (Array(Float16, d), unit
        vector), and the other columns of a frame that was given.

    Raises
    ------
    InputError
        When there is nothing such as ``images`` describes, or an argument is out of range.
    ModelError
        When the model cannot be loaded; no other one is taken in its place.
    StoreError
        When the store cannot be opened or written.

    See Also
    --------
    score_async : The same in the background.
    uniqueness : The same rules for vectors of your own.
    """
    order = prepare(
        images,
        model=model,
        near=near,
        keep=keep,
        store=store,
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
    )
    embedder = order.load()
    return order.frame(order.describe(embedder, progress), embedder, progress)


@dataclass(frozen=True)
class Order:
    """What is to be scored and how, checked, with nothing done yet.

    Attributes
    ----------
    paths
        As they stand in the frame.
    given
        The other columns of a frame that was given.
    near, keep, store, model, device, precision, batch_size, workers
        As :func:`score` takes them, with its defaults filled in.
    """

    paths: list[str]
    given: pl.DataFrame | None
    near: float
    keep: Sequence[str | keepers.Rule]
    store: Store
    model: Any
    device: str | None
    precision: Precision
    batch_size: int
    workers: int

    def load(self) -> Embedder:
        """Load the model."""
        return load_embedder(self.model, self.device, self.precision)

    def describe(self, embedder: Embedder, progress: Progress) -> Described:
        """Read, embed and remember what the store does not know yet."""
        files = [absolute(path) for path in self.paths]
        return describe(
            *(files, embedder, self.store, LocalFiles()),
            *(self.batch_size, self.workers, progress),
        )

    def recall(self, embedder: Embedder) -> Described:
        """Return what the store knows by now."""
        files = [absolute(path) for path in self.paths]
        return recall(files, embedder, self.store, LocalFiles(), self.workers)

    def frame(
        self, described: Described, embedder: Embedder, progress: Progress = False
    ) -> pl.DataFrame:
        """Score what was described, and lay it out as :func:`score` does."""
        paths, given = self.paths, self.given
        if len(described.records) < len(paths):
            known = {record.entry.path for record in described.records}
            rows = [row for row, path in enumerate(paths) if absolute(path) in known]
            paths = [paths[row] for row in rows]
            given = None if given is None else given[rows]
        facts = _facts(paths, described.records)
        readable = facts["error"].is_null()
        seen = facts.filter(readable)
        prints = seen["fingerprint"].to_list()
        vectors = described.embeddings[[described.row_of[fingerprint] for fingerprint in prints]]
        scores = compare_remembering(
            self.store if embedder.persistent else None,
            embedder.key,
            vectors,
            fingerprints=prints,
            rank=keepers.rank(
                seen if given is None else seen.hstack(given.filter(readable)), self.keep
            ),
            near=self.near,
            gamma=gamma(embedder.near_distance),
            device=self.device,
            progress=progress,
        )
        scored = _laid_out(facts, readable, scores, vectors)
        return scored if given is None else scored.hstack(given)


def prepare(
    images: Any,
    *,
    model: Any = DEFAULT_MODEL,
    near: float | None = None,
    keep: Sequence[str | keepers.Rule] = keepers.DEFAULT,
    store: "str | os.PathLike[str] | Store | None" = None,
    device: str | None = None,
    precision: Precision = "fast",
    batch_size: int | None = None,
    workers: int | None = None,
) -> Order:
    """Check the arguments of :func:`score`, and find the images, before any work."""
    near = NEAR if near is None else near
    if not (isinstance(near, int | float) and 0 <= near <= 1):
        raise InputError(f"near is {near!r}; it must lie in [0, 1], on the uniqueness scale")
    check_precision(precision)
    batch_size = _positive("batch_size", batch_size, 32)
    workers = _positive("workers", workers, processors())
    given, paths = _paths(images)
    _check_rules(keep, given)
    _refuse_store_among_images(store, images, paths)
    if not isinstance(model, str | os.PathLike):
        model = load_embedder(model, device, precision)
    return Order(
        *(paths, given, near, keep, open_store(store)),
        *(model, device, precision, batch_size, workers),
    )


def _positive(name: str, value: int | None, default: int) -> int:
    if value is None:
        return default
    if value < 1:
        raise InputError(f"{name} is {value}; it must be at least 1")
    return value


def _check_rules(keep: Sequence[str | keepers.Rule], given: pl.DataFrame | None) -> None:
    """Refuse rules that could not be applied, before hours are spent on what they rank."""
    facts = _facts([], [])
    keepers.rank(facts if given is None else facts.hstack(given.clear()), keep)


def _paths(images: Any) -> tuple[pl.DataFrame | None, list[str]]:
    """Return the other columns of a frame, if one was given, and the paths to score."""
    if is_frame(images):
        frame = to_polars(images)
        return without_scores(frame.drop("path", strict=False)), checked_paths(frame)
    return None, find_images(images)


def without_scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that are the user's own, without those of an earlier score.

    Raises
    ------
    InputError
        When there was no earlier score, and a column has a name that scoring needs.
    """
    ours = [*SCORE_COLUMNS, *FACT_TYPES, *SHAPE, "fingerprint", "error", "embedding"]
    clash = [name for name in frame.columns if name in ours]
    if clash and not {"uniqueness", "kind", "keep"} <= set(frame.columns):
        raise InputError(
            f"scoring makes columns that this frame has already: {', '.join(map(repr, clash))}; "
            f"rename them: frame.rename({{{clash[0]!r}: 'my_{clash[0]}'}})"
        )
    return frame.drop(clash)


def _refuse_store_among_images(
    store: "str | os.PathLike[str] | Store | None", images: Any, paths: Sequence[str]
) -> None:
    path = store_path(store).resolve()
    # Names, for a Path each of a million images takes ten seconds.
    among = str(path.parent) in {os.path.dirname(absolute(image)) for image in paths}  # noqa: PTH120
    if isinstance(images, str | os.PathLike) and (given := Path(images).expanduser()).is_dir():
        among = among or path.is_relative_to(given.resolve())
    if among:
        raise InputError(
            f"the store {path} would lie inside the image folder, which dedup_widgets never "
            "writes to; choose a place outside it"
        )


def _laid_out(
    facts: pl.DataFrame, readable: pl.Series, scores: pl.DataFrame, vectors: NDArray[np.float16]
) -> pl.DataFrame:
    """Return the columns of a score, with nulls where a file is not readable."""
    seen = facts["path"].filter(readable)
    scores = scores.with_columns(
        pl.lit(seen).gather(pl.col("nearest")).alias("nearest")
        if len(seen)
        else pl.lit(None, pl.String).alias("nearest"),
        embedding=pl.Series(vectors, dtype=pl.Array(pl.Float16, vectors.shape[1])),
        row=readable.arg_true(),
    )
    return (
        facts.with_row_index("row")
        .join(scores, on="row", how="left", maintain_order="left")
        .with_columns(**SHAPE)
        .select("path", *SCORE_COLUMNS, *FACT_TYPES, *SHAPE, "fingerprint", "error", "embedding")
    )


def _facts(paths: Sequence[str], records: Sequence[FileRecord]) -> pl.DataFrame:
    """Return what is known of each file."""
    return pl.DataFrame(
        {
            "path": pl.Series(paths, dtype=pl.String),
            **{
                name: pl.Series([getattr(r.facts, name, None) for r in records], dtype=dtype)
                for name, dtype in FACT_TYPES.items()
            },
            "fingerprint": pl.Series([r.fingerprint for r in records], dtype=pl.String),
            "error": pl.Series([record.error for record in records], dtype=pl.String),
        }
    )


def add_scores(
    frame: pl.DataFrame, path: str, near: float | None, run: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Add the columns of a score to a frame that lacks them.

    Parameters
    ----------
    frame, path
        A frame, and its column of paths.
    near
        As for :func:`score`.
    run
        Scores the images of a frame; called unless the frame has a column ``embedding``.
    """
    require_columns(frame, [path], "Explorer")
    if "embedding" not in frame.columns:
        own = without_scores(frame)
        scored = run(frame.select(path=pl.col(path)))
        return own.hstack(scored.drop("path"))
    has_vector = frame["embedding"].is_not_null()
    part = frame.filter(has_vector)
    prints = part["fingerprint"].to_list() if "fingerprint" in frame.columns else None
    scores = uniqueness(
        part["embedding"], fingerprints=prints, near=NEAR if near is None else near
    ).with_columns(nearest=pl.lit(part[path]).gather(pl.col("nearest")), row=has_vector.arg_true())
    scored = (
        frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
        .join(scores, on="row", how="left", maintain_order="left")
        .drop("row")
    )
    return frame.drop(scored.columns, strict=False).hstack(scored)
