"""Which groups were reviewed: remembered by content, undone, logged, replayed, filtered by."""

import sqlite3

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.review.reviewed import Reviewed
from dedup_widgets.store.library import Library
from page import Page


def frame(**change):
    columns = {
        "path": ["/a", "/a copy", "/b", "/c", "/d", "/e"],
        "uniqueness": [0.1, 0.0, 0.02, 0.01, 0.01, 0.9],
        "group": [1, 1, 1, 2, 2, None],
        "keep": [True, False, False, True, False, True],
        "nearest": ["/b", "/a", "/a", "/d", "/c", "/a"],
        "fingerprint": ["f", "f", "g", "h", "i", "j"],
    }
    return pl.DataFrame(columns | change)


def paths(frame):
    return frame["path"].to_list()


@pytest.mark.lengthy
def test_a_group_is_reviewed_once_all_its_pictures_were_looked_at_together():
    session = dw.Session(frame())
    assert paths(session.reviewed) == []
    session.mark_reviewed(["/a", "/b"])
    assert paths(session.reviewed) == ["/a", "/a copy", "/b"]
    session.mark_reviewed(["/c"])
    assert paths(session.reviewed) == ["/a", "/a copy", "/b"]


@pytest.mark.lengthy
def test_it_outlives_the_session_and_holds_wherever_the_files_are():
    dw.Session(frame()).mark_reviewed(["/a", "/b"])
    moved = frame(path=[f"/moved{path}" for path in frame()["path"]], nearest=[None] * 6)
    assert len(dw.Session(moved).reviewed) == 3


@pytest.mark.lengthy
def test_it_holds_under_another_keeper_and_ends_with_a_new_picture():
    dw.Session(frame()).mark_reviewed(["/a", "/a copy", "/b"])
    session = dw.Session(frame())
    session.choose_keepers(["/b"])
    assert len(session.reviewed) == 3
    larger = frame(group=[1, 1, 1, 1, 2, 2])
    assert paths(dw.Session(larger).reviewed) == []


@pytest.mark.lengthy
def test_exact_copies_alone_can_be_reviewed():
    copies = frame(group=[1, 1, None, None, None, None])
    session = dw.Session(copies)
    session.mark_reviewed(["/a", "/a copy"])
    assert paths(dw.Session(copies).reviewed) == ["/a", "/a copy"]


@pytest.mark.lengthy
def test_it_is_undone_redone_and_taken_back():
    session = dw.Session(frame())
    session.mark_reviewed(["/a", "/b"])
    assert session.next_steps == ("mark 2 images as reviewed", None)
    session.undo()
    assert len(session.reviewed) == 0
    assert len(dw.Session(frame()).reviewed) == 0
    session.redo()
    assert len(session.reviewed) == 3
    session.unmark_reviewed(["/b"])
    assert len(session.reviewed) == 0
    session.unmark_reviewed(["/b"])
    assert session.next_steps[0] == "no longer mark b as reviewed"


@pytest.mark.lengthy
def test_the_log_has_it_and_a_replay_leads_there():
    dw.Session(frame()).mark_reviewed(["/c", "/d"])
    session = dw.Session(frame())
    session.mark_reviewed(["/a", "/b"])
    assert session.log["step"].to_list() == [None, "reviewed"]
    assert dw.replay(frame(), session.log).reviewed == {("f", "g"), ("h", "i")}
    session.undo()
    assert dw.replay(frame(), session.log).reviewed == {("h", "i")}


@pytest.mark.lengthy
def test_a_log_from_before_there_was_a_review_can_be_replayed():
    log = dw.Session(frame()).log
    start = log["value"].str.replace('"reviewed": [], ', "", literal=True)
    assert "reviewed" not in start[0]
    assert dw.replay(frame(), log.with_columns(value=start)).reviewed == frozenset()


