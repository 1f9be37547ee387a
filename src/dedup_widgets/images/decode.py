"""The one decoder: from a file's bytes to the picture a viewer shows, its fingerprint and facts.

Fingerprint, embedding and thumbnail all come from `decode`, so they can never disagree about what
a file shows. Functions here take bytes or pictures; none reads a file.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.images.budget import (
    ByteBudget,
    NoRoomError,
    check_counts,
    check_frame_count,
    check_scans,
    seconds_to_decode,
)
from dedup_widgets.images.colour import colour_space
from dedup_widgets.images.depth import bits_per_sample, mode_bits
from dedup_widgets.images.detail import resolved_pixels, spectrum
from dedup_widgets.images.exif import camera, gps
from dedup_widgets.images.formats import (
    check_size,
    check_time,
    has_few_colours,
    is_lossless,
    sniff,
    undecodable,
)
from dedup_widgets.images.frames import Frame, read_frame
from dedup_widgets.images.jpeg_data import picture_data
from dedup_widgets.images.jpeg_xl import read_header
from dedup_widgets.images.layers import Layer, has_tones_of_a_page, layer
from dedup_widgets.images.pillow import (
    date_taken,
    frame_count,
    has_exif,
    open_image,
    oriented,
    quiet_pillow,
    turn_of,
)
from dedup_widgets.images.previews import is_smaller_version, pictures_of
from dedup_widgets.images.quality import brightness, contrast, grey, sharpness, small, tones
from dedup_widgets.images.side_parts import File, mended
from dedup_widgets.images.turned import size_after

T = TypeVar("T")

Decoding = Literal["full", "reduced"]
"""How much of a file is decoded; see :func:`decode`."""


DECODER_VERSION = 14
"""Raised when `decode` or `thumbnail` changes its results: those in a store are then outdated."""


MAX_FRAMES_KEPT = 256
"""Frames after the first of which a layer is kept."""


REDUCED_SIDE = 672
"""Pixels that the shorter side of a reduced picture has at least: three times what most networks
take."""


BYTES_A_PIXEL, BYTES_A_PLAIN_PIXEL = 24, 12
"""Memory that decoding takes at most, and of one opaque picture of 8 bits."""


_OF_DATA = 10 * "0"
"""How fingerprints end that are of the data of a JPEG and not of its pixels: of the others one in
10^12 does."""


IN_WORK = ByteBudget()
"""The memory that all threads which decode share."""


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
        Frames of an animation, pages of a TIFF; 1 for a plain picture. Embedded previews,
        thumbnails and maps of depth or gain are none.
    lossless : bool or None
        True for PNG, BMP, GIF, lossless WebP and TIFF that is not JPEG-compressed. None for a
        photo of which such a file keeps 256 colours or fewer: that is worse than JPEG.
    brightness, contrast, sharpness : float
        See `dedup_widgets.images.quality`.
    exif : bool
        Whether EXIF data are there that say more than how the picture is turned and stored.
    detail : float or None
        Pixels that the picture resolves; see `dedup_widgets.images.detail`. None where it was not
        decoded in full.
    camera, gps : str or None
        Maker and model, and degrees north and east, by its EXIF data; see
        `dedup_widgets.images.exif`.
    date_taken : str or None
        When it was taken by its EXIF data: the camera's local time, by ISO 8601, with parts of a
        second and its offset from UTC as far as they are known.
    spectrum : str
        How fine its detail is, as 62 hexadecimal digits, or empty; see
        `dedup_widgets.images.detail.spectrum`. For comparing copies: no column of a frame.
    note : str or None
        What of the file is damaged and was left out, though its picture is whole.
    """

    width: int
    height: int
    bytes: int
    format: str
    mode: str
    frames: int
    lossless: bool | None
    exif: bool
    brightness: float
    contrast: float
    sharpness: float
    detail: float | None = 0.0
    date_taken: str | None = None
    camera: str | None = None
    gps: str | None = None
    spectrum: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded file.

    Attributes
    ----------
    reduced : PIL.Image.Image
        The first frame as a viewer shows it: mode RGB, 8 bit, sRGB, oriented, on white; of a
        picture whose sides are twice `REDUCED_SIDE` or more the mean of square blocks.
    fingerprint : str
        32 hexadecimal characters; see `decode`.
    facts : Facts
        Size, format and the like.
    layers : tuple of Layer
        What a thumbnail does not show: a ``page`` in readable size, ``alpha`` unless it is opaque,
        each further ``band``; and each further ``frame``, in order, the first `MAX_FRAMES_KEPT`
        of them: if `facts.frames` says that there are more, the others were left out.
    small : NDArray[np.uint8]
        (64, 64): the grey picture, squashed, 0 black to 255 white.
    frame : Frame
        The first frame, as far as it was decoded.
    """

    reduced: Image.Image
    fingerprint: str
    facts: Facts
    layers: tuple[Layer, ...]
    small: NDArray[np.uint8]
    frame: Frame

    @property
    def rgb(self) -> Image.Image:
        """Make the first frame as a viewer shows it, at its own size, or as it was decoded."""
        return self.frame.shown(1)


def decode(data: bytes, decoding: Decoding = "full") -> Picture:
    """Decode a file into a picture, its fingerprint and its facts.

    The fingerprint is SHA-256, cut to 128 bits, over every frame's shape and pixels as a viewer
    shows them: EXIF orientation applied; grey, palette and CMYK brought to RGB. Alpha counts where
    it is not opaque all over, but not the colours of pixels that cannot be seen at all. Bands that
    are neither colour nor alpha count too. A colour profile counts unless it describes sRGB (or
    there is none); other metadata do not. Pixels count at their own depth and nothing is rounded
    away: 8-bit pictures as 8 bit, 16-bit as 16 bit, 32-bit integers and floats as they are. The
    depth itself counts too, so a 16-bit picture never shares its fingerprint with an 8-bit one.
    Where the decoder cannot deliver the file's own depth (10- and 12-bit AVIF, planar 16-bit TIFF,
    16-bit animations) or all its bands (planar TIFF, more than four), the bytes of the file stand
    in for the pixels: then only identical files are exact duplicates. A cryptographic hash is used
    because exact duplicates lead to removal. Every pixel counts, so that every one is decoded. All
    else is made of one reduced picture.

    Where `decoding` is ``"reduced"``, a JPEG whose shorter side has twice `REDUCED_SIDE` or more is
    decoded at a half, a quarter or an eighth of its sides, in less than half of the time. Its
    fingerprint, which ends with ten zeros, is then over the file's data but for the metadata before
    them (see :func:`~dedup_widgets.images.jpeg_data.picture_data`), how it is turned, and its
    colour profile: whoever shares it shows the same picture; a PNG of its pixels does not share it.
    How fine its detail is remains unknown. All other files are decoded in full.

    `Picture.rgb` is for eyes and networks: profiles converted to sRGB, deep pictures mapped to
    8 bit. 16-bit pictures are scaled by 1/257, or stretched between the 0.1 % and 99.9 %
    percentiles if they use less than a quarter of the range (10- and 12-bit cameras); 32-bit
    integers are stretched likewise and floats between their minimum and maximum.

    Parameters
    ----------
    data : bytes
        The content of an image file. Its format is read from the content.
    decoding
        ``"full"``: every pixel of every file; ``"reduced"``: of large JPEGs fewer.

    Returns
    -------
    Picture
        Picture, fingerprint and facts. The same bytes always give the same result.

    Raises
    ------
    ImageError
        If the bytes are empty, no image, damaged or truncated, or larger than `MAX_PIXELS`
        or than :mod:`dedup_widgets.images.budget` allows; a
        `NoRoomError` if only this machine's memory is too small. No other error is raised and no
        warning issued, whatever the bytes.

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
    return _decoded(data, lambda file, name: _decode(file, name, data, decoding))


