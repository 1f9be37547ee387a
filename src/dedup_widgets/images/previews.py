"""Which pictures of a file are frames or pages, and which only previews or smaller versions."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dedup_widgets.images.pillow import frame_count

Size = tuple[int, int]

_NEW_SUBFILE_TYPE_TAG, _SUBFILE_TYPE_TAG = 254, 255


_MP_ENTRIES_TAG = 0xB002


_AUXILIARY = (b"hdrgm:", b"hdrgainmap", b"urn:iso:std:iso:ts:21496:-1", b"AuxiliaryImageType")
"""What marks a picture in a JPEG as a gain map, a depth map or the like of another."""


_HEAD_BYTES = 65_536


_COMPARED_SIDE = 256


_SAME_CORRELATION = 0.95
"""Correlation of grey levels from which a smaller picture is a version of a larger one. Pages of
one layout that differ in their words stay below."""


def pictures_of(image: ImageFile.ImageFile, data: bytes) -> tuple[list[int], list[int], int]:
    """Tell apart what an open file holds; of several pictures, it may stand at another one then.

    Returns
    -------
    tuple
        The numbers of the pictures, the one to show first; of those that may be smaller versions
        of it, for :func:`is_smaller_version` to decide; and the pixels of the largest one.
    """
    # A HEIF file may name a later picture as the one to show.
    first, frames = image.tell(), frame_count(image)
    if image.format == "PNG" and b"fcTL" not in data:
        frames = 1  # Whatever it declares: without controls of frames it is a still picture.
    if frames == 1 or (image.format != "TIFF" and not hasattr(image, "mpinfo")):
        all_of_them = [first, *(i for i in range(frames) if i != first)]
        return all_of_them, [], image.width * image.height
    found = _own_pages(image, frames) if image.format == "TIFF" else _own_jpegs(image, data, frames)
    first = next(iter(found))
    doubtful = [
        i
        for i, size in found.items()
        if _has_shape_of(size, found[first]) and not _is_named(image, i)
    ]
    largest = max(width * height for width, height in found.values())
    return [i for i in found if i not in doubtful], doubtful, largest


def is_smaller_version(small: Image.Image, large: Image.Image) -> bool:
    """Tell whether a picture shows what another of the same aspect ratio shows."""
    scale = min(1.0, _COMPARED_SIDE / max(small.size))
    width, height = (max(1, round(side * scale)) for side in small.size)
    one, other = (_grey(picture, (width, height)) for picture in (small, large))
    spread = one.std() * other.std()
    return bool(spread) and bool((one * other).mean() >= _SAME_CORRELATION * spread)


def _grey(picture: Image.Image, size: tuple[int, int]) -> NDArray[np.float64]:
    grey = picture.convert("L").resize(size, Image.Resampling.BOX)
    pixels = np.asarray(grey, np.float64)
    return np.asarray(pixels - pixels.mean())


def _has_shape_of(small: tuple[int, int], large: tuple[int, int]) -> bool:
    """Tell whether a size is a smaller one of the same aspect ratio."""
    (w, h), (width, height) = small, large
    difference = abs(w * height - h * width)
    return w < width and h < height and difference <= max(width, height, w * height // 100)


def _own_pages(image: ImageFile.ImageFile, frames: int) -> dict[int, Size]:
    """Return the pages of a TIFF that do not call themselves smaller versions, with their sizes."""
    sizes: dict[int, Size] = {}
    smaller = set()
    for i in range(frames):
        try:
            image.seek(i)
        except Exception:
            # A damaged page is found again, and told, when it is decoded.
            sizes[i] = sizes.get(0, image.size)
            continue
        sizes[i] = image.size
        tags = image.tag_v2  # type: ignore[attr-defined]
        if tags.get(_NEW_SUBFILE_TYPE_TAG, 0) & 1 or tags.get(_SUBFILE_TYPE_TAG, 1) == 2:
            smaller.add(i)
    return {i: size for i, size in sizes.items() if i not in smaller} or sizes


def _own_jpegs(image: ImageFile.ImageFile, data: bytes, frames: int) -> dict[int, Size]:
    """Return the pictures of a JPEG of several that are there and are no thumbnail or map."""
    image.seek(0)
    own = {0: image.size}
    for i in range(1, frames):
        if "Thumbnail" in _type_of(image, i):
            continue
        try:
            image.seek(i)
        except Exception:
            # The index outlives pictures that a program has cut off: nothing is there.
            continue
        at: int = image.offset  # type: ignore[attr-defined]
        head = data[at : at + _HEAD_BYTES]
        if head.startswith(b"\xff\xd8\xff") and not any(mark in head for mark in _AUXILIARY):
            own[i] = image.size
    return own


def _is_named(image: ImageFile.ImageFile, index: int) -> bool:
    """Tell whether a JPEG's index calls a picture one of a panorama, a pair or several angles."""
    return hasattr(image, "mpinfo") and _type_of(image, index).startswith("Multi-Frame")


def _type_of(image: ImageFile.ImageFile, index: int) -> str:
    entry = image.mpinfo[_MP_ENTRIES_TAG][index]  # type: ignore[attr-defined]
    return str(entry["Attribute"]["MPType"])
