"""The states of the Explorer, to be looked at and to be checked: each can follow any other."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator

from lab import Lab, Notebook, write_notebook

CELLS = (
    """
import dedup_widgets as dw, polars as pl
from dedup_widgets.demo import demo_photos, practice_store
df = dw.score(demo_photos("photos"), model="efficientnet-lite0", progress=False)
name = pl.col("path").str.split("/").list.last()
label = pl.when(name.str.contains("cropped")).then(pl.lit("detail")).otherwise(pl.lit("photo"))
labelled = df.with_columns(label=label).filter(~name.str.contains("missing"))
""",
    "ex = dw.Explorer(labelled, store=practice_store())\nex",
    "dw.Explorer(df.clear())",
    """
store = practice_store()
dw.Session(labelled, store=store).filters = {"kind": ["near"]}
dw.Explorer(labelled, store=store)
""",
    "dw.ImageGrid(labelled, store=store, height=400)",
)
"""Cells of a notebook with Explorers of the demo photos, labelled; of nothing; and of photos whose
review was begun before; and with a grid of them."""

PLACES = {"empty": 1, "went-on": 2, "grid-large": 3}
"""Which widget of the notebook a scene shows, if not the first."""

FRESH = """
ex.collections.clear()
ex.filters, ex.selection = None, labelled.clear()
0
"""


@dataclass
class Stage:
    """An open notebook with Explorers in it."""

    notebook: Notebook

    @property
    def page(self) -> Any:
        """The page of the notebook."""
        return self.notebook.page

    def explorer(self, index: int = 0) -> Locator:
        """One of the Explorers, within its shadow root."""
        found: Locator = self.page.locator(".jp-OutputArea-output section.app").nth(index)
        return found

    def shown(self, scene: str) -> Locator:
        """Find the widget that a scene shows."""
        return self.explorer(PLACES.get(scene, 0))

    @property
    def view(self) -> Locator:
        """The Explorer of the photos."""
        return self.explorer()

    def kernel(self, code: str) -> Any:
        """Run code in the kernel."""
        return self.notebook.kernel(code)

    def button(self, name: str) -> Locator:
        """Find a button of the Explorer by how its name starts."""
        return self.view.get_by_role("button", name=re.compile(f"^{name}")).first

    def tile(self, index: int) -> Locator:
        """One of the pictures that a filter leaves."""
        return self.view.locator("[role=gridcell]:not(.context) .tile").nth(index)

    def widen(self, width: int) -> None:
        """Give the Explorers a width of so many pixels."""
        for index in range(1 + max(PLACES.values())):
            self.explorer(index).evaluate(
                "(app, width) => { app.getRootNode().host.parentElement.style.width = width }",
                f"{width}px",
            )

    def fresh(self) -> None:
        """Go back to the first screen."""
        for _ in range(3):
            if self.view.locator("[role=dialog]:visible, dialog[open]").count():
                self.page.keyboard.press("Escape")
        if (back := self.view.locator(".compare .back")).count():
            back.click()
        self.view.get_by_role("tab", name="Images").click()
        if (opened := self.view.locator(".drop[aria-controls=filter-row]")).count():
            opened.click()
        if (told := self.view.locator(".toast button:visible")).count():
            told.click()
        self.kernel(FRESH)
        self.view.evaluate("app => app.scrollIntoView({ block: 'start' })")
        self.settle()

    def darken(self, dark: bool) -> None:
        """Show JupyterLab's dark theme, or its light one, without a step of anybody."""
        self.page.evaluate(
            """async ([href, dark]) => {
                let link = document.querySelector('link.scenes-dark');
                if (!link) {
                    link = Object.assign(document.createElement('link'), {
                        rel: 'stylesheet', className: 'scenes-dark', href,
                    });
                    const loaded = new Promise(done => link.addEventListener('load', done));
                    // JupyterLab's own link is in the body too, and the last one counts.
                    document.body.append(link);
                    await loaded;
                }
                link.media = dark ? 'all' : 'not all';
                document.body.dataset.jpThemeLight = String(!dark);
            }""",
            ["/lab/api/themes/@jupyterlab/theme-dark-extension/index.css", dark],
        )
        self.page.wait_for_timeout(200)

    def hide_folder(self) -> None:
        """Write the folder of a dataset shorter: where it lies here tells a reader nothing."""
        self.view.get_by_role("dialog").get_by_text("/datasets").last.evaluate(
            "folder => { folder.textContent = folder.textContent.replace(/.*(?=.datasets)/, '~') }"
        )

    def box(self, scene: str = "") -> Any:
        """Where the Explorer is on the page, with what it has opened."""
        return self.shown(scene).evaluate(
            """app => {
                const open = app.querySelectorAll('[popover]:popover-open, dialog[open]');
                const boxes = [app, ...open].map(it => it.getBoundingClientRect());
                const x = Math.max(0, Math.min(...boxes.map(it => it.left)));
                const y = Math.max(0, Math.min(...boxes.map(it => it.top)));
                const page = document.querySelector('.jp-NotebookPanel-notebook');
                const seen = page.getBoundingClientRect().bottom;
                return {
                    x, y,
                    width: Math.max(...boxes.map(it => it.right)) - x,
                    height: Math.min(seen, Math.max(...boxes.map(it => it.bottom))) - y,
                };
            }"""
        )

    def settle(self) -> None:
        """Wait until pictures are there and nothing moves."""
        self.page.wait_for_function(
            """() => [...document.querySelectorAll('.jp-OutputArea-output *')]
                .map(it => it.shadowRoot).filter(it => it)
                .every(root => !root.querySelector('[aria-busy=true], .spinner'))"""
        )
        self.page.wait_for_timeout(300)


