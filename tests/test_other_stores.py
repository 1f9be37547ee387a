"""Pictures in the stores of Azure and Google, by their emulators."""

import json
import os

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dedup_widgets as dw
from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.images.object_store import ObjectStore
from dedup_widgets.images.source import set_source, source_for
from dedup_widgets.scale.work import Work
from emulators import ACCOUNT, KEY, GoogleProxy, azurite, fake_gcs, put_azure, put_google
from page import Page
from stores import Proxy, Server

pytest.importorskip("obstore")
pytestmark = [pytest.mark.lengthy, pytest.mark.slow]


@pytest.fixture(scope="module")
def azure():
    with azurite() as port:
        yield port


@pytest.fixture(scope="module")
def google():
    with fake_gcs() as port:
        yield port


@pytest.fixture(params=["az", "gs"])
def box(request, monkeypatch, photo_folder):
    """Return where a folder of pictures lies in a store, that folder, and the server."""
    scheme = request.param
    port = request.getfixturevalue({"az": "azure", "gs": "google"}[scheme])
    server = Server(
        {"az": Proxy, "gs": GoogleProxy}[scheme],
        upstream=port,
        fault=lambda *_: None,
        body=b"<Error><Code>ServerBusy</Code></Error>",
    )
    if scheme == "az":
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
        monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
        monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", server.url)
        set_source("az://", ObjectStore())
    else:
        account = {"gcs_base_url": server.url, "disable_oauth": True, "client_email": ""}
        account |= {"private_key": "", "private_key_id": ""}
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(account))
        set_source("gs://", ObjectStore(client_options={"allow_http": True}))
    folder = photo_folder(5, copies=2)
    (folder / "deep").mkdir()
    for name in ("ü #?%+.png", "deep/[x] ~.png", "deep/no suffix"):
        (folder / name).write_bytes((folder / "photo-001.png").read_bytes())
    (folder / "deep" / "no picture").write_bytes(b"nothing")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    put = {"az": put_azure, "gs": put_google}[scheme]
    prefix = request.node.originalname
    for file in folder.rglob("*"):
        os.utime(file, (1e9, 1e9))
        if file.is_file():
            put(port, f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    yield f"{scheme}://box/{prefix}", folder, server
    set_source(f"{scheme}://", None)
    server.close()


def score(images, **arguments):
    return dw.score(images, model="perceptual", progress=False, **arguments)


def same(far, here, url, folder):
    below = pl.col("path", "nearest", "error").str.replace(str(folder), url, literal=True)
    assert_frame_equal(
        far.drop("modified"),
        here.drop("modified").with_columns(below).select(far.drop("modified").columns),
    )


def test_the_frame_over_another_store_is_the_one_over_files(box):
    url, folder, server = box
    far = score(url)
    same(far, score(folder), url, folder)
    # A listing, each picture once, and what has no suffix and is none.
    assert len(server.asked) == 1 + len(far) + 1
    server.asked.clear()
    assert_frame_equal(score(url), far)
    assert len(server.asked) == 2


def test_pictures_of_another_store_are_shown_and_made_a_dataset_of(box, tmp_path):
    url, folder, server = box
    frame = score(f"{url}/photo*")
    server.asked.clear()
    page = Page(dw.ImageGrid(frame.select("path"), store=tmp_path / "store"))
    tiles = page.ask("tiles", rows=list(range(len(frame))))["tiles"]
    assert all(tile["thumb"] and tile["error"] is None for tile in tiles)
    assert server.count("GET", "photo-") == len(frame)
    made = dw.create_dataset(frame, "clean", root=tmp_path / "sets", progress=False)
    found = sorted(path.read_bytes() for path in (made.path / "train").glob("*.png"))
    assert found == sorted(path.read_bytes() for path in folder.glob("photo*"))
    similar = dw.similar(frame, f"{url}/deep/no suffix", k=1)
    assert similar["path"].to_list() == [f"{url}/photo-001.png"]


def test_a_work_folder_lies_in_another_store(box):
    url, folder, _ = box
    far = score(url, work=f"{url}-work")
    same(far, score(folder), url, folder)
    assert_frame_equal(score(url, work=f"{url}-work"), far)
    work = Work.at(f"{url}-more")
    assert work.write("a/one", b"first", only_new=True)
    assert not work.write("a/one", b"second", only_new=True)
    assert work.read_ranges("a/one", [0, 3], [2, 5]) == [b"fi", b"st"]


def test_refusals_and_cuts_of_another_store_are_repeated(box, tmp_path):
    url, _, server = box
    calm = score(url)

    def fault(method, path, times):
        if times == 1:
            return "cut" if "photo-00" in path else 503
        return None

    server.fault = fault
    assert_frame_equal(score(url, store=tmp_path / "other"), calm)


def test_what_another_store_answers_is_told_for_what_it_is(box):
    url, _, server = box
    with pytest.raises(ImageError, match="does not exist"):
        source_for(url).read(f"{url}/gone.png")
    for status, code, says in (
        (404, "ContainerNotFound", "the bucket does not exist"),
        (404, "NoSuchBucket", "the bucket does not exist"),
        (403, "AuthenticationFailed", "permission denied"),
        (403, "AccessDenied", "permission denied"),
    ):
        server.body = f"<Error><Code>{code}</Code></Error>".encode()
        server.fault = lambda *_, status=status: status
        with pytest.raises(InputError, match=says) as raised:
            score(url)
        assert KEY not in str(raised.value)
