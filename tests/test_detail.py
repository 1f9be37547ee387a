"""How fine the detail of a picture is, and which of two copies was enlarged, or has some added."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from dedup_widgets.images.decode import decode
from dedup_widgets.images.detail import (
    FREQUENCIES,
    has_added,
    is_enlarged,
    levels,
    resolved_pixels,
    spectrum,
)

data = pytest.importorskip("skimage.data")

PHOTOS = ["chelsea", "coffee", "rocket"]
FILTERS = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    return {name: Image.fromarray(getattr(data, name)()) for name in PHOTOS}


def jpeg(picture: Image.Image, quality: int = 90) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def resized(picture: Image.Image, factor: float, how: Image.Resampling) -> Image.Image:
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), how)


def waves(picture: Image.Image) -> bytes:
    return spectrum(picture.convert("L"))


def enlarged(larger: bytes, smaller: bytes, factor: float) -> bool:
    return is_enlarged(levels([larger]), levels([smaller]), np.array([factor])).item()


def added(one: bytes, other: bytes) -> bool:
    return has_added(levels([one]), levels([other])).item()


def is_larger_enlarged(a: Image.Image, b: Image.Image) -> bool:
    larger, smaller = (a, b) if a.width > b.width else (b, a)
    return enlarged(waves(larger), waves(smaller), larger.width / smaller.width)


def detail(picture: Image.Image) -> float:
    return resolved_pixels(waves(picture), picture.width * picture.height)


@pytest.mark.lengthy
@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("factor", [1.3, 1.5, 2, 3])
@pytest.mark.parametrize("how", FILTERS)
def test_an_enlarged_copy_is_known_beside_its_original(photos, name, factor, how):
    original = photos[name].resize((360, 300), Image.Resampling.LANCZOS)
    larger = resized(original, factor, how)
    assert is_larger_enlarged(larger, original)
    assert is_larger_enlarged(jpeg(larger), original)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("factor", [1.3, 2, 4])
@pytest.mark.parametrize("how", FILTERS)
def test_an_original_is_no_enlarged_copy_of_a_reduced_one(photos, name, factor, how):
    smaller = resized(photos[name], 1 / factor, how)
    assert not is_larger_enlarged(photos[name], smaller)
    assert not is_larger_enlarged(jpeg(photos[name]), jpeg(smaller))
    assert not is_larger_enlarged(photos[name], smaller.point(lambda tone: tone // 2))


@pytest.mark.lengthy
@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("sigma", [0.7, 1, 2, 3])
@pytest.mark.parametrize("factor", [2, 4])
def test_nor_is_a_blurred_one(photos, name, sigma, factor):
    blurred = photos[name].filter(ImageFilter.GaussianBlur(sigma))
    smaller = resized(blurred, 1 / factor, Image.Resampling.BICUBIC)
    assert not is_larger_enlarged(blurred, smaller)
    assert not is_larger_enlarged(jpeg(blurred), jpeg(smaller))
    noise = np.random.default_rng(0).normal(0, 3, np.asarray(blurred).shape)
    grainy = Image.fromarray(np.clip(np.asarray(blurred) + noise, 0, 255).astype(np.uint8))
    assert not is_larger_enlarged(grainy, resized(grainy, 1 / factor, Image.Resampling.BICUBIC))


def noisy(picture: Image.Image, sigma: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, sigma, np.asarray(picture).shape)
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    "change",
    [
        lambda picture: noisy(picture, 25),
        lambda picture: picture.filter(ImageFilter.UnsharpMask(radius=3, percent=200)),
    ],
    ids=["noise", "sharpening"],
)
def test_noise_and_sharpening_are_known_beside_the_original(photos, name, change):
    original, changed = jpeg(photos[name], 95), jpeg(change(photos[name]))
    assert added(waves(changed), waves(original))
    assert not added(waves(original), waves(changed))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    "change",
    [
        lambda picture: jpeg(picture, 12),
        lambda picture: jpeg(picture, 60),
        lambda picture: picture.filter(ImageFilter.GaussianBlur(0.5)),
        lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)),
        lambda picture: picture.filter(ImageFilter.MedianFilter(3)),
        lambda picture: ImageEnhance.Contrast(picture).enhance(0.5),
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.5),
    ],
    ids=["JPEG 12", "JPEG 60", "blurred a little", "blurred", "smoothed", "paler", "brighter"],
)
def test_an_original_has_nothing_added_beside_a_poorer_copy(photos, name, change):
    changed = jpeg(change(photos[name]))
    assert not added(waves(photos[name]), waves(changed))
    assert not added(waves(changed), waves(photos[name]))
    assert not added(b"", waves(changed))


def spectra_of_copies(rng: np.random.Generator) -> tuple[bytes, bytes]:
    """Spectra of a picture and a copy: noisy, sharpened, interpolated, equal, or unknown."""
    level = 18 - rng.uniform(1.5, 2.5) * np.log2(FREQUENCIES) + rng.normal(0, 0.1, len(FREQUENCIES))
    lifted = rng.uniform(1, 3) * (rng.integers(3, 8) < FREQUENCIES)
    lost = 2 * (FREQUENCIES / 16) ** 4 + 3 * (FREQUENCIES > 16)
    copies = np.log2(2.0**level + rng.uniform(300, 900)), level + lifted, level - lost, level
    both = level, copies[rng.integers(len(copies))]
    numbers = [np.clip(10 * (it + 6), 0, 255).astype(np.uint8).tobytes() for it in both]
    known = rng.random(2) < 0.95
    return tuple(it if is_known else b"" for it, is_known in zip(numbers, known, strict=True))


@given(st.integers(0, 2**32 - 1))
def test_of_many_pairs_is_told_what_is_told_of_each(seed):
    rng = np.random.default_rng(seed)
    originals, copies = zip(*(spectra_of_copies(rng) for _ in range(30)), strict=True)
    factors = rng.uniform(1.3, 5, 30)
    one, other = levels(copies), levels(originals)
    assert has_added(one, other).tolist() == list(map(added, copies, originals))
    assert has_added(other, one).tolist() == list(map(added, originals, copies))
    told = is_enlarged(one, other, factors).tolist()
    assert told == list(map(enlarged, copies, originals, factors))


@pytest.mark.parametrize("name", PHOTOS)
def test_an_enlarged_or_blurred_picture_resolves_fewer_pixels_than_it_has(photos, name):
    original = photos[name].resize((360, 300), Image.Resampling.LANCZOS)
    assert detail(original) > 0.6 * 360 * 300
    for larger in (resized(original, 2, how) for how in FILTERS):
        assert detail(larger) < 0.6 * larger.width * larger.height
    assert detail(original.filter(ImageFilter.GaussianBlur(2))) < 0.2 * 360 * 300


def test_tiles_of_a_large_picture_tell_the_same():
    large = Image.fromarray(data.hubble_deep_field())
    assert is_larger_enlarged(resized(large, 1.5, Image.Resampling.BICUBIC), large)
    assert not is_larger_enlarged(large, resized(large, 0.5, Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(1, 1), (40, 50), (64, 3), (30, 9000), (9000, 30), (70, 40)])
def test_what_is_too_small_or_flat_to_tell_has_the_pixels_it_has(size):
    noise = np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8)
    small, flat = Image.fromarray(noise), Image.new("L", size, 9)
    assert detail(small) == detail(flat) == size[0] * size[1]
    twice = resized(flat, 2, Image.Resampling.BICUBIC)
    assert not enlarged(waves(twice), waves(flat), 2)


@pytest.mark.lengthy
def test_detail_comes_with_the_decode(photos, as_file):
    facts = decode(as_file(photos["coffee"])).facts
    assert facts.detail == detail(photos["coffee"])
    assert bytes.fromhex(facts.spectrum) == waves(photos["coffee"])
