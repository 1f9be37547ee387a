import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dedup_widgets.errors import ImageError, ModelError
from dedup_widgets.images.source import LocalFiles
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.load import load_embedder
from dedup_widgets.scoring.pipeline import describe, recall
from dedup_widgets.store.database import Store


class Pixels:
    """An embedder: the picture at 4 x 4 pixels. Remembers how it was called."""

    name = "pixels"
    persistent = True
    near_distance = 0.05
    can_embed_text = False

    def __init__(self, portion: int | None, key: str = "pixels-1"):
        self.portion = portion
        self.key = key
        self.calls: list[int] = []
        self.threads: set[str] = set()

    def prepare(self, rgb):
        return np.asarray(rgb.resize((4, 4)), np.float32).ravel() + 1

    def encode(self, prepared):
        self.calls.append(len(prepared))
        self.threads.add(threading.current_thread().name)
        rows = np.stack(prepared)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def encode_text(self, text):
        raise ModelError(text)


class Unread(LocalFiles):
    """Files that may be looked up and not read."""

    def read(self, path):
        pytest.fail(f"read {path}")


@pytest.fixture
def folder(tmp_path, make_photo) -> Path:
    """Return a folder of 30 photos, 3 copies of one of them and a file of junk."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(30):
        make_photo(seed, (40, 30)).save(folder / f"{seed:02}.png")
    for copy in range(3):
        shutil.copy(folder / "07.png", folder / f"copy {copy}.png")
    (folder / "junk.jpg").write_text("no picture")
    return folder


@pytest.fixture
def paths(folder) -> list[str]:
    return sorted(str(path) for path in folder.iterdir())


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store.sqlite")


def run(paths, embedder, store, *, batch_size=8, workers=2, progress=False, source=None):
    source = source or LocalFiles()
    return describe(paths, embedder, store, source, batch_size, workers, progress)


def by_path(described):
    return {
        record.entry.path: None
        if record.error
        else described.embeddings[described.row_of[record.fingerprint]].tolist()
        for record in described.records
    }


portions = pytest.mark.parametrize("portion", [None, 4])


@portions
def test_every_path_has_a_record_and_every_fingerprint_a_row(paths, store, portion):
    assert isinstance(Pixels(portion), Embedder)
    described = run(paths, Pixels(portion), store)
    assert [record.entry.path for record in described.records] == paths
    assert [Path(r.entry.path).name for r in described.records if r.error] == ["junk.jpg"]
    assert described.embeddings.dtype == np.float16
    assert described.embeddings.shape == (30, 48)
    assert sorted(described.row_of.values()) == list(range(30))
    assert {r.fingerprint for r in described.records if r.fingerprint} == set(described.row_of)


@portions
def test_copies_are_embedded_once(paths, store, portion):
    embedder = Pixels(portion)
    run(paths, embedder, store)
    assert sum(embedder.calls) == 30


def test_a_network_with_portions_runs_in_the_threads_that_decode(paths, store, tmp_path):
    run(paths, embedder := Pixels(4), store)
    assert all(name.startswith("dedup-widgets") for name in embedder.threads)
    assert max(embedder.calls) == 4
    run(paths, embedder := Pixels(None), Store(tmp_path / "other.sqlite"))
    assert embedder.threads == {threading.current_thread().name}
    assert max(embedder.calls) == 8


@portions
@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 4), (100, 2)])
def test_batches_workers_and_order_change_nothing(
    paths, store, tmp_path, portion, batch_size, workers
):
    expected = by_path(run(paths, Pixels(portion), store))
    shuffled = np.random.default_rng(0).permutation(paths).tolist()
    other = Store(tmp_path / "other.sqlite")
    again = run(shuffled, Pixels(portion), other, batch_size=batch_size, workers=workers)
    assert [record.entry.path for record in again.records] == shuffled
    assert by_path(again) == expected


@portions
def test_what_the_store_knows_is_not_read_again(paths, store, portion):
    first = run(paths, Pixels(portion), store)
    again = run(paths, Pixels(portion), store, source=Unread())
    assert by_path(again) == by_path(first)
    assert again.records == first.records


@portions
def test_a_moved_or_touched_file_is_read_and_not_embedded_again(folder, paths, store, portion):
    before = run(paths, Pixels(portion), store)
    (folder / "00.png").touch()
    moved = folder.rename(folder.with_name("elsewhere"))
    again = Pixels(portion)
    after = run(sorted(str(path) for path in moved.iterdir()), again, store)
    assert again.calls == []
    assert after.row_of.keys() == before.row_of.keys()
    for fingerprint, row in after.row_of.items():
        was = before.embeddings[before.row_of[fingerprint]]
        assert np.array_equal(after.embeddings[row], was)
    assert [record.fingerprint for record in after.records] == [
        record.fingerprint for record in before.records
    ]


@portions
def test_recall_tells_what_is_known_and_reads_nothing(folder, paths, store, portion, make_photo):
    embedder = Pixels(portion)
    assert recall(paths, embedder, store, Unread(), 2).records == []
    described = run(paths[:20], embedder, store)
    make_photo(99, (50, 50)).save(folder / "03.png")
    (folder / "04.png").unlink()
    known = recall(paths, embedder, store, Unread(), 2)
    expected = by_path(described)
    del expected[str(folder / "03.png")]
    expected[str(folder / "04.png")] = None
    assert by_path(known) == expected
    assert recall(paths, Pixels(portion, key="another"), store, Unread(), 2).row_of == {}


@portions
def test_nothing_and_only_junk_give_no_rows(folder, store, portion):
    assert run([], Pixels(portion), store).embeddings.shape == (0, 0)
    described = run([str(folder / "junk.jpg")], Pixels(portion), store)
    assert described.embeddings.shape[0] == 0
    assert described.records[0].error


@portions
def test_progress_is_told_from_what_is_known_to_the_end(paths, store, portion):
    run(paths[:10], Pixels(portion), store)
    told: list[tuple[int, int]] = []
    run(paths, Pixels(portion), store, progress=lambda *numbers: told.append(numbers))
    assert told[0] == (10, len(paths))
    assert told[-1] == (len(paths), len(paths))
    assert told == sorted(told)


class Slowly(LocalFiles):
    """Files of a slow disk, which count how often they are read."""

    def __init__(self):
        self.read_files = 0

    def read(self, path):
        self.read_files += 1
        time.sleep(0.02)
        return super().read(path)


@portions
@pytest.mark.parametrize("stop", [KeyboardInterrupt, ImageError])
def test_what_progress_raises_stops_the_work_and_keeps_what_is_done(paths, store, portion, stop):
    def halt(done, total):
        if done >= 8:
            raise stop

    slow = Slowly()
    embedder = Pixels(portion)
    before = set(threading.enumerate())
    with pytest.raises(stop):
        run(paths, embedder, store, progress=halt, batch_size=4, source=slow)
    assert set(threading.enumerate()) <= before
    assert slow.read_files < len(paths)
    kept = len(recall(paths, embedder, store, Unread(), 2).row_of)
    assert kept >= 8
    assert sum(embedder.calls) - kept <= 8
    again = Pixels(portion)
    run(paths, again, store)
    assert sum(again.calls) == 30 - kept


def test_copies_are_stored_as_often_as_other_pictures_so_that_an_interrupt_loses_few(
    tmp_path, make_photo, store
):
    class Interrupted(LocalFiles):
        left = 100

        def read(self, path):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return super().read(path)

    files = [tmp_path / f"{copy:03}.png" for copy in range(150)]
    make_photo(0, (40, 30)).save(files[0])
    for copy in files[1:]:
        shutil.copy(files[0], copy)
    paths = [str(file) for file in files]
    with pytest.raises(KeyboardInterrupt):
        run(paths, Pixels(None), store, batch_size=2, workers=1, source=Interrupted())
    stored = len(recall(paths, Pixels(None), store, Unread(), 2).records)
    assert stored == 100 // 8 * 8  # a batch of 2 pictures holds 8 files at most


@portions
def test_an_error_of_the_model_comes_out_and_keeps_what_is_done(paths, store, portion):
    class Failing(Pixels):
        def encode(self, prepared):
            if len(self.calls) == 3:
                raise ModelError("failing: out of memory")
            return super().encode(prepared)

    with pytest.raises(ModelError, match="out of memory"):
        run(paths, Failing(portion), store, batch_size=4)
    assert recall(paths, Pixels(portion), store, Unread(), 2).row_of


@portions
def test_vectors_of_another_length_are_told(paths, store, portion):
    class Longer(Pixels):
        def encode(self, prepared):
            return super().encode(prepared)[:, :5]

    run(paths[:3], Pixels(portion), store)
    with pytest.raises(ModelError, match="'pixels' gave vectors of different lengths, 5 and 48"):
        run(paths, Longer(portion), store)


def test_few_prepared_pictures_wait_in_memory(folder, paths, store):
    alive = []
    most = 0

    class Held:
        """A prepared picture that is counted as long as it lives."""

        def __init__(self, row):
            self.row = row
            alive.append(1)

        def __del__(self):
            alive.pop()

    class Counting(Pixels):
        def prepare(self, rgb):
            nonlocal most
            most = max(most, len(alive) + 1)
            return Held(super().prepare(rgb))

        def encode(self, prepared):
            time.sleep(0.01)
            return super().encode([picture.row for picture in prepared])

    for portion in (None, 2):
        run(paths, Counting(portion, key=str(portion)), store, batch_size=4)
        assert most <= 3 * 4 + 2
        assert not alive


@pytest.mark.slow
def test_the_default_network_gives_the_same_bits_in_any_batch(paths, store, tmp_path):
    embedder = load_embedder("efficientnet-lite0", device="cpu")
    expected = by_path(run(paths[:11], embedder, store, batch_size=32))
    other = Store(tmp_path / "other.sqlite")
    backwards = run(paths[:11][::-1], embedder, other, batch_size=3, workers=3)
    assert by_path(backwards) == expected
