import os
import subprocess
import sys
import textwrap

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.frame.collection import Collection
from dedup_widgets.review.collections import Collections
from dedup_widgets.review.steps import CollectionStep, RenameStep, Rows
from dedup_widgets.store.database import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store.sqlite")


def explorer(paths, store):
    n = len(paths)
    return dw.Explorer(
        pl.DataFrame({"path": paths, "uniqueness": [0.5] * n, "label": list(range(n))}), store=store
    )


def test_a_collection_is_assigned_in_every_form(store):
    ex = explorer(["a", "b", "c"], store)
    ex.collections["x"] = ["a", "b"]
    ex.collections["y"] = ex.frame.tail(1)
    ex.collections["z"] = ex.collections["x"]
    ex.collections["w"] = ex.frame["label"] > 0
    assert {name: c.paths for name, c in ex.collections.items()} == {
        "x": ["a", "b"],
        "y": ["c"],
        "z": ["a", "b"],
        "w": ["b", "c"],
    }
    assert ex.collections["x"].frame.columns == ["path", "uniqueness", "label"]


def test_assigning_again_replaces(store):
    ex = explorer(["a", "b", "c"], store)
    ex.collections["x"] = ["a", "b"]
    ex.collections["x"] = ["c"]
    assert ex.collections["x"].paths == ["c"]


def test_what_other_frames_have_under_a_name_is_not_touched(store):
    one, two = explorer(["a", "b"], store), explorer(["c", "d"], store)
    one.collections["Duplicates"] = ["a"]
    two.collections["Duplicates"] = ["d"]
    assert one.collections["Duplicates"].paths == ["a"]
    assert two.collections["Duplicates"].paths == ["d"]
    del one.collections["Duplicates"]
    assert two.collections["Duplicates"].paths == ["d"]
    del two.collections["Duplicates"]
    assert "Duplicates" not in two.collections


def test_two_explorers_see_each_others_collections(tmp_path):
    one = explorer(["a", "b"], Store(tmp_path / "s.sqlite"))
    two = explorer(["a", "b"], Store(tmp_path / "s.sqlite"))
    one.collections["x"] = ["b"]
    assert list(two.collections) == ["x"]
    assert two.collections["x"].paths == ["b"]


def test_set_operations_make_new_collections_that_can_be_kept(store):
    ex = explorer(["a", "b", "c", "d"], store)
    ex.collections["x"], ex.collections["y"] = ["a", "b"], ["b", "c"]
    x, y = ex.collections["x"], ex.collections["y"]
    assert (x | y).paths == ["a", "b", "c"]
    assert (x & y).paths == ["b"]
    assert (x - y).paths == ["a"]
    assert (x ^ y).paths == ["a", "c"]
    ex.collections["both"] = x & y
    assert ex.collections["both"].paths == ["b"]
    assert repr(x & y) == "Collection('x & y', 1 image)"


def test_a_collection_is_a_set_of_paths(store):
    ex = explorer(["a", "b"], store)
    ex.collections["x"] = ["a"]
    x = ex.collections["x"]
    assert isinstance(x, Collection)
    assert (len(x), list(x), "a" in x, "b" in x) == (1, ["a"], True, False)


def test_an_unknown_name_tells_which_there_are(store):
    ex = explorer(["a"], store)
    with pytest.raises(KeyError, match="none yet"):
        ex.collections["x"]
    ex.collections["y"] = []
    with pytest.raises(KeyError, match="there are: 'y'"):
        ex.collections["x"]
    with pytest.raises(KeyError):
        del ex.collections["x"]


@pytest.mark.parametrize("name", ["", "  ", None, 3, "a\x00b", "\u202ertl"])
def test_a_collection_needs_a_name_that_can_be_read(store, name):
    with pytest.raises(dw.InputError, match=r"needs a name|cannot be seen"):
        explorer(["a"], store).collections[name] = ["a"]


def test_a_store_with_other_peoples_collections_can_be_cleared_and_asked(store):
    one, two = explorer(["a"], store), explorer(["b"], store)
    one.collections["A"] = ["a"]
    assert list(two.collections) == []
    two.collections.clear()
    with pytest.raises(KeyError):
        del two.collections["A"]
    assert one.collections["A"] == one.collections["A"]
    assert one.collections["A"].paths == ["a"]


def test_relative_paths_of_two_folders_are_two_images(store, tmp_path, monkeypatch):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        ex = explorer(["img.jpg"], store)
        assert "Seen" not in ex.collections
        ex.collections["Seen"] = ["img.jpg"]


def test_set_operations_with_anything_else_are_type_errors(store):
    ex = explorer(["a"], store)
    ex.collections["x"] = ["a"]
    for operate in (lambda x: x | ex.frame, lambda x: x - ["a"], lambda x: x & "a"):
        with pytest.raises(TypeError):
            operate(ex.collections["x"])


def test_a_failed_assignment_changes_nothing(store):
    ex = explorer(["a", "b"], store)
    ex.collections["x"] = ["a"]
    with pytest.raises(dw.InputError, match="not in this frame"):
        ex.collections["x"] = ["b", "none"]
    assert ex.collections["x"].paths == ["a"]


