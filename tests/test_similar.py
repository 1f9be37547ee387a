"""Similar items: the index behind them, in memory and on disk."""

import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.hnsw import build_graph
from dedup_widgets.neighbors.vectors import Vectors, cosines, unit_vectors
from dedup_widgets.search import graph_files
from dedup_widgets.search.graph_files import GraphFiles, graph_key
from dedup_widgets.search.index import VectorIndex
from dedup_widgets.search.scan import Scan
from dedup_widgets.search.shared_graph import DamagedError, SharedGraph, digest
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


def answers(vector_index, rows, k=6):
    return [[part.tolist() for part in vector_index.nearest_to_row(row, k)] for row in rows]


def ready(vectors, store=None, **limits):
    """Return an index whose graph is there."""
    made = VectorIndex(vectors, hnsw_from=0, beside=store, **limits)
    assert made.is_ready(None)
    return made


@pytest.fixture
def store(tmp_path):
    return tmp_path / "cache" / "store.sqlite"


@pytest.fixture
def vectors():
    return clustered()


@pytest.fixture
def saved(vectors, store):
    """Return the file of the graph of `vectors`."""
    ready(vectors, store)
    (file,) = (store.parent / "store.similar").iterdir()
    return file


# The nearest, whoever finds them


@many
@given(seeds, st.integers(0, 70), st.sampled_from([0, 10**6]))
def test_an_index_finds_the_nearest_in_order(seed, k, hnsw_from):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((rng.integers(1, 60), 8))
    rows = rows[rng.integers(len(rows), size=len(rows))]
    query = rng.standard_normal(8)
    vector_index = VectorIndex(rows, hnsw_from=hnsw_from)
    vector_index.is_ready(None)
    found, distances = vector_index.search(query, k)
    assert found.dtype == np.int64
    assert distances.dtype == np.float32
    assert (found.tolist(), distances.tolist()) == expected(rows, query, k)


@pytest.mark.parametrize("hnsw_from", [0, 10**6])
def test_all_identical_vectors_are_found(hnsw_from):
    rows = np.tile([[1.0, 0.0, 0.0]], (500, 1))
    rows[::5] = np.random.default_rng(0).standard_normal((100, 3))
    vector_index = VectorIndex(rows, hnsw_from=hnsw_from)
    vector_index.is_ready(None)
    found, distances = vector_index.search([5.0, 0.0, 0.0], 400)
    assert found.tolist() == [i for i in range(500) if i % 5]
    assert not distances.any()


def test_an_index_orders_what_float32_cannot_tell_apart():
    rng = np.random.default_rng(0)
    query = rng.standard_normal(256)
    rows = query + 3e-4 * rng.standard_normal((3000, 256))
    found, _ = VectorIndex(rows).search(query, 100)
    assert found.tolist() == expected(rows, query, 100)[0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("length", [1.0, 3e-4, 50.0, 1e30])
def test_a_scan_without_a_copy_picks_the_same(dtype, length):
    if dtype is np.float16 and length == 1e30:
        length = 1000.0
    rows = (length * clustered(300).astype(np.float64)).astype(dtype)
    rows.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scan = Scan(Vectors(rows), rows, max_copied_numbers=0, one_thread_numbers=64 * 16)
        for k in (1, 7, 300):
            for row in (0, 123, 299):
                picked = scan.candidates(unit_vectors(rows[row : row + 1])[0], k)
                assert set(expected(rows, rows[row], k)[0]) <= set(picked.tolist())
                assert len(picked) <= k + 60


def test_threads_share_an_index(vectors):
    vector_index = ready(vectors)
    alone = answers(vector_index, range(3))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: answers(vector_index, [i % 3])[0], range(48)))
    assert found == alone * 16


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
    for hnsw_from in (None, 0):
        rows, distances = VectorIndex(np.empty((0, 4)), hnsw_from=hnsw_from).search([1, 0, 0, 0], 3)
        assert rows.size == distances.size == 0


@pytest.mark.parametrize("until", [100, 10**6])
def test_a_row_that_does_not_find_itself_is_searched_for_longer(vectors, monkeypatch, until):
    exact = answers(VectorIndex(vectors), range(0, 300, 30))
    vector_index = ready(vectors, max_graph_neighbors=200)
    search = SharedGraph.nodes

    def lost(graph, unit, count):
        if count > until:
            return search(graph, unit, count)
        first = unit_vectors(vectors[graph.first(np.arange(len(graph)))])
        return np.argsort(first @ unit)[:count]

    monkeypatch.setattr(SharedGraph, "nodes", lost)
    assert answers(vector_index, range(0, 300, 30)) == exact


