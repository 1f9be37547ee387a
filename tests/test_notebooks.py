import re

import nbformat
import pytest

import notebooks
from dedup_widgets.store.open import open_store

pytestmark = pytest.mark.lengthy


def outputs(book, kind):
    data = [out.get("data", {}) for cell in book.cells for out in cell.get("outputs", [])]
    return [it[kind] if isinstance(it[kind], str) else it for it in data if kind in it]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_shows_what_it_makes_runs_twice_and_leaves_nothing_behind(notebook, tmp_path):
    with notebooks.started(notebook, tmp_path) as client:
        notebooks.run_all(client)
        once = notebooks.readable(client.nb, tmp_path)
        notebooks.run_all(client)

    committed = nbformat.read(notebook, as_version=4)
    others = notebooks.differences(once, committed)
    assert others == [], "other outputs than these are committed; make notebooks"

    views = outputs(client.nb, notebooks.OF_A_WIDGET)
    names = [view["text/plain"] for view in views]
    images = {"map": None, "labels_and_splits": 8}.get(notebook.stem, 80)
    assert images is None or any(f"Explorer({images} images" in name for name in names)
    # Polars would cut a path where the file name begins.
    tables = [html for html in outputs(client.nb, "text/html") if "dataframe" in html]
    assert not re.findall(r"<td>(?:&quot;)?/[^<]*…", "".join(tables))

    assert {path.name for path in tmp_path.iterdir()} <= {"notebooks", "photos"}
    library = open_store().library
    assert (dict(library.collections()), library.chosen_keepers([])) == ({}, {})


@pytest.mark.parametrize("notebook", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_can_be_read_without_a_kernel(notebook):
    book = nbformat.read(notebook, as_version=4)
    assert "widgets" not in book.metadata
    assert outputs(book, notebooks.OF_A_WIDGET) == []
    assert len(outputs(book, "text/html")) >= 2
    shows = re.compile(r"dw\.Explorer|Scatter\(")
    empty = [cell.source for cell in book.cells if shows.search(cell.source) and not cell.outputs]
    assert empty == [], "a screen of which nothing is seen"
    assert notebook.stem != "map" or outputs(book, "image/png"), "a map of which nothing is seen"
    assert not re.search(r"/(tmp|home|root|Users)/", notebook.read_text(encoding="utf-8"))
    assert notebook.stat().st_size < 150_000
