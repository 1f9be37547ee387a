"""EfficientNet-Lite0, whose weights come as a Python package, with a head for finding copies."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.models.base import KEY_SUFFIX, PREPARATION_VERSION, Precision, no_text
from dedup_widgets.models.batches import (
    DEVICE_BATCH_PICTURES,
    FixedBatches,
    fast_type,
    squashed,
    squashed_quickly,
)
from dedup_widgets.models.hub import EMBEDDED_MODEL, as_model_error

EFFICIENTNET_NEAR_DISTANCE = 0.40
"""Cosine distance at its near-duplicate boundary: of the pairs within it 99.5 % were copies, where
there were 200 times as many pairs of other pictures; see ``docs/head.md``."""


EFFICIENTNET_CANDIDATE_DISTANCE = 0.55
"""Cosine distance within which a copy may lie: 96 % of all pairs of copies did, and 343 in a
million of other pictures."""


EFFICIENTNET_BATCH_PICTURES = 4
"""Pictures in a batch on a processor. Its tensors are large: for more pictures, the system would
provide new memory for each tensor, which took a sixth of the time at 8."""


class EfficientNet:
    """EfficientNet-Lite0; prepared pictures are (224, 224, 3) bytes.

    The network is read and built for the first of them: where the store has all vectors, none is
    needed.
    """

    name = EMBEDDED_MODEL
    persistent = True
    near_distance = EFFICIENTNET_NEAR_DISTANCE
    candidate_distance = EFFICIENTNET_CANDIDATE_DISTANCE
    can_embed_text = False

    def __init__(self, device: str, precision: Precision) -> None:
        from dedup_widgets.models import copy_head
        from dedup_widgets.models import efficientnet_lite0 as efficientnet

        low = fast_type(device) if precision == "fast" else None
        weights = efficientnet.weights_path().stem
        with as_model_error(self.name):
            head, digest = copy_head.load_head(device)
        self.key = f"{weights}+{digest}/{PREPARATION_VERSION}{KEY_SUFFIX[str(low)]}"
        self.fixed_batch = EFFICIENTNET_BATCH_PICTURES if device == "cpu" else None
        self._side = efficientnet.INPUT_SIDE
        self._squashed = squashed if low is None else squashed_quickly
        size = self.fixed_batch or DEVICE_BATCH_PICTURES
        load = partial(copy_head.vectors_of_bytes, head, device, low, size)
        self._embed = FixedBatches(self.name, load, device, size)

    def prepare(self, rgb: Image.Image) -> NDArray[np.uint8]:
        """Convert a picture to the input of `encode`."""
        return np.asarray(self._squashed(rgb, (self._side, self._side)))

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Return the unit vectors of prepared pictures, shape (n, d)."""
        return self._embed(prepared)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Raise a ModelError, as the model does not embed texts."""
        raise no_text(self.name, text)
