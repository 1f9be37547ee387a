"""Embedders: networks, or a user's own object, that turn pictures into unit vectors.

An embedder works in two steps, so that the first can run in decoding threads: `Embedder.prepare`
shrinks one picture to what the network takes, `Embedder.encode` embeds many of them at once.

Networks of which this package knows the insides (CLIP, EfficientNet-Lite0) take their pictures in
portions of one size, the last one filled up: a picture's vector is then the same to the last bit,
whatever the batch size, its place in the batch and the pictures beside it. On a processor each
portion is the work of one thread, so that all cores embed and decode at the same time without
ever waiting for each other; the number of threads changes no bit either.
"""

import math
import os
import sys
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.errors import InputError, ModelError
from dedup_widgets.images import to_square
from dedup_widgets.loading import EMBEDDED_MODEL, as_model_error, find_model, pick_device, short
from dedup_widgets.threads import single_core_threads

if TYPE_CHECKING:
    import torch

    from dedup_widgets.clip import Colours

Precision = Literal["fast", "exact"]
"""Whether a network may round a little for speed; see `load_embedder`."""

DEFAULT_MODEL = "clip-ViT-B-32"

DEFAULT_NEAR_DISTANCE = 0.05
"""Near-duplicate boundary of CLIP ViT-B/32, and of every model that was not calibrated."""

EFFICIENTNET_NEAR_DISTANCE = 0.25
"""Near-duplicate boundary of EfficientNet-Lite0, calibrated on photos with edited copies."""

BOUND = 1024
"""Longest side in pixels of a picture that is handed to a model of unknown input size."""

CLIP_PORTION = 8
"""Pictures in a portion of CLIP on a processor: enough for its matrix units."""

EFFICIENTNET_PORTION = 4
"""The same of EfficientNet-Lite0. Its tensors are large: those of more pictures would come fresh
from the kernel each time, which took a sixth of the time at 8."""

DEVICE_PORTION = 32
"""Pictures in a portion on a graphics card."""

# Part of each key: raise it when pictures are prepared or embedded in another way.
_PREPARED = "whole-3"


@runtime_checkable
class Embedder(Protocol):
    """What scoring needs of a model.

    Attributes
    ----------
    name : str
        The model as the user named it.
    key : str
        Identifies weights and preparation: under one key, vectors can be compared and kept.
    persistent : bool
        Whether `key` means the same in another process, so that a store may keep the vectors.
    near_distance : float
        Cosine distance at the model's near-duplicate boundary, between 0 and 1; see `gamma`.
    can_embed_text : bool
        Whether `encode_text` works.
    portion : int or None
        Pictures to hand to `encode` at a time where several threads may call it at once, each
        running the network on one core; None where `encode` uses the whole machine, so that one
        thread is to call it, with as many pictures as there are.
    """

    name: str
    key: str
    persistent: bool
    near_distance: float
    can_embed_text: bool
    portion: int | None

    def prepare(self, rgb: Image.Image) -> Any:
        """Shrink a picture (mode RGB) to what `encode` takes; safe in several threads."""
        ...

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Embed n prepared pictures: (n, d) unit rows. Raises `ModelError`."""
        ...

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Embed a text: a unit vector of d numbers. Raises `ModelError` if impossible."""
        ...


def gamma(near_distance: float) -> float:
    """Return the exponent that brings a model's distances to the uniqueness scale.

    ``gamma = ln 0.05 / ln d_near``, so that ``d_near ** gamma == 0.05``: whatever the model, 0.05
    on the uniqueness scale is its near-duplicate boundary.

    Parameters
    ----------
    near_distance : float
        The model's calibrated boundary ``d_near`` as a cosine distance, between 0 and 1.

    Returns
    -------
    float
        1 for CLIP ViT-B/32 (0.05), 2.16 for EfficientNet-Lite0 (0.25).

    Raises
    ------
    InputError
        If `near_distance` is not strictly between 0 and 1.

    Examples
    --------
    >>> gamma(0.05)
    1.0
    >>> round(gamma(0.25), 2)
    2.16
    """
    if not 0 < near_distance < 1:
        raise InputError(
            f"near_distance must lie between 0 and 1, not {near_distance}; 0.05 suits a model "
            "that was not calibrated"
        )
    return math.log(0.05) / math.log(near_distance)