def seen_by(store, paths, changed=None):
    """Return the collections of a frame, without a widget."""
    frame = pl.DataFrame({"path": paths})

    def mask(what):
        return frame["path"].is_in(list(what)).to_numpy()

    return Collections(frame, "path", store, mask=mask, changed=changed or (lambda _step: None))


def told(store, paths):
    """Return the collections of a frame, and the list of steps that they report."""
    steps = []
    return seen_by(store, paths, steps.append), steps


def contents(collections):
    return {name: (c.paths, c.description) for name, c in collections.items()}


def test_images_are_added_and_removed(store):
    collections = seen_by(store, ["a", "b", "c"])
    collections.add("x", ["a"])
    collections.add("x", ["a", "b"])
    assert collections["x"].paths == ["a", "b"]
    collections.remove("x", ["a", "c"])
    assert collections["x"].paths == ["b"]


def test_a_collection_without_images_stays_until_it_is_deleted(store):
    collections, other = seen_by(store, ["a", "b"]), seen_by(store, ["c"])
    collections["x"] = ["a"]
    collections.remove("x", ["a"])
    assert len(collections["x"]) == 0
    assert "x" in seen_by(store, ["a"])
    other.add("x", ["c"])
    assert collections["x"].paths == [], "others' images must not hide it from who emptied it"
    del collections["x"]
    assert "x" not in collections
    assert other["x"].paths == ["c"]


def test_a_collection_is_described(store):
    collections = seen_by(store, ["a"])
    collections["x"] = ["a"]
    assert collections["x"].description == ""
    collections.describe("x", "  keep\nthese ")
    assert seen_by(store, ["a"])["x"].description == "keep\nthese"
    collections.rename("x", "y")
    assert collections["y"].description == "keep\nthese"
    with pytest.raises(dw.InputError, match="give a text"):
        collections.describe("y", None)


def test_a_rename_takes_the_images_of_other_frames_along(store):
    one, two = seen_by(store, ["a"]), seen_by(store, ["b"])
    one["x"], two["x"], one["z"] = ["a"], ["b"], []
    one.rename("x", "y")
    assert list(one) == ["y", "z"], "a new name is no new place"
    assert (one["y"].paths, two["y"].paths, "x" in two) == (["a"], ["b"], False)


def test_a_rename_to_a_name_that_is_taken_is_refused_and_changes_nothing(store):
    one, two = seen_by(store, ["a"]), seen_by(store, ["b"])
    one["x"], two["y"] = ["a"], ["b"]
    with pytest.raises(dw.InputError, match="collection 'y' already"):
        one.rename("x", "y")
    assert (one["x"].paths, two["y"].paths) == (["a"], ["b"])
    one.rename("x", " x ")
    assert list(one) == ["x"]


def test_one_name_in_two_spellings_is_one_collection(store):
    collections = seen_by(store, ["a", "b"])
    collections.add("  Caf\u00e9 ", ["a"])
    collections.add("Cafe\u0301", ["b"])
    assert contents(collections) == {"Caf\u00e9": (["a", "b"], "")}
    assert "Cafe\u0301" in collections
    assert len(collections["Cafe\u0301 "]) == 2


