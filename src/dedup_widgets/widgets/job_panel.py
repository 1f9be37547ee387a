"""What a notebook shows of a job: a bar, words, and a button to cancel."""

import html
import threading
import time

import ipywidgets

from dedup_widgets.scoring.job import Job
from dedup_widgets.widgets.outputs import ShownInCell

_STYLE = {"running": "info", "done": "success", "cancelled": "warning", "failed": "danger"}


class JobPanel(ShownInCell, ipywidgets.VBox):  # type: ignore[misc]
    """How far a job is.

    Parameters
    ----------
    job
        The job to follow; the button cancels it.
    seconds_between
        Between two updates: a kernel that sends more a second loses messages.
    """

    def __init__(self, job: Job, *, seconds_between: float = 0.25) -> None:
        self._job, self._seconds_between = job, seconds_between
        self._update = threading.RLock()
        self._next = 0.0
        self._shown: tuple[str, str] | None = None
        self._bar = ipywidgets.FloatProgress(
            min=0, max=1, layout=ipywidgets.Layout(flex="1 1 auto", width="auto")
        )
        self._button = ipywidgets.Button(
            description="Cancel",
            tooltip="Stop after the batch in work; what was read and embedded is kept",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._text = ipywidgets.HTML()
        self._button.on_click(lambda _button: job.cancel())
        row = ipywidgets.HBox(
            [self._bar, self._button], layout=ipywidgets.Layout(align_items="center")
        )
        super().__init__([row, self._text], layout=ipywidgets.Layout(max_width="640px"))
        job.watch(self._follow)
        self._follow()

    def _follow(self) -> None:
        job = self._job
        with self._update:
            milestone = (job.stage, f"{job.state}{job.cancelling}")
            now = time.monotonic()
            if now < self._next and milestone == self._shown:
                return
            self._next, self._shown = now + self._seconds_between, milestone
            done, total = job.progress
            self._bar.value = 1.0 if job.state == "done" else done / total if total else 0.0
            self._bar.bar_style = _STYLE[job.state]
            # A screen reader announces the end, and not each step.
            role = ' role="alert"' if job.done else ""
            self._text.value = f"<span{role}>{html.escape(job.text)}</span>"
            self._button.disabled = job.cancelling
            self._button.layout.display = "none" if job.done else None
