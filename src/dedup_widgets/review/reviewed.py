"""Which pictures were looked at side by side, and so which groups were reviewed."""

from collections.abc import Iterable, Mapping
from copy import copy
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.review.steps import Mask, Pair, ReviewedStep
from dedup_widgets.scoring.verify import connected


class Reviewed:
    """The pictures of a frame that were looked at side by side. It is not changed, but replaced.

    A group is reviewed once pairs connect all its pictures. So it stays reviewed when another of
    them becomes its keeper, or one is parted from it; and is not, once a new picture joins it.

    Parameters
    ----------
    fingerprints
        Of the rows of the frame; None if it has none, and then nothing is known.
    pairs
        Pairs (a, b), a ≤ b, of fingerprints; those of other frames are left out.

    Examples
    --------
    >>> seen = Reviewed(pl.Series(["f", "f", "g", "h"]), {("f", "g"), ("x", "y")})
    >>> seen.labels.tolist()
    [1, 1, 1, 0]
    >>> seen.groups(pl.Series([1, 1, 1, None]))[True].tolist()
    [True, True, True, False]
    """

    def __init__(self, fingerprints: pl.Series | None, pairs: Iterable[Pair]) -> None:
        self._contents = None if fingerprints is None else Lookup(fingerprints)
        self.pairs: frozenset[Pair] = frozenset()
        found = list(pairs) if self._contents is not None else []
        if self._contents is not None and found:
            here = self._contents.rows(print_ for pair in found for print_ in pair)
            self.pairs = frozenset((a, b) for a, b in found if a in here and b in here)

    @cached_property
    def labels(self) -> NDArray[np.uint32]:
        """Equal numbers for rows whose pictures were looked at together, 0 for others; (n,)."""
        contents = self._contents
        labels = np.zeros(0 if contents is None else len(contents.texts), np.uint32)
        if contents is None or not self.pairs:
            return labels
        rows = contents.rows(print_ for pair in self.pairs for print_ in pair)
        number = {name: at for at, name in enumerate(rows)}
        names = list(rows)
        pairs = np.array([(number[a], number[b]) for a, b in self.pairs])
        sets: dict[int, list[int]] = {}
        for at, first in zip(*(it.tolist() for it in connected(pairs)), strict=True):
            sets.setdefault(first, []).append(at)
        for one in sets.values():
            members = np.concatenate([rows[names[at]] for at in one])
            # The first row of a set names it, so that other sets leave it its number.
            labels[members] = members.min() + 1
        return labels

    def groups(self, group: pl.Series) -> Mapping[bool, Mask]:
        """Return the masks of the rows in reviewed groups (True), and in others (False).

        Parameters
        ----------
        group
            The number of each row's group, from 1; null for none.
        """
        number = group.fill_null(0).to_numpy()
        is_grouped = number > 0
        if not len(self.labels):
            return {True: np.zeros(len(number), np.bool_), False: is_grouped}
        lowest = np.full(int(number.max(initial=0)) + 1, np.iinfo(np.uint32).max, np.uint32)
        highest = np.zeros_like(lowest)
        np.minimum.at(lowest, number, self.labels)
        np.maximum.at(highest, number, self.labels)
        done = ((lowest == highest) & (lowest > 0))[number] & is_grouped
        return {True: done, False: is_grouped & ~done}

    def joined(self, mask: Mask) -> frozenset[Pair]:
        """Return the pairs once the pictures in the rows of a mask were looked at together."""
        seen = self._prints(mask)
        return self.pairs | {_pair(seen[0], other) for other in seen[1:] or seen}

    def without(self, mask: Mask) -> frozenset[Pair]:
        """Return the pairs without those that a picture in the rows of a mask is in."""
        gone = set(self._prints(mask))
        return frozenset((a, b) for a, b in self.pairs if a not in gone and b not in gone)

    def after(self, step: ReviewedStep) -> "Reviewed":
        """Return the same after a step."""
        later = copy(self)
        vars(later).pop("labels", None)
        later.pairs = (self.pairs - step.remove) | step.add
        return later

    def _prints(self, mask: Mask) -> list[str]:
        if self._contents is None:
            return []
        found: list[str] = (
            self._contents.texts.filter(mask).drop_nulls().unique(maintain_order=True).to_list()
        )
        return found


def _pair(a: str, b: str) -> Pair:
    return (min(a, b), max(a, b))