def test_a_name_that_an_older_version_stored_can_still_be_used(store):
    store.change_collection("Cafe\u0301", add=["/a"])
    collections = seen_by(store, ["/a"])
    assert collections["Cafe\u0301"].paths == ["/a"]
    collections.rename("Cafe\u0301", "Caf\u00e9")
    assert list(collections) == ["Caf\u00e9"]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.remove("none", ["a"]),
        lambda c: c.rename("none", "x"),
        lambda c: c.describe("none", "x"),
        lambda c: c["none"],
        lambda c: c.pop("none"),
        lambda c: c.__delitem__("none"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(store, change):
    collections = seen_by(store, ["a"])
    collections["x"] = ["a"]
    with pytest.raises(KeyError, match="no collection 'none'; there are: 'x'") as caught:
        change(collections)
    assert isinstance(caught.value, dw.InputError)
    assert str(caught.value).startswith("no collection")


def test_each_change_is_reported_with_what_really_changed(store):
    collections, steps = told(store, ["a", "b", "c"])
    collections.add("x", ["a", "b"])
    collections.add("x", ["b", "c"])
    collections["x"] = ["a"]
    collections.remove("x", ["a", "b"])
    collections.describe("x", "gone")
    collections.rename("x", "y")
    del collections["y"]
    values = [step.value(["a", "b", "c"]) for step in steps]
    nothing = {"add": [], "remove": [], "description": "", "made": False, "deleted": False}
    assert values == [
        nothing | {"name": "x", "add": ["a", "b"], "made": True},
        nothing | {"name": "x", "add": ["c"]},
        nothing | {"name": "x", "remove": ["b", "c"]},
        nothing | {"name": "x", "remove": ["a"]},
        nothing | {"name": "x", "description": "gone"},
        {"from": "x", "to": "y"},
        nothing | {"name": "y", "deleted": True},
    ]


def test_what_changes_nothing_is_not_reported(store):
    collections, steps = told(store, ["a"])
    collections["x"] = ["a"]
    steps.clear()
    collections["x"] = ["a"]
    collections.add("x", ["a"])
    collections.remove("x", [])
    collections.describe("x", " ")
    collections.rename("x", "x ")
    assert steps == []


def test_steps_taken_back_one_by_one_lead_back_and_forth_again(store):
    collections, steps = told(store, ["a", "b", "c"])
    states = [contents(collections)]
    for change in (
        lambda: collections.add("x", ["a"]),
        lambda: collections.describe("x", "first"),
        lambda: collections.add("x", ["a", "b"]),
        lambda: collections.rename("x", "y"),
        lambda: collections.__setitem__("y", ["c"]),
        lambda: collections.__setitem__("empty", []),
        lambda: collections.__delitem__("y"),
        lambda: collections.__delitem__("empty"),
    ):
        change()
        states.append(contents(collections))
    done = list(steps)
    for step, state in zip(reversed(done), reversed(states[:-1]), strict=True):
        collections.apply(step.inverse())
        assert contents(collections) == state
    for step, state in zip(done, states[1:], strict=True):
        collections.apply(step)
        assert contents(collections) == state
    assert steps == done, "apply must not report what it carries out"


def test_taking_a_step_back_leaves_what_others_did(store):
    mine, steps = told(store, ["a", "b", "c"])
    others = seen_by(store, ["a", "b", "c"])
    mine["x"] = ["a", "b"]
    others.add("x", ["c"])
    others.remove("x", ["b"])
    done = mine.apply(steps[0].inverse())
    assert mine["x"].paths == ["c"]
    assert done == CollectionStep("x", Rows.none(3), rows(3, 0)), "it is still there"
    del others["x"]
    assert mine.apply(CollectionStep("x", Rows.none(3), rows(3, 2))) is None
    assert mine.apply(RenameStep("x", "y")) is None


def rows(total, *numbers):
    mask = [row in numbers for row in range(total)]
    return Rows(pl.Series(mask, dtype=pl.Boolean).to_numpy())


def test_a_description_for_other_frames_survives_a_delete_and_its_undo(store):
    one, steps = told(store, ["a"])
    two = seen_by(store, ["b"])
    one["x"] = ["a"]
    one.describe("x", "text")
    two.add("x", ["b"])
    del one["x"]
    assert two["x"].description == "text"
    one.apply(steps[-1].inverse())
    assert contents(one) == {"x": (["a"], "text")}


def test_members_are_the_same_object_until_something_changes(tmp_path):
    mine, others = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    collections = seen_by(mine, ["a", "b"])
    collections["x"] = ["a"]
    before = collections.members()
    assert before["x"].mask.tolist() == [True, False]
    mine.add(thumbnails={"f": b"jpeg"})
    assert collections.members() is before
    seen_by(others, ["a", "b"]).add("x", ["b"])
    assert collections.members() is not before
    assert collections.members()["x"].mask.tolist() == [True, True]


def test_a_frame_with_other_columns_may_take_the_place_of_the_frame(store):
    collections = seen_by(store, ["a", "b"])
    collections["x"] = ["b"]
    collections.frame = collections.frame.with_columns(group=pl.Series([1, 2]))
    assert collections["x"].frame.row(0) == ("b", 2)


def test_what_two_notebooks_add_and_remove_is_merged(tmp_path):
    one, two = (seen_by(Store(tmp_path / "s.sqlite"), ["a", "b", "c"]) for _ in range(2))
    one.add("x", ["a"])
    two.add("x", ["b"])
    one.remove("x", ["c"])
    two.add("x", ["c"])
    one.add("x", ["a"])
    assert one["x"].paths == two["x"].paths == ["a", "b", "c"]


@pytest.mark.slow
def test_three_processes_on_one_store_lose_nothing(tmp_path):
    writer = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        import polars as pl
        from dedup_widgets.review.collections import Collections
        from dedup_widgets.store.database import Store
        store, me = Store(Path(sys.argv[1])), int(sys.argv[2])
        paths = [f"/{process}/{i}" for process in range(3) for i in range(40)]
        frame = pl.DataFrame({"path": paths})
        mask = lambda what: frame["path"].is_in(what).to_numpy()
        collections = Collections(frame, "path", store, mask=mask)
        print("ready", flush=True)
        sys.stdin.readline()
        for i in range(40):
            collections.add("all", [f"/{me}/{i}"])
            if i % 4 == 0:
                collections.remove("all", [f"/{me}/{i}"])
            store.decide(add_not_duplicates=[(f"{me}", f"{me}-{i}")])
        """
    )
    path = tmp_path / "s.sqlite"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", writer, str(path), str(me)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"POLARS_MAX_THREADS": "1"},
        )
        for me in range(3)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.communicate("go\n", timeout=60)
        assert child.returncode == 0
    store = Store(path)
    expected = {f"/{process}/{i}" for process in range(3) for i in range(40) if i % 4}
    assert store.collections()["all"].paths == expected
    prints = [f"{me}-{i}" for me in range(3) for i in range(40)] + ["0", "1", "2"]
    assert len(store.not_duplicates(prints)) == 120
