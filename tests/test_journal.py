"""A review outlives its kernel, and notebooks on one library see what the others decide."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.errors import StoreError
from dedup_widgets.scoring import keepers
from dedup_widgets.store.cache import Cache
from dedup_widgets.store.library import Library
from dedup_widgets.store.open import Store
from effort import examples
from page import Page

N = 30
KEPT_BY_ORDER = Path(__file__).parent / "fixtures" / "by-order" / "library.sqlite"


def frame_of(n=N):
    """Return n made-up images: each third is a copy of the one before, or near it."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(n, 16))
    vectors[1::3] = vectors[0::3][: len(vectors[1::3])]
    vectors[2::3] = vectors[0::3][: len(vectors[2::3])] + 0.02
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    prints = [f"{row - (row % 3 == 1):032x}" for row in range(n)]
    scored = dw.uniqueness(vectors, fingerprints=prints)
    paths = pl.Series("path", [f"/photos/{row:05}.jpg" for row in range(n)])
    return pl.DataFrame({"path": paths, "fingerprint": prints}).with_columns(
        scored.with_columns(nearest=paths.gather(scored["nearest"])),
        embedding=pl.Series(vectors.astype(np.float32), dtype=pl.Array(pl.Float32, 16)),
        bytes=pl.int_range(n) + 1000,
    )


@pytest.fixture(scope="module")
def frame():
    return frame_of()


@pytest.fixture
def notebook(tmp_path, frame):
    """Return what begins a review as another kernel would: with files of its own opening."""

    def begin(data=frame, *, restore=True, rows_by_path=1_000, **options):
        library = Library(tmp_path / "library.sqlite", rows_by_path=rows_by_path)
        store = Store(Cache(tmp_path / "cache.sqlite"), library)
        return dw.Session(data, store=store, restore=restore, **options)

    return begin


def state(session):
    return {
        "decisions": session.decisions.as_json(),
        "selection": sorted(session.selection["path"]),
        "filters": dict(session.filters),
        "plan": session.plan.rows(),
        "log": session.log.rows(),
        "next": session.next_steps,
        "collections": {name: it.paths for name, it in session.collections.items()},
        "reviewed": session.reviewed["path"].to_list(),
    }


def path(row):
    return f"/photos/{row:05}.jpg"


STEPS = {
    "boundary": lambda it: setattr(it, "near", 0.3),
    "rules": lambda it: setattr(it, "rules", ["bytes", keepers.lowest("bytes")]),
    "filters": lambda it: setattr(it, "filters", {"uniqueness": (0, 0.1), "plan": "remove"}),
    "selection": lambda it: setattr(it, "selection", [path(1), path(7)]),
    "select all": lambda it: setattr(it, "selection", np.ones(N, bool)),
    "keeper": lambda it: it.choose_keepers([path(1)]),
    "not duplicates": lambda it: it.mark_not_duplicates([path(4)]),
    "reviewed": lambda it: it.mark_reviewed([path(6), path(7), path(8)]),
    "collection": lambda it: it.collections.__setitem__("A", [path(3), path(5)]),
    "rename": lambda it: it.collections.rename("A", "B"),
    "undo": lambda it: it.undo(),
    "undo again": lambda it: it.undo(),
    "redo": lambda it: it.redo(),
    "accept": lambda it: it.accept_plan("Unique"),
}


@pytest.mark.lengthy
def test_after_each_step_another_kernel_goes_on_where_this_one_was(notebook):
    session = notebook()
    for name, step in STEPS.items():
        step(session)
        assert state(notebook()) == state(session), name


@pytest.mark.lengthy
def test_what_was_done_before_the_kernel_died_can_be_undone(notebook):
    session = notebook()
    start = state(session)
    STEPS["boundary"](session)
    STEPS["keeper"](session)
    STEPS["collection"](session)
    again = notebook()
    assert [again.undo() for _ in range(4)][-1] is None
    after = state(again)
    for name in ("log", "next"):
        del start[name], after[name]
    assert after == start
    assert again.redo() == "near-duplicate threshold as scored → 0.3"


