"""JPEG XL and raw files: read where the packages for them are installed, else refused by name."""

import io
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode
from dedup_widgets.images.jpeg_xl import read_header
from dedup_widgets.images.listing import list_images

pytestmark = pytest.mark.lengthy

SIGNATURE = b"\xff\x0a"


CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"


def score(images):
    return dw.score(images, model="perceptual", progress=False)


@pytest.fixture
def jxl():
    pytest.importorskip("pillow_jxl")

    def write(picture, **options):
        file = io.BytesIO()
        picture.save(file, "JXL", **options)
        return file.getvalue()

    return write


@pytest.fixture
def raw():
    """Return a function that makes a DNG, with a colour filter array, of a picture."""
    pytest.importorskip("rawpy")
    tifffile = pytest.importorskip("tifffile")

    def write(picture, turned=1):
        light = ((np.asarray(picture) / 255.0) ** 2.2 * 4095).astype(np.uint16)
        mosaic = light[..., 1].copy()
        mosaic[0::2, 0::2] = light[0::2, 0::2, 0]
        mosaic[1::2, 1::2] = light[1::2, 1::2, 2]
        matrix = [n for row in np.eye(3, dtype=int).ravel() for n in (int(row), 1)]
        tags = [
            (50706, "B", 4, (1, 4, 0, 0), True),
            *((271, "s", 0, "Maker", True), (272, "s", 0, "Model", True)),
            *((33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True)),
            *((50721, "2i", 9, matrix, True), (50728, "2I", 3, (1,) * 6, True)),
            *((50778, "H", 1, 21, True), (50714, "I", 1, 0, True), (50717, "I", 1, 4095, True)),
            *((274, "H", 1, turned, True), (306, "s", 0, "2024:05:01 12:00:00", True)),
        ]
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as out:
            out.write(mosaic, photometric="cfa", subfiletype=0, extratags=tags, metadata=None)
        return file.getvalue()

    return write


