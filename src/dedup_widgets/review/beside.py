"""Images side by side: their facts, and how one picture lies on another."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from humanize import naturalsize
from numpy.typing import NDArray

from dedup_widgets._text import number
from dedup_widgets.alignment.evidence import ROTATED_BY
from dedup_widgets.frame.annotations import in_words, is_annotations
from dedup_widgets.frame.relations import EXACT
from dedup_widgets.frame.schema import COLUMNS
from dedup_widgets.review.view import View

MAX_OWN, MAX_TEXT = 12, 200
"""Columns of the user's own that are told as facts, and characters of each value."""


Map = tuple[float, float, float, float, float, float]
"""An affine map of unit squares, by rows."""


IDENTITY: Map = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of some images.

    Attributes
    ----------
    name : str
        What it is.
    texts : list of str or None
        Of each image; None where it is not known.
    numbers : list of float or None, or None
        The same as numbers, where more or less of it says something.
    """

    name: str
    texts: list[str | None]
    numbers: list[float | None] | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of an image beside another one.

    Attributes
    ----------
    is_identical : bool
        Whether both have the same pixels.
    words : str or None
        What it is of the other, in words; None where that is not known.
    agreement, score : float or None
        The share that agrees, in [0, 1]; and how far it is, on the scale of uniqueness.
    map : tuple of 6 floats, or None
        From its unit square to that of the other; None where the two were not laid over each other.
    box : tuple of 4 floats, or None
        What it shows of the other: left, top, right, bottom.
    """

    is_identical: bool = False
    words: str | None = None
    agreement: float | None = None
    score: float | None = None
    map: Map | None = None
    box: tuple[float, float, float, float] | None = None


def facts(view: View, rows: Sequence[int]) -> list[Fact]:
    """Return what is known of the images in some rows, what one decides by first."""
    frame = view.frame
    some = frame[list(rows)]
    found: list[Fact] = []

    def add(name: str, texts: list[str | None], numbers: list[float | None] | None = None) -> None:
        if any(text is not None for text in texts):
            found.append(Fact(name, texts, numbers))

    def values(name: str) -> list[Any]:
        column = COLUMNS[name]
        known = name in some.columns and column.fits(frame[name].head(1_000))
        return some[name].to_list() if known else [None] * len(some)

    named = [name for name in (view.label, view.split) if name is not None]
    own = [
        name
        for name, dtype in frame.schema.items()
        if name not in COLUMNS and name not in (view.path, view.score, *named)
        if not dtype.is_nested() or dtype == pl.List(pl.String) or is_annotations(dtype)
    ][:MAX_OWN]
    for name in named:
        add(name, _texts(some[name]))
    width, height = values("width"), values("height")
    sizes = [(w, h) if w and h else None for w, h in zip(width, height, strict=True)]
    add(
        "pixels",
        [None if size is None else f"{size[0]:,} × {size[1]:,}" for size in sizes],
        [None if size is None else float(size[0] * size[1]) for size in sizes],
    )
    length = values("bytes")
    add(
        "file",
        [n and naturalsize(n) for n in length],
        [None if n is None else float(n) for n in length],
    )
    formats = zip(values("format"), values("lossless"), strict=True)
    add("format", [f and f + (", lossless" if is_lossless else "") for f, is_lossless in formats])
    taken = zip(values("date_taken"), values("utc_offset"), strict=True)
    add("taken", [local and f"{_text(local)}{_zone(ahead)}" for local, ahead in taken])
    add("modified", [_text(value) for value in values("modified")])
    add("folder", _folders([view.paths[row] for row in rows]))
    sharpness = values("sharpness")
    add(
        "sharpness",
        [None if n is None else number(n) for n in sharpness],
        [None if n is None else float(n) for n in sharpness],
    )
    exif = values("exif")
    add("EXIF", [None if has is None else "yes" if has else "no" for has in exif])
    for name in own:
        add(name, _texts(some[name]))
    return found


def beside(view: View, row: int, others: Sequence[int]) -> list[Beside]:
    """Return what some images are beside the image of a row."""
    rows = np.array(others, np.int64)
    prints = view.known.get_column("fingerprint", default=None)
    same = [False] * len(rows)
    if prints is not None and prints[row] is not None:
        same = (prints.gather(rows) == prints[row]).fill_null(False).to_list()
    words = view.relations(rows, row)
    scores = _scores(view, row, rows)
    pairs = _pairs(view, row, rows)
    found = []
    for at in range(len(rows)):
        if same[at]:
            found.append(Beside(True, EXACT, 1.0, 0.0, IDENTITY, WHOLE))
            continue
        it, back = pairs[at]
        sizes = [(view.fact(n, "width"), view.fact(n, "height")) for n in (others[at], row)]
        found.append(
            Beside(
                words=words[at],
                agreement=None if it is None else it["agreement"],
                score=scores[at],
                map=None if it is None or back is None else laid(it, back["box"], *sizes),
                box=None if it is None else tuple(it["box"]),
            )
        )
    return found


