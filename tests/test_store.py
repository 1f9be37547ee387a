import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import numpy as np
import pytest

from dedup_widgets.errors import StoreError
from dedup_widgets.images.decode import Facts
from dedup_widgets.images.source import Entry
from dedup_widgets.store import database as stores
from dedup_widgets.store.database import CollectionChange, FileRecord, Store, StoredCollection
from dedup_widgets.store.open import open_store, store_path

FACTS = Facts(
    width=4,
    height=3,
    bytes=99,
    format="png",
    mode="RGB",
    frames=1,
    lossless=True,
    exif=False,
    brightness=0.5,
    contrast=0.25,
    sharpness=1.5,
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "new folder" / "store.sqlite")


def test_a_file_record_comes_back_as_it_was_written(store):
    good = FileRecord(Entry("/a/ü.png", 99, 123456789012345678), "f" * 32, FACTS)
    bad = FileRecord(Entry("/a/b.jpg", 1, 2), error="truncated")
    store.add([good, bad])
    assert store.files(["/a/ü.png", "/a/b.jpg", "/a/none.jpg"]) == {
        "/a/ü.png": good,
        "/a/b.jpg": bad,
    }


def test_embeddings_are_kept_apart_by_model(store):
    one, two = np.ones(3, np.float16), np.zeros(3, np.float16)
    store.add(model="one", embeddings={"f": one})
    store.add(model="two", embeddings={"f": two})
    assert np.array_equal(store.embeddings(["f"], "one")["f"], one)
    assert np.array_equal(store.embeddings(["f"], "two")["f"], two)
    assert store.embeddings(["f"], "three") == {}


def test_more_keys_than_sqlite_takes_parameters_are_looked_up(store):
    store.add(thumbnails={str(i): bytes([i % 256]) for i in range(40_000)})
    assert len(store.thumbnails(str(i) for i in range(50_000))) == 40_000


def test_collections_of_two_stores_on_one_file_are_seen_by_both(tmp_path):
    one, two = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    one.change_collection("Keep", add=["a", "b"], description="these")
    two.change_collection("Keep", add=["c"], remove=["a"])
    assert one.collections() == two.collections() == {"Keep": StoredCollection({"b", "c"}, "these")}
    two.change_collection("Keep", remove=["b", "c"], drop=True)
    assert one.collections() == {}


def test_a_name_is_text_and_never_sql(store):
    name = "x'); DROP TABLE collection; --"
    store.change_collection(name, add=["a"])
    assert store.collections() == {name: StoredCollection({"a"})}


def test_a_change_of_a_collection_tells_what_it_changed(store):
    assert store.change_collection("x", remove=["a"], make=False) is None
    assert store.collections() == {}
    store.change_collection("x", add=["a", "b", "b"], description="old")
    change = store.change_collection("x", add=["b", "c"], remove=["a", "d"], description="new")
    assert change == CollectionChange(["c"], ["a"], ("old", "new"))


def test_a_collection_that_others_still_fill_is_not_dropped(store):
    store.change_collection("x", add=["a", "b"])
    store.change_collection("x", remove=["a"], drop=True)
    assert store.collections() == {"x": StoredCollection({"b"})}


def test_a_change_that_fails_half_way_changes_nothing(store):
    store.change_collection("x", add=["a"])
    with pytest.raises(StoreError):
        store.change_collection("x", remove=["a"], add=["b", None])
    with pytest.raises(StoreError):
        store.decide(add_keepers={"/a": "f"}, add_not_duplicates=[("f", None)])
    assert store.collections() == {"x": StoredCollection({"a"})}
    assert store.chosen_keepers(["f"]) == {}


def test_a_chosen_keeper_is_kept_with_the_content_that_it_had_last(store):
    store.decide(add_keepers={"/a": "f", "/b": "g", "/c": "f"})
    assert store.chosen_keepers(["f"]) == {"/a": "f", "/c": "f"}
    store.decide(add_keepers={"/b": "other"}, remove_keepers=["/a"])
    assert store.chosen_keepers(["f", "g", "other"]) == {"/b": "other", "/c": "f"}


def test_not_duplicates_are_known_by_both_contents_in_any_order(store):
    store.decide(add_not_duplicates=[("g", "f"), ("f", "f"), ("f", "h"), ("f", "g")])
    assert store.not_duplicates(["f", "g"]) == {("f", "g"), ("f", "f")}
    store.decide(remove_not_duplicates=[("h", "f"), ("f", "f")])
    assert store.not_duplicates(["f", "g", "h"]) == {("f", "g")}


def test_pairs_of_any_text_are_ordered_as_python_orders_them(store):
    pairs = [("é", "z"), ("Z", "a"), ("\U0001f600", "\uffff")]
    store.decide(add_not_duplicates=pairs)
    found = store.not_duplicates([text for pair in pairs for text in pair])
    assert found == {(min(pair), max(pair)) for pair in pairs}


