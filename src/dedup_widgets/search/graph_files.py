"""Graphs kept in a folder beside the cache, one file each, named after the hash of its vectors."""

import os
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.search.shared_graph import DamagedError, SharedGraph, digest

MAX_FILES = 4
"""Graphs that are kept in a folder, at most."""


MAX_TOTAL_BYTES = 8 * 2**30
"""Bytes of all graphs in a folder, at most."""


ABANDONED_SECONDS = 3600.0
"""Seconds after which an unfinished file counts as abandoned: writing takes a few."""


_FORMAT = 1


def graph_key(matrix: NDArray[np.generic]) -> str:
    """Return the name of the graph of some vectors: a hash of them and of the USearch version."""
    from usearch import __version__

    what = f"{_FORMAT} {__version__} {matrix.dtype.str} {matrix.shape}".encode()
    whole = np.frombuffer(what + digest(matrix), np.uint8)
    return digest(whole).hex()[:32]


class GraphFiles:
    """The graphs beside a cache. Nothing here raises for a disk that is full or cannot be written.

    The least recently used files are removed when there are more than :data:`MAX_FILES`, or
    more than `max_bytes` of them. Several processes may use one folder.

    Parameters
    ----------
    cache
        Path of the cache; the folder is called like it, with ``.similar`` at the end.
    max_bytes
        What all files may take.
    """

    def __init__(self, cache: Path, *, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._max_bytes = max_bytes
        self.folder = cache.with_name(f"{cache.stem}.similar")

    def path(self, key: str) -> Path:
        """Return the path of a graph's file, whether it exists or not."""
        return self.folder / f"{key}.usearch"

    def has_any(self) -> bool:
        """Tell whether there is any graph."""
        return any(self.folder.glob("*.usearch"))

    def load(self, key: str) -> SharedGraph | None:
        """Map a graph; None where there is none, or where its file is damaged."""
        path = self.path(key)
        try:
            graph = SharedGraph.read(path, key.encode())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, DamagedError) as error:
            warnings.warn(
                f"the index of similar images {path} cannot be used: {error}; it is built anew",
                stacklevel=2,
            )
            return None
        with suppress(OSError):
            os.utime(path)
        return graph

    def save(self, key: str, graph: SharedGraph) -> SharedGraph:
        """Write a graph under another name, then rename it; return it as mapped from the file.

        Where that fails, a warning says so, and the graph in memory is returned.
        """
        path = self.path(key)
        unfinished: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._tidy(keep=path)
            handle, name = tempfile.mkstemp(".tmp", "", self.folder)
            os.close(handle)
            unfinished = Path(name)
            graph.write(unfinished, key.encode())
            self._rename(unfinished, path, key)
            return SharedGraph.read(path, key.encode())
        except (OSError, DamagedError) as error:
            warnings.warn(
                f"the index of similar images cannot be kept in {self.folder}: {error}; it stays "
                "in memory, and is built again the next time; make room there, or pass store=… "
                "with a file in a folder that can be written",
                stacklevel=2,
            )
            return graph
        finally:
            if unfinished is not None:
                with suppress(OSError):
                    unfinished.unlink(missing_ok=True)

    def _rename(self, unfinished: Path, path: Path, key: str) -> None:
        """Give a finished file its name, unless another process has just done so."""
        try:
            unfinished.replace(path)
        except PermissionError:
            # Windows does not replace a file that is mapped: it may be the same graph.
            if not path.exists():
                raise
            SharedGraph.read(path, key.encode())

    def _tidy(self, keep: Path) -> None:
        """Remove the least recently used files, and those that a killed process left unfinished."""
        known = []
        for path in self.folder.iterdir():
            with suppress(OSError):
                facts = path.stat()
                if path.suffix == ".usearch" and path != keep:
                    known.append((facts.st_mtime, facts.st_size, path))
                elif path.suffix == ".tmp" and facts.st_mtime < time.time() - ABANDONED_SECONDS:
                    path.unlink()
        total = 0
        for count, (_, size, path) in enumerate(sorted(known, reverse=True), start=2):
            total += size
            if count > MAX_FILES or total > self._max_bytes:
                with suppress(OSError):  # Windows: still mapped
                    path.unlink()
