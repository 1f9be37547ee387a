"""The nearest other row of each of n embeddings: this project, and the libraries for it.

This project runs `dedup_widgets.uniqueness`, which also forms groups and picks keepers; the others
only search. Each finds the nearest other row of every row (k = 2 with the row itself), on all
cores, from float32 in memory; building an index counts.

Approximate peers are given their best case. Each climbs a ladder of settings until it finds
99.9 % of the near-duplicates, and only that step of the ladder is timed (a graph is built once,
and that counts): the ratio is one at equal recall. Where even the last step finds less, `recall`
says so. PyNNDescent then still misses many of the other nearest, which uniqueness is made of, and
so has a second row, of 99.9 % of all nearest.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import data as make
from benchmarks.harness import CORES, OURS, Case, Reading, Values, clock, grid

GOAL = 0.999
EFFORTS = (64, 128, 256, 512)
"""Candidates kept during the search of an HNSW graph: its ladder."""
CONNECTIVITY, EFFORT_TO_BUILD = 16, 128
SAME = 1e-6
"""Cosine distance within which two rows are equally near: what float32 rounds."""

Rows = NDArray[np.float32]
Found = NDArray[np.int64]


def cases(size: str) -> list[Case]:
    sizes = {"tiny": [1_000], "quick": [10_000], "full": [10_000, 50_000, 100_000]}[size]
    # Longer runs even the moods of a machine out by themselves.
    rounds = {1_000: 1, 10_000: 3, 50_000: 1, 100_000: 1}
    return [case for n in sizes for case in grid("neighbors", list(VARIANTS), [n], rounds[n])]


def prepare(data: Path, n: int) -> None:
    make.truth(data, n)


def ours(data: Path, n: int, method: str = "auto", *, only_float32: bool = False) -> Values:
    """Run this project; if so asked as on a processor that multiplies nothing quicker."""
    import torch  # noqa: F401 - as it is where photos were embedded: loading is outside the clock

    from dedup_widgets.neighbors import choose
    from dedup_widgets.scoring.uniqueness import uniqueness

    if only_float32:
        choose.fastest = lambda device=None: "float32"

    rows = np.load(make.embeddings(data, n))
    fingerprints = range(n)
    uniqueness(rows[:5000], fingerprints=range(min(n, 5000)), method=method)
    with clock() as reading:
        frame = uniqueness(rows, fingerprints=fingerprints, method=method)
    return {**reading.values(), **recall(data, n, frame["nearest"].to_numpy())}


def limit(data: Path, n: int, dtype: str) -> Values:
    """Every product of two rows once, and nothing done with it: the limit of an exact search."""
    import torch

    rows = torch.from_numpy(_float32(data, n)).to(getattr(torch, dtype))
    block = min(n, 2048)
    out = torch.empty(block, block, dtype=rows.dtype)
    torch.mm(rows[:block], rows[:block].T, out=out)
    with clock() as reading:
        for start in range(0, n, block):
            for beside in range(start, n, block):
                a, b = rows[start : start + block], rows[beside : beside + block]
                torch.mm(a, b.T, out=out[: len(a), : len(b)])
    return reading.values()


def faiss_flat(data: Path, n: int) -> Values:
    import faiss

    faiss.omp_set_num_threads(CORES)
    rows = _float32(data, n)
    faiss.IndexFlatIP(make.DIMENSIONS).search(rows[:8], 1)
    with clock() as reading:
        index = faiss.IndexFlatIP(make.DIMENSIONS)
        index.add(rows)
        _, found = index.search(rows, 2)
    return {**reading.values(), **recall(data, n, without_itself(found))}


def faiss_hnsw(data: Path, n: int) -> Values:
    import faiss

    faiss.omp_set_num_threads(CORES)
    rows = _float32(data, n)
    index = faiss.IndexHNSWFlat(make.DIMENSIONS, CONNECTIVITY, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EFFORT_TO_BUILD

    def search(effort: int) -> Any:
        index.hnsw.efSearch = effort
        return index.search(rows, 2)[1]

    return graph(data, n, lambda: index.add(rows), search)


def hnswlib(data: Path, n: int) -> Values:
    import hnswlib as library

    rows = _float32(data, n)
    index = library.Index(space="ip", dim=make.DIMENSIONS)
    index.init_index(n, M=CONNECTIVITY, ef_construction=EFFORT_TO_BUILD, random_seed=0)
    index.set_num_threads(CORES)

    def search(effort: int) -> Any:
        index.set_ef(effort)
        return index.knn_query(rows, k=2)[0]

    return graph(data, n, lambda: index.add_items(rows), search)


def usearch(data: Path, n: int) -> Values:
    from usearch.index import Index

    rows = _float32(data, n)
    index = Index(
        ndim=make.DIMENSIONS,
        metric="ip",
        dtype="f32",  # rounded ones lose recall, and nothing here scores them again
        connectivity=CONNECTIVITY,
        expansion_add=EFFORT_TO_BUILD,
    )

    def search(effort: int) -> Any:
        index.expansion_search = effort
        return index.search(rows, 2, threads=CORES).keys

    return graph(data, n, lambda: index.add(np.arange(n), rows, threads=CORES), search)


def pynndescent(data: Path, n: int, goal: str) -> Values:
    """Its ladder is the number of neighbours that it refines; 30 is its default."""
    from pynndescent import NNDescent

    rows = _float32(data, n)
    NNDescent(rows[:1000], metric="cosine", n_neighbors=15, n_jobs=-1).neighbor_graph  # noqa: B018

    def attempts() -> Iterator[tuple[Reading, Any]]:
        for neighbours in (15, 30, 60, 120):
            with clock() as reading:
                index = NNDescent(
                    rows, metric="cosine", n_neighbors=neighbours, n_jobs=-1, random_state=0
                )
                found = index.neighbor_graph[0]
            yield reading, found

    return climb(data, n, attempts(), goal)


def graph(data: Path, n: int, build: Callable[[], Any], search: Callable[[int], Any]) -> Values:
    """Build a graph once and search it with growing effort."""
    with clock() as building:
        build()

    def attempts() -> Iterator[tuple[Reading, Any]]:
        for effort in EFFORTS:
            with clock() as searching:
                found = search(effort)
            searching.seconds += building.seconds
            searching.cpu_seconds += building.cpu_seconds
            yield searching, found

    return climb(data, n, attempts())


def climb(
    data: Path, n: int, attempts: Iterable[tuple[Reading, Any]], goal: str = "near_recall"
) -> Values:
    """Return the first attempt that finds enough, or else the last."""
    for step, (reading, found) in enumerate(attempts):
        values = {**reading.values(), **recall(data, n, without_itself(found)), "step": step}
        if values[goal] >= GOAL:
            break
    return values


def without_itself(found: Any) -> Found:
    """Return the first answer of each row that is another row, -1 where there is none."""
    candidates = np.asarray(found)[:, :2].astype(np.int64)
    itself = candidates[:, 0] == np.arange(len(candidates))
    return np.where(itself, candidates[:, 1], candidates[:, 0])


def recall(data: Path, n: int, nearest: Found) -> Values:
    """Say of how many rows the very nearest was found, and of how many near-duplicates."""
    true, _ = make.truth(data, n)
    rows = np.load(make.embeddings(data, n), mmap_mode="r")
    answered = (nearest >= 0) & (nearest < n)
    pairs = np.column_stack([np.arange(n), np.where(answered, nearest, 0)])
    right = answered & (make.near_distances(rows, pairs) <= true + SAME)
    near = true <= make.NEAR
    return {"recall": float(right.mean()), "near_recall": float(right[near].mean())}


def _float32(data: Path, n: int) -> Rows:
    rows = np.load(make.embeddings(data, n)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


VARIANTS: dict[str, Callable[..., Values]] = {
    OURS: ours,
    f"{OURS}, float32": lambda data, n: ours(data, n, only_float32=True),
    f"{OURS}, hnsw": lambda data, n: ours(data, n, "hnsw"),
    "FAISS flat": faiss_flat,
    "FAISS HNSW": faiss_hnsw,
    "PyNNDescent": lambda data, n: pynndescent(data, n, "near_recall"),
    "PyNNDescent (all nearest)": lambda data, n: pynndescent(data, n, "recall"),
    "hnswlib": hnswlib,
    "USearch": usearch,
    "products alone, float32": lambda data, n: limit(data, n, "float32"),
    "products alone, bfloat16": lambda data, n: limit(data, n, "bfloat16"),
}