def check_decoding(decoding: str) -> None:
    """Raise an InputError unless there is such a decoding."""
    if decoding not in get_args(Decoding):
        raise InputError(f"decoding is {decoding!r}; it must be 'full' or 'reduced'")


def decoding_of(fingerprint: str) -> Decoding:
    """Return how the picture that has a fingerprint was decoded.

    >>> decoding_of("2f37" + 10 * "0"), decoding_of("2f37")
    ('reduced', 'full')
    """
    return "reduced" if fingerprint.endswith(_OF_DATA) else "full"


def decoded_as(facts: Facts, decoding: Decoding) -> Decoding:
    """Return how a file of these facts is decoded where `decoding` is asked for."""
    is_reduced = decoding == "reduced" and _is_reducible(facts.format, facts.width, facts.height)
    return "reduced" if is_reduced else "full"


def _is_reducible(format_: str, width: int, height: int) -> bool:
    return format_ == "jpeg" and min(width, height) >= 2 * REDUCED_SIDE


def shown(data: bytes) -> Image.Image:
    """Decode a file into the picture that a viewer shows: ``decode(data).rgb``, in less time.

    Parameters
    ----------
    data : bytes
        The content of an image file.

    Raises
    ------
    ImageError
        As :func:`decode`, but for what is wrong beyond the first frame.
    """
    return _decoded(data, _shown)


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height of the first picture of a file, as it is stored.

    Raises
    ------
    ImageError
        If the bytes are no image, or their beginning is damaged.
    """
    return _decoded(data, lambda file, name: _opened(file, name)[0].size)


def preview(data: bytes, side: int) -> Image.Image:
    """Decode a file into a picture whose sides are `side` at least, or its own; for the eye alone.

    A JPEG is decoded at the eighth, quarter or half of its size that will do: of a photo that takes
    a tenth of the time of :func:`decode`, and the thumbnail of one is of other means of its pixels.

    Parameters
    ----------
    data : bytes
        The content of an image file.
    side : int
        Pixels.

    Raises
    ------
    ImageError
        As :func:`shown`.
    """
    return _decoded(data, lambda file, name: _shown(file, name, side))


def _decoded(data: bytes, read: Callable[[File, str], T]) -> T:
    name = sniff(data)
    with quiet_pillow():
        try:
            return read(File(data), name)
        except ImageError:
            raise
        except Exception as error:
            # Pillow's plugins let almost any exception through when bytes are damaged.
            if (file := mended(data, name)) is not None:
                try:
                    return read(file, name)
                except NoRoomError:
                    raise
                except Exception:
                    pass
            raise undecodable(name, error) from error


def _opened(file: File, name: str) -> tuple[ImageFile.ImageFile, list[int], list[int], int]:
    """Open a file at its first picture; return that, and what :func:`pictures_of` tells of it."""
    data = file.data
    check_counts(data, name)
    image = _opened_jpeg_xl(data) if name == "JXL" else open_image(data, name)
    check_size(image.size)
    check_frame_count(frame_count(image))
    if image.info.get("progressive"):
        check_scans(data, image.width * image.height)
    own, doubtful, largest = pictures_of(image, data)
    if image.tell() != own[0] or len(own) + len(doubtful) > 1:
        # Pillow keeps a profile of the picture at which it stood.
        image = open_image(data, name, own[0])
    if file.profile is not None:
        image.info["icc_profile"] = file.profile
    return image, own, doubtful, largest


def _opened_jpeg_xl(data: bytes) -> ImageFile.ImageFile:
    """Open a JPEG XL, which decodes it: so what it claims is looked at before."""
    width, height = read_header(data).size
    check_size((width, height))
    megapixels = width * height / 1e6
    seconds = seconds_to_decode("JXL", width * height, len(data))
    check_time(seconds, f"{megapixels:,.0f} megapixels in a JPEG XL of this kind")
    needed = BYTES_A_PIXEL * width * height + len(data)
    with IN_WORK.room_for(needed, f"a picture of {megapixels:.0f} megapixels"):
        return open_image(data, "JXL")


def _shown(file: File, name: str, side: int | None = None) -> Image.Image:
    image, own, doubtful, largest = _opened(file, name)
    with _room_for(image, file.data, name, largest):
        if side is not None:
            image.draft(image.mode, (side, side))
        frame = read_frame(image, file.data, name, len(own) + len(doubtful))
        return frame.shown(1 if side is None else max(1, min(frame.size) // side))


def _decode(file: File, name: str, original: bytes, decoding: Decoding) -> Picture:
    """Decode a file of a format by Pillow's name, as :func:`decode` does."""
    image, own, doubtful, largest = _opened(file, name)
    _check_time(image, file, name, len(own))
    with _room_for(image, file.data, name, largest):
        return _read(image, file, name, own, doubtful, original, decoding)


