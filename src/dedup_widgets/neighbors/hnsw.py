"""Candidates from a USearch graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.vectors import Vectors, parts, row_cosines

CANDIDATES = 11
"""Vectors that a graph is asked for when the nearest one is wanted, the query itself included."""


BLOCK = 256
"""Vectors added at a time: about a quarter of a second, after which building can be stopped."""


Told = Callable[[int, int], object]
"""Told how many of how many vectors are in. What it raises ends the building."""


def build_graph(
    vectors: Vectors | NDArray[np.float32], *, dtype: str = "bf16", told: Told | None = None
) -> Any:
    """Build a USearch HNSW graph: by one thread, for then it is the same one each time.

    The metric is the cosine, not the inner product: vectors are rounded to `dtype` and no longer
    quite of unit length, and among nearly equal ones the longest would win every comparison.
    Of 20 videos of 1,000 frames among 40,000 vectors, that lost 4 in 100 of the nearest 13.

    Parameters
    ----------
    vectors
        n x d unit vectors, no two of them equal if the graph is to be a good one.
    dtype
        How the graph holds them: ``"bf16"``, ``"f16"``, ``"f32"`` or ``"i8"``.
    told
        Called after each block.

    Returns
    -------
    usearch.index.Index
        Its keys are row numbers.
    """
    from usearch.index import Index

    vectors = Vectors.of(vectors)
    graph = Index(
        ndim=vectors.dimensions,
        metric="cos",
        dtype=dtype,
        connectivity=16,
        expansion_add=128,
        expansion_search=64,
        enable_key_lookups=False,
    )
    for part in parts(len(vectors), BLOCK):
        graph.add(np.arange(part.start, part.stop), vectors.unit(part), threads=1)
        if told is not None:
            told(part.stop, len(vectors))
    return graph


GRAPH_ERROR = 1e-3
"""Cosine distance by which bfloat16 may misplace a candidate: ten times its usual error."""


def graph_pairs(best: AllPairs, progress: Progress) -> None:
    """Take candidates from a graph, and look at all pairs of the rows that it serves badly.

    Many nearly equal vectors cut a graph into pieces, for the others too. They are among the rows
    that the graph serves badly, which are then compared with everyone: where they are many, a
    second graph is built without them.
    """
    left = everyone = np.arange(len(best.vectors))
    for _ in range(2):
        if len(left) <= CANDIDATES:
            best.compare(left, np.setdiff1d(everyone, left), progress)
            break
        badly_served = _ask_graph(best, left)
        best.compare(badly_served, np.setdiff1d(everyone, badly_served), progress)
        left = np.setdiff1d(left, badly_served, assume_unique=True)
        if len(badly_served) < len(left) // 100:
            break


def _ask_graph(best: AllPairs, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take in what a graph of some rows finds for each; return the rows that it serves badly.

    A row that does not find itself is lost in the graph, and likely missing from the answers of
    others. A row whose last candidate is about as near as its best may have better ones that did
    not fit the list.
    """
    graph = build_graph(best.vectors.take(nodes))
    badly_served = []
    for part in parts(len(nodes)):
        rows = nodes[part]
        unit = best.vectors.unit(rows)
        # One query alone would be answered in another form; the second answer is not used.
        found = graph.search(unit if len(unit) > 1 else unit.repeat(2, axis=0), CANDIDATES)
        # Short answers are padded with key 0.
        valid = np.arange(CANDIDATES) < found.counts[: len(unit), None]
        others = nodes[np.where(valid, found.keys[: len(unit)].astype(np.int64), 0)]
        cosine = row_cosines(unit, best.vectors.unit(others.ravel()).reshape(*others.shape, -1))
        itself = others == rows[:, None]
        usable = valid & ~itself
        best_found = np.where(usable, cosine, -np.inf).max(axis=1)
        last_found = np.where(usable, cosine, np.inf).min(axis=1)
        is_full = last_found >= best_found - GRAPH_ERROR
        badly_served.append(rows[is_full | ~(itself & valid).any(axis=1)])
        asking = np.repeat(rows, usable.sum(axis=1))
        best.offer_pairs(asking, others[usable], cosine[usable])
        best.offer_pairs(others[usable], asking, cosine[usable])
    return np.concatenate(badly_served)
