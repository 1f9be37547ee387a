"""A run on two nodes of Ray on this machine: the frame of score, whatever dies meanwhile."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.errors import EngineError, ModelError
from dedup_widgets.scale.over import Sizes, score_over
from dedup_widgets.scale.shards import LOST, Model, describe_shard
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.task import plan_scoring
from needs import do_without
from stores import moto, proxied, upload

pytestmark = pytest.mark.slow

SMALL = Sizes(shard_files=4, block_pictures=8)

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


class Fragile:
    """A model of which some pictures end the process that embeds them.

    `ends` lists colours of the first pixel; with `once`, a folder, each does so one time only.
    """

    def __init__(self, ends=(), once=None, seconds=0.0):
        self.name, self.key = "fragile", f"fragile {ends} {once} {seconds}"
        self.ends, self.once, self.seconds = list(ends), once, seconds

    def encode(self, pictures):
        time.sleep(self.seconds * len(pictures))
        vectors = []
        for picture in pictures:
            colour = picture.getpixel((0, 0))
            if colour in self.ends:
                mark = None if self.once is None else Path(self.once, str(colour))
                if mark is None or not mark.exists():
                    if mark is not None:
                        mark.mkdir()
                    os.kill(os.getpid(), signal.SIGKILL)
            vectors.append(np.asarray(picture.resize((6, 6)), np.float32).ravel() + 1)
        return np.array(vectors)


@pytest.fixture(scope="module")
def s3():
    """Yield a proxy before an S3, to which the environment leads."""
    pytest.importorskip("obstore")
    with moto() as port, pytest.MonkeyPatch.context() as monkeypatch:
        server = proxied(port)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        server.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, s3):
    """Yield two nodes on this machine, of one core each, which know the environment."""
    # Each process of Ray imports jsonschema, which compiles a grammar where that is installed: it
    # takes seconds, and a busy machine then misses the time within which Ray must have started.
    stub = tmp_path_factory.mktemp("stub")
    (stub / "rfc3987_syntax.py").write_text("raise ImportError('it takes seconds')")
    paths = [str(stub), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    try:
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        from ray.cluster_utils import Cluster
    except ImportError as error:
        do_without("ray", error)
    # What a worker cannot import comes along.
    ray.cloudpickle.register_pickle_by_value(sys.modules[Fragile.__module__])
    made = Cluster()
    for number in range(2):
        head = {} if number else {"include_dashboard": False}
        _patiently(lambda head=head: made.add_node(**NODE, **head))
    ray.init(made.address, log_to_driver=False, logging_level="warning")
    yield made
    ray.shutdown()
    made.shutdown()
    monkeypatch.undo()


def _patiently(start):
    for _ in range(3):
        try:
            return start()
        except Exception:
            time.sleep(3)
    return start()


@pytest.fixture
def photos(photo_folder, make_photo):
    folder = photo_folder(14, copies=2)
    for seed in range(4):
        make_photo(seed).resize((120, 90)).save(folder / f"small-{seed}.jpg", quality=85)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return folder


def over(images, work, model, scope=None, **engine):
    task = plan_scoring(images, model=model, **(scope or {}))
    return score_over(task, Work.at(work), dw.engines.Ray(**engine), sizes=SMALL).collect()


def colour(make_photo, seed):
    return make_photo(seed).getpixel((0, 0))


def test_the_frame_of_two_nodes_is_that_of_score(cluster, photos, tmp_path):
    reference = dw.score(photos, model="perceptual", progress=False)
    assert_frame_equal(over(photos, tmp_path / "work", "perceptual"), reference)


def test_over_a_bucket_that_refuses_and_cuts_the_frame_is_that_of_score(cluster, s3, photos):
    for file in photos.iterdir():
        os.utime(file, (1e9, 1e9))
    upload(s3, photos)

    def fault(method, path, times):
        if times > 1:
            return None
        return "cut" if method == "GET" and path.endswith((".png", ".parquet")) else 503

    s3.fault = fault
    frame = over("s3://box/photos", "s3://box/work", "perceptual")
    asked = Counter(s3.asked)
    s3.fault = lambda *_: None
    assert_frame_equal(frame, dw.score("s3://box/photos", model="perceptual", progress=False))
    here = dw.score(photos, model="perceptual", progress=False).drop("modified")
    below = pl.col("path", "nearest", "error").str.replace(str(photos), "s3://box/photos")
    assert_frame_equal(frame.drop("modified"), here.with_columns(below))
    # Each picture was asked for again once it was cut, and no more.
    pictures = [asked["GET", f"/box/photos/photo-{seed:03}.png"] for seed in range(14)]
    assert pictures == [2] * 14


@pytest.mark.parametrize("how", ["within", "against"])
def test_sets_and_parts_on_two_nodes_are_those_of_score(cluster, photos, tmp_path, how):
    images, scope = photos, {"against": photos}
    if how == "against":
        images = tmp_path / "new"
        shutil.copytree(photos, images)
    else:
        paths = [str(path) for path in sorted(photos.iterdir())]
        images = pl.DataFrame({"path": paths, "half": [len(path) % 2 for path in paths]})
        scope = {"within": "half"}
    frame = over(images, tmp_path / "work", "perceptual", scope)
    assert_frame_equal(frame, dw.score(images, model="perceptual", progress=False, **scope))


def test_a_worker_that_dies_costs_a_shard_and_not_the_run(cluster, photos, tmp_path, make_photo):
    reference = dw.score(photos, model=Fragile(), progress=False)
    ends = [colour(make_photo, seed) for seed in (3, 9)]
    (tmp_path / "once").mkdir()
    frame = over(photos, tmp_path / "work", Fragile(ends, str(tmp_path / "once")))
    assert len(list((tmp_path / "once").iterdir())) == 2
    assert_frame_equal(frame, reference)


def test_a_picture_that_no_worker_outlives_is_a_row_with_an_error(
    cluster, photos, tmp_path, make_photo
):
    frame = over(photos, tmp_path / "work", Fragile([colour(make_photo, 5)]))
    poison = str(photos / "photo-005.png")
    assert frame.filter(path=poison)["error"].item() == f"{poison}: {LOST}"
    Path(poison).unlink()
    rest = dw.score(photos, model=Fragile(), progress=False).drop("scored_with")
    assert_frame_equal(frame.filter(pl.col("path") != poison).drop("scored_with"), rest)


def test_a_node_that_goes_away_is_done_without(cluster, photos, tmp_path):
    reference = dw.score(photos, model=Fragile(), progress=False)
    node = _patiently(lambda: cluster.add_node(**NODE))
    shards = tmp_path / "work" / "shards"

    def remove():
        while len(list(shards.glob("*.parquet"))) < 1:
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=remove, daemon=True)
    thread.start()
    frame = over(photos, tmp_path / "work", Fragile(seconds=0.2))
    thread.join(30)
    assert_frame_equal(frame, reference)


def test_a_driver_that_was_killed_makes_only_what_is_missing(cluster, photos, tmp_path):
    reference = dw.score(photos, model="perceptual", progress=False)
    program = f"""
