"""The review mode's requests: large pictures, and what is known of images side by side."""

import io
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.alignment.evidence import Evidence
from dedup_widgets.alignment.geometry import TURNS, inverse, squared
from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode, shown
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.thumbnail import large
from dedup_widgets.review.beside import beside, laid
from dedup_widgets.widgets.base import CancelledError
from dedup_widgets.widgets.pictures import MAX_SIDE, PictureLoader
from page import Page

A_MEGABYTE = 1_000_000


def picture_of(reply):
    return Image.open(io.BytesIO(reply.array("jpeg").tobytes()))


@pytest.fixture(scope="module")
def frame(tmp_path_factory, make_photo):
    """Two sizes of one picture, a copy of it, another picture, and a file that is none."""
    folder, store = (tmp_path_factory.mktemp(name) for name in ("photos", "scored"))
    whole = make_photo(0, (900, 600))
    whole.save(folder / "a.png")
    whole.save(folder / "copy.bmp")
    whole.resize((450, 300)).save(folder / "half.png")
    make_photo(1, (300, 400)).save(folder / "other.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    df = dw.score(folder, model="perceptual", store=store, progress=False)
    return df.with_columns(label=pl.lit("sea"), stars=pl.lit(3))


@pytest.fixture
def explorer(frame):
    return dw.Explorer(frame)


def row_of(explorer, name):
    return [Path(path).name for path in explorer.session.paths].index(name)


# Pictures


@pytest.mark.lengthy
def test_a_picture_comes_in_the_size_in_which_it_is_shown(explorer):
    page = Page(explorer)
    reply = page.ask("picture", row=row_of(explorer, "a.png"), side=300)
    assert (reply["width"], reply["height"], reply["box"]) == (900, 600, (0, 0, 1, 1))
    assert picture_of(reply).size == (300, 200)


@pytest.mark.lengthy
def test_a_grid_without_a_review_shows_pictures_and_their_facts_too(frame):
    grid = dw.ImageGrid(frame)
    page, row = Page(grid), row_of(grid, "a.png")
    assert picture_of(page.ask("picture", row=row, side=300)).size == (300, 200)
    facts = {
        fact["name"]: fact["texts"] for fact in page.ask("beside", row=row, others=[])["facts"]
    }
    assert facts["pixels"] == ["900 × 600"]
    assert facts["label"] == ["sea"]


@pytest.mark.lengthy
def test_a_picture_is_never_enlarged(explorer):
    reply = Page(explorer).ask("picture", row=row_of(explorer, "half.png"), side=2048)
    assert picture_of(reply).size == (450, 300)


@pytest.mark.lengthy
def test_a_part_comes_with_the_pixels_of_the_file(explorer):
    page, row = Page(explorer), row_of(explorer, "a.png")
    reply = page.ask("picture", row=row, side=2048, box=[0.5, 0.5, 1, 1])
    assert picture_of(reply).size == (450, 300)
    assert reply["box"] == (0.5, 0.5, 1, 1)
    with Image.open(explorer.session.paths[row]) as file:
        wanted = np.asarray(file.convert("RGB"), float)[300:, 450:]
    assert np.abs(np.asarray(picture_of(reply), float) - wanted).mean() < 2


@pytest.mark.lengthy
def test_no_message_has_a_megabyte_whatever_the_picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2200, 2600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.bmp")
    ex = dw.Explorer(pl.DataFrame({"path": [str(tmp_path / "noise.bmp")], "uniqueness": [1.0]}))
    for box in (None, [0, 0, 0.75, 0.75]):
        reply = Page(ex).ask("picture", row=0, side=100_000, box=box)
        assert reply["ok"]
        assert reply.array("jpeg").size < A_MEGABYTE
        assert max(picture_of(reply).size) <= MAX_SIDE


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"row": 99, "side": 100}, "rows must be numbers below 5"),
        ({"row": -1, "side": 100}, "rows must be numbers below 5"),
        ({"row": 0, "side": 0}, "side is 0"),
        ({"row": 0, "side": 10, "box": [0.5, 0, 0.5, 1]}, "box is"),
        ({"row": 0, "side": 10, "box": [0, 0, 1, 1.5]}, "box is"),
        ({"row": 0, "side": 10, "box": [0, 0, float("nan"), 1]}, "box is"),
    ],
)
def test_what_is_no_picture_of_the_frame_is_refused(explorer, arguments, why):
    assert why in Page(explorer).ask("picture", **arguments)["error"]["message"]


@pytest.mark.lengthy
def test_a_file_that_is_gone_or_broken_says_so(frame):
    moved = pl.col("path", "nearest").str.replace("other.png", "gone.png", literal=True)
    explorer = dw.Explorer(frame.with_columns(moved))
    page = Page(explorer)
    gone = page.ask("picture", row=row_of(explorer, "gone.png"), side=100)
    assert "gone.png: does not exist" in gone["error"]["message"]
    broken = page.ask("picture", row=row_of(explorer, "broken.jpg"), side=100)
    assert "not an image" in broken["error"]["message"]


def test_what_is_shown_is_what_was_scored(make_photo, as_file):
    for image in (make_photo(3), make_photo(4).convert("RGBA"), make_photo(5).convert("L")):
        data = as_file(image)
        assert shown(data) == decode(data).rgb
    with pytest.raises(ImageError, match="HTML"):
        shown(b"<html>not found</html>")


class _InMemory:
    def __init__(self, data):
        self.data, self.reads = data, 0

    def stat(self, path):
        return Entry(path, len(self.data), "1")

    def read(self, _path):
        self.reads += 1
        return self.data