def laid(
    pair: dict[str, Any],
    own_box: Sequence[float],
    size: tuple[int | None, int | None],
    other_size: tuple[int | None, int | None],
) -> Map:
    """Return the map from a picture's unit square to that of another on which it lies.

    Exact but for the rounding of the evidence, unless it is rotated by other than a right angle and
    cropped as well.

    Parameters
    ----------
    pair
        Of the column ``evidence``, of the picture beside the other one.
    own_box
        What of the picture itself the other one shows.
    size, other_size
        Width and height in pixels.

    Examples
    --------
    >>> half = {"mirrored": True, "angle": 0.0, "scale": 1.0, "box": (0.0, 0.0, 0.5, 1.0)}
    >>> laid(half, (0.0, 0.0, 1.0, 1.0), (50, 100), (100, 100))
    (-0.5, 0.0, 0.5, 0.0, 1.0, 0.0)
    """
    angle = float(pair["angle"])
    quarters = round(angle / 90)
    is_rotated = abs(angle - 90 * quarters) > ROTATED_BY
    turn = math.radians(angle if is_rotated else 90 * quarters)
    cos, sin = math.cos(turn), math.sin(turn)
    if not is_rotated:
        cos, sin = round(cos), round(sin)
    # Counter-clockwise with y downwards, taken back; then the mirror.
    back = np.array([[cos, -sin], [sin, cos]], float)
    if pair["mirrored"]:
        back[0] *= -1
    own, other = np.array(own_box, float), np.array(pair["box"], float)
    centre, other_centre = (own[:2] + own[2:]) / 2, (other[:2] + other[2:]) / 2
    if is_rotated and all(size) and all(other_size) and pair["scale"]:
        linear = back * np.array(size, float)[None, :] / np.array(other_size, float)[:, None]
        linear /= pair["scale"]
    else:
        spans = np.maximum(own[2:] - own[:2], 1e-6)
        linear = back * (other[2:] - other[:2])[:, None] / spans[None, :]
    shift = other_centre - linear @ centre
    (a, b), (c, d) = (linear + 0.0).tolist()
    x, y = (shift + 0.0).tolist()
    return (a, b, x, c, d, y)


def _pairs(
    view: View, row: int, rows: NDArray[np.int64]
) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Return what was found of each picture beside that of the row, and the other way round."""
    searched = view.searched
    if searched is None or searched.compared is None:
        return [(None, None)] * len(rows)
    return searched.compared.found_of(int(row), rows)


def _scores(view: View, row: int, rows: NDArray[np.int64]) -> list[float | None]:
    if view.searched is None:
        return [None] * len(rows)
    found = view.on_scale(view.searched.distances(row, rows)).tolist()
    return [None if math.isnan(it) else it for it in found]


def _texts(column: pl.Series) -> list[str | None]:
    if is_annotations(column.dtype):
        return [_text(words) for words in in_words(column)]
    return [_text(value) for value in column.to_list()]


def _zone(ahead: int | None) -> str:
    """Return an offset from UTC, in minutes, as clocks have it."""
    if ahead is None:
        return ""
    return f" {'-' if ahead < 0 else '+'}{abs(ahead) // 60:02}:{abs(ahead) % 60:02}"


def _text(value: Any) -> str | None:
    """Return a value as a person reads it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    if isinstance(value, float):
        value = f"{value:.4g}"
    if hasattr(value, "strftime") and hasattr(value, "hour"):
        value = f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "year") else value
    text = str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _folders(paths: Sequence[str]) -> list[str | None]:
    """Return the folders of some files, without what is before all of them.

    >>> _folders(["/data/photos/a/1.jpg", "/data/photos/b/c/1.jpg"])
    ['…/photos/a', '…/photos/b/c']
    """
    parts = [re.split(r"[/\\]", path)[:-1] for path in paths]
    shortest = min(len(folder) for folder in parts)
    same = 0
    while same < shortest and len({folder[same] for folder in parts}) == 1:
        same += 1
    # With the last one that they share, for where nothing differs.
    first = max(0, same - 1 - (same == shortest))
    dots = ["…"] if any(parts[0][:first]) else parts[0][:first]
    return ["/".join([*dots, *folder[first:]]) or None for folder in parts]
