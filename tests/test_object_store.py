"""Pictures in object stores and on web servers: each asked for once, whatever the network does."""

import ast
import datetime as dt
import http.client
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import traceback
from collections import Counter
from urllib.parse import unquote

import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.dataset.create import preview
from dedup_widgets.errors import ImageError, InputError, StoreError
from dedup_widgets.images.entry import Entry, as_columns
from dedup_widgets.images.held import Held
from dedup_widgets.images.listing import list_images
from dedup_widgets.images.object_store import ObjectStore
from dedup_widgets.images.source import set_source, source_for
from dedup_widgets.scale.work import Work
from dedup_widgets.widgets.pictures import PictureLoader
from page import Page, Pixels
from stores import KEY_ID, SECRET, Server, moto, proxied, upload
from tls import authority, certificate

pytest.importorskip("obstore")


@pytest.fixture(scope="module")
def moto_server():
    with moto() as port:
        yield port


@pytest.fixture
def s3(moto_server, monkeypatch):
    """Yield a proxy before an empty S3; ``put(name, data)`` adds an object to the bucket `box`."""
    server = proxied(moto_server)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    set_source("s3://", ObjectStore())
    yield server
    set_source("s3://", None)
    server.close()


@pytest.fixture
def photos(s3, photo_folder):
    """Return a folder of pictures, all of which lie in the bucket, too."""
    folder = photo_folder(6, copies=2)
    (folder / "notes.txt").write_text("no picture")
    (folder / "deep" / "er").mkdir(parents=True)
    names = ["ü #?%+.png", "deep/er/[x] ~.png", "deep/no suffix", "deep/er/no picture"]
    for name in names:
        (folder / name).write_bytes((folder / "photo-001.png").read_bytes())
    (folder / names[-1]).write_bytes(b"nothing")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    # Of copies the oldest is kept, and only the disk knows which is.
    for file in folder.rglob("*"):
        os.utime(file, (1e9, 1e9))
    upload(s3, folder)
    return folder


def score(images, **arguments):
    return dw.score(images, model=Pixels(), progress=False, **arguments)


def same(far, here, prefix):
    """Compare frames but for where the files are, and the time that only the disk knows."""
    below = pl.col("path", "nearest", "error").str.replace(prefix[0], prefix[1], literal=True)
    assert far["modified"].null_count() == len(far)
    assert_frame_equal(
        far.drop("modified"),
        here.drop("modified").with_columns(below).select(far.drop("modified").columns),
    )


# Listing


@pytest.mark.lengthy
def test_the_frame_over_a_bucket_is_the_one_over_files(s3, photos):
    here = score(photos)
    far = score("s3://box/photos")
    same(far, here, (str(photos), "s3://box/photos"))
    assert far["error"].drop_nulls().len() == 1


def requests(s3):
    """Return how often each object was asked for since the last time, by its name."""
    asked = [unquote(path).removeprefix("/box/") for _, path in s3.asked if "list-type" not in path]
    s3.asked.clear()
    return Counter(asked)


@pytest.mark.lengthy
def test_listing_looks_up_and_each_object_is_asked_for_once(s3, photos):
    far = score("s3://box/photos")
    assert s3.count("GET", "list-type") == 1
    below = {path.removeprefix("s3://box/") for path in far["path"]}
    assert requests(s3) == dict.fromkeys({*below, "photos/deep/er/no picture"}, 1)


@pytest.mark.lengthy
def test_what_was_scored_is_listed_and_not_asked_for_again(s3, photos):
    first = score("s3://box/photos")
    s3.asked.clear()
    assert_frame_equal(score("s3://box/photos"), first)
    # The broken file is remembered too; what is no picture is not.
    assert requests(s3) == {"photos/deep/er/no picture": 1}
    s3.put("photos/photo-002.png", (photos / "photo-003.png").read_bytes())
    s3.put("photos/deep/no suffix", (photos / "photo-003.png").read_bytes())
    score("s3://box/photos")
    changed = {"photos/photo-002.png": 1, "photos/deep/no suffix": 1}
    assert requests(s3) == {"photos/deep/er/no picture": 1, **changed}


@pytest.fixture
def unnamed(s3, as_file, make_photo):
    """Put pictures without a suffix, one with a mask, into a bucket; return their names."""
    folder = {f"p/{seed}": as_file(make_photo(seed)) for seed in range(3)}
    mask = Image.new("L", make_photo(3).size)
    mask.paste(255, (5, 5, 40, 40))
    folder |= {"p/images/3.png": as_file(make_photo(3)), "p/masks/3.png": as_file(mask)}
    for name, data in {**folder, "p/none": b"no picture"}.items():
        s3.put(name, data)
    return [name for name in folder if "masks" not in name]


