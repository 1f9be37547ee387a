"""Which images of a frame may be duplicates of each other: sets against sets, and parts apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.frame.provenance import Provenance
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.frame.table import require_columns

ROLE = pl.Enum(["new", "old"])
"""What an image is where a set was scored against another: of the one, or of the other."""


FOLDER = "folder"
"""What ``within=`` calls the folder that a file lies in."""


_FOLDER_OF = r"(?s)^(.*)[/\\][^/\\]*$"


@dataclass(frozen=True)
class Scope:
    """Who may be a duplicate of whom.

    Attributes
    ----------
    part
        (n,): only images of one number may be duplicates of each other.
    old
        (n,): images that were there before. No two of them are compared, and none goes.
    """

    part: NDArray[np.int64]
    old: NDArray[np.bool_]

    def __getitem__(self, rows: NDArray[np.int64]) -> "Scope":
        return Scope(self.part[rows], self.old[rows])

    def allows(self, row: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which others may be duplicates of an image."""
        allowed: NDArray[np.bool_] = (self.part[others] == self.part[row]) & ~(
            self.old[row] & self.old[others]
        )
        return allowed

    def pictures(self, picture: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first image, of those with its picture, that may be a duplicate of each.

        Of several old images of one picture the first stands for it; the others are by themselves.

        Parameters
        ----------
        picture
            (n,), equal numbers for equal pictures.
        """
        rows = np.arange(len(picture))
        _, both = np.unique(np.stack([picture, self.part]), axis=1, return_inverse=True)
        both = both.ravel()
        first = np.full(len(rows), len(rows))
        np.minimum.at(first, both, rows)
        first_old = np.full(len(rows), len(rows))
        np.minimum.at(first_old, both[self.old], rows[self.old])
        is_further = self.old & (rows != first_old[both])
        usual = np.full(len(rows), len(rows))
        np.minimum.at(usual, both[~is_further], rows[~is_further])
        return np.where(is_further, rows, usual[both])


def part_column(frame: pl.DataFrame, within: str) -> pl.Series:
    """Return the part of each row: the values of a column, or the folders of the files."""
    if within == FOLDER and FOLDER not in frame.columns:
        folder = frame["path"].cast(pl.String).str.extract(_FOLDER_OF, 1)
        return folder.fill_null("")
    require_columns(frame, [within], "within=")
    if (dtype := frame.schema[within]).is_nested():
        raise InputError(
            f"within= takes a column of one value a row, and {within!r} holds {dtype}; make one of "
            "what parts the images"
        )
    return frame[within]


def scope_of(frame: pl.DataFrame, made: Sequence[Provenance], path: str = "path") -> Scope | None:
    """Return who of a frame may be a duplicate of whom; None where all may.

    Parameters
    ----------
    frame
        As :func:`dedup_widgets.score` makes it, or a part of it.
    made
        How its scores were made.
    path
        Its column of paths.
    """
    within = {it.within for it in made} - {None}
    against = any(it.against for it in made) and "role" in frame.columns
    part, old = np.zeros(len(frame), np.int64), np.zeros(len(frame), np.bool_)
    for name in sorted(str(it) for it in within):
        column = FOLDER if name == FOLDER else name
        if column == FOLDER or column in frame.columns:
            named = frame.rename({path: "path"}) if path != "path" else frame
            values = part_column(named, name).cast(pl.String)
            part = values.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
            break
    else:
        within = set()
    if against:
        old = (frame["role"].cast(pl.String) == "old").fill_null(False).to_numpy()
    first = first_rows(frame, path)
    if first is not None:
        # Further names of a file are no duplicates of anything: what becomes of it is theirs too.
        further = further_rows(first)
        part[further] = -1 - further
    return Scope(part, old) if within or against or first is not None else None
