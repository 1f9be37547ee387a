"""Groups of duplicates: those of the frame, new ones at another boundary, and after decisions.

Images are in keeper order throughout: of two, the lower number is the better keeper.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.vectors import cosines, unit_vectors
from dedup_widgets.planning.ranking import RankedImages


@dataclass(frozen=True)
class Groups:
    """The groups of n images in keeper order.

    Attributes
    ----------
    number
        The number of its group, 0 for none.
    representative
        The image that it is a duplicate of: the group's keeper. Itself for keepers and for images
        in no group; -1 where the group's keeper is not in the frame.
    has_neighbor
        Whether another image is within the boundary of it.
    kept_by_decision
        Whether it is in no group only because it was declared not to be a duplicate.
    """

    number: NDArray[np.int64]
    representative: NDArray[np.int64]
    has_neighbor: NDArray[np.bool_]
    kept_by_decision: NDArray[np.bool_]

    def part(self, images: NDArray[np.int64]) -> "Groups":
        """Return the groups of some images in their order, which are all members of theirs."""
        keeper = self.representative[images]
        return Groups(
            self.number[images],
            np.where(keeper < 0, -1, np.searchsorted(images, keeper)),
            self.has_neighbor[images],
            self.kept_by_decision[images],
        )


def own_groups(ranked: RankedImages, *, best_copies: bool) -> Groups:
    """Return the groups that the frame has.

    With `best_copies` the best of a keeper's exact copies becomes the keeper in its place.

    Raises
    ------
    InputError
        When ``group`` holds no numbers or ``keep`` no truth values, or a group has two keepers.
    """
    names = [name for name in ("group", "keep", "kind") if name in ranked.columns]
    images = ranked.facts(names)
    dtype = images.schema["group"]
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise InputError(f"column 'group' must hold numbers from 1, not {dtype}")
    held = images.schema["keep"]
    if not (held.is_numeric() or held in (pl.Boolean, pl.Null)):
        raise InputError(f"column 'keep' must hold true and false, not {held}")
    number = images["group"].cast(pl.Int64).fill_null(0).to_numpy()
    keep = images["keep"].cast(pl.Boolean).fill_null(False).to_numpy()
    representative = np.arange(len(number))
    grouped = np.flatnonzero(number)
    kept = grouped[keep[grouped]]
    if len(clashes := kept[pl.Series(number[kept]).is_duplicated().to_numpy()]):
        raise InputError(
            f"group {number[clashes[0]]} has more than one keeper, as when frames are put "
            "together after scoring, or several were chosen by hand; score their images together, "
            "or plan the frame as it was scored"
        )
    keeper = np.full(int(number.max(initial=0)) + 1, -1)
    keeper[number[kept]] = kept
    representative[grouped] = keeper[number[grouped]]
    if best_copies:
        best = np.where(representative >= 0, ranked.picture[representative], -1)
        same_group = (best >= 0) & (number[best] == number) & (number > 0)
        representative = np.where(same_group, best, representative)
    has_neighbor = np.zeros(len(images), np.bool_)
    if "kind" in images.columns:
        has_neighbor = (images["kind"].cast(pl.String) == "near").fill_null(False).to_numpy()
    return Groups(number, representative, has_neighbor, np.zeros(len(images), np.bool_))


def groups_within(ranked: RankedImages, near: float) -> Groups:
    """Return new groups at a boundary, from the embeddings.

    They are the same as :func:`dedup_widgets.scoring.uniqueness.uniqueness` forms.
    """
    closeness = ranked.scored.closeness
    assert closeness is not None
    picture, rows = ranked.picture, np.arange(len(ranked))
    representatives = np.flatnonzero(picture == rows)
    representative, has_neighbor = rows.copy(), np.zeros(len(rows), np.bool_)
    of_representatives, has_neighbor[representatives] = closeness.greedy_groups(
        ranked.row[representatives], near
    )
    representative[representatives] = representatives[of_representatives]
    representative = representative[picture]
    grouped = sizes(representative) > 1
    number = np.cumsum(grouped & (representative == rows))
    return Groups(
        np.where(grouped, number[representative], 0),
        representative,
        has_neighbor,
        np.zeros(len(rows), np.bool_),
    )


@dataclass(frozen=True)
class GroupDecisions:
    """Decisions by hand that change groups, for n images in keeper order.

    Attributes
    ----------
    chosen
        (n,), whether it was chosen to be a keeper.
    keep_copies
        (n,), whether it is one of several copies that are all kept.
    not_duplicates
        For a picture (as in :class:`RankedImages`), the pictures that are not duplicates of it.
    """

    chosen: NDArray[np.bool_]
    keep_copies: NDArray[np.bool_]
    not_duplicates: dict[int, list[int]]

    @classmethod
    def of(
        cls, ranked: RankedImages, chosen: NDArray[np.bool_], pairs: Set[tuple[str, str]]
    ) -> "GroupDecisions":
        """Return the decisions about the images of a frame; others are ignored.

        Parameters
        ----------
        chosen
            Which images were chosen to be keepers.
        pairs
            Pairs of fingerprints that are not duplicates of each other.
        """
        not_duplicates: dict[int, list[int]] = {}
        keep_copies = np.zeros(len(ranked), np.bool_)
        if pairs:
            fingerprint = ranked.facts(["fingerprint"]).to_series().cast(pl.String)
            at = fingerprint.is_in({f for pair in pairs for f in pair}).arg_true()
            pictures_of: dict[str, set[int]] = {}
            shown = ranked.picture[at.to_numpy()].tolist()
            for name, picture in zip(fingerprint.gather(at), shown, strict=True):
                pictures_of.setdefault(name, set()).add(picture)
            known = [
                (one, other)
                for a, b in pairs
                for one in pictures_of.get(a, ())
                for other in pictures_of.get(b, ())
                if a != b or one == other
            ]
            for a, b in sorted(known):
                not_duplicates.setdefault(a, []).append(b)
                not_duplicates.setdefault(b, []).append(a)
            with_themselves = [a for a, b in known if a == b]
            keep_copies = np.isin(ranked.picture, with_themselves) & (sizes(ranked.picture) > 1)
        return cls(chosen, keep_copies, not_duplicates)

    @property
    def always_kept(self) -> NDArray[np.bool_]:
        """Whether an image is kept, whichever images are near."""
        return self.chosen | self.keep_copies

    def are_not_duplicates(self, picture: int, pictures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which of some pictures were declared not to be duplicates of one picture."""
        return np.isin(pictures, self.not_duplicates.get(picture, []))


