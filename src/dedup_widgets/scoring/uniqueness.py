"""The uniqueness score, from embeddings and fingerprints to groups and keepers.

Images that share a fingerprint are exact duplicates; of N of them one, the keeper, is scored and
N-1 get exactly 0. The score follows from the distance to the nearest image with another
fingerprint, see :mod:`dedup_widgets.frame.scale`. Images within ``near`` of a keeper are its
near-duplicates.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from dedup_widgets._forks import note_use
from dedup_widgets._memory import give_back
from dedup_widgets._progress import Progress
from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import inverse_of
from dedup_widgets.frame.scale import NEAR, radius_of, scale
from dedup_widgets.frame.schema import KIND
from dedup_widgets.neighbors.confirmed import ConfirmedPairs
from dedup_widgets.neighbors.grouping import greedy_groups_of_pairs
from dedup_widgets.neighbors.search import Method, check_method
from dedup_widgets.neighbors.vectors import Vectors, first_equal
from dedup_widgets.scoring.comparison import Comparison, Representatives

_EXACT, _NEAR, _UNIQUE = map(np.uint8, range(3))
"""The kinds by their numbers."""


SAME = 1e-5
"""Cosine distance within which vectors without fingerprints count as identical."""


def uniqueness(
    embeddings: Any,
    *,
    fingerprints: Iterable[Hashable] | None = None,
    near: float = NEAR,
    rank: ArrayLike | None = None,
    gamma: float = 1.0,
    method: Method = "auto",
    device: str | None = None,
    progress: Progress = False,
) -> pl.DataFrame:
    """Score images by how unlike the others they are, group the duplicates and suggest keepers.

    Equal input gives equal output to the last bit, in whatever order the rows come (with `rank`
    reordered along).

    Parameters
    ----------
    embeddings
        n x d numbers, one row an image: an array, a tensor, a list of rows, or a polars Array or
        List column. Rows are normalised to unit length. An array is not copied, so it may be a
        file that is mapped into memory, larger than it.
    fingerprints
        n hashable values, equal for exact duplicates. Without them, vectors within 1e-5 cosine
        distance of a better keeper count as identical to it.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1].
    rank
        n numbers, the lowest of a group is its keeper; equal ones go by row number. Default: row
        number.
    gamma
        Exponent that fits distances to the uniqueness scale, see :func:`scale`.
    method
        How neighbours are searched: ``"exact"`` looks at all pairs, ``"hnsw"`` takes candidates
        from a graph, ``"auto"`` chooses by the number of images and what the machine can do.
    device
        Torch device for the search, such as ``"cuda"``; default: CUDA if there is one.
    progress
        Whether to show a bar while a search takes more than about a second; or a function that
        is called with the work done and in all, and may raise an error to stop it.

    Returns
    -------
    pl.DataFrame
        One row an image, in the order given:

        - ``uniqueness`` (Float32, [0, 1]): exactly 0 for an exact duplicate that is not the
          keeper, and for nothing else; 1 when there is nothing else to compare with.
        - ``kind`` (Enum): ``exact`` when it shares its fingerprint, keeper included; else
          ``near`` when uniqueness is at most `near`; else ``unique``.
        - ``group`` (UInt32, null for images in none): numbered from 1 by the keepers' ranks.
        - ``keep`` (Boolean): true for each group's keeper and for images in no group.
        - ``nearest`` (UInt32, row number): the image that decided the score; null for none.
        - ``distance`` (Float32, [0, 1]): cosine distance to ``nearest``; null for none.

        All copies of an image go with the best-ranked of them. Where that one is within `near`
        of a better-ranked keeper, it joins that group with its copies: its own score stays
        above 0, but ``keep`` is false.

    Raises
    ------
    InputError
        When the embeddings are not n x d, a row is zero, NaN, infinite or null, `fingerprints` or
        `rank` has another length or missing values, or `near`, `gamma` or `method` is out of
        range.

    See Also
    --------
    dedup_widgets.score : The same for image files, which it reads and embeds.

    Notes
    -----
    Like SemDeDup [1]_ this finds near-duplicates by the cosine similarity of embeddings, but
    compares all pairs and not only those within a cluster. Groups are formed by the leader
    algorithm [2]_, with the images in order of `rank` as leaders. The exponent `gamma` is what is
    elsewhere called a gamma correction or power-law transformation.

    References
    ----------
    .. [1] A. Abbas, K. Tirumala, D. Simig, S. Ganguli and A. S. Morcos, "SemDeDup: Data-efficient
       learning at web-scale through semantic deduplication", 2023, arXiv:2303.09540.
    .. [2] J. A. Hartigan, "Clustering Algorithms", Wiley, 1975, chapter 3.

    Examples
    --------
    >>> scores = uniqueness([[1, 0], [1, 0], [1, 0.1], [0, 1]])
    >>> scores["uniqueness"].cast(pl.Float64).round(4).to_list()
    [0.0052, 0.0, 0.0052, 0.9005]
    >>> scores.select("kind", "group", "keep").rows()
    [('exact', 1, True), ('exact', 1, False), ('near', 1, False), ('unique', None, True)]
    """
    note_use()
    return compare(
        embeddings,
        fingerprints=fingerprints,
        near=near,
        rank=rank,
        gamma=gamma,
        method=method,
        device=device,
        progress=progress,
    )[0]


def compare(
    embeddings: Any,
    *,
    fingerprints: Iterable[Hashable] | None = None,
    near: float = NEAR,
    rank: ArrayLike | None = None,
    gamma: float = 1.0,
    method: Method = "auto",
    device: str | None = None,
    progress: Progress = False,
    earlier: Comparison | None = None,
) -> tuple[pl.DataFrame, Comparison]:
    """Score images as :func:`uniqueness` does, continuing from an earlier search.

    Parameters
    ----------
    earlier
        As :func:`find_nearest` takes it.

    The other parameters are those of :func:`uniqueness`, and so are the errors.

    Examples
    --------
    >>> _, found = compare([[1, 0], [0, 1]], fingerprints=["a", "b"])
    >>> more = {"fingerprints": ["a", "b", "c"], "earlier": found}
    >>> scores, found = compare([[1, 0], [0, 1], [3, 4]], **more)
    >>> scores["nearest"].to_list(), found.distance.round(6).tolist()
    ([2, 2, 1], [0.4, 0.2, 0.2])
    """
    _check_range("near", near, 0.0, 1.0)
    _check_range("gamma", gamma, 1e-3, 1e3)
    nearest = find_nearest(
        embeddings,
        fingerprints=fingerprints,
        rank=rank,
        radius=radius_of(near, gamma),
        method=method,
        device=device,
        progress=progress,
        earlier=earlier,
    )
    return score_images(nearest, near=near, gamma=gamma), nearest.found


class Searched(Protocol):
    """Representatives among which was searched; see :class:`Representatives`."""

    @property
    def rows(self) -> NDArray[np.integer]:
        """The row of each among all images, by rank."""
        ...

    def greedy_groups(self, compared: Comparison) -> NDArray[np.integer]:
        """Group them within the radius of the search."""
        ...

    def greedy_groups_with(
        self, radius: float, order: NDArray[np.int32], confirmed: ConfirmedPairs
    ) -> NDArray[np.integer]:
        """Group them within a radius, and by what was confirmed."""
        ...


@dataclass(frozen=True)
class Nearest:
    """What a search among different pictures found.

    Of exact copies only the best is searched for: it represents the others. Representatives are
    numbered by the ranks of images, the best keeper first.

    Attributes
    ----------
    of_row
        (n,), the number of the representative of each image, by row.
    search
        The representatives.
    found
        The nearest of each, and the pairs within a radius.
    """

    of_row: NDArray[np.int32]
    search: Searched
    found: Comparison

    @property
    def rows(self) -> NDArray[np.integer]:
        """The row of each representative."""
        return self.search.rows


def find_nearest(
    embeddings: Any,
    *,
    fingerprints: Iterable[Hashable] | None = None,
    rank: ArrayLike | None = None,
    radius: float = -1.0,
    method: Method = "auto",
    device: str | None = None,
    progress: Progress = False,
    earlier: Comparison | None = None,
    old: NDArray[np.bool_] | None = None,
) -> Nearest:
    """Search for the nearest other picture of each, and for all pairs within a radius.

    Parameters
    ----------
    radius
        Largest cosine distance of the pairs to list; negative: none are.
    earlier
        The result of a search before some images were added or removed; its fingerprints must
        stand for the same vectors as here. Only images that are new, or whose nearest was removed,
        are compared, with all others: with m of those, m x n distances. If the best keepers come in
        another order than before, all are. Without fingerprints it is not used.
    old
        (n,), images that were there before: the best keepers, of which no two share a fingerprint.
        None is compared with another one.

    The other parameters are those of :func:`uniqueness`, and so are the errors.
    """
    check_method(method)
    vectors = Vectors(embeddings)
    order = _keeper_order(rank, len(vectors))
    # From here on rows are in keeper order: of two rows, the lower is the better keeper.
    names = None if fingerprints is None else _checked(fingerprints, order)
    first = _first_equal_vector(vectors, order) if names is None else _first_equal(names)
    representatives = np.flatnonzero(first == np.arange(len(first)))
    before = None if old is None else old[order[representatives]]
    search = Representatives(
        vectors, order[representatives], radius, method, device, progress, before
    )
    if names is None:
        found = search.search()
        merged_into, search, found = search.without_duplicates(found, SAME)
        index = np.searchsorted(representatives, first)
        first = representatives[merged_into[index]]
        representatives = np.flatnonzero(first == np.arange(len(first)))
    else:
        prints = [names[i] for i in representatives]
        found = (earlier and search.continue_from(earlier, prints)) or search.search(prints)
    of_row = np.empty(len(order), np.int32)
    of_row[order] = np.searchsorted(representatives, first)
    return Nearest(of_row, search, found)


def score_images(
    nearest: Nearest,
    *,
    near: float,
    gamma: float,
    confirmed: ConfirmedPairs | None = None,
    rank: NDArray[np.integer] | None = None,
) -> pl.DataFrame:
    """Score images by the nearest of each, group the duplicates and suggest keepers.

    Parameters
    ----------
    nearest
        What a search found. Without `confirmed`, its pairs must be those within `near`.
    near, gamma
        As for :func:`uniqueness`.
    confirmed
        The pairs of representatives that were laid over each other. Only those that were confirmed
        are near-duplicates; the others are beyond the boundary, by their vectors.
    rank
        Different numbers by which representatives are ranked as keepers. Default: as they were in
        the search. Exact copies have the order of the search.

    Returns
    -------
    pl.DataFrame
        As :func:`uniqueness` does.
    """
    found, search = nearest.found, nearest.search
    # Rules 2 to 4: the best of several exact copies is their representative; each representative
    # is scored by its distance to the nearest other one.
    closest, distance = found.nearest, found.distance
    if confirmed is not None:
        closest, distance = confirmed.decide(closest, distance)

    # Rules 5 and 6: the best representative that is in no group becomes the keeper of a new one,
    # which all others within near of it join that are in none.
    n = len(nearest.rows)
    give_back()
    order = np.arange(n, dtype=np.int32) if rank is None else np.argsort(rank).astype(np.int32)
    leader = _leaders(search, found, confirmed, order, radius_of(near, gamma))
    give_back()
    is_leader = leader == np.arange(n, dtype=np.int32)
    of_row, best = nearest.of_row, nearest.rows.astype(np.int32, copy=False)
    leads_others = is_leader & (np.bincount(leader[of_row], minlength=n) > 1)
    number = np.zeros(n, np.uint32)
    number[order[leads_others[order]]] = np.arange(leads_others.sum()) + 1

    is_best = np.zeros(len(of_row), np.bool_)
    is_best[best] = True
    decided_by = best[of_row]
    decided_by[best] = np.append(best, np.int32(-1))[closest]
    is_alone, is_compared = (number[leader] == 0)[of_row], decided_by >= 0
    score, apart = np.zeros((2, len(of_row)), np.float32)
    score[best], apart[best] = scale(distance, gamma), distance
    kind = np.where(score <= np.float32(near), _NEAR, _UNIQUE)
    kind[_are_shared(of_row)] = _EXACT
    return pl.DataFrame(
        {
            "uniqueness": score,
            "kind": pl.Series(kind).cat.to(KIND),
            "group": _null_where(is_alone, number[leader][of_row]),
            "keep": is_best & is_leader[of_row],
            "nearest": _null_where(~is_compared, decided_by.astype(np.uint32)),
            "distance": _null_where(~is_compared, apart),
        }
    )


def _null_where(is_null: NDArray[np.bool_], values: NDArray[Any]) -> pl.Series:
    return pl.Series(values).set(pl.Series(is_null), None)


def _leaders(
    search: Searched,
    found: Comparison,
    confirmed: ConfirmedPairs | None,
    order: NDArray[np.int32],
    radius: float,
) -> NDArray[np.integer]:
    """Return the representative that leads the group of each; `order` has the best first."""
    if confirmed is None:
        return search.greedy_groups(found)
    if radius < confirmed.boundary:
        place = inverse_of(order.astype(np.int32))
        pairs = place[confirmed.pairs(radius)]
        return order[greedy_groups_of_pairs(len(order), pairs)[place]]
    return search.greedy_groups_with(radius, order, confirmed)


def _checked(fingerprints: Iterable[Hashable], order: NDArray[np.int64]) -> list[Hashable]:
    """Return the fingerprints in keeper order."""
    values = _as_list(fingerprints)
    if len(values) != len(order):
        raise InputError(
            f"there are {len(values)} fingerprints for {len(order)} embeddings; pass one each"
        )
    if None in values:
        raise InputError(
            f"row {values.index(None)} has no fingerprint; leave out images that have none"
        )
    return [values[row] for row in order]


def _first_equal(fingerprints: Sequence[Hashable]) -> NDArray[np.int64]:
    """Return, for each row, the first row with its fingerprint."""
    seen: dict[Hashable, int] = {}
    try:
        first = (seen.setdefault(name, row) for row, name in enumerate(fingerprints))
        return np.fromiter(first, np.int64, len(fingerprints))
    except TypeError as error:
        raise InputError(f"fingerprints must be hashable, such as strings ({error})") from error


def _first_equal_vector(vectors: Vectors, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each row in keeper order, the first one with exactly the same vector."""
    n = len(order)
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    equal = first_equal(vectors)
    first = np.full(n, n)
    np.minimum.at(first, equal, rank)
    return first[equal[order]]


def _keeper_order(rank: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Return row numbers, the best keeper first."""
    if rank is None:
        return np.arange(n)
    ranks = np.asarray(rank)
    if ranks.shape != (n,):
        raise InputError(f"rank has shape {ranks.shape} for {n} embeddings; pass one number each")
    if n and ranks.dtype.kind not in "fiub":
        raise InputError(f"rank holds {ranks.dtype}; pass numbers, the lowest for the best keeper")
    if ranks.dtype.kind == "f" and np.isnan(ranks).any():
        raise InputError(f"rank of row {np.isnan(ranks).argmax()} is missing; pass a number each")
    return np.argsort(ranks, kind="stable")


def _are_shared(label: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell of each row whether another one has its label."""
    shared: NDArray[np.bool_] = (np.bincount(label) > 1)[label]
    return shared


def _as_list(values: Any) -> list[Any]:
    """Return a list of Python values; unlike elements of a tensor, these compare by value."""
    for convert in ("to_list", "tolist"):
        if hasattr(values, convert):
            return list(getattr(values, convert)())
    return list(values)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} is {value}; it must lie in [{low:g}, {high:g}]")
