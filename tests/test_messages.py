"""No message is longer than a screen, and each hint helps whoever reads it."""

import pathlib

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.errors import InputError

SCREEN = 1000


@pytest.fixture
def df(photo_folder):
    return dw.score(photo_folder(4), model="perceptual", progress=False)


@pytest.mark.parametrize(
    "images",
    [
        [np.zeros((200, 200, 3), np.uint8)] * 50,
        np.zeros((20, 200, 200, 3), np.uint8),
        [7] * 10_000,
        "x" * 50_000,
        {"a": 1},
        pl.DataFrame({f"column {i}": [i] for i in range(5000)}),
        pl.DataFrame({"path": [[1, 2, 3]] * 10}),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_few_lines(images):
    with pytest.raises(InputError) as raised:
        dw.score(images, model="perceptual", progress=False)
    assert len(str(raised.value)) < SCREEN


def test_a_frame_whose_paths_have_another_name_is_told_which(df):
    mine = df.select(file="path", size="bytes")
    with pytest.raises(InputError, match=r"'file' holds paths.*rename"):
        dw.score(mine, model="perceptual", progress=False)


@pytest.mark.parametrize("picture", [b"bytes", {"bytes": b"bytes", "path": None}])
def test_a_table_of_pictures_themselves_says_how_to_write_them(tmp_path, picture, monkeypatch):
    frame = pl.DataFrame({"image": [picture], "label": [1]})
    frame.write_parquet(tmp_path / "train.parquet")
    with pytest.raises(InputError, match=r"'image' holds what is in files") as raised:
        dw.score(tmp_path / "train.parquet", model="perceptual", progress=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    exec(str(raised.value).partition("such as: ")[2], {"frame": frame, "pathlib": pathlib})
    assert (tmp_path / "pictures" / "0.jpg").read_bytes() == b"bytes"


@pytest.mark.lengthy
def test_a_picture_in_memory_is_a_query(df, make_photo):
    for query in (make_photo(2), np.asarray(make_photo(2)), make_photo(2).convert("CMYK")):
        assert dw.similar(df, query, 1)["path"][0].endswith("photo-002.png")


@pytest.mark.lengthy
@pytest.mark.parametrize("query", [7, None, [1, 2], np.zeros((2, 3, 4, 5)), b"bytes"])
def test_what_is_no_query_says_what_is(df, query):
    with pytest.raises(InputError, match="pass") as raised:
        dw.similar(df, query)
    assert len(str(raised.value)) < SCREEN


@pytest.mark.lengthy
def test_a_long_text_is_not_quoted_whole(df):
    with pytest.raises(InputError, match="does not embed text") as raised:
        dw.similar(df, "a dog " * 10_000)
    assert len(str(raised.value)) < SCREEN


@pytest.mark.lengthy
def test_a_wrong_argument_is_named_and_what_it_takes(df, tmp_path):
    stays = df.filter("keep")
    tried = {
        "workers": lambda: dw.score(tmp_path, workers=1.5),
        "batch_size": lambda: dw.score(tmp_path, batch_size="many"),
        "store": lambda: dw.score(tmp_path, store=5),
        "work": lambda: dw.score(tmp_path, work=5),
        "model is ''": lambda: dw.score(df["path"], model="", progress=False),
        "within= takes": lambda: dw.score(df.select("path", tags=pl.lit([1])), within="tags"),
        "keeper rules": lambda: dw.score(tmp_path, keep=5),
        "k is": lambda: dw.similar(df, df["path"][0], k=1.5),
        "root": lambda: dw.create_dataset(stays, "a", root=5),
        "shard_bytes": lambda: dw.create_dataset(stays, "a", shard_bytes="1 GB"),
        "path": lambda: dw.export(df, 5),
        "to is": lambda: dw.script(dw.plan(df), "move", to=5),
        "which is a file": lambda: dw.script(dw.plan(df), "move", to=df["path"][0]),
        "not_duplicates": lambda: dw.plan(df, not_duplicates=5),
        "sort": lambda: setattr(dw.Session(df, store=tmp_path / "store"), "sort", 5),
        "dataset is a DataFrame": lambda: dw.annotate(df, dw.LabelStudio(token="secret")),
        "videos": lambda: dw.frames(5),
    }
    for name, wrong in tried.items():
        with pytest.raises(InputError, match=name):
            wrong()


def test_a_wrong_number_of_workers_does_no_harm_to_the_next_run(photo_folder):
    photos = photo_folder(2)
    with pytest.raises(InputError, match=r"workers is 1\.5; give a whole number"):
        dw.score(photos, model="perceptual", workers=1.5, progress=False)
    assert dw.score(photos, model="perceptual", progress=False)["error"].null_count() == 2
