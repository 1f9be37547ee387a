"""From a count to a dataset, whatever was decided: one notion of what goes."""

import re
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup_widgets as dw
from dedup_widgets.images.decode import decode
from dedup_widgets.widgets.requests.wording import CONTROLS
from effort import examples

pytestmark = pytest.mark.lengthy

PICTURES, COPIES = 7, 4


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, make_photo):
    """Files of some pictures, each several times, and one that nobody can read."""
    folder = tmp_path_factory.mktemp("pictures")
    for picture in range(PICTURES):
        for copy in range(COPIES):
            make_photo(picture, (12, 12)).save(folder / f"{picture}-{copy}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@st.composite
def frames(draw, folder):
    """Draw a scored frame of files, of which some are exact copies and some near others."""
    copies = draw(st.lists(st.integers(1, COPIES), min_size=1, max_size=PICTURES))
    place = draw(
        st.lists(st.sampled_from([0.0, 0.1, 0.2, 1.5]), min_size=PICTURES, max_size=PICTURES)
    )
    paths = [f"{folder}/{p}-{c}.png" for p, count in enumerate(copies) for c in range(count)]
    angle = np.repeat(np.array(place[: len(copies)]) + 1e-3 * np.arange(len(copies)), copies)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    prints = [decode(Path(path).read_bytes()).fingerprint for path in paths]
    rank = draw(st.permutations(range(len(paths))))
    scores = dw.uniqueness(vectors, fingerprints=prints, rank=rank)
    named = pl.Series(paths)
    frame = scores.with_columns(
        path=named,
        fingerprint=pl.Series(prints),
        nearest=named.gather(scores["nearest"]),
        embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 2)),
        bytes=pl.Series([Path(path).stat().st_size for path in paths]),
        votes=pl.Series(draw(st.permutations(range(len(paths))))),
        error=pl.Series([None] * len(paths), dtype=pl.String),
    )
    if draw(st.booleans()):
        broken = pl.DataFrame({"path": [f"{folder}/broken.png"], "error": ["no picture"]})
        frame = pl.concat([frame, broken], how="diagonal")
    frame = frame.sample(fraction=1, shuffle=True, seed=draw(st.integers(0, 9)))
    return frame.drop("embedding") if draw(st.booleans()) else frame


def decide(draw, session):
    """Make some decisions, by hand and by rule."""
    some = st.lists(st.integers(0, len(session) - 1), max_size=3)
    for what in draw(st.lists(st.sampled_from(["keep", "part", "rules", "near", "undo"]))):
        rows = session.mask_of(draw(some))
        match what:
            case "keep":
                session.choose_keepers(rows)
            case "part":
                session.mark_not_duplicates(rows)
            case "rules":
                session.rules = draw(
                    st.sampled_from([None, ["path"], [dw.keepers.highest("votes")]])
                )
            case "near" if "embedding" in session.frame.columns:
                session.near = draw(st.sampled_from([None, 0, 0.005, 0.2]))
            case "undo":
                session.undo()


def shortcuts(session):
    """Return the filters of the counts on screen."""
    near = max(session.near, 0.0001)
    return [
        {},
        {"uniqueness": (0, 0.0001)},
        {"uniqueness": (0.0001, near), "plan": "remove"},
        {"plan": "remove"},
        {"group": dw.filters.present},
    ]


@given(st.data())
@examples(40)
def test_each_picture_has_its_score_once_and_the_keeper_has_it(pictures, data):
    frame = data.draw(frames(pictures))
    with tempfile.TemporaryDirectory() as store:
        session = dw.Session(frame, store=store)
        assert session.frame.select(frame.columns).equals(frame)
        decide(data.draw, session)
        now = session.frame.with_columns(action=session.plan["action"], scored=frame["uniqueness"])
    readable = now.filter(pl.col("error").is_null())
    goes = readable["action"] == "remove"
    zero = readable["uniqueness"] == 0
    assert (goes | ~zero).all()
    stays = set(readable.filter(~goes)["fingerprint"])
    for (picture,), copies in readable.group_by("fingerprint"):
        with_score = copies.filter(pl.col("uniqueness") > 0)
        assert with_score["uniqueness"].unique().to_list() == [copies["scored"].max()]
        assert with_score["distance"].n_unique() == 1
        kept = copies.filter(action="keep")
        assert with_score["path"].to_list() == kept["path"].to_list() or picture not in stays
        assert len(with_score) == max(1, len(kept))
        without = copies.filter(uniqueness=0.0)
        assert set(without["nearest"]) <= set(with_score["path"])
        assert (without["distance"] == 0).all()
    assert set(readable["nearest"].drop_nulls()) <= set(readable.filter(~zero)["path"])


@given(st.data())
@examples(40)
def test_the_counts_make_up_all_images_and_are_those_of_the_plan(pictures, data):
    with tempfile.TemporaryDirectory() as store:
        session = dw.Session(data.draw(frames(pictures)), store=store)
        decide(data.draw, session)
        counts, plan = session.summary, session.plan
        assert counts.exact + counts.near == (plan["action"] == "remove").sum()
        assert counts.exact + counts.near + counts.kept + counts.unreadable == counts.images
        for filters, count in zip(
            shortcuts(session)[1:3], (counts.exact, counts.near), strict=True
        ):
            session.filters = filters
            assert len(session.view) == count


@given(st.data())
@examples(30)
def test_from_a_count_to_a_dataset_nothing_is_refused_and_no_group_lost(pictures, data):
    with tempfile.TemporaryDirectory() as folder:
        session = dw.Session(data.draw(frames(pictures)), store=Path(folder) / "store")
        decide(data.draw, session)
        filters = dict(data.draw(st.sampled_from(shortcuts(session))))
        if data.draw(st.booleans()):
            filters["votes"] = (data.draw(st.integers(0, 5)), None)
        session.filters = filters
        collected = session.accept_plan("Unique")
        assert collected.frame["error"].null_count() == len(collected)
        made = session.create_dataset("Unique", "clean", root=folder, mode="copy", progress=False)
        written = pl.read_parquet(made.path / "train" / "metadata.parquet")
        groups = set(session.frame["group"].drop_nulls())
        kept = session.frame.filter(pl.col("path").is_in(collected.paths))
        assert set(kept["group"].drop_nulls()) == groups == set(written["group"].drop_nulls())
        by_hand = session.frame.filter(
            pl.col("fingerprint").is_duplicated(), session.plan["action"] == "keep"
        )
        copies = written.filter(pl.col("fingerprint").is_duplicated())["fingerprint"]
        assert set(copies) <= set(by_hand["fingerprint"])


def test_errors_in_the_dialog_speak_of_its_controls():
    package = Path(dw.__file__).parent / "dataset"
    code = " ".join(file.read_text() for file in package.glob("*.py"))
    # Texts that are too long for a line are joined there by quotes and spaces.
    code = re.sub(r"""["']\n\s*f?["']""", "", code)
    for argument, control in CONTROLS.items():
        assert argument in code
        assert "=" not in control
