"""Which files of a run show the same picture, by their fingerprints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.scale.shards import read_facts
from dedup_widgets.scale.work import Work

_DIGITS = 32
"""Hexadecimal digits of a fingerprint."""


@dataclass(frozen=True)
class Copies:
    """The k pictures of n files, in the order of their first files.

    Attributes
    ----------
    is_readable
        (n,), which files are. Only these are rows in what follows.
    of_row
        The number of the picture of each row.
    place
        ``shard`` and ``picture``: where each picture lies.
    prints
        (k, 2), the fingerprint of each, as two numbers.
    rank
        (k,), the place of each when they are ordered by fingerprint.
    """

    is_readable: NDArray[np.bool_]
    of_row: NDArray[np.int32]
    place: pl.DataFrame
    prints: NDArray[np.uint64]
    rank: NDArray[np.int32]


def read_copies(work: Work, shards: Sequence[str], place: pl.DataFrame) -> Copies:
    """Return which files show the same picture.

    Parameters
    ----------
    place
        ``shard``, by number, and ``at``, the row in it, of each file; ascending by shard.
    """
    prints = np.zeros((len(place), 2), np.uint64)
    picture = np.full(len(place), -1, np.int32)
    start = 0
    for shard, at in by_shard(place):
        part = read_facts(work, shards[shard], ["fingerprint", "picture"])[at]
        readable = part["fingerprint"].is_not_null()
        rows = start + np.flatnonzero(readable)
        prints[rows] = _numbers(part["fingerprint"].filter(readable))
        picture[rows] = part["picture"].filter(readable).to_numpy()
        start += len(part)
    is_readable = picture >= 0
    prints, picture = prints[is_readable], picture[is_readable]
    order = np.lexsort(prints.T[::-1]).astype(np.int32)
    is_new = (np.diff(prints[order], axis=0, prepend=~prints[order[:1]]) != 0).any(axis=1)
    first = order[is_new]
    rows = np.sort(first)
    rank = np.empty(len(rows), np.int32)
    number = np.searchsorted(rows, first).astype(np.int32)
    rank[number] = np.arange(len(rows))
    of_row = np.empty(len(order), np.int32)
    of_row[order] = number[np.cumsum(is_new, dtype=np.int32) - 1]
    shard_of = place["shard"].filter(is_readable).gather(rows)
    where = pl.DataFrame({"shard": shard_of, "picture": picture[rows].astype(np.uint32)})
    return Copies(is_readable, of_row, where, prints[rows], rank)


def by_shard(place: pl.DataFrame) -> Iterator[tuple[int, pl.Series]]:
    """Yield each shard, and which of its rows are in this run."""
    for (shard,), part in place.group_by("shard", maintain_order=True):
        yield int(str(shard)), part["at"]


def texts(prints: NDArray[np.uint64]) -> pl.Series:
    """Return fingerprints, (n, 2), as they are spelled."""
    digits = prints.astype(">u8").tobytes().hex()
    each = [digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)]
    return pl.Series(each, dtype=pl.String)


def _numbers(prints: pl.Series) -> NDArray[np.uint64]:
    digits = bytes.fromhex("".join(prints.to_list()))
    return np.frombuffer(digits, ">u8").astype(np.uint64).reshape(-1, 2)
