"""Tables that people keep beside pictures: where they are, and which pictures they name.

Which column names the pictures, and from where, is seen by the files that there are.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import polars as pl

from dedup_widgets._paths import native

_TABLES = re.compile(
    r"(?i)_?(labels?|annotations?|classes|captions?|tags|targets?|ground_?truth|train|test|valid"
    r"|val|validation|index)([-_](labels?|images?|set|data))?\.(csv|tsv)"
)
"""Names of tables by people, which have a row a picture."""


_KEYS = (
    *("file_name", "filename", "file", "path", "image_path", "image", "img", "image_name"),
    *("image_id", "imageid", "photo", "picture", "name", "id"),
)
"""What people call the column that names pictures, with their suffix or without."""


_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


NUMBERS = ("", "Unnamed: 0")
"""What the numbers of rows are called that a program wrote beside its columns."""


_CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))


def nearest(sources: Sequence[str], of: Callable[[str, bool], tuple[str, ...]]) -> set[str]:
    """Return what is found for each picture in the nearest folder above it that has any.

    Parameters
    ----------
    sources
        Absolute paths. Elsewhere than on this disk nothing is looked for.
    of
        Returns the files of a folder, which may be the one beside the only folder of pictures.
    """
    folders = {os.path.dirname(it) for it in sources if "://" not in it}  # noqa: PTH120
    if not folders:
        return set()
    top = os.path.dirname(os.path.commonpath(folders))  # noqa: PTH120

    @cache
    def above(folder: str) -> tuple[str, ...]:
        found = of(folder, folder == top)
        return found if found or folder == top else above(os.path.dirname(folder))  # noqa: PTH120

    return {file for folder in folders for file in above(folder)}


def tables_in(folder: str) -> tuple[str, ...]:
    """Return the tables by people in a folder."""
    try:
        names = sorted(map(str, os.listdir(native(folder))))  # noqa: PTH208
    except OSError:
        return ()
    return tuple(os.path.join(folder, it) for it in names if _TABLES.fullmatch(it))  # noqa: PTH118


def boxes_in(columns: Sequence[str]) -> list[str]:
    """Return the columns of left, top, right and bottom of objects, if a table has them.

    >>> boxes_in(["name", "XMin", "y_min", "xmax", "YMAX"]), boxes_in(["x", "y"])
    (['XMin', 'y_min', 'xmax', 'YMAX'], [])
    """
    plain = {re.sub(r"[\W_]", "", name).lower(): name for name in columns}
    for corners in _CORNERS:
        if all(name in plain for name in corners):
            return [plain[name] for name in corners]
    return []


def naming_columns(
    table: pl.DataFrame, file: str, sources: Sequence[str]
) -> Iterator[tuple[str, pl.Series]]:
    """Yield the columns that may name pictures, and the pictures that are meant, null for none."""
    meant = _names(file, sources)
    for column in sorted(table.columns, key=lambda it: it.lower() not in _KEYS):
        if column.lower() not in _KEYS or table[column].dtype.is_float():
            return
        named = [meant(name) for name in table[column].cast(pl.String)]
        yield column, pl.Series(column, named, dtype=pl.String)


def _names(file: str, sources: Sequence[str]) -> Callable[[str | None], str | None]:
    """Return what tells which picture a name in a table stands for.

    A name is one from the folder of the table or the one above, or of the only picture below that
    is called so, with its suffix or without. Where the pictures were somewhere else when the table
    was written, so that their paths are absolute, the end of these counts.
    """
    folder = os.path.dirname(file)  # noqa: PTH120
    as_written: dict[str, str | None] = {}
    in_any_case: dict[str, str | None] = {}
    for source in (it for it in sources if it.startswith(os.path.join(folder, ""))):  # noqa: PTH118
        name = os.path.basename(source)  # noqa: PTH119
        below = os.path.relpath(source, folder).replace(os.sep, "/")
        from_above = f"{os.path.basename(folder)}/{below}"  # noqa: PTH119
        keys = {below, from_above, name, os.path.splitext(name)[0]}  # noqa: PTH122
        for known, its in ((as_written, keys), (in_any_case, {key.casefold() for key in keys})):
            for key in its:
                known[key] = None if key in known else source

    def meant(name: str | None) -> str | None:
        """Return the picture that a name stands for, None if there is none or are several."""
        name = (name or "").replace("\\", "/").removeprefix("./")
        ends = [name]
        if _ABSOLUTE.match(name):
            parts = name.split("/")
            ends += ["/".join(parts[at:]) for at in range(1, len(parts))]
        for end in ends:
            if end in as_written:
                return as_written[end]
            if (folded := end.casefold()) in in_any_case:
                return in_any_case[folded]
        return None

    return meant
