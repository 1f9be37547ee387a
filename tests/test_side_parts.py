"""What every viewer shows is read, however damaged the parts of the file that no viewer shows."""

import contextlib
import io
import random
import struct
import zlib

import pytest
from PIL import Image, ImageCms

import dedup_widgets as dw
from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XYZ = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
EXIF = Image.Exif()
EXIF[0x0112] = 6


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def pictures(make_photo):
    return [make_photo(seed, (64, 48)) for seed in range(3)]


def chunk(kind, body, wrong=False):
    checksum = zlib.crc32(kind + body) ^ wrong
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def behind_the_header(png, part):
    return png[:33] + part + png[33:]


def segment(marker, body):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


LONG = zlib.compress(b"x" * 1_200_000)


@pytest.mark.parametrize(
    "part",
    [
        chunk(b"tEXt", b"a\0b", wrong=True),
        chunk(b"tIME", b"1234567", wrong=True),
        chunk(b"zTXt", b"Raw profile type xmp\0\0" + LONG),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LONG),
        b"".join(chunk(b"tEXt", b"%d\0" % i + b"x" * 900_000) for i in range(80)),
        chunk(b"iCCP", b"profile\0\0" + LONG),
        chunk(b"iCCP", b"profile\0\7" + zlib.compress(SRGB)),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(SRGB), wrong=True),
        chunk(b"gAMA", b"12"),
        chunk(b"cHRM", b"12"),
        chunk(b"sRGB", b""),
        chunk(b"pHYs", b"12"),
        chunk(b"acTL", b"12"),
    ],
    ids=lambda part: part[4:8].decode(),
)
def test_a_damaged_chunk_of_a_png_is_a_note(pictures, part):
    png = saved(pictures[0], "PNG")
    picture = decode(behind_the_header(png, part))
    assert picture.fingerprint == decode(png).fingerprint
    assert picture.facts.note.startswith("damaged, and left out: ")
    assert picture.facts.bytes == len(png) + len(part)


def test_a_still_png_that_calls_itself_animated_equals_the_still_one(pictures):
    png = saved(pictures[0], "PNG")
    animated = behind_the_header(png, chunk(b"acTL", struct.pack(">II", 2, 0)))
    assert decode(animated).fingerprint == decode(png).fingerprint


def test_a_png_that_is_cut_off_in_its_last_text_is_whole(pictures):
    png = saved(pictures[0], "PNG")
    cut = png[:-12] + chunk(b"tEXt", b"k\0" + b"x" * 1000)[:-900]
    picture = decode(cut)
    assert picture.fingerprint == decode(png).fingerprint
    assert "end marker" in picture.facts.note


def test_a_colour_profile_that_is_too_long_for_the_decoder_still_counts(pictures):
    profile = XYZ[:4] + XYZ[4:] + bytes(1_200_000)
    part = chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile))
    png = saved(pictures[0], "PNG")
    assert decode(behind_the_header(png, part)).fingerprint != decode(png).fingerprint


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_marker_is_whole(pictures, options, missing):
    jpeg = saved(pictures[0], "JPEG", **options)
    picture = decode(jpeg[:-missing])
    assert picture.fingerprint == decode(jpeg).fingerprint
    assert picture.facts.note == "the end marker is missing"


@pytest.mark.parametrize("left", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_that_is_cut_off_is_an_error(pictures, kind, left):
    data = saved(pictures[0], kind, **({"lossless": True} if kind == "WEBP" else {}))
    with pytest.raises(ImageError):
        decode(data[: int(len(data) * left) - 20])


@pytest.mark.parametrize(
    "part",
    [
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xEE, b"Adobe"),
        segment(0xE0, b"JFIF"),
        segment(0xE1, b"Exif\0\0garbage"),
        segment(0xE1, EXIF.tobytes()[:-9]),
        segment(0xE2, b"MPF\0garbage"),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xffab"),
    ],
    ids=lambda part: f"{part[1]:x} of {len(part)} bytes",
)
def test_a_damaged_segment_of_a_jpeg_is_left_out(pictures, part):
    jpeg = saved(pictures[0], "JPEG")
    damaged = decode(jpeg[:2] + part + jpeg[2:])
    assert damaged.fingerprint == decode(jpeg).fingerprint


@pytest.mark.parametrize("cut", ["in the XMP data", "in the EXIF data", "before them"])
def test_a_webp_is_whole_without_what_stands_behind_its_picture(pictures, cut):
    plain = saved(pictures[0], "WEBP", lossless=True)
    webp = saved(pictures[0], "WEBP", lossless=True, exif=b"Exif\0\0" + bytes(40), xmp=b"<x/>")
    at = webp.index(b"EXIF")
    end = {"in the XMP data": len(webp) - 3, "in the EXIF data": at + 12, "before them": at}[cut]
    picture = decode(webp[:end])
    assert picture.fingerprint == decode(plain).fingerprint
    assert "XMP data" in picture.facts.note


@pytest.mark.parametrize("difference", [-40, 1000])
def test_a_webp_with_a_wrong_length_is_whole(pictures, difference):
    webp = saved(pictures[0], "WEBP", lossless=True)
    wrong = webp[:4] + struct.pack("<I", len(webp) + difference) + webp[8:]
    assert decode(wrong).fingerprint == decode(webp).fingerprint


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "MPO", "WEBP"])
def test_of_a_damaged_second_frame_the_first_is_shown(pictures, kind):
    whole = saved(pictures[0], kind, save_all=True, append_images=pictures[1:])
    data = whole[: -len(whole) // 8]
    picture = decode(data)
    assert picture.facts.note
    assert picture.rgb.size == (64, 48)
    # Nobody knows what the lost frames showed: only the same file is an exact duplicate.
    assert picture.fingerprint != decode(whole).fingerprint
    assert picture.fingerprint != decode(data + b"\0\0").fingerprint
    assert picture.fingerprint == decode(data).fingerprint


@pytest.mark.lengthy
def test_damage_reaches_the_frame_as_a_note(pictures, tmp_path):
    (tmp_path / "whole.jpg").write_bytes(jpeg := saved(pictures[0], "JPEG"))
    (tmp_path / "cut.jpg").write_bytes(jpeg[:-2])
    df = dw.score(tmp_path, model="perceptual", progress=False).sort("path")
    assert df["note"].to_list() == ["the end marker is missing", None]
    assert df["error"].null_count() == 2
    assert df["kind"].to_list() == ["exact", "exact"]


def test_the_decoders_of_damaged_files_write_nothing_into_the_notebook(pictures, capfd):
    tiff = bytearray(saved(pictures[0], "TIFF", compression="tiff_lzw"))
    tiff[200:260] = random.Random(1).randbytes(60)
    with contextlib.suppress(ImageError):
        decode(bytes(tiff))
    assert capfd.readouterr() == ("", "")
