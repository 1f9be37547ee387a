"""How the scores of a frame were made: a column that travels with it.

Frames know nothing but columns that survives being filtered, joined and written to a file, so what
is to be known of all rows stands in each: the column ``scored_with`` holds one text, and takes a
number a row in memory and next to nothing in Parquet. It is JSON, so that people can read it and
any tool keeps it; of frames put together each row still records what it comes from.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.frame.schema import COLUMNS, NESTED

(NAME,) = (column.name for column in COLUMNS.values() if column.role == "provenance")


@dataclass(frozen=True, slots=True)
class Provenance:
    """How scores were made.

    Attributes
    ----------
    model : str | None
        The name or folder of the model that made the embeddings; None for vectors that a user
        brought.
    is_named : bool
        Whether the model can be loaded by that; False where it was an object.
    precision : str | None
        How it ran, as :func:`dedup_widgets.score` takes it; None where that is not meaningful.
    decoding : str or None
        ``"reduced"`` where large JPEGs were not decoded in full.
    gamma : float
        The exponent that turns distances into scores.
    near : float
        The near-duplicate boundary, on the uniqueness scale.
    compared : int or None
        Pairs of pictures that were laid over each other, so that up to a uniqueness of 0.05 these
        decide; None where vectors alone do.
    left_out : int
        Images whose copies may have been missed, as not all of their candidates were compared.
    against : bool
        Whether images of a new set were compared with those of an old one, by the column ``role``.
    within : str or None
        The column within whose values images were compared, or ``"folder"``; None for all.
    from_folders : list of str
        The columns that come from the names of folders: ``split``, ``label``.
    not_taken : dict
        How many files of the folder were not taken: by reason, and by suffix or name.

    Examples
    --------
    >>> made = Provenance(model="clip-ViT-B-32", precision="fast")
    >>> made.text  # doctest: +NORMALIZE_WHITESPACE
    '{"model": "clip-ViT-B-32", "is_named": true, "precision": "fast", "gamma": 1.0, "near": 0.05,
    "compared": null, "left_out": 0}'
    >>> Provenance.read(made.text) == made, Provenance.read("by hand") is None
    (True, True)
    """

    model: str | None = None
    is_named: bool = True
    precision: str | None = None
    decoding: str | None = None
    gamma: float = 1.0
    near: float = 0.05
    compared: int | None = None
    left_out: int = 0
    against: bool = False
    within: str | None = None
    from_folders: list[str] = field(default_factory=list)
    not_taken: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Provenance | None":
        """Return what a text records; None where it is none of ours."""
        try:
            values = json.loads(text)
        except ValueError:
            return None
        if not isinstance(values, Mapping):
            return None
        # What a later version may add does no harm.
        names = {it.name for it in fields(cls)}
        made = cls(**{name: values[name] for name in names & set(values)})
        fits = (
            isinstance(made.model, str | None)
            and isinstance(made.is_named, bool)
            and isinstance(made.precision, str | None)
            and isinstance(made.decoding, str | None)
            and _is_within(made.gamma, 1e-3, 1e3)
            and _is_within(made.near, 0, 1)
            and isinstance(made.compared, int | None)
            and isinstance(made.left_out, int)
            and isinstance(made.within, str | None)
            and isinstance(made.from_folders, list)
            and isinstance(made.not_taken, dict)
        )
        return made if fits and {"gamma", "near"} <= set(values) else None

    @property
    def text(self) -> str:
        """The same as JSON; what is as usual with sets and folders is not said."""
        values = asdict(self)
        unusual = ("decoding", "against", "within", "from_folders", "not_taken")
        return json.dumps({k: v for k, v in values.items() if v or k not in unusual})

    @property
    def column(self) -> pl.Expr:
        """The column that records this for all rows of a frame."""
        return pl.lit(self.text).cast(COLUMNS[NAME].dtype).alias(NAME)

    @property
    def about(self) -> str:
        """The same for people.

        >>> Provenance(model="clip-ViT-B-32", precision="fast").about
        'clip-ViT-B-32 (precision fast), near-duplicates within 0.05'
        """
        said = {"precision": self.precision, "decoding": self.decoding}
        how = ", ".join(f"{name} {value}" for name, value in said.items() if value)
        return f"{self}{how and f' ({how})'}, near-duplicates within {self.near:g}"

    def __str__(self) -> str:
        return "vectors of the user's own" if self.model is None else self.model


def _is_within(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and low <= value <= high


def provenances(frame: pl.DataFrame) -> list[Provenance]:
    """Return the ways in which the scores of a frame were made, each once.

    Several where frames were put together; none where nothing records it, as in frames of an
    earlier version or of a user's making. A column ``scored_with`` of anything else is the user's
    own.
    """
    return list(_by_text(frame).values())


def are_compared(made: Sequence[Provenance]) -> bool:
    """Tell whether all near-duplicates up to 0.05 were confirmed by looking at the pictures.

    >>> are_compared([Provenance(compared=7)]), are_compared([Provenance()]), are_compared([])
    (True, False, False)
    """
    return bool(made) and all(it.compared is not None for it in made)


def _by_text(frame: pl.DataFrame) -> dict[str, Provenance]:
    made: dict[str, Provenance] = {}
    if NAME not in frame.columns or not COLUMNS[NAME].fits(frame[NAME]):
        return made
    for text in frame[NAME].unique().cast(pl.String).drop_nulls().sort():
        provenance = Provenance.read(text)
        if provenance is None:
            return {}
        made[text] = provenance
    return made


def of_one_model(made: Sequence[Provenance], purpose: str) -> Provenance | None:
    """Return how all embeddings of a frame were made, with the lowest of the boundaries.

    None where nothing records it.

    Raises
    ------
    InputError
        When they are of different models, so that they cannot be compared.
    """
    if not made:
        return None
    lowest = min(made, key=lambda one: one.near)
    for other in made:
        if (other.model, other.gamma) != (lowest.model, lowest.gamma):
            first, second = sorted(
                (str(lowest), str(other))
                if lowest.model != other.model
                else (lowest.text, other.text)
            )
            raise InputError(
                f"{purpose} needs embeddings of one model, and those of this frame were made with "
                f"{first} and {second}; score the images together, with one of them"
            )
    return lowest


def at_near(frame: pl.DataFrame, near: float) -> pl.DataFrame:
    """Return a frame that records another boundary for its groups and kinds."""
    known = _by_text(frame)
    new = {text: replace(it, near=near) for text, it in known.items() if it.near != near}
    if not new:
        return frame
    if len(known) == 1 and frame[NAME].null_count() == 0:  # a constant, made in no time
        return frame.with_columns(new.popitem()[1].column)
    texts = pl.col(NAME).cast(pl.String).replace({text: it.text for text, it in new.items()})
    return frame.with_columns(texts.cast(COLUMNS[NAME].dtype))


def offered(frame: pl.DataFrame) -> dict[str, pl.DataType]:
    """Return the types of the columns that people filter and sort by.

    All but this one, the vectors and the pairs of pictures; a user's own of these names stays.
    """
    hidden = {name for name in NESTED if frame.schema.get(name, pl.Null()).is_nested()}
    if provenances(frame):
        hidden.add(NAME)
    return {name: dtype for name, dtype in frame.schema.items() if name not in hidden}
