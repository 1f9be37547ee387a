"""From what was found of pairs of pictures to numbers and columns of images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.alignment.evidence import RELATIONS
from dedup_widgets.frame.schema import EVIDENCE, RELATION
from dedup_widgets.neighbors.confirmed import ConfirmedPairs, spans
from dedup_widgets.scoring.pair_evidence import CHANGES, PairEvidence
from dedup_widgets.scoring.verify import NEARLY_ALL, connected, pairs_of

SHOWS_BESIDE = 0.25
"""The quantile of its pairs that tells what a picture lacks itself."""


APART = 0.01
"""What counts as missing in a picture that is no copy of another one, though one that shows nearly
all of it is."""


DIGITS = 2
"""Decimals of an agreement: more of them would be noise, and order equal copies by it."""


def confirmed_pairs(
    n: int, evidence: PairEvidence, near_distance: float, old: NDArray[np.bool_] | None = None
) -> ConfirmedPairs:
    """Return what was found of pairs of n pictures, by their numbers; of `old` ones no two are."""
    shares = np.where(evidence.is_confirmed, evidence.found["agreement"], np.nan).round(DIGITS)
    first, second = evidence.pairs.T
    return ConfirmedPairs(n, first, second, shares, near_distance, old)


def completeness(n: int, evidence: PairEvidence) -> NDArray[np.float32]:
    """Return how much there is in each of n pictures of what its copies show.

    Evidence is of pairs and a ranking is of images. Of two pictures one may lack what the other
    shows beyond it, or hide something by a frame; where something lies over one of them, or one was
    turned or recoloured, it is often open which. But what is the matter with one picture shows
    beside each of its copies, and what is the matter with these copies beside few. So each picture
    is measured by the lower quartile of its confirmed pairs, of which changes do not count that are
    rather the other's (:func:`_may_have`). Copies that lack nothing beside each other count as one
    picture, so that it makes no difference which of them were compared with others. Last, of
    two that are no copies of each other, but both of a third one, that one was most likely the
    source of both: they count as missing :data:`APART`.

    Returns
    -------
    NDArray[np.float32]
        (n,), in [0, 1], in steps of 0.01; 1 where nothing is missing, or nothing was confirmed.
    """
    pairs, found = evidence.copies, evidence.found[evidence.is_confirmed]
    is_changed = np.any([found[change] for change in CHANGES], axis=0)
    stands_for = np.arange(n, dtype=np.int32)
    same, first = connected(pairs[~(found["lacks"].any(axis=1) | is_changed)])
    stands_for[same] = first
    pictures, of_pairs = np.unique(stands_for[pairs], return_inverse=True)
    of_pairs = of_pairs.reshape(-1, 2)
    lacks = found["lacks"].copy()
    for change, counts in CHANGES.items():
        lacks += counts * _may_have(of_pairs, found[change])
    lacking = (
        pl.DataFrame({"picture": of_pairs.ravel(), "lacks": lacks.ravel()})
        .group_by("picture")
        .agg(pl.col("lacks").quantile(SHOWS_BESIDE, "linear"))
    )
    complete = np.ones(n, np.float32)
    missing = lacking["lacks"].clip(0, 1).to_numpy()
    complete[pictures[lacking["picture"].to_numpy()]] = (1 - missing).round(2)
    complete = complete[stands_for]
    complete[_are_apart(evidence)] -= np.float32(APART)
    return complete.clip(0).round(DIGITS)


def _are_apart(evidence: PairEvidence) -> NDArray[np.int32]:
    """Return pictures that are no copies of another one, though one that shows nearly all is.

    They may occur repeatedly.
    """
    copies = np.concatenate([evidence.copies, evidence.copies[:, ::-1]])
    copies = copies[np.argsort(copies[:, 0], kind="stable")]
    refused = evidence.pairs[~evidence.is_confirmed]
    start, end = (np.searchsorted(copies[:, 0], refused, side) for side in ("left", "right"))
    # What is a copy of both is among the copies of that one which has fewer.
    of_fewer = np.arange(len(refused)), (end - start).argmin(axis=1)
    start, counts = start[of_fewer], (end - start)[of_fewer]
    third = copies[spans(start, counts), 1]
    both = np.repeat(refused, counts, axis=0)
    shares = np.append(np.where(evidence.is_confirmed, evidence.found["agreement"], 0), 0)
    shown = np.stack([shares[evidence.places(pairs_of(it, third))] for it in both.T], axis=1)
    are_apart = (shown >= NEARLY_ALL) & (shown.min(axis=1, keepdims=True) > 0)
    return np.asarray(both[are_apart])


def _may_have(pairs: NDArray[np.int64], is_changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which of both pictures may have a change that a pair shows.

    Both may, unless it shows beside most copies of one of them: then that one has it. If that is
    true of both, it is the one that was compared with more.

    Parameters
    ----------
    pairs
        (p, 2), pictures by numbers from 0.
    is_changed
        (p,), whether one of the two was changed.

    Returns
    -------
    NDArray[np.bool_]
        (p, 2).

    Examples
    --------
    The picture 0 was mirrored:

    >>> pairs = np.array([[0, 1], [0, 2], [0, 3]])
    >>> _may_have(pairs, np.array([True, True, True])).tolist()
    [[True, False], [True, False], [True, False]]
    """
    copies = np.bincount(pairs.ravel())
    shown = np.bincount(pairs[is_changed].ravel(), minlength=len(copies))
    has_it = (shown >= (1 - SHOWS_BESIDE) * copies)[pairs]
    is_told_better = copies[pairs] > copies[pairs[:, ::-1]]
    is_others = (has_it & (is_told_better | ~has_it[:, ::-1]))[:, ::-1]
    return is_changed[:, None] & ~is_others