def _room_for(
    image: ImageFile.ImageFile, data: bytes, name: str, pixels: int
) -> AbstractContextManager[None]:
    """Return what holds the memory for decoding a file whose largest picture has so many pixels."""
    is_plain = (
        frame_count(image) == 1
        and image.mode in ("1", "L", "RGB", "CMYK", "YCbCr")
        and "transparency" not in image.info
        and bits_per_sample(image, data, name) <= mode_bits(image.mode)
    )
    a_pixel = BYTES_A_PLAIN_PIXEL if is_plain else BYTES_A_PIXEL
    needed = a_pixel * pixels + len(data)
    return IN_WORK.room_for(needed, f"a picture of {pixels / 1e6:.0f} megapixels")


def _read(
    image: ImageFile.ImageFile,
    file: File,
    name: str,
    own: list[int],
    doubtful: list[int],
    original: bytes,
    decoding: Decoding,
) -> Picture:
    data, notes, is_whole = file.data, [file.note], not file.lost_frames
    mode, space, stored = image.mode, colour_space(image), image.size
    is_reduced = decoding == "reduced" and _is_reducible(name.lower(), *stored)
    if is_reduced:
        image.draft(mode, (REDUCED_SIDE, REDUCED_SIDE))
    first = read_frame(image, data, name, len(own) + len(doubtful))
    turn = turn_of(image)
    width, height = size_after(stored, turn)
    reduced = first.shown(max(1, min(first.size) // REDUCED_SIDE))
    exif, taken, made_by, place = has_exif(image), date_taken(image), camera(image), gps(image)
    layers = list(first.further_layers())
    for index in doubtful:
        image.seek(index)
        check_size(image.size)
        if not is_smaller_version(oriented(image), reduced):
            own.append(index)
    frames = len(own)
    digest = hashlib.sha256()
    digest.update(f"dedup_widgets 1, {frames} frames, {space}".encode())
    if is_reduced:
        digest.update(f"JPEG data, {turn and turn.name}".encode())
    for part in picture_data(data) if is_reduced else first.parts():
        digest.update(part)
    pixels = width * height
    for number, index in enumerate(sorted(own[1:]), start=1):
        try:
            image.seek(index)
            pixels += image.width * image.height
            _check_time(image, file, name, frames, pixels)
            frame = read_frame(image, data, name, frames)
            further = frame.shown(1).convert("L") if number <= MAX_FRAMES_KEPT else None
        except (ImageError, MemoryError):
            raise
        except Exception:
            # Viewers show the first picture. What follows a damaged frame is built upon it.
            last = "" if number + 1 == frames else ", nor what follows it"
            notes.append(f"frame {number + 1} of {frames} cannot be read{last}")
            is_whole = False
            break
        # The data of a JPEG have its further pictures in them.
        for part in () if is_reduced else frame.parts():
            digest.update(part)
        if further is not None:
            layers.append(layer("frame", further))
    if not is_whole:
        # Nobody knows what the lost frames showed: only identical files are equal.
        digest.update(hashlib.sha256(original).digest())
    luma = reduced.convert("L")
    measured = grey(luma)
    counts = tones(measured)
    is_page = has_tones_of_a_page(counts)
    if is_page:
        layers.insert(0, layer("page", luma))
    toned = first.toned()
    lossless: bool | None = is_lossless(data, name, image)
    if lossless and not is_page and has_few_colours(toned.stored):
        lossless = None
    waves = b"" if is_reduced else spectrum(toned)
    facts = Facts(
        width=width,
        height=height,
        bytes=len(original),
        format=name.lower(),
        mode=mode,
        frames=frames,
        lossless=lossless,
        exif=exif,
        brightness=brightness(counts),
        contrast=contrast(counts),
        sharpness=sharpness(measured),
        detail=None if is_reduced else resolved_pixels(waves, width * height),
        date_taken=taken,
        camera=made_by,
        gps=place,
        spectrum=waves.hex(),
        note="; ".join(filter(None, notes)) or None,
    )
    fingerprint = digest.hexdigest()[:32]
    if is_reduced:
        fingerprint = fingerprint[: -len(_OF_DATA)] + _OF_DATA
    return Picture(reduced, fingerprint, facts, tuple(layers), small(measured), first)


def _check_time(
    image: ImageFile.ImageFile, file: File, name: str, frames: int, pixels: int | None = None
) -> None:
    """Refuse a file whose frames would take long: by now, or if all are as large as this."""
    check_size(image.size)
    if pixels is None:
        pixels = frames * image.width * image.height
    bits = bits_per_sample(image, file.data, name)
    seconds = seconds_to_decode(
        _coding(image, file.data, name),
        pixels,
        len(file.data),
        # Of several frames Pillow's 8 bits are taken.
        deep=frames == 1 and bits > 8,
        wide=len(image.getbands()) > 2 or bits > 16,
        alpha="A" in image.mode or "transparency" in image.info,
    )
    many = f"{frames:,} frames, " if frames > 1 else ""
    check_time(seconds, f"{many}{pixels / 1e6:,.0f} megapixels in a {name} of this kind")


def _coding(image: ImageFile.ImageFile, data: bytes, name: str) -> str:
    """Return how the pixels of an open file are stored, as `seconds_to_decode` has it."""
    compression = image.info.get("compression", "")
    match name:
        case "JPEG" if image.info.get("progressive"):
            return "progressive JPEG"
        case "WEBP" if is_lossless(data, name, image):
            return "lossless WEBP"
        case "TIFF" if compression == "raw":
            return "raw"
        case "TIFF" if "jpeg" in compression:
            return "JPEG"
        case "TIFF" if image.mode == "1":
            return "fax"
    return name
