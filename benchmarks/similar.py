"""Similar items: how long one answer takes, and what it takes to have an index."""

import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data as make
from benchmarks.harness import Case, Values, clock, grid

QUERIES = 500
K = 12


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [1_000], "quick": [20_000], "full": [100_000, 1_000_000]}[size]
    return grid("similar", list(VARIANTS), sizes, rounds=1)


def prepare(data: Path, n: int) -> None:
    make.embeddings(data, n)


def first_time(data: Path, n: int) -> Values:
    """Have no index yet: the first answer comes from all vectors, while the index is built."""
    shutil.rmtree(_folder(data, n))
    return first_answer(data, n)[0]


def loaded(data: Path, n: int) -> Values:
    """Find the index that the first time has saved, and time answers one by one."""
    values, images = first_answer(data, n)
    rows = np.load(make.embeddings(data, n))
    asked = np.random.default_rng(6).permutation(n)[:QUERIES]
    times, found = [], []
    for row in asked:
        start = time.perf_counter()
        found.append(images.rows(int(row), K))
        times.append(1000 * (time.perf_counter() - start))
    return {
        **values,
        "milliseconds": statistics.median(times),
        "milliseconds_95": statistics.quantiles(times, n=20)[-1],
        "milliseconds_most": max(times),
        "recall": _recall(rows, asked[:50], [rows for rows, _ in found[:50]]),
    }


def first_answer(data: Path, n: int) -> tuple[Values, Any]:
    """Run the clock until the first answer, then until the index is there."""
    import polars as pl

    from dedup_widgets.search.similar import SimilarImages

    rows = np.load(make.embeddings(data, n))
    frame = pl.DataFrame(
        {
            "path": [f"{i}.jpg" for i in range(n)],
            "embedding": pl.Series(rows, dtype=pl.Array(pl.Float16, rows.shape[1])),
        }
    )
    start = time.perf_counter()
    with clock() as reading:
        images = SimilarImages(frame, beside=_folder(data, n) / "store.sqlite")
        images.rows(0, K)
    images.is_ready(None)
    return {**reading.values(), "ready": time.perf_counter() - start}, images


def _recall(rows: np.ndarray, asked: np.ndarray, found: list[np.ndarray]) -> float:
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


def _unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def _folder(data: Path, n: int) -> Path:
    folder = data / f"similar-{n}"
    folder.mkdir(exist_ok=True)
    return folder


VARIANTS = {"first time": first_time, "index saved": loaded}
