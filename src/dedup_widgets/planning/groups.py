"""Groups of duplicates: the frame's own, formed anew at another boundary, and after decisions.

Images stand in keeper order throughout: of two, the lower is the better keeper.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.vectors import cosines, unit_vectors
from dedup_widgets.planning.ranking import Ranked


@dataclass(frozen=True)
class Groups:
    """The groups of n images in keeper order.

    Attributes
    ----------
    number
        The number of its group, 0 for none.
    leader
        The image that it is a duplicate of; itself for keepers and for images in no group; -1
        where the group's keeper is not in the frame.
    crowded
        Whether it is within the boundary of another image.
    spared
        Stays by itself because of a pair that are no duplicates.
    """

    number: NDArray[np.int64]
    leader: NDArray[np.int64]
    crowded: NDArray[np.bool_]
    spared: NDArray[np.bool_]


def own_groups(ranked: Ranked, *, best_copies: bool) -> Groups:
    """Return the groups as the frame has them.

    With `best_copies` the keeper gives way to the best of its own exact copies.

    Raises
    ------
    InputError
        When ``group`` holds no numbers or ``keep`` no truth values, or a group has two keepers.
    """
    images = ranked.images
    dtype = images.schema["group"]
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise InputError(f"column 'group' must hold numbers from 1, not {dtype}")
    held = images.schema["keep"]
    if not (held.is_numeric() or held in (pl.Boolean, pl.Null)):
        raise InputError(f"column 'keep' must hold true and false, not {held}")
    in_group = pl.col("group").cast(pl.Int64).fill_null(0)
    kept = pl.col("keep").cast(pl.Boolean)
    place = pl.col("place").cast(pl.Int64)
    columns = (
        images.select("group", "keep")
        .with_row_index("place")
        .select(
            number=in_group,
            leader=pl.when(in_group == 0)
            .then(place)
            .otherwise(pl.when(kept).then(place).min().over(in_group))
            .fill_null(-1),
            keepers=kept.sum().over(in_group),
        )
    )
    if len(crowd := columns.filter(pl.col("number") > 0, pl.col("keepers") > 1)):
        raise InputError(
            f"group {crowd['number'][0]} has more than one keeper, as when frames are put together "
            "after scoring, or several were chosen by hand; score their images together, or plan "
            "the frame as it was scored"
        )
    number, leader = columns["number"].to_numpy(), columns["leader"].to_numpy()
    if best_copies:
        best = np.where(leader >= 0, ranked.picture[leader], -1)
        same_group = (best >= 0) & (number[best] == number) & (number > 0)
        leader = np.where(same_group, best, leader)
    crowded = np.zeros(len(images), np.bool_)
    if "kind" in images.columns:
        crowded = (images["kind"].cast(pl.String) == "near").fill_null(False).to_numpy()
    return Groups(number, leader, crowded, np.zeros(len(images), np.bool_))


def groups_within(ranked: Ranked, near: float) -> Groups:
    """Return groups formed anew at a boundary, from the embeddings.

    They are those that :func:`dedup_widgets.scoring.uniqueness.uniqueness` forms.
    """
    closeness = ranked.scored.closeness
    assert closeness is not None
    picture, rows = ranked.picture, np.arange(len(ranked))
    originals = np.flatnonzero(picture == rows)
    leader, crowded = rows.copy(), np.zeros(len(rows), np.bool_)
    leads, crowded[originals] = closeness.leaders(ranked.row[originals], near)
    leader[originals] = originals[leads]
    leader = leader[picture]
    grouped = _sizes(leader) > 1
    number = np.cumsum(grouped & (leader == rows))
    return Groups(
        np.where(grouped, number[leader], 0), leader, crowded, np.zeros(len(rows), np.bool_)
    )


@dataclass(frozen=True)
class Decisions:
    """What was decided by hand, for n images in keeper order.

    Attributes
    ----------
    chosen
        Chosen to be a keeper.
    copies_stay
        One of several copies that all stay.
    apart
        Pictures (as in :class:`Ranked`) that are no duplicates of a picture.
    """

    chosen: NDArray[np.bool_]
    copies_stay: NDArray[np.bool_]
    apart: dict[int, list[int]]

    @classmethod
    def of(cls, ranked: Ranked, keepers: set[str], pairs: set[tuple[str, str]]) -> "Decisions":
        """Return the decisions about images that there are.

        Parameters
        ----------
        keepers
            Paths chosen to be keepers.
        pairs
            Fingerprints that are no duplicates of each other.
        """
        images = ranked.images
        apart: dict[int, list[int]] = {}
        copies_stay = np.zeros(len(images), np.bool_)
        if pairs:
            fingerprint = images["fingerprint"].cast(pl.String)
            at = fingerprint.is_in({f for pair in pairs for f in pair}).arg_true()
            picture_of = dict(
                zip(fingerprint.gather(at), ranked.picture[at.to_numpy()].tolist(), strict=True)
            )
            known = [
                (picture_of[a], picture_of[b]) for a, b in pairs if {a, b} <= picture_of.keys()
            ]
            for a, b in sorted(known):
                apart.setdefault(a, []).append(b)
                apart.setdefault(b, []).append(a)
            with_themselves = [a for a, b in known if a == b]
            copies_stay = np.isin(ranked.picture, with_themselves) & (_sizes(ranked.picture) > 1)
        return cls(images["path"].is_in(list(keepers)).to_numpy(), copies_stay, apart)

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Whether an image stays whoever is near."""
        return self.chosen | self.copies_stay

    def are_apart(self, picture: int, pictures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which pictures are no duplicates of one."""
        return np.isin(pictures, self.apart.get(picture, []))


def decided(groups: Groups, ranked: Ranked, decisions: Decisions, near: float | None) -> Groups:
    """Return groups after the decisions, and without those whose keeper is gone.

    Only groups in which something was decided are formed anew, greedily from their own members,
    the chosen ones first.

    Parameters
    ----------
    near
        The boundary; None for the one that the frame was scored with.
    """
    touched = _touched(groups, ranked, decisions)
    if not touched:
        return replace(groups, number=_without_single(groups.number))
    number, leader = groups.number.copy(), groups.leader.copy()
    crowded, spared = groups.crowded.copy(), groups.spared.copy()
    near = ranked.scored.near if near is None else near
    related = _Relation(np.flatnonzero(np.isin(groups.number, touched)), groups, ranked, near)
    in_group = _finder(groups.number)
    unused = int(number.max(initial=0)) + 1
    for name in touched:
        members = in_group(name)
        members = members[np.argsort(~decisions.chosen[members], kind="stable")]
        crowded[members] = True
        left = members
        while left.size:
            leads, rest = left[0], left[1:]
            is_apart = decisions.are_apart(ranked.picture[leads], ranked.picture[rest])
            takes = related.to(leads, rest) & ~decisions.stays[rest] & ~is_apart
            leader[leads] = leads
            leader[rest[takes]] = leads
            partners = decisions.are_apart(ranked.picture[leads], ranked.picture[members])
            is_alone = not takes.any()
            spared[leads] = is_alone and (partners & (members != leads)).any()
            # Keepers chosen in one group stay in one group; others found groups of their own.
            if leads != members[0] and not decisions.chosen[leads]:
                number[[leads, *rest[takes]]] = 0 if is_alone else unused
                unused += not is_alone
            left = rest[~takes]
    return Groups(_without_single(number), leader, crowded, spared)


def _without_single(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of groups, 0 for those of one image."""
    return np.where(_sizes(number) > 1, number, 0)


def _touched(groups: Groups, ranked: Ranked, decisions: Decisions) -> list[int]:
    """Return the groups in which something was decided, or whose keeper is gone."""
    touched = set(groups.number[decisions.stays | (groups.leader < 0)].tolist())
    if decisions.apart:
        with_picture = _finder(ranked.picture)
        for picture, others in decisions.apart.items():
            here = set(groups.number[with_picture(picture)].tolist())
            for other in others:
                touched |= here & set(groups.number[with_picture(other)].tolist())
    return sorted(touched - {0})


class _Relation:
    """Who is a duplicate of whom within a group, by hand-made decisions aside.

    The group itself tells that each member is near its keeper, embeddings or not.
    """

    def __init__(
        self, images: NDArray[np.int64], groups: Groups, ranked: Ranked, near: float
    ) -> None:
        self._picture = ranked.picture
        self._hub = np.where(groups.leader >= 0, ranked.picture[groups.leader], -1)
        self._reach = ranked.scored.reach(near)
        self._place = np.full(len(ranked), -1)
        self._vectors = np.empty((0, 0), np.float32)
        if (embeddings := ranked.scored.embeddings) is not None:
            of_images = embeddings.gather(ranked.row[images])
            self._vectors = unit_vectors(of_images.drop_nulls())
            self._place[images[of_images.is_not_null().to_numpy()]] = np.arange(len(self._vectors))

    def to(self, image: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which others of its group are duplicates of an image."""
        pictures, own, hub = self._picture[others], self._picture[image], self._hub[image]
        related: NDArray[np.bool_] = (pictures == own) | (pictures == hub) | (own == hub)
        if self._place[image] >= 0:
            known = self._place[others] >= 0
            cosine = cosines(
                self._vectors[[self._place[image]]], self._vectors[self._place[others[known]]]
            )
            related[known] |= np.clip(1.0 - cosine[0], 0.0, 1.0) <= self._reach
        return related


def _sizes(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many images share the label of each."""
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    return counts[label]


def _finder(label: NDArray[np.int64]) -> Callable[[int], NDArray[np.int64]]:
    """Return a function from a label to the images that carry it, in their order."""
    order = np.argsort(label, kind="stable")
    in_order = label[order]

    def find(wanted: int) -> NDArray[np.int64]:
        start, end = np.searchsorted(in_order, [wanted, wanted + 1])
        return order[start:end]

    return find
