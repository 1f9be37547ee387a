"""Formats beside the common ones that the installed Pillow reads, and files that are no picture."""

import re
from contextlib import suppress
from functools import cache
from importlib.util import find_spec

from dedup_widgets.images.jpeg_xl import CODESTREAM, CONTAINER, read_header

_MAGIC = {
    b"\x00\x00\x00\x0cjP  ": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\x00\x00\x01\x00": "ICO",
    b"icns": "ICNS",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"\x01\xda": "SGI",
    b"\x59\xa6\x6a\x95": "SUN",
    b"/* XPM */": "XPM",
}


_PNM = re.compile(rb"(P[1-6])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+(\d+))?\s")


_FLOAT_MAP = re.compile(rb"P[fF]\s+\d+\s+\d+\s+-?[\d.]+\s")


_XBM = re.compile(rb"(?:\s|/\*.*?\*/)*#define[ \t]+\S+_width[ \t]+\d+\s")


_TGA_END = b"TRUEVISION-XFILE.\0"


RAW_SUFFIXES = frozenset(
    {
        *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".sr2", ".srf", ".raf", ".rw2"),
        *(".orf", ".pef", ".srw", ".x3f", ".mrw", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr"),
        *(".rwl", ".mos", ".mef", ".gpr"),
    }
)
"""Suffixes of cameras' raw files, which hold no finished picture."""


ARCHIVE_SUFFIXES = frozenset(
    {
        *(".zip", ".cbz", ".cbr", ".cb7", ".cbt", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst"),
        *(".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".7z", ".rar"),
    }
)


_ARCHIVES = (
    *(b"PK\3\4", b"PK\5\6", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"),
    *(b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
)


_PACKAGES = {"JXL": ("pillow_jxl", "jxl"), "RAW": ("rawpy", "raw")}
"""What decodes formats for which a package is optional, and the extra that brings it."""


@cache
def is_installed(name: str) -> bool:
    """Tell whether the optional package is installed that decodes a format."""
    return find_spec(_PACKAGES[name][0]) is not None


def how_to_install(name: str) -> str:
    """Return how to get the optional package that decodes a format."""
    return f'pip install "dedup-widgets[{_PACKAGES[name][1]}]"'


def is_jpeg_xl(head: bytes) -> bool:
    """Tell whether a file is a JPEG XL."""
    return head.startswith((CODESTREAM, CONTAINER))


def is_archive(head: bytes) -> bool:
    r"""Tell whether a file is packed: a zip, a tar, or compressed.

    >>> is_archive(b"PK\3\4"), is_archive(b"P6 2 1 255 ")
    (True, False)
    """
    return head.startswith(_ARCHIVES) or head[257:262] == b"ustar"


_UNREAD = {
    b"8BPS": "a file of Photoshop",
    b"gimp xcf": "a file of GIMP",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"SIMPLE  =": "FITS",
    b"II\xbc\x01": "JPEG XR",
    b"BPG\xfb": "BPG",
    b"AT&TFORM": "DjVu",
    b"BLP1": "a texture (BLP)",
    b"BLP2": "a texture (BLP)",
}


def unread_picture(head: bytes) -> str | None:
    r"""Return what a picture is whose format is not read; None for anything else.

    >>> unread_picture(b"8BPS\0\1"), unread_picture(b"a text")
    ('a file of Photoshop', None)
    """
    if is_jpeg_xl(head):
        return None if is_installed("JXL") else "JPEG XL"
    if head[128:132] == b"DICM":
        return "DICOM"
    return next((name for magic, name in _UNREAD.items() if head.startswith(magic)), None)


def other_format(data: bytes) -> str | None:
    r"""Return Pillow's name of a less common format; None if it is none that is read.

    Examples
    --------
    >>> other_format(b"P6\n2 1\n255\n" + bytes(6)), other_format(b"P6 is a road")
    ('PPM', None)
    """
    if is_jpeg_xl(data) and is_installed("JXL"):
        return "JXL"
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            return name
    if _PNM.match(data) or _FLOAT_MAP.match(data):
        return "PPM"
    if _XBM.match(data[:1024]):
        return "XBM"
    if data[:1] == b"\n" and data[1:2] in b"\0\2\3\5" and data[2:3] == b"\1" and len(data) > 128:
        return "PCX"
    return "TGA" if data.endswith(_TGA_END) or _begins_as_tga(data) else None


def _begins_as_tga(data: bytes) -> bool:
    """Tell whether a header without any magic number is consistent as that of a TGA."""
    if len(data) < 19 or data[1] > 1 or data[2] not in (1, 2, 3, 9, 10, 11):
        return False
    has_map, kind, depth = data[1] == 1, data[2] & 7, data[16]
    depths = {1: (8,), 2: (16, 24, 32), 3: (8, 16)}[kind]
    map_is_empty = not any(data[3:8])
    size = int.from_bytes(data[12:14], "little"), int.from_bytes(data[14:16], "little")
    origin = data[8:12] == bytes(4) or data[17] & 0x30
    return bool(
        depth in depths
        and has_map == (kind == 1)
        and (has_map or map_is_empty)
        and all(size)
        and origin
        and not data[17] & 0xC0
    )


def bits_of_other(data: bytes, name: str) -> int | None:
    """Return the bits per sample of a less common format; None where that cannot be told."""
    match name:
        case "PPM":
            found = _PNM.match(data)
            most = int(found[4] or 1) if found and found[1] not in (b"P1", b"P4") else 1
            return 32 if found is None else 8 if most < 256 else 16
        case "JPEG2000":
            at = data.find(b"\xff\x4f\xff\x51")
            if at < 0 or len(data) < at + 43:
                return None
            bands = int.from_bytes(data[at + 40 : at + 42])
            return max((data[at + 42 + 3 * band] & 0x7F) + 1 for band in range(bands))
        case "JXL":
            with suppress(ValueError):
                return read_header(data).bits
            return None
        case "TGA" | "ICO" | "PCX" | "QOI" | "XBM":
            return 8
        case _:
            return None


def is_other(name: str) -> bool:
    """Tell whether a format is one of the less common ones."""
    return name in {*_MAGIC.values(), *_PACKAGES, "PPM", "PCX", "TGA", "XBM"}
