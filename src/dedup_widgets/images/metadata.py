"""What tables say of the pictures beside and below them.

``metadata.csv`` is read as `datasets` does it. Others, such as ``labels.csv``, are by people: which
column names the pictures, and from where, is seen by the files that there are.
"""

import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import polars as pl

from dedup_widgets._paths import absolute, native
from dedup_widgets.frame.schema import COLUMNS
from dedup_widgets.frame.table import read_csv

READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "metadata.csv": pl.read_csv,
    "metadata.jsonl": pl.read_ndjson,
    "metadata.parquet": pl.read_parquet,
}
"""Names of such files, and what reads them."""


_TABLES = re.compile(
    r"(?i)(labels?|annotations?|classes|captions?|tags|targets?|ground_?truth|train|test|valid"
    r"|val|validation|index)([-_](labels?|images?|set|data))?\.(csv|tsv)"
)
"""Names of tables by people, which have a row a picture."""


_KEYS = (
    *("file_name", "filename", "file", "path", "image_path", "image", "img", "image_name"),
    *("image_id", "imageid", "photo", "picture", "name", "id"),
)
"""What people call the column that names pictures, with their suffix or without."""


_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


_NUMBERS = ("", "Unnamed: 0")
"""What the numbers of rows are called that a program wrote beside its columns."""


_KEY = "file_name"
"""The column that names a picture, from the folder of its file."""


def metadata_beside(paths: Sequence[str]) -> tuple[pl.DataFrame, dict[str, str]]:
    """Read what metadata files say of pictures: the one in the nearest folder above each.

    What scoring finds out itself, such as ``width``, is left out.

    Parameters
    ----------
    paths
        Of pictures. Elsewhere than on this disk nothing is looked for.

    Returns
    -------
    tuple
        Columns, one row a path, without any where nothing is said; and the files that cannot be
        read, with why.
    """
    sources = [absolute(path) for path in paths]
    folders = {os.path.dirname(it) for it in sources if "://" not in it}  # noqa: PTH120
    if not folders:
        return pl.DataFrame(), {}
    # Tables are often beside the only folder of pictures.
    top = os.path.dirname(os.path.commonpath(folders))  # noqa: PTH120
    damaged: dict[str, str] = {}

    @cache
    def above(folder: str) -> tuple[str, ...]:
        """Return the nearest tables, up to the folder that holds all pictures, or is beside it."""
        for name in READERS:
            if os.path.isfile(native(file := os.path.join(folder, name))):  # noqa: PTH113, PTH118
                return (file,) if folder != top else ()
        if found := _tables_in(folder):
            return found
        return () if folder == top else above(os.path.dirname(folder))  # noqa: PTH120

    files = {file for folder in folders for file in above(folder)}
    tables = []
    for file in sorted(files, key=lambda it: (-it.count(os.sep), it)):
        try:
            is_ours = os.path.basename(file) in READERS  # noqa: PTH119
            tables.append(_read(file) if is_ours else _read_by_people(file, sources))
        except (pl.exceptions.PolarsError, OSError) as error:
            damaged[file] = " ".join(str(error).split())[:200]
    tables = [table for table in tables if table.width > 1]
    if not tables:
        return pl.DataFrame(), damaged
    said = pl.concat(tables, how="diagonal_relaxed").unique(_KEY, keep="first", maintain_order=True)
    found = pl.DataFrame({_KEY: sources}).join(said, on=_KEY, how="left", maintain_order="left")
    found = found.drop(_KEY)
    # Of a table for other pictures nothing is known.
    known = [column.name for column in found if column.null_count() < len(column)]
    return found.select(known), damaged


def _classes(file: str) -> dict[str, dict[int, str]]:
    """Return the names of classes by column, as `datasets` writes them into Parquet."""
    if not file.endswith(".parquet"):
        return {}
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        features = json.loads(pl.read_parquet_metadata(file)["huggingface"])["info"]["features"]
        return {
            name: dict(enumerate(map(str, feature["names"])))
            for name, feature in features.items()
            if feature.get("_type") == "ClassLabel"
        }
    return {}


def _tables_in(folder: str) -> tuple[str, ...]:
    try:
        names = sorted(map(str, os.listdir(native(folder))))  # noqa: PTH208
    except OSError:
        return ()
    return tuple(os.path.join(folder, it) for it in names if _TABLES.fullmatch(it))  # noqa: PTH118


def _read_by_people(file: str, sources: Sequence[str]) -> pl.DataFrame:
    """Return a table with the paths of its pictures; empty if it has not a row for each of some.

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

    table = read_csv(Path(file))
    for column in sorted(table.columns, key=lambda it: it.lower() not in _KEYS):
        if column.lower() not in _KEYS or table[column].dtype.is_float():
            break
        named = [meant(name) for name in table[column].cast(pl.String)]
        paths = pl.Series(_KEY, named, dtype=pl.String)
        found = len(table) - paths.null_count()
        # With several rows a picture it tells of objects.
        if 2 * found >= len(table) and paths.drop_nulls().is_unique().all():
            own = [name for name in table.columns if name not in (*COLUMNS, *_NUMBERS, column)]
            return table.select(paths, *own).drop_nulls(_KEY)
    return pl.DataFrame()


def _read(file: str) -> pl.DataFrame:
    """Return a metadata file with the absolute paths of its pictures; empty if it names none."""
    table = READERS[os.path.basename(file)](Path(file))  # noqa: PTH119
    if table.schema.get(_KEY) != pl.String:
        return pl.DataFrame()
    folder = os.path.dirname(file)  # noqa: PTH120
    own = [name for name in table.columns if name not in COLUMNS and name != _KEY]
    for name, classes in _classes(file).items():
        if name in own and table.schema[name].is_integer():
            named = pl.col(name).replace_strict(classes, default=None, return_dtype=pl.String)
            table = table.with_columns(named)
    paths = [name and absolute(os.path.join(folder, name)) for name in table[_KEY]]  # noqa: PTH118
    key = pl.Series(_KEY, paths, dtype=pl.String)
    return table.select(key, *own).drop_nulls(_KEY)
