"""Blocks of pictures, and the comparison of two of them.

A block is the pictures of some shards that came in together, without those that an earlier block
has. It is named by them, so that more images make new blocks and leave those that are there. Two
blocks are compared by one job, which knows nothing of others, nor of who is the better keeper: it
keeps all of several that are equally near.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.images.perceptual import UNDAMPED_RADIUS, without_turn
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.equal_vectors import EqualSets
from dedup_widgets.neighbors.pair_list import MAX_PAIRS, PairList, Table, pair_keys
from dedup_widgets.neighbors.vectors import Vectors, first_equal
from dedup_widgets.scale.shards import read_vectors
from dedup_widgets.scale.work import Work, named
from dedup_widgets.scoring.candidates import LEAST_RADIUS, distances, once

BLOCK_PICTURES = 2**18
"""Pictures of a block: its vectors take some hundred megabytes."""


_VERSION = 2
"""Part of each name: raise it when blocks are compared in another way."""


@dataclass(frozen=True)
class Block:
    """Some pictures of a run.

    Attributes
    ----------
    name
        Follows from the pictures, and from how they were described.
    start, count
        The number of its first picture in the run, and how many it has.
    part, parts
        The number of its first part, and how many it has: only pictures of one part are compared.
        Either it has some parts whole, or it is of one part with other blocks.
    old
        Whether its pictures were there before: no two of them are compared.
    """

    name: str
    start: int
    count: int
    part: int = 0
    parts: int = 1
    old: bool = False


@dataclass(frozen=True)
class Radii:
    """How far comparing blocks looks.

    Attributes
    ----------
    candidates
        The model's candidate radius.
    near
        Cosine distance within which pairs are listed whatever they look like.
    most
        Pairs that are listed, at most: of a tile, and of a run. Of more, only the nearest are.
    """

    candidates: float
    near: float
    most: int = MAX_PAIRS


def block_file(name: str) -> str:
    """Return the name of the file that says which pictures a block has."""
    return f"blocks/{name}.parquet"


def tile_file(a: str, b: str, radii: Radii) -> str:
    """Return the name of the file of what comparing two blocks found."""
    looked_for = radii.candidates, radii.near, radii.most, UNDAMPED_RADIUS
    return f"tiles/{named(_VERSION, a, b, *looked_for)}.npz"


def equal_file(name: str) -> str:
    """Return the name of the file of which vectors of a block are equal."""
    return f"tiles/{named(_VERSION, name)}.npz"


def tiles(blocks: Sequence[Block]) -> Iterable[tuple[Block, Block]]:
    """Yield all pairs of blocks that are compared, each with itself too."""
    return (
        (a, b)
        for i, b in enumerate(blocks)
        for a in blocks[: i + 1]
        if a.part == b.part and not (a.old and b.old)
    )


def cut_blocks(
    work: Work,
    pictures: pl.DataFrame,
    shards: Sequence[tuple[str, int]],
    most: int = BLOCK_PICTURES,
) -> list[Block]:
    """Cut the pictures of a run into blocks, and write which pictures each has.

    Parameters
    ----------
    pictures
        ``shard``, a number, and ``picture``, its number in the shard; in ascending order.
    shards
        Name and round of listing of each.
    most
        Pictures of a block, at most, unless one shard alone has more.
    """
    there = work.names("blocks")
    counts = np.bincount(pictures["shard"].to_numpy(), minlength=len(shards))
    starts = np.cumsum(counts) - counts
    blocks: list[Block] = []
    first = 0
    for shard in range(len(shards)):
        last = shard == len(shards) - 1
        size = int(counts[first : shard + 1].sum())
        # Never of two rounds: what comes in later leaves earlier blocks as they are.
        if (
            not last
            and shards[shard + 1][1] == shards[first][1]
            and size + counts[shard + 1] <= most
        ):
            continue
        if size:
            start = int(starts[first])
            rows = pictures[start : start + size]
            names = pl.DataFrame(
                {
                    "shard": [shards[number][0] for number in range(first, shard + 1)],
                    "number": range(first, shard + 1),
                },
                schema={"shard": pl.String, "number": rows.schema["shard"]},
            )
            table = (
                rows.rename({"shard": "number"})
                .join(names, on="number", maintain_order="left")
                .group_by("shard", maintain_order=True)
                .agg(pl.col("picture").cast(pl.UInt32))
            )
            name = named(*table["shard"], *(it.to_numpy().tobytes() for it in table["picture"]))
            if f"{name}.parquet" not in there:
                work.write_table(block_file(name), table)
            blocks.append(Block(name, start, size))
        first = shard + 1
    return blocks


def cut_parts(
    work: Work,
    pictures: pl.DataFrame,
    shards: Sequence[tuple[str, int]],
    most: int = BLOCK_PICTURES,
) -> list[Block]:
    """Cut the pictures of parts into blocks; several parts that are small are one.

    Parameters
    ----------
    pictures
        As :func:`cut_blocks` takes them, with ``part`` and ``old``; in ascending order by these.
    shards, most
        As :func:`cut_blocks` takes them.
    """
    there = work.names("blocks")
    names = pl.Series([name for name, _ in shards], dtype=pl.String)
    counts = np.bincount(pictures["part"].to_numpy())
    blocks: list[Block] = []
    start = first = 0

    def whole(end: int, part: int) -> None:
        """Make the pictures up to here, of the parts before this one, a block."""
        if end == start:
            return
        rows = pictures[start:end].with_columns(
            pl.col("part") - first, pl.col("picture").cast(pl.UInt32)
        )
        table = (
            rows.with_columns(shard=names.gather(rows["shard"]))
            .group_by("part", "old", "shard", maintain_order=True)
            .agg("picture")
        )
        name = named("parts", *(str(it) for row in table.iter_rows() for it in row))
        if f"{name}.parquet" not in there:
            work.write_table(block_file(name), table)
        blocks.append(Block(name, start, end - start, first, part - first))

    at = 0
    for part, count in enumerate(counts.tolist()):
        if at + count - start > most:
            whole(at, part)
            start, first = at, part
        if count > most:
            old = pictures["old"][at : at + count]
            cut = at + count - int(old.sum())
            for begin, end in ((at, cut), (cut, at + count)):
                cell = pictures[begin:end].select("shard", "picture")
                blocks += [
                    replace(it, start=begin + it.start, part=part, old=begin == cut)
                    for it in cut_blocks(work, cell, shards, most)
                ]
            start, first = at + count, part + 1
        at += count
    whole(at, len(counts))
    return blocks


def find_equal(work: Work, name: str) -> None:
    """Write which vectors of a block are equal, that is compared with others only."""
    if not work.has(equal_file(name)):
        vectors, _ = _vectors(work, work.read_table(block_file(name)))
        work.write_arrays(equal_file(name), same=first_equal(Vectors(vectors)).astype(np.int32))


def compare_blocks(work: Work, a: str, b: str, radii: Radii, device: str | None) -> None:
    """Compare the pictures of two blocks, or of one with each other, and write what was found.

    Pictures are numbered from 0, those of `b` after those of `a`. What is written:

    - ``row``, ``other``, ``cosine``: who is nearest to whom, and all that are equally near. Of
      pictures with equal vectors only the first is in it.
    - ``same``: of each picture of a block that is compared with itself, the first one of it with an
      equal vector.
    - ``low``, ``high``, ``pair_cosine``, ``distance``: pairs that may be copies, and near ones.
    - ``radius``: of each part, the cosine distance within which all pairs are among these: `near`,
      or less where there are too many.
    - ``is_alike``, ``alike``: which of the pairs are alike by their perceptual vectors, and how
      many pairs of each part are; -1 for too many, of which none is listed.
    """
    file = tile_file(a, b, radii)
    if work.has(file):
        return
    table = work.read_table(block_file(a))
    vectors, perceptual = _vectors(work, table)
    if b != a:
        more, also = _vectors(work, work.read_table(block_file(b)))
        sizes = [len(vectors), len(more)]
        vectors, perceptual = np.concatenate([vectors, more]), np.concatenate([perceptual, also])
        found = _tile(vectors, perceptual, sizes, radii, device, across_only=True)
        work.write_arrays(file, **found | {"same": np.empty(0, np.int32)})
        return
    start, parts = 0, list[dict[str, NDArray[Any]]]()
    for sizes in _sizes(table):
        part = slice(start, start + sum(sizes))
        its = _tile(vectors[part], perceptual[part], sizes, radii, device)
        parts.append(its | {name: start + its[name] for name in _NUMBERS})
        start = part.stop
    work.write_arrays(file, **{it: np.concatenate([its[it] for its in parts]) for it in parts[0]})


_NUMBERS = ("row", "other", "same", "low", "high")
"""What of a tile are numbers of pictures."""


def _sizes(table: pl.DataFrame) -> list[list[int]]:
    """Return how many pictures each part of a block has: new ones, and old ones."""
    count = pl.col("picture").list.len()
    if "part" not in table.columns:
        return [[int(table.select(count.sum()).item())]]
    both = table.group_by("part", maintain_order=True).agg(
        count.filter(~pl.col("old")).sum().alias("new"), count.filter("old").sum().alias("old")
    )
    return [[new, old] if old else [new] for new, old in both.select("new", "old").iter_rows()]


def _tile(
    vectors: NDArray[np.float16],
    perceptual: NDArray[np.float16],
    sizes: Sequence[int],
    radii: Radii,
    device: str | None,
    *,
    across_only: bool = False,
) -> dict[str, NDArray[Any]]:
    """Compare the first pictures with each other, unless across only, and with the second ones."""
    made = Vectors(vectors)
    first = _first_in_block(made, sizes)
    compared = partial(_run, sizes=sizes, across_only=across_only)
    of_all = partial(_of_all, sizes=sizes, most=radii.most, across_only=across_only)
    rows, others, cosine, radius, pairs = _compared(made, first, radii, device, compared, of_all)
    turned = Vectors(without_turn(perceptual).astype(np.float16))
    first_turned = _first_in_block(turned, sizes)
    alike = _pairs(turned, first_turned, UNDAMPED_RADIUS, radii.most, device, compared, of_all)
    pairs = once(pairs if alike is None else np.concatenate([pairs, alike]))
    is_alike = np.zeros(len(pairs), np.bool_)
    if alike is not None:
        alike = once(alike)
        is_alike[np.searchsorted(pair_keys(*pairs.T), pair_keys(*alike.T))] = True
    pair_cosine, distance = distances(made, perceptual, pairs, radii.candidates)
    kept = (distance <= radii.candidates) | (np.clip(1 - pair_cosine, 0, 1) <= radii.near)
    return {
        "row": rows.astype(np.int32),
        "other": others.astype(np.int32),
        "cosine": cosine,
        "same": first.astype(np.int32),
        "low": pairs[kept, 0],
        "high": pairs[kept, 1],
        "pair_cosine": pair_cosine[kept],
        "distance": distance[kept],
        "radius": np.array([radius]),
        "is_alike": is_alike[kept],
        "alike": np.array([-1 if alike is None else len(alike)]),
    }


def _vectors(work: Work, table: pl.DataFrame) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Return the vectors of a block in its order; each shard is read once."""
    pictures = table.explode("picture").with_row_index("row")
    found: list[NDArray[np.float16]] = []
    perceptual: list[NDArray[np.float16]] = []
    order: list[NDArray[np.uint32]] = []
    for (shard,), its in pictures.group_by("shard", maintain_order=True):
        both = read_vectors(work, str(shard), its["picture"].to_numpy())
        found.append(both[0])
        perceptual.append(both[1])
        order.append(its["row"].to_numpy())
    place = np.argsort(np.concatenate(order))
    return np.concatenate(found)[place], np.concatenate(perceptual)[place]


