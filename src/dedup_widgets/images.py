"""The one decoder: from a file's bytes to the picture a viewer shows, its fingerprint and facts.

Fingerprint, embedding and thumbnail all come from `decode`, so they can never disagree about
what a file shows. Functions here take bytes or pictures; none reads a file.
"""

import contextlib
import hashlib
import io
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from dedup_widgets.errors import ImageError
from dedup_widgets.quality import brightness, contrast, grey, sharpness

DECODER_VERSION = 3
"""Raised when `decode` or `thumbnail` changes its results: what a store kept is stale then."""

MAX_PIXELS = 2 * 89_478_485
"""Pixels of the largest picture that is read: where Pillow itself refuses (179 megapixels)."""

MAX_PIXELS_OF_ALL_FRAMES = 10**9
"""Pixels of all frames or pages of one file together."""

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION_TAG = 0x0112
_EXIF_IFD_TAG = 0x8769
_BITS_PER_SAMPLE_TAG = 258
_PLANAR_TAG = 284

# Colour primaries and transfer curves (ITU-T H.273) that viewers show as sRGB.
_SRGB_PRIMARIES = {1, 2}
_SRGB_TRANSFERS = {1, 2, 6, 13}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says and shows apart from its content.

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
        See `dedup_widgets.quality`.
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
    dedup_widgets.errors.ImageError: not an image (looks like HTML); check where the file came from
    """
    name = _sniff(data)
    with _quiet_pillow():
        try:
            return _decode(data, name)
        except ImageError:
            raise
        except Exception as error:
            # Pillow's plugins let almost any exception through when bytes are damaged.
            raise ImageError(_why_undecodable(name, error)) from error


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


def _decode(data: bytes, name: str) -> Picture:
    image = _open(data, name)
    _check_size(image.size)
    mode, frames, first = image.mode, getattr(image, "n_frames", 1), image.tell()
    digest = hashlib.sha256()
    digest.update(f"dedup_widgets 1, {frames} frames, {_colour_space(image)}".encode())
    rgb = None
    pixels = 0
    # A HEIF file may name a later picture as the one to show: it comes first here.
    for index in (first, *(i for i in range(frames) if i != first)):
        image.seek(index)
        _check_size(image.size)
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
            exif = _has_exif(image)
    assert rgb is not None
    measured = grey(rgb)
    facts = Facts(
        width=rgb.width,
        height=rgb.height,
        bytes=len(data),
        format=name.lower(),
        mode=mode,
        frames=frames,
        lossless=_is_lossless(data, name, image),
        exif=exif,
        brightness=brightness(measured),
        contrast=contrast(measured),
        sharpness=sharpness(measured),
    )
    return Picture(rgb, digest.hexdigest()[:32], facts)


def _frame(
    image: ImageFile.ImageFile, data: bytes, name: str, frames: int
) -> tuple[tuple[bytes, ...], Callable[[], Image.Image]]:
    """Return what the fingerprint takes of the present frame, and a way to its 8-bit picture."""
    profile = image.info.get("icc_profile")
    whole_file = False
    deep = None
    if _bits(image, data, name) > _mode_bits(image.mode):
        deep = _deep_pixels(image, data, name) if frames == 1 else None
        whole_file = deep is None
    oriented = _oriented(image)
    if deep is None and _mode_bits(oriented.mode) > 8:
        deep = _as_array(oriented)
    if deep is None:
        # A file of one frame is never decoded again, so that its pixels need no copy.
        rgb = oriented if frames == 1 and _is_plain(oriented) else _on_white(oriented)
        height, width = rgb.height, rgb.width
        pixels = hashlib.sha256(data).digest() if whole_file else rgb.tobytes()
        kind = "file" if whole_file else "uint8"

        def shown() -> Image.Image:
            return _in_srgb(rgb, oriented, profile)
    else:
        height, width = deep.shape[:2]
        pixels, kind = np.ascontiguousarray(deep).tobytes(), str(deep.dtype)

        def shown() -> Image.Image:
            mapped = Image.fromarray(_tone_map(deep)).convert("RGB")
            return _in_srgb(mapped, mapped, profile)

    return (f"{kind} {height}x{width}".encode(), pixels), shown


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    _load_plugins()
    # Image.open() would try every plugin in turn and warn about large pictures; the format is
    # known here and the limit is ours.
    image = Image.OPEN[name][0](io.BytesIO(data), "")
    assert isinstance(image, ImageFile.ImageFile)
    return image


_plugins_lock = threading.Lock()


def _load_plugins() -> None:
    with _plugins_lock:
        _load_plugins_once()


@cache
def _load_plugins_once() -> None:
    import pillow_heif

    Image.init()
    pillow_heif.register_heif_opener()


class _QuietPillow:
    """Silences Pillow's warnings while any thread decodes.

    ``warnings.catch_warnings`` would not do: it swaps the filters of all threads, and threads
    that overlap restore each other's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filter: Any = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filter = warnings.filters[0]
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    with contextlib.suppress(ValueError):
                        warnings.filters.remove(self._filter)  # type: ignore[attr-defined]


