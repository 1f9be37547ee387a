import hashlib
import json
import math
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import polars as pl
import pytest
from PIL import Image

import dedup_widgets as dw
from dedup_widgets.dataset.annotate import LabelStudio, annotate, labelling, predictions, task_data
from dedup_widgets.dataset.create import create_dataset
from dedup_widgets.dataset.label_studio import Handover
from dedup_widgets.dataset.result import Annotation, Dataset
from dedup_widgets.errors import AnnotateError, InputError
from dedup_widgets.frame.annotations import ANNOTATIONS
from installing import InstallError
from label_studio_server import (
    Server,
    find_or_install,
    free_port,
    run_label_studio,
)
from needs import do_without

needs_httpx = pytest.mark.skipif(
    find_spec("httpx") is None, reason="NO HTTPX: install the extra annotate"
)

TOKEN = hashlib.sha1(b"only for tests").hexdigest()


@pytest.fixture(autouse=True)
def no_server_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)


@pytest.fixture
def frame(tmp_path: Path, make_photo: Callable[..., Image.Image]) -> pl.DataFrame:
    """Return five photos, with names that are awkward in an address."""
    folder = tmp_path / "photos"
    folder.mkdir()
    names = ["a b+c.png", "100 % é.png", "x&y=z#1.png", "'q'.png", "photo.png"]
    for seed, name in enumerate(names):
        make_photo(seed, (40 + seed, 30)).save(folder / name)
    return pl.DataFrame(
        {
            "path": [str(folder / name) for name in names],
            "label": ["cat", "dog", None, "cat", 'a "b" & <c>'],
            "uniqueness": [0.5, math.nan, 0.25, 1.0, None],
        }
    )


def create(frame: pl.DataFrame, root: Path, name: str = "clean v1", **options: Any) -> Dataset:
    return create_dataset(frame, name, root=root, **{"progress": False, **options})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def whole(folder: Path) -> bool:
    names = sorted(file.name for file in folder.iterdir())
    return names == ["README.md", "removed.parquet", "train"] and len(contents(folder)) == 8


@pytest.mark.slow
@needs_httpx
def test_without_a_server_the_error_says_how_to_start_one_and_the_dataset_stays(
    frame: pl.DataFrame, tmp_path: Path
) -> None:
    port = free_port()
    with pytest.raises(AnnotateError) as caught:
        create(
            frame,
            tmp_path / "my datasets",
            project="Pets",
            annotate=LabelStudio(f"http://127.0.0.1:{port}", "secret"),
        )
    folder = tmp_path / "my datasets" / "clean v1"
    text = str(caught.value)
    assert text.startswith("clean v1 was not sent to Label Studio: no server answers at http://")
    assert "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true" in text
    assert f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT='{tmp_path / 'my datasets'}'" in text
    assert f"--port {port}" in text
    assert f"The dataset is whole in {folder}" in text
    assert f"dw.annotate('{folder}', server, project='Pets')" in text
    assert "secret" not in text
    assert whole(folder)
    assert caught.value.dataset is not None
    assert (caught.value.dataset.path, caught.value.dataset.annotation) == (folder, None)


def test_without_a_token_nothing_is_written_and_the_error_names_the_variable(
    frame: pl.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"LABEL_STUDIO_API_KEY(.|\n)*label-studio start"):
        create(frame, tmp_path / "datasets", annotate=True)
    assert not (tmp_path / "datasets").exists()


def test_address_and_token_come_from_the_environment_unless_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (LabelStudio().address, LabelStudio().key) == ("http://localhost:8080", "")
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://there:1/")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", " theirs\n")
    assert (LabelStudio().address, LabelStudio().key) == ("http://there:1", "theirs")
    mine = LabelStudio("http://here:2", "mine")
    assert (mine.address, mine.key) == ("http://here:2", "mine")
    assert "mine" not in repr(mine)


