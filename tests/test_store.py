"""The two files of a store: what they keep, and how those of earlier versions are brought up."""

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from dedup_widgets.errors import StoreError
from dedup_widgets.images.decode import Facts
from dedup_widgets.images.entry import Entry
from dedup_widgets.store.cache import Cache, FileRecord
from dedup_widgets.store.library import (
    MANY_PATHS,
    PATHS_IN_A_PART,
    CollectionChange,
    Library,
    StoredCollection,
)
from dedup_widgets.store.open import open_store, store_paths

MADE = Path(__file__).parent / "fixtures" / "0.1.0"
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")

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
def cache(tmp_path):
    return Cache(tmp_path / "new folder" / "cache.sqlite")


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "new folder" / "library.sqlite")


# What each keeps


def test_a_file_record_comes_back_as_it_was_written(cache):
    good = FileRecord(Entry("/a/ü.png", 99, "123456789012345678"), "f" * 32, FACTS)
    bad = FileRecord(Entry("/a/b.jpg", 1, 'etag "0x1e5"'), error="truncated")
    cache.add([good, bad])
    assert cache.files(["/a/ü.png", "/a/b.jpg", "/a/none.jpg"]) == {
        "/a/ü.png": good,
        "/a/b.jpg": bad,
    }


def test_embeddings_are_kept_apart_by_model(cache):
    one, two = np.ones(3, np.float16), np.zeros(3, np.float16)
    cache.add(embeddings={"one": {"f": one}})
    cache.add(embeddings={"two": {"f": two}})
    assert np.array_equal(cache.embeddings(["f"], "one")["f"], one)
    assert np.array_equal(cache.embeddings(["f"], "two")["f"], two)
    assert cache.embeddings(["f"], "three") == {}


def test_vectors_with_a_number_that_is_none_are_not_known(cache):
    fine = {"b": [1, 0, 0], "c": [0, 1], "f": [0, 1]}
    odd = {"a": [np.nan, 1], "d": [1, np.inf, 0], "e": [-np.inf]}
    vectors = {name: np.float16(its) for name, its in sorted((fine | odd).items())}
    cache.add(embeddings={"mine": vectors})
    found = cache.embeddings(vectors, "mine")
    assert {name: its.tolist() for name, its in found.items()} == fine


@pytest.mark.lengthy
def test_more_keys_than_sqlite_takes_parameters_are_looked_up(cache):
    cache.add(thumbnails={str(i): bytes([i % 256]) for i in range(40_000)})
    assert len(cache.thumbnails(str(i) for i in range(50_000))) == 40_000


def test_collections_of_two_libraries_on_one_file_are_seen_by_both(tmp_path):
    one, two = Library(tmp_path / "s.sqlite"), Library(tmp_path / "s.sqlite")
    one.change_collection("Keep", add=["a", "b"], description="these")
    two.change_collection("Keep", add=["c"], remove=["a"])
    assert one.collections() == two.collections() == {"Keep": StoredCollection({"b", "c"}, "these")}
    two.change_collection("Keep", remove=["b", "c"], drop=True)
    assert one.collections() == {}


def test_a_name_is_text_and_never_sql(library):
    name = "x'); DROP TABLE collection; --"
    library.change_collection(name, add=["a"])
    assert library.collections() == {name: StoredCollection({"a"})}


def test_a_change_of_a_collection_tells_what_it_changed(library):
    assert library.change_collection("x", remove=["a"], make=False) is None
    assert library.collections() == {}
    made = library.change_collection("x", add=["a", "b", "b"], description="old")
    assert made == CollectionChange(("", "old"), made=True)
    change = library.change_collection("x", add=["b", "c"], remove=["a", "d"], description="new")
    assert change == CollectionChange(("old", "new"), made=False)
    assert library.collections() == {"x": StoredCollection({"b", "c"}, "new")}


def test_a_library_from_before_keeps_many_paths_one_by_one_and_takes_many_at_once(tmp_path):
    library = Library(tmp_path / "library.sqlite")
    library.change_collection("x", add=["/first", "/second"])
    library.close()
    with closing(sqlite3.connect(library.path)) as db:
        db.executescript("DROP TABLE collection_part; PRAGMA user_version = 3")
    library, many = Library(library.path), [f"/{number}" for number in range(MANY_PATHS)]
    assert library.collections() == {"x": StoredCollection({"/first", "/second"})}
    library.change_collection("x", add=many, remove=["/first"])
    assert Library(library.path).collections() == {"x": StoredCollection({"/second", *many})}


