"""Any object with an ``encode`` method as a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.frame.scale import gamma_of
from dedup_widgets.models.base import (
    DEFAULT_NEAR_DISTANCE,
    PREPARATION_VERSION,
    candidate_distance,
    no_text,
    only_here,
    unit_rows,
)
from dedup_widgets.models.batches import bounded
from dedup_widgets.models.hub import as_model_error


class CustomModel:
    """A user's object with ``encode``; prepared pictures are PIL pictures of bounded size."""

    can_embed_text = False
    fixed_batch: int | None = None

    def __init__(self, model: Any) -> None:
        given = getattr(model, "key", None) or getattr(model, "name", None)
        self.persistent = isinstance(given, str)
        self.name = str(getattr(model, "name", None) or type(model).__name__)
        self.key = f"{given if self.persistent else only_here(self.name)}/{PREPARATION_VERSION}"
        self.near_distance = float(getattr(model, "near_distance", DEFAULT_NEAR_DISTANCE))
        gamma_of(self.near_distance)
        given_candidate = getattr(model, "candidate_distance", None)
        self.candidate_distance = candidate_distance(
            self.near_distance, None if given_candidate is None else float(given_candidate)
        )
        self._model = model

    def prepare(self, rgb: Image.Image) -> Image.Image:
        """Convert a picture to the input of `encode`."""
        return bounded(rgb)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Return the unit vectors of prepared pictures, shape (n, d)."""
        with as_model_error(self.name):
            rows = self._model.encode(list(prepared))
        return unit_rows(rows, len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Raise a ModelError, as the model does not embed texts."""
        raise no_text(self.name, text)
