"""What the dataset dialog asks: which images go in, what is left out and why, and writing it."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import polars as pl

from dedup_widgets.dataset.annotate import annotate
from dedup_widgets.dataset.create import preview
from dedup_widgets.dataset.label_studio import Handover, LabelStudio, check_server
from dedup_widgets.errors import AnnotateError, InputError
from dedup_widgets.review.session import Session
from dedup_widgets.widgets.base import CancelledError, Handler
from dedup_widgets.widgets.protocol import Buffers, Request

SECONDS_BETWEEN_NEWS = 0.1


class DatasetRequests:
    """Answers the dataset dialog of an Explorer.

    Parameters
    ----------
    session
        The review.
    tell
        Tells the page that asked how far its answer is: ``(message, done, total, text)``.
    """

    def __init__(
        self, session: Session, tell: Callable[[dict[str, Any], int, int, str], None]
    ) -> None:
        self._session, self._tell = session, tell

    @property
    def handlers(self) -> dict[str, Handler]:
        """What answers which request."""
        return {Request.PREVIEW: self._preview, Request.CREATE: self._create}

    def _preview(self, message: dict[str, Any], _in: list[Any], _out: Buffers) -> dict[str, Any]:
        wanted, session = message["dataset"], self._session
        images = self._images(wanted["source"])
        counts = preview(
            images,
            wanted["name"],
            root=wanted["root"],
            mode=wanted["mode"],
            format=wanted["format"],
            removed=session.left_out(images),
            path=session.path,
        )
        if wanted["annotate"] is not None:
            texts = ("description", "project", "project_description")
            handover = Handover(counts.path, wanted["name"], *(wanted[text] for text in texts))
            check_server(handover, _server(wanted["annotate"]))
        lost = 0
        if "group" in images.columns:
            groups = session.frame["group"].drop_nulls().unique()
            lost = len(groups) - images["group"].drop_nulls().n_unique()
        return {**asdict(counts), "path": str(counts.path), "lost_groups": lost}

    def _create(self, message: dict[str, Any], _in: list[Any], _out: Buffers) -> dict[str, Any]:
        wanted = message["dataset"]
        dataset = self._session.create_dataset(
            self._images(wanted["source"]),
            wanted["name"],
            description=wanted["description"],
            project=wanted["project"] or None,
            project_description=wanted["project_description"],
            root=wanted["root"],
            mode=wanted["mode"],
            format=wanted["format"],
            merge=self._session.mergeable if wanted["merge"] else (),
            progress=self._progress(message, "writing"),
        )
        url, problem = None, None
        if wanted["annotate"] is not None:
            server = _server(wanted["annotate"])
            try:
                sent = annotate(dataset, server, progress=self._progress(message, "sending"))
                url = sent.url
            except CancelledError:
                problem = "sending was stopped"
            except (AnnotateError, InputError) as error:
                problem = str(error)
        return {
            "name": dataset.name,
            "path": str(dataset.path),
            "images": dataset.images,
            "bytes": dataset.bytes,
            "removed": dataset.removed,
            "project_url": url,
            "problem": problem,
        }

    def _images(self, source: dict[str, Any]) -> pl.DataFrame:
        """Return the rows that a choice in the dialog stands for."""
        session = self._session
        match source["kind"]:
            case "plan":
                if session.plan is None:
                    raise InputError("there is no plan for this frame; choose other images")
                return session.frame.filter(session.plan["action"] == "keep")
            case "selection":
                return session.selection
            case "view":
                return session.view
            case "collection":
                return session.collections[source["name"]].frame
            case kind:
                raise ValueError(f"no such source: {kind!r}")

    def _progress(self, message: dict[str, Any], text: str) -> Callable[[int, int], None]:
        told = 0.0

        def tell(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if done == total or now - told >= SECONDS_BETWEEN_NEWS:
                told = now
                self._tell(message, done, total, text)

        return tell


def _server(wanted: dict[str, str]) -> LabelStudio:
    """Return the server that the dialog names; what it leaves empty is the environment's."""
    return LabelStudio(wanted["url"] or None, wanted["token"] or None)
