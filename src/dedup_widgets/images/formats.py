"""The format of a file by its first bytes, and why a file is refused."""

import os

from PIL import Image, UnidentifiedImageError

from dedup_widgets.errors import ImageError
from dedup_widgets.images.budget import MAX_SECONDS
from dedup_widgets.images.other_formats import (
    ARCHIVE_SUFFIXES,
    RAW_SUFFIXES,
    how_to_install,
    is_archive,
    is_installed,
    is_other,
    other_format,
    unread_picture,
)
from dedup_widgets.images.raw import camera_raw

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    }
)
"""Suffixes (lower case) of files that a folder lists unseen; of others the content decides."""


MAX_PIXELS = 400 * 10**6
"""Pixels of the largest picture that is read, unless `MEGAPIXELS_VARIABLE` says otherwise. What
decoding takes of memory and time is asked of `dedup_widgets.images.budget`."""


MEGAPIXELS_VARIABLE = "DEDUP_WIDGETS_MAX_MEGAPIXELS"
"""The environment variable that sets another limit; decoding may then take any time."""


PALETTE = 256
"""Colours of the largest palette that a format has."""


class BeyondLimitError(ImageError):
    """A picture is larger than is read, until the limit is raised: so it is not remembered."""

    is_about_the_bytes = False


def sniff(data: bytes) -> str:
    """Return Pillow's name of the format, or raise an `ImageError` that says what it is."""
    if kind := camera_raw(data):
        if is_installed("RAW"):
            return "RAW"
        raise ImageError(
            f"a camera raw file ({kind}), which holds no finished picture; develop it and export "
            f"a JPEG, PNG or TIFF, or let it be developed here: {how_to_install('RAW')}"
        )
    head = data[:64]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"BM"):
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = data[8 : min(int.from_bytes(data[:4]), 256)]
        if brands[:4] in (b"avif", b"avis") or b"avif" in brands[8:]:
            return "AVIF"
        if brands[:4] in (*(b"heic", b"heix", b"heim", b"heis"), b"hevc", b"hevx", b"mif1"):
            return "HEIF"
        if brands[:4] in (b"hevm", b"hevs", b"msf1"):
            return "HEIF"
    if name := other_format(data):
        return name
    raise ImageError(_why_no_image(data))


UNREAD, ARCHIVES = "pictures in formats that are not read", "archives, which are not opened"
"""Why a file is not taken for a picture that is read."""


def why_not_taken(head: bytes, suffix: str) -> str | None:
    r"""Tell by its first bytes why a file of an unusual suffix is not taken; None if it is.

    Returns
    -------
    str or None
        Empty for what is no picture.

    Examples
    --------
    >>> why_not_taken(b"\xff\xd8\xff\xe0", ".jpg_large"), why_not_taken(b"a list", ".txt")
    (None, '')
    >>> why_not_taken(b"II*\0", ".nef")
    'pictures in formats that are not read'
    """
    if unread_picture(head):
        return UNREAD
    is_jpeg = head.startswith(b"\xff\xd8\xff")
    if (suffix in RAW_SUFFIXES and not is_jpeg) or camera_raw(head):
        return None if is_installed("RAW") else UNREAD
    if suffix in ARCHIVE_SUFFIXES:
        return ARCHIVES
    if suffix == ".tga":
        return None
    try:
        sniff(head)
    except ImageError:
        return ""
    return None


def _why_no_image(data: bytes) -> str:
    """Say what bytes are that are no image, and what to do."""
    if name := unread_picture(data):
        how = f", or {how_to_install('JXL')}" if name == "JPEG XL" else ""
        return f"{name}, which is not read; export it as JPEG or PNG{how}"
    if is_archive(data):
        return "an archive (zip, tar or the like); unpack it, and pass the folder"
    if not data:
        return "empty file (0 bytes); fetch or copy it again"
    if data.startswith(b"version https://git-lfs"):
        return "not an image (a Git LFS pointer); run `git lfs pull`"
    is_riff = data.startswith(b"RIFF") and data[8:12] == b"AVI "
    if data[4:8] == b"ftyp" or data.startswith(b"\x1a\x45\xdf\xa3") or is_riff:
        return "not an image (looks like a video); score frames of it: dedup_widgets.frames(path)"
    start = data[:512].lstrip().lower()
    if not data[:4096].strip(b"\0"):
        kind = "begins with zero bytes only"
    elif start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        kind = "looks like HTML"
    elif b"<svg" in start:
        kind = "an SVG drawing, which has no pixels"
    elif start.startswith(b"%pdf"):
        kind = "a PDF document"
    elif start.isascii() and not start.translate(None, bytes(range(32, 127)) + b"\r\n\t"):
        kind = "looks like text"
    else:
        kind = "no known picture format"
    return f"not an image ({kind}); check where the file came from"


