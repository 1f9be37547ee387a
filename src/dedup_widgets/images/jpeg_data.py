"""What of a JPEG file decides its picture: all but the metadata that stand before it."""

from collections.abc import Iterator

_START_OF_SCAN = 0xDA

_APPLICATION_0, _APPLICATION_14, _APPLICATION_15, _COMMENT = 0xE0, 0xEE, 0xEF, 0xFE

_COLOURS = {_APPLICATION_0: b"JFIF\0", _APPLICATION_14: b"Adobe"}
"""Segments by which decoders choose how colours are stored (ITU-T T.871, T.872), and how they
begin."""


def picture_data(data: bytes) -> Iterator[bytes | memoryview]:
    """Yield the parts of a JPEG file that a decoder makes its pixels of.

    Tables and scans count, and all that follows them; texts, EXIF data, previews and colour
    profiles do not. Two files whose parts are equal have the same pixels; the reverse is not true,
    as other tables can store the same picture. (ITU-T T.81, annex B.)

    Parameters
    ----------
    data
        The content of a JPEG file.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> plain, commented = io.BytesIO(), io.BytesIO()
    >>> Image.new("L", (9, 9), 99).save(plain, "JPEG")
    >>> Image.new("L", (9, 9), 99).save(commented, "JPEG", comment="by hand")
    >>> one, other = (list(picture_data(file.getvalue())) for file in (plain, commented))
    >>> one == other
    True
    """
    view, at = memoryview(data), 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        is_none = kind < 0xC0 or 0xD0 <= kind <= 0xD9 or kind == 0xFF or length < 2
        segment = view[at : at + 2 + length]
        if is_none or len(segment) < 2 + length or kind == _START_OF_SCAN:
            break
        if kind in _COLOURS and segment[4:].tobytes().startswith(_COLOURS[kind]):
            # Where and how large a preview is does not matter; that the segment is there does.
            yield segment if kind == _APPLICATION_14 else _COLOURS[kind]
        elif not (_APPLICATION_0 <= kind <= _APPLICATION_15 or kind == _COMMENT):
            yield segment
        at += 2 + length
    yield view[at:]