@pytest.mark.lengthy
def test_the_log_in_the_library_is_the_one_of_all_kernels(notebook, frame):
    for number, step in enumerate(STEPS.values(), 1):
        session = notebook()
        step(session)
        assert len(session.log) <= number + 2
    replayed = dw.replay(frame, notebook().log)
    assert replayed.plan.rows() == session.plan.rows()
    assert replayed.selection["path"].to_list() == sorted(session.selection["path"])
    assert replayed.decisions == session.decisions


def said(session):
    return Page(dw.Explorer(session)).open()["review"]["went_on"]


@pytest.mark.lengthy
def test_the_page_is_told_what_is_gone_on_with(notebook):
    STEPS["boundary"](notebook())
    assert said(notebook(restore=False)) == ""
    assert said(notebook()).startswith("Gone on with the review of 20")
    assert said(notebook()).endswith(": 1 step.")


@pytest.mark.lengthy
def test_a_review_begins_anew_in_steps_that_can_be_undone(notebook):
    session = notebook()
    start = state(session)
    for step in STEPS.values():
        step(session)
    again = notebook()
    before, steps = state(again), len(again.log)
    page = Page(dw.Explorer(again))
    assert page.ask("begin_anew")["ok"]
    assert page.events("review")[-1]["review"]["went_on"] == ""
    after = state(again)
    for name in ("selection", "filters"):
        assert after[name] == start[name]
    for name in ("near", "rules"):
        assert after["decisions"][name] == start["decisions"][name]
    for name in ("keepers", "not_duplicates"):
        assert after["decisions"][name] == before["decisions"][name] != []
    for name in ("collections", "reviewed"):
        assert after[name] == before[name] != start[name]
    assert state(notebook())["decisions"] == after["decisions"]
    for _ in range(len(again.log) - steps):
        again.undo()
    for name in ("decisions", "selection", "filters", "plan", "collections"):
        assert state(again)[name] == before[name]


@pytest.mark.lengthy
def test_a_review_that_begins_anew_twice_makes_no_step_of_it(notebook):
    session = notebook()
    session.begin_anew()
    assert len(session.log) == 1
    assert session.next_steps == (None, None)


def test_what_has_no_plan_begins_anew_too(notebook, frame):
    session = notebook(frame.select("path", "uniqueness"))
    session.selection = [path(1)]
    session.filters = {"uniqueness": (0, 0.1)}
    session.begin_anew()
    assert len(session.selection) == len(session.filters) == 0


@pytest.mark.lengthy
def test_who_only_looks_leaves_no_review(notebook):
    STEPS["boundary"](notebook())
    for _ in range(3):
        assert notebook().near == 0.3
    with closing(sqlite3.connect(notebook().store.library.path)) as db:
        assert db.execute("SELECT count(*) FROM review").fetchone() == (1,)


@pytest.mark.lengthy
def test_two_that_go_on_with_one_review_lose_nothing_of_each_other(notebook):
    STEPS["boundary"](notebook())
    one, two = notebook(), notebook()
    one.rules = ["bytes"]
    two.near = 0.4
    one.near = 0.5
    two.filters = {"kind": ["near"]}
    assert state(notebook()) == state(two)
    one.selection = [path(1)]
    assert state(notebook()) == state(one)


@pytest.mark.lengthy
def test_a_review_of_other_images_begins_anew(notebook, frame):
    STEPS["boundary"](notebook())
    others = frame.head(20), frame_of(N + 3), frame.with_columns(pl.col("path") + "x")
    for other in others:
        assert len(notebook(other).log) == 1
    assert notebook(restore=False).near != 0.3
    assert notebook().near == 0.3


def in_any_order(session):
    """The state of a review, whatever the order of its frame."""
    found = state(session)
    found["plan"] = sorted(found["plan"])
    found["reviewed"] = sorted(found["reviewed"])
    found["collections"] = {name: sorted(paths) for name, paths in found["collections"].items()}
    found["log"] = [
        (time, action, step, json.loads(value, object_hook=sorted_lists))
        for time, action, step, value in found["log"]
    ]
    return found


