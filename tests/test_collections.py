import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.collections import Collection, Collections
from dedup_widgets.store import Store


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
    assert repr(x & y) == "Collection('x & y', 1 images)"


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


def test_changes_are_told(store):
    told = []
    frame = pl.DataFrame({"path": ["a"]})
    collections = Collections(
        frame,
        "path",
        store,
        mask=lambda what: frame["path"].is_in(what).to_numpy(),
        changed=lambda: told.append(len(collections)),
    )
    collections["x"] = ["a"]
    del collections["x"]
    assert told == [1, 0]
