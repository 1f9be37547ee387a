"""Plans of one frame, one after the other, where what does not change is computed once."""

import threading
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.frame.scale import checked_near
from dedup_widgets.frame.schema import with_paths
from dedup_widgets.frame.table import amended, path_column, require_columns, rows_of, to_polars
from dedup_widgets.planning.closeness import LIMITS, Limits
from dedup_widgets.planning.forming import Basis, Formed, formed, formed_again
from dedup_widgets.planning.groups import groups_within, own_groups
from dedup_widgets.planning.ranking import RankedImages, ScoredImages
from dedup_widgets.planning.reasons import (
    EXACT,
    KINDS,
    NEAR,
    UNCONFIRMED,
    counts_of_groups,
    outcomes,
    reason_of,
    rules_of_keepers,
)
from dedup_widgets.scoring.keepers import OLD_FIRST, Rule, applicable, check

ACTION = pl.Enum(["keep", "remove"])


REMOVABLE = ("exact", "near")
"""The kinds of images that a plan may remove."""


CURVE_NEARS = (0.0, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, *(i / 100 for i in range(1, 21)))
"""Boundaries of a threshold curve, on the uniqueness scale."""


CURVE_SCHEMA = {
    "near": pl.Float64,
    "groups": pl.UInt32,
    "near_groups": pl.UInt32,
    "stays": pl.UInt32,
    "removed": pl.UInt32,
}
"""Columns of a threshold curve."""


MAX_BASES = 2
"""Ways to group the images for which a planner keeps the last plan: as scored, and as shown."""


MAX_RANKINGS = 4
"""Sets of keeper rules for which a planner keeps the order of images."""


@dataclass(frozen=True)
class _Planned:
    """A plan, and what was decided in it."""

    basis: Basis
    keepers: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    removable: frozenset[str]
    opened: NDArray[np.int64]
    plan: pl.DataFrame


