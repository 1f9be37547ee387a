"""Raw files of cameras, told from pictures by their content.

Most are TIFF inside: the sensor's data in one directory and small developed previews in others.
Whoever opens the first directory only sees a thumbnail.
"""

import struct
from collections.abc import Iterator

_NEW_SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 259, 262, 330, 50706


_REDUCED = 1
"""Bit of NewSubfileType: a smaller version of another picture in the file."""


_SENSOR_DATA = {32803, 34892}
"""Photometric interpretations: a colour filter array, and linear raw (TIFF/EP, DNG)."""


_MAKERS_COMPRESSIONS = {262, 32767, 32769, 32770, 34713, 65000, 65535}
"""Compressions of Kodak, Sony, Epson, Samsung, Nikon and Pentax, for the sensor's data alone."""


_MAX_DIRECTORIES = 64


_MAGIC = {
    b"FUJIFILMCCD-RAW": "Fujifilm RAF",
    b"IIU\0": "Panasonic RW2",
    b"IIRO": "Olympus ORF",
    b"IIRS": "Olympus ORF",
    b"MMOR": "Olympus ORF",
    b"\0MRM": "Minolta MRW",
    b"FOVb": "Sigma X3F",
    b"II\x1a\0\0\0HEAPCCDR": "Canon CRW",
}


def camera_raw(data: bytes) -> str | None:
    r"""Return what kind of raw file this is; None if it is none.

    Parameters
    ----------
    data
        The content of a file.

    Examples
    --------
    >>> camera_raw(b"FUJIFILMCCD-RAW 0201"), camera_raw(b"\xff\xd8\xff")
    ('Fujifilm RAF', None)
    """
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[4:12] == b"ftypcrx ":
        return "Canon CR3"
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    if data[4:11] == b"\x10\0\0\0CR\x02":
        return "Canon CR2"
    if data[8:12] in (b"IIII", b"MMMM") and b"waR" in (data[13:16], data[14:11:-1]):
        return "Phase One IIQ"
    directories = list(_directories(data))
    if any(_DNG_VERSION in tags for tags in directories):
        return "DNG"
    if any(
        not _SENSOR_DATA.isdisjoint(tags.get(_PHOTOMETRIC, ()))
        or not _MAKERS_COMPRESSIONS.isdisjoint(tags.get(_COMPRESSION, ()))
        for tags in directories
    ):
        return "TIFF with sensor data"
    # A preview comes first, and what it is a preview of is no page beside it.
    main = directories[0] if directories else {}
    if _SUB_IFDS in main and _is_reduced(main) and not all(map(_is_reduced, directories)):
        return "TIFF that begins with a preview"
    return None


def _is_reduced(tags: dict[int, tuple[int, ...]]) -> bool:
    return any(value & _REDUCED for value in tags.get(_NEW_SUBFILE_TYPE, ()))


def _directories(data: bytes) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield the whole-number tags of a TIFF's directories and of those below; damaged ones end."""
    order = "<" if data[:1] == b"I" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    offset_type, count_type, size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    entry = struct.Struct(order + "HH" + offset_type)
    kinds = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
    offset, count = struct.Struct(order + offset_type), struct.Struct(order + count_type)
    try:
        waiting = list(offset.unpack_from(data, 8 if is_big else 4))
        seen: set[int] = set()
        while waiting and len(seen) < _MAX_DIRECTORIES:
            at = waiting.pop(0)
            if at in seen or at == 0:
                continue
            seen.add(at)
            tags = {}
            (entries,) = count.unpack_from(data, at)
            at += count.size
            for _ in range(entries):
                tag, kind, n = entry.unpack_from(data, at)
                if kind in kinds and n <= _MAX_DIRECTORIES:
                    values = struct.Struct(f"{order}{n}{kinds[kind]}")
                    inline = at + entry.size
                    fits = values.size <= offset.size
                    where = inline if fits else offset.unpack_from(data, inline)[0]
                    tags[tag] = values.unpack_from(data, where)
                at += size
            yield tags
            waiting += [*offset.unpack_from(data, at), *tags.get(_SUB_IFDS, ())]
    except (struct.error, OverflowError):
        return
