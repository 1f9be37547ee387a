import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import dedup_widgets as dw
from dedup_widgets._threads import in_order
from dedup_widgets.errors import ImageError, ModelError
from dedup_widgets.images.decode import decode as images_decode
from dedup_widgets.images.source import LocalFiles
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.load import load_embedder
from dedup_widgets.scoring.pipeline import describe, look_up
from dedup_widgets.store.cache import Cache


class Pixels:
    """An embedder: the picture at 4 x 4 pixels. Remembers how it was called."""

    name = "pixels"
    persistent = True
    near_distance = 0.05
    candidate_distance = 0.2
    can_embed_text = False

    def __init__(self, fixed_batch: int | None, key: str = "pixels-1"):
        self.fixed_batch = fixed_batch
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
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "store.sqlite")


def run(paths, embedder, cache, *, batch_size=8, workers=2, progress=False, source=None, **options):
    source = source or LocalFiles()
    return describe(
        paths, embedder, cache, lambda _path: source, batch_size, workers, progress, **options
    )


def by_path(described):
    return {
        record.entry.path: None
        if record.error
        else described.embeddings[described.row_of[record.fingerprint]].tolist()
        for record in described.records
    }


batches = pytest.mark.parametrize("fixed_batch", [None, 4])


@pytest.mark.lengthy
@batches
def test_every_path_has_a_record_and_every_fingerprint_a_row(paths, cache, fixed_batch):
    assert isinstance(Pixels(fixed_batch), Embedder)
    described = run(paths, Pixels(fixed_batch), cache)
    assert [record.entry.path for record in described.records] == paths
    assert [Path(r.entry.path).name for r in described.records if r.error] == ["junk.jpg"]
    assert described.embeddings.dtype == np.float16
    assert described.embeddings.shape == (30, 48)
    assert sorted(described.row_of.values()) == list(range(30))
    assert {r.fingerprint for r in described.records if r.fingerprint} == set(described.row_of)


@pytest.mark.lengthy
@batches
def test_copies_are_embedded_once(paths, cache, fixed_batch):
    embedder = Pixels(fixed_batch)
    run(paths, embedder, cache)
    assert sum(embedder.calls) == 30


@pytest.mark.lengthy
def test_a_network_with_portions_runs_in_the_threads_that_decode(paths, cache, tmp_path):
    run(paths, embedder := Pixels(4), cache)
    assert all(name.startswith("dedup-widgets") for name in embedder.threads)
    assert max(embedder.calls) == 4
    run(paths, embedder := Pixels(None), Cache(tmp_path / "other.sqlite"))
    assert embedder.threads == {threading.current_thread().name}
    assert max(embedder.calls) == 8


@pytest.mark.lengthy
@batches
@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 4), (100, 2)])
def test_batches_workers_and_order_change_nothing(
    paths, cache, tmp_path, fixed_batch, batch_size, workers
):
    expected = by_path(run(paths, Pixels(fixed_batch), cache))
    shuffled = np.random.default_rng(0).permutation(paths).tolist()
    other = Cache(tmp_path / "other.sqlite")
    again = run(shuffled, Pixels(fixed_batch), other, batch_size=batch_size, workers=workers)
    assert [record.entry.path for record in again.records] == shuffled
    assert by_path(again) == expected


@pytest.mark.lengthy
@batches
def test_what_the_store_knows_is_not_read_again(paths, cache, fixed_batch):
    first = run(paths, Pixels(fixed_batch), cache)
    again = run(paths, Pixels(fixed_batch), cache, source=Unread())
    assert by_path(again) == by_path(first)
    assert again.records == first.records


@pytest.mark.lengthy
@batches
def test_a_moved_or_touched_file_is_read_and_not_embedded_again(folder, paths, cache, fixed_batch):
    before = run(paths, Pixels(fixed_batch), cache)
    (folder / "00.png").touch()
    moved = folder.rename(folder.with_name("elsewhere"))
    again = Pixels(fixed_batch)
    after = run(sorted(str(path) for path in moved.iterdir()), again, cache)
    assert again.calls == []
    assert after.row_of.keys() == before.row_of.keys()
    for fingerprint, row in after.row_of.items():
        was = before.embeddings[before.row_of[fingerprint]]
        assert np.array_equal(after.embeddings[row], was)
    assert [record.fingerprint for record in after.records] == [
        record.fingerprint for record in before.records
    ]


