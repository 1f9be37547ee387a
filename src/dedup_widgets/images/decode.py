"""The one decoder: from a file's bytes to the picture a viewer shows, its fingerprint and facts.

Fingerprint, embedding and thumbnail all come from `decode`, so they can never disagree about what
a file shows. Functions here take bytes or pictures; none reads a file.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile

from dedup_widgets.errors import ImageError
from dedup_widgets.images.colour import colour_space, in_srgb, on_white
from dedup_widgets.images.depth import as_array, bits_per_sample, deep_pixels, mode_bits, tone_map
from dedup_widgets.images.formats import (
    MAX_PIXELS_OF_ALL_FRAMES,
    check_size,
    is_lossless,
    sniff,
    why_undecodable,
)
from dedup_widgets.images.pillow import has_exif, open_image, oriented, quiet_pillow
from dedup_widgets.images.quality import brightness, contrast, grey, sharpness

DECODER_VERSION = 3
"""Raised when `decode` or `thumbnail` changes its results: those in a store are then outdated."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file and its picture, apart from the pixels.

    Attributes
    ----------
    width, height : int
        Pixels of the first frame, after the EXIF orientation.
    bytes : int
        Length of the file.
    format : str
        By content, never by name: ``"jpeg"``, ``"png"``, ``"webp"``, ``"avif"``, ``"heif"``,
        ``"tiff"``, ``"gif"`` or ``"bmp"``.
    mode : str
        Pillow's mode of the first frame, such as ``"RGB"``, ``"P"`` or ``"I;16"``.
    frames : int
        Frames of an animation, pages of a TIFF; 1 for a plain picture.
    lossless : bool
        True for PNG, BMP, GIF, lossless WebP and TIFF that is not JPEG-compressed.
    brightness, contrast, sharpness : float
        See `dedup_widgets.images.quality`.
    exif : bool
        Whether EXIF data are there.
    """

    width: int
    height: int
    bytes: int
    format: str
    mode: str
    frames: int
    lossless: bool
    exif: bool
    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded file.

    Attributes
    ----------
    rgb : PIL.Image.Image
        The first frame as a viewer shows it: mode RGB, 8 bit, sRGB, oriented, on white.
    fingerprint : str
        32 hexadecimal characters; see `decode`.
    facts : Facts
        Size, format and the like.
    """

    rgb: Image.Image
    fingerprint: str
    facts: Facts


def decode(data: bytes) -> Picture:
    """Decode a file into a picture, its fingerprint and its facts.

    The fingerprint is SHA-256, cut to 128 bits, over every frame's shape and pixels as a viewer
    shows them: EXIF orientation applied; grey, palette and CMYK brought to RGB; alpha composited
    on white. A colour profile counts unless it describes sRGB (or there is none); other metadata
    do not. Pixels count at their own depth and nothing is rounded away: 8-bit pictures as 8 bit,
    16-bit as 16 bit, 32-bit integers and floats as they are. The depth itself counts too, so
    a 16-bit picture never shares its fingerprint with an 8-bit one. Where the decoder cannot
    deliver the file's own depth (10- and 12-bit AVIF, planar 16-bit TIFF, 16-bit animations),
    the bytes of the file stand in for the pixels: then only identical files are exact
    duplicates. A cryptographic hash is used because exact duplicates lead to removal. Every pixel
    counts, so that every one is decoded: the scaled decoding of JPEG, about twice as fast, would
    serve the network and not the fingerprint.

    `Picture.rgb` is for eyes and networks: profiles converted to sRGB, deep pictures mapped to
    8 bit. 16-bit pictures are scaled by 1/257, or stretched between the 0.1 % and 99.9 %
    percentiles if they use less than a quarter of the range (10- and 12-bit cameras); 32-bit
    integers are stretched likewise and floats between their minimum and maximum.

    Parameters
    ----------
    data : bytes
        The content of an image file. Its format is read from the content.

    Returns
    -------
    Picture
        Picture, fingerprint and facts. The same bytes always give the same result.

    Raises
    ------
    ImageError
        If the bytes are empty, no image, damaged or truncated, or larger than `MAX_PIXELS`
        (`MAX_PIXELS_OF_ALL_FRAMES`). No other error is raised and no warning issued,
        whatever the bytes.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("L", (3, 2), 200).save(file, "PNG")
    >>> picture = decode(file.getvalue())
    >>> picture.rgb.mode, picture.facts.width, picture.facts.height, picture.facts.format
    ('RGB', 3, 2, 'png')
    >>> decode(b"<html>not found</html>")
    Traceback (most recent call last):
    ...
    dedup_widgets.ImageError: not an image (looks like HTML); check where the file came from
    """
    name = sniff(data)
    with quiet_pillow():
        try:
            return _decode(data, name)
        except ImageError:
            raise
        except Exception as error:
            # Pillow's plugins let almost any exception through when bytes are damaged.
            raise ImageError(why_undecodable(name, error)) from error


