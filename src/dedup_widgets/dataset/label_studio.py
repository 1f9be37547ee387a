"""The client of a Label Studio server; whatever fails there becomes an error with the reason.

Requests are calls of its REST interface, through httpx, which is imported when it is first needed.
"""

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dedup_widgets._secrets import without_secrets
from dedup_widgets.errors import AnnotateError, InputError

DEFAULT_URL = "http://localhost:8080"


TITLE_LENGTHS = (3, 50)
"""Fewest and most characters of a project's title."""


_SERVING = "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"


_DOCUMENT_ROOT = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"


_SECONDS_TO_CONNECT = 5.0


_ACCESS_SECONDS = 60.0
"""How long what a personal access token is exchanged for is used; servers give it some minutes."""


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
        ``LABEL_STUDIO_API_KEY``, which goes to no other server than that of the environment. It is
        never shown.
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
        """The token, from the argument or the environment; empty if there is none.

        That of the environment is for its server only, whoever names another one.
        """
        if self.token:
            return self.token.strip()
        known = _origin(self.address) is not None
        if not known or _origin(self.address) != _origin(LabelStudio().address):
            return ""
        return os.environ.get("LABEL_STUDIO_API_KEY", "").strip()

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in _SHOWN)
        return f"LabelStudio({without_secrets(', '.join(shown))})"


