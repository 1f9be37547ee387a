"""A scored frame with its plans: by which decisions, and what another boundary changed."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.schema import for_planning
from dedup_widgets.planning.changes import changes
from dedup_widgets.planning.planner import Planner
from dedup_widgets.review.decisions import Decisions
from dedup_widgets.review.following import Following


class Planned:
    """A scored frame, as it is planned by what was decided.

    Parameters
    ----------
    frame
        As it was scored.
    path, score
        Its columns of paths and of uniqueness.
    paths
        Its paths.
    missing
        Paths of files that are gone: whoever chose them, they are no keepers.

    Attributes
    ----------
    following : Following
        The frame as a plan has it.
    why_not : str or None
        Why the frame has too little for a plan; None when it has enough.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        path: str,
        score: str | None,
        paths: Lookup,
        missing: frozenset[str] = frozenset(),
    ) -> None:
        self.following = Following(frame, path, score)
        self.why_not: str | None = None
        self._missing = missing
        self._as_scored: tuple[Decisions, pl.DataFrame] | None = None
        try:
            self._planner = Planner(for_planning(frame, path, score), paths=paths)
        except InputError as error:
            self.why_not = str(error)

    @property
    def planner(self) -> Planner | None:
        """What plans the frame; None where it has too little for that."""
        return None if self.why_not is not None else self._planner

    def near(self, decisions: Decisions) -> float:
        """Return the boundary of a plan by some decisions."""
        return self._required.near if decisions.near is None else decisions.near

    def plan(
        self, decisions: Decisions, last: pl.DataFrame | None = None
    ) -> tuple[pl.DataFrame, NDArray[np.int64] | None]:
        """Plan, and tell where the plan may be unlike the last one: see :meth:`Planner.replan`.

        Raises
        ------
        InputError
            When the frame has too little for a plan by these decisions.
        """
        arguments = decisions.arguments()
        arguments["keepers"] = arguments["keepers"] - self._missing
        return self._required.replan(last, **arguments)

    def changes(self, decisions: Decisions, plan: pl.DataFrame) -> str:
        """Return what the boundary of a plan changed, in words; nothing where it is as scored."""
        if decisions.near is None:
            return ""
        as_scored = decisions.with_near(None)
        if self._as_scored is None or self._as_scored[0] != as_scored:
            self._as_scored = as_scored, self.plan(as_scored)[0]
        return str(changes(self._as_scored[1], plan))

    @property
    def _required(self) -> Planner:
        if self.why_not is not None:
            raise InputError(f"there is no plan for this frame: {self.why_not}")
        return self._planner
