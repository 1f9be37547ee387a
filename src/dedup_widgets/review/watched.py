"""Notifies watchers of changes: once for each change, however many things it moved."""

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

from dedup_widgets._threads import whole

What = Literal[
    "selection",
    "filters",
    "sort",
    "near",
    "plan",
    "collections",
    "reviewed",
    "review",
    "frame",
    "scoring",
]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed.

    Attributes
    ----------
    what : str
        ``"selection"`` (masks over the rows), ``"filters"`` (clauses as JSON), ``"sort"``,
        ``"near"``, ``"plan"`` (frames), ``"collections"``, ``"reviewed"``, ``"review"``: what can
        be undone or redone, ``"frame"``: scores and facts of the same images, or ``"scoring"``:
        how far the job is, in words.
    old, new
        Before and after, where the two can be compared.
    origin : int or None
        The page that did it; None for Python.
    """

    what: What
    old: Any = None
    new: Any = None
    origin: int | None = None


Watcher = Callable[[Sequence[Change]], None]


class Watched:
    """Something that changes, and calls its watchers.

    What it holds is changed inside :meth:`changing`, under one lock; watchers are called when the
    outermost of these ends, in the thread that made the change, with all that changed. Ctrl-C waits
    for that end: a change is made, recorded and reported, or none of it.

    Attributes
    ----------
    lock
        Held while something is changed and reported.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._watchers: list[Watcher] = []
        self._depth = 0
        self._made: dict[What, Change] = {}

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call a function after each change, with what changed; return how to end that."""
        self._watchers.append(watcher)

        def stop() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return stop

    def watch_weakly(self, method: Watcher) -> Callable[[], None]:
        """Watch by a method, which does not keep its object alive; return how to end that."""
        weak = weakref.WeakMethod(method)

        def call(changes: Sequence[Change]) -> None:
            if (watcher := weak()) is not None:
                watcher(changes)

        return self.watch(call)

    @contextmanager
    def changing(self, *changes: Change) -> Iterator[None]:
        """Hold the lock, and report these changes and those made inside, at the end."""
        with self.lock, nullcontext() if self._depth else whole():
            self._depth += 1
            try:
                yield
                for change in changes:
                    self._add(change)
            finally:
                self._depth -= 1
                if not self._depth and self._made:
                    made, self._made = list(self._made.values()), {}
                    for watcher in tuple(self._watchers):
                        watcher(made)

    def _add(self, change: Change) -> None:
        """Remember a change; what changed before is one change with it."""
        earlier = self._made.pop(change.what, None)
        self._made[change.what] = change if earlier is None else replace(change, old=earlier.old)

    def tell(self, change: Change) -> None:
        """Tell of one change."""
        with self.changing(change):
            pass
