"""What every widget shares: its bundle, and answering what the browser asks."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import anywidget

from dedup_widgets.errors import DedupError
from dedup_widgets.widgets.protocol import Buffers, Event, Request

STATIC = Path(__file__).parent / "static"

Handler = Callable[[dict[str, Any], list[Any], Buffers], dict[str, Any]]

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


class CancelledError(Exception):
    """The browser no longer wants the answer."""


class Widget(anywidget.AnyWidget):
    """An anywidget that answers typed requests.

    Handlers run beside the user's cells on some kernels, and the slow ones in threads of their
    own: whatever they touch is immutable or guarded by a lock.
    """

    slow: ClassVar[frozenset[Request]] = frozenset({Request.TILES, Request.SIMILAR})

    def __init__(self, **traits: Any) -> None:
        self._running: dict[tuple[int, int], Future[None]] = {}
        self._cancelled: set[tuple[int, int]] = set()
        self._handlers: dict[str, Handler] = {Request.PING: lambda _message, _in, _out: {}}
        super().__init__(**traits)
        self.on_msg(self._receive)

    def _receive(self, _widget: object, message: Any, buffers: list[Any]) -> None:
        if not isinstance(message, dict):
            return
        seq, client, kind = message.get("seq"), message.get("client"), message.get("kind")
        if not (isinstance(seq, int) and isinstance(client, int) and isinstance(kind, str)):
            return
        if kind == Request.CANCEL:
            asked = message.get("target")
            target = (client, asked if isinstance(asked, int) else -1)
            running = self._running.get(target)
            if running is not None and not running.cancel():
                self._cancelled.add(target)
        elif self._is_slow(message):
            future = _pool.submit(self._answer, seq, client, message, buffers)
            self._running[client, seq] = future
            future.add_done_callback(lambda _: self._ended((client, seq)))
        else:
            self._answer(seq, client, message, buffers)

    def _is_slow(self, message: dict[str, Any]) -> bool:
        return message["kind"] in self.slow

    def _ended(self, request: tuple[int, int]) -> None:
        self._running.pop(request, None)
        self._cancelled.discard(request)

    def _tell_progress(
        self, message: dict[str, Any], done: int, total: int, text: str = ""
    ) -> None:
        """Tell the page that asked how far its answer is; raise if it no longer wants it."""
        target = (message["client"], message["seq"])
        if target in self._cancelled:
            raise CancelledError("cancelled")
        client, seq = target
        fields = {"client": client, "target": seq, "done": done, "total": total, "text": text}
        self._tell(Event.PROGRESS, fields)

    def _answer(self, seq: int, client: int, message: dict[str, Any], buffers: list[Any]) -> None:
        out = Buffers()
        try:
            handler = self._handlers.get(str(message.get("kind")))
            if handler is None:
                raise ValueError(f"no such request: {message.get('kind')!r}")
            reply = {"ok": True, **handler(message, buffers, out)}
        except Exception as error:  # the browser shows it, whatever it is
            reply = {
                "ok": False,
                "error": {"type": type(error).__name__, "message": str(error)},
            }
            out = Buffers()
        self.send({"seq": seq, "client": client, **reply}, out.parts)

    def _tell(self, event: Event, payload: dict[str, Any], out: Buffers | None = None) -> None:
        self.send({"event": str(event), **payload}, out.parts if out else None)
