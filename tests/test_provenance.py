"""The frame says how it was made, and nothing guesses it."""

import io
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.errors import InputError, ModelError
from dedup_widgets.frame.provenance import NAME, Provenance, provenances
from dedup_widgets.frame.scale import gamma_of
from dedup_widgets.frame.schema import NESTED
from dedup_widgets.planning.planner import Planner
from page import Page, Pixels

GAMMA = 2.16


class Calibrated(Pixels):
    name = key = "calibrated"
    near_distance = 0.25


def score(images, model=None, **arguments):
    return dw.score(images, model=model or Pixels(), progress=False, **arguments)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(5):
        make_photo(seed).save(folder / f"photo-{seed:03}.png")
    make_photo(0).save(folder / "copy-000.bmp")
    return folder


@pytest.fixture(scope="module")
def scored(photos, tmp_path_factory):
    return score(photos, Calibrated(), near=0.1, store=tmp_path_factory.mktemp("scored"))


MADE = Provenance("calibrated", is_named=False, gamma=gamma_of(0.25), near=0.1)


def said_by(frame):
    """How its scores were made, but for how many pictures were compared."""
    return [replace(made, compared=None) for made in provenances(frame)]


def of_vectors(degrees, gamma=GAMMA, near=0.05, prints=None, model="some-model"):
    """A scored frame of pictures whose vectors stand at angles."""
    angles = np.radians(degrees)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    prints = prints or [str(degree) for degree in degrees]
    frame = pl.DataFrame({"path": [f"/{i}.jpg" for i in range(len(degrees))]})
    scores = dw.uniqueness(vectors, fingerprints=prints, near=near, gamma=gamma)
    return frame.hstack(scores).with_columns(
        Provenance(model, gamma=gamma, near=near).column,
        nearest=pl.lit(frame["path"]).gather(scores["nearest"]),
        fingerprint=pl.Series(prints),
        embedding=pl.Series(vectors.astype(np.float16), dtype=pl.Array(pl.Float16, 2)),
    )


def through_polars_parquet(frame):
    file = io.BytesIO()
    frame.write_parquet(file)
    file.seek(0)
    return pl.read_parquet(file)


def through_ipc(frame):
    file = io.BytesIO()
    frame.write_ipc(file)
    file.seek(0)
    return pl.read_ipc(file)


def through_pandas(frame):
    pandas = pytest.importorskip("pandas")
    file = io.BytesIO()
    frame.to_pandas().to_parquet(file)
    file.seek(0)
    return pl.DataFrame(pandas.read_parquet(file))


def through_pyarrow(frame):
    parquet = pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    parquet.write_table(frame.to_arrow(), file)
    file.seek(0)
    return pl.DataFrame(parquet.read_table(file))


def through_csv(frame):
    return pl.read_csv(frame.drop("embedding", "evidence").write_csv().encode())


# What is said


@pytest.mark.lengthy
def test_a_score_says_how_it_was_made(scored):
    (made,) = provenances(scored)
    assert made.compared == scored["evidence"].list.len().sum() / 2
    assert said_by(scored) == [MADE]
    assert scored[NAME].null_count() == 0


@pytest.mark.parametrize(
    "through",
    [through_polars_parquet, through_ipc, through_pandas, through_pyarrow, through_csv],
)
def test_it_is_said_still_after_the_frame_was_in_a_file(scored, through):
    assert said_by(through(scored)) == [MADE]


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.filter(pl.col("uniqueness") > 0),
        lambda frame: frame.sort("sharpness").head(2),
        lambda frame: frame.with_columns(label=pl.lit("cat")),
        lambda frame: frame.drop("distance", "kind", "group"),
        lambda frame: frame.lazy().filter(pl.col("keep")).collect(),
        lambda frame: frame.join(frame.select("path"), on="path"),
        lambda frame: pl.concat([frame.head(1), frame.tail(1)]),
        lambda frame: frame.to_pandas().sort_values("path"),
    ],
)
def test_it_is_said_still_after_the_frame_was_changed(scored, change):
    assert said_by(pl.DataFrame(change(scored))) == [MADE]


def test_frames_put_together_say_both():
    both = pl.concat([of_vectors([0, 10], near=0.1), of_vectors([0, 10], model="another")])
    assert sorted(map(str, provenances(both))) == ["another", "some-model"]


@pytest.mark.lengthy
def test_a_million_rows_take_no_more_than_a_number_each():
    paths = pl.DataFrame({"path": pl.Series(range(1_000_000)).cast(pl.String)})
    frame = through_polars_parquet(paths.with_columns(MADE.column))
    assert frame[NAME].estimated_size() <= 4_100_000
    file = io.BytesIO()
    frame.select(NAME).write_parquet(file)
    assert len(file.getvalue()) < 10_000


