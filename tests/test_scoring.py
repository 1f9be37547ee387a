import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.images.source import LocalFiles
from dedup_widgets.scoring.keepers import highest, prefer
from dedup_widgets.store.cache import Cache

SCORES = ["uniqueness", "kind", "group", "keep", "nearest", "distance"]


class Pixels:
    """A user's own model: the picture at 8 x 8 pixels. Counts what it embeds."""

    name = "pixels"
    key = "pixels-1"

    def __init__(self):
        self.seen = 0

    def encode(self, images):
        self.seen += len(images)
        return np.stack(
            [np.asarray(image.resize((8, 8)), np.float32).ravel() - 100 for image in images]
        )


@pytest.fixture
def photos(tmp_path, make_photo):
    """Return a folder: a, its PNG re-save and a plain copy; b, a smaller b; c; two of junk."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    for seed, name in enumerate("abc"):
        make_photo(seed, (160, 120)).save(folder / f"{name}.jpg", quality=90)
    with Image.open(folder / "a.jpg") as image:
        image.save(folder / "deep" / "a re-saved.png")
    shutil.copy(folder / "a.jpg", folder / "deep" / "er" / "ä copy.jpg")
    make_photo(1, (160, 120)).resize((80, 60)).save(folder / "b small.jpg", quality=90)
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:600])
    (folder / "text.jpg").write_text("no picture at all")
    return folder


def by_name(frame):
    return {Path(row["path"]).name: row for row in frame.iter_rows(named=True)}


def score(images, model=None, **arguments):
    return dw.score(images, model=model or Pixels(), progress=False, **arguments)


def test_a_folder_becomes_the_frame_that_was_promised(photos):
    frame = score(photos)
    rows = by_name(frame)
    assert frame.columns[:7] == ["path", *SCORES]
    assert frame.schema["uniqueness"] == pl.Float32
    assert frame.schema["kind"] == pl.Enum(["exact", "near", "unique"])
    assert frame.schema["group"] == pl.UInt32
    assert frame.schema["embedding"] == pl.Array(pl.Float16, 192)
    assert frame["path"].to_list() == sorted(frame["path"].to_list())
    # Of the three files that show one picture the oldest is kept, however many bytes it has.
    assert rows["a.jpg"]["keep"]
    assert rows["a.jpg"]["uniqueness"] > 0
    for name in ("a re-saved.png", "ä copy.jpg"):
        assert rows[name]["uniqueness"] == 0
        assert rows[name]["kind"] == "exact"
        assert not rows[name]["keep"]
        assert rows[name]["nearest"] == rows["a.jpg"]["path"]
        assert rows[name]["group"] == rows["a.jpg"]["group"]
    assert rows["b.jpg"]["keep"]
    assert rows["b small.jpg"]["kind"] == "near"
    assert rows["b small.jpg"]["group"] == rows["b.jpg"]["group"]
    assert rows["c.jpg"]["kind"] == "unique"
    assert rows["c.jpg"]["group"] is None
    assert (rows["c.jpg"]["width"], rows["c.jpg"]["height"]) == (160, 120)


def test_unreadable_files_are_rows_with_an_error_and_null_scores(photos):
    rows = by_name(score(photos))
    for name in ("cut.jpg", "text.jpg"):
        assert rows[name]["error"]
        assert [rows[name][column] for column in SCORES] == [None] * 6
        assert rows[name]["embedding"] is None
    readable = [row for row in rows.values() if row["error"] is None]
    assert all(row["uniqueness"] is not None and row["keep"] is not None for row in readable)


@pytest.mark.lengthy
def test_a_second_run_embeds_nothing_and_gives_the_same_frame(photos):
    first = score(photos, model := Pixels())
    assert model.seen == 4  # four different pictures
    again = score(photos, model := Pixels())
    assert model.seen == 0
    assert again.equals(first)


@pytest.mark.lengthy
def test_the_progress_bar_says_what_came_from_the_store(photos, capsys):
    score(photos)
    dw.score(photos, model=Pixels())
    said = capsys.readouterr().err
    assert "8/8" in said
    assert "0 embedded, 8 from the store, 2 unreadable" in said


@pytest.mark.lengthy
def test_a_function_is_told_how_far_it_is_and_can_stop_the_work(photos):
    told = []
    dw.score(photos, model=Pixels(), progress=lambda *at: told.append(at))
    assert told[0] == (0, 8)
    assert (8, 8) in told
    assert all(0 <= done <= total for done, total in told)
    again = []
    dw.score(photos, model=Pixels(), progress=lambda *at: again.append(at))
    assert again[0] == (8, 8)

    def stop(done, _total):
        if done >= 4:
            raise RuntimeError("enough")

    class Other(Pixels):
        key = "other"

    with pytest.raises(RuntimeError, match="enough"):
        dw.score(photos, model=Other(), batch_size=2, progress=stop)
    score(photos, model := Other())
    assert 0 < model.seen < 4


@pytest.mark.lengthy
def test_adding_ten_photos_embeds_ten(photos, make_photo):
    score(photos)
    for seed in range(100, 110):
        make_photo(seed, (60, 40)).save(photos / f"new {seed}.png")
    score(photos, model := Pixels())
    assert model.seen == 10


@pytest.mark.lengthy
def test_a_file_that_changed_is_read_again(photos, make_photo):
    score(photos)
    make_photo(77, (90, 90)).save(photos / "c.jpg")
    frame = score(photos, model := Pixels())
    assert model.seen == 1
    assert by_name(frame)["c.jpg"]["width"] == 90


@pytest.mark.lengthy
def test_vectors_of_another_model_are_not_taken(photos):
    class Other(Pixels):
        key = "other"

    score(photos)
    score(photos, model := Other())
    assert model.seen == 4


@pytest.mark.lengthy
def test_a_file_that_could_not_be_opened_is_tried_again(photos, monkeypatch):
    target = str(photos / "c.jpg")
    real = LocalFiles.read

    def refuse(self, path):
        if path == target:
            raise dw.ImageError(f"{path}: permission denied")
        return real(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "read", refuse)
        assert "permission" in by_name(score(photos))["c.jpg"]["error"]
    assert by_name(score(photos))["c.jpg"]["error"] is None


@pytest.mark.lengthy
@pytest.mark.parametrize("seed", range(3))
def test_order_batch_size_and_workers_change_nothing(photos, tmp_path, seed):
    expected = score(photos)
    paths = expected["path"].to_list()
    random.Random(seed).shuffle(paths)
    shuffled = score(
        paths,
        store=tmp_path / f"{seed}.sqlite",
        batch_size=1 + seed,
        workers=1 + 2 * seed,
    )
    assert shuffled["path"].to_list() == paths
    assert shuffled.sort("path").equals(expected)


@pytest.mark.lengthy
def test_what_was_scored_before_changes_nothing(photos, tmp_path):
    expected = score(photos, store=tmp_path / "fresh.sqlite")
    store = tmp_path / "used.sqlite"
    score([photos / "c.jpg", photos / "a.jpg"], store=store)
    score(photos / "deep", store=store)
    assert score(photos, store=store).equals(expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_however_files_come_and_go_the_frame_is_that_of_a_fresh_store(tmp_path, seed):
    rng = np.random.default_rng(seed)
    store = tmp_path / "used.sqlite"
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()

    def draw(file):
        # Of few colours, so that many are equal, near, or equally far.
        pixels = rng.integers(0, 2, (2, 2, 3), np.uint8) * 40 + rng.integers(3) + 60
        Image.fromarray(pixels.astype(np.uint8)).resize((9, 9), 0).save(file)

    for step in range(10):
        folder = folders[rng.integers(2)]
        for number in rng.integers(0, 40, 8):
            file = folder / f"{number:02}.{'bmp' if number % 3 else 'png'}"
            if file.exists() and rng.random() < 0.5:
                file.unlink()
            else:
                draw(file)
        where = [folder, *folders][rng.integers(3)]
        rules = [("pixels", "path"), ("bytes", "path"), ("path",)][rng.integers(3)]
        arguments = {"near": [0.0, 0.05, 0.4][rng.integers(3)], "keep": rules}
        found = score(where, store=store, **arguments)
        assert found.equals(score(where, store=tmp_path / f"fresh-{step}.sqlite", **arguments))


@pytest.mark.lengthy
def test_m_more_photos_cost_m_embeddings_and_m_times_n_distances(tmp_path, distances):
    folder = tmp_path / "photos"
    folder.mkdir()

    def add(numbers):
        for number in numbers:
            pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03}.bmp")

    add(range(100))
    score(folder)
    assert sum(distances) >= 2 * 100 * 99 / 2  # by embeddings and by perceptual vectors
    distances.clear()
    add(range(100, 105))
    score(folder, model := Pixels())
    assert model.seen == 5
    assert 0 < sum(distances) <= 2 * 5 * 105


@pytest.mark.lengthy
def test_a_frame_keeps_its_own_columns_and_order(photos):
    paths = [str(photos / name) for name in ("c.jpg", "a.jpg", "gone.jpg")]
    given = pl.DataFrame({"label": ["x", "y", "z"], "path": paths})
    frame = score(given)
    assert frame["path"].to_list() == paths
    assert frame["label"].to_list() == ["x", "y", "z"]
    assert frame["kind"].to_list() == ["unique", "unique", None]
    assert "gone.jpg" in frame["error"][2]
    assert score(frame).equals(frame)


@pytest.mark.lengthy
def test_a_keeper_rule_may_look_at_a_column_of_the_frame(photos):
    paths = [str(photos / "a.jpg"), str(photos / "deep" / "a re-saved.png")]
    given = pl.DataFrame({"path": paths, "source": ["camera", "web"]})
    assert score(given)["keep"].to_list() == [True, False]
    by_source = score(given, keep=[prefer("source", ["web"])])
    assert by_source["keep"].to_list() == [False, True]
    assert score(given, keep=["bytes"])["keep"].to_list() == [False, True]


def test_a_column_of_ones_own_is_never_replaced_in_silence(photos):
    given = pl.DataFrame({"path": [str(photos / "c.jpg")], "group": ["train"]})
    with pytest.raises(dw.InputError, match="has already: 'group'; rename"):
        score(given)


def test_relative_paths_are_not_mistaken_for_each_other(tmp_path, make_photo, monkeypatch):
    for seed, name in enumerate(["one", "two"]):
        (tmp_path / name).mkdir()
        make_photo(seed, (40, 30)).save(tmp_path / name / "img.bmp")
        os.utime(tmp_path / name / "img.bmp", ns=(10**18, 10**18))
    prints = []
    for name in ["one", "two"]:
        monkeypatch.chdir(tmp_path / name)
        frame = score(["img.bmp"])
        assert frame["path"].to_list() == ["img.bmp"]
        prints += frame["fingerprint"].to_list()
    assert prints[0] != prints[1]


@pytest.mark.lengthy
def test_a_link_or_another_spelling_is_no_copy(photos, monkeypatch):
    expected = score(photos)
    (photos / "a link.jpg").symlink_to(photos / "c.jpg")
    assert score(photos).drop("scored_with").equals(expected.drop("scored_with"))
    monkeypatch.chdir(photos)
    assert len(score(["c.jpg", str(photos / "c.jpg"), "./c.jpg"])) == 1


@pytest.mark.lengthy
def test_a_name_that_is_no_valid_unicode_is_read_all_the_same(photos, make_photo):
    try:
        make_photo(5, (30, 30)).save(photos / "bad.png")
        os.rename(photos / "bad.png", os.fsencode(photos) + b"/bad\xff.png")  # noqa: PTH104
    except OSError:
        pytest.skip("this file system has no such names")
    frame = score(photos)
    assert frame.filter(pl.col("path").str.contains("bad"))["error"].to_list() == [None]


@pytest.mark.lengthy
def test_a_model_that_changes_its_length_says_so(photos):
    class Longer(Pixels):
        def encode(self, images):
            return np.ones((len(images), 5)) + np.arange(5)

    score([photos / "c.jpg"])
    with pytest.raises(dw.ModelError, match="vectors of different lengths, 5 and 192"):
        score([photos / "c.jpg", photos / "b.jpg"], Longer())


def test_nothing_and_one_image_work(tmp_path, photos):
    (tmp_path / "empty").mkdir()
    nothing = score(tmp_path / "empty")
    assert nothing.is_empty()
    one = score([photos / "c.jpg"])
    assert one.select(SCORES).row(0) == (1.0, "unique", None, True, None, None)
    assert nothing.columns == one.columns
    junk = score([photos / "text.jpg"])
    assert junk["uniqueness"].to_list() == [None]


@pytest.mark.lengthy
def test_sources_are_not_touched(photos):
    def state():
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in photos.rglob("*.*")}

    before = state()
    score(photos)
    assert state() == before


def test_the_store_is_never_inside_the_image_folder(photos):
    with pytest.raises(dw.InputError, match="inside the image folder"):
        score(photos, store=photos / "store.sqlite")
    with pytest.raises(dw.InputError, match="inside the image folder"):
        score(str(photos / "*.jpg"), store=photos / "store.sqlite")
    with pytest.raises(dw.InputError, match="inside the image folder"):
        score(photos, store=photos)
    assert not list(photos.glob("*.sqlite"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"near": 1.5}, r"near is 1\.5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"workers": -1}, "workers is -1"),
        ({"keep": ("biggest",)}, "biggest.*pixels"),
        ({"keep": [highest("votes")]}, "no column votes"),
        ({"precision": "double"}, "precision is 'double'.*'fast' or 'exact'"),
    ],
)
def test_arguments_out_of_range_say_so_before_any_work(photos, arguments, says):
    with pytest.raises(dw.InputError, match=says):
        score(photos, model := Pixels(), **arguments)
    assert model.seen == 0


@pytest.mark.lengthy
def test_an_interrupt_loses_at_most_the_batch_in_work(photos, make_photo, tmp_path):
    for seed in range(200, 220):
        make_photo(seed, (40, 40)).save(photos / f"{seed}.png")

    class Interrupted(Pixels):
        def encode(self, images):
            if self.seen >= 10:
                raise KeyboardInterrupt
            return super().encode(images)

    store = tmp_path / "s.sqlite"
    with pytest.raises(KeyboardInterrupt):
        score(photos, Interrupted(), store=store, batch_size=5)
    frame = score(photos, model := Pixels(), store=store)
    assert model.seen == 24 - 10
    assert frame.equals(score(photos, store=tmp_path / "other.sqlite"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_after_kill_9_the_next_run_goes_on(photos, make_photo, tmp_path):
    for seed in range(300, 330):
        make_photo(seed, (40, 40)).save(photos / f"{seed}.png")
    store = tmp_path / "s.sqlite"
    program = textwrap.dedent(
        f"""
        import time, numpy as np, dedup_widgets as dw
        class Slow:
            name, key = "pixels", "pixels-1"
            def encode(self, images):
                time.sleep(0.2)
                print("batch", flush=True)
                return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100
                                 for i in images])
        dw.score({str(photos)!r}, model=Slow(), store={str(store)!r}, batch_size=4, progress=False)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(4):
        assert child.stdout.readline() == "batch\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    model = Pixels()
    frame = score(photos, model, store=store)
    assert model.seen <= 34 - 3 * 4
    assert frame.equals(score(photos, store=tmp_path / "other.sqlite"))