def load_embedder(
    model: str | os.PathLike[str] | object,
    device: str | None = None,
    precision: Precision = "fast",
) -> Embedder:
    """Load a model that embeds pictures.

    Parameters
    ----------
    model : str, path-like or object
        - ``"efficientnet-lite0"``: the embedded network; needs no model hub.
        - Any other name, or the path of a folder: loaded through sentence-transformers. A name
          is looked up in the local cache first, so that a model loaded once needs no network.
        - An object with ``encode(list[PIL.Image.Image]) -> array`` of shape (n, d). It gets
          pictures of mode RGB, shrunk to 1024 pixels on the longest side so that a batch fits
          into memory. Optional attributes: ``key`` or ``name`` (a string that identifies its
          weights; without one, embeddings are not kept in the store), ``near_distance``
          (default 0.05).
        - An `Embedder`, which is returned as it is.
    device : str, optional
        As torch names it. By default ``"cuda"`` if there is one, else ``"mps"``, else ``"cpu"``.
    precision : {"fast", "exact"}
        ``"fast"``: the network in its fastest faithful form, with a cosine of at least 0.999 to
        the exact embedding: bfloat16 on processors that compute in it (AVX512-BF16, AMX), float16
        on CUDA. Of CLIP, the vision tower alone: ViT-B/32 with random weights had 0.999995 in
        bfloat16. EfficientNet-Lite0, on processors partly in bfloat16: 0.9996, and 0.9992 for
        pictures of one colour. What else there is is exact.
        ``"exact"``: float32; models of sentence-transformers give, to the last bit, what their
        own ``encode`` gives for a batch of the prepared pictures.
        The embedder's `key` names the form, so that a store never mixes them. The form follows
        from the model, the device and the processor's features alone.

    Returns
    -------
    Embedder
        Ready for use. The whole picture counts: it is squashed to the network's input, and
        nothing is cropped.

    Raises
    ------
    ModelError
        If the model cannot be had, is damaged, or does not embed images. Without a model hub
        in reach this takes seconds. Another model is never taken in its place.
    InputError
        If `model` is none of the above, or `precision` neither word.
    """
    check_precision(precision)
    if isinstance(model, (str, os.PathLike)):
        name = os.fspath(model)
        if name == EMBEDDED_MODEL:
            return _EfficientNet(pick_device(device), precision)
        loaded, key = find_model(name, isinstance(model, os.PathLike), device)
        return _sentence_transformer(loaded, name, key, precision)
    if isinstance(model, Embedder):
        return model
    sentence_transformers = sys.modules.get("sentence_transformers")
    if sentence_transformers and isinstance(model, sentence_transformers.SentenceTransformer):
        name = getattr(model.model_card_data, "model_id", None) or type(model).__name__
        return _sentence_transformer(model, name, None, precision)
    if callable(getattr(model, "encode", None)):
        return _Wrapped(model)
    raise InputError(
        f"model must be a name, the path of a folder, or an object with "
        f"encode(list[PIL.Image]) -> array, not {model!r}"
    )


