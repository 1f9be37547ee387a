"""Blocks of pictures are compared, and what was found is what a search on one machine finds."""

import numpy as np
import polars as pl
import pytest

from dedup_widgets.images.perceptual import UNDAMPED_RADIUS, without_turn
from dedup_widgets.neighbors.search import search
from dedup_widgets.neighbors.vectors import Vectors
from dedup_widgets.scale.blocks import Radii, compare_blocks, cut_blocks, tiles
from dedup_widgets.scale.found import fold
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.candidates import distances, once, pairs_within
from dedup_widgets.scoring.comparison import Comparison

N, SHARD, BLOCK = 60, 10, 20


def made(seed):
    """Vectors in clusters, nine of them equal, and perceptual vectors of other clusters."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((6, 16))
    rows = centres[rng.integers(6, size=N)] + 0.2 * rng.standard_normal((N, 16))
    rows[::7] = rows[0]
    looks = rng.standard_normal((12, 144))[rng.integers(12, size=N)]
    looks += 0.1 * rng.standard_normal((N, 144))
    return rows.astype(np.float16), looks.astype(np.float16)


def folded(folder, rows, looks, radii):
    """Compare them in blocks, and put together what was found, numbered as they are."""
    work = Work(str(folder))
    shards = [(f"shard-{number}", 0) for number in range(N // SHARD)]
    for number, (name, _) in enumerate(shards):
        part = slice(number * SHARD, (number + 1) * SHARD)
        work.write_array(f"shards/{name}.npy", np.concatenate([rows[part], looks[part]], axis=1))
    at = np.arange(N, dtype=np.uint32)
    pictures = pl.DataFrame({"shard": at // SHARD, "picture": at % SHARD})
    blocks = cut_blocks(work, pictures, shards, BLOCK)
    assert len(blocks) == N // BLOCK
    for a, b in tiles(blocks):
        compare_blocks(work, a.name, b.name, radii, "cpu")
    return fold(work, blocks, radii, np.arange(N, dtype=np.int32))


def candidates_on_one_machine(rows, looks, radii):
    found = search(Vectors(rows), radius=radii.candidates, max_pairs=radii.most)
    compared = Comparison((), found.row, found.distance, radii.candidates, found.pairs)
    near = pairs_within(Vectors(rows), compared, radii.candidates, radii.most)
    turned = without_turn(looks).astype(np.float16)
    alike = search(Vectors(turned), radius=UNDAMPED_RADIUS, max_pairs=radii.most).pairs
    pairs = once(near if alike is None else np.concatenate([near, alike]))
    _, distance = distances(Vectors(rows), looks, pairs, radii.candidates)
    return {tuple(pair) for pair in pairs[distance <= radii.candidates].tolist()}


@pytest.mark.parametrize(
    ("most", "near"), [(20, 0.05), (60, 0.4), (200, 0.05), (200, 0.4), (100_000, 0.4)]
)
def test_of_too_many_pairs_the_same_are_candidates_as_on_one_machine(tmp_path, most, near):
    rows, looks = made(most)
    radii = Radii(0.2, max(0.2, near), most)
    found = folded(tmp_path, rows, looks, radii)
    proposed = found.candidates(0.2, np.ones(N, np.bool_), np.arange(N))
    pairs = {(row, other) for row in range(N) for other in proposed.of(row).tolist() if row < other}
    assert pairs == candidates_on_one_machine(rows, looks, radii)
