"""Scoring in the background, while the notebook goes on."""

import atexit
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any, Literal

import polars as pl

from dedup_widgets._progress import Pace, Progress, duration_text
from dedup_widgets._text import counted
from dedup_widgets.errors import DedupError
from dedup_widgets.models.base import Embedder
from dedup_widgets.scoring.task import Order
from dedup_widgets.store.database import Store

State = Literal["running", "done", "cancelled", "failed"]


Stage = Literal["loading the model", "reading and embedding", "comparing"]


SECONDS_TO_END = 10.0
"""How long an interpreter that exits waits for its jobs, which end with the batch in work."""


class Job:
    """Images that are being scored in a thread; made by :func:`score_async`.

    As the last line of a cell it shows how far it is, with a button to cancel. Images that were
    read and embedded are kept in the store batch by batch, so whatever ends a job, the next one on
    the same images goes on from there.

    Parameters
    ----------
    order
        What to score.
    progress
        As :func:`score_async` takes it.
    panel
        Makes what a notebook shows of the job; None for its text.
    """

    def __init__(
        self,
        order: Order,
        progress: Progress = True,
        panel: Callable[["Job"], Any] | None = None,
    ) -> None:
        self._order = order
        self._progress = progress
        self._embedder: Embedder | None = None
        self._frame: pl.DataFrame | None = None
        self._error: BaseException | None = None
        self._state: State = "running"
        self._stage: Stage = "loading the model"
        self._done_and_total = (0, len(order.paths))
        self._read: int | None = None
        self._pace = Pace()
        self._loaded, self._cancelled, self._ended = (threading.Event() for _ in range(3))
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self._make_panel = panel
        self._panel: Any = None
        self._started = time.monotonic()
        self._seconds = 0.0
        # A thread that is no daemon would keep an interpreter alive that wants to exit.
        self._thread = threading.Thread(target=self._run, name="dedup-widgets-job", daemon=True)
        _running.add(self)
        self._thread.start()

    # What a person asks

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._ended.is_set()

    @property
    def state(self) -> State:
        """``"running"``, ``"done"``, ``"cancelled"`` or ``"failed"``."""
        return self._state

    @property
    def stage(self) -> Stage:
        """What it does, or did last."""
        return self._stage

    @property
    def progress(self) -> tuple[int, int]:
        """Steps of the present stage: done, and in all. While reading, a step is an image."""
        return self._done_and_total

    @property
    def error(self) -> BaseException | None:
        """What made it fail."""
        return self._error

    @property
    def store(self) -> Store:
        """Where what is scored is kept."""
        return self._order.store

    def cancel(self) -> None:
        """Stop it after the batch in work; what was read and embedded is kept."""
        self._cancelled.set()
        self._tell_watchers()

    def result(self, timeout: float | None = None) -> pl.DataFrame:
        """Wait for the frame of scores.

        Interrupting the wait does not interrupt the job.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for as long as it takes.

        Returns
        -------
        pl.DataFrame
            What :func:`dedup_widgets.score` returns.

        Raises
        ------
        DedupError
            When it was cancelled.
        TimeoutError
            When it still runs after `timeout`.
        Exception
            What made it fail.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(
                f"the job still runs after {duration_text(timeout or 0)} of waiting "
                f"({self.text}); wait longer, see so_far(), or cancel()"
            )
        if self._error is not None:
            raise self._error
        if self._frame is None:
            raise DedupError(f"the job was {self.text}")
        return self._frame

    def so_far(self) -> pl.DataFrame:
        """Score the images that are read and embedded by now, as if there were no others.

        It can be asked at any time, after cancelling too; it waits for the model to be loaded.

        Returns
        -------
        pl.DataFrame
            As :func:`dedup_widgets.score` returns it, of the images that the store knows; at first
            empty. The result, once there is one. With a model that has no key the store keeps no
            embeddings, so there is nothing before the result.

        Raises
        ------
        ModelError
            When the model cannot be loaded.
        """
        if self._frame is not None:
            return self._frame
        self._loaded.wait()
        if self._embedder is None:
            assert self._error is not None
            raise self._error
        return self._order.frame(self._order.recall(self._embedder), self._embedder)

    @property
    def text(self) -> str:
        """How far it is, in words."""
        total = len(self._order.paths)
        match self._state:
            case "done":
                return f"{counted(total, 'image')} scored in {duration_text(self._seconds)}"
            case "cancelled":
                return f"cancelled {self._what_is_kept()}"
            case "failed":
                return f"failed: {self._error}"
        return f"{self._running_text()}{' · stopping …' if self._cancelled.is_set() else ''}"

    def _what_is_kept(self) -> str:
        if self._embedder is None or self._read is None:
            return "before an image was read"
        how_far = f"after {self._read:,} of {counted(len(self._order.paths), 'image')}"
        if not self._embedder.persistent:
            return f"{how_far}; nothing is kept, for the model has no key"
        return f"{how_far}; they are kept, and scoring again goes on from there"

    def _running_text(self) -> str:
        done, total = self._done_and_total
        if self._stage == "loading the model":
            return "loading the model"
        if self._stage == "comparing":
            share = f", {100 * done // total} %" if total else ""
            return f"comparing {counted(len(self._order.paths), 'image')}{share}"
        parts = [f"{done:,} of {counted(total, 'image')}"]
        speed, left = self._pace.a_second, self._pace.seconds_left
        if speed is not None and left is not None and done < total:
            parts.append(f"{speed:,.{0 if speed >= 10 else 1}f} a second")
            parts.append(f"about {duration_text(left)} left")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return (
            f"Job({self._state}: {self.text})" if self._state == "running" else f"Job({self.text})"
        )

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        plain = {"text/plain": repr(self)}
        if self._make_panel is None:
            return plain
        with self._lock:
            if self._panel is None:
                self._panel = self._make_panel(self)
        return {**(self._panel._repr_mimebundle_(**options) or {}), **plain}

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a function whenever this job got further, in its thread, and when it ended."""
        self._watchers.append(watcher)

    @property
    def cancelling(self) -> bool:
        """Whether it was told to stop and has not ended yet."""
        return self._cancelled.is_set() and not self._ended.is_set()

    # What its thread does

    def _run(self) -> None:
        try:
            frame = self._work()
        except _CancelledError:
            self._end("cancelled")
        except BaseException as error:
            self._end("failed", error=error)
        else:
            self._end("done", frame=frame)

    def _work(self) -> pl.DataFrame:
        self._embedder = embedder = self._order.load()
        self._loaded.set()
        self._enter("reading and embedding", len(self._order.paths))
        described = self._order.describe(embedder, self._tell)
        self._enter("comparing", 0)
        return self._order.frame(described, embedder, self._tell)

    def _enter(self, stage: Stage, total: int) -> None:
        self._stage = stage
        self._done_and_total = 0, total
        self._stop_if_cancelled()
        self._tell_watchers()

    def _tell(self, done: int, total: int) -> None:
        self._done_and_total = done, total
        if self._stage == "reading and embedding":
            self._read = done
            self._pace.tell(done, total)
        self._tell_watchers()
        if callable(self._progress):
            self._progress(done, total)
        self._stop_if_cancelled()

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError

    def _end(
        self,
        state: State,
        *,
        frame: pl.DataFrame | None = None,
        error: BaseException | None = None,
    ) -> None:
        self._frame, self._error = frame, error
        self._seconds = time.monotonic() - self._started
        self._state = state
        self._loaded.set()
        self._ended.set()
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in list(self._watchers):
            try:
                watcher()
            except Exception as error:
                # What shows the work must not end it.
                self._watchers.remove(watcher)
                warnings.warn(f"the job is shown no longer: {error}", stacklevel=2)

    def _finish_before_exit(self) -> None:
        self._watchers.clear()
        self._cancelled.set()
        self._thread.join(SECONDS_TO_END)


class _CancelledError(Exception):
    pass


_running: "weakref.WeakSet[Job]" = weakref.WeakSet()


@atexit.register
def _end_jobs() -> None:
    # A thread that is still in C++ when the interpreter goes away aborts the process.
    for job in list(_running):
        job._finish_before_exit()