@pytest.mark.parametrize("size", [(64, 64), (160, 120), (301, 77), (96, 54), (500, 1000)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_lossless_jpeg_xl_shows_what_its_png_shows(jxl, make_photo, as_file, size, mode):
    picture = make_photo(1).resize(size).convert(mode)
    data = jxl(picture, lossless=True)
    assert read_header(data).size == size
    assert read_header(data).bits == 8
    found, of_png = decode(data), decode(as_file(picture, "PNG"))
    assert found.fingerprint == of_png.fingerprint
    assert (found.facts.width, found.facts.height, found.facts.format) == (*size, "jxl")


def test_jpeg_xl_is_a_picture_of_a_folder(jxl, tmp_path, make_photo):
    make_photo(1).save(tmp_path / "a.png")
    (tmp_path / "b.jxl").write_bytes(jxl(make_photo(1)))
    (tmp_path / "c.jxl").write_bytes(jxl(make_photo(2), use_container=True))
    df = score(tmp_path)
    assert df["error"].null_count() == 3
    assert df["kind"].to_list() == ["near", "near", "unique"]


def test_deep_jpeg_xl_are_equal_only_as_files(jxl, make_photo):
    grey = np.asarray(make_photo(1).convert("L"), np.uint16)
    one, other = (jxl(Image.fromarray(grey * 257 + low), lossless=True) for low in (0, 1))
    assert read_header(one).bits == 16
    assert decode(one).fingerprint == decode(one).fingerprint != decode(other).fingerprint


def test_a_jpeg_xl_is_turned_once(jxl, tmp_path, make_photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    make_photo(1).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as picture:
        was_jpeg = jxl(picture, lossless_jpeg=True)
    found = decode(was_jpeg)
    of_jpeg = decode((tmp_path / "a.jpg").read_bytes())
    assert found.fingerprint == of_jpeg.fingerprint


def test_what_a_jpeg_xl_claims_is_looked_at_before_it_is_decoded(jxl, make_photo):
    # Not small, with heights and widths of 30 bits.
    header = int("".join(reversed(["0", "11", f"{2**29:030b}"[::-1], "000", "11"])), 2)
    bomb = SIGNATURE + (header | 2**29 << 38).to_bytes(12, "little")
    with pytest.raises(ImageError, match="too large: 536870913"):
        decode(bomb)
    whole = jxl(make_photo(1))
    for end in range(2, len(whole), len(whole) // 20):
        with pytest.raises(ImageError):
            decode(whole[:end])


@pytest.mark.parametrize(
    "data",
    [b"", b"x", SIGNATURE, CONTAINER, CONTAINER + bytes(99)],
)
def test_what_has_no_header_is_said(data):
    with pytest.raises(ValueError, match=r"truncated|no picture"):
        read_header(data)


def test_a_raw_file_is_developed_as_a_whole(raw, tmp_path, make_photo, as_file):
    picture = make_photo(1).resize((320, 240))
    found = decode(raw(picture))
    assert (found.facts.width, found.facts.height) == (320, 240)
    assert (found.facts.format, found.facts.lossless, found.facts.camera) == (
        *("raw", True),
        "Maker Model",
    )
    turned = decode(raw(picture, turned=6))
    assert (turned.facts.width, turned.facts.height) == (240, 320)
    of_photo = decode(as_file(picture, "PNG"))
    assert np.corrcoef(found.small.ravel(), of_photo.small.ravel())[0, 1] > 0.8
    (tmp_path / "b.dng").write_bytes(raw(picture))
    assert score(tmp_path)["error"].null_count() == 1


def test_a_raw_file_beside_its_jpeg_is_a_part_of_its_shot(raw, tmp_path, make_photo):
    picture = make_photo(1).resize((320, 240))
    picture.save(tmp_path / "a.jpg")
    for name in ("a.dng", "b.dng"):
        (tmp_path / name).write_bytes(raw(picture))
    found = list_images(tmp_path)
    assert [path.rpartition("/")[2] for path in found.paths] == ["a.jpg", "b.dng"]
    assert found.not_taken == {"raw files and live videos of pictures": {".dng": 1}}
    asked = list_images([tmp_path / "a.jpg", tmp_path / "a.dng"])
    assert len(asked.paths) == 2


def test_raw_files_are_equal_only_as_files(raw, tmp_path, make_photo):
    picture = make_photo(1).resize((320, 240))
    data = raw(picture)
    (tmp_path / "a.dng").write_bytes(data)
    shutil.copy(tmp_path / "a.dng", tmp_path / "b.dng")
    brighter = np.minimum(np.asarray(picture).astype(int) + 1, 255).astype(np.uint8)
    (tmp_path / "c.dng").write_bytes(raw(Image.fromarray(brighter)))
    df = score(tmp_path).sort("path")
    assert df["kind"].to_list()[:2] == ["exact", "exact"]
    assert df["fingerprint"].n_unique() == 2
    assert df.filter(pl.col("kind") == "exact").height == 2


def test_sensor_data_without_the_names_of_its_filters_is_grey(raw, make_photo):
    tifffile = pytest.importorskip("tifffile")
    light = np.asarray(make_photo(1).convert("L"), np.uint16) * 16
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as out:
        small = np.asarray(make_photo(1).resize((40, 30)))
        version = [(50706, "B", 4, (1, 4, 0, 0), True)]
        out.write(small, photometric="rgb", subfiletype=1, subifds=1, extratags=version)
        out.write(light, photometric="cfa", subfiletype=0)
    found = decode(file.getvalue())
    # Never the small picture that comes first.
    assert (found.facts.width, found.facts.height) == (light.shape[1], light.shape[0])


def test_a_damaged_raw_file_is_an_error(raw, make_photo):
    whole = raw(make_photo(1).resize((320, 240)))
    for end in (300, 600, len(whole) // 2):
        with pytest.raises(ImageError):
            decode(whole[:end])


def test_without_the_packages_files_are_refused_by_name():
    program = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: (
    None if name in ("pillow_jxl", "rawpy") else found(name, *rest)
)
from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode
from dedup_widgets.images.formats import why_not_taken
for data in (b"\\xff\\x0a" + bytes(64), b"FUJIFILMCCD-RAW 0201" + bytes(64)):
    print(why_not_taken(data, ""))
    try:
        decode(data)
    except ImageError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    taken, jxl, taken_too, raw = done.stdout.splitlines()
    assert taken == taken_too == "pictures in formats that are not read"
    assert "JPEG XL" in jxl
    assert 'pip install "dedup-widgets[jxl]"' in jxl
    assert "a camera raw file (Fujifilm RAF)" in raw
    assert 'pip install "dedup-widgets[raw]"' in raw
