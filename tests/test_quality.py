import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from dedup_widgets.images.decode import decode
from dedup_widgets.images.quality import brightness, contrast, grey, sharpness, tones


def flat(tone):
    return grey(Image.new("RGB", (30, 20), (tone, tone, tone)))


def test_brightness_goes_from_black_to_white(make_photo):
    photo = make_photo(1, (300, 200))
    assert brightness(tones(flat(0))) == 0
    assert brightness(tones(flat(255))) == 1
    brighter = ImageEnhance.Brightness(photo).enhance(1.3)
    assert brightness(tones(grey(photo))) < brightness(tones(grey(brighter))) < 1


def test_contrast_goes_from_flat_to_half_black_and_half_white(make_photo):
    photo = make_photo(1, (300, 200))
    halves = Image.new("RGB", (512, 512))
    halves.paste("white", (0, 0, 256, 512))
    assert contrast(tones(flat(99))) == 0
    assert contrast(tones(grey(halves))) == pytest.approx(0.5)
    softer = ImageEnhance.Contrast(photo).enhance(0.5)
    assert 0 < contrast(tones(grey(softer))) < contrast(tones(grey(photo)))


@pytest.mark.lengthy
def test_blurred_and_shrunk_copies_are_less_sharp(make_photo):
    photo = make_photo(5, (640, 480)).filter(ImageFilter.UnsharpMask(4, 300))
    grain = np.random.default_rng(0).integers(-20, 21, (480, 640, 1))
    photo = Image.fromarray(np.clip(np.asarray(photo) + grain, 0, 255).astype(np.uint8))
    blurred = photo.filter(ImageFilter.GaussianBlur(1))
    more_blurred = photo.filter(ImageFilter.GaussianBlur(3))
    shrunk = photo.resize((320, 240), Image.Resampling.LANCZOS)
    enlarged = shrunk.resize((640, 480), Image.Resampling.BICUBIC)
    photo, blurred, more_blurred, shrunk, enlarged = (
        sharpness(grey(p)) for p in (photo, blurred, more_blurred, shrunk, enlarged)
    )
    assert photo > blurred > more_blurred > 0
    assert photo > shrunk
    assert photo > enlarged
    assert sharpness(flat(99)) == 0


def test_variances_are_those_of_numpy(make_photo):
    picture = grey(make_photo(4, (600, 400)))
    assert contrast(tones(picture)) == pytest.approx(np.std(picture) / 255, rel=1e-12)


@pytest.mark.lengthy
def test_sharpness_is_the_exact_variance_of_the_laplacian(make_photo):
    noise = np.random.default_rng(0).integers(0, 2, (512, 512), dtype=np.uint8) * 255
    for picture in (grey(make_photo(4, (600, 400))), noise):
        g = picture.astype(object)
        laplacian = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
        n, total, squares = laplacian.size, laplacian.sum(), (laplacian**2).sum()
        assert sharpness(picture) == (n * squares - total**2) / n**2
    chequered = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert sharpness(chequered) == 1020**2


def test_the_metrics_come_with_the_decode(make_photo, as_file):
    photo = make_photo(2, (80, 60))
    facts = decode(as_file(photo)).facts
    assert facts.brightness == brightness(tones(grey(photo)))
    assert facts.contrast == contrast(tones(grey(photo)))
    assert facts.sharpness == sharpness(grey(photo))
