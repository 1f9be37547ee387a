"""A frame for other programs: as a table, or with its annotations as COCO or YOLO."""

import os
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._text import named_place
from dedup_widgets.dataset.coco import as_coco
from dedup_widgets.dataset.yolo import write_yolo
from dedup_widgets.errors import InputError
from dedup_widgets.frame.annotations import NAME, is_annotations
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.export import SUFFIXES, replace_file, writer
from dedup_widgets.frame.table import checked_paths, require_columns, to_polars

Layout = Literal["coco", "yolo"]


def export(
    data: Any,
    path: str | os.PathLike[str],
    *,
    format: Layout | None = None,  # noqa: A002
    vectors: bool | None = None,
) -> Path:
    r"""Write a frame, a selection, a plan or a collection to a file, by the suffix of its name.

    Parameters
    ----------
    data
        Any table: a frame of scores, ``ex.selection``, ``ex.plan``; or a :class:`Collection`.
    path
        Where to write. ``.csv``, ``.tsv``: one line an image; lists are joined by ``|``, other
        nested values are JSON. ``.jsonl``, ``.ndjson``: a JSON object a line; ``.json``: a list of
        them. ``.txt``: the paths, one a line. ``.parquet``: everything as it is.
        A file that is there is replaced, once the new one is whole.

        Of a frame with ``annotations``, also ``.coco.json``: one COCO file; and a name without a
        suffix: a new folder as YOLO has it, with ``data.yaml``, ``labels/`` and ``images/``, which
        are further names of the same files, or copies where that is impossible. Unreadable images
        are left out of both.
    format
        ``"coco"`` or ``"yolo"``, whatever the name.
    vectors
        Whether the columns for machines, ``embedding`` and ``evidence``, are written. Default: in
        Parquet only.

    Returns
    -------
    Path
        The file or the folder.

    Raises
    ------
    InputError
        When the suffix is none of these, there is no such folder, or it cannot be written; when
        COCO or YOLO are asked for and there are no annotations.
    DatasetError
        When the folder exists, or an image is missing.

    Examples
    --------
    >>> import polars as pl, tempfile
    >>> frame = pl.DataFrame({"path": ["a.jpg"], "tags": [["sea", "sky"]]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(frame, f"{folder}/list.csv").read_text()
    'path,tags\na.jpg,sea|sky\n'
    """
    if format not in (None, *get_args(Layout)):
        raise InputError(f"format is {format!r}; it must be 'coco', 'yolo' or None")
    target = Path(named_place("path", path)).expanduser()
    paths = "path"
    if isinstance(data, Collection):
        data, paths = data.frame, data.path
    frame = to_polars(data)
    is_annotated = NAME in frame.columns and is_annotations(frame.schema[NAME])
    if format is None and target.name.lower().endswith(".coco.json"):
        format = "coco"  # noqa: A001
    elif format is None and not target.suffix and is_annotated:
        format = "yolo"  # noqa: A001
    if format is None and not target.suffix:
        raise InputError(
            f"cannot write {target.name}: its name must end in one of {', '.join(SUFFIXES)}; one "
            f"without a suffix is a folder for YOLO, which needs a column {NAME!r}"
        )
    if format is None:
        writer(target, paths, vectors=vectors)(frame)
        return target
    require_columns(frame, [paths, NAME, "width", "height"], f"writing {format.upper()}")
    if not is_annotated:
        raise InputError(f"column {NAME!r} holds {frame.schema[NAME]}, which are no annotations")
    if not target.absolute().parent.is_dir():
        raise InputError(f"there is no folder {target.absolute().parent} to write {target.name} to")
    sources = [absolute(source) for source in checked_paths(frame, paths)]
    frame = frame.with_columns(pl.Series("path", sources, dtype=pl.String))
    if "error" in frame.columns:
        frame = frame.filter(frame["error"].is_null())
    if format == "yolo":
        write_yolo(frame, target)
        return target
    document = as_coco(frame, target.absolute().parent)
    try:
        replace_file(target, lambda file: Path(file).write_text(document, encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    return target
