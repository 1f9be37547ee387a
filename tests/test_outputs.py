"""What a cell showed and shows no more is given back, in a kernel as a notebook drives it."""

import ast
import json
import time
from itertools import count

import numpy as np
import polars as pl
import pytest

import dedup_widgets as dw
from dedup_widgets.review.view import View

SETUP = """
import gc, weakref
import numpy as np, polars as pl
import dedup_widgets as dw
from ipywidgets.widgets.widget import _instances
df = pl.DataFrame({"path": [f"{i}.jpg" for i in range(40)],
                   "uniqueness": np.linspace(0, 1, 40, dtype=np.float32),
                   "group": [1, 1] + [None] * 38, "keep": [True, False] + [True] * 38})
sessions = weakref.WeakSet()
made = dw.Session.__init__
def init(self, *arguments, **options):
    made(self, *arguments, **options)
    sessions.add(self)
dw.Session.__init__ = init
"""
WATCHED = """
review, watching = dw.Session(df), []
watch = review.watch
def counted(watcher):
    watching.append(watcher)
    stop = watch(watcher)
    return lambda: (watching.remove(watcher), stop())
review.watch = counted
"""
LEFT = "[len(_instances), len(sessions)]"


class Kernel:
    """Runs code as the cells of a notebook."""

    def __init__(self, client):
        self._client = client
        self._shell = count()

    def cell(self, name, code):
        """Run a cell; return what it shows, by type."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        message = self._client.session.msg("execute_request", content, metadata={"cellId": name})
        self._client.shell_channel.send(message)
        shown = {}
        while True:
            answer = self._client.get_iopub_msg(timeout=60)
            if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if answer["msg_type"] == "error":
                raise RuntimeError("\n".join(answer["content"]["traceback"]))
            if answer["msg_type"] in ("execute_result", "display_data"):
                shown |= answer["content"]["data"]
            if answer["msg_type"] == "stream":
                shown["stream"] = shown.get("stream", "") + answer["content"]["text"]
            state = answer["content"].get("execution_state")
            if answer["msg_type"] == "status" and state == "idle":
                return shown

    def value(self, expression):
        return json.loads(
            ast.literal_eval(
                self.cell("values", f"__import__('json').dumps({expression})")["text/plain"]
            )
        )


@pytest.fixture(scope="module")
def _running():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    kernel = Kernel(client)
    kernel.cell("setup", SETUP)
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(_running):
    yield _running
    _running.cell("first", "ex = review = None")
    _running.cell("second", "gc.collect();")
    assert _running.value(LEFT) == [0, 0]


@pytest.mark.slow
def test_a_cell_that_is_run_again_gives_its_explorer_back(kernel):
    kernel.cell("first", "ex = dw.Explorer(df)\nex")
    assert kernel.value("len(ex.analytics.children)") > 0
    kernel.cell("first", "ex = dw.Explorer(df)\nex")
    assert kernel.value(LEFT) == [2, 1]  # the Explorer and its layout
    for _ in range(5):
        kernel.cell("first", "ex = dw.Explorer(df)\nex")
    assert kernel.value(LEFT) == [2, 1]


@pytest.mark.slow
def test_one_that_is_never_shown_is_not_held(kernel):
    for _ in range(3):
        kernel.cell("first", "dw.Explorer(df); ex = dw.Explorer(df)")
    kernel.cell("first", "ex = None; gc.collect()")
    assert kernel.value(LEFT) == [0, 0]


@pytest.mark.slow
def test_one_that_is_shown_elsewhere_or_held_lives_on(kernel):
    kernel.cell("first", "ex = dw.Explorer(df)\nex")
    id_ = kernel.value("ex.model_id")
    kernel.cell("second", "ex")
    kernel.cell("first", "0")
    assert kernel.value("ex.comm is not None and ex.model_id") == id_
    kernel.cell("second", "other = dw.Explorer(df)\nother")
    assert kernel.value("ex.comm is None")
    kernel.cell("first", "ex.selection = df.head(3)")
    assert kernel.value("len(ex.selection)") == 3
    shown = kernel.cell("first", "ex")
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == kernel.value(
        "ex.model_id"
    )
    kernel.cell("second", "other = None")


@pytest.mark.slow
def test_the_same_one_shown_again_stays_as_it_is(kernel):
    kernel.cell("second", "ex = dw.Explorer(df)")
    kernel.cell("first", "ex")
    id_ = kernel.value("ex.model_id")
    kernel.cell("first", "ex")
    assert kernel.value("ex.comm is not None and ex.model_id") == id_


@pytest.mark.slow
def test_one_inside_another_widget_lives_on(kernel):
    kernel.cell("first", "ex = dw.Explorer(df)\ndisplay(ex)")
    kernel.cell("second", "import ipywidgets\nbox = ipywidgets.VBox([ex])\ndisplay(box)")
    kernel.cell("first", "0")
    assert kernel.value("ex.comm is not None")
    kernel.cell("second", "ex.close()\nbox.layout.close()\nbox.close()\nbox = None")


@pytest.mark.slow
def test_screens_over_one_session_are_given_back_too(kernel):
    kernel.cell("second", WATCHED)
    for _ in range(4):
        kernel.cell("first", "dw.Explorer(review)")
    assert kernel.value("[len(_instances), len(watching)]") == [2, 1]
    kernel.cell("third", "watch = None")


@pytest.mark.slow
def test_a_cell_that_is_run_again_goes_on_with_filters_order_and_selection(kernel):
    kernel.cell("first", "ex = dw.Explorer(df)\nex")
    kernel.cell(
        "second",
        "ex.filters = pl.col('uniqueness') < 0.5\nex.sort = 'path'\nex.selection = df.head(2)",
    )
    kernel.cell("first", "ex = dw.Explorer(df)\nex")
    state = "[len(ex.view), ex.sort['column'], len(ex.selection), ex._sort['column'], ex.undo()]"
    assert kernel.value(state) == [20, "path", 2, "path", "select 2 images"]
    kernel.cell("first", "ex = dw.Explorer(df, restore=False)\nex")
    assert kernel.value(state) == [40, "uniqueness", 0, "uniqueness", None]
    kernel.cell("second", "ex.selection = df.head(2)")
    kernel.cell("first", "ex = dw.Explorer(df.head(30))\nex")
    assert kernel.value("len(ex.selection)") == 0


@pytest.mark.slow
def test_what_was_set_survives_a_run_that_fails(kernel):
    kernel.cell("first", "dw.Explorer(df)")
    kernel.cell("second", "_.selection = df.head(2)")
    with pytest.raises(RuntimeError):
        kernel.cell("first", "1 / 0")
    kernel.cell("first", "ex = dw.Explorer(df)\nex")
    assert kernel.value("len(ex.selection)") == 2


@pytest.mark.slow
def test_an_error_on_purpose_is_a_line_and_its_traceback_is_had_for_the_asking(kernel):
    with pytest.raises(RuntimeError) as error:
        kernel.cell("first", "x = 1\ndw.Explorer(pl.DataFrame({'a': [1]}))")
    said, hint = str(error.value).split("\n")
    assert "InputError" in said
    assert "'path'" in said
    assert hint == "(in line 2; %tb shows the traceback)"
    with pytest.raises(RuntimeError) as error:
        kernel.cell("first", "%tb")
    assert "explorer.py" in str(error.value)


def test_a_review_that_goes_on_begins_where_the_other_was():
    df = pl.DataFrame({"path": ["a", "b", "c"], "uniqueness": np.float32([0, 0.5, 1])})
    earlier, later = dw.Session(df), dw.Session(df)
    earlier.filters, earlier.selection, earlier.sort = {"uniqueness": (0, 0.6)}, ["a"], "path"
    later.resume(earlier.state)
    assert (later.view["path"].to_list(), len(later.selection)) == (["a", "b"], 1)
    assert later.next_steps == (None, None)
    again = dw.replay(df, later.log)
    assert (again.selection["path"].to_list(), again.filters) == (
        ["a"],
        {"uniqueness": [0, 0.6]},
    )


def test_what_makes_no_sense_in_the_next_frame_is_left_out():
    df = pl.DataFrame({"path": ["a", "b"], "uniqueness": np.float32([0, 1]), "size": [1, 2]})
    earlier, later = View(df), View(df.drop("size"))
    earlier.filters, earlier.sort = {"size": (2, 2), "uniqueness": (1, 1)}, "size"
    later.resume(earlier.state)
    assert (dict(later.filters), later.sort["column"]) == ({"uniqueness": (1, 1)}, "uniqueness")
    later.resume(View(df.reverse()).state)
    assert len(later.filters) == 1


@pytest.mark.lengthy
@pytest.mark.parametrize("make", [dw.Explorer, dw.ImageGrid])
def test_one_that_refuses_its_input_leaves_no_warning(make, recwarn):
    import gc

    with pytest.raises(dw.InputError):
        make(pl.DataFrame({"no path": [1]}))
    gc.collect()
    assert not [w for w in recwarn if "unraisable" in type(w.message).__name__.lower()]


@pytest.mark.slow
def test_the_first_pictures_are_made_while_the_page_loads(kernel, tmp_path, make_photo):
    paths = [str(tmp_path / f"{seed}.png") for seed in range(3)]
    for seed, path in enumerate(paths):
        make_photo(seed).save(path)
    frame = f"pl.DataFrame({{'path': {paths}, 'uniqueness': pl.Series([0.1, 0.2, 0.3])}})"
    kernel.cell("first", f"ex = dw.Explorer({frame}, store={str(tmp_path / 'store')!r})\nex")
    deadline = time.monotonic() + 60
    while kernel.value(f"len(ex.session.store.cache.files({paths}))") < 3:
        assert time.monotonic() < deadline, "no thumbnails were made"
        time.sleep(0.05)
