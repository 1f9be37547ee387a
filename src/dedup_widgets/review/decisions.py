"""What a person decided about a frame, and what of it is kept in the library."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._paths import absolute, absolutes
from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.scale import checked_near
from dedup_widgets.review.steps import (
    KeepersStep,
    NearStep,
    NotDuplicatesStep,
    Pair,
    ReviewedStep,
    Rules,
    RulesStep,
    Step,
    rules_as_json,
)
from dedup_widgets.scoring.keepers import Rule, check
from dedup_widgets.store.library import Library


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a plan follows, in addition to the frame.

    Attributes
    ----------
    near : float or None
        Near-duplicate boundary on the uniqueness scale, in [0, 1]; None for the frame's own.
    rules : tuple or None
        Keeper rules, strongest first; None for those that the frame was scored with.
    keepers : frozenset of str
        Paths chosen by hand to be keepers.
    not_duplicates : frozenset of tuple
        Pairs of fingerprints (a, b), a ≤ b, that are no duplicates of each other.

    Raises
    ------
    InputError
        When near lies outside [0, 1], or there is no such rule.

    Examples
    --------
    >>> decisions = Decisions().choose(["b.jpg"])
    >>> [step.text for step in Decisions().steps_to(decisions)]
    ['make b.jpg the keeper']
    """

    near: float | None = None
    rules: Rules = None
    keepers: frozenset[str] = frozenset()
    not_duplicates: frozenset[Pair] = frozenset()

    def __post_init__(self) -> None:
        if self.near is not None:
            object.__setattr__(self, "near", checked_near(self.near))
        if self.rules is not None:
            check(self.rules)
            object.__setattr__(self, "rules", tuple(self.rules))
        try:
            pairs = frozenset((min(a, b), max(a, b)) for a, b in self.not_duplicates)
        except (TypeError, ValueError) as error:
            raise InputError(f"not_duplicates are pairs of fingerprints ({error})") from error
        object.__setattr__(self, "not_duplicates", pairs)
        object.__setattr__(self, "keepers", frozenset(self.keepers))

    def __eq__(self, other: object) -> bool:
        return self.as_json() == other.as_json() if isinstance(other, Decisions) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def as_json(self) -> dict[str, Any]:
        """Return the decisions as a log has them."""
        return {
            "near": self.near,
            "rules": rules_as_json(self.rules),
            "keepers": sorted(self.keepers),
            "not_duplicates": [list(pair) for pair in sorted(self.not_duplicates)],
        }

    def arguments(self) -> dict[str, Any]:
        """Return what :func:`dedup_widgets.plan` takes of it: ``plan(df, **arguments)``."""
        return {
            "near": self.near,
            "keep": self.rules,
            "keepers": self.keepers,
            "not_duplicates": self.not_duplicates,
        }

    def with_near(self, near: float | None) -> Self:
        """Return the same decisions at another boundary."""
        return replace(self, near=near)

    def with_rules(self, rules: Sequence[str | Rule] | None) -> Self:
        """Return the same decisions with other keeper rules."""
        if rules is None:
            return replace(self, rules=None)
        check(rules)
        return replace(self, rules=tuple(rules))

    def choose(self, keepers: Iterable[str], instead_of: Iterable[str] = ()) -> Self:
        """Return the same decisions with more keepers, chosen instead of others."""
        return replace(self, keepers=(self.keepers - set(instead_of)) | set(keepers))

    def part(self, pairs: Iterable[Pair]) -> Self:
        """Return the same decisions with more pairs of fingerprints that are no duplicates."""
        return replace(self, not_duplicates=self.not_duplicates | set(pairs))

    def rejoin(self, fingerprints: Iterable[str]) -> Self:
        """Return the same decisions without the pairs that one of the fingerprints is in."""
        gone = set(fingerprints)
        left = {(a, b) for a, b in self.not_duplicates if a not in gone and b not in gone}
        return replace(self, not_duplicates=frozenset(left))

    def steps_to(self, other: "Decisions") -> list[Step]:
        """Return the steps that lead from these decisions to others; none if they are equal."""
        steps = (
            NearStep(self.near, other.near),
            RulesStep(self.rules, other.rules),
            KeepersStep.between(self.keepers, other.keepers),
            NotDuplicatesStep.between(self.not_duplicates, other.not_duplicates),
        )
        return [step for step in steps if step]

    def after(self, step: Step) -> Self:
        """Return the decisions after a step; one that is about something else leaves them."""
        match step:
            case NearStep():
                return replace(self, near=step.after)
            case RulesStep():
                return replace(self, rules=step.after)
            case KeepersStep():
                return replace(self, keepers=(self.keepers - step.remove) | step.add)
            case NotDuplicatesStep():
                return replace(self, not_duplicates=(self.not_duplicates - step.remove) | step.add)
        return self