@pytest.mark.lengthy
def test_pictures_come_from_any_source_and_parts_are_not_decoded_twice(make_photo, as_file):
    source = _InMemory(as_file(make_photo(0, (400, 300))))
    pictures = PictureLoader(lambda _path: source)
    assert pictures.load("mem://a", 100, None).size == (400, 300)
    for box in ((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)):
        pictures.load("mem://a", 100, box)
    assert source.reads == 2


def test_a_picture_that_nobody_waits_for_is_not_decoded(make_photo, as_file):
    source = _InMemory(b"would fail to decode")

    def cancelled():
        raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        PictureLoader(lambda _path: source).load("mem://a", 100, None, cancelled)


@pytest.mark.lengthy
def test_a_request_can_be_cancelled_under_way(explorer, monkeypatch):
    page, started, go_on = Page(explorer), threading.Event(), threading.Event()
    source = _InMemory(b"")

    def read(path):
        started.set()
        assert go_on.wait(30)
        return Path(path).read_bytes()

    source.read = read
    pictures = PictureLoader(lambda _path: source)
    monkeypatch.setattr("dedup_widgets.widgets.pictures.PictureLoader.load", pictures.load)
    seq = page.request("picture", row=0, side=100)
    assert started.wait(30)
    page.request("cancel", target=seq)
    go_on.set()
    assert page.reply(seq)["error"]["type"] == "CancelledError"


@pytest.mark.lengthy
def test_a_jpeg_gives_up_quality_before_size_and_size_before_the_limit(make_photo):
    photo = make_photo(0, (800, 600))
    sizes = [len(large(photo, 800, most=most)) for most in (10**9, 60_000, 20_000, 2_000)]
    assert all(size <= most for size, most in zip(sizes[1:], (60_000, 20_000, 2_000), strict=True))
    assert Image.open(io.BytesIO(large(photo, 800, most=2_000))).width < 800


# Side by side


@pytest.mark.lengthy
def test_facts_tell_what_one_decides_by_with_the_users_own_columns(explorer):
    rows = [row_of(explorer, name) for name in ("a.png", "half.png", "broken.jpg")]
    reply = Page(explorer).ask("beside", row=rows[0], others=rows[1:])
    facts = {fact["name"]: fact for fact in reply["facts"]}
    assert facts["pixels"]["texts"] == ["900 × 600", "450 × 300", None]
    assert facts["pixels"]["numbers"][0] > facts["pixels"]["numbers"][1]
    assert facts["label"]["texts"] == ["sea"] * 3
    assert facts["stars"]["texts"] == ["3"] * 3
    assert facts["format"]["texts"][:2] == ["png, lossless"] * 2
    assert {"file", "modified", "folder", "sharpness"} <= facts.keys()


@pytest.mark.lengthy
def test_a_copy_is_told_in_words_and_by_its_map(explorer):
    one = row_of(explorer, "a.png")
    others = [row_of(explorer, name) for name in ("copy.bmp", "half.png", "other.png")]
    same, half, other = Page(explorer).ask("beside", row=one, others=others)["others"]
    assert same["identical"]
    assert same["score"] == 0
    assert half["words"] == "resized to 50 %"
    assert half["map"] == pytest.approx((1, 0, 0, 0, 1, 0), abs=0.02)
    assert 0 < half["score"] < 1
    assert (other["words"], other["map"], other["identical"]) == (None, None, False)


@pytest.mark.lengthy
def test_more_rows_than_a_message_holds_are_refused(explorer):
    reply = Page(explorer).ask("beside", row=0, others=[1] * 501)
    assert "ask for 500 at most" in reply["error"]["message"]


def test_images_of_a_frame_without_scores_have_facts_too(tmp_path, make_photo):
    make_photo(0).save(tmp_path / "a.png")
    ex = dw.Explorer(pl.DataFrame({"path": [str(tmp_path / "a.png")], "uniqueness": [1.0]}))
    (it,) = beside(ex.session, 0, [0])
    assert (it.words, it.map, it.score, it.is_identical) == (None, None, None, False)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("part", [(0, 0, 1, 1), (0.25, 0.125, 0.75, 1), (-0.25, 0, 1.25, 1)])
def test_the_map_of_evidence_is_found_again_from_what_a_frame_keeps(turn, part):
    left, top, right, bottom = part
    crop = np.array([[right - left, 0, left], [0, bottom - top, top]])
    matrix = crop @ squared(turn)
    found = Evidence(
        True,
        matrix=tuple(matrix.ravel()),
        inverse_matrix=tuple(inverse(matrix).ravel()),
        a_size=(400, 300),
        b_size=(800, 600),
    )
    pair = {"mirrored": found.is_mirrored, "angle": found.angle, "scale": 1, "box": found.box}
    again = laid(pair, found.inverse().box, (400, 300), (800, 600))
    assert again == pytest.approx(tuple(matrix.ravel()), abs=1e-9)


def test_a_rotated_picture_is_laid_by_its_angle_and_scale():
    angle, size, other = np.radians(10), (400.0, 300.0), (800.0, 600.0)
    # From a's pixels to b's: turned back, and twice as large, around the middle.
    linear = 2 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    unit = linear * np.array(size)[None, :] / np.array(other)[:, None]
    matrix = np.column_stack([unit, 0.5 - unit @ [0.5, 0.5]])
    found = Evidence(
        True,
        matrix=tuple(matrix.ravel()),
        inverse_matrix=tuple(inverse(matrix).ravel()),
        a_size=(400, 300),
        b_size=(800, 600),
    )
    pair = {
        "mirrored": found.is_mirrored,
        "angle": found.angle,
        "scale": found.scale,
        "box": found.box,
    }
    again = laid(pair, (0, 0, 1, 1), (400, 300), (800, 600))
    assert again == pytest.approx(tuple(matrix.ravel()), abs=1e-6)
