"""The columns that the package knows, and frames brought to their names and types.

What a column is called, which type it has and what it is good for stands in :data:`COLUMNS` and
nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.same_file import NAME
from dedup_widgets.frame.table import refuse_pattern

KIND = pl.Enum(["exact", "near", "unique"])


RELATION = pl.Enum(
    [
        *("re-encoded", "resized", "recoloured", "flipped", "turned", "rotated"),
        *("cropped", "uncropped", "framed", "unframed", "overlaid"),
    ]
)
"""What a confirmed copy is of the other picture."""


EVIDENCE = pl.List(
    pl.Struct(
        {
            "fingerprint": pl.String,
            "agreement": pl.Float32,
            "relation": RELATION,
            "mirrored": pl.Boolean,
            "angle": pl.Float32,
            "scale": pl.Float32,
            "box": pl.Array(pl.Float32, 4),
        }
    )
)
"""What was found when a picture was laid over others, each by its fingerprint: the share of the
larger one that agrees, null where the pair was refused; what the picture is of the other; whether
it is mirrored, how many degrees it is turned counter-clockwise, its pixels per pixel of the other;
and the box of the other that it shows: left, top, right, bottom, each in [0, 1]."""


Role = Literal["path", "score", "provenance", "fact", "metric", "evidence", "embedding"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of :func:`dedup_widgets.score`.

    Attributes
    ----------
    name : str
        What it is called.
    dtype : polars type
        Of the embedding only the class, for the length of a vector is the model's.
    role : str
        ``path``; ``score``: comes of comparing images; ``provenance``: how that was done, see
        :mod:`dedup_widgets.frame.provenance`; ``fact``: about the file; ``metric``: measured in its
        picture; ``evidence``: the pairs of pictures that were compared; or ``embedding``.
    meaning : str
        In a few words, for tables of columns.
    is_shown : bool
        Whether the widgets look at it; see :func:`recognised`.
    """

    name: str
    dtype: Any
    role: Role
    meaning: str
    is_shown: bool = False

    def fits(self, values: pl.Series) -> bool:
        """Return whether a column of this name holds what it should, and is not a user's own.

        >>> COLUMNS["group"].fits(pl.Series([1.0, None])), COLUMNS["kind"].fits(pl.Series(["pear"]))
        (True, False)
        """
        if isinstance(self.dtype, pl.Enum):
            known = {*self.dtype.categories, None}
            return _is_text(values) and set(values.cast(pl.String).unique()) <= known
        if isinstance(self.dtype, pl.String | pl.Categorical):
            return _is_text(values)
        if self.dtype.is_nested():
            return bool(values.dtype == self.dtype)
        if self.dtype.is_integer():
            return _is_whole(values)
        if self.dtype.is_float():
            return values.dtype.is_numeric()
        return bool(values.dtype == self.dtype)


def _is_text(values: pl.Series) -> bool:
    return isinstance(values.dtype, pl.String | pl.Categorical | pl.Enum)


def _is_whole(values: pl.Series) -> bool:
    """Return whether a column holds whole numbers; those of pandas are floats where some miss."""
    if values.dtype.is_float():
        numbers = values.drop_nulls().drop_nans()
        return bool((numbers.is_finite() & (numbers % 1 == 0)).all())
    return values.dtype.is_integer()


