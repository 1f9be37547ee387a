"""Laying pictures over each other on all processor cores.

That is many small steps of numpy and OpenCV, between which threads of one process wait for each
other: two of them are hardly faster than one. So where there is enough to compare, processes do it.
They are children by `subprocess`, with a pipe each: nothing of the caller's program is imported in
them, and no semaphore, shared memory or further process is needed.
"""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from multiprocessing.spawn import get_executable
from os import environ, fsdecode, pathsep
from queue import SimpleQueue
from threading import Lock
from typing import IO, Any, Self, cast

import msgspec
import numpy as np

from dedup_widgets._threads import in_order
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.alignment.worker import (
    Chunk,
    Stored,
    compare,
    pictures_made_once,
    received,
    send,
)
from dedup_widgets.images.budget import ByteBudget
from dedup_widgets.scoring.verify import connected

PICTURES_AT_A_TIME = 1024
"""Pictures that are held at a time: about a quarter of a megabyte each."""


PAIRS_A_PROCESS = 64
"""Pairs for which a process is worth its start, which takes as long as comparing twenty."""


BYTES_A_PROCESS = 110_000_000
"""Memory that a process takes, as measured: half of it for numpy and OpenCV."""


CHUNK_PAIRS, MOST_CHUNK_PAIRS = 16, 32
"""Pairs from which on a chunk is closed at the end of a set, and at the latest: some tenths of a
second."""


_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Settings by which a library below numpy computes in one thread."""


Pair = tuple[str, str]
"""The names of two pictures."""


Part = tuple[Mapping[str, Stored], Sequence[Pair]]
"""Pictures by name, and pairs of them."""


class Worker:
    """A process that compares.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_python(), "-P", "-m", "dedup_widgets.alignment.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Where it fails this process does its work, and tells of what is wrong.
            stderr=subprocess.DEVNULL,
            env=environ | _ONE_THREAD | {"PYTHONPATH": pathsep.join(filter(None, sys.path))},
            **_apart(),
        )
        self._asked = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def compare(self, chunk: Chunk) -> list[Evidence]:
        """Return the evidence of its pairs.

        Raises
        ------
        OSError, EOFError
            If the process has ended.
        """
        send(self._asked, chunk)
        return msgspec.msgpack.decode(received(self._answers), type=list[Evidence])

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """Wait for its end; nobody may use it any more."""
        with suppress(OSError), self._process:
            pass


class PictureWorkers:
    """Compares pictures in this process, or in others where there is enough to do.

    The others live until the context ends, and not longer: a notebook may be open for days. One
    that cannot be started or dies costs time only, as this process does its work.

    Parameters
    ----------
    most
        Processes at a time.

    Attributes
    ----------
    workers : list of Worker
        Those that were started.
    """

    def __init__(self, most: int) -> None:
        self.workers: list[Worker] = []
        self._most = most
        self._idle = SimpleQueue[Worker]()
        self._threads = ThreadPoolExecutor(most, "dedup-widgets")
        self._picture = pictures_made_once(PICTURES_AT_A_TIME)
        self._here = Lock()
        self._has_ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended = True
        for worker in self.workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self.workers:
            worker.close()

    def compare(self, parts: Iterable[Part], count: int) -> Iterator[tuple[Pair, Evidence]]:
        """Compare pairs of pictures.

        Parameters
        ----------
        parts
            Are taken one at a time, the next one when the last one is nearly done.
        count
            Pairs in all.

        Yields
        ------
        tuple
            The pairs of each part and what was found, those that share pictures together.
        """
        self._start(count)
        chunks = ((pairs, _chunk(part, pairs)) for part, them in parts for pairs in cut(them))
        if self.workers:
            ahead = 2 * len(self.workers)
            for pairs, found in in_order(self._threads, self._by_worker, chunks, ahead):
                yield from zip(pairs, found, strict=True)
        else:
            for pairs, chunk in chunks:
                yield from zip(pairs, compare(chunk, self._picture), strict=True)

    def _start(self, count: int) -> None:
        """Start as many processes as so many pairs are worth, unless they run already.

        They take no more memory than decoding may, which is over by now.
        """
        room = ByteBudget().limit // BYTES_A_PROCESS
        wanted = min(self._most, count // PAIRS_A_PROCESS, room)
        if wanted < 2:
            return
        try:
            for _ in range(len(self.workers), wanted):
                self.workers.append(Worker())
                self._idle.put(self.workers[-1])
        except OSError:
            self._most = len(self.workers)

    def _by_worker(self, job: tuple[list[Pair], Chunk]) -> tuple[list[Pair], list[Evidence]]:
        pairs, chunk = job
        worker = self._idle.get()
        try:
            return pairs, worker.compare(chunk)
        except (OSError, EOFError, msgspec.MsgspecError):
            return pairs, list(self._by_itself(chunk))
        finally:
            self._idle.put(worker)

    def _by_itself(self, chunk: Chunk) -> Iterator[Evidence]:
        """Compare in this process, in one thread at a time."""
        with self._here:
            for evidence in compare(chunk, self._picture):
                if self._has_ended:
                    return
                yield evidence


def sets_of(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Return pairs by the sets of pictures that they connect.

    >>> sets_of([("a", "b"), ("c", "d"), ("b", "e")])
    [[('a', 'b'), ('b', 'e')], [('c', 'd')]]
    """
    number: dict[str, int] = {}
    for name in chain.from_iterable(pairs):
        number.setdefault(name, len(number))
    both = np.array([(number[a], number[b]) for a, b in pairs], np.int32).reshape(-1, 2)
    _, first = connected(both)
    sets = defaultdict[int, list[Pair]](list)
    for pair, its in zip(pairs, first[both[:, 0]].tolist(), strict=True):
        sets[its].append(pair)
    return [*sets.values()]


def cut(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Cut pairs into chunks, those that share pictures together, as what is computed of them is."""
    chunk: list[Pair] = []
    for its in sets_of(pairs):
        for start in range(0, len(its), MOST_CHUNK_PAIRS):
            chunk += its[start : start + MOST_CHUNK_PAIRS]
            if len(chunk) >= CHUNK_PAIRS:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _chunk(pictures: Mapping[str, Stored], pairs: Sequence[Pair]) -> Chunk:
    place = {name: at for at, name in enumerate(dict.fromkeys(chain.from_iterable(pairs)))}
    return Chunk([pictures[name] for name in place], [(place[a], place[b]) for a, b in pairs])


def _apart() -> dict[str, Any]:
    """Return the options of a process that Ctrl-C does not reach: who started it ends it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"process_group": 0}


def _python() -> str:
    """Return the interpreter of new processes, as programs that embed Python set it."""
    found = get_executable()
    if not found or getattr(sys, "frozen", False):
        raise OSError("there is no interpreter beside this program")
    return fsdecode(found)
