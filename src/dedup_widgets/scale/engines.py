"""What runs the jobs of a run on other machines: a cluster of Ray, as tasks."""

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dedup_widgets._threads import lease
from dedup_widgets.errors import EngineError
from dedup_widgets.scale.jobs import Job

TRIES = 3
"""Workers that a job may end before it is given up."""


MOVES = 20
"""Times that a job moves on because its machine went away."""


STARTS, PAUSE = 4, 5.0
"""Times that Ray is started, and seconds between: its parts wait for each other for half a minute
and no longer, which a busy machine may need."""


PATIENCE = 300.0
"""Seconds without any answer after which it is said what waits for what."""


IN_FLIGHT = 2
"""Jobs a slot that Ray knows of: one that runs, and one that waits."""


_SECONDS_BETWEEN_LOOKS = 1.0

_MOST_CALLS = 1000
"""Jobs that a worker does before another takes its place; of tasks on a GPU it would be one, which
would load the model anew for each."""


@dataclass(frozen=True)
class Ray:
    """Runs the jobs of a run as tasks of Ray, on one machine or on many.

    Each task asks for some processor cores, and for a GPU or a part of one where the model is to
    run there. One that ends its worker is tried again, three times; a file that no worker outlives
    is found, and becomes a row with an error. Workers need the same ``dedup_widgets`` and the same
    libraries as the machine that asks.

    Attributes
    ----------
    address
        Of a cluster, such as ``"ray://head:10001"``, ``"10.0.0.1:6379"`` or ``"auto"``; or
        ``"local"``: a cluster of this machine alone, which ends with the run. A Ray to which the
        program is connected already is used as it is.
    cpus, gpus
        Processor cores and GPUs of a job; of a GPU a part, such as 0.5.
    memory
        Bytes that a job asks for, by which Ray decides how many run beside each other; default: it
        is not asked.
    patience
        Seconds without any answer after which a warning says what waits for what.
    options
        What else ``ray.init`` takes.
    pause
        Seconds before a start that failed is tried again, longer each time.
    """

    address: str = "local"
    cpus: int = 1
    gpus: float = 0
    memory: int | None = None
    patience: float = PATIENCE
    options: dict[str, Any] | None = None
    pause: float = PAUSE

    @contextmanager
    def started(self) -> Iterator["_Tasks"]:
        """Connect to the cluster, or start one; what was started is stopped in the end."""
        try:
            # Nothing is told to anyone, and settings that are made elsewhere stay.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            import ray
        except ImportError:
            raise EngineError(
                'to run on Ray, install it: pip install "dedup-widgets[ray]"'
            ) from None
        was_there = ray.is_initialized()
        if not was_there:
            self._start(ray)
        try:
            yield _Tasks(ray, self)
        finally:
            if not was_there:
                ray.shutdown()

    def _start(self, ray: Any) -> None:
        here = {"include_dashboard": False} if self.address == "local" else {}
        given = {"log_to_driver": False, "logging_level": "warning", **here, **(self.options or {})}
        why = ""
        for attempt in range(STARTS):
            time.sleep(self.pause * attempt)
            try:
                ray.init(self.address, **given)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                ray.shutdown()
            else:
                return
        raise EngineError(
            f"Ray at {self.address!r} could not be started or reached, {STARTS} times over; "
            f"the last time: {why.splitlines()[0][:300]}"
        )


class _Tasks:
    """A cluster that is there."""

    def __init__(self, ray: Any, engine: Ray) -> None:
        self._ray, self._engine = ray, engine

    @property
    def cores(self) -> int:
        return self._engine.cpus

    @property
    def is_elsewhere(self) -> bool:
        return True

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def run(
        self, function: Callable[..., Any], jobs: Iterable[Job], what: str
    ) -> Iterator[tuple[Job, bool]]:
        errors = self._ray.exceptions
        task = self._task()
        left = ((job, 0, 0) for job in jobs)
        again: deque[tuple[Job, int, int]] = deque()
        under_way: dict[Any, tuple[Job, int, int]] = {}
        heard = time.monotonic()
        try:
            while True:
                while len(under_way) < IN_FLIGHT * self._slots():
                    tried = again.popleft() if again else next(left, None)
                    if tried is None:
                        break
                    under_way[task.remote(self.cores, function, *tried[0])] = tried
                if not under_way:
                    return
                done, _ = self._ray.wait(list(under_way), timeout=_SECONDS_BETWEEN_LOOKS)
                if done:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self._engine.patience:
                    warnings.warn(self._who_waits(what, len(under_way)), stacklevel=2)
                    heard = time.monotonic()
                for ref in done:
                    job, tries, moves = under_way.pop(ref)
                    try:
                        self._ray.get(ref)
                    except errors.RayTaskError as error:
                        raise _cause(error) from None
                    except (errors.WorkerCrashedError, errors.OutOfMemoryError):
                        if tries + 1 < TRIES:
                            again.append((job, tries + 1, moves))
                        else:
                            yield job, False
                    except errors.RayError as error:
                        # A machine went away: that is not the fault of the job.
                        if moves == MOVES:
                            raise EngineError(f"{what} on Ray: {str(error)[:500]}") from None
                        again.append((job, tries, moves + 1))
                    else:
                        yield job, True
        finally:
            for ref in under_way:
                self._ray.cancel(ref, force=True)

    def _task(self) -> Any:
        needs: dict[str, Any] = {"num_cpus": self._engine.cpus, "num_gpus": self._engine.gpus}
        if self._engine.memory is not None:
            needs["memory"] = self._engine.memory
        return self._ray.remote(
            **needs, max_retries=0, max_calls=_MOST_CALLS, scheduling_strategy="SPREAD"
        )(_leased)

    def _slots(self) -> int:
        """Return how many jobs can run beside each other."""
        there = self._ray.cluster_resources()
        slots = there.get("CPU", 0) // self._engine.cpus
        if self._engine.gpus:
            slots = min(slots, there.get("GPU", 0) // self._engine.gpus)
        return max(int(slots), 1)

    def _who_waits(self, what: str, count: int) -> str:
        there, free = self._ray.cluster_resources(), self._ray.available_resources()
        wanted = {"CPU": self._engine.cpus, "GPU": self._engine.gpus, "memory": self._engine.memory}
        asks = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items() if amount)
        has = ", ".join(
            f"{free.get(name, 0):g} of {there.get(name, 0):g} {name}"
            for name, amount in wanted.items()
            if amount
        )
        return (
            f"{what}: no answer for {self._engine.patience:g} s. {count} jobs wait, each for "
            f"{asks}; free in the cluster: {has}. If that is too little, end what else runs there, "
            "or ask for less: dedup_widgets.engines.Ray(cpus=…, gpus=…, memory=…)"
        )


def _leased(cores: int, function: Callable[..., Any], *job: Any) -> None:
    """Do a job on a worker, with as many cores as it was lent."""
    lease(cores)
    function(*job)


def _cause(error: Any) -> BaseException:
    """Return the error that a job raised."""
    cause = error.cause
    return cause if isinstance(cause, BaseException) else EngineError(str(error)[:500])
