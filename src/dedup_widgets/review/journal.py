"""A review as the library keeps it, step by step, so that it outlives its kernel."""

import hashlib
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError, StoreError
from dedup_widgets.frame.table import Texts
from dedup_widgets.review.history import History, State
from dedup_widgets.review.log import LogReader
from dedup_widgets.review.steps import Bits, Step
from dedup_widgets.store.database import StoreBusyError
from dedup_widgets.store.library import Library, ReviewLine

SECONDS_TO_TRY_AGAIN = 1.0


class Earlier(NamedTuple):
    """A review to go on with: its steps, what they start from, and what they lead to."""

    history: History
    start: State
    end: State


class Journal:
    """Keeps the log of one review in the library, as it grows.

    What a step decides is kept with its line, in one transaction. For the line of any other step
    nobody waits: where another process writes for long, it tries again until all is kept, and what
    goes wrong is told once, by a warning.

    Parameters
    ----------
    library
        Where it is kept.
    paths
        Of the frame's rows.
    about
        What else tells a review of these images from others, such as what they were scored with.
    """

    def __init__(self, library: Library, paths: Texts, about: str) -> None:
        self._library, self._paths, self._about = library, paths, about
        self._name = uuid.uuid4().hex
        self._goes_on: str | None = None
        self._lock = threading.RLock()
        self._later: threading.Timer | None = None
        self._warned = False

    def prepare(self) -> None:
        """Work out what the first line waits for: which images these are, by all their paths."""
        self._images  # noqa: B018

    def earlier(self) -> Earlier | None:
        """Return the last review of the same rows, which this one then goes on with."""
        try:
            # To know which images they are takes a moment, where there are many.
            if not self._library.has_review(len(self._paths)):
                return None
            found = self._library.last_review(self._images, self._images_in_order)
        except StoreError as error:
            self._warn(error)
            return None
        if found is None or not found[2]:
            return None
        name, of, lines = found
        started, is_current = lines[0][0], of == self._images
        order = self._order if is_current else np.arange(len(self._paths))
        try:
            reader = LogReader(self._paths, order=order)
            history: History | None = None
            for number, (time, action, kind, value) in enumerate(lines, 1):
                step = reader.take(number, {"action": action, "step": kind, "value": value})
                if history is None:
                    start = datetime.fromisoformat(started)
                    history = History(self._paths, reader.start, started=start)
                if step is not None:
                    history.go_on(action, step, datetime.fromisoformat(time))
        except (InputError, ValueError) as error:
            warnings.warn(f"the review of {started} cannot be gone on with: {error}", stacklevel=2)
            return None
        assert history is not None
        history.first_unkept = len(history) if is_current else 0
        self._goes_on = name
        return Earlier(history, reader.start, reader.state)

    @contextmanager
    def together(self, history: History) -> Iterator[None]:
        """Keep what is decided inside, with the lines of the log that tell of it, or neither.

        Raises
        ------
        StoreError
            When the library cannot be written; what was recorded inside is forgotten.
        """
        with self._lock, history.all_or_nothing(), self._library.together():
            yield

    def record(self, history: History, *steps: Step) -> None:
        """Remember steps in the log, and keep it."""
        with self._lock:
            for step in steps:
                history.record(step)
            self._write(history)

    def _write(self, history: History) -> None:
        """Keep what the log has that is not kept yet."""
        with self._lock:
            until = len(history)
            if history.first_unkept == until:
                return
            try:
                self._library.write_review(
                    self._name,
                    len(self._paths),
                    self._images,
                    history.first_unkept,
                    lambda first: self._lines(history, first),
                    goes_on=self._goes_on,
                )
            except StoreBusyError:
                self._try_again(history)
            except StoreError as error:
                self._warn(error)
            else:
                history.first_unkept = until

    def _try_again(self, history: History) -> None:
        if self._later is None or not self._later.is_alive():
            self._later = threading.Timer(SECONDS_TO_TRY_AGAIN, self._write_later, [history])
            self._later.daemon = True
            self._later.start()

    def _write_later(self, history: History) -> None:
        self._later = None
        self._write(history)

    def _lines(self, history: History, first: int) -> list[ReviewLine]:
        bits = Bits(self._library.rows_by_path, self._order)
        return [
            (time.isoformat(), action, kind, value)
            for time, action, kind, value in history.lines(first, bits=bits)
        ]

    @cached_property
    def _order(self) -> NDArray[np.integer]:
        """The rows by their paths: so that a review is found however the frame is sorted."""
        paths = self._paths.column
        # As folders are listed, where sorting a million would take a second.
        return np.arange(len(paths)) if paths.is_sorted() else paths.arg_sort().to_numpy()

    @cached_property
    def _images(self) -> str:
        """A text that tells which images they are."""
        return self._digest("in any order", self._paths.column.gather(self._order))

    @cached_property
    def _images_in_order(self) -> str:
        """What it was before it told nothing of their order; bits then stood for the rows."""
        return self._digest("", self._paths.column)

    def _digest(self, kind: str, paths: pl.Series) -> str:
        digest = hashlib.blake2b((self._about + kind).encode(), digest_size=16)
        digest.update(paths.str.join("\0").item().encode())
        return digest.hexdigest()

    def _warn(self, error: StoreError) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(f"the steps of this review are not kept: {error}", stacklevel=2)