def without_times(found):
    return {**found, "log": [line[1:] for line in found["log"]]}


def sorted_lists(value):
    return {
        key: sorted(it) if isinstance(it, list) and key != "rules" else it
        for key, it in value.items()
    }


@pytest.mark.lengthy
@examples(10)
@given(seeds=st.lists(st.integers(0, 99), min_size=1, max_size=3), data=st.data())
def test_a_review_is_gone_on_with_whatever_the_order_of_its_frame(frame, seeds, data):
    with tempfile.TemporaryDirectory() as place:

        def notebook(order):
            library = Library(Path(place) / "l.sqlite", rows_by_path=3)
            store = Store(Cache(Path(place) / "c.sqlite"), library)
            return dw.Session(frame[list(order)], store=store, restore=True)

        last = notebook(range(N))
        STEPS["boundary"](last)
        for seed in seeds:
            session = notebook(np.random.default_rng(seed).permutation(N))
            assert in_any_order(session) == in_any_order(last)
            names = data.draw(st.lists(st.sampled_from(sorted(STEPS)), max_size=5), "steps")
            for name in names:
                if name != "rename" or "A" in session.collections.keys() - {"B"}:
                    with suppress(dw.errors.InputError):
                        STEPS[name](session)
            some = data.draw(st.sets(st.integers(0, N - 1)), "selection")
            session.selection = [path(row) for row in some]
            last = session
        assert in_any_order(notebook(range(N)[::-1])) == in_any_order(last)


@pytest.mark.lengthy
def test_a_review_that_was_kept_by_the_order_of_its_rows_is_gone_on_with(notebook, frame, tmp_path):
    mixed = frame[np.random.default_rng(0).permutation(N)]
    library = Library(tmp_path / "of now.sqlite", rows_by_path=3)
    store = Store(Cache(tmp_path / "cache of now.sqlite"), library)
    session = dw.Session(mixed, store=store)
    for step in STEPS.values():
        step(session)
    session.selection = [path(row) for row in range(2, 20)]
    shutil.copy(KEPT_BY_ORDER, tmp_path / "library.sqlite")
    before = in_any_order(notebook(mixed, rows_by_path=3))
    assert without_times(before) == without_times(in_any_order(session))
    assert len(notebook(frame, rows_by_path=3).log) == 1  # nobody knows it in another order yet
    notebook(mixed, rows_by_path=3).near = 0.11
    again = notebook(frame, rows_by_path=3)
    assert again.near == 0.11
    assert again.undo() is not None
    assert {**in_any_order(again), "log": 0, "next": 0} == {**before, "log": 0, "next": 0}


@pytest.mark.lengthy
def test_a_boundary_that_is_asked_for_wins_unless_it_was_asked_for_before(notebook):
    session = notebook(near=0.2)
    session.near = 0.3
    assert notebook(near=0.2).near == 0.3
    assert notebook().near == 0.3
    assert notebook(near=0.25).near == 0.25


@pytest.mark.lengthy
def test_steps_over_many_rows_are_small_and_come_back(tmp_path):
    frame = frame_of(6_000)
    store = dw.Session(frame, store=tmp_path, restore=True).store
    session = dw.Session(frame, store=store)
    session.selection = np.arange(6_000) % 2 == 0
    session.collections["Half"] = session.selection
    again = dw.Session(frame, store=Store(store.cache, Library(store.library.path)), restore=True)
    assert again.selection["path"].to_list() == session.selection["path"].to_list()
    assert again.log.rows() == session.log.rows()
    with closing(sqlite3.connect(store.library.path)) as db:
        (most,) = db.execute("SELECT max(length(value)) FROM review_step").fetchone()
    assert most < 5_000


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE review_step SET value = 'no JSON'",
        "UPDATE review_step SET value = '{}'",
        "UPDATE review_step SET action = 'dance'",
        "UPDATE review_step SET time = 'noon'",
        "UPDATE review_step SET step = 'rules', value = '[{\"about\": 1}]' WHERE number = 1",
        "UPDATE review_step SET step = 'near', value = '7' WHERE number = 1",
        """UPDATE review_step SET step = 'selection',
        value = '{"add": {"bits": "eJw="}, "remove": []}' WHERE number = 1""",
        "DELETE FROM review_step WHERE number = 0",
    ],
)
def test_a_review_that_cannot_be_read_is_told_and_a_new_one_begins(notebook, harm):
    session = notebook()
    STEPS["boundary"](session)
    with closing(sqlite3.connect(session.store.library.path, isolation_level=None)) as db:
        db.execute(harm)
    with pytest.warns(UserWarning, match="cannot be gone on with"):
        assert len(notebook().log) == 1


