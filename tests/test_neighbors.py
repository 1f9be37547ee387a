import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.choose import choose_products, fastest
from dedup_widgets.neighbors.grouping import (
    any_within,
    greedy_groups,
    greedy_groups_of_pairs,
    ordered,
)
from dedup_widgets.neighbors.numpy_products import NumpyProducts
from dedup_widgets.neighbors.pair_list import PairList
from dedup_widgets.neighbors.pairs import pairs_within
from dedup_widgets.neighbors.search import search
from dedup_widgets.neighbors.torch_products import TorchProducts, multiplies_float32
from dedup_widgets.neighbors.vectors import (
    BLOCK_ROWS,
    GRID,
    Vectors,
    cosines,
    distances,
    first_equal,
    pair_cosines,
    unit_vectors,
)
from effort import examples

seeds = st.integers(0, 2**32 - 1)
many = examples(60)
some = examples(20)
kinds = st.sampled_from(["numpy", "bfloat16", "float16", "float32"])
blocks = st.sampled_from([1, 3, 16, 512])
held_at_a_time = st.sampled_from([1, 1000, 2**27])


def products_of(kind, block=512, bytes_at_a_time=2**27):
    """All ways to multiply; float16 is what CUDA is given, here on the processor."""
    if kind == "numpy":
        return NumpyProducts(block, bytes_at_a_time)
    return TorchProducts(getattr(torch, kind), "cpu", block, bytes_at_a_time)


