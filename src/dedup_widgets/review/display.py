"""Which rows are shown, in which order and groups; ``js/src/data/order.ts`` agrees.

Plain functions of arrays: they know frames and numbers, not widgets.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dedup_widgets.frame.annotations import categories, is_annotations
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.frame.summary import kinds
from dedup_widgets.frame.table import rows_of

NO_RANK = 0xFFFFFFFF
"""Rank of a null: last in either direction."""
NO_CODE = 255
"""Code of a null in a column of small codes."""
KIND_CODES = {"unique": 0, "near": 1, "exact": 2}
KEEP_CODES = {"goes": 0, "stays": 1, "beside": 2}
"""What the plan does with an image; ``beside``: it stays, in no group, near a member of one."""

Fact = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Bands:
    """Which rows stand together in the grid.

    Attributes
    ----------
    band : ndarray of uint32, (n,)
        0 for a row on its own, else the number of its band: its group's.
    place : ndarray of uint32, (n,)
        Position within the band: the keeper is 0, then members by distance, then images that are
        near to a member but not to the keeper, which stay and are shown next to the group.
    keeper : ndarray of int64, (highest band + 1,)
        The row at place 0 of each band.
    ungrouped : ndarray of bool, (n,)
        True for those near but ungrouped images.
    """

    band: np.ndarray
    place: np.ndarray
    keeper: np.ndarray
    ungrouped: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many rows each band has, from band 1 on; uint32."""
        return np.bincount(self.band, minlength=1)[1:].astype(np.uint32)

    @property
    def members(self) -> np.ndarray:
        """The rows of all bands, band by band, in the order of their places; uint32."""
        rows = np.flatnonzero(self.band)
        sizes = self.sizes
        start = np.cumsum(sizes) - sizes
        members = np.empty(len(rows), np.uint32)
        members[start[self.band[rows] - 1] + self.place[rows]] = rows
        return members

    def again(self, frame: pl.DataFrame, rows: np.ndarray, paths: Lookup) -> "Bands":
        """Return the bands of a frame that is another one in some rows.

        Parameters
        ----------
        frame
            As :func:`bands` takes it.
        rows
            Their numbers: whole groups, and all images whose nearest is among them.
        paths
            Finds the rows of paths.
        """
        if "group" not in frame.columns:
            return self
        part = rows_of(frame, rows, {"group", "kind", "nearest"} & set(frame.columns))
        group = part["group"].fill_null(0).to_numpy()
        band, place, ungrouped = self.band.copy(), self.place.copy(), self.ungrouped.copy()
        band[rows], place[rows], ungrouped[rows] = group, 0, False
        if {"nearest", "kind"} <= set(part.columns):
            alone = part.select((pl.col("kind") == "near").fill_null(False)).to_series().to_numpy()
            alone &= group == 0
            nearest = paths.first(part["nearest"].filter(pl.Series(alone)))
            of_nearest = frame["group"].gather(np.maximum(nearest, 0)).fill_null(0).to_numpy()
            of_nearest = np.where(nearest < 0, 0, of_nearest)
            band[rows[alone]], ungrouped[rows[alone]] = of_nearest, of_nearest > 0
        highest = int(band.max(initial=0))
        is_new = np.zeros(max(highest + 1, len(self.keeper)), np.bool_)
        is_new[self.band[rows]] = is_new[band[rows]] = True
        is_new[0] = False
        keeper = np.zeros(highest + 1, np.int64)
        known = min(len(keeper), len(self.keeper))
        keeper[:known] = self.keeper[:known]
        keeper[is_new[: highest + 1]] = 0
        _place(frame, np.flatnonzero(is_new[band]), band, ungrouped, place, keeper)
        return Bands(band, place, keeper, ungrouped)


def bands(frame: pl.DataFrame) -> Bands:
    """Work out the bands of a :func:`recognised` frame."""
    n = len(frame)
    if "group" not in frame.columns:
        none = np.zeros(n, np.uint32)
        return Bands(none, none.copy(), np.zeros(1, np.int64), np.zeros(n, bool))
    columns = set(frame.columns)
    group = frame["group"].fill_null(0).to_numpy()
    band = group.astype(np.uint32)
    if {"nearest", "kind"} <= columns:
        near = frame.select((pl.col("kind") == "near").fill_null(False)).to_series().to_numpy()
        alone = np.flatnonzero(near & (group == 0))
        band[alone] = _groups_of(frame["nearest"][alone], frame["path"], group)
    is_beside = (band > 0) & (group == 0)
    place = np.zeros(n, np.uint32)
    keeper = np.zeros(int(band.max(initial=0)) + 1, np.int64)
    _place(frame, np.flatnonzero(band > 0), band, is_beside, place, keeper)
    return Bands(band, place, keeper, is_beside)


