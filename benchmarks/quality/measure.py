"""Figures from a frame of scores and the truth. Shares lie in [0, 1]; None where there is nothing.

A frame has the columns ``group`` (null for pictures in none) and ``keep``, and those of the truth;
``kind``, ``uniqueness`` and ``relation`` where the method has them.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from benchmarks.quality.edits import EQUAL
from benchmarks.quality.truth import ORIGINAL

Figures = dict[str, Any]
ALL = "all"
"""In place of a set: pairs of pictures of two sets count too."""


def pairs(frame: pl.DataFrame) -> Figures:
    """Count pairs of pictures that are in one group, and those of one source.

    Returns
    -------
    dict
        ``true``: pairs of one source; ``found``: of them in one group; ``wrong``: other pairs in
        one group; ``precision``, ``recall`` and ``f1``, their harmonic mean.
    """
    grouped = frame.filter(pl.col("group").is_not_null())
    true = _pairs(frame, "source")
    called = _pairs(grouped, "group")
    return rates(true, _pairs(grouped, "group", "source"), called)


def rates(true: int, found: int, called: int) -> Figures:
    """Return precision, recall and F1 beside the counts that they follow from."""
    precision = found / called if called else None
    recall = found / true if true else None
    f1 = 2 * found / (called + true) if called + true else None
    wrong = called - found
    counts = {"true": true, "found": found, "wrong": wrong}
    return {**counts, "precision": precision, "recall": recall, "f1": f1}


def _pairs(frame: pl.DataFrame, *by: str) -> int:
    sizes = frame.group_by(by).len()["len"].cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())


def edits(frame: pl.DataFrame) -> list[Figures]:
    """Return, for each edit, how many copies are found.

    Returns
    -------
    list of dict
        ``edit``; ``copies``; ``with_original``: the share in one group with their original;
        ``with_any``: the share in one group with the original or any other copy of it.
    """
    group_of_original = frame.filter(edit=ORIGINAL).select("source", original="group")
    together = frame.group_by("source", "group").len("together")
    return (
        frame.filter(pl.col("edit") != ORIGINAL)
        .join(group_of_original, on="source", how="left")
        .join(together, on=["source", "group"], how="left")
        .group_by("edit", maintain_order=True)
        .agg(
            copies=pl.len(),
            with_original=(pl.col("group") == pl.col("original")).fill_null(False).mean(),
            with_any=(pl.col("together") > 1).fill_null(False).mean(),
        )
        .to_dicts()
    )


def exact(frame: pl.DataFrame) -> Figures:
    """Return whether equal pictures, and only those, are called exact duplicates.

    Returns
    -------
    dict
        ``sources`` that have equal copies; ``right``: how many of these have all of them, with
        the original, in one group as exact duplicates; ``wrong``: other pictures called exact.
    """
    if "kind" not in frame.columns:
        return {}
    is_equal = pl.col("edit").is_in([ORIGINAL, *EQUAL])
    has_equal = pl.col("edit").is_in(EQUAL).any().over("source")
    by_source = (
        frame.filter(is_equal & has_equal)
        .group_by("source")
        .agg(
            right=(pl.col("kind") == "exact").all()
            & (pl.col("group").n_unique() == 1)
            & pl.col("group").is_not_null().all()
        )
    )
    wrong = frame.filter(~(is_equal & has_equal) & (pl.col("kind") == "exact").fill_null(False))
    right = int(by_source["right"].fill_null(False).sum())
    return {"sources": len(by_source), "right": right, "wrong": len(wrong)}


def keepers(frame: pl.DataFrame) -> Figures:
    """Return which picture of a group stays.

    Returns
    -------
    dict
        ``groups`` that hold an original or its equal; ``right``: of them, how many keep one;
        ``instead``: the edits kept in its place, the most frequent first.
    """
    is_original = pl.col("edit").is_in([ORIGINAL, *EQUAL])
    with_original = frame.filter(
        pl.col("group").is_not_null(), is_original.any().over("group")
    ).filter(pl.col("keep"))
    right = with_original.filter(is_original)
    instead = with_original.filter(~is_original)["edit"].value_counts(sort=True)
    kept = {"groups": len(with_original), "right": len(right)}
    return {**kept, "instead": dict(instead.iter_rows())}


def relations(frame: pl.DataFrame) -> list[Figures]:
    """Return, for each edit, what a copy is said to be of its original.

    Returns
    -------
    list of dict
        ``edit``; ``named``: copies that are compared with a pixel-equal form of their original and
        said to be something of it; ``as``: how many of them each relation, the most frequent first.
    """
    if "relation" not in frame.columns:
        return []
    known = frame.select(nearest="path", of="source", nearest_edit="edit")
    named = (
        frame.drop_nulls("relation")
        .with_columns(pl.col("relation").cast(pl.String))
        .join(known, on="nearest")
        .filter(
            pl.col("source") == pl.col("of"),
            pl.col("nearest_edit").is_in([ORIGINAL, *EQUAL]),
            pl.col("edit").is_in([ORIGINAL, *EQUAL]).not_(),
        )
    )
    found = []
    for edit in named["edit"].unique(maintain_order=True):
        counts = named.filter(edit=edit)["relation"].value_counts(sort=True)
        found.append({"edit": edit, "named": int(counts["count"].sum()), "as": dict(counts.rows())})
    return found


def negatives(frame: pl.DataFrame) -> list[Figures]:
    """Return, for each set of pictures that are no copies, and for all, what is taken for one.

    Returns
    -------
    list of dict
        ``set``, of which the last is `ALL` where there are several; ``images``; ``called``: images
        in a group, or called near or exact; ``wrong``: pairs in one group; ``dropped``: images
        that the plan would drop; ``variations``: the share called, by variation.
    """
    found = [_negatives(name, part) for name, part in _sets(frame)]
    return found if len(found) < 2 else [*found, _negatives(ALL, frame) | {"variations": {}}]


def _negatives(name: str, part: pl.DataFrame) -> Figures:
    called = _is_called(part)
    by_variation = part.group_by("edit", maintain_order=True).agg(share=called.mean())
    return {
        "set": name,
        "images": len(part),
        "called": int(part.select(called.sum()).item()),
        "wrong": pairs(part)["wrong"],
        "dropped": int(part.select((~pl.col("keep")).fill_null(False).sum()).item()),
        "variations": dict(by_variation.iter_rows()),
    }


def _is_called(frame: pl.DataFrame) -> pl.Expr:
    called = pl.col("group").is_not_null()
    if "kind" in frame.columns:
        called |= (pl.col("kind").cast(pl.String) != "unique").fill_null(False)
    return called


def _sets(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for name in frame["set"].unique(maintain_order=True):
        yield name, frame.filter(set=name)
