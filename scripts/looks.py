"""Small pictures of screens, and how far two of them differ, whatever draws the letters."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from scenes import Stage, play

REFERENCES = Path(__file__).parents[1] / "tests" / "browser" / "looks"
SCENES = ("first", "filters", "review", "dataset")
WIDTHS = (1200, 420)

WIDTH = 300
"""Pixels of a reference."""
HEIGHT = 620
"""Pixels of the screen that are compared, from the Explorer's top."""
BLUR = 2.0
"""Pixels of a reference: letters become grey, boxes and pictures remain."""

MEAN = 10.0
"""Levels of 255 by which a screen may differ from its reference on average; one that was made
again differs by 1."""
FAR = 40
"""Levels by which a pixel differs plainly."""
FAR_SHARE = 0.08
"""Share of the pixels that may."""


def screens(stage: Stage) -> Iterator[tuple[str, Image.Image]]:
    """Give each screen that is compared, by its name."""
    for width in WIDTHS:
        stage.widen(width)
        for scene in play(stage, *SCENES):
            for dark in (False, True):
                stage.darken(dark)
                box = stage.box(scene) | {"height": HEIGHT}
                theme = "dark" if dark else "light"
                yield f"{scene}-{width}-{theme}", small(stage.page.screenshot(clip=box))
            stage.darken(False)


def small(png: bytes) -> Image.Image:
    """Shrink a screenshot to the size of a reference."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    return picture.resize((WIDTH, height), Image.Resampling.BOX)


def reference(name: str) -> Path:
    """Return where the reference of a screen is kept."""
    return REFERENCES / f"{name}.webp"


def difference(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """Return by how many levels two pictures differ, and at which share of the pixels plainly."""
    blurred = [
        np.asarray(it.convert("RGB").filter(ImageFilter.GaussianBlur(BLUR)), np.int16)
        for it in (one, other)
    ]
    far = np.abs(blurred[0] - blurred[1])
    return float(far.mean()), float((far.max(axis=2) > FAR).mean())


def is_alike(one: Image.Image, other: Image.Image) -> bool:
    """Return whether two pictures show the same screen."""
    mean, share = difference(one, other)
    return one.size == other.size and mean <= MEAN and share <= FAR_SHARE
