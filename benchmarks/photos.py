"""Photos as cameras make them: 12 and 24 megapixels, from files to what duplicates are told by.

Whoever is compared reads the same files and keeps nothing from an earlier run, but for *again*; the
files are in memory, but for *cold*.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import data as make
from benchmarks.fastdup_peer import found_by_fastdup
from benchmarks.harness import CORES, OURS, Case, Values, clock
from benchmarks.hashing import without_torchvision

AGAIN, COLD, NETWORK = f"{OURS}, again", f"{OURS}, cold", f"{OURS}, EfficientNet"
REDUCED, REDUCED_NETWORK = f"{OURS}, reduced", f"{OURS}, reduced, EfficientNet"
READ, READ_COLD = "bytes read", "bytes read, cold"
MEGAPIXELS = (12, 24)
FORMATS = ("png", "webp", "heic")


def cases(size: str) -> list[Case]:
    n, rounds = {"tiny": (2, 1), "quick": (24, 3), "full": (60, 3)}[size]
    of_jpegs = [
        Case("photos", name, {"n": 12 * n // each, "megapixels": each, "format": "jpg"}, rounds)
        for each in (MEGAPIXELS[:1] if size == "tiny" else MEGAPIXELS)
        for name in VARIANTS
    ]
    of_others = [
        Case("photos", name, {"n": max(2, n // 4), "megapixels": 12, "format": other}, rounds)
        for other in FORMATS
        for name in (OURS, "full decode")
    ]
    return of_jpegs + of_others


def prepare(data: Path, n: int, megapixels: int, format: str) -> None:  # noqa: A002
    make.make_big_photos(data, n, megapixels, format)


@contextmanager
def measured(n: int) -> Iterator[Values]:
    """Yield what is filled with rates: by the clock, and by processor time, children included."""
    values: Values = {}
    before = sum(os.times()[:4])
    with clock() as reading:
        yield values
    spent = sum(os.times()[:4]) - before
    values |= _per_photo(n, reading.seconds, spent) | reading.values()


def _per_photo(n: int, seconds: float, cpu_seconds: float) -> Values:
    return {"photos_per_second": n / seconds, "cpu_ms_a_photo": 1000 * cpu_seconds / n}


def forget(folder: Path) -> None:
    """Have the system read the files of a folder from the disk next time; a remote host may not."""
    for path in folder.iterdir():
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def scored(
    folder: Path, model: str, *, again: bool = False, cold: bool = False, **options: Any
) -> Values:
    """Score a folder into a new store, or a second time, or from the disk."""
    import dedup_widgets as dw

    n = len(list(folder.iterdir()))
    with tempfile.TemporaryDirectory() as kept:
        warm_up = folder.parent / "warm-up"
        dw.score(warm_up, model=model, store=Path(kept) / "other", progress=False)
        store = Path(kept) / "store"
        if again:
            dw.score(folder, model=model, store=store, progress=False)
        if cold:
            forget(folder)
        with measured(n) as values:
            dw.score(folder, model=model, store=store, progress=False, **options)
    return values


def in_threads(folder: Path, work: Callable[[Path], Any], *, cold: bool = False) -> Values:
    photos = sorted(folder.iterdir())
    if cold:
        forget(folder)
    with ThreadPoolExecutor(CORES) as pool, measured(len(photos)) as values:
        list(pool.map(work, photos))
    return values


def decode(path: Path, scale: int = 1) -> None:
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.draft("RGB", (image.width // scale, image.height // scale))
        image.load()


def imagehash(folder: Path) -> Values:
    from imagehash import phash
    from PIL import Image

    return in_threads(folder, lambda path: phash(Image.open(path)))


def pdq(folder: Path) -> Values:
    import numpy as np
    import pdqhash
    from PIL import Image

    return in_threads(
        folder, lambda path: pdqhash.compute(np.asarray(Image.open(path).convert("RGB")))
    )


def imagededup(folder: Path) -> Values:
    without_torchvision()
    from imagededup.methods import PHash

    with measured(len(list(folder.iterdir()))) as values:
        PHash(verbose=False).encode_images(str(folder), num_enc_workers=CORES)
    return values


def czkawka(folder: Path) -> Values:
    """Find similar pictures; what it keeps of them goes to an empty folder."""
    from czkawka import ImageSimilarity

    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        finder = ImageSimilarity()
        finder.set_directories([folder])
        finder.set_similarity(15)
        with measured(len(list(folder.iterdir()))) as values:
            finder.find_similar()
    return values


def image_dedup_ai(folder: Path) -> Values:
    from image_dedup_ai import find_duplicates

    with measured(len(list(folder.iterdir()))) as values:
        find_duplicates(str(folder), workers=CORES)
    return values


def cleanvision(folder: Path) -> Values:
    from cleanvision import Imagelab

    kinds: dict[str, Any] = {"exact_duplicates": {}, "near_duplicates": {}}
    lab = Imagelab(data_path=str(folder), verbose=False)
    with measured(len(list(folder.iterdir()))) as values:
        lab.find_issues(kinds, n_jobs=CORES, verbose=False)
    return values


def fastdup(folder: Path) -> Values:
    photos = sorted(map(str, folder.iterdir()))
    found = found_by_fastdup(photos)
    spent = {name: float(found[name]) for name in ("seconds", "cpu_seconds", "memory_peak")}
    return _per_photo(len(photos), spent["seconds"], spent["cpu_seconds"]) | spent


WORK: dict[str, Callable[[Path], Values]] = {
    OURS: lambda folder: scored(folder, "perceptual"),
    AGAIN: lambda folder: scored(folder, "perceptual", again=True),
    NETWORK: lambda folder: scored(folder, "efficientnet-lite0"),
    REDUCED: lambda folder: scored(folder, "perceptual", decoding="reduced"),
    REDUCED_NETWORK: lambda folder: scored(folder, "efficientnet-lite0", decoding="reduced"),
    READ: lambda folder: in_threads(folder, Path.read_bytes),
    "full decode": lambda folder: in_threads(folder, decode),
    "decode at an eighth": lambda folder: in_threads(folder, lambda path: decode(path, 8)),
    "image-dedup-ai": image_dedup_ai,
    "czkawka": czkawka,
    "imagehash phash": imagehash,
    "PDQ": pdq,
    "imagededup PHash": imagededup,
    "CleanVision": cleanvision,
    "fastdup": fastdup,
}

if hasattr(os, "posix_fadvise"):
    WORK[COLD] = lambda folder: scored(folder, "perceptual", cold=True)
    WORK[READ_COLD] = lambda folder: in_threads(folder, Path.read_bytes, cold=True)


def _of(work: Callable[[Path], Values]) -> Callable[..., Values]:
    return lambda data, n, megapixels, format: work(  # noqa: A006
        make.make_big_photos(data, n, megapixels, format)
    )


VARIANTS = {name: _of(work) for name, work in WORK.items()}
