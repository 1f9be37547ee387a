"""The flows that are advertised, each to the dataset it promises; checked on disk."""

from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import expect

from dedup_widgets.images.decode import decode
from dedup_widgets.images.listing import find_images
from on_screen import app, eventually, menu, show, unfold_filters
from on_screen import count as shortcut

pytestmark = pytest.mark.browser

EXPLORER = "ex = dw.Explorer(df)\nex"


def pictures(paths):
    """Return the fingerprints of some files, in their order."""
    return sorted(decode(Path(path).read_bytes()).fingerprint for path in paths)


def name_it(page, widget, name):
    """Give what is selected, or what stays, a name."""
    widget.locator("input.collection-name").fill(name)
    page.keyboard.press("Enter")
    expect(widget.get_by_role("tab", name="Collections")).to_contain_text("1")


def make_dataset(widget, images):
    """Submit the dialog as it proposes, and wait until so many images are written."""
    dialog = widget.get_by_role("dialog")
    submit = dialog.get_by_role("button", name="Submit")
    expect(dialog.locator(".dataset-counts dd").first).to_have_text(str(images))
    expect(dialog.locator(".dataset-counts")).not_to_contain_text("no image left")
    expect(submit).to_be_enabled()
    submit.click()
    expect(dialog).to_contain_text("written")
    dialog.get_by_role("button", name="Done").click()