@pytest.mark.lengthy
def test_the_view_can_be_filtered_by_it():
    session = dw.Session(frame())
    session.mark_reviewed(["/a", "/b"])
    session.filters = {"reviewed": True}
    assert set(paths(session.view)) == {"/a", "/a copy", "/b"}
    assert session.filters == {"reviewed": True}
    session.filters = {"reviewed": False}
    assert set(paths(session.view)) == {"/c", "/d"}
    assert set(paths(session.frame.filter(session.filters.expression))) == {"/c", "/d"}
    with pytest.raises(InputError, match="takes True or False, not 'yes'"):
        session.filters = {"reviewed": "yes"}
    with pytest.raises(InputError, match="it has no groups"):
        dw.Session(frame().select("path", "uniqueness")).filters = {"reviewed": True}


@pytest.mark.lengthy
def test_without_fingerprints_there_is_nothing_to_remember_it_by():
    session = dw.Session(frame().drop("fingerprint"))
    with pytest.raises(InputError, match="fingerprint"):
        session.mark_reviewed(["/a"])
    session.filters = {"reviewed": False}
    assert len(session.view) == 5


@pytest.mark.lengthy
def test_it_holds_for_what_a_job_has_scored_meanwhile():
    dw.Session(frame()).mark_reviewed(["/a", "/b"])
    ex = dw.Explorer(frame(fingerprint=[None] * 6))
    page = Page(ex)
    assert len(ex.reviewed) == 0
    ex.session.refill(frame())
    assert len(ex.reviewed) == 3
    assert page.open().array("reviewed_rows").tolist() == [0, 1, 2]
    page.ask("decide", change={"what": "reviewed", "rows": [3, 4], "value": True})
    assert page.events("reviewed")[-1].array("rows").tolist() == [3, 4]


def test_a_frame_without_groups_has_none_that_were_reviewed():
    assert len(dw.Session(frame().select("path", "uniqueness", "fingerprint")).reviewed) == 0


@pytest.mark.lengthy
def test_a_page_is_told_the_rows_that_changed_and_of_all_when_it_opens():
    ex = dw.Explorer(frame())
    page = Page(ex)
    assert page.open().array("reviewed_rows").tolist() == []
    reply = page.ask("decide", change={"what": "reviewed", "rows": [0, 1, 2], "value": True})
    event = reply.event("reviewed")
    assert event.array("rows").tolist() == [0, 1, 2]
    assert event.array("reviewed").tolist() == [1, 1, 1]
    opened = page.open()
    assert opened.array("reviewed_rows").tolist() == [0, 1, 2]
    assert opened.array("reviewed").tolist() == [1, 1, 1]
    page.ask("undo")
    assert page.events("reviewed")[-1].array("reviewed").tolist() == [0, 0, 0]


def test_other_sets_keep_their_number_when_one_is_added():
    prints = pl.Series(list("abcdef"))
    some = Reviewed(prints, {("c", "d")})
    both = Reviewed(prints, {("c", "d"), ("a", "f"), ("x", "a")})
    assert some.labels.tolist() == [0, 0, 3, 3, 0, 0]
    assert both.labels.tolist() == [1, 0, 3, 3, 0, 1]
    assert both.pairs == {("c", "d"), ("a", "f")}


def test_nulls_are_no_content():
    seen = Reviewed(pl.Series(["a", None, None]), {("a", "a")})
    assert seen.labels.tolist() == [1, 0, 0]
    assert seen.joined(np.array([False, True, True])) == {("a", "a")}


# The library


def test_a_library_from_before_keeps_what_it_has_and_takes_reviews(tmp_path):
    path = tmp_path / "library.sqlite"
    library = Library(path)
    library.decide(add_not_duplicates=[("a", "b")])
    library.change_collection("mine", add=["/a"])
    library.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE reviewed")
        db.execute("PRAGMA user_version = 1")
    library = Library(path)
    assert library.not_duplicates("ab") == {("a", "b")}
    assert library.collections()["mine"].paths == {"/a"}
    library.decide(add_reviewed=[("b", "a"), ("c", "c")])
    assert library.reviewed() == {("a", "b"), ("c", "c")}
    library.decide(remove_reviewed=[("b", "a")])
    assert Library(path).reviewed() == {("c", "c")}
