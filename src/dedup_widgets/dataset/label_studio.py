"""The client of a Label Studio server; whatever fails there becomes an error with the reason.

Requests go through label-studio-sdk, which is imported when it is first needed.
"""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from dedup_widgets.errors import AnnotateError, InputError

DEFAULT_URL = "http://localhost:8080"


TITLE_LENGTHS = (3, 50)
"""Fewest and most characters of a project's title."""


_SERVING = "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"


_DOCUMENT_ROOT = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"


_SECONDS_TO_CONNECT = 5.0


# A retry after a failure could import the same tasks twice.
_ONCE = {"max_retries": 0}


@dataclass(frozen=True, slots=True)
class LabelStudio:
    """A Label Studio server, and how a project is to be set up there.

    It must see the dataset's folder under the same path (else see `root_on_server`), and serve
    local files from a document root above it. The error when no server answers has the command
    that starts one so.

    Attributes
    ----------
    url : str, optional
        Its address; default the environment variable ``LABEL_STUDIO_URL``, else
        ``http://localhost:8080``.
    token : str, optional
        Access token of a user there (personal or legacy); default the environment variable
        ``LABEL_STUDIO_API_KEY``. It is never shown.
    label_config : str, optional
        Labelling configuration (XML), which finds the picture as ``$image`` and the columns of
        the dataset under their names. Default: choices of one label an image.
    label : str, optional
        Column of the dataset whose values are these choices, at most 1,000. Default: ``label`` if
        there is such a column, else the choices are "keep" and "remove".
    root_on_server : str, optional
        What the server calls the folder that holds the dataset (``root``), where that is another
        path than here: in a container, or on another machine that mounts it.
    timeout : float
        Seconds to wait for an answer; for a connection, 5 at most.
    tasks_a_request : int
        Tasks that are sent at a time.

    Examples
    --------
    >>> LabelStudio("http://localhost:8081", "secret", label="species")  # doctest: +ELLIPSIS
    LabelStudio(url='http://localhost:8081', label_config=None, label='species', ...)
    """

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    label_config: str | None = field(default=None, kw_only=True)
    label: str | None = field(default=None, kw_only=True)
    root_on_server: str | None = field(default=None, kw_only=True)
    timeout: float = field(default=60.0, kw_only=True)
    tasks_a_request: int = field(default=1000, kw_only=True)

    @property
    def address(self) -> str:
        """The address, from the argument or the environment."""
        url = self.url or os.environ.get("LABEL_STUDIO_URL") or DEFAULT_URL
        return url.strip().rstrip("/")

    @property
    def key(self) -> str:
        """The token, from the argument or the environment; empty if there is none."""
        return (self.token or os.environ.get("LABEL_STUDIO_API_KEY") or "").strip()


@dataclass(frozen=True, slots=True)
class Prediction:
    """A choice of a labelling configuration that was made before: of which control, and which."""

    control: str
    of: str
    choice: str

    def as_json(self) -> dict[str, Any]:
        """Return it as Label Studio takes it."""
        place = {"from_name": self.control, "to_name": self.of, "type": "choices"}
        result = {**place, "value": {"choices": [self.choice]}}
        return {"model_version": "labelled before", "result": [result]}


@dataclass(frozen=True, slots=True)
class Handover:
    """What goes to the server: a dataset's folder, and the texts that come with it."""

    path: Path
    name: str
    description: str = ""
    project: str = ""
    project_description: str = ""

    @property
    def title(self) -> str:
        """Title of the Label Studio project."""
        return self.project or self.name