def test_a_graph_is_built_the_same_each_time_whatever_the_blocks(vectors):
    once = bytes(build_graph(unit_vectors(vectors), dtype="f16").save())
    assert bytes(build_graph(Vectors(vectors), dtype="f16", block=7).save()) == once


@pytest.mark.lengthy
def test_among_nearly_equal_frames_of_a_video_few_neighbours_are_missed():
    rng = np.random.default_rng(0)
    rows = clustered(2000, 32).astype(np.float32)
    steps = 0.002 * rng.standard_normal((600, 32))
    rows[:600] = rows[0] + np.cumsum(0.3 * steps, axis=0) + steps
    vector_index, exact = ready(rows), VectorIndex(rows)
    asked = range(0, 2000, 10)
    pairs = zip(answers(vector_index, asked, 12), answers(exact, asked, 12), strict=True)
    missed = sum(len(set(all_rows) - set(rows)) for (rows, _), (all_rows, _) in pairs)
    assert missed <= 0.01 * 12 * len(asked)


# From all vectors to the graph


def test_answers_are_the_same_before_and_after_the_graph_is_there(vectors, store):
    exact = answers(VectorIndex(vectors), range(0, 400, 7))
    vector_index = VectorIndex(vectors, hnsw_from=0, beside=store)
    before = answers(vector_index, range(0, 400, 7))
    assert vector_index.is_ready(None)
    assert before == answers(vector_index, range(0, 400, 7)) == exact


def test_a_search_does_not_wait_for_the_graph(vectors, monkeypatch):
    go_on = threading.Event()
    build = SharedGraph.build

    def slow(*args, **options):
        go_on.wait(30)
        return build(*args, **options)

    monkeypatch.setattr(SharedGraph, "build", slow)
    vector_index = VectorIndex(vectors, hnsw_from=0)
    assert answers(vector_index, [5]) == answers(VectorIndex(vectors), [5])
    assert not vector_index.is_ready()
    go_on.set()
    assert vector_index.is_ready(None)


def test_below_its_size_no_graph_is_built(vectors, store):
    vector_index = VectorIndex(vectors, beside=store)
    assert vector_index.is_ready()
    answers(vector_index, [0])
    assert not store.parent.exists()


def test_nobody_builds_what_nobody_wants(vectors, monkeypatch):
    begun, gone, stopped = threading.Event(), threading.Event(), threading.Event()
    build = SharedGraph.build

    def watched(vectors, on_block):
        def slowly(done, total):
            begun.set()
            gone.wait(60)
            on_block(done, total)

        try:
            return build(vectors, on_block=slowly)
        except BaseException:
            stopped.set()
            raise

    monkeypatch.setattr(SharedGraph, "build", watched)
    vector_index = VectorIndex(vectors, hnsw_from=0)
    vector_index.is_ready()
    assert begun.wait(60)
    del vector_index
    gone.set()
    assert stopped.wait(60)


def test_indexes_of_the_same_vectors_share_one_graph(vectors, monkeypatch):
    built = []
    build = SharedGraph.build

    def counted(*args, **options):
        built.append(1)
        return build(*args, **options)

    monkeypatch.setattr(SharedGraph, "build", counted)
    indexes = [VectorIndex(vectors.copy(), hnsw_from=0) for _ in range(4)]
    for one in indexes:
        one.is_ready()
    assert all(one.is_ready(None) for one in indexes)
    assert len(built) == 1


def test_a_graph_that_cannot_be_built_is_said_and_all_are_looked_at(vectors, monkeypatch):
    def fails(*args, **options):
        raise MemoryError("no room")

    monkeypatch.setattr(SharedGraph, "build", fails)
    vector_index = VectorIndex(vectors, hnsw_from=0)
    with pytest.warns(UserWarning, match="no room; each search looks at all 400 images"):
        assert not vector_index.is_ready(None)
    assert answers(vector_index, [3]) == answers(VectorIndex(vectors), [3])


