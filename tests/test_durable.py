"""What is kept outlives what a machine does to it: lost files, damage, power, another's lock."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
import warnings
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFile

from dedup_widgets import _durable
from dedup_widgets.errors import StoreError
from dedup_widgets.images import decoders
from dedup_widgets.images.entry import Entry
from dedup_widgets.scale.score import score
from dedup_widgets.scoring import incremental
from dedup_widgets.store import copies, database, seal
from dedup_widgets.store.cache import Cache, FileRecord
from dedup_widgets.store.copies import copies_of
from dedup_widgets.store.database import StoreBusyError
from dedup_widgets.store.disk import is_on_network
from dedup_widgets.store.library import ChangedMeanwhileError, Library
from dedup_widgets.store.open import Store, open_store
from dedup_widgets.widgets.thumbnails import load_thumbnails


@pytest.fixture
def library(tmp_path):
    library = Library(tmp_path / "library.sqlite")
    library.change_collection("Before", add=["/a"])
    return library


@pytest.fixture
def cache(tmp_path):
    cache = Cache(tmp_path / "cache.sqlite")
    cache.add(thumbnails={f"{i}": bytes(3000) for i in range(100)})
    return cache


def change(database, sql):
    """Change what a database holds as another program would."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as db:
        db.execute(sql)


def collections_on_disk(path):
    with closing(Library(path)) as another:
        return set(another.collections())


# A file that is lost while it is open


def moved(path):
    path.rename(path.with_name("elsewhere.sqlite"))


def replaced(path):
    moved(path)
    Library(path).close()


def folder_moved(path):
    path.parent.rename(path.parent.with_name("other"))


@pytest.mark.parametrize("harm", [Path.unlink, moved, replaced, folder_moved])
def test_nothing_is_acknowledged_that_goes_to_a_lost_library(tmp_path, harm):
    library = Library(tmp_path / "place" / "library.sqlite")
    library.change_collection("Before", add=["/a"])
    harm(library.path)
    for write in (
        lambda: library.change_collection("After", add=["/b"]),
        lambda: library.rename_collection("Before", "After"),
        lambda: library.decide(add_keepers={"/a": "f"}),
    ):
        with pytest.raises(StoreError, match="was moved, deleted or replaced while it was open"):
            write()


def test_a_library_that_is_put_back_is_written_to_again(library):
    away = library.path.with_name("away")
    library.path.rename(away)
    with pytest.raises(StoreError):
        library.change_collection("After", add=["/b"])
    away.rename(library.path)
    library.change_collection("After", add=["/b"])
    assert collections_on_disk(library.path) == {"Before", "After"}


def test_who_opens_the_place_of_a_lost_library_gets_the_one_that_is_there(tmp_path):
    store = open_store(tmp_path)
    assert open_store(tmp_path) is store
    store.library.path.unlink()
    open_store(tmp_path).library.change_collection("New", add=["/a"])
    assert collections_on_disk(store.library.path) == {"New"}


def test_the_library_is_one_file_at_any_time(library, tmp_path):
    names = {path.name for path in tmp_path.iterdir()} - {it.name for it in copies_of(library.path)}
    assert names == {"library.sqlite"}
    shutil.copy(library.path, tmp_path / "copy.sqlite")
    assert collections_on_disk(tmp_path / "copy.sqlite") == {"Before"}


def test_a_library_of_an_earlier_version_becomes_one_file(tmp_path):
    path = tmp_path / "library.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for schema in Library.schemas[:2]:
            db.executescript(schema)
        db.execute("PRAGMA user_version = 2")
        db.execute(f"PRAGMA application_id = {Library.application_id}")
        db.execute("INSERT INTO collection (name) VALUES ('Before')")
    library = Library(path)
    library.change_collection("After", add=["/a"])
    assert not path.with_name("library.sqlite-wal").exists()
    assert set(library.collections()) == {"Before", "After"}


@pytest.mark.parametrize("lost", ["cache.sqlite", "cache.sqlite-wal", "cache.sqlite*"])
def test_a_cache_that_is_lost_is_made_anew(cache, tmp_path, lost):
    for path in tmp_path.glob(lost):
        path.unlink()
    cache.add(thumbnails={"new": b"jpeg"})
    assert Cache(cache.path).thumbnails(["new"]) == {"new": b"jpeg"}


