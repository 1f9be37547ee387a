"""What a notebook shows of a view where there is no kernel: a few words and the first groups.

It is an output of its own before the widget, which hides it while it is alive.
"""

import base64
import html
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from dedup_widgets._text import counted
from dedup_widgets.frame.table import file_name
from dedup_widgets.review.session import Session
from dedup_widgets.review.view import View

MAX_GROUPS = 4
MAX_PICTURES = 24
MAX_BYTES = 150_000
"""Of all pictures, as text."""
SIDE = 96
"""Of the longer side of a picture, in pixels."""

NO_ERROR = (
    "<style>.jp-OutputArea-child:has(.NAME) + "
    ".jp-OutputArea-child:has(> .jp-OutputArea-output.jupyter-widgets) { display: none; }</style>"
)
"""Hides what JupyterLab says below the summary where there is no widget to draw: only then does it
give an output that class."""


def saved_html(view: View, name: str) -> str:
    """Return a summary as HTML, without scripts.

    Parameters
    ----------
    view
        What is shown.
    name
        The class of its outermost element.
    """
    lines, room = [], MAX_BYTES
    of_rows = list(_first_rows(view))
    pictures = _pictures(view, [row for rows in of_rows for row in rows])
    for rows in of_rows:
        tiles = []
        for row in rows:
            picture = pictures.get(row, "")
            room -= len(picture)
            tiles.append(_tile(view, row, picture if room > 0 else ""))
        lines.append(f'<div style="margin: 8px 0">{"".join(tiles)}</div>')
    return (
        f"{NO_ERROR.replace('NAME', html.escape(name))}"
        f'<div class="{html.escape(name)}"><p>{html.escape(_words(view))}</p>{"".join(lines)}'
        "<p><small>As it was when the cell ran. Run it again to go on.</small></p></div>"
    )


def _words(view: View) -> str:
    summary = view.summary
    if not isinstance(view, Session) or view.plan is None:
        return f"{counted(summary.images, 'image')}."
    parts = [
        f"{counted(summary.images, 'image')}, {counted(summary.groups, 'group')} of duplicates",
    ]
    goes = [counted(summary.exact, "exact duplicate"), counted(summary.near, "near-duplicate")]
    parts.append(f"under the plan {' and '.join(goes)} can go")
    if summary.unreadable:
        parts.append(f"{summary.unreadable:,} cannot be read")
    return "; ".join(parts) + "."


def _first_rows(view: View) -> Iterator[list[int]]:
    """Return the rows of the first groups, keeper first; the first of all where there are none."""
    bands = view.bands
    left = MAX_PICTURES
    # Counted, for sorting all of them takes thirty times as long.
    numbers = 1 + np.flatnonzero(np.bincount(bands.band)[1:])[:MAX_GROUPS]
    for number in numbers:
        rows = np.flatnonzero(bands.band == number)
        rows = rows[np.argsort(bands.place[rows], kind="stable")][: min(left, 8)]
        left -= len(rows)
        if len(rows):
            yield rows.tolist()
    if not len(numbers) and len(view):
        yield view.display_order(np.ones(len(view), np.bool_))[:12].tolist()


def _pictures(view: View, rows: list[int]) -> dict[int, str]:
    """Return small pictures as data URLs, of those rows whose thumbnails are stored."""
    prints = {row: view.fact(row, "fingerprint") for row in rows}
    stored = view.store.cache.thumbnails({print_ for print_ in prints.values() if print_})
    found = {}
    for row, print_ in prints.items():
        if print_ in stored:
            with Image.open(io.BytesIO(stored[print_])) as picture:
                picture.thumbnail((SIDE, SIDE))
                data = io.BytesIO()
                picture.convert("RGB").save(data, "JPEG", quality=70)
            found[row] = "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
    return found


def _tile(view: View, row: int, picture: str) -> str:
    name = html.escape(file_name(view.paths[row]))
    words = html.escape(view.caption(row) or "")
    image = (
        f'<img src="{picture}" alt="{name}" height="{SIDE}" style="height: {SIDE}px"/>'
        if picture
        else ""
    )
    return (
        '<div style="display: inline-block; vertical-align: top; width: 150px; margin-right: 8px; '
        f'overflow-wrap: anywhere">{image}<div>{name}</div><small>{words}</small></div>'
    )
