"""What is measured on: photos, embeddings with planted near-duplicates, a network, the truth.

All of it is made on the spot from seeds and kept in a folder; nothing is downloaded. A file gets
its name when it is complete, so an interrupted run leaves none behind that is half made.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 512
PIECE = 65_536
"""Embeddings made at a time: 128 MiB in float32."""

NEAR = 0.05
PHOTO_SIZE = (500, 375)
OWN_PHOTOS = "BENCHMARK_PHOTOS"
"""The environment variable by which ``--photos`` reaches the measuring processes."""


def photos(data: Path, n: int, *, with_copies: bool = False) -> list[str]:
    """Return n photos: of the folder that `OWN_PHOTOS` names, or else of `make_photos`.

    Parameters
    ----------
    with_copies
        Whether half of them are copies of the others.
    """
    if with_copies:
        return sorted(str(path) for path in make_copies(data, n).rglob("*.jpg"))
    own = os.environ.get(OWN_PHOTOS)
    paths = sorted(map(str, _jpegs(Path(own or make_photos(data, n)))))
    if len(paths) < n:
        raise SystemExit(
            f"there are {len(paths)} JPEGs in {own} and the benchmark needs {n}: add photos that "
            "differ, as copies are compared with each other and that is measured for itself; or "
            "leave --photos out, and they are made"
        )
    return paths[:n]


def at_most(n: int) -> int:
    """Return n, or how many photos there are where a folder of fewer is given."""
    own = os.environ.get(OWN_PHOTOS)
    return min(n, len(_jpegs(Path(own)))) if own else n


def _jpegs(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")]


def make_photos(data: Path, n: int) -> Path:
    """Write n pictures of which none shows what another does: 500 × 375 JPEGs of quality 90.

    Each has a spectrum as photos have, whose amplitude falls with the frequency [1]_, in colours of
    its own, and edges: shapes behind which another such surface lies.

    References
    ----------
    .. [1] D. J. Field, "Relations between the statistics of natural images and the response
       properties of cortical cells", Journal of the Optical Society of America A 4(12), 1987.
    """
    folder = data / f"made-photos-{n}"
    if folder.exists():
        return folder
    making = _empty(folder.with_suffix(".making"))
    for number in range(n):
        _made_photo(number).save(making / f"{number:06}.jpg", quality=90)
    making.rename(folder)
    return folder


def make_copies(data: Path, n: int) -> Path:
    """Write n photos, of which half are smaller, cropped or paler copies of the others."""
    folder = data / f"photos-with-copies-{n}"
    if folder.exists():
        return folder
    from PIL import Image, ImageEnhance

    making = _empty(folder.with_suffix(".making"))
    for number, path in enumerate(photos(data, n - n // 2)):
        shutil.copy(path, making / f"{number:06}.jpg")
        if number == n // 2:
            break
        with Image.open(path) as image:
            photo = image.convert("RGB")
        width, height = photo.size
        match number % 3:
            case 0:
                copy = photo.resize((width * 3 // 4, height * 3 // 4))
            case 1:
                copy = photo.crop((width // 20, height // 20, width, height))
            case _:
                copy = ImageEnhance.Color(photo).enhance(0.8)
        copy.save(making / f"{number:06}-copy.jpg", quality=80)
    making.rename(folder)
    return folder


def _made_photo(number: int) -> Any:
    from PIL import Image, ImageDraw

    chance = np.random.default_rng([4, number])
    photo = _surface(chance)
    for _ in range(chance.integers(3, 7)):
        shape = Image.new("L", PHOTO_SIZE)
        corners = chance.integers(3, 8)
        across, down = (chance.uniform(0, side) for side in PHOTO_SIZE)
        around = np.sort(chance.uniform(0, 2 * np.pi, corners))
        far = chance.uniform(40, 200, corners)
        points = zip(across + far * np.cos(around), down + far * np.sin(around), strict=True)
        ImageDraw.Draw(shape).polygon([*points], fill=255)
        photo.paste(_surface(chance), mask=shape)
    return photo


def _surface(chance: np.random.Generator) -> Any:
    """Return noise whose amplitude falls with the frequency, in a colour of its own."""
    from PIL import Image

    width, height = PHOTO_SIZE
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    falls = frequency ** -chance.uniform(1.0, 1.4)
    # One for the light, and a weaker one for each colour.
    light, *colours = (
        np.fft.irfft2(
            falls * np.fft.rfft2(chance.standard_normal((height, width))), (height, width)
        )
        for _ in range(4)
    )
    contrast = chance.uniform(20, 50) / light.std()
    pixels = [contrast * (light + 0.3 * colour) + chance.uniform(60, 190) for colour in colours]
    return Image.fromarray(np.clip(np.stack(pixels, axis=2), 0, 255).astype(np.uint8))


def make_big_photos(data: Path, n: int, megapixels: int, kind: str) -> Path:
    """Write photos as cameras do: large, with the sensor's noise, and EXIF data.

    They are of the folder that `OWN_PHOTOS` names, or else of `make_photos`, brought to 4:3 and the
    size. JPEGs are of quality 92 with halved colours; every fourth is stored turned.

    Returns
    -------
    Path
        A folder of n files, beside a folder ``warm-up`` of one small picture.
    """
    folder = data / f"big-photos-{megapixels}-{n}" / kind
    if folder.exists():
        return folder
    from PIL import ExifTags, Image, ImageOps
    from pillow_heif import register_heif_opener

    register_heif_opener()
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 16) * 16
    size = (width, width * 3 // 4)
    own = os.environ.get(OWN_PHOTOS)
    sources = sorted(_jpegs(Path(own or make_photos(data, n))))
    chance = np.random.default_rng([3, n, megapixels])
    saving: dict[str, Any] = {
        "jpg": {"quality": 92, "subsampling": "4:2:0"},
        "png": {"compress_level": 3},
        "webp": {"quality": 85, "method": 2},
        "heic": {"quality": 80},
    }[kind]
    making = _empty(folder.with_suffix(".making"))
    for number in range(n):
        with Image.open(sources[number % len(sources)]) as image:
            small = ImageOps.fit(image.convert("RGB"), (800, 600))
        pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.float32)
        # Of the light itself, whose noise grows with its square root, and of reading it.
        noise = chance.standard_normal(pixels.shape, np.float32) * np.sqrt(0.04 * pixels + 2)
        photo = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
        exif = Image.Exif()
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Benchmark", f"{megapixels} MP"
        exif[ExifTags.Base.Orientation] = 6 if number % 4 == 3 else 1
        taken = {ExifTags.Base.DateTimeOriginal: f"2026:01:01 10:{number % 60:02}:00"}
        exif.get_ifd(ExifTags.IFD.Exif).update(taken)
        photo.save(making / f"{number:06}.{kind}", exif=exif, **saving)
    if not (other := folder.parent / "warm-up").exists():
        other.mkdir()
        small.save(other / "small.jpg")
    making.rename(folder)
    return folder


def clip(data: Path) -> Path:
    """Write a network of the geometry of CLIP ViT-B/32 with random weights, for its speed.

    Its text tower is cut short: no picture passes through it.
    """
    folder = data / "clip-vit-b-32"
    if folder.exists():
        return folder
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    making = _empty(folder.with_suffix(".making"))
    words = [*_byte_characters(), *(c + "</w>" for c in _byte_characters()), "<start>", "<end>"]
    start, end = len(words) - 2, len(words) - 1
    vocabulary, merges = making / "vocab.json", making / "merges.txt"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    special = {"bos_token": "<start>", "eos_token": "<end>", "unk_token": "<end>"}
    tokenizer = CLIPTokenizer(
        str(vocabulary), str(merges), **special, pad_token="<end>", model_max_length=77
    )
    text = {
        "vocab_size": len(words),
        "bos_token_id": start,
        "eos_token_id": end,
        "pad_token_id": end,
        "num_hidden_layers": 1,
    }
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text)).save_pretrained(making)
    CLIPProcessor(CLIPImageProcessorPil(), tokenizer).save_pretrained(making)
    making.rename(folder)
    return folder


def embeddings(data: Path, n: int) -> Path:
    """Write n embeddings as CLIP's lie: around a common mean, in clusters, one in ten a copy.

    Pictures at random have a cosine of about 0.5, of one cluster about 0.75. A tenth of the rows
    are copies of others at cosine distances from 0.0005 to 0.05, spread evenly over the
    logarithm. `planted` tells which. Written piece by piece, so that no size needs the memory.

    Returns
    -------
    Path
        A ``.npy`` file, (n, 512) float16 unit vectors.
    """
    path = data / f"embeddings-{n}.npy"
    if path.exists():
        return path
    making = path.with_suffix(".making")
    data.mkdir(parents=True, exist_ok=True)
    rows = np.lib.format.open_memmap(making, "w+", np.float16, (n, DIMENSIONS))
    once = np.random.default_rng([0, n])
    mean = _unit(once.standard_normal(DIMENSIONS, np.float32))
    spread = once.standard_normal((64, DIMENSIONS), np.float32) / np.sqrt(64 * DIMENSIONS)
    centres = once.standard_normal((n // 100 + 1, DIMENSIONS), np.float32) / np.sqrt(DIMENSIONS)
    for piece, start in enumerate(range(0, n, PIECE)):
        stop = min(start + PIECE, n)
        chance = np.random.default_rng([1, n, piece])
        # Squared, so that clusters are of different sizes.
        cluster = (chance.random(stop - start) ** 2 * len(centres)).astype(int)
        part = np.sqrt(0.5) * mean + np.sqrt(0.25) * centres[cluster]
        part += np.sqrt(0.15) * (chance.standard_normal((stop - start, 64), np.float32) @ spread)
        noise = chance.standard_normal((stop - start, DIMENSIONS), np.float32)
        part += np.sqrt(0.1 / DIMENSIONS) * noise
        rows[start:stop] = _unit(part)
    pairs = planted(n)
    for piece, start in enumerate(range(0, len(pairs), PIECE)):
        original, copy = pairs[start : start + PIECE].T
        chance = np.random.default_rng([2, n, piece])
        unit = _unit(rows[original].astype(np.float32))
        aside = chance.standard_normal(unit.shape, np.float32)
        aside -= (aside * unit).sum(axis=1, keepdims=True) * unit
        distance = np.exp(chance.uniform(np.log(5e-4), np.log(0.98 * NEAR), (len(unit), 1)))
        cosine = (1 - distance).astype(np.float32)
        rows[copy] = cosine * unit + np.sqrt(1 - cosine**2) * _unit(aside)
    rows.flush()
    making.rename(path)
    return path


def planted(n: int) -> NDArray[np.int64]:
    """Return the pairs (original, copy) of `embeddings`, n // 10 of them; no row is in two."""
    places = np.random.default_rng([3, n]).permutation(n)[: 2 * (n // 10)]
    return places.reshape(2, -1).T


def near_distances(rows: NDArray[np.float16], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cosine distance of each pair of rows."""
    distance = np.empty(len(pairs))
    for start in range(0, len(pairs), PIECE):
        a, b = (rows[side].astype(np.float64) for side in pairs[start : start + PIECE].T)
        length = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        distance[start : start + PIECE] = 1 - (a * b).sum(axis=1) / length
    return np.maximum(distance, 0.0)


def truth(data: Path, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find by brute force, with none of the project's code, what a search should find.

    Returns
    -------
    tuple
        The cosine distance of each embedding to its nearest other one, and all pairs within
        `NEAR`, lower row first, sorted.
    """
    path = data / f"truth-{n}.npz"
    if not path.exists():
        rows = np.load(embeddings(data, n))
        nearest, pairs = _brute_force(rows)
        making = path.with_suffix(".making.npz")
        np.savez(making, nearest=nearest, pairs=pairs)
        making.rename(path)
    with np.load(path) as saved:
        return saved["nearest"], saved["pairs"]


def _brute_force(rows: NDArray[np.float16]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    import torch

    unit = torch.from_numpy(_unit(rows.astype(np.float32)))
    close = 1e-5  # ten times what float32 is off by
    nearest = np.full(len(rows), np.inf)
    pairs = []
    for start in range(0, len(rows), 1024):
        cosine = unit[start : start + 1024] @ unit.T
        own = torch.arange(len(cosine))
        cosine[own, start + own] = -torch.inf
        best = cosine.amax(dim=1, keepdim=True)
        candidates = (cosine >= best - close).nonzero().numpy() + np.array([start, 0])
        np.minimum.at(nearest, candidates[:, 0], near_distances(rows, candidates))
        near = (cosine >= 1 - NEAR - close).nonzero().numpy() + np.array([start, 0])
        near = near[near[:, 0] < near[:, 1]]
        pairs.append(near[near_distances(rows, near) <= NEAR])
    return nearest, np.concatenate(pairs)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _byte_characters() -> list[str]:
    """Return the 256 printable characters by which CLIP's tokenizer writes bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (chr(256 + i) for i in range(256 - len(kept)))
    return [chr(byte) if byte in kept else next(others) for byte in range(256)]