def random_vectors(seed, most=60, d=None):
    """Clusters of every tightness, with vectors that are equal and nearly equal."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, most)), d or int(rng.integers(1, 20))
    rows = rng.standard_normal((4, d))[rng.integers(4, size=n)]
    tightness = rng.choice([0, 1e-8, 1e-6, 1e-4, 1e-2, 1], size=(n, 1))
    return unit_vectors(rows + tightness * rng.standard_normal((n, d)) + 1e-3)


def all_cosines(vectors):
    table = cosines(vectors, vectors)
    np.fill_diagonal(table, -np.inf)
    return table


# Exact arithmetic


@many
@given(seeds)
def test_a_cosine_is_computed_without_rounding_the_dot_product(seed):
    vectors = random_vectors(seed, most=4)
    table = cosines(vectors, vectors)
    whole = [[int(x) for x in row * GRID] for row in vectors.astype(np.float64)]
    for i, a in enumerate(whole):
        for j, b in enumerate(whole):
            dot, aa, bb = (
                sum(Fraction(x * y, 2**48) for x, y in zip(u, v, strict=True))
                for u, v in ((a, b), (a, a), (b, b))
            )
            assert table[i, j] == float(dot) / np.sqrt(float(aa) * float(bb))


@many
@given(seeds)
def test_cosines_are_symmetric_and_independent_of_the_block(seed):
    vectors = random_vectors(seed)
    table = cosines(vectors, vectors)
    assert np.array_equal(table, table.T)
    assert (np.diag(table) == 1).all()
    alone = [[cosines(a[None], b[None])[0, 0] for b in vectors[:5]] for a in vectors[:5]]
    assert np.array_equal(alone, table[:5, :5])


@many
@given(seeds)
def test_a_unit_vector_depends_on_its_own_row_only(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 40, size=2)
    rows = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-150, 150, size=(n, 1))
    unit = unit_vectors(rows)
    shuffle = rng.permutation(n)
    assert np.array_equal(unit_vectors(rows[shuffle]), unit[shuffle])
    assert np.array_equal(unit_vectors(np.asfortranarray(rows)), unit)
    assert np.array_equal(np.concatenate([unit_vectors(row[None]) for row in rows]), unit)


@many
@given(seeds)
def test_unit_vectors_have_length_one_and_lie_on_the_grid(seed):
    rows = np.random.default_rng(seed).standard_normal((5, 512))
    unit = unit_vectors(rows)
    assert np.array_equal(unit * GRID, np.rint(unit * GRID))
    np.testing.assert_allclose(
        unit, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=2.0**-24, rtol=0
    )
    assert not np.signbit(unit[unit == 0]).any()


@pytest.mark.parametrize("extreme", [5e-324, 1e-300, 1e300, 1.7e308])
def test_the_smallest_and_largest_floats_have_a_direction(extreme):
    unit = unit_vectors([[extreme, extreme]])
    np.testing.assert_allclose(unit, [[2**-0.5, 2**-0.5]], atol=1e-7)


# Search


@many
@given(seeds, st.sampled_from(["exact", "hnsw"]))
def test_nearest_is_the_lowest_rank_of_the_largest_cosine(seed, method):
    vectors = random_vectors(seed)
    rank = np.random.default_rng(seed).permutation(len(vectors))
    found = search(Vectors.of(vectors), rank=rank, method=method)
    rows, distances = found.row, found.distance
    if len(vectors) == 1:
        assert rows.tolist() == [-1]
        assert distances.tolist() == [1.0]
        return
    table = all_cosines(vectors)
    by_rank = np.argsort(rank)
    assert np.array_equal(rows, by_rank[table[:, by_rank].argmax(axis=1)])
    assert np.array_equal(distances, np.clip(1 - table.max(axis=1), 0, 1))


radii = st.sampled_from([-1.0, 0.0, 1e-12, 1e-5, 1e-2, 0.5, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize("dense_from", [1, 16])  # of 1, every cluster counts as dense
@some
@given(seeds, kinds, blocks, held_at_a_time, radii)
def test_however_products_are_computed_the_same_is_found_to_the_last_bit(
    dense_from, seed, kind, block, bytes_at_a_time, radius
):
    # Of small blocks there are many: a tile of each two of them.
    vectors = random_vectors(seed, most={1: 24, 3: 40}.get(block, 150))
    n = len(vectors)
    rng = np.random.default_rng(seed)
    rank = rng.permutation(n)
    # Some rows with each other and the rest, then the rest: every pair once.
    first = np.sort(rng.permutation(n)[: rng.integers(n + 1)])
    rest = np.setdiff1d(np.arange(n), first)
    listed = PairList()
    found = AllPairs(
        Vectors.of(vectors),
        rank=rank,
        radius=radius,
        collector=listed,
        products=products_of(kind, block, bytes_at_a_time),
        dense_min_candidates=dense_from,
        rescale_min_products=4 * dense_from**2,
    )
    found.compare(first, rest)
    found.compare(rest)
    table = all_cosines(vectors)
    if n > 1:
        by_rank = np.argsort(rank)
        assert np.array_equal(found.row, by_rank[table[:, by_rank].argmax(axis=1)])
        assert np.array_equal(found.cosine, table.max(axis=1))
    near = np.triu(np.clip(1 - table, 0, 1) <= radius, 1) if radius >= 0 else np.zeros((n, n))
    assert np.array_equal(ordered(listed.pairs()), np.argwhere(near))


@some
@given(seeds, kinds)
def test_vectors_that_point_away_from_each_other_have_a_nearest_too(seed, kind):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 30))
    vectors = unit_vectors(np.eye(d) - rng.choice([0.02, 1 / d, 1]) - 1e-3 * rng.random((d, d)))
    found = AllPairs(Vectors.of(vectors), products=products_of(kind, 4))
    found.compare(np.arange(d))
    table = all_cosines(vectors)
    assert np.array_equal(found.row, table.argmax(axis=1))
    assert np.array_equal(found.cosine, table.max(axis=1))


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float32", "numpy"])
@pytest.mark.parametrize("d", [3, 64, 777])
def test_no_product_is_off_by_more_than_it_says(kind, d):
    rng = np.random.default_rng(d)
    centre = rng.standard_normal(d)
    rows = np.concatenate([centre + rng.standard_normal((100, d)) * s for s in (0.01, 0.3, 3)])
    vectors = unit_vectors(rows)
    ways = products_of(kind)
    with ways.pool() as pool:
        rounded = ways.load(Vectors.of(vectors), np.arange(300), pool)
        for tile in (ways.multiply(rounded, rounded), ways.multiply(rounded, rounded).T):
            assert_no_product_is_off_by_more_than_the_slack(tile, cosines(vectors, vectors))


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float32", "numpy"])
@pytest.mark.parametrize("d", [3, 64, 777])
@pytest.mark.parametrize("spread", [1e-4, 1e-2, 1])
def test_a_magnified_crowd_is_told_apart_with_an_error_of_its_own_size(kind, d, spread):
    rng = np.random.default_rng(d)
    vectors = unit_vectors(rng.standard_normal(d) + spread * rng.standard_normal((300, d)))
    centre = np.float32(np.rint(vectors.mean(axis=0) * GRID) / GRID)
    offsets = vectors - centre
    max_norm = 1.001 * float(np.linalg.norm(offsets, axis=1).max())
    tile = products_of(kind).multiply_rescaled(offsets, offsets, max_norm)
    assert tile.slack < 0.02 * max_norm**2 + d * 2.0**-48
    for turned in (tile, tile.T):
        assert_no_product_is_off_by_more_than_the_slack(turned, cosines(vectors, vectors))


def assert_no_product_is_off_by_more_than_the_slack(tile, exact):
    (_, _, product), is_dense = tile.entries_above(np.arange(300), np.full(300, -1.5))
    assert not is_dense.any()
    product = product.reshape(300, 300).astype(np.float64)
    assert abs(np.minimum(product, 1) - np.minimum(exact, 1)).max() <= tile.slack
    assert np.array_equal(tile.row_maxima(), product.max(axis=1))


@pytest.mark.parametrize("kind", ["bfloat16", "numpy"])
@pytest.mark.parametrize("size", [6, 64, 1000])
def test_rows_with_more_products_than_asked_for_are_named_and_left_out(kind, size):
    ways = products_of(kind)
    # Rows 1 and 3 are equal to all of the second half, the others to themselves alone.
    rows = np.eye(size)
    rows[size // 2 :] = rows[1] = rows[3]
    vectors = Vectors.of(unit_vectors(rows))
    asked, low = np.array([0, 1, 2, 3]), np.full(4, 0.5)
    with ways.pool() as pool:
        rounded = ways.load(vectors, np.arange(size), pool)
        product_of_all = ways.multiply(rounded, rounded)
        for tile in (product_of_all, product_of_all.T):
            (row, column, product), is_dense = tile.entries_above(asked, low, most=2)
            assert is_dense.tolist() == [False, True, False, True]
            assert (row.tolist(), column.tolist(), product.tolist()) == ([0, 2], [0, 2], [1, 1])
            (row, _, _), is_dense = tile.entries_above(asked, low)
            assert np.bincount(row)[1] == size - size // 2 + 2 - (size // 2 <= 3)
            assert not is_dense.any()
            columns = tile.columns_above(asked[is_dense | (asked % 2 == 1)], low[:2])
            assert columns.tolist() == sorted({1, 3, *range(size // 2, size)})


@pytest.mark.lengthy
def test_few_vectors_need_no_torch_and_many_take_what_the_machine_has():
    assert isinstance(choose_products(1000, 1000, 512), NumpyProducts)
    many = choose_products(10**5, 10**5, 512, "cpu")
    kind = {"float32": torch.float32}.get(fastest("cpu"), torch.bfloat16)
    assert many.dtype == kind
    with many.pool() as pool:
        assert pool.submit(torch.get_num_threads).result() == 1


def test_a_search_leaves_torch_its_threads():
    before = torch.get_num_threads()
    with products_of("bfloat16").pool() as pool:
        pool.submit(int).result()
    assert torch.get_num_threads() == before


def test_float32_that_torch_may_round_further_is_not_taken_for_float32():
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert not multiplies_float32()
    finally:
        torch.set_float32_matmul_precision(before)
    assert multiplies_float32() == (before == "highest")


@pytest.mark.lengthy
def test_a_search_tells_how_far_it_is_and_can_be_stopped():
    vectors = Vectors.of(unit_vectors(np.random.default_rng(0).standard_normal((1000, 8))))
    told = []
    found = AllPairs(vectors, products=products_of("bfloat16", 64, 128 * 8 * 2))
    found.compare(np.arange(500), np.arange(500, 1000), lambda *at: told.append(at))
    done, total = zip(*told, strict=True)
    assert set(total) == {8 * 9 // 2 + 8 * 8}
    assert done[-1] == total[0]
    assert all(a < b for a, b in pairwise(done))

    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        search(vectors, progress=stop)


@pytest.mark.parametrize("method", ["exact", "hnsw"])
def test_of_equally_near_vectors_the_lowest_row_is_the_nearest(method):
    signs = np.random.default_rng(0).choice([-1, 1], size=(400, 16))
    vectors = unit_vectors(np.unique(signs, axis=0)[::-1])
    rows = search(Vectors.of(vectors), method=method).row
    assert np.array_equal(rows, all_cosines(vectors).argmax(axis=1))


@pytest.mark.parametrize("n", [BLOCK_ROWS, BLOCK_ROWS + 1, BLOCK_ROWS + 2])
def test_a_graph_answers_for_the_last_row_whatever_their_number(n):
    vectors = unit_vectors(np.random.default_rng(0).standard_normal((n, 64)))
    rows = search(Vectors.of(vectors), method="hnsw").row
    assert np.array_equal(rows, all_cosines(vectors).argmax(axis=1))


@pytest.mark.lengthy
@pytest.mark.parametrize("tightness", [0.0, 1e-5, 1e-3])
def test_thousands_of_nearly_identical_vectors_are_told_apart(tightness):
    rng = np.random.default_rng(0)
    blob = rng.standard_normal(64) + tightness * rng.standard_normal((2000, 64))
    vectors = unit_vectors(np.concatenate([blob, rng.standard_normal((500, 64))]))
    table = all_cosines(vectors)
    for method in ("exact", "hnsw"):
        rows = search(Vectors.of(vectors), method=method).row
        assert np.array_equal(rows, table.argmax(axis=1)), method


@many
@given(seeds, st.sampled_from([-1.0, 0.0, 1e-5, 1e-2, 0.5, 1.0]))
def test_a_leader_takes_all_later_rows_in_reach_that_no_earlier_one_took(seed, radius):
    # In a plane, so that there is much to chain.
    vectors = unit_vectors(np.random.default_rng(seed).standard_normal((60, 2)).round(1) + 1e-3)
    distance = np.clip(1 - cosines(vectors, vectors), 0, 1)
    expected = list(range(len(vectors)))
    taken = set()
    for i in range(len(vectors)):
        if i in taken:
            continue
        for j in range(i + 1, len(vectors)):
            if j not in taken and distance[i, j] <= radius:
                taken.add(j)
                expected[j] = i
    assert greedy_groups(vectors, radius).tolist() == expected
    if radius >= 0:
        pairs = search(Vectors.of(vectors), radius=radius).pairs
        assert greedy_groups_of_pairs(60, pairs).tolist() == expected


@pytest.mark.lengthy
def test_pairs_beyond_number_are_none_and_groups_form_without_them():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 32))[rng.integers(3, size=400)]
    vectors = unit_vectors(centres + 0.02 * rng.standard_normal((400, 32)))
    for radius in (2e-4, 4e-4, 1e-3, 0.5):
        pairs = search(Vectors.of(vectors), radius=radius).pairs
        assert search(Vectors.of(vectors), radius=radius, max_pairs=len(pairs)).pairs is not None
        assert search(Vectors.of(vectors), radius=radius, max_pairs=len(pairs) - 1).pairs is None
        expected = greedy_groups_of_pairs(400, pairs)
        some = {"rows_at_a_time": (400, 20)}
        assert np.array_equal(greedy_groups(vectors, radius, **some), expected)
        assert np.array_equal(greedy_groups(vectors, radius, max_pairs=190, **some), expected)


@pytest.mark.lengthy
@many
@given(seeds, st.sampled_from([0.0, 1e-5, 1e-2, 0.5]))
def test_equal_vectors_are_nearest_to_each_other_and_all_their_pairs_are_listed(seed, radius):
    rng = np.random.default_rng(seed)
    distinct = random_vectors(seed, most=12, d=3)
    vectors = distinct[rng.integers(len(distinct), size=40)]
    rank = rng.permutation(40)
    found = search(Vectors.of(vectors), rank=rank, radius=radius)
    table = all_cosines(vectors)
    by_rank = np.argsort(rank)
    assert np.array_equal(found.row, by_rank[table[:, by_rank].argmax(axis=1)])
    assert np.array_equal(found.distance, np.clip(1 - table.max(axis=1), 0, 1))
    within = np.triu(np.clip(1 - table, 0, 1) <= radius, 1)
    assert np.array_equal(ordered(found.pairs), np.argwhere(within))
    count = int(within.sum())
    assert search(Vectors.of(vectors), radius=radius, max_pairs=count).pairs is not None
    assert (
        count == 0 or search(Vectors.of(vectors), radius=radius, max_pairs=count - 1).pairs is None
    )


@many
@given(seeds, st.sampled_from([-1.0, 0.0, 1e-5, 1e-2, 0.5]), st.sampled_from([1, 4, 1000]))
def test_who_has_anybody_within_reach_is_told_exactly(seed, radius, block):
    vectors = random_vectors(seed)
    others = vectors[::3]
    within = np.clip(1 - cosines(vectors, others), 0, 1) <= radius
    assert np.array_equal(any_within(vectors, others, radius, block=block), within.any(axis=1))
    assert not any_within(vectors, vectors[:0], radius).any()


# Pairs


@many
@given(seeds, radii, st.sampled_from([2, 16, 1000]), st.sampled_from([1, 20, 10_000]))
def test_within_the_reach_of_pairs_none_is_missing_and_none_too_many(
    seed, radius, block, max_pairs
):
    vectors = random_vectors(seed)
    found = pairs_within(vectors, radius, max_pairs=max_pairs, block=block)
    assert found.radius <= radius
    assert len(found) <= max_pairs
    if max_pairs == 10_000:
        assert found.radius == radius
    table = np.clip(1 - cosines(vectors, vectors), 0, 1)
    np.fill_diagonal(table, np.inf)
    for asked in (found.radius, found.radius / 3):
        for row in range(len(vectors)) if asked >= 0 else ():
            expected = np.flatnonzero(table[row] <= asked)
            assert sorted(found.of(row, asked)) == expected.tolist()


@many
@given(seeds, st.sampled_from([-1.0, 0.0, 1e-12, 1e-5, 1e-2, 0.5, 1.0]))
def test_pairs_form_the_groups_of_any_order_to_the_last_bit(seed, radius):
    rng = np.random.default_rng(seed)
    vectors = unit_vectors(rng.standard_normal((60, 2)).round(1) + 1e-3)
    found = pairs_within(vectors, 1.0, max_pairs=10_000)
    rows = rng.permutation(60)[: rng.integers(1, 60)]
    representative, has_neighbor = found.greedy_groups(rows, radius)
    table = np.clip(1 - cosines(vectors[rows], vectors[rows]), 0, 1)
    np.fill_diagonal(table, np.inf)
    assert np.array_equal(representative, greedy_groups(vectors[rows], radius))
    assert np.array_equal(has_neighbor, (table <= radius).any(axis=1))


def test_a_pair_that_is_just_within_reach_is_told_from_one_that_is_just_not():
    rng = np.random.default_rng(0)
    blob = unit_vectors(rng.standard_normal(128) + 0.01 * rng.standard_normal((200, 128)))
    table = np.clip(1 - cosines(blob, blob), 0, 1)
    found = pairs_within(blob, 0.01, max_pairs=100_000)
    for distance in np.sort(table[0])[1:]:
        for asked in (np.nextafter(distance, 0), distance):
            assert set(found.of(0, asked)) == set(np.flatnonzero(table[0] <= asked)) - {0}


def test_of_too_many_pairs_the_nearest_are_kept():
    rng = np.random.default_rng(0)
    cluster = rng.standard_normal(16) + 0.1 * rng.standard_normal((300, 16))
    duplicates = rng.standard_normal((40, 16)).repeat(2, axis=0)
    found = pairs_within(unit_vectors(np.concatenate([duplicates, cluster])), 0.5, max_pairs=2_000)
    assert 0 < found.radius < 0.01
    assert 500 < len(found) <= 2_000
    assert all(found.of(i, 0.0).tolist() == [i ^ 1] for i in range(80))


def test_identical_vectors_beyond_number_are_no_pairs_at_all():
    found = pairs_within(unit_vectors(np.ones((200, 4))), 0.5, max_pairs=100)
    assert len(found) == 0
    assert found.radius < 0


@many
@given(seeds)
def test_distances_of_rows_are_those_of_the_table(seed):
    vectors = random_vectors(seed)
    table = np.clip(1 - cosines(vectors, vectors[::-1]), 0, 1)
    assert np.array_equal(distances(vectors, vectors[::-1]), np.diag(table))


def test_first_equal_compares_all_components():
    assert first_equal(unit_vectors([[1, 0], [0, 1], [2, 0], [1, 1e-9]])).tolist() == [0, 1, 0, 0]
    assert first_equal(unit_vectors([[1, 1e-6], [1, 0]])).tolist() == [0, 1]
    assert first_equal(unit_vectors([[1, 0.0], [1, -0.0], [1, -1e-12]])).tolist() == [0, 0, 0]


@many
@given(seeds, st.booleans())
def test_first_equal_needs_no_luck_with_hashes(seed, is_unlucky):
    vectors = random_vectors(seed, most=40, d=3)
    always_one = {"hashes": lambda bits: np.zeros(len(bits), np.uint64)}
    first = first_equal(vectors, **(always_one if is_unlucky else {}))
    expected = [int((vectors == row).all(axis=1).argmax()) for row in vectors]
    assert first.tolist() == expected


@many
@given(seeds)
def test_cosines_of_pairs_are_those_of_the_table(seed):
    vectors = random_vectors(seed)
    rng = np.random.default_rng(seed)
    rows, others = rng.integers(len(vectors), size=(2, 50))
    assert np.array_equal(
        pair_cosines(Vectors.of(vectors), rows, others), cosines(vectors, vectors)[rows, others]
    )


@many
@given(seeds, st.sampled_from([np.float16, np.float32, np.float64, ">f4"]))
def test_vectors_are_the_same_in_whatever_parts_they_are_asked_for(seed, dtype):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((50, int(rng.integers(1, 40)))).astype(dtype)
    vectors, unit = Vectors(matrix), unit_vectors(matrix)
    rows = rng.integers(50, size=30)
    assert np.array_equal(vectors.unit(rows), unit[rows])
    assert np.array_equal(vectors.unit(slice(3, 9)), unit[3:9])
    again = rng.integers(30, size=7)
    assert np.array_equal(vectors.take(rows).unit(again), unit[rows[again]])
    assert len(vectors.take(rows)) == 30


def test_vectors_of_a_file_stay_there(tmp_path):
    matrix = np.lib.format.open_memmap(tmp_path / "m.npy", "w+", np.float16, (20_000, 64))
    matrix[:] = np.random.default_rng(0).standard_normal((20_000, 64))
    tracemalloc.start()
    vectors = Vectors(matrix)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < matrix.nbytes / 2
    assert np.array_equal(vectors.unit(slice(0, 5)), unit_vectors(np.array(matrix[:5])))
