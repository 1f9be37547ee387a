"""Large JPEGs decoded at less than their size: the same picture, another fingerprint, no detail."""

import io
import json

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from PIL import Image, ImageCms

import dedup_widgets as dw
from dedup_widgets.cli import app
from dedup_widgets.images.decode import REDUCED_SIDE, decode, decoding_of
from dedup_widgets.images.jpeg_data import picture_data
from dedup_widgets.images.source import LocalFiles
from dedup_widgets.widgets.thumbnails import load_thumbnails

pytestmark = pytest.mark.lengthy

LARGE = (2 * REDUCED_SIDE + 11, 2 * REDUCED_SIDE + 3)
"""Odd sides, of which the shorter is just long enough."""


@pytest.fixture(scope="module")
def large(make_photo):
    return make_photo(1, LARGE)


def jpeg(picture, **options):
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()


def with_metadata(data, *segments):
    """Write further segments, each a kind and its content, after the start of a JPEG."""
    added = [
        bytes((0xFF, kind)) + (len(content) + 2).to_bytes(2) + content for kind, content in segments
    ]
    return data[:2] + b"".join(added) + data[2:]


def orientation(number, **others):
    exif = Image.Exif()
    exif[0x0112] = number
    exif.update(others)
    return exif


KINDS = st.one_of(st.integers(0xE1, 0xED), st.sampled_from([0xE0, 0xEF, 0xFE]))


