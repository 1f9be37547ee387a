"""The vectors nearest to a query, from a USearch graph where there are many."""

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
from dedup_widgets.search.scan import COPIED, Scan
from dedup_widgets.search.shared_graph import SharedGraph

SPARE = 48
"""Nodes that a graph is asked for beyond k: it orders them by rounded vectors."""


MOST_ASKED = 1000
"""Neighbours for which a graph is asked, at most: the time that it takes grows with them."""


PATIENCE = 5.0
"""Seconds that a search waits at most to hear whether its graph was saved.

Of 1,000,000 vectors one hears after about two. To look at all of them takes as long, the first
time: torch has to be loaded.
"""


_NOBODY = np.empty(0, np.int64)


Answer = tuple[NDArray[np.int64], NDArray[np.float32]]


Scored = tuple[NDArray[np.int64], NDArray[np.float64]]


class VectorIndex:
    """The vectors nearest to a query, for similar-items.

    Distances are exact and rows at the same distance come in row order. Below `hnsw_from`
    vectors a search looks at all of them: nothing is ever missed and nothing is built. From there
    on it asks a USearch graph, which a thread of low priority loads or builds from the first
    search on; until it is there, searches look at all vectors.

    A graph may miss neighbours: of the nearest 12 in 1,000 clusters of 100, less than 1 in 1,000;
    in 10,000 clusters that have nothing in common, 1 in 10; more among thousands that are nearly
    equal. Equal vectors share one node, so all of them are found. A row that does not find itself
    is searched for longer.

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
        The store beside which the graph is kept, in a folder ``<its name>.similar``, about
        1.2 KB a vector; None: in memory only. It is mapped from its file, after a check of all
        its bytes, and built again when it is damaged or the vectors are others.

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
        self, vectors: Any, *, hnsw_from: int | None = None, beside: Path | None = None
    ) -> None:
        self._vectors = Vectors(vectors)
        self._stored = self._vectors._matrix
        self._scan = Scan(self._vectors, self._stored)
        if hnsw_from is None:
            self._uses_graph = self._stored.size > COPIED
        else:
            self._uses_graph = len(self) >= hnsw_from
        self._files = None if beside is None else GraphFiles(beside)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._looked = threading.Event()
        self._graph: SharedGraph | None = None

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

    def beside_row(self, row: int, k: int, known: NDArray[np.int64] = _NOBODY) -> Answer:
        """Return the rows nearest to a row, itself left out; otherwise like :meth:`search`.

        Parameters
        ----------
        row
            Its number.
        k
            How many rows.
        known
            Rows known to be near, which no graph shall miss.
        """
        known = np.append(known, row)
        rows, distances = self._nearest(self._vectors.unit([row]), k + 1, known)
        others = rows != row
        return rows[others][:k], distances[others][:k]

    def is_ready(self, timeout: float | None = 0) -> bool:
        """Tell whether searches are as fast as they will be; begin to make them so if not.

        Parameters
        ----------
        timeout
            Seconds to wait for it; None: until it is done or has failed.
        """
        thread = self._begin()
        if thread is None:
            return True
        thread.join(timeout)
        return self._graph is not None

    def _begin(self) -> threading.Thread | None:
        """Return the thread that provides the graph; None where none is used."""
        if not self._uses_graph:
            return None
        with self._lock:
            if self._thread is None:
                self._thread = _start(self)
        return self._thread

    def _nearest(
        self, unit: NDArray[np.float32], k: int, known: NDArray[np.int64] = _NOBODY
    ) -> Answer:
        if k < 0:
            raise InputError(f"k is {k}; it must be 0 or more")
        k = min(k, len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        graph = self._graph_at_hand() if k <= MOST_ASKED else None
        found = None if graph is None else self._ask(graph, unit, k, known)
        rows, cosine = self._look_at_all(unit, k) if found is None else found
        order = np.lexsort((rows, -cosine))[:k]
        return rows[order], np.clip(1.0 - cosine[order], 0.0, 1.0).astype(np.float32)

    def _graph_at_hand(self) -> SharedGraph | None:
        """Return the graph, if it is there or about to be."""
        if self._begin() is None:
            return None
        if not self._looked.is_set() and self._files is not None and self._files.has_any():
            self._looked.wait(PATIENCE)
        return self._graph

    def _look_at_all(self, unit: NDArray[np.float32], k: int) -> Scored:
        rows = self._scan.candidates(unit[0], k)
        return rows, np.concatenate(
            [cosines(unit, self._vectors.unit(rows[part]))[0] for part in parts(len(rows))]
        )

    def _ask(
        self, graph: SharedGraph, unit: NDArray[np.float32], k: int, known: NDArray[np.int64]
    ) -> Scored | None:
        """Return what a graph finds, and what is known; None where it is seen to miss something.

        A row that does not find itself may have lost others too. Asking for more finds it.
        """
        for wanted in (k + SPARE, k + MOST_ASKED):
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


# Graphs in the making


@dataclass(eq=False)
class _Shared:
    """What the indexes of one content share, so that one of them builds and all have it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    wanted_by: "weakref.WeakSet[VectorIndex]" = field(default_factory=weakref.WeakSet)
    graph: "weakref.ref[SharedGraph] | None" = None
    is_saved: bool = False

    def known(self) -> SharedGraph | None:
        """Return the graph if any index still has it."""
        return None if self.graph is None else self.graph()