@pytest.mark.slow
def test_a_process_that_ends_does_not_wait_for_its_graph(tmp_path):
    program = """
        import atexit, sys, numpy as np
        from pathlib import Path
        from usearch.index import Index
        add, added = Index.add, []
        Index.add = lambda self, keys, *rest, **more: (
            added.append(len(keys)), add(self, keys, *rest, **more)
        )
        atexit.register(lambda: print(sum(added)))  # the first to be registered runs last
        from dedup_widgets.search.index import VectorIndex
        rows = np.random.default_rng(0).standard_normal((200_000, 64), np.float32)
        index = VectorIndex(rows, hnsw_from=0, beside=Path(sys.argv[1]) / "store.sqlite")
        index.is_ready(1.5)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) < 200_000
    assert not list(tmp_path.rglob("*.usearch"))


# On disk


@pytest.mark.lengthy
def test_a_saved_graph_is_mapped_and_answers_alike(vectors, saved, store, monkeypatch):
    in_memory = answers(ready(vectors), range(0, 400, 9))
    monkeypatch.setattr(SharedGraph, "build", None)
    again = ready(vectors, store)
    assert answers(again, range(0, 400, 9)) == in_memory
    assert again.graph.memory_usage < 10_000 + 80 * 400
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


@pytest.mark.lengthy
def test_another_content_has_another_file(vectors, saved, store):
    changed = vectors.copy()
    changed[17] = changed[18]
    exact = answers(VectorIndex(changed), range(0, 400, 9))
    assert answers(ready(changed, store), range(0, 400, 9)) == exact
    assert len(list(saved.parent.iterdir())) == 2


@many
@given(seeds)
def test_any_change_of_the_vectors_changes_the_name(seed):
    rng = np.random.default_rng(seed)
    vectors = clustered(50, 8)
    changed = vectors.copy()
    changed.view(np.uint8)[rng.integers(50), rng.integers(16)] ^= 1 << rng.integers(8)
    keys = {graph_key(vectors), graph_key(changed), graph_key(vectors[:-1])}
    keys |= {graph_key(vectors.reshape(100, 4)), graph_key(vectors.view(np.int16))}
    assert len(keys) == 5
    assert graph_key(np.asfortranarray(vectors)) == graph_key(vectors)


def test_pieces_are_told_apart():
    numbers = np.arange(1000, dtype=np.uint8)
    assert digest(numbers, piece=100) != digest(np.roll(numbers, 100), piece=100)
    assert len(digest(numbers)) == 32


@pytest.mark.lengthy
def test_a_flipped_bit_anywhere_is_noticed(vectors, saved):
    whole = saved.read_bytes()
    key = saved.stem.encode()
    assert len(SharedGraph.read(saved, key)) == 360
    size = len(whole)
    rng = np.random.default_rng(0)
    for at in [*range(0, 200, 7), *rng.integers(size, size=150), *range(size - 120, size)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        other = saved.with_name("damaged")
        other.write_bytes(damaged)
        with pytest.raises(DamagedError):
            SharedGraph.read(other, key)


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "damage",
    [
        lambda _whole: b"",
        lambda _whole: b"x",
        lambda whole: whole[:-1],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[8:],
        lambda whole: whole + b"\0",
        lambda whole: bytes(len(whole)),
        lambda whole: np.random.default_rng(0).bytes(len(whole)),
        lambda whole: whole[:5000] + b"\0" + whole[5001:],
    ],
    ids=["empty", "a byte", "cut", "half", "late", "longer", "zeros", "junk", "one byte"],
)
def test_a_damaged_file_is_said_and_built_anew(vectors, saved, store, damage):
    whole = saved.read_bytes()
    saved.write_bytes(damage(whole))
    with pytest.warns(UserWarning, match="cannot be used: .*; it is built anew"):
        again = ready(vectors, store)
    assert answers(again, range(0, 400, 9)) == answers(VectorIndex(vectors), range(0, 400, 9))
    assert saved.read_bytes() == whole


def test_the_graph_of_other_vectors_under_this_name_is_noticed(vectors, saved, store):
    whole = saved.read_bytes()
    ready(clustered(seed=1), store)
    (other,) = set(saved.parent.iterdir()) - {saved}
    saved.write_bytes(other.read_bytes())
    with pytest.warns(UserWarning, match="another file"):
        ready(vectors, store)
    assert saved.read_bytes() == whole


@pytest.mark.filterwarnings("ignore:the index of similar images .* cannot be used")
@pytest.mark.parametrize("in_the_way", ["file", "read-only", "folder"])
def test_where_nothing_can_be_kept_it_says_so_and_answers(vectors, store, in_the_way, monkeypatch):
    folder = store.parent / "store.similar"
    if in_the_way == "file":
        store.parent.mkdir()
        folder.write_text("not a folder")
    elif in_the_way == "read-only":
        folder.mkdir(parents=True)
        monkeypatch.setattr("tempfile.mkstemp", _refused)  # chmod does not stop root
    else:
        (folder / f"{graph_key(vectors)}.usearch").mkdir(parents=True)
    with pytest.warns(UserWarning, match="cannot be kept in .* it stays in memory"):
        vector_index = ready(vectors, store)
    assert answers(vector_index, [0, 9]) == answers(VectorIndex(vectors), [0, 9])
    assert not list(store.parent.rglob("*.tmp"))


def test_a_full_disk_leaves_nothing_behind(vectors, store, monkeypatch):
    def full(_graph, path, _key):
        path.write_bytes(b"some")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SharedGraph, "write", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        vector_index = ready(vectors, store)
    assert answers(vector_index, [0, 9]) == answers(VectorIndex(vectors), [0, 9])
    assert not list((store.parent / "store.similar").iterdir())


def test_a_file_that_came_out_short_is_not_kept(vectors, store, monkeypatch):
    class Short:
        def __init__(self, graph):
            self.serialized_length = graph.serialized_length
            self.content = bytes(graph.save())[:-10]

        def save(self, path):
            Path(path).write_bytes(self.content)

    graph = build_graph(Vectors(vectors), dtype="f16")
    rows = np.arange(len(vectors))
    made = SharedGraph(Short(graph), rows, rows + 1)
    with pytest.warns(UserWarning, match="bytes were written"):
        assert GraphFiles(store).save("0" * 32, made) is made
    assert not list((store.parent / "store.similar").iterdir())


def test_a_file_that_windows_does_not_let_be_replaced_is_used_as_it_is(vectors, saved, store):
    files = GraphFiles(store)
    made = SharedGraph.build(Vectors(vectors))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", _refused)
        found = files.save(saved.stem, made)
        assert found is not made
        saved.write_bytes(b"damaged and in use")
        with pytest.warns(UserWarning, match="cannot be kept"):
            assert files.save(saved.stem, made) is made
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def _refused(*_args):
    raise PermissionError(13, "Access is denied")


@pytest.mark.lengthy
def test_a_mapped_file_may_be_removed(vectors, saved, store):
    vector_index = ready(vectors, store)
    before = answers(vector_index, range(0, 400, 9))
    saved.unlink()
    assert answers(vector_index, range(0, 400, 9)) == before


def test_the_folder_stays_small(store):
    for seed in range(graph_files.MAX_FILES + 2):
        ready(clustered(40, seed=seed), store)
        time.sleep(0.02)
    folder = store.parent / "store.similar"
    kept = {file.stem for file in folder.iterdir()}
    assert kept == {graph_key(clustered(40, seed=seed)) for seed in range(2, 6)}
    ready(clustered(40, seed=2), store)  # used again, so it is not the oldest any more
    time.sleep(0.02)
    ready(clustered(40, seed=7), store)
    kept = {file.stem for file in folder.iterdir()}
    assert graph_key(clustered(40, seed=2)) in kept
    assert graph_key(clustered(40, seed=3)) not in kept
    GraphFiles(store, max_bytes=1).save("last", SharedGraph.build(Vectors(clustered(40, seed=8))))
    assert [file.stem for file in folder.iterdir()] == ["last"]


def test_what_a_killed_process_left_unfinished_is_removed(vectors, store):
    folder = store.parent / "store.similar"
    folder.mkdir(parents=True)
    for name, age in (("old.tmp", 2 * graph_files.ABANDONED_SECONDS), ("new.tmp", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    ready(vectors, store)
    names = {file.name for file in folder.iterdir()}
    assert names == {"new.tmp", f"{graph_key(vectors)}.usearch"}


@pytest.mark.slow
def test_processes_that_build_at_once_agree(tmp_path, vectors):
    np.save(tmp_path / "vectors.npy", vectors)
    program = """
        import sys, numpy as np
        from pathlib import Path
        from dedup_widgets.search.index import VectorIndex
        folder = Path(sys.argv[1])
        rows = np.load(folder / "vectors.npy")
        index = VectorIndex(rows, hnsw_from=0, beside=folder / "store.sqlite")
        assert index.is_ready(None)
        print([index.nearest_to_row(row, 6)[0].tolist() for row in range(0, 400, 9)])
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {process.communicate(timeout=200)[0] for process in running}
    exact = [rows for rows, _ in answers(VectorIndex(vectors), range(0, 400, 9))]
    assert printed == {f"{exact}\n"}
    assert len(list((tmp_path / "store.similar").iterdir())) == 1


