"""Which image of a group to keep: rules, applied in order."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.moments import in_utc
from dedup_widgets.frame.table import rows_of, scattered
from dedup_widgets.scoring.keeper_rules import (
    BY_DATE,
    DEFAULT,
    OF_EVIDENCE,
    OLD_FIRST,
    PLAIN_COPY,
    RULES,
    Among,
    Rule,
    about,
    applicable,
    check,
    highest,
    is_row_by_row,
    lowest,
    named,
    newest,
    oldest,
    plain_copies,
    prefer,
    prefer_folder,
    prefer_path,
    resolve,
)

__all__ = [
    "BY_DATE",
    "DEFAULT",
    "OF_EVIDENCE",
    "OLD_FIRST",
    "RULES",
    "Among",
    "FactsOfRows",
    "PictureRanking",
    "Ranking",
    "Rule",
    "about",
    "applicable",
    "check",
    "decided_by",
    "highest",
    "looked_at",
    "lowest",
    "named",
    "newest",
    "oldest",
    "prefer",
    "prefer_folder",
    "prefer_path",
    "rank",
]

_ROWS_AT_A_TIME = 65_536
"""Rows of which a rule is evaluated at a time, to bound memory."""


def looked_at(facts: pl.DataFrame, rules: Sequence[str | Rule] = DEFAULT) -> set[str]:
    """Return the columns of facts that :func:`rank` looks at by these rules."""
    chosen = resolve(facts, rules)
    return {"fingerprint", *(name for rule in chosen for name in rule.value.meta.root_names())}


def rank(facts: pl.DataFrame, rules: Sequence[str | Rule] = DEFAULT) -> NDArray[np.int64]:
    """Rank images as keepers, 0 for the best.

    The first rule that tells two images apart decides. Images of one fingerprint are ranked among
    themselves, and the best of them stands for their picture; without a column ``fingerprint``
    each image is a picture. What lies in a recycle bin comes after what does not, whatever the
    rules. The path is always the last rule, so the order of the rows decides nothing as long as no
    path occurs twice.

    Parameters
    ----------
    facts
        One row an image, with ``path`` and the columns that the rules look at; the default rules
        whose columns it does not have are silent. For fingerprints may stand numbers from 0 on.
    rules
        Names from :data:`RULES` or :data:`BY_DATE`, or rules, strongest first.

    Returns
    -------
    NDArray[np.int64]
        Shape (n,): a permutation of 0 … n-1, in the order of the rows of `facts`. Images of one
        fingerprint follow each other.

    Raises
    ------
    InputError
        When a rule is unknown, a column that it looks at is missing, or its values have no order.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["b.jpg", "a.jpg", "c.jpg"], "bytes": [10, 10, 20]})
    >>> rank(facts, ["bytes"]).tolist()
    [2, 1, 0]
    """
    return Ranking(facts, rules).ranks()


def decided_by(
    facts: pl.DataFrame,
    keepers: ArrayLike,
    others: ArrayLike,
    rules: Sequence[str | Rule] = DEFAULT,
) -> list[str | None]:
    """Tell which rule decided between keepers and their runners-up.

    Parameters
    ----------
    facts
        As :func:`rank` takes them.
    keepers, others
        Row numbers of `facts`, shape (k,): pairs of images.
    rules
        As :func:`rank` takes them; the path comes last.

    Returns
    -------
    list[str | None]
        For each pair, what the first rule that tells the two apart prefers, in words; None when
        none does. It decided in favour of the one that :func:`rank` ranks first.

    Raises
    ------
    InputError
        As :func:`rank` does.

    Examples
    --------
    >>> facts = pl.DataFrame({"path": ["b.jpg", "a.jpg", "c.jpg"], "bytes": [10, 10, 20]})
    >>> decided_by(facts, keepers=[2, 1], others=[1, 0], rules=["bytes"])
    ['most bytes', 'path that sorts first']
    """
    return Ranking(facts, rules).decided_by(keepers, others)


class FactsOfRows(Protocol):
    """Facts of n images, of which some rows are asked for at a time."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    @property
    def types(self) -> pl.DataFrame:
        """All columns, without rows."""
        ...

    def rows(self, rows: NDArray[np.integer], names: Iterable[str]) -> pl.DataFrame:
        """Return some columns of some rows."""
        ...


