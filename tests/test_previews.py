"""What of a file is a picture, and what is only a preview, a thumbnail or a camera's raw data."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw

from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode
from dedup_widgets.images.formats import sniff


def saved(image: Image.Image, format: str, **options: object) -> bytes:  # noqa: A002
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def tiff(*pages: tuple[np.ndarray, dict[str, object]]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for pixels, options in pages:
            writer.write(pixels, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def scene(make_photo) -> np.ndarray:
    return np.asarray(make_photo(1, (320, 240)))


RGB = {"photometric": "rgb"}
REDUCED = {"photometric": "rgb", "subfiletype": 1}
DNG_VERSION = (50706, "B", 4, (1, 4, 0, 0), True)


@pytest.fixture(scope="module")
def raw_files(scene):
    mosaic = scene[..., 1].astype(np.uint16) * 16
    small = scene[::4, ::4].copy()
    sensor = (mosaic, {"photometric": "cfa", "subfiletype": 0})
    linear = (scene.astype(np.uint16), {"photometric": 34892})
    plain = (mosaic, {"photometric": "minisblack"})
    version = {"extratags": [DNG_VERSION]}
    return {
        "preview first, sensor data below": tiff((small, {**REDUCED, "subifds": 1}), sensor),
        "preview first, in an order of its own": tiff((small, {**REDUCED, "subifds": 1}), plain),
        "preview that calls itself none": tiff((small, {**RGB, "subifds": 1}), sensor),
        "DNG": tiff((small, {**REDUCED, **version, "subifds": 1}), sensor),
        "DNG of one picture": tiff((scene, {**RGB, **version})),
        "linear DNG": tiff((small, {**REDUCED, "subifds": 1}), linear),
        "sensor data first": tiff(sensor),
        "sensor data on a later page": tiff((small, REDUCED), sensor),
    }


KINDS = ["preview first, sensor data below", "preview first, in an order of its own"]
KINDS += ["preview that calls itself none", "DNG", "DNG of one picture", "linear DNG"]
KINDS += ["sensor data first", "sensor data on a later page"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_raw_file_is_refused_with_the_remedy(raw_files, kind):
    with pytest.raises(ImageError, match=r"camera raw file.*develop it and export"):
        decode(raw_files[kind])


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201FF129502",
        b"IIU\0\x18\0\0\0",
        b"IIRO\x08\0\0\0",
        b"MMOR\0\0\0\x08",
        b"\0MRM\0\0\0\0",
        b"FOVb\0\0\0\0",
        b"II\x1a\0\0\0HEAPCCDR",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"II*\0\x08\0\0\0IIII\x01waR",
        b"MM\0*\0\0\0\x08MMMMRaw\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ],
)
def test_a_makers_own_raw_format_is_told_by_its_first_bytes(head):
    with pytest.raises(ImageError, match="camera raw file"):
        sniff(head + bytes(200))


def test_a_damaged_tiff_is_no_raw_file_and_never_hangs():
    for order, big in (("<", False), (">", True)):
        start = {"<": b"II*\0", ">": b"MM\0+"}[order]
        loop = start + struct.pack(order + ("Q" if big else "I"), 8) * 40
        assert sniff(loop) == "TIFF"
        assert sniff(start + b"\xff" * 40) == "TIFF"


def test_a_picture_with_a_thumbnail_is_the_picture(scene):
    alone = decode(tiff((scene, RGB)))
    small = scene[::4, ::4].copy()
    other = 255 - small
    for below in (small, other):
        for data in (
            tiff((scene, {**RGB, "subifds": 1}), (below, REDUCED)),
            tiff((scene, RGB), (below, REDUCED)),
            tiff((below, REDUCED), (scene, RGB)),
        ):
            picture = decode(data)
            assert (picture.facts.frames, picture.rgb.size) == (1, (320, 240))
            assert picture.fingerprint == alone.fingerprint
            assert "frame" not in [layer.kind for layer in picture.layers]


def test_a_16_bit_picture_behind_its_thumbnail_counts_at_its_own_depth(scene):
    deep = scene.astype(np.uint16) * 257 + 5
    behind = decode(tiff((scene[::4, ::4].copy(), REDUCED), (deep, RGB)))
    assert behind.fingerprint == decode(tiff((deep, RGB))).fingerprint


def test_a_pyramid_is_one_picture_even_where_it_does_not_say_so(scene):
    levels = [scene]
    for _ in range(2):
        h, w = levels[-1].shape[:2]
        blocks = levels[-1].reshape(h // 2, 2, w // 2, 2, 3).mean(axis=(1, 3))
        levels.append(blocks.astype(np.uint8))
    pyramid = decode(tiff(*((level, RGB) for level in levels)))
    assert pyramid.facts.frames == 1
    assert pyramid.fingerprint == decode(tiff((scene, RGB))).fingerprint


def test_a_smaller_page_that_shows_something_else_counts(scene):
    page = Image.new("L", (600, 800), 255)
    ImageDraw.Draw(page).text((40, 40), "page one\nof two", fill=0, font_size=60)
    other = Image.new("L", (300, 400), 255)
    ImageDraw.Draw(other).text((20, 20), "second\none of 2", fill=0, font_size=30)
    for first, second in (
        (scene, 255 - scene[::2, ::2]),
        (np.asarray(page), np.asarray(other)),
        (np.full((80, 60), 255, np.uint8), np.full((40, 30), 255, np.uint8)),
    ):
        options = RGB if first.ndim == 3 else {}
        assert decode(tiff((first, options), (second.copy(), options))).facts.frames == 2


def mpo(first: Image.Image, *others: Image.Image, kind: int = 0) -> bytes:
    data = saved(first, "MPO", save_all=True, append_images=others)
    # Header and directory take 50 bytes, then come entries of 16; an attribute begins each.
    entries = data.index(b"MPF\0II*\0") + 4 + 50
    assert struct.unpack_from("<I", data, entries) == (0x030000,)
    return data[: entries + 16] + struct.pack("<I", kind) + data[entries + 20 :]


VGA_THUMBNAIL, PAIR = 0x010001, 0x020002


def test_a_preview_in_a_jpeg_is_no_frame(make_photo):
    photo = make_photo(1, (320, 240))
    small = photo.resize((160, 120), Image.Resampling.BICUBIC)
    alone = decode(saved(photo, "JPEG"))
    for data in (mpo(photo, small, kind=VGA_THUMBNAIL), mpo(photo, small)):
        assert decode(data).facts.frames == 1
        assert decode(data).fingerprint == alone.fingerprint


def test_the_second_picture_of_a_pair_is_a_frame(make_photo):
    photo, other = make_photo(1, (320, 240)), make_photo(2, (320, 240))
    nearly_equal = photo.copy()
    nearly_equal.putpixel((3, 3), (255, 0, 0))
    half = photo.resize((160, 120), Image.Resampling.BICUBIC)
    for second, kind in ((other, PAIR), (nearly_equal, 0), (half, PAIR)):
        assert decode(mpo(photo, second, kind=kind)).facts.frames == 2


def test_a_gain_map_is_no_frame(make_photo):
    photo = make_photo(1, (320, 240))
    xmp = b"<x:xmpmeta xmlns:HDRGainMap='http://ns.apple.com/HDRGainMap/1.0/'>hdrgainmap"
    gain = make_photo(2, (160, 120))
    gain.encoderinfo = {"xmp": xmp}
    data = mpo(photo, gain)
    assert xmp in data
    assert decode(data).fingerprint == decode(saved(photo, "JPEG")).fingerprint


def test_a_picture_that_only_the_index_still_names_is_no_frame(make_photo):
    photo = make_photo(1, (320, 240))
    whole = mpo(photo, make_photo(2, (320, 240)))
    stripped = whole[: whole.rindex(b"\xff\xd8\xff")]
    assert decode(stripped).fingerprint == decode(saved(photo, "JPEG")).fingerprint


@pytest.mark.lengthy
def test_the_thumbnail_of_a_heif_is_no_frame(make_photo):
    photo = make_photo(1, (320, 240))
    plain, with_thumbnail = (
        decode(saved(photo, "HEIF", quality=90, thumbnails=sizes)) for sizes in ([], [64])
    )
    assert with_thumbnail.facts.frames == 1
    assert with_thumbnail.fingerprint == plain.fingerprint
