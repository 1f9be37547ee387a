"""Several names of one file, of which one stands for it in a run."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.same_file import NAME as SAME_FILE
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.scale.parts import ORDER
from dedup_widgets.scale.paths import Paths
from dedup_widgets.scoring.task import ScoringTask


@dataclass(frozen=True)
class FileNames:
    """All names of the files of a task: a file is described and compared once.

    Attributes
    ----------
    paths
        Of all names.
    given
        Further columns of all.
    first
        (n,), the first row of each file; None where each row is one.
    """

    paths: Paths
    given: pl.DataFrame | None
    first: NDArray[np.int64] | None

    def with_further(self, part: pl.DataFrame) -> pl.DataFrame:
        """Return a part of the frame with all names, by their places in the list of all."""
        if self.first is None:
            return part
        own, further = np.unique(self.first), further_rows(self.first)
        rows = own[part[ORDER].to_numpy()]
        place = np.full(len(self.first), -1)
        place[rows] = np.arange(len(rows))
        here = further[place[self.first[further]] >= 0]
        table = part[np.concatenate([np.arange(len(rows)), place[self.first[here]]])]
        is_further = pl.Series(np.arange(len(table)) >= len(rows))
        order = np.concatenate([rows, here])
        return table.with_columns(
            self.paths.gather(order).alias("path"),
            pl.Series(ORDER, order, part.schema[ORDER]),
            group=pl.when(~(is_further & pl.col("keep"))).then("group"),
        )


def on_disk(task: ScoringTask) -> tuple[ScoringTask, Paths, FileNames]:
    """Return a task without its paths, those with one name of each file, and all names.

    From here on nobody holds what is known of the files in memory, unless who asked does.
    """
    inputs, given, first = task.inputs, task.given, None
    if given is not None and SAME_FILE in given.columns:
        first = first_rows(pl.DataFrame([inputs.paths, given[SAME_FILE]]))
    if first is None:
        paths = every = Paths(inputs.paths, inputs.known)
        own = given
    else:
        rows = np.unique(first)
        known = None if inputs.known is None else inputs.known[rows]
        paths, every = Paths(inputs.paths.gather(rows), known), Paths(inputs.paths)
        own = None if given is None else given[rows]
    bare = replace(inputs, paths=inputs.paths.clear(), known=None, given=own)
    return replace(task, inputs=bare), paths, FileNames(every, given, first)