COLUMNS = {
    column.name: column
    for column in (
        Column("path", pl.String(), "path", "as given, or as found"),
        Column(
            "uniqueness",
            pl.Float32(),
            "score",
            "how unlike all others it is, 0 to 1; 0: an exact duplicate",
        ),
        Column(
            "kind",
            KIND,
            "score",
            "exact (duplicate), near(-duplicate) or unique, among the scored images",
            is_shown=True,
        ),
        Column(
            "group",
            pl.UInt32(),
            "score",
            "images with one number are duplicates of each other",
            is_shown=True,
        ),
        Column("keep", pl.Boolean(), "score", "whether it was suggested to stay", is_shown=True),
        Column(
            "nearest", pl.String(), "score", "the image that decided the uniqueness", is_shown=True
        ),
        Column(
            "distance",
            pl.Float32(),
            "score",
            "distance from the nearest image, 0 to 1",
            is_shown=True,
        ),
        Column(
            "relation",
            RELATION,
            "score",
            "what it is of its nearest image, if the pictures were confirmed to be copies",
            is_shown=True,
        ),
        Column(
            "agreement",
            pl.Float32(),
            "score",
            "share of the larger of both pictures that agrees, 0 to 1",
            is_shown=True,
        ),
        Column(
            "scored_with",
            pl.Categorical(),
            "provenance",
            "model, precision, gamma, near and how many pairs were compared, as JSON",
        ),
        Column("width", pl.UInt32(), "fact", "pixels", is_shown=True),
        Column("height", pl.UInt32(), "fact", "pixels", is_shown=True),
        Column("bytes", pl.UInt64(), "fact", "size of the file", is_shown=True),
        Column("format", pl.String(), "fact", "what the file is by its content, such as jpeg"),
        Column("mode", pl.String(), "fact", "its pixels as Pillow calls them, such as RGB"),
        Column("frames", pl.UInt32(), "fact", "frames of an animation, pages of a TIFF"),
        Column(
            "lossless",
            pl.Boolean(),
            "fact",
            "whether the file keeps every pixel as it was; null for a photo in at most 256 colours",
        ),
        Column(
            "exif",
            pl.Boolean(),
            "fact",
            "whether it has EXIF data, of more than how it is stored",
        ),
        Column("date_taken", pl.Datetime("us"), "fact", "the camera's local time, by EXIF"),
        Column(
            "utc_offset",
            pl.Int16(),
            "fact",
            "minutes that date_taken is ahead of UTC, by EXIF; null where it does not say",
        ),
        Column("camera", pl.String(), "fact", "maker and model of the camera, by EXIF"),
        Column("gps", pl.String(), "fact", "where it was taken by EXIF: degrees north and east"),
        Column("modified", pl.Datetime("us"), "fact", "when the file was last changed (UTC)"),
        Column("brightness", pl.Float32(), "metric", "mean luma, 0 to 1"),
        Column("contrast", pl.Float32(), "metric", "standard deviation of luma, 0 to 0.5"),
        Column(
            "sharpness", pl.Float32(), "metric", "variance of the Laplacian: lower when blurred"
        ),
        Column(
            "detail",
            pl.Float32(),
            "metric",
            "pixels that it resolves: fewer when enlarged or blurred",
        ),
        Column("aspect_ratio", pl.Float32(), "metric", "width by height"),
        Column("area", pl.UInt64(), "metric", "pixels in all"),
        Column(
            "fingerprint",
            pl.String(),
            "fact",
            "hash of the decoded picture: the same for exact duplicates",
            is_shown=True,
        ),
        Column(
            "completeness",
            pl.Float32(),
            "metric",
            "share that is there of what its copies show, 0 to 1; less by a frame or an overlay",
        ),
        Column(
            "enlarged",
            pl.Boolean(),
            "fact",
            "whether a smaller, less noisy or less sharpened copy of it shows as much",
        ),
        Column("note", pl.String(), "fact", "what of the file is damaged beside its picture"),
        Column("error", pl.String(), "fact", "why it could not be read", is_shown=True),
        Column(
            "evidence",
            EVIDENCE,
            "evidence",
            "the pictures that it was compared with",
        ),
        Column("embedding", pl.Array, "embedding", "unit vector of float16 numbers"),
    )
}
"""The columns of :func:`dedup_widgets.score`, by name, in their order."""


NESTED = tuple(name for name, it in COLUMNS.items() if it.role in ("evidence", "embedding"))
"""The columns for machines: nobody filters or sorts by them, and they do not fit into a CSV."""


METRICS = (
    *(column.name for column in COLUMNS.values() if column.role == "metric"),
    *("bytes", "width", "height", "distance", "agreement"),
)
"""The columns that measure an image, in the order in which they are offered next to the score."""


NUMBERED = frozenset({"group", "nearest", "sequence"})
"""Columns whose numbers name things and measure nothing."""


NOT_SCORED = "not scored yet"
"""The ``error`` of an image that a job has still to score."""


MISSING = "the file is missing; it was there when it was scored"
"""The ``error`` of an image whose file is gone."""


def types(*names: str) -> dict[str, Any]:
    """Return the types of some columns, by name."""
    return {name: COLUMNS[name].dtype for name in names}


def as_markdown(columns: Iterable[tuple[str, Any, str]]) -> list[str]:
    """Return a table of names, types and meanings, line by line."""
    return [
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| {name} | {dtype} | {meaning} |" for name, dtype, meaning in columns),
    ]


