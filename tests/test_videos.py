"""Frames of videos are pictures: sampled by time, read when needed, compared and thinned."""

import io
from itertools import pairwise

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


def starts_of(path, **options):
    return dw.frames(path, every="scene", progress=False, **options)["time"].to_list()


def test_of_each_scene_there_is_one_frame(film):
    path, scenes = film
    found = dw.frames(path, every="scene", progress=False)
    assert found.columns == dw.frames(path).columns
    assert [int(time) for time in found["time"]] == [0, 1, 2], "the same place twice is two scenes"
    for where, scene in zip(found["path"], scenes, strict=True):
        seen = Image.open(io.BytesIO(source_for(where).read(where)))
        assert np.array_equal(np.asarray(seen), np.asarray(scene.convert("RGB")))


def test_a_fade_is_between_two_scenes_and_none_itself(tmp_path, make_photo):
    one, other = make_photo(1, (96, 54)), make_photo(2, (96, 54))
    fade = [Image.blend(one, other, i / 10) for i in range(11)]
    path = write(tmp_path / "fade.mkv", [one] * 10 + fade + [other] * 10)
    first, second = starts_of(path)
    assert first < 1 < second
    black = Image.new("RGB", (96, 54))
    dark = [Image.blend(one, black, i / 10) for i in range(11)]
    path = write(tmp_path / "dark.mkv", [one] * 10 + dark + [black] * 10 + [other] * 10)
    assert len(starts_of(path)) == 3


def test_what_never_changes_is_one_scene_however_short(tmp_path, make_photo):
    photo = make_photo(1, (96, 54))
    for count in (1, 2, 50):
        assert len(starts_of(write(tmp_path / f"{count}.mkv", [photo] * count))) == 1


def test_a_flash_and_noise_begin_no_scene(tmp_path, make_photo):
    photo, white = make_photo(1, (96, 54)), Image.new("RGB", (96, 54), "white")
    rng = np.random.default_rng(0)
    noisy = [
        Image.fromarray(
            np.clip(np.asarray(photo) + rng.normal(0, 6, (54, 96, 3)), 0, 255).astype("u1")
        )
        for _ in range(10)
    ]
    path = write(tmp_path / "flash.mkv", [*noisy, white, *noisy, white, white, *noisy])
    assert len(starts_of(path)) == 1


def test_a_pan_that_does_not_rest_is_taken_now_and_then(tmp_path, make_photo):
    wide = make_photo(1, (960, 54))
    views = [wide.crop((x, 0, x + 96, 54)) for x in range(0, 864, 9)]
    times = starts_of(write(tmp_path / "pan.mkv", views))
    assert 3 <= len(times) <= 10
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(times))


def test_how_much_has_to_change_is_chosen(tmp_path):
    page = Image.new("RGB", (320, 180), "white")
    line = page.copy()
    line.paste("black", (40, 60, 200, 80))
    path = write(tmp_path / "slides.mkv", [page] * 10 + [line] * 10)
    assert len(starts_of(path)) == 1
    assert len(starts_of(path, change=0.02)) == 2


def test_a_screen_recording_has_a_frame_only_where_something_happens(tmp_path, make_photo):
    """Times of frames are far apart: each is shown until the next one."""
    one, other = make_photo(1, (96, 54)), make_photo(2, (96, 54))
    path = tmp_path / "screen.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 54, "bgr0"
        for picture, time in ((one, 0), (other, 80), (one, 81), (one, 120)):
            frame = av.VideoFrame.from_image(picture)
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert starts_of(path) == [0.0]
    assert starts_of(write(tmp_path / "twice.mkv", [one, other], fps=1)) == [0.0, 1.0]


def test_wrong_values_of_scenes_are_named(film):
    path, _ = film
    for every in ("scenes", "", None, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"every is .*'scene'"):
            dw.frames(path, every=every)
    for change in (0, 1, -0.1, 2, "much", None, float("nan")):
        with pytest.raises(InputError, match=r"change is .*between 0 and 1"):
            dw.frames(path, every="scene", change=change)


def test_of_a_damaged_video_the_scenes_before_the_damage_are_found(tmp_path, make_photo):
    scenes = [make_photo(seed, (96, 54)) for seed in range(4)]
    path = write(tmp_path / "a.mkv", [scene for scene in scenes for _ in range(10)])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 5 // 8])
    assert 1 < len(starts_of(path)) < 4


def test_the_progress_of_finding_scenes_is_told(film):
    path, _ = film
    told = []
    dw.frames([path], every="scene", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)


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
