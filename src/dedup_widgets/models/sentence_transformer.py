"""CLIP and other models of sentence-transformers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.errors import ModelError
from dedup_widgets.models.base import (
    DEFAULT_CANDIDATE_DISTANCE,
    DEFAULT_MODEL,
    DEFAULT_NEAR_DISTANCE,
    KEY_SUFFIX,
    PREPARATION_VERSION,
    Embedder,
    Precision,
    no_text,
    only_here,
    unit_rows,
)
from dedup_widgets.models.batches import (
    DEVICE_BATCH_PICTURES,
    FixedBatches,
    bounded,
    fast_type,
    squashed,
    squashed_quickly,
)
from dedup_widgets.models.hub import EMBEDDED_MODEL, as_model_error

if TYPE_CHECKING:
    import torch

    from dedup_widgets.models.vision_tower import Colours


CLIP_BATCH_PICTURES = 8
"""Pictures in a batch of CLIP on a processor: enough for its matrix units."""


def load_sentence_transformer(
    model: Any, name: str, key: str | None, precision: Precision
) -> Embedder:
    """Return a loaded model as an embedder, in its fast form where there is one."""
    exact = _SentenceTransformer(model, name, key)
    if precision == "fast" and (fast := _FastClip.of(exact)) is not None:
        return fast
    return exact


class _SentenceTransformer:
    """A model of sentence-transformers; prepared pictures are PIL pictures of its input size."""

    near_distance = DEFAULT_NEAR_DISTANCE
    candidate_distance = DEFAULT_CANDIDATE_DISTANCE
    fixed_batch: int | None = None

    def __init__(self, model: Any, name: str, key: str | None) -> None:
        self.name = name
        self.model = model
        self.size = _take_whole_pictures(model, name)
        # Half precision would change scores by more than the 1e-5 that is promised.
        model.float()
        self.persistent = key is not None
        self.key = f"{key or only_here(name)}/{PREPARATION_VERSION}"
        self.can_embed_text = bool(model.supports("text"))

    def prepare(self, rgb: Image.Image) -> Image.Image:
        return bounded(rgb) if self.size is None else squashed(rgb, self.size)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        return unit_rows(self._encode(list(prepared)), len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        if not self.can_embed_text:
            raise no_text(self.name, text)
        vector: NDArray[np.float32] = unit_rows(self._encode([text]), 1, self.name)[0]
        return vector

    def _encode(self, inputs: list[Any]) -> Any:
        with as_model_error(self.name):
            return self.model.encode(
                inputs, batch_size=max(1, len(inputs)), show_progress_bar=False
            )


class _FastClip:
    """The vision tower of a CLIP model alone; prepared pictures are bytes of pixels."""

    near_distance = DEFAULT_NEAR_DISTANCE
    candidate_distance = DEFAULT_CANDIDATE_DISTANCE

    def __init__(
        self, exact: _SentenceTransformer, network: Any, colours: "Colours", dtype: "torch.dtype"
    ) -> None:
        from dedup_widgets.models.vision_tower import VERSION, VisionTower

        device = str(exact.model.device)
        self.name = exact.name
        self.key = f"{exact.key}{KEY_SUFFIX[str(dtype)]}-{VERSION}"
        self.persistent = exact.persistent
        self.can_embed_text = exact.can_embed_text
        self.fixed_batch = CLIP_BATCH_PICTURES if device == "cpu" else None
        assert exact.size is not None
        self._exact, self._input = exact, exact.size
        size = self.fixed_batch or DEVICE_BATCH_PICTURES
        with as_model_error(self.name):
            tower = VisionTower(network, colours, dtype, device, size)
        self._embed = FixedBatches(self.name, lambda: tower, device, size)

    @classmethod
    def of(cls, exact: _SentenceTransformer) -> "_FastClip | None":
        """Return the fast form of a model; None where there is none, or the device has none.

        On a processor it is faster in float32, too: it takes bytes, reads no token but the first
        in the end, and one core does not wait for another.
        """
        import torch

        from dedup_widgets.models.vision_tower import VisionTower

        model = exact.model
        dtype = fast_type(str(model.device))
        if dtype is None and model.device.type == "cpu":
            dtype = torch.float32
        network = getattr(model[0], "model", None)
        only_clip = VisionTower.takes(network) and all(
            type(module).__name__ == "Normalize" for module in list(model)[1:]
        )
        if dtype is None or not only_clip or model.truncate_dim is not None or exact.size is None:
            return None
        colours = colours_of(model[0].processor.image_processor, exact.size)
        return None if colours is None else cls(exact, network, colours, dtype)

    def prepare(self, rgb: Image.Image) -> NDArray[np.uint8]:
        return squashed_quickly(rgb, self._input)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        return self._embed(prepared)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        return self._exact.encode_text(text)


def colours_of(processor: Any, size: tuple[int, int]) -> "Colours | None":
    """Return how an image processor scales colours, if that is all it does."""
    from dedup_widgets.models.vision_tower import Colours

    if not (_does(processor, "do_rescale") and _does(processor, "do_normalize")):
        return None
    mean, std = (
        tuple(map(float, getattr(processor, name))) for name in ("image_mean", "image_std")
    )
    colours = Colours(float(processor.rescale_factor), mean, std)
    width, height = size
    probe = np.resize(np.arange(256, dtype=np.uint8), (height, width, 3))
    answer = processor(images=[Image.fromarray(probe)], return_tensors="np")["pixel_values"]
    expected = ((probe * colours.scale - mean) / std).transpose(2, 0, 1)[None]
    same = answer.shape == expected.shape and np.allclose(answer, expected, atol=1e-5)
    return colours if same else None


def _take_whole_pictures(model: Any, name: str) -> tuple[int, int] | None:
    """Switch a model's own resizing and cropping off; return its input size (width, height).

    Returns None for models that take pictures of any size: those use the whole picture anyway.
    """
    if not model.supports("image"):
        raise ModelError(
            f"{name}: does not embed images (it takes {', '.join(map(str, model.modalities))}); "
            f"use an image model such as {DEFAULT_MODEL!r} or {EMBEDDED_MODEL!r}"
        )
    processor: Any = getattr(model[0], "processor", None)
    processor = getattr(processor, "image_processor", processor)
    crop = getattr(processor, "crop_size", None) if _does(processor, "do_center_crop") else None
    for size in (crop, getattr(processor, "size", None)):
        width, height = _side(size, "width"), _side(size, "height")
        if width and height:
            processor.do_resize = processor.do_center_crop = False
            return width, height
    if crop is None and not _does(processor, "do_center_crop"):
        return None
    raise ModelError(
        f"{name}: crops pictures to a size that cannot be read from its image processor, so parts "
        "of them would not count; pass an object with your own encode(list[PIL.Image]) instead"
    )


def _does(processor: Any, what: str) -> bool:
    """Tell whether an image processor has an option switched on."""
    return bool(getattr(processor, what, False))


def _side(size: Any, side: str) -> int | None:
    """Return the "width" or "height" of a size as image processors write it."""
    value = size.get(side) if hasattr(size, "get") else getattr(size, side, None)
    return int(value) if value else None
