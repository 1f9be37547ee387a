"""How many pixels a picture resolves: an enlarged copy has none of those that were added.

Enlarging computes pixels from others, in a pattern that repeats: the second difference of
neighbouring pixels is rougher at some places of the pattern than at others, and its mean along
lines has a period (A. C. Gallagher, "Detection of linear and cubic interpolation in JPEG compressed
images", CRV 2005). A blurred picture has none. If the original was a JPEG, so has the enlarged grid
of its blocks. A logistic regression looks at the spectrum of that mean and tells enlarged pictures
from others; a linear one tells roughly by how much, and the best fit of both periods exactly. Both
were fitted by ``scripts/fit_detail.py``.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LINES, _LENGTH, _SEGMENT = 128, 1024, 128
"""Lines looked at in each direction, pixels of each, and of a segment whose spectrum is taken."""


_BLOCK_BINS = np.array([16, 32, 48, 64])
"""Frequencies, in 1/128 of a pixel, that the 8 x 8 blocks of every JPEG have."""


_FIRST_BIN = 20


_CEILING = 40
"""Second difference, in grey levels, from which an edge counts as any other."""


_NEAR_LOG_FACTOR = 0.3
"""How far the exact factor may lie from the rough one, as a difference of logarithms."""


_WEIGHT_OF_INTERPOLATION = 0.3
"""Of the line of the interpolation itself, beside the mean of those of the block grid, 1."""


_FACTORS = (1.3, 1.4, 1.5, 1.6, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4)
"""Factors at whose multiples of the block grid is looked."""


def resolved_pixels(luma: Image.Image) -> float:
    """Return how many of a picture's pixels are its own, not computed by enlarging it.

    Parameters
    ----------
    luma
        A picture of mode L, at its own size.

    Returns
    -------
    float
        Pixels; width x height unless the picture was enlarged, or is too small to tell.
    """
    pixels = float(luma.width * luma.height)
    seen = roughness(luma)
    if seen is None:
        return pixels
    fitted = _fitted()
    x = features(*seen, fitted["typical"])
    if x @ fitted["enlarged"] + fitted["enlarged_offset"] < 0:
        return pixels
    near = float(np.clip(x @ fitted["factor"] + fitted["factor_offset"], 0.2, 1.4))
    factor = _factor(seen[0] - fitted["typical"], near)
    # Above 2, so that of two enlarged copies of one picture the smaller one has more.
    return float(pixels / (1.05 * factor) ** 2.3)


def roughness(luma: Image.Image) -> tuple[NDArray[np.float64], float] | None:
    """Return the log spectrum of the roughness along lines, (65,), and the roughness itself.

    None if the picture is too small.
    """
    if min(luma.size) < _SEGMENT + 16:
        return None
    width, height = luma.size
    left, top = max(0, (width - _LENGTH) // 2), max(0, (height - _LENGTH) // 2)
    pixels = np.asarray(luma)[top : top + _LENGTH, left : left + _LENGTH]
    height, width = pixels.shape
    power, share = np.zeros(_SEGMENT // 2 + 1), 0.0
    for lines, along in (
        (pixels[:: -(-height // _LINES)], 1),
        (pixels[:, :: -(-width // _LINES)], 0),
    ):
        first = np.diff(lines.astype(np.int16), axis=along)
        second = np.abs(np.diff(first, axis=along))
        # Sums of integers: a mean would make floating-point numbers of all pixels first.
        np.abs(first, out=first)
        share += int(second.sum(dtype=np.int32)) / max(int(first.sum(dtype=np.int32)), 1) / 2
        np.minimum(second, _CEILING, out=second)
        sums = second.sum(axis=1 - along, dtype=np.int32)
        rough = np.log(sums / second.shape[1 - along] + 0.3)
        total = np.concatenate([[0.0], np.cumsum(rough)])
        rough = rough[4:-4] - (total[9:] - total[:-9]) / 9
        segments = np.lib.stride_tricks.sliding_window_view(rough, _SEGMENT)[:: _SEGMENT // 2]
        spectrum = np.fft.rfft(segments * _window(), axis=1)
        power += (spectrum.real**2 + spectrum.imag**2).mean(axis=0)
    return np.log(power + 1e-4), share


def features(
    spectrum: NDArray[np.float64], share: float, typical: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what the regressions look at, (59,).

    Parameters
    ----------
    spectrum, share
        As :func:`roughness` returns them.
    typical
        The median spectrum of pictures that were not enlarged, (65,).
    """
    lines = spectrum - typical
    lines = lines - np.median(lines[10:])
    grids = _grids() @ lines
    # The blocks of this JPEG itself have all their frequencies alike.
    one, two, three, four = (float(lines[at]) for at in _BLOCK_BINS)
    others = (max(two, three, four), max(one, three), max(one, two, four), max(one, three))
    for at, block, other in zip(_BLOCK_BINS, (one, two, three, four), others, strict=True):
        own = block - max(0.0, other)
        for beside in (at - 1, at + 1):
            if beside < len(lines) and lines[beside] < block:
                lines[beside] = min(lines[beside], own)
        lines[at] = own
    return np.concatenate(
        [
            np.maximum(lines[_FIRST_BIN:] - 1, 0),
            np.maximum(grids - 0.3, 0),
            [max(float(grids.max()) - 0.5, 0.0), share],
        ]
    )


def _factor(lines: NDArray[np.float64], near: float) -> float:
    """Return the factor near a logarithm whose periods have the highest lines in a spectrum."""
    logs, periods = _periods()
    some = np.flatnonzero(np.abs(logs - near) < _NEAR_LOG_FACTOR)
    lines = lines - np.median(lines[10:])
    return float(np.exp(logs[some[np.argmax(periods[some] @ lines)]]))


@cache
def _periods() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return logarithms of factors, (n,), and weights of the lines of each, (n, 65)."""
    logs = np.arange(np.log(1.2), np.log(4.3), 0.012)
    weights = _grids_of(np.exp(logs))
    for row, factor in zip(weights, np.exp(logs), strict=True):
        at = abs(1 / factor - round(1 / factor)) * _SEGMENT
        if np.abs(at - _BLOCK_BINS).min() >= 1:
            low = int(at)
            row[low] += _WEIGHT_OF_INTERPOLATION * (1 - (at - low))
            row[low + 1] += _WEIGHT_OF_INTERPOLATION * (at - low)
    return logs, weights


@cache
def _window() -> NDArray[np.float64]:
    return np.hanning(_SEGMENT + 1)[:_SEGMENT]


@cache
def _grids() -> NDArray[np.float64]:
    return _grids_of(np.array(_FACTORS))


def _grids_of(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights, (factors, 65), that average a spectrum over multiples of a block grid."""
    weights = np.zeros((len(factors), _SEGMENT // 2 + 1))
    for row, factor in zip(weights, factors, strict=True):
        multiples = np.arange(1, int(4 * factor) + 1) * _SEGMENT / (8 * factor)
        far = (np.abs(multiples[:, None] - _BLOCK_BINS) >= 1.5).all(axis=1)
        np.add.at(row, np.rint(multiples[far & (multiples >= 10)]).astype(int), 1)
        row /= max(row.sum(), 1)
    return weights


@cache
def _fitted() -> dict[str, NDArray[np.float64]]:
    with (files("dedup_widgets.images") / "detail.npz").open("rb") as file:
        return dict(np.load(file))
