import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from dedup_widgets.errors import InputError
from dedup_widgets.review.collections import Members
from dedup_widgets.review.decisions import Decisions, StoredDecisions
from dedup_widgets.review.history import LOG_SCHEMA, History, State
from dedup_widgets.review.steps import (
    CollectionStep,
    FiltersStep,
    KeepersStep,
    NearStep,
    NotDuplicatesStep,
    RenameStep,
    Rows,
    RulesStep,
    SelectionStep,
)
from dedup_widgets.scoring import keepers
from dedup_widgets.store.library import Library

PATHS = ["/p/a.jpg", "/p/b.jpg", "/p/c.jpg", "/p/d.jpg"]


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def history(clock):
    return History(PATHS, State(np.zeros(4, bool)), now=clock)


def mask(*rows, total=4):
    found = np.zeros(total, bool)
    found[list(rows)] = True
    return found


def rows(*numbers):
    return Rows(mask(*numbers))


def as_is(step):
    return step


# Rows


@pytest.mark.parametrize("total", [0, 1, 7, 8, 9, 100, 1000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_rows_come_back_as_the_mask_they_were_made_of(total, share):
    given = np.random.default_rng(0).random(total) < share
    found = Rows(given)
    assert np.array_equal(found.mask(), given)
    assert np.array_equal(found.numbers, np.flatnonzero(given))
    assert (len(found), found.total, bool(found)) == (given.sum(), total, given.any())
    assert found == Rows(given.copy())


def test_rows_of_different_frames_are_different():
    assert Rows.none(3) != Rows.none(4)
    assert rows(0) != rows(1)


# Steps


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (SelectionStep(rows(0), rows()), "select 1 image"),
        (SelectionStep(rows(0, 1), rows()), "select 2 images"),
        (SelectionStep(rows(), rows(2)), "deselect 1 image"),
        (SelectionStep(rows(0, 1), rows(2)), "select 2 images, deselect 1"),
        (SelectionStep(Rows(np.ones(12345, bool)), Rows.none(12345)), "select 12,345 images"),
        (FiltersStep({"kind": {"any": ["near"]}}, {}), "reset filters"),
        (FiltersStep({}, {"uniqueness": [0, 1]}), "filter by uniqueness"),
        (FiltersStep({"a": [0, 1], "b": [0, 1]}, {"b": [0, 1]}), "no longer filter by a"),
        (FiltersStep({"a": [0, 1]}, {"a": [0, 2], "b": [0, 1]}), "filter by a, b"),
        (NearStep(0.05, 0.08), "near-duplicate threshold 0.05 → 0.08"),
        (NearStep(None, 0.0001), "near-duplicate threshold as scored → 0.0001"),
        (RulesStep(None, ("bytes", "newest")), "keeper rules: most bytes, newest"),
        (RulesStep(None, (keepers.highest("votes"),)), "keeper rules: highest votes"),
        (RulesStep(("bytes",), None), "keeper rules as scored"),
        (KeepersStep.between({"/p/a.jpg"}, {"/p/b.jpg"}), "make b.jpg the keeper"),
        (KeepersStep.between(set(), {"a", "b"}), "make 2 images keepers"),
        (KeepersStep.between({"/p/a.jpg"}, set()), "no longer choose a.jpg by hand"),
        (NotDuplicatesStep.between(set(), {("f", "g")}), "mark 1 pair as not duplicates"),
        (
            NotDuplicatesStep.between(set(), {("f", "g"), ("f", "h")}, about="a.jpg"),
            "mark a.jpg as not duplicates",
        ),
        (
            NotDuplicatesStep.between({("f", "f"), ("f", "g")}, set()),
            "no longer mark 2 pairs as not duplicates",
        ),
        (CollectionStep("D", rows(0, 1), rows()), "add 2 images to “D”"),
        (CollectionStep("D", rows(), rows(1)), "remove 1 image from “D”"),
        (CollectionStep("D", rows(0), rows(1, 2)), "add 1 image to “D”, remove 2"),
        (CollectionStep("D", rows(0), rows(), exists=(False, True)), "make “D” with 1 image"),
        (CollectionStep("D", rows(), rows(), exists=(False, True)), "make “D”"),
        (CollectionStep("D", rows(), rows(0), exists=(True, False)), "delete “D”"),
        (CollectionStep("D", rows(), rows(), ("", "x")), "describe “D”"),
        (RenameStep("A", "B"), "rename “A” to “B”"),
    ],
)
def test_a_step_says_what_it_does_in_words(step, text):
    assert step.text == text


