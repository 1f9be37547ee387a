"""What can go wrong. Each message says what happened, to which input, and what to do."""

import traceback
from typing import Any

from dedup_widgets._secrets import without_secrets


class DedupError(Exception):
    """Base of every error that dedup_widgets raises on purpose.

    A notebook shows what it says, and the line that it comes of; ``%tb`` shows the traceback.
    Passwords, signatures and tokens are left out of what it says.

    Examples
    --------
    >>> import dedup_widgets as dw
    >>> try:
    ...     dw.Explorer({"path": 3})
    ... except dw.DedupError as error:
    ...     print(type(error).__name__)
    InputError
    """

    _was_shown = False

    def __init__(self, *said: Any) -> None:
        super().__init__(*(without_secrets(it) if isinstance(it, str) else it for it in said))

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows: when asked again, as by ``%tb``, all."""
        from IPython.core.getipython import get_ipython

        shell: Any = get_ipython()
        if self._was_shown:
            trace = self.__traceback__
            lines: list[str] = shell.InteractiveTB.structured_traceback(
                type(self), self, trace, tb_offset=1
            )
            return lines
        self._was_shown = True
        frames = [*traceback.walk_tb(self.__traceback__)]
        own = [at for frame, at in frames if frame.f_globals.get("__name__") == "__main__"]
        where = f"in line {own[0]}; " if own else ""
        name = f"\x1b[31m{type(self).__name__}\x1b[39m"
        return [f"{name}: {self}", f"({where}%tb shows the traceback)"]


class InputError(DedupError, ValueError):
    """An argument, a frame or a set of vectors cannot be used as given."""


class ImageError(DedupError):
    """A file could not be read as a picture.

    Scoring turns it into a row with ``error`` set; it never stops a run.

    Attributes
    ----------
    is_about_the_bytes : bool
        Whether the file is the reason, and not this machine at the moment: its memory, or what is
        installed. Only then the error is remembered.
    """

    is_about_the_bytes = True


class ModelError(DedupError):
    """A model could not be loaded, or does not embed images."""


class StoreError(DedupError):
    """A file of the store cannot be opened or written."""


class EngineError(DedupError):
    """What runs the work on other machines cannot be started, or lost a job again and again."""

    @classmethod
    def of(cls, what: str, job: object) -> "EngineError":
        """Return the error of a job that no process outlives."""
        return cls(
            f"{what} ended each process that tried it ({job}): it may need more memory; give jobs "
            "more of it, dedup_widgets.engines.Ray(memory=…), and run it again"
        )


class DatasetError(DedupError):
    """A dataset cannot be written, or is not what was asked for; nothing was left on disk."""


class AnnotateError(DedupError):
    """A dataset could not be sent to the annotation tool; on disk it is as it was.

    Attributes
    ----------
    dataset : Dataset, optional
        The dataset, where :func:`create_dataset` had written it before.
    """

    dataset: Any = None


for _error in (DedupError, *DedupError.__subclasses__()):
    # A traceback shows the name to catch it by.
    _error.__module__ = "dedup_widgets"
