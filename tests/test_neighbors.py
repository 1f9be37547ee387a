from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup_widgets.errors import InputError
from dedup_widgets.index import VectorIndex
from dedup_widgets.neighbors import any_within, leaders, nearest
from dedup_widgets.pairs import pairs_within
from dedup_widgets.vectors import GRID, cosines, distances, first_equal, unit_vectors

seeds = st.integers(0, 2**32 - 1)
many = settings(max_examples=60, deadline=None)


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
@given(seeds, st.sampled_from([1, 3, 16, 1000]), st.sampled_from(["exact", "hnsw"]))
def test_nearest_is_the_lowest_row_of_the_largest_cosine(seed, block, method):
    vectors = random_vectors(seed)
    rows, distances = nearest(vectors, method=method, block=block)
    if len(vectors) == 1:
        assert rows.tolist() == [-1]
        assert distances.tolist() == [1.0]
        return
    table = all_cosines(vectors)
    assert np.array_equal(rows, table.argmax(axis=1))
    assert np.array_equal(distances, np.clip(1 - table.max(axis=1), 0, 1))


@pytest.mark.parametrize("method", ["exact", "hnsw"])
def test_of_equally_near_vectors_the_lowest_row_is_the_nearest(method):
    signs = np.random.default_rng(0).choice([-1, 1], size=(400, 16))
    vectors = unit_vectors(np.unique(signs, axis=0)[::-1])
    rows, _ = nearest(vectors, method=method, block=32)
    assert np.array_equal(rows, all_cosines(vectors).argmax(axis=1))