def without_scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that are the user's own, without those of an earlier score.

    Raises
    ------
    InputError
        When there was no earlier score, and a column has a name that scoring needs.
    """
    clash = [name for name in frame.columns if name in COLUMNS and name != "path"]
    if clash and not {"uniqueness", "kind", "keep"} <= set(frame.columns):
        raise InputError(
            f"scoring makes columns that this frame has already: {', '.join(map(repr, clash))}; "
            f"rename them: frame.rename({{{clash[0]!r}: 'my_{clash[0]}'}})"
        )
    return frame.drop(clash)


def for_planning(frame: pl.DataFrame, path: str, score: str | None) -> pl.DataFrame:
    """Return a frame with the columns of paths and scores under the names that a plan knows.

    Raises
    ------
    InputError
        When ``group`` or ``keep`` is a column of something else.
    """
    for name in {"group", "keep"} & set(frame.columns):
        dtype = frame.schema[name]
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null) or _is_empty(frame[name])):
            raise InputError(
                f"column {name!r} holds {dtype}, which says nothing of duplicates; rename it"
            )
    names = {path: "path"} | ({score: "uniqueness"} if score is not None else {})
    taken = [new for old, new in names.items() if old != new and new in frame.columns]
    return frame.drop(taken).rename(names)


def with_paths(frame: pl.DataFrame, paths: pl.Series) -> pl.DataFrame:
    """Return a frame with paths as text, in ``nearest`` too where that holds row numbers.

    Groups below 1 stand for none.

    Raises
    ------
    InputError
        When ``nearest`` names rows that there are not.
    """
    named = frame.with_columns(paths.alias("path"))
    # A column without any value is read from a CSV as one of texts.
    empty = [name for name in ("group", "keep") if name in named.columns and _is_empty(named[name])]
    named = named.with_columns(pl.lit(None, COLUMNS[name].dtype).alias(name) for name in empty)
    if "group" in named.columns and named.schema["group"].is_numeric():
        named = named.with_columns(pl.when(pl.col("group") > 0).then("group"))
    if "nearest" not in frame.columns or not frame.schema["nearest"].is_integer():
        return named
    highest = frame["nearest"].max()
    if isinstance(highest, int) and highest >= len(frame):
        raise InputError(
            f"nearest names row {highest} of a frame of {len(frame)} rows; give the frame that was "
            "scored, or add a column 'fingerprint'"
        )
    return named.with_columns(nearest=pl.col("path").gather(pl.col("nearest")))


def _is_empty(column: pl.Series) -> bool:
    return column.null_count() == len(column)


def recognised(frame: pl.DataFrame, path: str, score: str | None) -> pl.DataFrame:
    """Return the columns that the widgets know, under their own names and types.

    A column of one of these names that holds something else is the user's own and is left out: a
    ``group`` of words, a ``kind`` of fruit. Groups below 1 stand for none.

    Raises
    ------
    InputError
        When the score column holds no numbers in [0, 1].
    """
    columns = {"path": frame[path].cast(pl.String)}
    if score is not None:
        columns["uniqueness"] = _checked_score(frame[score])
    for name, column in COLUMNS.items():
        if column.is_shown and name in frame.columns and column.fits(frame[name]):
            columns[name] = frame[name].cast(column.dtype, strict=False)
    if NAME in frame.columns and frame.schema[NAME] == pl.String:
        columns[NAME] = frame[NAME]
    known = pl.DataFrame(columns)
    if "group" in columns:
        known = known.with_columns(pl.when(pl.col("group") > 0).then("group"))
    return known


def _checked_score(column: pl.Series) -> pl.Series:
    refuse_pattern(column.name)
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise InputError(
            f"column {column.name!r} must hold numbers in [0, 1], not {column.dtype}; name "
            "another one: score=…"
        )
    values = column.cast(pl.Float32).fill_nan(None)
    low, high = values.min(), values.max()
    if low is not None and not (low >= 0 and high <= 1):  # type: ignore[operator]
        raise InputError(
            f"column {column.name!r} holds numbers from {low} to {high}, and a score lies in "  # type: ignore[str-bytes-safe]
            "[0, 1]; bring it there, or name another one: score=…"
        )
    return values
