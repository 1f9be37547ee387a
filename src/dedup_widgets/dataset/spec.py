"""What is to be written: settled and checked before the first byte."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._text import listed, named_place
from dedup_widgets.dataset.coco import CocoFile, coco_files
from dedup_widgets.dataset.naming import (
    Clash,
    Format,
    check_name,
    check_splits,
    file_names,
    picture_formats,
)
from dedup_widgets.dataset.tables import classes_of, metadata_columns, removed_rows
from dedup_widgets.errors import DatasetError, ImageError, InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.provenance import Provenance, provenances
from dedup_widgets.frame.table import checked_paths, in_any_case, require_columns, to_polars
from dedup_widgets.images.companions import companions_of, name_beside
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files
from dedup_widgets.images.label_files import names_for
from dedup_widgets.images.shots import parts_beside
from dedup_widgets.images.source import source_for

Mode = Literal["hardlink", "copy", "symlink", "paths"]


@dataclass(frozen=True, slots=True)
class Item:
    """A picture on its way: from where (with its bytes, device and version), to where."""

    source: str
    size: int
    device: int | None
    version: str
    split: str
    name: str


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that belongs to a picture, on its way into the folder of a split."""

    source: str
    split: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a picture are; in a tar file somewhere in the middle."""

    path: str
    start: int = 0
    length: int | None = None

    def read(self) -> bytes:
        """Return the bytes of the picture."""
        if self.length is None:
            return source_for(self.path).read(self.path)
        with Path(self.path).open("rb") as file:
            file.seek(self.start)
            return file.read(self.length)


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Everything that is settled before the first byte is written."""

    name: str
    path: Path
    mode: Mode
    format: Format
    collection: str | None
    items: list[Item]
    metadata: pl.DataFrame
    fingerprints: list[str | None]
    left_out_columns: list[str]
    scored_with: list[Provenance]
    removed: pl.DataFrame
    unreadable: int
    classes: dict[str, list[str]] = field(default_factory=dict)
    companions: list[Companion] = field(default_factory=list)
    coco: list[CocoFile] = field(default_factory=list)
    left_behind: int = 0
    shot_parts: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of all pictures."""
        return sum(item.size for item in self.items)

    @property
    def splits(self) -> dict[str, int]:
        """Pictures a split."""
        return dict(Counter(item.split for item in self.items))


def dataset_spec(
    data: Any,
    name: str,
    *,
    root: str | os.PathLike[str],
    mode: Mode,
    format: Format,  # noqa: A002
    removed: Any,
    split: str | None,
    split_column: str | None,
    label_column: str | None,
    path: str,
    embedding: bool,
    on_name_clash: Clash,
) -> DatasetSpec:
    """Settle what `create_dataset` writes; its parameters are explained there."""
    _check_choice("mode", mode, get_args(Mode))
    _check_choice("format", format, get_args(Format))
    _check_choice("on_name_clash", on_name_clash, get_args(Clash))
    if format == "webdataset" and mode in ("symlink", "paths"):
        raise InputError(f'mode={mode!r} needs format="imagefolder": shards hold the pictures')
    check_name(name)
    final = _free_path(name, root)
    collection = data.name if isinstance(data, Collection) else None
    if isinstance(data, Collection):
        data, path = data.frame, data.path
    frame, kept, unreadable = _readable(to_polars(data), path)
    left_out = removed_rows(removed, unreadable, kept)
    if split is None and split_column is None:
        split_column = usual_split_column(frame, "split")
    splits = _splits(frame, kept, split or "train", split_column)
    entries = _look_up(frame, kept)
    if mode == "symlink":
        _refuse_elsewhere(entries)
    pictures = picture_formats(frame, entries)
    names = file_names(kept, splits, pictures, format, on_name_clash)
    items = [
        Item(it.path, it.size, it.device, it.version, split, name)
        for it, split, name in zip(entries, splits, names, strict=True)
    ]
    has_files = format == "imagefolder" and mode != "paths"
    metadata, left_out_columns = metadata_columns(
        frame,
        kept,
        names if has_files else None,
        binary=format == "imagefolder",
        embedding=embedding,
    )
    companions, masks = companions_by_name(kept, splits, names)
    coco = coco_files(kept, splits, names)
    if has_files and any(masks):
        metadata = metadata.with_columns(pl.Series("mask_file_name", masks, dtype=pl.String))
    return DatasetSpec(
        name=name,
        path=final,
        mode=mode,
        format=format,
        collection=collection,
        items=items,
        metadata=metadata,
        fingerprints=_fingerprints(frame),
        left_out_columns=left_out_columns,
        scored_with=provenances(frame),
        removed=left_out,
        unreadable=len(unreadable),
        classes=classes_of(frame, label_column) if format == "imagefolder" else {},
        companions=companions if has_files else [],
        coco=coco if has_files else [],
        left_behind=0 if has_files else len(companions) + len(coco),
        shot_parts=sum(map(len, parts_beside(kept))),
    )


def _readable(frame: pl.DataFrame, path: str) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Return the readable rows without their paths, those paths, and those of the other rows."""
    sources = [absolute(source) for source in checked_paths(frame, path)]
    frame = frame.drop(path)
    readable = pl.Series([True] * len(frame), dtype=pl.Boolean)
    if "error" in frame.columns:
        readable = frame["error"].is_null()
        frame = frame.drop("error")
    kept = [s for s, good in zip(sources, readable, strict=True) if good]
    unreadable = [s for s, good in zip(sources, readable, strict=True) if not good]
    if not kept:
        raise InputError(
            f"there is no readable image among {len(sources):,} rows; "
            "a dataset needs at least one: check the filter or the collection"
        )
    return frame.filter(readable), kept, unreadable


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}")