class _FactsInMemory:
    """Facts that are held in memory."""

    def __init__(self, facts: pl.DataFrame) -> None:
        # Which of two pictures was taken first nobody can tell by the clocks on two walls.
        facts = in_utc(facts)
        if "shot" not in facts.columns:  # where no picture has further parts
            facts = facts.with_columns(shot=None)
        self._facts, self.types = facts, facts.clear()

    def __len__(self) -> int:
        return len(self._facts)

    def rows(self, rows: NDArray[np.integer], names: Iterable[str]) -> pl.DataFrame:
        return rows_of(self._facts, rows, names)


class Ranking:
    """What keeper rules say of images: :func:`rank` and :func:`decided_by`.

    A rule is asked only about images between which no stronger one has decided.

    Parameters
    ----------
    facts, rules
        As :func:`rank` takes them; or facts of which some rows are asked for at a time.
    """

    def __init__(
        self, facts: "pl.DataFrame | FactsOfRows", rules: Sequence[str | Rule] = DEFAULT
    ) -> None:
        self._facts = _FactsInMemory(facts) if isinstance(facts, pl.DataFrame) else facts
        self._rules = resolve(self._facts.types, rules)
        self._known: dict[int, pl.Series] = {}
        values = _evaluated(self._rules, self._to_check())
        for rule, value in zip(self._rules, values, strict=True):
            if value.dtype.is_nested() or value.dtype == pl.Object:
                raise InputError(
                    f"the keeper rule {rule.about!r} compares {value.dtype}, which has no order; "
                    "choose a column of numbers, dates or text"
                )
        first = _first_copies(self._facts)
        self._is_copied = (np.bincount(first, minlength=len(facts)) > 1)[first]
        copied = np.flatnonzero(self._is_copied).astype(np.int32)
        copied = copied[np.argsort(first[copied], kind="stable")]
        starts = _starts(first[copied])
        best_first, _ = self._best_first(copied, starts, "copies", range(len(self._rules)))
        self._best_copy = np.arange(len(facts), dtype=np.int32)
        self._place = np.zeros(len(facts), np.int32)
        self._best_copy[best_first] = best_first[starts]
        self._place[best_first] = np.arange(len(best_first)) - starts

    def _to_check(self) -> pl.DataFrame:
        """Return the rows that show whether rules can be applied: none, if types alone do."""
        needed = {name for rule in self._rules for name in rule.value.meta.root_names()}
        texts = needed - {"path", "fingerprint", "shot"}
        types = self._facts.types
        if all(types.schema[name] != pl.String for name in texts):
            return types
        return self._facts.rows(np.arange(len(self._facts)), sorted(needed))

    @cached_property
    def best_first(self) -> NDArray[np.int32]:
        """The row of the best copy of each picture, the best picture first."""
        rows = np.arange(len(self._best_copy), dtype=np.int32)
        return self._in_order(rows[self._best_copy == rows], range(len(self._rules)))[0]

    def ranks(self) -> NDArray[np.int64]:
        """Return the rank of each image, as :func:`rank` does."""
        start = np.bincount(self._best_copy, minlength=len(self._best_copy))
        size = start[self.best_first]
        start[self.best_first] = np.cumsum(size) - size
        ranks: NDArray[np.int64] = start[self._best_copy] + self._place
        return ranks

    def of_pictures(self, pictures: NDArray[np.integer]) -> "PictureRanking":
        """Return how pictures, each given as the row of its best copy, are ranked by evidence."""
        rows = pictures.astype(np.int32)
        place = np.empty(len(self._best_copy), np.int32)
        keys: list[NDArray[np.int32] | Rule] = []
        names: set[str] = set()
        known: list[int] = []
        for number, rule in enumerate(self._rules):
            looked_at = set(rule.value.meta.root_names())
            if rule.among == "copies":
                continue
            if looked_at.isdisjoint(OF_EVIDENCE):
                known.append(number)
                continue
            # What tells none apart is no key.
            if (tied := self._tied(rows, known, place)).any():
                keys.append(tied)
            keys.append(rule)
            names |= looked_at - set(OF_EVIDENCE)
            known = []
        # By the rules that come last pictures have their order here, as before there is evidence.
        place[self.best_first] = np.arange(len(self.best_first), dtype=np.int32)
        are_best_first = len(rows) == len(self.best_first) and _is_counting(place[rows])
        if not are_best_first:
            keys.append(place[rows])
        return PictureRanking(keys, self._facts.rows(rows, sorted(names)), are_best_first)

    def _tied(
        self, rows: NDArray[np.int32], rules: Sequence[int], place: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return numbers by which some rules order pictures, equal where they decide nothing."""
        order, run = self._in_order(rows.copy(), rules)
        place[order] = run
        return place[rows]

    def _in_order(
        self, pictures: NDArray[np.int32], rules: Sequence[int]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return self._best_first(pictures, np.zeros(len(pictures), np.int32), "pictures", rules)

    @property
    def best_copy(self) -> NDArray[np.int64]:
        """For each image the best copy of its picture, by its row."""
        return self._best_copy.astype(np.int64)

    def decided_by(self, keepers: ArrayLike, others: ArrayLike) -> list[str | None]:
        """Return the rule that decided for each pair, as :func:`decided_by` does."""
        best_copy = self._best_copy
        one, other = np.asarray(keepers, np.int64), np.asarray(others, np.int64)
        are_copies = best_copy[one] == best_copy[other]
        one, other = (np.where(are_copies, rows, best_copy[rows]) for rows in (one, other))
        values = self._all_values(np.concatenate([one, other]))
        first, second = values[: len(one)], values[len(one) :]
        both = pl.concat(
            [first, second.rename(lambda name: f"{name} of other")], how="horizontal"
        ).with_columns(are_copies=are_copies)
        asked = {"all": pl.lit(True), "copies": pl.col("are_copies")}
        asked["pictures"] = ~pl.col("are_copies")
        deciding = pl.coalesce(
            pl.when(pl.col(name).ne_missing(pl.col(f"{name} of other")) & asked[rule.among]).then(
                pl.lit(rule.about)
            )
            for name, rule in zip(first.columns, self._rules, strict=True)
        )
        return both.select(deciding.alias("rule"))["rule"].to_list()

    def _all_values(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        """Return what the rules compare of some rows, a column each, named by its place."""
        numbers = [i for i, rule in enumerate(self._rules) if is_row_by_row(rule)]
        rules = [self._rules[i] for i in numbers]
        names = dict.fromkeys(name for rule in rules for name in rule.value.meta.root_names())
        values = _evaluated(rules, self._facts.rows(rows, names))
        known = dict(zip(numbers, values, strict=True))
        return pl.DataFrame(
            [
                (known[i] if i in known else self._values(i, rows)).alias(str(i))
                for i in range(len(self._rules))
            ]
        )

    def _best_first(
        self,
        rows: NDArray[np.int32],
        run: NDArray[np.int32],
        among: Literal["pictures", "copies"],
        rules: Sequence[int],
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Order rows, in place, by some rules, within sets: `run` says where that of each begins.

        Returns
        -------
        tuple
            The rows, and where those begin between which the rules do not decide.
        """
        order = rows
        left: NDArray[np.int32] | None = None  # all of them
        for number in rules:
            rule = self._rules[number]
            if rule.among not in ("all", among):
                continue
            are_tied = _are_tied(run)
            if not are_tied.any():
                break
            if not are_tied.all():
                left = np.flatnonzero(are_tied).astype(np.int32)
            del are_tied
            values = self._values(number, order if left is None else order[left])
            if _are_equal(values):
                continue
            keys = _keys(values, rule)
            del values
            of_run = run if left is None else run[left]
            is_one = not of_run[-1:].any()
            sort = np.lexsort(keys if is_one else (*keys, of_run)).astype(np.int32)
            is_first = _are_first(of_run)
            for key in keys:
                is_first |= _are_first(key[sort])
            del keys, of_run
            starts = _starts_of(is_first)
            if left is None:
                order[:], run = order[sort], starts
            else:
                order[left] = order[left[sort]]
                run = run.copy()
                run[left] = left[starts]
        return order, run

    def _values(self, number: int, rows: NDArray[np.integer]) -> pl.Series:
        """Return what a rule compares of some rows."""
        rule = self._rules[number]
        if is_row_by_row(rule):
            names = list(dict.fromkeys(rule.value.meta.root_names()))
            # In the order of rows, for where they are not in memory those nearby come together.
            order = np.argsort(rows, kind="stable")
            parts = [
                _evaluated([rule], self._facts.rows(rows[order[start:end]], names))[0]
                for start, end in pairwise([*range(0, len(rows), _ROWS_AT_A_TIME), len(rows)])
            ]
            place = np.empty(len(rows), np.int32)
            place[order] = np.arange(len(rows), dtype=np.int32)
            values = pl.concat(parts, rechunk=True)
            del parts, order
            return values.gather(place)
        if number not in self._known:
            if rule is PLAIN_COPY:
                copied = np.flatnonzero(self._is_copied)
                some = self._facts.rows(copied, ["path", "fingerprint"])
                none = pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(self._facts))
                self._known[number] = scattered(none, copied, plain_copies(some))
            else:
                names = sorted(set(rule.value.meta.root_names()))
                everything = self._facts.rows(np.arange(len(self._facts)), names)
                (self._known[number],) = _evaluated([rule], everything)
        return self._known[number].gather(rows)