class _UnwantedError(Exception):
    """All who wanted a graph are gone."""


_shared: dict[tuple[str, Path | None], _Shared] = {}


_threads: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


_leaving = threading.Event()


def _start(index: VectorIndex) -> threading.Thread:
    thread = threading.Thread(
        target=_provide,
        args=(weakref.ref(index), index._vectors, index._stored, index._files, index._looked),
        name="dedup-widgets index",
        daemon=True,
    )
    _threads.add(thread)
    thread.start()
    return thread


def _provide(
    wanted_by: "weakref.ref[VectorIndex]",
    vectors: Vectors,
    stored: NDArray[np.generic],
    files: GraphFiles | None,
    looked: threading.Event,
) -> None:
    """Hand an index its graph: one that this process has, or that lies on disk, or a new one.

    The thread holds no reference to the index: when nobody wants the graph any more, it stops.
    """
    _yield_to_others()
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
            looked.set()
            with shared.turn:
                graph = shared.known() or (_load(key, files) if shared.is_saved else None)
                graph = graph or _build(key, vectors, files, shared)
                shared.graph = weakref.ref(graph)
        shared.graph = weakref.ref(graph)
        index = wanted_by()
        if index is not None:
            index._graph = graph
    except _UnwantedError:
        pass
    except Exception as error:
        warnings.warn(
            f"the index of similar images cannot be built: {error}; each search looks at all "
            f"{len(vectors)} images instead",
            stacklevel=2,
        )
    finally:
        looked.set()


def _load(key: str, files: GraphFiles | None) -> SharedGraph | None:
    return None if files is None else files.load(key)


def _build(key: str, vectors: Vectors, files: GraphFiles | None, shared: _Shared) -> SharedGraph:
    def go_on(_done: int, _total: int) -> None:
        if _leaving.is_set() or not shared.wanted_by:
            raise _UnwantedError

    go_on(0, len(vectors))
    graph = SharedGraph.build(vectors, told=go_on)
    if files is not None:
        graph = files.save(key, graph)
        shared.is_saved = True
    return graph


def _yield_to_others() -> None:
    """Lower the priority of this thread: what the user does meanwhile goes first."""
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)


@atexit.register
def _stop() -> None:
    # A thread that the interpreter kills inside of USearch would take the process down with it.
    _leaving.set()
    for thread in list(_threads):
        thread.join(10)
