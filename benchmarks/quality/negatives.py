"""Pictures that look alike and are no copies of each other, drawn from seeds: the hard cases."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.quality import graphics, pages, sequences
from benchmarks.quality.pages import Variation


@dataclass(frozen=True)
class Negatives:
    """Pictures of one kind.

    Attributes
    ----------
    name : str
        In tables; unique.
    draw : callable
        From random numbers and a count to the pictures, the variation of each before it.
    count : int
        What `draw` is given for a set of the usual size.
    suffix : str
        How the pictures are stored.
    """

    name: str
    draw: Callable[[random.Random, int], Iterator[Variation]]
    count: int
    suffix: str = ".png"

    def write(self, folder: Path, share: float = 1.0) -> Iterator[tuple[Path, str]]:
        """Write the pictures, or a share of them; yield the path and variation of each."""
        count = max(1, round(self.count * share))
        for number, (variation, picture) in enumerate(self.draw(random.Random(self.name), count)):
            path = folder / f"{self.name.replace(' ', '-')}-{number:03}{self.suffix}"
            _save(picture, path)
            yield path, variation


def _save(picture: Image.Image | list[Image.Image], path: Path) -> None:
    if isinstance(picture, list):
        first, *others = picture
        first.save(path, save_all=True, append_images=others, duration=200, loop=0)
    elif path.suffix == ".png":
        picture.save(path, compress_level=1)
    else:
        picture.save(path, quality=88)


DRAWN: tuple[Negatives, ...] = (
    Negatives("pages", pages.pages, 10),
    Negatives("slides", pages.slides, 6),
    Negatives("screens", pages.screens, 8),
    Negatives("tables", pages.tables, 8),
    Negatives("forms", pages.forms, 6),
    Negatives("icons", graphics.icons, 3),
    Negatives("charts", graphics.charts, 12),
    Negatives("codes", graphics.codes, 20),
    Negatives("map tiles", graphics.maps, 36),
    Negatives("products on white", graphics.products, 40, ".jpg"),
    Negatives("flat and dark", graphics.flat, 16),
    Negatives("calibration boards", graphics.boards, 36, ".jpg"),
    Negatives("slices", sequences.slices, 5),
    Negatives("fixed camera", sequences.fixed_camera, 4, ".jpg"),
    Negatives("animations", sequences.animations, 6, ".gif"),  # type: ignore[arg-type]
)
"""Drawn without any photo."""

BURSTS, COLLAGES, GIVEN = "bursts", "collages", "given"
"""Sets made of the user's photos, and the folder of pictures that are no copies."""
