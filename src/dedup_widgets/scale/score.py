"""From images to a frame of scores: here at once, or by jobs over a work folder."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import polars as pl

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._progress import Progress
from dedup_widgets.errors import InputError
from dedup_widgets.images.decode import Decoding
from dedup_widgets.models.base import DEFAULT_MODEL, Precision
from dedup_widgets.scale.jobs import Engine
from dedup_widgets.scale.manifest import were_pictures
from dedup_widgets.scale.over import score_over
from dedup_widgets.scale.parts import Run
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.inputs import Labels
from dedup_widgets.scoring.task import ScoringTask, plan_scoring
from dedup_widgets.store.open import Store


def score(
    images: Any,
    *,
    model: Any = DEFAULT_MODEL,
    near: float | None = None,
    keep: Sequence[str | keepers.Rule] = keepers.DEFAULT,
    store: "str | os.PathLike[str] | Store | None" = None,
    device: str | None = None,
    precision: Precision = "fast",
    decoding: Decoding = "full",
    batch_size: int | None = None,
    workers: int | None = None,
    labels: Labels = "auto",
    exclude: Sequence[str] = (),
    against: Any = None,
    within: str | None = None,
    work: "str | os.PathLike[str] | None" = None,
    engine: Engine | None = None,
    progress: Progress = True,
) -> pl.DataFrame:
    """Score every image by how unlike the others it is, and suggest what to keep.

    Vectors propose pairs that may be copies, and the pictures themselves decide: a pair is called
    near-duplicate only if the two were laid over each other and agree.

    What was computed before is taken from the store: a second call on the same folder embeds
    nothing, one after m images came in embeds and compares m, and an interrupted one goes on from
    where it was.

    Parameters
    ----------
    images
        A directory (searched through all its folders), a glob, a list of paths and folders, or a
        frame with a ``path`` column, whose other columns pass through; or a file that holds one
        (``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``, ``.json``) or a list of paths, one a line
        (``.txt``), whose names are looked for beside it first; or a dataset of `datasets` whose
        pictures are files.
    model
        ``"clip-ViT-B-32"`` or any other name or local folder that sentence-transformers loads,
        ``"efficientnet-lite0"``, ``"perceptual"`` (no weights, no network), or an object with
        ``encode(list[PIL.Image]) -> array``.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; default 0.05.
    keep
        Keeper rules, strongest first: names of :data:`dedup_widgets.keepers.RULES`, or rules made
        by :func:`dedup_widgets.keepers.prefer` and its like, which may look at other columns of a
        frame that is given.
    store
        One place to remember in, for the cache of what is computed and the library of what a
        person decides: a folder, or the cache's file, beside which the library lies
        (``mine.sqlite``, ``mine.library.sqlite``). Default: where ``DEDUP_WIDGETS_STORE`` says,
        or the user's cache folder and data folder.
    device
        Torch device, such as ``"cuda"``, that embeds and compares; default: the fastest there is.
    precision
        ``"fast"``: the network in its fastest faithful form, at a cosine of 0.999 or more to the
        reference; ``"exact"``: just as the reference computes it.
    decoding
        ``"full"``: every pixel of every file. ``"reduced"``: JPEGs of about 2 megapixels and more
        are decoded at a half to an eighth of their sides, which takes less than half of the time.
        Of these only files whose compressed pictures are the same, whatever their metadata, are
        exact duplicates; all other copies are near-duplicates. Their ``detail`` is null; where
        it may decide between two copies, these are decoded in full after all.
    batch_size
        Images a pass of the network; default 32.
    workers
        Threads that read and decode, and at most so many processes that compare pictures; default:
        one a processor core.
    labels
        What the names of folders mean. ``"auto"``: splits and classes where the tree is clear, as
        in ``train/cat/1.jpg`` or ``cat/1.jpg``, which become columns ``split`` and ``label``;
        ``"folders"``: the last folder is the label in any case; None: nothing.
    exclude
        Patterns of what in folders is left out, such as ``["thumbs", "*.gif", "2019/export/*"]``.
    against
        An older set, given as `images` are: new images are compared with these and with each other,
        old ones never with old ones. Its images come after the new ones, and a column ``role``
        says ``"new"`` or ``"old"``. Old images are preferred as keepers and none of them goes.
        A file that is in both is an old one.
    within
        ``"folder"``, or a column of the frame: only images of the same folder or value may be
        duplicates of each other. Every part is scored as if it were alone.
    work
        A folder, or one of an object store such as ``"s3://bucket/dedup"``, in which all that is
        computed is kept in place of the store, so that several machines can work on it; see
        :func:`dedup_widgets.scale.run`. The frame is the same.
    engine
        What runs the work, such as :class:`dedup_widgets.engines.Ray`; default: this process.
    progress
        Whether to show a progress bar with images a second, or a function that is called with the
        number of steps done and in all, first of reading and then of comparing. An error that it
        raises stops the work; what was done by then is kept.

    Returns
    -------
    pl.DataFrame
        One row an image, in the order given, or found (sorted by path):

        ``path``, ``uniqueness`` (Float32, [0, 1], 0 exactly for what can go as an exact duplicate,
        higher is more unique), ``kind`` (exact, near, unique), ``group``, ``keep``, ``nearest``
        (path of the image that decided the score) and its ``distance`` (Float32, [0, 1]),
        ``relation`` and ``agreement`` (where both pictures were confirmed to be copies: what it is
        of its nearest, and the share of the larger one that agrees, Float32, [0, 1]),
        ``scored_with`` (how that was done: model, precision, gamma, near, and how many pairs of
        pictures were compared and images left out, as JSON; by it
        :func:`plan` and :func:`similar` need not be told, nor guess), the facts of the file, the
        quality metrics (``brightness`` [0, 1], ``contrast`` [0, 0.5], ``sharpness`` [0, 1,040,400],
        see :mod:`dedup_widgets.images.quality`; ``detail``, pixels that it resolves, fewer when
        enlarged or blurred, see :mod:`dedup_widgets.images.detail`; ``aspect_ratio``, width by
        height; ``area``, pixels; ``bytes``; ``completeness``, [0, 1], lower for what is cropped,
        framed or covered), ``fingerprint`` (32 hex digits), ``error`` (why it could not be read;
        its scores are then null), ``evidence`` (the pictures that it was laid over, and what was
        found), ``embedding`` (Array(Float16, d), unit vector), and the other columns of a frame
        that was given.

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

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as store:
    ...     for name in ("a.png", "b.png"):
    ...         Image.linear_gradient("L").save(f"{folder}/{name}")
    ...     df = score(folder, model="perceptual", store=store, progress=False)
    >>> df["kind"].to_list(), df["keep"].to_list(), df["uniqueness"].to_list()
    (['exact', 'exact'], [True, False], [1.0, 0.0])
    """
    plan = partial(
        plan_scoring,
        images,
        model=model,
        near=near,
        keep=keep,
        store=store,
        device=device,
        precision=precision,
        decoding=decoding,
        batch_size=batch_size,
        workers=workers,
        labels=labels,
        exclude=exclude,
        against=against,
        within=within,
    )
    if work is not None:
        return _over(plan, work, engine, progress).collect()
    if engine is not None:
        raise InputError("an engine needs a work folder that all machines see: pass work=…")
    task = plan()
    embedder = task.load()
    return task.frame(task.describe(embedder, progress), embedder, progress)


def run(
    images: Any,
    *,
    work: "str | os.PathLike[str]",
    engine: Engine | None = None,
    progress: Progress = True,
    **settings: Any,
) -> Run:
    """Score images by jobs over a work folder, and keep the frame there, in parts.

    For more images than fit into memory as a frame. What the folder has is not made again: a run
    that was ended goes on from where it was, more images cost what is new, and another boundary or
    other keeper rules read no picture.

    Parameters
    ----------
    images, progress, settings
        As :func:`dedup_widgets.score` takes them; ``store`` is not used.
    work
        A folder that all machines see under this name, or one of an object store.
    engine
        What runs the jobs, such as :class:`dedup_widgets.engines.Ray`; default: this process.

    Returns
    -------
    Run
        Its ``frame`` and its ``near`` are lazy; an Explorer opens on it.
    """
    return _over(partial(plan_scoring, images, **settings), work, engine, progress)


def _over(
    plan: Callable[..., ScoringTask],
    work: "str | os.PathLike[str]",
    engine: Engine | None,
    progress: Progress,
) -> Run:
    folder = Work.at(work)
    # Held by nobody else, so that its paths are not held in memory for all of the run.
    return score_over(plan(were_pictures=partial(were_pictures, folder)), folder, engine, progress)
