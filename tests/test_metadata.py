"""What a metadata file says of pictures is known of them, as `datasets` knows it."""

import warnings

import polars as pl
import pytest

import dedup_widgets as dw

WRITE = {
    "metadata.csv": pl.DataFrame.write_csv,
    "metadata.jsonl": pl.DataFrame.write_ndjson,
    "metadata.parquet": pl.DataFrame.write_parquet,
}


@pytest.fixture
def put(tmp_path, make_photo):
    def put(*names):
        for seed, name in enumerate(names):
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            make_photo(seed).save(path)
        return tmp_path / "in"

    return put


def score(images, **options):
    return dw.score(images, model="perceptual", progress=False, **options)


@pytest.mark.parametrize("name", WRITE)
def test_columns_beside_the_pictures_come_along(put, name):
    root = put("1.jpg", "2.jpg")
    table = pl.DataFrame({"file_name": ["2.jpg", "1.jpg"], "label": ["dog", "cat"], "n": [2, 1]})
    WRITE[name](table.with_columns(width=7), root / name)
    df = score(root)
    assert df.select("label", "n").rows() == [("cat", 1), ("dog", 2)]
    assert set(df["width"]) != {7}, "what is measured is not taken from others"
    assert "label" not in score(root, labels=None).columns


def test_the_nearest_file_says_it_and_folders_what_it_does_not(put):
    root = put("train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg")
    for folder, names in (("train", ["cat/1.jpg", "dog/2.jpg"]), ("test", ["3.jpg"])):
        table = pl.DataFrame({"file_name": names, "text": [f"of {it}" for it in names]})
        table.write_csv(root / folder / "metadata.csv")
    above = pl.DataFrame({"file_name": ["test/3.jpg", "train/cat/1.jpg"], "text": "no", "n": 1})
    above.write_ndjson(root / "metadata.jsonl")
    df = score(root)
    assert df["text"].to_list() == ["of 3.jpg", "of cat/1.jpg", "of dog/2.jpg"]
    assert df["split"].to_list() == ["test", "train", "train"]
    assert df["label"].to_list() == [None, "cat", "dog"]


def test_a_dataset_that_was_made_here_gives_back_what_was_known(put, tmp_path):
    df = score(put("train/cat/1.jpg", "test/dog/2.jpg")).with_columns(tags=pl.Series([["a"], []]))
    made = dw.create_dataset(df, "d", root=tmp_path / "out", progress=False)
    again = score(made.path).sort("label")
    assert again.select("label", "split").rows() == [("cat", "train"), ("dog", "test")]
    assert again["tags"].to_list() == df.sort("label")["tags"].to_list()


@pytest.mark.parametrize(
    ("name", "data"),
    [("metadata.csv", "a,b\n1,2\n"), ("metadata.csv", "file_name,n\nother.jpg,1\n")],
)
def test_a_table_of_something_else_says_nothing(put, name, data):
    root = put("1.jpg")
    (root / name).write_text(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not {"a", "n"} & set(score(root).columns)


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.parquet"])
def test_a_damaged_file_is_named(put, name):
    root = put("1.jpg")
    (root / name).write_bytes(b"{damaged")
    with pytest.warns(UserWarning, match=f"1 label file cannot be read.*{name}"):
        df = score(root)
    assert df["error"].to_list() == [None]