class PictureRanking:
    """How pictures are ranked as keepers by what evidence says of them.

    What other rules say of them does not change, and is kept as a number a picture.

    Parameters
    ----------
    keys
        In the order of the rules: numbers by which those order the n pictures that look at no
        evidence, (n,), and the rules that do.
    facts
        What else these look at.
    are_best_first
        Whether the pictures are in the order that they have without evidence, which comes last.
    """

    def __init__(
        self,
        keys: Sequence[NDArray[np.int32] | Rule],
        facts: pl.DataFrame,
        are_best_first: bool,
    ) -> None:
        self._keys, self._facts, self._are_best_first = keys, facts, are_best_first

    def ranks(
        self, completeness: NDArray[np.float32], enlarged: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """Return the rank of each picture, 0 for the best.

        Parameters
        ----------
        completeness, enlarged
            (n,), as the columns of these names.
        """
        n = len(completeness)
        # Most lack nothing, and keep their order: only the others are sorted in among them.
        moved = np.flatnonzero((completeness != 1) | enlarged).astype(np.int32)
        if self._facts.width or not self._are_best_first:
            moved = np.arange(n, dtype=np.int32)
        stay = np.ones(n, np.bool_)
        stay[moved] = False
        others = np.arange(n, dtype=np.int32)[stay]
        asked = np.append(moved, others[:1])
        told = {"completeness": completeness[asked], "enlarged": enlarged[asked]}
        facts = pl.DataFrame(told | self._facts.to_dict())
        keys = [
            _key(_evaluated([it], facts)[0], it) if isinstance(it, Rule) else it[asked]
            for it in self._keys
        ]
        # Where they are the best first, the last key is their number, as the sort is stable.
        order = moved[np.lexsort([it[: len(moved)] for it in keys[::-1]])] if keys else moved
        if len(asked) > len(moved):
            order = self._among(moved, order, others, keys)
        del others, stay
        ranks = np.empty(n, np.int32)
        ranks[order] = np.arange(n, dtype=np.int32)
        return ranks

    def _among(
        self,
        moved: NDArray[np.int32],
        order: NDArray[np.int32],
        others: NDArray[np.int32],
        keys: Sequence[NDArray[np.int32]],
    ) -> NDArray[np.int32]:
        """Return all pictures in order: some that are, among the others, which are equally whole.

        `keys` are of those that moved and, at the end, of one of the others.
        """
        n = len(moved) + len(others)
        start, end = np.zeros(len(moved), np.int64), np.full(len(moved), n)
        place, is_open = moved.astype(np.int64), np.ones(len(moved), np.bool_)
        is_first = np.zeros(n, np.bool_)
        is_first[:1] = True
        for it, key in zip(self._keys, keys, strict=True):
            if isinstance(it, Rule):
                is_better, is_worse = is_open & (key[:-1] < key[-1]), is_open & (key[:-1] > key[-1])
                place[is_better], place[is_worse] = start[is_better], end[is_worse]
                is_open &= ~(is_better | is_worse)
            else:
                is_first |= _are_first(it)
                begins = np.append(np.flatnonzero(is_first), n)
                run = np.searchsorted(begins, moved, "right")
                start, end = begins[run - 1], begins[run]
        place.sort()
        return np.insert(others, np.searchsorted(others, place), order)


def _evaluated(rules: Sequence[Rule], facts: pl.DataFrame) -> list[pl.Series]:
    """Return what rules compare."""
    try:
        values = facts.select(rule.value.alias(str(i)) for i, rule in enumerate(rules))
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"the keeper rules cannot be applied to these facts ({error}); check the types of "
            "the columns that they look at"
        ) from error
    return [it.fill_nan(None) if it.dtype.is_float() else it for it in values]


