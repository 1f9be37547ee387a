"""No token, password or signed address goes where it was not meant to, or is shown."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets._secrets import without_secrets
from dedup_widgets.dataset.label_studio import LabelStudio
from dedup_widgets.errors import AnnotateError, DedupError, ImageError, InputError
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.source import set_source
from page import Page
from test_explorer import dataset as form

SECRET = "secret-of-the-environment"


class Server:
    """A server that answers all with its own refusal, and notes what it was sent."""

    def __init__(self, answer: str = "", status: int = 401, to: str | None = None) -> None:
        heard = self.heard = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                heard.append(f"{self.headers}{body.decode()}")
                self.send_response(status)
                if to is not None:
                    self.send_header("Location", to)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        for verb in ("POST", "DELETE"):
            setattr(Handler, f"do_{verb}", Handler.do_GET)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def made(photo_folder, tmp_path):
    pytest.importorskip("httpx")
    paths = [str(path) for path in photo_folder(3).iterdir()]
    frame = pl.DataFrame({"path": paths})
    return dw.create_dataset(frame, "sent", root=tmp_path / "datasets", progress=False)


@pytest.fixture
def environment(monkeypatch) -> Iterator[None]:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", SECRET)


@pytest.mark.parametrize("given", [str, LabelStudio, lambda url: LabelStudio(url, None)])
def test_the_token_of_the_environment_goes_to_no_other_server(made, environment, given):
    with (
        Server() as server,
        pytest.raises(InputError, match=r"that of the environment is for http://127\.0\.0\.1:9"),
    ):
        dw.annotate(made, given(server.url), progress=False)
    assert server.heard == []


@pytest.mark.lengthy
def test_nor_does_it_by_a_page(photo_folder, tmp_path, environment):
    ex = dw.Explorer(photo_folder(3), model="perceptual", progress=False)
    with Server() as server:
        wanted = form({"kind": "plan"}, tmp_path, annotate={"url": server.url, "token": ""})
        for kind in ("preview", "create"):
            Page(ex).ask(kind, dataset=wanted)
    assert server.heard == []


def test_without_an_address_it_is_for_the_usual_one(monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", SECRET)
    assert LabelStudio().key == LabelStudio("http://LOCALHOST:8080/").key == SECRET
    for other in ("http://localhost:8081", "https://localhost:8080", "http://there", "nothing"):
        assert LabelStudio(other).key == ""


@pytest.mark.lengthy
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_server_that_repeats_the_token_does_not_get_it_shown(made, status):
    answer = '{"detail": "no user of token-of-mine"}'
    with Server(answer, status) as server, pytest.raises(AnnotateError) as caught:
        dw.annotate(made, LabelStudio(server.url, "token-of-mine"), progress=False)
    assert "token-of-mine" in server.heard[0]
    assert "token-of-mine" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.lengthy
@pytest.mark.parametrize("token", ["legacy-token", "a-personal.access.token"])
def test_a_redirect_takes_the_token_to_no_other_server(made, token):
    with Server() as other, Server(status=307, to=other.url) as server:
        with pytest.raises(AnnotateError):
            dw.annotate(made, LabelStudio(server.url, token), progress=False)
        assert token in server.heard[0]
        assert not any(token in heard for heard in other.heard)


@pytest.mark.parametrize(
    "url", ["http://ann:pw-of-ann@host", "http://host?token=pw-of-ann", "https://pw-of-ann@host/x"]
)
def test_an_address_with_a_password_is_refused_and_not_shown(made, url):
    server = LabelStudio(url, "x")
    assert "pw-of-ann" not in repr(server)
    with pytest.raises(InputError) as caught:
        dw.annotate(made, server, progress=False)
    assert "pw-of-ann" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://ann:pw@b/a.jpg: no", "s3://…@b/a.jpg: no"),
        ("'https://h/a.jpg?sig=1f&x=2': no", "'https://h/a.jpg?…': no"),
        ("https://h/a?X-Amz-Date=1&X-Amz-Signature=1f no", "https://h/a?… no"),
        ("https://h/a?AWSAccessKeyId=1&Signature=2", "https://h/a?…"),
        ("https://h/a?x-goog-credential=1", "https://h/a?…"),
        ("https://h/a.jpg?size=7 and a@b", "https://h/a.jpg?size=7 and a@b"),
        ("/photos/a@b?sig=1.jpg", "/photos/a@b?sig=1.jpg"),
    ],
)
def test_logins_and_signatures_are_left_out_of_texts(text, shown):
    assert without_secrets(text) == shown
    assert str(DedupError(text)) == shown


def test_the_token_of_the_environment_is_in_no_error(environment):
    assert SECRET not in str(InputError(f"cannot use {SECRET}"))
    assert SECRET not in repr(InputError(f"cannot use {SECRET}"))


class Shop:
    """A source of signed addresses, of which one leads nowhere."""

    def __init__(self, data):
        self.data = data

    def read(self, path):
        if "gone" in path:
            raise ImageError(f"{path}: does not exist")
        return self.data

    def stat(self, path):
        return Entry(path, len(self.data), "1")


@pytest.mark.lengthy
def test_signed_addresses_are_in_no_error_row_and_no_dataset(tmp_path, photo_folder):
    (photo, *_) = photo_folder(1).iterdir()
    set_source("shop://", Shop(photo.read_bytes()))
    try:
        paths = [f"shop://host/{name}.png?sig=pw-of-ann" for name in ("a", "gone")]
        frame = dw.score(paths, model="perceptual", progress=False, store=tmp_path / "store")
        assert "pw-of-ann" not in str(frame["error"].to_list())
        made = dw.create_dataset(
            frame, "x", root=tmp_path / "out", mode="copy", progress=False, removed=None
        )
    finally:
        set_source("shop://", None)
    for file in made.path.rglob("*.*"):
        if file.suffix == ".parquet":
            assert "pw-of-ann" not in str(pl.read_parquet(file).rows())
        assert b"pw-of-ann" not in file.read_bytes()


@pytest.mark.lengthy
def test_a_page_makes_datasets_where_it_may_only(photo_folder, tmp_path):
    session = dw.Session(photo_folder(3), model="perceptual", progress=False)
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "out").symlink_to(tmp_path / "elsewhere")
    page = Page(dw.Explorer(session, roots=[allowed]))
    for root in (tmp_path, allowed / ".." / "x", allowed / "out", f"{allowed}2", "~"):
        for kind in ("preview", "create"):
            reply = page.ask(kind, dataset=form({"kind": "plan"}, root))
            assert "may be made in" in reply["error"]["message"]
            assert "choose another folder of datasets" in reply["error"]["message"]
    assert page.ask("create", dataset=form({"kind": "plan"}, allowed / "sub"))["ok"]
    assert page.ask("preview", dataset=form({"kind": "plan"}, allowed))["ok"]
