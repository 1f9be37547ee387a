"""The steps of a review: what each changed, how to take it back, and its text.

A step holds what really changed, so that its inverse leads back to where it came from.
"""
# ruff: noqa: D102, ARG002 - Step documents what each method is for and takes

import base64
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._text import counted
from dedup_widgets.frame.table import file_name
from dedup_widgets.review.expressions import to_text
from dedup_widgets.scoring.keepers import RULES, Rule

Mask = NDArray[np.bool_]


Rules = tuple[str | Rule, ...] | None
"""Keeper rules, strongest first; None for those that the frame was scored with."""


Pair = tuple[str, str]
"""Two fingerprints, in their order."""


@dataclass(frozen=True, slots=True)
class Bits:
    """How the library keeps many rows: as bits, in an order that is not that of a frame.

    Attributes
    ----------
    most
        Rows of one step that are written as paths; more are written as bits.
    order
        The row that each bit stands for, shape (n,).
    """

    most: int
    order: NDArray[np.integer]


class Rows:
    """Some rows of a frame, in little memory: their numbers, or a bit for each row of the frame.

    Examples
    --------
    >>> rows = Rows(np.array([True, False, True]))
    >>> len(rows), rows.numbers.tolist(), rows.mask().tolist()
    (2, [0, 2], [True, False, True])
    """

    __slots__ = ("_bits", "_count", "_numbers", "total")

    def __init__(self, mask: Mask) -> None:
        numbers = np.flatnonzero(mask)
        self.total, self._count = len(mask), len(numbers)
        few = 32 * len(numbers) <= len(mask)
        self._numbers = numbers.astype(np.uint32) if few else None
        self._bits = np.packbits(mask) if not few else None

    @classmethod
    def none(cls, total: int) -> Self:
        """Return no row of a frame of `total` rows."""
        return cls(np.zeros(total, np.bool_))

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of the rows, in rising order."""
        return np.flatnonzero(self.mask())

    def mask(self) -> Mask:
        """Return the rows as a mask over the frame."""
        if self._bits is not None:
            return np.unpackbits(self._bits, count=self.total).astype(np.bool_)
        mask = np.zeros(self.total, np.bool_)
        mask[self._numbers] = True
        return mask

    def paths(self, paths: Sequence[str]) -> list[str]:
        """Return those of the frame's paths that stand in these rows."""
        return [paths[row] for row in self.numbers.tolist()]

    def named(self, paths: Sequence[str], bits: Bits | None) -> Any:
        """Return the paths of these rows; of many, a bitset as text.

        :meth:`packed` leads back, on a frame of the same rows.
        """
        if bits is None or len(self) <= bits.most:
            return self.paths(paths)
        packed = zlib.compress(np.packbits(self.mask()[bits.order]).tobytes(), 1)
        return {"bits": base64.b64encode(packed).decode()}

    @classmethod
    def packed(cls, bits: str, order: NDArray[np.integer]) -> Self:
        """Return the rows of a bitset as text; raise a ValueError where it is of other rows."""
        total = len(order)
        size = -(-total // 8)
        unpacked = zlib.decompressobj().decompress(base64.b64decode(bits, validate=True), size + 1)
        if len(unpacked) != size:
            raise ValueError(f"it has {len(unpacked)} bytes for {total} rows")
        mask = np.zeros(total, np.bool_)
        mask[order] = np.unpackbits(np.frombuffer(unpacked, np.uint8), count=total)
        return cls(mask)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows):
            return NotImplemented
        return self.total == other.total and np.array_equal(self.mask(), other.mask())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Rows({len(self):,} of {self.total:,})"


@dataclass(frozen=True)
class Step(ABC):
    """One change that a person made. False if it changes nothing.

    Attributes
    ----------
    kind
        What it changes, as a log has it.
    merges_within
        Seconds within which another one of its kind may be the same move of the hand.
    """

    kind: ClassVar[str]
    merges_within: ClassVar[float] = 0.0

    @property
    @abstractmethod
    def text(self) -> str:
        """What it does, for people: ``"select 20 images"``."""

    @abstractmethod
    def inverse(self) -> "Step":
        """Return the step that takes this one back."""

    @abstractmethod
    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        """Return what a log writes of it, as JSON.

        Parameters
        ----------
        paths
            Those of the frame's rows.
        bits
            How many rows are written, for the library, which also keeps what is only for the text;
            None for a log, which has paths.
        """

    @abstractmethod
    def __bool__(self) -> bool: ...

    def merged(self, later: "Step") -> "Step | None":
        """Return one step that does both, None if a person means two."""
        return None