class _InPortions:
    """A network that takes bytes of pixels, always the same number of pictures at once.

    On a processor each portion is computed by one thread on one core: by the calling thread if
    that is all it has, else by as many as torch would use.
    """

    def __init__(
        self, name: str, network: "Callable[[torch.Tensor], torch.Tensor]", device: str, size: int
    ) -> None:
        self._name = name
        self._network = network
        self._device = device
        self._size = size

    def __call__(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        import torch

        if not prepared:
            return np.empty((0, 0), np.float32)
        n, size = len(prepared), self._size
        pixels = np.zeros((-(-n // size) * size, *prepared[0].shape), np.uint8)
        np.stack(prepared, out=pixels[:n])
        portions = torch.from_numpy(pixels).view(-1, size, *pixels.shape[1:])
        with as_model_error(self._name):
            if self._device == "cpu" and torch.get_num_threads() > 1:
                with single_core_threads(min(torch.get_num_threads(), len(portions))) as pool:
                    rows = list(pool.map(self._features, portions))
            else:
                rows = list(map(self._features, portions))
            features = torch.cat(rows)[:n].cpu().numpy()
        return _unit_rows(features, n, self._name)

    def _features(self, pixels: "torch.Tensor") -> "torch.Tensor":
        import torch

        with torch.inference_mode():
            return self._network(pixels.to(self._device)).float()


def _fast_type(device: str) -> "torch.dtype | None":
    """Return the type of low precision that a device multiplies faster than float32, if any.

    float16 on CUDA, as CLIP was trained; never on a processor, where it is slower than float32.
    """
    import torch

    from dedup_widgets import onednn

    place = torch.device(device)
    if place.type == "cuda":
        return torch.float16 if torch.cuda.get_device_capability(place) >= (7, 0) else None
    if onednn.usable(device) and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None


_SUFFIX = {"torch.bfloat16": "/bf16", "torch.float16": "/fp16", "None": ""}


def check_precision(precision: str) -> None:
    """Raise unless there is such a precision."""
    if precision not in get_args(Precision):
        raise InputError(f"precision is {precision!r}; it must be 'fast' or 'exact'")


class _EfficientNet:
    """EfficientNet-Lite0; prepared pictures are (224, 224, 3) bytes."""

    name = EMBEDDED_MODEL
    persistent = True
    near_distance = EFFICIENTNET_NEAR_DISTANCE
    can_embed_text = False

    def __init__(self, device: str, precision: Precision) -> None:
        from dedup_widgets import efficientnet

        low = _fast_type(device) if precision == "fast" else None
        self.key = f"{efficientnet.weights_path().stem}/{_PREPARED}{_SUFFIX[str(low)]}"
        self.portion = EFFICIENTNET_PORTION if device == "cpu" else None
        self._side = efficientnet.INPUT_SIDE
        self._squashed = _squashed if low is None else _squashed_quickly
        size = self.portion or DEVICE_PORTION
        with as_model_error(self.name):
            features = efficientnet.features_of_bytes(device, low, size)
        self._embed = _InPortions(self.name, features, device, size)

    def prepare(self, rgb: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(self._squashed(rgb, (self._side, self._side)))

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        return self._embed(prepared)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        raise _no_text(self.name, text)


def _sentence_transformer(model: Any, name: str, key: str | None, precision: Precision) -> Embedder:
    exact = _SentenceTransformer(model, name, key)
    if precision == "fast" and (fast := _FastClip.of(exact)) is not None:
        return fast
    return exact


class _SentenceTransformer:
    """A model of sentence-transformers; prepared pictures are PIL pictures of its input size."""

    near_distance = DEFAULT_NEAR_DISTANCE
    portion: int | None = None

    def __init__(self, model: Any, name: str, key: str | None) -> None:
        self.name = name
        self.model = model
        self.size = _take_whole_pictures(model, name)
        # Half precision would move scores by more than the 1e-5 they are promised to.
        model.float()
        self.persistent = key is not None
        self.key = f"{key or _only_here(name)}/{_PREPARED}"
        self.can_embed_text = bool(model.supports("text"))

    def prepare(self, rgb: Image.Image) -> Image.Image:
        return _bounded(rgb) if self.size is None else _squashed(rgb, self.size)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        return _unit_rows(self._encode(list(prepared)), len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        if not self.can_embed_text:
            raise _no_text(self.name, text)
        vector: NDArray[np.float32] = _unit_rows(self._encode([text]), 1, self.name)[0]
        return vector

    def _encode(self, inputs: list[Any]) -> Any:
        with as_model_error(self.name):
            return self.model.encode(
                inputs, batch_size=max(1, len(inputs)), show_progress_bar=False
            )


class _FastClip:
    """The vision tower of a CLIP model in low precision; prepared pictures are bytes of pixels."""

    near_distance = DEFAULT_NEAR_DISTANCE

    def __init__(
        self, exact: _SentenceTransformer, network: Any, colours: "Colours", low: "torch.dtype"
    ) -> None:
        from dedup_widgets.clip import VisionTower

        device = str(exact.model.device)
        self.name = exact.name
        self.key = exact.key + _SUFFIX[str(low)]
        self.persistent = exact.persistent
        self.can_embed_text = exact.can_embed_text
        self.portion = CLIP_PORTION if device == "cpu" else None
        assert exact.size is not None
        self._exact, self._input = exact, exact.size
        size = self.portion or DEVICE_PORTION
        with as_model_error(self.name):
            tower = VisionTower(network, colours, low, device, size)
        self._embed = _InPortions(self.name, tower, device, size)

    @classmethod
    def of(cls, exact: _SentenceTransformer) -> "_FastClip | None":
        """Return the fast form of a model; None where there is none, or the device has none."""
        from dedup_widgets.clip import VisionTower

        model = exact.model
        low = _fast_type(str(model.device))
        network = getattr(model[0], "model", None)
        only_clip = VisionTower.takes(network) and all(
            type(module).__name__ == "Normalize" for module in list(model)[1:]
        )
        if low is None or not only_clip or model.truncate_dim is not None or exact.size is None:
            return None
        colours = _colours(model[0].processor.image_processor, exact.size)
        return None if colours is None else cls(exact, network, colours, low)

    def prepare(self, rgb: Image.Image) -> NDArray[np.uint8]:
        return _squashed_quickly(rgb, self._input)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        return self._embed(prepared)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        return self._exact.encode_text(text)


def _colours(processor: Any, size: tuple[int, int]) -> "Colours | None":
    """Return how an image processor scales colours, if that is all it does."""
    from dedup_widgets.clip import Colours

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


class _Wrapped:
    """A user's object with ``encode``; prepared pictures are PIL pictures within `BOUND`."""

    can_embed_text = False
    portion: int | None = None

    def __init__(self, model: Any) -> None:
        given = getattr(model, "key", None) or getattr(model, "name", None)
        self.persistent = isinstance(given, str)
        self.name = str(getattr(model, "name", None) or type(model).__name__)
        self.key = f"{given if self.persistent else _only_here(self.name)}/{_PREPARED}"
        self.near_distance = float(getattr(model, "near_distance", DEFAULT_NEAR_DISTANCE))
        gamma(self.near_distance)
        self._model = model

    def prepare(self, rgb: Image.Image) -> Image.Image:
        return _bounded(rgb)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        with as_model_error(self.name):
            rows = self._model.encode(list(prepared))
        return _unit_rows(rows, len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        raise _no_text(self.name, text)


def _only_here(name: str) -> str:
    return f"{name}#{uuid.uuid4().hex}"


def _no_text(name: str, text: str) -> ModelError:
    return ModelError(
        f"{name}: does not embed texts such as {short(text)!r}; use a CLIP model such as "
        f"{DEFAULT_MODEL!r}"
    )


def _bounded(rgb: Image.Image) -> Image.Image:
    scale = BOUND / max(rgb.size)
    if scale >= 1:
        return rgb
    width, height = (max(1, round(side * scale)) for side in rgb.size)
    return rgb.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _squashed(rgb: Image.Image, size: tuple[int, int]) -> Image.Image:
    width, height = size
    if width == height:
        return to_square(rgb, width)
    return rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _squashed_quickly(rgb: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Squash a picture as `_squashed` does, in a third of the time where torch can.

    It rounds one value of a photo in 400 otherwise, by 1. Pillow first halves large pictures, or
    takes a third of them and so on, and begins with the columns of tall ones; torch never does.
    """
    import torch

    (width, height), (wide, high) = rgb.size, size
    is_large = width >= 6 * wide or height >= 6 * high
    if is_large or height - high > 2 * (width - wide):
        return np.asarray(_squashed(rgb, size))
    pixels = torch.from_numpy(np.array(rgb)).unsqueeze(0).permute(0, 3, 1, 2)
    squashed = torch.nn.functional.interpolate(
        pixels, size=(high, wide), mode="bicubic", antialias=True
    )
    return squashed[0].permute(1, 2, 0).numpy()


def _unit_rows(rows: Any, n: int, name: str) -> NDArray[np.float32]:
    """Return a model's answer for n inputs as (n, d) unit rows, or say what is wrong with it."""
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


def _take_whole_pictures(model: Any, name: str) -> tuple[int, int] | None:
    """Switch a model's own resizing and cropping off; return its input (width, height).

    None for models that take pictures of any size: those see the whole picture anyway.
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
    return bool(getattr(processor, what, False))


def _side(size: Any, side: str) -> int | None:
    value = size.get(side) if hasattr(size, "get") else getattr(size, side, None)
    return int(value) if value else None