@many
@given(seeds, st.sampled_from([2, 1000]))
def test_some_rows_are_answered_as_all_are(seed, block):
    vectors = random_vectors(seed)
    some = np.random.default_rng(seed).permutation(len(vectors))[: len(vectors) // 2]
    everyone = nearest(vectors)
    for asked, full in zip(nearest(vectors, rows=some, block=block), everyone, strict=True):
        assert np.array_equal(asked, full[some])


@pytest.mark.parametrize("tightness", [0.0, 1e-5, 1e-3])
def test_thousands_of_nearly_identical_vectors_are_told_apart(tightness):
    rng = np.random.default_rng(0)
    blob = rng.standard_normal(64) + tightness * rng.standard_normal((2000, 64))
    vectors = unit_vectors(np.concatenate([blob, rng.standard_normal((500, 64))]))
    table = all_cosines(vectors)
    for method in ("exact", "hnsw"):
        rows, _ = nearest(vectors, method=method)
        assert np.array_equal(rows, table.argmax(axis=1)), method


@many
@given(seeds, st.sampled_from([-1.0, 0.0, 1e-5, 1e-2, 0.5, 1.0]), st.sampled_from([1, 4, 1000]))
def test_a_leader_takes_all_later_rows_in_reach_that_no_earlier_one_took(seed, reach, block):
    # In a plane, so that there is much to chain.
    vectors = unit_vectors(np.random.default_rng(seed).standard_normal((60, 2)))
    distance = np.clip(1 - cosines(vectors, vectors), 0, 1)
    expected = list(range(len(vectors)))
    taken = set()
    for i in range(len(vectors)):
        if i in taken:
            continue
        for j in range(i + 1, len(vectors)):
            if j not in taken and distance[i, j] <= reach:
                taken.add(j)
                expected[j] = i
    assert leaders(vectors, reach, block=block).tolist() == expected


@many
@given(seeds, st.sampled_from([-1.0, 0.0, 1e-5, 1e-2, 0.5]), st.sampled_from([1, 4, 1000]))
def test_who_has_anybody_within_reach_is_told_exactly(seed, reach, block):
    vectors = random_vectors(seed)
    others = vectors[::3]
    within = np.clip(1 - cosines(vectors, others), 0, 1) <= reach
    assert np.array_equal(any_within(vectors, others, reach, block=block), within.any(axis=1))
    assert not any_within(vectors, vectors[:0], reach).any()


# Pairs

reaches = st.sampled_from([-1.0, 0.0, 1e-12, 1e-5, 1e-2, 0.5, 1.0])


@many
@given(seeds, reaches, st.sampled_from([2, 16, 1000]), st.sampled_from([1, 20, 10_000]))
def test_within_the_reach_of_pairs_none_is_missing_and_none_too_many(seed, reach, block, at_most):
    vectors = random_vectors(seed)
    found = pairs_within(vectors, reach, at_most=at_most, block=block)
    assert found.reach <= reach
    assert len(found) <= at_most
    if at_most == 10_000:
        assert found.reach == reach
    table = np.clip(1 - cosines(vectors, vectors), 0, 1)
    np.fill_diagonal(table, np.inf)
    for asked in (found.reach, found.reach / 3):
        for row in range(len(vectors)) if asked >= 0 else ():
            expected = np.flatnonzero(table[row] <= asked)
            assert sorted(found.of(row, asked)) == expected.tolist()


@many
@given(seeds, st.sampled_from([-1.0, 0.0, 1e-12, 1e-5, 1e-2, 0.5, 1.0]))
def test_pairs_form_the_groups_of_any_order_to_the_last_bit(seed, reach):
    rng = np.random.default_rng(seed)
    vectors = unit_vectors(rng.standard_normal((60, 2)).round(1) + 1e-3)
    found = pairs_within(vectors, 1.0, at_most=10_000)
    rows = rng.permutation(60)[: rng.integers(1, 60)]
    leader, crowded = found.leaders(rows, reach)
    table = np.clip(1 - cosines(vectors[rows], vectors[rows]), 0, 1)
    np.fill_diagonal(table, np.inf)
    assert np.array_equal(leader, leaders(vectors[rows], reach))
    assert np.array_equal(crowded, (table <= reach).any(axis=1))


def test_a_pair_that_is_just_within_reach_is_told_from_one_that_is_just_not():
    rng = np.random.default_rng(0)
    blob = unit_vectors(rng.standard_normal(128) + 0.01 * rng.standard_normal((200, 128)))
    table = np.clip(1 - cosines(blob, blob), 0, 1)
    found = pairs_within(blob, 0.01, at_most=100_000)
    for distance in np.sort(table[0])[1:]:
        for asked in (np.nextafter(distance, 0), distance):
            assert set(found.of(0, asked)) == set(np.flatnonzero(table[0] <= asked)) - {0}


def test_of_too_many_pairs_the_nearest_are_kept():
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal(16) + 0.1 * rng.standard_normal((300, 16))
    twins = rng.standard_normal((40, 16)).repeat(2, axis=0)
    found = pairs_within(unit_vectors(np.concatenate([twins, crowd])), 0.5, at_most=2_000)
    assert 0 < found.reach < 0.01
    assert 500 < len(found) <= 2_000
    assert all(found.of(i, 0.0).tolist() == [i ^ 1] for i in range(80))


def test_identical_vectors_beyond_number_are_no_pairs_at_all():
    found = pairs_within(unit_vectors(np.ones((200, 4))), 0.5, at_most=100)
    assert len(found) == 0
    assert found.reach < 0


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


# Similar-items


@many
@given(seeds, st.integers(0, 70), st.sampled_from([0, 10**6]))
def test_an_index_finds_the_nearest_in_order(seed, k, hnsw_from):
    vectors = random_vectors(seed, d=8)
    query = np.random.default_rng(seed + 1).standard_normal(8)
    rows, distances = VectorIndex(vectors, hnsw_from=hnsw_from).search(query, k)
    cosine = cosines(unit_vectors([query]), unit_vectors(vectors))[0]
    expected = np.lexsort((np.arange(len(vectors)), -cosine))[:k]
    assert rows.dtype == np.int64
    assert distances.dtype == np.float32
    assert rows.tolist() == expected.tolist()
    assert np.array_equal(distances, np.clip(1 - cosine[expected], 0, 1).astype(np.float32))


@pytest.mark.parametrize("hnsw_from", [0, 10**6])
def test_all_identical_vectors_are_found(hnsw_from):
    rows = np.tile([[1.0, 0.0, 0.0]], (500, 1))
    rows[::5] = np.random.default_rng(0).standard_normal((100, 3))
    index = VectorIndex(rows, hnsw_from=hnsw_from)
    found, distances = index.search([5.0, 0.0, 0.0], 400)
    assert found.tolist() == [i for i in range(500) if i % 5]
    assert not distances.any()


def test_an_index_orders_what_float32_cannot_tell_apart():
    rng = np.random.default_rng(0)
    query = rng.standard_normal(256)
    rows = query + 3e-4 * rng.standard_normal((3000, 256))
    found, _ = VectorIndex(rows).search(query, 100)
    cosine = cosines(unit_vectors([query]), unit_vectors(rows))[0]
    assert found.tolist() == np.lexsort((np.arange(3000), -cosine))[:100].tolist()


def test_threads_share_an_index():
    rows = np.random.default_rng(0).standard_normal((2000, 16))
    expected = [VectorIndex(rows, hnsw_from=0).search(row, 5)[0].tolist() for row in rows[:3]]
    index = VectorIndex(rows, hnsw_from=0)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: index.search(rows[i % 3], 5)[0].tolist(), range(48)))
    assert found == expected * 16


@pytest.mark.parametrize(
    ("query", "k", "message"),
    [
        ([1.0, 0.0, 0.0], 1, "3 dimensions and the vectors have 2"),
        ([0.0, 0.0], 1, "zero"),
        ([np.nan, 0.0], 1, "NaN"),
        ([1.0, 0.0], -1, "k is -1"),
    ],
)
def test_a_query_that_cannot_be_compared_is_refused(query, k, message):
    with pytest.raises(InputError, match=message):
        VectorIndex([[1.0, 0.0]]).search(query, k)


def test_an_empty_index_finds_nothing():
    rows, distances = VectorIndex(np.empty((0, 4))).search([1.0, 0, 0, 0], 3)
    assert rows.size == distances.size == 0
