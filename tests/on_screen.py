"""What the browser tests share: finding the Explorer on the page, and its state in Python."""

import re

from playwright.sync_api import expect

SETUP = """
import dedup_widgets as dw, polars as pl
from dedup_widgets.demo import demo_photos
photos = demo_photos("photos")
df = dw.score(photos, model="efficientnet-lite0", progress=False)
"""
"""A cell that scores the demo photos."""


def app(page, index=0):
    """The widget's own part of the page; Playwright looks into its shadow root."""
    return page.locator(".jp-OutputArea-output section.app").nth(index)


def tiles(widget):
    return widget.locator("[role=gridcell]")


def show(widget):
    widget.evaluate("element => element.scrollIntoView({block: 'start'})")
    expect(widget.locator("[role=gridcell] img").first).to_be_visible()


def eventually(notebook, expression, value, seconds=20):
    """Wait until an expression in the kernel has a value."""
    for _ in range(int(seconds * 5)):
        found = notebook.kernel(expression)
        if found == value:
            return
        notebook.page.wait_for_timeout(200)
    assert found == value


def count(widget, name):
    """One of the counts, which is a shortcut to its filter."""
    return widget.get_by_role("group", name="Overview").get_by_role("button", name=name)


def unfold_filters(widget):
    """Show the histogram and what filters there are."""
    toggle = widget.get_by_role("button", name=re.compile(r"^Filter( \d+)?$"))
    if toggle.get_attribute("aria-expanded") == "false":
        toggle.click()


def menu(widget, name):
    """Open one of the menus above the images, and return it."""
    widget.get_by_role("button", name=name, exact=True).click()
    return widget.get_by_role("dialog", name=name, exact=True)


def drag(page, thumb, plot, place):
    """Drag a thumb of the histogram to a place of its axis, 0 … 1, by many small moves."""
    start, axis = thumb.bounding_box(), plot.bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(axis["x"] + axis["width"] * place, axis["y"] + 5, steps=25)
    page.mouse.up()
