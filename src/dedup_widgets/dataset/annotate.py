"""From a dataset on disk to the annotation tool: a Label Studio project, one task an image.

The pictures are not uploaded: the server reads them from the dataset's folder ("local files"),
so it must run where it sees that folder, and be allowed to serve it.
"""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._progress import Progress, steps
from dedup_widgets._text import storable
from dedup_widgets.dataset.label_studio import (
    Handover,
    LabelStudio,
    Prediction,
    check_server,
    connected,
    say_also,
)
from dedup_widgets.dataset.result import Annotation, Dataset
from dedup_widgets.dataset.tables import read_table
from dedup_widgets.errors import AnnotateError, InputError
from dedup_widgets.frame.annotations import NAME as ANNOTATIONS
from dedup_widgets.frame.annotations import category_names, is_annotations
from dedup_widgets.frame.table import require_columns

__all__ = ["Annotation", "LabelStudio", "annotate"]


MOST_LABELS = 1000


_TEXTS = ("description", "project", "project_description")


_OWN_KEYS = ("image", "dataset", "dataset_description", "split")


def annotate(
    dataset: Dataset | str | os.PathLike[str],
    server: LabelStudio | str | bool = True,
    *,
    description: str | None = None,
    project: str | None = None,
    project_description: str | None = None,
    progress: Progress = True,
) -> Annotation:
    """Send a dataset that is on disk to a Label Studio server, as a new project.

    Each image becomes a task whose data are ``image`` (its address there), ``dataset``,
    ``dataset_description``, ``split``, and the plain columns of the metadata, such as
    ``file_name``, ``label`` and ``fingerprint``. Before the first task is sent, one picture is
    read back from the server and compared with the file.

    Parameters
    ----------
    dataset
        What :func:`create_dataset` returned, or the folder that it wrote. It must hold pictures:
        format ``"imagefolder"``, and a mode other than ``"paths"``.
    server
        The server; an address stands for ``LabelStudio(address)``, True for the one that the
        environment names.
    description
        Description of the dataset. Default for a :class:`Dataset`: its own; so for the next two.
    project
        Title of the project, 3 to 50 characters. Default: the name of the dataset.
    project_description
        Description of the project. Default: that of the dataset.
    progress
        Whether to show a progress bar, or a function that receives tasks sent and in all.

    Returns
    -------
    Annotation
        The project.

    Raises
    ------
    InputError
        When an argument or the folder cannot be used as given.
    AnnotateError
        When httpx is not installed, no server answers, the token is not accepted, or
        the server refuses, fails, or does not serve the pictures. The project is then deleted
        again (or named, where that fails too); the dataset is never touched.

    Examples
    --------
    >>> annotate("no-such-dataset", LabelStudio(token="secret"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    dedup_widgets.InputError: .../no-such-dataset: there is no <split>/metadata.parquet...
    """
    settings = as_server(server)
    if settings is None:
        raise InputError(f"server is {server!r}; pass a LabelStudio, an address, or True")
    given = dict(zip(_TEXTS, (description, project, project_description), strict=True))
    if isinstance(dataset, str | os.PathLike):
        path = Path(absolute(os.fspath(dataset)))
        name, own = path.name, dict.fromkeys(given, "")
    elif not isinstance(dataset, Dataset):
        raise InputError(
            f"dataset is a {type(dataset).__name__}; pass what create_dataset returned, or the "
            "folder that it wrote"
        )
    else:
        path, name = dataset.path, dataset.name
        own = {text: getattr(dataset, text) for text in given}
    texts = {
        text: own[text] if value is None else storable(value, text) for text, value in given.items()
    }
    handover = Handover(path, name, **texts)
    pictures = pictures_of(path)
    check_handover(handover, settings, pictures)
    with steps(len(pictures), f"sending {name}", progress) as step:
        return send(handover, settings, pictures, step)


def as_server(annotate: LabelStudio | str | bool | None) -> LabelStudio | None:
    """Return the server that an argument stands for; None for none."""
    if annotate is None or isinstance(annotate, LabelStudio):
        return annotate
    if isinstance(annotate, bool):
        return LabelStudio() if annotate else None
    if isinstance(annotate, str):
        return LabelStudio(annotate)
    raise InputError(
        f"annotate is {annotate!r}; pass a LabelStudio, the address of a server, or True for the "
        "one that the environment names"
    )


