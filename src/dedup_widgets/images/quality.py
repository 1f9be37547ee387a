"""Quality metrics: how a picture looks, measured in the same decode that fingerprints it.

All three look at the grey picture (luma of ITU-R BT.601, 0 black to 255 white), brought to
512 x 512 pixels so that pictures of different sizes compare. Sums are of integers and exact, so
they are equal on every machine.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 512
"""Side in pixels of the square that is measured."""


Grey = NDArray[np.uint8]


_ROWS = 102
"""Rows computed at a time: their arrays stay in the cache, and in memory that the process has
already; for larger arrays the system would have to provide and clear new pages."""


def grey(picture: Image.Image) -> Grey:
    """Return the picture that the metrics are computed from.

    Parameters
    ----------
    picture
        A picture of mode RGB or L.

    Returns
    -------
    Grey
        512 x 512 whole numbers from 0 to 255.
    """
    luma = picture if picture.mode == "L" else picture.convert("L")
    small = luma.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(small)


def tones(picture: Grey) -> list[int]:
    """Return how many pixels have each of the 256 grey levels."""
    return Image.fromarray(picture).histogram()


def brightness(counts: Sequence[int]) -> float:
    """Measure how bright a picture is: its mean luma.

    Parameters
    ----------
    counts
        Pixels of each grey level; see :func:`tones`.

    Returns
    -------
    float
        From 0, black, to 1, white.
    """
    return sum(tone * count for tone, count in enumerate(counts)) / sum(counts) / 255


def contrast(counts: Sequence[int]) -> float:
    """Measure contrast: the standard deviation of luma, known as RMS contrast.

    (E. Peli, "Contrast in complex images", Journal of the Optical Society of America A 7, 1990.)

    Parameters
    ----------
    counts
        Pixels of each grey level; see :func:`tones`.

    Returns
    -------
    float
        From 0, one flat tone, to 0.5, half black and half white.
    """
    total = sum(tone * count for tone, count in enumerate(counts))
    squares = sum(tone**2 * count for tone, count in enumerate(counts))
    return math.sqrt(_variance(sum(counts), total, squares)) / 255


def sharpness(picture: Grey) -> float:
    """Measure how sharp a picture is: the variance of its Laplacian.

    A blurred copy scores lower, and so does one that was shrunk below 512 pixels. (J. L.
    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study",
    ICPR 2000.)

    Parameters
    ----------
    picture
        See :func:`grey`.

    Returns
    -------
    float
        From 0, flat, to 1,040,400 (1020 squared, only an artificial pattern); photos mostly lie
        between 30 and 3,000.
    """
    n = total = squares = 0
    for at in range(0, SIDE - 2, _ROWS):
        laplacian = _laplacian(picture[at : at + _ROWS + 2])
        n += laplacian.size
        total += int(laplacian.sum(dtype=np.int64))
        # A row's squares fit into 32 bits. Not a dot product: BLAS would start threads of its own
        # in every decoding thread.
        np.square(laplacian, out=laplacian)
        squares += int(laplacian.sum(axis=1, dtype=np.int32).sum(dtype=np.int64))
    return _variance(n, total, squares)


def small(picture: Grey) -> Grey:
    """Return the mean of each 8 x 8 block: 64 x 64 whole numbers from 0 to 255."""
    rows = picture.reshape(64, 8, SIDE).sum(axis=1, dtype=np.uint16)
    sums = rows.reshape(64, 64, 8).sum(axis=2, dtype=np.uint16)
    return np.asarray((sums + 32) >> 6, dtype=np.uint8)


def _laplacian(rows: Grey) -> NDArray[np.int32]:
    """Return the Laplacian of rows, (n, SIDE), without their margin: (n - 2, SIDE - 2)."""
    # The smallest integers that hold the values are several times as fast as float64.
    g = rows.astype(np.int16)
    laplacian = g[:-2, 1:-1] + g[2:, 1:-1]
    laplacian += g[1:-1, :-2]
    laplacian += g[1:-1, 2:]
    laplacian -= 4 * g[1:-1, 1:-1]
    return laplacian.astype(np.int32)


def _variance(n: int, total: int, squares: int) -> float:
    """Return the variance of n whole numbers, from their sum and the sum of their squares."""
    return (n * squares - total**2) / n**2
