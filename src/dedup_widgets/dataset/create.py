"""A dataset on disk: the pictures that stay, what is known of them, and what was left out.

The whole dataset is written to a hidden folder next to its place, decoded again, and only then
renamed. So a folder under the dataset's name is always complete and checked.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dedup_widgets._progress import Progress, steps
from dedup_widgets._text import storable, whole
from dedup_widgets.dataset.annotate import as_server, check_handover, pictures_of, send
from dedup_widgets.dataset.card import dataset_card
from dedup_widgets.dataset.folder import whole_folder
from dedup_widgets.dataset.label_studio import Handover, LabelStudio
from dedup_widgets.dataset.naming import Clash, Format
from dedup_widgets.dataset.placing import (
    check_room,
    cost,
    free_bytes,
    place_all,
    place_companions,
    why_not_written,
    write_tables,
)
from dedup_widgets.dataset.result import Dataset, Preview
from dedup_widgets.dataset.spec import DatasetSpec, Mode, dataset_spec
from dedup_widgets.dataset.verify import verified_fingerprints
from dedup_widgets.errors import AnnotateError, DatasetError, InputError


def create_dataset(
    frame_or_collection: Any,
    name: str,
    *,
    description: str = "",
    project: str | None = None,
    project_description: str = "",
    root: str | os.PathLike[str] = "datasets",
    mode: Mode = "hardlink",
    format: Format = "imagefolder",  # noqa: A002
    removed: Any = None,
    split: str | None = None,
    split_column: str | None = None,
    label_column: str | None = None,
    path: str = "path",
    embedding: bool = False,
    allow_duplicates: bool = False,
    on_name_clash: Clash = "number",
    shard_bytes: int = 500_000_000,
    annotate: LabelStudio | str | bool | None = None,
    progress: Progress = True,
) -> Dataset:
    """Write the images of a frame or collection as a dataset that Hugging Face `datasets` loads.

    What belongs to a picture goes along: files of labels, captions and settings that have its name
    (``1.txt``, ``1.xml``, ``1.xmp``; beside it or in ``labels/`` beside ``images/``), and its mask,
    which loaders give as a picture in the column ``mask``. Where a format or mode has no place for
    them they are counted as left behind.

    ``<root>/<name>/`` gets ``<split>/`` with the pictures and ``metadata.parquet``, a dataset
    card ``README.md``, and ``removed.parquet``: what was left out, and why. Rows whose ``error``
    is set are left out with the reason "unreadable".

    The card has the lines of Python that load it.

    It is written to a hidden folder ``.<name>.dedup-partial`` in ``root``, decoded again, and
    renamed as a whole at the end, once all of it is on the disk. Whatever goes wrong before,
    nothing is left; after a crash or a power cut the next run removes that folder. Source images
    are never changed.

    Parameters
    ----------
    frame_or_collection
        A :class:`Collection`, or any frame with a column of paths. Where it has ``bytes`` or
        ``fingerprint`` as :func:`score` writes them, a file that changed since is found.
    name
        Name of the dataset and of its folder; it must not exist yet.
    description
        Free text (Markdown) for the card.
    project
        Name of the project that it belongs to, for the card and the annotation tool.
    project_description
        What the project is about, likewise.
    root
        Folder that holds datasets; made if missing.
    mode
        ``"hardlink"``: a second name for the same file, at no cost; where that is impossible
        (another file system), a copy. An editor that writes in place changes both.
        ``"copy"``: files of its own. ``"symlink"``: links to the absolute source paths.
        ``"paths"``: no pictures, only their paths, which become pictures with
        ``.cast_column("source_path", datasets.Image())``.
    format
        ``"imagefolder"``, or ``"webdataset"``: tar shards ``<split>/<name>-000000.tar`` of
        ``key.jpg`` and ``key.json``, always copies. All pictures have one extension, since
        loaders need one field: their own if they share one, else ``jpg``; readers go by content.
        Values that are null are left out of the JSON, and the up to five pictures that
        together have every column come first, since loaders infer types from those.
    removed
        A frame of what was left out, as :func:`plan` makes it: ``path`` and any of
        ``fingerprint, group, keeper, distance, reason``. Rows whose ``action`` is ``"keep"``
        do not count.
    split
        Split for all images. Default: by `split_column`.
    split_column
        Column that names the split of each row. Default: ``split``, if the frame has such a
        column of texts and it names one for every row; else all are in ``train``.
    label_column
        Column of classes, which loaders give as a ``ClassLabel``. Default: ``label``, if it holds
        texts that come from folders or repeat.
    path
        The column of paths of a frame.
    embedding
        Whether the column ``embedding`` goes into the metadata.
    allow_duplicates
        Whether exact duplicates may be in the dataset.
    on_name_clash
        When two sources have one file name: ``"number"`` calls all but the first, in the
        order of their paths, ``name-2.jpg``, ``name-3.jpg`` and so on; ``"error"`` refuses.
        Upper and lower case count as the same.
    shard_bytes
        Largest size of a tar file; a single larger picture still gets one.
    annotate
        A Label Studio server to send the dataset to, once it is written: see :func:`annotate`,
        which sends it later. An address stands for ``LabelStudio(address)``, True for the server
        that the environment names. It needs pictures as files: neither shards nor ``"paths"``.
    progress
        Whether to show a progress bar, or a function that receives steps done and in all. What
        it raises stops the work: nothing is left, or after the last picture was checked the
        dataset alone.

    Returns
    -------
    Dataset
        Where it is and what it holds. The same input gives the same bytes, file by file.

    Raises
    ------
    InputError
        When an argument, a name or a column cannot be used as given.
    DatasetError
        When the name exists; when sources are missing, unreadable, changed since they were
        scored, or exact duplicates of each other; when the disk is full or refuses. Nothing
        is left on disk.
    AnnotateError
        When the dataset was written, but could not be sent; it stays, and is the `dataset` of
        the error. When httpx is missing, which is found before anything is written.

    See Also
    --------
    preview : Count before writing.
    annotate : Send a dataset later, or again.

    Examples
    --------
    >>> import polars as pl
    >>> df = pl.DataFrame({"path": ["no-such.jpg"]})
    >>> create_dataset(df, "clean-v1", progress=False)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    dedup_widgets.DatasetError: 1 of 1 images cannot be placed: ...no-such.jpg: does not ...
    """
    shard_bytes = whole("shard_bytes", shard_bytes, 1)
    spec = dataset_spec(
        frame_or_collection,
        name,
        root=root,
        mode=mode,
        format=format,
        removed=removed,
        split=split,
        split_column=split_column,
        label_column=label_column,
        path=path,
        embedding=embedding,
        on_name_clash=on_name_clash,
    )
    description = storable(description, "the description").strip()
    project = " ".join(storable(project or "", "project").split())
    project_description = storable(project_description, "project_description").strip()
    server = as_server(annotate)
    handover = Handover(spec.path, spec.name, description, project, project_description)
    if server is not None:
        if format == "webdataset" or mode == "paths":
            raise InputError(
                "annotate= needs pictures as files in the dataset, for Label Studio to serve; use "
                'format="imagefolder" and mode="hardlink", "copy" or "symlink"'
            )
        check_handover(handover, server, spec.metadata)
    check_room(spec)
    images = len(spec.items)
    # A picture is placed, checked, and sent.
    with steps((3 if server else 2) * images, f"creating {spec.name}", progress) as step:
        with whole_folder(spec.path) as folder:
            placed = _write(spec, folder, handover, shard_bytes, allow_duplicates, step)
        dataset = Dataset(
            name=spec.name,
            path=spec.path,
            format=spec.format,
            images=images,
            bytes=spec.bytes,
            splits=spec.splits,
            placed=placed,
            removed=len(spec.removed),
            description=description,
            project=project,
            project_description=project_description,
            companions=len(spec.companions) + len(spec.coco),
            left_behind=spec.left_behind,
        )
        if server is None:
            return dataset
        try:
            annotation = send(handover, server, pictures_of(spec.path), step)
        except AnnotateError as error:
            error.dataset = dataset
            raise
        return replace(dataset, annotation=annotation)


def _write(
    spec: DatasetSpec,
    folder: Path,
    handover: Handover,
    shard_bytes: int,
    allow_duplicates: bool,
    step: Callable[[int], object],
) -> dict[str, int]:
    """Write a dataset into a folder, and check it; return how many were placed in which way."""
    try:
        places, placed = place_all(spec, folder, shard_bytes, step)
        place_companions(spec, folder)
        fingerprints = verified_fingerprints(spec, places, allow_duplicates, step)
        write_tables(spec, folder)
        card = dataset_card(
            spec,
            placed,
            fingerprints,
            description=handover.description,
            project=handover.project,
            project_description=handover.project_description,
            allow_duplicates=allow_duplicates,
        )
        (folder / "README.md").write_bytes(card.encode())
    except OSError as error:
        raise DatasetError(why_not_written(spec, error)) from error
    return placed


def preview(
    frame_or_collection: Any,
    name: str,
    *,
    root: str | os.PathLike[str] = "datasets",
    mode: Mode = "hardlink",
    format: Format = "imagefolder",  # noqa: A002
    removed: Any = None,
    split: str | None = None,
    split_column: str | None = None,
    label_column: str | None = None,
    path: str = "path",
    on_name_clash: Clash = "number",
) -> Preview:
    """Count what `create_dataset` would write, and check what can be checked before it.

    Parameters
    ----------
    frame_or_collection, name, root, mode, format, removed, split, split_column, label_column, path,
    on_name_clash
        As for `create_dataset`.

    Returns
    -------
    Preview
        Counts and bytes. No file is opened, only looked up.

    Raises
    ------
    InputError, DatasetError
        As `create_dataset`, for all that shows without reading pictures: names, columns,
        missing files and changed sizes. Too little room is not an error here.
    """
    spec = dataset_spec(
        frame_or_collection,
        name,
        root=root,
        mode=mode,
        format=format,
        removed=removed,
        split=split,
        split_column=split_column,
        label_column=label_column,
        path=path,
        embedding=False,
        on_name_clash=on_name_clash,
    )
    placed, new_bytes = cost(spec)
    return Preview(
        path=spec.path,
        images=len(spec.items),
        bytes=spec.bytes,
        splits=spec.splits,
        placed=placed,
        new_bytes=new_bytes,
        free_bytes=free_bytes(spec.path),
        renamed=sum(Path(item.source).name != item.name for item in spec.items),
        unreadable=spec.unreadable,
        removed=len(spec.removed),
        companions=len(spec.companions) + len(spec.coco),
        left_behind=spec.left_behind,
    )
