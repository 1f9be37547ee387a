import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pillow_heif
import pytest
import tifffile
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode
from dedup_widgets.images.formats import MAX_PIXELS
from dedup_widgets.images.thumbnail import thumbnail, to_square
from effort import examples

pillow_heif.register_heif_opener()

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "GIF", "BMP")


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:  # noqa: A002
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def fingerprint(data: bytes) -> str:
    return decode(data).fingerprint


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode(data).rgb).astype(int)


def png(array: np.ndarray, colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG of 8 or 16 bits by hand: Pillow writes no 16-bit colour."""
    height, width = array.shape[:2]
    rows = array.astype(array.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    bits = 8 * array.dtype.itemsize
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", header),
            *chunks,
            (b"IDAT", zlib.compress(raw)),
            (b"IEND", b""),
        )
    )


def tiff(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def profile_with_other_primaries() -> bytes:
    """Return an RGB profile that is valid but not sRGB: red and blue change places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {}
    for i in range(struct.unpack_from(">I", data, 128)[0]):
        entries[bytes(data[132 + 12 * i : 136 + 12 * i])] = 132 + 12 * i
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = (
        data[blue + 4 : blue + 12],
        data[red + 4 : red + 12],
    )
    return bytes(data)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def photo(make_photo: Callable[..., Image.Image]) -> Image.Image:
    return make_photo(1, (61, 47))


@pytest.fixture(scope="module")
def deep(photo: Image.Image) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = rng.integers(0, 256, (47, 61, 3), dtype=np.uint16)
    return np.asarray(photo).astype(np.uint16) << 8 | low


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP"])
def test_a_file_and_its_png_resave_share_a_fingerprint(photo, format):  # noqa: A002
    original = saved(photo, format)
    resaved = saved(Image.open(io.BytesIO(original)).convert("RGB"))
    assert original != resaved
    assert fingerprint(original) == fingerprint(resaved)


def test_a_grey_picture_equals_its_rgb_and_palette_saves(photo):
    grey_jpeg = saved(photo.convert("L"), "JPEG")
    grey = Image.open(io.BytesIO(grey_jpeg))
    palette = grey.convert("P")
    assert palette.mode == "P"
    assert (
        len(
            {
                fingerprint(grey_jpeg),
                fingerprint(saved(grey)),
                fingerprint(saved(grey.convert("RGB"))),
                fingerprint(saved(palette)),
                fingerprint(saved(grey, "GIF")),
            }
        )
        == 1
    )


def test_black_and_white_equals_its_grey_save(photo):
    bilevel = photo.convert("1")
    assert fingerprint(saved(bilevel)) == fingerprint(saved(bilevel.convert("L")))


def test_a_cmyk_jpeg_equals_its_rgb_save(photo):
    cmyk = saved(photo.convert("CMYK"), "JPEG")
    assert Image.open(io.BytesIO(cmyk)).mode == "CMYK"
    assert fingerprint(cmyk) == fingerprint(
        saved(Image.open(io.BytesIO(cmyk)).convert("RGB"), "TIFF")
    )


def test_metadata_do_not_count(photo):
    exif = Image.Exif()
    exif[0x010E] = "a description"
    assert fingerprint(saved(photo, exif=exif)) == fingerprint(saved(photo, dpi=(72, 72)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_colours_hidden_by_full_transparency_do_not_count(photo, mode):
    def with_hidden(colour: int) -> bytes:
        image = photo.convert(mode)
        image.paste((colour,) * (len(mode) - 1) + (0,), (5, 5, 20, 20))
        return saved(image)

    assert with_hidden(0) != with_hidden(200)
    assert fingerprint(with_hidden(0)) == fingerprint(with_hidden(200))
    assert (pixels(with_hidden(0))[5:20, 5:20] == 255).all()


def test_a_transparent_palette_entry_shows_white(photo):
    palette = photo.quantize(8)
    data = saved(palette, transparency=3)
    shown = pixels(data)[np.asarray(palette) == 3]
    assert len(shown)
    assert (shown == 255).all()


def test_an_srgb_profile_equals_none(photo):
    with_profile = saved(photo, icc_profile=SRGB)
    assert decode(with_profile).fingerprint == fingerprint(saved(photo))
    assert (pixels(with_profile) == np.asarray(photo)).all()


def test_another_colour_profile_counts_and_is_shown(photo):
    other = saved(photo, icc_profile=profile_with_other_primaries())
    assert fingerprint(other) != fingerprint(saved(photo))
    # Neutral colours stay, strong ones change places.
    red = saved(Image.new("RGB", (4, 4), "red"), icc_profile=profile_with_other_primaries())
    shown = pixels(red)[0, 0]
    assert shown[2] > shown[0]


@pytest.mark.lengthy
def test_colours_are_converted_as_lcms_does_in_many_threads_at_once(photo):
    profile = profile_with_other_primaries()
    expected = ImageCms.profileToProfile(
        photo,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(pixels, [saved(photo, icc_profile=profile)] * 40))
    assert all((one == np.asarray(expected)).all() for one in shown)


def test_a_damaged_profile_is_readable_and_counts(photo):
    data = saved(photo, icc_profile=b"no profile at all" * 20)
    assert (pixels(data) == np.asarray(photo)).all()
    assert fingerprint(data) != fingerprint(saved(photo))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_an_orientation_tag_equals_pixels_turned(photo, orientation, turn, format):  # noqa: A002
    exif = Image.Exif()
    exif[0x0112] = orientation
    tagged = decode(
        saved(photo, format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    )
    turned = photo if turn is None else photo.transpose(turn)
    assert tagged.fingerprint == fingerprint(saved(turned))
    assert (tagged.facts.width, tagged.facts.height) == turned.size == tagged.rgb.size


def test_one_pixel_makes_another_fingerprint(photo):
    changed = photo.copy()
    r, g, b = changed.getpixel((60, 46))
    changed.putpixel((60, 46), (r, g, b ^ 1))
    assert fingerprint(saved(photo)) != fingerprint(saved(changed))


def test_shape_makes_another_fingerprint():
    values = bytes(range(18))
    wide = Image.frombytes("RGB", (3, 2), values)
    tall = Image.frombytes("RGB", (2, 3), values)
    assert fingerprint(saved(wide)) != fingerprint(saved(tall))


@pytest.mark.lengthy
@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "HEIF"])
def test_the_second_frame_makes_another_fingerprint(make_photo, format):  # noqa: A002
    first, second, third = (make_photo(seed) for seed in (1, 2, 3))
    options = {"save_all": True, **({"lossless": True} if format == "WEBP" else {})}
    with_second = decode(saved(first, format, append_images=[second], **options))
    with_third = decode(saved(first, format, append_images=[third], **options))
    alone = decode(saved(first, format))
    assert with_second.facts.frames == with_third.facts.frames == 2
    assert alone.facts.frames == 1
    assert len({with_second.fingerprint, with_third.fingerprint, alone.fingerprint}) == 3
    difference = np.asarray(with_second.rgb, int) - np.asarray(with_third.rgb, int)
    assert np.abs(difference).mean() < 3


def test_a_jpeg_of_two_pictures_counts_both(make_photo):
    first, second = make_photo(1), make_photo(2)
    alone = decode(saved(first, "JPEG"))
    both = decode(saved(first, "MPO", save_all=True, append_images=[second]))
    assert (both.facts.format, both.facts.frames) == ("jpeg", 2)
    assert both.rgb.tobytes() == alone.rgb.tobytes()
    assert both.fingerprint != alone.fingerprint


def test_pages_of_different_sizes_count_each_at_its_own(make_photo):
    pages = [make_photo(1, (40, 30)), make_photo(2, (20, 50))]
    picture = decode(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert (picture.facts.frames, picture.rgb.size) == (2, (40, 30))


def deep_files(array: np.ndarray) -> dict[str, bytes]:
    rgba = np.dstack([array, np.full(array.shape[:2], 65535, np.uint16)])
    return {
        "png": png(array, 2),
        "png with opaque alpha": png(rgba, 6),
        "tiff": tiff(array, photometric="rgb"),
        "big-endian tiff": tiff(array, photometric="rgb", byteorder=">"),
        "compressed tiff": tiff(array, photometric="rgb", compression="zlib"),
        "big-endian compressed tiff": tiff(
            array, photometric="rgb", byteorder=">", compression="zlib"
        ),
    }


def test_a_16_bit_colour_picture_has_one_fingerprint_in_every_format(deep):
    assert len({fingerprint(data) for data in deep_files(deep).values()}) == 1


@pytest.mark.parametrize("name", deep_files(np.zeros((1, 1, 3), np.uint16)))
@pytest.mark.parametrize("bit", [1, 128, 256])
def test_the_lowest_bits_of_16_bit_colour_count(deep, name, bit):
    changed = deep.copy()
    changed[3, 4, 2] ^= bit
    assert fingerprint(deep_files(deep)[name]) != fingerprint(deep_files(changed)[name])


@pytest.mark.parametrize("colour_type", [0, 4])
def test_the_lowest_bits_of_16_bit_grey_count_and_grey_equals_colour(deep, colour_type):
    def grey_file(grey: np.ndarray) -> bytes:
        opaque = np.full_like(grey, 65535)
        return png(np.dstack([grey, opaque]) if colour_type == 4 else grey, colour_type)

    grey = deep[..., 0].copy()
    changed = grey.copy()
    changed[0, 0] ^= 1
    assert fingerprint(grey_file(grey)) != fingerprint(grey_file(changed))
    assert fingerprint(grey_file(grey)) == fingerprint(png(np.dstack([grey] * 3), 2))


def test_colours_hidden_by_16_bit_transparency_do_not_count(deep):
    def with_hidden(value: int) -> bytes:
        alpha = np.full(deep.shape[:2], 65535, np.uint16)
        rgba = np.dstack([deep, alpha])
        rgba[5:9, 5:9] = (value, value, value, 0)
        return png(rgba, 6)

    assert fingerprint(with_hidden(7)) == fingerprint(with_hidden(9000))


def test_a_transparent_16_bit_colour_shows_white():
    array = np.full((4, 4, 3), 40_000, np.uint16)
    array[0] = 30_000
    keyed = png(array, 2, (b"tRNS", struct.pack(">HHH", 40_000, 40_000, 40_000)))
    alpha = np.where(array[..., :1] == 40_000, 0, 65535).astype(np.uint16)
    assert (pixels(keyed)[1:] == 255).all()
    assert fingerprint(keyed) == fingerprint(png(np.dstack([array, alpha]), 6))


def glyph(kind: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """Return a white drawing on transparency; all of them look the same on white."""
    alpha = Image.new("L", size)
    alpha.paste(255, (8 + 3 * kind, 10, 40, 20 + 5 * kind))
    icon = Image.new("RGBA", size, "white")
    icon.putalpha(alpha)
    return icon


WITH_ALPHA = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100},
    "HEIF": {"quality": -1},
    "TIFF": {},
    "GIF": {},
}


@pytest.mark.parametrize("format", WITH_ALPHA)
def test_what_white_hides_still_counts(format):  # noqa: A002
    one, other = (decode(saved(glyph(i), format, **WITH_ALPHA[format])) for i in (0, 1))
    assert (np.asarray(one.rgb) == 255).all()
    assert one.rgb.tobytes() == other.rgb.tobytes()
    assert one.fingerprint != other.fingerprint


def test_the_same_transparency_has_one_fingerprint_in_every_format():
    formats = ("PNG", "WEBP", "TIFF", "GIF")
    assert len({fingerprint(saved(glyph(1), f, **WITH_ALPHA[f])) for f in formats}) == 1


def test_one_step_of_a_half_transparent_colour_counts():
    def half(red: int) -> bytes:
        return saved(Image.new("RGBA", (5, 5), (red, 7, 7, 128)))

    assert pixels(half(101)).tolist() == pixels(half(102)).tolist()
    assert fingerprint(half(101)) != fingerprint(half(102))


def test_the_lowest_bit_of_16_bit_alpha_counts(deep):
    alpha = np.full(deep.shape[:2], 40_000, np.uint16)
    changed = alpha.copy()
    changed[3, 4] += 1
    one, other = (png(np.dstack([deep, a]), 6) for a in (alpha, changed))
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_opaque_alpha_of_every_mode_equals_none(photo, mode):
    plain = photo.convert("L" if mode == "LA" else mode)
    with_alpha = plain.copy() if mode == "P" else plain.convert(mode)
    options = {"transparency": b"\xff" * 256} if mode == "P" else {}
    assert fingerprint(saved(with_alpha, **options)) == fingerprint(saved(plain.convert("RGB")))


def bands(n: int, dtype: type, changed: int | None, **options: object) -> bytes:
    """Write a TIFF of n bands, of which one may differ in one sample."""
    samples = np.random.default_rng(0).integers(0, 256, (40, 50, n)).astype(dtype)
    if changed is not None:
        samples[3, 4, changed] ^= 1
    if options.get("planarconfig") == "separate":
        samples = np.moveaxis(samples, 2, 0)
    extra = n - {"rgb": 3, "separated": 4, "minisblack": 1}[str(options["photometric"])]
    return tiff(samples, extrasamples=[0] * extra, **options)


@pytest.mark.parametrize(
    ("n", "dtype", "options"),
    [
        (4, np.uint8, {"photometric": "rgb"}),
        (4, np.uint8, {"photometric": "rgb", "compression": "zlib"}),
        (4, np.uint8, {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}),
        (4, np.uint16, {"photometric": "rgb"}),
        (4, np.uint16, {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}),
        (5, np.uint8, {"photometric": "rgb"}),
        (6, np.uint8, {"photometric": "rgb", "compression": "zlib"}),
        (5, np.uint8, {"photometric": "separated"}),
        (2, np.uint8, {"photometric": "minisblack"}),
        (
            *(2, np.uint16),
            {"photometric": "minisblack", "planarconfig": "separate", "compression": "zlib"},
        ),
    ],
)
def test_every_band_counts(n, dtype, options):
    prints = [fingerprint(bands(n, dtype, changed, **options)) for changed in (None, *range(n))]
    assert len(set(prints)) == n + 1


def test_a_further_band_that_is_read_counts_as_pixels_and_not_as_bytes():
    one = bands(4, np.uint8, None, photometric="rgb")
    other = bands(4, np.uint8, None, photometric="rgb", compression="zlib")
    assert fingerprint(one) == fingerprint(other)


def test_a_planar_16_bit_picture_keeps_its_lowest_bits(deep):
    changed = deep.copy()
    changed[0, 0, 0] ^= 1
    planar = [
        tiff(np.moveaxis(a, 2, 0), photometric="rgb", planarconfig="separate")
        for a in (deep, changed)
    ]
    assert fingerprint(planar[0]) != fingerprint(planar[1])


def test_a_16_bit_picture_never_equals_its_8_bit_version(deep):
    eight = (deep >> 8).astype(np.uint8)
    spread = eight.astype(np.uint16) * 257
    assert fingerprint(png(eight, 2)) != fingerprint(png(spread, 2))
    assert fingerprint(png(eight[..., 0].copy(), 0)) != fingerprint(png(spread[..., 0].copy(), 0))
    assert np.abs(pixels(png(eight, 2)) - pixels(png(spread, 2))).max() <= 1


def test_an_orientation_tag_turns_16_bit_pixels_too(deep):
    exif = Image.Exif()
    exif[0x0112] = 6
    tagged = png(deep, 2, (b"eXIf", exif.tobytes()[6:]))
    assert fingerprint(tagged) == fingerprint(png(np.rot90(deep, -1).copy(), 2))


def test_10_bit_heif_counts_at_its_own_depth(deep):
    def heif(array: np.ndarray) -> bytes:
        file = io.BytesIO()
        size = (array.shape[1], array.shape[0])
        image = pillow_heif.from_bytes("RGB;16", size, array.tobytes())
        image.save(file, quality=-1, chroma=444, matrix_coefficients=0)
        return file.getvalue()

    flat = np.full((64, 64, 3), 512 << 6, np.uint16)
    step = flat.copy()
    step[:32] += 1 << 6
    assert (pixels(heif(flat)) // 2 == pixels(heif(step)) // 2).all()
    assert fingerprint(heif(flat)) != fingerprint(heif(step))


def test_floats_count_exactly_and_are_shown_between_their_extremes():
    ramp = np.linspace(-3, 900, 64 * 64, dtype=np.float32).reshape(64, 64)
    nudged = ramp.copy()
    nudged[5, 5] = np.nextafter(nudged[5, 5], np.float32(1e9))
    assert fingerprint(tiff(ramp)) != fingerprint(tiff(nudged))
    shown = pixels(tiff(ramp))
    assert (shown.min(), shown.max()) == (0, 255)


def test_a_depth_that_cannot_be_decoded_is_called_unsupported():
    with pytest.raises(ImageError, match="unsupported TIFF"):
        decode(tiff(np.linspace(0, 1, 256).reshape(16, 16)))


def test_floats_with_nan_and_infinity_are_shown():
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    ramp[0, 0], ramp[0, 1], ramp[0, 2] = np.nan, np.inf, -np.inf
    shown = pixels(tiff(ramp))
    assert shown[0, 1, 0] == 255
    assert 100 < shown[8].mean() < 160


def test_a_12_bit_range_is_stretched_and_a_full_range_is_not():
    ramp = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    assert pixels(png(ramp, 0)).max() == 255
    dark = ramp.copy()
    dark[0, 0] = 65535
    assert np.sort(pixels(png(dark, 0)).ravel())[-4] <= 16


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_of_a_small_range_all_but_the_darkest_and_the_brightest_0_1_percent_is_shown(dtype):
    # As many pixels as values, each once: 0.1 % of them are ten.
    values = np.random.default_rng(0).permutation(10_000).reshape(100, 100)
    low, high = (9, 9989) if dtype is np.uint16 else np.percentile(values, (0.1, 99.9))
    wanted = np.clip((values - low) * 255 / (high - low), 0, 255)
    shown = pixels(
        png(values.astype(dtype), 0) if dtype is np.uint16 else tiff(values.astype(dtype))
    )
    np.testing.assert_array_equal(shown[..., 0], np.floor(wanted + 0.5))


def test_32_bit_integers_are_shown():
    ramp = np.linspace(-100_000, 100_000, 64 * 64).astype(np.int32).reshape(64, 64)
    shown = pixels(tiff(ramp))
    assert shown.min() == 0
    assert shown.max() == 255
    changed = ramp.copy()
    changed[1, 1] += 1
    assert fingerprint(tiff(ramp)) != fingerprint(tiff(changed))


@pytest.mark.parametrize("format", FORMATS)
def test_the_format_is_read_from_the_content(photo, format):  # noqa: A002
    data = saved(photo, format)
    facts = decode(data).facts
    assert facts.format == format.lower()
    assert (facts.width, facts.height, facts.bytes, facts.frames) == (61, 47, len(data), 1)


@pytest.mark.parametrize(
    ("format", "options", "lossless"),
    [
        ("PNG", {}, True),
        ("BMP", {}, True),
        ("GIF", {}, None),
        ("JPEG", {}, False),
        ("AVIF", {}, False),
        ("HEIF", {}, False),
        ("WEBP", {"lossless": False}, False),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"lossless": True, "exif": b"Exif\0\0"}, True),
        ("TIFF", {}, True),
        ("TIFF", {"compression": "tiff_lzw"}, True),
        ("TIFF", {"compression": "jpeg"}, False),
    ],
)
def test_lossless_is_told(photo, format, options, lossless):  # noqa: A002
    assert decode(saved(photo, format, **options)).facts.lossless is lossless


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_a_photo_in_a_palette_is_not_called_lossless(photo, mode):
    reduced = photo.quantize(64).convert(mode)
    assert decode(saved(reduced, "PNG")).facts.lossless is None
    assert decode(saved(reduced.convert("L"), "PNG")).facts.lossless is True


def test_a_drawing_of_few_colours_is_lossless():
    drawing = Image.new("RGB", (200, 100), "white")
    drawing.paste((200, 30, 30), (20, 20, 60, 40))
    for saved_as in (drawing, drawing.quantize(16)):
        assert decode(saved(saved_as, "PNG")).facts.lossless is True


def test_an_animated_webp_tells_lossless_by_its_frames(make_photo):
    frames = [make_photo(seed) for seed in (1, 2)]
    for lossless in (True, False):
        data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
        assert decode(data).facts.lossless is lossless


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_is_told(photo, format):  # noqa: A002
    exif = Image.Exif()
    exif[0x010E] = "a description"
    assert decode(saved(photo, format, exif=exif)).facts.exif
    assert not decode(saved(photo, format)).facts.exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_how_a_picture_is_turned_and_stored_is_no_exif(photo, format):  # noqa: A002
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x0128] = 6, 72.0, 2
    exif[0x8769] = {0x9000: b"0232", 0xA002: 40, 0xA003: 30}
    assert not decode(saved(photo, format, exif=exif)).facts.exif
    exif[0x8769] = {0x9000: b"0232", 0x829A: 0.01}
    assert decode(saved(photo, format, exif=exif)).facts.exif


