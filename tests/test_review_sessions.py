"""Whole reviews in the Explorer: any steps in any order, by several hands, on odd frames."""

import random
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.widgets.protocol import pack_bits
from page import Page, names


def vectors(n, seed=0):
    """Return n unit vectors, of which each third is a copy of the one before or near to it."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(n, 16))
    found[1::3] = found[0::3][: len(found[1::3])]
    found[2::3] = found[0::3][: len(found[2::3])] + rng.normal(size=found[2::3].shape) * 0.1
    found[57:] = rng.normal(size=(3, 16))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def frame():
    """Sixty made-up images: 19 groups of an original, its copy and a near one; three alone."""
    embeddings = vectors(60)
    prints = [f"f{row - (row % 3 == 1 and row < 57)}" for row in range(60)]
    scored = dw.uniqueness(embeddings, fingerprints=prints)
    paths = pl.Series("path", [f"/photos/{row:02}.jpg" for row in range(60)])
    return pl.DataFrame(
        {
            "path": paths,
            "fingerprint": prints,
            "bytes": np.random.default_rng(1).permutation(60) + 1000,
            "error": pl.Series([None] * 60, dtype=pl.String),
            "embedding": pl.Series(embeddings, dtype=pl.Array(pl.Float32, 16)),
            "label": ["cat", "cat", "dog"] * 20,
        }
    ).with_columns(scored.with_columns(nearest=paths.gather(scored["nearest"])))


def everything(ex):
    return {
        "plan": ex.plan.rows(),
        "frame": ex.frame.drop("embedding").rows(),
        "selection": sorted(ex.selection[ex.path]),
        "filters": ex.session.clauses,
        "decisions": ex.decisions.as_json(),
        "collections": {
            name: (found.paths, found.description) for name, found in ex.collections.items()
        },
    }


def do_something(ex, page, chance):
    """Do one thing that a person could do."""
    some = np.array([chance.random() < 0.2 for _ in range(len(ex))])
    few = chance.sample(range(len(ex)), 3)
    name, other = chance.choice("AB"), chance.choice("ABC")
    names_there = list(ex.collections)
    wanted = [None, {"kind": ["exact"]}, {"plan": "remove"}, pl.col("bytes") > 1030]
    if names_there:
        wanted.append({"collections": {"include": [chance.choice(names_there)]}})

    def change_collection():
        if name in ex.collections:
            ex.collections.describe(name, other)
            ex.collections.remove(name, some)
        if name in ex.collections and other not in ex.collections:
            ex.collections.rename(name, other)

    def delete_collection():
        if name in ex.collections:
            del ex.collections[name]

    keepers = {"add": few[:1], "remove": few[1:]}
    marked = {"rows": few, "value": True}
    chance.choice(
        [
            lambda: setattr(ex, "selection", some),
            lambda: page.ask("select", arrays={"rows": pack_bits(some)}),
            lambda: setattr(ex, "filters", chance.choice(wanted)),
            lambda: setattr(ex, "near", chance.choice([None, 0, 0.02, 0.2])),
            lambda: setattr(ex, "rules", chance.choice([None, ["bytes"], ["path"]])),
            lambda: page.ask("decide", change={"what": "keepers", **keepers}),
            lambda: ex.choose_keepers(some),
            lambda: page.ask("decide", change={"what": "not_duplicate", **marked}),
            lambda: ex.unmark_not_duplicates(some),
            lambda: ex.collections.add(name, some),
            lambda: ex.collections.__setitem__(name, some),
            change_collection,
            delete_collection,
            lambda: ex.accept_plan(name),
            ex.undo,
            ex.redo,
        ]
    )()


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))]
)
def test_whatever_is_done_can_be_undone_done_again_and_replayed(frame, tmp_path, seed):
    columns = {"path": "file", "score": "novelty"} if seed % 2 else {}
    reviewed = frame.rename({"path": "file", "uniqueness": "novelty"}) if columns else frame
    ex = dw.Explorer(reviewed, store=tmp_path / "store.sqlite", **columns)
    page, chance = Page(ex), random.Random(seed)
    start = everything(ex)
    for _ in range(30):
        do_something(ex, page, chance)
        assert ex.plan.equals(dw.plan(frame, **ex.decisions.arguments()))
        kept = ex.frame.filter(ex.filters.expression)[ex.path]
        assert sorted(kept) == sorted(ex.view[ex.path])
        groups = ex.frame.filter(pl.col("group").is_not_null()).group_by("group")
        assert groups.agg(pl.col("keep").any())["keep"].all()
    end = everything(ex)
    again = dw.replay(reviewed, ex.log, **columns)
    assert again.plan.rows() == end["plan"]
    assert sorted(again.selection[ex.path]) == end["selection"]
    assert again.filters == end["filters"]
    assert {n: (c.paths, c.description) for n, c in again.collections.items()} == end["collections"]
    steps = 0
    while ex.undo() is not None:
        steps += 1
    assert everything(ex) == start
    for _ in range(steps):
        ex.redo()
    assert everything(ex) == end
    reopened = dw.Explorer(reviewed, store=tmp_path / "store.sqlite", **columns)
    for kept in ("keepers", "not_duplicates"):
        assert reopened.decisions.as_json()[kept] == end["decisions"][kept]


@pytest.mark.slow
def test_several_threads_leave_one_history(frame):
    ex = dw.Explorer(frame)
    masks = np.random.default_rng(0).random((40, 60)) < 0.5
    failures = []

    def each(act):
        def run():
            try:
                for turn in range(40):
                    act(turn)
            except Exception as error:
                failures.append(error)

        return threading.Thread(target=run)

    threads = [
        each(lambda turn: setattr(ex, "selection", masks[turn])),
        each(lambda turn: setattr(ex, "selection", ~masks[turn])),
        each(lambda turn: setattr(ex, "near", [None, 0.02, 0.2][turn % 3])),
        each(lambda turn: ex.choose_keepers([frame["path"][turn]])),
        each(lambda turn: ex.mark_not_duplicates([frame["path"][59 - turn]])),
        each(lambda turn: ex.collections.add("A", masks[turn])),
        each(lambda turn: ex.undo() if turn % 2 else ex.redo()),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    again = dw.replay(frame, ex.log)
    assert again.plan.equals(ex.plan)
    assert set(again.selection["path"]) == set(ex.selection["path"])
    while ex.undo() is not None:
        pass
    assert ex.selection.is_empty()
    assert ex.decisions == dw.Decisions()


@pytest.mark.lengthy
def test_a_change_happens_whole_or_not_at_all(frame):
    ex = dw.Explorer(frame)
    ex.choose_keepers(frame["path"][:1])
    before = everything(ex), ex.log.height
    page = Page(ex)
    for keepers in ({"add": [99], "remove": [0]}, {"add": ["1"], "remove": [0]}):
        assert page.ask("decide", change={"what": "keepers", **keepers})["ok"] is False
    with pytest.raises(dw.InputError):
        ex.decide(dw.Decisions(near=0.2, keepers=frozenset({"nowhere.jpg"})))
    assert (everything(ex), ex.log.height) == before
    page.ask("decide", change={"what": "keepers", "add": [4], "remove": [0]})
    assert ex.decisions.keepers == {frame["path"][4]}
    ex.undo()
    assert everything(ex) == before[0]


@pytest.mark.lengthy
def test_a_decision_that_cannot_be_kept_is_not_made(frame, tmp_path):
    ex = dw.Explorer(frame, store=tmp_path / "store.sqlite")
    before = everything(ex)
    with sqlite3.connect(tmp_path / "store.library.sqlite") as other:
        other.execute("DROP TABLE chosen_keeper")
    page = Page(ex)
    reply = page.ask("decide", change={"what": "keepers", "add": [1], "remove": []})
    assert reply["error"]["type"] == "StoreError"
    assert everything(ex) == before
    assert page.events("plan") == []


@pytest.mark.lengthy
@pytest.mark.parametrize("junk", [None, 5, True, "near", [1], float("nan"), {"near": {}}])
def test_what_a_page_makes_up_is_answered_with_an_error(frame, junk):
    ex = dw.Explorer(frame)
    page = Page(ex)
    assert page.ask("decide", change=junk)["ok"] is False
    assert page.ask("collection", name="A", change=junk)["ok"] is False
    assert page.ask("collect", name="A", of=junk, how="replace")["ok"] is False
    assert page.ask("similar", row=0, k=junk)["ok"] is (junk == 5 and junk is not True)
    answers = len(page.sent)
    page.request("cancel", target=junk)
    assert len(page.sent) == answers
    assert ex.log.height == 1


@pytest.mark.lengthy
def test_an_order_that_a_page_makes_up_is_not_taken(frame):
    ex = dw.Explorer(frame)
    order = ex.view
    for junk in (
        {},
        {"column": "path"},
        {**ex.sort, "column": "nowhere"},
        {**ex.sort, "column": 5},
    ):
        with pytest.raises(Exception, match="sort"):
            ex.set_state({"_sort": junk})
        assert ex.view.equals(order)
    ex.sort = "bytes"
    assert ex.sort["column"] == "bytes"


@pytest.mark.lengthy
@pytest.mark.parametrize("junk", [5, [1], {"include": 5}, {"include": [[]]}])
def test_a_rename_leaves_filters_alone_that_a_page_made_up(frame, junk):
    ex = dw.Explorer(frame)
    ex.collections["A"] = frame.head(2)
    ex.set_state({"_filters": {"collections": junk}})
    ex.collections.rename("A", "B")
    assert ex.undo() == "rename “A” to “B”"
    assert len(ex.view) == 60


@pytest.mark.lengthy
def test_a_filter_by_a_renamed_collection_is_replayed(frame):
    ex = dw.Explorer(frame)
    ex.collections["A"] = frame.head(2)
    ex.filters = {"collections": {"include": ["A"]}}
    ex.collections.rename("A", "B")
    assert (
        dw.replay(frame, ex.log).filters
        == ex.session.clauses
        == {"collections": {"include": ["B"]}}
    )


@pytest.mark.lengthy
def test_replay_knows_the_column_of_scores(frame):
    reviewed = frame.with_columns(novelty=pl.col("uniqueness"), uniqueness=pl.lit("mine"))
    ex = dw.Explorer(reviewed, score="novelty")
    ex.near = 0.2
    assert dw.replay(reviewed, ex.log, score="novelty").plan.equals(ex.plan)


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", [pl.lit("jpeg"), pl.lit(3)], ids=["words", "numbers"])
def test_a_column_kind_of_the_users_own_stays_as_it_is(frame, kind):
    own = frame.with_columns(kind=kind)
    ex = dw.Explorer(own)
    assert ex.frame["kind"].equals(own["kind"])
    assert ex.plan.equals(dw.plan(frame))
    ex.near = 0.2
    assert ex.frame["kind"].equals(own["kind"])


@pytest.mark.lengthy
def test_groups_below_one_stand_for_none(frame):
    ex = dw.Explorer(frame.with_columns(pl.col("group").cast(pl.Int64).fill_null(-1)))
    assert ex.plan.equals(dw.plan(frame))


@pytest.mark.parametrize("column", ["group", "keep"])
def test_groups_and_keepers_that_are_words_mean_no_plan(frame, column):
    ex = dw.Explorer(frame.with_columns(pl.lit("mine").alias(column)), near=0.2)
    assert f"column '{column}' holds String" in ex.why_no_plan
    assert ex.frame[column].unique().to_list() == ["mine"]


@pytest.mark.lengthy
def test_a_pandas_frame_has_groups_although_some_are_missing(frame):
    table = frame.drop("embedding").to_pandas()
    assert table["group"].dtype == np.float64
    ex = dw.Explorer(table)
    assert ex.plan["action"].equals(dw.plan(frame.drop("embedding"))["action"])
    assert Page(ex).open()["summary"]["label_conflicts"] == 19
    ex.filters = {"label_conflict": True}
    assert len(ex.view) > 0


def test_paths_of_pandas_objects(frame):
    table = pd.DataFrame({"path": [Path(p) for p in frame["path"]], "uniqueness": 1.0})
    assert names(dw.Explorer(table).frame) == names(frame)


@pytest.mark.parametrize("values", [[b"\xff"] * 60, [object()] * 60, [[[1]]] * 60], ids=type)
def test_a_column_label_that_holds_no_labels_is_passed_over(frame, values):
    ex = dw.Explorer(frame.with_columns(pl.Series("label", values, strict=False)))
    assert Page(ex).open()["summary"]["label_conflicts"] is None
    with pytest.raises(dw.InputError, match="label"):
        ex.filters = {"label_conflict": True}


def test_a_column_named_for_labels_must_hold_some(frame):
    with pytest.raises(dw.InputError, match="column 'label' holds Binary"):
        dw.Explorer(frame.with_columns(label=pl.lit(b"x")), label="label")


@pytest.mark.lengthy
def test_labels_may_be_arrays(frame):
    arrays = pl.Series("label", [[1, 2], [2, 1], [3, 3]] * 20, dtype=pl.Array(pl.Int8, 2))
    ex = dw.Explorer(frame.with_columns(arrays))
    assert Page(ex).open()["summary"]["label_conflicts"] > 0


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["*", "^.*$", "^b.*$", 'a"b', "[0]", "a\\b"])
@pytest.mark.parametrize("values", [["sea", "sky", None] * 20, [1, 2, None] * 20], ids=str)
def test_a_column_may_have_any_name(frame, name, values):
    ex = dw.Explorer(frame.with_columns(pl.Series(name, values)))
    page = Page(ex)
    assert page.ask("column", column=name)["facet"] in ("category", "number")
    ex.sort = name
    wanted = ["sea"] if "sea" in values else (1, 1)
    for filters, left in ((wanted, 20), (dw.filters.absent, 20), (dw.filters.present, 40)):
        ex.filters = {name: filters}
        assert len(ex.view) == left
        assert ex.frame.filter(ex.filters.expression).height == left
        assert page.ask("match", key=name, clause=ex.session.clauses[name])["ok"]


@pytest.mark.parametrize("columns", [{"path": "*"}, {"score": "^u.*$"}])
def test_paths_and_scores_under_a_name_that_is_a_pattern_are_refused(frame, columns):
    usual = {"path": "path", "score": "uniqueness"}
    with pytest.raises(dw.InputError, match="pattern; rename it"):
        dw.Explorer(frame.rename({usual[k]: v for k, v in columns.items()}), **columns)


@pytest.mark.lengthy
def test_parting_a_huge_group_is_refused_before_it_fills_the_memory():
    n = 2_000
    rows = pl.DataFrame({"path": [f"/p/{row}.jpg" for row in range(n)]}).with_columns(
        fingerprint=pl.col("path"),
        uniqueness=pl.lit(0.01, pl.Float32),
        kind=pl.lit("near"),
        group=pl.lit(1),
        keep=pl.col("path") == "/p/0.jpg",
    )
    ex = dw.Explorer(rows)
    with pytest.raises(dw.InputError, match="4,000,000 pairs"):
        ex.mark_not_duplicates(rows)
    assert ex.log.height == 1
    ex.mark_not_duplicates(rows[7])
    assert len(ex.decisions.not_duplicates) == n - 1