@pytest.mark.lengthy
@pytest.mark.parametrize("breaks", ["", "\n"])
def test_many_paths_come_and_go_as_few_do(library, breaks):
    many = [f"/{number}{breaks * (number == 700)}" for number in range(2 * PATHS_IN_A_PART + 1)]
    library.change_collection("x", add=["/first"])
    library.change_collection("x", add=many)
    library.change_collection("x", add=["/last"], remove=many[1:-1:2])
    library.rename_collection("x", "y")
    left = {"/first", "/last", *many} - set(many[1:-1:2])
    assert library.collections() == {"y": StoredCollection(left)}
    library.change_collection("y", remove=["/first", "/last", *many], drop=True)
    assert library.collections() == {}


def test_a_collection_that_others_still_fill_is_not_dropped(library):
    library.change_collection("x", add=["a", "b"])
    library.change_collection("x", remove=["a"], drop=True)
    assert library.collections() == {"x": StoredCollection({"b"})}


def test_a_change_that_fails_half_way_changes_nothing(library):
    library.change_collection("x", add=["a"])
    with pytest.raises(StoreError):
        library.change_collection("x", remove=["a"], add=["b", None])
    with pytest.raises(StoreError):
        library.decide(add_keepers={"/a": "f"}, add_not_duplicates=[("f", None)])
    assert library.collections() == {"x": StoredCollection({"a"})}
    assert library.chosen_keepers(["f"]) == {}


def test_a_chosen_keeper_is_kept_with_the_content_that_it_had_last(library):
    library.decide(add_keepers={"/a": "f", "/b": "g", "/c": "f"})
    assert library.chosen_keepers(["f"]) == {"/a": "f", "/c": "f"}
    library.decide(add_keepers={"/b": "other"}, remove_keepers=["/a"])
    assert library.chosen_keepers(["f", "g", "other"]) == {"/b": "other", "/c": "f"}


def test_not_duplicates_are_known_by_both_contents_in_any_order(library):
    library.decide(add_not_duplicates=[("g", "f"), ("f", "f"), ("f", "h"), ("f", "g")])
    assert library.not_duplicates(["f", "g"]) == {("f", "g"), ("f", "f")}
    library.decide(remove_not_duplicates=[("h", "f"), ("f", "f")])
    assert library.not_duplicates(["f", "g", "h"]) == {("f", "g")}


def test_pairs_of_any_text_are_ordered_as_python_orders_them(library):
    pairs = [("é", "z"), ("Z", "a"), ("\U0001f600", "\uffff")]
    library.decide(add_not_duplicates=pairs)
    found = library.not_duplicates([text for pair in pairs for text in pair])
    assert found == {(min(pair), max(pair)) for pair in pairs}


def test_decisions_say_when_they_were_made(library):
    library.decide(add_keepers={"/a": "f"}, add_not_duplicates=[("f", "g")])
    with closing(sqlite3.connect(library.path)) as db:
        for table in ("chosen_keeper", "not_duplicates"):
            (created,) = db.execute(f"SELECT created FROM {table}").fetchone()
            assert created.startswith("20")


def test_the_version_of_collections_changes_with_them_alone(tmp_path):
    one, two = Library(tmp_path / "s.sqlite"), Library(tmp_path / "s.sqlite")
    versions = [one.collections_version()]
    one.decide(add_keepers={"/a": "f"})
    assert one.collections_version() == versions[0]
    for path, library in zip("abcd", (one, two, one, two), strict=True):
        library.change_collection("x", add=[path])
        versions.append(one.collections_version())
    assert len(set(versions)) == 5


def test_searches_come_the_last_used_first_and_some_replace_others(cache):
    for keys in (b"a", b"b", b"c"):
        cache.add_search("m", keys, keys)
    numbers = {keys: number for number, keys in cache.searches("m")}
    cache.touch_search(numbers[b"a"])
    assert [keys for _, keys in cache.searches("m")] == [b"a", b"c", b"b"]
    cache.add_search("m", b"d", b"", instead_of=numbers[b"c"])
    assert [keys for _, keys in cache.searches("m")] == [b"d", b"a", b"b"]
    assert cache.searches("other") == []


# Where they lie


@pytest.fixture
def user_folders(tmp_path, monkeypatch):
    """Stand in for a user who says nothing of a store; return the cache and the data folder."""
    folders = tmp_path / "user" / "cache", tmp_path / "user" / "data"
    monkeypatch.delenv("DEDUP_WIDGETS_STORE")
    for name, folder in zip(("user_cache_path", "user_data_path"), folders, strict=True):
        monkeypatch.setattr(platformdirs, name, lambda *_, folder=folder, **__: folder)
    return folders


def test_unless_said_the_cache_lies_among_caches_and_the_library_among_data(user_folders):
    cache, data = user_folders
    assert store_paths() == (cache / "cache.sqlite", data / "library.sqlite")
    open_store()
    assert (cache / "cache.sqlite").is_file()
    assert (data / "library.sqlite").is_file()


