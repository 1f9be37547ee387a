"""Scoring by jobs over a work folder: the frame of score, and never the same work twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.errors import InputError, ModelError, StoreError
from dedup_widgets.scale.jobs import Here
from dedup_widgets.scale.over import Sizes, score_over
from dedup_widgets.scale.parts import Run
from dedup_widgets.scale.paths import Paths
from dedup_widgets.scale.shards import LOST, Model, describe_shard
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.task import plan_scoring
from runs import Coarse, Counting

SMALL = Sizes(shard_files=7, block_pictures=10)


@pytest.fixture
def photos(photo_folder, make_photo):
    """Return a folder of pictures with exact, near and turned copies, and what cannot be read."""
    folder = photo_folder(16, copies=2)
    for seed in range(6):
        make_photo(seed).resize((120, 90)).save(folder / f"small-{seed}.jpg", quality=85)
        make_photo(seed + 2).save(folder / f"jpeg-{seed}.jpg", quality=70)
    for seed in range(3):
        turned = make_photo(seed).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        turned.save(folder / f"turned-{seed}.png")
        Image.new("RGB", (50 + seed, 40), (seed, 7, 7)).save(folder / f"flat-{seed}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (folder / "empty.png").write_bytes(b"")
    return folder


def over(images, work, engine=None, sizes=SMALL, model="perceptual", **settings) -> Run:
    task = plan_scoring(images, model=model, **settings)
    return score_over(task, Work.at(work), engine, sizes=sizes)


def cut_vectors(work):
    """Leave nothing of the vectors in a work folder: whoever reads them fails."""
    for vectors in (work / "shards").glob("*.npy"):
        vectors.write_bytes(b"")


def score(images, model="perceptual", **settings):
    return dw.score(images, model=model, progress=False, **settings)


@pytest.mark.lengthy
@pytest.mark.parametrize("sizes", [Sizes(), SMALL, Sizes(shard_files=2, block_pictures=3)], ids=str)
def test_the_frame_is_that_of_score_however_the_work_is_cut(photos, tmp_path, sizes):
    assert_frame_equal(over(photos, tmp_path / "work", sizes=sizes).collect(), score(photos))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [Sizes(), SMALL], ids=str)
def test_the_frame_of_a_network_is_that_of_score(photos, tmp_path, sizes):
    run = over(photos, tmp_path / "work", sizes=sizes, model="efficientnet-lite0")
    assert_frame_equal(run.collect(), score(photos, "efficientnet-lite0"))


@pytest.mark.lengthy
def test_score_takes_a_work_folder(photos, tmp_path):
    frame = score(photos, work=tmp_path / "work")
    assert_frame_equal(frame, score(photos))
    assert_frame_equal(dw.scale.open(tmp_path / "work").collect(), frame)


@pytest.mark.slow
@pytest.mark.parametrize("near", [0.0, 0.4])
def test_of_equal_vectors_and_equally_near_ones_the_same_is_nearest(photos, tmp_path, near):
    photos = sorted(photos.glob("*[02468].*"))
    orders = [dw.keepers.DEFAULT, ["bytes"], [dw.keepers.lowest("bytes")]]
    for keep in orders:
        settings = {"model": Coarse(), "near": near, "keep": keep}
        frame = over(photos, tmp_path / "work", **settings).collect()
        assert_frame_equal(frame, score(photos, **settings))


@pytest.mark.lengthy
def test_other_columns_pass_through_and_may_decide(photos, tmp_path):
    paths = [str(path) for path in sorted(photos.iterdir(), reverse=True)]
    given = pl.DataFrame({"path": paths, "votes": [len(path) % 5 for path in paths], "note_": "x"})
    keep = [dw.keepers.highest("votes")]
    assert_frame_equal(over(given, tmp_path / "work", keep=keep).collect(), score(given, keep=keep))
    assert_frame_equal(over(given, tmp_path / "work").collect(), score(given))
    alone = given.select("path")
    assert_frame_equal(over(alone, tmp_path / "work").collect(), score(alone))


@pytest.mark.lengthy
@pytest.mark.parametrize("labels", ["auto", "folders"])
def test_labels_and_annotations_of_files_are_those_of_score(photos, tmp_path, make_photo, labels):
    for label in ("cats", "dogs"):
        (photos / label).mkdir()
        for seed in range(3):
            file = photos / label / f"{label}-{seed}.png"
            make_photo(seed + 40).save(file)
            file.with_suffix(".txt").write_text("0 0.5 0.5 0.25 0.5\n")
    frame = over(photos, tmp_path / "work", labels=labels).collect()
    assert frame["annotations"].list.len().sum() == 6
    assert_frame_equal(frame, score(photos, labels=labels))


def test_a_folder_without_a_picture_is_one_of_errors(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"nothing")
    run = over(tmp_path / "photos", tmp_path / "work")
    assert_frame_equal(run.collect(), score(tmp_path / "photos"))


@pytest.mark.lengthy
def test_a_second_run_makes_nothing(photos, tmp_path):
    first, second = Counting(), Counting()
    frame = over(photos, tmp_path / "work", first).collect()
    assert first.ran["reading and embedding"] == 6
    assert_frame_equal(over(photos, tmp_path / "work", second).collect(), frame)
    assert second.ran == {}


@pytest.mark.lengthy
def test_more_images_run_only_what_is_new(photos, tmp_path, make_photo):
    over(photos, tmp_path / "work")
    for seed in range(20, 23):
        make_photo(seed).save(photos / f"a-new-{seed}.png")
    make_photo(3).save(photos / "another-copy.png")
    engine = Counting()
    assert_frame_equal(over(photos, tmp_path / "work", engine).collect(), score(photos))
    blocks = len(list((tmp_path / "work" / "blocks").iterdir()))
    assert engine.ran["reading and embedding"] == 1
    assert engine.ran["comparing vectors"] == blocks  # the new one with each, and with itself


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "settings", [{"near": 0.02}, {"keep": ["bytes", "path"]}, {"keep": ["oldest"], "near": 0.06}]
)
def test_another_boundary_or_keeper_order_reads_no_vector(photos, tmp_path, settings):
    over(photos, tmp_path / "work")
    cut_vectors(tmp_path / "work")
    engine = Counting()
    run = over(photos, tmp_path / "work", engine, **settings)
    assert engine.ran.keys() <= {"comparing pictures"}
    expected = score(photos, **settings).drop("embedding")
    assert_frame_equal(run.frame.drop("embedding").collect(), expected)


@pytest.mark.lengthy
def test_what_is_gone_or_changed_counts_no_more(photos, tmp_path, make_photo):
    over(photos, tmp_path / "work")
    (photos / "photo-000.png").unlink()
    (photos / "photo-007.png").unlink()
    make_photo(40).save(photos / "photo-001.png")
    os.utime(photos / "photo-001.png", (1e9, 1e9))
    engine = Counting()
    assert_frame_equal(over(photos, tmp_path / "work", engine).collect(), score(photos))
    assert engine.ran["reading and embedding"] == 1


@pytest.mark.lengthy
def test_what_could_not_be_read_is_tried_again(photos, tmp_path, make_photo):
    paths = [*map(str, sorted(photos.iterdir())), str(photos / "later.png")]
    first = over(paths, tmp_path / "work").collect()
    assert "does not exist" in first["error"][-1]
    make_photo(30).save(paths[-1])
    engine = Counting()
    assert_frame_equal(over(paths, tmp_path / "work", engine).collect(), score(paths))
    assert engine.ran["reading and embedding"] == 1


@pytest.mark.lengthy
def test_a_run_that_was_killed_goes_on_from_where_it_was(photos, tmp_path):
    program = f"""
