"""Large pictures for the screen, decoded when they are asked for; parts of them without again."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from dedup_widgets._paths import absolute
from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import shown
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.source import SourceFor, source_for
from dedup_widgets.images.thumbnail import large

MAX_SIDE = 2_048
"""Pixels of the longest side that is sent in one piece."""


KEPT_PIXELS = 40_000_000
"""Decoded pixels that are kept for further parts: three bytes each. One picture is kept anyway."""


Box = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of a picture."""


@dataclass(frozen=True, slots=True)
class LargePicture:
    """A picture, or a part of it, as it is sent.

    Attributes
    ----------
    jpeg : bytes
        The file.
    size : tuple of 2 ints
        Width and height of the whole picture in pixels.
    box : tuple of 4 floats
        What of it the file shows.
    """

    jpeg: bytes
    size: tuple[int, int]
    box: Box


class PictureLoader:
    """Loads large pictures; may be used from several threads.

    Parameters
    ----------
    source_for
        What chooses the source of a path.
    """

    def __init__(self, source_for: SourceFor = source_for) -> None:
        self._source_for = source_for
        self._kept: OrderedDict[Entry, Image.Image] = OrderedDict()
        self._lock = threading.Lock()

    def load(
        self, path: str, side: int, box: Box | None, check: Callable[[], None] = lambda: None
    ) -> LargePicture:
        """Return a picture of at most `side` pixels, or a part of one.

        Parameters
        ----------
        path
            An image file.
        side
            The longest side in pixels; more than `MAX_SIDE` count as that.
        box
            The part to show; the whole if None.
        check
            Called between reading, decoding and writing; raises when nobody waits any more.

        Raises
        ------
        ImageError
            When the file cannot be read; the text names it.
        """
        path = absolute(path)
        entry, rgb = self._known(path)
        if rgb is None:
            with Files(self._source_for).reading([entry]) as readings:
                entry, data = next(readings)()
            check()
            rgb = shown(data)
            check()
        if box is not None:
            self._keep(entry, rgb)
        cut = None if box is None else _pixels(box, rgb.size)
        width, height = rgb.size
        jpeg = large(rgb, max(1, min(side, MAX_SIDE)), cut)
        left, top, right, bottom = cut or (0, 0, width, height)
        return LargePicture(
            jpeg, rgb.size, (left / width, top / height, right / width, bottom / height)
        )

    def _known(self, path: str) -> tuple[Entry, Image.Image | None]:
        """Return what is known of a file, and its picture if that is kept and the file is as then.

        A file elsewhere is looked up only for that.
        """
        files = Files(self._source_for)
        with self._lock:
            of_use = {it.path for it in self._kept}
        (entry,) = files.look_up([path], remembered=of_use)
        if isinstance(entry, ImageError):
            raise entry
        with self._lock:
            return entry, self._kept.get(entry)

    def _keep(self, entry: Entry, rgb: Image.Image) -> None:
        """Keep a picture of which one looks at parts, and forget those not looked at of late."""
        with self._lock:
            self._kept[entry] = rgb
            self._kept.move_to_end(entry)
            while len(self._kept) > 1 and self._pixels_kept() > KEPT_PIXELS:
                self._kept.popitem(last=False)

    def _pixels_kept(self) -> int:
        return sum(rgb.width * rgb.height for rgb in self._kept.values())


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a box in whole pixels inside the picture, at least one each way.

    >>> _pixels((0.5, -1, 2, 0.5), (100, 50))
    (50, 0, 100, 25)
    """
    (width, height), (left, top, right, bottom) = size, box
    x, y = (min(max(0, int(at * n)), n - 1) for at, n in ((left, width), (top, height)))
    return (
        x,
        y,
        min(width, max(x + 1, math.ceil(right * width))),
        min(height, max(y + 1, math.ceil(bottom * height))),
    )
