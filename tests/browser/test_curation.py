"""From duplicates to a clean dataset, in a real JupyterLab; checked in the kernel and on disk."""

import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import expect

from dedup_widgets.images.decode import decode
from dedup_widgets.images.listing import find_images
from on_screen import app, eventually, menu, show, tiles, unfold_filters

pytestmark = pytest.mark.browser

EXPLORER = "ex = dw.Explorer(df)\nex"


def fingerprints(folder, readable):
    """Return the fingerprint of each picture in a folder, the broken files left out."""
    return sorted(
        decode(Path(path).read_bytes()).fingerprint
        for path in find_images(folder)
        if Path(path).name in readable
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_four_actions_lead_from_the_photos_to_a_clean_dataset(demo, lab, shots, theme):
    with demo(f"five-{theme}", EXPLORER, dark=theme == "dark", height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        actions = 0

        def act(act, *arguments):
            nonlocal actions
            actions += 1
            act(*arguments)

        act(widget.get_by_role("button", name="Remove exact copies").click)
        expect(widget.locator("output.count")).to_contain_text("20 images")
        expect(widget.get_by_role("group", name="Selection")).to_contain_text("Nothing is deleted")
        name = widget.get_by_label("Name of the collection of what stays")
        expect(name).to_be_focused()
        page.screenshot(path=shots / f"five-2-accepted-{theme}.png")

        act(page.keyboard.type, f"Unique {theme}\n")
        expect(widget.get_by_role("tab", name="Collections")).to_contain_text("1")
        page.screenshot(path=shots / f"five-3-named-{theme}.png")

        act(widget.get_by_role("button", name="Create dataset…").first.click)
        dialog = widget.get_by_role("dialog")
        expect(dialog).to_contain_text("58")
        submit = dialog.get_by_role("button", name="Submit")
        expect(submit).to_be_enabled()
        page.screenshot(path=shots / f"five-4-dialog-{theme}.png")

        act(submit.click)
        expect(dialog).to_contain_text("58 images")
        expect(dialog).to_contain_text("written")
        page.screenshot(path=shots / f"five-5-written-{theme}.png")
        assert actions == 4

        collections = f"ex.collections['Unique {theme}'].paths"
        assert len(notebook.kernel(collections)) == 58
        readable = notebook.kernel(
            "[p.split('/')[-1] for p in df.filter(pl.col('error').is_null())['path']]"
        )
        photos, made = lab.root / "photos", lab.root / "datasets" / f"unique-{theme}"
        there = fingerprints(made / "train", readable)
        assert there == sorted(set(fingerprints(photos, readable)))
        removed = pl.read_parquet(made / "removed.parquet")
        assert len(removed) == 22
        notebook.kernel("ex.collections.clear()\n0")


def key(page, widget, keys, row):
    """Press a key with the focus on a tile."""
    tiles(widget).nth(row).locator(".tile").click(position={"x": 60, "y": 80})
    page.keyboard.press(keys)


def test_decisions_by_keyboard_and_their_undo(demo, shots):
    with demo("decisions", EXPLORER, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        path = notebook.kernel("ex.view['path'][2]")
        key(page, widget, "k", 2)
        eventually(notebook, "list(ex.decisions.keepers)", [path])
        expect(tiles(widget).nth(2)).to_contain_text("keeper: chosen by hand")
        page.screenshot(path=shots / "keeper-by-hand.png")
        groups = notebook.kernel("ex.frame['group'].n_unique()")
        row = notebook.kernel("(ex.view['kind'] == 'near').arg_max()")
        near = notebook.kernel(f"ex.view['path'][{row}]")
        key(page, widget, "n", row)
        fate = f"ex.plan.filter(pl.col('path') == {near!r})['reason'][0]"
        eventually(notebook, fate, "not a duplicate: decided by hand")
        page.screenshot(path=shots / "not-a-duplicate.png")
        while widget.get_by_role("button", name="Undo").get_attribute("aria-disabled") != "true":
            before = widget.get_by_role("button", name="Undo").get_attribute("title")
            widget.get_by_role("button", name="Undo").click()
            expect(widget.get_by_role("button", name="Undo")).not_to_have_attribute("title", before)
        eventually(notebook, "list(ex.decisions.keepers)", [])
        assert notebook.kernel("ex.plan.equals(dw.plan(df))")
        assert notebook.kernel("ex.frame['group'].n_unique()") == groups
        widget.get_by_role("button", name="Redo").click()
        page.keyboard.press("Control+y")
        eventually(notebook, "list(ex.decisions.keepers)", [path])
        assert notebook.kernel("dw.replay(df, ex.log).plan.equals(ex.plan)")
        notebook.kernel("ex.unchoose_keepers(ex.frame)\n0")


def test_the_boundary_regroups_live(demo, shots):
    with demo("near", EXPLORER, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        menu(widget, "Plan")
        slider = widget.get_by_role("slider", name="boundary")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("PageDown")
        eventually(notebook, "ex.near < 0.05", True)
        eventually(notebook, "ex.plan.equals(dw.plan(df, near=ex.near))", True)
        page.screenshot(path=shots / "boundary.png")
        notebook.kernel("setattr(ex, 'near', None)\n0")
        expect(widget.get_by_role("button", name="Plan", exact=True)).to_be_visible()


def test_filters_on_columns_agree_with_python(demo, shots):
    with demo("filters", EXPLORER, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        shown = "len(ex.view)"
        unfold_filters(widget)
        widget.get_by_role("button", name="Add filter").click()
        page.keyboard.type("format")
        page.keyboard.press("Enter")
        page.screenshot(path=shots / "filter-editor.png")
        widget.get_by_role("checkbox", name="png").click()
        page.keyboard.press("Escape")
        eventually(notebook, "ex.filters == {'format': ['png']}", True)
        notebook.kernel("setattr(ex, 'filters', {**ex.filters, 'width': (100, 400)})\n0")
        expect(widget.get_by_role("button", name="width 100 … 400", exact=True)).to_be_visible()
        count = notebook.kernel(shown)
        expect(widget.locator("output.count")).to_contain_text(f"{count} images")
        page.screenshot(path=shots / "filters.png")
        assert notebook.kernel("len(ex.frame.filter(ex.filters.expression))") == count
        widget.get_by_role("button", name="Reset filters").click()
        eventually(notebook, shown, 80)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_analytics_brush_the_view(demo, shots, theme):
    with demo(f"analytics-{theme}", EXPLORER, dark=theme == "dark", height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        widget.get_by_role("tab", name="Analytics").click()
        chart = page.locator(".bqplot.figure, .bqplot").first
        expect(chart).to_be_visible(timeout=60_000)
        page.wait_for_timeout(3000)
        page.screenshot(path=shots / f"analytics-{theme}.png")
        notebook.kernel("setattr(ex, 'filters', {'uniqueness': (0, 0.01)})\n0")
        page.wait_for_timeout(1000)
        page.screenshot(path=shots / f"analytics-brushed-{theme}.png")
        widget.get_by_role("tab", name="Images").click()
        expect(widget.locator("output.count")).to_contain_text(
            f"{notebook.kernel('len(ex.view)')} images"
        )


def test_collections_are_renamed_described_shown_and_deleted(demo, shots):
    with demo("collections", EXPLORER, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        notebook.kernel(
            "ex.collections['Near'] = df.filter(pl.col('kind') == 'near')\n"
            "ex.collections['A name that is much longer than any card is wide, and goes on'] = df\n"
            "0"
        )
        widget.get_by_role("tab", name="Collections").click()
        panel = widget.get_by_role("list", name="Collections")
        expect(panel.get_by_role("listitem").first).to_contain_text("Near")
        page.wait_for_timeout(1000)
        page.screenshot(path=shots / "collections.png")
        panel.get_by_role("button", name="Show").first.click()
        eventually(notebook, "len(ex.view) == len(ex.collections['Near'])", True)
        expect(widget.locator("[role=gridcell]:not(.context)").first).to_contain_text("Near")
        page.screenshot(path=shots / "collection-shown.png")
        notebook.kernel("ex.collections.clear()\nsetattr(ex, 'filters', None)\n0")


BEFORE = """
before = dw.Session(df)
before.near = 0.1
before.filters = {"kind": ["exact"]}
before.selection = df.head(3)
before.choose_keepers(df.filter(pl.col("kind") == "exact")["path"].to_list()[:1])
"""
"""A cell that does what a kernel did that is gone."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_review_that_goes_on_is_begun_anew_by_keyboard_and_undone(demo, shots, theme):
    cells = BEFORE, "ex = dw.Explorer(df)\nex"
    with demo(f"anew-{theme}", *cells, dark=theme == "dark", height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        note = widget.get_by_role("note")
        expect(note).to_contain_text(re.compile(r"Gone on with the review of 20.*: 4 steps\."))
        for width in (1200, 760, 420):
            widget.evaluate(
                "(it, width) => { it.getRootNode().host.parentElement.style.width = width }",
                f"{width}px",
            )
            page.screenshot(path=shots / f"anew-{theme}-{width}.png")
        begin = note.get_by_role("button", name="Begin anew")
        begin.focus()
        page.keyboard.press("Enter")
        expect(note).to_have_count(0)
        expect(widget.get_by_role("grid")).to_be_focused()
        counted = ", ".join(f"len(ex.{it})" for it in ("filters", "selection", "decisions.keepers"))
        now = f"[ex.near == ex.scored_near, {counted}]"
        eventually(notebook, now, [True, 0, 0, 1])
        for _ in range(3):
            page.keyboard.press("Control+z")
        eventually(notebook, now, [False, 1, 3, 1])
        expect(note).to_have_count(0)
