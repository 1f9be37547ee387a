"""Forked processes: threads of Polars and torch do not come along, and who needs them waits."""

import os

from dedup_widgets.errors import DedupError

_was_used = False
_is_forked = False


def note_use() -> None:
    """Note that this process computes; raise in one that was forked from a process that did.

    Raises
    ------
    DedupError
        Where it would wait for ever.
    """
    global _was_used
    if _is_forked:
        raise DedupError(
            "this process was forked from one that had used dedup_widgets, without the threads "
            "that compute, and would wait for them for ever; start processes by "
            "multiprocessing.get_context('spawn')"
        )
    _was_used = True


def _note_fork() -> None:
    global _is_forked
    _is_forked = _was_used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
