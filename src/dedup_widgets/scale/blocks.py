"""Blocks of pictures, and the comparison of two of them.

A block is the pictures of some shards that came in together, without those that an earlier block
has. It is named by them, so that more images make new blocks and leave those that are there. Two
blocks are compared by one job, which knows nothing of others, nor of who is the better keeper: it
keeps all of several that are equally near.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    """

    name: str
    start: int
    count: int


@dataclass(frozen=True)
class Reach:
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


def tile_file(a: str, b: str, reach: Reach) -> str:
    """Return the name of the file of what comparing two blocks found."""
    looked_for = reach.candidates, reach.near, reach.most, UNDAMPED_RADIUS
    return f"tiles/{named(_VERSION, a, b, *looked_for)}.npz"


def tiles(blocks: Sequence[Block]) -> Iterable[tuple[Block, Block]]:
    """Yield all pairs of blocks that are compared, each with itself too."""
    return ((a, b) for i, b in enumerate(blocks) for a in blocks[: i + 1])


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


def compare_blocks(work: Work, a: str, b: str, reach: Reach, device: str | None) -> None:
    """Compare the pictures of two blocks, or of one with each other, and write what was found.

    Pictures are numbered from 0, those of `b` after those of `a`. What is written:

    - ``row``, ``other``, ``cosine``: who is nearest to whom, and all that are equally near. Of
      pictures with equal vectors only the first is in it.
    - ``same``: of each picture of a block that is compared with itself, the first one of it with an
      equal vector.
    - ``low``, ``high``, ``pair_cosine``, ``distance``: pairs that may be copies, and near ones.
    - ``radius``: the cosine distance within which all pairs are among these: `near`, or less where
      there are too many.
    - ``is_alike``, ``alike``: which of the pairs are alike by their perceptual vectors, and how
      many pairs are; -1 for too many, of which none is listed.
    """
    file = tile_file(a, b, reach)
    if work.has(file):
        return
    vectors, perceptual = _vectors(work, a)
    sizes = [len(vectors)]
    if b != a:
        more, also = _vectors(work, b)
        vectors, perceptual = np.concatenate([vectors, more]), np.concatenate([perceptual, also])
        sizes.append(len(more))
    made = Vectors(vectors)
    first = _first_in_block(made, sizes)
    rows, others, cosine, radius, pairs = _compared(made, sizes, first, reach, device)
    turned = Vectors(without_turn(perceptual).astype(np.float16))
    first_turned = _first_in_block(turned, sizes)
    alike = _pairs(turned, sizes, first_turned, UNDAMPED_RADIUS, reach.most, device)
    pairs = once(pairs if alike is None else np.concatenate([pairs, alike]))
    is_alike = np.zeros(len(pairs), np.bool_)
    if alike is not None:
        alike = once(alike)
        is_alike[np.searchsorted(pair_keys(*pairs.T), pair_keys(*alike.T))] = True
    pair_cosine, distance = distances(made, perceptual, pairs, reach.candidates)
    kept = (distance <= reach.candidates) | (np.clip(1 - pair_cosine, 0, 1) <= reach.near)
    work.write_arrays(
        file,
        row=rows.astype(np.int32),
        other=others.astype(np.int32),
        cosine=cosine,
        same=first.astype(np.int32) if b == a else np.empty(0, np.int32),
        low=pairs[kept, 0],
        high=pairs[kept, 1],
        pair_cosine=pair_cosine[kept],
        distance=distance[kept],
        radius=np.array(radius),
        is_alike=is_alike[kept],
        alike=np.array(-1 if alike is None else len(alike)),
    )


def _vectors(work: Work, name: str) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    table = work.read_table(block_file(name))
    both = [
        read_vectors(work, shard, pictures.to_numpy())
        for shard, pictures in zip(table["shard"], table["picture"], strict=True)
    ]
    return np.concatenate([it[0] for it in both]), np.concatenate([it[1] for it in both])


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
    sizes: Sequence[int],
    first: NDArray[np.int64],
    reach: Reach,
    device: str | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], float, NDArray[np.int32]]:
    """Return who is nearest, with all ties, among the first of equal ones; and the near pairs.

    Before these comes the radius within which they are all.
    """
    radius = reach.near
    ties, listed = Table(np.int32, np.int32, np.float64), PairList(reach.most)
    sets = EqualSets.of(first)
    some = sets.representatives
    best = AllPairs(vectors.take(some), radius=radius, collector=listed, ties=ties, device=device)
    _run(best, some, sizes)
    row, other, cosine = ties.columns()
    is_nearest = (cosine == best.cosine[row]) & (cosine > -np.inf)
    found = pl.DataFrame(
        {"row": row[is_nearest], "other": other[is_nearest], "cosine": cosine[is_nearest]}
    ).unique()
    pairs = _of_all(listed, sets, sizes, reach.most)
    while pairs is None:
        # As on one machine, where pairs are listed up to the candidates' radius: of too many, only
        # the nearest.
        radius = reach.candidates if radius > reach.candidates else radius / 2
        if radius < LEAST_RADIUS:
            radius, pairs = 0.0, np.empty((0, 2), np.int32)
            break
        pairs = _pairs(vectors, sizes, first, radius, reach.most, device)
    return (
        some[found["row"].to_numpy()],
        some[found["other"].to_numpy()],
        found["cosine"].to_numpy(),
        radius,
        pairs,
    )


def _pairs(
    vectors: Vectors,
    sizes: Sequence[int],
    first: NDArray[np.int64],
    radius: float,
    most: int,
    device: str | None,
) -> NDArray[np.int32] | None:
    """Return the pairs within a radius; None for too many."""
    listed, sets = PairList(most), EqualSets.of(first)
    some = sets.representatives
    nobody = np.zeros(len(some), np.bool_)
    near = AllPairs(
        vectors.take(some), radius=radius, collector=listed, wanted=nobody, device=device
    )
    _run(near, some, sizes)
    return _of_all(listed, sets, sizes, most)


def _run(compared: AllPairs, some: NDArray[np.int64], sizes: Sequence[int]) -> None:
    """Compare some rows of two blocks with each other, or of one."""
    if len(sizes) == 1:
        compared.compare(np.arange(len(some)))
    else:
        cut = int(np.searchsorted(some, sizes[0]))
        compared.compare(np.arange(cut), np.arange(cut, len(some)), across_only=True)


def _of_all(
    listed: PairList, sets: EqualSets, sizes: Sequence[int], most: int
) -> NDArray[np.int32] | None:
    pairs = listed.pairs()
    if pairs is not None:
        pairs = sets.pairs_of_all(pairs, most)
    if pairs is not None and len(sizes) > 1:
        # Those of equal vectors within a block are found where it is compared with itself.
        pairs = pairs[(pairs < sizes[0]).sum(axis=1) == 1]
    return pairs
