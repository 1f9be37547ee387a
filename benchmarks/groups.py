"""Groups so large that anything quadratic in them would not fit into memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import data as make
from benchmarks.harness import Case, Values, clock

CROWD = "a quarter in one group"

Rows = NDArray[np.float16]


def cases(size: str) -> list[Case]:
    n = {"tiny": 2_000, "quick": 100_000, "full": 100_000}[size]
    crowd = {"tiny": 4_000, "quick": 0, "full": 200_000}[size]
    chosen = [
        Case("groups", name, {"n": crowd if name == CROWD else n}, rounds=1) for name in VARIANTS
    ]
    return [case for case in chosen if case.params["n"]]


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
    from dedup_widgets.uniqueness import uniqueness

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


def crowd(data: Path, n: int) -> Values:
    """Put a quarter of all images within reach of one keeper."""
    rows = np.load(make.embeddings(data, n))
    rows[np.random.default_rng(5).permutation(n)[: n // 4]] = _frames(n // 4)
    return score(rows)


VARIANTS: dict[str, Callable[..., Values]] = {
    "identical": lambda data, n: score(identical(n)),
    "nearly identical blank frames": lambda data, n: score(blank_frames(n)),
    CROWD: crowd,
}
