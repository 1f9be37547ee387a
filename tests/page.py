"""Plays the browser to a widget, without one."""

from pathlib import Path

import numpy as np

import dedup_widgets as dw
from dedup_widgets.widgets.protocol import ARRAYS

CLIENT = 7


class Page:
    """Plays the browser: sends requests to a widget and collects what comes back."""

    def __init__(self, widget):
        self.widget = widget
        self.sent = []
        widget.send = lambda content, buffers=None: self.sent.append((content, buffers or []))

    def ask(self, kind, arrays=None, **arguments):
        return self.reply(self.request(kind, arrays, **arguments))

    def request(self, kind, arrays=None, **arguments):
        seq = len(self.sent) + 1
        arrays = arrays or {}
        wires = {
            name: {"dtype": array.dtype.name, "shape": list(array.shape), "buffer": number}
            for number, (name, array) in enumerate(arrays.items())
        }
        message = {"seq": seq, "client": CLIENT, "kind": kind, **arguments, **wires}
        buffers = [memoryview(array) for array in arrays.values()]
        self.widget._receive(self.widget, message, buffers)
        return seq

    def reply(self, seq):
        for future in list(self.widget._running.values()):
            future.result()
        for content, buffers in self.sent:
            if content.get("seq") == seq:
                return Reply(content, buffers)
        return None

    def open(self):
        """Ask for all that a page of this widget needs to start."""
        if isinstance(self.widget, dw.RangeHistogram):
            return self.ask("open_histogram")
        return self.ask("open_review" if isinstance(self.widget, dw.Explorer) else "open_grid")

    def events(self, kind):
        """Return what the page was told of by events of a kind, in answers too."""
        return [
            Told(event, buffers)
            for content, buffers in self.sent
            for event in content["events"]
            if event["event"] == kind
        ]


class Told(dict):
    """Fields of a message, and their arrays."""

    def __init__(self, fields, buffers):
        super().__init__(fields)
        self.buffers = buffers

    def array(self, name):
        wire = self[name]
        assert wire["dtype"] in ARRAYS
        return np.frombuffer(self.buffers[wire["buffer"]], wire["dtype"]).reshape(wire["shape"])


class Reply(Told):
    """The answer to a request: the fields of the reply, or ``error``."""

    def __init__(self, content, buffers):
        fields = content["reply"] if "reply" in content else {"error": content["error"]}
        super().__init__({"ok": "reply" in content, **fields}, buffers)
        self.events = [Told(event, buffers) for event in content["events"]]

    def event(self, kind):
        """Return the one event of a kind that came with the answer."""
        (event,) = [event for event in self.events if event["event"] == kind]
        return event


class Pixels:
    name = key = "pixels"

    def encode(self, images):
        return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100 for i in images])


def names(frame):
    return [Path(path).name for path in frame["path"]]
