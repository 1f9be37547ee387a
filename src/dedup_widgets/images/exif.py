"""What EXIF data say of where a picture is from: the camera, and the place."""

import math
from typing import Any

from PIL import Image

_MAKE, _MODEL, _GPS_IFD = 0x010F, 0x0110, 0x8825


_SOUTH_OR_WEST = {"S", "W"}


def camera(image: Image.Image) -> str | None:
    """Return maker and model of the camera; None without both."""
    try:
        exif = image.getexif()
        make, model = (_plain(exif.get(tag)) for tag in (_MAKE, _MODEL))
    except Exception:
        # Damaged EXIF data raise almost anything.
        return None
    if not model:
        return make or None
    # Most makers begin the name of the model with their own.
    first = make.split(" ")[0].casefold()
    return model if not first or model.casefold().startswith(first) else f"{make} {model}"


def gps(image: Image.Image) -> str | None:
    """Return the place as degrees north and east, such as ``"52.516300, 13.377700"``."""
    try:
        tags = image.getexif().get_ifd(_GPS_IFD)
        north = _degrees(tags.get(2), tags.get(1))
        east = _degrees(tags.get(4), tags.get(3))
    except Exception:
        return None
    # Cameras without a fix write zeros.
    if not (abs(north) <= 90 and abs(east) <= 180) or (north == 0 and east == 0):
        return None
    return f"{north:.6f}, {east:.6f}"


def _plain(text: Any) -> str:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    words = str(text or "").replace("\0", " ").split()
    return " ".join("".join(c for c in word if c.isprintable()) for word in words)[:100]


def _degrees(value: Any, reference: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in (*value, 0, 0)[:3])
    found = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(found):
        raise ValueError("no number")
    return -found if _plain(reference).upper() in _SOUTH_OR_WEST else found