def test_what_sqlite_left_beside_a_lost_file_is_set_aside(tmp_path):
    for ending in ("-wal", "-shm"):
        (tmp_path / f"cache.sqlite{ending}").write_bytes(os.urandom(40_000))
    Cache(tmp_path / "cache.sqlite").add(thumbnails={"new": b"jpeg"})
    assert len(list(tmp_path.glob("cache.sqlite-*.left-*"))) == 2


@pytest.mark.lengthy
def test_who_opens_a_new_library_at_once_with_others_disturbs_none(tmp_path):
    places = [tmp_path / f"{number}.sqlite" for number in range(250)]
    together = threading.Barrier(4)
    wrong = []

    def open_all():
        for place in places:
            together.wait()
            try:
                Library(place).close()
            except StoreError as error:
                wrong.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=open_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong
    assert sorted(tmp_path.iterdir()) == sorted(places)


# SQLite's fault of the two writers

AFFECTED = [(3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 2)]
MENDED = [(3, 6, 23), (3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 52, 0), (4, 0, 0)]


def told_when_opened(path, version, monkeypatch):
    """Open a cache under a version of SQLite; return what another process is told of it."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    # Of one that nobody was told of before.
    text = f"{'.'.join(map(str, version))} of {path.parent.name}"
    monkeypatch.setattr(sqlite3, "sqlite_version", text)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Cache(path).close()
    # Others may be of what earlier tests left open.
    return [str(it.message) for it in told if it.category is UserWarning]


@pytest.mark.parametrize("version", AFFECTED)
def test_who_shares_a_cache_is_told_once_of_a_version_that_may_damage_it(
    cache, version, monkeypatch
):
    (told,) = told_when_opened(cache.path, version, monkeypatch)
    text = f"{'.'.join(map(str, version))} of {cache.path.parent.name}"
    assert f"SQLite {text}, which this Python uses, can damage" in told
    assert not told_when_opened(cache.path, version, monkeypatch)


@pytest.mark.parametrize("version", MENDED)
def test_nobody_is_told_of_a_version_without_the_fault(cache, version, monkeypatch):
    assert not told_when_opened(cache.path, version, monkeypatch)


def test_who_is_alone_with_a_cache_is_told_nothing(cache, tmp_path, monkeypatch):
    for ending in ("", "-wal", "-shm"):
        # As a kernel leaves it that was killed.
        shutil.copy(f"{cache.path}{ending}", tmp_path / f"left.sqlite{ending}")
    assert not told_when_opened(tmp_path / "left.sqlite", (3, 40, 1), monkeypatch)
    assert len(Cache(tmp_path / "left.sqlite").thumbnails(["1", "2"])) == 2
    cache.close()
    assert not told_when_opened(cache.path, (3, 40, 1), monkeypatch)


# Copies


@pytest.mark.lengthy
def test_there_is_a_copy_of_each_day_and_the_last_few_are_kept(tmp_path, monkeypatch):
    path = tmp_path / "library.sqlite"
    for day in range(1, 11):

        class Day(date):
            @classmethod
            def today(cls, day=day):
                return cls(2026, 1, day)

        monkeypatch.setattr("dedup_widgets.store.library.date", Day)
        with closing(Library(path)) as library:
            library.change_collection(f"{day}", add=["/a"])
            library.change_collection(f"{day} too", add=["/a"])
    kept = copies_of(path)
    days = range(10, 10 - copies.COPIES_KEPT, -1)
    assert [it.name for it in kept] == [f"library.2026-01-{day:02}.sqlite" for day in days]
    # Each as it was before the first change of its day.
    assert "9 too" in collections_on_disk(kept[0])
    assert "10" not in collections_on_disk(kept[0])


def test_what_is_decided_first_is_copied_on_the_same_day(library):
    (copy,) = copies_of(library.path)
    assert collections_on_disk(copy) == {"Before"}


def test_a_copy_that_cannot_be_made_stops_nothing(tmp_path, monkeypatch):
    def full(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies, "sync_file", full)
    library = Library(tmp_path / "library.sqlite")
    with pytest.warns(UserWarning, match="no copy of .* of today"):
        library.change_collection("After", add=["/b"])
    assert collections_on_disk(library.path) == {"After"}
    assert not list(tmp_path.glob(".library*"))


# Damage


def spoil(path, first=4096):
    """Overwrite all pages but the first, as a bad disk may."""
    with path.open("r+b") as file:
        file.seek(first)
        file.write(os.urandom(path.stat().st_size - first))


@pytest.mark.parametrize("first", [100, 4096])
def test_a_damaged_cache_is_set_aside_when_it_is_opened_or_read(cache, first):
    cache.close()
    spoil(cache.path, first)
    with pytest.warns(UserWarning, match=r"was damaged \(.*\); it is now cache\.sqlite\.damaged"):
        assert Cache(cache.path).thumbnails(["1"]) == {}
    Cache(cache.path).add(thumbnails={"1": b"jpeg"})
    assert Cache(cache.path).thumbnails(["1"]) == {"1": b"jpeg"}


def test_damage_that_shows_while_the_cache_is_open_stops_nothing(cache):
    change(cache, "PRAGMA wal_checkpoint(TRUNCATE)")
    cache.close()
    cache = Cache(cache.path)
    spoil(cache.path)
    with pytest.warns(UserWarning, match="was damaged"):
        assert cache.thumbnails(str(i) for i in range(100)) == {}
    cache.add([FileRecord(Entry("/a", 1, "1"), error="x")])
    assert Cache(cache.path).files(["/a"])["/a"].error == "x"


def test_a_damaged_cache_keeps_nobody_from_deciding(tmp_path):
    store = open_store(tmp_path / "place")
    store.cache.add(thumbnails={f"{i}": bytes(3000) for i in range(100)})
    store.cache.close()
    spoil(store.cache.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cache = Cache(store.cache.path)
        cache.thumbnails(["1"])
    store.library.change_collection("After", add=["/a"])
    assert collections_on_disk(store.library.path) == {"After"}


def test_a_damaged_library_is_told_with_its_copy(library):
    library.close()
    spoil(library.path)
    (copy,) = copies_of(library.path)
    with pytest.raises(StoreError, match=rf"end all kernels and put its copy {copy} in its place"):
        Library(library.path).collections()


@pytest.mark.parametrize(
    "harm",
    [
        'UPDATE file SET facts = \'{"width": "wide"}\'',
        "UPDATE file SET facts = '{}'",
        "UPDATE file SET facts = '[1, '",
        "UPDATE file SET facts = x'ff00'",
        "UPDATE embedding SET vector = x'00'",
        "UPDATE embedding SET vector = 'text'",
        "UPDATE embedding SET vector = 7",
        "UPDATE embedding SET vector = x'ff7f007c'",
    ],
)
def test_what_no_version_writes_is_not_known(tmp_path, harm):
    cache = Cache(tmp_path / "cache.sqlite")
    cache.add([FileRecord(Entry("/b", 1, "1"), error="x")], embeddings={"m": {"f": np.ones(2)}})
    cache.add([FileRecord(Entry("/a", 1, "1"), error="x")])
    change(cache, f"{harm} WHERE rowid = 1")
    assert "/a" in cache.files(["/a", "/b"])
    known = {**cache.embeddings(["f"], "m"), **cache.files(["/b"])}
    assert len(known) == 1


# Files of others


def foreign(path, sql, wal=False):
    with closing(sqlite3.connect(path)) as db:
        if wal:
            db.execute("PRAGMA journal_mode = WAL")
        db.executescript(sql)


@pytest.mark.parametrize("kind", [Cache, Library])
@pytest.mark.parametrize("wal", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE albums (name TEXT)",
        "CREATE TABLE file (name TEXT); PRAGMA user_version = 1",
        "CREATE TABLE albums (name TEXT); PRAGMA user_version = 3",
        "CREATE TABLE albums (name TEXT); PRAGMA application_id = 7",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 99",
    ],
)
def test_the_database_of_another_program_is_refused_untouched(tmp_path, kind, sql, wal):
    path = tmp_path / "photos.db"
    foreign(path, sql, wal)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"photos\.db is no (cache|library) of dedup_widgets"):
        kind(path)
    assert path.read_bytes() == before


# Locks


@pytest.fixture
def locked(library, cache):
    """Let another process hold the write locks of both, and return what ends that."""
    others = [sqlite3.connect(it.path, isolation_level=None) for it in (library, cache)]
    for other in others:
        other.execute("BEGIN IMMEDIATE")
    yield lambda: [other.execute("ROLLBACK") for other in others]
    for other in others:
        other.close()


def test_reading_does_not_wait_for_anothers_write(library, cache, locked):
    # Who waited for a lock that nobody gives back would be told that it is busy.
    assert set(library.collections()) == {"Before"}
    assert len(cache.thumbnails(["1"])) == 1
    Library(library.path).close()
    Cache(cache.path).close()


def test_reading_does_not_wait_for_a_thread_that_waits_to_write(library, locked):
    writer = threading.Thread(target=library.change_collection, args=("After",))
    writer.start()
    assert set(library.collections()) == {"Before"}
    locked()
    writer.join(30)
    assert set(library.collections()) == {"Before", "After"}


@pytest.mark.parametrize("of", [Library, Cache])
def test_opening_waits_for_a_commit_that_takes_long(library, cache, of, monkeypatch):
    path = {Library: library, Cache: cache}[of].path
    commits = []

    def looked_at_while_another_commits(_folder):
        # As while a commit is synced: in the rollback journal's mode readers are kept out too.
        other.execute("BEGIN EXCLUSIVE")
        commits.append(threading.Timer(3 * database.SLICE_SECONDS, other.execute, ["COMMIT"]))
        commits[-1].start()
        return False

    monkeypatch.setattr(database, "is_on_network", looked_at_while_another_commits)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        of(path).close()
        commits[-1].join()


def test_who_waits_too_long_is_told_what_to_do(library, locked):
    library = Library(library.path, wait_seconds=0.0)
    for write in (lambda: library.change_collection("After"), library.wait_for_turn):
        with pytest.raises(StoreBusyError, match="another process has been writing to it for long"):
            write()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals of POSIX")
def test_ctrl_c_ends_a_wait_for_a_lock(library, locked):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            library.change_collection("After")
    finally:
        signal.signal(signal.SIGALRM, before)
    locked()
    assert set(library.collections()) == {"Before"}


def test_decisions_on_what_others_changed_meanwhile_are_not_written(tmp_path, library):
    version = library.decisions_version()
    other = Library(library.path)
    assert other.decide(add_keepers={"/a": "f"}, since=version) == version + 1
    with pytest.raises(ChangedMeanwhileError):
        library.decide(add_keepers={"/b": "f"}, since=version)
    assert library.chosen_keepers(["f"]) == {"/a": "f"}


# Disks


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:40 / /home/ann\\040b rw,relatime shared:20 - nfs4 server:/home rw
41 40 8:2 / /home/ann\\040b/local rw - xfs /dev/sdb1 rw
42 22 0:50 / /win rw - 9p drvfs rw
43 22 0:51 / /cloud rw - fuse.sshfs user@host:/ rw
44 22 0:52 / /usb rw - fuseblk /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("folder", "network"),
    [
        ("/srv", False),
        ("/home/ann b/.cache", True),
        ("/home/ann b/local/x", False),
        ("/home/ann", False),
        ("/win/users", True),
        ("/cloud", True),
        ("/usb/photos", False),
    ],
)
def test_disks_of_other_machines_are_known_by_their_file_system(tmp_path, folder, network):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert is_on_network(Path(folder), mounts) == network


def test_on_a_disk_of_another_machine_nothing_shares_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "is_on_network", lambda _folder: True)
    one, two = (Cache(tmp_path / "cache.sqlite") for _ in range(2))
    one.add(thumbnails={"1": b"jpeg"})
    assert two.thumbnails(["1"]) == {"1": b"jpeg"}
    assert [path.name for path in tmp_path.iterdir()] == ["cache.sqlite"]


# Power


@pytest.mark.lengthy
def test_what_a_library_acknowledges_was_synced(tmp_path):
    """Asked of the system, since a power cut cannot be played here."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    code = f"""
