"""The Explorer in a real JupyterLab, driven as a person would; checked in the kernel."""

import re

import pytest
from playwright.sync_api import expect

from on_screen import app, count, drag, eventually, menu, show, tiles, unfold_filters

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_quickstart_from_photos_to_a_frame_of_duplicates(lab, shots, theme):
    with lab.open("notebooks/quickstart.ipynb", dark=theme == "dark") as notebook:
        page = notebook.page
        notebook.run_all()
        widget = app(page)
        notebook.kernel("ex.collections.clear()\nsetattr(ex, 'filters', {})\n0")
        show(widget)
        page.screenshot(path=shots / f"quickstart-{theme}.png")

        # Drag the range: the grid follows in the browser, the frame in the kernel.
        unfold_filters(widget)
        drag(
            page,
            widget.get_by_role("slider", name="Highest uniqueness"),
            widget.locator(".plot"),
            0.6,
        )
        low, high = notebook.kernel("list(ex.filters['uniqueness'])")
        assert low == 0
        assert 0 < high < 0.05
        shown = int(re.match(r"([\d,]+) image", widget.locator("output.count").inner_text())[1])
        eventually(notebook, "len(ex.view)", shown)
        assert 0 < shown < notebook.kernel("len(df)")
        page.screenshot(path=shots / f"range-{theme}.png")

        # The shortcut for duplicates; pick by click, Ctrl-click and Shift-click.
        count(widget, "exact copies").click()
        eventually(notebook, "list(ex.filters['uniqueness'])", [0, 0.0001])
        picked = widget.locator("[role=gridcell]:not(.context)")
        picked.nth(0).locator(".tile").click(position={"x": 60, "y": 80})
        eventually(notebook, "len(ex.selection)", 1)
        picked.nth(2).locator(".tile").click(position={"x": 60, "y": 80}, modifiers=["Control"])
        eventually(notebook, "len(ex.selection)", 2)
        picked.nth(4).locator(".tile").click(position={"x": 60, "y": 80}, modifiers=["Shift"])
        expect(widget.locator(".picked-count strong")).to_have_text("3")
        eventually(notebook, "len(ex.selection)", 3)
        names = picked.evaluate_all(
            "cells => cells.filter(c => c.ariaSelected === 'true')"
            ".map(c => c.querySelector('.name').title || c.querySelector('.name').textContent)"
        )
        assert notebook.kernel("ex.selection['path'].to_list()") == names
        page.screenshot(path=shots / f"selection-{theme}.png")

        # Similar items of the first tile: its duplicates come first.
        tile = tiles(widget).first
        tile.hover()
        tile.get_by_role("button", name=re.compile("^Similar items of")).click()
        popover = widget.get_by_role("dialog")
        expect(popover.get_by_role("listitem")).to_have_count(12)
        first = popover.get_by_role("listitem").first
        assert float(first.locator(".score").inner_text()) < 0.05
        page.screenshot(path=shots / f"similar-{theme}.png")
        first.get_by_role("button", name=re.compile("^Select")).click()
        page.keyboard.press("Escape")
        expect(popover).to_have_count(0)

        # Keep it under a name, and read it back.
        size = notebook.kernel("len(ex.selection)")
        widget.get_by_label("Collection name").fill("My pick")
        widget.get_by_role("button", name="Make collection").click()
        expect(widget.get_by_role("tab", name="Collections")).to_contain_text("1")
        assert notebook.kernel("len(ex.collections['My pick'].frame)") == size
        assert notebook.kernel("ex.collections['My pick'].frame.columns == df.columns")
        page.screenshot(path=shots / f"collection-{theme}.png")


def test_two_views_and_python_stay_in_step(demo, shots):
    with demo("views", "ex = dw.Explorer(df, height=300)\nex", "ex", height=1600) as notebook:
        page = notebook.page
        one, two = app(page, 0), app(page, 1)
        show(one)
        tiles(one).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
        expect(two.locator(".picked-count strong")).to_have_text("1")
        expect(tiles(two).nth(1)).to_have_attribute("aria-selected", "true")
        notebook.kernel("setattr(ex, 'selection', df.head(5))\n0")
        for view in (one, two):
            expect(view.locator(".picked-count strong")).to_have_text("5")
        notebook.kernel("setattr(ex, 'filters', {'uniqueness': (0.3, 1)})\n0")
        shown = notebook.kernel("len(ex.view)")
        for view in (one, two):
            expect(view.locator("output.count")).to_have_text(re.compile(f"^{shown} images"))
            expect(tiles(view).first).to_be_visible()
        notebook.kernel("setattr(ex, 'sort', {'column': 'path', 'descending': True})\n0")
        last = notebook.kernel("ex.view['path'][0]")
        expect(tiles(two).first.locator(".name")).to_have_attribute("title", last)
        page.screenshot(path=shots / "two-views.png")


