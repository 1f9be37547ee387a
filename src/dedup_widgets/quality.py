"""Quality metrics: how a picture looks, measured in the same decode that fingerprints it.

All three look at the grey picture (luma of ITU-R BT.601, 0 black to 255 white), brought to
512 x 512 pixels so that pictures of different sizes compare. Sums are of integers and exact, so
they are equal on every machine.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 512
"""Side in pixels of the square that is measured."""

Grey = NDArray[np.float64]


def grey(rgb: Image.Image) -> Grey:
    """Return the picture as the metrics see it.

    Parameters
    ----------
    rgb
        A picture of mode RGB.

    Returns
    -------
    Grey
        512 x 512 whole numbers from 0 to 255.
    """
    small = rgb.convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(small).astype(np.float64)


def brightness(picture: Grey) -> float:
    """Measure how bright a picture is: its mean luma.

    Parameters
    ----------
    picture
        See :func:`grey`.

    Returns
    -------
    float
        From 0, black, to 1, white.
    """
    return float(picture.sum() / picture.size / 255)


def contrast(picture: Grey) -> float:
    """Measure contrast: the standard deviation of luma, known as RMS contrast.

    (E. Peli, "Contrast in complex images", Journal of the Optical Society of America A 7, 1990.)

    Parameters
    ----------
    picture
        See :func:`grey`.

    Returns
    -------
    float
        From 0, one flat tone, to 0.5, half black and half white.
    """
    return float(np.sqrt(_variance(picture)) / 255)


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
    g = picture
    laplacian = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    return _variance(laplacian)


def _variance(values: Grey) -> float:
    """Return the variance of whole numbers, from sums that float64 holds without rounding."""
    # Not a dot product: BLAS would start threads of its own in every decoding thread.
    n, total, squares = values.size, int(values.sum()), int(np.square(values).sum())
    return (n * squares - total**2) / n**2