def check_handover(handover: Handover, server: LabelStudio, metadata: pl.DataFrame) -> None:
    """Raise for what cannot work, as far as that shows without asking the server."""
    check_server(handover, server)
    labelling(server, metadata)


def send(
    handover: Handover, server: LabelStudio, pictures: pl.DataFrame, step: Callable[[int], object]
) -> Annotation:
    """Make the project and its tasks; report to `step` how many were sent. If it fails, undo it."""
    files = _files(pictures)
    try:
        with (
            connected(handover, server) as session,
            session.new_project(labelling(server, pictures)) as project,
        ):
            session.open_folder(project)
            base = session.served_as(files)
            tasks = task_data(handover, pictures, base)
            known = iter(predictions(server, pictures))
            for batch in tasks.iter_slices(server.tasks_a_request):
                session.add_tasks(project, batch.to_dicts(), list(islice(known, len(batch))))
                step(len(batch))
    except BaseException as error:
        if isinstance(error, AnnotateError):
            error.args = (f"{handover.name} was not sent to Label Studio: {error}",)
        say_also(error, _how_to_send_again(handover, server))
        raise
    url = f"{server.address}/projects/{project}/data"
    return Annotation(project, handover.title, url, len(pictures))


def _how_to_send_again(handover: Handover, server: LabelStudio) -> str:
    arguments = [repr(str(handover.path))]
    if server != LabelStudio(server.url):
        arguments.append("server")
    elif server.url:
        arguments.append(repr(server.url))
    texts = {name: getattr(handover, name) for name in _TEXTS}
    arguments += [f"{name}={text!r}" for name, text in texts.items() if text]
    return (
        f"The dataset is whole in {handover.path}; to send it to the same server again:\n"
        f"    dw.annotate({', '.join(arguments)})"
    )


def pictures_of(folder: Path) -> pl.DataFrame:
    """Return the metadata of all splits, with a column ``split``; all its pictures are there.

    Raises an InputError unless it is a dataset that holds its pictures as files.
    """
    tables = sorted(folder.glob("*/metadata.parquet"))
    if not tables:
        shards = any(folder.glob("*/*.tar"))
        raise InputError(
            f"{folder}: the pictures are in tar files, which Label Studio does not open; create "
            'the dataset with format="imagefolder"'
            if shards
            else f"{folder}: there is no <split>/metadata.parquet; name the folder of a dataset "
            "that create_dataset wrote"
        )
    try:
        splits = [
            read_table(table).with_columns(split=pl.lit(table.parent.name)) for table in tables
        ]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{folder}: its metadata.parquet cannot be read ({error})") from error
    metadata = pl.concat(splits, how="diagonal_relaxed")
    if "file_name" not in metadata.columns:
        raise InputError(
            f"{folder}: it holds only the paths of its pictures, and Label Studio serves files "
            'below one folder; create the dataset with another mode= than "paths"'
        )
    files = _files(metadata)
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise InputError(
            f"{folder}: {len(missing):,} of its {len(files):,} pictures are missing, {missing[0]} "
            "first; put them back, or create the dataset again"
        )
    return metadata


def _files(pictures: pl.DataFrame) -> list[str]:
    return (pictures["split"] + "/" + pictures["file_name"]).to_list()


def task_data(handover: Handover, pictures: pl.DataFrame, base: str) -> pl.DataFrame:
    """Return the data of each task: plain values only, as JSON has them."""
    plain = []
    for name, dtype in pictures.drop("split").schema.items():
        column = pl.col(name)
        if dtype.is_float() or dtype.is_decimal():
            column = column.cast(pl.Float64)
            value: pl.Expr = pl.when(column.is_finite()).then(column)
        elif dtype.is_integer() or dtype in (pl.String, pl.Boolean):
            value = column
        elif dtype.is_temporal():
            value = column.dt.to_string("iso")
        else:
            continue
        key = name
        while key in _OWN_KEYS or (key != name and key in pictures.columns):
            key += "_"
        plain.append(value.alias(key))
    return pictures.select(
        pl.Series("image", [_address(f"{base}/{file}") for file in _files(pictures)]),
        pl.lit(handover.name).alias("dataset"),
        pl.lit(handover.description).alias("dataset_description"),
        "split",
        *plain,
    )


def _address(file: str) -> str:
    return f"/data/local-files/?d={quote(file)}"


