"""Plans of one frame, one after the other, where what does not change is computed once."""

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.schema import with_paths
from dedup_widgets.frame.table import checked_paths, require_columns, scattered, to_polars
from dedup_widgets.planning.groups import GroupDecisions, Groups, decided, groups_within, own_groups
from dedup_widgets.planning.ranking import (
    LIMITS,
    Limits,
    RankedImages,
    ScoredImages,
)
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


FEW = 20
"""A plan is written anew where more than one row in so many is unlike the last plan's."""


MAX_RANKINGS = 4
"""Sets of keeper rules for which a planner keeps the order of images."""


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

    def __init__(self, df: Any, *, limits: Limits = LIMITS) -> None:
        frame = to_polars(df)
        self._frame = with_paths(frame, checked_paths(frame))
        self._names = self._frame.select(_file_name(pl.col("path"))).to_series()
        self._limits = limits
        self._lock = threading.Lock()
        self._by_need: dict[str, ScoredImages] = {}
        self._rankings: list[RankedImages] = []
        # Of the last plan: the row of each row's keeper, and the distance to it.
        self._last = np.full(len(frame), -1), np.full(len(frame), np.nan, np.float32)
        self._own_groups: tuple[RankedImages, bool, Groups] | None = None
        self._last_plan: tuple[frozenset[str], pl.DataFrame, pl.DataFrame] | None = None

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
        frame = self._frame
        removable = _checked_kinds(remove)
        chosen = _checked_keepers(keepers, frame["path"])
        pairs = _checked_pairs(not_duplicates)
        _check_near(near)
        regroup = near is not None or (keep is not None and "embedding" in frame.columns)
        _check_columns(frame, regroup=regroup, near=near, pairs=pairs)
        ranked = self._ranking(keep, "embedding" if regroup else "keep")
        among_copies = keep is not None and not regroup
        if regroup:
            groups = groups_within(ranked, ranked.scored.near if near is None else near)
        else:
            groups = self._groups_of_frame(ranked, among_copies)
        decisions = GroupDecisions.of(ranked, chosen, pairs)
        groups = decided(groups, ranked, decisions, near)
        rule = rules_of_keepers(ranked, groups.representative, among_copies=among_copies)
        return self._laid_out(ranked, groups, decisions.chosen, rule, removable)

    def _groups_of_frame(self, ranked: RankedImages, best_copies: bool) -> Groups:
        known = self._own_groups
        if known is None or known[:2] != (ranked, best_copies):
            known = self._own_groups = (
                ranked,
                best_copies,
                own_groups(ranked, best_copies=best_copies),
            )
        return known[2]

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
        chosen = list(nears)
        for near in chosen:
            _check_near(near)
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

    def _laid_out(
        self,
        ranked: RankedImages,
        groups: Groups,
        chosen: NDArray[np.bool_],
        rule: pl.Series,
        removable: set[str],
    ) -> pl.DataFrame:
        """Decide which images are removed, and return the frame that :func:`plan` describes."""
        keeper, kind, removed = outcomes(ranked.picture, groups.representative, removable)
        rows = np.arange(len(ranked))
        distance = self._distances(ranked, keeper, kind)
        laid = pl.DataFrame(
            {
                "keeper": ranked.row[keeper],
                "kind": KINDS.gather(kind),
                "removed": removed,
                "chosen": chosen,
                "is_representative": np.isin(
                    rows, groups.representative[groups.representative != rows]
                ),
                "kept_by_decision": groups.kept_by_decision,
                "has_neighbor": groups.has_neighbor,
                "rule": rule,
                "group": pl.Series(groups.number, dtype=pl.UInt32),
                "distance": pl.Series(distance).fill_nan(None),
                "relation": _relations(ranked, keeper, kind, distance),
                "rank": pl.Series(rows, dtype=pl.UInt32),
            }
        )
        index = np.full(len(self._frame), -1)
        index[ranked.row] = rows
        laid = laid.select(pl.all().gather(pl.Series(index).replace(-1, None)))
        return self._in_words(laid, removable)

    def _in_words(self, laid: pl.DataFrame, removable: set[str]) -> pl.DataFrame:
        """Return the frame that :func:`plan` describes; only rows unlike the last plan's are new.

        A row of it depends on its row of `laid` alone.
        """
        known, last = frozenset(removable), self._last_plan
        plan = None
        if last is not None and last[0] == known:
            rows = _differing(last[1], laid)
            if len(rows) * FEW < len(laid):
                words = self._words_of(laid[rows], rows, removable)
                plan = pl.DataFrame(
                    [scattered(last[2][column.name], rows, column) for column in words]
                )
        if plan is None:
            plan = self._words_of(laid, None, removable)
        self._last_plan = known, laid, plan
        return plan

    def _words_of(
        self, laid: pl.DataFrame, rows: NDArray[np.int64] | None, removable: set[str]
    ) -> pl.DataFrame:
        """Return rows of a plan, all without `rows`."""
        facts = self._frame.select("path", pl.col("^(error|fingerprint)$"))
        names = self._names
        if rows is not None:
            facts, names = facts[rows], names[rows]
        keeper_row = laid["keeper"]
        no_error = pl.Series("error", [None], dtype=pl.String).new_from_index(0, len(laid))
        laid = laid.with_columns(
            facts["path"],
            keeper=self._frame["path"].gather(keeper_row),
            name=names,
            keeper_name=self._names.gather(keeper_row),
            is_unreadable=facts.get_column("error", default=no_error).is_not_null(),
        )
        in_group = pl.when(pl.col("group") > 0)
        return laid.select(
            "path",
            action=pl.when("removed").then(pl.lit("remove")).otherwise(pl.lit("keep")).cast(ACTION),
            reason=reason_of(removable),
            keeper=in_group.then("keeper"),
            kind="kind",
            rule=pl.when(~pl.col("chosen")).then("rule"),
            group=in_group.then("group"),
            distance="distance",
            rank="rank",
        ).with_columns(facts.select(pl.col("^fingerprint$")))

    def _distances(
        self, ranked: RankedImages, keeper: NDArray[np.int64], kind: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosine distance of each duplicate to its keeper, NaN where it is not known.

        Most keepers are those of the last plan, so the distances of that plan are reused.
        """
        row, keeper_row = ranked.row, np.where(kind > 0, ranked.row[keeper], -1)
        last_keeper, last_distance = self._last
        is_known = last_keeper[row] == keeper_row
        distance = np.where(kind == EXACT, np.float32(0), np.float32(np.nan))
        distance[is_known] = last_distance[row[is_known]]
        unknown = (kind > EXACT) & ~is_known
        distance[unknown] = ranked.scored.distances(row[unknown], keeper_row[unknown])
        keepers = np.full(len(last_keeper), -1)
        of_rows = np.full(len(last_keeper), np.nan, np.float32)
        keepers[row], of_rows[row] = keeper_row, distance
        self._last = keepers, of_rows
        return distance


def _differing(one: pl.DataFrame, other: pl.DataFrame) -> NDArray[np.int64]:
    """Return the rows in which two frames of the same columns differ."""
    differs = pl.any_horizontal(
        one[name].ne_missing(other[name]).alias(name) for name in one.columns
    )
    return pl.select(differs).to_series().arg_true().to_numpy().astype(np.int64)


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
    elif {"relation", "nearest"} <= set(ranked.images.columns):
        is_nearest = pl.col("nearest").cast(pl.String) == ranked.images["path"][keeper[near]]
        relation = pl.col("relation").cast(pl.String)
        found = ranked.images[near].select(pl.when(is_nearest).then(relation)).to_series()
    else:
        return words
    return words.scatter(near, found)


def _checked_kinds(remove: Iterable[str]) -> set[str]:
    kinds = {remove} if isinstance(remove, str) else set(remove)
    if unknown := sorted(kinds - set(REMOVABLE), key=str):
        raise InputError(f"remove has {unknown[0]!r}; what may go is 'exact' and 'near'")
    return kinds


def _checked_keepers(keepers: Iterable[str], paths: pl.Series) -> set[str]:
    if isinstance(keepers, str):
        raise InputError(f"keepers are a list of paths; pass [{keepers!r}], not {keepers!r}")
    chosen = set(keepers)
    known = set(paths.filter(paths.is_in(list(map(str, chosen))))) if chosen else set()
    if unknown := sorted(chosen - known, key=str):
        raise InputError(
            f"{len(unknown)} of the keepers are no paths of this frame, {unknown[0]!r} first; "
            "leave them out"
        )
    return chosen


def _check_near(near: float | None) -> None:
    if near is not None and not 0 <= near <= 1:
        raise InputError(f"near is {near}; it must lie in [0, 1], on the uniqueness scale")


def _checked_pairs(not_duplicates: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return pairs of fingerprints as a set of tuples of text."""
    pairs = set()
    for pair in not_duplicates:
        fingerprints = () if isinstance(pair, str) else tuple(pair)
        if len(fingerprints) != 2:
            raise InputError(f"not_duplicates has {pair!r}; pass pairs of fingerprints")
        pairs.add((str(fingerprints[0]), str(fingerprints[1])))
    return pairs


def _check_columns(
    frame: pl.DataFrame, *, regroup: bool, near: float | None, pairs: set[tuple[str, str]]
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
