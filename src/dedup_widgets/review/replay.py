"""Bring back on a frame what a decision log holds."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.schema import for_planning
from dedup_widgets.frame.table import checked_paths, to_polars
from dedup_widgets.planning.plan import plan
from dedup_widgets.review.decisions import Decisions
from dedup_widgets.review.log import LogReader, entries_of
from dedup_widgets.review.steps import Pair


@dataclass(frozen=True, eq=False)
class Replay:
    """What a log comes to on a frame.

    Attributes
    ----------
    frame : pl.DataFrame
        The frame that it was replayed on.
    decisions : Decisions
        What the plan follows.
    selection : pl.DataFrame
        The selected rows, in the order of the frame.
    filters : dict
        Clauses by key, as JSON.
    collections : dict
        The collections by name, as the review made them: what others did to them meanwhile is in
        no log of this review.
    reviewed : frozenset of tuple
        Pairs of fingerprints that were looked at side by side.
    path : str
        The column of paths.
    score : str
        The column of uniqueness, if there is one of this name.
    """

    frame: pl.DataFrame
    decisions: Decisions
    selection: pl.DataFrame
    filters: dict[str, Any]
    collections: dict[str, Collection]
    reviewed: frozenset[Pair] = frozenset()
    path: str = "path"
    score: str = "uniqueness"

    @cached_property
    def plan(self) -> pl.DataFrame:
        """The plan by these decisions; see :func:`dedup_widgets.plan`, whose errors it raises."""
        score = self.score if self.score in self.frame.columns else None
        frame = for_planning(self.frame, self.path, score)
        return plan(frame, **self.decisions.arguments())


def replay(
    df: Any,
    log: Any,
    *,
    path: str = "path",
    score: str = "uniqueness",
    missing: Literal["raise", "ignore"] = "raise",
) -> Replay:
    """Bring back on a frame what a decision log holds.

    Parameters
    ----------
    df
        The frame that was reviewed, as :func:`dedup_widgets.score` made it. Rows may come in any
        order, and there may be more of them.
    log
        ``ex.log``, the path of a file of JSON lines that was written from it, or dicts with the
        same keys. Logs may follow each other: each starts anew.
    path, score
        The columns of paths and of uniqueness, as the review was given them.
    missing
        What to do about paths that the frame lacks: ``"raise"``, or ``"ignore"`` them.

    Raises
    ------
    InputError
        When the log has paths that the frame lacks, or a line that is no entry of a log; both
        are named, lines from 1.

    Notes
    -----
    A log may come from anywhere, so no code in it is run: a keeper rule that is made of a Python
    function, or of anything else that a log cannot bring back safely, is an error.

    Examples
    --------
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg"],
    ...         "group": [1, 1],
    ...         "keep": [True, False],
    ...         "fingerprint": ["f", "f"],
    ...     }
    ... )
    >>> import numpy as np
    >>> from dedup_widgets.review.history import History, State
    >>> from dedup_widgets.review.steps import KeepersStep
    >>> history = History(df["path"], State(np.zeros(2, bool)))
    >>> history.record(KeepersStep.between(set(), {"b.jpg"}))
    >>> replay(df, history.log).plan["action"].to_list()
    ['remove', 'keep']
    """
    if missing not in ("raise", "ignore"):
        raise InputError(f"missing is {missing!r}; choose 'raise' or 'ignore'")
    frame = to_polars(df)
    reader = LogReader(checked_paths(frame, path))
    line = 0
    for line, entry in entries_of(log):
        try:
            reader.take(line, entry)
        except InputError as error:
            raise InputError(
                f"line {line} of the log is no entry that can be replayed: {error}"
            ) from error
    if not line:
        raise InputError("the log is empty; its first line tells what the review started from")
    if reader.unknown and missing == "raise":
        first, line = next(iter(reader.unknown.items()))
        raise InputError(
            f"{len(reader.unknown):,} of the log's paths are not in this frame, {first!r} in line "
            f"{line} first; give the frame that was reviewed, or pass missing='ignore'"
        )
    state = reader.state
    return Replay(
        frame,
        state.decisions,
        frame.filter(state.selection),
        dict(state.filters),
        {
            name: Collection(name, frame.filter(mask), path, description)
            for name, (mask, description) in state.collections.items()
        },
        state.reviewed,
        path,
        score,
    )
