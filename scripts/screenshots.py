"""Make the pictures of the README: the quickstart's Explorer in a real JupyterLab."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Locator

from lab import Notebook, run_lab

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def main() -> None:
    """Write ``docs/explorer.png``, ``docs/dataset.png`` and ``docs/analytics.png``."""
    with tempfile.TemporaryDirectory() as name:
        root, home = Path(name) / "root", Path(name) / "home"
        home.mkdir()
        shutil.copytree(ROOT / "notebooks", root / "notebooks")
        store = {"DEDUP_WIDGETS_STORE": str(Path(name) / "store.sqlite")}
        with (
            run_lab(root, home, store) as lab,
            lab.open("notebooks/quickstart.ipynb", height=1100) as notebook,
        ):
            notebook.run_all()
            view = notebook.page.locator("section.app")
            view.evaluate("element => element.scrollIntoView()")
            explorer(notebook, view)
            dataset(notebook, view, root)
            analytics(notebook, view)


def explorer(notebook: Notebook, view: Locator) -> None:
    """Show exact and near-duplicates, group by group."""
    notebook.kernel("ex.filters, ex.height = {'uniqueness': (0, 0.05)}, 452\n0")
    keep(notebook, view, "explorer")


def dataset(notebook: Notebook, view: Locator, root: Path) -> None:
    """Show the dialog, after the plan was accepted and what stays was named."""
    view.get_by_role("button", name="Remove exact copies").click()
    notebook.page.keyboard.type("Unique\n")
    view.get_by_role("button", name="Create dataset…").first.click()
    dialog = view.get_by_role("dialog")
    dialog.get_by_label("Description", exact=True).fill("Every picture once.")
    dialog.get_by_role("button", name="Submit").and_(view.locator(":enabled")).wait_for()
    # Where it lies for the moment tells a reader nothing.
    dialog.get_by_text(str(root)).evaluate(
        "(folder, [root, home]) => { folder.textContent = folder.textContent.replace(root, home) }",
        [str(root), "~"],
    )
    keep(notebook, dialog, "dataset")
    notebook.page.keyboard.press("Escape")


def analytics(notebook: Notebook, view: Locator) -> None:
    """Show the distribution of a metric, and what each boundary would do."""
    notebook.kernel("setattr(ex, 'filters', None)\n0")
    view.get_by_role("tab", name="Analytics").click()
    charts = notebook.page.locator("[slot=analytics]")
    charts.locator("rect").first.wait_for()
    keep(notebook, view, "analytics", down_to=charts.get_by_text("of 78 images"))


def keep(notebook: Notebook, part: Locator, name: str, *, down_to: Locator | None = None) -> None:
    """Take the picture, once thumbnails and charts have settled."""
    notebook.page.wait_for_timeout(2000)
    box = part.bounding_box()
    assert box is not None
    if down_to is not None and (last := down_to.bounding_box()) is not None:
        box["height"] = last["y"] + last["height"] + 16 - box["y"]
    notebook.page.screenshot(path=DOCS / f"{name}.png", clip=box)


if __name__ == "__main__":
    main()
