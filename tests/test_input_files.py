"""Files that say what to score: lists and tables, as people and other programs write them."""

import codecs
import json
import sys
from functools import partial

import polars as pl
import pytest

from dedup_widgets.errors import InputError
from dedup_widgets.scoring.input_files import paths_in


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two files, of which one has a name beyond ASCII."""
    for name in ("ä.jpg", "b c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    "encode",
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_is_read_in_whatever_way_systems_write_text(folder, encode, end):
    text = end.join(["ä.jpg", "", "# a comment", " b c.jpg ", ""])
    data = text.encode(encode) if isinstance(encode, str) else encode(text)
    (folder / "list.txt").write_bytes(data)
    assert paths_in(str(folder / "list.txt")) == [f"{folder}/ä.jpg", f"{folder}/b c.jpg"]


WRITE = {
    "csv": pl.DataFrame.write_csv,
    "tsv": partial(pl.DataFrame.write_csv, separator="\t"),
    "jsonl": pl.DataFrame.write_ndjson,
    "json": pl.DataFrame.write_json,
    "parquet": pl.DataFrame.write_parquet,
}


@pytest.mark.parametrize("suffix", [*WRITE, "CSV"])
@pytest.mark.parametrize("name", ["path", "file_name", "Image"])
def test_a_table_names_its_pictures_from_where_it_lies(folder, suffix, name, monkeypatch):
    monkeypatch.chdir("/")
    table = pl.DataFrame({"label": ["x", "y"], name: ["ä.jpg", "b c.jpg"]})
    WRITE[suffix.lower()](table, folder / f"t.{suffix}")
    frame = paths_in(str(folder / f"t.{suffix}"))
    assert frame["path"].to_list() == [f"{folder}/ä.jpg", f"{folder}/b c.jpg"]
    assert frame["label"].to_list() == ["x", "y"]
    assert name in frame.columns


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_of_a_spreadsheet_of_another_country_is_read(folder, separator):
    table = pl.DataFrame({"path": ["ä.jpg"], "n": [1]})
    table.write_csv(folder / "t.csv", separator=separator, include_bom=True)
    assert paths_in(str(folder / "t.csv")).row(0) == (f"{folder}/ä.jpg", 1)


def test_a_path_that_is_missing_is_a_row_and_one_that_is_whole_stays_as_it_is(folder):
    names = ["ä.jpg", "no.jpg", f"{folder}//b c.jpg", "s3://bucket/1.jpg", None]
    pl.DataFrame({"path": names}).write_parquet(folder / "t.parquet")
    found = paths_in(str(folder / "t.parquet"))["path"].to_list()
    assert found == [f"{folder}/ä.jpg", *names[1:]]


def test_of_two_columns_of_files_none_is_chosen(folder):
    table = pl.DataFrame({"image": ["ä.jpg"], "other": ["b c.jpg"]})
    table.write_csv(folder / "t.csv")
    assert paths_in(str(folder / "t.csv")).columns == ["image", "other"]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\3\4", "a zip"),
        (b"\x28\xb5\x2f\xfd", "a packed"),
        (b"BZh9", "a packed"),
        (b"\xfd7zXZ\0", "a packed"),
        (bytes(257) + b"ustar\0", "a packed"),
    ],
)
def test_an_archive_is_refused_by_its_content_whatever_its_name(folder, head, kind):
    (folder / "photos.backup").write_bytes(head + bytes(300))
    with pytest.raises(InputError, match=f"{kind} archive; unpack it"):
        paths_in(str(folder / "photos.backup"))


@pytest.mark.parametrize(
    "text",
    [
        '"ä.jpg"\r\n"b c.jpg"\r\n',  # as Windows copies paths
        "ä.jpg\0b c.jpg\0",  # as find -print0 writes them
    ],
)
def test_a_list_may_be_quoted_or_parted_by_zero_bytes(folder, text):
    (folder / "list.txt").write_text(text, encoding="utf-8")
    assert paths_in(str(folder / "list.txt")) == [f"{folder}/ä.jpg", f"{folder}/b c.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_with_blanks_at_its_ends_is_found(folder):
    (folder / " d.jpg ").write_bytes(b"x")
    (folder / "list.txt").write_text(" d.jpg \n  b c.jpg  \n")
    assert paths_in(str(folder / "list.txt")) == [f"{folder}/ d.jpg ", f"{folder}/b c.jpg"]


def test_json_may_be_a_list_of_paths(folder):
    (folder / "list.json").write_text(json.dumps(["ä.jpg", "b c.jpg"]))
    frame = paths_in(str(folder / "list.json"))
    assert frame["path"].to_list() == [f"{folder}/ä.jpg", f"{folder}/b c.jpg"]


def test_a_table_in_utf_16_is_read_and_one_in_no_unicode_says_what_to_do(folder):
    (folder / "t.csv").write_text("path;n\nä.jpg;1\n", encoding="utf-16")
    assert paths_in(str(folder / "t.csv")).row(0) == (f"{folder}/ä.jpg", 1)
    (folder / "t.csv").write_text("path;n\nä.jpg;1\n", encoding="cp1252")
    with pytest.raises(InputError, match="not in UTF-8; save it so"):
        paths_in(str(folder / "t.csv"))