def decided(
    groups: Groups,
    ranked: RankedImages,
    decisions: GroupDecisions,
    near: float | None,
    unused: NDArray[np.int64],
) -> Groups:
    """Return groups after the decisions; a keeper that is not in the frame is replaced.

    Only groups in which something was decided are formed again, greedily from their own members,
    the chosen keepers first.

    Parameters
    ----------
    near
        The boundary; None for the one that the frame was scored with.
    unused
        (n,), for each image a number that no other group has, for one that is formed round it.
    """
    touched = _touched(groups, ranked, decisions)
    if not touched:
        return replace(groups, number=_without_single(groups.number))
    number, representative = groups.number.copy(), groups.representative.copy()
    has_neighbor, kept_by_decision = groups.has_neighbor.copy(), groups.kept_by_decision.copy()
    near = ranked.scored.near if near is None else near
    in_touched = np.flatnonzero(np.isin(groups.number, touched))
    related = _DuplicateRelation(in_touched, groups, ranked, near)
    in_group = finder(groups.number[in_touched])
    for name in touched:
        members = in_touched[in_group(name)]
        members = members[np.argsort(~decisions.chosen[members], kind="stable")]
        has_neighbor[members] = True
        left = members
        while left.size:
            keeper, others = left[0], left[1:]
            is_excluded = decisions.are_not_duplicates(
                ranked.picture[keeper], ranked.picture[others]
            )
            stays = decisions.always_kept[others] | ranked.old[others]
            joins = related.to(keeper, others) & ~stays & ~is_excluded
            representative[keeper] = keeper
            representative[others[joins]] = keeper
            partners = decisions.are_not_duplicates(ranked.picture[keeper], ranked.picture[members])
            is_alone = not joins.any()
            kept_by_decision[keeper] = is_alone and (partners & (members != keeper)).any()
            # Keepers chosen in one group share its number; other keepers start groups of their own.
            if keeper != members[0] and not decisions.chosen[keeper]:
                number[[keeper, *others[joins]]] = 0 if is_alone else unused[keeper]
            left = others[~joins]
    return Groups(_without_single(number), representative, has_neighbor, kept_by_decision)