def _are_equal(values: pl.Series) -> bool:
    """Tell whether all values are one."""
    if values.null_count():
        return values.null_count() == len(values)
    if values.dtype.is_numeric() or values.dtype.is_temporal() or values.dtype == pl.Boolean:
        return bool(values.min() == values.max())
    return values.n_unique() == 1


_OF_NUMPY = frozenset(
    {
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Float32, pl.Float64),
    }
)
"""Numbers that NumPy has, too."""


def _keys(values: pl.Series, rule: Rule) -> list[NDArray[Any]]:
    """Return what orders the values of a rule, the best first, and null last: strongest last."""
    physical = values.cast(pl.UInt8) if values.dtype == pl.Boolean else values.to_physical()
    is_plain = values.dtype.is_temporal() or values.dtype == pl.Boolean
    if not (is_plain or values.dtype in _OF_NUMPY):
        return [_key(values, rule)]
    keys: list[NDArray[Any]] = [physical.fill_null(0).to_numpy()]
    if rule.highest_first:
        keys[0] = -keys[0] if values.dtype.is_float() else ~keys[0]
    return [*keys, values.is_null().to_numpy()] if values.null_count() else keys


def _key(values: pl.Series, rule: Rule) -> NDArray[np.int32]:
    """Return numbers that order the values of a rule, the best first, and null last."""
    place = values.rank("dense", descending=rule.highest_first).cast(pl.Int32)
    key: NDArray[np.int32] = place.fill_null(len(values) + 1).to_numpy()
    return key


