"""A job in a real JupyterLab: it runs while the Explorer is used, and its button ends it."""

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

        # What is scored so far opens in an Explorer of its own, and the job goes on.
        scored = notebook.kernel("len(dw.Explorer(job).frame)")
        assert 0 < scored < 80
        eventually(notebook, f"job.progress[0] > {scored}", True)
        panel.scroll_into_view_if_needed()
        page.screenshot(path=shots / f"job-running-{theme}.png")

        panel.get_by_role("button", name="Cancel").click()
        expect(panel).to_contain_text(
            re.compile(r"cancelled after \d+ of 80 images; they are kept")
        )
        expect(panel.get_by_role("button", name="Cancel")).to_be_hidden()
        assert notebook.kernel("job.state") == "cancelled"
        kept = notebook.kernel("len(job.so_far())")
        assert kept >= scored
        page.screenshot(path=shots / f"job-cancelled-{theme}.png")
