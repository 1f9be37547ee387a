"""Adding a hundredth to what was compared before, and comparing all from nothing."""

from pathlib import Path

import numpy as np

from benchmarks import data as make
from benchmarks.harness import OURS, Case, Values, clock, grid


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [1_000], "quick": [50_000], "full": [100_000]}[size]
    return grid("incremental", list(VARIANTS), sizes, rounds=1 if size == "tiny" else 2)


def prepare(data: Path, n: int) -> None:
    make.embeddings(data, n)


def compare(data: Path, n: int, *, earlier: bool) -> Values:
    import torch  # noqa: F401 - loading is outside the clock

    from dedup_widgets.scoring.uniqueness import compare as run

    rows = np.load(make.embeddings(data, n))
    names = [str(i) for i in range(n)]
    rules = {"near": make.NEAR, "rank": None, "gamma": 1.0}
    before = n - n // 100
    _, known = run(rows[:before], fingerprints=names[:before], **rules)
    with clock() as reading:
        frame, _ = run(rows, fingerprints=names, **rules, earlier=known if earlier else None)
    values = reading.values()
    if earlier:
        values["equal"] = float(frame.equals(run(rows, fingerprints=names, **rules)[0]))
    return values


VARIANTS = {
    OURS: lambda data, n: compare(data, n, earlier=True),
    f"{OURS}, from nothing": lambda data, n: compare(data, n, earlier=False),
}
