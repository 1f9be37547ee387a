"""The features of pictures and of edited copies of them, computed once and kept in files."""

import csv
import io
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from copies import EDITS, edited_copy
from dedup_widgets.images.thumbnail import to_square
from dedup_widgets.models.efficientnet_lite0 import INPUT_SIDE, features_of_bytes

BATCH_PICTURES = 4
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, slots=True)
class Source:
    """A picture to fit on.

    Attributes
    ----------
    name : str
        The name of its file.
    data : bytes
        What is in the file.
    group : str
        The data set that it comes from: its name up to the last underscore.
    kind : str
        What it shows, "" if nobody says.
    """

    name: str
    data: bytes
    group: str
    kind: str

    def picture(self) -> Image.Image:
        """Decode the picture, in mode RGB and with sides of at least 16 pixels."""
        picture = Image.open(io.BytesIO(self.data)).convert("RGB")
        width, height = (max(16, side) for side in picture.size)
        return picture if picture.size == (width, height) else picture.resize((width, height))


def read_sources(folder: Path) -> list[Source]:
    """Read the pictures of a folder and of the tar files in it, in the order of their names.

    What they show is said by the columns ``file`` and ``class`` of ``index.csv``, if it is there.
    """
    index, kinds = folder / "index.csv", {}
    if index.exists():
        with index.open(newline="") as file:
            kinds = {row["file"]: row["class"] for row in csv.DictReader(file)}
    files = dict(_files(folder))
    return [
        Source(name, data, name.rpartition("_")[0], kinds.get(name, ""))
        for name, data in sorted(files.items())
    ]


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            yield path.name, path.read_bytes()
        elif path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    if file and Path(member.name).suffix.lower() in SUFFIXES:
                        yield Path(member.name).name, file.read()


@dataclass(frozen=True, slots=True)
class Views:
    """Features of one view of each source, in float16.

    Attributes
    ----------
    pooled, grid : NDArray[np.float16]
        (n, 3888) and (n, 49, 112); see `dedup_widgets.models.efficientnet_lite0.Features`.
    """

    pooled: NDArray[np.float16]
    grid: NDArray[np.float16]


def views(cache: Path, sources: Sequence[Source], name: str, seed: int) -> Views:
    """Return the features of one view of each source, from the cache if they are there.

    Parameters
    ----------
    cache : Path
        A folder that belongs to these sources and this seed.
    sources : sequence of Source
        The pictures.
    name : str
        ``"0"`` for the pictures as they are, another number for a copy with random edits, or the
        name of one edit of `copies.EDITS`.
    seed : int
        From which, with the name of the view and of the picture, all chance comes.
    """
    cache.mkdir(parents=True, exist_ok=True)
    paths = [cache / f"{part}-{name}.npy" for part in ("pooled", "grid")]
    if not all(path.exists() for path in paths):
        parts = _embedded(sources, _view(name, seed), name)
        for path, rows in zip(paths, parts, strict=True):
            making = path.with_suffix(".making")
            with making.open("wb") as file:
                np.save(file, rows)
            making.rename(path)
    return Views(*(np.load(path, mmap_mode="r") for path in paths))


def _view(name: str, seed: int) -> Callable[[Source], Image.Image]:
    def view(source: Source) -> Image.Image:
        picture = source.picture()
        if name == "0":
            return picture
        chance = random.Random(f"{seed} {name} {source.name}")
        return EDITS[name][1](picture, chance) if name in EDITS else edited_copy(picture, chance)

    return view


def _embedded(
    sources: Sequence[Source], view: Callable[[Source], Image.Image], name: str
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    network = features_of_bytes("cpu", None, BATCH_PICTURES)
    pooled, grid = [], []
    with torch.inference_mode():
        for start in tqdm(range(0, len(sources), BATCH_PICTURES), desc=f"view {name}"):
            pixels = np.zeros((BATCH_PICTURES, INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
            part = sources[start : start + BATCH_PICTURES]
            for row, source in zip(pixels, part, strict=False):
                row[:] = np.asarray(to_square(view(source), INPUT_SIDE))
            features = network(torch.from_numpy(pixels))
            pooled.append(features.pooled[: len(part)].half().numpy())
            grid.append(features.grid[: len(part)].half().numpy())
    return np.concatenate(pooled), np.concatenate(grid)
