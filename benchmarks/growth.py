"""How time and memory of `dedup_widgets.uniqueness` grow, from a file of embeddings on disk."""

from pathlib import Path

import numpy as np

from benchmarks import data as make
from benchmarks.harness import OURS, Case, Values, clock

NEAR_ENOUGH = 1e-6
"""What the distance of the frame, float32, may be off by."""


def cases(size: str) -> list[Case]:
    sizes = {
        "tiny": [1_000, 2_000],
        "quick": [10_000, 20_000, 50_000, 100_000],
        "full": [10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000],
    }[size]
    return [
        Case("growth", OURS, {"n": n}, rounds=3 if n <= 20_000 else 2 if n <= 100_000 else 1)
        for n in sizes
    ]


def prepare(data: Path, n: int) -> None:
    make.embeddings(data, n)


def score(data: Path, n: int) -> Values:
    """Score a memory-mapped file; planted near-duplicates count as found at their distance."""
    import torch  # noqa: F401 - as it is where photos were embedded: loading is outside the clock

    from dedup_widgets.scoring.uniqueness import uniqueness

    rows = np.load(make.embeddings(data, n), mmap_mode="r")
    uniqueness(rows[:5000])
    with clock() as reading:
        frame = uniqueness(rows)
    pairs = make.planted(n)
    distance = make.near_distances(rows, pairs)
    of_copy = frame["distance"].to_numpy()[pairs[:, 1]]
    found = of_copy <= distance + NEAR_ENOUGH
    grown = reading.memory_peak - reading.memory_before
    return {
        **reading.values(),
        "vectors": rows.nbytes,
        "memory_to_vectors": reading.memory_peak / rows.nbytes,
        "growth_to_vectors": grown / rows.nbytes,
        "planted_recall": float(found.mean()),
    }


VARIANTS = {OURS: score}