def test_the_keyboard_works_and_stays_inside(demo):
    with demo("keys", "ex = dw.Explorer(df)\nex") as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        cells = page.locator(".jp-Cell").count()
        widget.get_by_role("grid").focus()
        page.keyboard.press("Control+a")
        eventually(notebook, "len(ex.selection)", notebook.kernel("df['error'].null_count()"))
        page.keyboard.press("Escape")
        eventually(notebook, "len(ex.selection)", 0)
        for key in ("Home", "Space", "Shift+ArrowRight", "Shift+ArrowRight"):
            page.keyboard.press(key)
        eventually(notebook, "len(ex.selection)", 3)
        # In JupyterLab's command mode these add cells, cut them, and turn them into Markdown.
        for key in ("b", "a", "x", "m", "d", "d"):
            page.keyboard.press(key)
        assert page.locator(".jp-Cell").count() == cells
        page.keyboard.press("s")
        expect(widget.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        unfold_filters(widget)
        thumb = widget.get_by_role("slider", name="Lowest uniqueness")
        thumb.focus()
        page.keyboard.press("End")
        before = float(thumb.get_attribute("aria-valuenow"))
        page.keyboard.press("ArrowLeft")
        assert float(thumb.get_attribute("aria-valuenow")) < before
        # Both thumbs at one place: the way that is dragged says which is meant.
        thumb.press("End")
        drag(page, thumb, widget.locator(".plot"), 0.5)
        assert float(thumb.get_attribute("aria-valuenow")) < 0.01
        bound = widget.get_by_label("Highest uniqueness").first
        widget.get_by_role("button", name=re.compile(r"^\d+ images")).click()
        bound.fill("0.05")
        bound.press("Enter")
        eventually(notebook, "list(ex.filters['uniqueness'])", [0, 0.05])


def test_a_box_drawn_over_tiles_selects_them(demo, shots):
    with demo("box", "ex = dw.Explorer(df)\nex") as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        first, third = (tiles(widget).nth(i).bounding_box() for i in (0, 2))
        page.mouse.move(first["x"] + 20, first["y"] + 60)
        page.mouse.down()
        page.mouse.move(third["x"] + 60, third["y"] + 120, steps=12)
        page.screenshot(path=shots / "box.png")
        page.mouse.up()
        eventually(notebook, "len(ex.selection)", 3)
        widget.get_by_role("button", name="Invert").click()
        eventually(notebook, "len(ex.selection)", notebook.kernel("df['error'].null_count() - 3"))


def test_names_are_text_and_styles_stay_inside(demo, shots):
    cells = (
        """
from PIL import Image
from pathlib import Path
Path("odd").mkdir(exist_ok=True)
names = ["<img src=x onerror=window.pwned=1>.jpg", "<script>window.pwned=1<!--.png",
         "a very long name that goes on and on and on until nobody wants to read it any more.png",
         "日本語 ünïcode.png"]
for i, name in enumerate(names):
    Image.effect_mandelbrot((200 + i, 150), (-2, -1, 1 + i / 9, 1), 60).save(f"odd/{name}")
odd = dw.score("odd", model="efficientnet-lite0", progress=False).with_columns(
    pl.lit("<b>bold</b>").alias("<i>column</i>"))
""",
        "ex = dw.Explorer(odd)\nex",
    )
    with demo("names", *cells, width=760) as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        assert (
            page.evaluate(
                """() => [...document.styleSheets, ...document.adoptedStyleSheets]
                .filter(sheet => [...sheet.cssRules].some(rule => rule.cssText.includes(".banded")))
                .length"""
            )
            == 0
        )
        expect(tiles(widget)).to_have_count(4)
        assert widget.locator("img[src='x']").count() == 0
        assert page.evaluate("window.pwned === undefined")
        page.screenshot(path=shots / "odd-names-narrow.png")


def test_a_collection_outlives_the_kernel_and_a_dead_view_says_so(demo, lab, shots):
    with demo("restart", "ex = dw.Explorer(df)\nex") as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        tiles(widget).nth(0).locator(".tile").click(position={"x": 60, "y": 80})
        widget.get_by_label("Collection name").fill("Outlives")
        widget.get_by_role("button", name="Make collection").click()
        eventually(notebook, "'Outlives' in ex.collections", True)
        path = notebook.kernel("ex.collections['Outlives'].frame['path'][0]")

        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.locator("[data-command='kernelmenu:restart']").click()
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        notebook.wait_for_kernel()
        tiles(widget).nth(1).locator(".tile").click(position={"x": 60, "y": 80})
        banner = widget.get_by_role("alert").filter(has_text="run this cell again")
        expect(banner).to_be_visible(timeout=20_000)
        widget.get_by_label("Collection name").fill("Too late")
        widget.get_by_role("button", name="Make collection").click()
        expect(banner).to_contain_text("Nothing was done.")
        page.screenshot(path=shots / "kernel-restarted.png")

        notebook.run_all()
        assert notebook.kernel("ex.collections['Outlives'].frame['path'][0]") == path
        app(page).get_by_role("tab", name="Collections").click()
        expect(app(page).get_by_role("list", name="Collections")).to_contain_text("Outlives")


def test_each_part_works_alone(demo, shots):
    cells = (
        "grid = dw.ImageGrid(df.select('path', 'width'), height=260)\ngrid",
        "histogram = dw.RangeHistogram(df['uniqueness'], log=True)\nhistogram",
        "items = dw.SimilarItems(df, df['path'][0], k=6)\nitems",
    )
    with demo("parts", *cells, height=1700) as notebook:
        page = notebook.page
        grid, histogram, items = (app(page, i) for i in range(3))
        show(grid)
        tiles(grid).nth(0).locator(".tile").click(position={"x": 60, "y": 80})
        eventually(notebook, "len(grid.selection)", 1)
        page.keyboard.press("Enter")
        large = grid.get_by_role("group", name="Image", exact=True)
        expect(large).to_contain_text("Image 1 of")
        grid.screenshot(path=shots / "grid-large.png")
        page.keyboard.press("ArrowRight")
        expect(large).to_contain_text("Image 2 of")
        page.keyboard.press("Escape")
        expect(grid.get_by_role("grid")).to_be_focused()
        thumb = histogram.get_by_role("slider", name="Highest uniqueness")
        thumb.scroll_into_view_if_needed()
        drag(page, thumb, histogram.locator(".plot"), 0.5)
        eventually(notebook, "histogram.value[0] == 0 and 0 < histogram.value[1] < 0.01", True)
        expect(items.get_by_role("listitem")).to_have_count(6)
        items.get_by_role("button", name=re.compile("^Select")).first.click()
        eventually(notebook, "len(items.selection)", 1)
        notebook.kernel("setattr(items, 'query', df['path'][5])\n0")
        expect(items).to_contain_text(notebook.kernel("df['path'][5].split('/')[-1]")[:6])
        grid.evaluate("element => element.scrollIntoView()")
        page.screenshot(path=shots / "parts.png", full_page=True)


def test_empty_and_unscored_frames_are_drawn(demo, shots):
    cells = (
        "dw.Explorer(df.clear())",
        "gone = df.clear(1).with_columns(path=pl.lit('gone.jpg'))",
        "dw.Explorer(gone.select('path', uniqueness=pl.lit(0.5)), height=240)",
    )
    with demo("empty", *cells) as notebook:
        page = notebook.page
        expect(app(page, 0)).to_contain_text("No images")
        gone = app(page, 1)
        expect(tiles(gone).first).to_contain_text("gone.jpg")
        expect(gone.get_by_role("button", name=re.compile("^Similar items of"))).to_have_count(0)
        page.screenshot(path=shots / "empty.png")


def test_a_hundred_thousand_rows_scroll_and_only_what_is_on_screen_is_asked_for(demo, shots):
    cells = (
        """
import numpy as np
n = 100_000
paths = df.filter(pl.col("error").is_null())["path"].to_list()
import os
os.makedirs("many", exist_ok=True)
rng = np.random.default_rng(0)
big = pl.DataFrame({"path": [f"{paths[i % len(paths)]}#{i}" for i in range(n)],
                    "uniqueness": rng.random(n).astype("float32")})
prints = df.filter(pl.col("error").is_null())["fingerprint"].to_list()
big = big.with_columns(fingerprint=pl.Series([prints[i % len(prints)] for i in range(n)]))
ex = dw.Explorer(big)
asked = []
from dedup_widgets.widgets.protocol import TilesRequest
answer = ex.handlers[TilesRequest]
ex.handlers[TilesRequest] = lambda m, i, o: (asked.append(len(m.rows)), answer(m, i, o))[1]
ex
""",
    )
    with demo("many", *cells) as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        grid = widget.get_by_role("grid")
        for place in (0.25, 0.5, 0.75, 1):
            grid.evaluate("(g, place) => { g.scrollTop = g.scrollHeight * place }", place)
            expect(tiles(widget).first.locator("img").first).to_be_visible()
        expected = notebook.kernel("ex.view['path'][-1].split('/')[-1]")
        expect(tiles(widget).last.locator(".name")).to_have_attribute(
            "title", re.compile(re.escape(expected) + "$")
        )
        assert notebook.kernel("sum(asked)") < 2000
        page.screenshot(path=shots / "hundred-thousand.png")


def test_what_a_copy_is_stands_below_it_and_beside_similar_items(demo, shots):
    with demo("copies", "ex = dw.Explorer(df)\nex") as notebook:
        widget = app(notebook.page)
        show(widget)
        notebook.kernel("setattr(ex, 'filters', {'path': 'astronaut (cropped)'})\n0")
        copy = tiles(widget).filter(has_text="copy of").first
        caption = re.compile(r"^cropped copy of astronaut\.png: \d\d % of it$")
        expect(copy.locator(".caption")).to_have_text(caption)
        copy.hover()
        copy.get_by_role("button", name=re.compile("^Similar items of")).click()
        nearest = widget.get_by_role("dialog").get_by_role("listitem").first
        expect(nearest.locator(".caption")).to_have_text("uncropped, shows more")
        notebook.page.screenshot(path=shots / "copies.png")
        notebook.page.keyboard.press("Escape")

        notebook.kernel("setattr(ex, 'near', 0.12)\n0")
        widget.get_by_role("button", name=re.compile("^Plan")).click()
        plan = widget.get_by_role("dialog", name="Plan")
        expect(plan).to_contain_text("nobody has confirmed them")
        notebook.page.screenshot(path=shots / "beyond-confirmed.png")


@pytest.mark.parametrize(("width", "above"), [(1200, 160), (420, 220)])
def test_images_begin_near_the_top(demo, shots, width, above):
    with demo(f"top-{width}", "ex = dw.Explorer(df)\nex", height=900) as notebook:
        widget = app(notebook.page)
        show(widget)
        widget.evaluate(
            "(app, width) => { app.getRootNode().host.parentElement.style.width = `${width}px` }",
            width,
        )
        notebook.page.wait_for_timeout(1000)
        tile = tiles(widget).first.locator(".tile").bounding_box()
        assert tile["y"] - widget.bounding_box()["y"] <= above
        # As tall as the window has room for.
        assert 400 < widget.get_by_role("grid").bounding_box()["height"] < 700
        notebook.page.screenshot(path=shots / f"top-{width}.png")


def test_keys_lead_to_the_images_from_group_to_group_and_to_the_search(demo):
    with demo("more-keys", "ex = dw.Explorer(df)\nex") as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        grid = widget.get_by_role("grid")
        widget.get_by_role("tab", name="Images").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(grid).to_be_focused()
        focused = widget.locator(".cell.focused")
        expect(focused.locator(".strip")).to_have_text(re.compile("^Group"))
        first = focused.get_attribute("data-row")
        page.keyboard.press("]")
        expect(focused.locator(".strip")).to_have_text(re.compile("^Group"))
        assert focused.get_attribute("data-row") != first
        page.keyboard.press("[")
        expect(focused).to_have_attribute("data-row", first)
        page.keyboard.press("/")
        page.keyboard.type("coffee")
        eventually(
            notebook, "len(ex.view)", notebook.kernel("df['path'].str.contains('coffee').sum()")
        )
        # A tile that the filter took away is not what the keyboard is on.
        active = grid.get_attribute("aria-activedescendant")
        assert active is None or widget.locator(f"#{active}").count() == 1
        grid.focus()
        page.keyboard.press("?")
        expect(widget.get_by_role("dialog", name="Keys of the grid")).to_be_visible()


def test_a_folder_is_preferred_on_screen_and_read_in_python(demo, shots):
    with demo("folder-rule", "ex = dw.Explorer(df)\nex") as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        plan = menu(widget, "Plan")
        plan.get_by_label("Add a rule").select_option(label="a folder…")
        page.screenshot(path=shots / "folder-rule.png")
        plan.get_by_role("button", name="camera").click()
        eventually(notebook, "ex.rules and ex.rules[0].about", "in the folder photos/camera")
        eventually(
            notebook,
            "ex.frame.filter(pl.col('keep') & pl.col('group').is_not_null())['path']"
            ".str.contains('/camera/').all()",
            True,
        )
        assert notebook.kernel("dw.replay(df, ex.log).plan.equals(ex.plan)")
        notebook.kernel("ex.undo()\n0")
        expect(plan.locator(".rules li").first).not_to_contain_text("camera")