_quiet_pillow = _QuietPillow()


def _sniff(data: bytes) -> str:
    """Return Pillow's name of the format, or raise an `ImageError` that says what it is."""
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
    raise ImageError(_why_no_image(data))


def _why_no_image(data: bytes) -> str:
    if not data:
        return "empty file (0 bytes); fetch or copy it again"
    if data.startswith(b"version https://git-lfs"):
        return "not an image (a Git LFS pointer); run `git lfs pull`"
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
    elif data[4:8] == b"ftyp":
        kind = "looks like a video"
    else:
        kind = "no known picture format"
    return f"not an image ({kind}); check where the file came from"


def _why_undecodable(name: str, error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"{name} does not fit into memory; use fewer workers or shrink it"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"too large: {error}"
    text = " ".join(str(error).split())[:160]
    if isinstance(error, UnidentifiedImageError) or not text or "BytesIO" in text:
        text = type(error).__name__
    lower = text.lower()
    cut = any(word in lower for word in ("truncated", "eof", "end of", "not enough data"))
    if any(word in lower for word in ("unsupported", "not supported", "unknown pixel mode")):
        return f"unsupported {name}: {text}; export it as PNG or JPEG"
    return f"{'truncated' if cut else 'damaged'} {name}: {text}; fetch or export it again"


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"too large: {width}x{height} = {width * height / 1e6:.0f} megapixels, "
            f"limit {MAX_PIXELS / 1e6:.0f}; shrink it or take it out of the input"
        )
    if width < 1 or height < 1:
        raise ImageError(f"damaged: a picture of {width}x{height} pixels; export it again")


def _oriented(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose lets damaged EXIF data make a good picture unreadable.
    image.load()
    try:
        method = _ORIENTATIONS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        method = None
    return image if method is None else image.transpose(method)


def _has_exif(image: Image.Image) -> bool:
    try:
        return "exif" in image.info or _EXIF_IFD_TAG in image.getexif()
    except Exception:
        return True


def _is_plain(image: Image.Image) -> bool:
    return image.mode == "RGB" and "transparency" not in image.info


def _on_white(image: Image.Image) -> Image.Image:
    """Bring an 8-bit picture of any mode to RGB."""
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    if image.mode == "La":
        image = image.convert("LA")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _mode_bits(mode: str) -> int:
    return 16 if mode.startswith("I;16") else 32 if mode in ("I", "F") else 8


def _bits(image: Image.Image, data: bytes, name: str) -> int:
    """Return how many bits a sample has in the file, as far as more than 8 are possible."""
    match name:
        case "PNG":
            return data[24]
        case "TIFF":
            bits = image.tag_v2.get(_BITS_PER_SAMPLE_TAG, (1,))  # type: ignore[attr-defined]
            return max(bits) if isinstance(bits, tuple) else int(bits)
        case "HEIF":
            return int(image.info.get("bit_depth", 8))
        case "AVIF":
            # The av1C box: version, profile and level, then tier, high_bitdepth, twelve_bit, ...
            at = data.find(b"av1C")
            return 10 if at < 0 or data[at + 6] & 0x40 else 8
        case _:
            return 8


def _deep_pixels(image: Image.Image, data: bytes, name: str) -> NDArray[np.uint16] | None:
    """Return the 16-bit RGB pixels that Pillow would cut to 8 bits, or None if out of reach."""
    if name == "HEIF":
        return _deep_heif_pixels(data)
    if name == "TIFF" and image.tag_v2.get(_PLANAR_TAG, 1) != 1:  # type: ignore[attr-defined]
        return None
    twin = _open(data, name)
    raw_modes = {tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in twin.tile}
    if len(raw_modes) != 1 or not isinstance(raw_mode := raw_modes.pop(), str):
        return None
    if raw_mode == "LA;16B":
        # Four bytes a pixel, as RGBA has: high and low byte of grey, then of alpha.
        bands = _samples(twin, "RGBA")
        grey, alpha = (_joined(bands[..., i], bands[..., i + 1]) for i in (0, 2))
        return _deep_on_white(np.dstack([grey, grey, grey]), alpha)
    # Pillow's raw mode says which byte of the two it keeps; the opposite byte order keeps the
    # other one.
    native_twin = "B" if sys.byteorder == "little" else "L"
    other = {";16B": ";16L", ";16L": ";16B", ";16N": ";16" + native_twin}.get(raw_mode[-4:])
    if other is None or raw_mode[:-4] not in ("RGB", "RGBA", "RGBX"):
        return None
    high, low = _samples(_open(data, name), raw_mode), _samples(twin, raw_mode[:-4] + other)
    samples = _joined(high, low)
    rgb = samples[..., :3]
    if samples.shape[2] == 4 and image.mode == "RGBA":
        return _deep_on_white(rgb, samples[..., 3])
    key = image.info.get("transparency")
    if isinstance(key, tuple):
        rgb[(rgb == np.array(key, dtype=np.uint16)).all(axis=2)] = 65535
    return rgb


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return np.asarray(high.astype(np.uint16) << 8 | low, dtype=np.uint16)


def _samples(image: ImageFile.ImageFile, raw_mode: str) -> NDArray[np.uint8]:
    image.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in image.tile
    ]
    return np.array(_oriented(image))