def test_decisions_say_when_they_were_made(store):
    store.decide(add_keepers={"/a": "f"}, add_not_duplicates=[("f", "g")])
    for table in ("chosen_keeper", "not_duplicates"):
        (created,) = store._query(f"SELECT created FROM {table}")[0]
        assert created.startswith("20")


def test_the_version_of_collections_changes_with_them_alone(tmp_path):
    one, two = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    versions = [one.collections_version()]
    one.add(thumbnails={"f": b""})
    assert one.collections_version() == versions[0]
    for path, store in zip("abcd", (one, two, one, two), strict=True):
        store.change_collection("x", add=[path])
        versions.append(one.collections_version())
    assert len(set(versions)) == 5


VERSION_1 = """
CREATE TABLE file (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    decoder INTEGER NOT NULL,
    fingerprint TEXT,
    facts TEXT,
    error TEXT,
    CHECK ((fingerprint IS NULL) = (error IS NOT NULL))
);
CREATE TABLE thumbnail (fingerprint TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE embedding (
    fingerprint TEXT NOT NULL,
    model TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model, fingerprint)
);
CREATE TABLE collection (
    name TEXT PRIMARY KEY,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE collection_item (
    collection TEXT NOT NULL REFERENCES collection ON UPDATE CASCADE ON DELETE CASCADE,
    path TEXT NOT NULL,
    PRIMARY KEY (collection, path)
) WITHOUT ROWID;
INSERT INTO thumbnail VALUES ('f', 'jpeg');
INSERT INTO collection (name) VALUES ('B'), ('A');
INSERT INTO collection_item VALUES ('A', '/a'), ('A', '/b');
PRAGMA user_version = 1;
"""


def test_a_store_of_the_first_version_is_carried_over(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
    old.close()
    store = Store(path)
    assert store.collections() == {
        "B": StoredCollection(set()),
        "A": StoredCollection({"/a", "/b"}),
    }
    assert store.thumbnails(["f"]) == {"f": "jpeg"}
    assert store.change_collection("A", description="kept") is not None
    assert store.rename_collection("A", "C")
    store.decide(add_keepers={"/a": "f"}, add_not_duplicates=[("f", "g")])
    again = Store(path)
    assert again.collections()["C"] == StoredCollection({"/a", "/b"}, "kept")
    assert again.chosen_keepers(["f"]) == {"/a": "f"}


def test_an_old_and_a_new_store_have_the_same_schema(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
    old.close()

    def columns(store):
        tables = store._query("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {name: store._query(f"PRAGMA table_info({name})") for (name,) in tables}

    assert columns(Store(path)) == columns(Store(tmp_path / "new.sqlite"))


def test_a_store_of_the_second_version_learns_to_remember_searches(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(";".join(stores._SCHEMAS[:2]) + "; PRAGMA user_version = 2")
        old.execute("INSERT INTO thumbnail VALUES ('f', 'jpeg')")
    old.close()
    store = Store(path)
    store.add_search("m", b"keys", b"found")
    assert store.thumbnails(["f"]) == {"f": "jpeg"}
    ((number, keys),) = Store(path).searches("m")
    assert (keys, store.search(number)) == (b"keys", b"found")


def test_searches_come_the_last_used_first_and_some_replace_others(store):
    for keys in (b"a", b"b", b"c"):
        store.add_search("m", keys, keys)
    numbers = {keys: number for number, keys in store.searches("m")}
    store.touch_search(numbers[b"a"])
    assert [keys for _, keys in store.searches("m")] == [b"a", b"c", b"b"]
    store.add_search("m", b"d", b"", instead_of=numbers[b"c"])
    assert [keys for _, keys in store.searches("m")] == [b"d", b"a", b"b"]
    assert store.searches("other") == []


def test_the_store_lies_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(tmp_path / "mine.sqlite"))
    assert store_path() == tmp_path / "mine.sqlite"
    assert open_store() is open_store(tmp_path / "mine.sqlite")


def test_a_file_that_is_no_store_is_refused_by_name(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(StoreError, match=r"notes\.txt"):
        Store(path)


def test_a_store_of_a_newer_version_is_refused(store):
    with closing(sqlite3.connect(store.path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
    with pytest.raises(StoreError, match="newer"):
        Store(store.path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_what_was_acknowledged_survives_kill_9_in_mid_write(tmp_path):
    path = tmp_path / "store.sqlite"
    writer = textwrap.dedent(
        f"""
        from pathlib import Path
        from dedup_widgets.store.database import Store
        store = Store(Path({str(path)!r}))
        for i in range(10**9):
            store.add(thumbnails={{f"{{i}}-{{j}}": b"x" * 2000 for j in range(50)}})
            print(i, flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    last = -1
    while last < 20:
        last = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().split()
    child.wait()
    acknowledged = int(rest[-1]) if rest else last
    keys = [f"{i}-{j}" for i in range(acknowledged + 1) for j in range(50)]
    found = Store(path).thumbnails(keys)
    assert len(found) == len(keys)