@pytest.mark.lengthy
@pytest.mark.parametrize("over", [False, True])
def test_a_file_whose_name_does_not_say_what_it_is_is_asked_for_once(
    s3, unnamed, as_file, make_photo, tmp_path, over
):
    how = {"model": "perceptual", "progress": False}
    if over:
        how["work"] = tmp_path / "work"
    frame = dw.score("s3://box/p", **how)
    assert frame["path"].to_list() == [f"s3://box/{name}" for name in unnamed]
    every = dict.fromkeys(unnamed, 1)
    asked = requests(s3)
    # The mask is looked at with its picture, once a process.
    assert asked.pop("p/masks/3.png", 1) == 1
    assert asked == {**every, "p/none": 1}
    assert_frame_equal(dw.score("s3://box/p", **how), frame)
    assert requests(s3) == {"p/none": 1}
    s3.put("query", as_file(make_photo(1)))
    assert len(dw.similar(frame, "s3://box/query", k=1, model="perceptual")) == 1
    assert requests(s3) == {"query": 1}
    for mode in ("copy", "paths"):
        dw.create_dataset(frame, mode, root=tmp_path / "sets", mode=mode, progress=False)
        assert s3.count("GET") == len(unnamed)
        # And looked up before, so that nothing is written in vain.
        assert requests(s3) == dict.fromkeys(unnamed, 2)
    bare = frame.select("path")
    dw.create_dataset(bare, "bare", root=tmp_path / "sets", progress=False)
    assert s3.count("GET") == len(unnamed)
    s3.asked.clear()
    pictures = PictureLoader()
    pictures.load(frame["path"][0], 100, (0, 0, 0.5, 0.5))
    assert requests(s3) == {unnamed[0]: 1}
    pictures.load(frame["path"][0], 100, (0.5, 0, 1, 0.5))
    assert s3.count("GET") == 0
    s3.asked.clear()
    page = Page(dw.ImageGrid(bare, store=tmp_path / "other"))
    assert None not in [it["thumb"] for it in page.ask("tiles", rows=[0, 1, 2, 3])["tiles"]]
    assert requests(s3) == every


@pytest.mark.lengthy
def test_what_cannot_be_held_is_asked_for_again(s3, unnamed, tmp_path):
    everything = score("s3://box/p", store=tmp_path / "all")
    # One of the three has a place, and what is none while it is looked at.
    most = everything["bytes"].max() + len(b"no picture")
    set_source("s3://", ObjectStore(held=Held(most)))
    s3.asked.clear()
    assert_frame_equal(score("s3://box/p", store=tmp_path / "one"), everything)
    asked = requests(s3)
    assert sorted(asked[f"p/{name}"] for name in ("none", 0, 1, 2)) == [1, 1, 2, 2]
    # Nor what is cut while it comes.
    set_source("s3://", ObjectStore())
    s3.fault = lambda _, path, times: "cut" if times == 1 and path == "/box/p/1" else None
    assert_frame_equal(score("s3://box/p", store=tmp_path / "cut"), everything)
    assert requests(s3)["p/1"] == 2


def test_files_are_held_as_they_were_until_they_are_taken():
    held = Held(10, seconds=0)
    a, b = Entry("a", 3, "1"), Entry("b", 9, "1")
    held.put(a, b"abc")
    assert held.read(a) == b"abc"
    assert held.read(Entry("a", 3, "2")) is None
    # The older one gives way.
    held.put(b, b"123456789")
    assert (held.take(a), held.take(b), held.take(b)) == (None, b"123456789", None)
    at = held.reserve(10)
    held.put(a, b"abc")
    assert held.read(a) is None
    held.give_up(at)
    held.put(a, b"abc")
    assert held.take(a) == b"abc"
    kept = Held(10)
    kept.put(a, b"abc")
    kept.put(b, b"123456789")
    assert (kept.take(b), kept.take(a)) == (None, b"abc")


@pytest.mark.lengthy
def test_a_list_of_objects_is_read_once_and_then_looked_up_by_listing(s3, photo_folder):
    upload(s3, photo_folder(12))
    paths = [f"s3://box/photos/photo-{seed:03}.png" for seed in range(12)]
    first = score(paths)
    assert (s3.count("GET"), s3.count("HEAD")) == (12, 0)
    s3.asked.clear()
    assert_frame_equal(score(paths), first)
    assert (s3.count("GET"), s3.count("GET", "list-type"), s3.count("HEAD")) == (1, 1, 0)
    s3.asked.clear()
    score(paths[:3])
    assert (s3.count("GET"), s3.count("HEAD")) == (0, 3)


