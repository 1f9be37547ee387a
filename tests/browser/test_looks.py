"""What the Explorer looks like, against small references made by ``make screenshots``."""

import pytest
from PIL import Image

import looks

pytestmark = pytest.mark.browser


def test_it_looks_as_it_did(stage, shots):
    different, seen = {}, set()
    for name, picture in looks.screens(stage):
        with Image.open(looks.reference(name)) as reference:
            if not looks.is_alike(picture, reference):
                different[name] = looks.difference(picture, reference)
                picture.save(shots / f"looks-{name}.png")
        seen.add(looks.reference(name))
    assert different == {}, "if they are meant to differ: make screenshots"
    assert seen == set(looks.REFERENCES.iterdir())


def test_what_is_moved_or_missing_is_noticed():
    with Image.open(looks.reference("first-1200-light")) as reference:
        whole = reference.convert("RGB")
    moved = whole.transform(whole.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -8))
    assert not looks.is_alike(moved, whole)
    with Image.open(looks.reference("first-1200-dark")) as dark:
        assert not looks.is_alike(dark.convert("RGB"), whole)
    bare = whole.copy()
    bare.paste(whole.getpixel((0, 0)), (0, 60, whole.width, 100))
    assert not looks.is_alike(bare, whole)
