"""The requests of the dataset dialog: the images of a dataset, what is left out, and writing it."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dedup_widgets.dataset.annotate import annotate
from dedup_widgets.dataset.create import preview
from dedup_widgets.dataset.label_studio import Handover, LabelStudio, check_server
from dedup_widgets.errors import AnnotateError, InputError
from dedup_widgets.review.session import Session
from dedup_widgets.widgets import protocol
from dedup_widgets.widgets.base import CancelledError, Handler
from dedup_widgets.widgets.protocol import Buffers, DatasetForm
from dedup_widgets.widgets.requests.wording import for_dialog, on_screen

SECONDS_BETWEEN_NEWS = 0.1


class DatasetRequests:
    """Answers the dataset dialog of an Explorer.

    Parameters
    ----------
    session
        The review.
    report
        Reports how far an answer is to the page that sent the request: ``(request, done, total,
        text)``; raises if it was cancelled.
    roots
        Folders in which a page may make datasets; None for any.
    """

    slow: tuple[type[protocol.Request], ...] = (protocol.PreviewRequest, protocol.CreateRequest)

    def __init__(
        self,
        session: Session,
        report: Callable[[protocol.Request, int, int, str], None],
        roots: Sequence[str | os.PathLike[str]] | None = None,
    ) -> None:
        self._session, self._report = session, report
        self._roots = None if roots is None else [_resolved(root) for root in roots]

    @property
    def handlers(self) -> dict[type[protocol.Request], Handler[Any]]:
        """What answers which request."""
        return {
            protocol.PreviewRequest: for_dialog(self._preview),
            protocol.CreateRequest: for_dialog(self._create),
        }

    def _preview(
        self, request: protocol.PreviewRequest, _in: list[Any], _out: Buffers
    ) -> protocol.PreviewReply:
        wanted, session = request.dataset, self._session
        self._check_root(wanted)
        images = self._images(wanted)
        of_each, _ = session.without_copies(images)
        copies = len(images) - len(of_each)
        if not wanted.copies:
            images = of_each
        counts = preview(
            images,
            wanted.name,
            root=wanted.root,
            mode=wanted.mode,
            format=wanted.format,
            removed=session.left_out(images),
            path=session.path,
            **session.columns_of_dataset(images, _split(wanted)),
            **_split(wanted),
        )
        if wanted.annotate is not None:
            handover = Handover(
                counts.path,
                wanted.name,
                wanted.description,
                wanted.project,
                wanted.project_description,
            )
            check_server(handover, _server(wanted.annotate))
        lost = 0
        if "group" in images.columns:
            groups = session.frame["group"].drop_nulls().unique()
            lost = len(groups) - images["group"].drop_nulls().n_unique()
        return protocol.PreviewReply(
            path=str(counts.path),
            images=counts.images,
            bytes=counts.bytes,
            new_bytes=counts.new_bytes,
            free_bytes=counts.free_bytes,
            placed=dict(counts.placed),
            splits=dict(counts.splits),
            renamed=counts.renamed,
            unreadable=counts.unreadable,
            removed=counts.removed,
            copies=copies,
            companions=counts.companions,
            left_behind=counts.left_behind,
            lost_groups=lost,
        )

    def _create(
        self, request: protocol.CreateRequest, _in: list[Any], _out: Buffers
    ) -> protocol.CreateReply:
        wanted, session = request.dataset, self._session
        self._check_root(wanted)
        dataset = session.create_dataset(
            self._images(wanted),
            wanted.name,
            description=wanted.description,
            project=wanted.project or None,
            project_description=wanted.project_description,
            root=wanted.root,
            mode=wanted.mode,
            format=wanted.format,
            allow_duplicates=wanted.copies,
            merge=session.mergeable if wanted.merge else (),
            **_split(wanted),
            progress=self._progress(request, "writing"),
        )
        url, problem = None, None
        if wanted.annotate is not None:
            server = _server(wanted.annotate)
            try:
                sent = annotate(dataset, server, progress=self._progress(request, "sending"))
                url = sent.url
            except CancelledError:
                problem = "sending was stopped"
            except (AnnotateError, InputError) as error:
                problem = on_screen(str(error))
        return protocol.CreateReply(
            name=dataset.name,
            path=str(dataset.path),
            images=dataset.images,
            bytes=dataset.bytes,
            removed=dataset.removed,
            project_url=url,
            problem=problem,
        )

    def _check_root(self, wanted: DatasetForm) -> None:
        root = _resolved(wanted.root)
        if self._roots is not None and not any(root.is_relative_to(it) for it in self._roots):
            allowed = ", ".join(map(str, self._roots)) or "no folder"
            raise InputError(f"datasets may be made in {allowed} only; choose another root=")

    def _images(self, wanted: DatasetForm) -> pl.DataFrame:
        """Return the rows that a choice in the dialog stands for."""
        session = self._session
        match wanted.source:
            case protocol.PlanSource():
                if session.plan is None:
                    raise InputError("there is no plan for this frame; choose other images")
                return session.frame.filter(session.plan["action"] == "keep")
            case protocol.SelectionSource():
                return session.selection
            case protocol.ViewSource():
                return session.view
            case protocol.CollectionSource(name):
                return session.collections[name].frame

    def _progress(self, request: protocol.Request, text: str) -> Callable[[int, int], None]:
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if done == total or now - last >= SECONDS_BETWEEN_NEWS:
                last = now
                self._report(request, done, total, text)

        return report


def _resolved(folder: str | os.PathLike[str]) -> Path:
    """Return where a folder really is, whatever links lead there."""
    return Path(folder).expanduser().resolve()


def _split(wanted: DatasetForm) -> dict[str, Any]:
    """Return the split for all images, where the column of splits is not gone by."""
    return {} if wanted.splits else {"split": "train"}


def _server(wanted: protocol.Server) -> LabelStudio:
    """Return the server that the dialog names; what it leaves empty is the environment's."""
    return LabelStudio(wanted.url or None, wanted.token or None)
