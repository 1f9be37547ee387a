import json
import re
import shutil
from pathlib import Path

import pytest

from dedup_widgets.store.open import open_store

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def outputs(book, kind):
    data = [out.get("data", {}) for cell in book.cells for out in cell.get("outputs", [])]
    return [it[kind] if isinstance(it[kind], str) else it for it in data if kind in it]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_twice_shows_file_names_and_leaves_nothing_behind(notebook, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    (tmp_path / "notebooks").mkdir()
    book = nbformat.read(shutil.copy(notebook, tmp_path / "notebooks"), as_version=4)
    place = {"metadata": {"path": tmp_path / "notebooks"}}
    client = NotebookClient(book, timeout=300, resources=place)
    with client.setup_kernel():
        for _ in range(2):
            for number, cell in enumerate(book.cells):
                client.execute_cell(cell, number)

    views = outputs(book, "application/vnd.jupyter.widget-view+json")
    names = [view["text/plain"] for view in views]
    images = {"map": None, "labels_and_splits": 8}.get(notebook.stem, 80)
    assert images is None or any(f"Explorer({images} images" in name for name in names)
    # Polars would cut a path where the file name begins.
    tables = [html for html in outputs(book, "text/html") if "dataframe" in html]
    assert not re.findall(r"<td>(?:&quot;)?/[^<]*…", "".join(tables))

    assert {path.name for path in tmp_path.iterdir()} <= {"notebooks", "photos"}
    library = open_store().library
    assert (dict(library.collections()), library.chosen_keepers([])) == ({}, {})


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_is_kept_without_outputs(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