import time, dedup_widgets as dw
import dedup_widgets.scale.describe as describing, dedup_widgets.scale.over as over
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.task import plan_scoring
def slowly(*arguments, describe=describing.describe_shard):
    import time
    describe(*arguments)
    time.sleep(0.5)
describing.describe_shard = slowly
over.score_over(
    plan_scoring({str(photos)!r}, model="perceptual"), Work.at({str(tmp_path / "work")!r}),
    dw.engines.Ray({cluster.address!r}), sizes=over.Sizes(4, 8),
)
"""
    shards = tmp_path / "work" / "shards"
    driver = subprocess.Popen([sys.executable, "-c", program])
    while len(list(shards.glob("*.parquet"))) < 1 and driver.poll() is None:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    time.sleep(2)
    made = {file: file.stat().st_mtime_ns for file in shards.iterdir()}
    assert 1 <= len(list(shards.glob("*.parquet"))) < 6
    assert_frame_equal(over(photos, tmp_path / "work", "perceptual"), reference)
    assert {file: file.stat().st_mtime_ns for file in made if file.suffix == ".parquet"} == {
        file: stamp for file, stamp in made.items() if file.suffix == ".parquet"
    }


def test_a_worker_that_makes_other_vectors_is_refused(cluster, photos, tmp_path):
    files = pl.DataFrame({"path": [str(photos / "photo-000.png")], "size": [1], "version": ["1"]})
    model = Model("perceptual", None, "fast", key="made by another processor")
    with dw.engines.Ray().started() as runner:
        job = (Work.at(tmp_path / "work"), "shard", files, runner.share(model), 1)
        with pytest.raises(ModelError, match="this run has 'made by another processor'"):
            list(runner.run(describe_shard, [job], "reading"))


def test_where_nothing_comes_back_it_is_said_what_waits_for_what(cluster, photos, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"wait, each for 64 CPU; free in .* of \d CPU"):
            over(photos, tmp_path / "work", "perceptual", cpus=64, patience=2)


def test_who_does_not_know_the_token_is_refused(cluster, tmp_path):
    program = f"import ray; ray.init({cluster.address!r}); print(ray.cluster_resources())"
    asked = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RAY_AUTH_TOKEN": "f" * 64},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert asked.returncode != 0
    assert "CPU" not in asked.stdout


def test_a_start_that_fails_is_tried_again_and_then_said(monkeypatch):
    import ray

    tries = []

    def fails(*arguments, **_):
        tries.append(arguments)
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with (
        pytest.raises(
            EngineError, match=r"4 times over; the last time: .*timed out during startup"
        ),
        dw.engines.Ray(pause=0.0).started(),
    ):
        pass
    assert tries == [("local",)] * 4