_SHOWN = ("url", "label_config", "label", "root_on_server", "timeout", "tasks_a_request")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a control of a labelling configuration said before.

    Attributes
    ----------
    control, of : str
        Its name, and that of what it labels.
    type : str
        Such as ``"choices"``.
    value : dict
        What it said, as Label Studio has it.
    size : tuple of int or None
        Width and height of the picture, for what lies somewhere in it.
    """

    control: str
    of: str
    type: str
    value: dict[str, Any]
    size: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as Label Studio takes it."""
        place: dict[str, Any] = {"from_name": self.control, "to_name": self.of, "type": self.type}
        if self.size is not None:
            place |= {"original_width": self.size[0], "original_height": self.size[1]}
        return {**place, "value": self.value}


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
    parts = _parts(server.address)
    if parts is None:
        raise InputError(
            f"{server.address!r} is no address of a server; it looks like {DEFAULT_URL}"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InputError(
            f"the address of {parts.hostname} holds more than a place, such as a password, which "
            "would be shown with it; leave that out, and pass LabelStudio(token=…)"
        )
    if not server.key and os.environ.get("LABEL_STUDIO_API_KEY", "").strip():
        raise InputError(
            f"there is no token for the Label Studio server at {server.address}: that of the "
            f"environment is for {LabelStudio().address}; pass LabelStudio(token=…), or set the "
            "environment variable LABEL_STUDIO_URL"
        )
    if not server.key:
        raise InputError(
            f"there is no token for the Label Studio server at {server.address}; set the "
            "environment variable LABEL_STUDIO_API_KEY, or pass LabelStudio(token=…). The server "
            f"shows it under Account & Settings.\n{how_to_start(server, handover)}"
        )
    if not (server.key.isascii() and server.key.isprintable()):
        raise InputError("the token has characters that no token has; copy it again")
    _httpx()


def say_also(error: BaseException, text: str) -> None:
    """Add a line to an error: to the message of our own, as a note to others."""
    if isinstance(error, AnnotateError):
        error.args = (f"{error}\n{text}",)
    else:
        error.add_note(text)


def _parts(address: str) -> SplitResult | None:
    """Return the parts of the address of a server; None where it is none."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if good else None


def _origin(address: str) -> tuple[str, str | None, int] | None:
    """Return what servers are told apart by; None for no address."""
    parts = _parts(address)
    if parts is None:
        return None
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


@contextmanager
def connected(handover: Handover, server: LabelStudio) -> Iterator["Connection"]:
    """Yield a session with the server, once it knew the token."""
    httpx = _httpx()
    timeout = httpx.Timeout(server.timeout, connect=min(server.timeout, _SECONDS_TO_CONNECT))
    # httpx sends the token along no redirect to another server.
    with httpx.Client(timeout=timeout, follow_redirects=True) as http:
        api = _Api(server, http)
        with _reasons(handover, server):
            api.call("GET", "current-user/whoami", number="id")
        yield Connection(handover, server, api)


class _RefusedError(Exception):
    """The server answered, but not with what was asked for."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class _Api:
    """The REST interface of a server, as a user of it."""

    def __init__(self, server: LabelStudio, http: Any) -> None:
        self._server, self._http = server, http
        self._access, self._renew_at = "", 0.0

    def get(self, path: str, **params: str) -> Any:
        """Return the response to a request for a file."""
        return self._http.get(f"{self._server.address}/{path}", params=params, headers=self._auth())

    def call(self, method: str, path: str, content: Any = None, *, number: str = "") -> Any:
        """Return the answer to a call, once: after a failure, the same tasks could come twice.

        Parameters
        ----------
        method, path
            Of the call.
        content
            What is sent with it, as JSON.
        number
            A field of the answer that must be a number, which is returned.

        Raises
        ------
        _RefusedError
            When the server refuses.
        ValueError
            When the answer is another one.
        """
        sent = {} if content is None else {"json": content}
        url = f"{self._server.address}/api/{path}"
        answer = self._http.request(method, url, headers=self._auth(), **sent)
        if not answer.is_success:
            raise _RefusedError(answer.status_code, _json_of(answer))
        if not number:
            return answer.json() if answer.content else None
        found = answer.json()[number]
        if not isinstance(found, int):
            raise ValueError(f"{number} is no number")
        return found

    def _auth(self) -> dict[str, str]:
        key = self._server.key
        if key.count(".") != 2:
            return {"Authorization": f"Token {key}"}
        # A personal token is a JWT, which is exchanged for one that soon expires.
        if time.monotonic() >= self._renew_at:
            url = f"{self._server.address}/api/token/refresh/"
            # A redirect would take the token to where it leads.
            answer = self._http.post(url, json={"refresh": key}, follow_redirects=False)
            if not answer.is_success:
                raise _RefusedError(answer.status_code, _json_of(answer))
            self._access = str(answer.json()["access"])
            self._renew_at = time.monotonic() + _ACCESS_SECONDS
        return {"Authorization": f"Bearer {self._access}"}


def _json_of(answer: Any) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


class Connection:
    """A server that answers and knows the token; made by `connected`.

    Each method raises an AnnotateError when the server refuses, fails or goes away.
    """

    def __init__(self, handover: Handover, server: LabelStudio, api: _Api) -> None:
        self._handover, self._server, self._api = handover, server, api

    @contextmanager
    def new_project(self, label_config: str) -> Iterator[int]:
        """Make a project, yield its number, and delete it again if what follows fails."""
        with _reasons(self._handover, self._server):
            project = self._api.call(
                "POST",
                "projects/",
                {
                    "title": self._handover.title,
                    "description": self._handover.project_description or self._handover.description,
                    "label_config": label_config,
                },
                number="id",
            )
        try:
            yield project
        except BaseException as error:
            try:
                self._api.call("DELETE", f"projects/{project}/")
            except Exception:
                say_also(
                    error,
                    f"The half-made project {project}, {self._handover.title!r}, could not be "
                    f"deleted: do so at {self._server.address}/projects/{project}/settings",
                )
            else:
                say_also(error, "The half-made project was deleted from the server.")
            raise

    def open_folder(self, project: int) -> None:
        """Let the project's users see the dataset; without this, nothing of it is served."""
        try:
            with _reasons(self._handover, self._server):
                self._api.call(
                    "POST",
                    "storages/localfiles/",
                    {
                        "project": project,
                        "path": self._folder.as_posix(),
                        "title": self._handover.name,
                        "description": self._handover.description,
                    },
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
                answer = self._api.get("data/local-files/", d=f"{base}/{file}")
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
        predictions: Sequence[Sequence[Prediction]],
    ) -> None:
        """Add tasks to a project, given the data of each, and what it was labelled before."""
        request: list[dict[str, Any]] = [
            {"data": data} | ({"predictions": [_labelled_before(known)]} if known else {})
            for data, known in zip(tasks, predictions, strict=True)
        ]
        with _reasons(self._handover, self._server):
            answer = self._api.call("POST", f"projects/{project}/import", request)
        # Label Studio Enterprise takes tasks in the background, and counts none yet.
        taken = answer.get("task_count") if isinstance(answer, dict) else None
        if taken not in (None, len(tasks)):
            raise AnnotateError(
                f"{self._server.address} took {taken} of {len(tasks):,} tasks; look at the "
                "server's log"
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


def _labelled_before(known: Sequence[Prediction]) -> dict[str, Any]:
    return {"model_version": "labelled before", "result": [it.as_json() for it in known]}


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


def _httpx() -> Any:
    try:
        return import_module("httpx")
    except ImportError as error:
        raise AnnotateError(
            "httpx is not installed, which talks to Label Studio; run "
            'pip install "dedup-widgets[annotate]"'
        ) from error


@contextmanager
def _reasons(handover: Handover, server: LabelStudio) -> Iterator[None]:
    """Turn what goes wrong between here and the server into an AnnotateError with the reason."""
    try:
        yield
    except Exception as error:
        reason = _why(handover, server, error)
        if reason is None:
            raise
        # What a server answers may repeat the token, and so may an error of httpx.
        raise AnnotateError(reason.replace(server.key, "…")) from None


def _why(handover: Handover, server: LabelStudio, error: Exception) -> str | None:
    """Return what went wrong, and what to do; None for what is no matter of the server."""
    httpx, url = _httpx(), server.address
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return f"no server answers at {url} ({error}).\n{how_to_start(server, handover)}"
        case httpx.TimeoutException():
            return (
                f"{url} did not answer within {server.timeout:g} seconds; look at the server's "
                "log, or raise LabelStudio(timeout=…)"
            )
        case httpx.HTTPError() | httpx.InvalidURL():
            return f"the connection to {url} failed ({error}); look at the server's log"
        case _RefusedError():
            return _why_refused(url, error.status, error.body)
        case ValueError() | TypeError() | LookupError():
            # The answer is none of Label Studio.
            return _not_label_studio(url)
    return None


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