import time, dedup_widgets.scale.describe as describing, dedup_widgets.scale.over as over
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.task import plan_scoring
def slowly(*job, describe=describing.describe_shard):
    describe(*job)
    time.sleep(0.3)
describing.describe_shard = slowly
task = plan_scoring({str(photos)!r}, model="perceptual")
over.score_over(task, Work.at({str(tmp_path / "work")!r}), sizes=over.Sizes(7, 10))
"""
    shards = tmp_path / "work" / "shards"
    driver = subprocess.Popen([sys.executable, "-c", program])
    while len(list(shards.glob("*.parquet"))) < 2 and driver.poll() is None:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    done = len(list(shards.glob("*.parquet")))
    assert 2 <= done < 6
    engine = Counting()
    assert_frame_equal(over(photos, tmp_path / "work", engine).collect(), score(photos))
    assert engine.ran["reading and embedding"] == 6 - done


@pytest.mark.lengthy
def test_a_file_that_ends_its_workers_is_a_row_with_an_error(photos, tmp_path):
    poison = str(photos / "photo-005.png")
    engine = Counting(
        lost=lambda function, job: function is describe_shard and poison in job[2]["path"]
    )
    frame = over(photos, tmp_path / "work", engine).collect()
    row = frame.filter(path=poison)
    assert row["error"].item() == f"{poison}: {LOST}"
    (photos / "photo-005.png").unlink()
    rest = score(photos).drop("scored_with")
    assert_frame_equal(frame.filter(pl.col("path") != poison).drop("scored_with"), rest)
    again = Counting()
    over(photos, tmp_path / "work", again)
    assert "reading and embedding" not in again.ran


def test_a_worker_that_makes_other_vectors_is_refused(photos, tmp_path):
    files = pl.DataFrame({"path": [str(photos / "photo-000.png")], "size": [1], "version": ["1"]})
    model = Model("perceptual", None, "fast", key="made by another processor")
    with pytest.raises(ModelError, match="this run has 'made by another processor'"):
        describe_shard(Work.at(tmp_path / "work"), "shard", files, model, 1)
    assert not (tmp_path / "work" / "shards").exists()


@pytest.mark.lengthy
def test_where_jobs_run_elsewhere_their_machines_say_what_vectors_are_called(photos, tmp_path):
    engine = Counting(is_elsewhere=True)
    assert_frame_equal(over(photos, tmp_path / "work", engine).collect(), score(photos))
    assert engine.ran["loading the model"] == 1


@pytest.mark.lengthy
def test_the_frame_is_read_as_far_as_it_is_asked_for(photos, tmp_path):
    frame = score(photos, work=tmp_path / "work")
    run = dw.scale.open(tmp_path / "work")
    assert dict(run.frame.collect_schema()) == dict(frame.schema)
    grouped = frame.filter(pl.col("group").is_not_null())
    assert_frame_equal(run.near.collect(), grouped)
    assert_frame_equal(run.near.select("path").collect(), grouped.select("path"))
    assert_frame_equal(run.frame.head(5).collect(), frame.head(5))
    assert run.frame.select(pl.len()).collect().item() == len(frame)
    cut_vectors(tmp_path / "work")
    assert_frame_equal(run.near.drop("embedding").collect(), grouped.drop("embedding"))


@pytest.mark.lengthy
def test_an_explorer_opens_on_a_run(photos, tmp_path):
    frame = score(photos, work=tmp_path / "work")
    run = dw.scale.open(tmp_path / "work")
    assert len(dw.Explorer(run).frame) == len(frame)
    assert len(dw.Explorer(run.to_review(fits=10)).frame) == frame["group"].count()


@pytest.mark.lengthy
def test_dates_are_compared_with_their_offsets(make_photo, tmp_path):
    (tmp_path / "photos").mkdir()
    for name, hour, offset in [("east.jpg", 12, "+09:00"), ("west.jpg", 11, "-05:00")]:
        exif = Image.Exif()
        exif.get_ifd(0x8769).update({36867: f"2024:05:01 {hour}:00:00", 36881: offset})
        make_photo(1).save(tmp_path / "photos" / name, exif=exif, quality=len(offset) * 10 + hour)
    frame = over(tmp_path / "photos", tmp_path / "work", keep=["oldest"]).collect()
    assert frame.filter("keep")["path"].to_list() == [str(tmp_path / "photos" / "east.jpg")]
    assert_frame_equal(frame, score(tmp_path / "photos", keep=["oldest"]))


@pytest.mark.lengthy
def test_a_folder_whose_generations_list_files_is_taken_on(photos, tmp_path):
    frame = over(photos, tmp_path / "work").collect()
    (generation,) = (tmp_path / "work" / "manifest").glob("*/*.parquet")
    lists = tmp_path / "work" / "lists"
    files = [
        pl.read_parquet(lists / f"{shard}.parquet").with_columns(
            shard=pl.lit(shard, pl.Categorical()), round=pl.lit(number, pl.UInt32)
        )
        for shard, number in pl.read_parquet(generation).iter_rows()
    ]
    pl.concat(files).write_parquet(generation)
    shutil.rmtree(lists)
    engine = Counting()
    assert_frame_equal(over(photos, tmp_path / "work", engine).collect(), frame)
    assert engine.ran == {}


def test_what_does_not_fit_a_work_folder_is_refused(photos, tmp_path):
    with pytest.raises(InputError, match="pass work="):
        score(photos, engine=Here())
    with pytest.raises(InputError, match="must be a folder"):
        score(photos, work="https://example.org/work")
    with pytest.raises(StoreError, match="no finished run"):
        dw.scale.open(tmp_path / "nothing")
    nameless = type("Nameless", (Coarse,), {"key": None})()
    with pytest.raises(InputError, match="needs a `key`"):
        score(photos, nameless, work=tmp_path / "work")
    assert not Path(tmp_path / "work" / "shards").exists()


@pytest.mark.parametrize("n", [0, 1, 16, 17, 5000])
def test_paths_on_disk_are_those_that_were_given(n):
    given = pl.Series("path", [f"s3://ü/{'x' * (row % 300)}\0{row}.jpg" for row in range(n)])
    known = pl.DataFrame(
        {"size": range(n), "version": [None if row % 3 else f"etag {row}" for row in range(n)]},
        schema={"size": pl.UInt64, "version": pl.String},
    )
    paths = Paths(given, known)
    assert len(paths) == n
    assert pl.concat([given.clear(), *paths.parts(1000)]).equals(given)
    rows = np.random.default_rng(0).permutation(np.arange(n))
    assert paths.gather(rows).equals(given.gather(rows))
    with_none = pl.Series([None, *rows, None], dtype=pl.UInt32)
    assert paths.gather(with_none).equals(given.gather(with_none), null_equal=True)
    assert paths.known(n // 3, n).equals(known[n // 3 : n])
    assert Paths(given).known(0, n) is None
