"""The one table of columns, and what comes of it."""

import os
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.frame.schema import COLUMNS, METRICS, as_markdown
from page import Pixels

TABLE = Path(__file__).parents[1] / "docs" / "columns.md"


@pytest.fixture
def scored(photo_folder):
    return dw.score(photo_folder(4, copies=1), model=Pixels(), progress=False)


@pytest.mark.lengthy
def test_a_score_has_the_columns_of_the_table_in_their_order_and_types(scored):
    assert scored.columns == list(COLUMNS)
    for name, dtype in scored.schema.items():
        assert dtype == COLUMNS[name].dtype, name


@pytest.mark.lengthy
def test_each_column_of_a_score_is_recognised_as_what_it_is(scored):
    for name, column in COLUMNS.items():
        assert column.fits(scored[name]), name


@pytest.mark.lengthy
def test_the_times_of_a_file_are_columns(tmp_path, make_photo):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:04:05 06:07:08"
    make_photo(1).save(path, exif=exif)
    os.utime(path, (1_500_000_000, 1_500_000_000))
    times = dw.score([path], model=Pixels(), progress=False).select("date_taken", "modified")
    assert times.row(0) == (datetime(2023, 4, 5, 6, 7, 8), datetime(2017, 7, 14, 2, 40))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kind", pl.Series(["pear", "apple"])),
        ("group", pl.Series([0.5])),
        ("keep", pl.Series([1])),
        ("distance", pl.Series(["far"])),
        ("fingerprint", pl.Series([7])),
        ("embedding", pl.Series(["none"])),
    ],
)
def test_a_users_own_column_of_the_same_name_is_not(name, values):
    assert not COLUMNS[name].fits(values)


def test_the_metrics_are_columns_of_numbers():
    assert all(COLUMNS[name].dtype.is_numeric() for name in METRICS)


def test_the_docs_have_the_table_of_columns():
    rows = ((f"`{c.name}`", str(c.dtype.base_type()), c.meaning) for c in COLUMNS.values())
    table = "\n".join(as_markdown(rows))
    assert table in TABLE.read_text(encoding="utf-8"), f"it should have\n{table}"
