"""The numbers that sum a scored frame up, the same on screen, in a text and on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from dedup_widgets._text import counted
from dedup_widgets.frame.annotations import count_annotations
from dedup_widgets.frame.provenance import Provenance, are_compared, provenances
from dedup_widgets.frame.same_file import first_rows, further_rows
from dedup_widgets.frame.scale import NEAR
from dedup_widgets.frame.schema import NOT_SCORED


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of what there is in a scored frame.

    Every image is counted once: `exact`, `near`, `kept`, `unreadable` and `waiting` make up
    `images`.

    Attributes
    ----------
    images : int
        Rows, unreadable ones included.
    exact : int
        Exact copies that can go: those with a uniqueness of 0.
    near : int
        Near-duplicates that can go, and are no such copies. In a frame that does not say what
        stays, all that score at most `near`.
    kept : int
        Images that stay: keepers, and those in no group.
    exact_bytes, near_bytes : int or None
        What these exact copies and near-duplicates take on disk; None where that is not known.
    groups : int
        Groups, whatever makes them.
    exact_groups : int
        Sets of two or more images that share one fingerprint; without a ``kind`` column these
        are not known, and each exact duplicate counts as one.
    near_groups : int
        Groups that hold two or more different pictures.
    unreadable : int
        Files that could not be read.
    waiting : int
        Images that a job has still to score.
    unconfirmed : int
        Those near-duplicates whose score is above 0.05, so that they are similar by their vectors
        and nobody has confirmed them; 0 where all were scored by vectors only.
    compared : int or None
        Pairs of pictures that were laid over each other; None where vectors alone decide.
    left_out : int
        Images whose copies may have been missed, as not all of their candidates were compared.
    old : int
        Images of an older set that the others were compared with; they stay, and count as kept.
    not_taken : dict
        How many files of the folder were not taken: by reason, and by suffix or name.
    further_names : int
        Rows that are a further name of another's file (hard links and others): they stay and go
        with it, and free nothing.
    from_folders : dict
        The columns that come from the names of folders, with how many values each has.
    annotations : dict
        On how many ``images`` objects are annotated, how many ``objects``, of how many
        ``categories``; and ``empty`` images, which show none. Nothing without such a column.
    """

    images: int
    exact: int = 0
    near: int = 0
    kept: int = 0
    exact_bytes: int | None = None
    near_bytes: int | None = None
    groups: int = 0
    exact_groups: int = 0
    near_groups: int = 0
    unreadable: int = 0
    waiting: int = 0
    unconfirmed: int = 0
    compared: int | None = None
    left_out: int = 0
    old: int = 0
    further_names: int = 0
    not_taken: dict[str, dict[str, int]] = field(default_factory=dict)
    from_folders: dict[str, int] = field(default_factory=dict)
    annotations: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [
            f"{self.images:,} images",
            f"{counted(self.exact, 'exact duplicate')} can go",
            f"{counted(self.near, 'near-duplicate')} can go",
            f"{self.kept:,} kept",
        ]
        if self.unconfirmed:
            parts[2] += f" ({self.unconfirmed:,} beyond {NEAR}, unconfirmed)"
        if self.unreadable:
            parts.append(f"{self.unreadable:,} unreadable")
        if self.waiting:
            parts.append(f"{self.waiting:,} {NOT_SCORED}")
        parts.append(counted(self.groups, "group"))
        if self.left_out:
            parts.append(self.about_left_out)
        if self.old:
            parts.append(f"{self.old:,} of them there before")
        if self.further_names:
            parts.append(self.about_further_names)
        text = ", ".join(parts)
        also = [self.about_folders, self.about_annotations, self.about_not_taken]
        return "; ".join([text, *(it for it in also if it)])

    @property
    def about_folders(self) -> str:
        """Which columns come from the names of folders, in words; empty for none."""
        named = [f"{name} ({count:,})" for name, count in self.from_folders.items()]
        return f"{' and '.join(named)} by folder" if named else ""

    @property
    def about_further_names(self) -> str:
        """How many rows name the file of another row, in words; empty for none."""
        count = self.further_names
        return f"{counted(count, 'further name')} of listed files" if count else ""

    @property
    def about_annotations(self) -> str:
        """How many annotations are known, in words; empty for none."""
        if not self.annotations:
            return ""
        objects, categories, images, empty = (
            self.annotations[name] for name in ("objects", "categories", "images", "empty")
        )
        of = f"{categories:,} {'category' if categories == 1 else 'categories'}"
        none = f", none on {empty:,}" if empty else ""
        return f"{counted(objects, 'annotation')} of {of} on {counted(images, 'image')}{none}"

    @property
    def about_not_taken(self) -> str:
        """What of the folder was not taken, in words; empty for nothing."""
        return about_not_taken(self.not_taken)

    @property
    def about_left_out(self) -> str:
        """What the bound of compared pairs left out, in words."""
        return (
            f"{self.compared or 0:,} pairs compared, copies of {counted(self.left_out, 'image')} "
            "may be missed"
        )

    def moved(self, before: "Summary", after: "Summary") -> "Summary":
        """Return the counts of a frame of which some rows, in whole groups, are others.

        >>> str(Summary(9, exact=2, kept=7).moved(Summary(3, exact=1, kept=2), Summary(3, kept=3)))
        '9 images, 1 exact duplicate can go, 0 near-duplicates can go, 8 kept, 0 groups'
        """
        there = self.as_dict()
        change = {
            name: count - getattr(before, name) + getattr(after, name)
            for name, count in there.items()
            if name in COUNTED and count is not None
        }
        return replace(self, **change)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)


