"""The number of processor cores, threads that keep them busy, and interrupts.

torch spreads each operation over the cores by threads of its own, which wait for each other in a
busy loop after every operation: while other threads decode pictures, that wastes cores. Threads
that each compute whole pictures never wait, and their results do not depend on how many there are.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Item = TypeVar("Item")


Result = TypeVar("Result")


_SECONDS_BETWEEN_LOOKS = 0.5
"""Time after which a wait for a result asks whether the work is to go on."""


_lease: int | None = None


def lease(cores: int) -> None:
    """Let this process use so many processor cores, and not all that it sees."""
    global _lease
    _lease = cores


def processors() -> int:
    """Return how many processor cores this process may use."""
    if _lease is not None:
        return _lease
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def single_core_threads(count: int) -> ThreadPoolExecutor:
    """Return a pool of threads in which torch uses no other thread."""
    return ThreadPoolExecutor(
        count, thread_name_prefix="dedup-widgets", initializer=_stay_on_one_core
    )


def _stay_on_one_core() -> None:
    """Make torch use no other thread in the calling thread."""
    import torch
    from threadpoolctl import threadpool_limits

    # Asked first in a thread, torch sets its own number there, and would undo the limit later.
    torch.get_num_threads()
    threadpool_limits(1, user_api="openmp")


def in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
    ask: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Map over items in threads, in order, with at most ``ahead`` results waiting in memory.

    While it waits, `ask` may raise.

    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(pool, len, ["a", "bc"], ahead=1))
    [1, 2]
    """
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield _result(waiting.popleft(), ask)
    while waiting:
        yield _result(waiting.popleft(), ask)


def _result(future: "Future[Result]", ask: Callable[[], None]) -> Result:
    while not wait([future], _SECONDS_BETWEEN_LOOKS).done:
        ask()
    return future.result()


@contextmanager
def whole() -> Iterator[None]:
    """Let Ctrl-C wait until the end, so that what is done inside is done whole or not at all."""
    before = signal.getsignal(signal.SIGINT)
    # Python interrupts the main thread only, and only there may this be set.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            before(*pressed[0])
