"""Similar items: how long one answer takes, and how long the first one."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import data as make
from benchmarks.harness import OURS, Case, Values, clock

QUERIES = 200
K = 12
WIDTHS = (256, 512)
"""Numbers of an embedding: of EfficientNet-Lite0 for copies, and of CLIP."""

Ask = Callable[[int], NDArray[np.int64]]


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [1_000], "quick": [100_000], "full": [100_000, 1_000_000]}[size]
    return [
        Case("similar", name, {"n": n, "width": width}, 1 if size == "tiny" else 3)
        for n in sizes
        for width in WIDTHS
        for name in VARIANTS
    ]


def prepare(data: Path, n: int, width: int) -> None:
    make.embeddings(data, n)


def ours(data: Path, n: int, width: int) -> Values:
    """Ask for the images of a frame that are nearest to one of it."""
    import polars as pl

    from dedup_widgets.search.similar import SimilarImages

    rows = _rows(data, n, width)
    frame = pl.DataFrame(
        {
            "path": [f"{i}.jpg" for i in range(n)],
            "embedding": pl.Series(rows, dtype=pl.Array(pl.Float16, width)),
        }
    )
    with clock() as reading:
        images = SimilarImages(frame)
        images.rows(0, K)
    return {**reading.values(), **_answers(rows, lambda row: images.rows(row, K)[0])}


def faiss_flat(data: Path, n: int, width: int) -> Values:
    import faiss

    rows = _rows(data, n, width)
    with clock() as reading:
        unit = _unit(rows)
        index = faiss.IndexFlatIP(width)
        index.add(unit)
        index.search(unit[:1], K + 1)

    def ask(row: int) -> NDArray[np.int64]:
        found = index.search(unit[row : row + 1], K + 1)[1][0]
        return found[found != row][:K]

    return {**reading.values(), **_answers(rows, ask)}


def _answers(rows: NDArray[np.float16], ask: Ask) -> Values:
    """Time answers one by one, and tell how many of the nearest were found."""
    asked = np.random.default_rng(6).permutation(len(rows))[:QUERIES]
    times, found = [], []
    for row in asked:
        start = time.perf_counter()
        found.append(ask(int(row)))
        times.append(1000 * (time.perf_counter() - start))
    return {
        "milliseconds": statistics.median(times),
        "milliseconds_95": statistics.quantiles(times, n=20)[-1],
        "recall": _recall(rows, asked[:50], found[:50]),
    }


def _recall(
    rows: NDArray[np.float16], asked: NDArray[np.int64], found: list[NDArray[np.int64]]
) -> float:
    """Return how many of the k nearest were found, on average."""
    queries = _unit(rows[asked])
    cosine = np.concatenate(
        [
            queries @ _unit(rows[start : start + make.PIECE]).T
            for start in range(0, len(rows), make.PIECE)
        ],
        axis=1,
    )
    cosine[np.arange(len(asked)), asked] = -np.inf
    kth = np.partition(cosine, -K, axis=1)[:, -K]
    right = [
        (line[answer] >= least - 1e-6).sum()
        for line, answer, least in zip(cosine, found, kth, strict=True)
    ]
    return float(np.mean(right) / K)


def _rows(data: Path, n: int, width: int) -> NDArray[np.float16]:
    return np.ascontiguousarray(np.load(make.embeddings(data, n), mmap_mode="r")[:, :width])


def _unit(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = rows.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


VARIANTS = {OURS: ours, "FAISS flat": faiss_flat}
