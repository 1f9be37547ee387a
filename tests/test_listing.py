"""What a folder holds is taken or counted; content decides, and one file is one file."""

import io
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.frame.summary import about_not_taken
from dedup_widgets.images.formats import ARCHIVES
from dedup_widgets.images.listing import SAME_FILE, list_images


@pytest.fixture
def jpeg(make_photo, as_file):
    return as_file(make_photo(1), "JPEG")


def names(listing, root):
    return [path[len(str(root)) + 1 :] for path in listing.paths]


def test_content_decides_and_not_the_suffix(tmp_path, jpeg):
    for name in ("a.mpo", "b.jpg_large", "0a847185848d6e7f", "c.pjpeg", "d.dng", "e.txt"):
        (tmp_path / name).write_bytes(jpeg)
    (tmp_path / "notes.txt").write_text("no picture")
    found = list_images(tmp_path)
    assert len(found.paths) == 6
    assert found.not_taken == {"not pictures": {".txt": 1}}


def test_what_is_not_taken_is_counted_by_suffix_and_reason(tmp_path, jpeg):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("0 0.5 0.5 0.2 0.2")
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    (tmp_path / "more.zip").write_bytes(b"PK\3\4" + bytes(40))
    (tmp_path / ".hidden.jpg").write_bytes(jpeg)
    (tmp_path / ".IMG_1.HEIC.icloud").write_bytes(b"bplist00")
    (tmp_path / ".notes.docx.icloud").write_bytes(b"bplist00")
    text = about_not_taken(list_images(tmp_path).not_taken)
    assert "1 pictures still in iCloud, to be downloaded first: 1 .heic" in text
    assert "4 not pictures: 3 .txt, 1 .mp4" in text
    assert "1 archives, which are not opened: 1 .zip" in text
    assert "1 hidden files: 1 .jpg" in text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("b.nef", b"II*\0"),
        ("b.jxl", b"\xff\x0a"),
        ("b.psd", b"8BPS\0\1"),
        ("b.xcf", b"gimp xcf v011"),
        ("b.exr", b"\x76\x2f\x31\x01"),
        ("b.hdr", b"#?RADIANCE\n"),
        ("b.dcm", bytes(128) + b"DICM"),
        ("b", b"SIMPLE  =                    T"),
    ],
)
def test_pictures_that_are_not_read_are_told_by_a_warning(tmp_path, jpeg, name, data):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / name).write_bytes(data + bytes(60))
    with pytest.warns(UserWarning, match=r"left out, as these formats are not read: .* 1;"):
        assert names(list_images(tmp_path), tmp_path) == ["a.jpg"]
    error = dw.score([tmp_path / name], model="perceptual", progress=False)["error"][0]
    assert "export" in error