def summarize(
    frame: pl.DataFrame,
    score: str | None = "uniqueness",
    near: float = NEAR,
    made: Sequence[Provenance] | None = None,
) -> Summary:
    """Count what a frame holds.

    Parameters
    ----------
    frame
        As :func:`dedup_widgets.score` makes it; columns that are missing count as nothing.
    score
        Its column of uniqueness, None where it has none.
    near
        Near-duplicate boundary.
    made
        How the scores were made. Default: what the frame says of it.

    Examples
    --------
    >>> summarize(pl.DataFrame({"uniqueness": [0.0, 0.4, 0.9]})).exact
    1
    """
    columns = set(frame.columns)
    outcome = outcomes(frame, score, near)
    counts = dict(outcome.value_counts().iter_rows())
    number = {name: counts.get(name, 0) for name in OUTCOMES}
    if "error" in columns:
        number["waiting"] = int((frame["error"] == NOT_SCORED).sum())
        number["unreadable"] -= number["waiting"]
    if score is None:
        known = {name: number[name] for name in number if name not in ("exact", "near")}
        return Summary(len(frame), **known)
    made = provenances(frame) if made is None else made
    is_compared = are_compared(made)
    value = frame[score].cast(pl.Float32).fill_nan(None)
    group = frame.get_column("group", default=pl.Series("group", [None] * len(frame)))
    different_pictures = group.filter(outcome != "exact").drop_nulls().value_counts()["count"]
    size = frame.get_column("bytes", default=None)
    if size is not None and (first := first_rows(frame)) is not None:
        size = size.scatter(further_rows(first), 0)
    taken = {
        name: None if size is None else int(size.filter(outcome == name).sum())
        for name in ("exact", "near")
    }
    exact = number["exact"]
    is_exact = frame["kind"].cast(pl.String) == "exact" if "kind" in columns else None
    return Summary(
        images=len(frame),
        **number,
        exact_bytes=taken["exact"],
        near_bytes=taken["near"],
        groups=group.drop_nulls().n_unique(),
        exact_groups=exact if is_exact is None else int(is_exact.sum()) - exact,
        near_groups=int((different_pictures > 1).sum()),
        unconfirmed=int(((outcome == "near") & (value > _float32(NEAR))).sum())
        if is_compared
        else 0,
        compared=sum(it.compared or 0 for it in made) if is_compared else None,
        left_out=sum(it.left_out for it in made),
        **of_input(frame, made),
    )