def first(stage: Stage) -> None:
    """Nothing was done yet."""


def filters(stage: Stage) -> None:
    """Show the histogram and the search."""
    stage.button("Filter").click()


def filter_fields(stage: Stage) -> None:
    """Show what can be filtered by."""
    filters(stage)
    stage.button("Add filter").click()


def filter_editor(stage: Stage) -> None:
    """Show the values of a column."""
    filter_fields(stage)
    stage.page.keyboard.type("format")
    stage.page.keyboard.press("Enter")


def view_menu(stage: Stage) -> None:
    """Show order, size and facts."""
    stage.button("View").click()


def plan(stage: Stage) -> None:
    """Show the boundary and the rules."""
    stage.button("Plan").click()


def rule(stage: Stage) -> None:
    """Prefer a folder."""
    plan(stage)
    stage.view.get_by_label("Add a rule").select_option(label="a folder…")


def conflicts(stage: Stage) -> None:
    """Show the groups whose labels disagree."""
    stage.button(r"[\d,]+ label conflict").click()


def selected(stage: Stage) -> None:
    """Pick some images."""
    stage.tile(0).click(position={"x": 60, "y": 80})
    stage.tile(2).click(position={"x": 60, "y": 80}, modifiers=["Control"])


def accepted(stage: Stage) -> None:
    """Take the plan for exact copies."""
    stage.button("Remove exact").click()
    stage.page.wait_for_timeout(300)


def similar(stage: Stage) -> None:
    """Show what is like an image."""
    stage.tile(1).click(position={"x": 60, "y": 80})
    stage.page.keyboard.press("s")
    stage.view.get_by_role("dialog").get_by_role("listitem").first.wait_for()


def keys(stage: Stage) -> None:
    """List the keys."""
    stage.view.get_by_role("grid").focus()
    stage.page.keyboard.press("?")


def collections(stage: Stage) -> None:
    """Show two collections."""
    stage.kernel("ex.collections['Best'] = ex.view.head(7)\n0")
    stage.kernel("ex.accept_plan('Unique')\n0")
    stage.view.get_by_role("tab", name="Collections").click()