@pytest.mark.parametrize(
    "text",
    [
        *("", "by hand", "7", "[]", "{}", '{"gamma": 1.0}', '{"gamma": "1", "near": 0.05}'),
        *('{"gamma": 1.0, "near": 2}', '{"gamma": NaN, "near": 0.1}', '{"model": 1, "gamma": 1}'),
    ],
)
def test_a_users_own_column_of_that_name_says_nothing(text):
    frame = of_vectors([0, 10]).with_columns(pl.lit(text).alias(NAME))
    assert provenances(frame) == []
    assert Planner(frame).near == 0.05


def test_what_a_later_version_says_besides_does_no_harm():
    said = json.dumps({**json.loads(MADE.text), "pairs": 7})
    frame = of_vectors([0, 10]).with_columns(pl.lit(said).alias(NAME))
    assert provenances(frame) == [MADE]


def test_a_folder_is_named_so_that_it_is_found_from_elsewhere(photos, tiny_clip, monkeypatch):
    monkeypatch.chdir(tiny_clip.parent)
    (made,) = provenances(score(photos, tiny_clip.name, precision="exact"))
    assert (made.model, made.precision, made.is_named) == (str(tiny_clip), "exact", True)


@pytest.mark.lengthy
def test_an_embedded_model_is_named_as_it_is(photos):
    (made,) = provenances(score(photos, "efficientnet-lite0"))
    assert (made.model, made.precision) == ("efficientnet-lite0", "fast")


@pytest.mark.lengthy
def test_scoring_again_says_how_it_was_done_then(scored):
    again = score(scored, near=0.2)
    assert again.columns == scored.columns
    assert [(made.model, made.near) for made in provenances(again)] == [("pixels", 0.2)]


# A plan


@pytest.mark.lengthy
def test_a_plan_needs_no_scores_to_conclude_gamma_from():
    frame = of_vectors([0, 36, 90])
    assert dw.plan(frame, near=0.05)["group"].to_list() == [1, 1, None]
    silent = frame.drop("distance")
    assert_frame_equal(dw.plan(silent, near=0.05), dw.plan(frame, near=0.05))
    assert dw.plan(silent.drop(NAME), near=0.05)["group"].to_list() == [None, None, None]


def test_gamma_is_known_where_every_score_is_0_or_1():
    # Copies of three pictures, of which the keepers were filtered out.
    frame = of_vectors([0, 0, 36, 36, 90, 90], prints=["a", "a", "b", "b", "c", "c"])
    copies = frame.filter((pl.col("uniqueness") == 0) | (pl.col("uniqueness") == 1))
    assert len(copies) == 3
    assert dw.plan(copies, near=0.05)["group"].to_list() == [1, 1, None]
    assert dw.plan(copies.drop(NAME), near=0.05)["group"].to_list() == [None, None, None]


def test_the_boundary_is_known_where_no_score_lies_near_it():
    frame = of_vectors([0, 90], near=0.02)
    assert Planner(frame).near == 0.02
    assert Planner(frame.drop(NAME)).near == 0.05
    assert dw.Explorer(frame).near == 0.02


@pytest.mark.lengthy
def test_a_frame_says_the_boundary_that_it_is_planned_at():
    ex = dw.Explorer(of_vectors([0, 20, 40]), near=0.2)
    assert [made.near for made in provenances(ex.frame)] == [0.2]
    again = dw.Explorer(ex.frame)
    assert again.near == 0.2
    assert_frame_equal(again.plan.select("action", "group"), ex.plan.select("action", "group"))
    ex.near = None
    assert [made.near for made in provenances(ex.frame)] == [0.05]


@pytest.mark.lengthy
def test_of_frames_put_together_each_says_the_boundary_that_it_is_planned_at():
    silent = of_vectors([50, 60]).drop(NAME).with_columns(path=pl.format("/other{}", "path"))
    both = pl.concat([of_vectors([0, 90], near=0.1), silent], how="diagonal")
    ex = dw.Explorer(both, near=0.2)
    assert [made.near for made in provenances(ex.frame)] == [0.2]
    assert ex.frame[NAME].is_null().to_list() == [False, False, True, True]


@pytest.mark.lengthy
def test_scores_of_a_users_own_leave_nothing_uncompared():
    frame = of_vectors([0, 36, 90]).with_columns(mine=pl.lit(1.0))
    ex = dw.Explorer(frame, score="mine", near=0.06)
    assert ex.plan["group"].to_list() == [1, 1, None]


