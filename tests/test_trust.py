"""From files to a frame: what is called a near-duplicate has been looked at."""

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw, ImageOps

import dedup_widgets as dw
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.images.decode import MAX_FRAMES_KEPT

pytestmark = pytest.mark.lengthy


def score(images, store=None, **options):
    return dw.score(images, model="perceptual", store=store, progress=False, **options)


def named(frame):
    return {path.rsplit("/", 1)[-1]: row for row, path in enumerate(frame["path"].to_list())}


def page(number):
    """A page of one layout, of which one line of numbers differs."""
    picture = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 600, 80), fill="navy")
    for line in range(12):
        text = "a line that all of them have" if line != 5 else f"invoice {number * 7919:08}"
        draw.text((50, 130 + 45 * line), text, fill="black", font_size=26)
    return picture


@pytest.fixture
def copies(tmp_path, make_photo):
    """A photo, copies of it, and another photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = make_photo(1, (400, 300))
    photo.save(folder / "photo.png")
    photo.save(folder / "saved again.jpg", quality=70)
    photo.resize((200, 150)).save(folder / "small.png")
    ImageOps.mirror(photo).save(folder / "flipped.png")
    photo.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    make_photo(2, (400, 300)).save(folder / "other.png")
    return folder


def test_copies_are_one_group_round_the_whole_picture_and_say_what_they_are(copies):
    frame = score(copies)
    row = named(frame)
    group = frame["group"]
    assert group[row["other.png"]] is None
    assert group.drop_nulls().n_unique() == 1
    assert group.null_count() == 1
    said = {name: frame["relation"][at] for name, at in row.items()}
    assert said["other.png"] is None
    assert said["small.png"] in ("resized", "flipped", "turned")
    assert said["flipped.png"] in ("flipped", "turned")
    assert frame["keep"][row["photo.png"]]
    assert (frame["agreement"].drop_nulls() > 0.95).all()


def test_pages_that_differ_in_a_line_stay_apart_and_a_copy_of_one_is_found(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(12):
        page(number).save(folder / f"{number:02}.png")
    page(3).save(folder / "03 scanned.jpg", quality=60)
    frame = score(folder)
    near = frame.filter(kind="near")["path"].to_list()
    assert sorted(path.rsplit("/", 1)[-1] for path in near) == ["03 scanned.jpg", "03.png"]


def test_what_was_looked_at_is_not_looked_at_again(copies, tmp_path, monkeypatch):
    first = score(copies, tmp_path / "store.sqlite")
    (made,) = provenances(first)
    assert made.compared == first["evidence"].list.len().sum() / 2 > 0

    def confirm(_a, _b):
        raise AssertionError("compared again")

    monkeypatch.setattr("dedup_widgets.alignment.worker.confirm", confirm)
    assert score(copies, tmp_path / "store.sqlite").equals(first)
    dw.plan(first, near=0.001)


def test_no_score_depends_on_the_order_the_workers_or_what_was_there_before(copies, tmp_path):
    paths = sorted(map(str, copies.iterdir()))
    first = score(paths, tmp_path / "one.sqlite").sort("path")
    score(paths[:3], tmp_path / "two.sqlite")
    again = score(paths[::-1], tmp_path / "two.sqlite", workers=1).sort("path")
    columns = ["path", "uniqueness", "kind", "keep", "nearest", "relation", "agreement"]
    assert again.select(columns).equals(first.select(columns))


def test_two_animations_of_one_cover_are_not_near(tmp_path, make_photo):
    cover = make_photo(0, (200, 150))
    for name, seed in (("a", 10), ("b", 20)):
        rest = [make_photo(seed + k, (200, 150)) for k in range(2)]
        cover.save(tmp_path / f"{name}.gif", save_all=True, append_images=rest, duration=200)
    assert score(tmp_path)["kind"].to_list() == ["unique", "unique"]


def test_what_is_too_long_to_be_looked_at_is_not_near(tmp_path):
    def animation(last):
        rng = np.random.default_rng(0)
        frames = [
            Image.fromarray(rng.integers(0, 256, (9, 12), np.uint8)).resize((36, 27))
            for _ in range(MAX_FRAMES_KEPT + 2)
        ]
        return [*frames, Image.new("L", (36, 27), last)]

    for name, last in (("a", 0), ("b", 200)):
        first, *rest = animation(last)
        first.save(tmp_path / f"{name}.gif", save_all=True, append_images=rest, duration=20)
    frame = score(tmp_path)
    assert frame["frames"].to_list() == [MAX_FRAMES_KEPT + 3] * 2
    assert frame["kind"].to_list() == ["unique", "unique"]
    assert frame["evidence"].list.len().to_list() == [0, 0]
    (made,) = provenances(frame)
    assert (made.compared, made.left_out) == (0, 2)


def test_icons_that_are_white_on_nothing_are_different_pictures(tmp_path):
    for number in range(6):
        alpha = Image.new("L", (64, 64))
        ImageDraw.Draw(alpha).ellipse((8, 8, 20 + 6 * number, 30), fill=255)
        icon = Image.new("RGBA", (64, 64), "white")
        icon.putalpha(alpha)
        icon.save(tmp_path / f"{number}.png")
    frame = score(tmp_path)
    assert frame.filter(pl.col("kind") != "unique").is_empty()
