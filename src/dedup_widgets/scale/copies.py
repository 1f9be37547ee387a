"""Which files of a run show the same picture, by their fingerprints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.scale.shards import read_facts
from dedup_widgets.scale.work import Work

_DIGITS, _PRINT = 32, np.dtype("S16")
"""Hexadecimal digits of a fingerprint, and its type as bytes."""


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
    rank
        (k,), the place of each when they are ordered by fingerprint.
    """

    is_readable: NDArray[np.bool_]
    of_row: NDArray[np.int32]
    place: pl.DataFrame
    rank: NDArray[np.int32]


@dataclass(frozen=True)
class Prints:
    """Fingerprints of some pictures.

    Attributes
    ----------
    pictures
        Their numbers, ascending.
    prints
        The fingerprint of each.
    """

    pictures: NDArray[np.integer]
    prints: NDArray[np.bytes_]

    @classmethod
    def read(
        cls,
        work: Work,
        shards: Sequence[str],
        pictures: NDArray[np.integer],
        shard: NDArray[np.integer],
        place: NDArray[np.integer],
    ) -> "Prints":
        """Return those of pictures, of which is given in which shard they lie, and where there."""
        prints = np.empty(len(pictures), _PRINT)
        order = np.argsort(shard, kind="stable")
        starts = np.flatnonzero(np.diff(shard[order], prepend=-1))
        for some in np.split(order, starts)[1:]:
            facts = read_facts(
                work, shards[shard[some[0]]], ["fingerprint", "picture"]
            ).drop_nulls()
            first = np.unique(facts["picture"], return_index=True)[1]
            prints[some] = _from_text(facts["fingerprint"].gather(first[place[some]]))
        return cls(pictures, prints)

    def texts(self, pictures: NDArray[np.integer]) -> pl.Series:
        """Return fingerprints as they are spelled."""
        digits = self.prints[np.searchsorted(self.pictures, pictures)].tobytes().hex()
        each = [digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)]
        return pl.Series(each, dtype=pl.String)

    @property
    def are_different(self) -> bool:
        """Whether no two pictures have the same, as they do in several parts of a run."""
        return len(self._different[0]) == len(self.prints)

    def find(self, texts: pl.Series) -> NDArray[np.int64]:
        """Return the places of fingerprints in the order of those that there are; -1 for none."""
        names, _ = self._different
        wanted = _from_text(texts)
        place = np.searchsorted(names, wanted)
        return np.where(np.append(names, b"")[place] == wanted, place, -1)

    def ranks(self, pictures: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the places of the fingerprints of pictures in their order."""
        return self._different[1][np.searchsorted(self.pictures, pictures)]

    @cached_property
    def _different(self) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """The different ones in their order, and the place of each."""
        return np.unique(self.prints, return_inverse=True)


def read_copies(work: Work, shards: Sequence[str], place: pl.DataFrame) -> Copies:
    """Return which files show the same picture.

    Parameters
    ----------
    place
        ``shard``, by number, and ``at``, the row in it, of each file; ascending by shard.
    """
    prints = np.zeros(len(place), _PRINT)
    picture = np.full(len(place), -1, np.int32)
    start = 0
    for shard, at in by_shard(place):
        part = read_facts(work, shards[shard], ["fingerprint", "picture"])[at]
        readable = part["fingerprint"].is_not_null()
        rows = start + np.flatnonzero(readable)
        prints[rows] = _from_text(part["fingerprint"].filter(readable))
        picture[rows] = part["picture"].filter(readable).to_numpy()
        start += len(part)
    is_readable = picture >= 0
    prints, picture = prints[is_readable], picture[is_readable]
    order = np.argsort(prints, kind="stable").astype(np.int32)
    in_order = prints[order]
    is_new = np.append(np.ones(min(1, len(order)), np.bool_), in_order[1:] != in_order[:-1])
    del prints, in_order
    first = order[is_new]
    rows = np.sort(first)
    rank = np.empty(len(rows), np.int32)
    number = np.searchsorted(rows, first).astype(np.int32)
    rank[number] = np.arange(len(rows))
    of_row = np.empty(len(order), np.int32)
    of_row[order] = number[np.cumsum(is_new, dtype=np.int32) - 1]
    shard_of = place["shard"].filter(is_readable).gather(rows)
    where = pl.DataFrame({"shard": shard_of, "picture": smallest(picture[rows])})
    return Copies(is_readable, of_row, where, rank)


def smallest(numbers: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    """Return numbers from 0 on in as few bytes as they need.

    >>> smallest(np.array([1, 256])).dtype, smallest(np.array([1, 65_536])).dtype
    (dtype('uint16'), dtype('uint32'))
    """
    return numbers.astype(np.uint16 if numbers.max(initial=0) < 2**16 else np.uint32)


def by_shard(place: pl.DataFrame) -> Iterator[tuple[int, pl.Series]]:
    """Yield each shard, and which of its rows are in this run."""
    for (shard,), part in place.group_by("shard", maintain_order=True):
        yield int(str(shard)), part["at"]


def _from_text(prints: pl.Series) -> NDArray[np.bytes_]:
    return np.frombuffer(bytes.fromhex("".join(prints.to_list())), _PRINT)
