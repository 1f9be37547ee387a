"""What a page sends has bounds, and all of it is answered."""

import threading

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.widgets.protocol import TilesRequest
from page import Page, told


@pytest.fixture
def ex(photo_folder):
    paths = [str(path) for path in sorted(photo_folder(4).iterdir())]
    vectors = np.eye(4, dtype=np.float32)
    frame = pl.DataFrame({"path": paths, "embedding": vectors})
    return dw.Explorer(frame)


@pytest.mark.lengthy
def test_many_tiles_at_once_are_refused(ex):
    reply = Page(ex).ask("tiles", rows=[0, 1] * 501, thumbs=True, facts=[])
    assert reply["error"]["message"] == "1002 images at once; ask for 1000 at most"


def test_a_row_that_is_asked_for_twice_is_told_once(ex):
    page = Page(ex)
    once = page.ask("tiles", rows=[0, 1], thumbs=True, facts=[])
    often = page.ask("tiles", rows=[0, 1] * 500, thumbs=True, facts=[])
    assert often["tiles"] == once["tiles"]
    assert sum(map(len, often.buffers)) == sum(map(len, once.buffers))


def test_many_similar_images_at_once_are_refused(ex):
    for k in (-1, 1001, 2**70):
        assert not Page(ex).ask("similar", row=0, k=k)["ok"]


def test_no_endless_queue_of_requests_is_worked_off(ex):
    ex.max_waiting = 5
    go_on = threading.Event()
    ex.handlers[TilesRequest] = lambda *_: go_on.wait(60) and None
    page = Page(ex)
    asked = [page.request("tiles", rows=[0], thumbs=True, facts=[]) for _ in range(6)]
    (refused, _), *_ = page.sent
    assert refused["error"]["message"].startswith("5 requests wait for an answer already")
    go_on.set()
    assert sorted(page.reply(seq)["ok"] for seq in asked) == [False, *[True] * 5]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "error", [BaseException("a panic"), RecursionError(), MemoryError(), KeyError("x")], ids=repr
)
def test_whatever_goes_wrong_is_answered(ex, error):
    def fail(*_):
        raise error

    ex.handlers[TilesRequest] = fail
    reply = Page(ex).ask("tiles", rows=[0], thumbs=True, facts=[])
    assert reply["error"]["type"] == type(error).__name__


def nested(depth):
    inner: object = 1
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": "all"},
        {"rows": [-1]},
        {"rows": [2**70]},
        {"rows": [0], "facts": [7]},
        {"rows": nested(100_000)},
        {},
        {"rows": [0], "more": 1},
    ],
    ids=["text", "below", "above", "facts", "deep", "nothing", "more"],
)
def test_what_is_no_request_is_answered(ex, wrong):
    assert not Page(ex).ask("tiles", **wrong)["ok"]


@pytest.mark.parametrize("state", [{"height": 3}, {"height": "high"}, {"_sort": {"column": "no"}}])
def test_a_page_that_sets_what_cannot_be_is_sent_what_holds(ex, state, caplog):
    sent = []
    ex.comm.send = lambda data, **_: sent.append(data)
    before = {name: getattr(ex, name) for name in state}
    message = {"method": "update", "state": state, "buffer_paths": []}
    told(ex, message)
    assert {name: getattr(ex, name) for name in state} == before
    assert {"method": "update", "state": before, "buffer_paths": []} in sent
    assert "cannot be taken" in caplog.text


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "data",
    [
        {"method": "dance"},
        {"method": "update", "state": {"height": 200}, "buffer_paths": [["no"]]},
        {"method": "update", "state": 7},
        {"method": "custom", "content": 7},
        {},
        7,
    ],
    ids=str,
)
def test_what_is_no_message_does_no_harm(ex, data):
    told(ex, data)
    assert Page(ex).ask("ping")["ok"]
