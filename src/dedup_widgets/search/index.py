"""The vectors nearest to a query, from a USearch HNSW graph [1]_ where there are many.

References
----------
.. [1] Yu. A. Malkov and D. A. Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search
   Using Hierarchical Navigable Small World Graphs", IEEE Transactions on Pattern Analysis and
   Machine Intelligence 42(4), 2020, pp. 824-836, arXiv:1603.09320.
"""

import atexit
import contextlib
import os
import sys
import threading
import warnings
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.neighbors.vectors import Vectors, cosines, parts, unit_vectors
from dedup_widgets.search.graph_files import GraphFiles, graph_key
from dedup_widgets.search.scan import MAX_COPIED_NUMBERS, Scan
from dedup_widgets.search.shared_graph import SharedGraph

EXTRA_NODES = 48
"""Nodes that a graph is queried for beyond k, because it orders them by rounded vectors."""


MAX_GRAPH_NEIGHBORS = 1000
"""Neighbours that a graph is queried for, at most: the time of a query grows with them."""


GRAPH_WAIT_SECONDS = 5.0
"""Seconds that a search waits, at most, for its graph to be loaded from disk.

For 1,000,000 vectors that takes about two. Comparing all of them takes as long the first time,
because torch has to be imported.
"""


_NO_ROWS = np.empty(0, np.int64)


Answer = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows and cosine distances, nearest first."""


RowsAndCosines = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Rows in any order, and their exact cosines with a query."""