def dataset(stage: Stage) -> None:
    """Fill in the dialog."""
    accepted(stage)
    stage.page.keyboard.type("One of each\n")
    stage.view.get_by_role("tab", name="Collections").get_by_text("1").wait_for()
    stage.button("(Create )?[Dd]ataset…$").click()
    dialog = stage.view.get_by_role("dialog")
    dialog.get_by_label("Description", exact=True).fill("Every picture once.")
    dialog.get_by_role("button", name="Submit").and_(stage.view.locator(":enabled")).wait_for()
    stage.hide_folder()


def review(stage: Stage) -> None:
    """Look at the first group of near-duplicates."""
    stage.button("Review near").click()
    stage.page.keyboard.press("ArrowRight")


def mode(number: int) -> Callable[[Stage], None]:
    """Look at a group in another way."""

    def show(stage: Stage) -> None:
        review(stage)
        stage.page.keyboard.press(str(number))

    return show


def review_keys(stage: Stage) -> None:
    """List the keys of the review."""
    review(stage)
    stage.page.keyboard.press("?")


def single(stage: Stage) -> None:
    """Look at an image that is in no group."""
    stage.kernel("setattr(ex, 'filters', {'kind': ['unique']})\n0")
    stage.tile(0).dblclick(position={"x": 50, "y": 60})


def analytics(stage: Stage) -> None:
    """Show the charts."""
    stage.view.get_by_role("tab", name="Analytics").click()
    charts = stage.page.locator("[slot=analytics]")
    charts.get_by_text(re.compile(r"images? stays?|stay")).first.wait_for()
    charts.locator("rect").first.wait_for()
    stage.page.wait_for_timeout(1000)


def nothing(stage: Stage) -> None:
    """Filter until nothing is left, with the keyboard on a tile."""
    stage.tile(1).click(position={"x": 60, "y": 80})
    stage.kernel("setattr(ex, 'filters', {'path': 'no such name'})\n0")


def unreadable(stage: Stage) -> None:
    """Show what could not be read."""
    stage.button(r"[\d,]+ unreadable").click()


def other(scene: str) -> Callable[[Stage], None]:
    """Show one of the other Explorers."""

    def show(stage: Stage) -> None:
        stage.shown(scene).evaluate("app => app.scrollIntoView({ block: 'start' })")

    return show


def grid_large(stage: Stage) -> None:
    """Look at an image of a grid without a review."""
    grid = stage.shown("grid-large")
    if not grid.locator(".compare").count():
        grid.locator("[role=gridcell] .tile").first.dblclick(position={"x": 50, "y": 60})
    other("grid-large")(stage)


SCENES: dict[str, Callable[[Stage], None]] = {
    "first": first,
    "filters": filters,
    "filter-fields": filter_fields,
    "filter-editor": filter_editor,
    "view-menu": view_menu,
    "plan": plan,
    "rule": rule,
    "conflicts": conflicts,
    "selected": selected,
    "accepted": accepted,
    "similar": similar,
    "keys": keys,
    "collections": collections,
    "dataset": dataset,
    "review": review,
    "review-flip": mode(2),
    "review-split": mode(3),
    "review-difference": mode(4),
    "review-all": mode(5),
    "review-keys": review_keys,
    "single": single,
    "analytics": analytics,
    "nothing": nothing,
    "unreadable": unreadable,
    "empty": other("empty"),
    "went-on": other("went-on"),
    "grid-large": grid_large,
}


def play(stage: Stage, *names: str) -> Iterator[str]:
    """Go through some of the scenes, by default all; give the name of each once it is there."""
    for name in names or SCENES:
        stage.fresh()
        SCENES[name](stage)
        stage.page.mouse.move(2, 2)
        stage.settle()
        yield name


@contextmanager
def open_stage(lab: Lab) -> Iterator[Stage]:
    """Open the notebook of the scenes."""
    write_notebook(lab.root / "scenes.ipynb", *CELLS)
    with lab.open("scenes.ipynb", width=1400) as notebook:
        notebook.run_all()
        stage = Stage(notebook)
        stage.view.locator("[role=gridcell] img").first.wait_for()
        yield stage
