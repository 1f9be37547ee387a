"""Pictures that are stored turned, as phones do, are read as if they had been turned first."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from dedup_widgets.images.colour import in_srgb
from dedup_widgets.images.decode import REDUCED_SIDE, decode
from dedup_widgets.images.detail import spectrum
from dedup_widgets.images.turned import Turned

TURNS = [None, *Image.Transpose]
ORIENTATION_OF = dict(zip(TURNS, (1, 2, 4, 8, 3, 6, 5, 7), strict=True))


def upright(picture: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return picture if turn is None else picture.transpose(turn)


def tagged(picture: Image.Image, turn: Image.Transpose | None, **options: object) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = ORIENTATION_OF[turn]
    picture.save(file, exif=exif, **{"format": "PNG", **options})
    return file.getvalue()


def profile_of_other_primaries() -> bytes:
    """Return a profile whose red and blue change places."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, blue = (slice(entries[name] + 4, entries[name] + 12) for name in (b"rXYZ", b"bXYZ"))
    profile[red], profile[blue] = profile[blue], profile[red]
    return bytes(profile)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (131, 97), (640, 480)])
def test_whatever_is_read_of_a_turned_picture_is_what_lies_there(make_photo, size, mode, turn):
    stored = make_photo(1, size).convert(mode)
    picture, whole = Turned(stored, turn), upright(stored, turn)
    width, height = picture.size
    box = (width // 3, height // 5, width // 3 + 1 + width // 2, height // 5 + 1 + height // 4)
    assert picture.size == whole.size
    assert picture.upright().tobytes() == whole.tobytes() == b"".join(picture.lines())
    assert picture.crop(box) == whole.crop(box)
    for factor in (1, 2, 3, 5):
        expected = whole.reduce(factor) if factor > 1 else whole
        assert picture.reduced(factor).upright() == expected


@pytest.mark.parametrize("size", [(203, 157), (9, 30_000), (30_000, 9), (700, 450)])
def test_lines_are_the_same_however_many_are_read_at_a_time(make_photo, size):
    stored = make_photo(2, size)
    for turn in TURNS:
        whole = upright(stored, turn).tobytes()
        assert b"".join(Turned(stored, turn).lines()) == whole


@pytest.mark.lengthy
@pytest.mark.parametrize("turn", TURNS[1:])
@pytest.mark.parametrize("size", [(700, 530), (2 * REDUCED_SIDE + 5, 2 * REDUCED_SIDE + 3)])
def test_a_turned_file_tells_the_same_as_its_pixels_the_right_way_up(make_photo, size, turn):
    stored = make_photo(3, size)
    noise = np.random.default_rng(0).integers(-20, 20, (size[1], size[0], 1))
    stored = Image.fromarray(np.clip(np.asarray(stored) + noise, 0, 255).astype(np.uint8))
    one = decode(tagged(stored, turn, compress_level=0))
    other = decode(tagged(upright(stored, turn), None, compress_level=0))
    assert one.fingerprint == other.fingerprint
    assert one.reduced.tobytes() == other.reduced.tobytes()
    assert one.rgb.tobytes() == other.rgb.tobytes()
    assert (one.small == other.small).all()
    for fact in ("width", "height", "brightness", "contrast", "sharpness", "detail", "spectrum"):
        assert getattr(one.facts, fact) == getattr(other.facts, fact)


@pytest.mark.lengthy
def test_the_transparency_of_a_turned_file_is_turned_too(make_photo):
    stored = make_photo(4, (90, 60)).convert("RGBA")
    stored.putalpha(make_photo(5, (90, 60)).convert("L"))
    for turn in TURNS:
        one, other = decode(tagged(stored, turn)), decode(tagged(upright(stored, turn), None))
        assert one.fingerprint == other.fingerprint
        assert (one.layers[0].pixels == other.layers[0].pixels).all()


@pytest.mark.lengthy
def test_detail_is_told_of_a_turned_picture_as_of_a_turned_copy(make_photo):
    stored = make_photo(6, (1100, 900))
    for turn in TURNS:
        assert spectrum(Turned(stored, turn)) == spectrum(upright(stored, turn))


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "make",
    [
        lambda photo: tagged(photo, None, icc_profile=profile_of_other_primaries()),
        lambda photo: tagged(photo.convert("CMYK"), None, format="JPEG", quality=95),
    ],
)
def test_colours_of_what_is_smaller_are_those_of_the_whole(
    make_photo, make: Callable[[Image.Image], bytes]
):
    picture = decode(make(make_photo(7, (3 * REDUCED_SIDE, 3 * REDUCED_SIDE))))
    whole = np.asarray(picture.rgb.reduce(3), int)
    assert picture.reduced.size == (REDUCED_SIDE, REDUCED_SIDE)
    assert np.abs(np.asarray(picture.reduced, int) - whole).max() <= 3


@pytest.mark.lengthy
def test_the_first_of_several_frames_can_be_asked_for_after_the_others(make_photo):
    profile = profile_of_other_primaries()
    first, second = make_photo(8), make_photo(9)
    for mode in ("RGB", "CMYK", "L", "P", "RGBA"):
        file = io.BytesIO()
        pages = [second.convert("RGB")]
        first.convert(mode).save(
            file, "TIFF", save_all=True, append_images=pages, icc_profile=profile
        )
        rgb = first.convert(mode).convert("RGB")
        expected = rgb if mode == "L" else in_srgb(rgb, rgb, profile)
        assert decode(file.getvalue()).rgb.tobytes() == expected.tobytes()
