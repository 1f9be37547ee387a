"""Which part of all pairs an exact search could pass over, had it bounds to prune by.

Each row is taken to know the cosine of its nearest from the start, which no search does: what is
counted is the most that pruning can save.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data as make
from benchmarks.harness import Case, Values, grid

ROUNDS = 10
ASKED = 2_000


def cases(size: str) -> list[Case]:
    n = {"tiny": 1_000, "quick": 10_000, "full": 50_000}[size]
    return grid("pruning", list(VARIANTS), [n], rounds=1)


def prepare(data: Path, n: int) -> None:
    make.truth(data, n)


def clusters(data: Path, n: int, size: int) -> Values:
    """Pass over clusters that are too far apart, by the triangle inequality of angles."""
    import torch

    rows, nearest = _rows_and_nearest(data, n)
    torch.manual_seed(0)
    centres = rows[torch.randperm(n)[: n // size]]
    for _ in range(ROUNDS):
        of = (rows @ centres.T).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, of, rows)
        length = sums.norm(dim=1, keepdim=True)
        centres = torch.where(length > 0, sums / length, centres)
    of = (rows @ centres.T).argmax(dim=1)
    apart = torch.arccos((rows * centres[of]).sum(dim=1).clamp(-1, 1))
    radius = torch.zeros(len(centres)).scatter_reduce_(0, of, apart, "amax")
    members = torch.bincount(of, minlength=len(centres)).double()
    passed = torch.zeros(n)
    for start in range(0, n, ASKED):
        part = slice(start, start + ASKED)
        angle = torch.arccos((rows[part] @ centres.T).clamp(-1, 1))
        is_beaten = angle - radius > torch.arccos(nearest[part, None])
        passed[part] = (is_beaten * members).sum(dim=1).float() / n
    return {"passed_over": float(passed.mean())}


def components(data: Path, n: int, count: int) -> Values:
    """Pass over pairs whose first principal components, and the lengths of the rest, rule it out.

    The rest of a product is at most the product of both lengths (Cauchy-Schwarz).
    """
    import torch

    rows, nearest = _rows_and_nearest(data, n)
    _, _, directions = torch.pca_lowrank(rows[:ASKED], q=count, center=False)
    first = rows @ directions
    rest = (1 - (first * first).sum(dim=1)).clamp(min=0).sqrt()
    asked = torch.from_numpy(np.random.default_rng(0).permutation(n)[:ASKED])
    most = first[asked] @ first.T + rest[asked, None] * rest
    return {"passed_over": float((most < nearest[asked, None]).double().mean())}


def _rows_and_nearest(data: Path, n: int) -> tuple[Any, Any]:
    import torch

    rows = torch.from_numpy(np.load(make.embeddings(data, n)).astype(np.float32))
    distance, _ = make.truth(data, n)
    nearest = torch.from_numpy(1 - distance.astype(np.float32)).clamp(-1, 1)
    return rows / rows.norm(dim=1, keepdim=True), nearest


VARIANTS: dict[str, Callable[..., Values]] = {
    "clusters of 500, triangle inequality": lambda data, n: clusters(data, n, 500),
    "clusters of 64, triangle inequality": lambda data, n: clusters(data, n, 64),
    "64 principal components": lambda data, n: components(data, n, 64),
    "128 principal components": lambda data, n: components(data, n, 128),
}
