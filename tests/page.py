"""Plays the browser to a widget, without one."""

from pathlib import Path

import numpy as np

from dedup_widgets.widgets.protocol import Buffers, read_array

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
        out = Buffers()
        wires = {name: out.add(array) for name, array in (arrays or {}).items()}
        message = {"seq": seq, "client": CLIENT, "kind": kind, **arguments, **wires}
        self.widget._receive(self.widget, message, out.parts)
        return seq

    def reply(self, seq):
        for future in list(self.widget._running.values()):
            future.result()
        for content, buffers in self.sent:
            if content.get("seq") == seq:
                return Reply(content, buffers)
        return None

    def events(self, event):
        return [content for content, _ in self.sent if content.get("event") == event]


class Reply(dict):
    def __init__(self, content, buffers):
        super().__init__(content)
        self.buffers = buffers

    def array(self, name):
        return read_array(self[name], self.buffers)


class Pixels:
    name = key = "pixels"

    def encode(self, images):
        return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100 for i in images])


def names(frame):
    return [Path(path).name for path in frame["path"]]
