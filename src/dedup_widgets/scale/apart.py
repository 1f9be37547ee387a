"""Runs of which not all images may be duplicates of each other: sets against sets, parts apart.

What is compared are the pictures of each part, so that one that lies in several parts is several.
They are numbered part by part, and every step of a run keeps to that: then the parts are scored as
if each were alone, at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

import dedup_widgets.scoring.keepers as keepers
from dedup_widgets.frame.scope import Scope
from dedup_widgets.scale.copies import Copies
from dedup_widgets.scoring.scores import EvidenceRanking

PART = "_part"
"""The column of facts that has the part of each image."""


@dataclass(frozen=True)
class Apart:
    """The images of a run that are compared, of n that are readable, and their pictures.

    Attributes
    ----------
    rows
        (m,), those that are compared: all but old copies of old images.
    at
        (n,), which of the m has the score of each.
    part
        (m,), the part of each.
    copies
        The k pictures of these, ordered by part, and in a part the new ones first.
    part_of, old
        (k,), the part of each picture, and whether it was there before.
    """

    rows: NDArray[np.int64]
    at: NDArray[np.int64]
    part: NDArray[np.int64]
    copies: Copies
    part_of: NDArray[np.int64]
    old: NDArray[np.bool_]

    @classmethod
    def of(cls, scope: Scope, copies: Copies, ranks: NDArray[np.integer]) -> "Apart":
        """Return who is compared with whom.

        Parameters
        ----------
        scope
            Who may be a duplicate of whom.
        copies
            Which images show the same picture, wherever they are.
        ranks
            (n,), the lowest for the best keeper.
        """
        picture, n = copies.of_row, len(copies.of_row)
        old = np.flatnonzero(scope.old)
        old = old[np.lexsort((ranks[old], picture[old], scope.part[old]))]
        same = np.stack([scope.part[old], picture[old]])
        is_first = np.append([True], (same[:, 1:] != same[:, :-1]).any(axis=0))[: len(old)]
        stands_for = np.arange(n)
        stands_for[old] = old[is_first][np.cumsum(is_first) - 1]
        rows = np.flatnonzero(stands_for == np.arange(n))
        part = np.unique(scope.part[rows], return_inverse=True)[1]
        count = len(copies.rank)
        keys, of_row = np.unique(part * count + picture[rows], return_inverse=True)
        part_of, base = np.divmod(keys, max(count, 1))
        is_old = np.zeros(len(keys), np.bool_)
        is_old[of_row[scope.old[rows]]] = True
        order = np.lexsort((base, is_old, part_of))
        number = np.empty(len(order), np.int32)
        number[order] = np.arange(len(order))
        base = base[order]
        pictures = Copies(copies.is_readable, number[of_row], copies.place[base], copies.rank[base])
        at = np.searchsorted(rows, stands_for)
        return cls(rows, at, part, pictures, part_of[order], is_old[order])

    def pictures(self) -> pl.DataFrame:
        """Return where the pictures lie, with ``part`` and ``old``."""
        return self.copies.place.with_columns(part=self.part_of, old=self.old)

    def told(self, scores: pl.DataFrame, rows: slice) -> pl.DataFrame:
        """Return the scores of some of the n from those of the m.

        An old image that is a copy of another old one is in no group.
        """
        its = self.at[rows]
        is_further = pl.Series(self.rows[its] != np.arange(rows.start, rows.start + len(its)))
        return scores[its].with_columns(
            group=pl.when(~is_further).then("group"), keep=pl.col("keep") | is_further
        )


class RankedApart:
    """How pictures are ranked by evidence, part by part."""

    def __init__(self, ranking: EvidenceRanking, part: NDArray[np.int64]) -> None:
        self._ranking, self._part = ranking, part

    def ranks(
        self, completeness: NDArray[np.float32], enlarged: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """Return the rank of each picture, as `keepers.PictureRanking` does."""
        order = np.lexsort((self._ranking.ranks(completeness, enlarged), self._part))
        ranks = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order))
        return ranks


def rules_apart(rules: Sequence[str | keepers.Rule]) -> list[str | keepers.Rule]:
    """Return keeper rules of which those of a person's own look at the images of a part only."""
    return [
        it if isinstance(it, str) or it is keepers.OLD_FIRST else _over_part(it) for it in rules
    ]


def _over_part(rule: keepers.Rule) -> keepers.Rule:
    return replace(rule, value=rule.value.over(PART))