def _free_path(name: str, root: str | os.PathLike[str]) -> Path:
    root = named_place("root", root)
    if "://" in root:
        raise InputError(
            f"root is {root!r}, but datasets are written to folders of this machine; "
            "choose a local root=, and upload the dataset's folder from there"
        )
    if "\0" in root:
        raise InputError(f"root is {root!r}, which no folder can be called")
    final = Path(absolute(root)) / name
    if os.path.lexists(final):
        raise DatasetError(
            f"{final} exists already; choose another name, or move it away first. "
            "Nothing was written."
        )
    return final


def usual_split_column(frame: pl.DataFrame, name: str) -> str | None:
    """Return the column of splits, in any case, if it names one a row; warn where it does not."""
    found = in_any_case(name, frame.columns)
    if found is None:
        return None
    name, column, why = found, frame[found], ""
    if nulls := column.null_count():
        why = f"it names none for {nulls:,} images"
    elif not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        why = f"it holds {column.dtype}, and splits have names"
    else:
        try:
            check_splits(column.cast(pl.String).unique().to_list())
        except InputError as error:
            why = str(error)
    if not why:
        return name
    warnings.warn(
        f"the dataset does not go by the column {name!r} ({why}): all its images are in one split; "
        "mend the column, or pass split_column= or split=",
        stacklevel=4,
    )
    return None


def companions_by_name(
    sources: list[str], splits: list[str], names: list[str]
) -> tuple[list[Companion], list[str | None]]:
    """Return where what belongs to the pictures goes, and the first mask of each."""
    taken: dict[tuple[str, str], str] = {}
    placed: list[Companion] = []
    masks: list[str | None] = []

    def place(source: str, split: str, *wanted: str) -> str:
        for name in (*wanted, *(f"{number}-{wanted[0]}" for number in range(2, len(names) + 3))):
            key = split, name.casefold()
            if taken.get(key, source) == source:
                if key not in taken:
                    placed.append(Companion(source, split, name))
                taken[key] = source
                return name
        raise AssertionError("there are more numbers than pictures")

    every = zip(sources, splits, names, companions_of(sources), strict=True)
    for picture, split, name, its in every:
        short = Path(name).stem
        for source in its.sidecars:
            # Some are called 1.jpg.xmp, others 1.xmp.
            suffix = Path(source).suffix
            either = (f"{short}{suffix}", f"{name}{suffix}")
            place(source, split, name_beside(Path(source).name, Path(picture).name, name), *either)
        put = [
            place(source, split, f"masks/{short}{Path(source).suffix}", f"masks/{name}.{i}.png")
            for i, source in enumerate(its.masks)
        ]
        masks.append(put[0] if put else None)
    texts = [it for it in placed if it.source.lower().endswith(".txt")]
    if names_file := _names_file({os.path.dirname(it.source) for it in texts}):  # noqa: PTH120
        for split in dict.fromkeys(it.split for it in texts):
            place(names_file, split, Path(names_file).name)
    return placed, masks


