"""How fine the detail of a picture is: an enlarged copy has none in its finest bands.

Along its lines a picture is a sum of waves. Enlarging a picture f times keeps its waves, whose
frequencies are now f times lower, and what lies above 1/f of the highest possible frequency is
only what the interpolation left over. So a few numbers a picture, the power of the waves by
frequency, tell how many pixels it resolves; and of two copies of different size which of them was
made from the other: an enlarged copy is weaker than the smaller one just below 1/f, where the
interpolation damps, and has next to nothing above. An original, be it blurred, is as strong as its
reduced copy up to there and declines smoothly.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.images.turned import Turned

SEGMENT = 64
"""Pixels of the pieces of lines whose waves are measured."""


FREQUENCIES = np.arange(2, SEGMENT // 2 + 1)
"""Waves in a piece, from the lowest that the mean does not reach to the highest there is."""


_SEGMENTS = 1024
"""Pieces that are looked at in each direction, at most."""


_WHOLE, _TILE, _TILES = 512 * 512, 128, 4
"""Pixels up to which all of a picture is looked at; else the side of tiles, and tiles a side."""


_STEPS, _LOWEST = 10, -6.0
"""Steps of a stored number per doubling of the power, and the logarithm (to base 2, of squared grey
levels) that is stored as 0."""


_COARSE, _FAR_BELOW = slice(1, 7), 3.0
"""Places of the frequencies that every picture has, and how far, in doublings of the power, it
falls below them (by the square of the frequency) where there is no detail."""


_LARGEST_FACTOR = 4.5
"""Factor above which an enlarged copy has too few frequencies left to compare."""


_ABOVE_NOISE, _SHARP_ABOVE_MIDDLE, _SHARP_BELOW_MIDDLE = 0.7, -3.8, -3.5
"""Doublings of the power from which on a picture counts as sharp: of its highest frequencies, of
these by its middle ones, and of the middle ones by a quarter of the highest. Tuned, like the two
below, on pictures of several kinds that were reduced and enlarged, blurred, noisy or compressed."""


_DAMPED, _DROP = -1.05, -1.25
"""Doublings of the power by which an enlarged copy is below the smaller one at the latter's highest
frequencies, and by which it falls from just below to just above them, or more."""


_NOISE, _WHITE, _NOISY_TOP, _NOISY_FOOT = 8.3, 0.7, (1.4, 1.2), 3.0
"""Of strong noise that was added: its power, its unevenness over the upper frequencies, by how much
it raises the highest ones at least, and by how much the picture falls towards these at most, all in
doublings; and how often what it adds to these the lowest ones may change. Measured: noise of 25
grey levels in each of red, green and blue has 9.2; what strong JPEG takes from a fine picture is
less, and less even."""


_DETAILED = 0.5
"""Share of its pixels that the other copy must resolve: beside a blurred one a fine texture looks
like noise."""


_LIFTED, _EVENLY, _SHARPENED_FROM = (1.2, 4.0), 0.8, 0.8
"""Of sharpening: by how many doublings it lifts all but the lowest frequencies, how unevenly, and
by how much more than these. A blurred copy lacks ever more towards the highest ones, and another
contrast lifts all alike."""


_WINDOW = (np.hanning(SEGMENT + 1)[:SEGMENT] / np.sqrt(SEGMENT * 0.375)).astype(np.float32)


def spectrum(picture: Image.Image | Turned) -> bytes:
    """Measure the power of the waves along a picture's lines and columns.

    It is the mean over pieces of 64 pixels from all over the picture (P. D. Welch, "The use of fast
    Fourier transform for the estimation of power spectra", IEEE Transactions on Audio and
    Electroacoustics 15, 1967).

    Parameters
    ----------
    picture
        A picture of mode RGB or L, at its own size.

    Returns
    -------
    bytes
        Of each of the 31 frequencies from 2/64 to 32/64 waves a pixel the logarithm of the power,
        in tenths of a doubling from 2^-6 squared grey levels; empty if both sides are below 64
        pixels, or there are fewer than 4,096.
    """
    if max(picture.size) < SEGMENT or math.prod(picture.size) < SEGMENT**2:
        return b""
    tiles = _tiles(picture)
    power = np.zeros(len(FREQUENCIES), np.float32)
    for lines in (tiles, [tile.T for tile in tiles]):
        pieces = [_pieces(tile, _SEGMENTS // len(tiles)) for tile in lines]
        if not (cut := np.concatenate(pieces)).size:
            continue
        waves = cv2.dft(cut * _WINDOW, flags=cv2.DFT_ROWS)
        squares = np.einsum("ij,ij->j", waves, waves) / len(waves)
        # Packed as: mean, then real and imaginary part of each frequency, of the last only real.
        power += np.append(squares[3:-1:2] + squares[4:-1:2], squares[-1])
    level = np.log2(np.maximum(power, 2.0**_LOWEST)) - _LOWEST
    return bytes(np.clip(np.rint(_STEPS * level), 0, 255).astype(np.uint8))


def resolved_pixels(waves: bytes, pixels: int) -> float:
    """Return how many pixels a picture resolves.

    In pictures the power falls with the square of the frequency (D. J. Field, "Relations between
    the statistics of natural images and the response properties of cortical cells", Journal of the
    Optical Society of America A 4, 1987). Up to the frequency where it falls far below that,
    there is detail; a picture of that frequency's pixels could show as much.

    Parameters
    ----------
    waves
        As :func:`spectrum` returns them.
    pixels
        Width x height.

    Returns
    -------
    float
        `pixels` for a sharp picture, or one that is too small to tell; fewer if it was enlarged or
        blurred.
    """
    return pixels * float(_resolved(levels([waves]))[0]) if waves else float(pixels)


def levels(spectra: Sequence[bytes]) -> NDArray[np.float64]:
    """Return the power of the waves of n pictures.

    Parameters
    ----------
    spectra
        Of each, as :func:`spectrum` returns them.

    Returns
    -------
    NDArray[np.float64]
        (n, 31), the logarithm (to base 2, of squared grey levels) of the power of each of
        `FREQUENCIES`; NaN for a picture that is too small to tell.
    """
    found = np.full((len(spectra), len(FREQUENCIES)), np.nan)
    stored = np.frombuffer(b"".join(spectra), np.uint8).reshape(-1, len(FREQUENCIES))
    found[[bool(it) for it in spectra]] = stored / _STEPS + _LOWEST
    return found


def is_enlarged(
    larger: NDArray[np.float64], smaller: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell of which pairs of copies the larger one was made by enlarging.

    Parameters
    ----------
    larger, smaller
        (n, 31), the power of their waves, as :func:`levels` returns it.
    factor
        (n,), sides of the larger one by those of the smaller one, above 1.

    Returns
    -------
    NDArray[np.bool_]
        (n,), False also where it cannot be told: the smaller one is blurred itself, or one of them
        is too small, or the factor is above 4.5.
    """
    # The waves of a line lie closer together, or further apart, by the factor.
    of_larger = larger - np.log2(factor)[:, None]

    def small(low: float, high: float) -> NDArray[np.float64]:
        return _mean_between(smaller, low, high)

    def large(low: float, high: float) -> NDArray[np.float64]:
        return _mean_between(of_larger, low / factor, high / factor)

    top, middle = small(0.8, 0.98), small(0.4, 0.6)
    is_sharp = (
        (top > _ABOVE_NOISE)
        & (top - middle > _SHARP_ABOVE_MIDDLE)
        & (middle - small(0.2, 0.3) > _SHARP_BELOW_MIDDLE)
    )
    damped = large(0.85, 1) - small(0.85, 1) - (large(0.25, 0.45) - small(0.25, 0.45))
    drop = large(1.05, 1.2) - large(0.7, 0.9)
    is_empty = is_sharp & (damped < _DAMPED) & (drop < _DROP)
    return np.asarray(is_empty & (factor <= _LARGEST_FACTOR))


