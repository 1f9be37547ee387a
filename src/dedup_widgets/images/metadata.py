"""What tables say of the pictures beside and below them.

``metadata.csv`` is read as `datasets` does it, others, such as ``labels.csv``, as people mean it.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from dedup_widgets._paths import absolute, native
from dedup_widgets.frame.schema import COLUMNS
from dedup_widgets.frame.table import read_csv
from dedup_widgets.images.tables import NUMBERS, boxes_in, naming_columns, nearest, tables_in

READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "metadata.csv": pl.read_csv,
    "metadata.jsonl": pl.read_ndjson,
    "metadata.parquet": pl.read_parquet,
}
"""Names of such files, and what reads them."""


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
    damaged: dict[str, str] = {}

    def of(folder: str, is_beside: bool) -> tuple[str, ...]:
        for name in READERS:
            if os.path.isfile(native(file := os.path.join(folder, name))):  # noqa: PTH113, PTH118
                return () if is_beside else (file,)
        return tables_in(folder)

    files = nearest(sources, of)
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


def _read_by_people(file: str, sources: Sequence[str]) -> pl.DataFrame:
    """Return a table with the paths of its pictures; empty if it has not a row for each of some."""
    table = read_csv(Path(file))
    if boxes_in(table.columns):
        return pl.DataFrame()
    for column, paths in naming_columns(table, file, sources):
        found = len(table) - paths.null_count()
        # With several rows a picture it tells of objects.
        if 2 * found >= len(table) and paths.drop_nulls().is_unique().all():
            own = [name for name in table.columns if name not in (*COLUMNS, *NUMBERS, column)]
            return table.select(paths.alias(_KEY), *own).drop_nulls(_KEY)
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