def test_a_folder_that_is_named_holds_both(tmp_path):
    for folder in (tmp_path, tmp_path / "not there yet"):
        for _ in range(2):
            open_store(folder)
            assert store_paths(folder) == (folder / "cache.sqlite", folder / "library.sqlite")


def test_beside_a_file_that_is_named_lies_the_library(tmp_path):
    assert store_paths(tmp_path / "a.b.db") == (tmp_path / "a.b.db", tmp_path / "a.b.library.db")
    (tmp_path / "plain").touch()
    assert store_paths(tmp_path / "plain") == (tmp_path / "plain", tmp_path / "plain.library")


def test_the_store_lies_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(tmp_path / "mine.sqlite"))
    assert store_paths() == (tmp_path / "mine.sqlite", tmp_path / "mine.library.sqlite")
    store = open_store()
    assert store is open_store(tmp_path / "mine.sqlite")
    assert open_store(store) is store
    assert store_paths(store) == store_paths()


def test_without_the_cache_the_library_has_all_that_was_decided(tmp_path):
    store = open_store(tmp_path)
    store.library.change_collection("x", add=["/a"])
    store.cache.add(thumbnails={"f": b"jpeg"})
    store.cache.close()
    for path in tmp_path.glob("cache.sqlite*"):
        path.unlink()
    assert Library(store.library.path).collections() == {"x": StoredCollection({"/a"})}
    assert Cache(store.cache.path).thumbnails(["f"]) == {}


# What is refused


@pytest.mark.parametrize("kind", [Cache, Library])
def test_a_file_that_is_no_database_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(StoreError, match=r"notes\.txt"):
        kind(path)


@pytest.mark.parametrize("kind", [Cache, Library])
def test_a_file_of_the_next_version_is_refused(tmp_path, kind):
    path = tmp_path / "x.sqlite"
    kind(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(kind.schemas) + 1}")
    with pytest.raises(StoreError, match=r"x\.sqlite was written by a newer version"):
        kind(path)


def test_neither_is_taken_for_the_other(cache, library):
    library.change_collection("x", add=["/a"])
    with pytest.raises(StoreError, match=r"library\.sqlite is no cache of dedup_widgets; pass"):
        Cache(library.path)
    with pytest.raises(StoreError, match=r"cache\.sqlite is no library of dedup_widgets; pass"):
        Library(cache.path)
    assert library.collections() == {"x": StoredCollection({"/a"})}


# Stores of earlier versions, where both were one file


DECIDED = ("collection", "collection_item", "chosen_keeper", "not_duplicates")
COMPUTED = ("file", "thumbnail", "embedding", "search")


@pytest.fixture(params=[1, 2, 3])
def old(request, tmp_path):
    """Return the path of a store of each schema, as version 0.1.0 wrote it."""
    path = tmp_path / "old" / "store.sqlite"
    path.parent.mkdir()
    shutil.copy(MADE / f"store-{request.param}.sqlite", path)
    return path