def _names_file(folders: set[str]) -> str | None:
    """Return what names the categories of YOLO files, if it is the same for all of them."""
    found = [it for it in map(names_for, sorted(folders)) if it.file is not None]
    lists = {tuple(sorted(it.of.items())) for it in found}
    if len(lists) > 1:
        warnings.warn(
            f"the YOLO files of this dataset have {len(lists)} lists of categories, by which one "
            "number means several: go by its column annotations, which has their names",
            stacklevel=5,
        )
    return found[0].file if len(lists) == 1 else None


def _splits(frame: pl.DataFrame, sources: list[str], split: str, column: str | None) -> list[str]:
    splits = [split] * len(sources)
    if column is not None:
        require_columns(frame, [column], "split_column")
        named = frame[column].cast(pl.String)
        if named.null_count():
            raise InputError(
                f"column {column!r} names no split for {named.null_count():,} images, "
                f"{sources[int(named.is_null().arg_max() or 0)]} first; fill it: "
                f"frame.with_columns(pl.col({column!r}).fill_null('train'))"
            )
        splits = named.to_list()
    check_splits(splits)
    return splits


def _look_up(frame: pl.DataFrame, sources: list[str]) -> list[Entry]:
    """Return what is known of each source; raise if one is missing or has another size."""
    scored: list[int | None] = [None] * len(sources)
    if "bytes" in frame.columns and frame["bytes"].dtype.is_integer():
        scored = frame["bytes"].to_list()
    entries, problems = [], []
    looked_up = Files(source_for).look_up(sources)
    for source, size, found in zip(sources, scored, looked_up, strict=True):
        if isinstance(found, ImageError):
            problems.append(str(found))
            continue
        entries.append(found)
        if size is not None and size != found.size:
            problems.append(
                f"{source}: has {found.size:,} bytes, but had {size:,} when it was scored; "
                "score it again"
            )
    if problems:
        raise DatasetError(
            f"{len(problems):,} of {len(sources):,} images cannot be placed: {listed(problems)}. "
            "Nothing was written."
        )
    return entries


def _refuse_elsewhere(entries: Sequence[Entry]) -> None:
    """Raise if a link could not lead to a source."""
    for entry in entries:
        if entry.device is None:
            raise InputError(
                f'mode="symlink" links to files of this machine, and {entry.path} is none; choose '
                'mode="copy", or "paths"'
            )


def _fingerprints(frame: pl.DataFrame) -> list[str | None]:
    if "fingerprint" in frame.columns and frame["fingerprint"].dtype == pl.String:
        return frame["fingerprint"].to_list()
    return [None] * len(frame)


def read_unchanged(item: Item, place: Place) -> bytes:
    """Return the bytes of a picture from one of its places; raise unless they are as many still."""
    return _unchanged(item, place.read)


@contextmanager
def read_in_order(items: Sequence[Item]) -> Iterator[Iterator[bytes]]:
    """Give the bytes of pictures from their sources, as :func:`read_unchanged` does.

    Those that do not lie on this disk are read ahead.
    """
    entries = [Entry(item.source, item.size, item.version) for item in items]
    with Files(source_for).reading(entries) as readings:
        yield (
            _unchanged(item, lambda reading=reading: reading()[1])  # type: ignore[misc]
            for item, reading in zip(items, readings, strict=True)
        )


def _unchanged(item: Item, read: Callable[[], bytes]) -> bytes:
    try:
        data = read()
    except ImageError as error:
        raise DatasetError(f"{error}. Nothing was written.") from error
    if len(data) != item.size:
        raise DatasetError(changed(item))
    return data


def changed(item: Item) -> str:
    """Return the error text for a source that is not what it was."""
    return (
        f"{item.source}: changed since it was scored or looked up; score it again. "
        "Nothing was written."
    )