def labelling(server: LabelStudio, metadata: pl.DataFrame) -> str:
    """Return the labelling configuration; raise an InputError if there is none that works."""
    if server.label_config and server.label:
        raise InputError("pass label or label_config, not both")
    config = server.label_config or _choices(server.label, metadata)
    try:
        ElementTree.fromstring(config)
    except ElementTree.ParseError as error:
        raise InputError(f"the labelling configuration is no valid XML ({error})") from error
    return config


def predictions(server: LabelStudio, pictures: pl.DataFrame) -> list[list[Prediction]]:
    """Return what is known of each picture as far as the labelling configuration can hold it.

    Its label is a choice, and its annotations are rectangles.
    """
    config = ElementTree.fromstring(labelling(server, pictures))
    labels = _chosen(config.find(".//Choices"), server.label or "label", pictures)
    boxes = _rectangles(config.find(".//RectangleLabels"), pictures)
    return [[*label, *its] for label, its in zip(labels, boxes, strict=True)]


def _chosen(
    control: ElementTree.Element | None, column: str, pictures: pl.DataFrame
) -> list[list[Prediction]]:
    if control is None or column not in pictures.columns or pictures[column].dtype.is_nested():
        return [[] for _ in range(len(pictures))]
    choices = {it.get("value") for it in control.iter("Choice")}
    where = control.get("name", ""), control.get("toName", ""), "choices"
    labels = pictures[column].cast(pl.String, strict=False)
    return [[Prediction(*where, {"choices": [it]})] if it in choices else [] for it in labels]


def _rectangles(
    control: ElementTree.Element | None, pictures: pl.DataFrame
) -> list[list[Prediction]]:
    needed = {ANNOTATIONS, "width", "height"}
    if control is None or not needed <= set(pictures.columns):
        return [[] for _ in range(len(pictures))]
    if not is_annotations(pictures.schema[ANNOTATIONS]):
        return [[] for _ in range(len(pictures))]
    labels = {it.get("value") for it in control.iter("Label")}
    where = control.get("name", ""), control.get("toName", ""), "rectanglelabels"
    found = []
    for objects, width, height in pictures.select(ANNOTATIONS, "width", "height").iter_rows():
        drawn = []
        for it in objects or []:
            if it["category"] in labels and it["bbox"] and width and height:
                # Shares of the picture in percent.
                sides = zip(
                    ("x", "y", "width", "height"), it["bbox"], (width, height) * 2, strict=True
                )
                value = {name: 100 * number / of for name, number, of in sides}
                value |= {"rotation": 0, "rectanglelabels": [it["category"]]}
                drawn.append(Prediction(*where, value, (width, height)))
        found.append(drawn)
    return found


def _categories(metadata: pl.DataFrame) -> list[str]:
    """Return the categories of the annotations, if they are few enough to choose from."""
    if ANNOTATIONS not in metadata.columns or not is_annotations(metadata.schema[ANNOTATIONS]):
        return []
    found = category_names(metadata)
    return found if len(found) <= MOST_LABELS else []


def _choices(label: str | None, metadata: pl.DataFrame) -> str:
    name, values = "decision", ["keep", "remove"]
    if label is not None:
        require_columns(metadata, [label], "label")
    if (column := label or "label") in metadata.columns:
        found = metadata[column].drop_nulls()
        texts = pl.Series(dtype=pl.String)
        if not found.dtype.is_nested() and found.dtype != pl.Binary:
            texts = found.unique().sort().cast(pl.String)
        labels = [text for text in texts if text.strip()]
        if 0 < len(labels) <= MOST_LABELS:
            name, values = "label", labels
        elif label is not None:
            raise InputError(
                f"column {label!r} has {len(labels):,} labels; choices need 1 to {MOST_LABELS:,}: "
                "name another column, or pass label_config="
            )
    layout = "select" if len(values) > 20 else "inline"
    return "\n".join(
        [
            "<View>",
            '  <Image name="image" value="$image" zoom="true"/>',
            f'  <Choices name="{name}" toName="image" choice="single" layout="{layout}">',
            *(f"    <Choice value={quoteattr(value)}/>" for value in values),
            "  </Choices>",
            *_boxes(_categories(metadata)),
            "</View>",
        ]
    )


def _boxes(names: list[str]) -> list[str]:
    if not names:
        return []
    return [
        '  <RectangleLabels name="box" toName="image">',
        *(f"    <Label value={quoteattr(name)}/>" for name in names),
        "  </RectangleLabels>",
    ]
