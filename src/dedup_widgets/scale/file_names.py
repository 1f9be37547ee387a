"""Several names of one file, of which one stands for it in a run."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.frame.same_file import NAME as SAME_FILE
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.scale.parts import ORDER
from dedup_widgets.scoring.task import ScoringTask


@dataclass(frozen=True)
class FileNames:
    """All names of the files of a task: a file is described and compared once.

    Attributes
    ----------
    task
        With all names.
    first
        (n,), the first row of each file; None where each row is one.
    """

    task: ScoringTask
    first: NDArray[np.int64] | None

    @classmethod
    def of(cls, task: ScoringTask) -> "FileNames":
        """Return the names of a task."""
        if task.given is None or SAME_FILE not in task.given.columns:
            return cls(task, None)
        return cls(task, first_rows(pl.DataFrame([task.paths, task.given[SAME_FILE]])))

    @property
    def own_task(self) -> ScoringTask:
        """The task with one name of each file."""
        if self.first is None:
            return self.task
        own, inputs = np.unique(self.first), self.task.inputs
        given, known = self.task.given, inputs.known
        its = replace(
            inputs,
            paths=inputs.paths.gather(own),
            given=None if given is None else given[own],
            known=None if known is None else known[own],
        )
        return replace(self.task, inputs=its)

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
            self.task.paths.gather(order).alias("path"),
            pl.Series(ORDER, order, part.schema[ORDER]),
            group=pl.when(~(is_further & pl.col("keep"))).then("group"),
        )