# As images


def frame_of(vectors, folder="/photos"):
    paths = [f"{folder}/{i}.jpg" for i in range(len(vectors))]
    return pl.DataFrame({"path": paths, "embedding": pl.Series(vectors)})


@pytest.fixture
def with_graph(monkeypatch):
    """Let graphs serve frames of any size; return which indexes were made."""
    made = []

    def make(*arguments, **options):
        index = VectorIndex(*arguments, hnsw_from=0, **options)
        made.append(weakref.ref(index))
        return index

    module = sys.modules["dedup_widgets.search.similar"]  # the package has a function of this name
    monkeypatch.setattr(module, "VectorIndex", make)
    return made


def test_images_without_an_embedding_are_no_ones_neighbours(vectors, with_graph, store):
    frame = frame_of(vectors).with_columns(
        embedding=pl.when(pl.int_range(400) % 3 > 0).then("embedding")
    )
    images = SimilarImages(frame, beside=store)
    assert images.is_ready(None)
    rows, distances = images.rows(1, 400)
    assert sorted([1, *rows.tolist()]) == [row for row in range(400) if row % 3]
    there = [row for row in range(400) if row % 3]
    exact = expected(vectors[there], vectors[1], len(there))[0]
    assert rows.tolist() == [there[i] for i in exact if there[i] != 1]
    assert np.all(np.diff(distances) >= 0)
    with pytest.raises(InputError, match=r"0\.jpg has no embedding"):
        images.rows(0, 3)


