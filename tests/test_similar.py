"""Similar items: all images are compared with one."""

import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.vectors import Vectors, cosines, unit_vectors
from dedup_widgets.search.scan import Rounded, Scan
from dedup_widgets.search.similar import SimilarImages
from effort import examples

seeds = st.integers(0, 2**32 - 1)
many = examples(25)


def clustered(n=400, d=16, seed=0):
    """Float16 vectors in clusters of about ten, a tenth of them copies."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((n // 10, d))
    rows = centres[rng.integers(n // 10, size=n)] + 0.4 * rng.standard_normal((n, d))
    rows[-n // 10 :] = rows[: n // 10]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def expected(vectors, query, k):
    cosine = cosines(unit_vectors([query]), unit_vectors(vectors))[0]
    rows = np.lexsort((np.arange(len(vectors)), -cosine))[:k]
    return rows.tolist(), np.clip(1 - cosine[rows], 0, 1).astype(np.float32).tolist()


@pytest.fixture
def vectors():
    return clustered()


def answers(found_by, rows, k=6):
    return [[part.tolist() for part in found_by.nearest_to_row(row, k)] for row in rows]


# The nearest


@many
@given(seeds, st.integers(0, 70), st.sampled_from([1, 8, 33]))
def test_the_nearest_are_found_in_order(seed, k, d):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((rng.integers(1, 60), d))
    rows = rows[rng.integers(len(rows), size=len(rows))]
    query = rng.standard_normal(d)
    found, distances = Scan(rows).search(query, k)
    assert found.dtype == np.int64
    assert distances.dtype == np.float32
    assert (found.tolist(), distances.tolist()) == expected(rows, query, k)


@many
@given(seeds, st.integers(1, 300), st.sampled_from([1e-4, 1e-2, 0.3, 3.0]))
def test_rounding_to_8_bits_misses_none(seed, k, spread):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal(64) + spread * rng.standard_normal((3000, 64))
    # One number of some exceeds all others by far, which leaves few bits to them.
    rows[::7, rng.integers(64)] *= 1000
    row = int(rng.integers(3000))
    found, distances = Scan(rows).search(rows[row], k)
    assert (found.tolist(), distances.tolist()) == expected(rows, rows[row], k)


def test_few_are_compared_exactly():
    vectors = Vectors(clustered(20_000, 64))
    rounded = Rounded(vectors)
    for row in range(0, 20_000, 1000):
        assert len(rounded.candidates(vectors.unit([row]), 13)) < 200


def test_the_number_of_threads_and_of_rows_at_a_time_changes_nothing(vectors):
    exact = answers(Scan(vectors), range(0, 400, 7))
    assert answers(Scan(vectors, rows_at_a_time=37), range(0, 400, 7)) == exact
    unit, rounded = Vectors(vectors).unit([3]), Rounded(Vectors(vectors))
    one, three = (rounded.candidates(unit, 9, threads).tolist() for threads in (1, 3))
    assert one == three


def test_all_identical_vectors_are_found():
    rows = np.tile([[1.0, 0.0, 0.0]], (500, 1))
    rows[::5] = np.random.default_rng(0).standard_normal((100, 3))
    found, distances = Scan(rows).search([5.0, 0.0, 0.0], 400)
    assert found.tolist() == [i for i in range(500) if i % 5]
    assert not distances.any()


def test_what_float32_cannot_tell_apart_is_in_order():
    rng = np.random.default_rng(0)
    query = rng.standard_normal(256)
    rows = query + 3e-4 * rng.standard_normal((3000, 256))
    found, _ = Scan(rows).search(query, 100)
    assert found.tolist() == expected(rows, query, 100)[0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("length", [1.0, 3e-4, 50.0, 1e30])
def test_vectors_of_any_type_and_length_are_compared(dtype, length):
    if dtype is np.float16 and length == 1e30:
        length = 1000.0
    rows = (length * clustered(300).astype(np.float64)).astype(dtype)
    rows.flags.writeable = False
    for k in (1, 7, 300):
        for row in (0, 123, 299):
            assert Scan(rows).search(rows[row], k)[0].tolist() == expected(rows, rows[row], k)[0]


def test_threads_share_a_scan(vectors):
    alone = answers(Scan(vectors), range(3))
    shared, together = Scan(vectors), threading.Barrier(8)

    def ask(i):
        if i < 8:
            together.wait(30)
        return answers(shared, [i % 3])[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(48))) == alone * 16


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
        Scan([[1.0, 0.0]]).search(query, k)


def test_among_no_vectors_nothing_is_found():
    rows, distances = Scan(np.empty((0, 4))).search([1, 0, 0, 0], 3)
    assert rows.size == distances.size == 0


# As images


def frame_of(vectors, folder="/photos"):
    paths = [f"{folder}/{i}.jpg" for i in range(len(vectors))]
    return pl.DataFrame({"path": paths, "embedding": pl.Series(vectors)})


def test_images_without_an_embedding_are_no_ones_neighbours(vectors):
    frame = frame_of(vectors).with_columns(
        embedding=pl.when(pl.int_range(400) % 3 > 0).then("embedding")
    )
    images = SimilarImages(frame)
    rows, distances = images.rows(1, 400)
    assert sorted([1, *rows.tolist()]) == [row for row in range(400) if row % 3]
    there = [row for row in range(400) if row % 3]
    exact = expected(vectors[there], vectors[1], len(there))[0]
    assert rows.tolist() == [there[i] for i in exact if there[i] != 1]
    assert np.all(np.diff(distances) >= 0)
    with pytest.raises(InputError, match=r"0\.jpg has no embedding"):
        images.rows(0, 3)


def test_a_widget_shows_what_the_function_finds(vectors):
    frame = frame_of(vectors)
    grid = dw.SimilarItems(frame, "/photos/3.jpg")
    exact = expected(vectors, vectors[3], 6)[0]
    paths = [f"/photos/{row}.jpg" for row in exact if row != 3]
    assert grid.similar("/photos/3.jpg", 5)["path"].to_list() == paths


def test_nothing_is_written_for_a_search(vectors, own_store):
    before = sorted(own_store.parent.rglob("*"))
    dw.similar(frame_of(vectors), "/photos/3.jpg", 5)
    assert sorted(own_store.parent.rglob("*")) == before


def test_calls_with_the_same_frame_share_a_scan(vectors, monkeypatch):
    made = []

    class Counted(Scan):
        def __init__(self, vectors):
            super().__init__(vectors)
            made.append(weakref.ref(self))

    module = sys.modules["dedup_widgets.search.similar"]  # the package has a function of this name
    monkeypatch.setattr(module, "Scan", Counted)
    frame = frame_of(vectors)
    first = dw.similar(frame, "/photos/3.jpg", 5)
    assert dw.similar(frame, "/photos/3.jpg", 5).equals(first)
    (scan,) = made
    del frame
    assert scan() is None


def test_a_frame_changed_in_place_is_looked_at_again(vectors):
    frame = frame_of(vectors)
    twin = expected(vectors, vectors[3], 2)[0][1]
    assert dw.similar(frame, "/photos/3.jpg", 1)["path"].item() == f"/photos/{twin}.jpg"
    frame[twin, "path"] = "/photos/renamed.jpg"
    assert dw.similar(frame, "/photos/3.jpg", 1)["path"].item() == "/photos/renamed.jpg"
    assert dw.similar(frame, "/photos/renamed.jpg", 1)["distance"].item() >= 0
    frame.replace_column(1, pl.Series("embedding", vectors[::-1].copy()))
    turned = expected(vectors[::-1], vectors[::-1][3], 2)[0]
    rows = [row for row in turned if row != 3]
    found = dw.similar(frame, "/photos/3.jpg", 1)["embedding"].to_numpy()[0]
    assert np.array_equal(found, vectors[::-1][rows[0]])
    frame.insert_column(0, pl.Series("label", ["x"] * 400))
    assert dw.similar(frame, "/photos/3.jpg", 1)["label"].to_list() == ["x"]
