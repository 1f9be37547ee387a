"""From what was found of pairs of pictures to numbers and columns of images."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.alignment.evidence import (
    FRAMED_SHARE,
    OVERLAID_SHARE,
    ROTATED_BY,
    SEEN_SHARE,
    Evidence,
)
from dedup_widgets.frame.schema import EVIDENCE
from dedup_widgets.images.detail import is_enlarged
from dedup_widgets.neighbors.confirmed import ConfirmedPairs
from dedup_widgets.scoring.verify import EvidenceOfPairs, Pair, connected

FINER = 1.4
"""Pixels of a picture per pixel of a copy, along a line, from which on it lacks nothing that the
copy shows more of: neither of the two is as good as the other."""


SHOWS_BESIDE = 0.25
"""The quantile of its pairs that tells what a picture lacks itself."""


BENT, TURNED = 0.05, 0.01
"""What it counts to be rotated or stretched, and to be turned, mirrored or recoloured, beside most
copies."""


STRETCHED_BY = 1.04
"""Ratio of the scales of both directions from which a picture is stretched."""


ALSO_COVERED = 0.9
"""What an overlay counts for the picture that seems to be the uncovered one."""


LACKS = {"picture": pl.Int64, "lacks": pl.Float64}


DIGITS = 2
"""Decimals of an agreement: more of them would be noise, and order equal copies by it."""


PAIRS_AT_A_TIME = 4096
"""Pairs of pictures that become rows of a frame at a time."""


ENLARGED_BY = 1.3
"""Ratio of pixels from which on a picture may be an enlarged copy."""


def confirmed_pairs(n: int, evidence: EvidenceOfPairs, near_distance: float) -> ConfirmedPairs:
    """Return what was found of pairs of n pictures, by their numbers."""
    pairs = np.array(list(evidence), np.int64).reshape(-1, 2)
    found = [it.agreement if it.is_confirmed else np.nan for it in evidence.values()]
    shares = np.array(found, np.float64).round(DIGITS).astype(np.float64)
    return ConfirmedPairs(n, pairs[:, 0], pairs[:, 1], shares, near_distance)


def completeness(n: int, evidence: EvidenceOfPairs) -> NDArray[np.float32]:
    """Return how much there is in each of n pictures of what its copies show.

    Evidence is of pairs and a ranking is of images. Of two pictures one may lack what the other
    shows beyond it, or hide something by a frame; where something lies over one of them, it is
    often open over which. But what is the matter with one picture shows beside each of its copies,
    and what is the matter with these copies beside few. So each picture is measured by the lower
    quartile of its confirmed pairs. Copies that lack nothing beside each other count as one
    picture, so that it makes no difference which of them were compared with others.

    Returns
    -------
    NDArray[np.float32]
        (n,), in [0, 1], in steps of 0.01; 1 where nothing is missing, or nothing was confirmed.
    """
    rows: list[int] = []
    lacks: list[float] = []
    equal: list[Pair] = []
    for pair, found in evidence.items():
        if found.is_confirmed:
            of_both = _lacks(found), _lacks(found.inverse())
            rows += pair
            lacks += of_both
            if not any(of_both):
                equal.append(pair)
    picture = np.arange(n)
    for same in connected(n, equal):
        picture[same] = same[0]
    lacking = (
        pl.DataFrame({"picture": picture[rows], "lacks": lacks}, schema_overrides=LACKS)
        .group_by("picture")
        .agg(pl.col("lacks").quantile(SHOWS_BESIDE, "linear"))
    )
    complete = np.ones(n)
    complete[lacking["picture"].to_numpy()] -= lacking["lacks"].clip(0, 1).to_numpy()
    return complete[picture].round(2).astype(np.float32)


def enlarged(
    n: int, evidence: EvidenceOfPairs, spectra: Sequence[bytes] | Mapping[int, bytes]
) -> NDArray[np.bool_]:
    """Tell which of n pictures are enlarged copies of a smaller one.

    Parameters
    ----------
    spectra
        How fine the detail of each confirmed picture is; see
        :func:`dedup_widgets.images.detail.spectrum`.

    Returns
    -------
    NDArray[np.bool_]
        (n,).
    """
    found = np.zeros(n, np.bool_)
    for (a, b), both in evidence.items():
        if both.is_confirmed and both.agreement >= SEEN_SHARE:
            of_a, of_b = (width * height for width, height in (both.a_size, both.b_size))
            large, small = (a, b) if of_a > of_b else (b, a)
            ratio = max(of_a, of_b) / min(of_a, of_b)
            found[large] |= ratio >= ENLARGED_BY and is_enlarged(
                spectra[large], spectra[small], math.sqrt(ratio)
            )
    return found


def _lacks(found: Evidence) -> float:
    """Return the share that picture a lacks beside b, or hides."""
    missing = 1 - found.inside_b if found.inside_b < SEEN_SHARE and found.scale < FINER else 0.0
    border = found.border_a - found.border_b
    over = found.over_a + found.over_b
    if over >= OVERLAID_SHARE:
        # Which of both is covered is told rightly more often than not.
        missing += over * (1 if found.over_a > found.over_b else ALSO_COVERED)
    missing += border if border >= FRAMED_SHARE else 0.0
    is_turned = found.is_mirrored or abs(found.angle) > ROTATED_BY
    is_bent = found.stretch > STRETCHED_BY or found.is_rotated
    return missing + BENT * is_bent + TURNED * (is_turned or found.is_recoloured)


def evidence_column(
    fingerprints: Sequence[str] | pl.Series, evidence: EvidenceOfPairs, rows: pl.Series
) -> pl.Series:
    """Return the column ``evidence``.

    Parameters
    ----------
    fingerprints
        Of the n pictures.
    evidence
        By pair of their numbers.
    rows
        The fingerprint of each row.
    """
    schema = {"fingerprint": pl.String, "of": EVIDENCE.inner}
    found = (
        {"fingerprint": fingerprints[row], "of": _as_struct(fingerprints[other], it)}
        for (a, b), both in evidence.items()
        for row, other, it in ((a, b, both), (b, a, both.inverse()))
    )
    # Some at a time: a row of a frame takes a tenth of what it takes as objects.
    parts = iter(lambda: list(islice(found, PAIRS_AT_A_TIME)), [])
    lists = (
        pl.concat([pl.DataFrame(schema=schema), *(pl.DataFrame(it, schema) for it in parts)])
        .sort("fingerprint", pl.col("of").struct.field("fingerprint"))
        .group_by("fingerprint")
        .agg(evidence="of")
    )
    return (
        rows.alias("fingerprint")
        .to_frame()
        .join(lists, on="fingerprint", how="left", maintain_order="left")
        .select(pl.col("evidence").fill_null([]).cast(EVIDENCE))
        .to_series()
    )


def _as_struct(other: str, found: Evidence) -> dict[str, object]:
    if not found.is_confirmed:
        return {"fingerprint": other}
    return {
        "fingerprint": other,
        "agreement": round(found.agreement, DIGITS),
        "relation": found.relation,
        "mirrored": found.is_mirrored,
        "angle": found.angle,
        "scale": found.scale,
        "box": found.box,
    }


def of_nearest(scores: pl.DataFrame, fingerprints: pl.Series) -> pl.DataFrame:
    """Return the columns ``relation`` and ``agreement``: what was found of the nearest of each.

    Parameters
    ----------
    scores
        With ``nearest`` as row numbers, and ``evidence``.
    fingerprints
        Of the rows.
    """
    of_pair = pl.col("evidence").struct
    found = (
        scores.select("evidence", nearest=pl.lit(fingerprints).gather(pl.col("nearest")))
        .with_row_index("row")
        .explode("evidence", empty_as_null=False)
        .filter(of_pair.field("fingerprint") == pl.col("nearest"))
        .select("row", of_pair.field("relation"), of_pair.field("agreement"))
    )
    rows = pl.DataFrame({"row": range(len(scores))}, schema={"row": pl.UInt32})
    return rows.join(found, on="row", how="left", maintain_order="left").drop("row")


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
