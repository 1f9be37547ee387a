"""Pictures for the screen: small ones, and large ones to be judged by eye."""

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


def large(
    rgb: Image.Image, side: int, box: tuple[int, int, int, int] | None = None, most: int = 900_000
) -> bytes:
    """Shrink a picture, or a part of it, to a JPEG to be judged by eye.

    Colours are kept at the full resolution, so that what is compared is the picture and not this
    JPEG; where that takes too many bytes, first quality is given up and then size.

    Parameters
    ----------
    rgb : PIL.Image.Image
        A picture of mode RGB.
    side : int
        The longest side in pixels, at least 1. A smaller picture is not enlarged.
    box : tuple of 4 ints
        Left, top, right, bottom of the part, in pixels; the whole if None.
    most : int
        Bytes that the file must not exceed.

    Returns
    -------
    bytes
        A JPEG file.
    """
    left, top, right, bottom = box or (0, 0, *rgb.size)
    side = min(side, max(right - left, bottom - top))
    while True:
        scale = side / max(right - left, bottom - top)
        size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
        # As for a thumbnail: a third of the time of Lanczos.
        part = rgb.resize(
            size, Image.Resampling.HAMMING, box=(left, top, right, bottom), reducing_gap=3.0
        )
        for quality in (94, 85, 70):
            file = io.BytesIO()
            part.save(file, "JPEG", quality=quality, subsampling=0 if quality > 80 else 2)
            if file.tell() <= most:
                return file.getvalue()
        side = max(1, side * 3 // 4)
