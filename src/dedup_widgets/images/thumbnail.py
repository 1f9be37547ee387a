"""Small pictures for the screen."""

import io

from PIL import Image


def thumbnail(rgb: Image.Image, size: int = 256) -> bytes:
    """Shrink a picture to a JPEG for the screen.

    Parameters
    ----------
    rgb : PIL.Image.Image
        A picture of mode RGB.
    size : int
        The longest side in pixels, at least 1. A smaller picture is not enlarged.

    Returns
    -------
    bytes
        A JPEG file; about 10 to 15 kB for a photo at the default size.
    """
    scale = min(1.0, size / max(rgb.size))
    width, height = (max(1, round(side * scale)) for side in rgb.size)
    # Lanczos and optimised tables take twice as long, and the eye sees no difference.
    small = rgb.resize((width, height), Image.Resampling.HAMMING, reducing_gap=3.0)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=82)
    return file.getvalue()


def to_square(rgb: Image.Image, size: int) -> Image.Image:
    """Squash the whole picture into a square.

    Nothing is cropped: what lies near the margin is seen by the network like the rest.

    Parameters
    ----------
    rgb : PIL.Image.Image
        A picture of mode RGB.
    size : int
        Side of the square in pixels.

    Returns
    -------
    PIL.Image.Image
        ``size`` x ``size`` pixels; bicubic, antialiased.
    """
    return rgb.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
