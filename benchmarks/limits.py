"""The limits: what the machine can do at best, in the units of what the project does with it."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from benchmarks import data as make
from benchmarks.harness import CORES, Case, Values, best_of

PHOTOS = 128


def cases(size: str) -> list[Case]:
    return [Case("limits", name, {}, rounds=2 if size == "tiny" else 3) for name in VARIANTS]


def prepare(data: Path) -> None:
    make.make_photos(data, PHOTOS)


def product(kind: str) -> Values:
    """Return the rate of matrix products, FLOP/s: the best of two shapes, on all cores.

    One is square, one long and thin as a search for nearest neighbours has it.
    """
    import torch

    dtype = getattr(torch, kind)
    rates = []
    for outer, inner in ((2048, 2048), (4096, make.DIMENSIONS)):
        a = torch.randn(outer, inner).to(dtype)
        out = torch.empty(outer, outer, dtype=dtype)
        seconds = best_of(lambda a=a, out=out: torch.mm(a, a.T, out=out))
        rates.append(2 * outer * outer * inner / seconds)
    return {"flops": max(rates)}


def memory_read(data: Path) -> Values:
    """Return bytes a second read from an array far larger than any cache, on all cores."""
    import torch

    array = torch.ones(2**28, dtype=torch.float32)
    return {"bytes_per_second": array.nbytes / best_of(array.amax)}


def memory_copy(data: Path) -> Values:
    """Return bytes a second read and written by copying."""
    import torch

    array = torch.ones(2**27, dtype=torch.float32)
    to = torch.empty_like(array)
    return {"bytes_per_second": 2 * array.nbytes / best_of(lambda: to.copy_(array))}


def jpeg_decode(data: Path) -> Values:
    """Return photos a second that Pillow decodes to RGB, as many threads as cores."""
    from PIL import Image

    files = [Path(path).read_bytes() for path in make.photos(data, PHOTOS)]

    def decode(file: bytes) -> None:
        with Image.open(BytesIO(file)) as image:
            image.convert("RGB")

    with ThreadPoolExecutor(CORES) as pool:
        seconds = best_of(lambda: list(pool.map(decode, files)))
    return {"photos_per_second": len(files) / seconds}


VARIANTS = {
    "matrix product, float64": lambda data: product("float64"),
    "matrix product, float32": lambda data: product("float32"),
    "matrix product, bfloat16": lambda data: product("bfloat16"),
    "memory, read": memory_read,
    "memory, copy": memory_copy,
    "JPEG decode, Pillow": jpeg_decode,
}
