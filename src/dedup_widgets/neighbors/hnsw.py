"""Candidates for nearest neighbours from a USearch HNSW graph [1]_.

References
----------
.. [1] Yu. A. Malkov and D. A. Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search
   Using Hierarchical Navigable Small World Graphs", IEEE Transactions on Pattern Analysis and
   Machine Intelligence 42(4), 2020, pp. 824-836, arXiv:1603.09320.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.vectors import Vectors, parts, row_cosines

CANDIDATES_PER_QUERY = 11
"""Neighbours that a graph is queried for when the nearest is wanted, the query itself included."""


BLOCK_VECTORS = 256
"""Vectors added at a time: about a quarter of a second."""


def build_graph(vectors: Vectors | NDArray[np.float32], *, block: int = BLOCK_VECTORS) -> Any:
    """Build a USearch HNSW graph, in one thread, so that it is the same each time.

    The metric is the cosine, not the inner product: vectors rounded to bfloat16 are no longer of
    exact unit length, and by the inner product the longest of nearly equal ones would be nearest to
    all. With 20 videos of 1,000 frames among 40,000 vectors, that lost 4 % of the nearest 13.

    Parameters
    ----------
    vectors
        n x d unit vectors, no two of them equal if the graph is to be a good one.
    block
        How many vectors are added at a time. It changes no result.

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
        dtype="bf16",
        connectivity=16,
        expansion_add=128,
        expansion_search=64,
        enable_key_lookups=False,
    )
    for part in parts(len(vectors), block):
        graph.add(np.arange(part.start, part.stop), vectors.unit(part), threads=1)
    return graph


GRAPH_DISTANCE_ERROR = 1e-3
"""Cosine distance by which bfloat16 may misplace a candidate: ten times its usual error."""


def graph_pairs(best: AllPairs, progress: Progress) -> None:
    """Update `best` with candidates from a graph; compare badly served rows with all others.

    Many nearly equal vectors split a graph into disconnected parts, for other vectors too. They are
    among the rows that the graph serves badly. Where these are many, a second graph is built
    without them.
    """
    left = all_rows = np.arange(len(best.vectors))
    for _ in range(2):
        if len(left) <= CANDIDATES_PER_QUERY:
            best.compare(left, np.setdiff1d(all_rows, left), progress)
            break
        badly_served = _ask_graph(best, left)
        best.compare(badly_served, np.setdiff1d(all_rows, badly_served), progress)
        left = np.setdiff1d(left, badly_served, assume_unique=True)
        if len(badly_served) < len(left) // 100:
            break


def _ask_graph(best: AllPairs, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Update `best` with what a graph of some rows finds; return the rows that it serves badly.

    A row that does not find itself is unreachable in the graph, and likely missing from the
    answers of others. A row whose last candidate is about as near as its best may have better ones
    that did not fit into the answer.
    """
    graph = build_graph(best.vectors.take(nodes))
    badly_served = []
    for part in parts(len(nodes)):
        rows = nodes[part]
        unit = best.vectors.unit(rows)
        # A single query would return arrays of another shape; the second answer is not used.
        found = graph.search(
            unit if len(unit) > 1 else unit.repeat(2, axis=0), CANDIDATES_PER_QUERY
        )
        # Short answers are padded with key 0.
        valid = np.arange(CANDIDATES_PER_QUERY) < found.counts[: len(unit), None]
        others = nodes[np.where(valid, found.keys[: len(unit)].astype(np.int64), 0)]
        cosine = row_cosines(unit, best.vectors.unit(others.ravel()).reshape(*others.shape, -1))
        itself = others == rows[:, None]
        usable = valid & ~itself
        best_found = np.where(usable, cosine, -np.inf).max(axis=1)
        last_found = np.where(usable, cosine, np.inf).min(axis=1)
        is_full = last_found >= best_found - GRAPH_DISTANCE_ERROR
        badly_served.append(rows[is_full | ~(itself & valid).any(axis=1)])
        asking = np.repeat(rows, usable.sum(axis=1))
        best.update_pairs(asking, others[usable], cosine[usable])
        best.update_pairs(others[usable], asking, cosine[usable])
    return np.concatenate(badly_served)
