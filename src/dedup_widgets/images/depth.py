"""Pixels at their own bit depth."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dedup_widgets.images.other_formats import bits_of_other, is_other
from dedup_widgets.images.pillow import open_image, oriented

_BITS_PER_SAMPLE_TAG = 258


_PLANAR_TAG = 284


def mode_bits(mode: str) -> int:
    """Return the bits per sample of a Pillow mode."""
    return 16 if mode.startswith("I;16") else 32 if mode in ("I", "F") else 8


def bits_per_sample(image: Image.Image, data: bytes, name: str) -> int:
    """Return the bits per sample in the file; 8 for formats that cannot have more."""
    match name:
        case "PNG":
            return data[24]
        case "TIFF":
            bits = image.tag_v2.get(_BITS_PER_SAMPLE_TAG, (1,))  # type: ignore[attr-defined]
            return max(bits) if isinstance(bits, tuple) else int(bits)
        case "HEIF":
            return int(image.info.get("bit_depth", 8))
        case "AVIF":
            # The av1C box: version, profile and level, then tier, high_bitdepth, twelve_bit, ...
            at = data.find(b"av1C")
            return 10 if at < 0 or data[at + 6] & 0x40 else 8
        case _ if is_other(name):
            # Where it cannot be told, it may be more than Pillow delivers.
            return bits_of_other(data, name) or 99
        case _:
            return 8


def deep_pixels(image: Image.Image, data: bytes, name: str) -> NDArray[np.uint16] | None:
    """Return the 16-bit pixels that Pillow would cut to 8 bits; None if it is impossible.

    (height, width, 3): red, green and blue; or with alpha (height, width, 4), see `with_alpha`.
    """
    if name == "HEIF":
        return _deep_heif_pixels(data)
    if name == "TIFF" and image.tag_v2.get(_PLANAR_TAG, 1) != 1:  # type: ignore[attr-defined]
        return None
    page = image.tell() if name == "TIFF" else 0
    reopened = open_image(data, name, page)
    raw_modes = {
        tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in reopened.tile
    }
    if len(raw_modes) != 1 or not isinstance(raw_mode := raw_modes.pop(), str):
        return None
    if raw_mode == "LA;16B":
        # Four bytes a pixel, as RGBA has: high and low byte of grey, then of alpha.
        bands = _samples(reopened, "RGBA")
        grey, alpha = (_joined(bands[..., i], bands[..., i + 1]) for i in (0, 2))
        return with_alpha(np.dstack([grey, grey, grey]), alpha)
    # Pillow's raw mode says which byte of the two it keeps; the opposite byte order keeps the
    # other one.
    native_order = "B" if sys.byteorder == "little" else "L"
    other = {";16B": ";16L", ";16L": ";16B", ";16N": ";16" + native_order}.get(raw_mode[-4:])
    if other is None or raw_mode[:-4] not in ("RGB", "RGBA", "RGBX"):
        return None
    high = _samples(open_image(data, name, page), raw_mode)
    low = _samples(reopened, raw_mode[:-4] + other)
    samples = _joined(high, low)
    rgb = samples[..., :3]
    if samples.shape[2] == 4 and image.mode == "RGBA":
        return with_alpha(rgb, samples[..., 3])
    key = image.info.get("transparency")
    if isinstance(key, tuple):
        return with_alpha(rgb, _all_but((rgb == np.array(key, dtype=np.uint16)).all(axis=2)))
    return rgb


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return 16-bit samples from their high and low bytes."""
    return np.asarray(high.astype(np.uint16) << 8 | low, dtype=np.uint16)


def _samples(image: ImageFile.ImageFile, raw_mode: str) -> NDArray[np.uint8]:
    """Decode an open file by another raw mode of Pillow, the right way up."""
    image.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in image.tile
    ]
    return np.array(oriented(image))


def _deep_heif_pixels(data: bytes) -> NDArray[np.uint16] | None:
    """Return the 16-bit RGB pixels of a HEIF file, or None if it has 8 bits."""
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    image = file[file.primary_index]
    if image.mode not in ("RGB;16", "RGBA;16"):
        return None
    samples = np.asarray(image)
    if image.mode == "RGB;16":
        return samples
    return with_alpha(samples[..., :3], samples[..., 3])


def with_alpha(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Put 16-bit colours, (height, width, 3), and alpha, (height, width), together.

    Returns
    -------
    NDArray[np.uint16]
        The colours alone if alpha is opaque all over; else (height, width, 4), where pixels that
        cannot be seen at all are white.
    """
    if alpha.min(initial=65535) == 65535:
        return rgb
    samples = np.dstack([rgb, alpha])
    samples[alpha == 0, :3] = 65535
    return samples


def deep_on_white(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Composite 16-bit pixels with alpha, (height, width, 4), on white: (height, width, 3)."""
    # 65535 * 65535 + 32767 still fits into 32 bits.
    rgb, a = samples[..., :3], samples[..., 3:].astype(np.uint32)
    return ((rgb * a + 65535 * (65535 - a) + 32767) // 65535).astype(np.uint16)


def _all_but(hidden: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return alpha that hides some pixels, and no others."""
    return np.where(hidden, np.uint16(0), np.uint16(65535))


def as_array(image: Image.Image) -> NDArray[Any]:
    """Return the pixels of a mode of 16 or 32 bits.

    Grey of 16 bits comes as three equal channels, or four with the alpha of a transparent tone.
    """
    array = np.asarray(image)
    if array.dtype.itemsize > 2:
        return array.astype(array.dtype.newbyteorder("<"), copy=False)
    grey = array.astype(np.uint16)
    rgb = np.dstack([grey, grey, grey])
    key = image.info.get("transparency")
    return with_alpha(rgb, _all_but(grey == key)) if isinstance(key, int) else rgb


def tone_map(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return deep pixels as a viewer shows them, in 8 bits."""
    if pixels.dtype == np.uint16:
        counts = np.bincount(pixels.ravel(), minlength=65536)
        low, high = 0.0, 65535.0
        if not counts[16384:].any():
            share = np.cumsum(counts) / pixels.size
            low, high = (float(np.searchsorted(share, q)) for q in (0.001, 0.999))
    else:
        finite = pixels[np.isfinite(pixels)].astype(np.float64)
        if not finite.size:
            low, high = 0.0, 0.0
        elif pixels.dtype.kind == "f":
            low, high = float(finite.min()), float(finite.max())
        else:
            low, high = (float(v) for v in np.percentile(finite, (0.1, 99.9)))
    if not high > low:
        low, high = (0.0, 65535.0) if pixels.dtype == np.uint16 else (low, low + 1.0)
    scaled = (np.nan_to_num(pixels, posinf=high, neginf=low) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(scaled, 0, 255) + 0.5, dtype=np.uint8)
