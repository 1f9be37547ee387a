"""From images to a frame of scores.

The only module that runs the whole line; each step is a plain function of another module.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import dedup_widgets.keepers as keepers
from dedup_widgets.embedding import DEFAULT_MODEL, Embedder, gamma, load_embedder
from dedup_widgets.errors import InputError, ModelError
from dedup_widgets.frames import checked_paths, is_frame, require_columns, to_polars
from dedup_widgets.pipeline import describe
from dedup_widgets.sources import LocalFiles, absolute, find_images
from dedup_widgets.store import FileRecord, Store, open_store, store_path
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
    batch_size: int | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> pl.DataFrame:
    """Score every image by how unlike the others it is, and suggest what to keep.

    What was computed before is taken from the store: a second call on the same folder embeds
    nothing, and an interrupted one goes on from where it was.

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
        Torch device, such as ``"cuda"``; default: the fastest there is.
    batch_size
        Images a pass of the network; default 32.
    workers
        Threads that read and decode; default: one a processor core.
    progress
        Whether to show a progress bar with images a second.

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
    uniqueness : The same rules for vectors of your own.
    """
    near = 0.05 if near is None else near
    if not (isinstance(near, int | float) and 0 <= near <= 1):
        raise InputError(f"near is {near!r}; it must lie in [0, 1], on the uniqueness scale")
    batch_size = _positive("batch_size", batch_size, 32)
    workers = _positive("workers", workers, os.cpu_count() or 1)
    keepers.check(keep)
    given, paths = _paths(images)
    _refuse_store_among_images(store, images, paths)
    memory = open_store(store)
    embedder = load_embedder(model, device)
    records, embeddings = describe(
        [absolute(path) for path in paths],
        *(embedder, memory, LocalFiles(), batch_size, workers, progress),
    )
    _check_lengths(embeddings, embedder)
    scored = assemble(paths, records, embeddings, near, gamma(embedder.near_distance), keep, given)
    return scored if given is None else scored.hstack(given)


def _positive(name: str, value: int | None, default: int) -> int:
    if value is None:
        return default
    if value < 1:
        raise InputError(f"{name} is {value}; it must be at least 1")
    return value


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


def _check_lengths(embeddings: dict[str, np.ndarray], embedder: Embedder) -> None:
    lengths = sorted({vector.size for vector in embeddings.values()})
    if len(lengths) > 1:
        raise ModelError(
            f"model {embedder.name!r} gave vectors of different lengths, {lengths[0]} and "
            f"{lengths[-1]}, now or in an earlier run; if the model changed, give it another key"
        )


def _refuse_store_among_images(
    store: "str | os.PathLike[str] | Store | None", images: Any, paths: Sequence[str]
) -> None:
    path = store_path(store).resolve()
    folder = path.parent
    among = any(Path(absolute(image)).parent == folder for image in paths)
    if isinstance(images, str | os.PathLike) and (given := Path(images).expanduser()).is_dir():
        among = among or path.is_relative_to(given.resolve())
    if among:
        raise InputError(
            f"the store {path} would lie inside the image folder, which dedup_widgets never "
            "writes to; choose a place outside it"
        )


def assemble(
    paths: Sequence[str],
    records: Sequence[FileRecord],
    embeddings: dict[str, np.ndarray],
    near: float,
    gamma: float,
    keep: Sequence[str | keepers.Rule],
    given: pl.DataFrame | None,
) -> pl.DataFrame:
    """Score what was read and lay it out as the frame that :func:`score` describes.

    The columns that were given count for keeper rules only.
    """
    readable = np.array([record.error is None for record in records], dtype=bool)
    facts = pl.DataFrame(
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
    seen = facts.filter(readable)
    matrix = _matrix(seen["fingerprint"].to_list(), embeddings)
    scores = uniqueness(
        matrix,
        fingerprints=seen["fingerprint"].to_list(),
        near=near,
        gamma=gamma,
        rank=keepers.rank(seen if given is None else seen.hstack(given.filter(readable)), keep),
    ).with_columns(
        pl.lit(seen["path"]).gather(pl.col("nearest")).alias("nearest")
        if len(seen)
        else pl.lit(None, pl.String).alias("nearest"),
        embedding=pl.Series(matrix, dtype=pl.Array(pl.Float16, matrix.shape[1])),
        row=pl.Series(np.flatnonzero(readable), dtype=pl.UInt32),
    )
    return (
        facts.with_row_index("row")
        .join(scores, on="row", how="left", maintain_order="left")
        .with_columns(**SHAPE)
        .select("path", *SCORE_COLUMNS, *FACT_TYPES, *SHAPE, "fingerprint", "error", "embedding")
    )


def _matrix(fingerprints: Sequence[str], embeddings: dict[str, np.ndarray]) -> np.ndarray:
    """Return the embedding of each image, (n, d) float16."""
    if not fingerprints:
        return np.empty((0, 0), np.float16)
    return np.stack([embeddings[fingerprint] for fingerprint in fingerprints])


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
