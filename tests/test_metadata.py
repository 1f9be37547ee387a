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


@pytest.mark.parametrize(
    ("table", "header", "rows"),
    [
        ("labels.csv", "filename,label", ["1.jpg,cat", "2.jpg,dog"]),
        ("images/labels.csv", "image,label", ["1.jpg,cat", "2.jpg,dog"]),
        ("train.csv", "image_id;label", ["1;cat", "2;dog"]),
        ("train_labels.csv", "id,label", ["2,dog", "1,cat"]),
        ("annotations.tsv", "label\tpath", ["cat\timages/1.jpg", "dog\t./images/2.jpg"]),
        ("classes.csv", "ID,file,label", ["7,1.jpg,cat", "8,2.jpg,dog"]),
        ("labels.csv", ",filename,label", ["0,images\\1.jpg,cat", "1,images\\2.jpg,dog"]),
        ("labels.csv", "File,label", ["1.JPG,cat", "2.JPG,dog"]),
        ("images/labels.csv", "path,label", ["images/1.jpg,cat", "images/2.jpg,dog"]),
        ("labels.csv", "path,label", ["/old/images/1.jpg,cat", r"D:\2.jpg,dog"]),
        ("val.csv", "name,label", ["1.jpg,cat", "2.jpg,dog", "9.jpg,dog"]),
    ],
)
def test_tables_by_people_are_read(put, table, header, rows):
    root = put("images/1.jpg", "images/2.jpg")
    (root / table).write_text("\n".join([header, *rows]), encoding="utf-8")
    for folder in (root, root / "images"):
        found = score(folder)
        assert found["label"].to_list() == ["cat", "dog"]
        assert "" not in found.columns


@pytest.mark.parametrize(
    ("table", "header", "rows"),
    [
        ("labels.csv", "filename,label", ["1.jpg,cat", "1.jpg,dog", "2.jpg,dog"]),  # of objects
        ("labels.csv", "filename,label", ["7.jpg,cat", "8.jpg,dog", "1.jpg,dog"]),  # of others
        ("labels.csv", "file,label", ["a/1.jpg,cat", "a/2.jpg,dog"]),  # of another folder
        ("labels.csv", "who,label", ["1.jpg,cat", "2.jpg,dog"]),
        ("prices.csv", "filename,label", ["1.jpg,cat", "2.jpg,dog"]),
        ("labels.csv", "", []),
    ],
)
def test_tables_of_something_else_say_nothing(put, table, header, rows):
    root = put("1.jpg", "2.jpg")
    (root / table).write_text("\n".join([header, *rows]), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "label" not in score(root).columns


def test_of_two_pictures_of_one_name_a_table_says_nothing(put):
    root = put("a/1.jpg", "b/1.jpg", "b/2.jpg")
    (root / "labels.csv").write_text("file,label\na/1.jpg,cat\n1.jpg,dog\n2.jpg,cow\n")
    assert score(root)["label"].to_list() == ["cat", None, "cow"]