def _deep_heif_pixels(data: bytes) -> NDArray[np.uint16] | None:
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    image = file[file.primary_index]
    if image.mode not in ("RGB;16", "RGBA;16"):
        return None
    samples = np.asarray(image)
    if image.mode == "RGB;16":
        return samples
    return _deep_on_white(samples[..., :3], samples[..., 3])


def _deep_on_white(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    # 65535 * 65535 + 32767 still fits into 32 bits.
    a = alpha.astype(np.uint32)[..., None]
    return ((rgb * a + 65535 * (65535 - a) + 32767) // 65535).astype(np.uint16)


def _as_array(image: Image.Image) -> NDArray[Any]:
    """Return the pixels of a mode of 16 or 32 bits; 16-bit grey as three equal channels."""
    array = np.asarray(image)
    if array.dtype.itemsize > 2:
        return array.astype(array.dtype.newbyteorder("<"), copy=False)
    grey = array.astype(np.uint16)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey[grey == key] = 65535
    return np.dstack([grey, grey, grey])


def _tone_map(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint16:
        counts = np.bincount(pixels.ravel(), minlength=65536)
        low, high = 0.0, 65535.0
        if not counts[16384:].any():
            share = np.cumsum(counts) / pixels.size
            low, high = (float(np.searchsorted(share, q)) for q in (0.001, 0.999))
    else:
        finite = pixels[np.isfinite(pixels)].astype(np.float64)
        if not finite.size:
            low, high = 0.0, 0.0
        elif pixels.dtype.kind == "f":
            low, high = float(finite.min()), float(finite.max())
        else:
            low, high = (float(v) for v in np.percentile(finite, (0.1, 99.9)))
    if not high > low:
        low, high = (0.0, 65535.0) if pixels.dtype == np.uint16 else (low, low + 1.0)
    scaled = (np.nan_to_num(pixels, posinf=high, neginf=low) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(scaled, 0, 255) + 0.5, dtype=np.uint8)


def _colour_space(image: Image.Image) -> str:
    """Name the colour space for the fingerprint: ``"sRGB"``, or what tells it from sRGB."""
    profile = image.info.get("icc_profile")
    if profile:
        if _is_srgb(profile):
            return "sRGB"
        return "profile " + hashlib.sha256(profile).hexdigest()
    nclx = image.info.get("nclx_profile")
    if isinstance(nclx, dict):
        primaries, transfer = nclx.get("color_primaries"), nclx.get("transfer_characteristics")
        if primaries not in _SRGB_PRIMARIES or transfer not in _SRGB_TRANSFERS:
            return f"nclx {primaries}/{transfer}"
    return "sRGB"


@lru_cache(maxsize=256)
def _is_srgb(profile: bytes) -> bool:
    """Tell whether a profile shows colours as sRGB does, by trying a lattice of colours.

    Descriptions do not tell: the many profiles that mean sRGB share no name.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB":
            levels = np.linspace(0, 255, 9).astype(np.uint8)
            lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(9, 81, 3)
            probe = Image.fromarray(lattice)
        elif space == "GRAY":
            probe = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        else:
            return False
        shown = ImageCms.profileToProfile(
            probe,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
        )
    except Exception:
        return False
    assert shown is not None
    difference = np.asarray(shown, np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    return int(np.abs(difference).max()) <= 2


def _in_srgb(rgb: Image.Image, original: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or _is_srgb(profile):
        return rgb
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "CMYK" and original.mode == "CMYK":
            image = original
        elif space == "GRAY" and original.mode in ("1", "L", "LA"):
            image = rgb.convert("L")
        elif space == "RGB":
            image = rgb
        else:
            return rgb
        shown = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except Exception:
        # Viewers ignore a profile that they cannot use.
        return rgb
    return shown or rgb


def _is_lossless(data: bytes, name: str, image: Image.Image) -> bool:
    if name == "WEBP":
        return _first_webp_chunk(data) == b"VP8L"
    if name == "TIFF":
        return image.info.get("compression") not in ("jpeg", "tiff_jpeg", "webp")
    return name in ("PNG", "BMP", "GIF")


def _first_webp_chunk(data: bytes) -> bytes:
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind
        # A frame of an animation holds its own chunks after a header of 16 bytes.
        at += 8 + (16 if kind == b"ANMF" else size + size % 2)
    return b""
