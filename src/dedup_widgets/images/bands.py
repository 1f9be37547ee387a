"""Bands of a TIFF that are neither colour nor alpha, such as near infrared or a spot colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from dedup_widgets.images.pillow import open_image, oriented

_SAMPLES_PER_PIXEL_TAG = 277


_WITH_ONE_MORE = {
    "LX": ("LA", "LA"),
    "PX": ("LA", "LA"),
    "RGBX": ("RGBX", "RGBX"),
    "RGBXX": ("RGBA", "RGBAX"),
    "RGBXXX": ("RGBA", "RGBAXX"),
    "RGBX;16L": ("RGBX", "RGBX;16L"),
    "RGBX;16B": ("RGBX", "RGBX;16B"),
    "RGBX;16N": ("RGBX", "RGBX;16N"),
}
"""By Pillow's raw mode that skips bands: a mode and a raw mode that deliver the first of them."""


def further_bands(image: ImageFile.ImageFile) -> int:
    """Return how many bands of the present page Pillow leaves out; 0 for other formats."""
    if image.format != "TIFF":
        return 0
    samples = image.tag_v2.get(_SAMPLES_PER_PIXEL_TAG, 1)  # type: ignore[attr-defined]
    return max(0, int(samples) - len(image.getbands()))


def first_further_band(data: bytes, page: int) -> NDArray[np.uint8] | None:
    """Return the first band of a TIFF page that Pillow leaves out, the right way up.

    Returns
    -------
    NDArray[np.uint8] or None
        (height, width), of a deeper band its high bytes; None if Pillow cannot deliver it.
    """
    image = open_image(data, "TIFF", page)
    raw_modes = {tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in image.tile}
    mode, raw_mode = _WITH_ONE_MORE.get(str(raw_modes.pop()), (None, None))
    if raw_modes or mode is None or raw_mode is None:
        return None
    image._mode = mode
    image.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in image.tile
    ]
    return np.array(oriented(image))[..., -1]
