"""The groups after decisions by hand, for all images, or only for those that a decision concerns.

What is decided about an image changes nothing for images that are in no group with it and show
another picture. So a part of the groups can be formed alone, and is as if all were.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.planning.groups import GroupDecisions, Groups, decided, finder, sizes
from dedup_widgets.planning.ranking import RankedImages

Pairs = Set[tuple[str, str]]


@dataclass(frozen=True)
class Basis:
    """The groups that n images have before anything is decided by hand.

    Attributes
    ----------
    ranked, groups
        The images and their groups.
    near
        The boundary; None for the one that the frame was scored with.
    among_copies
        Whether rules chose keepers among exact copies only.
    """

    ranked: RankedImages
    groups: Groups
    near: float | None
    among_copies: bool

    def prepare(self) -> None:
        """Work out ahead what decisions by hand are looked up in."""
        self.index, self.top, self.closure  # noqa: B018
        self.ranked.scored.gamma, self.ranked.scored.compared  # noqa: B018

    @cached_property
    def index(self) -> NDArray[np.int32]:
        """The image of each row of the frame, -1 for none."""
        index = np.full(self.ranked.total, -1, np.int32)
        index[self.ranked.row] = np.arange(len(self.ranked))
        return index

    @cached_property
    def top(self) -> int:
        """The highest number of a group."""
        return int(self.groups.number.max(initial=0))

    @cached_property
    def closure(self) -> "Closure":
        """Which images belong together."""
        return Closure([self.groups.number, self.ranked.picture])


class Closure:
    """Which images belong together: those of a group, and the copies of a picture.

    Parameters
    ----------
    labels
        Numbers for the images, (n,) each; those that share one belong together, except by 0 where
        that is the number for none.
    """

    def __init__(self, labels: list[NDArray[np.int64]]) -> None:
        number, picture = labels
        shared = np.flatnonzero(number), np.flatnonzero(sizes(picture) > 1)
        self._labels = [
            (label, some.astype(np.int32), finder(label[some]))
            for label, some in zip(labels, shared, strict=True)
        ]

    def of(self, images: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return some images and all that belong with them, in keeper order."""
        known = np.unique(images).astype(np.int64)
        while True:
            parts: list[NDArray[Any]] = [known]
            for label, some, find in self._labels:
                parts += [some[find(one)] for one in np.unique(label[known]).tolist()]
            more = np.unique(np.concatenate(parts)).astype(np.int64)
            if len(more) == len(known):
                return known
            known = more


@dataclass(frozen=True)
class Formed:
    """Groups after decisions by hand.

    Attributes
    ----------
    images
        The images, in keeper order; None for all.
    ranked, groups, decisions
        These images, their groups, and what was decided about them.
    opened
        Of all images: the keepers of the groups that decisions made, in the order of their numbers.
    """

    images: NDArray[np.int64] | None
    ranked: RankedImages
    groups: Groups
    decisions: GroupDecisions
    opened: NDArray[np.int64]


def formed(basis: Basis, keepers: NDArray[np.int64], pairs: Pairs) -> Formed:
    """Return the groups of all images after decisions: chosen keepers, and not-duplicates."""
    everything = np.arange(len(basis.ranked))
    return _formed(basis, None, everything, np.empty(0, np.int64), keepers, pairs)


def formed_again(
    basis: Basis,
    opened: NDArray[np.int64],
    images: NDArray[np.int64],
    keepers: NDArray[np.int64],
    pairs: Pairs,
) -> Formed:
    """Return the groups of those images for which other decisions may form other ones.

    Parameters
    ----------
    opened
        As the decisions before opened groups; see :class:`Formed`.
    images
        About which something else is decided now.
    keepers, pairs
        All that is decided now.
    """
    while True:
        images = basis.closure.of(images)
        elsewhere = opened[~np.isin(opened, images)]
        again = _formed(basis, images, images, elsewhere, keepers, pairs)
        # One more group, or one less, gives other numbers to those that were opened after it.
        moved = elsewhere[_places(again.opened, elsewhere) != _places(opened, elsewhere)]
        if not moved.size:
            return again
        images = np.concatenate([images, moved])


def _formed(
    basis: Basis,
    images: NDArray[np.int64] | None,
    some: NDArray[np.int64],
    elsewhere: NDArray[np.int64],
    keepers: NDArray[np.int64],
    pairs: Pairs,
) -> Formed:
    ranked, groups, top = basis.ranked, basis.groups, basis.top
    chosen = np.zeros(len(some), np.bool_)
    if images is None:
        chosen[keepers] = True
    else:
        ranked, groups = ranked.part(images), groups.part(images)
        chosen = np.isin(images, keepers)
    decisions = GroupDecisions.of(ranked, chosen, pairs)
    groups = decided(groups, ranked, decisions, basis.near, unused=top + 1 + some)
    is_new = groups.number > top
    here = np.unique(groups.number[is_new]) - top - 1
    opened = np.concatenate([elsewhere, here])
    opened = opened[np.lexsort([opened, basis.groups.number[opened]])]
    number = groups.number.copy()
    number[is_new] = top + 1 + _places(opened, number[is_new] - top - 1)
    return Formed(images, ranked, replace(groups, number=number), decisions, opened)


def _places(among: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in an array each of some of its values is."""
    order = np.argsort(among)
    places: NDArray[np.int64] = order[np.searchsorted(among[order], wanted)]
    return places
