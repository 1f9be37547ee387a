"""A plan as a script that a person may run: this package itself never touches a source image."""

import csv
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from dedup_widgets._paths import absolute, native
from dedup_widgets._text import listed, named_place
from dedup_widgets.errors import DatasetError, ImageError, InputError
from dedup_widgets.frame.table import checked_paths, require_columns, to_polars
from dedup_widgets.images.companions import companions_of
from dedup_widgets.images.decode import decode, decoding_of
from dedup_widgets.images.shots import parts_beside
from dedup_widgets.images.source import source_for

Action = Literal["move", "link", "trash"]


_COLUMNS = ("action", "path", "to", "keeper", "bytes", "sha256", "keeper_sha256", "reason")


def script(
    plan: Any,
    action: Action = "move",
    *,
    to: str | os.PathLike[str] | None = None,
    file: str | os.PathLike[str] | None = None,
    shots: bool = True,
) -> Path:
    """Write a Python script that carries out what a plan removes, and can take it back.

    Beside the script lies its manifest, a CSV of what it does. ``python FILE`` shows what would be
    done, ``python FILE --do`` does it, ``python FILE --undo`` takes it back. The script needs
    nothing but Python. Before it acts on a file it checks that the file and its keeper are there
    and have the content that they had when the script was written.

    Parameters
    ----------
    plan
        What :func:`plan` returns, or ``ex.plan``.
    action
        ``"move"``: into the folder `to`, in folders as they were; what belongs to a picture
        (labels, settings, masks) goes along. ``"trash"``: likewise into the trash of the desktop.
        ``"link"``: put a hard link to the keeper in the place of each file that has the very bytes
        of its keeper; others stay.
    to
        The folder to move to.
    file
        The script; default ``carry_out_plan.py`` in the current folder, with a number if there is
        one.

    shots
        Whether the raw file and the live video of a picture that goes go along, where the keeper
        has the very same beside it. Elsewhere they stay.

    Returns
    -------
    Path
        The script.

    Raises
    ------
    InputError
        When the plan is none, removes nothing, or an argument is missing.
    DatasetError
        When files are missing, or do not have the content that was planned with any more.

    Examples
    --------
    >>> script(pl.DataFrame({"path": ["a.jpg"], "action": ["keep"], "keeper": [None]}), "trash")
    Traceback (most recent call last):
    ...
    dedup_widgets.InputError: the plan removes nothing; there is nothing to write a script for
    """
    if action not in get_args(Action):
        raise InputError(f"action is {action!r}; it must be 'move', 'link' or 'trash'")
    folder = None if to is None else absolute(named_place("to", to))
    if folder is not None and folder.endswith(".py") and file is None:
        folder, file = None, folder
    if (folder is None) == (action == "move"):
        raise InputError(
            "moving needs a folder: script(plan, 'move', to='removed')"
            if action == "move"
            else f"to is where files are moved, and {action!r} moves none there; leave it out"
        )
    if folder is not None and os.path.isfile(folder):  # noqa: PTH113
        raise InputError(f"to is {folder[:200]}, which is a file; name a folder to move to")
    frame = to_polars(plan)
    require_columns(frame, ["path", "action", "keeper"], "a script of a plan")
    goes = frame.filter(pl.col("action").cast(pl.String) == "remove")
    if goes.is_empty():
        raise InputError("the plan removes nothing; there is nothing to write a script for")
    paths = [absolute(path) for path in checked_paths(goes)]
    if any("://" in path for path in paths):
        raise InputError(
            "a script acts on files of this machine, and the plan removes pictures elsewhere or "
            "frames of videos; leave them out: plan.filter(~pl.col('path').str.contains('://'))"
        )
    keepers = [absolute(path) for path in goes["keeper"].cast(pl.String)]
    if kept := set(paths) & set(keepers):
        raise InputError(f"{min(kept)} goes and is a keeper; make the plan again")
    sums = _checked(paths, keepers, frame)
    stays = [absolute(path) for path in frame["path"].cast(pl.String)]
    rows = []
    reasons = goes["reason"] if "reason" in goes.columns else [""] * len(paths)
    root = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120
    target = None if folder is None else Path(folder)

    def place(path: str) -> str:
        below = os.path.relpath(path, root)
        return "" if target is None else str(target / below.replace("..", "_"))

    for path, keeper, reason in zip(paths, keepers, reasons, strict=True):
        size, checksum = sums[path]
        row = action, path, place(path), keeper, size, checksum, sums[keeper][1], reason
        if action != "link" or checksum == sums[keeper][1]:
            rows.append(row)
    if action != "link":
        along = _parts(paths, keepers, set(stays)) if shots else []
        for path in dict.fromkeys([*_companions(paths, stays), *along]):
            size, checksum = _sum(path)
            rows.append(
                (action, path, place(path), "", size, checksum, "", "goes with its picture")
            )
    if not rows:
        raise InputError(
            "no file that goes has the very bytes of its keeper; use 'move' or 'trash'"
        )
    written = _free(file)
    with written.with_suffix(".csv").open("w", encoding="utf-8", newline="") as manifest:
        table = csv.writer(manifest)
        table.writerow(_COLUMNS)
        table.writerows(rows)
    written.write_text(_TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    return written


_TEMPLATE = Path(__file__).with_name("carry_out.py")


def _checked(
    paths: list[str], keepers: list[str], plan: pl.DataFrame
) -> dict[str, tuple[int, str]]:
    """Return size and checksum of each file; raise where one is not what was planned with."""
    known: dict[str, str | None] = {}
    if "fingerprint" in plan.columns:
        both = plan.select(pl.col("path", "fingerprint").cast(pl.String)).rows()
        known = {absolute(path): fingerprint for path, fingerprint in both}

    def look(path: str) -> tuple[int, str] | str:
        try:
            data = source_for(path).read(path)
            fingerprint = known.get(path)
            if fingerprint is not None and not _shows(data, fingerprint):
                return f"{path}: is not the picture that was planned with"
        except ImageError as error:
            return str(error)
        return len(data), hashlib.sha256(data).hexdigest()

    files = list(dict.fromkeys([*paths, *keepers]))
    with ThreadPoolExecutor() as pool:
        found = dict(zip(files, pool.map(look, files), strict=True))
    if problems := [text for text in found.values() if isinstance(text, str)]:
        raise DatasetError(
            f"{len(problems):,} of {len(files):,} files have changed since they were planned: "
            f"{listed(problems)}. Score and plan them again: nothing was written."
        )
    return {path: it for path, it in found.items() if not isinstance(it, str)}


def _companions(paths: list[str], all_paths: list[str]) -> list[str]:
    """Return what belongs to pictures that go, and to none that stays."""
    gone = set(paths)
    needed = {
        name
        for path, its in zip(all_paths, companions_of(all_paths), strict=True)
        if path not in gone
        for name in (*its.sidecars, *its.masks)
    }
    of_gone = [n for its in companions_of(paths) for n in (*its.sidecars, *its.masks)]
    return [name for name in dict.fromkeys(of_gone) if name not in needed]


def _parts(paths: list[str], keepers: list[str], planned: set[str]) -> list[str]:
    """Return the other parts of shots that go, where the keeper's shot has the same."""
    sums = cache(_sum)
    both = zip(parts_beside(paths), parts_beside(keepers), strict=True)
    return [
        part
        for parts, kept in both
        for part in parts
        # What is in the plan itself goes or stays by that.
        if part not in planned and any(sums(part) == sums(it) for it in kept)
    ]


def _sum(path: str) -> tuple[int, str]:
    with open(native(path), "rb") as file:  # noqa: PTH123
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _free(file: str | os.PathLike[str] | None) -> Path:
    """Return where the script is written: never over another file."""
    path = Path(absolute(os.fspath(file or "carry_out_plan.py")))
    if path.suffix != ".py":
        raise InputError(f"{path.name} is no name of a Python script; let it end in .py")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} to")
    wanted, number = path, 1
    while path.exists() or path.with_suffix(".csv").exists():
        if file is not None:
            raise InputError(f"{path} or its manifest is there already; name another file=")
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}.py")
    return path


def _shows(data: bytes, fingerprint: str) -> bool:
    """Tell whether a file still is the picture of a fingerprint."""
    return decode(data, decoding_of(fingerprint)).fingerprint == fingerprint