def test_what_is_named_by_number_is_read_in_the_library_only(frame):
    log = [
        {"action": "start", "value": dw.Session(frame).log["value"][0]},
        {"action": "do", "step": "selection", "value": {"add": {"bits": "eJw="}, "remove": []}},
    ]
    with pytest.raises(dw.errors.InputError, match="has no list 'add'"):
        dw.replay(frame, log)


@pytest.mark.lengthy
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_each_step_is_kept_when_it_returns(tmp_path, frame):
    frame.write_parquet(tmp_path / "frame.parquet")
    code = f"""
import os, polars as pl, dedup_widgets as dw
session = dw.Session(pl.read_parquet({str(tmp_path / "frame.parquet")!r}), store={str(tmp_path)!r})
session.near = 0.3
session.selection = [{path(1)!r}]
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    session = dw.Session(frame, store=tmp_path, restore=True)
    assert session.near == 0.3
    assert session.selection["path"].to_list() == [path(1)]


# In one transaction: what a step decides, and its line


def left_by_kills(place, act):
    """Act; return each library that a kill before or after some call of SQLite would leave."""
    left = []

    def look(_frame, _event, called):
        if isinstance(getattr(called, "__self__", None), sqlite3.Connection | sqlite3.Cursor):
            files = {it.name: it.read_bytes() for it in place.glob("library.sqlite*")}
            if files not in left:
                left.append(files)

    sys.setprofile(look)
    try:
        act()
    finally:
        sys.setprofile(None)
    return left


@pytest.mark.lengthy
def test_a_kill_in_a_step_leaves_it_done_and_in_the_log_or_neither(notebook, frame, tmp_path):
    session = notebook()
    session.selection = [path(0)]  # a review begins with its first step
    for number, (name, step) in enumerate(STEPS.items()):
        if name == "accept":  # it is two: it selects what goes, and collects what stays
            continue
        before = state(notebook())
        left = left_by_kills(tmp_path, lambda step=step: step(session))
        after = state(notebook())
        found = []
        for turn, files in enumerate(left):
            place = tmp_path / f"{number}-{turn}"
            place.mkdir()
            for file, data in files.items():
                (place / file).write_bytes(data)
            found.append(state(dw.Session(frame, store=place, restore=True)))
        assert all(it in (before, after) for it in found), name
        assert found[0] == before, name
        assert len(left) > 2, "it was looked while it was written"


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["keeper", "not duplicates", "reviewed", "collection", "undo"])
def test_a_step_whose_line_cannot_be_kept_is_not_made(notebook, name):
    session = notebook()
    for earlier in ("collection", "keeper"):
        STEPS[earlier](session)
    session.collections["A"] = [path(6)]
    session.unchoose_keepers([path(1)])
    before = state(session)
    with closing(sqlite3.connect(session.store.library.path, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON review_step"
            " BEGIN SELECT RAISE(ABORT, 'no line'); END"
        )
        with pytest.raises(StoreError, match="no line"):
            STEPS[name](session)
        assert state(session) == before
        assert state(notebook()) == before
        other.execute("DROP TRIGGER no")
    STEPS[name](session)
    assert state(session) != before
    assert state(notebook()) == state(session)


# Locks


@pytest.mark.lengthy
def test_what_does_not_go_to_the_library_waits_for_nobody(notebook):
    session = notebook()
    with closing(sqlite3.connect(session.store.library.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer = threading.Thread(target=session.choose_keepers, args=([path(1)],))
        writer.start()
        session.selection = [path(4)]
        session.filters = {"kind": ["near"]}
        assert session.collections == {}
        assert len(session.view) > 0
        assert writer.is_alive()
        other.execute("ROLLBACK")
        writer.join(60)
    assert session.decisions.keepers == {path(1)}
    session.selection = [path(5)]  # the next step keeps all before it too
    assert state(notebook()) == state(session)


# Several notebooks


@pytest.mark.lengthy
def test_decisions_of_one_notebook_are_seen_in_the_other(notebook):
    one, two = notebook(), notebook()
    one.choose_keepers([path(1)])
    assert two.decisions == one.decisions
    two.mark_not_duplicates([path(5)])
    assert one.plan.rows() == two.plan.rows()
    one.mark_reviewed([path(6), path(7), path(8)])
    assert two.reviewed.rows() == one.reviewed.rows()
    one.undo()
    assert two.reviewed.is_empty()


@pytest.mark.lengthy
@pytest.mark.parametrize("seen", [False, True])
def test_of_two_notebooks_the_later_choice_is_the_keeper(notebook, seen):
    one, two = notebook(), notebook()
    one.choose_keepers([path(0)])
    if seen:
        two.catch_up()
    two.choose_keepers([path(1)])
    for session in (one, two, notebook()):
        assert session.decisions.keepers == {path(1)}
        assert session.plan["keeper"][0] == path(1)


@pytest.mark.lengthy
def test_of_choices_at_the_same_moment_one_is_the_keeper(notebook):
    sessions = [notebook() for _ in range(3)]
    threads = [
        threading.Thread(target=it.choose_keepers, args=([path(row)],))
        for row, it in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notebook().decisions.keepers) == 1
    assert len({it.decisions.keepers for it in sessions}) == 1


@pytest.mark.lengthy
def test_the_log_leads_to_the_plan_whoever_decided(notebook, frame):
    one, two = notebook(), notebook()
    one.choose_keepers([path(1)])
    two.near = 0.2
    two.choose_keepers([path(4)])
    one.mark_not_duplicates([path(8)])
    for session in (one, two):
        plan = session.plan
        assert dw.replay(frame, session.log).plan.rows() == plan.rows()


@pytest.mark.lengthy
def test_a_step_of_another_notebook_is_not_undone_here(notebook):
    one, two = notebook(), notebook()
    one.choose_keepers([path(1)])
    assert two.decisions.keepers == {path(1)}
    assert two.undo() is None


@pytest.mark.lengthy
def test_keepers_of_a_frame_without_contents_stay_beside_what_others_decide(notebook, frame):
    one, two = notebook(frame.drop("fingerprint")), notebook()
    one.choose_keepers([path(1)])
    two.choose_keepers([path(4)])
    assert one.decisions.keepers == {path(1)}


# Ctrl-C


@pytest.mark.lengthy
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals of POSIX")
@pytest.mark.parametrize(
    "name", ["boundary", "keeper", "collection", "accept", "undo", "selection"]
)
def test_an_interrupted_step_is_done_and_recorded_or_neither(notebook, frame, name):
    session = notebook()
    STEPS["rules"](session)
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    interrupts = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for delay in np.geomspace(0.0003, 0.02, 6):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                STEPS[name](session)
                session.near = 0.1 + delay
            except KeyboardInterrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            replayed = dw.replay(frame, session.log)
            assert replayed.decisions == session.decisions
            assert replayed.selection["path"].to_list() == sorted(session.selection["path"])
            kept = {name: it.paths for name, it in replayed.collections.items()}
            assert kept == {name: it.paths for name, it in session.collections.items()}
            assert state(notebook())["plan"] == session.plan.rows()
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, interrupts)