STEPS = [
    SelectionStep(rows(0, 1), rows(2)),
    FiltersStep({"a": [0, 1]}, {"a": [0, 2], "b": {"any": ["x", None]}}),
    NearStep(None, 0.08),
    RulesStep(None, ("bytes", keepers.prefer("source", ["camera"]))),
    KeepersStep.between({"/p/a.jpg"}, {"/p/b.jpg"}),
    NotDuplicatesStep.between({("f", "f")}, {("f", "g")}),
    CollectionStep("D", rows(0), rows(1), ("", "x"), (False, True)),
    RenameStep("A", "B"),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_the_inverse_of_the_inverse_is_the_step(step):
    again = step.inverse().inverse()
    assert again.value(PATHS) == step.value(PATHS) != step.inverse().value(PATHS)
    assert again.inverse().value(PATHS) == step.inverse().value(PATHS)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_the_value_of_a_step_is_json(step):
    assert json.loads(json.dumps(step.value(PATHS))) == step.value(PATHS)


def test_a_selection_step_leads_from_the_one_selection_to_the_other():
    before, after = mask(0, 1), mask(1, 3)
    step = SelectionStep.between(before, after)
    assert step.value(PATHS) == {"add": ["/p/d.jpg"], "remove": ["/p/a.jpg"]}
    assert np.array_equal(step.on(before), after)
    assert np.array_equal(step.inverse().on(after), before)


def test_the_steps_of_a_drag_are_one():
    seen = [mask(0, 2), mask(0, 1), mask(1, 2, 3), mask(2)]
    steps = [SelectionStep.between(a, b, drag=True) for a, b in pairwise(seen)]
    whole = steps[0].merged(steps[1]).merged(steps[2])
    assert whole == SelectionStep.between(seen[0], seen[-1], drag=True)
    assert np.array_equal(whole.inverse().on(seen[-1]), seen[0])


# Undo and redo


def test_undo_and_redo_walk_over_the_same_steps(history):
    steps = [NearStep(None, 0.1), KeepersStep.between(set(), {"a"}), RenameStep("A", "B")]
    for step in steps:
        history.record(step)
    applied = []

    def apply(step):
        applied.append(step)
        return step

    assert [history.undo(apply) for _ in range(4)] == [*reversed(steps), None]
    assert [history.redo(apply) for _ in range(4)] == [*steps, None]
    assert applied == [step.inverse() for step in reversed(steps)] + steps


def test_what_can_be_undone_and_redone_is_told(history):
    assert (history.undo_text, history.redo_text) == (None, None)
    history.record(NearStep(0.05, 0.08))
    assert (history.undo_text, history.redo_text) == ("near-duplicate threshold 0.05 → 0.08", None)
    history.undo(as_is)
    assert (history.undo_text, history.redo_text) == (None, "near-duplicate threshold 0.05 → 0.08")


def test_a_new_step_ends_what_could_be_redone(history):
    history.record(RenameStep("A", "B"))
    history.undo(as_is)
    history.record(RenameStep("A", "C"))
    assert history.redo_text is None
    assert history.undo(as_is) == RenameStep("A", "C")


def test_a_step_that_changes_nothing_is_none(history):
    for step in (
        SelectionStep.between(mask(1), mask(1)),
        FiltersStep({"a": [0, 1], "b": True}, {"b": True, "a": [0, 1]}),
        NearStep(0.1, 0.1),
        RulesStep((keepers.highest("a"),), (keepers.highest("a"),)),
        KeepersStep.between({"a"}, {"a"}),
        NotDuplicatesStep.between({("f", "g")}, {("f", "g")}),
        CollectionStep("x", rows(), rows()),
        RenameStep("x", "x"),
    ):
        history.record(step)
    assert history.undo_text is None
    assert len(history.log) == 1


def test_what_fails_to_be_undone_can_be_undone_later(history):
    history.record(RenameStep("A", "B"))

    def fail(step):
        raise InputError("there is a collection 'A' already")

    with pytest.raises(InputError):
        history.undo(fail)
    assert history.undo_text
    assert history.log["action"].to_list() == ["start", "do"]
    assert history.undo(as_is) == RenameStep("A", "B")
    with pytest.raises(InputError):
        history.redo(fail)
    assert history.redo_text


def test_what_undo_brings_about_is_no_step(history):
    history.record(NearStep(None, 0.1))

    def apply(step):
        history.record(NearStep(0.1, None))
        return step

    history.undo(apply)
    assert history.undo_text is None
    assert history.redo_text
    assert history.log["action"].to_list() == ["start", "do", "undo"]


def test_the_log_has_what_undo_really_changed(history):
    history.record(CollectionStep("x", rows(0, 1), rows()))
    history.undo(lambda _step: CollectionStep("x", rows(), rows(1)))
    assert json.loads(history.log["value"][-1])["remove"] == ["/p/b.jpg"]
    history.redo(lambda _step: None)
    assert history.log["action"].to_list() == ["start", "do", "undo"]
    assert history.undo_text is None, "nothing was done again, so there is nothing to take back"


def test_the_oldest_steps_are_forgotten_but_not_in_the_log(clock):
    history = History(PATHS, State(mask()), limit=3, now=clock)
    for i in range(5):
        history.record(RenameStep(str(i), str(i + 1)))
    assert [history.undo(as_is).old for _ in range(3)] == ["4", "3", "2"]
    assert history.undo(as_is) is None
    assert len(history.log) == 1 + 5 + 3


# One move of the hand


@pytest.mark.parametrize(
    ("seconds", "first", "second", "whole"),
    [
        (0.3, ("drag", 0), ("drag", 1), 1),
        (0.4, ("drag", 0), ("drag", 1), 2),
        (0.1, ("drag", 0), ("click", 1), 2),
        (0.1, ("click", 0), ("click", 1), 2),
    ],
)
def test_selecting_is_one_step_only_within_a_drag(history, clock, seconds, first, second, whole):
    selected = mask()
    for how, row in (first, second):
        history.record(SelectionStep.between(selected, selected | mask(row), drag=how == "drag"))
        selected = selected | mask(row)
        clock.wait(seconds)
    assert len(history.log) == 1 + whole


@pytest.mark.parametrize(("seconds", "steps"), [(0.9, 1), (1.1, 3)])
def test_moving_one_filter_is_one_step(history, clock, seconds, steps):
    for low in (0.1, 0.2, 0.3):
        history.record(FiltersStep({"a": [low - 0.1, 1]}, {"a": [low, 1]}))
        clock.wait(seconds)
    assert len(history.log) == 1 + steps


@pytest.mark.parametrize(("seconds", "steps"), [(2.9, 1), (3.1, 2)])
def test_moving_the_threshold_is_one_step(history, clock, seconds, steps):
    history.record(NearStep(None, 0.1))
    clock.wait(seconds)
    history.record(NearStep(0.1, 0.2))
    taken = history.undo(as_is)
    assert taken == (NearStep(None, 0.2) if steps == 1 else NearStep(0.1, 0.2))


def test_filters_of_different_columns_are_different_steps(history):
    history.record(FiltersStep({}, {"a": [0, 1]}))
    history.record(FiltersStep({"a": [0, 1]}, {"a": [0, 1], "b": [0, 1]}))
    assert len(history.log) == 3


def test_there_and_back_in_one_move_is_no_step(history):
    history.record(RenameStep("A", "B"))
    history.record(NearStep(0.05, 0.08))
    history.record(NearStep(0.08, 0.05))
    assert history.log["step"].to_list() == [None, "rename"]
    assert history.undo_text == "rename “A” to “B”"


def test_steps_before_and_after_an_undo_are_never_one(history, clock):
    history.record(NearStep(0.1, 0.2))
    clock.wait(5)
    history.record(NearStep(0.2, 0.3))
    history.undo(lambda _step: None)
    history.record(NearStep(0.2, 0.4))
    assert history.undo(as_is) == NearStep(0.2, 0.4)
    history.redo(as_is)
    history.record(NearStep(0.4, 0.5))
    assert history.undo(as_is) == NearStep(0.4, 0.5)
    assert history.undo(as_is) == NearStep(0.2, 0.4)
    assert history.undo(as_is) == NearStep(0.1, 0.2)


# The log


def test_a_log_begins_with_all_there_was(clock):
    decisions = Decisions(0.1, ("bytes",), frozenset({"/p/a.jpg"}), frozenset({("g", "f")}))
    state = State(mask(1), {"kind": {"any": ["near"]}}, decisions, {"D": Members(mask(2), "text")})
    log = History(PATHS, state, now=clock).log
    assert log.schema == LOG_SCHEMA
    assert log.row(0)[:3] == (clock.now, "start", None)
    assert json.loads(log["value"][0]) == {
        "version": 1,
        "selection": ["/p/b.jpg"],
        "filters": {"kind": {"any": ["near"]}},
        "near": 0.1,
        "rules": ["bytes"],
        "keepers": ["/p/a.jpg"],
        "not_duplicates": [["f", "g"]],
        "reviewed": [],
        "collections": {"D": {"paths": ["/p/c.jpg"], "description": "text"}},
    }


def test_a_log_written_as_json_lines_comes_back_the_same(history, tmp_path):
    for step in STEPS:
        history.record(step)
    history.undo(as_is)
    log = history.log
    log.write_ndjson(tmp_path / "review.jsonl")
    assert pl.read_ndjson(tmp_path / "review.jsonl", schema=log.schema).equals(log)


class UnreadPaths(list):
    """Paths that count how often one of them is looked at."""

    looks = 0

    def __iter__(self):
        self.looks += len(self)
        return super().__iter__()

    def __getitem__(self, at):
        self.looks += 1
        return super().__getitem__(at)


@pytest.mark.lengthy
def test_selecting_all_of_100_000_images_is_recorded_without_a_look_at_their_paths():
    paths = UnreadPaths(f"/photos/{i}.jpg" for i in range(100_000))
    none, everything = np.zeros(len(paths), bool), np.ones(len(paths), bool)
    history = History(paths, State(none))
    history.record(SelectionStep.between(none, everything))
    assert history.undo_text == "select 100,000 images"
    assert paths.looks == 0
    assert len(json.loads(history.log["value"][1])["add"]) == 100_000


# Decisions


def test_decisions_are_the_arguments_of_a_plan():
    decisions = Decisions().with_near(0.1).with_rules(["bytes"]).choose(["a"]).part([("g", "f")])
    assert decisions.arguments() == {
        "near": 0.1,
        "keep": ("bytes",),
        "keepers": {"a"},
        "not_duplicates": {("f", "g")},
    }


def test_decisions_with_equal_rules_are_equal():
    one, two = (Decisions(rules=(keepers.prefer("s", ["a"]), "path")) for _ in range(2))
    assert one == two
    assert one != one.with_rules(["path"])
    assert one.steps_to(two) == []


def test_the_steps_between_decisions_lead_from_one_to_the_other():
    one = Decisions(0.1, ("bytes",), frozenset({"a", "b"}), frozenset({("f", "g"), ("f", "f")}))
    two = Decisions(None, None, frozenset({"b", "c"}), frozenset({("f", "f"), ("g", "h")}))
    reached = one
    steps = one.steps_to(two)
    for step in steps:
        reached = reached.after(step)
    assert reached == two
    for step in reversed(steps):
        reached = reached.after(step.inverse())
    assert reached == one


def test_a_keeper_is_chosen_instead_of_another():
    decisions = Decisions(keepers=frozenset({"a", "z"})).choose(["b"], instead_of=["a", "b", "c"])
    assert decisions.keepers == {"b", "z"}


def test_pictures_that_are_no_duplicates_can_be_joined_again():
    decisions = Decisions().part([("f", "g"), ("g", "h"), ("h", "h"), ("i", "j")])
    assert decisions.rejoin(["h"]).not_duplicates == {("f", "g"), ("i", "j")}


@pytest.mark.parametrize("near", [-0.1, 1.1, float("nan"), "0.1", True])
def test_a_boundary_that_is_none_is_refused(near):
    with pytest.raises(InputError, match="near is"):
        Decisions(near=near)


def test_a_boundary_from_a_frame_is_a_plain_number():
    near = Decisions(near=np.float32(0.5)).near
    assert type(near) is float
    assert near == 0.5


def test_a_rule_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="no keeper rule 'bits'"):
        Decisions().with_rules(["bits"])
    with pytest.raises(InputError, match="are a list"):
        Decisions().with_rules("bytes")