@settings(max_examples=60)
@given(
    st.sampled_from(["L", "RGB", "CMYK"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([0, 1, 2]),
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(KINDS, st.binary(max_size=60)), max_size=4),
)
def test_the_data_of_a_picture_are_the_same_whatever_metadata_stand_before_them(
    make_photo, mode, size, subsampling, progressive, restarts, segments
):
    # Contents of this kind decide how colours are read, and what of them is EXIF how it is turned.
    segments = [(kind, b"x" + content) for kind, content in segments]
    plain = jpeg(
        make_photo(2, size).convert(mode),
        progressive=progressive,
        restart_marker_blocks=3 if restarts else 0,
        **({} if mode == "L" else {"subsampling": subsampling}),
    )
    other = with_metadata(plain, *segments)
    assert b"".join(picture_data(plain)) == b"".join(picture_data(other))
    assert decode(plain).fingerprint == decode(other).fingerprint


@settings(max_examples=60)
@given(st.binary(max_size=80), st.integers(0, 700), st.integers(0, 255))
def test_of_damaged_files_all_that_may_count_is_kept(make_photo, more, at, value):
    data = bytearray(jpeg(make_photo(3, (33, 21))))
    at %= len(data)
    data[at] = value
    parts = list(picture_data(bytes(data) + more))
    assert sum(map(len, parts)) <= len(data) + len(more)
    assert parts[-1][len(parts[-1]) - len(more) :] == more


def test_how_colours_are_stored_counts(large):
    data = jpeg(large)
    adobe = with_metadata(data, (0xEE, b"Adobe\0\x64\0\0\0\0\0"))
    assert decode(data, "reduced").fingerprint != decode(adobe, "reduced").fingerprint
    without = data.replace(data[2:20], b"", 1)
    assert data[6:10] == b"JFIF"
    assert decode(data, "reduced").fingerprint != decode(without, "reduced").fingerprint


@pytest.mark.parametrize("number", range(1, 9))
def test_it_shows_what_the_whole_picture_does(make_photo, number):
    data = jpeg(make_photo(4, (LARGE[0] * 2, LARGE[1])), exif=orientation(number))
    full, reduced = decode(data), decode(data, "reduced")
    for fact in ("width", "height", "bytes", "format", "mode", "frames", "lossless", "exif"):
        assert getattr(full.facts, fact) == getattr(reduced.facts, fact)
    assert (reduced.facts.detail, reduced.facts.spectrum) == (None, "")
    difference = np.abs(full.small.astype(int) - reduced.small)
    assert difference.max() <= 3
    assert difference.mean() < 0.5
    assert min(reduced.reduced.size) >= REDUCED_SIDE
    sides = reduced.reduced.size
    assert (sides[0] < sides[1]) == (full.facts.width < full.facts.height)
    small = full.reduced.resize(sides, Image.Resampling.BOX)
    assert np.abs(np.asarray(small, int) - np.asarray(reduced.reduced, int)).mean() < 1.5


def test_its_fingerprint_is_that_of_its_data_turn_and_profile(large):
    display_p3 = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    data = jpeg(large)
    same = [
        data,
        with_metadata(data, (0xFE, b"by hand")),
        jpeg(large, exif=orientation(1)),
    ]
    others = [
        jpeg(large, quality=86),
        jpeg(large, exif=orientation(3)),
        jpeg(large, exif=orientation(6)),
        jpeg(large, progressive=True),
        jpeg(large, icc_profile=display_p3),
    ]
    (own,) = {decode(it, "reduced").fingerprint for it in same}
    names = {decode(it, "reduced").fingerprint for it in others}
    assert len(names | {own}) == len(others) + 1
    assert {decoding_of(name) for name in names | {own}} == {"reduced"}
    assert all(len(name) == 32 and int(name, 16) for name in names)
    assert decode(data).fingerprint not in names | {own}
    assert decoding_of(decode(data).fingerprint) == "full"


def test_all_other_files_are_decoded_in_full(make_photo, large):
    narrow = make_photo(5, (3 * LARGE[0], 2 * REDUCED_SIDE - 1))
    png, webp = io.BytesIO(), io.BytesIO()
    large.save(png, "PNG", compress_level=0)
    large.save(webp, "WEBP", method=0)
    for data in (jpeg(narrow), png.getvalue(), webp.getvalue()):
        assert decode(data, "reduced").fingerprint == decode(data).fingerprint
        assert decode(data, "reduced").facts == decode(data).facts


@pytest.fixture
def photos(tmp_path, make_photo, large):
    """Write a large photo, a copy with a comment, a PNG of its pixels, and two other photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    data = jpeg(large)
    (folder / "a.jpg").write_bytes(data)
    (folder / "b.jpg").write_bytes(with_metadata(data, (0xFE, b"five stars")))
    Image.open(io.BytesIO(data)).save(folder / "c.png", compress_level=1)
    (folder / "d.jpg").write_bytes(jpeg(make_photo(6, (1500, 1400))))
    (folder / "e.jpg").write_bytes(jpeg(make_photo(7, (300, 200))))
    return folder


def scored(photos, **options):
    return dw.score(photos, model="perceptual", progress=False, **options)


def by_name(frame, *columns):
    name = pl.col("path").str.split("/").list.last()
    return {row[0]: row[1:] for row in frame.select(name, *columns).iter_rows()}


def test_files_of_the_same_data_are_exact_and_other_copies_near(photos):
    frame = by_name(scored(photos, decoding="reduced"), "kind", "group", "detail")
    kinds = {name: kind for name, (kind, _, _) in frame.items()}
    assert kinds["a.jpg"] == kinds["b.jpg"] == "exact"
    assert kinds["c.png"] == "near"
    assert frame["a.jpg"][1] == frame["b.jpg"][1] == frame["c.png"][1]
    assert kinds["d.jpg"] == kinds["e.jpg"] == "unique"
    assert [name for name, (_, _, detail) in frame.items() if detail is None] == [
        "a.jpg",
        "b.jpg",
        "d.jpg",
    ]
    (made,) = set(scored(photos, decoding="reduced")["scored_with"])
    assert json.loads(made)["decoding"] == "reduced"
    full = by_name(scored(photos), "kind", "detail")
    assert [full[name][0] for name in ("a.jpg", "b.jpg", "c.png")] == ["exact"] * 3
    assert all(detail for _, detail in full.values())


@pytest.fixture
def names_read(monkeypatch):
    """Return a function that returns the names of the files that were read since its last call."""
    read = []
    whole = LocalFiles.read
    monkeypatch.setattr(
        LocalFiles, "read", lambda self, path: read.append(path) or whole(self, path)
    )

    def names():
        found = sorted(path.rsplit("/", 1)[1] for path in read)
        read.clear()
        return found

    return names


def test_what_was_decoded_otherwise_is_read_again_and_nothing_else(photos, names_read):
    full = scored(photos)
    assert len(names_read()) == 5
    reduced = scored(photos, decoding="reduced")
    # The first once more, for its detail beside that of the PNG.
    assert names_read() == ["a.jpg", "a.jpg", "b.jpg", "d.jpg"]
    assert scored(photos, decoding="reduced").equals(reduced)
    assert names_read() == []
    assert scored(photos).equals(full)
    assert names_read() == ["a.jpg", "b.jpg", "d.jpg"]


def test_an_enlarged_copy_is_no_keeper_and_is_measured_once(tmp_path, names_read, large):
    noise = np.random.default_rng(8).normal(0, 25, (large.height, large.width, 1))
    sharp = Image.fromarray(np.clip(np.asarray(large, float) + noise, 0, 255).astype(np.uint8))
    folder, work = tmp_path / "photos", tmp_path / "work"
    folder.mkdir()
    sharp.save(folder / "own.jpg", quality=92)
    larger = (round(1.6 * large.width), round(1.6 * large.height))
    sharp.resize(larger, Image.Resampling.BICUBIC).save(folder / "enlarged.jpg", quality=95)
    first = scored(folder, decoding="reduced")
    over = scored(folder, decoding="reduced", work=work)
    assert over.equals(first)
    assert by_name(first, "kind", "keep", "relation") == {
        "enlarged.jpg": ("near", False, "resized"),
        "own.jpg": ("near", True, "resized"),
    }
    names_read()
    assert scored(folder, decoding="reduced").equals(first)
    assert scored(folder, decoding="reduced", work=work).equals(first)
    assert names_read() == []


def test_over_a_work_folder_the_frame_is_the_same(photos, tmp_path):
    here = scored(photos, decoding="reduced")
    work = tmp_path / "work"
    assert scored(photos, decoding="reduced", work=work).equals(here)
    full = scored(photos, work=work)
    assert full["fingerprint"].to_list() == scored(photos)["fingerprint"].to_list()


def test_datasets_and_scripts_check_the_files_as_they_were_decoded(photos, tmp_path):
    frame = scored(photos, decoding="reduced")
    kept = frame.filter("keep")
    made = dw.create_dataset(kept, "clean", root=tmp_path / "datasets")
    assert made.images == len(kept) == 3
    script = dw.script(dw.plan(frame), "move", to=tmp_path / "bin", file=tmp_path / "carry_out.py")
    assert script.exists()
    (photos / "d.jpg").write_bytes((photos / "a.jpg").read_bytes())
    with pytest.raises(dw.DatasetError, match=r"d\.jpg"):
        dw.create_dataset(kept, "other", root=tmp_path / "datasets")


def test_thumbnails_are_made_anew_of_the_files_as_they_were_decoded(photos, tmp_path):
    from dedup_widgets.store.cache import Cache

    frame = scored(photos, decoding="reduced")
    cache = Cache(tmp_path / "new.sqlite")
    paths, names = frame["path"].to_list(), frame["fingerprint"].to_list()
    assert all(it.jpeg for it in load_thumbnails(paths, names, cache))
    assert set(cache.thumbnails(names)) == set(names)


def test_the_choice_is_checked_and_reaches_the_command_line(photos, tmp_path):
    from typer.testing import CliRunner

    with pytest.raises(dw.InputError, match="decoding is 'half'; it must be 'full' or 'reduced'"):
        scored(photos, decoding="half")
    output = tmp_path / "scores.json"
    asked = ["score", str(photos), "--model", "perceptual", "-q", "-o", str(output)]
    assert CliRunner().invoke(app, [*asked, "--decoding", "reduced"]).exit_code == 0
    rows = json.loads(output.read_text())
    assert [decoding_of(row["fingerprint"]) for row in rows].count("reduced") == 3
