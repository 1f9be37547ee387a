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
from dedup_widgets.store.cache import Cache
from dedup_widgets.store.library import Library
from dedup_widgets.store.open import Store


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "library.sqlite")


def explorer(paths, library):
    n = len(paths)
    store = Store(Cache(library.path.with_name("cache.sqlite")), library)
    return dw.Explorer(
        pl.DataFrame({"path": paths, "uniqueness": [0.5] * n, "label": list(range(n))}), store=store
    )


def test_a_collection_is_assigned_in_every_form(library):
    ex = explorer(["a", "b", "c"], library)
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


def test_assigning_again_replaces(library):
    ex = explorer(["a", "b", "c"], library)
    ex.collections["x"] = ["a", "b"]
    ex.collections["x"] = ["c"]
    assert ex.collections["x"].paths == ["c"]


@pytest.mark.lengthy
def test_what_other_frames_have_under_a_name_is_not_touched(library):
    one, two = explorer(["a", "b"], library), explorer(["c", "d"], library)
    one.collections["Duplicates"] = ["a"]
    two.collections["Duplicates"] = ["d"]
    assert one.collections["Duplicates"].paths == ["a"]
    assert two.collections["Duplicates"].paths == ["d"]
    del one.collections["Duplicates"]
    assert two.collections["Duplicates"].paths == ["d"]
    del two.collections["Duplicates"]
    assert "Duplicates" not in two.collections


def test_two_explorers_see_each_others_collections(tmp_path):
    one = explorer(["a", "b"], Library(tmp_path / "s.sqlite"))
    two = explorer(["a", "b"], Library(tmp_path / "s.sqlite"))
    one.collections["x"] = ["b"]
    assert list(two.collections) == ["x"]
    assert two.collections["x"].paths == ["b"]


def test_set_operations_make_new_collections_that_can_be_kept(library):
    ex = explorer(["a", "b", "c", "d"], library)
    ex.collections["x"], ex.collections["y"] = ["a", "b"], ["b", "c"]
    x, y = ex.collections["x"], ex.collections["y"]
    assert (x | y).paths == ["a", "b", "c"]
    assert (x & y).paths == ["b"]
    assert (x - y).paths == ["a"]
    assert (x ^ y).paths == ["a", "c"]
    ex.collections["both"] = x & y
    assert ex.collections["both"].paths == ["b"]
    assert repr(x & y) == "Collection('x & y', 1 image)"


def test_a_collection_is_a_set_of_paths(library):
    ex = explorer(["a", "b"], library)
    ex.collections["x"] = ["a"]
    x = ex.collections["x"]
    assert isinstance(x, Collection)
    assert (len(x), list(x), "a" in x, "b" in x) == (1, ["a"], True, False)


def test_an_unknown_name_tells_which_there_are(library):
    ex = explorer(["a"], library)
    with pytest.raises(KeyError, match="none yet"):
        ex.collections["x"]
    ex.collections["y"] = []
    with pytest.raises(KeyError, match="there are: 'y'"):
        ex.collections["x"]
    with pytest.raises(KeyError):
        del ex.collections["x"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "needs a name") for name in ("", "  ", None, 3, "\u200b \u2060")),
        *((name, "cannot be seen") for name in ("a\x00b", "\u202ertl")),
        ("a\ud800", "holds half a character"),
        ("a" * 1_001, "has 1,001 characters, and 1,000 are the most"),
    ],
)
def test_a_collection_needs_a_name_that_can_be_read(library, name, why):
    collections = explorer(["a"], library).collections
    with pytest.raises(dw.InputError, match=why):
        collections[name] = ["a"]
    collections["x"] = ["a"]
    with pytest.raises(dw.InputError, match=why):
        collections.rename("x", name)
    assert list(collections) == ["x"]


def test_a_name_may_hold_what_shapes_its_letters(library):
    collections = explorer(["a"], library).collections
    for name in ("\u0646\u0645\u06cc\u200c\u062e", "\U0001f468\u200d\U0001f33e"):  # ZWNJ, ZWJ
        collections[name] = ["a"]
        assert name in collections