class StoredDecisions:
    """The decisions by hand that a library keeps, as far as they are about one frame.

    Keepers are kept by path and content, and no longer hold once the content is another;
    not-duplicates by pair of contents, wherever the files are. A frame without the column
    ``fingerprint`` has none, and nothing is kept of it. The boundary and the rules are not kept.

    Parameters
    ----------
    frame
        The rows to look at.
    library
        Where the decisions are kept.
    path
        The column of paths.
    files
        The absolute paths of the rows, where they are known already.
    record
        Called with steps in the transaction that keeps what they decided.
    together
        Entered while they are written; default: the library's transaction.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        library: Library,
        path: str = "path",
        files: Lookup | None = None,
        *,
        record: Callable[..., None] = lambda *_steps: None,
        together: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self._library, self._record = library, record
        self._together = library.together if together is None else together
        self._version: int | None = None
        self._prints = Lookup(
            frame.get_column("fingerprint", default=pl.Series([], dtype=pl.String))
        )
        keeps = len(self._prints.texts) > 0
        self._paths = frame[path].cast(pl.String) if keeps else self._prints.texts
        self._files = files if files and keeps else Lookup(absolutes(self._paths))

    def read(self) -> Decisions:
        """Return the keepers and not-duplicates that hold for the frame."""
        self._version = self._library.decisions_version()
        chosen = self._library.chosen_keepers()
        rows = self._files.first(chosen)
        then = pl.Series(chosen.values(), dtype=pl.String)
        holds = (rows >= 0) & (self._prints_of(rows) == then).fill_null(False).to_numpy()
        pairs = self._library.not_duplicates()
        here = self._prints.rows(print_ for pair in pairs for print_ in pair).keys()
        return Decisions(
            keepers=frozenset(self._paths.gather(rows[holds])),
            not_duplicates=frozenset(pair for pair in pairs if here >= set(pair)),
        )

    def _prints_of(self, rows: NDArray[np.int64]) -> pl.Series:
        """Return the fingerprints of rows, null for -1."""
        return self._prints.texts.gather(pl.Series(rows).replace(-1, None))

    def _known(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the fingerprint of each of some paths that has one."""
        paths = list(paths)
        prints = self._prints_of(self._files.first(map(absolute, paths)))
        return {path: it for path, it in zip(paths, prints, strict=True) if it is not None}

    @property
    def is_behind(self) -> bool:
        """Whether somebody else decided something since these were read or written."""
        return self._version not in (None, self._library.decisions_version())

    def read_again(self, before: Decisions) -> Decisions:
        """Return decisions as they are by now: others' by hand, and what only a session knows."""
        found = self.read()
        own = before.keepers - self._known(before.keepers).keys()
        return replace(before, keepers=found.keepers | own, not_duplicates=found.not_duplicates)

    def write(self, *steps: Step) -> None:
        """Record steps, and keep what they decided by hand, in one transaction.

        Where nothing was by hand, it waits for nobody.

        Raises
        ------
        ChangedMeanwhileError
            When somebody else decided something meanwhile; nothing is written.
        StoreError
            When the store cannot be written.
        """
        keepers = [step for step in steps if isinstance(step, KeepersStep)]
        not_duplicates = [step for step in steps if isinstance(step, NotDuplicatesStep)]
        reviewed = [step for step in steps if isinstance(step, ReviewedStep)]
        if not (keepers or not_duplicates or reviewed):
            self._record(*steps)
            return
        with self._together():
            version = self._library.decide(
                since=self._version,
                add_keepers={
                    absolute(path): print_
                    for step in keepers
                    for path, print_ in self._known(step.add).items()
                },
                remove_keepers=[absolute(path) for step in keepers for path in step.remove],
                add_not_duplicates=[pair for step in not_duplicates for pair in step.add],
                remove_not_duplicates=[pair for step in not_duplicates for pair in step.remove],
                add_reviewed=[pair for step in reviewed for pair in step.add],
                remove_reviewed=[pair for step in reviewed for pair in step.remove],
            )
            self._record(*steps)
        if self._version is not None:
            self._version = version
