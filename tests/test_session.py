"""A whole review without a screen."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from effort import examples
from page import Page, Pixels, names


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("photos")
    for name, seed in (("cat", 1), ("dog", 2), ("owl", 3)):
        make_photo(seed).save(folder / f"{name}.png")
    make_photo(1).save(folder / "cat copy.png")
    make_photo(1).resize((24, 24)).save(folder / "cat small.png")
    return folder


@pytest.fixture(scope="module")
def frame(photos, tmp_path_factory):
    store = tmp_path_factory.mktemp("scored")
    return dw.score(photos, model=Pixels(), store=store, progress=False)


@pytest.fixture
def session(frame, tmp_path):
    return dw.Session(frame, store=tmp_path / "store", progress=False)


@pytest.mark.lengthy
def test_a_script_reviews_undoes_and_makes_a_dataset(photos, tmp_path):
    session = dw.Session(photos, model=Pixels(), store=tmp_path / "store", progress=False)
    session.filters = {"plan": "remove"}
    removed = names(session.view)
    assert session.accept_plan("Unique").frame.height == len(session) - len(removed)
    assert sorted(names(session.selection)) == sorted(removed)
    made = session.create_dataset("Unique", "clean", root=tmp_path / "out", mode="copy")
    assert made.images == len(session) - len(removed)
    assert session.undo() == f"make “Unique” with {made.images} images"
    assert session.undo() == f"select {len(removed)} images"
    assert session.selection.is_empty()
    assert session.log["action"].to_list()[-2:] == ["undo", "undo"]


@pytest.mark.lengthy
def test_a_path_may_begin_at_the_working_folder(session, monkeypatch):
    path = Path(session.frame["path"][0])
    monkeypatch.chdir(path.parent.parent)
    session.selection = [f"{path.parent.name}/{path.name}"]
    assert session.selection["path"].to_list() == [str(path)]
    with pytest.raises(dw.InputError, match=r"'a\.png' and 1 more path: not in this frame"):
        session.selection = ["a.png", "b.png", path]


@pytest.mark.lengthy
def test_no_widget_is_imported_for_a_review(photos, tmp_path):
    program = f"""
import sys, numpy as np, polars as pl, dedup_widgets as dw
frame = pl.DataFrame({{"path": ["a", "b"], "embedding": np.eye(2)[[0, 0]]}})
session = dw.Session(frame, store={str(tmp_path / "store")!r})
session.choose_keepers(["b"])
session.undo()
print(*{{"ipywidgets", "anywidget", "bqplot", "traitlets"}} & set(sys.modules))
"""
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert said.stdout == "\n"


@pytest.mark.lengthy
def test_those_who_watch_hear_of_each_change_once_with_all_that_changed(session):
    heard = []
    stop = session.watch(lambda changes: heard.append([change.what for change in changes]))
    session.near = 0.2
    session.filters = {"kind": ["near"]}
    session.sort = "width"
    session.accept_plan("Unique")
    assert sorted(heard[0]) == ["near", "plan", "review"]
    assert heard[1] == ["filters", "review"]
    assert heard[2] == ["sort"]
    assert [sorted(what) for what in heard[3:]] == [["collections", "review", "selection"]]
    stop()
    session.undo()
    assert len(heard) == 4


@pytest.mark.lengthy
def test_an_explorer_is_a_screen_over_a_session(session):
    ex = dw.Explorer(session)
    assert ex.session is session
    session.filters = {"kind": ["exact"]}
    assert ex.filters == {"kind": ["exact"]}
    assert ex.view.equals(session.view)
    ex.selection = session.view
    assert session.selection.equals(ex.selection)
    ex.choose_keepers([path for path in ex.frame["path"] if Path(path).name == "cat copy.png"])
    assert session.decisions == ex.decisions != dw.Decisions()
    assert session.undo() == "make cat copy.png the keeper"
    assert ex.decisions == dw.Decisions()


@pytest.mark.lengthy
def test_two_screens_over_one_session_show_the_same(session):
    one, other = dw.Explorer(session), dw.Explorer(session)
    heard = []
    other.observe(lambda change: heard.append(len(change["new"])), names="selection")
    one.selection = session.frame.head(2)
    assert other.selection.equals(one.selection)
    assert heard == [2]
    one.filters = {"kind": ["unique"]}
    assert other.get_state("_filters") == one.get_state("_filters") != {"_filters": {}}


@pytest.mark.lengthy
def test_a_screen_that_is_closed_no_longer_follows_its_session(session):
    ex = dw.Explorer(session)
    page = Page(ex)
    session.near = 0.2
    assert len(page.sent) == 1
    ex.close()
    ex.close()
    session.near = 0.1
    assert len(page.sent) == 1


@pytest.mark.parametrize("wrong", [3, [1, 2], pl.DataFrame({"paths": ["a"]})])
def test_what_is_no_set_of_images_is_refused(wrong):
    with pytest.raises(dw.InputError):
        dw.Session(wrong)


def many_groups(rng, n=150):
    """A scored frame of many small groups, with exact copies, images beside groups and labels."""
    vectors = rng.standard_normal((n // 3, 6))[rng.integers(n // 3, size=n)]
    source = np.where(rng.random(n) < 0.3, rng.integers(n, size=n), np.arange(n))
    vectors = (vectors + rng.choice([0.02, 0.1, 0.3], (n, 1)) * rng.standard_normal((n, 6)))[source]
    scores = dw.uniqueness(vectors, fingerprints=source, near=0.02)
    paths = pl.Series([f"/photos/{i:03}.jpg" for i in range(n)])
    return scores.with_columns(
        path=paths,
        nearest=paths.gather(scores["nearest"]),
        fingerprint=pl.Series([f"f{i}" for i in source]),
        bytes=rng.integers(1, 99, n),
        label=pl.Series(rng.choice(["cat", "dog"], n)),
        embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 6)),
    )


def shown_by(session):
    """All that a session shows, to be compared with another one's."""
    bands, shown = session.bands, session.shown
    arrays = bands.band, bands.place, bands.keeper, bands.ungrouped, shown.kind, shown.keep
    return (
        *(array.tolist() for array in arrays),
        np.nan_to_num(shown.scores, nan=-1).tolist(),
        session.summary,
        session.disagreements,
    )


@pytest.mark.lengthy
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 0.05]), st.booleans())
@examples(20)
def test_after_each_decision_a_review_is_as_if_begun_anew(seed, near, has_vectors):
    rng = np.random.default_rng(seed)
    frame = many_groups(rng)
    if not has_vectors:
        near, frame = None, frame.drop("embedding")
    with tempfile.TemporaryDirectory() as store:
        session = dw.Session(frame, near=near, store=store)
        plan = session.plan
        if seed % 2:
            session.prepare()
        assert session.plan is plan
        for _ in range(6):
            rows = session.mask_of(rng.integers(len(frame), size=rng.integers(1, 3)))
            match rng.integers(5):
                case 0 | 1:
                    session.choose_keepers(rows)
                case 2 | 3:
                    session.mark_not_duplicates(rows)
                case 4:
                    session.undo()
            anew = dw.Session(frame, near=near, store=store)
            assert_frame_equal(session.plan, anew.plan, check_exact=True)
            assert_frame_equal(session.frame, anew.frame, check_exact=True)
            assert_frame_equal(session.known, anew.known, check_exact=True)
            assert shown_by(session) == shown_by(anew)