@dataclass(frozen=True)
class SelectionStep(Step):
    """Images were selected or deselected.

    Attributes
    ----------
    add, remove
        The rows that were not selected before, and those that no longer are.
    drag
        Whether it is part of one drag over the grid.
    """

    add: Rows
    remove: Rows
    drag: bool = False

    kind = "selection"
    merges_within = 0.3

    @classmethod
    def between(cls, before: Mask, after: Mask, *, drag: bool = False) -> Self:
        """Return the step from one selection to another, masks over the rows of the frame."""
        return cls(Rows(after & ~before), Rows(before & ~after), drag)

    def on(self, selected: Mask) -> Mask:
        """Return a selection after this step."""
        return (selected | self.add.mask()) & ~self.remove.mask()

    @property
    def text(self) -> str:
        if self.add and self.remove:
            return f"select {counted(len(self.add), 'image')}, deselect {len(self.remove):,}"
        if self.add:
            return f"select {counted(len(self.add), 'image')}"
        return f"deselect {counted(len(self.remove), 'image')}"

    def inverse(self) -> "SelectionStep":
        return replace(self, add=self.remove, remove=self.add)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return {"add": self.add.named(paths, bits), "remove": self.remove.named(paths, bits)}

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)

    def merged(self, later: Step) -> Step | None:
        if not (isinstance(later, SelectionStep) and self.drag and later.drag):
            return None
        add, remove = self.add.mask(), self.remove.mask()
        then_add, then_remove = later.add.mask(), later.remove.mask()
        return SelectionStep(
            Rows((add & ~then_remove) | (then_add & ~remove)),
            Rows((remove & ~then_add) | (then_remove & ~add)),
            drag=True,
        )


@dataclass(frozen=True)
class FiltersStep(Step):
    """Filters were set.

    Attributes
    ----------
    before, after
        All clauses by their key, as JSON; not to be changed afterwards.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    kind = "filters"
    merges_within = 1.0

    @property
    def _keys(self) -> list[str]:
        before, after, none = self.before, self.after, object()
        keys = dict.fromkeys([*before, *after])
        return [key for key in keys if before.get(key, none) != after.get(key, none)]

    @property
    def text(self) -> str:
        if not self.after:
            return "reset filters"
        named = ", ".join(self._keys)
        if any(key in self.after for key in self._keys):
            return f"filter by {named}"
        return f"no longer filter by {named}"

    def inverse(self) -> "FiltersStep":
        return FiltersStep(self.after, self.before)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return dict(self.after)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def merged(self, later: Step) -> Step | None:
        if not isinstance(later, FiltersStep) or set(self._keys) != set(later._keys):
            return None
        return FiltersStep(self.before, later.after)


@dataclass(frozen=True)
class NearStep(Step):
    """The near-duplicate threshold was moved; None is that of the frame's own groups."""

    before: float | None
    after: float | None

    kind = "near"
    merges_within = 3.0

    @property
    def text(self) -> str:
        return f"near-duplicate threshold {_number(self.before)} → {_number(self.after)}"

    def inverse(self) -> "NearStep":
        return NearStep(self.after, self.before)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return self.after

    def __bool__(self) -> bool:
        return self.before != self.after

    def merged(self, later: Step) -> Step | None:
        return NearStep(self.before, later.after) if isinstance(later, NearStep) else None


@dataclass(frozen=True, eq=False)
class RulesStep(Step):
    """Other keeper rules were chosen."""

    before: Rules
    after: Rules

    kind = "rules"

    @property
    def text(self) -> str:
        if self.after is None:
            return "keeper rules as scored"
        return f"keeper rules: {', '.join(map(_about, self.after)) or 'path only'}"

    def inverse(self) -> "RulesStep":
        return RulesStep(self.after, self.before)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return rules_as_json(self.after)

    def __bool__(self) -> bool:
        return bool(rules_as_json(self.before) != rules_as_json(self.after))


@dataclass(frozen=True)
class KeepersStep(Step):
    """Keepers were chosen by hand, or such choices taken back.

    Attributes
    ----------
    add, remove
        Paths as the frame has them.
    """

    add: frozenset[str]
    remove: frozenset[str]

    kind = "keepers"

    @classmethod
    def between(cls, before: Set[str], after: Set[str]) -> Self:
        """Return the step from some keepers to others."""
        return cls(frozenset(after - before), frozenset(before - after))

    @property
    def text(self) -> str:
        names = self.add or self.remove
        one = file_name(min(names)) if len(names) == 1 else ""
        if self.add:
            return (
                f"make {one} the keeper" if one else f"make {counted(len(names), 'image')} keepers"
            )
        return f"no longer choose {one or counted(len(names), 'image')} by hand"

    def inverse(self) -> "KeepersStep":
        return KeepersStep(self.remove, self.add)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return {"add": sorted(self.add), "remove": sorted(self.remove)}

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