@pytest.mark.lengthy
def test_the_embedding_makes_the_frame_self_contained(photos):
    frame = score(photos).filter(pl.col("error").is_null())
    vectors = frame["embedding"].to_numpy()
    assert np.allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-3)
    (made,) = provenances(frame)
    assert dw.plan(frame, near=made.near)["group"].equals(frame["group"])
    unconfirmed = frame["relation"].is_null() & (frame["uniqueness"] > 0)
    again = dw.uniqueness(
        vectors, fingerprints=frame["fingerprint"].to_list(), gamma=made.gamma
    ).filter(unconfirmed)
    beyond = frame["uniqueness"].filter(unconfirmed)
    assert (beyond > made.near).all()
    assert np.allclose(np.maximum(again["uniqueness"], beyond.min()), beyond, atol=1e-4)


@pytest.mark.slow
def test_clip_goes_through_the_same_line(photos, tiny_clip):
    frame = score(photos, str(tiny_clip))
    assert frame["uniqueness"].null_count() == 2
    assert sum(row["uniqueness"] == 0 for row in by_name(frame).values()) == 2


@pytest.mark.lengthy
def test_a_known_copy_is_scored_when_the_other_one_vanished(photos):
    class Other(Pixels):
        key = "other"

    score(photos)
    (photos / "a.jpg").unlink()
    rows = by_name(score(photos, Other()))
    assert rows["ä copy.jpg"]["uniqueness"] == 0