def test_without_httpx_nothing_is_written_and_the_error_has_the_pip_command(
    frame: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(AnnotateError, match=r'pip install "dedup-widgets\[annotate\]"'):
        create(frame, tmp_path / "datasets", annotate=LabelStudio(token="x"))
    assert not (tmp_path / "datasets").exists()


@pytest.mark.slow
@needs_httpx
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"annotate": 8080}, "annotate is 8080; pass a LabelStudio"),
        ({"annotate": "localhost:8080"}, "'localhost:8080' is no address of a server"),
        ({"annotate": "http://[::1"}, "is no address of a server"),
        ({"annotate": LabelStudio(token="t\u00e9")}, "the token has characters"),
        ({"name": "v1"}, "the project title 'v1' has 2 characters"),
        ({"project": "x" * 51}, "has 51 characters; Label Studio takes 3 to 50"),
        ({"annotate": LabelStudio(label="breed")}, "label needs a column 'breed'"),
        ({"annotate": LabelStudio(label="nothing")}, "column 'nothing' has 0 labels"),
        ({"annotate": LabelStudio(label_config="<View>")}, "no valid XML"),
        ({"annotate": LabelStudio(label="label", label_config="<View/>")}, "not both"),
        ({"mode": "paths"}, "needs pictures as files"),
        ({"format": "webdataset"}, "needs pictures as files"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    options: dict[str, Any],
    message: str,
    frame: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "x")
    options = {"annotate": True, **options}
    with pytest.raises(InputError, match=re.escape(message)):
        create(frame.with_columns(nothing=None), tmp_path / "datasets", **options)
    assert not (tmp_path / "datasets").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "paths"}, "holds only the paths of its pictures"),
        ({"format": "webdataset"}, "the pictures are in tar files"),
    ],
)
def test_a_dataset_without_pictures_as_files_cannot_be_sent_later(
    options: dict[str, Any], message: str, frame: pl.DataFrame, tmp_path: Path
) -> None:
    dataset = create(frame, tmp_path / "datasets", **options)
    with pytest.raises(InputError, match=message):
        annotate(dataset, LabelStudio(token="x"))


def test_a_dataset_that_lost_a_picture_cannot_be_sent(frame: pl.DataFrame, tmp_path: Path) -> None:
    dataset = create(frame, tmp_path / "datasets")
    (dataset.path / "train" / "photo.png").unlink()
    with pytest.raises(InputError, match=r"1 of its 5 pictures are missing, train/photo\.png"):
        annotate(dataset.path, LabelStudio(token="x"))


def test_the_labels_of_a_column_are_the_choices_whatever_they_contain() -> None:
    def choices(server: LabelStudio, **columns: Any) -> list[str | None]:
        root = ElementTree.fromstring(labelling(server, pl.DataFrame(columns)))
        return [choice.get("value") for choice in root.iter("Choice")]

    odd = 'a "b" & <c>'
    assert choices(LabelStudio(), label=["dog", odd, None, "dog", " "]) == [odd, "dog"]
    assert choices(LabelStudio(label="breed"), label=["dog"], breed=[10]) == ["10"]
    for nothing in ([None], ["  "], [["dog"]], [str(i) for i in range(1001)]):
        assert choices(LabelStudio(), label=nothing) == ["keep", "remove"]
    assert choices(LabelStudio(), other=["dog"]) == ["keep", "remove"]
    assert labelling(LabelStudio(label_config="<View/>"), pl.DataFrame()) == "<View/>"