# Decisions in the store


@pytest.fixture
def store(tmp_path):
    return Library(tmp_path / "store.sqlite")


def frame_of(fingerprints):
    paths = [f"/p/{i}.jpg" for i in range(len(fingerprints))]
    return pl.DataFrame({"path": paths, "fingerprint": fingerprints})


def test_decisions_by_hand_survive_in_the_store(store):
    frame = frame_of(["f", "f", "g", None])
    kept = StoredDecisions(frame, store)
    decisions = Decisions(0.2).choose(["/p/1.jpg"]).part([("f", "g")])
    for step in Decisions().steps_to(decisions):
        kept.write(step)
    again = StoredDecisions(frame.reverse(), Library(store.path)).read()
    assert again == decisions.with_near(None)
    for step in Decisions().steps_to(decisions):
        kept.write(step.inverse())
    assert kept.read() == Decisions()


def test_not_duplicates_hold_for_the_contents_wherever_they_lie(store):
    StoredDecisions(frame_of(["f", "g"]), store).write(
        NotDuplicatesStep.between(set(), {("f", "g")})
    )
    moved = pl.DataFrame({"path": ["/q/x.jpg", "/q/y.jpg"], "fingerprint": ["g", "f"]})
    assert StoredDecisions(moved, store).read().not_duplicates == {("f", "g")}
    assert StoredDecisions(frame_of(["f", "h"]), store).read() == Decisions()


