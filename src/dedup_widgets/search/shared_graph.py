"""USearch graphs with one node for all equal vectors, in memory or mapped from a file."""

import hashlib
import os
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.neighbors.hnsw import OnBlock, build_graph
from dedup_widgets.neighbors.vectors import Vectors, first_equal, parts
from dedup_widgets.store.seal import is_sealed, seal

EXPANSION_SEARCH = 256
"""Candidates that a search of a :class:`SharedGraph` holds (ef in the literature on HNSW).

In 10,000 clusters of 100 vectors, 128 found 83 % of the nearest 12 in 4 ms, 256 88 % in 7, and
512 91 % in 15.
"""


_MAGIC = b"dedup-widgets 2\n"


_TRAILER = struct.Struct("<QQQ32s16s32s")
"""Bytes of the graph, number of rows, number of nodes, key, magic, seal: USearch believes all it
reads, so a twisted file could end the process."""


PIECE_BYTES = 2**22
"""Bytes that one thread hashes at a time."""


class DamagedError(Exception):
    """A file does not hold the graph that it should hold."""


class SharedGraph:
    """A graph with one node for all equal vectors: many equal nodes would damage the graph.

    Parameters
    ----------
    graph
        A USearch index; its keys are the numbers of nodes.
    rows
        All n rows, those of a node together, the lowest first.
    end
        Where in `rows` each node ends.
    """

    def __init__(self, graph: Any, rows: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        # Keep this order: attributes are freed in order, and the graph may map the file that backs
        # the arrays.
        self._graph = graph
        self._graph.expansion_search = EXPANSION_SEARCH
        self._rows, self._end = rows, end
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self._end)

    @property
    def memory_usage(self) -> int:
        """Bytes of memory that the graph takes; of one that is mapped, a small part."""
        return int(self._graph.memory_usage)

    @classmethod
    def build(cls, vectors: Vectors, on_block: OnBlock | None = None) -> "SharedGraph":
        """Build the graph of some vectors.

        It holds them as float16, as embeddings are stored. With 8 bits, half the size, 3,000
        nearly equal pictures find one of eight of their nearest; with bfloat16, six.
        """
        first = first_equal(vectors)
        rows = np.argsort(first, kind="stable")
        nodes, start = np.unique(first[rows], return_index=True)
        graph = build_graph(vectors.take(nodes), dtype="f16", on_block=on_block)
        return cls(graph, rows, np.append(start[1:], len(vectors)))

    def nodes(self, unit: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Return up to `count` nodes nearest to a unit vector, (d,); sometimes fewer."""
        with self._lock:  # concurrent searches would share one buffer of USearch
            found = self._graph.search(unit, min(count, len(self)))
        return np.asarray(found.keys, np.int64)

    def first(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the lowest row of each node."""
        return np.asarray(self._rows[self._start(nodes)])

    def rows(self, nodes: NDArray[np.int64], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the lowest k rows of each node, and the index in `nodes` of each row's node."""
        start = self._start(nodes)
        size = np.minimum(self._end[nodes] - start, k)
        at = np.repeat(np.arange(len(nodes)), size)
        within = np.arange(len(at)) - (np.cumsum(size) - size)[at]
        return np.asarray(self._rows[start[at] + within]), at

    def _start(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(nodes > 0, self._end[nodes - 1], 0)

    def write(self, path: Path, key: bytes) -> None:
        """Write a file that :meth:`read` maps.

        Parameters
        ----------
        path
            The file.
        key
            16 bytes that identify the vectors that the graph was built from.

        Raises
        ------
        OSError
            When the file cannot be written whole.
        """
        try:
            self._graph.save(str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size != self._graph.serialized_length:
                raise OSError(f"only {size} of {self._graph.serialized_length} bytes were written")
            file.write(bytes(-size % 8))
            file.write(np.ascontiguousarray(self._rows).data)
            file.write(np.ascontiguousarray(self._end).data)
            counts = (size, len(self._rows), len(self._end))
            file.write(_TRAILER.pack(*counts, key.ljust(32), _MAGIC, b"")[:-32])
            file.flush()
            file.write(seal(digest(np.memmap(path, np.uint8, "r"))))
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, path: Path, key: bytes) -> "SharedGraph":
        """Map a file into memory, after checking all its bytes.

        Raises
        ------
        DamagedError
            When it is not, to the last bit, what was written for this key.
        OSError
            When it cannot be read.
        """
        from usearch.index import Index

        if path.stat().st_size < _TRAILER.size:
            raise DamagedError("it is too short")
        mapped = np.memmap(path, np.uint8, "r")
        size, n, nodes, its_key, magic, checksum = _TRAILER.unpack(mapped[-_TRAILER.size :].data)
        if magic != _MAGIC or its_key != key.ljust(32):
            raise DamagedError("it is another file, or was cut short")
        if not is_sealed(checksum, digest(mapped[:-32])):
            raise DamagedError("it was changed, or written by another user")
        start = size + -size % 8
        numbers = mapped[start : start + 8 * (n + nodes)].view(np.int64)
        graph = Index.restore(mapped[:size].data, view=True, enable_key_lookups=False)
        return cls(graph, numbers[:n], numbers[n:])


def digest(numbers: NDArray[Any], *, piece: int = PIECE_BYTES) -> bytes:
    """Return a hash, 32 bytes, of the content of an array.

    It is the SHA-256 of the SHA-256 hashes of pieces of so many bytes, which several threads
    compute.
    """
    step = max(1, piece // max(1, numbers[:1].nbytes))

    def of_piece(part: slice) -> bytes:
        return hashlib.sha256(np.ascontiguousarray(numbers[part]).data).digest()

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        pieces = pool.map(of_piece, parts(len(numbers), step))
        return hashlib.sha256(b"".join(pieces)).digest()
