"""Colour profiles, and pictures with transparency."""

import hashlib
import io
import threading
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_SRGB_PRIMARIES = {1, 2}
"""Colour primaries (ITU-T H.273) that viewers show as sRGB."""


_SRGB_TRANSFERS = {1, 2, 6, 13}
"""Transfer curves (ITU-T H.273) that viewers show as sRGB."""


_IS_ZERO = [255] + [0] * 255
"""Makes a mask of what cannot be seen out of alpha."""


def on_white(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Convert an 8-bit picture of any mode to RGB, transparent pixels on white.

    Returns
    -------
    tuple
        The RGB picture; and, unless it is opaque all over, the RGBA picture, in which pixels that
        cannot be seen at all are white.
    """
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted, None
    if image.mode == "La":
        image = image.convert("LA")
    if "A" not in image.mode and "a" not in image.mode and "transparency" not in image.info:
        return image.convert("RGB"), None
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return rgba.convert("RGB"), None
    hidden = alpha.point(_IS_ZERO, "1")
    if hidden.getbbox():
        rgba = rgba.copy()
        rgba.paste((255, 255, 255, 0), mask=hidden)
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB"), rgba


def colour_space(image: Image.Image) -> str:
    """Return the colour space for the fingerprint: ``"sRGB"``, or what identifies another."""
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
    """Tell whether a profile shows colours as sRGB does, by converting a lattice of colours.

    Its description does not say: the many profiles that mean sRGB share no name.
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


def in_srgb(rgb: Image.Image, original: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a picture with its colours converted from its profile to sRGB."""
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
        return _transform(profile, image.mode, threading.get_ident()).apply(image)
    except Exception:
        # Viewers ignore a profile that they cannot use.
        return rgb


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str, thread: int) -> ImageCms.ImageCmsTransform:  # noqa: ARG001
    """Return what converts pictures of a mode from a profile to sRGB, for one thread.

    To make it takes as long as to convert a small picture.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