@pytest.mark.parametrize(
    ("count", "goes", "rules"),
    [
        ("exact copies", "exact", ""),
        ("near-duplicates", "near", ""),
        (
            "exact copies",
            "exact",
            "ex.rules = [dw.keepers.prefer_path('*/camera/*'), 'pixels', 'bytes']\n",
        ),
    ],
    ids=["exact", "near", "exact, by another rule"],
)
def test_from_a_count_to_a_dataset(demo, lab, shots, count, goes, rules):
    name = f"from-{count[:4]}-{bool(rules)}".lower()
    cell = EXPLORER.replace("\nex", f"\n{rules}ex")
    with demo(name, cell, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        shortcut(widget, count).click()
        going = notebook.kernel(f"ex.session.summary.{goes}")
        expect(widget.locator("output.count").first).to_contain_text(f"{going} images")
        widget.get_by_role("button", name="Accept plan").click()
        page.screenshot(path=shots / f"{name}-accepted.png")
        gone = notebook.kernel("ex.selection['path'].to_list()")
        stays = notebook.kernel("ex.rest['path'].to_list()")
        name_it(page, widget, name)
        widget.get_by_role("button", name="Create dataset…").first.click()
        page.screenshot(path=shots / f"{name}-dialog.png")
        make_dataset(widget, len(stays))
        made = lab.root / "datasets" / name
        assert pictures(find_images(made / "train")) == sorted(set(pictures(stays)))
        groups = notebook.kernel("sorted(set(ex.frame['group'].drop_nulls()))")
        written = pl.read_parquet(made / "train" / "metadata.parquet")
        assert sorted(set(written["group"].drop_nulls())) == groups
        assert len(gone) + len(stays) + 2 == 80
        notebook.kernel("ex.collections.clear()\nsetattr(ex, 'filters', None)\n0")


def test_the_documented_job_step_by_step(demo, lab, shots):
    with demo("job", EXPLORER, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)
        shows = widget.locator("output.count").first
        make = widget.get_by_role("button", name="Make collection")

        # A count, a sort, a range: what repeats another image, and what is near.
        shortcut(widget, "exact copies").click()
        expect(shows).to_contain_text("20 images")
        view = menu(widget, "View")
        view.get_by_label("Sort by").select_option("width")
        view.get_by_label("Sort by").select_option("uniqueness")
        page.keyboard.press("Escape")
        unfold_filters(widget)
        widget.get_by_role("slider", name="Highest uniqueness").focus()
        page.keyboard.press("ArrowRight")
        eventually(notebook, "0.0001 < list(ex.filters['uniqueness'])[1] < 0.0002", True)
        widget.get_by_role("button", name="Select all shown").click()
        shown = notebook.kernel("len(ex.view)")
        eventually(notebook, "len(ex.selection)", shown)
        # One is not meant.
        spared = notebook.kernel("ex.view['path'][0]")
        widget.locator("[role=gridcell]:not(.context) .tile").first.click(
            position={"x": 60, "y": 80}, modifiers=["Control"]
        )
        expect(make).to_have_text(f"Make collection ({shown - 1})")
        name_it(page, widget, "Duplicates")
        expect(widget.locator(".picked-count strong")).to_have_text("0")
        page.screenshot(path=shots / "job-1-duplicates.png")

        # The rest is what is not in it.
        widget.get_by_role("button", name="Reset filters").first.click()
        expect(shows).to_contain_text("80 images")
        widget.get_by_role("button", name="Add filter").click()
        page.keyboard.type("collection")
        page.keyboard.press("Enter")
        widget.get_by_role("button", name="Not in").first.click()
        page.keyboard.press("Escape")
        left = 80 - (shown - 1)
        expect(shows).to_contain_text(f"{left} images")
        widget.get_by_role("button", name="Select all shown").click()
        eventually(notebook, "len(ex.selection)", left - 2)
        assert notebook.kernel("ex.selection['error'].null_count() == len(ex.selection)")
        page.screenshot(path=shots / "job-2-selected.png")
        expect(make).to_have_text(f"Make collection ({left - 2})")
        widget.locator("input.collection-name").fill("Unique")
        page.keyboard.press("Enter")
        expect(widget.get_by_role("tab", name="Collections")).to_contain_text("2")
        eventually(notebook, "len(ex.collections['Unique'].paths)", left - 2)

        # The page of collections, and the dataset of the second one.
        widget.get_by_role("tab", name="Collections").click()
        panel = widget.get_by_role("list", name="Collections")
        expect(panel).to_contain_text("Unique")
        page.screenshot(path=shots / "job-3-collections.png")
        widget.get_by_role("button", name="Create dataset…").first.click()
        # The copy that was spared is in the collection, and a dataset has each picture once.
        expect(widget.locator(".dataset-counts")).to_contain_text("of these exact copies1")
        make_dataset(widget, left - 3)
        made = lab.root / "datasets" / "unique"
        paths = notebook.kernel("ex.collections['Unique'].paths")
        assert spared in paths
        assert pictures(find_images(made / "train")) == sorted(set(pictures(paths)))
        notebook.kernel("ex.collections.clear()\nsetattr(ex, 'filters', None)\n0")


def test_a_decision_moves_no_tile(demo, shots):
    with demo("still", EXPLORER, height=1100) as notebook:
        page, widget = notebook.page, app(notebook.page)
        show(widget)

        def on_screen():
            places = "cells => cells.map(c => [c.dataset.row, c.getBoundingClientRect().top])"
            return sorted(widget.locator("[role=gridcell]").evaluate_all(places))

        shortcut(widget, "exact copies").click()
        eventually(notebook, "len(ex.view)", 20)
        copy = widget.locator("[role=gridcell]:not(.context)").nth(1)
        copy.locator(".tile").click(position={"x": 60, "y": 80})
        before = on_screen()
        page.keyboard.press("n")
        offer = widget.get_by_role("button", name="Keep both")
        expect(offer).to_be_visible()
        page.screenshot(path=shots / "keep-both-offered.png")
        assert notebook.kernel("len(ex.decisions.not_duplicates)") == 0
        copy.locator(".tile").click(position={"x": 60, "y": 80})
        page.keyboard.press("k")
        eventually(notebook, "len(ex.decisions.keepers)", 1)
        expect(widget.locator("[role=gridcell].focused")).to_contain_text("keeper")
        assert on_screen() == before
        page.screenshot(path=shots / "keeper-changed-in-place.png")
        widget.get_by_role("button", name="Undo").click()
        eventually(notebook, "len(ex.decisions.keepers)", 0)
        assert on_screen() == before
        copy.locator(".tile").click(position={"x": 60, "y": 80})
        page.keyboard.press("n")
        offer.click()
        eventually(notebook, "len(ex.decisions.keepers) >= 2", True)
        assert on_screen() == before
        notebook.kernel("ex.unchoose_keepers(ex.frame)\n0")
