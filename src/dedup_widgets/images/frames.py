"""One frame of a file: its pixels at their own depth for the fingerprint, and as they are shown."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dedup_widgets.images.bands import first_further_band, further_bands
from dedup_widgets.images.colour import in_srgb, on_white
from dedup_widgets.images.depth import (
    as_array,
    bits_per_sample,
    deep_pixels,
    mode_bits,
    strips,
    tone_map,
)
from dedup_widgets.images.layers import Layer, layer
from dedup_widgets.images.pillow import frame_count, oriented


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame.

    Attributes
    ----------
    head : bytes
        Kind and shape of the pixels, which are hashed after it.
    pixels : PIL.Image.Image, NDArray or bytes
        As they are hashed: a picture of 8 bits; an array of deeper samples, where grey of 16 bits
        stands for three equal channels; or what stands in for them.
    shown
        Makes the 8-bit RGB picture, transparent pixels on white.
    alpha : PIL.Image.Image or None
        Mode L; None if it is opaque all over.
    band : NDArray[np.uint8] or None
        (height, width): the first band that is neither colour nor alpha, if there is one.
    """

    head: bytes
    pixels: Image.Image | NDArray[Any] | bytes
    shown: Callable[[], Image.Image]
    alpha: Image.Image | None
    band: NDArray[np.uint8] | None = None

    def parts(self) -> Iterator[bytes]:
        """Yield shape, pixels and further band, to be hashed one after the other.

        Pixels come a few lines at a time: a copy of a whole picture costs more than hashing it.
        """
        yield self.head
        if isinstance(self.pixels, bytes):
            yield self.pixels
        elif isinstance(self.pixels, Image.Image):
            width, height = self.pixels.size
            for top, bottom in strips(height, 4 * width):
                yield self.pixels.crop((0, top, width, bottom)).tobytes()
        else:
            yield from _bytes_of(self.pixels)
        if self.band is not None and not isinstance(self.pixels, bytes):
            yield b"band"
            yield self.band.tobytes()

    def further_layers(self) -> Iterator[Layer]:
        """Yield what the shown picture does not have."""
        if self.alpha is not None:
            yield layer("alpha", self.alpha)
        if self.band is not None:
            yield layer("band", Image.fromarray(self.band))


def read_frame(image: ImageFile.ImageFile, data: bytes, name: str, frames: int) -> Frame:
    """Decode the frame at which an open file stands.

    Parameters
    ----------
    image, data, name
        The file, its bytes, and Pillow's name of its format.
    frames
        How many frames the file has; previews do not count.
    """
    further = further_bands(image)
    band = first_further_band(data, image.tell()) if further else None
    is_too_deep = bits_per_sample(image, data, name) > mode_bits(image.mode)
    deep = deep_pixels(image, data, name) if is_too_deep and frames == 1 else None
    # Of a band that is too deep only the high bytes were read.
    all_read = not is_too_deep and further == 1 and band is not None
    if not further:
        all_read = deep is not None or not is_too_deep
    profile = image.info.get("icc_profile")
    upright = oriented(image)
    if deep is None and mode_bits(upright.mode) > 8:
        deep = as_array(upright)
    # A file of one picture is never decoded again, so that its pixels need no copy.
    is_alone = frame_count(image) == 1
    frame = _frame(upright, profile, is_alone) if deep is None else _deep_frame(deep, profile)
    if not all_read:
        head = b"file " + frame.head.split()[-1]
        return replace(frame, head=head, pixels=hashlib.sha256(data).digest(), band=band)
    return frame if band is None else replace(frame, band=band)


def _frame(upright: Image.Image, profile: bytes | None, is_alone: bool) -> Frame:
    """Return a frame of 8 bits; the picture itself serves as the shown one if it may."""
    if not is_alone and upright.mode == "RGBA":
        upright = upright.copy()
    is_plain = upright.mode == "RGB" and "transparency" not in upright.info
    rgb, rgba = (upright, None) if is_alone and is_plain else on_white(upright)
    kind = "uint8" if rgba is None else "uint8 with alpha"
    return Frame(
        f"{kind} {rgb.height}x{rgb.width}".encode(),
        rgba or rgb,
        shown=lambda: in_srgb(rgb, upright, profile),
        alpha=None if rgba is None else rgba.getchannel("A"),
    )


def _deep_frame(deep: NDArray[Any], profile: bytes | None) -> Frame:
    """Return a frame of 16- or 32-bit pixels, (height, width), or with 3 channels, or with 4."""
    height, width = deep.shape[:2]
    has_alpha = deep.ndim == 3 and deep.shape[2] == 4
    kind = f"{deep.dtype} with alpha" if has_alpha else str(deep.dtype)

    def shown() -> Image.Image:
        mapped = Image.fromarray(tone_map(deep)).convert("RGB")
        return in_srgb(mapped, mapped, profile)

    return Frame(
        f"{kind} {height}x{width}".encode(),
        deep,
        shown,
        alpha=Image.fromarray((deep[..., 3] >> 8).astype(np.uint8)) if has_alpha else None,
    )


def _bytes_of(deep: NDArray[Any]) -> Iterator[bytes]:
    """Yield the bytes of deep pixels, a few lines at a time."""
    is_grey = deep.ndim == 2 and deep.dtype.itemsize == 2
    for top, bottom in strips(len(deep), deep[:1].nbytes * (3 if is_grey else 1)):
        lines = deep[top:bottom]
        yield (np.repeat(lines, 3) if is_grey else lines).tobytes()
