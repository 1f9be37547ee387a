"""Which images stay and which go, and why: from a scored frame and a person's decisions.

The frame's groups, or groups formed anew at another boundary, come first. Then the decisions made
by hand: each changes the group it was made in, and no other. Last, what kinds may go.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frames import checked_paths, require_columns, to_polars
from dedup_widgets.keepers import Rule, applicable, decided_by, rank
from dedup_widgets.neighbors import cosines, unit_vectors
from dedup_widgets.uniqueness import FLOOR, KIND, scale, uniqueness

ACTION = pl.Enum(["keep", "remove"])

REMOVABLE = ("exact", "near")
"""The kinds of images that a plan may remove."""

NEAR = 0.05
"""Near-duplicate boundary of a frame that does not tell its own."""

PAIRS_AT_A_TIME = 16_384

NOT_COMPARED = pl.lit("not compared: it has no score or embedding")


def plan(
    df: Any,
    *,
    near: float | None = None,
    remove: Iterable[str] = REMOVABLE,
    keep: Sequence[str | Rule] | None = None,
    keepers: Iterable[str] = (),
    not_duplicates: Iterable[tuple[str, str]] = (),
) -> pl.DataFrame:
    """Plan which images stay and which go, and say why.

    Nothing is removed here, and nothing but the frame and the decisions counts: the same ones give
    the same plan, in whatever order the rows come.

    Parameters
    ----------
    df
        A frame as :func:`dedup_widgets.score` makes it, of images that were scored together. It
        needs ``path``, ``group``, ``keep`` and ``fingerprint`` (or, for vectors of your own,
        ``uniqueness`` and ``nearest``); with ``embedding`` it can be grouped anew.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]: images are grouped anew at it,
        from the column ``embedding`` and without any model. Default: the frame's groups as they
        are.
    remove
        The kinds that may go, of ``"exact"`` and ``"near"``. Without ``"near"`` one copy of every
        picture stays; without ``"exact"`` every image that has exact copies stays.
    keep
        Keeper rules, strongest first, in place of those that the frame was scored with; see
        :mod:`dedup_widgets.keepers`. Groups are formed round keepers, so images are grouped anew,
        at `near` or else at the frame's own boundary. A frame without embeddings cannot be: there
        the rules choose among exact copies only. Default: the frame's keepers; where images are
        grouped anew, the default rules as far as the frame has their columns.
    keepers
        Paths chosen by hand to be the keeper of their group. No rule overrides them; of one group
        several may be chosen, and all of them stay.
    not_duplicates
        Pairs of fingerprints that a person declared to be no duplicates of each other: neither is
        removed because of the other. ``(f, f)`` keeps all copies of f. Fingerprints that the
        frame does not have are ignored.

    Returns
    -------
    pl.DataFrame
        One row an image, in the order of the frame:

        - ``path`` (String).
        - ``action`` (Enum): ``keep`` or ``remove``. An unreadable file is kept: nobody has seen
          what is in it.
        - ``reason`` (String): for people to read.
        - ``keeper`` (String): the image that this one is a duplicate of; for a keeper itself;
          null for images in no group. The keeper of a row that goes stays.
        - ``kind`` (Enum): what it is to its keeper, ``exact`` or ``near``; else null.
        - ``rule`` (String): for a keeper, what the first rule prefers that tells it apart from
          its runner-up; null elsewhere, for a choice by hand, and where the frame's keeper is
          not the one that the rules would choose.
        - ``group`` (UInt32): same number = same group; null for images in none.
        - ``distance`` (Float32, [0, 1]): cosine distance to another image that is its keeper;
          null for others, and for near-duplicates in a frame without embeddings.
        - ``rank`` (UInt32): place in the order of keepers, 0 for the best; null if not compared.
        - ``fingerprint``, if the frame has one.

    Raises
    ------
    InputError
        When a column is missing, an argument is out of range, a path in `keepers` is not in the
        frame, or a group has two keepers because frames were put together after scoring.

    Notes
    -----
    A group in which something was decided by hand is formed anew from its own members: the chosen
    keepers first, then by rank, each takes those within the boundary that are left, except across
    a pair of `not_duplicates`. What is left alone stays, even if a keeper of another group is
    near. Without embeddings, all that is known is that each member is near its group's keeper.

    The score of a frame tells who has anyone within `near` at all, so only those are compared
    again. Images scored apart and put together afterwards are therefore not compared with each
    other, unless they share a fingerprint: score them together.

    Examples
    --------
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg", "c.jpg"],
    ...         "group": [1, 1, None],
    ...         "keep": [True, False, True],
    ...         "fingerprint": ["f", "f", "g"],
    ...     }
    ... )
    >>> plan(df).select("path", "action", "reason").rows()  # doctest: +NORMALIZE_WHITESPACE
    [('a.jpg', 'keep', 'keeper: path that sorts first'),
     ('b.jpg', 'remove', 'exact duplicate of a.jpg'),
     ('c.jpg', 'keep', 'unique')]
    >>> plan(df, keepers=["b.jpg"])["action"].to_list()
    ['remove', 'keep', 'keep']
    """
    frame = to_polars(df)
    paths = checked_paths(frame)
    removable = _checked_kinds(remove)
    chosen = _checked_keepers(keepers, paths)
    pairs = _checked_pairs(not_duplicates)
    if near is not None and not 0 <= near <= 1:
        raise InputError(f"near is {near}; it must lie in [0, 1], on the uniqueness scale")
    anew = near is not None or (keep is not None and "embedding" in frame.columns)
    _check_columns(frame, anew=anew, near=near, pairs=pairs)

    rules = applicable(frame.columns) if keep is None else keep
    images = _in_keeper_order(_with_paths(frame, paths), rules, anew=anew)
    boundary = _own_near(images) if near is None else near
    gamma = _own_gamma(images)
    if anew:
        groups = _regrouped(images, boundary, gamma)
    else:
        groups = _own_groups(images, best_copies=keep is not None)
    decisions = _Decisions.of(images, groups, chosen, pairs)
    _form_anew(groups, decisions, images, boundary, 1.0 if gamma is None else gamma)
    return _laid_out(frame, paths, images, groups, decisions, removable, rules)


@dataclass
class _Groups:
    """The groups of n images, which stand in keeper order: of two, the lower is the better one.

    Attributes
    ----------
    picture
        The first image with the same picture, itself if there is none before it.
    number
        The number of its group, 0 for none.
    leader
        The image that it is a duplicate of; itself for keepers and for images in no group; -1
        where the group's keeper is not in the frame.
    crowded
        Whether it is within the boundary of another image.
    """

    picture: NDArray[np.int64]
    number: NDArray[np.int64]
    leader: NDArray[np.int64]
    crowded: NDArray[np.bool_]


@dataclass
class _Decisions:
    """What was decided by hand, for n images in keeper order.

    Attributes
    ----------
    chosen
        Chosen to be a keeper.
    copies_stay
        One of several copies that all stay.
    apart
        Pictures (as in :class:`_Groups`) that are no duplicates of a picture.
    spared
        Stays by itself because of a pair that are no duplicates; known once groups are formed.
    """

    chosen: NDArray[np.bool_]
    copies_stay: NDArray[np.bool_]
    apart: dict[int, list[int]]
    spared: NDArray[np.bool_]

    @classmethod
    def of(
        cls, images: pl.DataFrame, groups: _Groups, chosen: set[str], pairs: set[tuple[str, str]]
    ) -> "_Decisions":
        n = len(images)
        apart: dict[int, list[int]] = {}
        copies_stay = np.zeros(n, np.bool_)
        if pairs:
            fingerprints = images["fingerprint"].cast(pl.String).to_list()
            picture_of = dict(zip(fingerprints, groups.picture.tolist(), strict=True))
            known = [
                (picture_of[a], picture_of[b]) for a, b in pairs if {a, b} <= picture_of.keys()
            ]
            for a, b in sorted(known):
                apart.setdefault(a, []).append(b)
                apart.setdefault(b, []).append(a)
            with_themselves = [a for a, b in known if a == b]
            several = _counts(groups.picture) > 1
            copies_stay = np.isin(groups.picture, with_themselves) & several
        is_chosen = images["path"].is_in(list(chosen)).to_numpy()
        return cls(is_chosen, copies_stay, apart, np.zeros(n, np.bool_))

    @property
    def stays(self) -> NDArray[np.bool_]:
        return self.chosen | self.copies_stay

    def are_apart(self, image_picture: int, pictures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which pictures are no duplicates of one."""
        return np.isin(pictures, self.apart.get(image_picture, []))


