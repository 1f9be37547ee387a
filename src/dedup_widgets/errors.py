"""What can go wrong. Each message says what happened, to which input, and what to do."""

from typing import Any


class DedupError(Exception):
    """Base of every error that dedup_widgets raises on purpose."""


class InputError(DedupError, ValueError):
    """An argument, a frame or a set of vectors cannot be used as given."""


class ImageError(DedupError):
    """A file could not be read as a picture.

    Scoring turns it into a row with ``error`` set; it never stops a run.
    """


class ModelError(DedupError):
    """A model could not be loaded, or does not embed images."""


class StoreError(DedupError):
    """A file of the store cannot be opened or written."""


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