def enlarged(n: int, evidence: PairEvidence) -> NDArray[np.bool_]:
    """Tell which of n pictures show no more than a copy that is smaller, less noisy or less sharp.

    By their detail: it comes of enlarging them, or was added as noise or by sharpening.

    Returns
    -------
    NDArray[np.bool_]
        (n,).
    """
    found = np.zeros(n, np.bool_)
    some = np.flatnonzero(evidence.found["is_enlarged"])
    found[evidence.pairs[some, evidence.found["larger"][some]]] = True
    return found


def evidence_column(
    picture: NDArray[np.integer],
    evidence: PairEvidence,
    fingerprints: Callable[[NDArray[np.integer]], pl.Series],
) -> pl.Series:
    """Return the column ``evidence`` of some rows.

    Parameters
    ----------
    picture
        The number of the picture of each row.
    evidence
        Of pairs of pictures.
    fingerprints
        Returns those of some pictures.
    """
    shown, of_row = np.unique(picture, return_inverse=True)
    place, at, side = evidence.beside(shown)
    found = evidence.found[at]
    is_confirmed = pl.Series(found["is_confirmed"])

    def seen(values: NDArray[Any], dtype: Any) -> pl.Series:
        return pl.Series(values, dtype=dtype).set(~is_confirmed, None)

    row = np.arange(len(at))
    of_pair = pl.DataFrame(
        {
            "fingerprint": fingerprints(evidence.pairs[at, 1 - side]),
            "agreement": seen(found["agreement"].round(DIGITS), pl.Float32),
            "relation": _relation(found["relation"][row, side], found["is_confirmed"]),
            "mirrored": seen(found["mirrored"][row, side], pl.Boolean),
            "angle": seen(found["angle"][row, side], pl.Float32),
            "scale": seen(found["scale"][row, side], pl.Float32),
        }
    )
    box = pl.Series("box", found["box"][row, side], dtype=pl.Array(pl.Float32, 4))
    of_pair = of_pair.with_columns(box=pl.when(is_confirmed).then(box))
    lists = (
        of_pair.select(place=place, of=pl.struct(pl.all()))
        .sort("place", pl.col("of").struct.field("fingerprint"))
        .group_by("place", maintain_order=True)
        .agg(evidence="of")
    )
    return (
        pl.DataFrame({"place": of_row})
        .join(lists, on="place", how="left", maintain_order="left")
        .select(pl.col("evidence").fill_null([]).cast(EVIDENCE))
        .to_series()
    )