@pytest.mark.parametrize("most", [1000, 0])
def test_what_scoring_found_near_is_not_missed(vectors, with_graph, store, monkeypatch, most):
    def blind(graph, unit, count):
        """Find a vector itself, and the farthest ones."""
        cosine = unit_vectors(vectors[graph.first(np.arange(len(graph)))]) @ unit
        return np.append(cosine.argmax(), np.argsort(cosine)[: count - 1])

    monkeypatch.setattr(SharedGraph, "nodes", blind)
    frame = frame_of(vectors)
    scored = dw.uniqueness(vectors, near=0.15)
    nearest = frame["path"].gather(scored["nearest"])
    frame = frame.with_columns(group=scored["group"], nearest=nearest)
    images = SimilarImages(frame, beside=store, max_group=most)
    assert images.is_ready(None)
    for row in range(0, 360, 20):
        group = scored["group"][row]
        members = (scored["group"] == group).arg_true() if group is not None else []
        near = {*(members if len(members) <= most else []), scored["nearest"][row]} - {row}
        found, _ = images.rows(row, len(near) + 1)  # it may have a copy beside
        assert near <= set(found.tolist())


def test_a_widget_keeps_its_index_beside_its_store(vectors, with_graph, tmp_path):
    frame = frame_of(vectors)
    grid = dw.SimilarItems(frame, "/photos/3.jpg", store=tmp_path / "mine.sqlite")
    assert grid.session.searched.is_ready(None)
    exact = expected(vectors, vectors[3], 6)[0]
    paths = [f"/photos/{row}.jpg" for row in exact if row != 3]
    assert grid.similar("/photos/3.jpg", 5)["path"].to_list() == paths
    assert len(list((tmp_path / "mine.similar").iterdir())) == 1


def test_no_index_is_kept_among_the_images(vectors, with_graph, tmp_path):
    frame = frame_of(vectors, str(tmp_path))
    images = SimilarImages(frame, beside=tmp_path / "store.sqlite")
    with pytest.warns(UserWarning, match="among the images"):
        assert images.is_ready(None)
    assert not list(tmp_path.iterdir())
    assert SimilarImages(frame, beside=tmp_path / "cache" / "store.sqlite").is_ready(None)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    above = SimilarImages(frame, beside=tmp_path.parent / f"{tmp_path.name}.sqlite")
    assert above.is_ready(None)
    assert (tmp_path.parent / f"{tmp_path.name}.similar").is_dir()


def test_calls_with_the_same_frame_share_an_index(vectors, with_graph, own_store):
    frame = frame_of(vectors)
    first = dw.similar(frame, "/photos/3.jpg", 5)
    (index,) = with_graph
    assert index().is_ready(None)
    assert dw.similar(frame, "/photos/3.jpg", 5).equals(first)
    assert len(with_graph) == 1
    assert (own_store.parent / "store.similar").is_dir()
    del frame
    assert index() is None


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