@pytest.mark.lengthy
def test_more_than_a_page_is_listed_and_looked_up(s3, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "20")
    set_source("s3://", ObjectStore(page=20))
    for number in range(50):
        s3.put(f"many/{number:05}.bmp", b"BM")
    found = list_images("s3://box/many/")
    assert found.paths == [f"s3://box/many/{number:05}.bmp" for number in range(50)]
    assert s3.count("GET") == 3
    s3.asked.clear()
    store = source_for(found.paths[0])
    assert as_columns(store.look_up(found.paths)).equals(found.entries)
    assert (s3.count("GET"), s3.count("HEAD")) == (3, 0)
    # Where a page holds few of those that are wanted, they are asked for by themselves.
    s3.asked.clear()
    some = [*found.paths[::5], "s3://box/many/gone.bmp"]
    *there, gone = store.look_up(some)
    assert [entry.path for entry in there] == some[:-1]
    assert "does not exist" in str(gone)
    assert (s3.count("GET"), s3.count("HEAD")) == (1, 7)


@pytest.mark.lengthy
def test_a_pattern_matches_in_a_bucket_what_it_matches_on_disk(s3, photos):
    for pattern in ("*.png", "**/*.png", "deep/*/*", "**/[[]x*", "**", "photo-00[01].*", "no*"):
        here = list_images(photos / pattern)
        far = list_images(f"s3://box/photos/{pattern}")
        below = [path.removeprefix("s3://box/photos") for path in far.paths]
        assert below == [path.removeprefix(str(photos)) for path in here.paths], pattern
        assert far.root is None


@pytest.mark.lengthy
def test_what_is_left_out_of_folders_is_left_out_of_buckets(s3, photo_folder):
    folder = photo_folder(2)
    data = (folder / "photo-000.png").read_bytes()
    for name in (
        *(".hidden.png", ".hidden/a.png", "@eaDir/b.png", "deep/$RECYCLE.BIN/x/c.png"),
        *("masks/photo-001.png", "export/1.png", "deep/set/train/1.png", "deep/set/README.md"),
        *("deep/set/removed.parquet", "a.jxl", "a.xmp", "dataset.zip"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes({"a.jxl": b"\xff\x0a", "a.xmp": b"<x/>"}.get(name, data))
    upload(s3, folder)
    s3.put("photos/a folder/", b"")
    with pytest.warns(UserWarning, match=r"\.jxl"):
        here = list_images(folder, exclude=["export"])
    with pytest.warns(UserWarning, match=r"\.jxl"):
        far = list_images("s3://box/photos/", exclude=["export"])
    assert [path.removeprefix("s3://box/photos") for path in far.paths] == [
        path.removeprefix(str(folder)) for path in here.paths
    ]
    assert far.not_taken == here.not_taken
    assert far.root == "s3://box/photos"


def test_folders_of_a_bucket_name_splits_and_classes(s3, photo_folder, as_file, make_photo):
    for seed, folder in enumerate(["train/cat", "train/dog", "test/cat"]):
        s3.put(f"set/{folder}/{seed}.png", as_file(make_photo(seed)))
    frame = score("s3://box/set")
    assert frame.select("split", "label").rows() == [
        ("test", "cat"),
        ("train", "cat"),
        ("train", "dog"),
    ]


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("s3://nobox/photos", "the bucket does not exist"),
        ("s3://box/nothing", "does not exist; check the path"),
        ("s3://box/nothing/", "no object lies there"),
        ("s3://", "names no bucket"),
        ("https://example.org/photos/", "web server, and those list no files; pass a list"),
        ("ftp://example.org/photos/", "no local file"),
    ],
)
def test_where_nothing_can_be_listed_is_said(s3, where, says):
    with pytest.raises(InputError, match=says):
        score(where)


def test_one_object_and_an_empty_bucket_are_what_they_are(s3, as_file, make_photo):
    assert list_images("s3://box").paths == []
    s3.put("a.png", as_file(make_photo(0)))
    assert list_images("s3://box/a.png").paths == ["s3://box/a.png"]
    assert list_images("s3://box").paths == ["s3://box/a.png"]


# What the network does


@pytest.mark.lengthy
def test_refusals_and_cut_connections_are_repeated(s3, photos):
    calm = score("s3://box/photos")

    def fault(method, path, times):
        if times == 1:
            return 503 if "photo-00" in path or "list-type" in path else "cut"
        return None

    s3.fault = fault
    assert_frame_equal(score("s3://box/photos", store=str(photos.parent / "other")), calm)


