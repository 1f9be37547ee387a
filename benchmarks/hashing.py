"""From files to what duplicates are told by: this project and the hashing libraries.

They do different things, and the table says so: the others shrink the picture and hash that, so
that small edits are forgiven and different pictures may collide; this project hashes every pixel,
takes quality metrics and makes a thumbnail in the same decode. All cores work for each.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from benchmarks import data as make
from benchmarks.harness import CORES, OURS, Case, Values, clock, grid


def cases(size: str) -> list[Case]:
    n = 16 if size == "tiny" else 512
    return grid("hashing", list(VARIANTS), [n], rounds=1 if size == "tiny" else 3)


def prepare(data: Path, n: int) -> None:
    make.make_photos(data, n)


def in_threads(work: Any, photos: list[str]) -> Values:
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(work, photos[:8]))
        with clock() as reading:
            list(pool.map(work, photos))
    return {"photos_per_second": len(photos) / reading.seconds, **reading.values()}


def ours(data: Path, n: int) -> Values:
    """Decode, fingerprint, quality metrics, thumbnail: all that the store keeps of a picture."""
    from dedup_widgets.images.decode import decode
    from dedup_widgets.images.thumbnail import thumbnail

    return in_threads(
        lambda path: thumbnail(decode(Path(path).read_bytes()).reduced), make.photos(data, n)
    )


def pillow(data: Path, n: int) -> Values:
    from PIL import Image

    def decode(path: str) -> None:
        with Image.open(path) as image:
            image.convert("RGB")

    return in_threads(decode, make.photos(data, n))


def imagehash(data: Path, n: int, kind: str) -> Values:
    import imagehash as library
    from PIL import Image

    work = getattr(library, kind)
    return in_threads(lambda path: work(Image.open(path)), make.photos(data, n))


def without_torchvision() -> None:
    """Put an empty stand-in for torchvision into this process, for networks that are not used."""
    for name in ("", ".models", ".models.vision_transformer", ".transforms"):
        sys.modules[f"torchvision{name}"] = MagicMock()


def imagededup(data: Path, n: int) -> Values:
    """Hash a folder by its own worker processes."""
    without_torchvision()
    from imagededup.methods import PHash

    photos = make.photos(data, n)
    hasher = PHash(verbose=False)
    hasher.encode_image(photos[0])
    with clock() as reading:
        hashes = hasher.encode_images(
            str(Path(photos[0]).parent), recursive=True, num_enc_workers=CORES
        )
    return {"photos_per_second": len(hashes) / reading.seconds, **reading.values()}


def cleanvision(data: Path, n: int) -> Values:
    """Look for exact and near-duplicates, by hash of file and perceptual hash."""
    from cleanvision import Imagelab

    photos = make.photos(data, n)
    kinds: dict[str, Any] = {"exact_duplicates": {}, "near_duplicates": {}}
    Imagelab(filepaths=photos[:8], verbose=False).find_issues(kinds, n_jobs=1, verbose=False)
    lab = Imagelab(filepaths=photos, verbose=False)
    with clock() as reading:
        lab.find_issues(kinds, n_jobs=CORES, verbose=False)
    return {"photos_per_second": n / reading.seconds, **reading.values()}


VARIANTS = {
    OURS: ours,
    "Pillow, decode alone": pillow,
    "imagehash phash": lambda data, n: imagehash(data, n, "phash"),
    "imagehash dhash": lambda data, n: imagehash(data, n, "dhash"),
    "imagededup PHash": imagededup,
    "CleanVision": cleanvision,
}