@pytest.mark.parametrize("suffix", [".zip", ".tar.zst", ".txz", ".tar.bz2", ".cb7", ".lz4"])
def test_archives_are_counted_as_such(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(bytes(100))
    (counted,) = list_images(tmp_path).not_taken
    assert counted == ARCHIVES


@pytest.mark.parametrize(
    "bin_",
    [
        *("#recycle", "$RECYCLE.BIN", "@eaDir", "__MACOSX", "lost+found", ".Trash-1000"),
        *("@SynoResource", ".@__thumb", "Network Trash Folder", "Catalog Previews.lrdata"),
    ],
)
def test_bins_and_folders_of_systems_are_left_out_and_said(tmp_path, jpeg, bin_):
    for folder in ("", bin_, f"2020/{bin_}"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a.jpg").write_bytes(jpeg)
    found = list_images(tmp_path)
    assert names(found, tmp_path) == ["a.jpg"]
    assert found.not_taken == {"folders of thumbnails and bins": {bin_: 2}}
    assert len(list_images(tmp_path / bin_).paths) == 1


def test_previews_that_programs_keep_are_left_out_and_the_photos_are_not(tmp_path, jpeg):
    kept = ["All.photoslibrary/originals/a.jpg", "Cache/b.jpg", "resources/c.jpg"]
    left = ["All.photoslibrary/resources/derivatives/a.jpg", "CaptureOne/Cache/Thumbnails/b.jpg"]
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg)
    found = list_images(tmp_path)
    assert names(found, tmp_path) == kept
    assert found.not_taken == {"folders of thumbnails and bins": {"resources": 1, "Cache": 1}}


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["thumbs"], ["a.gif", "b/c.jpg"]),
        (["*.gif", "thumbs"], ["b/c.jpg"]),
        (["b/thumbs/*"], ["a.gif", "b/c.jpg"]),
        (["b"], ["a.gif"]),
        (["b/"], ["a.gif"]),
        (["nothing"], ["a.gif", "b/c.jpg", "b/thumbs/d.jpg"]),
        ([Path("b", "thumbs")], ["a.gif", "b/c.jpg"]),
        (["{root}/b"], ["a.gif"]),
        (["{root}/b/*.jpg"], ["a.gif"]),
        (["{root}/*.gif"], ["b/c.jpg", "b/thumbs/d.jpg"]),
    ],
)
def test_patterns_leave_files_and_folders_out(tmp_path, patterns, left):
    for name in ("a.gif", "b/c.jpg", "b/thumbs/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    patterns = [it.format(root=tmp_path) if isinstance(it, str) else it for it in patterns]
    found = list_images(tmp_path, patterns)
    assert names(found, tmp_path) == left
    assert sum(found.not_taken.get("excluded", {}).values()) == 3 - len(left)


def test_links_in_a_list_are_no_copies_and_the_order_stays(tmp_path, jpeg, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(jpeg)
    for name, target in (("to_a.jpg", "a.jpg"), ("to_c.jpg", "c/c.jpg"), ("also_c.jpg", "c/c.jpg")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "c.jpg").write_bytes(jpeg)
    given = ["to_a.jpg", "b.jpg", "to_c.jpg", str(tmp_path / "a.jpg"), "also_c.jpg"]
    found = list_images(given)
    assert found.paths == ["b.jpg", str(tmp_path / "a.jpg"), "also_c.jpg"]
    assert found.not_taken[SAME_FILE] == {".jpg": 2}


@pytest.mark.parametrize("exclude", ["thumbs", [3], [None], [["thumbs"]]])
def test_what_is_no_pattern_is_refused(tmp_path, exclude):
    with pytest.raises(InputError, match="exclude is a list of patterns"):
        list_images(tmp_path, exclude)


def test_patterns_in_a_list_are_filled_in(tmp_path):
    for name in ("a/1.jpg", "a/2.jpg", "b[1].jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    given = [f"{tmp_path}/a/*.jpg", tmp_path / "b[1].jpg", f"{tmp_path}/no*.jpg"]
    assert names(list_images(given), tmp_path) == ["a/1.jpg", "a/2.jpg", "b[1].jpg", "no*.jpg"]


def test_contents_of_files_are_no_names(tmp_path, jpeg):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    with (tmp_path / "a.jpg").open("rb") as file:
        for what in (jpeg, [jpeg], file, [file], io.BytesIO(jpeg)):
            with pytest.raises(InputError, match="pictures that are in memory"):
                list_images(what)
    photo, shape = Image.open(tmp_path / "a.jpg"), np.zeros((2, 2, 3), np.uint8)
    for what, how in ((photo, ".save"), (shape, "fromarray"), (jpeg, "write_bytes")):
        for given in (what, [what], (what, what)):
            with pytest.raises(InputError, match=how):
                list_images(given)
    with pytest.raises(InputError, match="contents of files"):
        dw.score(pl.DataFrame({"path": ["a.jpg", "\0\1"]}), model="perceptual", progress=False)


def test_hard_links_are_one_file_with_two_names(tmp_path, jpeg):
    photos = tmp_path / "photos"
    (photos / "2020").mkdir(parents=True)
    (photos / "copies" / "deep").mkdir(parents=True)
    for i in range(3):
        (photos / "2020" / f"{i}.jpg").write_bytes(jpeg)
        os.link(photos / "2020" / f"{i}.jpg", photos / "copies" / "deep" / f"{i}.jpg")
    for found in (list_images(photos), list_images(f"{photos}/**/*.jpg")):
        assert names(found, photos) == ["2020/0.jpg", "2020/1.jpg", "2020/2.jpg"]
        assert found.not_taken[SAME_FILE] == {".jpg": 3}
    both = [photos / "2020" / "0.jpg", photos / "copies" / "deep" / "0.jpg"]
    assert list_images(both).paths == [str(both[0])]


@pytest.mark.lengthy
def test_a_dataset_among_the_pictures_does_not_double_the_next_scan(photo_folder):
    photos = photo_folder(3)
    df = dw.score(photos, model="perceptual", progress=False)
    for mode in ("hardlink", "copy"):
        root = photos / "datasets"
        dw.create_dataset(df, mode, root=root / "deep", mode=mode, progress=False)
    again = list_images(photos)
    assert again.paths == df["path"].to_list()
    made = root / "deep" / "copy"
    assert len(list_images(made).paths) == 3


def test_folders_in_a_list_are_searched(tmp_path, jpeg):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(jpeg)
    found = list_images([tmp_path / "one", tmp_path / "one", tmp_path / "two" / "a.jpg"])
    assert names(found, tmp_path) == ["one/a.jpg", "two/a.jpg"]


@pytest.mark.lengthy
def test_a_list_in_a_text_file_and_a_table_in_a_file_are_read(photo_folder, tmp_path):
    photos = photo_folder(2)
    (tmp_path / "list.txt").write_text("photos/photo-000.png\n\nphotos/photo-001.png\n")
    df = dw.score(tmp_path / "list.txt", model="perceptual", progress=False)
    assert df["error"].null_count() == 2
    for suffix in ("parquet", "csv"):
        table = df.select("path", mine="width")
        getattr(table, f"write_{suffix}")(tmp_path / f"t.{suffix}")
        read = dw.score(str(tmp_path / f"t.{suffix}"), model="perceptual", progress=False)
        assert read["mine"].to_list() == df["width"].to_list()
    assert len(photos.name)


def test_what_cannot_be_read_is_refused_at_once_with_the_true_reason(tmp_path, make_photo):
    for kind in ("zip", "gztar"):
        shutil.make_archive(str(tmp_path / "photos"), kind, tmp_path)
    (tmp_path / "notes.txt").write_text("buy milk")

    class Dataset:
        __module__ = "datasets.arrow_dataset"

    for what, says in [
        (tmp_path / "photos.zip", "a zip archive; unpack it"),
        (tmp_path / "photos.tar.gz", "a packed archive; unpack it"),
        ("ftp://example.org/a.jpg", "no local file; download"),
        (tmp_path / "notes.txt", "taken for a list of paths"),
        ([make_photo(1)] * 500, "images must be .* not Image; write"),
        (Dataset(), "Dataset of `datasets`"),
    ]:
        with pytest.raises(InputError, match=says) as raised:
            dw.score(what, model="perceptual", progress=False)
        assert len(str(raised.value)) < 600


@pytest.mark.lengthy
def test_a_url_of_a_local_file_and_comments_in_a_list_are_understood(tmp_path, jpeg):
    (tmp_path / "a b.jpg").write_bytes(jpeg)
    url = (tmp_path / "a b.jpg").as_uri()
    assert list_images([url]).paths == list_images(url).paths == [str(tmp_path / "a b.jpg")]
    (tmp_path / "list.txt").write_text("# mine\na b.jpg\n")
    df = dw.score(tmp_path / "list.txt", model="perceptual", progress=False)
    assert df["error"].to_list() == [None]


def test_an_address_in_a_list_is_a_row_that_says_what_it_is():
    df = dw.score(["ftp://example.org/a.jpg"], model="perceptual", progress=False)
    assert "no local file" in df["error"][0]


@pytest.mark.lengthy
def test_what_was_not_taken_travels_with_the_frame_and_is_summed_up(photo_folder):
    photos = photo_folder(2)
    (photos / "a.txt").write_text("0 1 1 1 1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        df = dw.score(photos, model="perceptual", progress=False, exclude=["photo-001*"])
    (made,) = provenances(df)
    assert made.not_taken == {"not pictures": {".txt": 1}, "excluded": {".png": 1}}
    assert "1 not pictures: 1 .txt; 1 excluded: 1 .png" in str(dw.Session(df).summary)