class VectorIndex:
    """The vectors nearest to a query, for similar-items.

    Distances are exact, and rows at the same distance come in row order. Below `hnsw_from` vectors
    a search compares all of them: none is missed, and nothing is built. From there on it queries a
    USearch graph, which a thread of low priority loads or builds, starting with the first search;
    until it is ready, searches compare all vectors.

    A graph may miss neighbours: of the nearest 12 in 1,000 clusters of 100, less than 1 in 1,000;
    in 10,000 clusters that have nothing in common, 1 in 10; more among thousands that are nearly
    equal. Equal vectors share one node, so all of them are found. If a row does not find itself,
    the query is repeated for more neighbours.

    One index may serve several threads.

    Parameters
    ----------
    vectors
        n x d numbers, as :class:`dedup_widgets.neighbors.vectors.Vectors` takes them. They are
        not copied where there are many, and must not change.
    hnsw_from
        Number of vectors from which to use a graph; None: from 50 million numbers on, 97,657
        vectors of 512 dimensions, which take 10 ms to look at.
    beside
        Path of the cache beside which the graph is kept, in a folder ``<its name>.similar``, about
        1.2 KB a vector; None: in memory only. It is mapped from its file, after a check of all
        its bytes, and built again when it is damaged or the vectors are others.
    max_graph_neighbors
        Neighbours for which a graph is queried at most; of more, all vectors are compared.

    Attributes
    ----------
    graph : SharedGraph or None
        What is queried; None where all vectors are compared.

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

    def __init__(
        self,
        vectors: Any,
        *,
        hnsw_from: int | None = None,
        beside: Path | None = None,
        max_graph_neighbors: int = MAX_GRAPH_NEIGHBORS,
    ) -> None:
        self._vectors = Vectors(vectors)
        self._stored = self._vectors._matrix
        self._scan = Scan(self._vectors, self._stored)
        if hnsw_from is None:
            self._uses_graph = self._stored.size > MAX_COPIED_NUMBERS
        else:
            self._uses_graph = len(self) >= hnsw_from
        self._files = None if beside is None else GraphFiles(beside)
        self._max_graph_neighbors = max_graph_neighbors
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._disk_checked = threading.Event()
        self.graph: SharedGraph | None = None

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, query: Any, k: int) -> Answer:
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
        unit = unit_vectors([query])
        if len(self) and unit.shape[1] != self._vectors.dimensions:
            raise InputError(
                f"the query has {unit.shape[1]} dimensions and the vectors have "
                f"{self._vectors.dimensions}; embed both with the same model"
            )
        return self._nearest(unit, k)

    def nearest_to_row(self, row: int, k: int, known: NDArray[np.int64] = _NO_ROWS) -> Answer:
        """Return the rows nearest to a row, itself left out; otherwise like :meth:`search`.

        Parameters
        ----------
        row
            Its number.
        k
            How many rows.
        known
            Rows that are known to be near, so that the graph cannot miss them.
        """
        known = np.append(known, row)
        rows, distances = self._nearest(self._vectors.unit([row]), k + 1, known)
        others = rows != row
        return rows[others][:k], distances[others][:k]

    def is_ready(self, timeout: float | None = 0) -> bool:
        """Tell whether the graph is ready, or none is needed; start to load or build it if not.

        Parameters
        ----------
        timeout
            Seconds to wait for it; None: until it is done or has failed.
        """
        thread = self._begin()
        if thread is None:
            return True
        thread.join(timeout)
        return self.graph is not None

    def _begin(self) -> threading.Thread | None:
        """Return the thread that loads or builds the graph; None where none is used."""
        if not self._uses_graph:
            return None
        with self._lock:
            if self._thread is None:
                self._thread = _start_thread(self)
        return self._thread

    def _nearest(
        self, unit: NDArray[np.float32], k: int, known: NDArray[np.int64] = _NO_ROWS
    ) -> Answer:
        """Return what :meth:`search` does for a unit vector, (1, d)."""
        if k < 0:
            raise InputError(f"k is {k}; it must be 0 or more")
        k = min(k, len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        graph = self._graph_at_hand() if k <= self._max_graph_neighbors else None
        found = None if graph is None else self._ask_graph(graph, unit, k, known)
        rows, cosine = self._scan_all(unit, k) if found is None else found
        order = np.lexsort((rows, -cosine))[:k]
        return rows[order], np.clip(1.0 - cosine[order], 0.0, 1.0).astype(np.float32)

    def _graph_at_hand(self) -> SharedGraph | None:
        """Return the graph if it is ready, or about to be loaded from disk."""
        if self._begin() is None:
            return None
        if not self._disk_checked.is_set() and self._files is not None and self._files.has_any():
            self._disk_checked.wait(GRAPH_WAIT_SECONDS)
        return self.graph

    def _scan_all(self, unit: NDArray[np.float32], k: int) -> RowsAndCosines:
        """Return at least the k nearest rows to a unit vector, (1, d), from all vectors."""
        rows = self._scan.candidates(unit[0], k)
        return rows, np.concatenate(
            [cosines(unit, self._vectors.unit(rows[part]))[0] for part in parts(len(rows))]
        )

    def _ask_graph(
        self, graph: SharedGraph, unit: NDArray[np.float32], k: int, known: NDArray[np.int64]
    ) -> RowsAndCosines | None:
        """Return what a graph finds, and the known rows; None where it is seen to miss rows.

        A query for a row that does not find itself may miss others too; querying for more
        neighbours finds it.
        """
        for wanted in (k + EXTRA_NODES, k + self._max_graph_neighbors):
            nodes = graph.nodes(unit[0], wanted)
            if len(nodes) < min(wanted, len(graph)):
                return None
            cosine = cosines(unit, self._vectors.unit(graph.first(nodes)))[0]
            if not known.size or cosine.max() == 1:
                rows, at = graph.rows(nodes, k)
                missed = np.setdiff1d(known, rows)
                of_missed = cosines(unit, self._vectors.unit(missed))[0]
                return np.append(rows, missed), np.append(cosine[at], of_missed)
        return None


# Building graphs


@dataclass(eq=False)
class _Shared:
    """What indexes of the same vectors share: one builds the graph, and all use it."""

    build_lock: threading.Lock = field(default_factory=threading.Lock)
    wanted_by: "weakref.WeakSet[VectorIndex]" = field(default_factory=weakref.WeakSet)
    graph: "weakref.ref[SharedGraph] | None" = None
    is_saved: bool = False

    def known(self) -> SharedGraph | None:
        """Return the graph if any index still uses it."""
        return None if self.graph is None else self.graph()


class _UnwantedError(Exception):
    """No index needs the graph any more."""


_shared: dict[tuple[str, Path | None], _Shared] = {}


_threads: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


_exiting = threading.Event()


def _start_thread(index: VectorIndex) -> threading.Thread:
    """Start the thread that gives an index its graph."""
    thread = threading.Thread(
        target=_provide_graph,
        args=(weakref.ref(index), index._vectors, index._stored, index._files, index._disk_checked),
        name="dedup-widgets index",
        daemon=True,
    )
    _threads.add(thread)
    thread.start()
    return thread


def _provide_graph(
    wanted_by: "weakref.ref[VectorIndex]",
    vectors: Vectors,
    stored: NDArray[np.generic],
    files: GraphFiles | None,
    disk_checked: threading.Event,
) -> None:
    """Give an index its graph: one that this process has, one from disk, or a new one.

    The thread holds no reference to the index, and stops when no index needs the graph any more.
    """
    _lower_priority()
    try:
        key = graph_key(stored)
        shared = _shared.setdefault((key, None if files is None else files.folder), _Shared())
        index = wanted_by()
        if index is None:
            return
        shared.wanted_by.add(index)
        del index
        graph = shared.known() or _load(key, files)
        if graph is None:
            disk_checked.set()
            with shared.build_lock:
                graph = shared.known() or (_load(key, files) if shared.is_saved else None)
                graph = graph or _build(key, vectors, files, shared)
                shared.graph = weakref.ref(graph)
        shared.graph = weakref.ref(graph)
        index = wanted_by()
        if index is not None:
            index.graph = graph
    except _UnwantedError:
        pass
    except Exception as error:
        warnings.warn(
            f"the index of similar images cannot be built: {error}; each search looks at all "
            f"{len(vectors)} images instead",
            stacklevel=2,
        )
    finally:
        disk_checked.set()


def _load(key: str, files: GraphFiles | None) -> SharedGraph | None:
    """Return a graph from disk; None where there is none."""
    return None if files is None else files.load(key)


def _build(key: str, vectors: Vectors, files: GraphFiles | None, shared: _Shared) -> SharedGraph:
    """Build a graph and save it; raise if no index needs it any more."""

    def check_wanted(_done: int, _total: int) -> None:
        if _exiting.is_set() or not shared.wanted_by:
            raise _UnwantedError

    check_wanted(0, len(vectors))
    graph = SharedGraph.build(vectors, on_block=check_wanted)
    if files is not None:
        graph = files.save(key, graph)
        shared.is_saved = True
    return graph


def _lower_priority() -> None:
    """Lower the priority of this thread, in favour of the user's own work."""
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)


@atexit.register
def _stop_threads() -> None:
    # A thread that the interpreter kills inside USearch would crash the process.
    _exiting.set()
    for thread in list(_threads):
        thread.join(10)
