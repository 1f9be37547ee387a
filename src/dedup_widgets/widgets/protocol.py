"""What the kernel and the browser say to each other; ``js/src/protocol.ts`` mirrors it.

The browser asks, the kernel answers: a request is ``{"seq", "client", "kind", …}``, its reply has
the same ``seq`` and ``client`` and either ``"ok": true`` and a result, or ``"ok": false`` and an
``error`` with ``type`` and ``message``. ``seq`` is an integer, and ``client`` names the page, for
replies reach every page that shows the widget. The kernel also tells of events unasked.

An array travels as ``{"dtype", "shape", "buffer"}``, where ``buffer`` numbers one of the binary
buffers of its message.
"""

from enum import StrEnum
from typing import Any

import numpy as np


class Request(StrEnum):
    """What the browser may ask."""

    OPEN = "open"
    """Everything that a view needs to start: scores, kinds, bands, selection, columns."""
    TILES = "tiles"
    """Name, facts and caption of some rows, and their thumbnails if asked for."""
    ORDER = "order"
    """Dense rank of each row in one column."""
    SELECT = "select"
    """Replace the selection."""
    SIMILAR = "similar"
    """The nearest images to a row, with their tiles."""
    COLUMN = "column"
    """What one column holds, to filter by it: numbers, or categories as codes and labels."""
    MATCH = "match"
    """The rows that a clause keeps which the browser cannot evaluate itself."""
    DECIDE = "decide"
    """Change what the plan follows: keepers, not-duplicates, near, keeper rules."""
    UNDO = "undo"
    """Take the last review step back."""
    REDO = "redo"
    """Do the step again that was taken back last."""
    COLLECT = "collect"
    """Keep the selection, or all but the selection, under a name."""
    COLLECTION = "collection"
    """Rename, describe or delete a collection."""
    PREVIEW = "preview"
    """Count what a dataset would hold and cost."""
    CREATE = "create"
    """Write a dataset; tells of its progress."""
    ANALYTICS = "analytics"
    """Make the analytics, whose widget then is in the trait ``_analytics``."""
    CANCEL = "cancel"
    """Forget an earlier request; the only kind without a reply."""
    PING = "ping"
    """Is anybody there?"""


class Event(StrEnum):
    """What the kernel tells unasked."""

    DATA = "data"
    """The frame changed: open again."""
    SELECTION = "selection"
    """The selection changed, by Python or by another page."""
    PLAN = "plan"
    """The plan changed: groups, keepers, kinds, counts; captions are to be asked for anew."""
    REVIEW = "review"
    """What can be undone or redone changed."""
    COLLECTIONS = "collections"
    """Collections were made, changed or deleted."""
    PROGRESS = "progress"
    """How far a long answer is."""


WIRE_DTYPES = ("float32", "float64", "uint32", "uint8")


class Buffers:
    """Collects the binary buffers of one message.

    >>> buffers = Buffers()
    >>> buffers.add(np.array([1, 2], np.uint32))
    {'dtype': 'uint32', 'shape': [2], 'buffer': 0}
    """

    def __init__(self) -> None:
        self.parts: list[memoryview] = []

    def add(self, array: np.ndarray) -> dict[str, Any]:
        """Append an array and return the JSON that stands for it."""
        if array.dtype.name not in WIRE_DTYPES:
            raise TypeError(f"{array.dtype} does not travel; use one of {', '.join(WIRE_DTYPES)}")
        self.parts.append(np.ascontiguousarray(array).data.cast("B"))
        return {
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "buffer": len(self.parts) - 1,
        }


def read_array(wire: Any, buffers: list[Any]) -> np.ndarray:
    """Return the array that a JSON value stands for.

    Raises
    ------
    ValueError
        When the message is not what the protocol says.
    """
    try:
        dtype, shape, buffer = wire["dtype"], wire["shape"], buffers[wire["buffer"]]
        if dtype not in WIRE_DTYPES:
            raise ValueError(f"dtype {dtype!r} does not travel")
        return np.frombuffer(buffer, np.dtype(dtype)).reshape(shape)
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError(f"not an array: {wire!r}") from error


def pack_bits(mask: np.ndarray) -> np.ndarray:
    """Return a mask as a bitset: row i is bit ``i & 7`` of byte ``i >> 3``."""
    return np.packbits(mask, bitorder="little")


def unpack_bits(bits: np.ndarray, rows: int) -> np.ndarray:
    """Return a bitset of ``rows`` rows as a mask."""
    if bits.dtype != np.uint8 or bits.size != (rows + 7) // 8:
        raise ValueError(f"{bits.size} bytes are no bitset of {rows} rows")
    return np.unpackbits(bits, count=rows, bitorder="little").astype(bool)
