"""What a store remembers of searches for neighbours, and what it does with damage."""

import sqlite3
import struct
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.errors import StoreError
from dedup_widgets.frame.scale import radius_of
from dedup_widgets.scoring import incremental as searches
from dedup_widgets.scoring.comparison import Comparison
from dedup_widgets.scoring.uniqueness import score_images
from dedup_widgets.store.cache import Cache

PICTURES = 40
VECTORS = np.random.default_rng(0).normal(size=(PICTURES, 7)).astype(np.float16)
PRINTS = [np.random.default_rng(i).bytes(16).hex() for i in range(PICTURES)]


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "store.sqlite")


def score(cache, rows, *, rank=None, vectors=VECTORS, near=0.05, model="m", **options):
    rows = list(rows)
    nearest = searches.find_with_store(
        cache,
        model,
        vectors[rows],
        fingerprints=[PRINTS[row] for row in rows],
        rank=np.arange(len(rows)) if rank is None else rank,
        radius=radius_of(near, 1.0),
        **options,
    )
    return score_images(nearest, near=near, gamma=1.0)


def recalled(cache, rows, vectors=VECTORS, model="m"):
    rows = list(rows)
    names = [PRINTS[row] for row in rows]
    known_by = searches.keys(names, vectors, np.array(rows, np.int64))
    return searches.find_search(cache, model, names, known_by)


def test_what_was_found_comes_back_as_it_was(cache):
    score(cache, range(10))
    kept = recalled(cache, range(10))
    assert kept.whole
    found = kept.compared
    nearest, distance = dw.uniqueness(VECTORS[:10], fingerprints=PRINTS[:10]).select(
        "nearest", "distance"
    )
    assert found.fingerprints == PRINTS[:10]
    assert found.nearest.tolist() == nearest.to_list()
    assert found.distance.astype(np.float32).tolist() == distance.to_list()
    assert (found.nearest.dtype, found.distance.dtype) == (np.int64, np.float64)
    assert found.pairs is None or found.pairs.dtype == np.int32


def test_pictures_that_are_gone_have_names_that_none_has(cache):
    score(cache, range(10))
    kept = recalled(cache, [0, 2, 3, 11])
    assert not kept.whole
    names = kept.compared.fingerprints
    assert [names[row] for row in (0, 2, 3)] == [PRINTS[row] for row in (0, 2, 3)]
    assert len(set(names)) == 10
    assert len(set(names) & set(PRINTS)) == 3


def test_the_search_that_shares_most_pictures_is_taken(cache):
    score(cache, range(10, 30))
    score(cache, range(5))
    assert len(recalled(cache, range(8, 25)).compared.fingerprints) == 20
    assert len(recalled(cache, range(8)).compared.fingerprints) == 5
    assert recalled(cache, range(30, 40)) is None


@pytest.mark.lengthy
def test_of_searches_that_share_as_many_the_one_with_the_fewest_others_is_taken(cache):
    score(cache, range(12))
    score(cache, range(2, 9))
    score(cache, range(12))
    assert len(recalled(cache, range(2, 9)).compared.fingerprints) == 7
    for _ in range(3):
        score(cache, range(2, 9))
        score(cache, range(12))
    assert len(cache.searches("m")) == 2


def test_a_search_in_another_order_of_keepers_is_of_no_use(cache):
    score(cache, range(10))
    assert recalled(cache, reversed(range(10))) is None
    assert recalled(cache, [0, 20, 4, 21, 9]) is not None


def test_a_search_of_other_vectors_or_another_model_is_of_no_use(cache):
    score(cache, range(10))
    assert recalled(cache, range(10), model="other") is None
    changed = VECTORS.copy()
    changed[3, 2] = np.nextafter(changed[3, 2], np.float16(9))
    assert recalled(cache, range(10), changed).compared.fingerprints[3] == "gone 3"


@pytest.mark.lengthy
def test_what_grew_takes_the_place_of_what_it_grew_from(cache):
    for n in range(3, 12):
        score(cache, range(n))
    assert len(cache.searches("m")) == 1
    score(cache, range(1, 9))
    assert len(cache.searches("m")) == 2
    assert len(recalled(cache, range(12)).compared.fingerprints) == 11


def test_scoring_the_same_again_writes_nothing_new(cache):
    score(cache, range(12))
    score(cache, range(12, 20))
    before = cache.searches("m")
    score(cache, range(12))
    assert sorted(cache.searches("m")) == sorted(before)
    assert cache.searches("m")[0] == before[1]


def test_a_smaller_boundary_takes_nothing_from_what_is_known_of_a_larger_one(cache):
    score(cache, range(12), near=0.3)
    score(cache, range(12), near=0.05)
    assert recalled(cache, range(12)).compared.radius == radius_of(0.3, 1.0)
    score(cache, range(12), near=0.6)
    assert recalled(cache, range(12)).compared.radius == radius_of(0.6, 1.0)


@pytest.mark.lengthy
def test_the_last_few_searches_are_kept_of_each_model(cache):
    for start in range(0, 36, 3):
        score(cache, range(start, start + 3))
    score(cache, range(3), model="other")
    assert len(cache.searches("m")) == 8
    assert recalled(cache, range(3)) is None
    assert recalled(cache, range(3), model="other") is not None
    assert recalled(cache, range(33, 36)) is not None


@pytest.mark.lengthy
def test_what_is_kept_takes_a_bounded_number_of_bytes(cache):
    score(cache, range(3))
    size = sum(len(keys) + len(cache.search(number)) for number, keys in cache.searches("m"))
    cache = Cache(cache.path, search_bytes=3 * size)
    for start in range(3, 36, 3):
        score(cache, range(start, start + 3))
    assert 1 <= len(cache.searches("m")) <= 3
    cache = Cache(cache.path, search_bytes=size)
    score(cache, range(40))
    assert (
        recalled(cache, range(40)) is None or len(recalled(cache, range(40)).compared.nearest) < 40
    )


