"""What travels between the kernel and a page: how much, and nothing that is not agreed on."""

import json
import time

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.widgets import protocol
from page import CLIENT, Page, told

ROWS = 100_000


@pytest.fixture(scope="module")
def large():
    """100,000 images in groups of three."""
    return scored(ROWS)


def scored(rows):
    """Return groups of three: an original, its exact copy, and one near to it."""
    row = np.arange(rows)
    first = row - row % 3
    paths = pl.Series("path", [f"/photos/{i:06}.jpg" for i in row])
    return pl.DataFrame(
        {
            "path": paths,
            "uniqueness": pl.Series(np.array([0.9, 0.0, 0.02])[row % 3], dtype=pl.Float32),
            "kind": pl.Series(np.array(["exact", "exact", "near"])[row % 3]),
            "group": pl.Series(first // 3 + 1, dtype=pl.UInt32),
            "keep": row % 3 == 0,
            "nearest": paths.gather(first),
            "distance": pl.Series(np.array([0.02, 0.0, 0.02])[row % 3], dtype=pl.Float32),
            "fingerprint": [f"{i:032x}" for i in row - (row % 3 == 1)],
            "bytes": pl.Series(row + 1000, dtype=pl.UInt64),
        }
    )


def size(message):
    content, buffers = message
    return len(json.dumps(content)) + sum(memoryview(buffer).nbytes for buffer in buffers)


@pytest.mark.lengthy
def test_one_decision_among_100_000_images_is_one_small_message(large, tmp_path):
    ex = dw.Explorer(large, store=tmp_path)
    page = Page(ex)
    reply = page.ask("decide", change={"what": "keepers", "add": [4], "remove": []})
    assert len(page.sent) == 1
    assert size(page.sent[0]) < 5_000
    assert sorted(reply.event("plan").array("rows").tolist()) == [3, 4]
    del page.sent[:]
    page.ask("undo")
    assert len(page.sent) == 1
    assert size(page.sent[0]) < 5_000


@pytest.mark.lengthy
def test_what_python_decides_is_one_message_too(large, tmp_path):
    ex = dw.Explorer(large, store=tmp_path)
    page = Page(ex)
    ex.choose_keepers(large["path"][7:8])
    assert len(page.sent) == 1
    assert size(page.sent[0]) < 5_000


@pytest.mark.lengthy
def test_the_rows_that_changed_make_the_plan_of_before_that_of_now(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(20, 8)).repeat(5, axis=0)
    vectors += np.random.default_rng(1).normal(size=vectors.shape) * 0.1
    frame = dw.uniqueness(vectors).with_columns(
        path=pl.Series([f"/{row}.jpg" for row in range(100)]),
        nearest=pl.Series([None] * 100, dtype=pl.String),
        embedding=pl.Series(vectors.astype(np.float32), dtype=pl.Array(pl.Float32, 8)),
        bytes=pl.Series(range(100)),
    )
    ex = dw.Explorer(frame, store=tmp_path)
    page = Page(ex)
    opened = page.open()
    names = ("band", "place", "kind", "keep")
    arrays = {name: opened.codes(name) for name in ("kind", "keep")} | opened.bands()
    chance = np.random.default_rng(2)
    for turn in range(12):
        if turn % 3 == 2:
            ex.near = float(chance.random() * 0.2)
        else:
            ex.choose_keepers(frame["path"].gather(chance.integers(100, size=2)))
    for version, event in enumerate(page.events("plan"), opened["version"] + 1):
        assert event["version"] == version
        rows = slice(None) if event["rows"] is None else event.array("rows")
        for name in names:
            arrays[name][rows] = event.array(name)
    now = page.open()
    assert now["version"] == version
    found = {name: now.codes(name) for name in ("kind", "keep")} | now.bands()
    for name in names:
        assert arrays[name].tolist() == found[name].tolist()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"kind": "tiles", "rows": [True]}, "Expected `int`, got `bool`"),
        ({"kind": "tiles", "rows": [1], "more": 1}, "unknown field `more`"),
        ({"kind": "nonsense"}, "'nonsense'"),
        ({"kind": "decide", "change": {"near": 0.1}}, "missing required field `what`"),
        ({"kind": "select", "rows": {"dtype": "int8", "shape": [1], "buffer": 0}}, "'int8'"),
    ],
)
def test_what_is_no_request_is_refused_and_named(message, said):
    with pytest.raises(ValueError, match=said):
        protocol.read_request({"seq": 1, "client": 2, **message})


