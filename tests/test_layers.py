"""What is kept of a picture beside its thumbnail."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw

from dedup_widgets.images.decode import MAX_FRAMES_KEPT, Picture, decode
from dedup_widgets.images.layers import FRAME_SIDE, PAGE_SIDE, Layer, from_bytes, to_bytes


def picture(image: Image.Image, format: str = "PNG", **options: object) -> Picture:  # noqa: A002
    file = io.BytesIO()
    image.save(file, format, **options)
    return decode(file.getvalue())


def kinds(of: Picture) -> list[str]:
    return [layer.kind for layer in of.layers]


def page(word: str, size: tuple[int, int] = (1200, 1600)) -> Image.Image:
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for line in range(20):
        draw.text((100, 100 + 60 * line), f"{word} {line}", fill="black", font_size=32)
    return sheet


def test_an_ordinary_photo_has_no_layers(make_photo):
    assert picture(make_photo(1, (300, 200))).layers == ()


@pytest.mark.lengthy
def test_a_page_is_kept_large_enough_to_read():
    (kept,) = picture(page("one")).layers
    (other,) = picture(page("two")).layers
    assert (kept.kind, kept.pixels.shape) == ("page", (PAGE_SIDE, PAGE_SIDE * 3 // 4))
    assert np.abs(kept.pixels.astype(int) - other.pixels).max() > 100


@pytest.mark.lengthy
def test_alpha_is_kept_where_it_is_not_opaque(make_photo):
    photo = make_photo(1, (300, 200))
    opaque = photo.convert("RGBA")
    clear = opaque.copy()
    clear.putalpha(Image.radial_gradient("L").resize(photo.size))
    assert kinds(picture(opaque)) == []
    (alpha,) = picture(clear).layers
    assert (alpha.kind, max(alpha.pixels.shape)) == ("alpha", FRAME_SIDE)
    assert alpha.pixels[0, 0] > alpha.pixels[21, 32]


def test_16_bit_alpha_is_kept_too():
    rgba = np.full((30, 40, 4), 65535, np.uint16)
    rgba[:, :20, 3] = 0
    file = io.BytesIO()
    tifffile.imwrite(file, rgba, photometric="rgb", extrasamples=["unassalpha"])
    (alpha,) = (kept for kept in decode(file.getvalue()).layers if kept.kind == "alpha")
    assert alpha.pixels[5].tolist() == [0] * 20 + [255] * 20


@pytest.mark.lengthy
def test_each_further_frame_is_kept_as_it_is_shown(make_photo):
    frames = [make_photo(seed, (120, 90)) for seed in range(3)]
    moving = picture(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert kinds(moving) == ["frame", "frame"]
    for kept, frame in zip(moving.layers, frames[1:], strict=True):
        shown = np.asarray(frame.convert("L").resize((64, 48), Image.Resampling.BOX), int)
        assert np.abs(kept.pixels - shown).mean() < 8


@pytest.mark.lengthy
def test_pages_of_a_document_are_each_kept_in_readable_size():
    document = picture(page("one"), "TIFF", save_all=True, append_images=[page("two")])
    assert kinds(document) == ["page", "frame"]
    assert max(document.layers[1].pixels.shape) == PAGE_SIDE


@pytest.mark.lengthy
def test_of_very_many_frames_the_first_are_kept_and_the_number_tells_that_some_are_not():
    frames = [Image.new("L", (8, 8), i % 256) for i in range(MAX_FRAMES_KEPT + 10)]
    long = picture(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    kept = [layer for layer in long.layers if layer.kind == "frame"]
    assert len(kept) == MAX_FRAMES_KEPT < long.facts.frames - 1
    assert [int(layer.pixels[0, 0]) for layer in kept[:3]] == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_further_band_is_kept(make_photo, dtype):
    near_infrared = np.arange(40 * 50).reshape(40, 50) % 256
    scale = 257 if dtype is np.uint16 else 1
    samples = np.dstack([np.asarray(make_photo(1, (50, 40))), near_infrared]).astype(dtype) * scale
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", extrasamples=[0])
    (band,) = decode(file.getvalue()).layers
    assert band.kind == "band"
    np.testing.assert_array_equal(band.pixels, near_infrared)


@pytest.mark.lengthy
def test_the_small_picture_is_the_mean_of_blocks(make_photo):
    photo = make_photo(1, (512, 512))
    blocks = np.asarray(photo.convert("L"), float).reshape(64, 8, 64, 8).mean(axis=(1, 3))
    small = picture(photo).small
    assert (small.dtype, small.shape) == (np.uint8, (64, 64))
    assert np.abs(small - blocks).max() <= 0.5 + 1e-9


def test_layers_come_back_from_bytes(make_photo):
    grey = np.asarray(make_photo(1, (64, 40)).convert("L"))
    layers = (Layer("frame", grey), Layer("band", grey[:, ::-1]))
    back = from_bytes(to_bytes(layers))
    assert [layer.kind for layer in back] == ["frame", "band"]
    assert np.abs(back[1].pixels.astype(int) - layers[1].pixels).mean() < 4
    assert to_bytes(()) == b""
    assert from_bytes(b"") == ()