def of_nearest(
    picture: NDArray[np.integer], nearest: pl.Series, evidence: PairEvidence
) -> pl.DataFrame:
    """Return the columns ``relation`` and ``agreement``: what was found of the nearest of each.

    Parameters
    ----------
    picture
        The number of the picture of each row.
    nearest
        The row that is nearest to each; null for none.
    """
    own = np.asarray(picture, np.int32)
    # Beside none, a row is beside itself.
    none = pl.int_range(len(nearest), dtype=pl.UInt32, eager=True)
    other = own[nearest.fill_null(none).to_numpy()]
    del none
    is_copy = np.zeros(own.max(initial=-1) + 2, np.bool_)
    is_copy[evidence.copies] = True
    rows = np.flatnonzero(is_copy[own] & is_copy[other])
    at = evidence.places(pairs_of(own[rows], other[rows]))
    known = at >= 0
    known[known] = evidence.is_confirmed[at[known]]
    rows, at = rows[known], at[known]
    side = (own[rows] > other[rows]).astype(np.int64)
    del other
    is_known = np.zeros(len(own), np.bool_)
    is_known[rows] = True
    found = evidence.found[at]
    relation = np.zeros(len(own), np.int8)
    relation[rows] = found["relation"][np.arange(len(rows)), side]
    agreement = np.zeros(len(own), np.float32)
    agreement[rows] = found["agreement"].round(DIGITS)
    return pl.DataFrame(
        {
            "relation": _relation(relation, is_known),
            "agreement": pl.Series(agreement).set(pl.Series(~is_known), None),
        }
    )


def _relation(numbers: NDArray[np.int8], is_known: NDArray[np.bool_]) -> pl.Series:
    """Return relations by their numbers, null where none is known."""
    names = pl.Series([*RELATIONS, None], dtype=RELATION)
    return names.gather(np.where(is_known, numbers, np.int8(len(RELATIONS))).astype(np.uint32))


def pairs_of_frame(
    fingerprints: pl.Series, evidence: pl.Series
) -> tuple[NDArray[np.int64], pl.DataFrame]:
    """Return the pairs that the column ``evidence`` of a frame tells of.

    Parameters
    ----------
    fingerprints, evidence
        Of n rows. Pairs with a picture that is not among them are left out.

    Returns
    -------
    tuple
        The number of the picture of each row, (n,), -1 where it has no fingerprint; and ``first``,
        ``second``, ``pair``: the pairs of pictures by their numbers, each in both orders, with what
        was found of the first beside the second.
    """
    names = fingerprints.drop_nulls().unique(maintain_order=True)
    number = pl.DataFrame({"name": names, "second": np.arange(len(names))})
    of_rows = (
        fingerprints.alias("name")
        .to_frame()
        .join(number, on="name", how="left", maintain_order="left")["second"]
    )
    pairs = (
        pl.DataFrame({"first": of_rows, "pair": evidence})
        .drop_nulls()
        .unique("first", maintain_order=True)
        .explode("pair", empty_as_null=False)
        .with_columns(name=pl.col("pair").struct.field("fingerprint"))
        .join(number, on="name")
        .select("first", "second", "pair")
        .sort("first", "second")
    )
    return of_rows.fill_null(-1).to_numpy(), pairs


def confirmed_in_frame(n: int, pairs: pl.DataFrame, near_distance: float) -> ConfirmedPairs:
    """Return the same as :func:`confirmed_pairs`, of the pairs of :func:`pairs_of_frame`."""
    once = pairs.filter(pl.col("first") < pl.col("second"))
    agreement = once["pair"].struct.field("agreement").cast(pl.Float64).fill_null(np.nan)
    first, second = (once[name].to_numpy() for name in ("first", "second"))
    return ConfirmedPairs(n, first, second, agreement.round(DIGITS).to_numpy(), near_distance)
