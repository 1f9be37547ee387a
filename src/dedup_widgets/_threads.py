"""The number of processor cores, and threads that run a network on one core each.

torch spreads each operation over the cores by threads of its own, which wait for each other in a
busy loop after every operation: while other threads decode pictures, that wastes cores. Threads
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
    """Make torch use no other thread in the calling thread."""
    import torch

    # torch sets the number for the calling thread, and the default for all later threads. A thread
    # that ends at once restores this default, without changing the calling thread.
    with _lock:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        other = threading.Thread(target=torch.set_num_threads, args=(before,))
        other.start()
        other.join()