def test_tasks_hold_every_plain_column_as_json_and_none_is_lost_to_another_name() -> None:
    import datetime as dt

    pictures = pl.DataFrame(
        {
            "file_name": ["a#b.png", "c.png"],
            "split": ["train", "test"],
            "dataset": ["theirs", None],
            "dataset_": [1, 2],
            "nan": [math.nan, 1.5],
            "infinite": [math.inf, None],
            "price": pl.Series([1, 2], dtype=pl.Decimal(10, 2)),
            "when": [dt.datetime(2020, 1, 1), None],
            "box": [{"x": 1}, {"x": 2}],
            "tags": [["a"], []],
            "raw": [b"\xff", None],
        }
    )
    rows = task_data(Handover(Path("/data/clean"), "clean", "Hello"), pictures, "clean").to_dicts()
    assert rows[0] == {
        "image": "/data/local-files/?d=clean/train/a%23b.png",
        "dataset": "clean",
        "dataset_description": "Hello",
        "split": "train",
        "file_name": "a#b.png",
        "dataset__": "theirs",
        "dataset_": 1,
        "nan": None,
        "infinite": None,
        "price": 1.0,
        "when": "2020-01-01 00:00:00.000000",
    }
    assert rows[1]["image"] == "/data/local-files/?d=clean/test/c.png"
    json.dumps(rows, allow_nan=False)


@contextmanager
def failing_server(answers: dict[str, tuple[int, str] | None]) -> Iterator[tuple[str, list[str]]]:
    """Run a server that answers so (None: hangs up), and 500 otherwise; yield its address."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = answers.get(asked[-1], answers.get("*", (500, "")))
            if found is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, body = found
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    for verb in ("GET", "POST", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
@needs_httpx
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, '{"detail": "Invalid token."}'), r"does not accept the token \(Invalid token\.\)"),
        ((403, '{"detail": "No."}'), r"does not permit this to the user of the token \(No\.\)"),
        ((500, "oh"), r"failed \(HTTP 500\); look at the server's log"),
        ((200, "<html>Sign in"), "something answers at .*, but not as Label Studio does"),
        ((200, "[1]"), "but not as Label Studio does"),
        ((200, '{"name": "other"}'), "but not as Label Studio does"),
        ((404, '{"detail": "Not found."}'), "but not as Label Studio does"),
        (None, r"the connection to .* failed"),
    ],
)
def test_a_server_that_fails_is_told_apart_and_the_dataset_is_not_touched(
    answer: tuple[int, str] | None, message: str, frame: pl.DataFrame, tmp_path: Path
) -> None:
    dataset = create(frame, tmp_path / "datasets")
    before = contents(dataset.path)
    with (
        failing_server({"*": answer}) as (url, asked),
        pytest.raises(AnnotateError, match=message),
    ):
        annotate(dataset, LabelStudio(url, "x"), progress=False)
    assert asked == ["GET /api/current-user/whoami"]
    assert contents(dataset.path) == before


@pytest.mark.slow
@needs_httpx
def test_a_server_that_does_not_answer_is_given_up(frame: pl.DataFrame, tmp_path: Path) -> None:
    dataset = create(frame, tmp_path / "datasets")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(AnnotateError, match=r"did not answer within 0\.5 seconds"):
            annotate(dataset, LabelStudio(url, "x", timeout=0.5), progress=False)


@pytest.mark.slow
@needs_httpx
def test_a_half_made_project_that_cannot_be_deleted_is_named(
    frame: pl.DataFrame, tmp_path: Path
) -> None:
    dataset = create(frame, tmp_path / "datasets")
    answers: dict[str, tuple[int, str] | None] = {
        "GET /api/current-user/whoami": (200, '{"id": 1}'),
        "POST /api/projects/": (201, '{"id": 7}'),
    }
    with (
        failing_server(answers) as (url, asked),
        pytest.raises(AnnotateError, match=rf"project 7, 'clean v1', .*{url}/projects/7/settings"),
    ):
        annotate(dataset, LabelStudio(url, "x"), progress=False)
    assert asked[-1] == "DELETE /api/projects/7/"


@pytest.fixture(scope="module")
def scripts() -> Path:
    """Return the folder of the command ``label-studio``, which is installed if need be."""
    pytest.importorskip("httpx")
    if sys.platform == "win32":
        pytest.skip("the command that starts a server is for a POSIX shell")
    try:
        return find_or_install()
    except InstallError as error:
        do_without("Label Studio", error)


def command_of(error: Exception) -> str:
    """Return the command by which an error says that a server is started."""
    return next(line.strip() for line in str(error).splitlines() if "label-studio start" in line)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("label-studio")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of datasets that the server may serve."""
    return tmp_path_factory.mktemp("served") / "my datasets"