@pytest.mark.lengthy
def test_frames_of_different_models_are_not_grouped_anew():
    both = pl.concat(
        [
            of_vectors([0, 10], model="some-model"),
            of_vectors([80, 90], model="another", gamma=1.0).with_columns(
                path=pl.format("/another{}", "path"), group=pl.lit(2, pl.UInt32)
            ),
        ]
    )
    plan = dw.plan(both)
    assert plan["action"].to_list() == ["keep", "remove", "keep", "remove"]
    with pytest.raises(InputError, match="made with another and some-model"):
        dw.plan(both, near=0.1)
    with pytest.raises(InputError, match="made with another and some-model"):
        dw.threshold_curve(both)
    with pytest.raises(InputError, match="made with another and some-model"):
        dw.similar(both, both["path"][0])
    ex = dw.Explorer(both)
    with pytest.raises(InputError, match="made with another and some-model"):
        ex.near = 0.1


def test_of_frames_put_together_the_lowest_boundary_holds():
    other = of_vectors([50, 60], near=0.02).with_columns(path=pl.format("/other{}", "path"))
    assert Planner(pl.concat([of_vectors([0, 90], near=0.1), other])).near == 0.02


# Vectors that a frame brings


def test_vectors_are_scored_with_the_gamma_and_near_that_the_frame_says():
    frame = of_vectors([0, 36, 90], near=0.1)
    scores = ["uniqueness", "kind", "group", "keep", "nearest", "distance"]
    ex = dw.Explorer(frame.drop(scores))
    assert_frame_equal(ex.frame.select(scores, NAME), frame.select(scores, NAME))


def test_of_vectors_of_ones_own_it_is_said_that_no_model_is_known():
    ex = dw.Explorer(of_vectors([0, 10]).select("path", "embedding"), near=0.1)
    assert provenances(ex.frame) == [Provenance(near=0.1)]


def test_a_users_own_column_of_that_name_stays():
    frame = of_vectors([0, 10]).select("path", "embedding", pl.lit("a scale").alias(NAME))
    assert dw.Explorer(frame).frame[NAME].to_list() == ["a scale"] * 2


# Similar items


def test_a_file_is_embedded_with_the_model_of_the_frame(photos, tiny_clip, tmp_path, make_photo):
    make_photo(2).save(tmp_path / "query.png")
    frame = through_polars_parquet(score(photos, str(tiny_clip), precision="exact"))
    found = dw.similar(frame, tmp_path / "query.png", k=1)
    assert found["path"].to_list() == [str(photos / "photo-002.png")]
    assert found["distance"].to_list() == pytest.approx([0], abs=1e-3)
    assert_frame_equal(
        found,
        dw.similar(frame, tmp_path / "query.png", k=1, model=str(tiny_clip), precision="exact"),
    )


def test_a_model_that_cannot_be_loaded_is_named(scored, photos, tmp_path, make_photo):
    make_photo(9).save(tmp_path / "query.png")
    gone = scored.with_columns(Provenance(str(tmp_path / "gone")).column)
    with pytest.raises(ModelError, match=r"made with .*gone, and no other model"):
        dw.similar(gone, tmp_path / "query.png")


def test_an_object_must_be_brought_again(scored, tmp_path, make_photo):
    make_photo(3).save(tmp_path / "query.png")
    with pytest.raises(InputError, match="an object, calibrated"):
        dw.similar(scored, tmp_path / "query.png")
    assert len(dw.similar(scored, tmp_path / "query.png", k=2, model=Calibrated())) == 2


# What a person sees


@pytest.mark.lengthy
def test_it_is_offered_neither_as_filter_nor_as_metric(scored):
    ex = dw.Explorer(scored)
    offered = [column["name"] for column in Page(ex).open()["columns"]]
    assert offered == [name for name in scored.columns if name not in (NAME, *NESTED)]
    assert NAME not in repr(ex.analytics)


def test_a_printed_frame_does_not_show_it(scored):
    assert NAME not in str(scored)


@pytest.mark.lengthy
def test_a_dataset_says_it_on_its_card(scored, tmp_path):
    stays = scored.filter("keep")
    made = dw.create_dataset(stays, "clean", root=tmp_path, mode="copy", progress=False)
    card = (made.path / "README.md").read_text()
    assert "Scored with calibrated, near-duplicates within 0.1." in card
    assert NAME not in pl.read_parquet(made.path / "train" / "metadata.parquet").columns


@pytest.mark.lengthy
def test_a_dataset_with_embeddings_says_it_in_its_metadata(scored, tmp_path):
    made = dw.create_dataset(
        scored.filter("keep"), "clean", root=tmp_path, embedding=True, progress=False
    )
    assert said_by(pl.read_parquet(made.path / "train" / "metadata.parquet")) == [MADE]
