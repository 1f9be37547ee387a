import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import checked_paths, file_name, is_frame, require_columns, to_polars

COLUMNS = {"path": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]}


@pytest.mark.parametrize(
    "make", [pl.DataFrame, pl.LazyFrame, pd.DataFrame, pa.table], ids=lambda f: f.__module__
)
def test_any_frame_becomes_the_same_polars_frame(make):
    data = make(COLUMNS)
    assert is_frame(data)
    assert to_polars(data).equals(pl.DataFrame(COLUMNS))


@pytest.mark.parametrize(
    "data", [["a.jpg"], "photos/", pl.Series(["a"]), pd.Series(["a"]), None, 3]
)
def test_what_is_no_frame_is_not_taken_for_one(data):
    assert not is_frame(data)
    with pytest.raises(InputError, match="cannot make a frame of"):
        to_polars(data)


def test_a_missing_column_is_named_with_those_there_are_and_a_guess():
    with pytest.raises(InputError, match=r"needs a column 'path'.*'paths', 'x'.*Did you mean"):
        require_columns(pl.DataFrame({"paths": [], "x": []}), ["path"], "scoring")


def test_categorical_paths_are_paths():
    frame = pl.DataFrame({"path": ["a", "b"]}, schema={"path": pl.Categorical})
    assert checked_paths(frame) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1, 2], "must hold text"),
        (["a", None], "null in 1 rows, row 1 first"),
        (["a", "b", "a"], "more than once, 'a' first"),
    ],
)
def test_paths_that_cannot_be_used_say_why(values, says):
    with pytest.raises(InputError, match=says):
        checked_paths(pl.DataFrame({"path": values}))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/b c.jpg", "b c.jpg"), ("https://x.org/y/z.png", "z.png"), ("a", "a"), ("/", "/")],
)
def test_a_file_name_is_the_last_part(path, name):
    assert file_name(path) == name
