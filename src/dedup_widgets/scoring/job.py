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
from dedup_widgets.frame.schema import NOT_SCORED
from dedup_widgets.models.base import Embedder
from dedup_widgets.scoring.task import ScoringTask
from dedup_widgets.store.open import Store

State = Literal["running", "done", "cancelled", "failed"]


Stage = Literal["loading the model", "reading and embedding", "comparing"]


SECONDS_TO_END = 10.0
"""How long an interpreter that exits waits for its jobs, which end after the current batch."""


class Job:
    """Images that are being scored in a thread; made by :func:`score_async`.

    As the last line of a cell it shows how far it is, with a button to cancel. Images that were
    read and embedded are kept in the store batch by batch, so whatever ends a job, the next one on
    the same images goes on from there.

    Parameters
    ----------
    task
        What to score.
    progress
        As :func:`score_async` takes it.
    panel
        Makes what a notebook shows of the job; None for its text.
    """

    def __init__(
        self,
        task: ScoringTask,
        progress: Progress = True,
        panel: Callable[["Job"], Any] | None = None,
    ) -> None:
        self._task = task
        self._progress = progress
        self._embedder: Embedder | None = None
        self._frame: pl.DataFrame | None = None
        self._error: BaseException | None = None
        self._state: State = "running"
        self._stage: Stage = "loading the model"
        self._done_and_total = (0, len(task.paths))
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

    # Public

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
        """The current stage, or the last one."""
        return self._stage

    @property
    def progress(self) -> tuple[int, int]:
        """Steps of the present stage: done, and in all. While reading, a step is an image."""
        return self._done_and_total

    @property
    def error(self) -> BaseException | None:
        """The error that it failed with; None if it did not."""
        return self._error

    @property
    def store(self) -> Store:
        """Where what is scored is kept."""
        return self._task.store

    def cancel(self) -> None:
        """Stop it after the current batch; what was read and embedded is kept."""
        self._cancelled.set()
        self._notify_watchers()

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
        return self._task.frame(self._task.look_up(self._embedder), self._embedder)

    def all_so_far(self) -> pl.DataFrame:
        """Return all images, with :meth:`so_far` for those that are scored by now.

        The others have no score, and :data:`NOT_SCORED` as their ``error``. The rows are those of
        the result, in the same order.
        """
        scored = self.so_far()
        given = self._task.given
        if given is not None:
            scored = scored.drop(given.columns)
        everything = pl.DataFrame({"path": self._task.paths}, schema_overrides={"path": pl.String})
        if len(scored) < len(everything):
            is_scored = everything["path"].is_in(scored["path"].implode())
            scored = everything.join(scored, on="path", how="left", maintain_order="left")
            not_yet = pl.when(~is_scored).then(pl.lit(NOT_SCORED)).otherwise("error")
            scored = scored.with_columns(error=not_yet)
        return scored if given is None else scored.hstack(given)

    @property
    def text(self) -> str:
        """How far it is, in words."""
        total = len(self._task.paths)
        match self._state:
            case "done":
                return f"{counted(total, 'image')} scored in {duration_text(self._seconds)}"
            case "cancelled":
                return f"cancelled {self._what_is_kept()}"
            case "failed":
                return f"failed: {self._error}"
        return f"{self._running_text()}{' · stopping …' if self._cancelled.is_set() else ''}"

    def _what_is_kept(self) -> str:
        """Say how many images are in the store after it was cancelled."""
        if self._embedder is None or self._read is None:
            return "before an image was read"
        how_far = f"after {self._read:,} of {counted(len(self._task.paths), 'image')}"
        if not self._embedder.persistent:
            return f"{how_far}; nothing is kept, for the model has no key"
        return f"{how_far}; they are kept, and scoring again goes on from there"

    def _running_text(self) -> str:
        """Say how far the current stage is."""
        done, total = self._done_and_total
        if self._stage == "loading the model":
            return "loading the model"
        if self._stage == "comparing":
            share = f", {100 * done // total} %" if total else ""
            return f"comparing {counted(len(self._task.paths), 'image')}{share}"
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
        """Call a function, in the job's thread, whenever it makes progress and when it ends."""
        self._watchers.append(watcher)

    @property
    def cancelling(self) -> bool:
        """Whether it was asked to stop and has not ended yet."""
        return self._cancelled.is_set() and not self._ended.is_set()

    # In its thread

    def _run(self) -> None:
        """Do the work, and end in one of the final states."""
        try:
            frame = self._work()
        except _CancelledError:
            self._end("cancelled")
        except BaseException as error:
            self._end("failed", error=error)
        else:
            self._end("done", frame=frame)

    def _work(self) -> pl.DataFrame:
        self._embedder = embedder = self._task.load()
        self._loaded.set()
        self._enter("reading and embedding", len(self._task.paths))
        described = self._task.describe(embedder, self._report)
        self._enter("comparing", 0)
        return self._task.frame(described, embedder, self._report)

    def _enter(self, stage: Stage, total: int) -> None:
        """Begin a stage of so many steps."""
        self._stage = stage
        self._done_and_total = 0, total
        self._stop_if_cancelled()
        self._notify_watchers()

    def _report(self, done: int, total: int) -> None:
        """Take in progress and pass it on; raise if the job was cancelled."""
        self._done_and_total = done, total
        if self._stage == "reading and embedding":
            self._read = done
            self._pace.update(done, total)
        self._notify_watchers()
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
        """Enter a final state."""
        self._frame, self._error = frame, error
        self._seconds = time.monotonic() - self._started
        self._state = state
        self._loaded.set()
        self._ended.set()
        self._notify_watchers()

    def _notify_watchers(self) -> None:
        """Call the watchers; one that fails is dropped, with a warning."""
        for watcher in list(self._watchers):
            try:
                watcher()
            except Exception as error:
                # An error in a display must not end the work.
                self._watchers.remove(watcher)
                warnings.warn(f"the job is shown no longer: {error}", stacklevel=2)

    def _finish_before_exit(self) -> None:
        """Cancel the job and wait for its thread."""
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