@pytest.mark.lengthy
@batches
def test_recall_tells_what_is_known_and_reads_nothing(
    folder, paths, cache, fixed_batch, make_photo
):
    embedder = Pixels(fixed_batch)
    assert look_up(paths, embedder, cache, lambda _path: Unread(), 2).records == []
    described = run(paths[:20], embedder, cache)
    make_photo(99, (50, 50)).save(folder / "03.png")
    (folder / "04.png").unlink()
    known = look_up(paths, embedder, cache, lambda _path: Unread(), 2)
    expected = by_path(described)
    del expected[str(folder / "03.png")]
    expected[str(folder / "04.png")] = None
    assert by_path(known) == expected
    assert (
        look_up(paths, Pixels(fixed_batch, key="another"), cache, lambda _path: Unread(), 2).row_of
        == {}
    )


@batches
def test_nothing_and_only_junk_give_no_rows(folder, cache, fixed_batch):
    assert run([], Pixels(fixed_batch), cache).embeddings.shape == (0, 0)
    described = run([str(folder / "junk.jpg")], Pixels(fixed_batch), cache)
    assert described.embeddings.shape[0] == 0
    assert described.records[0].error


@pytest.mark.lengthy
@batches
def test_progress_is_told_from_what_is_known_to_the_end(paths, cache, fixed_batch):
    run(paths[:10], Pixels(fixed_batch), cache)
    told: list[tuple[int, int]] = []
    run(paths, Pixels(fixed_batch), cache, progress=lambda *numbers: told.append(numbers))
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


@pytest.mark.lengthy
@batches
@pytest.mark.parametrize("stop", [KeyboardInterrupt, ImageError])
def test_what_progress_raises_stops_the_work_and_keeps_what_is_done(
    paths, cache, fixed_batch, stop
):
    def halt(done, total):
        if done >= 8:
            raise stop

    slow = Slowly()
    embedder = Pixels(fixed_batch)
    before = set(threading.enumerate())
    with pytest.raises(stop):
        run(paths, embedder, cache, progress=halt, batch_size=4, source=slow)
    assert set(threading.enumerate()) <= before
    assert slow.read_files < len(paths)
    kept = len(look_up(paths, embedder, cache, lambda _path: Unread(), 2).row_of)
    assert kept >= 8
    assert sum(embedder.calls) - kept <= 8
    again = Pixels(fixed_batch)
    run(paths, again, cache)
    assert sum(again.calls) == 30 - kept


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ImageError])
def test_stopping_waits_for_no_picture_that_takes_long(paths, cache, stop):
    asked = []

    def halt(done, total):
        asked.append(done)
        if len(asked) == 3:
            raise stop

    class Stuck(LocalFiles):
        go_on = threading.Event()

        def read(self, path):
            self.go_on.wait()
            return super().read(path)

    with pytest.raises(stop):
        run(paths, Pixels(None), cache, progress=halt, source=Stuck(), patience=0.1)
    assert asked == [0, 0, 0]
    Stuck.go_on.set()


