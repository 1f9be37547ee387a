"""What Pillow reads is read, each pixel at its own depth."""

import io

import numpy as np
import pytest
from PIL import Image

from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode


def saved(image, name, **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["PPM", "TGA", "JPEG2000", "PCX", "SGI", "DDS", "QOI"])
def test_a_less_common_format_is_read_and_named(make_photo, name):
    picture = make_photo(1, (128, 128))
    try:
        data = saved(picture, name)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {name}")
    found = decode(data)
    assert found.facts.format == name.lower()
    assert (found.facts.width, found.facts.height) == (128, 128)
    if name in ("PPM", "TGA", "PCX", "QOI"):
        assert found.fingerprint == decode(saved(picture, "PNG")).fingerprint


@pytest.mark.lengthy
def test_icons_are_read(make_photo):
    assert decode(saved(make_photo(1, (64, 64)), "ICNS")).facts.format == "icns"
    assert decode(saved(make_photo(1, (64, 64)), "ICO", sizes=[(64, 64)])).facts.width == 64
    black_and_white = make_photo(1, (64, 48)).convert("1")
    xbm = decode(saved(black_and_white, "XBM"))
    assert xbm.fingerprint == decode(saved(black_and_white, "PNG")).fingerprint
    assert xbm.facts.format == "xbm"


def test_the_lowest_bits_of_deep_pictures_count():
    deep = np.arange(48, dtype=">u2").reshape(4, 4, 3) * 1000
    head, other = b"P6\n4 4\n65535\n", deep.copy()
    other[2, 2, 1] += 1
    assert decode(head + deep.tobytes()).fingerprint != decode(head + other.tobytes()).fingerprint
    grey = [Image.fromarray(a[..., 0].astype(np.uint16)) for a in (deep, other[:, ::-1] + 1)]
    first, second = (decode(saved(it, "JPEG2000", irreversible=False)) for it in grey)
    assert first.facts.mode == "I;16"
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"PK\3\4" + bytes(40), "an archive"),
        (b"P6 is the road to take", "looks like text"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data, says):
    with pytest.raises(ImageError, match=says):
        decode(data)
