"""A PNG of 16 bits a colour that is decoded once has the samples of one that is decoded twice."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dedup_widgets.errors import ImageError
from dedup_widgets.images import deep_png, depth
from dedup_widgets.images.decode import decode
from dedup_widgets.images.pillow import open_image
from effort import examples

_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
_ADAM7 += [(1, 0, 2, 1)]
"""First line, first column, and every how many of each, of the seven passes."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples: np.ndarray, *, before=b"", after=b"", interlaced=False, pieces=1) -> bytes:
    """Write a PNG; its lines are stored by each of the five filters in turn, or unfiltered."""
    height, width, bands = samples.shape
    big = samples.astype(">u2")
    if interlaced:
        parts = (big[top::down, left::across] for top, left, down, across in _ADAM7)
        packed = zlib.compress(
            b"".join(b"\0" + line.tobytes() for part in parts if part.size for line in part)
        )
    else:
        packed = zlib.compress(filtered(big.reshape(height, -1).view(np.uint8), 2 * bands))
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[bands], 0, 0, interlaced)
    step = -(-len(packed) // pieces)
    idat = (chunk(b"IDAT", packed[i : i + step]) for i in range(0, len(packed), step))
    parts = (chunk(b"IHDR", head), before, *idat, after, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def filtered(lines: np.ndarray, pixel_bytes: int) -> bytes:
    """Filter lines of bytes by https://www.w3.org/TR/png-3/#9Filters."""
    out, above = b"", np.zeros(lines.shape[1], int)
    for number, line in enumerate(lines.astype(int)):
        left, corner = (
            np.concatenate([np.zeros(pixel_bytes, int), it])[: len(it)] for it in (line, above)
        )
        distances = np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)
        a, b, c = distances
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        guess = (0 * line, left, above, (left + above) // 2, paeth)[number % 5]
        out += bytes([number % 5]) + (line - guess).astype(np.uint8).tobytes()
        above = line
    return out


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return chunk(b"eXIf", tags.tobytes()[6:])


def outcome(data: bytes):
    try:
        picture = decode(data)
    except ImageError as error:
        return str(error)
    return picture.fingerprint, picture.facts, picture.reduced.tobytes(), picture.rgb.tobytes()


def outcomes(data: bytes):
    """What comes of a file, and what came of it where it was decoded twice."""
    once = outcome(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "deep_png", lambda *_: None)
        return once, outcome(data)


@st.composite
def samples(draw) -> np.ndarray:
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.sampled_from([3, 4])))
    drawn = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 65536, shape, np.uint16)
    if shape[2] == 4:
        alpha = draw(st.sampled_from([None, 0, 1, 65535]))
        drawn[:: draw(st.integers(1, 3)), :, 3] = drawn[0, 0, 3] if alpha is None else alpha
    return drawn >> draw(st.sampled_from([0, 4, 12]))


@pytest.mark.lengthy
@examples(80)
@given(samples(), st.integers(1, 8), st.booleans(), st.booleans(), st.integers(1, 4), st.data())
def test_what_is_decoded_once_is_what_was_decoded_twice(
    drawn, turn, is_late, interlaced, pieces, data
):
    before, after = (b"", exif(turn)) if is_late else (exif(turn), b"")
    if drawn.shape[2] == 3 and data.draw(st.booleans(), "a transparent colour"):
        before += chunk(b"tRNS", drawn[0, 0].astype(">u2").tobytes())
    after += chunk(b"tEXt", b"Comment\0late")
    file = png(drawn, before=before, after=after, interlaced=interlaced, pieces=pieces)
    once, twice = outcomes(file)
    assert once == twice
    assert isinstance(once, tuple)


@pytest.mark.lengthy
@examples(150)
@given(samples(), st.data())
def test_a_damaged_file_is_refused_or_read_as_before(drawn, data):
    file = bytearray(png(drawn, after=chunk(b"tEXt", b"Comment\0late"), pieces=2))
    if data.draw(st.booleans(), "cut off"):
        del file[data.draw(st.integers(8, len(file) - 1)) :]
    else:
        file[data.draw(st.integers(8, len(file) - 1))] ^= data.draw(st.integers(1, 255))
    once, twice = outcomes(bytes(file))
    assert once == twice


@pytest.mark.lengthy
def test_what_is_damaged_prints_nothing_past_python(capfd):
    whole = png(np.full((9, 9, 3), 40_000, np.uint16))
    for at in range(8, len(whole)):
        outcome(whole[:at])
        outcome(whole[:at] + bytes([whole[at] ^ 5]) + whole[at + 1 :])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bands", [3, 4])
def test_nothing_is_decoded_a_second_time(bands, monkeypatch):
    drawn = np.random.default_rng(0).integers(0, 65536, (15, 20, bands), np.uint16)
    data = png(drawn)
    opened = type(open_image(data, "PNG"))
    load, decoded = opened.load, []

    def counted(image):
        decoded.extend(image.tile)
        return load(image)

    monkeypatch.setattr(opened, "load", counted)
    assert decode(data).facts.width == 20
    assert len(decoded) <= 1
    assert np.array_equal(deep_png.deep_png(open_image(data, "PNG"), data), drawn)
