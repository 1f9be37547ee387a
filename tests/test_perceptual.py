"""The perceptual vector: the same for copies of a whole picture, in any turn, and without torch."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dedup_widgets.images.perceptual import (
    DIMENSIONS,
    PERCEPTUAL_RADIUS,
    best_of_turns,
    perceptual_vector,
    undamped,
    without_turn,
)
from dedup_widgets.models.load import load_embedder
from dedup_widgets.models.perceptual import PERCEPTUAL

seeds = st.integers(0, 2**32 - 1)


def picture(seed):
    """A picture with coarse shapes and a little grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    grain = rng.normal(0, 3, (240, 320, 3))
    return Image.fromarray(
        np.clip(np.asarray(coarse.resize((320, 240), Image.Resampling.BICUBIC)) + grain, 0, 255)
        .round()
        .astype(np.uint8)
    )


def vector(image):
    embedder = load_embedder(PERCEPTUAL)
    return embedder.encode([embedder.prepare(image)])


def turns_of(small):
    return [a[:, ::x][::y] for a in (small, small.T) for y in (1, -1) for x in (1, -1)]


def vectors_of(smalls):
    return np.stack([perceptual_vector(small) for small in smalls])


@given(seeds)
def test_the_best_of_turns_is_the_highest_cosine_with_the_turned_pictures(seed):
    one, other = np.random.default_rng(seed).uniform(0, 255, (2, 64, 64))
    mixed = [other, (one + other) / 2, *turns_of(one)]
    own = np.tile(perceptual_vector(one), (len(mixed), 1))
    expected = [(vectors_of(turns_of(small)) @ own[0]).max() for small in mixed]
    found = best_of_turns(own, vectors_of(mixed))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found[2:], 1, atol=1e-6)
    np.testing.assert_allclose(found, best_of_turns(vectors_of(mixed), own), atol=1e-12)


@given(seeds)
def test_vectors_without_their_turn_are_at_least_as_near_as_in_the_best_of_turns(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 20, DIMENSIONS)) ** 3
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    bound = np.einsum("ij,ij->i", without_turn(a), without_turn(b))
    assert (bound >= best_of_turns(undamped(a), undamped(b)) - 1e-6).all()


@given(seeds)
def test_vectors_without_their_turn_are_equal_for_all_turns(seed):
    turns = vectors_of(turns_of(np.random.default_rng(seed).uniform(0, 255, (64, 64))))
    found = without_turn(turns)
    np.testing.assert_allclose(found, np.tile(found[0], (8, 1)), atol=1e-6)


@pytest.mark.parametrize(
    "edit",
    [
        lambda image: image.resize((80, 60)),
        lambda image: image.resize((300, 300)),
        ImageOps.mirror,
        ImageOps.flip,
        lambda image: image.transpose(Image.Transpose.ROTATE_90),
        lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        lambda image: image.point(lambda value: value * 0.6),
        ImageOps.grayscale,
    ],
)
def test_a_copy_of_the_whole_picture_is_near_and_another_picture_is_not(edit):
    own, copy, other = (
        vector(picture(1)),
        vector(edit(picture(1)).convert("RGB")),
        vector(picture(2)),
    )
    assert best_of_turns(own, copy)[0] > 0.97
    assert best_of_turns(own, other)[0] < 0.8


def test_a_copy_with_a_large_box_is_nearer_than_another_picture():
    copy = picture(1)
    copy.paste((250, 250, 60), (0, 0, 320, 60))
    own = vector(picture(1))
    assert best_of_turns(own, vector(copy))[0] > 1 - PERCEPTUAL_RADIUS
    assert best_of_turns(own, vector(picture(2)))[0] < 1 - PERCEPTUAL_RADIUS


def test_flat_pictures_have_a_vector_too_and_all_the_same():
    flat = [vector(Image.new("RGB", (50, 40), colour)) for colour in ("black", "white", "#abc")]
    assert np.isfinite(flat).all()
    assert best_of_turns(flat[0], flat[1])[0] == pytest.approx(1)
    assert best_of_turns(flat[0], flat[2])[0] == pytest.approx(1)


@pytest.mark.lengthy
def test_a_folder_is_scored_without_torch(tmp_path):
    for seed in range(3):
        picture(seed).save(tmp_path / f"{seed}.png")
    picture(0).resize((160, 120)).save(tmp_path / "small.jpg")
    code = """
        import sys, dedup_widgets as dw
        df = dw.score(sys.argv[1], model="perceptual", store=sys.argv[2], progress=False)
        assert df["group"].drop_nulls().len() == 2, df
        assert df["relation"].drop_nulls().to_list() == ["resized", "resized"], df["relation"]
        print("torch" in sys.modules)
    """
    store = tmp_path.with_name("store")
    run = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(store)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr[-2000:]