def test_the_tags_that_every_tiff_has_are_not_exif(photo):
    assert not decode(saved(photo, "TIFF")).facts.exif
    assert decode(saved(photo, "TIFF", tiffinfo={34665: {0x9003: "2026"}})).facts.exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_date_on_which_it_was_taken_is_read(photo, format):  # noqa: A002
    exif = Image.Exif()
    tags = exif.get_ifd(0x8769)
    exif[0x8769] = tags  # what lies in an IFD alone Pillow writes neither into PNG nor into TIFF
    tags[0x9003] = "2023:04:05 06:07:08"
    assert decode(saved(photo, format, exif=exif)).facts.date_taken == "2023-04-05T06:07:08"
    tags[0x9003] = "0000:00:00 00:00:00"
    assert decode(saved(photo, format, exif=exif)).facts.date_taken is None
    assert decode(saved(photo, format)).facts.date_taken is None


def test_damaged_exif_does_not_make_a_picture_unreadable(photo):
    data = saved(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40)
    assert fingerprint(data) == fingerprint(saved(photo, "JPEG"))


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 10)
        + b"IDAT"
        + bytes(10)
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html></html>", "looks like HTML"),
        (b"404: not found", "looks like text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"%PDF-1.7", "PDF"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
        (bytes(5000), "zero bytes"),
        (b"\x8f\xe1\x07" * 50, "no known picture format"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"BM", "BMP"),
        (bomb(30_000, 30_000), "too large: 30000x30000 = 900 megapixels, limit 400"),
        (bomb(0, 10), "PNG"),
    ],
)
def test_what_cannot_be_read_says_why(data, reason):
    with pytest.raises(ImageError) as caught:
        decode(data)
    message = str(caught.value)
    assert reason in message
    assert "\n" not in message
    assert len(message) < 300
    assert "object at 0x" not in message


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_file_is_an_error(make_photo, format):  # noqa: A002
    data = saved(make_photo(1, (300, 200)), format)
    with pytest.raises(ImageError, match=f"(truncated|damaged) {format}"):
        decode(data[: len(data) * 6 // 10])


def test_many_frames_together_are_bounded():
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    side = 12_000
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    frame = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 10, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"acTL", struct.pack(">II", 100, 0))
        + chunk(b"fcTL", frame)
        + chunk(b"IDAT", zlib.compress(bytes(10)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageError, match="100 frames, 14,400 megapixels in a PNG of this kind"):
        decode(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "options"),
    [("JPEG", {}), ("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_adobe_deflate"})],
)
def test_a_photo_of_200_megapixels_is_read_without_a_warning(format_, options):
    data = saved(Image.new("L", (16_320, 12_240), 128), format_, **options)
    assert 2 * Image.MAX_IMAGE_PIXELS < 16_320 * 12_240 < MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data).facts.width == 16_320