class Planner:
    """Plans of one frame, one after the other: what does not change is computed once.

    Pairs of images near each other are searched once, for all boundaries up to 0.2 (fewer if the
    images are many); another boundary then takes a fraction of a second. A planner may serve
    several threads.

    Parameters
    ----------
    df
        As :func:`plan` takes it. It must not be changed in place.
    limits
        How much is compared and held. No plan depends on them.
    paths
        Its paths, where they were checked already.

    Raises
    ------
    InputError
        When the paths cannot be used, or ``nearest`` names rows that there are not.

    Examples
    --------
    >>> vectors = [[1.0, 0.0], [1.0, 0.2], [1.0, 0.6]]
    >>> df = pl.DataFrame({"path": ["a", "b", "c"], "embedding": vectors})
    >>> planner = Planner(df)
    >>> [planner.plan(near=near)["action"].to_list() for near in (0.02, 0.2)]
    [['keep', 'remove', 'keep'], ['keep', 'remove', 'remove']]
    """

    def __init__(self, df: Any, *, limits: Limits = LIMITS, paths: Lookup | None = None) -> None:
        frame = to_polars(df)
        self._paths = Lookup(path_column(frame)) if paths is None else paths
        named = with_paths(frame, self._paths.texts)
        self._first = first_rows(named)
        self._frame = named if self._first is None else _without_further(named, self._first)
        self._names = self._frame.select(_file_name(pl.col("path"))).to_series()
        self._limits = limits
        self._lock = threading.Lock()
        self._by_need: dict[str, ScoredImages] = {}
        self._rankings: list[RankedImages] = []
        # What was found before: the row of each row's keeper, and the distance to it.
        self._last = np.full(len(frame), -1, np.int32), np.full(len(frame), np.nan, np.float32)
        self._bases: list[Basis] = []
        self._planned: list[_Planned] = []

    def prepare(self) -> None:
        """Work out ahead what the first decision of the last plan would wait for."""
        self._paths.prepare()
        for basis in self._bases:
            basis.prepare()

    @property
    def near(self) -> float:
        """The boundary that the frame was scored with, see :attr:`Scored.near`."""
        with self._lock:
            has_embeddings = "embedding" in self._frame.columns
            return self._scored("embedding" if has_embeddings else "keep").near

    def plan(
        self,
        *,
        near: float | None = None,
        remove: Iterable[str] = REMOVABLE,
        keep: Sequence[str | Rule] | None = None,
        keepers: Iterable[str] = (),
        not_duplicates: Iterable[tuple[str, str]] = (),
    ) -> pl.DataFrame:
        """Plan which images stay and which go, and say why: see :func:`plan`."""
        return self.replan(
            None,
            near=near,
            remove=remove,
            keep=keep,
            keepers=keepers,
            not_duplicates=not_duplicates,
        )[0]

    def replan(
        self,
        last: pl.DataFrame | None,
        *,
        near: float | None = None,
        remove: Iterable[str] = REMOVABLE,
        keep: Sequence[str | Rule] | None = None,
        keepers: Iterable[str] = (),
        not_duplicates: Iterable[tuple[str, str]] = (),
    ) -> tuple[pl.DataFrame, NDArray[np.int64] | None]:
        """Plan, and tell where the plan may be unlike an earlier one.

        Where only decisions by hand are others, only the groups that they touch are planned anew.

        Parameters
        ----------
        last
            An earlier plan of this planner.
        near, remove, keep, keepers, not_duplicates
            As :meth:`plan` takes them.

        Returns
        -------
        tuple[pl.DataFrame, NDArray[np.int64] or None]
            The plan; and the rows that may differ, in whole groups and with all copies of their
            pictures, None where any row may.
        """
        frame = self._frame
        removable = _checked_kinds(remove)
        before = next((it for it in self._planned if it.plan is last), None)
        chosen = self._checked_keepers(keepers, before.keepers if before else frozenset())
        pairs = _checked_pairs(not_duplicates)
        if near is not None:
            checked_near(near)
        regroup = near is not None or (keep is not None and "embedding" in frame.columns)
        _check_columns(frame, regroup=regroup, near=near, pairs=pairs)
        ranked = self._ranking(keep, "embedding" if regroup else "keep")
        basis = self._basis(ranked, near, regroup, among_copies=keep is not None and not regroup)
        known = next(
            (it for it in self._planned if it.basis is basis and it.removable == removable), None
        )
        by_hand = self._images_of(basis, chosen)
        rows = None
        if known is not None:
            images = basis.closure.of(self._concerned(known, chosen, pairs))
            if len(images) <= self._limits.max_part * len(self._frame):
                again = formed_again(basis, known.opened, images, by_hand, pairs)
                part = self._laid_out(basis, again, removable)
                plan, opened = amended(known.plan, again.ranked.row, part), again.opened
                rows = np.sort(again.ranked.row) if known is before else None
            else:
                known = None
        if known is None:
            groups = formed(basis, by_hand, pairs)
            plan, opened = self._laid_out(basis, groups, removable), groups.opened
        if self._first is not None:
            plan, rows = self._with_further(plan, self._first, rows)
        planned = _Planned(basis, chosen, pairs, removable, opened, plan)
        others = (it for it in self._planned if it.basis is not basis)
        self._planned = [planned, *others][:MAX_BASES]
        return plan, rows

    def _basis(
        self, ranked: RankedImages, near: float | None, regroup: bool, *, among_copies: bool
    ) -> Basis:
        for known in self._bases:
            if known.ranked is ranked and (known.near, known.among_copies) == (near, among_copies):
                return known
        if regroup:
            groups = groups_within(ranked, ranked.scored.near if near is None else near)
        else:
            groups = own_groups(ranked, best_copies=among_copies)
        basis = Basis(ranked, groups, near, among_copies)
        self._bases = [basis, *self._bases[: MAX_BASES - 1]]
        return basis

    def _concerned(
        self, known: _Planned, keepers: frozenset[str], pairs: frozenset[tuple[str, str]]
    ) -> NDArray[np.int64]:
        """Return the images about which something else is decided than in a plan."""
        images = self._images_of(known.basis, known.keepers ^ keepers)
        if others := known.pairs ^ pairs:
            found = self._prints.rows(print_ for pair in others for print_ in pair)
            of_prints = known.basis.index[np.concatenate([*found.values(), np.empty(0, np.int64)])]
            images = np.concatenate([images, of_prints[of_prints >= 0]])
        return images

    def _images_of(self, basis: Basis, paths: Set[str]) -> NDArray[np.int64]:
        """Return the images of some paths, without those that cannot be compared."""
        rows = self._paths.first(map(str, paths))
        if self._first is not None:
            rows = np.unique(self._first[rows])
        images = basis.index[rows].astype(np.int64)
        return images[images >= 0]

    @cached_property
    def _prints(self) -> Lookup:
        return Lookup(self._frame["fingerprint"])

    def _checked_keepers(self, keepers: Iterable[str], known: frozenset[str]) -> frozenset[str]:
        """Return keepers by their paths, of which some are known to be in the frame."""
        if isinstance(keepers, str):
            raise InputError(f"keepers are a list of paths; pass [{keepers!r}], not {keepers!r}")
        chosen = frozenset(keepers)
        new = sorted(chosen - known, key=str)
        rows = self._paths.first(map(str, new))
        if unknown := [path for path, row in zip(new, rows.tolist(), strict=True) if row < 0]:
            raise InputError(
                f"{len(unknown)} of the keepers are no paths of this frame, {unknown[0]!r} first; "
                "leave them out"
            )
        return chosen

    def curve(
        self,
        nears: Iterable[float] | None = None,
        *,
        keep: Sequence[str | Rule] | None = None,
    ) -> pl.DataFrame:
        """Count groups and images for boundaries to choose from: see :func:`threshold_curve`."""
        require_columns(self._frame, ["embedding"], "a threshold curve")
        ranked = self._ranking(keep, "embedding")
        if nears is None:
            own, limit = ranked.scored.near, ranked.scored.limit
            nears = sorted({own, *(near for near in CURVE_NEARS if near <= max(limit, own))})
        chosen = [checked_near(near) for near in nears]
        # The highest boundary first: the pairs that are found for it serve for all.
        found = {near: groups_within(ranked, near) for near in sorted(chosen, reverse=True)}
        error = self._frame.get_column("error", default=None)
        readable = len(self._frame) if error is None else error.null_count()
        rows = [(near, *counts_of_groups(ranked, found[near], readable)) for near in chosen]
        return pl.DataFrame(rows, schema=CURVE_SCHEMA, orient="row")

    def _ranking(self, keep: Sequence[str | Rule] | None, needed: str) -> RankedImages:
        """Return the images that have what is needed, best keeper first."""
        rules = applicable(self._frame.columns) if keep is None else keep
        check(rules)
        with self._lock:
            scored = self._scored(needed)
            if scored.scope is not None and scored.scope.old.any():
                rules = [OLD_FIRST, *rules]
            if needed == "embedding":
                scored.check_models("grouping images anew")
            for known in self._rankings:
                if known.scored is scored and _are_same(known.rules, rules):
                    return known
            ranked = RankedImages(scored, rules)
            self._rankings = [ranked, *self._rankings[: MAX_RANKINGS - 1]]
            return ranked

    def _scored(self, needed: str) -> ScoredImages:
        if needed not in self._by_need:
            self._by_need[needed] = ScoredImages(self._frame, needed, self._limits)
        return self._by_need[needed]

    def _laid_out(self, basis: Basis, found: Formed, removable: Set[str]) -> pl.DataFrame:
        """Return the frame that :func:`plan` describes, or its rows for some images."""
        ranked, groups, images = found.ranked, found.groups, found.images
        rule = rules_of_keepers(ranked, groups.representative, among_copies=basis.among_copies)
        keeper, kind, removed = outcomes(ranked.picture, groups.representative, removable)
        rows = np.arange(len(ranked))
        distance = self._distances(ranked, keeper, kind)
        is_representative = np.zeros(len(rows), np.bool_)
        is_representative[groups.representative[groups.representative != rows]] = True
        laid = pl.DataFrame(
            {
                "keeper": ranked.row[keeper],
                "kind": KINDS.gather(kind),
                "removed": removed,
                "chosen": found.decisions.chosen,
                "is_representative": is_representative,
                "kept_by_decision": groups.kept_by_decision,
                "has_neighbor": groups.has_neighbor,
                "rule": rule,
                "group": pl.Series(groups.number, dtype=pl.UInt32),
                "distance": pl.Series(distance).fill_nan(None),
                "relation": _relations(ranked, keeper, kind, distance),
                "rank": pl.Series(rows if images is None else images, dtype=pl.UInt32),
            }
        )
        if images is not None:
            return self._in_words(laid, ranked.row, removable)
        laid = laid.select(pl.all().gather(pl.Series(basis.index).replace(-1, None)))
        return self._in_words(laid, None, removable)

    def _in_words(
        self, laid: pl.DataFrame, rows: NDArray[np.int64] | None, removable: Set[str]
    ) -> pl.DataFrame:
        """Return rows of a plan, all without `rows`: each depends on its row of `laid` alone."""
        there = [c for c in ("path", "error", "fingerprint") if c in self._frame.columns]
        facts = rows_of(self._frame, slice(None) if rows is None else rows, there)
        # Of most images there is nothing to say but that they are unique.
        more = ("chosen", "is_representative", "kept_by_decision", "has_neighbor")
        is_plain = (pl.col("group") == 0) & pl.col("kind").is_null() & ~pl.any_horizontal(more)
        in_words = (~laid.select(is_plain.fill_null(False)).to_series()).arg_true()
        some, of_some = laid[in_words], facts[in_words]
        no_error = pl.Series("error", [None], dtype=pl.String).new_from_index(0, len(some))
        words = some.with_columns(
            keeper=self._frame["path"].gather(some["keeper"]),
            name=self._names.gather(in_words if rows is None else rows[in_words]),
            keeper_name=self._names.gather(some["keeper"]),
            is_unreadable=of_some.get_column("error", default=no_error).is_not_null(),
        ).select(
            reason_of(removable).alias("reason"), keeper=pl.when(pl.col("group") > 0).then("keeper")
        )
        unique, none = (
            pl.Series([text], dtype=pl.String).new_from_index(0, len(laid))
            for text in ("unique", None)
        )
        return laid.select(
            facts["path"],
            action=pl.when("removed").then(pl.lit("remove")).otherwise(pl.lit("keep")).cast(ACTION),
            reason=unique.scatter(in_words, words["reason"]),
            keeper=none.scatter(in_words, words["keeper"]),
            kind="kind",
            rule=pl.when(~pl.col("chosen")).then("rule"),
            group=pl.when(pl.col("group") > 0).then("group"),
            distance="distance",
            rank="rank",
        ).with_columns(facts.select(pl.col("^fingerprint$")))

    def _with_further(
        self, plan: pl.DataFrame, first: NDArray[np.int64], rows: NDArray[np.int64] | None
    ) -> tuple[pl.DataFrame, NDArray[np.int64] | None]:
        """Let further names of files stay, or go with them; return which rows may be others."""
        further = further_rows(first)
        goes = pl.col("action") == "remove"
        own = [name for name in ("path", "rank", "fingerprint") if name in plan.columns]
        name, own_name = self._names.gather(first[further]), self._names.gather(further)
        # Further names in other folders are often the same.
        of = pl.when(name == own_name).then("path").otherwise(name)
        named = pl.format("another name of {}", of)
        its = rows_of(plan, first[further], plan.columns).with_columns(
            *(pl.when(goes).then(name) for name in ("keeper", "kind", "group", "distance")),
            reason=pl.when(goes).then(pl.format("{}: {}", named, "reason")).otherwise(named),
            rule=pl.lit(None, pl.String),
        )
        plan = amended(plan, further, its.drop(own))
        if rows is not None:
            rows = np.union1d(rows, further[np.isin(first[further], rows)])
        return plan, rows

    def _distances(
        self, ranked: RankedImages, keeper: NDArray[np.int64], kind: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosine distance of each duplicate to its keeper, NaN where it is not known.

        Most keepers are those of an earlier plan, so the distances that were found are kept.
        """
        row, keeper_row = ranked.row, ranked.row[keeper]
        last_keeper, last_distance = self._last
        distance = np.where(kind == EXACT, np.float32(0), np.float32(np.nan))
        near = np.flatnonzero(kind > EXACT)
        is_known = last_keeper[row[near]] == keeper_row[near]
        known, unknown = near[is_known], near[~is_known]
        distance[known] = last_distance[row[known]]
        if unknown.size:
            distance[unknown] = ranked.scored.distances(row[unknown], keeper_row[unknown])
            keepers, of_rows = last_keeper.copy(), last_distance.copy()
            keepers[row[unknown]], of_rows[row[unknown]] = keeper_row[unknown], distance[unknown]
            self._last = keepers, of_rows
        return distance


def _without_further(frame: pl.DataFrame, first: NDArray[np.int64]) -> pl.DataFrame:
    """Return a frame in which further names of files are in no group."""
    is_further = pl.Series(first != np.arange(len(first)))
    values = {"group": None, "keep": True}
    there = [name for name in values if name in frame.columns]
    return frame.with_columns(
        pl.when(is_further).then(pl.lit(values[name])).otherwise(name).alias(name) for name in there
    )


def _relations(
    ranked: RankedImages,
    keeper: NDArray[np.int64],
    kind: NDArray[np.int64],
    distance: NDArray[np.float32],
) -> pl.Series:
    """Return in words what each near-duplicate is of its keeper, null where it is not known."""
    words = pl.Series("relation", [None] * len(ranked), dtype=pl.String)
    near = np.flatnonzero(kind == NEAR)
    if not near.size:
        return words
    compared = ranked.scored.compared
    if compared is not None:
        found = compared.of_pairs(ranked.row[near], ranked.row[keeper[near]])["words"]
        is_beyond = pl.Series(distance[near] >= np.float32(compared.pairs.boundary))
        found = found.set(is_beyond, UNCONFIRMED)
    elif {"relation", "nearest"} <= set(ranked.columns):
        paths = ranked.facts(["path"], keeper[near]).to_series()
        is_nearest = pl.col("nearest").cast(pl.String) == paths
        relation = pl.col("relation").cast(pl.String)
        found = (
            ranked.facts(["nearest", "relation"], near)
            .select(pl.when(is_nearest).then(relation))
            .to_series()
        )
    else:
        return words
    return words.scatter(near, found)


def _checked_kinds(remove: Iterable[str]) -> frozenset[str]:
    kinds = frozenset({remove} if isinstance(remove, str) else remove)
    if unknown := sorted(kinds - set(REMOVABLE), key=str):
        raise InputError(f"remove has {unknown[0]!r}; what may go is 'exact' and 'near'")
    return kinds


def _checked_pairs(not_duplicates: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return pairs of fingerprints as a set of tuples of text."""
    pairs = set()
    if not isinstance(not_duplicates, Iterable):
        raise InputError(f"not_duplicates are pairs, not {not_duplicates!r:.99}")
    for pair in not_duplicates:
        fingerprints = () if isinstance(pair, str) else tuple(pair)
        if len(fingerprints) != 2:
            raise InputError(f"not_duplicates has {pair!r}; pass pairs of fingerprints")
        pairs.add((str(fingerprints[0]), str(fingerprints[1])))
    return frozenset(pairs)


def _check_columns(
    frame: pl.DataFrame, *, regroup: bool, near: float | None, pairs: Set[tuple[str, str]]
) -> None:
    if near is not None:
        require_columns(frame, ["embedding"], "grouping at another near")
    if not regroup:
        require_columns(frame, ["group", "keep"], "a plan")
        if "fingerprint" not in frame.columns:
            require_columns(
                frame, ["uniqueness", "nearest"], "a plan of a frame without fingerprints"
            )
    if pairs:
        require_columns(frame, ["fingerprint"], "telling who is not a duplicate")


def _are_same(some: Sequence[str | Rule], others: Sequence[str | Rule]) -> bool:
    """Tell whether two lists of keeper rules are the same."""

    def same(one: str | Rule, other: str | Rule) -> bool:
        if isinstance(one, str) or isinstance(other, str):
            return one is other or (isinstance(one, str) and one == other)
        alike = (one.about, one.highest_first, one.among) == (
            other.about,
            other.highest_first,
            other.among,
        )
        return alike and one.value.meta.eq(other.value)

    return len(some) == len(others) and all(map(same, some, others))


def _file_name(path: pl.Expr) -> pl.Expr:
    """Return the last part of a path, the path itself if it has none."""
    return pl.coalesce(path.str.extract(r"([^/\\]+)[/\\]*$"), path)
