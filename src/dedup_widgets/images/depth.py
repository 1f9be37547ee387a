"""Pixels at their own bit depth."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dedup_widgets.images.deep_png import deep_png
from dedup_widgets.images.other_formats import bits_of_other, is_other
from dedup_widgets.images.pillow import open_image, oriented

_BITS_PER_SAMPLE_TAG = 258


_PLANAR_TAG = 284


_STRIP_BYTES = 2**18
"""Bytes of the lines that are worked on at a time: what a picture of hundreds of megabytes needs
beside itself, and little enough to stay in the processor's cache."""


_A_QUARTER = 2**14
"""Tones of 16 bits; a picture that has no higher one comes from a camera of fewer bits."""


def strips(height: int, line_bytes: int, at_least: int = 1) -> Iterator[tuple[int, int]]:
    """Yield top and bottom of pieces of a picture, a few lines each, or so many."""
    lines = max(at_least, _STRIP_BYTES // max(1, line_bytes))
    return ((top, min(top + lines, height)) for top in range(0, height, lines))


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


def deep_pixels(image: ImageFile.ImageFile, data: bytes, name: str) -> NDArray[np.uint16] | None:
    """Return the 16-bit pixels that Pillow would cut to 8 bits; None if it is impossible.

    (height, width, 3): red, green and blue; or with alpha (height, width, 4), see `with_alpha`.
    """
    if name in ("JXL", "RAW"):
        return None
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
    samples = deep_png(image, data) if name == "PNG" else None
    if samples is None:
        high = np.array(oriented(image))
        samples = _joined(high, _samples(reopened, raw_mode[:-4] + other))
    if samples.shape[2] == 4 and image.mode == "RGBA":
        return _white_where_hidden(samples)
    rgb = samples[..., :3]
    key = image.info.get("transparency")
    if isinstance(key, tuple):
        return with_alpha(rgb, _all_but((rgb == np.array(key, dtype=np.uint16)).all(axis=2)))
    return rgb


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return 16-bit samples from their high and low bytes."""
    samples = high.astype(np.uint16)
    samples <<= 8
    samples |= low
    return samples


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
    return samples if image.mode == "RGB;16" else with_alpha(samples[..., :3], samples[..., 3])


def with_alpha(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Put 16-bit colours, (height, width, 3), and alpha, (height, width), together.

    Returns
    -------
    NDArray[np.uint16]
        The colours alone if alpha is opaque all over; else (height, width, 4), where pixels that
        cannot be seen at all are white.
    """
    return _white_where_hidden(np.dstack([rgb, alpha]))


def _white_where_hidden(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Do what :func:`with_alpha` does, to colours and alpha in one array, in place."""
    alpha = samples[..., 3]
    if alpha.min(initial=65535) == 65535:
        return samples[..., :3]
    samples[alpha == 0, :3] = 65535
    return samples


def _on_white(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Composite 16-bit pixels with alpha, (height, width, 4), on white: (height, width, 3)."""
    # 65535 * 65535 + 32767 still fits into 32 bits.
    rgb, a = samples[..., :3], samples[..., 3:].astype(np.uint32)
    return ((rgb * a + 65535 * (65535 - a) + 32767) // 65535).astype(np.uint16)


def _all_but(hidden: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return alpha that hides some pixels, and no others."""
    return np.where(hidden, np.uint16(0), np.uint16(65535))


def as_array(image: Image.Image) -> NDArray[Any]:
    """Return the pixels of a mode of 16 or 32 bits.

    Grey of 16 bits comes as (height, width); with a transparent tone as three equal channels and
    alpha.
    """
    array = np.asarray(image)
    if array.dtype.itemsize > 2:
        return array.astype(array.dtype.newbyteorder("<"), copy=False)
    grey = array.astype(np.uint16, copy=False)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    return with_alpha(np.dstack([grey, grey, grey]), _all_but(grey == key))


def tone_map(deep: NDArray[Any]) -> NDArray[np.uint8]:
    """Return deep pixels as a viewer shows them, in 8 bits.

    Parameters
    ----------
    deep
        (height, width), or with 3 channels; or with 4, of which the last is alpha: these are
        composited on white.
    """
    has_alpha = deep.ndim == 3 and deep.shape[2] == 4
    # In strips: in one piece the intermediate results would take many times the picture's bytes.
    places = [slice(*ends) for ends in strips(len(deep), deep[:1].nbytes)]
    pieces = (
        (lambda: map(_on_white, map(deep.__getitem__, places)))
        if has_alpha
        else (lambda: map(deep.__getitem__, places))
    )
    shown = np.empty((*deep.shape[:2], 3) if has_alpha else deep.shape, np.uint8)
    brought: Callable[[NDArray[Any]], NDArray[np.uint8]]
    if deep.dtype != np.uint16:
        low, high = _range(deep, places)
        brought = partial(_in_8_bits, low=low, high=high)
    elif any(int(piece.max()) >= _A_QUARTER for piece in pieces()):
        brought = _by_257
    else:
        counts = np.zeros(_A_QUARTER, np.int64)
        for piece in pieces():
            counts += np.bincount(piece.ravel(), minlength=_A_QUARTER)
        levels = _in_8_bits(np.arange(_A_QUARTER), *_range_of_16_bits(counts))
        brought = levels.__getitem__
    for place, piece in zip(places, pieces(), strict=True):
        shown[place] = brought(piece)
    return shown


def _by_257(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return ``pixels / 257``, rounded, without a division."""
    return np.asarray((pixels.astype(np.uint32) * 255 + 32895) >> 16, np.uint8)


def _range_of_16_bits(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return what is shown as black and as white, of a picture of dark tones, by their counts."""
    share = np.cumsum(counts) / counts.sum()
    low, high = (float(np.searchsorted(share, q)) for q in (0.001, 0.999))
    return (low, high) if high > low else (0.0, 65535.0)


def _range(pixels: NDArray[Any], places: list[slice]) -> tuple[float, float]:
    """Return what is shown as black and as white, of integers of 32 bits or floats."""
    if pixels.dtype.kind != "f":
        low, high = (float(v) for v in np.percentile(pixels, (0.1, 99.9), method="nearest"))
    else:
        finite = (piece[np.isfinite(piece)] for piece in map(pixels.__getitem__, places))
        ends = [(float(piece.min()), float(piece.max())) for piece in finite if piece.size]
        low, high = min((a for a, _ in ends), default=0.0), max((b for _, b in ends), default=0.0)
    return low, high if high > low else low + 1.0


def _in_8_bits(pixels: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    finite = np.nan_to_num(pixels.astype(np.float64), posinf=high, neginf=low)
    return np.asarray(np.clip((finite - low) * (255.0 / (high - low)), 0, 255) + 0.5, np.uint8)
