"""A raw file and its JPEG, a live photo and its video are one shot, and no copies."""

import subprocess
import sys
import warnings

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.images.listing import PART, list_images
from dedup_widgets.images.shots import parts_beside

RAW = b"II*\0\x10\0\0\0CR\x02\0" + bytes(100)
VIDEO = b"\0\0\0\x14ftypqt  " + bytes(100)


@pytest.fixture
def put(tmp_path, make_photo):
    """Write files below a folder: pictures by their seed, others by their bytes."""

    def put(**files):
        for name, what in files.items():
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, bytes):
                path.write_bytes(what)
            else:
                make_photo(what).save(path, "JPEG")
        return tmp_path / "in"

    return put


def score(images):
    return dw.score(images, model="perceptual", progress=False)


@pytest.mark.parametrize(
    ("files", "shots"),
    [
        ({"IMG_1.JPG": 1, "IMG_1.CR2": RAW}, {"IMG_1.JPG": "IMG_1"}),
        ({"IMG_1.JPG": 1, "img_1.dng": RAW, "2.jpg": 2}, {"IMG_1.JPG": "IMG_1", "2.jpg": None}),
        ({"IMG_1.HEIC": 1, "IMG_1.MOV": VIDEO}, {"IMG_1.HEIC": "IMG_1"}),
        (
            {"a/1.jpg": 1, "b/1.nef": RAW, "b/2.jpg": 2, "b/2.mp4": VIDEO},
            {"a/1.jpg": None, "b/2.jpg": "b/2"},
        ),
    ],
)
def test_the_parts_of_a_shot_have_one_name(put, files, shots):
    root = put(**files)
    df = score(root)
    names = {path[len(str(root)) + 1 :]: shot for path, shot in df.select("path", "shot").rows()}
    assert names == {name: shot and f"{root}/{shot}" for name, shot in shots.items()}


@pytest.mark.lengthy
def test_pictures_alone_and_edits_beside_them_are_no_shots(put):
    root = put(**{"1.jpg": 1, "1.jpeg": 1, "2.jpg": 2, "3.mov": VIDEO, "4.cr2": RAW})
    with pytest.warns(UserWarning, match="not read"):
        assert "shot" not in score(root).columns


def test_a_part_of_a_shot_is_counted_as_that_and_warned_of_as_nothing_else(put):
    root = put(**{"1.jpg": 1, "1.nef": RAW, "2.jpg": 2, "2.mov": VIDEO})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list_images(root)
    assert found.not_taken == {PART: {".nef": 1, ".mov": 1}}
    put(**{"3.nef": RAW, "4.mov": VIDEO})
    with pytest.warns(UserWarning, match=r"\.nef 1;"):
        found = list_images(root)
    assert found.not_taken[PART] == {".nef": 1, ".mov": 1}
    assert found.not_taken["not pictures"] == {".mov": 1}


@pytest.mark.lengthy
def test_the_user_s_own_shots_stay(put):
    root = put(**{"1.jpg": 1, "1.nef": RAW})
    mine = pl.DataFrame({"path": [str(root / "1.jpg")], "shot": [7]})
    assert score(mine)["shot"].to_list() == [7]
    assert score(mine.drop("shot"))["shot"].to_list() == [str(root / "1")]


@pytest.mark.lengthy
def test_of_exact_copies_the_one_with_its_raw_file_stays(put):
    root = put(**{"a.jpg": 1, "b.jpg": 1, "b.cr3": RAW, "c.jpg": 1})
    df = score(root)
    assert df.filter("keep")["path"].item() == str(root / "b.jpg")
    plan = dw.plan(df)
    assert plan.filter(pl.col("action") == "keep")["rule"].item() == (
        "of exact copies, one with its raw file or live video"
    )


def test_far_away_only_the_paths_that_are_given_tell():
    paths = ["s3://b/1.jpg", "s3://b/1.dng", "s3://b/2.jpg"]
    assert parts_beside(paths) == [("s3://b/1.dng",), ("s3://b/1.jpg",), ()]


@pytest.fixture
def backup(put):
    """Return a folder of two shots and its backup, in which one raw file is another."""
    return put(
        **{f"{folder}/{n}.jpg": n for folder in ("a", "b") for n in (1, 2)},
        **{"a/1.nef": RAW, "b/1.nef": RAW, "a/2.nef": RAW, "b/2.nef": RAW + b"edited"},
    )


@pytest.mark.lengthy
@pytest.mark.parametrize("shots", [True, False])
def test_a_raw_file_goes_with_its_picture_where_the_keeper_has_the_same(backup, tmp_path, shots):
    df = score(backup)
    kept = df.filter("keep")["path"].str.extract(r"/([ab])/\d\.jpg$")
    assert set(kept) == {"a"}
    script = dw.script(
        dw.plan(df), "move", to=tmp_path / "gone", file=tmp_path / "do.py", shots=shots
    )
    subprocess.run([sys.executable, script, "--do"], check=True, capture_output=True)
    gone = sorted(p.name for p in (tmp_path / "gone").rglob("*") if p.is_file())
    assert gone == (["1.jpg", "1.nef", "2.jpg"] if shots else ["1.jpg", "2.jpg"])
    assert (backup / "b" / "2.nef").exists()


@pytest.mark.lengthy
def test_rules_by_shots_are_silent_where_there_are_none(put):
    root = put(**{"1.jpg": 1, "2.jpg": 2})
    df = dw.score(root, against=put(**{"old/1.jpg": 1}), model="perceptual", progress=False)
    assert "shot" not in df.columns
    assert dw.plan(df, keep=["shot", "pixels"])["action"].to_list().count("remove") <= 1
