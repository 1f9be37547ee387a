"""Run the notebooks and write their outputs into them, as a reader without a kernel sees them.

Widgets leave what :mod:`dedup_widgets.widgets.saved` says of them; progress is left out, and so is
where on this machine it ran. ``tests/test_notebooks.py`` tells whether the outputs are current.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

OF_A_WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWN = ("text/html", "image/png", "text/markdown", "text/plain")
"""What is kept of an output: the first of these that it has."""

TEMPORARY = r"\b(?:practice-datasets-|tmp)\w{8}\b|(?<=dw-saved)-[0-9a-f]{32}"
"""Names of folders, and of what hides itself beside a living widget: others in each run."""


@contextmanager
def started(notebook: Path, folder: Path) -> Iterator[NotebookClient]:
    """Copy a notebook into a folder of its own there, and start its kernel."""
    place = folder / "notebooks"
    place.mkdir()
    book = nbformat.read(shutil.copy(notebook, place), as_version=4)
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": place}})
    with client.setup_kernel():
        yield client


def run_all(client: NotebookClient) -> None:
    """Run all cells, one after the other."""
    for number, cell in enumerate(client.nb.cells):
        client.execute_cell(cell, number)


def readable(book: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook that was run in a folder as it is committed."""
    book = nbformat.from_dict(book)
    book.metadata.pop("widgets", None)
    book.metadata.get("language_info", {}).pop("version", None)
    count = 0
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [it for out in cell.outputs if (it := _output(out, folder, count))]
    return book


def differences(run: nbformat.NotebookNode, committed: nbformat.NotebookNode) -> list[str]:
    """Return the cells whose outputs are others, apart from pictures and from decimals.

    Embeddings round differently on other processors.
    """
    both = zip(run.cells, committed.cells, strict=True)
    return [
        new.source
        for new, old in both
        if new.cell_type == "code" and _compared(new.outputs) != _compared(old.outputs)
    ]


def _compared(outputs: list[Any]) -> str:
    text = json.dumps(outputs, sort_keys=True)
    text = re.sub(r'data:image/[\w/;,+=]*|(?<="image/png": )"[^"]*"', "picture", text)
    return re.sub(r"\d+\.\d+(e-?\d+)?", "decimal", text)


def _output(output: Any, folder: Path, count: int) -> nbformat.NotebookNode | None:
    """Return one output as it is kept, or None."""
    if output.output_type == "stream":
        return None if output.name == "stderr" else _placeless(output, "text", folder)
    if output.output_type not in ("display_data", "execute_result") or OF_A_WIDGET in output.data:
        return None
    kind = next((kind for kind in SHOWN if kind in output.data), None)
    if kind is None:
        return None
    output.data = nbformat.from_dict({kind: output.data[kind]})
    output.metadata = nbformat.from_dict({})
    if output.output_type == "execute_result":
        output.execution_count = count
    return _placeless(output, kind, folder)


def _placeless(output: Any, kind: str, folder: Path) -> nbformat.NotebookNode:
    """Say where files lie from the notebook's folder."""
    held = output if output.output_type == "stream" else output.data
    text = held[kind].replace(f"{folder}/", "").replace(f"{tempfile.gettempdir()}/", "")
    held[kind] = re.sub(TEMPORARY, lambda name: "" if name[0][0] == "-" else "temporary", text)
    return nbformat.from_dict(output)


def main(*names: str) -> None:
    """Write the outputs of all notebooks, or of those that are named."""
    for notebook in NOTEBOOKS:
        if names and notebook.stem not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="notebooks-") as made:
            folder = Path(made).resolve()
            with started(notebook, folder) as client:
                run_all(client)
            nbformat.write(readable(client.nb, folder), notebook)
        print(f"{notebook.name}: {notebook.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
