"""Other hosts than JupyterLab, and what a page holds after cells ran again and again."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest
from playwright.sync_api import expect

from lab import write_notebook
from on_screen import SETUP, app, eventually, show, tiles

pytestmark = pytest.mark.browser


def held(page):
    """Return what the page holds once its garbage is collected."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    for _ in range(3):
        devtools.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(200)
    metrics = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
    devtools.detach()
    return {name: metrics[name] for name in ("JSEventListeners", "Nodes", "JSHeapUsedSize")}


def test_a_cell_that_is_run_again_leaves_nothing_behind_on_the_page(demo):
    with demo("again", "ex = dw.Explorer(df, height=300)\nex") as notebook:
        page = notebook.page

        def run_again(times):
            page.locator(".jp-CodeCell").last.locator(".jp-InputArea-editor").click()
            for _ in range(times):
                before = notebook.kernel("ex.model_id")
                page.keyboard.press("Control+Enter")
                for _ in range(100):
                    if notebook.kernel("ex.model_id") != before:
                        break
                    page.wait_for_timeout(50)
                show(app(page))
                expect(tiles(app(page)).nth(3).locator("img")).to_be_visible()

        run_again(3)
        before = held(page)
        # What JupyterLab adds by itself, its list of kernels for one, comes once: what a run of
        # a cell leaves behind comes again with the next ones.
        for _ in range(3):
            run_again(8)
            after = held(page)
            more = {name: after[name] - before[name] for name in after}
            allowed = {"JSEventListeners": 20, "Nodes": 100, "JSHeapUsedSize": 8 * 0.7e6}
            if all(more[name] < allowed[name] for name in allowed):
                break
            before = after
        else:
            raise AssertionError(f"the page holds more after 8 runs of a cell: {more}")
        from_kernel = "len(__import__('ipywidgets').widgets.widget._instances)"
        assert notebook.kernel(from_kernel) == 2


def test_notebook_7_shows_it_and_stays_in_step(demo, shots):
    with demo("notebook-7", "ex = dw.Explorer(df, height=300)\nex", app="notebooks") as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        # What stands in for it in a saved notebook is out of sight.
        expect(page.locator("[class^=dw-saved]")).to_be_hidden()
        tiles(widget).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
        eventually(notebook, "len(ex.selection)", 1)
        widget.get_by_role("tab", name="Analytics").click()
        expect(page.locator(".dw-analytics .bqplot").first).to_be_visible()
        page.screenshot(path=shots / "notebook-7.png")


def test_voila_shows_it(lab, shots):
    write_notebook(lab.root / "voila.ipynb", SETUP, "dw.Explorer(df, height=300)")
    with lab.page("voila/render/voila.ipynb") as page:
        widget = page.locator("section.app")
        expect(tiles(widget).nth(1).locator("img")).to_be_visible(timeout=90_000)
        tiles(widget).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
        expect(widget.locator(".picked-count strong")).to_have_text("1")
        page.screenshot(path=shots / "voila.png")


def test_a_notebook_without_a_kernel_shows_a_summary(demo, lab, shots):
    with demo("saved", "ex = dw.Explorer(df, height=300)\nex") as notebook:
        page = notebook.page
        show(app(page))
        expect(page.locator("[class^=dw-saved]")).to_be_hidden()
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1500)
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
        page.wait_for_timeout(2000)
    book = (lab.root / "saved.ipynb").read_text()
    assert "can go" in book
    assert len(book) < 250_000
    with lab.page("doc/tree/saved.ipynb?kernel=none") as page:
        saved = page.locator("[class^=dw-saved]")
        expect(saved).to_contain_text("can go")
        expect(saved).to_be_visible()
        # JupyterLab's own word for it is there, and out of sight.
        error = page.get_by_text("Error displaying widget")
        expect(error).to_have_count(1)
        expect(error).to_be_hidden()
        page.screenshot(path=shots / "saved.png")


MARIMO = """
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import dedup_widgets as dw
    from dedup_widgets.demo import demo_photos

    df = dw.score(demo_photos("photos"), model="efficientnet-lite0", progress=False)
    return df, dw, mo


@app.cell
def _(df, dw, mo):
    ex = mo.ui.anywidget(dw.Explorer(df, height=300))
    ex
    return (ex,)


@app.cell
def _(ex, mo):
    mo.md(f"picked {len(ex.selection)}, shown {len(ex.view)}, collections {list(ex.collections)}")
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def marimo(lab, tmp_path):
    """A page of a marimo app, on the photos of the other tests."""
    (lab.root / "app.py").write_text(MARIMO)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token"]
    own = {"HOME": str(tmp_path), "DEDUP_WIDGETS_STORE": str(tmp_path / "store.sqlite")}
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=lab.root,
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.3)
        with lab.browse(f"http://127.0.0.1:{port}") as page:
            yield page
    finally:
        server.terminate()
        server.wait(20)


def test_marimo_runs_dependent_cells_again_and_says_what_it_cannot_draw(marimo, shots):
    page = marimo
    widget = page.locator("section.app")
    expect(tiles(widget).nth(1).locator("img")).to_be_visible(timeout=120_000)
    tiles(widget).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
    expect(page.get_by_text("picked 1, shown 80, collections []")).to_be_visible()
    widget.get_by_label("Collection name").fill("Mine")
    widget.get_by_role("button", name="Make collection").click()
    expect(page.get_by_text("collections ['Mine']")).to_be_visible()
    widget.get_by_role("tab", name="Analytics").click()
    expect(widget).to_contain_text("cannot show one widget within another")
    page.screenshot(path=shots / "marimo.png")
