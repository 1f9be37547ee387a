"""Parts of a file that no viewer shows: where they are damaged, the picture is read without them.

A text, a profile or an index beside the picture may be cut off, too long or have a wrong checksum.
`mended` writes the file again without what is damaged. It is asked only where the decoder refused
the file as it is, so a sound file never pays for it, and it leaves the picture's own data as they
are: a damaged picture stays damaged.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

_MAX_PROFILE = 2**24
"""Bytes of the largest colour profile that is unpacked."""

_MAX_TEXT = 2**20
"""Bytes of the longest text, or profile, that Pillow unpacks."""


@dataclass(frozen=True, slots=True)
class File:
    """The bytes that are decoded: a file as it is, or without its damaged side parts.

    Attributes
    ----------
    data : bytes
        The file, or the file written again.
    note : str
        What was left out, in words; empty for a file as it is.
    profile : bytes or None
        The colour profile of a PNG, where it is too long for Pillow.
    lost_frames : bool
        Whether frames after the first one are gone too.
    """

    data: bytes
    note: str = ""
    profile: bytes | None = None
    lost_frames: bool = False


def mended(data: bytes, name: str) -> File | None:
    """Return a file without its damaged side parts; None if it has none, or its format is another.

    Parameters
    ----------
    data
        The content of a file.
    name
        Pillow's name of its format.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("L", (3, 2), 200).save(file, "JPEG")
    >>> mended(file.getvalue()[:-2], "JPEG").note
    'the end marker is missing'
    >>> mended(file.getvalue(), "JPEG") is None
    True
    """
    mend = _MENDERS.get(name)
    return None if mend is None else mend(data)


_NO_END = "the end marker is missing"


def _note(left_out: list[str]) -> str:
    return f"damaged, and left out: {', '.join(dict.fromkeys(left_out))}"


# PNG, by https://www.w3.org/TR/png-3

_PNG_NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"}
_PNG_SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"tIME": 7, b"acTL": 8}
_PNG_TRANSPARENT = {0: 2, 2: 6}
"""Bytes of the transparent colour of a grey and of a coloured PNG; a shorter one counts nowhere."""
_PNG_WORDS = {
    **dict.fromkeys((b"tEXt", b"zTXt", b"iTXt"), "text"),
    b"iCCP": "colour profile",
    b"eXIf": "EXIF data",
    b"acTL": "animation",
}


def _png(data: bytes) -> File | None:
    has_frames = b"fcTL" in data
    sizes = _PNG_SIZES | {b"tRNS": _PNG_TRANSPARENT.get(int.from_bytes(data[25:26]), 0)}
    kept, left_out, profile, ended, text_bytes = [data[:8]], [], None, False, 0
    for kind, body, whole in _png_chunks(data):
        ended = ended or kind == b"IEND"
        is_sound = (
            len(whole) == len(body) + 12
            and zlib.crc32(kind + body) == int.from_bytes(whole[-4:])
            and len(body) >= sizes.get(kind, 0)
            and (kind != b"acTL" or has_frames)
        )
        if kind == b"iCCP" and is_sound:
            profile = _unpacked(body)
            is_sound = profile is not None and len(profile) < _MAX_TEXT
        if _PNG_WORDS.get(kind) == "text":
            # Sound or not: nobody reads it here, and together they may be too long for Pillow.
            text_bytes += len(body) if is_sound else _MAX_TEXT
            text_bytes += _unpacked_size(kind, body)
        elif is_sound or (kind in _PNG_NEEDED and len(body) >= sizes.get(kind, 0)):
            kept.append(whole)
        elif kind != b"iCCP" or profile is None:
            left_out.append(_PNG_WORDS.get(kind, f"{kind.decode('latin1')} chunk"))
        if ended:
            break
    if text_bytes >= _MAX_TEXT:
        left_out.append("text")
    if not ended:
        kept.append(b"\0\0\0\0IEND\xaeB`\x82")
    whole_file = b"".join(kept)
    if whole_file == data:
        return None
    notes = [_note(left_out)] if left_out else []
    notes += [] if ended else [_NO_END]
    return File(whole_file, "; ".join(notes), profile)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield kind, content and all bytes of each chunk; the last one may be cut off."""
    at = 8
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + size
        yield kind, data[at + 8 : end - 4], data[at:end]
        at = end


