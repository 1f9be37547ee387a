"""Every state of the Explorer in a real JupyterLab: for eyes, keys and programs of all kinds."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from scenes import play

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"

BROKEN = """
([host, options]) => axe.run(host, { resultTypes: ["violations"], ...options }).then(
    ({ violations }) => violations.flatMap(
        ({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)))
"""


def host_of(stage, name):
    return stage.shown(name).evaluate_handle("app => app.getRootNode().host")


def test_axe_finds_nothing_in_any_state_light_or_dark(stage):
    stage.widen(1200)
    stage.page.add_script_tag(path=AXE)
    found = {}
    for name in play(stage):
        # Only the colours are others in the dark.
        for dark, options in (False, {}), (True, {"runOnly": ["cat.color"]}):
            stage.darken(dark)
            broken = stage.page.evaluate(BROKEN, [host_of(stage, name), options])
            if broken:
                found[name, dark] = broken
        stage.darken(False)
    assert found == {}


def test_forced_colours_tell_pressed_from_not(stage):
    def looks(buttons):
        style = "(b => b.map(it => ((s) => [s.color, s.backgroundColor])(getComputedStyle(it))))"
        return {tuple(look) for look in buttons.evaluate_all(style)}

    def parts(one, attribute):
        for value in ("true", "false"):
            yield looks(one.locator(f"button[{attribute}={value}]:enabled"))

    stage.page.emulate_media(forced_colors="active")
    try:
        for name in play(stage, "filters", "review"):
            for attribute in ("aria-pressed", "aria-selected"):
                pressed, others = parts(stage.view, attribute)
                assert pressed, name
                assert others, name
                assert not pressed & others, name
    finally:
        stage.page.emulate_media(forced_colors="none")


def test_who_wants_no_motion_gets_none(stage):
    stage.page.emulate_media(reduced_motion="reduce")
    moving = "app => app.getRootNode().getAnimations().map(it => String(it.animationName))"
    try:
        for name in play(stage, "first", "similar", "dataset", "review"):
            assert stage.view.evaluate(moving) == [], name
    finally:
        stage.page.emulate_media(reduced_motion="no-preference")


def test_nothing_scrolls_sideways_at_twice_the_size(stage):
    """A window of 1,280 pixels, zoomed to 200 %, has half as many."""
    wide = """app => {
        const host = app.getRootNode().host.parentElement;
        return [app, host].map(it => it.scrollWidth - it.clientWidth);
    }"""
    size = stage.page.viewport_size
    stage.page.set_viewport_size({"width": 640, "height": 500})
    stage.widen(480)
    try:
        for name in play(stage, "first", "filters", "selected", "collections", "review"):
            assert max(stage.view.evaluate(wide)) <= 0, name
    finally:
        stage.page.set_viewport_size(size)
        stage.widen(1200)


def test_from_the_tabs_to_the_images_are_five_keys_at_most(stage):
    stage.fresh()
    grid = stage.view.get_by_role("grid")
    stage.view.get_by_role("tab", name="Images").focus()
    keys = ["Tab", "Enter"]
    assert len(keys) <= 5
    for key in keys:
        stage.page.keyboard.press(key)
    expect(grid).to_be_focused()
