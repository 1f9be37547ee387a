"""Frames of videos are pictures: sampled by time, read when needed, compared and thinned."""

import io

import numpy as np
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.errors import InputError
from dedup_widgets.images.source import source_for

av = pytest.importorskip("av")


def write(path, pictures, fps=10):
    """Write pictures as a video without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture
def film(tmp_path, make_photo):
    """Return a video of three seconds: ten frames each of two photos, then the first again."""
    scenes = [make_photo(seed, (120, 90)) for seed in (1, 2, 1)]
    return write(tmp_path / "a.mkv", [scene for scene in scenes for _ in range(10)]), scenes


def test_frames_are_sampled_by_time(film):
    path, _ = film
    found = dw.frames(path)
    assert found["time"].to_list() == [0.0, 1.0, 2.0]
    assert found["path"][1] == f"video://{path}#t=1.000"
    assert set(found["video"]) == {str(path)}
    assert len(dw.frames(path, every=0.5)) == 6
    assert len(dw.frames([path, path.parent], every=60)) == 1


@pytest.mark.lengthy
def test_a_frame_is_what_is_shown_at_its_time(film):
    path, scenes = film
    for time, scene in ((0, 0), (0.95, 0), (1.0, 1), (1.5, 1), (2.9, 2), (99, 2)):
        where = f"video://{path}#t={time}"
        source = source_for(where)
        data = source.read(where)
        assert source.stat(where).size == len(data)
        seen = Image.open(io.BytesIO(data))
        assert np.array_equal(np.asarray(seen), np.asarray(scenes[scene].convert("RGB")))


@pytest.mark.lengthy
def test_frames_are_scored_grouped_and_made_a_dataset(film, tmp_path):
    path, _ = film
    df = dw.score(dw.frames(path), model="perceptual", progress=False)
    assert df["error"].null_count() == 3
    assert df["kind"].to_list() == ["exact", "unique", "exact"]
    assert df["video"].to_list() == [str(path)] * 3
    made = dw.create_dataset(df.filter("keep"), "film", root=tmp_path / "out", progress=False)
    assert made.images == 2
    again = dw.score(df.select("path", "video", "time"), model="perceptual", progress=False)
    assert again.drop("scored_with").equals(df.drop("scored_with"))


@pytest.mark.lengthy
def test_frames_in_a_row_are_a_sequence_that_is_thinned(tmp_path, make_photo):
    photo, other = make_photo(1, (120, 90)), make_photo(2, (120, 90))
    pictures = []
    for i in range(20):
        picture = photo.copy()
        picture.paste(other.crop((0, 0, 40, 40)), (3 * i, 20))
        pictures.append(picture)
    path = write(tmp_path / "b.mkv", pictures)
    df = dw.sequences(dw.score(dw.frames(path, every=0.5), model="perceptual", progress=False))
    of_pictures = df.filter("keep")["sequence"].drop_nulls()
    assert len(of_pictures) >= 2
    plan = dw.thin(df, every=1)
    assert 0 < (plan["action"] == "remove").sum() < len(df)
    with pytest.raises(InputError, match="frames of videos"):
        dw.script(plan, "trash", file=tmp_path / "do.py")


def test_what_is_no_video_is_named(tmp_path):
    with pytest.raises(InputError, match="no such video"):
        dw.frames(tmp_path / "no.mp4")
    with pytest.raises(InputError, match=f"{tmp_path}: there is no video"):
        dw.frames(tmp_path)
    (tmp_path / "bad.mp4").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match=r"bad\.mp4: cannot be read as a video"):
        dw.frames(tmp_path)
    with pytest.raises(InputError, match="every"):
        dw.frames(tmp_path / "bad.mp4", every=0)


@pytest.mark.lengthy
def test_a_video_that_is_gone_or_cut_is_a_row_with_an_error(film):
    path, _ = film
    found = dw.frames(path, every=1.5)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 50])
    df = dw.score(found, model="perceptual", progress=False)
    assert df["error"].null_count() < 2
    path.unlink()
    df = dw.score(found, model="perceptual", progress=False)
    assert df["error"].null_count() == 0
    assert "check the path" in df["error"][0]


def test_a_video_is_shown_as_the_phone_was_held(tmp_path):
    """What QuickTime calls turned by 90 degrees has its upper left corner at the upper right."""
    picture = Image.new("RGB", (64, 32))
    picture.paste("red", (0, 0, 32, 16))
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    data = path.read_bytes()
    one, minus, nothing = b"\0\1\0\0", b"\xff\xff\0\0", bytes(4)
    upright = one + nothing * 3 + one + nothing * 3 + b"\x40\0\0\0"
    turned = nothing + one + nothing + minus + nothing * 4 + b"\x40\0\0\0"
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    where = dw.frames(path)["path"][0]
    seen = Image.open(io.BytesIO(source_for(where).read(where)))
    assert seen.size == (32, 64)
    red, _, _ = seen.getpixel((24, 8))
    assert red > 150
    assert seen.getpixel((8, 8))[0] < 100


@pytest.mark.lengthy
def test_a_video_among_pictures_says_how_its_frames_are_scored(film):
    path, _ = film
    df = dw.score([path], model="perceptual", progress=False)
    assert "looks like a video" in df["error"][0]
    assert "dedup_widgets.frames" in df["error"][0]
    one = dw.score(f"video://{path}#t=1.0", model="perceptual", progress=False)
    assert one["error"].to_list() == [None]