def test_an_answer_goes_by_the_type_of_its_request_and_events_by_their_own():
    kinds = [protocol.tag_of(request) for request in protocol.REQUESTS]
    assert len(set(kinds)) == len(kinds)
    assert all(issubclass(request.reply, protocol.Reply) for request in protocol.REQUESTS)


def test_a_widget_refuses_what_another_one_answers():
    reply = Page(dw.RangeHistogram([0.1])).ask("tiles", rows=[0])
    assert "RangeHistogram does not answer" in reply["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [ROWS, 10 * ROWS])
@pytest.mark.parametrize("host", ["COLAB_RELEASE_TAG", "VSCODE_PID"])
def test_no_message_is_over_a_megabyte_where_the_host_takes_no_larger_ones(
    monkeypatch, tmp_path, host, rows
):
    frame = scored(rows).with_columns(
        path=pl.format("/photos/{}/{}.jpg", pl.int_range(rows) // 8, pl.int_range(rows)),
        text=pl.format("{} " + "x" * 198, pl.int_range(rows) % 4_900),
    )
    ex = dw.Explorer(frame.with_columns(nearest=frame["path"]), store=tmp_path / "whole")
    asked = {
        "open_review": {},
        "column": {"column": "text"},
        "order": {"column": "bytes"},
        "folders": {},
        "match": {"key": "path", "clause": {"contains": "7"}},
        "tiles": {"rows": [*range(120)], "thumbs": False, "facts": ["text", "bytes"]},
        "decide": {"change": {"what": "rules", "rules": ["exif", "bytes", "path"]}},
        "undo": {},
    }
    whole = Page(ex)
    expected = {kind: whole.ask(kind, **fields) for kind, fields in asked.items()}
    assert max(map(size, whole.sent)) > 1_000_000
    monkeypatch.setenv(host, "1")
    page = Page(ex)
    answers = {kind: page.ask(kind, **fields) for kind, fields in asked.items()}
    assert answers == expected
    for kind, answer in answers.items():
        assert [*map(bytes, answer.buffers)] == [*map(bytes, expected[kind].buffers)]
    assert max(map(size, page.sent)) < 1_000_000


@pytest.mark.lengthy
def test_what_is_sent_when_a_widget_is_first_shown_is_small(large):
    state = dw.Explorer(large).get_state()
    assert len(json.dumps({key: value for key, value in state.items() if key != "layout"})) < 1e6


def test_the_page_asks_nobody_but_the_kernel():
    for widget in (dw.Explorer, dw.ImageGrid, dw.SimilarItems, dw.RangeHistogram):
        code = widget._code.default_value + widget._esm  # noqa: SLF001 - what anywidget sends
        for way in ("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "location.", "/files/"):
            assert way not in code, way
        assert "--vscode-editor-background" in code


def test_a_page_that_gives_its_bundle_back_takes_it_from_no_other():
    grid = dw.ImageGrid(pl.DataFrame({"path": ["a.jpg"]}))
    before = grid.get_state("_code")
    told(grid, {"method": "update", "state": {"_code": "", "height": 300}, "buffer_paths": []})
    assert grid.height == 300
    assert grid.get_state("_code") == before


def test_a_page_hears_that_its_request_is_worked_on_until_it_is_answered():
    grid = dw.ImageGrid(pl.DataFrame({"path": ["a.jpg"]}))
    grid.seconds_between_signs = 0.01
    page = Page(grid)

    def work(_request, _arrays, _out):
        give_up = time.monotonic() + 30
        while len(page.events("working")) < 2 and time.monotonic() < give_up:
            time.sleep(0.01)

    grid.handlers[protocol.OpenGridRequest] = work
    seq = page.request("open_grid")
    assert page.reply(seq)["ok"]
    signs = page.events("working")
    assert len(signs) >= 2
    assert {(sign["client"], sign["target"]) for sign in signs} == {(CLIENT, seq)}
