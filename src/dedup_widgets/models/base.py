"""The interface of embedding models, their scale and their precision."""

import uuid
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.errors import InputError, ModelError
from dedup_widgets.models.hub import short

Precision = Literal["fast", "exact"]
"""Whether a network may round a little for speed; see `load_embedder`."""


DEFAULT_MODEL = "clip-ViT-B-32"
"""The model of every function that is not given one."""


DEFAULT_NEAR_DISTANCE = 0.05
"""Cosine distance at the near-duplicate boundary of CLIP ViT-B/32, and of uncalibrated models."""


DEFAULT_CANDIDATE_DISTANCE = 0.20
"""Cosine distance within which a copy may lie by CLIP ViT-B/32: a guess, which nobody measured."""


MAX_SIDE_PIXELS = 1024
"""Longest side in pixels of a picture that is passed to a model of unknown input size."""


PREPARATION_VERSION = "whole-3"
"""Part of each model's key: raise it when pictures are prepared or embedded in another way."""


@runtime_checkable
class Embedder(Protocol):
    """What scoring needs of a model.

    Attributes
    ----------
    name : str
        The model as the user named it.
    key : str
        Identifies weights and preparation: vectors of the same key can be compared.
    persistent : bool
        Whether `key` means the same in another process, so that a store may keep the vectors.
    near_distance : float
        Cosine distance at the model's near-duplicate boundary, between 0 and 1.
    candidate_distance : float
        Cosine distance within which a copy may lie, from `near_distance` to below 1: pairs that
        are farther apart are not looked at.
    can_embed_text : bool
        Whether `encode_text` works.
    fixed_batch : int or None
        Pictures in a batch of fixed size, if several threads may call `encode` at the same time,
        each running the network on one core; None if `encode` uses the whole machine, so that one
        thread calls it, with batches of any size.
    """

    name: str
    key: str
    persistent: bool
    near_distance: float
    candidate_distance: float
    can_embed_text: bool
    fixed_batch: int | None

    def prepare(self, rgb: Image.Image) -> Any:
        """Convert a picture (mode RGB) to the input of `encode`; safe in several threads."""
        ...

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Embed n prepared pictures: (n, d) unit rows. Raises `ModelError`."""
        ...

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Embed a text: a unit vector of d numbers. Raises `ModelError` if impossible."""
        ...


def candidate_distance(near_distance: float, given: float | None = None) -> float:
    """Return the distance within which a copy may lie by a model.

    Parameters
    ----------
    near_distance : float
        The model's near-duplicate boundary as a cosine distance, between 0 and 1.
    given : float, optional
        What is known of the model; by default four times `near_distance`, but at most 0.5 where
        that is not below `near_distance`.

    Raises
    ------
    InputError
        If `given` does not lie from `near_distance` to below 1.

    Examples
    --------
    >>> candidate_distance(0.05)
    0.2
    >>> candidate_distance(0.4)
    0.5
    >>> candidate_distance(0.4, 0.55)
    0.55
    """
    if given is None:
        return max(near_distance, min(0.5, 4 * near_distance))
    if not near_distance <= given < 1:
        raise InputError(
            f"candidate_distance must lie from near_distance, {near_distance}, to below 1, "
            f"not {given}; leave it out if the model was not measured"
        )
    return given


KEY_SUFFIX = {
    "torch.bfloat16": "/bf16",
    "torch.float16": "/fp16",
    "torch.float32": "/fp32",
    "None": "",
}
"""End of a model's key by the type that its fast form computes in; "None" where it has none."""


def check_precision(precision: str) -> None:
    """Raise an InputError unless there is such a precision."""
    if precision not in get_args(Precision):
        raise InputError(f"precision is {precision!r}; it must be 'fast' or 'exact'")


def only_here(name: str) -> str:
    """Return a name that no other process and no later run has."""
    return f"{name}#{uuid.uuid4().hex}"


def no_text(name: str, text: str) -> ModelError:
    """Return the error of a model that does not embed texts."""
    return ModelError(
        f"{name}: does not embed texts such as {short(text)!r}; use a CLIP model such as "
        f"{DEFAULT_MODEL!r}"
    )


def unit_rows(rows: Any, n: int, name: str) -> NDArray[np.float32]:
    """Return a model's output for n inputs as (n, d) unit rows, or raise a ModelError."""
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu()
    elif isinstance(rows, (list, tuple)):
        rows = [row.detach().cpu() if hasattr(row, "detach") else row for row in rows]
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name}: encode returned {type(rows).__name__}, not an array of {n} rows ({error})"
        ) from error
    if n == 0 and array.size == 0:
        return np.empty((0, array.shape[1] if array.ndim == 2 else 0), dtype=np.float32)
    if array.ndim != 2 or len(array) != n or array.shape[1] == 0:
        raise ModelError(
            f"{name}: encode returned an array of shape {array.shape} for {n} images; "
            "it must return one row for each image"
        )
    if not np.isfinite(array).all():
        raise ModelError(f"{name}: encode returned NaN or infinity; check its weights and inputs")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ModelError(
            f"{name}: encode returned a vector of zeros, which has no direction to compare"
        )
    return np.asarray(array / lengths, dtype=np.float32)