def _decode(data: bytes, name: str) -> Picture:
    """Decode a file of a format by Pillow's name, as :func:`decode` does."""
    image = open_image(data, name)
    check_size(image.size)
    mode, frames, first = image.mode, getattr(image, "n_frames", 1), image.tell()
    digest = hashlib.sha256()
    digest.update(f"dedup_widgets 1, {frames} frames, {colour_space(image)}".encode())
    rgb = None
    pixels = 0
    # A HEIF file may name a later picture as the one to show: it comes first here.
    for index in (first, *(i for i in range(frames) if i != first)):
        image.seek(index)
        check_size(image.size)
        pixels += image.width * image.height
        if max(pixels, frames * (index == first) * pixels) > MAX_PIXELS_OF_ALL_FRAMES:
            raise ImageError(
                f"too large: {frames} frames of {image.width}x{image.height} pixels, limit "
                f"{MAX_PIXELS_OF_ALL_FRAMES / 1e6:.0f} megapixels together; split or shrink it"
            )
        canonical, shown = _frame(image, data, name, frames)
        for part in canonical:
            digest.update(part)
        if rgb is None:
            rgb = shown()
            exif = has_exif(image)
    assert rgb is not None
    measured = grey(rgb)
    facts = Facts(
        width=rgb.width,
        height=rgb.height,
        bytes=len(data),
        format=name.lower(),
        mode=mode,
        frames=frames,
        lossless=is_lossless(data, name, image),
        exif=exif,
        brightness=brightness(measured),
        contrast=contrast(measured),
        sharpness=sharpness(measured),
    )
    return Picture(rgb, digest.hexdigest()[:32], facts)


def _frame(
    image: ImageFile.ImageFile, data: bytes, name: str, frames: int
) -> tuple[tuple[bytes, ...], Callable[[], Image.Image]]:
    """Return the fingerprint's input of the present frame, and its 8-bit picture.

    Returns
    -------
    tuple
        Shape and pixels as bytes, to be hashed one after the other; and a function that makes the
        RGB picture, to be called only for the frame that is shown.
    """
    profile = image.info.get("icc_profile")
    whole_file = False
    deep = None
    if bits_per_sample(image, data, name) > mode_bits(image.mode):
        deep = deep_pixels(image, data, name) if frames == 1 else None
        whole_file = deep is None
    upright = oriented(image)
    if deep is None and mode_bits(upright.mode) > 8:
        deep = as_array(upright)
    if deep is None:
        # A file of one frame is never decoded again, so that its pixels need no copy.
        rgb = upright if frames == 1 and _is_plain(upright) else on_white(upright)
        height, width = rgb.height, rgb.width
        pixels = hashlib.sha256(data).digest() if whole_file else rgb.tobytes()
        kind = "file" if whole_file else "uint8"

        def shown() -> Image.Image:
            return in_srgb(rgb, upright, profile)
    else:
        height, width = deep.shape[:2]
        pixels, kind = np.ascontiguousarray(deep).tobytes(), str(deep.dtype)

        def shown() -> Image.Image:
            mapped = Image.fromarray(tone_map(deep)).convert("RGB")
            return in_srgb(mapped, mapped, profile)

    return (f"{kind} {height}x{width}".encode(), pixels), shown


def _is_plain(image: Image.Image) -> bool:
    return image.mode == "RGB" and "transparency" not in image.info