@pytest.fixture(scope="module")
def server(
    scripts: Path,
    home: Path,
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
    make_photo: Callable[..., Image.Image],
) -> Iterator[Server]:
    """Start a server by the very command of the error that there is none."""
    port = free_port()
    photo = tmp_path_factory.mktemp("first") / "photo.png"
    make_photo(0).save(photo)
    with pytest.raises(AnnotateError) as caught:
        create(
            pl.DataFrame({"path": [str(photo)]}),
            root,
            "first",
            annotate=LabelStudio(f"http://127.0.0.1:{port}", TOKEN),
        )
    command, token = command_of(caught.value), {"LABEL_STUDIO_API_KEY": TOKEN}
    with run_label_studio(command, port, TOKEN, scripts, home, token) as server:
        yield server


@pytest.fixture
def ready(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the server, with its address and token in the environment."""
    monkeypatch.setenv("LABEL_STUDIO_URL", server.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.token)
    return server


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a name for a dataset that no other test uses."""
    return hashlib.sha1(request.node.name.encode()).hexdigest()[:12]


def projects(server: Server) -> dict[str, Any]:
    found = server.json("/api/projects/?page_size=1000")["results"]
    return {project["title"]: project for project in found}


def tasks(server: Server, project: int) -> list[dict[str, Any]]:
    found = server.json(f"/api/tasks/?project={project}&fields=all&page_size=1000")["tasks"]
    return [task["data"] for task in sorted(found, key=lambda task: task["id"])]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink"])
def test_a_dataset_becomes_a_project_with_a_task_an_image_which_the_server_shows(
    mode: Any, frame: pl.DataFrame, name: str, root: Path, ready: Server
) -> None:
    told: list[tuple[int, int]] = []
    dataset = create(
        frame.with_columns(split=pl.Series(["train", "test", "train", "test", "train"])),
        root,
        name,
        description="Cats & <dogs>",
        project=f"Pets {name}",
        project_description="Which pet is it?",
        split_column="split",
        mode=mode,
        annotate=True,
        progress=lambda done, total: told.append((done, total)),
    )
    sent = dataset.annotation
    assert isinstance(sent, Annotation)
    assert sent.tasks == 5
    assert sent.url == f"{ready.url}/projects/{sent.project}/data"
    assert told[-1] == (15, 15)

    project = ready.json(f"/api/projects/{sent.project}/")
    assert project["title"] == sent.title == f"Pets {name}"
    assert project["description"] == "Which pet is it?"
    assert project["task_number"] == 5
    choices = ElementTree.fromstring(project["label_config"]).iter("Choice")
    assert [choice.get("value") for choice in choices] == ['a "b" & <c>', "cat", "dog"]
    (storage,) = ready.json(f"/api/storages/localfiles/?project={sent.project}")
    assert (storage["title"], storage["description"]) == (name, "Cats & <dogs>")

    rows = tasks(ready, sent.project)
    assert len(rows) == 5
    known = {row["path"]: row for row in frame.iter_rows(named=True)}
    for row in rows:
        source = known.pop(row["source_path"])
        assert ready.get(row["image"]) == Path(source["path"]).read_bytes()
        assert (row["dataset"], row["dataset_description"]) == (name, "Cats & <dogs>")
        assert (dataset.path / row["split"] / row["file_name"]).exists()
        assert row["label"] == source["label"]
        assert row["uniqueness"] in (None, source["uniqueness"])
    assert not known


@pytest.mark.slow
def test_a_wrong_token_sends_nothing_and_the_call_in_the_error_sends_it_later(
    frame: pl.DataFrame, name: str, root: Path, ready: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = projects(ready)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    with pytest.raises(AnnotateError, match="does not accept the token") as caught:
        create(frame, root, name, description="It's\nhere", project="Pets", annotate=ready.url)
    assert projects(ready) == before
    assert whole(root / name)

    monkeypatch.setenv("LABEL_STUDIO_API_KEY", ready.token)
    call = str(caught.value).splitlines()[-1].strip()
    sent = eval(call, {"dw": dw})
    assert ready.json(f"/api/projects/{sent.project}/")["title"] == "Pets"
    rows = tasks(ready, sent.project)
    assert [row["dataset_description"] for row in rows] == ["It's\nhere"] * 5


@pytest.mark.slow
def test_a_personal_access_token_is_as_good_as_a_legacy_one(
    frame: pl.DataFrame, name: str, root: Path, ready: Server
) -> None:
    token = ready.post("/api/token/")["token"]
    dataset = create(frame, root, name, annotate=LabelStudio(ready.url, token))
    assert dataset.annotation is not None
    assert dataset.annotation.tasks == 5


@pytest.mark.slow
def test_a_folder_that_the_server_may_not_serve_leaves_no_project_and_the_dataset_whole(
    frame: pl.DataFrame, name: str, tmp_path: Path, root: Path, ready: Server
) -> None:
    before = projects(ready)
    with pytest.raises(AnnotateError) as caught:
        create(frame, tmp_path / "elsewhere", name, annotate=True)
    text = str(caught.value)
    assert f'must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT="{root}"' in text
    assert "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to a folder above the dataset" in text
    assert "The half-made project was deleted from the server" in text
    assert projects(ready) == before
    assert whole(tmp_path / "elsewhere" / name)


@pytest.mark.slow
def test_a_server_that_sees_the_dataset_under_another_path_is_told_so(
    frame: pl.DataFrame, name: str, tmp_path: Path, root: Path, ready: Server
) -> None:
    dataset = create(frame, tmp_path / "here", name)
    mount = root / f"mount of {name}"
    mount.symlink_to(tmp_path / "here")
    sent = annotate(dataset, LabelStudio(root_on_server=str(mount)), progress=False)
    (first, *_) = tasks(ready, sent.project)
    assert quote(mount.name) in first["image"]
    assert ready.get(first["image"]) == Path(first["source_path"]).read_bytes()


@pytest.mark.slow
def test_a_server_that_would_show_other_pictures_is_refused(
    frame: pl.DataFrame, name: str, tmp_path: Path, root: Path, ready: Server
) -> None:
    before = projects(ready)
    dataset = create(frame, tmp_path / "here", name)
    other = create(frame.reverse(), root, name, mode="copy")
    for file in (other.path / "train").glob("*.png"):
        file.write_bytes(b"other")
    with pytest.raises(AnnotateError, match=r"does not serve .* other bytes"):
        annotate(dataset, LabelStudio(root_on_server=str(root)), progress=False)
    assert projects(ready) == before


@pytest.mark.slow
def test_a_labelling_configuration_that_the_server_refuses_leaves_no_project(
    frame: pl.DataFrame, name: str, root: Path, ready: Server
) -> None:
    before, dataset = projects(ready), create(frame, root, name)
    choices = '<Choices name="c" toName="{}"><Choice value="x"/></Choices>'
    for image, to, message in (
        ("$image", "nowhere", r"label_config: toName=\"nowhere\" not found"),
        ("$picture", "i", '"picture" key is expected in task data'),
    ):
        config = f'<View><Image name="i" value="{image}"/>{choices.format(to)}</View>'
        with pytest.raises(AnnotateError, match=message):
            annotate(dataset, LabelStudio(label_config=config), progress=False)
    assert projects(ready) == before


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupt_between_batches_deletes_the_project_and_keeps_the_dataset(
    error: type[BaseException],
    frame: pl.DataFrame,
    name: str,
    root: Path,
    ready: Server,
) -> None:
    before = projects(ready)
    titles = []

    def interrupt(done: int, total: int) -> None:
        assert total == 15
        if done == 12:
            titles.extend(set(projects(ready)) - set(before))
            raise error

    with pytest.raises(error) as caught:
        create(frame, root, name, annotate=LabelStudio(tasks_a_request=2), progress=interrupt)
    assert titles == [name]
    assert projects(ready) == before
    assert whole(root / name)
    assert any("The dataset is whole in" in note for note in caught.value.__notes__)
    assert annotate(root / name, progress=False).tasks == 5


@pytest.mark.slow
def test_a_server_without_local_file_serving_says_which_setting_it_needs(
    frame: pl.DataFrame,
    name: str,
    root: Path,
    home: Path,
    scripts: Path,
    server: Server,
    tmp_path: Path,
) -> None:
    port = free_port()
    shutil.copytree(home / "data", tmp_path / "home" / "data")
    command = f"label-studio start --no-browser --internal-host 127.0.0.1 --port {port}"
    closed = {"LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "false"}
    with run_label_studio(command, port, TOKEN, scripts, tmp_path / "home", closed) as other:
        before = projects(other)
        with pytest.raises(AnnotateError, match="LOCAL_FILES_SERVING_ENABLED is disabled") as error:
            create(frame, root, name, annotate=LabelStudio(other.url, TOKEN))
        assert "must be started with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true" in str(
            error.value
        )
        assert projects(other) == before
        assert whole(root / name)


@pytest.mark.parametrize(
    ("server", "chosen"),
    [
        (LabelStudio(), [("label", "cat"), ("label", "dog"), None]),
        (LabelStudio(label="kind"), [("label", "x"), ("label", "y"), ("label", "x")]),
        (
            LabelStudio(
                label_config='<View><Image name="i" value="$image"/><Choices name="pet" toName="i">'
                '<Choice value="cat"/></Choices></View>'
            ),
            [("pet", "cat"), None, None],
        ),
        (LabelStudio(label_config='<View><Image name="i" value="$image"/></View>'), [None] * 3),
    ],
)
def test_known_labels_are_predictions_where_the_configuration_has_them(server, chosen) -> None:
    pictures = pl.DataFrame({"label": ["cat", "dog", None], "kind": ["x", "y", "x"]})
    found = predictions(server, pictures)
    said = [(it[0].control, it[0].value["choices"][0]) if it else None for it in found]
    assert said == chosen
    assert not found[0] or found[0][0].as_json()["type"] == "choices"


def test_known_boxes_are_predictions_in_percent_where_the_configuration_has_rectangles() -> None:
    dog = {"category": "dog", "bbox": [20.0, 10.0, 100.0, 50.0], "segmentation": None}
    pictures = pl.DataFrame(
        {
            "width": [200, 200, 200],
            "height": [100, 100, 100],
            "annotations": pl.Series([[dog], [], None], dtype=ANNOTATIONS),
        }
    )
    server = LabelStudio()
    assert '<Label value="dog"/>' in labelling(server, pictures)
    (box,), *others = predictions(server, pictures)
    assert others == [[], []]
    told = box.as_json()
    assert (told["type"], told["original_width"], told["original_height"]) == (
        "rectanglelabels",
        200,
        100,
    )
    sides = {"x": 10.0, "y": 10.0, "width": 50.0, "height": 50.0}
    assert told["value"] == sides | {"rotation": 0, "rectanglelabels": ["dog"]}
    of_cats = LabelStudio(
        label_config='<View><Image name="i" value="$image"/><RectangleLabels name="r" toName="i">'
        '<Label value="cat"/></RectangleLabels></View>'
    )
    assert predictions(of_cats, pictures) == [[], [], []]
