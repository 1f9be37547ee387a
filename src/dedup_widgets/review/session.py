"""A whole review without a screen: of anything that can be scored, to a dataset and a report."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.dataset.create import create_dataset
from dedup_widgets.dataset.result import Dataset
from dedup_widgets.dataset.spec import usual_split_column
from dedup_widgets.errors import InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.table import is_frame, to_polars
from dedup_widgets.models.base import DEFAULT_MODEL, Precision
from dedup_widgets.planning.labels import merge_labels
from dedup_widgets.planning.left_out import left_out, one_of_each
from dedup_widgets.review.deciding import decides
from dedup_widgets.review.filling import follow_job
from dedup_widgets.review.report import MOST_GROUPS, report
from dedup_widgets.review.review import Review
from dedup_widgets.review.steps import Mask
from dedup_widgets.review.watched import Change
from dedup_widgets.scale.parts import Run
from dedup_widgets.scale.score import score as score_images
from dedup_widgets.scoring.add_scores import add_scores
from dedup_widgets.scoring.job import Job
from dedup_widgets.store.open import Store, open_store


class Session(Review):
    """A whole review without a screen; :class:`dedup_widgets.Explorer` is a screen over one.

    Parameters
    ----------
    data
        A frame of :func:`dedup_widgets.score`; any other Polars, pandas or pyarrow table with a
        column of paths; or what ``score`` accepts: a directory, a glob, a list of paths. Missing
        scores are computed, from the ``embedding`` column where the frame has one, else from the
        images. Or a :class:`dedup_widgets.Job`, of which it shows what is scored so far; or a run
        of :func:`dedup_widgets.scale.open`, of which it shows the images in groups where all would
        be more than a million.
    path
        The column of paths.
    score
        The column of uniqueness.
    model, device, precision
        Model to score with, if that is needed, and how it runs; see :func:`dedup_widgets.score`.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; images are grouped anew at it.
        Default: the one that the frame was scored with.
    label, split
        The columns of labels and of splits, whose disagreements within groups are counted and can
        be filtered by. Default: the columns ``label`` and ``split``, if there are any.
    store
        Where thumbnails, scores, decisions and collections are kept; see
        :func:`dedup_widgets.score`.
    progress
        Whether scoring shows a progress bar.
    restore
        Whether to go on with the last review of the same images, from its boundary to its undo, as
        the library has it. In either case each step is kept there as it is made.

    Attributes
    ----------
    collections : Collections
        The named collections of the library, as this frame sees them: a mapping.

    Raises
    ------
    InputError
        When data is no table, or lacks a column; the message lists those there are.
    ModelError
        When scores are needed and the model cannot be loaded.

    Notes
    -----
    One session can be used from several threads. :meth:`watch` calls back after each change.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> review = dw.Session("photos/", model="efficientnet-lite0")  # doctest: +SKIP
    >>> review.filters = {"uniqueness": (0, 0)}  # doctest: +SKIP
    >>> review.accept_plan("Unique")  # doctest: +SKIP
    >>> review.create_dataset("Unique", "clean-v1")  # doctest: +SKIP
    """

    def __init__(
        self,
        data: Any,
        *,
        path: str = "path",
        score: str = "uniqueness",
        model: Any = DEFAULT_MODEL,
        device: str | None = None,
        precision: Precision = "fast",
        near: float | None = None,
        label: str | None = None,
        split: str | None = None,
        store: "str | os.PathLike[str] | Store | None" = None,
        progress: bool = True,
        restore: bool = False,
    ) -> None:
        is_job = isinstance(data, Job)
        store = data.store if is_job and store is None else open_store(store)
        run = partial(
            score_images,
            model=model,
            near=near,
            store=store,
            device=device,
            precision=precision,
            progress=progress,
        )
        super().__init__(
            _with_scores(data, path, score, near, run),
            path=path,
            score=score,
            near=near,
            label=label,
            split=split,
            store=store,
            restore=restore,
        )
        self._scoring = ""
        if is_job and not data.done:
            follow_job(data, self)

    # The job that it is of

    @property
    def scoring(self) -> str:
        """How far the job is that scores the images, in words; nothing once it has ended."""
        return self._scoring

    @scoring.setter
    def scoring(self, text: str) -> None:
        with self.lock:
            before, self._scoring = self._scoring, text
            if text != before:
                self.tell(Change("scoring", before, text))

    # From the plan to a dataset

    def accepted(self, shown: Mask) -> Mask:
        """Return what goes when the plan is accepted with these rows in view."""
        removed: Mask = (self._require_plan()["action"] == "remove").to_numpy()
        goes: Mask = shown & removed
        if self.score is None:
            return goes
        is_copy = (self.known["uniqueness"] == 0).fill_null(False).to_numpy()
        band = self.bands.band
        with_near = np.zeros(len(self.bands.keeper), np.bool_)
        with_near[band[goes & ~is_copy]] = True
        copies: Mask = removed & is_copy & with_near[band]
        return goes | copies

    def without_copies(self, what: Any) -> tuple[pl.DataFrame, bool]:
        """Return images without their exact copies, and whether some are left by decision.

        Of a file with several names one stays. Of the copies of one picture, those stay that stay
        under the plan; where none does, the best keeper of them.
        """
        following = self._planned.following
        mask = following.without_further(self.mask(self.images(what)))
        stay = one_of_each(mask, following.picture, self._plan)
        pictures = following.shown[stay & self._readable]
        return self.frame.filter(stay), len(np.unique(pictures)) < len(pictures)

    def left_out(self, what: Any) -> pl.DataFrame:
        """Return what a dataset of these images leaves out, and why: for ``removed=…``."""
        return left_out(self.frame, self._plan, self.images(what)[self.path], self.path)

    def images(self, what: Any) -> pl.DataFrame:
        """Return the rows that a collection, its name, a frame, paths or a mask stand for."""
        if isinstance(what, str) and what in self.collections:
            what = self.collections[what]
        return self.frame.filter(self.mask(what.paths if isinstance(what, Collection) else what))

    @decides
    def accept_plan(self, name: str = "Unique") -> Collection:
        """Select what the plan removes of the images in view, and collect all that stays.

        With near-duplicates go the exact copies of their groups, whether in view or not.

        Parameters
        ----------
        name
            Of the collection: every readable image of :attr:`frame` that is not selected then.
        """
        with self.changing():
            self.select(self.accepted(self.view_mask()))
            self.collections[name] = self.rest_mask
            return self.collections[name]

    def create_dataset(
        self,
        what: Any,
        name: str,
        *,
        merge: Sequence[str] = (),
        allow_duplicates: bool = False,
        **options: Any,
    ) -> Dataset:
        """Write images as a dataset, with the plan's reasons for what is left out.

        Parameters
        ----------
        what
            The name of a collection, a collection, a frame, paths, or a mask over the rows.
        name
            Of the dataset.
        merge
            Columns of labels or tags that are carried over from duplicates that are left out to
            their keepers; see :func:`dedup_widgets.merge_labels`.
        allow_duplicates
            Whether exact duplicates may be in the dataset. If not, one copy of each picture is;
            those that were chosen by hand to stay beside each other all are.
        options
            As for :func:`dedup_widgets.create_dataset`.
        """
        rows = self.images(what)
        if not allow_duplicates:
            rows, allow_duplicates = self.without_copies(rows)
        options.setdefault("removed", self.left_out(rows))
        options = {**self.columns_of_dataset(rows, options), **options}
        if merge and self._plan is not None:
            stays = rows[self.path].implode()
            removed = self._plan.filter(~pl.col("path").is_in(stays))
            named = self.frame.select(path=pl.col(self.path), **{c: pl.col(c) for c in merge})
            merged = merge_labels(named, removed, list(merge))
            rows = self.frame.with_columns(merged[c] for c in merge).filter(
                pl.col(self.path).is_in(stays)
            )
        return create_dataset(
            rows, name, path=self.path, allow_duplicates=allow_duplicates, **options
        )

    def report(self, path: str | os.PathLike[str], *, groups: int = MOST_GROUPS) -> Path:
        """Write the review as one HTML file that works offline, with the pictures in it.

        Parameters
        ----------
        path
            Where to write, such as ``"report.html"``; a file that is there is replaced.
        groups
            How many groups are shown; all are counted.

        Returns
        -------
        Path
            The file.
        """
        return report(self, path, groups=groups)

    def columns_of_dataset(
        self, rows: pl.DataFrame, options: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return the columns of splits and of classes that a dataset of these rows goes by."""
        columns = {}
        if self.split and not {"split", "split_column"} & options.keys():
            readable = rows.filter(pl.col("error").is_null()) if "error" in rows.columns else rows
            if (column := usual_split_column(readable, self.split)) is not None:
                columns["split_column"] = column
            else:
                columns["split"] = "train"
        if self.label not in (None, "label") and "label_column" not in options:
            columns["label_column"] = self.label
        return columns

    @property
    def mergeable(self) -> list[str]:
        """The columns of labels and tags: that of labels, and those of lists of words."""
        tags = [name for name, dtype in self.frame.schema.items() if dtype == pl.List(pl.String)]
        return [self.label, *(t for t in tags if t != self.label)] if self.label else tags


def _with_scores(
    data: Any, path: str, score: str, near: float | None, run: Callable[[Any], pl.DataFrame]
) -> pl.DataFrame:
    """Return a frame with scores of what a :class:`Session` is made of.

    Parameters
    ----------
    data
        A frame, a job, a run of jobs, or what ``run`` takes.
    path, score
        The columns of paths and of uniqueness.
    near
        The boundary at which vectors of the frame are grouped; None for its own.
    run
        Scores what has no scores yet.
    """
    if isinstance(data, Run):
        data = data.to_review()
    if is_frame(data):
        frame = to_polars(data)
        if score in frame.columns:
            return frame
        return add_scores(frame, path, near, run).rename({"uniqueness": score})
    if path != "path" or score != "uniqueness":
        raise InputError("path and score name columns of a frame; data is none")
    return data.all_so_far() if isinstance(data, Job) else run(data)
