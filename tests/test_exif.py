"""Where a picture is from: its camera, its place, and keeper rules by both on a folder."""

import os

import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.images.decode import decode


def tagged(picture, as_file, format="JPEG", gps=None, **tags):  # noqa: A002
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[{"make": 0x010F, "model": 0x0110, "taken": 0x9003}[tag]] = value
    if gps:
        exif[0x8825] = gps
    return as_file(picture, format, exif=exif)


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("NIKON CORPORATION", "NIKON Z 9", "NIKON Z 9"),
        ("SONY", "ILCE-7M4", "SONY ILCE-7M4"),
        ("Apple\0\0", " iPhone 15 ", "Apple iPhone 15"),
        ("", "X100V", "X100V"),
        ("Google", "", "Google"),
        ("", "", None),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_camera_is_named_once(make_photo, as_file, format, make, model, expected):  # noqa: A002
    data = tagged(make_photo(1), as_file, format, make=make, model=model)
    assert decode(data).facts.camera == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({1: "N", 2: (52, 30, 58.68), 3: "E", 4: (13, 22, 39.72)}, "52.516300, 13.377700"),
        ({1: "S", 2: (33, 51, 24), 3: "W", 4: (70, 0, 0)}, "-33.856667, -70.000000"),
        ({1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)}, None),
        ({1: "N", 2: (152, 0, 0), 3: "E", 4: (13, 0, 0)}, None),
        ({1: "N", 2: (52, 0, 0)}, None),
        (None, None),
    ],
)
def test_the_place_is_in_degrees(make_photo, as_file, place, expected):
    assert decode(tagged(make_photo(1), as_file, gps=place, make="x")).facts.gps == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, "2024-05-01T12:00:00"),
        ({0x9291: "25"}, "2024-05-01T12:00:00.250000"),
        ({0x9291: "007\0"}, "2024-05-01T12:00:00.007000"),
        ({0x9291: "  "}, "2024-05-01T12:00:00"),
        ({0x9011: "+05:30"}, "2024-05-01T12:00:00+05:30"),
        ({0x9011: "-03:30", 0x9010: "+01:00"}, "2024-05-01T12:00:00-03:30"),
        ({0x9010: "+01:00"}, "2024-05-01T12:00:00+01:00"),
        ({0x9011: "   :  ", 0x9010: "Z"}, "2024-05-01T12:00:00+00:00"),
        ({0x9011: "+99:00"}, "2024-05-01T12:00:00"),
        ({0x9011: "-08:00", 0x9291: "5"}, "2024-05-01T12:00:00.500000-08:00"),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_date_has_its_offset_and_parts_of_a_second(make_photo, as_file, format, tags, expected):  # noqa: A002
    data = taken_at(make_photo(1), as_file, "2024:05:01 12:00:00", tags, format)
    assert decode(data).facts.date_taken == expected


@pytest.mark.parametrize(
    ("when", "digitized"),
    [
        ("2024-05-01 12:00:00", ""),
        ("2024-05-01T12:00:00", ""),
        ("2024/05/01 12:00:00", ""),
        ("2024:05:01 12:00:00\0\0", ""),
        ("", "2024:05:01 12:00:00"),
        ("    :  :     :  :  ", "2024:05:01 12:00:00"),
        ("2024:05:01 12:00:00", "2025:01:01 00:00:00"),
    ],
)
def test_a_date_is_read_as_programs_and_scanners_write_it(make_photo, as_file, when, digitized):
    data = taken_at(make_photo(1), as_file, when, {0x9004: digitized})
    assert decode(data).facts.date_taken == "2024-05-01T12:00:00"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2024:05:01 12:00", "2024-05-01T12:00:00"),
        ("2024:5:1 7:5:3", "2024-05-01T07:05:03"),
        ("20240501 120003", "2024-05-01T12:00:03"),
        ("20240501T120003Z", "2024-05-01T12:00:03+00:00"),
        ("2024:05:01 12:00:03.25", "2024-05-01T12:00:03.250000"),
        ("2024:05:01 12:00:03+02:00", "2024-05-01T12:00:03+02:00"),
        ("2024-05-01T12:00:03.5-0330", "2024-05-01T12:00:03.500000-03:30"),
        ("2024:04:30 24:00:00", "2024-05-01T00:00:00"),
    ],
)
def test_all_of_a_date_may_be_in_one_text(make_photo, as_file, when, expected):
    assert decode(taken_at(make_photo(1), as_file, when, {})).facts.date_taken == expected