def test_a_store_with_other_peoples_collections_can_be_cleared_and_asked(library):
    one, two = explorer(["a"], library), explorer(["b"], library)
    one.collections["A"] = ["a"]
    assert list(two.collections) == []
    two.collections.clear()
    with pytest.raises(KeyError):
        del two.collections["A"]
    assert one.collections["A"] == one.collections["A"]
    assert one.collections["A"].paths == ["a"]


def test_relative_paths_of_two_folders_are_two_images(library, tmp_path, monkeypatch):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        ex = explorer(["img.jpg"], library)
        assert "Seen" not in ex.collections
        ex.collections["Seen"] = ["img.jpg"]


def test_set_operations_with_anything_else_are_type_errors(library):
    ex = explorer(["a"], library)
    ex.collections["x"] = ["a"]
    for operate in (lambda x: x | ex.frame, lambda x: x - ["a"], lambda x: x & "a"):
        with pytest.raises(TypeError):
            operate(ex.collections["x"])


def test_a_failed_assignment_changes_nothing(library):
    ex = explorer(["a", "b"], library)
    ex.collections["x"] = ["a"]
    with pytest.raises(dw.InputError, match="not in this frame"):
        ex.collections["x"] = ["b", "none"]
    assert ex.collections["x"].paths == ["a"]


def seen_by(library, paths, changed=None):
    """Return the collections of a frame, without a widget."""
    frame = pl.DataFrame({"path": paths})

    def mask(what):
        return frame["path"].is_in(list(what)).to_numpy()

    return Collections(frame, "path", library, mask=mask, changed=changed or (lambda _step: None))


def told(library, paths):
    """Return the collections of a frame, and the list of steps that they report."""
    steps = []
    return seen_by(library, paths, steps.append), steps


def contents(collections):
    return {name: (c.paths, c.description) for name, c in collections.items()}


def test_images_are_added_and_removed(library):
    collections = seen_by(library, ["a", "b", "c"])
    collections.add("x", ["a"])
    collections.add("x", ["a", "b"])
    assert collections["x"].paths == ["a", "b"]
    collections.remove("x", ["a", "c"])
    assert collections["x"].paths == ["b"]


def test_a_collection_without_images_stays_until_it_is_deleted(library):
    collections, other = seen_by(library, ["a", "b"]), seen_by(library, ["c"])
    collections["x"] = ["a"]
    collections.remove("x", ["a"])
    assert len(collections["x"]) == 0
    assert "x" in seen_by(library, ["a"])
    other.add("x", ["c"])
    assert collections["x"].paths == [], "others' images must not hide it from who emptied it"
    del collections["x"]
    assert "x" not in collections
    assert other["x"].paths == ["c"]


def test_a_collection_is_described(library):
    collections = seen_by(library, ["a"])
    collections["x"] = ["a"]
    assert collections["x"].description == ""
    collections.describe("x", "  keep\nthese ")
    assert seen_by(library, ["a"])["x"].description == "keep\nthese"
    collections.rename("x", "y")
    assert collections["y"].description == "keep\nthese"
    with pytest.raises(dw.InputError, match="give a text"):
        collections.describe("y", None)
    with pytest.raises(dw.InputError, match="holds half a character"):
        collections.describe("y", "a\ud800")
    assert collections["y"].description == "keep\nthese"


def test_a_rename_takes_the_images_of_other_frames_along(library):
    one, two = seen_by(library, ["a"]), seen_by(library, ["b"])
    one["x"], two["x"], one["z"] = ["a"], ["b"], []
    one.rename("x", "y")
    assert list(one) == ["y", "z"], "a new name is no new place"
    assert (one["y"].paths, two["y"].paths, "x" in two) == (["a"], ["b"], False)


def test_a_rename_to_a_name_that_is_taken_is_refused_and_changes_nothing(library):
    one, two = seen_by(library, ["a"]), seen_by(library, ["b"])
    one["x"], two["y"] = ["a"], ["b"]
    with pytest.raises(dw.InputError, match="collection 'y' already"):
        one.rename("x", "y")
    assert (one["x"].paths, two["y"].paths) == (["a"], ["b"])
    one.rename("x", " x ")
    assert list(one) == ["x"]


