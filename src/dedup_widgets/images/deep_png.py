"""PNGs of 16 bits a colour, decoded once.

Pillow delivers 8 bits of each sample, so it would have to decode such a file twice. OpenCV
delivers all 16. It sees nothing of the file but the pixels: what lies beside them is Pillow's.
"""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dedup_widgets.images.pillow import turn_of

_Turn = Image.Transpose

_UPRIGHT: dict[_Turn, Callable[[NDArray[np.uint16]], NDArray[np.uint16]]] = {
    _Turn.FLIP_LEFT_RIGHT: lambda pixels: pixels[:, ::-1],
    _Turn.FLIP_TOP_BOTTOM: lambda pixels: pixels[::-1],
    _Turn.ROTATE_180: lambda pixels: pixels[::-1, ::-1],
    _Turn.ROTATE_90: np.rot90,
    _Turn.ROTATE_270: lambda pixels: np.rot90(pixels, 3),
    _Turn.TRANSPOSE: lambda pixels: pixels.swapaxes(0, 1),
    _Turn.TRANSVERSE: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
}


def deep_png(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint16] | None:
    """Return the pixels of a PNG of 16 bits a colour, the right way up.

    Parameters
    ----------
    image
        The file as Pillow opened it, not decoded yet. It then has what follows the pixels in the
        file, such as texts and EXIF data, and no pixels.
    data
        Its content.

    Returns
    -------
    NDArray[np.uint16] or None
        (height, width, 3 or 4). None where OpenCV does not read the whole picture, or the file has
        several; the file is then open as it was.
    """
    import cv2

    alone = None if getattr(image, "is_animated", False) else _pixels_alone(data)
    if alone is None:
        return None
    try:
        pixels = cv2.imdecode(alone, cv2.IMREAD_UNCHANGED)
    except cv2.error:  # such as sides of more than a million pixels
        return None
    bands = len(image.getbands())
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape != (*image.size[::-1], bands):
        return None
    to_rgb = cv2.COLOR_BGR2RGB if bands == 3 else cv2.COLOR_BGRA2RGBA
    samples = np.asarray(cv2.cvtColor(pixels, to_rgb, dst=pixels), np.uint16)
    image.load_prepare()
    image.load_end()
    image.tile = []
    turn = turn_of(image)
    return samples if turn is None else _UPRIGHT[turn](samples)


def _pixels_alone(data: bytes) -> NDArray[np.uint8] | None:
    """Return a PNG of nothing but the head and the pixels of another; None if that is damaged.

    OpenCV would print what it finds damaged past Python, and so into the notebook.
    """
    view, at, kind, kept = memoryview(data), 8, b"", [data[:8]]
    while kind != b"IEND" and at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
                return None
            kept.append(data[at:end])
        at = end
    return np.frombuffer(b"".join(kept), np.uint8) if kind == b"IEND" else None
