"""Bring the notebooks into the documentation as pages, with the outputs that they have.

A hook of MkDocs; ``mkdocs.yml`` names it.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>(?:dedup_widgets\.)?([\w.]+)</code>")
"""A name in a docstring, as Sphinx writes it and Markdown renders it."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, and a file for each picture in it."""
    exporter = MarkdownExporter()
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        text, resources = exporter.from_filename(str(notebook))
        # A wide table scrolls by itself, and looks as the other tables do.
        text = re.sub(r"(?s)<div>\s*<style>.*?</style>", '<div style="overflow-x: auto">', text)
        text = text.replace('<table border="1" class="dataframe">', "<table>")
        page = f"notebooks/{notebook.stem}.md"
        files.append(File.generated(config, page, content=text))
        for name, data in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{name}", content=data))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead from a page to the notebooks' pages; on a code host its links open the notebooks."""
    return re.sub(r"\]\(\.\./notebooks/(\w+)\.ipynb\)", r"](notebooks/\1.md)", markdown)


def on_page_content(html: str, **_: object) -> str:
    """Lead from the names in docstrings to where the reference has them."""
    link = r'<autoref optional identifier="dedup_widgets.\1"><code>\1</code></autoref>'
    return ROLE.sub(link, html)