def test_the_limit_can_be_set_and_its_error_says_how(photo, monkeypatch):
    data = saved(photo)
    monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEGAPIXELS", "0.001")
    with pytest.raises(ImageError, match=r"limit 0; .*variable DEDUP_WIDGETS_MAX_MEGAPIXELS"):
        decode(data)
    monkeypatch.setenv("DEDUP_WIDGETS_MAX_MEGAPIXELS", "no number")
    assert decode(data).facts.format == "png"


def test_no_global_setting_is_changed(photo):
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    decode(saved(photo))
    with pytest.raises(ImageError):
        decode(saved(photo, "JPEG")[:200])
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    assert before == after


SAMPLES = {
    name: saved(Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 50).convert("RGB"), *options)
    for name, options in {format_: (format_,) for format_ in FORMATS}.items()
}
SAMPLES["animated GIF"] = saved(
    Image.new("P", (20, 20)), "GIF", save_all=True, append_images=[Image.new("P", (20, 20), 3)]
)
SAMPLES["deep PNG"] = png(np.arange(300, dtype=np.uint16).reshape(10, 10, 3) * 200, 2)
SAMPLES["deep TIFF"] = tiff(
    np.arange(300, dtype=np.uint16).reshape(10, 10, 3) * 200, photometric="rgb", compression="zlib"
)


