"""One frame of a file: its pixels at their own depth for the fingerprint, and as they are shown."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
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
from dedup_widgets.images.pillow import oriented, turn_of
from dedup_widgets.images.turned import Turned


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame.

    Attributes
    ----------
    size : tuple of 2 ints
        Width and height, the right way up.
    head : bytes
        Kind and shape of the pixels, which are hashed after it.
    pixels : Turned, NDArray or bytes
        As they are hashed: a picture of 8 bits; an array of deeper samples, where grey of 16 bits
        stands for three equal channels; or what stands in for them.
    toned
        Makes the 8-bit RGB picture, transparent pixels on white, before its profile is used.
    shown
        Makes the same in sRGB, or of each square block of so many pixels a side the mean.
    alpha : Turned or None
        Mode L; None if it is opaque all over.
    band : NDArray[np.uint8] or None
        (height, width): the first band that is neither colour nor alpha, if there is one.
    """

    size: tuple[int, int]
    head: bytes
    pixels: Turned | NDArray[Any] | bytes
    toned: Callable[[], Turned]
    shown: Callable[[int], Image.Image]
    alpha: Turned | None
    band: NDArray[np.uint8] | None = None

    def parts(self) -> Iterator[bytes]:
        """Yield shape, pixels and further band, to be hashed one after the other."""
        yield self.head
        if isinstance(self.pixels, bytes):
            yield self.pixels
        elif isinstance(self.pixels, Turned):
            yield from self.pixels.lines()
        else:
            yield from _bytes_of(self.pixels)
        if self.band is not None and not isinstance(self.pixels, bytes):
            yield b"band"
            yield self.band.tobytes()

    def further_layers(self) -> Iterator[Layer]:
        """Yield what the shown picture does not have."""
        if self.alpha is not None:
            yield layer("alpha", self.alpha.upright())
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
    turn = turn_of(image)
    if deep is None and mode_bits(image.mode) > 8:
        deep = as_array(oriented(image))
    # Where nothing else of the file is decoded after it, its pixels need no copy.
    is_alone = frames == 1
    frame = _frame(image, turn, profile, is_alone) if deep is None else _deep_frame(deep, profile)
    if not all_read:
        head = b"file " + frame.head.split()[-1]
        return replace(frame, head=head, pixels=hashlib.sha256(data).digest(), band=band)
    return frame if band is None else replace(frame, band=band)


def _frame(
    image: Image.Image, turn: Image.Transpose | None, profile: bytes | None, is_alone: bool
) -> Frame:
    """Return a frame of 8 bits, which changes the picture, or copies it, as little as it may."""
    if not is_alone:
        image = image.copy()
    is_plain = image.mode == "RGB" and "transparency" not in image.info
    rgb, rgba = (image, None) if is_plain else on_white(image)
    kind = "uint8" if rgba is None else "uint8 with alpha"
    pixels = Turned(rgba or rgb, turn)
    width, height = pixels.size

    def shown(factor: int) -> Image.Image:
        picture, original = Turned(rgb, turn).reduced(factor), image
        if profile and image.mode == "CMYK":
            original = Turned(image, turn).reduced(factor).stored
        return replace(picture, stored=in_srgb(picture.stored, original, profile)).upright()

    return Frame(
        pixels.size,
        f"{kind} {height}x{width}".encode(),
        pixels,
        lambda: Turned(rgb, turn),
        shown,
        alpha=None if rgba is None else Turned(rgba.getchannel("A"), turn),
    )


def _deep_frame(deep: NDArray[Any], profile: bytes | None) -> Frame:
    """Return a frame of 16- or 32-bit pixels, (height, width), or with 3 channels, or with 4."""
    height, width = deep.shape[:2]
    has_alpha = deep.ndim == 3 and deep.shape[2] == 4
    kind = f"{deep.dtype} with alpha" if has_alpha else str(deep.dtype)

    @cache
    def toned() -> Turned:
        return Turned(Image.fromarray(tone_map(deep)).convert("RGB"))

    def shown(factor: int) -> Image.Image:
        picture = toned().reduced(factor).stored
        return in_srgb(picture, picture, profile)

    return Frame(
        (width, height),
        f"{kind} {height}x{width}".encode(),
        deep,
        toned,
        shown,
        alpha=Turned(Image.fromarray((deep[..., 3] >> 8).astype(np.uint8))) if has_alpha else None,
    )


def _bytes_of(deep: NDArray[Any]) -> Iterator[bytes]:
    """Yield the bytes of deep pixels, a few lines at a time."""
    is_grey = deep.ndim == 2 and deep.dtype.itemsize == 2
    for top, bottom in strips(len(deep), deep[:1].nbytes * (3 if is_grey else 1)):
        lines = deep[top:bottom]
        yield (np.repeat(lines, 3) if is_grey else lines).tobytes()