@dataclass(frozen=True)
class PairsStep(Step):
    """Something was said of pairs of pictures, or taken back.

    Attributes
    ----------
    add, remove
        Pairs of fingerprints.
    about
        What people call these images, such as a file name; only for the text.
    """

    add: frozenset[Pair]
    remove: frozenset[Pair]
    about: str = ""

    said: ClassVar[str]
    """What is said of them, in words."""

    @classmethod
    def between(cls, before: Set[Pair], after: Set[Pair], *, about: str = "") -> Self:
        """Return the step from some pairs to others."""
        return cls(frozenset(after - before), frozenset(before - after), about)

    @property
    def text(self) -> str:
        named = self.about or counted(len(self.add or self.remove), "pair")
        return f"{'' if self.add else 'no longer '}mark {named} as {self.said}"

    def inverse(self) -> Self:
        return replace(self, add=self.remove, remove=self.add)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return {
            "add": [list(pair) for pair in sorted(self.add)],
            "remove": [list(pair) for pair in sorted(self.remove)],
            # Only for the text, which a log does without.
            **({"about": self.about} if self.about and bits is not None else {}),
        }

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


class NotDuplicatesStep(PairsStep):
    """Pictures were declared to be no duplicates of each other, or such decisions taken back."""

    kind = "not_duplicates"
    said = "not duplicates"


class ReviewedStep(PairsStep):
    """Pictures were looked at side by side, or that was taken back."""

    kind = "reviewed"
    said = "reviewed"


@dataclass(frozen=True)
class CollectionStep(Step):
    """A collection was made, changed, described or deleted, as far as one frame sees it.

    Attributes
    ----------
    name
        Of the collection.
    add, remove
        The rows that really came in, and those that really left.
    description
        Before and after.
    exists
        Whether it is there, before and after.
    """

    name: str
    add: Rows
    remove: Rows
    description: tuple[str, str] = ("", "")
    exists: tuple[bool, bool] = (True, True)

    kind = "collection"

    @property
    def text(self) -> str:
        name = f"“{self.name}”"
        if not self.exists[1]:
            return f"delete {name}"
        if not self.exists[0]:
            return f"make {name}" + (f" with {counted(len(self.add), 'image')}" if self.add else "")
        if self.add and self.remove:
            return f"add {counted(len(self.add), 'image')} to {name}, remove {len(self.remove):,}"
        if self.add:
            return f"add {counted(len(self.add), 'image')} to {name}"
        if self.remove:
            return f"remove {counted(len(self.remove), 'image')} from {name}"
        return f"describe {name}"

    def inverse(self) -> "CollectionStep":
        return CollectionStep(
            self.name,
            self.remove,
            self.add,
            (self.description[1], self.description[0]),
            (self.exists[1], self.exists[0]),
        )

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return {
            "name": self.name,
            "add": self.add.named(paths, bits),
            "remove": self.remove.named(paths, bits),
            "description": self.description[1],
            "made": not self.exists[0],
            "deleted": not self.exists[1],
        }

    def __bool__(self) -> bool:
        moved = self.description[0] != self.description[1] or self.exists[0] != self.exists[1]
        return bool(self.add or self.remove) or moved


@dataclass(frozen=True)
class RenameStep(Step):
    """A collection got another name."""

    old: str
    new: str

    kind = "rename"

    @property
    def text(self) -> str:
        return f"rename “{self.old}” to “{self.new}”"

    def inverse(self) -> "RenameStep":
        return RenameStep(self.new, self.old)

    def value(self, paths: Sequence[str], bits: Bits | None = None) -> Any:
        return {"from": self.old, "to": self.new}

    def in_filters(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return filters that mean the collection by the name that it has now.

        The names change places, so that the inverse leads back even if there was a filter by a
        collection that is not there.

        >>> RenameStep("A", "B").in_filters({"collections": {"include": ["A"]}})
        {'collections': {'include': ['B']}}
        """
        places = {self.old: self.new, self.new: self.old}
        try:
            renamed = {
                side: [places.get(name, name) for name in names]
                for side, names in filters["collections"].items()
            }
        except (KeyError, AttributeError, TypeError):  # none, or what a page made up
            return dict(filters)
        return {**filters, "collections": renamed}

    def __bool__(self) -> bool:
        return self.old != self.new


def rules_as_json(rules: Rules) -> list[Any] | None:
    """Return keeper rules as JSON: a name as it is, any other rule with its expression as text.

    >>> rules_as_json(("bytes", RULES["path"]))[1]["about"]
    'path that sorts first'
    """
    if rules is None:
        return None
    return [
        rule
        if isinstance(rule, str)
        else {
            "about": rule.about,
            "value": to_text(rule.value),
            "highest_first": rule.highest_first,
            **({} if rule.among == "all" else {"among": rule.among}),
        }
        for rule in rules
    ]


def _about(rule: str | Rule) -> str:
    if isinstance(rule, Rule):
        return rule.about
    return RULES[rule].about if rule in RULES else rule


def _number(near: float | None) -> str:
    return "as scored" if near is None else f"{near:.6g}"