def _place(
    frame: pl.DataFrame,
    together: np.ndarray,
    band: np.ndarray,
    is_beside: np.ndarray,
    place: np.ndarray,
    keeper: np.ndarray,
) -> None:
    """Write down the places of the rows of whole bands, and who is at the first place of each."""
    rows = rows_of(frame, together, {"keep", "distance"} & set(frame.columns))
    beside = is_beside[together]
    nothing = np.zeros(len(together))
    keep = rows.get_column("keep", default=pl.Series(nothing, dtype=pl.Boolean)).fill_null(False)
    order = (
        pl.DataFrame(
            {
                "band": band[together],
                "beside": beside,
                "member": ~keep.to_numpy() | beside,
                "distance": rows.get_column("distance", default=pl.Series(nothing)),
            }
        )
        .with_row_index("row")
        .sort("band", "beside", "member", "distance", "row", nulls_last=True)["row"]
        .to_numpy()
    )
    in_order = band[together[order]]
    starts = np.flatnonzero(np.diff(in_order, prepend=0))
    sizes = np.diff(starts, append=len(in_order))
    place[together[order]] = np.arange(len(order)) - np.repeat(starts, sizes)
    keeper[in_order[starts]] = together[order[starts]]


def _groups_of(wanted: pl.Series, paths: pl.Series, group: np.ndarray) -> np.ndarray:
    """Return the groups of the images with some paths, 0 for those in none."""
    if wanted.is_empty():
        return np.zeros(0, np.uint32)
    rows = paths.is_in(wanted.unique().implode()).fill_null(False).arg_true().to_numpy()
    known = pl.DataFrame({"path": paths[rows], "group": group[rows]})
    found = wanted.to_frame("path").join(known, on="path", how="left", maintain_order="left")
    return found["group"].fill_null(0).to_numpy()


def dense_rank(column: pl.Series) -> np.ndarray:
    """Return each row's dense rank in a column, ascending from 0; nulls and NaN are ``NO_RANK``."""
    column = column.alias("column")  # some names are patterns to Polars
    if column.dtype.is_float():
        column = column.fill_nan(None)
    rank = (column.rank("dense") - 1).cast(pl.UInt32)
    return rank.fill_null(NO_RANK).to_numpy().astype(np.uint32)


def sortable(dtype: pl.DataType) -> bool:
    """Return whether rows can be ordered by a column of this type."""
    return not dtype.is_nested() and dtype not in (pl.Object, pl.Binary, pl.Null)