@pytest.mark.lengthy
def test_what_stays_refused_is_a_row_and_is_tried_again(s3, photos):
    set_source("s3://", ObjectStore(retry_config={"max_retries": 1}))
    s3.fault = lambda _, path, __: 503 if "photo-00" in path else None
    frame = score("s3://box/photos")
    failed = frame.filter(pl.col("error").str.contains("answered 503 SlowDown; try again later"))
    assert len(failed) == 6
    s3.fault = lambda _, path, __: "cut" if "photo-00" in path else None
    frame = score("s3://box/photos")
    assert frame["error"].str.contains("connection was cut").sum() == 6
    s3.fault = lambda *_: None
    s3.asked.clear()
    assert score("s3://box/photos")["error"].drop_nulls().len() == 1
    assert s3.count("GET", "photo-") == 6


@pytest.mark.lengthy
def test_what_is_read_is_remembered_as_it_was_read(s3, photos):
    listed = list_images("s3://box/photos")
    changed = "s3://box/photos/photo-002.png"
    s3.put("photos/photo-002.png", (photos / "photo-003.png").read_bytes())
    known = Entry(*listed.entries.filter(path=changed).row(0))
    entry, data = source_for(changed).fetch(known).result()
    assert entry != known
    assert len(data) == entry.size
    assert entry == source_for(changed).stat(changed)


@pytest.mark.lengthy
def test_no_more_requests_are_under_way_than_may_be(s3, photos):
    set_source("s3://", ObjectStore(concurrency=3))
    under_way, most, lock = 0, 0, threading.Lock()

    def fault(*_):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.02)
        with lock:
            under_way -= 1

    s3.fault = fault
    score("s3://box/photos")
    assert most <= 3


@pytest.mark.lengthy
def test_an_interrupt_is_not_held_up_by_a_server_that_hangs(s3, photos):
    release = threading.Event()

    def fault(method, path, times):
        if "list-type" not in path:
            release.wait(30)

    def stop(done, total):
        raise KeyboardInterrupt

    s3.fault = fault
    try:
        with pytest.raises(KeyboardInterrupt):
            dw.score("s3://box/photos/*.bmp", model=Pixels(), progress=stop)
        assert not release.is_set()
    finally:
        release.set()


