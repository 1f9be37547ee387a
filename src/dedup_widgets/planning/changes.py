"""What is different between two plans of the same images."""

from dataclasses import dataclass

import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.table import require_columns


@dataclass(frozen=True)
class Changes:
    """What is different in a second plan of the same images.

    Attributes
    ----------
    groups_before, groups
        How many groups there were, and are.
    removed_before, removed
        How many images were removed before, and are now.
    now_removed, now_kept
        How many images are removed that were kept before, and the other way round.
    regrouped
        How many images joined a group, left one or changed to another. Two groups that share the
        most images count as the same group, whichever of them is the keeper.

    Examples
    --------
    >>> print(Changes(24, 31, 28, 40, now_removed=13, now_kept=1, regrouped=20))
    31 groups (+7), 40 images go (+12)
    >>> print(Changes(1, 1, 1, 1, now_removed=0, now_kept=0, regrouped=0))
    1 group, 1 image goes
    """

    groups_before: int
    groups: int
    removed_before: int
    removed: int
    now_removed: int
    now_kept: int
    regrouped: int

    @property
    def actions(self) -> int:
        """How many images are removed or kept that were not before."""
        return self.now_removed + self.now_kept

    def __bool__(self) -> bool:
        """Tell whether any image is removed, kept or grouped differently."""
        return self.actions + self.regrouped > 0

    def __str__(self) -> str:
        """Return groups and removed images, with their differences, in words."""
        groups = "group" if self.groups == 1 else "groups"
        images = "image goes" if self.removed == 1 else "images go"
        return (
            f"{self.groups:,} {groups}{_signed(self.groups - self.groups_before)}, "
            f"{self.removed:,} {images}{_signed(self.removed - self.removed_before)}"
        )


def changes(before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """Tell what is different between two plans of the same images.

    Parameters
    ----------
    before, after
        Plans as :func:`dedup_widgets.plan` makes them, of the same paths in any order.

    Raises
    ------
    InputError
        When a column is missing, or the plans are of different images.

    Examples
    --------
    >>> from dedup_widgets.planning.plan import plan
    >>> df = pl.DataFrame({"path": ["a", "b"], "embedding": [[1.0, 0.0], [1.0, 0.2]]})
    >>> print(changes(plan(df, near=0), plan(df, near=0.05)))
    1 group (+1), 1 image goes (+1)
    """
    columns = ["path", "action", "group"]
    for planned in (before, after):
        require_columns(planned, columns, "comparing plans")
    one, other = before.select(columns), after.select(columns)
    if one["path"].dtype == other["path"].dtype and one["path"].equals(other["path"]):
        # As of one planner; a join of a million rows takes longer than all else.
        both = one.with_columns(other["action"].alias("action_after"), group_after=other["group"])
    else:
        both = one.join(other, on="path", suffix="_after")
    if not len(before) == len(after) == len(both):
        raise InputError(
            f"the plans have {len(both):,} images in common, of {len(before):,} and "
            f"{len(after):,}; compare plans of one frame"
        )
    removed_before, removed_after = (
        both[name].cast(pl.String) == "remove" for name in ("action", "action_after")
    )
    groups = both.select("group", "group_after")
    shared = groups.drop_nulls().group_by("group", "group_after").len()
    shared = shared.sort("len", "group", "group_after", descending=[True, False, False])
    for column in ("group", "group_after"):
        shared = shared.unique(column, keep="first", maintain_order=True)
    in_any = groups.filter(pl.any_horizontal(pl.all().is_not_null()))
    return Changes(
        groups_before=before["group"].drop_nulls().n_unique(),
        groups=after["group"].drop_nulls().n_unique(),
        removed_before=int(removed_before.sum()),
        removed=int(removed_after.sum()),
        now_removed=int((removed_after & ~removed_before).sum()),
        now_kept=int((removed_before & ~removed_after).sum()),
        regrouped=len(in_any) - int(shared["len"].sum()),
    )


def _signed(difference: int) -> str:
    """Return " (+7)" or " (−7)", nothing for 0."""
    return f" ({difference:+,})".replace("-", "−") if difference else ""