def content(path, tables):
    """Return the rows of those of the tables that a file has, all columns by name."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        rows = {t: list(map(dict, db.execute(f"SELECT * FROM {t}"))) for t in tables if t in there}
    return {table: found for table, found in rows.items() if found}


def decided_in(path):
    rows = content(path, DECIDED)
    for collection in rows["collection"]:
        collection.setdefault("description", "")
    return rows


def test_what_was_decided_is_in_the_library_and_what_was_computed_stays(old):
    decided, computed = decided_in(old), content(old, COMPUTED)
    assert decided["collection_item"]
    assert computed["thumbnail"]
    store = open_store(old)
    assert (store.cache.path, store.library.path) == (old, old.parent / "store.library.sqlite")
    assert decided_in(store.library.path) == decided
    assert content(old, DECIDED) == {}
    assert content(old, COMPUTED) == computed


def test_the_store_that_a_user_has_stays_the_cache(old, user_folders):
    cache, data = user_folders
    shutil.copytree(old.parent, cache)
    decided = decided_in(old)
    store = open_store()
    assert (store.cache.path, store.library.path) == (
        cache / "store.sqlite",
        data / "library.sqlite",
    )
    assert decided_in(store.library.path) == decided


def test_a_store_that_was_brought_up_has_the_schema_of_a_new_one(old, tmp_path):
    def columns(database):
        with closing(sqlite3.connect(database.path)) as db:
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return {name: db.execute(f"PRAGMA table_info({name})").fetchall() for (name,) in tables}

    assert columns(open_store(old).cache) == columns(Cache(tmp_path / "new.sqlite"))


def test_what_is_taken_back_afterwards_stays_taken_back(old):
    library = open_store(old).library
    library.change_collection("Empty", drop=True)
    library.rename_collection("From before", "After")
    Cache(old, carry_over=Library(library.path).add_from_store)
    assert {"After"} == {"After", "From before", "Empty"} & library.collections().keys()


def test_what_the_library_has_already_is_added_to(old):
    library = Library(store_paths(old).library)
    library.change_collection("Empty", add=["/mine"], description="mine")
    library.decide(add_keepers={"/mine": "f"})
    decided = decided_in(old)
    open_store(old)
    after = decided_in(library.path)
    assert library.collections()["Empty"] == StoredCollection({"/mine"}, "mine")
    assert library.chosen_keepers(["f"]) == {"/mine": "f"}
    for table in ("collection_item", "chosen_keeper", "not_duplicates"):
        assert all(row in after[table] for row in decided.get(table, []))
    assert {row["name"] for row in decided["collection"]} == library.collections().keys()


def test_a_cache_alone_takes_no_decision_away(old):
    decided = decided_in(old)
    with pytest.raises(StoreError, match="holds decisions"):
        Cache(old)
    assert decided_in(old) == decided


@pytest.mark.slow
@needs_kill
def test_kill_9_at_any_statement_loses_no_decision(tmp_path):
    old = MADE / "store-3.sqlite"
    program = textwrap.dedent(
        """
        import os, shutil, signal, sqlite3, sys
        from itertools import count
        from pathlib import Path
        from dedup_widgets.store.open import open_store

        connect = sqlite3.connect
        for statements in count(1):
            path = Path(sys.argv[2]) / f"{statements}.sqlite"
            shutil.copy(sys.argv[1], path)
            child = os.fork()
            if not child:
                def traced(*arguments, **options):
                    db = connect(*arguments, **options)
                    db.set_trace_callback(die)
                    return db
                def die(_):
                    global statements
                    statements -= 1
                    if not statements:
                        os.kill(os.getpid(), signal.SIGKILL)
                sqlite3.connect = traced
                open_store(path)
                os._exit(0)
            if os.waitpid(child, 0)[1] == 0:
                break
        print(statements)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(old), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    decided = decided_in(old)
    rounds = int(done.stdout)
    assert rounds > sum(map(len, decided.values()))
    for number in range(1, rounds + 1):
        store = open_store(tmp_path / f"{number}.sqlite")
        assert decided_in(store.library.path) == decided
        assert content(store.cache.path, DECIDED) == {}


@pytest.mark.slow
@pytest.mark.parametrize("old", [3], indirect=True)
def test_several_processes_may_bring_up_a_store_at_once(old):
    decided = decided_in(old)
    program = textwrap.dedent(
        """
        import sys
        from dedup_widgets.store.open import open_store
        sys.stdin.readline()
        library = open_store(sys.argv[1]).library
        library.change_collection("Empty", drop=True)
        """
    )
    command = [sys.executable, "-c", program, str(old)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(4)]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.close()
    assert [child.wait() for child in children] == [0] * 4
    decided["collection"] = [row for row in decided["collection"] if row["name"] != "Empty"]
    assert decided_in(store_paths(old).library) == decided


@pytest.fixture
def folder_of_somebody():
    """Return a folder, for a user whom permissions bind."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are those of POSIX")
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    folder.chmod(0o700)
    if root:
        os.seteuid(0)
    shutil.rmtree(folder)


@pytest.mark.lengthy
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_store_that_cannot_be_written_stays_as_it_is(folder_of_somebody, what):
    old = folder_of_somebody / "store.sqlite"
    old.write_bytes((MADE / "store-3.sqlite").read_bytes())
    decided = decided_in(old)
    locked = old if what == "file" else folder_of_somebody
    mode = locked.stat().st_mode
    locked.chmod(mode & ~0o222)
    with pytest.raises(StoreError, match=r"the store .*store.*\.sqlite: .*; pass store=…"):
        open_store(old)
    locked.chmod(mode)
    gc.collect()  # nothing of what failed is open any more
    assert decided_in(old) == decided
    assert decided_in(open_store(old).library.path) == decided


# What is written is there


@pytest.mark.lengthy
@needs_kill
def test_what_was_acknowledged_survives_kill_9_in_mid_write(tmp_path):
    path = tmp_path / "cache.sqlite"
    writer = textwrap.dedent(
        f"""
        from pathlib import Path
        from dedup_widgets.store.cache import Cache
        cache = Cache(Path({str(path)!r}))
        for i in range(10**9):
            cache.add(thumbnails={{f"{{i}}-{{j}}": b"x" * 2000 for j in range(50)}})
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
    found = Cache(path).thumbnails(keys)
    assert len(found) == len(keys)