INTERRUPTED = """
import os, signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from dedup_widgets.images.held import Held
from dedup_widgets.images.listing import list_images
threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    list_images("s3://box/photos")
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.lengthy
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal of POSIX")
def test_an_interrupt_ends_a_listing_that_hangs_and_the_process(s3):
    release = threading.Event()

    def hang(*_):
        release.wait(60)

    s3.fault = hang
    try:
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=50
        )
    finally:
        release.set()
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr


# What is done with pictures


@pytest.mark.lengthy
def test_thumbnails_and_large_pictures_come_from_a_bucket(s3, photos):
    paths = list_images("s3://box/photos/photo*").paths
    page = Page(dw.ImageGrid(pl.DataFrame({"path": paths})))
    reply = page.ask("tiles", rows=list(range(len(paths))))
    assert all(tile["thumb"] is not None and tile["error"] is None for tile in reply["tiles"])
    assert s3.count("GET", "photo-") == 6
    assert s3.count("HEAD") == 0


@pytest.mark.lengthy
def test_what_is_similar_to_an_object_is_found(s3, photos):
    frame = score("s3://box/photos")
    s3.put("elsewhere/query.png", (photos / "photo-002.png").read_bytes())
    found = dw.similar(frame, "s3://box/elsewhere/query.png", k=1, model=Pixels())
    assert found["path"].to_list() == ["s3://box/photos/photo-002.png"]


@pytest.mark.lengthy
@pytest.mark.parametrize("how", [{"mode": "hardlink"}, {"mode": "copy"}, {"format": "webdataset"}])
def test_a_dataset_of_objects_is_a_copy_of_them(s3, photos, tmp_path, how):
    frame = score("s3://box/photos/photo*")
    s3.asked.clear()
    asked = {"root": tmp_path / "sets", **how}
    placed = preview(frame, "clean", **asked).placed
    made = dw.create_dataset(frame, "clean", progress=False, **asked)
    assert made.placed == placed == {"shard" if "format" in how else "copy": 6}
    if "mode" in how:
        found = sorted(path.read_bytes() for path in (made.path / "train").glob("*.png"))
        assert found == sorted(path.read_bytes() for path in photos.glob("photo*"))
    assert s3.count("GET", "photo-0") == 6


@pytest.mark.lengthy
def test_sets_in_a_bucket_and_on_disk_are_scored_against_each_other(s3, photos, tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    (new / "1.png").write_bytes((photos / "photo-001.png").read_bytes())
    frame = score(new, against="s3://box/photos/")
    assert frame.filter(role="new")["uniqueness"].to_list() == [0]


@pytest.mark.lengthy
def test_the_store_is_a_folder_of_this_machine(s3, photos):
    with pytest.raises(InputError, match="folder of this machine"):
        score("s3://box/photos", store="s3://box/store")


@pytest.mark.lengthy
def test_a_frame_of_objects_is_reviewed(s3, photos):
    ex = dw.Explorer(score("s3://box/photos"))
    assert len(ex.view) == len(ex.frame)
    assert ex.similar("s3://box/photos/photo-002.png").height


# Web servers


class Web(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory=arguments[-1].folder)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.command, self.path))
        super().do_GET()

    def do_HEAD(self):
        self.server.asked.append((self.command, self.path))
        super().do_HEAD()


@pytest.fixture
def web(photos):
    server = Server(Web, folder=str(photos))
    yield server
    server.close()


@pytest.mark.lengthy
def test_a_list_of_urls_is_scored_and_each_is_asked_for_once_a_run(web, photos):
    names = ["photo-000.png", "copy-000.bmp", "%C3%BC%20%23%3F%25%2B.png", "photo-002.png?w=640"]
    urls = [f"{web.url}/{name}" for name in names]
    frame = score(urls)
    assert frame["error"].null_count() == 4
    assert frame["kind"].to_list()[:2] == ["exact", "exact"]
    asked = Counter((method, unquote(path)) for method, path in web.asked)
    assert asked == {("GET", unquote(url.removeprefix(web.url))): 1 for url in urls}
    web.asked.clear()
    assert_frame_equal(score(urls), frame)
    assert Counter(method for method, _ in web.asked) == {"HEAD": 4}
    web.asked.clear()
    assert score(f"{web.url}/photo-000.png")["path"].to_list() == urls[:1]


@pytest.mark.lengthy
def test_a_url_that_leads_nowhere_is_a_row(web):
    frame = score([f"{web.url}/photo-000.png", f"{web.url}/gone.png", f"{web.url}/notes.txt"])
    assert frame["error"].to_list()[0] is None
    assert "gone.png: does not exist" in frame["error"][1]
    assert "looks like text" in frame["error"][2]


@pytest.mark.lengthy
def test_a_list_of_urls_may_be_a_file_of_text(web, tmp_path):
    (tmp_path / "urls.txt").write_text(f"{web.url}/photo-000.png\n{web.url}/photo-001.png\n")
    assert score(tmp_path / "urls.txt")["error"].null_count() == 2


NAMES = [
    *("100%.png", "100%25.png", "%41.png", "A.png", "a%2Fb.png", "a b.png", " x .png", "a+b.png"),
    *("a#b.png", "a?b.png", "a?key=b1.png", "a?versionId=3.png", "a&b=c;d.png", "'\"<>.png"),
    *("[x] ~.png", "*.png", "e\u0301.png", "\u00e9.png", "\u65e5\u672c.png", "\U0001f600.png"),
    *("a\\b.png", "a:b|c^`{}.png", "credentials.png", "Connect timeout.png"),
]


@pytest.mark.lengthy
def test_an_object_of_any_name_is_listed_and_read_under_it(s3, as_file, make_photo):
    for seed, name in enumerate(NAMES):
        s3.put(f"odd/{name}", as_file(make_photo(seed)))
    frame = score("s3://box/odd")
    assert sorted(frame["path"]) == sorted(f"s3://box/odd/{name}" for name in NAMES)
    assert frame["error"].null_count() == len(NAMES)
    assert frame["fingerprint"].n_unique() == len(NAMES)
    again = score([f"s3://box/odd/{name}" for name in NAMES])
    assert again.sort("path")["fingerprint"].equals(frame.sort("path")["fingerprint"])
    # What has just this name comes before the pattern.
    for name in NAMES:
        assert list_images(f"s3://box/odd/{name}").paths == [f"s3://box/odd/{name}"]


ODD = ["a//b.png", "/c.png", "a\x01b.png", "\x7f.png"]
"""What a path of this system cannot be called, or seldom is."""


@pytest.mark.lengthy
@pytest.mark.parametrize("virtual_host", [False, True])
def test_one_odd_name_keeps_no_other_object_from_being_scored(
    s3, as_file, make_photo, monkeypatch, virtual_host
):
    if virtual_host:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"{s3.url}/box")
        monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
    names = [*ODD, *(f"{seed} + ü?#%.png" for seed in range(4)), "deep/d/e.png", "~.png"]
    for seed, name in enumerate(names):
        s3.put(f"odd/{name}", as_file(make_photo(seed)))
    s3.put("odd/x/../y.png", b"")
    s3.put("beside/no.png", b"")
    set_source("s3://", ObjectStore(page=5))
    frame = score("s3://box/odd")
    assert set(frame["path"]) == {f"s3://box/odd/{it}" for it in names}
    assert frame["error"].null_count() == len(names)
    assert frame["fingerprint"].n_unique() == len(names)
    # What is below "x/.." is said to be left out.
    assert list_images("s3://box/odd").not_taken["hidden folders"] == {"..": 1}
    sizes = dict(frame.select("path", "bytes").iter_rows())
    asked = [f"s3://box/odd/{name}" for name in ODD]
    assert [it.size for it in source_for("s3://box").look_up(asked)] == [sizes[it] for it in asked]
    s3.asked.clear()
    assert_frame_equal(score("s3://box/odd"), frame)
    assert all("list-type" in path for _, path in s3.asked)


def test_an_object_that_no_address_can_name_is_a_row_with_an_error(s3, as_file, make_photo):
    s3.put("odd/1.png", as_file(make_photo(1)))
    frame = score(["s3://box/odd/1.png", "s3://box/odd/../1.png"])
    assert frame["error"][0] is None
    assert "'..'" in frame["error"][1]
    assert "rename the object" in frame["error"][1]


def test_a_listing_with_odd_names_outlasts_refusals_and_shows_no_signature(s3, as_file, make_photo):
    names = ["a//b.png", *(f"c{number}.png" for number in range(4))]
    for seed, name in enumerate(names):
        s3.put(f"odd/{name}", as_file(make_photo(seed)))
    refused = set()

    def refuse_each_page_once(_, path, __):
        asked = re.search(r"max-keys.*?(?=&X-Amz|$)", path)  # the signature is another each time
        if asked is None or asked[0] in refused:
            return None
        refused.add(asked[0])
        return 503

    s3.fault = refuse_each_page_once
    assert len(ObjectStore(page=1).below("s3://box/odd")) == len(refused) == len(names)
    assert score("s3://box/odd")["error"].null_count() == len(names)
    s3.fault = lambda _, path, __: 403 if "max-keys" in path or "a//b" in path else None
    with pytest.raises(InputError, match="permission denied") as listing:
        score("s3://box/odd")
    with pytest.raises(ImageError, match="permission denied") as reading:
        source_for("s3://box").read("s3://box/odd/a//b.png")
    for raised in (listing, reading):
        said = "".join(traceback.format_exception(raised.value))
        assert KEY_ID not in said
        assert "Signature" not in said


@pytest.mark.parametrize(
    "key", [b"p/\xff\xfe.png", b"p/a&#1;b.png", b"p/a\x02b.png", b"p/x//", b"p/."]
)
def test_whatever_a_server_lists_its_neighbours_are_listed(monkeypatch, key):
    server = Server(Lister, keys=[b"p/1.png", key, b"p/z.png"])
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": server.url,
    }.items():
        monkeypatch.setenv(name, value)
    store = ObjectStore()
    listed = store.below("s3://box/p")
    server.close()
    assert {"s3://box/p/1.png", "s3://box/p/z.png"} < set(listed["path"])
    assert len(listed) == 3


class Lister(http.server.BaseHTTPRequestHandler):
    """Lists some keys as they are, whatever it is asked."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        items = b"".join(
            b"<Contents><Key>%b</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            b"<ETag>&quot;1&quot;</ETag><Size>3</Size></Contents>" % key
            for key in self.server.keys
        )
        body = b"<ListBucketResult><IsTruncated>false</IsTruncated>%b</ListBucketResult>" % items
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.lengthy
def test_markers_of_folders_and_empty_objects_are_what_they_are(s3, as_file, make_photo):
    photo = as_file(make_photo(1))
    objects = {"p/": b"", "p/sub/": b"", "p/sub": photo, "p/sub/a.png": photo, "p/empty.png": b""}
    for name, data in {**objects, "p/empty": b"", "p": photo, "p2/x.png": photo}.items():
        s3.put(name, data)
    frame = score("s3://box/p")
    names = frame["path"].str.strip_prefix("s3://box/").to_list()
    assert names == ["p/empty.png", "p/sub", "p/sub/a.png"]
    assert "empty file" in frame["error"][0]
    # obstore calls both the same.
    s3.put("p/sub/a.png/", photo)
    s3.put("p/sub/b.png/", photo)
    frame = score("s3://box/p/sub")
    assert frame["path"].to_list() == ["s3://box/p/sub/a.png", "s3://box/p/sub/b.png"]
    assert frame["error"][0] is None
    assert "b.png: does not exist" in frame["error"][1]
    assert score(["s3://box/p"])["error"].to_list() == [None]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, "<Error><Code>ExpiredToken</Code><Message>hunter2pass</Message></Error>", "creden"),
        (403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", "check the credentials"),
        (301, "<Error><Code>PermanentRedirect</Code></Error>", "another region"),
        (404, "<Error><Code>NoSuchBucket</Code></Error>", "bucket does not exist"),
        (404, "<Error><Code>NoSuchKey</Code></Error>", "does not exist"),
        (418, "", "answered 418"),
    ],
)
def test_an_answer_is_told_for_what_it_is(s3, status, body, says):
    s3.body = body.encode()
    s3.fault = lambda *_: status
    with pytest.raises(InputError, match=says) as listing:
        score("s3://box/p")
    with pytest.raises(ImageError, match=says) as reading:
        source_for("s3://box").read("s3://box/credentials Connect.png")
    assert len(s3.asked) == 2
    for raised in (listing, reading):
        assert "hunter2pass" not in "".join(traceback.format_exception(raised.value))


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers as the name of the file says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.command, self.path))
        kind, data = self.path.partition(".")[0].strip("/"), self.server.data
        status = int(kind) if kind.isdecimal() else 302 if "away" in kind else 200
        self.send_response(status)
        if kind == "away":
            self.send_header("Location", "/plain.png?X-Amz-Signature=hunter2pass")
        elif kind == "round-away":
            self.send_header("Location", f"{self.path}?X-Amz-Signature=hunter2pass")
        length = len(data) + {"long": 500, "short": -500}.get(kind, 0)
        if kind == "chunks":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        if kind == "two":
            self.send_header("Content-Length", str(length + 1))
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (length, data) if kind == "chunks" else data)


