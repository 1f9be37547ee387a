"""Quality metrics: how a picture looks, measured in the same decode that fingerprints it.

All three look at the grey picture (luma of ITU-R BT.601, 0 black to 255 white), brought to
512 x 512 pixels so that pictures of different sizes compare. Sums are of integers and exact, so
they are equal on every machine.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 512
"""Side in pixels of the square that is measured."""


Grey = NDArray[np.uint8]


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
    square = (SIDE, SIDE)
    if max(luma.size) <= SIDE:
        # Where nothing is to be averaged, OpenCV takes a quarter of the time, and rounds once.
        enlarged = cv2.resize(np.asarray(luma), square, interpolation=cv2.INTER_LINEAR_EXACT)
        return np.asarray(enlarged, np.uint8)
    return np.asarray(luma.resize(square, Image.Resampling.BILINEAR, reducing_gap=3.0))


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
    laplacian = cv2.Laplacian(picture, cv2.CV_16S, ksize=1)[1:-1, 1:-1]
    # float64 holds these sums exactly; but OpenCV takes the root of squares and squares that again.
    total, squares = cv2.sumElems(laplacian)[0], cv2.norm(laplacian, cv2.NORM_L2SQR)
    return _variance(laplacian.size, int(total), round(squares))


def small(picture: Grey) -> Grey:
    """Return the mean of each 8 x 8 block: 64 x 64 whole numbers from 0 to 255."""
    rows = picture.reshape(64, 8, SIDE).sum(axis=1, dtype=np.uint16)
    sums = rows.reshape(64, 64, 8).sum(axis=2, dtype=np.uint16)
    return np.asarray((sums + 32) >> 6, dtype=np.uint8)


def _variance(n: int, total: int, squares: int) -> float:
    """Return the variance of n whole numbers, from their sum and the sum of their squares."""
    return (n * squares - total**2) / n**2
