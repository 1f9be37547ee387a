"""Several names of one file: nothing is freed by removing one of them, and it is one image."""

import os
import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.images.listing import SAME_FILE, list_images
from dedup_widgets.images.same_files import same_files
from dedup_widgets.planning.labels import label_conflicts, leakage


@pytest.fixture
def linked(photo_folder, tmp_path):
    """Three photos; and in another folder further names of two of them, and a copy of the third."""
    photos = photo_folder(3)
    names = sorted(photos.iterdir())
    other = tmp_path / "there"
    other.mkdir()
    os.link(names[0], other / "hard.png")
    (other / "soft.png").symlink_to(names[1])
    shutil.copy(names[2], other / "copy.png")
    return photos, other


def score(what, **options):
    return dw.score(what, model="perceptual", progress=False, **options)


def frame_of(*folders, **columns):
    paths = [str(path) for folder in folders for path in sorted(folder.iterdir())]
    return pl.DataFrame({"path": paths, **columns})


def by_name(df, *columns):
    return {row[0].rpartition("/")[2]: row[1:] for row in df.select("path", *columns).rows()}


def names(paths):
    return sorted(path.rpartition("/")[2] for path in paths)


def test_rows_that_name_one_file_are_no_copies_of_each_other(linked):
    photos, other = linked
    df = score(frame_of(other, photos))
    found = by_name(df, "kind", "keep", "group", "same_file")
    assert found["hard.png"] == ("unique", True, None, str(photos / "photo-000.png"))
    assert found["soft.png"] == ("unique", True, None, str(photos / "photo-001.png"))
    assert found["photo-000.png"] == ("unique", True, None, None)
    assert found["copy.png"][0] == found["photo-002.png"][0] == "exact"
    for name, own in (("hard.png", "photo-000.png"), ("soft.png", "photo-001.png")):
        assert by_name(df, "uniqueness")[name] == by_name(df, "uniqueness")[own]
    assert (df["uniqueness"] == 0).sum() == 1
    summary = dw.Session(df).summary
    assert (summary.exact, summary.kept, summary.further_names) == (1, 5, 2)
    assert summary.exact_bytes == (photos / "photo-002.png").stat().st_size
    assert "2 further names of listed files" in str(summary)


def test_the_order_of_rows_changes_nothing(linked):
    frame = frame_of(*linked)
    columns = ("uniqueness", "kind", "keep", "same_file")
    assert by_name(score(frame), *columns) == by_name(score(frame.reverse()), *columns)


@pytest.fixture
def preferred(linked):
    """A frame whose copy has two names; which of both files stays is up to ``source``."""
    photos, other = linked
    os.link(other / "copy.png", other / "copy too.png")
    frame = frame_of(other, photos)
    source = pl.when(pl.col("path").str.contains("copy")).then(pl.lit("web")).otherwise(pl.lit("x"))
    return frame.with_columns(source.alias("source"))


def test_all_names_of_a_file_stay_or_go_with_it(preferred):
    for best, stays, goes in (
        ("x", ["photo-002.png"], ["copy too.png", "copy.png"]),
        ("web", ["copy too.png", "copy.png"], ["photo-002.png"]),
    ):
        rules = [dw.keepers.prefer("source", [best])]
        df = score(preferred, keep=rules)
        for plan in (dw.plan(df), dw.plan(df, near=0.05, keep=rules)):
            removed = plan.filter(pl.col("action") == "remove")
            assert names(removed["path"]) == goes
            assert {"hard.png", "soft.png", *stays} <= set(names(plan["path"])) - set(goes)
        reasons = by_name(dw.plan(df), "reason")
        assert reasons["hard.png"] == ("another name of photo-000.png",)
        further = by_name(df, "same_file")
        (name,) = (it for it in ("copy.png", "copy too.png") if further[it] != (None,))
        assert reasons[name][0].startswith("another name of copy")
        # Two names that go free the file once.
        file = preferred.filter(pl.col("path").str.contains("photo-002"))["path"][0]
        assert dw.Session(df).summary.exact_bytes == os.path.getsize(file)  # noqa: PTH202