def _unpacked_size(kind: bytes, body: bytes) -> int:
    """Return the bytes of a compressed text, at most one more than are allowed; 0 of others."""
    at = body.find(b"\0") + 2
    if kind == b"iTXt" and body[at - 1 : at] == b"\1":
        at = body.find(b"\0", body.find(b"\0", at + 1) + 1) + 1
    elif kind != b"zTXt":
        return 0
    try:
        return len(zlib.decompressobj().decompress(body[at:], _MAX_TEXT + 1))
    except zlib.error:
        return _MAX_TEXT


def _unpacked(body: bytes) -> bytes | None:
    """Return the profile of an iCCP chunk, or None if it is damaged."""
    _, _, packed = body.partition(b"\0")
    try:
        unpack = zlib.decompressobj()
        profile = unpack.decompress(packed[1:], _MAX_PROFILE)
    except zlib.error:
        return None
    return profile if packed[:1] == b"\0" and unpack.eof and profile[36:40] == b"acsp" else None


# JPEG, by ITU-T T.81 and the segments of programs

_FILLINGS = (b"", b"\x55" * 64, b"\xa9\x3c\x17\xe2" * 16)
"""Put where a file ends: a picture that is complete does not depend on what comes after it."""


def _jpeg(data: bytes) -> File | None:
    kept, left_out, at = [b"\xff\xd8"], [], 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xDA:
            break
        segment = data[at : at + 2 + size]
        if problem := _problem_of(marker, segment[4:]):
            left_out.append(problem)
        else:
            kept.append(segment)
        at += 2 + size
    kept.append(data[at:])
    whole_file, notes = b"".join(kept), [_note(left_out)] if left_out else []
    if not _has_end(data, at):
        complete = _completed(whole_file)
        if complete is not None:
            whole_file = complete
            notes.append(_NO_END)
    return File(whole_file, "; ".join(notes)) if notes else None


def _problem_of(marker: int, body: bytes) -> str | None:
    """Return what a segment is whose content breaks the decoder though no viewer needs it."""
    if marker == 0xE0 and body[:4] == b"JFIF" and len(body) < 12:
        return "JFIF header"
    if marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) < 14:
        return "colour profile"
    if marker == 0xEE and body[:5] == b"Adobe" and len(body) < 12:
        return "Adobe header"
    return None


def _has_end(data: bytes, at: int) -> bool:
    """Tell whether an end marker follows the pixels that begin at a place."""
    return data.find(b"\xff\xd9", at) >= 0


def _completed(data: bytes) -> bytes | None:
    """Return a JPEG with an end marker, if nothing else of it is missing."""
    body = data.rstrip(b"\xff")
    found = set()
    for filling in _FILLINGS:
        try:
            with Image.open(io.BytesIO(body + filling + b"\xff\xd9"), formats=["JPEG"]) as image:
                found.add(image.tobytes())
        except Exception:
            return None
    return body + b"\xff\xd9" if len(found) == 1 else None


# WebP, by RFC 9649

_WEBP_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
_WEBP_NEEDED = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
_WEBP_WORDS = {b"ICCP": "colour profile", b"EXIF": "EXIF data", b"XMP ": "XMP data"}


def _webp(data: bytes) -> File | None:
    chunks: dict[int, bytes] = {}
    left_out, kinds, lost_frames, at = [], set(), False, 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        whole = data[at : at + 8 + size]
        is_whole = len(whole) == 8 + size
        if kind == b"ANMF" and not is_whole and b"ANMF" in kinds:
            lost_frames = True
        elif is_whole and kind in {*_WEBP_NEEDED, *_WEBP_FLAGS}:
            chunks[at] = whole + b"\0" * (size % 2)
            kinds.add(kind)
        elif kind in _WEBP_NEEDED:
            return None
        elif kind in _WEBP_WORDS:
            left_out.append(_WEBP_WORDS[kind])
        at += 8 + size + size % 2
    for place, chunk in chunks.items():
        if chunk.startswith(b"VP8X"):
            flags = chunk[8]
            for kind, flag in _WEBP_FLAGS.items():
                flags = flags | flag if kind in kinds else flags & ~flag
                if flags != chunk[8] and kind not in kinds and chunk[8] & flag:
                    left_out.append(_WEBP_WORDS[kind])
            chunks[place] = chunk[:8] + bytes([flags]) + chunk[9:]
    body = b"WEBP" + b"".join(chunks.values())
    whole_file = b"RIFF" + struct.pack("<I", len(body)) + body
    if whole_file == data:
        return None
    notes = [_note(left_out)] if left_out else []
    notes += ["the last frame is cut off"] if lost_frames else []
    return File(whole_file, "; ".join(notes) or "damaged: its length", lost_frames=lost_frames)


_MENDERS: dict[str, Callable[[bytes], File | None]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "WEBP": _webp,
}
