"""All near-duplicate pairs and all distances against brute force in float64."""

from pathlib import Path

import numpy as np

from benchmarks import data as make
from benchmarks.harness import Case, Values, clock, grid


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [1_000], "quick": [10_000], "full": [10_000, 50_000, 100_000]}[size]
    return grid("exactness", list(VARIANTS), sizes, rounds=1)


def prepare(data: Path, n: int) -> None:
    make.truth(data, n)


def against_brute_force(data: Path, n: int, method: str) -> Values:
    """Compare the pairs within near, and each distance, with what brute force finds."""
    from dedup_widgets.scoring.uniqueness import compare

    rows = np.load(make.embeddings(data, n))
    with clock() as reading:
        frame, compared = compare(
            rows,
            fingerprints=[str(i) for i in range(n)],
            near=make.NEAR,
            rank=None,
            gamma=1.0,
            method=method,
        )
    true, true_pairs = make.truth(data, n)
    error = np.abs(frame["distance"].to_numpy() - true)
    values = {
        **reading.values(),
        "pairs": len(true_pairs),
        "distance_error_largest": float(error.max()),
        "rows_with_another_distance": int((error > 1e-6).sum()),
    }
    if compared.pairs is not None:
        found = compared.pairs.astype(np.int64)
        within = found[make.near_distances(rows, found) <= make.NEAR]
        numbers = np.sort(within, axis=1) @ (n, 1)
        values["pair_recall"] = float(np.isin(true_pairs @ (n, 1), numbers).mean())
        values["pairs_too_many"] = int((~np.isin(numbers, true_pairs @ (n, 1))).sum())
    return values


VARIANTS = {
    method: lambda data, n, method=method: against_brute_force(data, n, method)
    for method in ("auto", "exact", "hnsw")
}