def test_a_keeper_whose_content_changed_is_no_longer_chosen(store):
    StoredDecisions(frame_of(["f", "f"]), store).write(KeepersStep.between(set(), {"/p/1.jpg"}))
    assert StoredDecisions(frame_of(["f", "f"]), store).read().keepers == {"/p/1.jpg"}
    assert StoredDecisions(frame_of(["f", "g"]), store).read().keepers == set()


def test_relative_paths_are_known_by_where_they_lie(store, tmp_path, monkeypatch):
    frame = pl.DataFrame({"file": ["a.jpg"], "fingerprint": ["f"]})
    monkeypatch.chdir(tmp_path)
    StoredDecisions(frame, store, "file").write(KeepersStep.between(set(), {"a.jpg"}))
    whole = pl.DataFrame({"path": [str(tmp_path / "a.jpg")], "fingerprint": ["f"]})
    assert StoredDecisions(whole, store).read().keepers == {str(tmp_path / "a.jpg")}


def test_a_frame_without_fingerprints_has_no_stored_decisions(store):
    kept = StoredDecisions(pl.DataFrame({"path": ["/a"]}), store)
    kept.write(KeepersStep.between(set(), {"/a"}))
    kept.write(NearStep(None, 0.1))
    assert kept.read() == Decisions()


def test_decisions_of_two_notebooks_are_merged(tmp_path):
    frame = frame_of(["f", "g", "h"])
    one, two = (StoredDecisions(frame, Library(tmp_path / "s.sqlite")) for _ in range(2))
    one.write(KeepersStep.between(set(), {"/p/0.jpg"}))
    two.write(KeepersStep.between(set(), {"/p/1.jpg"}))
    one.write(NotDuplicatesStep.between(set(), {("f", "g")}))
    two.write(NotDuplicatesStep.between(set(), {("g", "h")}))
    assert one.read() == two.read()
    assert one.read().keepers == {"/p/0.jpg", "/p/1.jpg"}
    assert one.read().not_duplicates == {("f", "g"), ("g", "h")}