def _checked_kinds(remove: Iterable[str]) -> set[str]:
    kinds = {remove} if isinstance(remove, str) else set(remove)
    if unknown := sorted(kinds - set(REMOVABLE), key=str):
        raise InputError(f"remove has {unknown[0]!r}; what may go is 'exact' and 'near'")
    return kinds


def _checked_keepers(keepers: Iterable[str], paths: Sequence[str]) -> set[str]:
    if isinstance(keepers, str):
        raise InputError(f"keepers are a list of paths; pass [{keepers!r}], not {keepers!r}")
    chosen = set(keepers)
    if unknown := sorted(chosen - set(paths), key=str):
        raise InputError(
            f"{len(unknown)} of the keepers are no paths of this frame, {unknown[0]!r} first; "
            "leave them out"
        )
    return chosen


def _checked_pairs(not_duplicates: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    pairs = set()
    for pair in not_duplicates:
        fingerprints = () if isinstance(pair, str) else tuple(pair)
        if len(fingerprints) != 2:
            raise InputError(f"not_duplicates has {pair!r}; pass pairs of fingerprints")
        pairs.add((str(fingerprints[0]), str(fingerprints[1])))
    return pairs


def _check_columns(
    frame: pl.DataFrame, *, anew: bool, near: float | None, pairs: set[tuple[str, str]]
) -> None:
    if near is not None:
        require_columns(frame, ["embedding"], "grouping at another near")
    if not anew:
        require_columns(frame, ["group", "keep"], "a plan")
        if "fingerprint" not in frame.columns:
            require_columns(
                frame, ["uniqueness", "nearest"], "a plan of a frame without fingerprints"
            )
    if pairs:
        require_columns(frame, ["fingerprint"], "telling who is not a duplicate")


def _with_paths(frame: pl.DataFrame, paths: Sequence[str]) -> pl.DataFrame:
    """Return the frame with paths as text, in ``nearest`` too where that holds row numbers."""
    named = frame.with_columns(pl.Series("path", paths, dtype=pl.String))
    if "nearest" not in frame.columns or not frame.schema["nearest"].is_integer():
        return named
    highest = frame["nearest"].max()
    if isinstance(highest, int) and highest >= len(frame):
        raise InputError(
            f"nearest names row {highest} of a frame of {len(frame)} rows; give the frame that was "
            "scored, or add a column 'fingerprint'"
        )
    return named.with_columns(nearest=pl.col("path").gather(pl.col("nearest")))


def _in_keeper_order(
    frame: pl.DataFrame, rules: Sequence[str | Rule], *, anew: bool
) -> pl.DataFrame:
    """Return the images that can be compared, the best keeper first, with their ``row``."""
    compared = pl.col("embedding" if anew else "keep").is_not_null()
    if "error" in frame.columns:
        compared &= pl.col("error").is_null()
    images = frame.with_row_index("row").filter(compared)
    return images[np.argsort(rank(images, rules))]


def _own_near(images: pl.DataFrame) -> float:
    """Return the boundary that the frame was scored with, as far as its kinds tell.

    It lies between the scores of kind near and those of kind unique. Where the usual one does not
    lie there, the highest score of kind near is taken: too low keeps images, too high loses them.
    """
    if not {"kind", "uniqueness"} <= set(images.columns):
        return NEAR
    score, kind = images["uniqueness"].cast(pl.Float32), images["kind"].cast(pl.String)
    low = float(score.filter(kind == "near").to_numpy().max(initial=0.0))
    high = score.filter(kind == "unique").to_numpy().min(initial=np.inf)
    return NEAR if low <= np.float32(NEAR) < high else low


def _own_gamma(images: pl.DataFrame) -> float | None:
    """Return the exponent that leads from the frame's distances to its scores, None if none does.

    The median of ln(uniqueness) / ln(distance), where most rows agree on it.
    """
    if not {"uniqueness", "distance"} <= set(images.columns):
        return None
    score = images["uniqueness"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    distance = images["distance"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    # At the floor the exponent cannot be seen, and near 1 the logarithm is all rounding.
    telling = (score > 2 * FLOOR) & (score < 1) & (distance > 0) & (distance < 0.999)
    exponents = np.log(score[telling]) / np.log(distance[telling])
    if not exponents.size:
        return None
    gamma = float(np.median(exponents))
    if not 1e-3 <= gamma <= 1e3 or np.mean(abs(exponents - gamma) <= 1e-3 * gamma) < 0.9:
        return None
    return 1.0 if abs(gamma - 1) < 1e-5 else gamma


def _own_groups(images: pl.DataFrame, *, best_copies: bool) -> _Groups:
    """Return the groups as the frame has them.

    With `best_copies` the keeper gives way to the best of its own exact copies.
    """
    dtype = images.schema["group"]
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise InputError(f"column 'group' must hold numbers from 1, not {dtype}")
    indexed = images.with_row_index("index").with_columns(pl.col("index").cast(pl.Int64))
    in_group = pl.col("group").cast(pl.Int64).fill_null(0)
    kept = pl.col("keep").cast(pl.Boolean)
    columns = indexed.select(
        picture=pl.col("index").min().over(_pictures(images)),
        number=in_group,
        leader=pl.when(in_group == 0)
        .then("index")
        .otherwise(pl.when(kept).then("index").min().over(in_group))
        .fill_null(-1),
        keepers=kept.sum().over(in_group),
    )
    if len(crowd := columns.filter(pl.col("number") > 0, pl.col("keepers") > 1)):
        raise InputError(
            f"group {crowd['number'][0]} has more than one keeper, as when frames are put "
            "together after scoring; score their images together"
        )
    groups = _Groups(
        columns["picture"].to_numpy(),
        columns["number"].to_numpy().copy(),
        columns["leader"].to_numpy().copy(),
        _is_kind_near(images),
    )
    if best_copies:
        best = np.where(groups.leader >= 0, groups.picture[groups.leader], -1)
        same_group = (best >= 0) & (groups.number[best] == groups.number)
        groups.leader = np.where(same_group & (groups.number > 0), best, groups.leader)
    return groups


def _pictures(images: pl.DataFrame) -> pl.Series | None:
    """Return a text for each image that is equal for exact duplicates, None if nothing tells."""
    if "fingerprint" in images.columns:
        text = pl.coalesce(pl.col("fingerprint").cast(pl.String), "path")
    elif {"uniqueness", "nearest"} <= set(images.columns):
        text = pl.when(pl.col("uniqueness") == 0).then("nearest").otherwise("path")
    else:
        return None
    return images.select(text).to_series()


def _is_kind_near(images: pl.DataFrame) -> NDArray[np.bool_]:
    if "kind" not in images.columns:
        return np.zeros(len(images), np.bool_)
    return (images["kind"].cast(pl.String) == "near").fill_null(False).to_numpy()


def _regrouped(images: pl.DataFrame, near: float, gamma: float | None) -> _Groups:
    """Return groups formed anew at a boundary, from the embeddings.

    Whoever scored above the boundary has nobody within it and can be in no group but that of its
    copies, so only the others are compared. A frame without scores on the scale of distances
    cannot tell, and all are compared.
    """
    n = len(images)
    pictures = _pictures(images)
    among = np.ones(n, np.bool_)
    if gamma is not None and pictures is not None:
        # A little more than the boundary: gamma was read off rounded numbers.
        may_be_near = (images["uniqueness"] <= near * 1.001 + 2 * FLOOR).fill_null(True)
        among = (may_be_near | pictures.is_duplicated()).to_numpy()
    rows = np.flatnonzero(among)
    scores = uniqueness(
        images["embedding"].gather(rows),
        fingerprints=None if pictures is None else pictures.gather(rows),
        near=near,
        gamma=1.0 if gamma is None else gamma,
    )
    number, picture = np.zeros(n, np.int64), np.arange(n)
    leader, crowded = np.arange(n), np.zeros(n, np.bool_)
    number[rows] = scores["group"].fill_null(0).to_numpy()
    crowded[rows] = (scores["kind"] == "near").to_numpy()
    is_copy = (scores["uniqueness"] == 0).to_numpy()
    picture[rows[is_copy]] = rows[scores["nearest"].filter(is_copy).to_numpy()]
    leads = (scores["group"].is_not_null() & scores["keep"]).to_numpy()
    leader_of = np.zeros(leads.sum() + 1, np.int64)
    leader_of[number[rows[leads]]] = rows[leads]
    grouped = number > 0
    leader[grouped] = leader_of[number[grouped]]
    return _Groups(picture, number, leader, crowded)


def _form_anew(
    groups: _Groups, decisions: _Decisions, images: pl.DataFrame, near: float, gamma: float
) -> None:
    """Form those groups anew, in place, in which something was decided or the keeper is gone.

    Greedily as in :func:`dedup_widgets.uniqueness.uniqueness`, the chosen ones first.
    """
    touched = set(groups.number[decisions.stays | (groups.leader < 0)].tolist())
    with_picture = _finder(groups.picture)
    for picture, others in decisions.apart.items():
        here = set(groups.number[with_picture(picture)].tolist())
        for other in others:
            touched |= here & set(groups.number[with_picture(other)].tolist())
    in_group = _finder(groups.number)
    unused = int(groups.number.max(initial=0)) + 1
    for number in sorted(touched - {0}):
        members = in_group(number)
        members = members[np.argsort(~decisions.chosen[members], kind="stable")]
        _take(members, groups, decisions, _Relation(members, groups, images, near, gamma))
        leaders = members[groups.leader[members] == members]
        for leader in leaders:
            followers = members[groups.leader[members] == leader]
            partners = decisions.are_apart(groups.picture[leader], groups.picture[members])
            is_alone = len(followers) == 1
            decisions.spared[leader] = is_alone and (partners & (members != leader)).any()
            # Keepers chosen in one group stay in one group; others found groups of their own.
            if leader != leaders[0] and not decisions.chosen[leader]:
                groups.number[followers] = 0 if is_alone else unused
                unused += not is_alone
        groups.crowded[members] = True
    groups.number[_counts(groups.number) == 1] = 0


class _Relation:
    """Who is a duplicate of whom within one group, by hand-made decisions aside.

    The frame's group itself tells that each member is near its keeper, embeddings or not.
    """

    def __init__(
        self,
        members: NDArray[np.int64],
        groups: _Groups,
        images: pl.DataFrame,
        near: float,
        gamma: float,
    ) -> None:
        self._picture = groups.picture
        leader = groups.leader[members[0]]
        self._hub = groups.picture[leader] if leader >= 0 else -1
        self._near, self._gamma = near, gamma
        self._vectors: NDArray[np.float32] | None = None
        if "embedding" in images.columns:
            in_order = np.sort(members)
            embeddings = images["embedding"].gather(in_order)
            self._with_vector = in_order[embeddings.is_not_null().to_numpy()]
            self._vectors = unit_vectors(embeddings.drop_nulls())

    def of(self, image: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which of the others are duplicates of an image."""
        pictures = self._picture[others]
        own = self._picture[image]
        related: NDArray[np.bool_] = (
            (pictures == own) | (pictures == self._hub) | (own == self._hub)
        )
        if self._vectors is None or image not in self._with_vector:
            return related
        compared = np.isin(others, self._with_vector)
        places = np.searchsorted(self._with_vector, others[compared])
        place = np.searchsorted(self._with_vector, [image])
        distance = 1.0 - cosines(self._vectors[place], self._vectors[places])
        score = scale(np.clip(distance[0], 0.0, 1.0), self._gamma)
        related[compared] |= score <= np.float32(self._near)
        return related


def _take(
    members: NDArray[np.int64], groups: _Groups, decisions: _Decisions, relation: _Relation
) -> None:
    """Let members take what is left of the others, in their order."""
    left = members
    while left.size:
        leader, rest = left[0], left[1:]
        groups.leader[leader] = leader
        takes = relation.of(leader, rest) & ~decisions.stays[rest]
        takes &= ~decisions.are_apart(groups.picture[leader], groups.picture[rest])
        groups.leader[rest[takes]] = leader
        left = rest[~takes]


def _laid_out(
    frame: pl.DataFrame,
    paths: Sequence[str],
    images: pl.DataFrame,
    groups: _Groups,
    decisions: _Decisions,
    removable: set[str],
    rules: Sequence[str | Rule],
) -> pl.DataFrame:
    """Decide what goes, and lay it out as the frame that :func:`plan` describes."""
    keeper, kind, goes = _fates(groups, removable)
    rows = np.arange(len(images))
    laid = (
        images.select("row", "path")
        .with_columns(
            keeper=images["path"].gather(keeper),
            kind=pl.Series([word or None for word in kind], dtype=pl.String),
            goes=pl.Series(goes),
            chosen=pl.Series(decisions.chosen),
            spared=pl.Series(decisions.spared),
            crowded=pl.Series(groups.crowded),
            leads=pl.Series(np.isin(rows, groups.leader[groups.leader != rows])),
            rule=_rules_of_keepers(images, groups, rules),
            group=pl.Series(groups.number, dtype=pl.UInt32),
            distance=pl.Series(_distances(images, keeper, kind)).fill_nan(None),
            rank=pl.Series(rows, dtype=pl.UInt32),
        )
        .with_columns(rule=pl.when(~pl.col("chosen")).then("rule"))
        .select(
            "row",
            action=pl.when("goes").then(pl.lit("remove")).otherwise(pl.lit("keep")).cast(ACTION),
            reason=_reason(removable),
            keeper=pl.when(pl.col("group") > 0).then("keeper"),
            kind=pl.col("kind").cast(KIND),
            rule="rule",
            group=pl.when(pl.col("group") > 0).then("group"),
            distance="distance",
            rank="rank",
        )
    )
    everyone = pl.DataFrame({"path": pl.Series(paths, dtype=pl.String)}).with_row_index("row")
    error = frame.get_column("error", default=pl.Series([None] * len(frame)))
    no_score = pl.when(error.is_not_null()).then(pl.lit("unreadable")).otherwise(NOT_COMPARED)
    out = everyone.join(laid, on="row", how="left", maintain_order="left").with_columns(
        pl.col("action").fill_null("keep"), pl.col("reason").fill_null(no_score)
    )
    fingerprint = [frame["fingerprint"]] if "fingerprint" in frame.columns else []
    return out.drop("row").with_columns(fingerprint)


def _fates(
    groups: _Groups, removable: set[str]
) -> tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.bool_]]:
    """Return for each image its keeper, what it is to it ("" if nothing), and whether it goes.

    A duplicate is exact where a copy of it stays, even if another image leads its group.
    """
    picture, leader = groups.picture, groups.leader
    rows = np.arange(len(picture))
    stays = leader == rows
    copy_that_stays = np.full(len(rows), -1)
    copy_that_stays[picture[stays][::-1]] = rows[stays][::-1]
    if "near" not in removable:
        copy_that_stays = np.where(copy_that_stays < 0, rows, copy_that_stays)
    copy = copy_that_stays[picture]
    is_exact = ~stays & (copy >= 0) & (copy != rows)
    is_near = ~stays & ~is_exact
    has_copies = _counts(picture) > 1
    goes = np.zeros(len(rows), np.bool_)
    if "exact" in removable:
        goes |= is_exact
    if "near" in removable:
        goes |= is_near & ~has_copies if "exact" not in removable else is_near
    kind = np.where(is_exact, "exact", np.where(is_near, "near", ""))
    return np.where(is_exact, copy, leader), kind, goes


def _rules_of_keepers(
    images: pl.DataFrame, groups: _Groups, rules: Sequence[str | Rule]
) -> pl.Series:
    """Return which rule decided each keeper, null elsewhere and where the rules say otherwise."""
    followers = np.flatnonzero(groups.leader != np.arange(len(images)))
    keepers, first = np.unique(groups.leader[followers], return_index=True)
    runners_up = followers[first]
    decided = pl.Series(decided_by(images, keepers, runners_up, rules), dtype=pl.String)
    agrees = pl.Series(keepers < runners_up, dtype=pl.Boolean)
    rule = pl.Series("rule", [None] * len(images), dtype=pl.String)
    return rule.scatter(keepers, decided.zip_with(agrees, pl.Series([None], dtype=pl.String)))


def _distances(
    images: pl.DataFrame, keeper: NDArray[np.int64], kind: NDArray[np.str_]
) -> NDArray[np.float32]:
    """Return the cosine distance of each duplicate to its keeper, NaN where it is not known."""
    distance = np.where(kind == "exact", 0.0, np.nan).astype(np.float32)
    if "embedding" not in images.columns:
        return distance
    embeddings = images["embedding"]
    has_vector = embeddings.is_not_null().to_numpy()
    known = np.flatnonzero((kind != "") & has_vector & has_vector[keeper])
    for start in range(0, len(known), PAIRS_AT_A_TIME):
        rows = known[start : start + PAIRS_AT_A_TIME]
        a = unit_vectors(embeddings.gather(rows)).astype(np.float64)
        b = unit_vectors(embeddings.gather(keeper[rows])).astype(np.float64)
        lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        distance[rows] = np.clip(1.0 - (a * b).sum(axis=1) / lengths, 0.0, 1.0)
    return distance


def _reason(removable: set[str]) -> pl.Expr:
    """Say in words why an image stays or goes."""
    own, keeper = _file_name(pl.col("path")), _file_name(pl.col("keeper"))
    # A copy in another folder often has the same name.
    name = pl.when(own == keeper).then("keeper").otherwise(keeper)
    stays = {"exact": "exact duplicates stay", "near": "near-duplicates stay"}

    def duplicate(words: str, held_back_by: str) -> pl.Expr:
        text = pl.format(words + " of {}", name)
        return pl.when("goes").then(text).otherwise(text + ", but " + pl.lit(stays[held_back_by]))

    return (
        pl.when("chosen")
        .then(pl.lit("keeper: chosen by hand"))
        .when(pl.col("kind") == "exact")
        .then(duplicate("exact duplicate", "exact"))
        .when(pl.col("kind") == "near")
        .then(duplicate("near-duplicate", "exact" if "near" in removable else "near"))
        .when("leads")
        .then(pl.format("keeper: {}", pl.col("rule").fill_null("as scored")))
        .when("spared")
        .then(pl.lit("not a duplicate: decided by hand"))
        .when("crowded")
        .then(pl.lit("not within near of any keeper"))
        .otherwise(pl.lit("unique"))
    )


def _file_name(path: pl.Expr) -> pl.Expr:
    return pl.coalesce(path.str.extract(r"([^/\\]+)[/\\]*$"), path)


def _counts(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows share the label of each."""
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    return counts[label]


def _finder(label: NDArray[np.int64]) -> Callable[[int], NDArray[np.int64]]:
    """Return a function from a label to the rows that carry it, in their order."""
    order = np.argsort(label, kind="stable")
    in_order = label[order]

    def rows(wanted: int) -> NDArray[np.int64]:
        start, end = np.searchsorted(in_order, [wanted, wanted + 1])
        return order[start:end]

    return rows
