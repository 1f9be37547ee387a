"""Files that went missing after they were scored."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.images.missing import find_missing
from page import Page, Pixels, names


@pytest.fixture
def frame(photo_folder, make_photo):
    """Six photos, three copies of the first, and a smaller one of the second."""
    folder = photo_folder(6, copies=3)
    make_photo(1).resize((120, 90)).save(folder / "small.png")
    return dw.score(folder, model=Pixels(), near=0.2, progress=False)


def gone(frame, which):
    """Delete the files of some rows; return the mask of what is found missing."""
    for path in frame.filter(which)["path"]:
        Path(path).unlink()
    return find_missing(frame["path"].to_list())


def by_name(review):
    plan = review.plan.with_columns(name=pl.col("path").str.split("/").list.last())
    return {row["name"]: row for row in plan.iter_rows(named=True)}


@pytest.mark.lengthy
def test_only_files_that_are_gone_are_missing(frame, tmp_path):
    paths = [*frame["path"], "s3://bucket/a.jpg", str(tmp_path / "no folder" / "a.jpg")]
    missing = find_missing(paths)
    # A bucket is not asked: whether an object is there is known when it is read.
    assert missing.tolist() == [False] * len(frame) + [False, True]


@pytest.mark.lengthy
def test_a_missing_keeper_leaves_its_place_to_a_copy_that_is_there(frame):
    keeper = frame.filter(pl.col("kind") == "exact", pl.col("keep"))
    review = dw.Session(frame)
    review.note_missing(gone(frame, pl.col("path").is_in(keeper["path"].implode())))
    copies = review.frame.filter(pl.col("group") == keeper["group"][0])
    assert len(copies) == 3
    kept = copies.filter("keep")
    assert len(kept) == 1
    assert kept["uniqueness"].item() == keeper["uniqueness"].item()
    assert copies.filter(~pl.col("keep"))["uniqueness"].to_list() == [0, 0]
    actions = review.plan.filter(pl.col("action") == "remove")
    assert keeper["path"].item() not in actions["keeper"].to_list()
    row = review.frame.filter(pl.col("path") == keeper["path"].item()).row(0, named=True)
    assert "missing" in row["error"]
    assert (row["uniqueness"], row["group"], row["keep"]) == (None, None, None)
    assert row["width"] is not None
    assert keeper["path"].item() not in review.accept_plan("Unique").paths


@pytest.mark.lengthy
def test_a_group_without_its_keeper_and_without_copies_falls_apart(frame):
    near = frame.filter(pl.col("kind") == "near", pl.col("group").is_not_null())
    keeper = near.filter("keep")
    assert len(near) == 2
    review = dw.Session(frame)
    review.note_missing(gone(frame, pl.col("path").is_in(keeper["path"].implode())))
    left = near.filter(~pl.col("keep"))["path"].item()
    plan = review.plan.filter(pl.col("path") == left).row(0, named=True)
    assert (plan["action"], plan["group"]) == ("keep", None)


@pytest.mark.lengthy
def test_no_plan_removes_the_last_copy_whatever_was_chosen(frame):
    copies = frame.filter(pl.col("kind") == "exact")["path"].to_list()
    review = dw.Session(frame)
    review.choose_keepers(copies[:2])
    review.near = 0.3
    review.note_missing(gone(frame, pl.col("path").is_in(copies[:3])))
    plan = by_name(review)
    assert plan[Path(copies[3]).name]["action"] == "keep"
    review.near = None
    assert by_name(review)[Path(copies[3]).name]["action"] == "keep"
    assert review.summary.unreadable == 3


@pytest.mark.lengthy
def test_where_nothing_is_missing_or_nothing_is_there_the_plan_stays(frame):
    review = dw.Session(frame)
    plan = review.plan
    review.note_missing(np.ones(len(frame), bool))
    review.note_missing(find_missing(frame["path"].to_list()))
    assert review.plan is plan


@pytest.mark.lengthy
def test_the_explorer_looks_once_and_shows_what_is_missing(frame, monkeypatch):
    from dedup_widgets.widgets.requests import review as requests

    # Explorers of other tests may look a little later, too.
    looked, prepared = [], []
    monkeypatch.setattr(
        requests, "find_missing", lambda paths: looked.append(paths) or find_missing(paths)
    )
    monkeypatch.setattr(dw.Session, "prepare", lambda session: prepared.append(session))
    gone(frame, pl.col("path").str.ends_with("photo-005.png"))
    ex = dw.Explorer(frame)
    page = Page(ex)
    page.open()
    for _ in range(200):
        if page.events("frame"):
            break
        __import__("time").sleep(0.05)
    page.open()
    assert looked.count(ex.session.paths) == 1
    # By then the first decision need not sort all paths to know which images the review is of.
    assert prepared.count(ex.session) == 1
    row = names(frame).index("photo-005.png")
    (tile,) = page.ask("tiles", rows=[row])["tiles"]
    assert tile["error"] == "the file is missing; it was there when it was scored"
