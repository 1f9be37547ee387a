"""The review mode in a real JupyterLab: groups by keys alone, large pictures, back to the grid."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lab import write_notebook
from on_screen import app, eventually, show, tiles

pytestmark = pytest.mark.browser

GROUPS = 100
WRONG = set(range(5, GROUPS, 10))
"""Groups in which the reader wants another keeper than the one suggested."""

SCORE = """
import dedup_widgets as dw
df = dw.score("{folder}", model="perceptual", progress=False).sort("path")
ex = dw.Explorer(df, path="path")
ex.sort = "path"
ex
"""


def keeper_of(number):
    return f"{number:03}-{'small' if number in WRONG else 'large'}.png"


@pytest.fixture(scope="module")
def hundred(tmp_path_factory, make_photo):
    """A folder of pictures, of each of which there is a smaller copy."""
    folder = tmp_path_factory.mktemp("hundred")
    for number in range(GROUPS):
        photo = make_photo(number, (240, 180))
        photo.save(folder / f"{number:03}-large.png")
        photo.resize((160, 120)).save(folder / f"{number:03}-small.png")
    return folder


def scrolled(widget):
    """How far the page and the grid are scrolled."""
    return widget.evaluate(
        """element => [
            element.getRootNode().host.getBoundingClientRect().top,
            element.querySelector('.grid')?.scrollTop ?? null,
        ].map(it => it === null ? null : Math.round(it))"""
    )


def test_a_hundred_groups_are_reviewed_by_keys_alone(lab, shots, hundred):
    write_notebook(lab.root / "hundred.ipynb", SCORE.format(folder=hundred))
    with lab.open("hundred.ipynb") as notebook:
        page = notebook.page
        notebook.run_all()
        widget = app(page)
        show(widget)
        assert notebook.kernel("ex.session.summary.groups") == GROUPS
        # By keys from the start: to the grid, to its first tile, and in.
        widget.locator(".grid").focus()
        before = scrolled(widget)
        page.keyboard.press("Enter")
        review = widget.get_by_role("group", name="Review of groups")
        expect(review).to_be_focused()
        top = scrolled(widget)

        pressed, seen = 0, []
        for number in range(GROUPS):
            head = review.locator(".where strong")
            expect(head).to_have_text(f"Group {number + 1} of {GROUPS}")
            seen.append(review.locator(".pane-head .name").first.get_attribute("title"))
            for key in (["k"] if number in WRONG else []) + ["Enter"]:
                page.keyboard.press(key)
                pressed += 1
        expect(review.get_by_text("100 of 100 reviewed")).to_be_visible()
        assert scrolled(widget) == top
        page.screenshot(path=shots / "review-last.png")

        # In the order of the screen, with little more than a key for each.
        assert seen == sorted(seen)
        assert len(seen) == GROUPS
        assert pressed <= 1.5 * (GROUPS - len(WRONG)) + 2 * len(WRONG)
        assert pressed == GROUPS + len(WRONG)

        # It ends in the plan that the reader had in mind, and is remembered.
        eventually(notebook, "len(ex.reviewed)", 2 * GROUPS)
        stays = "sorted(p.rpartition('/')[2] for p in ex.plan.filter(action='keep')['path'])"
        assert notebook.kernel(stays) == sorted(map(keeper_of, range(GROUPS)))
        assert notebook.kernel("len(dw.Session(df).reviewed)") == 2 * GROUPS
        assert notebook.kernel("dw.replay(df, ex.log).plan.equals(ex.plan)")

        # Undo comes back to where a step was made; leaving, to the same tile in the same place.
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Control+z")
        expect(review.locator(".where strong")).to_have_text("Group 100 of 100")
        expect(review.get_by_text("99 of 100 reviewed")).to_be_visible()
        page.keyboard.press("Escape")
        expect(review).to_have_count(0)
        expect(widget.locator(".grid")).to_be_focused()
        assert scrolled(widget) == before
        expect(widget.locator(".cell.focused .name")).to_have_attribute(
            "title", re.compile("000-large.png$")
        )

        # What was not reviewed can be filtered by.
        notebook.kernel("setattr(ex, 'filters', {'reviewed': False})\n0")
        expect(tiles(widget)).to_have_count(2)


def test_pictures_are_sharp_and_decisions_move_nothing(demo, shots):
    with demo("review", "ex = dw.Explorer(df)\nex") as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        group = notebook.kernel("int(df['group'].drop_nulls().value_counts(sort=True)['group'][0])")
        notebook.kernel(f"setattr(ex, 'filters', {{'group': ({group}, {group})}})\n0")
        tiles(widget).nth(1).locator(".tile").dblclick(position={"x": 50, "y": 60})
        review = widget.get_by_role("group", name="Review of groups")
        expect(review).to_be_visible()
        # As many pixels as the pane has, and not those of the thumbnail.
        canvas = review.get_by_role("img").first
        expect(canvas).to_have_attribute("aria-busy", "false")
        strip = review.get_by_role("list", name="Images of this group").get_by_role("button")
        order = [strip.nth(i).get_attribute("title") for i in range(strip.count())]
        page.screenshot(path=shots / "review.png")

        page.keyboard.press("ArrowRight")
        page.keyboard.press("k")
        expect(review.get_by_text("kept by you").first).to_be_visible()
        eventually(notebook, "len(ex.decisions.keepers)", 1)
        assert [strip.nth(i).get_attribute("title").split("\n")[0] for i in range(len(order))] == [
            it.split("\n")[0] for it in order
        ]
        for key, name in (("2", "flip"), ("3", "split"), ("4", "difference"), ("5", "all")):
            page.keyboard.press(key)
            page.wait_for_timeout(500)
            page.screenshot(path=shots / f"review-{name}.png")
        page.keyboard.press("Control+z")
        eventually(notebook, "len(ex.decisions.keepers)", 0)
        page.keyboard.press("Escape")
        expect(review).to_have_count(0)


def test_an_image_alone_is_seen_large_and_a_missing_file_says_so(demo, shots, request):
    with demo("alone", "ex = dw.Explorer(df)\nex.filters = {'kind': ['unique']}\nex") as notebook:
        page = notebook.page
        widget = app(page)
        show(widget)
        # Other tests need it again.
        missing = Path(notebook.kernel("ex.view['path'][1]"))
        away = missing.rename(missing.with_suffix(".away"))
        request.addfinalizer(lambda: away.rename(missing))
        tiles(widget).first.locator(".tile").dblclick(position={"x": 50, "y": 60})
        alone = widget.get_by_role("group", name="Image", exact=True)
        expect(alone.get_by_role("img")).to_have_attribute("aria-busy", "false")
        page.screenshot(path=shots / "review-alone.png")
        page.keyboard.press("ArrowRight")
        expect(alone.get_by_role("alert")).to_contain_text("does not exist")
        page.screenshot(path=shots / "review-missing.png")
        page.keyboard.press("Escape")
        expect(widget.locator(".grid")).to_be_focused()