def has_added(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of which pairs of copies of one size the one has noise or sharpening that was added.

    Added noise is the same at all frequencies, up to the highest, where a picture has least; what
    a camera's noise has there its demosaicing and its JPEG have mostly taken away. Sharpening (an
    unsharp mask) lifts all frequencies from a low one on by one factor.

    Parameters
    ----------
    one, other
        (n, 31), the power of their waves, as :func:`levels` returns it.

    Returns
    -------
    NDArray[np.bool_]
        (n,), False also where it cannot be told: the noise is weak, or both have it.
    """
    lift = one - other
    is_detailed = _resolved(other) >= _DETAILED
    return np.asarray(is_detailed & (_is_noise(one, other, lift) | _is_sharpening(lift)))


def _is_noise(
    one: NDArray[np.float64], other: NDArray[np.float64], lift: NDArray[np.float64]
) -> NDArray[np.bool_]:
    added = 2.0**one - 2.0**other
    lower = _mean_of(added, 10, 13)
    upper = _means_of(added, (14, 18), (19, 23), (24, 28), (29, 32))
    least, most = upper.min(axis=1), upper.max(axis=1)
    # Where some of it is below 0, its logarithm does not count.
    power = np.log2(np.maximum(upper, 2.0**_LOWEST))
    raised, falls = _NOISY_TOP
    is_noise: NDArray[np.bool_] = (
        (least > 0)
        & (least / 2 <= lower)
        & (lower <= 2 * most)
        & (power.mean(axis=1) >= _NOISE)
        & (np.ptp(power, axis=1) <= _WHITE)
        & (_mean_of(lift, 29, 32) >= raised)
        & (abs(_mean_of(added, 2, 5)) <= _NOISY_FOOT * least)
        & (_mean_of(one, 14, 18) - _mean_of(one, 29, 32) <= falls)
    )
    return is_noise


def _is_sharpening(lift: NDArray[np.float64]) -> NDArray[np.bool_]:
    lifted = _means_of(lift, (9, 12), (13, 18), (19, 24), (25, 32))
    lowest, highest = lifted.min(axis=1), lifted.max(axis=1)
    least, most = _LIFTED
    is_sharpening: NDArray[np.bool_] = (
        (least <= lowest)
        & (highest <= most)
        & (highest - lowest <= _EVENLY)
        & (_mean_of(lift, 2, 3) <= lowest - _SHARPENED_FROM)
    )
    return is_sharpening


def _resolved(waves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of their pixels that pictures resolve, the least where it is unknown."""
    level = waves + 2 * np.log2(FREQUENCIES)
    least = level[:, _COARSE].mean(axis=1) - _FAR_BELOW
    # Above it there may be noise again, or what an interpolation repeats.
    detailed = np.logical_and.accumulate(level > least[:, None], axis=1)
    finest = FREQUENCIES[np.maximum(detailed.sum(axis=1) - 1, 0)]
    return np.asarray((finest / FREQUENCIES[-1]) ** 2)


