"""Bursts are a kind of group of their own: found by time and likeness, thinned by a rule."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.errors import InputError

NOON = datetime(2024, 5, 1, 12)


def frame(*shots, **columns):
    """Return shots, each as seconds after noon and the angle of its vector in degrees."""
    angles = [np.radians(angle) for _, angle in shots]
    taken = [None if second is None else NOON + timedelta(seconds=second) for second, _ in shots]
    return pl.DataFrame(
        {
            "path": [f"{chr(ord('a') + i)}.jpg" for i in range(len(shots))],
            "date_taken": pl.Series(taken, dtype=pl.Datetime("us")),
            "embedding": [[np.cos(a), np.sin(a)] for a in angles],
            **columns,
        }
    )


def found(df, **options):
    return dw.sequences(df, **options)["sequence"].to_list()


@pytest.mark.parametrize(
    ("shots", "expected"),
    [
        ([(0, 0), (1, 0), (2, 5)], [1, 1, 1]),
        ([(2, 0), (0, 0), (9, 0)], [1, 1, None]),
        ([(0, 0), (1, 80), (2, 80)], [None, 1, 1]),
        ([(0, 0), (2.001, 0)], [None, None]),
        ([(0.1, 0), (0.3, 0), (50, 40), (50.2, 40)], [1, 1, 2, 2]),
        ([(0, 0), (None, 0), (1, 0)], [1, None, 1]),
        ([(0, 0)], [None]),
        ([], []),
    ],
)
def test_a_sequence_is_alike_from_one_to_the_next_within_two_seconds(shots, expected):
    assert found(frame(*shots)) == expected


def test_how_near_and_how_alike_is_asked_for():
    df = frame((0, 0), (4, 0), (5, 80))
    assert found(df, seconds=4) == [1, 1, None]
    assert found(df, seconds=4, alike=1) == [1, 1, 1]
    for wrong in ({"seconds": 0}, {"alike": 2}):
        with pytest.raises(InputError):
            found(df, **wrong)
    with pytest.raises(InputError, match="date_taken"):
        found(df.drop("date_taken"))


def test_two_cameras_at_one_place_make_two_sequences():
    df = frame((0, 0), (0.5, 0), (1, 0), (1.5, 0), camera=["A", "B", "A", "B"])
    assert found(df) == [1, 2, 1, 2]


def test_clocks_of_two_zones_are_compared_in_utc():
    assert found(frame((0, 0), (3601, 0), utc_offset=[0, 60])) == [1, 1]


def test_the_order_of_rows_changes_nothing():
    df = frame(*((i % 7 / 2 + 10 * (i // 7), 3 * i) for i in range(30)))
    mixed = df.sample(len(df), shuffle=True, seed=1)
    a, b = (dict(dw.sequences(it).select("path", "sequence").rows()) for it in (df, mixed))
    assert a == b


def test_of_copies_only_the_one_that_stays_is_in_a_sequence():
    df = frame((0, 0), (0, 0), (1, 0), group=[1, 1, None], keep=[False, True, True])
    assert found(df) == [None, 1, 1]
    assert found(df.filter(path="b.jpg")) == [None]


def test_frames_of_a_video_are_sequences_by_their_time():
    df = frame((None, 0), (None, 0), (None, 0)).drop("date_taken")
    df = df.with_columns(video=pl.Series(["v", "v", "w"]), time=pl.Series([0.0, 1.0, 1.5]))
    assert found(df) == [1, 1, None]


def actions(plan):
    return "".join("K" if action == "keep" else "-" for action in plan["action"])


def test_the_sharpest_of_each_sequence_stays_and_says_so():
    df = frame((0, 0), (1, 0), (9, 0), (9.5, 0), (99, 0), sharpness=[1.0, 2.0, 8.0, 7.0, 0.0])
    plan = dw.thin(df)
    assert actions(plan) == "-KK-K"
    assert plan["keeper"].to_list() == ["b.jpg", None, None, "c.jpg", None]
    assert plan["reason"].to_list() == [
        "one of 2 in a row: b.jpg stays",
        "stays of 2 in a row: sharpest",
        "stays of 2 in a row: sharpest",
        "one of 2 in a row: c.jpg stays",
        "in no sequence",
    ]
    assert actions(dw.thin(df, keep=["newest"])) == "-K-KK"


def test_one_a_second_stays():
    df = frame(*((i / 4, i) for i in range(10)), sharpness=[float(i) for i in range(10)])
    assert actions(dw.thin(df, every=1)) == "---K---K-K"
    assert actions(dw.thin(df, every=0.5, keep=["oldest"])) == "K-K-K-K-K-"
    with pytest.raises(InputError):
        dw.thin(df, every=0)


@pytest.mark.lengthy
def test_copies_of_a_picture_that_goes_go_too_and_others_by_the_plan_alone():
    df = frame(
        *((0, 0), (0, 0), (1, 0), (99, 0), (99, 0)),
        sharpness=[1.0, 1.0, 2.0, 1.0, 1.0],
        fingerprint=["f", "f", "g", "h", "h"],
        group=[1, 1, None, 2, 2],
        keep=[True, False, True, True, False],
    )
    assert actions(dw.thin(df)) == "--KKK"
    plan = dw.thin(df, plan=dw.plan(df))
    assert actions(plan) == "--KK-"
    assert plan["keeper"].to_list() == ["c.jpg", "c.jpg", None, "d.jpg", "d.jpg"]
    assert set(plan.filter(action="remove")["keeper"]) <= set(plan.filter(action="keep")["path"])
    with pytest.raises(InputError, match="another frame"):
        dw.thin(df, plan=dw.plan(df).head(2))


@pytest.fixture
def burst(tmp_path, make_photo, as_file):
    """Return a folder of a burst of three shots, one of them blurred, and another photo."""
    scene, other = make_photo(1, (320, 240)), make_photo(2, (320, 240))
    for i in range(3):
        shot = scene.copy()
        shot.paste(other.crop((0, 0, 90, 90)), (20 + 90 * i, 60))
        if i == 1:
            shot = shot.resize((80, 60)).resize((320, 240))
        exif = Image.Exif()
        ifd = exif.get_ifd(0x8769)
        exif[0x8769] = ifd
        ifd[0x9003], ifd[0x9291] = "2024:05:01 12:00:00", str(3 * i)
        (tmp_path / f"{i}.jpg").write_bytes(as_file(shot, "JPEG", exif=exif, quality=95))
    (tmp_path / "x.jpg").write_bytes(as_file(other, "JPEG"))
    return tmp_path


@pytest.mark.lengthy
def test_a_burst_of_files_is_found_thinned_and_written(burst, tmp_path):
    df = dw.sequences(dw.score(burst, model="perceptual", progress=False), alike=0.6)
    assert df["sequence"].to_list() == [1, 1, 1, None]
    assert set(df["kind"]) == {"unique"}
    plan = dw.thin(df)
    assert actions(plan)[1] == "-"
    assert actions(plan).count("K") == 2
    made = dw.create_dataset(
        df.filter(plan["action"] == "keep"),
        "thin",
        removed=plan,
        root=tmp_path / "out",
        progress=False,
    )
    assert made.images == 2
    assert dw.script(plan, "trash", file=tmp_path / "do.py").exists()
    review = dw.Session(df)
    review.filters = {"sequence": dw.filters.present}
    assert len(review.view) == 3
