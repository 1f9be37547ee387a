import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from dedup_widgets.errors import StoreError
from dedup_widgets.images import Facts
from dedup_widgets.sources import Entry
from dedup_widgets.store import FileRecord, Store, open_store, store_path

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
    one.update_collection("Keep", add=["a", "b"])
    two.update_collection("Keep", add=["c"], remove=["a"])
    assert one.collections() == two.collections() == {"Keep": {"b", "c"}}
    two.drop_collection("Keep")
    assert one.collections() == {}


def test_a_name_is_text_and_never_sql(store):
    name = "x'); DROP TABLE collection; --"
    store.update_collection(name, add=["a"])
    assert store.collections() == {name: {"a"}}


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
    store._db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer"):
        Store(store.path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_what_was_acknowledged_survives_kill_9_in_mid_write(tmp_path):
    path = tmp_path / "store.sqlite"
    writer = textwrap.dedent(
        f"""
        from pathlib import Path
        from dedup_widgets.store import Store
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