def check_server(handover: Handover, server: LabelStudio) -> None:
    """Raise for what cannot work, as far as that shows without asking the server."""
    shortest, longest = TITLE_LENGTHS
    if not shortest <= len(handover.title) <= longest:
        raise InputError(
            f"the project title {handover.title!r} has {len(handover.title)} characters; Label "
            f"Studio takes {shortest} to {longest}: pass another project="
        )
    try:
        parts = urlsplit(server.address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InputError(
            f"{server.address!r} is no address of a server; it looks like {DEFAULT_URL}"
        )
    if not server.key:
        raise InputError(
            f"there is no token for the Label Studio server at {server.address}; set the "
            "environment variable LABEL_STUDIO_API_KEY, or pass LabelStudio(token=…). The server "
            f"shows it under Account & Settings.\n{how_to_start(server, handover)}"
        )
    if not (server.key.isascii() and server.key.isprintable()):
        raise InputError("the token has characters that no token has; copy it again")
    _sdk()


def say_also(error: BaseException, text: str) -> None:
    """Add a line to an error: to the message of our own, as a note to others."""
    if isinstance(error, AnnotateError):
        error.args = (f"{error}\n{text}",)
    else:
        error.add_note(text)


@contextmanager
def connected(handover: Handover, server: LabelStudio) -> Iterator["Session"]:
    """Yield a session with the server, once it knew the token."""
    sdk, httpx = _sdk(), import_module("httpx")
    timeout = httpx.Timeout(server.timeout, connect=min(server.timeout, _SECONDS_TO_CONNECT))
    with httpx.Client(timeout=timeout, follow_redirects=True) as http:
        with _reasons(handover, server):
            client = sdk.LabelStudio(
                base_url=server.address, api_key=server.key, timeout=timeout, httpx_client=http
            )
            user = client.users.whoami(request_options=_ONCE)
            if not isinstance(getattr(user, "id", None), int):
                raise ValueError("it names no user")
        yield Session(handover, server, client, http)


class Session:
    """A server that answers and knows the token; made by `connected`.

    Each method raises an AnnotateError when the server refuses, fails or goes away.
    """

    def __init__(self, handover: Handover, server: LabelStudio, client: Any, http: Any) -> None:
        self._handover, self._server, self._client, self._http = handover, server, client, http

    @contextmanager
    def new_project(self, label_config: str) -> Iterator[int]:
        """Make a project, yield its number, and delete it again if what follows fails."""
        with _reasons(self._handover, self._server):
            project = self._client.projects.create(
                title=self._handover.title,
                description=self._handover.project_description or self._handover.description,
                label_config=label_config,
                request_options=_ONCE,
            )
        try:
            yield project.id
        except BaseException as error:
            try:
                self._client.projects.delete(project.id, request_options=_ONCE)
            except Exception:
                say_also(
                    error,
                    f"The half-made project {project.id}, {self._handover.title!r}, could not be "
                    f"deleted: do so at {self._server.address}/projects/{project.id}/settings",
                )
            else:
                say_also(error, "The half-made project was deleted from the server.")
            raise

    def open_folder(self, project: int) -> None:
        """Let the project's users see the dataset; without this, nothing of it is served."""
        try:
            with _reasons(self._handover, self._server):
                self._client.import_storage.local.create(
                    project=project,
                    path=self._folder.as_posix(),
                    title=self._handover.name,
                    description=self._handover.description,
                    request_options=_ONCE,
                )
        except AnnotateError as error:
            say_also(error, self._how_to_serve())
            raise

    def served_as(self, files: Sequence[str]) -> str:
        """Return the dataset's path below the server's document root.

        The server does not report its document root, but only for the right one does it give back
        the bytes that are in a file.
        """
        folder = self._handover.path
        file = min(files, key=lambda file: (folder / file).stat().st_size)
        data = (folder / file).read_bytes()
        answers = []
        for root in self._folder.parents:
            base = self._folder.relative_to(root).as_posix()
            with _reasons(self._handover, self._server):
                answer = self._http.get(
                    f"{self._server.address}/data/local-files/",
                    params={"d": f"{base}/{file}"},
                    # The SDK has no call for this address, and no public one for its headers.
                    headers=self._client._client_wrapper.get_headers(),
                )
            if answer.status_code == 200 and answer.content == data:
                return base
            answers.append("other bytes" if answer.is_success else f"HTTP {answer.status_code}")
        raise AnnotateError(
            f"{self._server.address} does not serve {self._folder / file} (it answers with "
            f"{', '.join(dict.fromkeys(answers))}).\n{self._how_to_serve()}"
        )

    def add_tasks(
        self,
        project: int,
        tasks: Sequence[dict[str, Any]],
        predictions: Sequence[Prediction | None],
    ) -> None:
        """Add tasks to a project, given the data of each, and what it was labelled before."""
        request: list[dict[str, Any]] = [
            {"data": data} if known is None else {"data": data, "predictions": [known.as_json()]}
            for data, known in zip(tasks, predictions, strict=True)
        ]
        with _reasons(self._handover, self._server):
            answer = self._client.projects.import_tasks(
                project, request=request, request_options=_ONCE
            )
        # Label Studio Enterprise takes tasks in the background, and counts none yet.
        if answer.task_count not in (None, len(tasks)):
            raise AnnotateError(
                f"{self._server.address} took {answer.task_count:,} of {len(tasks):,} tasks; look "
                "at the server's log"
            )

    @property
    def _folder(self) -> PurePath:
        if self._server.root_on_server is None:
            return self._handover.path
        return PurePath(self._server.root_on_server, self._handover.path.name)

    def _how_to_serve(self) -> str:
        return (
            f"The server must be started with {_SERVING}=true and with {_DOCUMENT_ROOT} set to a "
            f"folder above the dataset, such as {self._folder.parent}. Where it sees the dataset "
            "under another path (in a container), pass LabelStudio(root_on_server=…)."
        )


def how_to_start(server: LabelStudio, handover: Handover) -> str:
    """Return the command that starts a server which can serve the dataset."""
    root = shlex.quote(str(handover.path.parent))
    port = urlsplit(server.address).port or urlsplit(DEFAULT_URL).port
    return (
        "To start one: install it in an environment of its own (pip install label-studio), choose "
        "a token, set the environment variable LABEL_STUDIO_API_KEY to it here and there, and run\n"
        f"    {_SERVING}=true {_DOCUMENT_ROOT}={root} label-studio start --no-browser "
        f"--internal-host 127.0.0.1 --port {port} --username you@example.com "
        '--password choose-one --user-token "$LABEL_STUDIO_API_KEY" --enable-legacy-api-token'
    )


def _sdk() -> Any:
    try:
        return import_module("label_studio_sdk.client")
    except ImportError as error:
        raise AnnotateError(
            "label-studio-sdk is not installed, which talks to Label Studio; run "
            'pip install "dedup-widgets[annotate]"'
        ) from error


@contextmanager
def _reasons(handover: Handover, server: LabelStudio) -> Iterator[None]:
    """Turn what goes wrong between here and the server into an AnnotateError with the reason."""
    httpx, api = import_module("httpx"), import_module("label_studio_sdk.core.api_error")
    url = server.address
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise AnnotateError(
            f"no server answers at {url} ({error}).\n{how_to_start(server, handover)}"
        ) from error
    except httpx.TimeoutException as error:
        raise AnnotateError(
            f"{url} did not answer within {server.timeout:g} seconds; look at the server's log, "
            "or raise LabelStudio(timeout=…)"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise AnnotateError(
            f"the connection to {url} failed ({error}); look at the server's log"
        ) from error
    except api.ApiError as error:
        raise AnnotateError(_why_refused(url, error.status_code, error.body)) from error
    except (ValueError, TypeError) as error:
        # What the SDK raises when it cannot read an answer.
        raise AnnotateError(_not_label_studio(url)) from error


def _why_refused(url: str, status: int | None, body: Any) -> str:
    content = body if isinstance(body, dict) else {}
    problems = content.get("validation_errors")
    reasons = [
        str(text) if name == "non_field_errors" else f"{name}: {text}"
        for name, texts in (problems.items() if isinstance(problems, dict) else ())
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    # What follows is the whole task that is wrong.
    reason = ("; ".join(reasons) or str(content.get("detail", ""))).partition(" :: ")[0]
    if status == 401:
        return (
            f"{url} does not accept the token ({reason}). Copy it again from Account & Settings "
            "there; a legacy token needs a server that was first started with "
            "--enable-legacy-api-token"
        )
    if status == 403:
        return f"{url} does not permit this to the user of the token ({reason})"
    if status is not None and status >= 500:
        return f"{url} failed (HTTP {status}); look at the server's log, and try again"
    if reason and status != 404:
        return f"{url} refused: {reason}"
    return _not_label_studio(url)


def _not_label_studio(url: str) -> str:
    return (
        f"something answers at {url}, but not as Label Studio does; check the address (there may "
        "be a proxy, or a page to sign in, before it)"
    )
