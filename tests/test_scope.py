"""A new set against an old one, and duplicates inside one part only."""

import shutil
from pathlib import Path

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.errors import InputError


def score(images, **options):
    return dw.score(images, model="perceptual", progress=False, **options)


def named(frame, *columns):
    return {Path(row[0]).name: row[1:] for row in frame.select("path", *columns).rows()}


@pytest.fixture
def sets(tmp_path, make_photo):
    """Return two folders: the old one with a copy of its own; of the new one two are in the old."""
    new, old = tmp_path / "new", tmp_path / "old"
    new.mkdir()
    old.mkdir()
    for seed in range(4):
        make_photo(seed).save(old / f"{seed}.png")
    shutil.copy(old / "0.png", old / "0 again.png")
    shutil.copy(old / "0.png", new / "n0.png")
    make_photo(1).save(new / "n1.jpg", quality=95)
    for name in ("n7.png", "n7.bmp"):
        make_photo(7).save(new / name)
    make_photo(8).save(new / "n8.png")
    return new, old


@pytest.mark.lengthy
def test_what_of_a_new_set_is_in_the_old_one_goes_and_nothing_of_the_old(sets):
    new, old = sets
    df = score(new, against=old)
    assert named(df, "keep", "role") == {
        "n0.png": (False, "new"),
        "n1.jpg": (False, "new"),
        "n7.bmp": (False, "new"),
        "n7.png": (True, "new"),
        "n8.png": (True, "new"),
        **dict.fromkeys(("0.png", "0 again.png", "1.png", "2.png", "3.png"), (True, "old")),
    }
    assert df["role"].to_list() == ["new"] * 5 + ["old"] * 5
    assert "5 of them there before" in str(dw.Session(df).summary)


@pytest.mark.lengthy
def test_no_two_old_images_are_compared(sets):
    new, old = sets
    df = score(new, against=old)
    role = dict(df.select("path", "role").rows())
    of_old = df.filter(pl.col("role") == "old", pl.col("nearest").is_not_null())
    assert {role[path] for path in of_old["nearest"]} == {"new"}
    groups = df.filter(pl.col("role") == "old").drop_nulls("group")["group"]
    assert groups.n_unique() == len(groups)
    prints = dict(df.select("fingerprint", "role").rows())
    for own, pairs in df.filter(pl.col("role") == "old").select("path", "evidence").rows():
        assert "old" not in {prints[it["fingerprint"]] for it in pairs or ()}, own


@pytest.mark.lengthy
@pytest.mark.parametrize("near", [0, 0.001, 0.05, 0.2, 0.6, 1])
def test_at_no_boundary_and_by_no_rule_does_an_old_image_go(sets, near):
    new, old = sets
    df = score(new, against=old)
    for plan in (dw.plan(df, near=near), dw.plan(df, near=near, keep=["bytes"])):
        gone = plan.filter(pl.col("action") == "remove")
        assert not gone["path"].str.starts_with(str(old)).any()
        keepers = dict(
            plan.filter(pl.col("path").str.starts_with(str(old)))["path", "keeper"].rows()
        )
        assert all(keeper in (path, None) for path, keeper in keepers.items())
    again = score(new, against=old, near=near)
    assert dw.plan(again)["action"].to_list() == dw.plan(again, near=near)["action"].to_list()
    assert again.filter(pl.col("role") == "old")["keep"].all()


@pytest.mark.lengthy
def test_a_choice_by_hand_adds_to_the_old_and_removes_none(sets):
    new, old = sets
    review = dw.Session(score(new, against=old))
    review.choose_keepers([str(new / "n1.jpg"), str(new / "n0.png")])
    gone = review.plan.filter(pl.col("action") == "remove")["path"].to_list()
    assert [Path(path).name for path in gone] == ["n7.bmp"]


@pytest.mark.lengthy
def test_the_order_of_the_input_changes_no_row(sets):
    new, old = sets
    df = score(new, against=old)
    shuffled = score(
        df.select("path").filter(df["role"] == "new")[::-1],
        against=df.select("path").filter(df["role"] == "old").sample(fraction=1, shuffle=True),
    )
    columns = ["path", "role", "uniqueness", "kind", "group", "keep", "nearest", "relation"]
    assert shuffled.select(columns).sort("path").equals(df.select(columns).sort("path"))


