"""The vectors nearest to a query, from a USearch graph where there are many."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.vectors import cosines, first_equal, float32_error, parts, unit_vectors

CANDIDATES = 11
"""Vectors that the graph is asked for, the query itself included."""


class VectorIndex:
    """The vectors nearest to a query, for similar-items.

    Distances are exact and rows at the same distance come in row order. Below `hnsw_from` vectors
    a search looks at all of them, so nothing is ever missed and nothing is built. Above, it asks
    a USearch graph, which is built by the first search; equal vectors share one node of it, and
    all of them are found. One index may serve several threads.

    Parameters
    ----------
    vectors
        n x d numbers, as :func:`unit_vectors` takes them.
    hnsw_from
        Number of vectors from which to build a graph.

    Raises
    ------
    InputError
        When the vectors are not n x d, or one is zero, NaN or infinite.

    Examples
    --------
    >>> rows, distances = VectorIndex([[1, 0], [0, 1], [1, 0]]).search([2, 0], k=2)
    >>> rows.tolist(), distances.tolist()
    ([0, 2], [0.0, 0.0])
    """

    def __init__(self, vectors: Any, *, hnsw_from: int = 1_000_000) -> None:
        self.vectors = unit_vectors(vectors)
        self._hnsw_from = hnsw_from
        self._lock = threading.Lock()
        self._graph: _SharedGraph | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, query: Any, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows nearest to a query and their cosine distances, nearest first.

        Parameters
        ----------
        query
            d numbers, of any length but zero.
        k
            How many rows; all of them when there are fewer.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float32]]
            Row numbers and cosine distances in [0, 1], each of length min(k, n).

        Raises
        ------
        InputError
            When the query has another length than the vectors, or is zero, NaN or infinite, or k
            is negative.
        """
        if k < 0:
            raise InputError(f"k is {k}; it must be 0 or more")
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        unit = unit_vectors([query])
        if unit.shape[1] != self.vectors.shape[1]:
            raise InputError(
                f"the query has {unit.shape[1]} dimensions and the vectors have "
                f"{self.vectors.shape[1]}; embed both with the same model"
            )
        k = min(k, len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = self._candidates(unit, k)
        cosine = np.concatenate(
            [cosines(unit, self.vectors[rows[part]])[0] for part in parts(len(rows))]
        )
        order = np.lexsort((rows, -cosine))[:k]
        return rows[order], np.clip(1.0 - cosine[order], 0.0, 1.0).astype(np.float32)

    def _candidates(self, unit: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return at least the k nearest rows, in any order."""
        if len(self) >= self._hnsw_from:
            with self._lock:
                self._graph = self._graph or _SharedGraph(self.vectors)
            return self._graph.candidates(unit[0], k)
        cosine = self.vectors @ unit[0]
        kth = np.partition(cosine, -k)[-k]
        return np.flatnonzero(cosine >= kth - 2 * float32_error(self.vectors.shape[1]))


class _SharedGraph:
    """A USearch graph with one node for all equal vectors."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        first = first_equal(vectors)
        self._rows = np.argsort(first, kind="stable")
        nodes, self._start = np.unique(first[self._rows], return_index=True)
        self._end = np.append(self._start[1:], len(vectors))
        self._index = build_graph(vectors[nodes])

    def candidates(self, unit: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        nodes = self._index.search(unit, min(k + CANDIDATES, len(self._start))).keys.astype(int)
        return np.concatenate([self._rows[self._start[i] : self._end[i]] for i in nodes])


def build_graph(vectors: NDArray[np.float32]) -> Any:
    """Build a USearch HNSW graph: by one thread, for then it is the same one each time."""
    from usearch.index import Index

    graph = Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="bf16",
        connectivity=16,
        expansion_add=128,
        expansion_search=64,
    )
    graph.add(np.arange(len(vectors)), vectors, threads=1)
    return graph