@pytest.mark.lengthy
def test_what_web_servers_answer_is_told_for_what_it_is(as_file, make_photo):
    server = Server(Odd, data=as_file(make_photo(1)))
    says = {
        "plain": None,
        "away": None,
        "a%20b": None,
        "\u00fc +": None,
        "round-away": "without end",
        "404": "in no words",
        "chunks": "does not say how long",
        "two": "two lengths",
        "long": "was cut",
        "short": "truncated",
    }
    frame = score([f"{server.url}/{name}.png" for name in says])
    server.close()
    for error, expected in zip(frame["error"], says.values(), strict=True):
        assert (error is None) if expected is None else expected in error
    assert not frame["error"].drop_nulls().str.contains("hunter2pass").any()
    assert server.count("GET", "/long.png") == 4
    assert server.count("GET", "/short.png") == server.count("GET", "/404.png") == 1


OVER_TLS = """
import sys
import dedup_widgets as dw
from dedup_widgets.images.object_store import ObjectStore
from dedup_widgets.images.source import set_source
set_source("https://", ObjectStore(retry_config={"max_retries": 0}))
frame = dw.score(sys.argv[1:], model="perceptual", store=None, progress=False)
print(frame["error"].to_list())
"""


@pytest.mark.lengthy
def test_pictures_come_by_tls_and_a_wrong_certificate_is_named(as_file, make_photo, tmp_path):
    ours = authority(tmp_path)
    others = {
        "is signed by none whom this machine trusts": certificate(
            tmp_path, authority(tmp_path / "elsewhere"), "unknown", ["127.0.0.1"]
        ),
        "is one of another host": certificate(tmp_path, ours, "other", ["127.0.0.2"]),
        "has expired": certificate(
            tmp_path, ours, "old", ["127.0.0.1"], valid=-dt.timedelta(days=1)
        ),
    }
    good = certificate(tmp_path, ours, "good", ["127.0.0.1"])
    servers = [Server(Odd, data=as_file(make_photo(1))) for _ in range(1 + len(others))]
    for server, its in zip(servers, [good, *others.values()], strict=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(its)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    addresses = [server.url.replace("http:", "https:") for server in servers]
    done = subprocess.run(
        [sys.executable, "-c", OVER_TLS, *(f"{it}/plain.png" for it in addresses)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")},
    )
    for server in servers:
        server.close()
    said = ast.literal_eval(done.stdout)
    assert said[0] is None
    for error, address, wrong in zip(said[1:], addresses[1:], others, strict=True):
        host = address.removeprefix("https://")
        assert f"the certificate of {host} {wrong}" in error
        assert "SSL_CERT_FILE" in error


# Secrets


SIGNED = [
    "https://me:hunter2pass@example.org/a.jpg",
    "https://example.org/a.jpg?X-Amz-Credential=AKIA&X-Amz-Signature=hunter2pass",
    "https://account.blob.core.windows.net/box/a.jpg?sv=2024&sig=hunter2pass",
    "https://storage.googleapis.com/box/a.jpg?X-Goog-Signature=hunter2pass",
    "https://example.org/a.jpg?v=hunter2pass0123456789abcdef",
    "s3://AKIA:hunter2pass@box/a.jpg",
    "s3://box/a.jpg?X-Amz-Credential=AKIA&X-Amz-Signature=hunter2pass",
    "HTTPS://me:hunter2pass@example.org/a.jpg",
]


@pytest.mark.parametrize("url", SIGNED)
@pytest.mark.parametrize(
    "given", [str, lambda url: [url], lambda url: pl.DataFrame({"path": [url]})]
)
def test_what_would_keep_a_password_is_refused_without_showing_it(url, given):
    with pytest.raises(InputError) as raised:
        score(given(url))
    assert "hunter2pass" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("url", SIGNED)
def test_no_way_to_the_bytes_shows_a_password(url):
    for way in (source_for(url).read, source_for(url).stat):
        with pytest.raises(ImageError) as raised:
            way(url)
        assert "hunter2pass" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.lengthy
def test_credentials_are_in_no_frame_error_or_log(s3, photos, caplog, capfd, own_store):
    set_source("s3://", ObjectStore(retry_config={"max_retries": 0}))
    caplog.set_level(0)
    s3.fault = lambda _, path, __: 403 if "photo-003" in path else None
    frame = score("s3://box/photos")
    s3.fault = lambda *_: 403
    with pytest.raises(InputError, match="permission denied") as raised:
        score("s3://box/photos")
    said = [
        *("".join(traceback.format_exception(raised.value)), repr(raised.value.__context__)),
        *(repr(source_for("s3://box")), caplog.text, *capfd.readouterr()),
        json.dumps(frame.drop("embedding", "modified").to_dicts(), default=str),
        own_store.read_bytes().decode("latin-1"),
    ]
    for text in said:
        assert KEY_ID not in text
        assert SECRET not in text
        assert not re.search("(?i)signature=|authorization", text)
    assert "permission denied (403 SlowDown)" in frame["error"].str.join("")[0]


# The extra


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    for images in ("s3://box/photos", ["https://example.org/a.jpg"]):
        with pytest.raises(InputError, match=r'pip install "dedup-widgets\[cloud\]"'):
            score(images)


@pytest.mark.lengthy
def test_a_frame_of_objects_is_shown_without_the_extra(s3, photos, monkeypatch):
    frame = score("s3://box/photos")
    monkeypatch.setitem(sys.modules, "obstore", None)
    ex = dw.Explorer(frame)
    assert len(ex.view) == len(frame)


# A work folder in a bucket


@pytest.mark.lengthy
def test_a_run_over_a_bucket_with_its_work_in_another_is_the_one_over_files(s3, photos):
    far = dw.score("s3://box/photos", model="perceptual", work="s3://box/work", progress=False)
    here = dw.score(photos, model="perceptual", progress=False)
    same(far, here, (f"{photos}/", "s3://box/photos/"))
    assert_frame_equal(dw.scale.open("s3://box/work").collect(), far)
    assert s3.count("GET", "/box/photos/photo-") == 6
    s3.asked.clear()
    again = dw.score("s3://box/photos", model="perceptual", work="s3://box/work", progress=False)
    assert_frame_equal(again, far)
    assert s3.count("GET", "/box/photos/photo-") == 0


@pytest.mark.lengthy
def test_a_work_folder_in_a_bucket_outlasts_refusals_and_cut_connections(s3, photos):
    here = dw.score(photos, model="perceptual", progress=False)

    def fault(method, path, times):
        if times == 1 and "/work/" in path:
            return "cut" if method == "GET" and path.endswith(".parquet") else 503
        return None

    s3.fault = fault
    far = dw.score("s3://box/photos", model="perceptual", work="s3://box/work", progress=False)
    same(far, here, (f"{photos}/", "s3://box/photos/"))


def test_of_two_that_write_one_file_the_second_is_told(s3):
    for work in (Work.at("s3://box/work"), Work.at("s3://box/more")):
        assert work.write("a/one", b"first", only_new=True)
        assert not work.write("a/one", b"second", only_new=True)
        assert work.read("a/one") == b"first"
        assert work.read_ranges("a/one", [0, 3], [2, 5]) == [b"fi", b"st"]
        assert work.names("a") == {"one"}
        with pytest.raises(StoreError, match="lacks a file"):
            work.read("a/none")