def _mean_of(values: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Return the mean of each row over frequencies, from the first to the last of them."""
    band = values[:, first - FREQUENCIES[0] : last - FREQUENCIES[0] + 1]
    return np.asarray(band.mean(axis=1))


def _means_of(values: NDArray[np.float64], *bands: tuple[int, int]) -> NDArray[np.float64]:
    """Return the mean of each row over each band of frequencies, (n, bands)."""
    return np.stack([_mean_of(values, *band) for band in bands], axis=1)


def _mean_between(
    waves: NDArray[np.float64],
    low: float | NDArray[np.float64],
    high: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean of each row between two frequencies, in shares of the highest one."""
    lowest, highest = FREQUENCIES[0], FREQUENCIES[-1]
    at = np.clip(np.linspace(low, high, 5, axis=-1) * highest, lowest, highest)
    below = at.astype(np.int64)
    above = np.minimum(below + 1, highest)
    rows = np.arange(len(waves))[:, None]
    value = waves[rows, below - lowest]
    between = (waves[rows, above - lowest] - value) * (at - below) + value
    return np.asarray(between.mean(axis=1))


def _tiles(picture: Image.Image | Turned) -> list[NDArray[np.uint8]]:
    """Return the picture in grey if it is small, else tiles from all over it."""
    width, height = picture.size
    if width * height <= _WHOLE:
        return [_grey(picture.crop((0, 0, width, height)))]
    return [
        _grey(picture.crop((x, y, x + min(_TILE, width), y + min(_TILE, height))))
        for y in _starts(height)
        for x in _starts(width)
    ]


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture.convert("L"))


def _starts(side: int) -> list[int]:
    n = min(_TILES, max(1, side // _TILE))
    return [int((i + 0.5) * side / n - min(_TILE, side) / 2) for i in range(n)]


def _pieces(lines: NDArray[np.uint8], at_most: int) -> NDArray[np.uint8]:
    """Return pieces of evenly spaced lines, (n, SEGMENT)."""
    height, width = lines.shape
    a_line = width // SEGMENT
    step = max(1, -(-height * a_line // at_most))
    left = (width - a_line * SEGMENT) // 2
    return lines[step // 2 :: step, left : left + a_line * SEGMENT].reshape(-1, SEGMENT)
