"""Where jobs run: one after the other in this process, or on other machines.

An engine is asked one thing only: to run calls somewhere, and to say when each is done. A job may
run more than once, in any order.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from dedup_widgets._threads import processors

Job = tuple[Any, ...]
"""The arguments of a call."""


class Runner(Protocol):
    """An engine that is ready."""

    @property
    def cores(self) -> int:
        """Processor cores of a job."""
        ...

    def share(self, value: Any) -> Any:
        """Return what stands for a value in the arguments of many jobs."""
        ...

    def run(
        self, function: Callable[..., Any], jobs: Iterable[Job], what: str
    ) -> Iterator[tuple[Job, bool]]:
        """Run a function of a module on each of some arguments.

        Parameters
        ----------
        what
            What the jobs do, in a word or two.

        Yields
        ------
        tuple
            A job that came to its end, and whether it was done; if not, it ended each process that
            tried it.
        """
        ...


class Engine(Protocol):
    """A way to run jobs."""

    def started(self) -> AbstractContextManager[Runner]:
        """Start it, and stop it in the end."""
        ...


@dataclass(frozen=True)
class Here:
    """One job after the other, in the process that asks.

    Attributes
    ----------
    cores
        Threads of a job; default: one a processor core.
    """

    cores: int = 0

    def started(self) -> AbstractContextManager[Runner]:
        """Return it as it is."""
        return nullcontext(Here(self.cores or processors()))

    def share(self, value: Any) -> Any:
        """Return the value."""
        return value

    def run(
        self,
        function: Callable[..., Any],
        jobs: Iterable[Job],
        what: str,  # noqa: ARG002
    ) -> Iterator[tuple[Job, bool]]:
        """Run the jobs in their order."""
        for job in jobs:
            function(*job)
            yield job, True
