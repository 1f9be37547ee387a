"""A view whose steps are recorded: they can be taken back, and outlive the kernel."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl

from dedup_widgets.review.deciding import decides
from dedup_widgets.review.history import History
from dedup_widgets.review.journal import Journal
from dedup_widgets.review.steps import FiltersStep, Mask, SelectionStep, Step
from dedup_widgets.review.view import View
from dedup_widgets.review.watched import Change


class Recorded(View):
    """A view whose steps are recorded, from when it has a history on."""

    _history: History | None = None
    _journal: Journal

    def prepare(self) -> None:
        """Work out ahead what the first step would wait for; it changes nothing."""
        self._journal.prepare()

    def undo(self) -> str | None:
        """Take the last review step back; return what it was, None when there is none."""
        return self._step_through(self._steps.undo)

    def redo(self) -> str | None:
        """Do the step again that was taken back last; return what it is, None for none."""
        return self._step_through(self._steps.redo)

    @property
    def log(self) -> pl.DataFrame:
        """Every step of this review, for :func:`dedup_widgets.replay`; see :class:`History`.

        >>> ex.log.write_ndjson("review.jsonl")  # doctest: +SKIP
        """
        with self.lock:
            return self._steps.log

    @property
    def next_steps(self) -> tuple[str | None, str | None]:
        """What :meth:`undo` would take back and :meth:`redo` do again; None for nothing."""
        if self._history is None:
            return None, None
        return self._history.undo_text, self._history.redo_text

    @property
    def _steps(self) -> History:
        assert self._history is not None
        return self._history

    @decides
    def _step_through(
        self, go: Callable[[Callable[[Step], Step | None]], Step | None]
    ) -> str | None:
        with self.changing(Change("review")):
            step = go(self._carry_out)
        return None if step is None else step.text

    def _carry_out(self, step: Step) -> Step | None:
        """Make a step happen; return what really changed, None for nothing."""
        if isinstance(step, SelectionStep):
            self.select(step.on(self._selected))
        elif isinstance(step, FiltersStep):
            self.clauses = dict(step.after)
        return step

    def _record(self, *steps: Step) -> None:
        if steps and self._history is not None:
            with self.changing(Change("review")):
                self._journal.record(self._history, *steps)

    def select(self, mask: Mask, origin: int | None = None) -> None:
        """Select exactly the rows of a mask; `origin` is the page that requests it."""
        with self.changing():
            before = self._selected
            super().select(mask, origin)
            # What a page sends in one go is one move of the hand.
            self._record(SelectionStep.between(before, mask, drag=origin is not None))

    def _set_clauses(self, clauses: dict[str, Any]) -> None:
        with self.changing():
            before = self._clauses
            super()._set_clauses(clauses)
            self._record(FiltersStep(before, clauses))

    @contextmanager
    def _unrecorded(self) -> Iterator[None]:
        with self.lock:
            history, self._history = self._history, None
            try:
                yield
            finally:
                self._history = history