def of_input(frame: pl.DataFrame, made: Sequence[Provenance], path: str = "path") -> dict[str, Any]:
    """Return what is told of the folder that the images come from, and of an older set."""
    old = 0
    if any(it.against for it in made) and "role" in frame.columns:
        old = int((frame["role"].cast(pl.String) == "old").sum())
    first = first_rows(frame, path)
    columns = [name for it in made for name in it.from_folders if name in frame.columns]
    # Frames of several folders, put together, tell of each what was not taken.
    not_taken = made[0].not_taken if len(made) == 1 else {}
    return {
        "old": old,
        "further_names": 0 if first is None else len(further_rows(first)),
        "not_taken": not_taken,
        "from_folders": {name: frame[name].drop_nulls().n_unique() for name in columns},
        "annotations": count_annotations(frame),
    }


def about_not_taken(not_taken: Mapping[str, Mapping[str, int]], most: int = 4) -> str:
    """Return what was not taken, in words.

    Examples
    --------
    >>> about_not_taken({"not pictures": {".txt": 300, ".mp4": 10}, "excluded": {".gif": 1}})
    '310 not pictures: 300 .txt, 10 .mp4; 1 excluded: 1 .gif'
    """
    parts = []
    for why, by_name in not_taken.items():
        named = [f"{count:,} {name}" for name, count in list(by_name.items())[:most]]
        rest = len(by_name) - most
        more = [counted(rest, "other kind")] if rest > 0 else []
        parts.append(f"{sum(by_name.values()):,} {why}: {', '.join([*named, *more])}")
    return "; ".join(parts)


COUNTED = (
    *("exact", "near", "kept", "unreadable", "waiting"),
    *("exact_bytes", "near_bytes", "groups", "exact_groups", "near_groups", "unconfirmed"),
)
"""What is counted by rows and by groups, so that the counts of parts add up."""


OUTCOMES = ("exact", "near", "kept", "unreadable")
"""What becomes of an image."""


def outcomes(frame: pl.DataFrame, score: str | None, near: float) -> pl.Series:
    """Return what becomes of each row: one of `OUTCOMES`.

    ``exact`` and ``near`` go: as an exact copy, or as a near-duplicate. In a frame that does not
    say what stays, all go that score at most `near`.
    """
    error = frame.get_column("error", default=None)
    columns = {
        "unreadable": pl.repeat(False, len(frame), eager=True)
        if error is None
        else error.is_not_null(),
        "value": pl.repeat(None, len(frame), dtype=pl.Float32, eager=True)
        if score is None
        else frame[score].cast(pl.Float32).fill_nan(None),
    }
    value = pl.col("value")
    goes = value <= pl.lit(near, pl.Float32)
    if "keep" in frame.columns:
        columns["keep"], goes = frame["keep"], ~pl.col("keep")
    return pl.DataFrame(columns).select(
        outcome=pl.when("unreadable")
        .then(pl.lit("unreadable"))
        .when(goes & (value == 0))
        .then(pl.lit("exact"))
        .when(goes)
        .then(pl.lit("near"))
        .otherwise(pl.lit("kept"))
    )["outcome"]


def _float32(value: float) -> pl.Series:
    return pl.Series([value], dtype=pl.Float32)


def kinds(frame: pl.DataFrame, score: str | None, near: float) -> pl.Series:
    """Return the kind of each row as text: ``exact``, ``near``, ``unique``, or null.

    A frame without a ``kind`` column gets it from its scores, where 0 is an exact duplicate. Its
    keeper cannot be derived from them.
    """
    if "kind" in frame.columns:
        return frame["kind"].cast(pl.String)
    if score is None:
        return pl.Series("kind", [None] * len(frame), dtype=pl.String)
    value = pl.col(score).cast(pl.Float32).fill_nan(None)
    kind = (
        pl.when(value == 0)
        .then(pl.lit("exact"))
        .when(value <= pl.lit(near, pl.Float32))
        .then(pl.lit("near"))
        .when(value.is_not_null())
        .then(pl.lit("unique"))
    )
    return frame.select(kind=kind).to_series()
