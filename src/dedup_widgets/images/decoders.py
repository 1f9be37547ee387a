"""Which libraries decode pictures here: under their versions fingerprints and errors are known."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from dedup_widgets.images.decode import DECODER_VERSION

_CODECS = ("jpg", "jpg_2000", "zlib", "libtiff")
_MODULES = ("webp", "avif", "littlecms2")


@cache
def decoder_key() -> str:
    """Return a text that changes with each library that decodes, and with :func:`decode` itself.

    Another version may read what this one cannot, or decode it to other pixels.

    Returns
    -------
    str
        The number of our own version, and a hash of those of the libraries.
    """
    from PIL import __version__, features

    found = [f"Pillow {__version__}"]
    found += [f"{name} {features.version_codec(name)}" for name in _CODECS]
    found += [f"{name} {features.version_module(name)}" for name in _MODULES]
    found.append(f"pillow-heif {_version_of('pillow-heif')}")
    # Only where they are installed, as others know the same without them.
    optional = ("pillow-jxl-plugin", "rawpy")
    found += [f"{name} {it}" for name in optional if (it := _version_of(name)) != "none"]
    digest = hashlib.sha256("; ".join(found).encode()).hexdigest()
    return f"{DECODER_VERSION} {digest[:16]}"


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
