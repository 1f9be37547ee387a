"""Nearest neighbours by cosine distance, the same to the last bit however they are found.

Low-precision products, or an HNSW graph [1]_, only select the candidates; the distance of a
candidate is always computed exactly, see :mod:`dedup_widgets.neighbors.vectors`.

References
----------
.. [1] Yu. A. Malkov and D. A. Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search
   Using Hierarchical Navigable Small World Graphs", IEEE Transactions on Pattern Analysis and
   Machine Intelligence 42(4), 2020, pp. 824-836, arXiv:1603.09320.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress
from dedup_widgets._threads import processors
from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.all_pairs import AllPairs
from dedup_widgets.neighbors.choose import fastest
from dedup_widgets.neighbors.equal_vectors import EqualSets
from dedup_widgets.neighbors.grouping import pairs_among
from dedup_widgets.neighbors.hnsw import graph_pairs
from dedup_widgets.neighbors.pair_list import MAX_PAIRS, PairList
from dedup_widgets.neighbors.vectors import Vectors

Method = Literal["auto", "exact", "hnsw"]


EXACT_MAX_VECTORS = {
    "cuda": 100_000_000,
    "bfloat16 by AMX": 4_000_000,
    "bfloat16": 1_500_000,
    "float32": 900_000,
}
"""Vectors up to which comparing all pairs is faster than a graph, for each processor core.

Extrapolated from 1,000,000 vectors on two cores with AMX, where all pairs took 450 s, and building
a graph alone 3,700 s (by one thread, so that it is the same each time); from 100,000 in float32;
and from the rate of bfloat16 on other processors. The time of all pairs grows with the square of
the number of vectors. Both times grow with the number of dimensions, which therefore hardly counts.
"""


MAX_USEFUL_CORES = 8
"""Cores that speed up the comparison of all pairs; the work between the products is serial."""


@dataclass(frozen=True)
class SearchResult:
    """The nearest other vector of each, and the pairs within a radius.

    Attributes
    ----------
    row
        (n,), the row of the nearest other vector, -1 when there is none.
    distance
        (n,), the cosine distance to it in [0, 1], 1 when there is none.
    pairs
        (p, 2), the rows of all pairs within the radius in any order; None if there were too many.
    """

    row: NDArray[np.int64]
    distance: NDArray[np.float64]
    pairs: NDArray[np.int32] | None


def search(
    vectors: Vectors,
    *,
    rank: NDArray[np.int64] | None = None,
    radius: float = -1.0,
    max_pairs: int = MAX_PAIRS,
    method: Method = "auto",
    device: str | None = None,
    progress: Progress = False,
) -> SearchResult:
    """Find the nearest other vector of each, and the pairs within a radius, in one pass.

    Parameters
    ----------
    vectors
        n vectors of length one.
    rank
        n different numbers: of others equally near, the one with the lowest is the nearest.
        Default: the row.
    radius
        Largest cosine distance of the pairs to be listed; negative: none are.
    max_pairs
        How many of them are listed; where there are more, none is.
    method
        ``"exact"`` looks at all pairs: certain, quadratic time. ``"hnsw"`` takes candidates from
        a USearch graph, scores them exactly, and looks at all pairs of the rows that the graph
        serves badly; it may still miss the nearest of a few in 10,000 where thousands crowd
        together. ``"auto"`` is exact up to :data:`EXACT_MAX_VECTORS` vectors.
    device
        Torch device; default: CUDA if there is one.
    progress
        Whether to show a bar where it takes more than about a second, or a function that is told
        tiles of products done and in all; what it raises stops the search.
    """
    check_method(method)
    # Equal vectors damage a graph, and add products that say nothing new.
    sets = EqualSets(vectors, rank)
    uses_graph = method == "hnsw" or (
        method == "auto" and not _is_exact(len(sets.representatives), device)
    )
    listed = PairList(max_pairs)
    best = AllPairs(
        vectors.take(sets.representatives),
        rank=None if rank is None else rank[sets.representatives],
        radius=radius,
        collector=None if uses_graph else listed,
        device=device,
    )
    if uses_graph:
        graph_pairs(best, progress)
    else:
        best.compare(np.arange(len(sets.representatives)), progress=progress)
    row, cosine = sets.nearest_of_all(best.row, best.cosine)
    distance = _distance(cosine)
    if uses_graph:
        near = np.flatnonzero(distance <= radius)
        return SearchResult(
            row, distance, pairs_among(vectors, near, radius, max_pairs, device, progress)
        )
    pairs = listed.pairs()
    if pairs is not None and radius >= 0:
        pairs = sets.pairs_of_all(pairs, max_pairs)
    return SearchResult(row, distance, pairs)


def check_method(method: str) -> None:
    """Raise unless there is such a method."""
    if method not in ("auto", "exact", "hnsw"):
        raise InputError(f"method is {method!r}; it must be 'auto', 'exact' or 'hnsw'")


def _is_exact(n: int, device: str | None) -> bool:
    """Tell whether ``"auto"`` compares all pairs of n vectors on this machine."""
    if n <= min(EXACT_MAX_VECTORS.values()):
        return True
    kind = fastest(device)
    cores = 1 if kind == "cuda" else min(processors(), MAX_USEFUL_CORES)
    return n <= EXACT_MAX_VECTORS[kind] * cores


def _distance(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cosine distances, clipped to [0, 1]."""
    return np.clip(1.0 - cosine, 0.0, 1.0)