def undecodable(name: str, error: Exception) -> ImageError:
    """Return the error for a picture that cannot be decoded."""
    found = ImageError(_why_undecodable(name, error))
    # Pillow tells damage by an OSError without a number.
    of_the_system = isinstance(error, OSError) and error.errno is not None
    found.is_about_the_bytes = not (
        of_the_system or isinstance(error, MemoryError | ImportError) or _is_passing(error)
    )
    return found


def _is_passing(error: Exception) -> bool:
    """Tell whether an error says in words that memory or a codec was missing."""
    text = str(error).lower()
    return ("decoder" in text and "not available" in text) or any(
        words in text for words in ("out of memory", "allocat")
    )


def _why_undecodable(name: str, error: Exception) -> str:
    """Say why a picture cannot be decoded, and what to do."""
    if isinstance(error, MemoryError):
        return f"{name} does not fit into memory; use fewer workers or shrink it"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"too large: {error}; shrink it, or take it out of the input"
    text = " ".join(str(error).split())[:160]
    if isinstance(error, UnidentifiedImageError) or not text or "BytesIO" in text:
        text = type(error).__name__
    if name == "RAW":
        text = text.removeprefix("b'").rstrip("'")
        return (
            f"a camera raw file that cannot be developed here ({text}); develop it and export a "
            "JPEG, PNG or TIFF"
        )
    lower = text.lower()
    cut = any(word in lower for word in ("truncated", "eof", "end of", "not enough data"))
    if any(word in lower for word in ("unsupported", "not supported", "unknown pixel mode")):
        return f"unsupported {name}: {text}; export it as PNG or JPEG"
    return f"{'truncated' if cut else 'damaged'} {name}: {text}; fetch or export it again"


def check_size(size: tuple[int, int]) -> None:
    """Refuse a picture of more pixels than are read; see `MAX_PIXELS`."""
    width, height = size
    limit = _max_pixels()
    if width * height > limit:
        raise BeyondLimitError(
            f"too large: {width}x{height} = {width * height / 1e6:.0f} megapixels, limit "
            f"{limit / 1e6:.0f}; shrink it, take it out of the input, or raise the limit by the "
            f"environment variable {MEGAPIXELS_VARIABLE}"
        )
    if width < 1 or height < 1:
        raise ImageError(f"damaged: a picture of {width}x{height} pixels; export it again")


def is_lossless(data: bytes, name: str, image: Image.Image) -> bool:
    """Tell whether the file keeps every pixel as it was saved."""
    if name == "WEBP":
        return _first_webp_chunk(data) == b"VP8L"
    if name == "TIFF":
        return image.info.get("compression") not in ("jpeg", "tiff_jpeg", "webp")
    if name in ("JPEG2000", "JXL"):
        return False
    return is_other(name) or name in ("PNG", "BMP", "GIF")


def has_few_colours(picture: Image.Image) -> bool:
    """Tell whether a picture of mode RGB has colours, and no more than a palette holds.

    A photo has thousands: whoever brought it to a palette threw most of them away.
    """
    # It stops counting at the first colour too many, in photos within a few lines.
    counted = picture.getcolors(PALETTE) or ()
    return any(isinstance(colour, tuple) and len(set(colour)) > 1 for _, colour in counted)


def _first_webp_chunk(data: bytes) -> bytes:
    """Return the type of a WebP file's first image data: VP8 or, lossless, VP8L."""
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind
        # A frame of an animation holds its own chunks after a header of 16 bytes.
        at += 8 + (16 if kind == b"ANMF" else size + size % 2)
    return b""


def check_time(seconds: float, what: str) -> None:
    """Refuse a file that takes long to decode, unless a limit of pixels was set by hand.

    Parameters
    ----------
    seconds
        By :func:`dedup_widgets.images.budget.seconds_to_decode`.
    what
        What takes so long, such as its pixels.
    """
    if seconds > MAX_SECONDS and _limit_by_hand() is None:
        raise BeyondLimitError(
            f"too large: {what} would take about {seconds:.0f} s to decode, limit {MAX_SECONDS}; "
            "shrink or split it, take it out of the input, or set how many megapixels are read, "
            f"however long that takes, by the environment variable {MEGAPIXELS_VARIABLE}"
        )


def _max_pixels() -> int:
    by_hand = _limit_by_hand()
    return MAX_PIXELS if by_hand is None else by_hand


def _limit_by_hand() -> int | None:
    try:
        return int(float(os.environ.get(MEGAPIXELS_VARIABLE, "")) * 1e6)
    except (ValueError, OverflowError):
        return None
