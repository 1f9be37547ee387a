"""Scoring in the background: progress, results, cancelling, and a notebook that stays alive."""

import contextlib
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets._progress import Pace
from dedup_widgets.widgets.job_panel import JobPanel
from page import Page, Pixels

PATIENCE = 60
"""Seconds after which a test gives up on what a busy machine may delay."""


class Gated(Pixels):
    """Embeds a batch only when it is let; counts what it embeds."""

    def __init__(self, batches=0):
        self.seen = 0
        self.at_the_gate = threading.Semaphore(0)
        self._may = threading.Semaphore(batches)

    def let(self, batches=1000):
        self._may.release(batches)

    def encode(self, images):
        self.at_the_gate.release()
        assert self._may.acquire(timeout=PATIENCE)
        self.seen += len(images)
        return super().encode(images)

    def wait_for(self, batches):
        for _ in range(batches):
            assert self.at_the_gate.acquire(timeout=PATIENCE)


@pytest.fixture
def photos(photo_folder):
    """Twelve photos, three of one picture, and a file that is none."""
    folder = photo_folder(10, copies=2)
    (folder / "zz broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture
def gated():
    """A model that stops after two batches, and a job's thread that never outlives its test."""
    model = Gated(batches=2)
    yield model
    model.let()


def start(photos, model, **arguments):
    return dw.score_async(photos, model=model, batch_size=2, workers=1, **arguments)


def ended(job):
    with contextlib.suppress(Exception):
        job.result(PATIENCE)
    assert job.done
    return job


def wait_until(condition):
    for _ in range(PATIENCE * 20):
        if condition():
            return
        time.sleep(0.05)
    assert condition()


@pytest.mark.lengthy
def test_the_result_is_what_score_returns(photos, tmp_path):
    job = start(photos, Pixels(), near=0.2)
    frame = job.result(PATIENCE)
    expected = dw.score(photos, model=Pixels(), near=0.2, store=tmp_path / "other.sqlite")
    assert frame.equals(expected)
    assert (job.state, job.done, job.error) == ("done", True, None)
    assert job.result().equals(job.so_far())
    assert "13 images scored in" in job.text


@pytest.mark.parametrize(
    ("images", "arguments", "says"),
    [
        ("no such folder", {}, "no such"),
        (["a.jpg"], {"near": 2}, "near is 2"),
        (["a.jpg"], {"precision": "double"}, "precision is 'double'"),
        (["a.jpg"], {"batch_size": 0}, "batch_size is 0"),
        (["a.jpg"], {"model": 3}, "3"),
        (["a.jpg"], {"keep": ["biggest"]}, "biggest"),
        (["a.jpg"], {"keep": [dw.keepers.highest("votes")]}, "votes"),
        (pl.DataFrame({"file": ["a.jpg"]}), {}, "path"),
    ],
)
def test_bad_arguments_are_told_at_once_and_not_by_the_job(images, arguments, says):
    with pytest.raises(dw.InputError, match=says):
        dw.score_async(images, **arguments)


@pytest.mark.lengthy
def test_it_says_how_far_it_is(photos, gated):
    job = start(photos, gated)
    gated.wait_for(3)
    done, total = job.progress
    assert (job.state, job.stage, total) == ("running", "reading and embedding", 13)
    assert 4 <= done < 13
    assert job.text.startswith(f"{done} of 13 images")
    assert repr(job).startswith(f"Job(running: {done} of 13 images")
    gated.let()
    job.result(PATIENCE)
    assert repr(job) == f"Job({job.text})"


@pytest.mark.lengthy
def test_the_callers_function_is_told_and_can_stop_the_work(photos):
    told = []
    dw.score_async(photos, model=Pixels(), progress=lambda *at: told.append(at)).result(PATIENCE)
    assert told[0] == (0, 13)
    assert (13, 13) in told

    def stop(_done, _total):
        raise RuntimeError("enough")

    job = ended(dw.score_async(photos, model=Pixels(), progress=stop))
    assert job.state == "failed"
    with pytest.raises(RuntimeError, match="enough"):
        job.result()


@pytest.mark.lengthy
def test_waiting_no_longer_than_said_tells_how_far_it_is(photos, gated):
    job = start(photos, gated)
    gated.wait_for(3)
    with pytest.raises(TimeoutError, match=r"still runs .* of 13 images"):
        job.result(timeout=0.01)
    assert not job.done


@pytest.mark.lengthy
def test_cancelling_loses_at_most_the_batch_in_work(photos, gated, tmp_path):
    job = start(photos, gated)
    gated.wait_for(3)
    job.cancel()
    assert job.cancelling
    assert "stopping" in job.text
    gated.let()
    assert ended(job).state == "cancelled"
    with pytest.raises(dw.DedupError, match=r"cancelled after \d+ of 13 images; they are kept"):
        job.result()
    assert gated.seen <= 3 * 2
    again = Gated(batches=1000)
    frame = start(photos, again).result(PATIENCE)
    assert gated.seen + again.seen == 10
    assert again.seen <= 10 - 2 * 2
    assert frame.equals(dw.score(photos, model=Pixels(), store=tmp_path / "other.sqlite"))


@pytest.mark.slow
def test_a_job_that_is_cancelled_while_its_model_loads_reads_nothing(photos, tiny_clip):
    job = dw.score_async(photos, model=str(tiny_clip))
    assert job.text == "loading the model"
    job.cancel()
    assert ended(job).text == "cancelled before an image was read"
    assert job.so_far().is_empty()


@pytest.mark.lengthy
def test_of_a_model_without_a_key_nothing_is_said_to_be_kept(photos, gated):
    class Nameless:
        encode = gated.encode

    job = start(photos, Nameless())
    gated.wait_for(3)
    assert job.so_far().is_empty()
    job.cancel()
    gated.let()
    assert "nothing is kept" in ended(job).text


@pytest.mark.lengthy
def test_what_is_scored_so_far_is_scored_by_the_same_rules(photos, gated, tmp_path):
    job = start(photos, gated)
    gated.wait_for(3)
    part = job.so_far()
    assert 4 <= len(part) < 13
    paths = part["path"].to_list()
    assert part.equals(dw.score(paths, model=Pixels(), store=tmp_path / "other.sqlite"))
    gated.let()
    assert job.result(PATIENCE)["path"].to_list()[: len(part)] == paths


@pytest.mark.lengthy
def test_before_the_first_batch_there_is_an_empty_frame_with_all_columns(photos, tmp_path):
    model = Gated()
    try:
        job = start(photos, model)
        model.wait_for(1)
        nothing = job.so_far()
        assert nothing.is_empty()
        model.let()
        assert nothing.columns == job.result(PATIENCE).columns
    finally:
        model.let()


@pytest.mark.lengthy
def test_so_far_the_other_columns_of_a_frame_come_along(photos, gated):
    paths = sorted(str(path) for path in photos.iterdir())
    given = pl.DataFrame({"path": paths, "label": [f"label {i}" for i in range(13)]})
    job = start(given, gated)
    gated.wait_for(3)
    part = job.so_far()
    assert part.select("path", "label").equals(given.head(len(part)).select("path", "label"))


@pytest.mark.slow
def test_a_model_that_cannot_be_had_fails_the_job_and_nothing_else(photos, tmp_path):
    (tmp_path / "no model").mkdir()
    job = ended(start(photos, str(tmp_path / "no model")))
    assert job.state == "failed"
    assert job.text.startswith("failed: ")
    for ask in (job.result, job.so_far):
        with pytest.raises(dw.ModelError):
            ask()


def scored(ex):
    return ex.frame["uniqueness"].count()


@pytest.mark.lengthy
def test_an_explorer_of_a_job_fills_while_it_goes_on_and_is_whole_in_the_end(photos, gated):
    job = start(photos, gated)
    gated.wait_for(3)
    ex = dw.Explorer(job)
    page = Page(ex)
    opened = page.open()
    assert (opened["rows"], opened["summary"]["waiting"]) == (13, 13 - scored(ex))
    assert 4 <= scored(ex) < 13
    waiting = ex.frame["error"].to_list().index("not scored yet")
    tiles = page.ask("tiles", rows=[0, waiting])["tiles"]
    assert all(tile["thumb"] for tile in tiles)
    assert tiles[1]["caption"] == "not scored yet"
    assert ex.session.scoring.endswith("of 13 images") or "of 13 images," in ex.session.scoring

    # What is filtered, sorted and selected meanwhile stays.
    page.ask("select", {"rows": np.array([3, 0], np.uint8)})
    ex.filters, ex.sort = {"path": "."}, "path"
    assert not job.done
    gated.let()
    frame = job.result(PATIENCE)
    wait_until(lambda: ex.session.scoring == "")
    assert page.events("frame")
    assert ex.frame.equals(frame)
    assert ex.plan.equals(dw.plan(frame))
    assert (len(ex.selection), dict(ex.filters), ex.sort["column"]) == (2, {"path": "."}, "path")
    assert ex.next_steps[0] is not None
    whole, alone = page.open(), Page(dw.Explorer(frame)).open()
    for array in ("scores", "banded", "band_sizes", "kind", "keep"):
        assert np.array_equal(whole.array(array), alone.array(array), equal_nan=True)
    assert whole["summary"] == alone["summary"]


@pytest.mark.lengthy
def test_what_was_decided_before_the_end_holds_after_it(photos, gated):
    job = start(photos, gated)
    gated.wait_for(3)
    review = dw.Session(job)
    group = review.frame.filter(pl.col("group") == 1)
    if group.is_empty():
        pytest.skip("no group among the first images")
    chosen = group.filter(~pl.col("keep"))["path"][0]
    review.choose_keepers([chosen])
    gated.let()
    job.result(PATIENCE)
    wait_until(lambda: review.scoring == "")
    assert review.frame.filter(pl.col("path") == chosen)["keep"].item()
    review.undo()
    assert not review.frame.filter(pl.col("path") == chosen)["keep"].item()


@pytest.mark.lengthy
def test_an_explorer_that_is_gone_is_filled_no_more(photos, gated):
    import gc
    import weakref

    job = start(photos, gated)
    gated.wait_for(3)
    review = weakref.ref(dw.Session(job))
    gc.collect()
    assert review() is None
    gated.let()
    job.result(PATIENCE)


@pytest.mark.lengthy
def test_of_a_job_that_is_cancelled_what_it_scored_is_shown(photos, gated):
    job = start(photos, gated)
    gated.wait_for(3)
    ex = dw.Explorer(job)
    job.cancel()
    gated.let()
    ended(job)
    wait_until(lambda: ex.session.scoring == "")
    assert 4 <= scored(ex) <= 13
    assert len(ex.frame) == 13


@pytest.mark.lengthy
def test_an_explorer_opens_on_a_job_that_has_nothing_yet(photos):
    model = Gated()
    try:
        ex = dw.Explorer(start(photos, model))
        assert Page(ex).open()["summary"]["waiting"] == 13
        assert ex.rest.is_empty()
    finally:
        model.let()


@pytest.mark.lengthy
def test_an_explorer_of_a_job_has_its_store(photos, tmp_path):
    job = start(photos, Pixels(), store=tmp_path / "mine.sqlite")
    job.result(PATIENCE)
    assert dw.Explorer(job).session.store is job.store
    with pytest.raises(dw.InputError, match="data is none"):
        dw.Explorer(job, path="file")


@pytest.mark.lengthy
def test_the_panel_shows_the_job_and_cancels_it(photos, gated):
    job = start(photos, gated)
    gated.wait_for(3)
    shown, again = job._repr_mimebundle_(), job._repr_mimebundle_()
    assert (
        shown["application/vnd.jupyter.widget-view+json"]
        == (again["application/vnd.jupyter.widget-view+json"])
    )
    assert shown["text/plain"] == repr(job)
    panel = JobPanel(job)
    (bar, button), text = panel.children[0].children, panel.children[1]
    assert 0 < bar.value < 1
    assert "of 13 images" in text.value
    button.click()
    assert job.cancelling
    assert button.disabled
    assert "stopping" in text.value
    gated.let()
    ended(job)
    assert bar.bar_style == "warning"
    assert "cancelled after" in text.value
    assert button.layout.display == "none"


@pytest.mark.lengthy
def test_the_panel_shows_no_more_than_it_may_and_always_the_end(photos):
    job = dw.score_async(photos, model=(model := Gated()), batch_size=1, workers=1)
    model.wait_for(1)
    panel = JobPanel(job, seconds_between=1e6)
    (bar, _), text = panel.children[0].children, panel.children[1]
    updates = []
    text.observe(lambda change: updates.append(change["new"]), "value")
    model.let()
    job.result(PATIENCE)
    for _ in range(100):
        if bar.bar_style == "success":
            break
        time.sleep(0.05)
    # Of 13 images one by one it shows where a stage begins.
    assert 1 <= len(updates) <= 4
    assert "13 images scored" in text.value
    assert bar.value == 1


@pytest.mark.lengthy
@pytest.mark.filterwarnings("ignore:the job is shown no longer")
def test_a_panel_that_breaks_does_not_end_the_job(photos, gated):
    job = start(photos, gated)

    def broken():
        raise OSError("the page is gone")

    job.watch(broken)
    gated.let()
    assert len(job.result(PATIENCE)) == 13


@pytest.mark.lengthy
def test_without_progress_a_job_is_text(photos):
    job = start(photos, Pixels(), progress=False)
    assert list(job._repr_mimebundle_()) == ["text/plain"]
    job.result(PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("waits", ["time.sleep(0.3)", "threading.Event().wait()"])
def test_an_interpreter_that_exits_neither_hangs_on_a_job_nor_crashes(photos, tmp_path, waits):
    store = tmp_path / "s.sqlite"
    program = textwrap.dedent(
        f"""
        import threading, time, numpy as np, dedup_widgets as dw
        class Waiting:
            name, key, seen = "pixels", "pixels", 0
            def encode(self, images):
                self.seen += 1
                if self.seen > 3:
                    {waits}
                return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100
                                 for i in images])
        job = dw.score_async({str(photos)!r}, model=Waiting(), store={str(store)!r}, batch_size=1)
        while job.progress[0] < 2:
            time.sleep(0.01)
        """
    )
    child = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * PATIENCE,
    )
    assert child.returncode == 0, child.stderr
    assert child.stderr == ""
    again = Gated(batches=1000)
    dw.score(photos, model=again, store=store, progress=False)
    # The first picture and its copies are done once it is embedded; nine others may be left.
    assert again.seen <= 9


def test_a_pace_follows_the_last_seconds_and_not_the_whole_run():
    now = [0.0]
    pace = Pace(seconds=10, clock=lambda: now[0])
    assert pace.a_second is None
    for second, done in enumerate([0, *range(100, 3000, 100), *range(2910, 3410, 10)]):
        now[0] = second
        pace.update(done, 4000)
    assert pace.a_second == pytest.approx(10)
    assert pace.seconds_left == pytest.approx((4000 - 3400) / 10)
