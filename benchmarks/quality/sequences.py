"""Series of pictures, one after the other, that look alike: slices, a fixed camera, films, bursts.

A function yields (variation, picture), as those of `pages`; an animation is a list of frames.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.quality.pages import Variation

Floats = NDArray[np.float64]


def slices(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield volumes as a microscope sees them, ten slices each: blobs that come and go in depth."""
    for _ in range(count):
        numbers = np.random.default_rng(choose.getrandbits(32))
        centres = numbers.uniform(0, 1, (120, 3))
        radius = numbers.uniform(0.03, 0.09, 120)
        brightness = numbers.uniform(40, 170, 120)
        ground = _texture(numbers, 256, 24)
        y, x = np.mgrid[0:256, 0:256] / 256
        for number in range(10):
            depth = 0.1 + 0.08 * number
            pixels = 40 + 12 * ground + numbers.normal(0, 4, (256, 256))
            for (cx, cy, cz), r, bright in zip(centres, radius, brightness, strict=True):
                left = r**2 - (cz - depth) ** 2
                if left > 0:
                    pixels += bright * np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / left) ** 2))
            yield "another slice", Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def fixed_camera(choose: random.Random, count: int) -> Iterator[Variation]:
    """Yield what a camera over a belt sees: one ground, other things on it, ten pictures each."""
    for _ in range(count):
        numbers = np.random.default_rng(choose.getrandbits(32))
        ground = 110 + 14 * _texture(numbers, 320, 6) + 20 * _texture(numbers, 320, 80)
        skin = 16 * _texture(numbers, 640, 10)
        y, x = np.mgrid[0:320, 0:320] / 320
        for _ in range(10):
            pixels = np.stack([ground, ground * 0.97, ground * 0.9], axis=-1)
            for _ in range(int(numbers.integers(2, 6))):
                cx, cy = numbers.uniform(0.1, 0.9, 2)
                a, b = numbers.uniform(0.06, 0.14, 2)
                turn = numbers.uniform(0, np.pi)
                u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
                v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
                far = (u / a) ** 2 + (v / b) ** 2
                top, left = numbers.integers(0, 320, 2)
                shade = 1.1 - 0.5 * far + skin[top : top + 320, left : left + 320] / 255
                thing = np.stack([200 * shade, 160 * shade, 90 * shade], axis=-1)
                pixels = np.where((far < 1)[..., None], thing, pixels)
            pixels += numbers.normal(0, 2, pixels.shape)
            yield "other things", Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _texture(numbers: np.random.Generator, side: int, grain: int) -> Floats:
    """Return smooth noise of a grain in pixels, with mean 0 and deviation 1."""
    coarse = numbers.normal(0, 1, (side // grain + 3, side // grain + 3)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    field = np.asarray(smooth, float)
    normal: Floats = (field - field.mean()) / field.std()
    return normal


def animations(choose: random.Random, count: int) -> Iterator[tuple[str, list[Image.Image]]]:
    """Yield films of five frames; four each begin with the same one."""
    for _ in range(count):
        first = Image.new("RGB", (200, 150), _colour(choose))
        ImageDraw.Draw(first).rectangle((30, 40, 90, 100), _colour(choose))
        for _ in range(4):
            frames = [first]
            colour = _colour(choose)
            step = choose.uniform(-25, 25), choose.uniform(-18, 18)
            for number in range(1, 5):
                frame = first.copy()
                x, y = 85 + step[0] * number, 60 + step[1] * number
                ImageDraw.Draw(frame).ellipse((x, y, x + 40, y + 40), colour)
                frames.append(frame)
            yield "the first frame is the same", frames


def bursts(photos: Sequence[Image.Image], choose: random.Random) -> Iterator[Variation]:
    """Yield four shots of each photo: the camera shakes a little, and something comes by.

    What comes by is cut from the next photo, a quarter of a side in size.
    """
    for photo, other in zip(photos, [*photos[1:], *photos[:1]], strict=True):
        width, height = photo.size
        size = max(width // 4, 1), max(height // 4, 1)
        thing = other.resize(size, Image.Resampling.LANCZOS)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).ellipse((2, 2, size[0] - 3, size[1] - 3), 255)
        mask = mask.filter(ImageFilter.GaussianBlur(2))
        y = choose.randint(0, height - size[1])
        for number in range(4):
            shot = photo.copy()
            shot.paste(thing, (round((width - size[0]) * number / 3), y), mask)
            dx, dy = choose.randint(0, width // 50), choose.randint(0, height // 50)
            box = (dx, dy, width - width // 50 + dx, height - height // 50 + dy)
            yield f"shot {number + 1}", shot.crop(box)


def collages(photos: Sequence[Image.Image]) -> Iterator[Variation]:
    """Yield collages of two and of four photos, each of other ones."""
    for start in range(0, len(photos) - 3, 4):
        four = [photo.resize((320, 240)) for photo in photos[start : start + 4]]
        for columns, rows, name in ((2, 1, "of two"), (2, 2, "of four")):
            sheet = Image.new("RGB", (320 * columns + 8, 240 * rows + 8 * (rows - 1)), "white")
            for number, photo in enumerate(four[: columns * rows]):
                sheet.paste(photo, (number % columns * 328, number // columns * 248))
            yield name, sheet


def _colour(choose: random.Random) -> tuple[int, int, int]:
    return choose.randrange(256), choose.randrange(256), choose.randrange(256)
