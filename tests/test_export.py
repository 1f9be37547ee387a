"""A frame, a selection, a plan, a collection as a file for other programs."""

import csv
import datetime as dt
import json

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.errors import InputError


@pytest.fixture
def review(photo_folder):
    return dw.Session(dw.score(photo_folder(3, copies=1), model="perceptual", progress=False))


@pytest.fixture
def odd():
    """Return a frame with a column of each kind that tables have no word for."""
    return pl.DataFrame(
        {
            "path": ["a.jpg", 'grün, "b".jpg'],
            "tags": [["sea", "sky"], None],
            "box": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
            "meta": [{"a": 1, "b": ["x"]}, {"a": None, "b": []}],
            "deep": [[[1], [2, 3]], []],
            "kind": pl.Series(["near", None], dtype=pl.Enum(["exact", "near"])),
            "raw": [b"\x00\xff", None],
            "when": [dt.datetime(2024, 1, 2, 3, 4, 5), None],
            "took": [dt.timedelta(seconds=1.5), None],
            "score": [float("nan"), 0.5],
            "thing": pl.Series([object(), None], dtype=pl.Object),
        }
    )


@pytest.mark.lengthy
def test_selection_plan_and_collections_are_written_alike(review, tmp_path):
    review.selection = review.frame.head(2)
    review.collections["Best"] = review.frame.tail(1)
    for name, data in {
        "frame": review.frame,
        "selection": review.selection,
        "plan": review.plan,
        "best": review.collections["Best"],
    }.items():
        expected = getattr(data, "frame", data)["path"].to_list()
        for suffix, read in {
            "csv": pl.read_csv,
            "jsonl": pl.read_ndjson,
            "json": pl.read_json,
            "parquet": pl.read_parquet,
        }.items():
            file = dw.export(data, tmp_path / f"{name}.{suffix}")
            assert read(file)["path"].to_list() == expected
        listed = dw.export(data, tmp_path / f"{name}.txt").read_text()
        assert listed.splitlines() == expected


@pytest.mark.lengthy
def test_vectors_are_in_parquet_unless_asked_for(review, tmp_path):
    assert "embedding" not in pl.read_csv(dw.export(review.frame, tmp_path / "a.csv")).columns
    assert "embedding" in pl.read_parquet(dw.export(review.frame, tmp_path / "a.parquet")).columns
    whole = pl.read_csv(dw.export(review.frame, tmp_path / "a.csv", vectors=True))
    assert whole["embedding"][0].count("|") == review.frame.schema["embedding"].shape[0] - 1
    assert json.loads(whole["evidence"][0]) is not None


def test_every_type_of_column_has_a_place_in_every_file(odd, tmp_path):
    table = pl.read_csv(dw.export(odd, tmp_path / "odd.csv"))
    assert table.columns == odd.columns
    assert table["path"].to_list() == odd["path"].to_list()
    assert table["tags"].to_list() == ["sea|sky", None]
    assert table["box"].to_list() == ["1.0|2.0", "3.0|4.0"]
    assert json.loads(table["meta"][0]) == {"a": 1, "b": ["x"]}
    assert json.loads(table["deep"][0]) == [[1], [2, 3]]
    assert table["raw"][0] == "00ff"
    assert table["took"][0] == 1.5
    lines = dw.export(odd, tmp_path / "odd.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert first["tags"] == ["sea", "sky"]
    assert first["box"] == [1.0, 2.0]
    assert first["score"] is None
    assert first["kind"] == "near"
    assert json.loads(dw.export(odd, tmp_path / "odd.json").read_text())[0] == first
    kept = pl.read_parquet(dw.export(odd, tmp_path / "odd.parquet"))
    assert kept.drop("thing").equals(odd.drop("thing"))


def test_spreadsheets_read_names_of_any_script(odd, tmp_path):
    assert dw.export(odd, tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    plain = dw.export(odd.head(1).select("path"), tmp_path / "b.csv").read_bytes()
    assert plain == b"path\na.jpg\n"


def test_a_file_is_replaced_whole_or_not_at_all(odd, tmp_path, monkeypatch):
    file = dw.export(odd, tmp_path / "a.csv")
    before = file.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(InputError, match=r"cannot write .*a\.csv: No space left"):
        dw.export(odd, file)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.xlsx", r"must end in one of \.csv"),
        ("for-yolo", "a folder for YOLO, which needs a column .annotations"),
        ("no/a.csv", "there is no folder"),
        ("a", "must end"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(odd, tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        dw.export(odd, tmp_path / name)


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\rb.jpg"])
def test_a_path_of_several_lines_is_in_no_list_but_in_a_table(tmp_path, name):
    frame = pl.DataFrame({"path": ["1.jpg", name]})
    with pytest.raises(InputError, match=r"one path a line.*\.csv"):
        dw.export(frame, tmp_path / "list.txt")
    assert not (tmp_path / "list.txt").exists()
    assert pl.read_csv(dw.export(frame, tmp_path / "list.csv"))["path"].to_list()[1] == name


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_no_cell_acts_as_a_formula_and_all_are_read_again(
    tmp_path, make_photo, monkeypatch, suffix
):
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.jpg", "+A1.jpg", "-x.jpg", "@a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    cells = ["=cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "-2+A3", "-1.5", "+", "it's"]
    for seed, name in enumerate(names):
        make_photo(seed).save(tmp_path / name)
    frame = pl.DataFrame(
        {"path": names, "said": cells, "label": pl.Series(cells).cast(pl.Categorical)}
    )
    file = dw.export(frame, tmp_path / f"list.{suffix}")
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.reader(opened, delimiter="\t" if suffix == "tsv" else ","))
    assert [row[0] for row in rows[1:]] == [*(f"./{name}" for name in names[:4]), *names[4:]]
    assert [row[1] for row in rows[1:]] == [*(f"'{cell}" for cell in cells[:4]), *cells[4:]]
    again = dw.score(file, model="perceptual", progress=False)
    assert again["path"].to_list() == [str(tmp_path / name) for name in names]
    assert again["label"].to_list() == cells


@pytest.mark.lengthy
def test_a_list_of_paths_is_read_again(review, tmp_path):
    file = dw.export(review.frame, tmp_path / "list.txt")
    again = dw.score(file, model="perceptual", progress=False)
    assert again["path"].to_list() == review.frame["path"].to_list()