def _first_copies(facts: "FactsOfRows") -> NDArray[np.int32]:
    """Return for each row the first row of its fingerprint, (n,)."""
    rows = np.arange(len(facts), dtype=np.int32)
    if "fingerprint" not in facts.types.columns:
        return rows
    if facts.types.schema["fingerprint"].is_integer():
        numbers = facts.rows(rows, ["fingerprint"]).to_series().to_numpy()
        first = np.full(numbers.max(initial=0) + 1, len(rows), np.int32)
        np.minimum.at(first, numbers, rows)
        of_row: NDArray[np.int32] = first[numbers]
        return of_row
    pictures = facts.rows(rows, ["fingerprint", "path"]).select(
        pl.coalesce(pl.col("fingerprint").cast(pl.String), "path")
    )
    return Lookup(pictures.to_series()).equals


def _are_first(label: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell of each place whether another label stands before it, or none."""
    is_first = np.ones(len(label), np.bool_)
    np.not_equal(label[1:], label[:-1], out=is_first[1:])
    return is_first


def _is_counting(numbers: NDArray[np.int32]) -> bool:
    """Tell whether numbers are 0, 1, 2 and so on."""
    return not numbers[:1].any() and bool((numbers[1:] - numbers[:-1] == 1).all())


def _starts(label: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return for each place where the run of equal labels begins that it is in."""
    return _starts_of(_are_first(label))


def _starts_of(is_first: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return for each place where its run begins."""
    begins = np.flatnonzero(is_first).astype(np.int32)
    return np.repeat(begins, np.diff(begins, append=len(is_first)))


def _are_tied(run: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell of each place whether another one has its run, as `_starts` returns it."""
    are_tied: NDArray[np.bool_] = run != np.arange(len(run), dtype=np.int32)
    are_tied[run[are_tied]] = True
    return are_tied
