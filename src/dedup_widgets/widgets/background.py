"""Scoring in the background, with a panel that shows it."""

import os
from collections.abc import Sequence
from typing import Any

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets._progress import Progress
from dedup_widgets.images.decode import Decoding
from dedup_widgets.models.base import DEFAULT_MODEL, Precision
from dedup_widgets.scoring.inputs import Labels
from dedup_widgets.scoring.job import Job
from dedup_widgets.scoring.task import plan_scoring
from dedup_widgets.store.open import Store
from dedup_widgets.widgets.job_panel import JobPanel


def score_async(
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
    progress: Progress = True,
) -> "Job":
    """Score images in the background.

    Parameters
    ----------
    images, model, near, keep, store, device, precision, decoding, batch_size, workers,
    labels, exclude, against, within
        As :func:`dedup_widgets.score` takes them. They are checked, and the images found, before
        this returns; the model is loaded by the job.
    progress
        Whether a cell that ends with the job shows a bar, the speed and a button to cancel; or a
        function, called by the job's thread as :func:`dedup_widgets.score` calls it.

    Returns
    -------
    Job
        It runs already.

    Raises
    ------
    InputError
        When there is nothing such as `images` describes, or an argument is out of range.
    StoreError
        When the store cannot be opened.

    Examples
    --------
    >>> job = dw.score_async("photos/")  # doctest: +SKIP
    >>> dw.Explorer(job)  # what is scored so far  # doctest: +SKIP
    >>> df = job.result()  # doctest: +SKIP

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as store:
    ...     Image.linear_gradient("L").save(f"{folder}/a.png")
    ...     job = score_async(folder, model="perceptual", store=store, progress=False)
    ...     df = job.result()
    >>> job.state, len(df)
    ('done', 1)
    """
    task = plan_scoring(
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
    return Job(task, progress, JobPanel if progress is True else None)
