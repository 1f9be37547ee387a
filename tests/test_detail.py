"""The pixels that a picture resolves."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dedup_widgets.images.decode import decode
from dedup_widgets.images.detail import resolved_pixels

data = pytest.importorskip("skimage.data")

PHOTOS = ["astronaut", "chelsea", "coffee"]


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    return {name: Image.fromarray(getattr(data, name)()) for name in PHOTOS}


def jpeg(picture: Image.Image, quality: int = 90) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def resized(picture: Image.Image, factor: float, how: Image.Resampling) -> Image.Image:
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), how)


def detail(picture: Image.Image) -> float:
    return resolved_pixels(picture.convert("L"))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("factor", [1.3, 1.5, 2.5, 3])
@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_an_enlarged_copy_has_no_more_detail_than_its_original(photos, name, factor, how):
    original = jpeg(photos[name].resize((360, 300), Image.Resampling.LANCZOS))
    assert detail(resized(original, factor, how)) < detail(original)
    if factor > 1.3:
        assert detail(jpeg(resized(original, factor, how))) < detail(original)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_smaller_copy_has_less_detail_than_a_sharp_or_a_blurred_original(photos, name):
    for sigma in (0, 1, 2):
        original = jpeg(photos[name].filter(ImageFilter.GaussianBlur(sigma)))
        half = jpeg(resized(original, 0.5, Image.Resampling.BICUBIC))
        assert detail(half) < detail(original) == original.width * original.height


def test_what_is_too_small_to_tell_has_the_pixels_it_has():
    noise = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    assert resolved_pixels(Image.fromarray(noise)) == 2000
    assert resolved_pixels(Image.fromarray(noise).resize((100, 80))) == 8000
    assert resolved_pixels(Image.new("L", (500, 400), 9)) == 200_000


def test_detail_comes_with_the_decode(photos, as_file):
    facts = decode(as_file(photos["coffee"])).facts
    assert facts.detail == detail(photos["coffee"])
