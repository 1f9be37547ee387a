"""Memory that was let go, given back to the machine."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Give back what the allocator of C keeps of arrays that are gone.

    glibc keeps what was freed below what is in use, and takes arrays of up to 32 MB from there.
    Other systems give back by themselves.
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    # Not in musl.
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
