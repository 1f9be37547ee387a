"""How long work tells how far it is: a bar, or a function of the caller's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

Progress = bool | Callable[[int, int], None]
"""Whether to show a progress bar, or a function that is told steps done and in all."""


@contextmanager
def steps(total: int, text: str, progress: Progress) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of steps that were taken.

    What the caller's function raises comes out of that call, so it can stop the work.

    Parameters
    ----------
    total
        Steps in all.
    text
        What the bar says.
    progress
        Where the steps are told.
    """
    if callable(progress):
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        yield tell
        return
    with tqdm(total=total, desc=text, disable=not progress) as bar:
        yield bar.update