@pytest.mark.lengthy
def test_old_may_be_a_scored_frame_or_its_file(sets, tmp_path):
    new, old = sets
    expected = score(new, against=old)["keep"].to_list()
    scored = score(old)
    scored.write_parquet(tmp_path / "old.parquet")
    for known in (scored, tmp_path / "old.parquet", [old], str(old / "*.png")):
        assert score(new, against=known)["keep"].to_list() == expected


@pytest.mark.lengthy
def test_a_file_in_both_sets_is_an_old_one(sets):
    new, old = sets
    df = score([new, old / "2.png"], against=old)
    assert len(df) == 10
    assert named(df, "role")["2.png"] == ("old",)


def test_an_empty_set_against_an_old_one_has_nothing_to_remove(sets, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    df = score(empty, against=sets[1])
    assert df["keep"].all()
    assert df["uniqueness"].to_list() == [1.0] * 5


@pytest.mark.lengthy
def test_within_folders_each_part_is_scored_as_if_it_were_alone(sets):
    new, old = sets
    df = score([new, old], within="folder")
    for folder in sets:
        alone = score(folder)
        mine = df.filter(pl.col("path").str.starts_with(f"{folder}/"))
        columns = ["path", "uniqueness", "kind", "keep", "nearest", "distance", "relation"]
        assert mine.select(columns).sort("path").equals(alone.select(columns).sort("path"))
    assert df["group"].drop_nulls().sort().to_list() == [1, 1, 2, 2]


@pytest.mark.lengthy
@pytest.mark.parametrize("near", [0, 0.05, 0.3, 1])
def test_no_boundary_groups_images_of_two_parts(sets, near):
    new, old = sets
    df = score([new, old], within="folder")
    plan = dw.plan(df, near=near)
    parted = plan.filter(
        pl.col("keeper").str.contains("/new/") != pl.col("path").str.contains("/new/")
    )
    assert parted.is_empty()
    review = dw.Session(df)
    review.decide(review.decisions.with_near(near))
    assert review.plan["action"].to_list() == plan["action"].to_list()


@pytest.mark.lengthy
def test_within_may_be_a_column(sets):
    new, old = sets
    paths = [*sorted(map(str, new.iterdir())), *sorted(map(str, old.iterdir()))]
    patients = ["a" if Path(path).stem in ("n0", "0") else "b" for path in paths]
    df = score(pl.DataFrame({"path": paths, "patient": patients}), within="patient")
    assert named(df, "keep")["n0.png"] != named(df, "keep")["0.png"]
    assert named(df, "keep")["0 again.png"] == (True,)
    with pytest.raises(InputError, match=r"within= needs a column 'patients'.*Did you mean"):
        score(pl.DataFrame({"path": paths, "patient": patients}), within="patients")


@pytest.mark.lengthy
def test_against_and_within_together(sets):
    new, old = sets
    df = score(new, against=old, within="folder")
    assert named(df, "keep")["n0.png"] == (True,)
    assert named(df, "keep")["n7.bmp"] == (False,)


@pytest.mark.lengthy
def test_the_scores_of_a_parquet_file_stay_in_their_scope(sets, tmp_path):
    new, old = sets
    df = score(new, against=old)
    df.write_parquet(tmp_path / "scores.parquet")
    again = pl.read_parquet(tmp_path / "scores.parquet")
    assert dw.plan(again, near=0.3).equals(dw.plan(df, near=0.3))


@pytest.mark.lengthy
def test_what_stays_of_both_sets_becomes_a_dataset(sets, tmp_path):
    new, old = sets
    review = dw.Session(score(new, against=old))
    stays = review.plan["action"] == "keep"
    made = review.create_dataset(stays, "both", root=tmp_path / "datasets", progress=False)
    assert made.images == 7


@pytest.mark.lengthy
def test_in_the_background_it_is_the_same(sets):
    new, old = sets
    job = dw.score_async(new, against=old, model="perceptual", progress=False)
    review = dw.Session(job)
    assert job.result().equals(score(new, against=old))
    assert len(review) == 10


@pytest.mark.lengthy
def test_parts_leave_what_was_searched_among_all(sets):
    new, old = sets
    whole = score([new, old])
    for _ in range(3):
        score([new, old], within="folder")
    assert score([new, old]).equals(whole)