@pytest.mark.lengthy
def test_a_store_shared_by_two_processes_serves_both(photos, tmp_path):
    store = tmp_path / "s.sqlite"
    score(photos, store=store)
    other = Cache(store)
    assert len(other.files(str(p) for p in photos.rglob("*.*"))) == 8


@pytest.mark.lengthy
def test_similar_leaves_out_the_image_and_not_its_duplicates(photos):
    frame = score(photos)
    found = dw.similar(frame, photos / "a.jpg", k=3)
    names = [Path(path).name for path in found["path"]]
    assert "a.jpg" not in names
    assert set(names[:2]) == {"a re-saved.png", "ä copy.jpg"}
    assert found["distance"].is_sorted()
    assert found["distance"][0] == 0


@pytest.mark.lengthy
def test_similar_takes_another_file_and_says_what_it_cannot_take(photos, tmp_path, make_photo):
    frame = score(photos)
    make_photo(2, (160, 120)).save(tmp_path / "query.png")
    found = dw.similar(frame, tmp_path / "query.png", k=2, model=Pixels())
    assert Path(found["path"][0]).name == "c.jpg"
    with pytest.raises(dw.ImageError, match=r"missing\.jpg"):
        dw.similar(frame, tmp_path / "missing.jpg", model=Pixels())
    with pytest.raises(dw.InputError, match="does not embed text"):
        dw.similar(frame, "a dog", model=Pixels())
    with pytest.raises(dw.InputError, match="needs a column 'embedding'"):
        dw.similar(frame.drop("embedding"), photos / "a.jpg")
    with pytest.raises(dw.ImageError, match=r"text\.jpg: not an image"):
        dw.similar(frame.head(3), photos / "text.jpg", model=Pixels())
    assert dw.similar(frame.to_pandas(), photos / "a.jpg", k=1)["distance"].to_list() == [0]


@pytest.mark.lengthy
def test_a_large_picture_in_memory_is_as_similar_as_its_file(photos, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1500, 3), np.uint8)
    noise[:700, :700] //= 4
    large = Image.fromarray(noise)
    large.save(tmp_path / "large.png", compress_level=0)
    frame = score(photos)
    of_file, of_picture = (
        dw.similar(frame, query, model=Pixels()) for query in (tmp_path / "large.png", large)
    )
    assert of_picture.equals(of_file)


@pytest.mark.slow
def test_similar_answers_a_text_with_clip(photos, tiny_clip):
    frame = score(photos, str(tiny_clip))
    found = dw.similar(frame, "a dog on the beach", k=4, model=str(tiny_clip))
    assert len(found) == 4
    assert found["distance"].is_between(0, 1).all()