def _without_single(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of groups, 0 for those of one image."""
    return np.where(sizes(number) > 1, number, 0)


def _touched(groups: Groups, ranked: RankedImages, decisions: GroupDecisions) -> list[int]:
    """Return the groups in which something was decided, or whose keeper is not in the frame."""
    touched = set(groups.number[decisions.always_kept | (groups.representative < 0)].tolist())
    if decisions.not_duplicates:
        with_picture = finder(ranked.picture)
        for picture, others in decisions.not_duplicates.items():
            here = set(groups.number[with_picture(picture)].tolist())
            for other in others:
                touched |= here & set(groups.number[with_picture(other)].tolist())
    return sorted(touched - {0})


class _DuplicateRelation:
    """Which members of a group are duplicates of each other, apart from decisions by hand.

    That they are in a group says, even without embeddings, that each member is near its keeper.
    """

    def __init__(
        self, images: NDArray[np.int64], groups: Groups, ranked: RankedImages, near: float
    ) -> None:
        self._picture, self._row = ranked.picture, ranked.row
        self._compared = ranked.scored.compared
        self._keeper_picture = np.where(
            groups.representative >= 0, ranked.picture[groups.representative], -1
        )
        self._radius = ranked.scored.radius(near)
        self._vector_row = np.full(len(ranked), -1)
        self._vectors = np.empty((0, 0), np.float32)
        if (embeddings := ranked.scored.embeddings) is not None:
            of_images = embeddings.gather(ranked.row[images])
            self._vectors = unit_vectors(of_images.drop_nulls())
            self._vector_row[images[of_images.is_not_null().to_numpy()]] = np.arange(
                len(self._vectors)
            )

    def to(self, image: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which others of its group are duplicates of an image."""
        pictures, own = self._picture[others], self._picture[image]
        of_keeper = self._keeper_picture[image]
        related: NDArray[np.bool_] = (
            (pictures == own) | (pictures == of_keeper) | (own == of_keeper)
        )
        compared = self._compared
        if compared is not None:
            related |= compared.are_within(self._row[image], self._row[others], self._radius)
            if self._radius < compared.pairs.boundary:
                return related
        if self._vector_row[image] >= 0:
            known = self._vector_row[others] >= 0
            cosine = cosines(
                self._vectors[[self._vector_row[image]]],
                self._vectors[self._vector_row[others[known]]],
            )
            related[known] |= np.clip(1.0 - cosine[0], 0.0, 1.0) <= self._radius
        return related


def sizes(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each image, how many images share its label, a number from 0."""
    return np.bincount(label)[label] if label.size else label


def finder(label: NDArray[np.int64]) -> Callable[[int], NDArray[np.int64]]:
    """Return a function from a label to the images that have it, in their order."""
    order = np.argsort(label, kind="stable")
    in_order = label[order]

    def find(wanted: int) -> NDArray[np.int64]:
        start, end = np.searchsorted(in_order, [wanted, wanted + 1])
        return order[start:end]

    return find
