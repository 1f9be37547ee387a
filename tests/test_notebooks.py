import json
import shutil
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_from_top_to_bottom(notebook, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    (tmp_path / "notebooks").mkdir()
    copy = shutil.copy(notebook, tmp_path / "notebooks")
    book = nbformat.read(copy, as_version=4)
    client = NotebookClient(
        book, timeout=300, resources={"metadata": {"path": tmp_path / "notebooks"}}
    )
    client.execute()
    views = [
        output
        for cell in book.cells
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert any("Explorer(80 images" in view["data"]["text/plain"] for view in views)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_is_kept_without_outputs(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