@pytest.mark.lengthy
def test_comparing_pictures_can_be_stopped_after_each_pair(tmp_path, make_photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = make_photo(0, (200, 150))
    for side in range(6):
        photo.resize((150 + side, 110)).save(folder / f"{side}.png")
    told = []

    def stop(done, total):
        told.append((done, total))
        if told[0] == (0, 6) and (6, 6) in told[:-1] and done == 2:
            raise KeyboardInterrupt

    options = {"model": "perceptual", "store": tmp_path / "store"}
    with pytest.raises(KeyboardInterrupt):
        dw.score(folder, progress=stop, **options)
    assert told[-2:] == [(1, told[-1][1]), (2, told[-1][1])], told
    assert dw.score(folder, progress=False, **options)["kind"].to_list() == ["near"] * 6


@pytest.mark.lengthy
def test_files_of_the_same_bytes_are_decoded_once(folder, paths, cache, monkeypatch):
    decoded = []

    def decode(data, decoding):
        decoded.append(data)
        return images_decode(data, decoding)

    monkeypatch.setattr("dedup_widgets.scoring.pipeline.decode", decode)
    (folder / "other junk.jpg").write_text("no picture")
    (folder / "no copy.jpg").write_text("NO PICTURE")
    paths = sorted(str(path) for path in folder.iterdir())
    described = run(paths, Pixels(4), cache, workers=4)
    assert len(decoded) == len(set(decoded)) == 32
    names = [Path(record.entry.path).name for record in described.records]
    records = dict(zip(names, described.records, strict=True))
    assert records["07.png"].fingerprint == records["copy 2.png"].fingerprint
    assert records["07.png"].facts == records["copy 2.png"].facts
    assert records["junk.jpg"].error == records["other junk.jpg"].error is not None
    assert [Path(path).name for path in paths] == names
    assert run(paths, Pixels(4), cache, source=Unread()).records == described.records


@pytest.mark.lengthy
def test_what_found_no_room_is_tried_again(paths, cache, monkeypatch):
    monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEMORY", "1e-7")
    none = run(paths, Pixels(None), cache)
    assert not none.row_of
    assert "shrink it" in str(none.records[0].error)
    monkeypatch.undo()
    again = run(paths, Pixels(None), cache)
    assert len(again.row_of) == 30


def test_copies_are_stored_as_often_as_other_pictures_so_that_an_interrupt_loses_few(
    tmp_path, make_photo, cache
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
        run(paths, Pixels(None), cache, batch_size=2, workers=1, source=Interrupted())
    stored = len(look_up(paths, Pixels(None), cache, lambda _path: Unread(), 2).records)
    assert stored == 100 // 8 * 8  # a batch of 2 pictures holds 8 files at most


@pytest.mark.lengthy
@batches
def test_an_error_of_the_model_comes_out_and_keeps_what_is_done(paths, cache, fixed_batch):
    class Failing(Pixels):
        def encode(self, prepared):
            if len(self.calls) == 3:
                raise ModelError("failing: out of memory")
            return super().encode(prepared)

    with pytest.raises(ModelError, match="out of memory"):
        run(paths, Failing(fixed_batch), cache, batch_size=4)
    assert look_up(paths, Pixels(fixed_batch), cache, lambda _path: Unread(), 2).row_of


@pytest.mark.lengthy
@batches
def test_vectors_of_another_length_are_told(paths, cache, fixed_batch):
    class Longer(Pixels):
        def encode(self, prepared):
            return super().encode(prepared)[:, :5]

    run(paths[:3], Pixels(fixed_batch), cache)
    with pytest.raises(ModelError, match="'pixels' gave vectors of different lengths, 5 and 48"):
        run(paths, Longer(fixed_batch), cache)


@pytest.mark.lengthy
def test_few_prepared_pictures_wait_in_memory(folder, paths, cache):
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

    for fixed_batch in (None, 2):
        run(paths, Counting(fixed_batch, key=str(fixed_batch)), cache, batch_size=4)
        assert most <= 3 * 4 + 2
        assert not alive


@pytest.mark.slow
def test_the_default_network_gives_the_same_bits_in_any_batch(paths, cache, tmp_path):
    embedder = load_embedder("efficientnet-lite0", device="cpu")
    expected = by_path(run(paths[:11], embedder, cache, batch_size=32))
    other = Cache(tmp_path / "other.sqlite")
    backwards = run(paths[:11][::-1], embedder, other, batch_size=3, workers=3)
    assert by_path(backwards) == expected


@pytest.mark.parametrize("ahead", [1, 4])
def test_no_more_is_taken_ahead_than_may_wait_in_memory(ahead):
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(3) as pool:
        results = in_order(pool, lambda number: number, items(), ahead)
        for number, result in enumerate(results):
            assert result == number
            assert len(taken) - number <= ahead + 1
    assert len(taken) == 50