def test_a_keeper_that_is_chosen_under_any_name_stays_under_all(preferred):
    df = score(preferred, keep=[dw.keepers.prefer("source", ["x"])])
    review = dw.Session(df)
    for name in ("copy.png", "copy too.png"):
        (path,) = (path for path in df["path"] if path.endswith(name))
        review.choose_keepers([path])
        goes = review.plan.filter(pl.col("action") == "remove")["path"]
        assert names(goes) == ["photo-002.png"]
        assert by_name(review.frame, "keep", "uniqueness")["photo-002.png"] == (False, 0)
        kept = by_name(review.frame, "uniqueness", "group")
        assert kept["copy.png"][0] == kept["copy too.png"][0] > 0
        assert review.summary.exact == 1
        review.undo()
        assert by_name(review.frame, "keep")["copy too.png"] == (False,)


def test_a_dataset_has_a_file_once(linked):
    df = score(frame_of(*linked))
    review = dw.Session(df)
    taken, _ = review.without_copies(review.frame)
    assert names(taken["path"]) == ["photo-000.png", "photo-001.png", "photo-002.png"]


def test_two_names_in_two_splits_and_two_classes_are_told(linked):
    photos, other = linked
    frame = frame_of(photos).with_columns(split=pl.lit("train"), label=pl.lit("cat"))
    others = frame_of(other).with_columns(split=pl.lit("test"), label=pl.lit("dog"))
    df = score(pl.concat([frame, others]))
    for rows in (leakage(df, "split"), label_conflicts(df, "label")):
        assert len(rows) == 6
        assert set(rows.columns) == {*df.columns, rows.columns[-1]}
    review = dw.Session(df, label="label", split="split")
    assert review.disagreements == {"label_conflicts": 3, "leakage": 3}


def test_lists_folders_and_an_older_set_take_a_file_once(linked):
    photos, other = linked
    alias = photos.parent / "alias"
    alias.symlink_to(photos)
    for what, count in (
        ([photos, other / "hard.png", other / "soft.png"], 2),
        ([other / "hard.png", other / "soft.png", photos], 2),
        ([photos, alias], 3),
        ([alias / "photo-000.png", photos / "photo-000.png"], 1),
    ):
        found = list_images([str(it) for it in what])
        assert sum(found.not_taken[SAME_FILE].values()) == count
        assert not same_files(found.paths)
    for new in (str(other), frame_of(other)):
        df = score(new, against=str(photos))
        assert names(df.filter(pl.col("role") == "new")["path"]) == ["copy.png"]
        assert dw.Session(df).summary.not_taken[SAME_FILE] == {".png": 2}


def test_within_parts_a_file_counts_in_each(linked):
    photos, other = linked
    os.link(other / "hard.png", other / "hard too.png")
    df = score(frame_of(photos, other), within="folder")
    found = by_name(df, "same_file", "keep", "kind")
    assert found["hard.png"] == (None, True, "unique") or found["hard too.png"][0] is None
    assert {found["hard.png"][0], found["hard too.png"][0]} == {None, str(other / "hard too.png")}
    assert found["soft.png"] == (None, True, "unique")


def test_jobs_over_a_work_folder_know_further_names(linked, tmp_path):
    frame = frame_of(*linked)
    over = score(frame, work=tmp_path / "work")
    assert_frame_equal(over, score(frame), check_exact=False, rel_tol=1e-5)


def test_scores_that_are_made_again_look_at_the_disk_again(linked):
    photos, other = linked
    df = score(frame_of(*linked))
    shutil.copy(photos / "photo-000.png", other / "new")
    (other / "new").replace(other / "hard.png")
    again = by_name(score(df), "same_file", "kind")
    assert again["hard.png"] == (None, "exact")
    mine = frame_of(*linked).with_columns(same_file=pl.lit("mine"))
    assert score(mine)["same_file"].to_list() == ["mine"] * 6


def test_what_is_on_no_disk_is_one_image_a_row():
    assert not same_files(["s3://bucket/a.jpg", "s3://bucket/b.jpg", "/no/such/file", "/no/other"])


def test_a_part_of_a_frame_is_planned_as_the_whole(linked):
    photos, other = linked
    os.link(other / "hard.png", other / "hard too.png")
    df = score(frame_of(*linked))
    part = df.filter(pl.col("path") != str(photos / "photo-000.png"))
    plan = by_name(dw.plan(part), "action")
    assert plan["hard.png"] == plan["hard too.png"] == ("keep",)


def test_what_an_earlier_score_told_is_told_anew(linked):
    df = score(frame_of(*linked))
    kept = df.select("path", "same_file").with_columns(mine=pl.lit(1))
    review = dw.Session(kept, model="perceptual")
    assert review.frame["same_file"].equals(df["same_file"])
    assert review.frame["mine"].to_list() == [1] * 6
