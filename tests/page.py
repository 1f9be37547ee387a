"""Plays the browser to a widget, without one."""

import collections
import itertools
import json
import threading
from pathlib import Path

import numpy as np

import dedup_widgets as dw
from dedup_widgets.review.display import NO_CODE
from dedup_widgets.widgets.protocol import ARRAYS

CLIENT = 7
PATIENCE = 120
"""Seconds until an answer is taken for none."""


class Page:
    """Plays the browser: sends requests to a widget and collects what comes back."""

    def __init__(self, widget):
        self.widget = widget
        self.sent = []
        self.heard = threading.Condition()
        self.numbers = itertools.count(1)
        widget.send = self.hear

    def hear(self, content, buffers=None):
        with self.heard:
            self.sent.append((content, buffers or []))
            self.heard.notify_all()

    def messages(self):
        """Return what was sent, whole: some messages come in pieces."""
        pieces = collections.defaultdict(bytes)
        for content, buffers in self.sent:
            if "chunk" in content:
                pieces[content["chunk"]] += b"".join(map(bytes, buffers))
            elif "chunks" in content:
                rest = memoryview(pieces.pop(content["chunks"]["number"]))
                ends = [*itertools.accumulate(content["chunks"]["sizes"])]
                *parts, text = (rest[a:b] for a, b in itertools.pairwise([0, *ends]))
                yield json.loads(bytes(text)), parts
            else:
                yield content, buffers

    def ask(self, kind, arrays=None, **arguments):
        return self.reply(self.request(kind, arrays, **arguments))

    def request(self, kind, arrays=None, **arguments):
        seq = next(self.numbers)
        arrays = arrays or {}
        wires = {
            name: {"dtype": array.dtype.name, "shape": list(array.shape), "buffer": number}
            for number, (name, array) in enumerate(arrays.items())
        }
        message = {"seq": seq, "client": CLIENT, "kind": kind, **arguments, **wires}
        buffers = [memoryview(array) for array in arrays.values()]
        self.send(message, buffers)
        return seq

    def send(self, content, buffers=()):
        """Send what may be no request."""
        told(self.widget, {"method": "custom", "content": content}, buffers)

    def reply(self, seq):
        """Wait for the answer to a request."""

        def answers():
            return [Reply(*message) for message in self.messages() if message[0].get("seq") == seq]

        with self.heard:
            assert self.heard.wait_for(answers, PATIENCE), "no answer"
            return answers()[0]

    def open(self):
        """Ask for all that a page of this widget needs to start."""
        if isinstance(self.widget, dw.RangeHistogram):
            return self.ask("open_histogram")
        return self.ask("open_review" if isinstance(self.widget, dw.Explorer) else "open_grid")

    def events(self, kind):
        """Return what the page was told of by events of a kind, in answers too."""
        return [
            Told(event, buffers)
            for content, buffers in self.messages()
            for event in content["events"]
            if event["event"] == kind
        ]


def told(widget, data, buffers=()):
    """Let a widget be told something as its host tells it."""
    widget.comm.handle_msg({"content": {"data": data}, "buffers": list(buffers)})


class Told(dict):
    """Fields of a message, and their arrays."""

    def __init__(self, fields, buffers):
        super().__init__(fields)
        self.buffers = buffers

    def array(self, name):
        wire = self[name]
        assert wire["dtype"] in ARRAYS
        return np.frombuffer(self.buffers[wire["buffer"]], wire["dtype"]).reshape(wire["shape"])

    def codes(self, name):
        """Return the codes of all rows, as a page reads them."""
        fours = self.array(name)[:, None] >> np.arange(0, 8, 2) & 3
        codes = fours.astype(np.uint8).reshape(-1)[: self["rows"]]
        return np.where(codes == 3, NO_CODE, codes)

    def bands(self):
        """Return the band and the place of each row, as a page works them out."""
        band, place = np.zeros((2, self["rows"]), np.uint32)
        sizes = self.array("band_sizes").astype(np.int64)
        band[self.array("banded")] = np.repeat(1 + np.arange(len(sizes)), sizes)
        first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        place[self.array("banded")] = np.arange(sizes.sum()) - first
        return {"band": band, "place": place}


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
