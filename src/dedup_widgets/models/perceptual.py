"""The perceptual vector as a model: no weights, no network, and no torch to be imported."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.images.perceptual import DIMENSIONS, PERCEPTUAL_RADIUS, perceptual_vector
from dedup_widgets.images.quality import grey, small
from dedup_widgets.models.base import no_text

PERCEPTUAL = "perceptual"
"""The name of the model."""


PERCEPTUAL_KEY = "perceptual-2"
"""The key of its vectors: raise it when they are computed in another way."""


class PerceptualModel:
    """The model of :mod:`dedup_widgets.images.perceptual`; prepared pictures are their vectors."""

    name = PERCEPTUAL
    key = PERCEPTUAL_KEY
    persistent = True
    near_distance = 0.3
    candidate_distance = PERCEPTUAL_RADIUS
    can_embed_text = False
    fixed_batch: int | None = None

    def prepare(self, rgb: Image.Image) -> NDArray[np.float32]:
        """Return the vector of a picture."""
        return perceptual_vector(small(grey(rgb)))

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Return vectors, (n, 144), as they were prepared."""
        return np.stack(prepared) if len(prepared) else np.empty((0, DIMENSIONS), np.float32)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Raise a ModelError, as the model does not embed texts."""
        raise no_text(self.name, text)