def _first_in_block(vectors: Vectors, sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return for each the first one of its block with an equal vector."""
    starts = np.cumsum([0, *sizes])
    return np.concatenate(
        [
            start + first_equal(vectors.take(np.arange(start, end)))
            for start, end in pairwise(starts.tolist())
        ]
    )


def _compared(
    vectors: Vectors,
    first: NDArray[np.int64],
    radii: Radii,
    device: str | None,
    compare: "Compare",
    of_all: "OfAll",
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], float, NDArray[np.int32]]:
    """Return who is nearest, with all ties, among the first of equal ones; and the near pairs.

    Before these comes the radius within which they are all.
    """
    radius = radii.near
    ties, listed = Table(np.int32, np.int32, np.float64), PairList(radii.most)
    sets = EqualSets.of(first)
    some = sets.representatives
    best = AllPairs(vectors.take(some), radius=radius, collector=listed, ties=ties, device=device)
    compare(best, some)
    row, other, cosine = ties.columns()
    is_nearest = (cosine == best.cosine[row]) & (cosine > -np.inf)
    found = pl.DataFrame(
        {"row": row[is_nearest], "other": other[is_nearest], "cosine": cosine[is_nearest]}
    ).unique()
    pairs = of_all(listed, sets)
    while pairs is None:
        # As on one machine, where pairs are listed up to the candidates' radius: of too many, only
        # the nearest.
        radius = radii.candidates if radius > radii.candidates else radius / 2
        if radius < LEAST_RADIUS:
            radius, pairs = 0.0, np.empty((0, 2), np.int32)
            break
        pairs = _pairs(vectors, first, radius, radii.most, device, compare, of_all)
    return (
        some[found["row"].to_numpy()],
        some[found["other"].to_numpy()],
        found["cosine"].to_numpy(),
        radius,
        pairs,
    )


def _pairs(
    vectors: Vectors,
    first: NDArray[np.int64],
    radius: float,
    most: int,
    device: str | None,
    compare: "Compare",
    of_all: "OfAll",
) -> NDArray[np.int32] | None:
    """Return the pairs within a radius; None for too many."""
    listed, sets = PairList(most), EqualSets.of(first)
    some = sets.representatives
    nobody = np.zeros(len(some), np.bool_)
    near = AllPairs(
        vectors.take(some), radius=radius, collector=listed, wanted=nobody, device=device
    )
    compare(near, some)
    return of_all(listed, sets)


Compare = Callable[[AllPairs, NDArray[np.int64]], None]
"""Compares some rows as a tile does."""


OfAll = Callable[[PairList, EqualSets], NDArray[np.int32] | None]
"""Returns the pairs of a tile from those of representatives; None for too many."""


def _run(
    compared: AllPairs, some: NDArray[np.int64], sizes: Sequence[int], *, across_only: bool
) -> None:
    """Compare some rows with each other, or those of two blocks; of old ones no two."""
    cut = int(np.searchsorted(some, sizes[0]))
    compared.compare(np.arange(cut), np.arange(cut, len(some)), across_only=across_only)


def _of_all(
    listed: PairList, sets: EqualSets, sizes: Sequence[int], most: int, *, across_only: bool
) -> NDArray[np.int32] | None:
    pairs = listed.pairs()
    if pairs is not None:
        pairs = sets.pairs_of_all(pairs, most)
    if pairs is not None and len(sizes) > 1:
        # Those of equal vectors within a block are found where it is compared with itself.
        in_first = (pairs < sizes[0]).sum(axis=1)
        pairs = pairs[in_first == 1 if across_only else in_first > 0]
    return pairs
