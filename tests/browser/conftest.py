import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from installing import InstallError
from lab import find_or_install_chromium, run_lab, write_notebook
from needs import do_without
from on_screen import SETUP
from scenes import open_stage

# Cores are shared with a JupyterLab, a kernel and a browser.
expect.set_options(timeout=20_000)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The store of every kernel: photos are scored once, and decisions outlive a kernel."""
    return tmp_path_factory.mktemp("browser-store") / "store.sqlite"


@pytest.fixture(scope="session")
def lab(tmp_path_factory, store):
    """A JupyterLab on a folder with the notebooks."""
    try:
        find_or_install_chromium()
    except InstallError as error:
        do_without("Chromium", error)
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    home = tmp_path_factory.mktemp("jupyter")
    with run_lab(root, home, {"DEDUP_WIDGETS_STORE": str(store)}) as lab:
        yield lab


@pytest.fixture(scope="session")
def shots():
    """The folder that screenshots are kept in, to be looked at."""
    folder = ROOT / "test-output" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def stage(lab):
    """The notebook whose Explorer can be brought into any state."""
    with open_stage(lab) as stage:
        yield stage
        stage.fresh()


@pytest.fixture
def demo(lab, store):
    """Open a notebook that scores the demo photos and then runs more cells.

    No test knows what another has decided or collected.
    """
    for file in store.parent.glob("*.library.sqlite*"):
        file.unlink()

    @contextmanager
    def open_with(name, *cells, **arguments):
        write_notebook(lab.root / f"{name}.ipynb", SETUP, *cells)
        with lab.open(f"{name}.ipynb", **arguments) as notebook:
            notebook.run_all()
            yield notebook

    return open_with