@pytest.mark.parametrize(
    "when",
    [
        "0000:00:00 00:00:00",
        "2024:13:01 12:00:00",
        "2024:05:01",
        "12:00:00",
        "yesterday",
        "2024:05:01 25:00:00",
    ],
)
def test_what_is_no_date_is_none(make_photo, as_file, when):
    assert decode(taken_at(make_photo(1), as_file, when, {})).facts.date_taken is None


def taken_at(picture, as_file, when, tags, format="JPEG"):  # noqa: A002
    exif = Image.Exif()
    ifd = exif.get_ifd(0x8769)
    exif[0x8769] = ifd
    ifd[0x9003] = when
    ifd.update(tags)
    return as_file(picture, format, exif=exif)


@pytest.mark.lengthy
def test_the_oldest_by_clocks_on_two_walls_is_found(tmp_path, make_photo, as_file):
    """Tokyo's noon comes before the same morning's 9 o'clock in London, and after by parts."""
    for name, when, tags in (
        ("tokyo", "2024:05:01 12:00:00", {0x9011: "+09:00"}),
        ("london", "2024:05:01 09:00:00", {0x9011: "+01:00"}),
        ("later", "2024:05:01 12:00:00", {0x9011: "+09:00", 0x9291: "5"}),
    ):
        data = taken_at(make_photo(1), as_file, when, tags)
        (tmp_path / f"{name}.jpg").write_bytes(data)
    df = dw.score(tmp_path, model="perceptual", progress=False)
    found = dict(df.select("path", "utc_offset").iter_rows())
    assert {path[len(str(tmp_path)) + 1 : -4]: ahead for path, ahead in found.items()} == {
        "tokyo": 540,
        "london": 60,
        "later": 540,
    }
    assert df["date_taken"].dt.hour().to_list() == [12, 9, 12]
    for rule, name in (("oldest", "tokyo"), ("newest", "london")):
        plan = dw.plan(df, keep=[rule])
        assert plan.filter(pl.col("action") == "keep")["path"].item().endswith(f"{name}.jpg")
    assert dw.plan(df).filter(pl.col("action") == "keep")["path"].item().endswith("tokyo.jpg")


@pytest.fixture
def folder(tmp_path, make_photo, as_file):
    """Return a folder of one picture by two cameras; the second file is the older one."""
    for name, camera, year, at in (("a", "Phone", 2021, 2), ("b", "Canon R5", 2020, 1)):
        data = tagged(make_photo(1), as_file, model=camera, taken=f"{year}:01:01 00:00:00")
        (tmp_path / f"{name}.jpg").write_bytes(data)
        os.utime(tmp_path / f"{name}.jpg", (at * 10**9, at * 10**9))
    return tmp_path


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("oldest", "b"),
        ("newest", "a"),
        (dw.keepers.prefer("camera", ["Canon R5"]), "b"),
        (dw.keepers.prefer("camera", ["Phone", "Canon R5"]), "a"),
        (dw.keepers.newest("modified"), "a"),
    ],
)
def test_keepers_of_a_folder_go_by_date_and_camera(folder, rule, kept):
    df = dw.score(folder, model="perceptual", keep=[rule], progress=False)
    assert df.filter(df["keep"])["path"][0].endswith(f"{kept}.jpg")