def only_image_errors(data: bytes) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(ImageError):
            decode(data)
    assert [str(warning.message) for warning in caught] == []


@given(st.binary(max_size=200), st.sampled_from([b"", *(d[:16] for d in SAMPLES.values())]))
def test_random_bytes_raise_nothing_but_image_errors(tail, head):
    only_image_errors(head + tail)


@examples(200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
def test_mutated_and_cut_files_raise_nothing_but_image_errors(name, changes, length):
    data = bytearray(SAMPLES[name])
    for where, value in changes:
        # Most formats keep what can go wrong near their start.
        data[int(where**3 * len(data))] = value
    only_image_errors(bytes(data[: round(length**0.2 * len(data))]))


@pytest.mark.slow
def test_threads_do_not_disturb_each_other(make_photo):
    files = [saved(make_photo(seed), format_) for seed in range(4) for format_ in FORMATS]
    expected = [fingerprint(data) for data in files]
    barrier = threading.Barrier(8)

    def work(start: int) -> list[str]:
        barrier.wait()
        order = [(start + i) % len(files) for i in range(len(files))]
        return [f for _, f in sorted((i, fingerprint(files[i])) for i in order)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(0, 32, 4)))
    assert all(result == expected for result in results)


def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(make_photo):
    rgb = make_photo(1, (800, 400))
    small = Image.open(io.BytesIO(thumbnail(rgb)))
    assert (small.format, small.size) == ("JPEG", (256, 128))
    assert len(thumbnail(rgb)) < 20_000
    assert Image.open(io.BytesIO(thumbnail(rgb, 64))).size == (64, 32)


@pytest.mark.parametrize(("size", "expected"), [((30, 20), (30, 20)), ((1, 5000), (1, 256))])
def test_a_thumbnail_is_never_enlarged_nor_empty(size, expected):
    assert Image.open(io.BytesIO(thumbnail(Image.new("RGB", size)))).size == expected


def test_the_square_holds_the_whole_picture():
    wide = Image.new("RGB", (900, 100))
    wide.paste("white", (0, 0, 150, 100))
    square = np.asarray(to_square(wide, 90))
    assert square.shape == (90, 90, 3)
    assert square[:, :12].min() > 240
    assert square[:, 20:].max() < 15