def test_one_name_in_two_spellings_is_one_collection(library):
    collections = seen_by(library, ["a", "b"])
    collections.add("  Caf\u00e9 ", ["a"])
    collections.add("Cafe\u0301", ["b"])
    assert contents(collections) == {"Caf\u00e9": (["a", "b"], "")}
    assert "Cafe\u0301" in collections
    assert len(collections["Cafe\u0301 "]) == 2


def test_a_name_that_an_older_version_stored_can_still_be_used(library):
    library.change_collection("Cafe\u0301", add=["/a"])
    collections = seen_by(library, ["/a"])
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
def test_what_is_not_there_is_named_with_what_is(library, change):
    collections = seen_by(library, ["a"])
    collections["x"] = ["a"]
    with pytest.raises(KeyError, match="no collection 'none'; there are: 'x'") as caught:
        change(collections)
    assert isinstance(caught.value, dw.InputError)
    assert str(caught.value).startswith("no collection")


def test_each_change_is_reported_with_what_really_changed(library):
    collections, steps = told(library, ["a", "b", "c"])
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


def test_what_changes_nothing_is_not_reported(library):
    collections, steps = told(library, ["a"])
    collections["x"] = ["a"]
    steps.clear()
    collections["x"] = ["a"]
    collections.add("x", ["a"])
    collections.remove("x", [])
    collections.describe("x", " ")
    collections.rename("x", "x ")
    assert steps == []


@pytest.mark.lengthy
def test_steps_taken_back_one_by_one_lead_back_and_forth_again(library):
    collections, steps = told(library, ["a", "b", "c"])
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


def test_taking_a_step_back_leaves_what_others_did(library):
    mine, steps = told(library, ["a", "b", "c"])
    others = seen_by(library, ["a", "b", "c"])
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


def test_a_description_for_other_frames_survives_a_delete_and_its_undo(library):
    one, steps = told(library, ["a"])
    two = seen_by(library, ["b"])
    one["x"] = ["a"]
    one.describe("x", "text")
    two.add("x", ["b"])
    del one["x"]
    assert two["x"].description == "text"
    one.apply(steps[-1].inverse())
    assert contents(one) == {"x": (["a"], "text")}


def test_members_are_the_same_object_until_something_changes(tmp_path):
    mine, others = Library(tmp_path / "s.sqlite"), Library(tmp_path / "s.sqlite")
    collections = seen_by(mine, ["a", "b"])
    collections["x"] = ["a"]
    before = collections.members()
    assert before["x"].mask.tolist() == [True, False]
    mine.decide(add_keepers={"/a": "f"})
    assert collections.members() is before
    seen_by(others, ["a", "b"]).add("x", ["b"])
    assert collections.members() is not before
    assert collections.members()["x"].mask.tolist() == [True, True]


def test_a_frame_with_other_columns_may_take_the_place_of_the_frame(library):
    collections = seen_by(library, ["a", "b"])
    collections["x"] = ["b"]
    collections.frame = collections.frame.with_columns(group=pl.Series([1, 2]))
    assert collections["x"].frame.row(0) == ("b", 2)


def test_what_two_notebooks_add_and_remove_is_merged(tmp_path):
    one, two = (seen_by(Library(tmp_path / "s.sqlite"), ["a", "b", "c"]) for _ in range(2))
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
        from dedup_widgets.store.library import Library
        library, me = Library(Path(sys.argv[1])), int(sys.argv[2])
        paths = [f"/{process}/{i}" for process in range(3) for i in range(40)]
        frame = pl.DataFrame({"path": paths})
        mask = lambda what: frame["path"].is_in(what).to_numpy()
        collections = Collections(frame, "path", library, mask=mask)
        print("ready", flush=True)
        sys.stdin.readline()
        for i in range(40):
            collections.add("all", [f"/{me}/{i}"])
            if i % 4 == 0:
                collections.remove("all", [f"/{me}/{i}"])
            library.decide(add_not_duplicates=[(f"{me}", f"{me}-{i}")])
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
    library = Library(path)
    expected = {f"/{process}/{i}" for process in range(3) for i in range(40) if i % 4}
    assert library.collections()["all"].paths == expected
    prints = [f"{me}-{i}" for me in range(3) for i in range(40)] + ["0", "1", "2"]
    assert len(library.not_duplicates(prints)) == 120
