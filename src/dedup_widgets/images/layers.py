"""What of a picture its thumbnail does not show, and a comparison with another picture needs.

Of a page, a slide or a screen it is the text, which a thumbnail is too small for; of a picture with
transparency, what lies under white; and of files with several frames, pages or bands, all but the
first.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.images.quality import tones

Kind = Literal["page", "alpha", "frame", "band"]
"""``page``: the first frame, large enough for its text; ``alpha``: its transparency; ``frame``:
another frame of an animation or page of a document; ``band``: a band beyond red, green, blue."""


PAGE_SIDE = 640
"""Longest side in pixels at which a line of small print on a page can still be told from others."""


FRAME_SIDE = 64
"""Longest side in pixels of a layer that is not like a page."""


PAGE_SHARE, PAGE_TONES = 0.55, 7
"""A picture is like a page if this share of its pixels lies within so many grey levels, either
way, of the commonest one."""


JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Layer:
    """One grey picture out of a file.

    Attributes
    ----------
    kind : str
        What it shows; see :data:`Kind`.
    pixels : NDArray[np.uint8]
        (height, width), 0 black or transparent to 255 white or opaque; no side is longer than
        `FRAME_SIDE`, or `PAGE_SIDE` if it is like a page.
    """

    kind: Kind
    pixels: NDArray[np.uint8]


def is_like_a_page(grey: NDArray[np.uint8]) -> bool:
    """Tell whether a grey picture is mostly of one tone, as pages, slides and screens are.

    >>> is_like_a_page(np.full((20, 20), 255, np.uint8)), is_like_a_page(np.eye(9, dtype=np.uint8))
    (True, True)
    >>> is_like_a_page(np.arange(256, dtype=np.uint8).reshape(16, 16))
    False
    """
    return has_tones_of_a_page(tones(grey))


def has_tones_of_a_page(counts: Sequence[int]) -> bool:
    """Tell from the number of pixels of each of 256 grey levels what `is_like_a_page` tells."""
    tone = max(range(len(counts)), key=counts.__getitem__)
    near = sum(counts[max(0, tone - PAGE_TONES) : tone + PAGE_TONES + 1])
    return near >= PAGE_SHARE * sum(counts)


def layer(kind: Kind, picture: Image.Image) -> Layer:
    """Shrink a picture of mode L to what is kept of it."""
    small = _shrunk(picture, PAGE_SIDE)
    if kind != "page" and not is_like_a_page(np.asarray(small)):
        small = _shrunk(small, FRAME_SIDE)
    return Layer(kind, np.asarray(small))


def to_bytes(layers: Iterable[Layer]) -> bytes:
    """Return layers as bytes; none for no layers."""
    packed = [(kept.kind, _jpeg(kept.pixels)) for kept in layers]
    return msgspec.msgpack.encode(packed) if packed else b""


def from_bytes(data: bytes) -> tuple[Layer, ...]:
    """Return the layers of :func:`to_bytes`."""
    if not data:
        return ()
    packed = msgspec.msgpack.decode(data, type=list[tuple[str, bytes]])
    assert all(kind in get_args(Kind) for kind, _ in packed)
    return tuple(Layer(kind, _pixels(jpeg)) for kind, jpeg in packed)  # type: ignore[arg-type]


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _pixels(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)))
