"""Large pictures, one alone or in the review mode; and what is known of images side by side."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import partial
from typing import Any

import numpy as np

from dedup_widgets.errors import InputError
from dedup_widgets.review.beside import beside, facts
from dedup_widgets.review.view import View
from dedup_widgets.widgets import protocol
from dedup_widgets.widgets.base import Handler
from dedup_widgets.widgets.pictures import PictureLoader
from dedup_widgets.widgets.protocol import Buffers

MAX_OTHERS = 500
"""Images that are told of at once."""


class CompareRequests:
    """Answers for pictures that are looked at large, alone or beside each other.

    Parameters
    ----------
    view
        What is looked at.
    check
        Raises if a request was cancelled.
    """

    slow: tuple[type[protocol.Request], ...] = (protocol.PictureRequest, protocol.BesideRequest)

    def __init__(self, view: View, check: Callable[[protocol.Request], None]) -> None:
        self._view, self._check = view, check
        self._pictures = PictureLoader()

    @property
    def handlers(self) -> dict[type[protocol.Request], Handler[Any]]:
        """What answers which request."""
        return {
            protocol.PictureRequest: self._picture,
            protocol.BesideRequest: self._beside,
        }

    def _picture(
        self, request: protocol.PictureRequest, _in: list[Any], out: Buffers
    ) -> protocol.PictureReply:
        self._check_rows([request.row])
        if request.side < 1:
            raise InputError(f"side is {request.side}; it must be a number of pixels")
        box = request.box
        if box is not None and not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
            raise InputError(f"box is {box}; it must be left, top, right, bottom within [0, 1]")
        path = self._view.paths[request.row]
        found = self._pictures.load(path, request.side, box, partial(self._check, request))
        self._check(request)
        width, height = found.size
        jpeg = out.add(np.frombuffer(found.jpeg, np.uint8))
        return protocol.PictureReply(width=width, height=height, box=found.box, jpeg=jpeg)

    def _beside(
        self, request: protocol.BesideRequest, _in: list[Any], _out: Buffers
    ) -> protocol.BesideReply:
        if len(request.others) > MAX_OTHERS:
            raise InputError(f"{len(request.others)} images at once; ask for {MAX_OTHERS} at most")
        rows = [request.row, *request.others]
        self._check_rows(rows)
        told = beside(self._view, request.row, request.others)
        return protocol.BesideReply(
            facts=[protocol.FactInfo(f.name, f.texts, f.numbers) for f in facts(self._view, rows)],
            others=[protocol.BesideInfo(*astuple(it)) for it in told],
        )

    def _check_rows(self, rows: Sequence[int]) -> None:
        if not all(0 <= row < len(self._view) for row in rows):
            raise InputError(f"rows must be numbers below {len(self._view)}")
