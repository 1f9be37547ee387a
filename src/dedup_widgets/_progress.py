"""Progress of long work: by a bar, by a function of the caller, or as speed and time left."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

Progress = bool | Callable[[int, int], None]
"""Whether to show a progress bar, or a function that is called with steps done and in all."""


@contextmanager
def steps(total: int, text: str, progress: Progress) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of steps that were just done.

    An error that the caller's function raises is raised by that call, so it can stop the work.

    Parameters
    ----------
    total
        Steps in all.
    text
        The label of the bar.
    progress
        Whether to show a bar, or the caller's function.
    """
    if callable(progress):
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        yield report
        return
    with tqdm(total=total, desc=text, disable=not progress) as bar:
        yield bar.update


class Pace:
    """The recent speed of work, and an estimate of the time left.

    Parameters
    ----------
    seconds
        Length of the time over which the speed is measured.
    clock
        Returns the time in seconds.

    Examples
    --------
    >>> now = iter([0.0, 10.0])
    >>> pace = Pace(clock=lambda: next(now))
    >>> pace.update(100, 500)
    >>> pace.update(300, 500)
    >>> pace.a_second, pace.seconds_left
    (20.0, 10.0)
    """

    def __init__(self, seconds: float = 20.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._reports: deque[tuple[float, int]] = deque()
        self._total = 0

    def update(self, done: int, total: int) -> None:
        """Record the steps done by now, and in all."""
        now = self._clock()
        self._total = total
        self._reports.append((now, done))
        while len(self._reports) > 2 and self._reports[1][0] <= now - self._seconds:
            self._reports.popleft()

    @property
    def a_second(self) -> float | None:
        """Steps a second; None while that is not known."""
        if not self._reports:
            return None
        (start, before), (end, done) = self._reports[0], self._reports[-1]
        return (done - before) / (end - start) if end > start and done > before else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds for the rest; None while that is not known."""
        speed = self.a_second
        return None if speed is None else (self._total - self._reports[-1][1]) / speed


def duration_text(seconds: float) -> str:
    """Return a duration in words.

    >>> [duration_text(s) for s in (0.4, 40, 100, 5000, 200_000)]
    ['1 s', '40 s', '2 min', '1.4 h', '2.3 days']
    """
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.1f} days"
