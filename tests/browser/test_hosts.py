"""Other hosts than JupyterLab, and what a page holds after cells ran again and again."""

import pytest
from playwright.sync_api import expect

from on_screen import app, show, tiles

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
                expect(tiles(app(page)).nth(3).locator("canvas")).to_be_visible()

        run_again(3)
        before = held(page)
        run_again(8)
        after = held(page)
        assert after["JSEventListeners"] - before["JSEventListeners"] < 20
        assert after["Nodes"] - before["Nodes"] < 100
        assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] < 8 * 0.7e6
        from_kernel = "len(__import__('ipywidgets').widgets.widget._instances)"
        assert notebook.kernel(from_kernel) == 2
