"""A job in a real JupyterLab: it runs while the Explorer is used, and its button ends it."""

import json
import re

import pytest
from playwright.sync_api import expect

from on_screen import app, eventually, show, tiles

pytestmark = pytest.mark.browser

MODEL = """
import time
import numpy as np

class Slow:
    "A picture a moment, so that there is time to look."
    name = key = "slow"
    near_distance = 0.01
    seen = 0

    def encode(self, images):
        time.sleep(0.2 if self.seen < 30 else 2)
        self.seen += len(images)
        return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100 for i in images])
"""

JOB = """
job = dw.score_async(photos, model=Slow(), batch_size=1, store={store!r})
job
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_job_runs_while_the_explorer_is_used_and_its_button_ends_it(demo, shots, tmp_path, theme):
    start = JOB.format(store=str(tmp_path / "store.sqlite"))
    cells = [MODEL, start, "ex = dw.Explorer(df, height=300)\nex"]
    with demo(f"job-{theme}", *cells, dark=theme == "dark", height=1300) as notebook:
        page = notebook.page
        panel = page.locator(".jp-OutputArea-output", has=page.locator(".widget-vbox"))
        expect(panel).to_contain_text(re.compile(r"\d+ of 80 images, [\d.]+ a second, about \d+"))

        # The notebook is free: a tile is drawn, picked, and read back in Python.
        widget = app(page)
        show(widget)
        tiles(widget).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
        eventually(notebook, "len(ex.selection)", 1)
        assert notebook.kernel("job.state") == "running"

        panel.scroll_into_view_if_needed()
        page.screenshot(path=shots / f"job-running-{theme}.png")

        panel.get_by_role("button", name="Cancel").click()
        expect(panel).to_contain_text(
            re.compile(r"cancelled after \d+ of 80 images; they are kept")
        )
        expect(panel.get_by_role("button", name="Cancel")).to_be_hidden()
        assert notebook.kernel("job.state") == "cancelled"
        assert 0 < notebook.kernel("len(job.so_far())") < 80
        page.screenshot(path=shots / f"job-cancelled-{theme}.png")


QUICK = """
import time
import numpy as np

class Quick:
    name = key = "quick"
    near_distance = 0.01

    def encode(self, images):
        time.sleep(0.1 * len(images))
        return np.stack([np.asarray(i.resize((8, 8)), np.float32).ravel() - 100 for i in images])
"""

TOP = """cell => Math.round(
    cell.getBoundingClientRect().top - cell.closest('[role=grid]').getBoundingClientRect().top
)"""
FIRST = f"""grid => {{
    const cells = [...grid.querySelectorAll('[role=gridcell]')];
    const top = {TOP};
    const first = cells.find(cell => top(cell) + cell.offsetHeight > 0);
    return [first.querySelector('.name').title, top(first)];
}}"""

FILLING = """
job = dw.score_async(photos, model=Quick(), batch_size=2, store={store!r}, progress=False)
ex = dw.Explorer(job, height=300)
ex
"""


def test_an_explorer_of_a_job_fills_and_keeps_the_place(demo, shots, tmp_path):
    cells = [QUICK, FILLING.format(store=str(tmp_path / "store.sqlite"))]
    with demo("filling", *cells, height=1100) as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        expect(widget.get_by_role("status").filter(has_text="Scoring:")).to_be_visible()
        notebook.kernel("setattr(ex, 'sort', 'path')\n0")
        tiles(widget).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
        eventually(notebook, "len(ex.selection)", 1)
        grid = widget.get_by_role("grid")
        grid.evaluate("grid => { grid.scrollTop = 600 }")
        page.wait_for_timeout(500)
        first = grid.evaluate(FIRST)
        page.screenshot(path=shots / "filling.png")

        eventually(notebook, "job.state", "done", seconds=120)
        eventually(notebook, "ex.session.scoring", "")
        expect(widget.locator(".scoring")).to_have_count(0)
        assert notebook.kernel("ex.frame.equals(job.result())")
        shown = notebook.kernel("ex.session.summary.exact")
        expect(widget.locator(".overview, .sentence").first).to_contain_text(str(shown))
        name, top = first
        tile = widget.locator(f"[role=gridcell]:has([title={json.dumps(name)}])")
        expect(tile).to_be_visible()
        assert tile.evaluate(TOP) == pytest.approx(top, abs=2)
        expect(widget.locator(".picked-count strong")).to_have_text("1")
        page.screenshot(path=shots / "filled.png")
