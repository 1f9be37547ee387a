"""What every widget shares: its bundle, and answering the browser's requests."""

import hashlib
import itertools
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import anywidget
import msgspec
import traitlets

from dedup_widgets.errors import DedupError
from dedup_widgets.widgets.outputs import ShownInCell, in_ipython
from dedup_widgets.widgets.protocol import (
    Buffers,
    CancelRequest,
    Event,
    PingRequest,
    ProgressEvent,
    Reply,
    Request,
    WorkingEvent,
    read_request,
    tag_of,
)

STATIC = Path(__file__).parent / "static"

R = TypeVar("R", bound=Request)
Handler = Callable[[R, list[Any], Buffers], Reply | None]
"""Answers a request, given the arrays that came with it and a place for those of the answer."""

MAX_WAITING = 500
"""Slow requests to one widget that wait for an answer; a page asks for a few at a time."""

_log = logging.getLogger("dedup_widgets")

SECONDS_BETWEEN_SIGNS = 1.0
"""Of life, that a page gets while its request is worked on."""

# Some answers take a while; the kernel stays free for the user's own cells.
_pool = ThreadPoolExecutor(4, thread_name_prefix="dedup-widgets-view")


def bundle(name: str) -> str:
    """Return the JavaScript of a widget."""
    path = STATIC / f"{name}.js"
    if not path.exists():
        raise DedupError(
            f"the JavaScript of the widgets is not built ({path} is missing); in a checkout run "
            "`make js`, which needs node, or install the wheel"
        )
    return path.read_text(encoding="utf-8")


NARROW_HOSTS = ("COLAB_RELEASE_TAG", "VSCODE_PID", "VSCODE_CWD", "CODESPACES")
"""Variables of the environments of kernels whose messages should stay below 1 MB."""


LOADER = """\
const page = globalThis;
export default () => {
  let widget;
  const of = (model) => (widget ??= load(model).then((module) => module.default()));
  return {
    initialize: async (props) => (await of(props.model)).initialize(props),
    render: async (props) => (await of(props.model)).render(props),
  };
};
function load(model) {
  page[KEY] ??= bundle(model.get("_code"));
  // Once more, as a model remembers what it had before.
  for (const _ of [1, 2]) model.set("_code", "");
  return page[KEY];
}
function bundle(code) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  return import(url).finally(() => URL.revokeObjectURL(url));
}
"""
"""What anywidget imports for each model. A page never forgets a module, so the bundle is another
one, which all models share. JupyterLab holds on to models of comms that are closed: what makes them
large is taken out."""


def front_end(name: str) -> tuple[str, Any]:
    """Return the ``_esm`` and the ``_code`` of a widget."""
    code = bundle(name)
    key = f"dedup-widgets {name} {hashlib.sha256(code.encode()).hexdigest()}"
    return LOADER.replace("KEY", json.dumps(key)), traitlets.Unicode(code).tag(sync=True)


class CancelledError(Exception):
    """The browser no longer wants the answer."""


