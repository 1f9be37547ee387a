"""EfficientNet-Lite0, whose weights come as a Python package."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.models.base import KEY_SUFFIX, PREPARED, Precision, no_text
from dedup_widgets.models.batches import (
    DEVICE_PORTION,
    InPortions,
    fast_type,
    squashed,
    squashed_quickly,
)
from dedup_widgets.models.hub import EMBEDDED_MODEL, as_model_error

EFFICIENTNET_NEAR_DISTANCE = 0.25
"""Near-duplicate boundary of EfficientNet-Lite0, calibrated on photos with edited copies."""


EFFICIENTNET_PORTION = 4
"""The same of EfficientNet-Lite0. Its tensors are large: those of more pictures would come fresh
from the kernel each time, which took a sixth of the time at 8."""


class EfficientNet:
    """EfficientNet-Lite0; prepared pictures are (224, 224, 3) bytes."""

    name = EMBEDDED_MODEL
    persistent = True
    near_distance = EFFICIENTNET_NEAR_DISTANCE
    can_embed_text = False

    def __init__(self, device: str, precision: Precision) -> None:
        from dedup_widgets.models import efficientnet_lite0 as efficientnet

        low = fast_type(device) if precision == "fast" else None
        self.key = f"{efficientnet.weights_path().stem}/{PREPARED}{KEY_SUFFIX[str(low)]}"
        self.portion = EFFICIENTNET_PORTION if device == "cpu" else None
        self._side = efficientnet.INPUT_SIDE
        self._squashed = squashed if low is None else squashed_quickly
        size = self.portion or DEVICE_PORTION
        with as_model_error(self.name):
            features = efficientnet.features_of_bytes(device, low, size)
        self._embed = InPortions(self.name, features, device, size)

    def prepare(self, rgb: Image.Image) -> NDArray[np.uint8]:
        """Bring a picture to what `encode` takes."""
        return np.asarray(self._squashed(rgb, (self._side, self._side)))

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Return the unit vectors of prepared pictures, shape (n, d)."""
        return self._embed(prepared)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Raise, for the model embeds no texts."""
        raise no_text(self.name, text)
