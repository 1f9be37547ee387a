"""Sets against sets, and parts apart, over a work folder: the frame of score on one machine."""

import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.scale.over import Sizes, score_over
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.task import plan_scoring
from runs import Coarse, Counting

SIZES = [
    Sizes(),
    Sizes(shard_files=7, block_pictures=10),
    Sizes(shard_files=3, block_pictures=2),
    Sizes(shard_files=100, block_pictures=25),
]


@pytest.fixture
def folders(tmp_path, make_photo):
    """Return a folder of folders, with copies in one of them, across them, and across sets."""
    top = tmp_path / "in"
    for number, name in enumerate(("a", "b", "c/d", "c/e")):
        folder = top / name
        folder.mkdir(parents=True)
        for seed in range(6):
            photo = make_photo(seed + 2 * number)
            photo.save(folder / f"{seed}.png")
            if seed % 2:
                photo.save(folder / f"{seed} copy.png")
                photo.save(folder / f"near-{seed}.jpg", quality=60)
            if seed % 3 == 0:
                photo.resize((90, 60)).save(folder / f"small-{seed}.jpg", quality=80)
    (top / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (top / "c" / "alone.png").write_bytes((top / "a" / "1.png").read_bytes())
    return top


def both(images, work, sizes, engine=None, model="perceptual", **settings):
    """Return the frame over a work folder, and that of score."""
    task = plan_scoring(images, model=model, **settings)
    over = score_over(task, Work.at(work), engine, sizes=sizes).collect()
    return over, dw.score(images, model=model, progress=False, **settings)


def others_first(paths):
    """Return a frame of paths that is no folder's order, with columns."""
    return (
        pl.DataFrame({"path": paths[::-1]})
        .with_row_index("votes")
        .with_columns(
            source=pl.when(pl.col("votes") % 3 > 0).then(pl.format("s{}", pl.col("votes") % 2))
        )
    )


@pytest.mark.lengthy
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_within_folders_the_frame_is_that_of_score(folders, tmp_path, sizes):
    over, score = both(folders, tmp_path / "work", sizes, within="folder")
    assert_frame_equal(over, score)
    # There is something in it to go wrong: copies in a folder, and equal pictures in several.
    assert set(score["kind"].drop_nulls()) == {"exact", "near", "unique"}
    assert score.filter(fingerprint=score["fingerprint"].mode()[0])["group"].n_unique() > 1


@pytest.mark.lengthy
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("near", [None, 0.5])
def test_against_an_older_set_the_frame_is_that_of_score(folders, tmp_path, sizes, near):
    old = [folders / "a", folders / "c"]
    over, score = both(folders, tmp_path / "work", sizes, against=old, near=near)
    assert_frame_equal(over, score)
    assert score.filter(role="old")["keep"].drop_nulls().all()
    assert score.filter(role="old", kind="exact")["group"].null_count()
    assert score.filter(role="new", kind="exact", uniqueness=0).height


@pytest.mark.lengthy
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_both_together_are_as_score_has_them(folders, tmp_path, sizes):
    old = folders / "c"
    over, score = both(folders, tmp_path / "work", sizes, against=old, within="folder")
    assert_frame_equal(over, score)


@pytest.mark.lengthy
@pytest.mark.parametrize("sizes", SIZES[1:3], ids=str)
@pytest.mark.parametrize("near", [0.05, 1])
@pytest.mark.parametrize("against", [False, True])
def test_of_equal_vectors_and_equally_near_ones_the_same_is_nearest(
    folders, tmp_path, sizes, near, against
):
    scope = {"against": folders / "b"} if against else {"within": "folder"}
    over, score = both(folders, tmp_path / "work", sizes, model=Coarse(), near=near, **scope)
    assert_frame_equal(over, score)


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "keep",
    [
        [dw.keepers.lowest("votes")],
        [dw.keepers.highest("votes"), "pixels"],
        [dw.keepers.Rule("above the others", pl.col("votes") > pl.col("votes").mean()), "bytes"],
    ],
    ids=["lowest", "highest", "above the others"],
)
def test_columns_say_what_parts_are_and_rules_look_at_one_part(folders, tmp_path, keep):
    paths = dw.score(folders, model="perceptual", progress=False)["path"].to_list()
    images = others_first(paths)
    over, score = both(images, tmp_path / "work", SIZES[1], within="source", keep=keep)
    assert_frame_equal(over, score)


@pytest.mark.lengthy
def test_a_second_run_makes_nothing_and_other_parts_read_no_picture(folders, tmp_path):
    for scope in ({"within": "folder"}, {"against": folders / "a"}, {}):
        engine = Counting()
        over, score = both(folders, tmp_path / "work", SIZES[1], engine, **scope)
        assert_frame_equal(over, score)
        read = engine.ran.pop("reading and embedding", 0)
        assert read == (-(-len(score) // 7) if "within" in scope else 0)
        again = Counting()
        both(folders, tmp_path / "work", SIZES[1], again, **scope)
        assert again.ran == {}


@pytest.mark.lengthy
def test_a_set_that_grew_is_compared_with_what_there_was(folders, tmp_path, make_photo):
    old = folders / "a"
    both(old, tmp_path / "work", SIZES[1])
    new = tmp_path / "new"
    shutil.copytree(folders / "b", new)
    over, score = both(new, tmp_path / "work", SIZES[1], against=old)
    assert_frame_equal(over, score)
