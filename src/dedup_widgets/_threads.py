"""How many cores there are, and threads that run a network on one each.

torch spreads each operation over the cores by threads of its own, which wait for each other
busily after every one: beside threads that decode pictures, cores are lost to the waiting. Threads
that each compute whole pictures never wait, and their results do not depend on how many there are.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

_lock = threading.Lock()


def processors() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def single_core_threads(count: int) -> ThreadPoolExecutor:
    """Return a pool of threads in which torch uses no other thread."""
    return ThreadPoolExecutor(
        count, thread_name_prefix="dedup-widgets", initializer=_stay_on_one_core
    )


def _stay_on_one_core() -> None:
    import torch

    # torch sets the number for the calling thread and, for those to come, for all. A thread that
    # ends at once puts the latter back, and leaves the former.
    with _lock:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        other = threading.Thread(target=torch.set_num_threads, args=(before,))
        other.start()
        other.join()
