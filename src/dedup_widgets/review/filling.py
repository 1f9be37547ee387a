"""A review that fills while a job scores its images."""

import time
import weakref
from typing import Protocol

import polars as pl

from dedup_widgets.scoring.job import Job

MIN_SECONDS = 1.0
"""Between two frames of what is scored so far."""
SHARE = 0.1
"""Of its time, what a job spends at most on frames of what is scored so far."""
SECONDS_BETWEEN_TEXTS = 0.5


class Filled(Protocol):
    """What fills while a job goes on."""

    scoring: str

    def refill(self, frame: pl.DataFrame) -> None:
        """Take other scores and facts of the same images."""


def follow_job(job: Job, review: Filled) -> None:
    """Fill a review with what a job has scored, from time to time and at its end.

    It is done in the thread of the job, and does not keep the review alive.
    """
    weak = weakref.ref(review)
    next_text = next_frame = 0.0
    read = -1

    def follow() -> None:
        nonlocal next_text, next_frame, read
        review = weak()
        now = time.monotonic()
        if review is None:
            return
        if job.done:
            review.refill(job.all_so_far())
            review.scoring = ""
            return
        if now >= next_text:
            next_text = now + SECONDS_BETWEEN_TEXTS
            review.scoring = job.text
        # While images are compared there is nothing new.
        if job.stage == "reading and embedding" and now >= next_frame and job.progress[0] > read:
            read = job.progress[0]
            review.refill(job.all_so_far())
            end = time.monotonic()
            next_frame = end + max(MIN_SECONDS, (end - now) * (1 / SHARE - 1))

    review.scoring = job.text
    job.watch(follow)
    if job.done and review.scoring:
        follow()
