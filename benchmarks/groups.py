"""Groups so large that anything quadratic in them would not fit into memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import data as make
from benchmarks.harness import Case, Values, clock

IDENTICAL = "identical"
FRAMES = "nearly identical blank frames"
LARGE_GROUP = "a quarter in one group"

Rows = NDArray[np.float16]


def cases(size: str) -> list[Case]:
    identical, frames, large_group = {
        "tiny": (2_000, 2_000, 4_000),
        "quick": (100_000, 20_000, 40_000),
        "full": (100_000, 100_000, 200_000),
    }[size]
    of = {IDENTICAL: identical, FRAMES: frames, LARGE_GROUP: large_group}
    return [Case("groups", name, {"n": n}, rounds=1) for name, n in of.items()]


def prepare(data: Path, n: int) -> None:
    make.embeddings(data, n)


def identical(n: int) -> Rows:
    return np.repeat(_frames(1), n, axis=0)


def blank_frames(n: int) -> Rows:
    """Frames of a camera that sees nothing: all different, all within 0.001 of each other."""
    return _frames(n)


def _frames(n: int) -> Rows:
    chance = np.random.default_rng(4)
    frame = chance.standard_normal(make.DIMENSIONS, np.float32)
    rows = np.empty((n, make.DIMENSIONS), np.float16)
    for start in range(0, n, make.PIECE):
        part = rows[start : start + make.PIECE]
        part[:] = frame + 0.02 * chance.standard_normal(part.shape, np.float32)
    return rows


def score(rows: Rows) -> Values:
    import torch  # noqa: F401 - as it is where photos were embedded: loading is outside the clock

    from dedup_widgets.scoring.uniqueness import uniqueness

    uniqueness(rows[:100])
    with clock() as reading:
        frame = uniqueness(rows)
    sizes = frame["group"].drop_nulls().value_counts()["count"]
    return {
        **reading.values(),
        "vectors": rows.nbytes,
        "largest_group": float(sizes.max() or 0),
        "kept": float(frame["keep"].sum()),
    }


def large_group(data: Path, n: int) -> Values:
    """Put a quarter of all images within near of one keeper."""
    rows = np.load(make.embeddings(data, n))
    rows[np.random.default_rng(5).permutation(n)[: n // 4]] = _frames(n // 4)
    return score(rows)


VARIANTS: dict[str, Callable[..., Values]] = {
    IDENTICAL: lambda data, n: score(identical(n)),
    FRAMES: lambda data, n: score(blank_frames(n)),
    LARGE_GROUP: large_group,
}