def shown_value(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as numbers, texts and booleans: dates as milliseconds, lists joined."""
    value = pl.col(name)
    match dtype:
        case pl.Date() | pl.Datetime():
            return value.cast(pl.Datetime("ms")).dt.epoch("ms")
        case pl.List() if is_annotations(dtype):
            return categories(value).list.unique(maintain_order=True).list.join(", ")
        case pl.List(inner=inner) if not inner.is_nested():
            return value.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
        case pl.Boolean() | pl.String():
            return value
    if dtype.is_integer():
        return value
    if dtype.is_numeric():
        number = value.cast(pl.Float64)
        return pl.when(number.is_finite()).then(number)
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Null):
        return pl.lit(None).alias(name)
    return value.cast(pl.String)


def display_order(
    rank: np.ndarray,
    band: np.ndarray,
    place: np.ndarray,
    mask: np.ndarray,
    *,
    descending: bool = False,
    grouped: bool = True,
) -> np.ndarray:
    """Return the row numbers to show, in order.

    Rows are sorted by rank, nulls last in either direction, ties by row number. Grouped, the rows
    of a band stay together, by place, where the first of those that are visible would stand alone.

    Parameters
    ----------
    rank : ndarray of uint32, (n,)
    band, place : ndarray of uint32, (n,)
        See :class:`Bands`.
    mask : ndarray of bool, (n,)
        The visible rows.
    """
    rows = np.flatnonzero(mask)
    key = rank[rows].astype(np.int64)
    key[key != NO_RANK] *= -1 if descending else 1
    if not grouped or not rows.size:
        return rows[np.argsort(key, kind="stable")]
    # Where a row stands is one number, of a rank and a row; nulls come last.
    n, together = len(rank), np.flatnonzero(band[rows])
    last = key[key != NO_RANK].max(initial=0) + 1
    key[key == NO_RANK] = last
    stands = key * n + rows
    of_band = band[rows[together]]
    first = np.full(int(band.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, of_band, stands[together])
    stands[together] = first[of_band]
    within = int(place.max()) + 1
    if (int(abs(key).max()) + 1) * n * within < 2**63:  # one number, no two of which are equal
        return rows[np.argsort(stands * within + place[rows])]
    return rows[np.lexsort((place[rows], stands))]


def first_in_order(
    values: np.ndarray,
    band: np.ndarray,
    place: np.ndarray,
    mask: np.ndarray,
    count: int,
    *,
    descending: bool = False,
    grouped: bool = True,
) -> np.ndarray:
    """Return the first rows that :func:`display_order` has, in order, without sorting the others.

    Parameters
    ----------
    values : ndarray of float, (n,)
        What is sorted by; NaN where there is none.
    band, place, mask, descending, grouped
        As :func:`display_order` takes them.
    count : int
        How many rows, if there are so many.
    """
    among = mask.copy()
    key = np.where(np.isnan(values[mask]), np.inf, -values[mask] if descending else values[mask])
    if 0 < count < len(key):
        # All that may stand among the first, and whoever stands beside them.
        among[mask] = key <= np.partition(key, count)[count]
        if grouped:
            begins = np.zeros(int(band.max(initial=0)) + 1, np.bool_)
            begins[band[among]] = True
            begins[0] = False
            among |= mask & begins[band]
    rank = np.full(len(values), NO_RANK, np.uint32)
    rows = np.flatnonzero(among & ~np.isnan(values))
    rank[rows] = np.unique(values[rows], return_inverse=True)[1]
    return display_order(rank, band, place, among, descending=descending, grouped=grouped)[:count]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page knows of each row, beside its place.

    Attributes
    ----------
    scores : ndarray of float32, (n,)
        The uniqueness, NaN where there is none.
    kind, keep : ndarray of uint8, (n,)
        Codes: ``KIND_CODES`` and ``KEEP_CODES``, or ``NO_CODE``.
    """

    scores: np.ndarray
    kind: np.ndarray
    keep: np.ndarray

    def again(self, frame: pl.DataFrame, near: float, bands: Bands, rows: np.ndarray) -> "Shown":
        """Return the same for a frame that is another one in some rows."""
        part = _shown(rows_of(frame, rows), near, bands.ungrouped[rows])
        later = Shown(self.scores.copy(), self.kind.copy(), self.keep.copy())
        later.scores[rows], later.kind[rows], later.keep[rows] = part.scores, part.kind, part.keep
        return later


def shown(frame: pl.DataFrame, near: float, bands: Bands) -> Shown:
    """Return what a page knows of each row of a :func:`recognised` frame."""
    return _shown(frame, near, bands.ungrouped)


def _shown(frame: pl.DataFrame, near: float, ungrouped: np.ndarray) -> Shown:
    scores = np.full(len(frame), np.nan, np.float32)
    if "uniqueness" in frame.columns:
        scores = frame["uniqueness"].fill_null(float("nan")).to_numpy()
    return Shown(scores, *codes(frame, near, ungrouped))


def codes(frame: pl.DataFrame, near: float, ungrouped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return kind and keep of each row of a :func:`recognised` frame, as codes for the browser."""
    score = "uniqueness" if "uniqueness" in frame.columns else None
    kind = kinds(frame, score, near).replace_strict(
        KIND_CODES, default=NO_CODE, return_dtype=pl.UInt8
    )
    kept = frame.get_column("keep", default=pl.Series([None] * len(frame), dtype=pl.Boolean))
    keep = np.select(
        [ungrouped, kept.fill_null(False).to_numpy(), (~kept).fill_null(False).to_numpy()],
        [KEEP_CODES["beside"], KEEP_CODES["stays"], KEEP_CODES["goes"]],
        NO_CODE,
    )
    return kind.to_numpy(), keep.astype(np.uint8)