class News:
    """What a message reports: events, and their arrays."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.arrays = Buffers()


class Widget(ShownInCell, anywidget.AnyWidget):
    """An anywidget that answers typed requests.

    In IPython it is open from when it is first shown: what is open is held until the kernel ends.

    Handlers run in parallel with the user's cells on some kernels, and the slow ones in threads of
    their own: whatever they touch is immutable or guarded by a lock.
    """

    slow: ClassVar[tuple[type[Request], ...]] = ()
    """Requests that are answered in a thread."""
    max_waiting = MAX_WAITING
    seconds_between_signs = SECONDS_BETWEEN_SIGNS
    handlers: dict[type[Request], Handler[Any]]
    """What answers which request."""
    _is_made = False

    def __init__(self, **traits: Any) -> None:
        self._running: dict[tuple[int, int], Future[None]] = {}
        self._waiting: set[Future[None]] = set()
        self._cancelled: set[tuple[int, int]] = set()
        self._answering = threading.local()
        self._numbers = itertools.count(1)
        self.handlers = {PingRequest: lambda _request, _in, _out: None}
        super().__init__(**traits)
        self._is_made = True
        # Where there is no IPython, hosts ask for what is open.
        if not in_ipython():
            self.open()
        self.on_msg(self._receive)

    def open(self) -> None:
        """Make the widget known to pages, which showing it does."""
        if self._is_made and self.comm is None:
            self.layout.open()
            super().open()

    @property
    def model_id(self) -> str:
        """What pages know the widget by; asking for it opens it."""
        self.open()
        return str(super().model_id)

    def _receive(self, _widget: object, content: Any, buffers: list[Any]) -> None:
        if not isinstance(content, dict):
            return
        seq, client, kind = content.get("seq"), content.get("client"), content.get("kind")
        if not (isinstance(seq, int) and isinstance(client, int) and isinstance(kind, str)):
            return
        try:
            request = read_request(content)
        except (ValueError, RecursionError) as error:
            if kind != tag_of(CancelRequest):
                self._reply(seq, client, error, News())
            return
        if isinstance(request, CancelRequest):
            target = (client, request.target)
            running = self._running.get(target)
            if running is not None and not running.cancel():
                self._cancelled.add(target)
        elif self._is_slow(request):
            if len(self._waiting) >= self.max_waiting:
                refusal = f"{self.max_waiting} requests wait for an answer already; ask again"
                self._reply(seq, client, DedupError(refusal), News())
                return
            future = _pool.submit(self._answer, request, buffers)
            self._running[client, seq] = future
            self._waiting.add(future)
            future.add_done_callback(self._waiting.discard)
            future.add_done_callback(lambda _: self._ended((client, seq)))
        else:
            self._answer(request, buffers)

    def _do_soon(self, action: Callable[[], None]) -> None:
        """Do something in a thread that nobody waits for."""
        _pool.submit(action)

    def _is_slow(self, request: Request) -> bool:
        return isinstance(request, self.slow)

    def _ended(self, request: tuple[int, int]) -> None:
        self._running.pop(request, None)
        self._cancelled.discard(request)

    def _check_wanted(self, request: Request) -> None:
        """Raise if a request was cancelled."""
        if (request.client, request.seq) in self._cancelled:
            raise CancelledError("cancelled")

    def _report_progress(self, request: Request, done: int, total: int, text: str = "") -> None:
        """Report to the page of a request how far its answer is; raise if it was cancelled."""
        self._check_wanted(request)
        client, target = request.client, request.seq
        news = News()
        news.events.append(
            ProgressEvent(client=client, target=target, done=done, total=total, text=text)
        )
        self._send_message({}, news)

    def _answer(self, request: Request, buffers: list[Any]) -> None:
        news = self._answering.news = News()
        outcome: Reply | BaseException
        try:
            handler = self.handlers.get(type(request))
            if handler is None:
                raise ValueError(f"{type(self).__name__} does not answer {type(request).__name__}")
            with self._signs_of_life(request):
                outcome = handler(request, buffers, news.arrays) or Reply()
        except BaseException as error:  # the browser shows it, whatever it is
            outcome = error
            # Of other libraries too: that a panic of Rust is none that ends Python, is on purpose.
            if isinstance(error, KeyboardInterrupt | SystemExit):
                self._reply(request.seq, request.client, outcome, news)
                raise
        finally:
            self._answering.news = None
        self._reply(request.seq, request.client, outcome, news)

    @contextmanager
    def _signs_of_life(self, request: Request) -> Iterator[None]:
        """Let the page of a request know that it is worked on, each second until it is answered.

        The thread that works may be the one that hears pages, which then answers no ping.
        """
        answered = threading.Event()

        def tell() -> None:
            while not answered.is_set():
                news = News()
                news.events.append(WorkingEvent(client=request.client, target=request.seq))
                self._send_message({}, news)
                answered.wait(self.seconds_between_signs)

        first = threading.Timer(self.seconds_between_signs, tell)
        first.daemon = True
        first.start()
        try:
            yield
        finally:
            answered.set()
            first.cancel()

    def _reply(self, seq: int, client: int, outcome: Reply | BaseException, news: News) -> None:
        content: dict[str, Any] = {"seq": seq, "client": client}
        if isinstance(outcome, Reply):
            content["reply"] = msgspec.to_builtins(outcome)
        else:
            content["error"] = {"type": type(outcome).__name__, "message": str(outcome)}
        self._send_message(content, news)

    def _handle_msg(self, msg: Any) -> None:
        """Take a message of a page; what cannot be taken is written to the log of this package.

        ipywidgets would write it to `log`, which here may be the log of a review.
        """
        try:
            super()._handle_msg(msg)
        except Exception as error:
            _log.warning("a page sent what cannot be taken: %s", error.__context__ or error)

    def set_state(self, state: dict[str, Any]) -> None:
        """Take values of a page; a page that sent wrong ones is sent those that hold.

        What a page does with its bundle is its own.
        """
        state = {name: value for name, value in state.items() if name != "_code"}
        try:
            super().set_state(state)
        except Exception:
            self.send_state(set(state) & set(self.keys))
            raise

    @contextmanager
    def _news(self) -> Iterator[News]:
        """Collect events: into the answer that this thread is about to give, else a message."""
        answer: News | None = getattr(self._answering, "news", None)
        news = News() if answer is None else answer
        yield news
        if answer is None and news.events:
            self._send_message({}, news)

    def _send_message(self, content: dict[str, Any], news: News) -> None:
        content = {**content, "events": msgspec.to_builtins(news.events)}
        parts = news.arrays.parts
        text = memoryview(msgspec.json.encode(content))
        if len(text) + sum(len(part) for part in parts) > (limit := max_message_bytes()):
            number = next(self._numbers)
            parts = [*parts, text]
            for part in parts:
                for start in range(0, len(part), limit):
                    self.send({"chunk": number}, [part[start : start + limit]])
            sizes = [len(part) for part in parts]
            content, parts = {"chunks": {"number": number, "sizes": sizes}}, []
        self.send(content, parts)


def max_message_bytes() -> int:
    """Return how many bytes one message may hold where this kernel runs; of more come pieces.

    Colab and VS Code pass on small messages only; JupyterLab was seen to take 64 MB.
    """
    is_narrow = "google.colab" in sys.modules or any(name in os.environ for name in NARROW_HOSTS)
    return 900_000 if is_narrow else 64_000_000
