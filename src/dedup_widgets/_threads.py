"""The number of processor cores, and threads that run a network on one core each.

torch spreads each operation over the cores by threads of its own, which wait for each other in a
busy loop after every operation: while other threads decode pictures, that wastes cores. Threads
that each compute whole pictures never wait, and their results do not depend on how many there are.
"""

import os
from concurrent.futures import ThreadPoolExecutor


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
    from threadpoolctl import threadpool_limits

    # Asked first in a thread, torch sets its own number there, and would undo the limit later.
    torch.get_num_threads()
    threadpool_limits(1, user_api="openmp")