import os
from pathlib import Path
from dedup_widgets.store.library import Library
library = Library(Path({str(tmp_path / "library.sqlite")!r}))
library.change_collection("Before", add=["/a"])
os.write(1, b"from here")
library.change_collection("After", add=["/b"])
os.write(1, b"to here")
"""
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    between = done.stderr.partition("from here")[2].partition("to here")[0]
    assert between.count("sync(") >= 2


def test_a_tree_is_synced_with_all_its_files_and_folders(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(_durable, "sync_file", lambda path: synced.append(path))
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three"):
        (tmp_path / name).write_text(name)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "one")
    _durable.sync_tree(tmp_path)
    paths = {tmp_path / name for name in ("", "a", "a/b", "one", "a/two", "a/b/three")}
    assert set(synced) == paths


# What is remembered


class Tiny:
    key = name = "tiny-1"
    near_distance = 0.05

    def encode(self, images):
        pixels = [np.asarray(it.resize((4, 4)), np.float32).ravel() - 100 for it in images]
        return np.stack(pixels) + 1e-3


@pytest.fixture
def photos(photo_folder):
    return photo_folder(6)


def scored(photos, store, **options):
    options = {"model": Tiny(), "progress": False, "workers": 1, **options}
    return score(photos, store=store, **options)


PASSING = [
    MemoryError(),
    ImportError("no module named pillow_heif"),
    OSError(12, "Cannot allocate memory"),
    OSError(24, "Too many open files"),
    OSError("decoder jpeg2k not available"),
    RuntimeError("Memory allocation error: Security limit exceeded"),
    OSError("out of memory when reading image file"),
]
LASTING = [OSError("image file is truncated"), ValueError("odd"), SyntaxError("broken PNG file")]


@pytest.mark.lengthy
@pytest.mark.parametrize("error", [*PASSING, *LASTING], ids=repr)
def test_only_errors_about_the_bytes_are_remembered(photos, tmp_path, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", fails)
    assert scored(photos, tmp_path)["error"].null_count() == 0
    remembered = open_store(tmp_path).cache.files(str(path) for path in photos.iterdir())
    assert len(remembered) == (0 if error in PASSING else 6)
    monkeypatch.undo()
    assert scored(photos, tmp_path)["error"].null_count() == (6 if error in PASSING else 0)


@pytest.mark.lengthy
def test_with_other_libraries_files_are_decoded_again(photos, tmp_path, monkeypatch):
    (photos / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing else")
    paths = [str(path) for path in photos.iterdir()]
    scored(photos, tmp_path)
    assert len(open_store(tmp_path).cache.files(paths)) == 7
    monkeypatch.setattr("PIL.__version__", "99.0")
    decoders.decoder_key.cache_clear()
    assert open_store(tmp_path).cache.files(paths) == {}
    monkeypatch.undo()
    decoders.decoder_key.cache_clear()
    assert len(open_store(tmp_path).cache.files(paths)) == 7


def written_in_place(a, b):
    shutil.copyfile(b, a)


def moved_over(a, b):
    shutil.copy(b, a.with_suffix(".new"))
    a.with_suffix(".new").rename(a)


@pytest.mark.lengthy
@pytest.mark.parametrize("change", [written_in_place, moved_over])
def test_other_content_of_the_same_size_and_date_is_noticed(tmp_path, change, make_photo):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        make_photo(seed).save(photos / f"{seed}.bmp")
    before = scored(photos, tmp_path / "store")
    facts = (photos / "0.bmp").stat()
    change(photos / "0.bmp", photos / "1.bmp")
    os.utime(photos / "0.bmp", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (photos / "0.bmp").stat().st_size == facts.st_size
    after = scored(photos, tmp_path / "store")
    assert after["fingerprint"][0] == before["fingerprint"][1]


@pytest.mark.lengthy
def test_a_hardlink_is_no_change(photos, tmp_path, monkeypatch):
    scored(photos, tmp_path)
    for path in photos.iterdir():
        os.link(path, tmp_path / path.name)
    monkeypatch.setattr("dedup_widgets.scoring.pipeline.decode", None)
    assert scored(photos, tmp_path)["error"].null_count() == 6


@pytest.mark.lengthy
def test_a_run_that_cannot_write_for_a_while_keeps_what_it_has(photos, tmp_path, monkeypatch):
    cache = open_store(tmp_path).cache
    with closing(sqlite3.connect(cache.path, isolation_level=None, check_same_thread=False)) as it:
        it.execute("BEGIN IMMEDIATE")
        done = []

        def progress(now, total):
            done.append(now)
            if now == total and it.in_transaction:
                it.execute("ROLLBACK")

        scored(photos, tmp_path, batch_size=2, progress=progress)
    assert done[:4] == [0, 2, 4, 6]
    assert len(cache.files(str(path) for path in photos.iterdir())) == 6


@pytest.mark.lengthy
def test_a_run_that_can_never_write_says_so(photos, tmp_path):
    there = open_store(tmp_path)
    impatient = Store(Cache(there.cache.path, wait_seconds=0.0), there.library)
    with closing(sqlite3.connect(there.cache.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="has been writing to it for long"):
            scored(photos, impatient)
    assert scored(photos, tmp_path)["uniqueness"].null_count() == 0


@pytest.mark.lengthy
@pytest.mark.parametrize("harm", ["x'00'", "x'81a1'", "'text'", "7"])
def test_evidence_that_is_none_is_looked_for_again(photos, tmp_path, harm):
    for path in list(photos.iterdir())[:2]:
        shutil.copy(path, path.with_name(f"again {path.name}"))
    before = scored(photos, tmp_path)
    cache = open_store(tmp_path).cache
    change(cache, f"UPDATE evidence SET found = {harm}")
    assert scored(photos, tmp_path).equals(before)


@pytest.mark.lengthy
def test_a_kept_search_of_a_stranger_is_not_believed(photos, tmp_path, monkeypatch):
    before = scored(photos, tmp_path)
    mine = seal.secret()
    monkeypatch.setattr(seal, "secret", lambda: b"of a stranger")
    cache = open_store(tmp_path).cache
    change(cache, "DELETE FROM search")
    scored(photos, tmp_path)
    with closing(sqlite3.connect(cache.path)) as db:
        number, keys = db.execute("SELECT id, keys FROM search").fetchone()
    assert incremental.unpack([], keys, cache.search(number)) is not None
    monkeypatch.setattr(seal, "secret", lambda: mine)
    assert incremental.unpack([], keys, cache.search(number)) is None
    monkeypatch.undo()
    assert scored(photos, tmp_path).equals(before)


def test_the_seal_of_a_user_is_one_and_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.setattr(seal.platformdirs, "user_data_path", lambda *_, **__: tmp_path / "data")
    one = seal.secret.__wrapped__()
    assert one == seal.secret.__wrapped__()
    assert len(one) == seal.SEAL_BYTES
    assert (tmp_path / "data" / "seal").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["seal"]
    assert seal.is_sealed(seal.seal(b"a", b"b"), b"a", b"b")
    assert not seal.is_sealed(seal.seal(b"a", b"b"), b"ab", b"")


def test_pictures_are_shown_where_the_cache_cannot_grow(photos, tmp_path, monkeypatch):
    connect = sqlite3.connect

    def full(*arguments, **options):
        db = connect(*arguments, **options)
        db.execute("PRAGMA max_page_count = 1")  # no more than there are
        return db

    path = open_store(tmp_path).cache.path
    monkeypatch.setattr(sqlite3, "connect", full)
    cache = Cache(path)
    paths = [str(path) for path in photos.iterdir()]
    with pytest.warns(UserWarning, match="shown, but not remembered: .* free some space"):
        assert all(it.jpeg for it in load_thumbnails(paths, [None] * len(paths), cache))


# Forks


@pytest.mark.lengthy
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
@pytest.mark.parametrize("used", [True, False])
def test_a_forked_process_says_that_it_cannot_compute(tmp_path, used):
    code = f"""
import os, signal, dedup_widgets as dw, numpy as np
if {used}:
    dw.uniqueness(np.eye(4))
child = os.fork()
if not child:
    signal.alarm(60)
    try:
        dw.uniqueness(np.eye(4))
    except dw.errors.DedupError as error:
        os._exit(7 if "get_context('spawn')" in str(error) else 1)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("7" if used else "0")


@pytest.mark.lengthy
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_a_library_is_written_to_on_both_sides_of_a_fork(library):
    child = os.fork()
    if not child:
        try:
            for number in range(20):
                library.change_collection(f"child {number}", add=["/a"])
            os._exit(0)
        except BaseException:
            traceback.print_exc()  # nobody else would tell why
            os._exit(1)
    for number in range(20):
        library.change_collection(f"parent {number}", add=["/a"])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(library.collections()) == 41
