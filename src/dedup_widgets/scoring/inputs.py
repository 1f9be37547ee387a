"""What there is to score: paths from folders, lists, files of tables and frames, with columns."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._text import counted, listed
from dedup_widgets.errors import InputError
from dedup_widgets.frame.provenance import provenances
from dedup_widgets.frame.same_file import NAME
from dedup_widgets.frame.schema import COLUMNS, without_scores
from dedup_widgets.frame.scope import ROLE
from dedup_widgets.frame.table import is_frame, path_column, to_polars
from dedup_widgets.frame.tree import columns_of_tree
from dedup_widgets.images.annotations import annotations_beside
from dedup_widgets.images.companions import masks_of
from dedup_widgets.images.listing import SAME_FILE, NotTaken, WerePictures, list_images
from dedup_widgets.images.metadata import metadata_beside
from dedup_widgets.images.same_files import column_of_same_files, same_files
from dedup_widgets.images.shots import shots_of
from dedup_widgets.scoring.input_files import paths_in
from dedup_widgets.scoring.of_datasets import frame_of, is_of_datasets

Labels = Literal["auto", "folders"] | None
"""Whether folders name splits and classes: where that is clear, in any case, or never."""


@dataclass(frozen=True)
class Inputs:
    """Paths to score, with what comes along.

    Attributes
    ----------
    paths
        As they are spelled in the frame, a column.
    given
        Other columns of the same rows; None for none.
    from_folders
        Those of them that come from the names of folders.
    not_taken
        What of a folder was not taken; see :data:`~dedup_widgets.images.listing.NotTaken`.
    known
        ``size`` and ``version`` of each, null of what was not looked up; None where nothing was.
    annotations
        What files beside the pictures say is on them, as
        :data:`dedup_widgets.frame.annotations.FOUND` has it; None where there are none.
    """

    paths: pl.Series
    given: pl.DataFrame | None = None
    from_folders: list[str] = field(default_factory=list)
    not_taken: NotTaken = field(default_factory=dict)
    known: pl.DataFrame | None = None
    annotations: pl.DataFrame | None = None


DAMAGED = "damaged label files"
"""Why the annotations of a picture are not taken."""


def inputs_of(
    images: Any,
    labels: Labels,
    exclude: Sequence[str],
    were_pictures: WerePictures | None = None,
) -> Inputs:
    """Find the images of what :func:`dedup_widgets.score` takes."""
    if labels not in ("auto", "folders", None):
        raise InputError(f"labels is {labels!r}; it must be 'auto', 'folders' or None")
    if is_of_datasets(images):
        images = frame_of(images)
    if isinstance(images, str | os.PathLike):
        images = paths_in(os.fspath(images))
    if is_frame(images):
        frame = to_polars(images)
        if exclude:
            raise InputError("exclude is for folders; leave rows of a frame out by a filter")
        if "path" not in frame.columns:
            _name_the_paths(frame)
        paths = path_column(frame).alias("path")
        given = without_scores(frame.drop("path", strict=False))
        if provenances(frame):
            given = given.drop(NAME, strict=False)
        return Inputs(paths, _with_same_files(paths, _with_shots(paths, given)))
    found = list_images(images, exclude, were_pictures)
    paths = pl.Series("path", found.paths, dtype=pl.String)
    known = _known(paths, found.entries)
    if labels is None:
        shots = _with_shots(found.paths, None)
        return Inputs(paths, shots, [], found.not_taken, known)
    columns = columns_of_tree(found.paths, found.root, sure=labels == "folders")
    of_tree = columns.columns
    said, unread = metadata_beside(found.paths)
    if said.width:
        others = columns.drop(said.columns, strict=False)
        columns = others.hstack(said) if others.width else said
    annotations, damaged = annotations_beside(found.paths)
    damaged |= unread
    if damaged:
        problems = [f"{file}: {why}" for file, why in sorted(damaged.items())]
        warnings.warn(
            f"{counted(len(damaged), 'label file')} cannot be read, and of their pictures no "
            f"annotations are known: {listed(problems)}",
            stacklevel=4,
        )
    return Inputs(
        paths,
        _with_shots(found.paths, _with_masks(found.paths, columns)),
        [name for name in of_tree if name not in said.columns],
        found.not_taken | ({DAMAGED: _by_name(damaged)} if damaged else {}),
        known,
        None if annotations.is_empty() else annotations,
    )


def _known(paths: pl.Series, entries: pl.DataFrame) -> pl.DataFrame | None:
    """Return what is known of files by their paths."""
    if entries.is_empty():
        return None
    if not paths.equals(entries["path"]):
        entries = paths.to_frame().join(entries, on="path", how="left", maintain_order="left")
    return entries.drop("path")


def _with_masks(paths: list[str], columns: pl.DataFrame) -> pl.DataFrame | None:
    """Return what folders say, with ``mask_path`` where there are masks."""
    if (masks := masks_of(paths)) is not None:
        columns = columns.with_columns(masks) if columns.width else masks.to_frame()
    return columns if columns.width else None


def _with_shots(paths: list[str] | pl.Series, given: pl.DataFrame | None) -> pl.DataFrame | None:
    """Return the columns that come along, with ``shot`` where there are any and it is free."""
    shots = shots_of(paths)
    if shots is None or (given is not None and shots.name in given.columns):
        return given
    return shots.to_frame() if given is None else given.with_columns(shots)


def _with_same_files(paths: pl.Series, given: pl.DataFrame | None) -> pl.DataFrame | None:
    """Return the columns that come along, with ``same_file`` where there are any."""
    found = column_of_same_files(paths)
    if found is None or (given is not None and found.name in given.columns):
        return given
    return found.to_frame() if given is None else given.with_columns(found)


def _by_name(files: Iterable[str]) -> dict[str, int]:
    return dict(Counter(os.path.basename(file) for file in sorted(files)))  # noqa: PTH119


_HELD = {"size": "\0size", "version": "\0version"}
"""Columns of `Inputs.known` beside those that may be given."""


def joined(new: Inputs, old: Inputs) -> Inputs:
    """Return the images of a new set and of an old one, with their ``role``.

    A file that is in both, under one name or two, is an old one.
    """
    known = {absolute(path) for path in old.paths}
    others = {path for path in new.paths if absolute(path) not in known}
    further = {
        name
        for its in same_files([*old.paths, *others], first=set(old.paths))
        for name in its[1:]
        if its[0] not in others and name in others
    }
    is_new = [path in others and path not in further for path in new.paths]
    frames = []
    for role, each, rows in (("new", new, is_new), ("old", old, [True] * len(old.paths))):
        frame = each.paths.to_frame()
        if each.known is not None:
            frame = frame.hstack(each.known.rename(_HELD))
        if each.given is not None:
            frame = frame.hstack(each.given.drop("role", strict=False))
        frames.append(frame.filter(rows).with_columns(role=pl.lit(role, ROLE)))
    try:
        both = pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise InputError(f"the columns of both sets do not fit together: {error}") from error
    not_taken = {
        why: {
            name: new.not_taken.get(why, {}).get(name, 0) + old.not_taken.get(why, {}).get(name, 0)
            for name in new.not_taken.get(why, {}) | old.not_taken.get(why, {})
        }
        for why in new.not_taken | old.not_taken
    }
    if further:
        suffixes = Counter(os.path.splitext(name)[1].lower() for name in further)  # noqa: PTH122
        not_taken[SAME_FILE] = dict(suffixes + Counter(not_taken.get(SAME_FILE, {})))
    from_folders = list(dict.fromkeys([*new.from_folders, *old.from_folders]))
    known_of_both = None
    if held := [name for name in _HELD.values() if name in both.columns]:
        known_of_both = both.select(held).rename({it: name for name, it in _HELD.items()})
    return Inputs(
        both["path"],
        both.drop("path", *held),
        from_folders,
        not_taken,
        known_of_both,
        _joined_annotations(new, old),
    )


def _joined_annotations(new: Inputs, old: Inputs) -> pl.DataFrame | None:
    """Return the annotations of both sets; of a picture in both those of the old one."""
    parts = [] if old.annotations is None else [old.annotations]
    if new.annotations is not None:
        parts.append(new.annotations.filter(~pl.col("path").is_in(old.paths)))
    return pl.concat(parts) if parts else None


def _name_the_paths(frame: pl.DataFrame) -> None:
    """Refuse a frame without a column ``path``, and name the column that looks like one."""
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Binary) or "bytes" in {
            it.name for it in getattr(dtype, "fields", ())
        }:
            data = name if isinstance(dtype, pl.Binary) else f"{name}']['bytes"
            raise InputError(
                f"a frame of images needs a column 'path'; {name!r} holds what is in files: write "
                f"them first, such as: for i, row in enumerate(frame.iter_rows(named=True)): "
                f"pathlib.Path(f'pictures/{{i}}.jpg').write_bytes(row['{data}'])"
            )
        if name not in COLUMNS and dtype == pl.String:
            some = frame[name].drop_nulls().head(20).to_list()
            if some and all(os.path.lexists(absolute(str(value))) for value in some):
                raise InputError(
                    f"a frame of images needs a column 'path'; {name!r} holds paths: pass "
                    f"frame.rename({{{name!r}: 'path'}})"
                )