@pytest.mark.parametrize("column", ["keys", "found"])
@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"x",
        b"\x00" * 31,
        b"\xff" * 4096,
        # As it was kept before: a header, ten numbers and ten distances.
        struct.pack("<IIqqd", 1, 0, 10, -1, 0.05) + bytes(120),
        "text",
        None,
        17,
        3.5,
    ],
)
def test_what_is_damaged_counts_as_nothing(cache, column, junk):
    expected = score(cache, range(10))
    with sqlite3.connect(cache.path) as other:
        if junk is None:
            other.execute("DELETE FROM search")
        else:
            other.execute(f"UPDATE search SET {column} = ?", (junk,))
    other.close()
    assert score(cache, range(10)).equals(expected)
    assert score(cache, range(11)).equals(dw.uniqueness(VECTORS[:11], fingerprints=PRINTS[:11]))


@pytest.mark.parametrize("seed", range(20))
def test_one_bit_that_flipped_never_changes_what_was_found(cache, seed):
    expected = score(cache, range(10))
    before = recalled(cache, range(10)).compared
    rng = np.random.default_rng(seed)
    (number, _), *_ = cache.searches("m")
    found = bytearray(cache.search(number))
    found[rng.integers(len(found))] ^= 1 << rng.integers(8)
    with sqlite3.connect(cache.path) as other:
        other.execute("UPDATE search SET found = ?", (bytes(found),))
    other.close()
    if kept := recalled(cache, range(10)):
        np.testing.assert_equal(asdict(kept.compared), asdict(before))
    assert score(cache, range(10)).equals(expected)


def test_a_store_that_cannot_be_written_costs_no_scores(cache, monkeypatch):
    def full(*_args, **_options):
        raise StoreError("the disk is full")

    monkeypatch.setattr(Cache, "add_search", full)
    with pytest.warns(UserWarning, match="not remembered: the disk is full"):
        assert len(score(cache, range(10))) == 10


@pytest.mark.lengthy
@given(st.data())
def test_whatever_was_scored_before_the_frame_is_that_of_a_fresh_start(tmp_path_factory, data):
    cache = Cache(tmp_path_factory.mktemp("searches") / "store.sqlite")
    # Few values in few dimensions: many are equal, near, or equally far.
    seed = data.draw(st.integers(0, 10**6))
    vectors = np.random.default_rng(seed).integers(-2, 3, (PICTURES, 4)).astype(np.float16)
    vectors[~vectors.any(axis=1)] = 1
    pictures = st.lists(st.integers(0, PICTURES - 1), max_size=30)
    for _ in range(data.draw(st.integers(2, 6))):
        rows = data.draw(pictures)
        by_number = data.draw(st.sampled_from([True, True, True, False]))
        rank = np.argsort(np.argsort(rows if by_number else rows[::-1], kind="stable"))
        near = data.draw(st.sampled_from([0.0, 0.05, 0.3]))
        found = score(cache, rows, rank=rank, vectors=vectors, near=near)
        expected = dw.uniqueness(
            vectors[rows], fingerprints=[PRINTS[row] for row in rows], rank=rank, near=near
        )
        assert found.equals(expected)
    cache.close()


@pytest.mark.lengthy
@pytest.mark.parametrize("near", [0.0, 0.05, 0.4])
def test_m_more_images_cost_m_times_n_distances_and_as_many_fewer_no_more(cache, distances, near):
    n, m = 500, 20
    vectors = np.random.default_rng(1).normal(size=(n, 6)).astype(np.float16)
    prints = [np.random.default_rng(1000 + i).bytes(16).hex() for i in range(n)]

    def run(rows):
        distances.clear()
        arguments = {
            "fingerprints": [prints[row] for row in rows],
            "rank": np.array(rows, np.int64),
        }
        nearest = searches.find_with_store(
            cache, "m", vectors[rows], **arguments, radius=radius_of(near, 1.0)
        )
        spent = sum(distances)
        found = score_images(nearest, near=near, gamma=1.0)
        assert found.equals(dw.uniqueness(vectors[rows], **arguments, near=near))
        return found, spent

    some = [row for row in range(n) if row % 25]
    assert len(some) == n - m
    _, spent = run(some)
    assert spent >= len(some) * (len(some) - 1) // 2
    _, spent = run(list(range(n)))
    assert 0 < spent <= m * n
    _, spent = run(list(range(n)))
    assert spent == 0
    gone = set(range(3, n, 25))
    last, _ = run(list(range(n)))
    orphans = sum(nearest in gone for nearest in last["nearest"].to_list())
    _, spent = run([row for row in range(n) if row not in gone])
    assert 0 < spent <= orphans * n < n * (n - 1) // 2


def test_keys_of_different_vectors_differ_whichever_component_changed():
    prints, rows = [PRINTS[0]] * 9, np.arange(9)
    for d in (1, 3, 4, 5, 8):
        vectors = np.ones((9, d), np.float16)
        for row in range(1, 9):
            vectors[row, row % d] = 1 + row / 64
        assert len(np.unique(searches.keys(prints, vectors, rows), axis=0)) == 9


def test_nothing_and_one_picture_are_scored_without_a_trace(cache):
    assert len(score(cache, [])) == 0
    assert score(cache, [3])["uniqueness"].to_list() == [1.0]
    assert cache.searches("m") == []


def test_compared_is_what_is_kept():
    assert set(Comparison.__dataclass_fields__) == {
        "fingerprints",
        "nearest",
        "distance",
        "radius",
        "pairs",
    }
