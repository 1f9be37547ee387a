"""Make the picture of the README: the quickstart's Explorer in a real JupyterLab."""

import shutil
import tempfile
from pathlib import Path

from lab import run_lab

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write ``docs/explorer.png``."""
    with tempfile.TemporaryDirectory() as name:
        root, home = Path(name) / "root", Path(name) / "home"
        home.mkdir()
        shutil.copytree(ROOT / "notebooks", root / "notebooks")
        store = {"DEDUP_WIDGETS_STORE": str(Path(name) / "store.sqlite")}
        with run_lab(root, home, store) as lab, lab.open("notebooks/quickstart.ipynb") as notebook:
            notebook.run_all()
            notebook.kernel("setattr(ex, 'filters', {'uniqueness': (0, 0.05)})\n0")
            view = notebook.page.locator("section.app")
            view.evaluate("element => element.scrollIntoView()")
            view.locator("[role=gridcell] canvas, [role=gridcell] img").first.wait_for()
            notebook.page.wait_for_timeout(1000)
            view.screenshot(path=ROOT / "docs" / "explorer.png")


if __name__ == "__main__":
    main()
