"""Embedders: networks, or a user's own object, that turn pictures into unit vectors.

An embedder works in two steps, so that the first can run in decoding threads: `Embedder.prepare`
shrinks one picture to what the network takes, `Embedder.encode` embeds many of them at once.
"""

import contextlib
import hashlib
import math
import os
import re
import sys
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets.errors import InputError, ModelError
from dedup_widgets.images import to_square

DEFAULT_MODEL = "clip-ViT-B-32"
EMBEDDED_MODEL = "efficientnet-lite0"

DEFAULT_NEAR_DISTANCE = 0.05
"""Near-duplicate boundary of CLIP ViT-B/32, and of every model that was not calibrated."""

EFFICIENTNET_NEAR_DISTANCE = 0.25
"""Near-duplicate boundary of EfficientNet-Lite0, calibrated on photos with edited copies."""

BOUND = 1024
"""Longest side in pixels of a picture that is handed to a model of unknown input size."""

HUB_TIMEOUT = 4.0
"""Seconds in which a model hub must answer before it counts as out of reach."""

# Part of each key: raise it when pictures are prepared in another way.
_PREPARED = "whole-1"


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
    """

    name: str
    key: str
    persistent: bool
    near_distance: float
    can_embed_text: bool

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


def load_embedder(model: str | os.PathLike[str] | object, device: str | None = None) -> Embedder:
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
        If `model` is none of the above.
    """
    if isinstance(model, (str, os.PathLike)):
        name = os.fspath(model)
        if name == EMBEDDED_MODEL:
            return _EfficientNet(_device(device))
        return _load_sentence_transformer(name, isinstance(model, os.PathLike), device)
    if isinstance(model, Embedder):
        return model
    sentence_transformers = sys.modules.get("sentence_transformers")
    if sentence_transformers and isinstance(model, sentence_transformers.SentenceTransformer):
        name = getattr(model.model_card_data, "model_id", None) or type(model).__name__
        return _SentenceTransformer(model, name, None)
    if callable(getattr(model, "encode", None)):
        return _Wrapped(model)
    raise InputError(
        f"model must be a name, the path of a folder, or an object with "
        f"encode(list[PIL.Image]) -> array, not {model!r}"
    )


class _EfficientNet:
    """EfficientNet-Lite0; prepared pictures are (224, 224, 3) bytes."""

    name = EMBEDDED_MODEL
    persistent = True
    near_distance = EFFICIENTNET_NEAR_DISTANCE
    can_embed_text = False

    def __init__(self, device: str) -> None:
        from dedup_widgets import efficientnet

        self.key = f"{efficientnet.weights_path().stem}/{_PREPARED}"
        self._side = efficientnet.INPUT_SIDE
        self._device = device
        with _as_model_error(self.name):
            self._network = efficientnet.load_network(device)

    def prepare(self, rgb: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(to_square(rgb, self._side))

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        import torch

        from dedup_widgets import efficientnet

        if not prepared:
            return np.empty((0, efficientnet.DIMENSIONS), dtype=np.float32)
        with _as_model_error(self.name), torch.inference_mode():
            # Stacked as height x width x channels and only viewed as channels first, the
            # tensor already has the layout that the network is fastest in.
            stacked = torch.from_numpy(np.stack(prepared)).to(self._device)
            pixels = (stacked.permute(0, 3, 1, 2).float() - 127) / 128
            features = self._network.features(pixels).cpu().numpy()
        return _unit_rows(features, len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        raise _no_text(self.name, text)


class _SentenceTransformer:
    """A model of sentence-transformers; prepared pictures are PIL pictures of its input size."""

    near_distance = DEFAULT_NEAR_DISTANCE

    def __init__(self, model: Any, name: str, key: str | None) -> None:
        self.name = name
        self._model = model
        self._size = _take_whole_pictures(model, name)
        # Half precision would move scores by more than the 1e-5 they are promised to.
        model.float()
        self.persistent = key is not None
        self.key = f"{key or _only_here(name)}/{_PREPARED}"
        self.can_embed_text = bool(model.supports("text"))

    def prepare(self, rgb: Image.Image) -> Image.Image:
        return _bounded(rgb) if self._size is None else _squashed(rgb, self._size)

    def encode(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        return _unit_rows(self._encode(list(prepared)), len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        if not self.can_embed_text:
            raise _no_text(self.name, text)
        vector: NDArray[np.float32] = _unit_rows(self._encode([text]), 1, self.name)[0]
        return vector

    def _encode(self, inputs: list[Any]) -> Any:
        with _as_model_error(self.name):
            return self._model.encode(
                inputs, batch_size=max(1, len(inputs)), show_progress_bar=False
            )


class _Wrapped:
    """A user's object with ``encode``; prepared pictures are PIL pictures within `BOUND`."""

    can_embed_text = False

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
        with _as_model_error(self.name):
            rows = self._model.encode(list(prepared))
        return _unit_rows(rows, len(prepared), self.name)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        raise _no_text(self.name, text)


def _only_here(name: str) -> str:
    return f"{name}#{uuid.uuid4().hex}"


def _no_text(name: str, text: str) -> ModelError:
    return ModelError(
        f"{name}: does not embed texts such as {_short(text)!r}; use a CLIP model such as "
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


class _as_model_error:  # noqa: N801
    """Turns whatever a model raises into a `ModelError` that names the model."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, ModelError):
            raise ModelError(
                f"{self._name}: the model failed ({type(error).__name__}: {_short(error)}); if "
                "memory ran out, use a smaller batch_size or device='cpu'"
            ) from error


def _short(what: object) -> str:
    text = " ".join(str(what).split())
    return text if len(text) <= 300 else text[:300] + "…"


def _device(wanted: str | None) -> str:
    import torch

    if wanted is not None:
        try:
            torch.empty(1, device=wanted)
        except Exception as error:
            raise ModelError(
                f"device {wanted!r} cannot be used ({_short(error)}); leave device out to take "
                "the best there is, or use device='cpu'"
            ) from error
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


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


def _load_sentence_transformer(name: str, is_path: bool, device: str | None) -> Embedder:
    folder = Path(name).expanduser()
    if folder.is_dir():
        with _as_load_error(name):
            return _SentenceTransformer(_open(folder, device), name, _digest(folder))
    if is_path or name.startswith((".", "~", "/")) or name.count("/") > 1 or folder.exists():
        raise ModelError(f"{name}: no such folder; pass the folder that holds the model")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise ModelError(f"{name!r} is not the name of a model; pass a name or a folder")

    unusable = ""
    if snapshot := _snapshot(name):
        try:
            # Given the name, the hub's library would ask the network even so.
            model = _open(snapshot, device)
        except ModelError:
            raise
        except Exception as error:
            # As after an interrupted download: the hub may have the rest.
            unusable = f"its copy in the local cache is not usable: {_short(error)}; and "
        else:
            return _SentenceTransformer(model, name, f"{name}@{snapshot.name}")
    if cause := _why_out_of_reach(name):
        raise _unavailable(name, unusable + cause)
    with _as_load_error(name):
        model = _open(name, device)
    snapshot = _snapshot(name)
    return _SentenceTransformer(model, name, f"{name}@{snapshot.name}" if snapshot else None)


def _open(model: Path | str, device: str | None) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(model), device=_device(device), local_files_only=isinstance(model, Path)
    )


class _as_load_error(_as_model_error):  # noqa: N801
    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, ModelError):
            raise _unavailable(self._name, f"{type(error).__name__}: {_short(error)}") from error


def _unavailable(name: str, cause: str) -> ModelError:
    return ModelError(
        f"{name}: the model cannot be loaded ({cause}). Pass the path of a local folder that "
        f'holds it, or choose the embedded network with model="{EMBEDDED_MODEL}".'
    )


def _digest(folder: Path) -> str:
    """Identify a folder's model by content: a renamed copy is the same, new weights are not."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() == ".md" or not path.is_file():
            continue
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{inside.as_posix()} {content}\n".encode())
    return digest.hexdigest()[:32]


def _repositories(name: str) -> list[str]:
    return [name] if "/" in name else [f"sentence-transformers/{name}", name]


def _snapshot(name: str) -> Path | None:
    """Return the folder of a model in the local cache, if its weights are there."""
    from huggingface_hub import constants

    cache = Path(os.environ.get("SENTENCE_TRANSFORMERS_HOME") or constants.HF_HUB_CACHE)
    for repository in _repositories(name):
        folder = cache / f"models--{repository.replace('/', '--')}"
        with contextlib.suppress(OSError):
            snapshot = folder / "snapshots" / (folder / "refs" / "main").read_text().strip()
            if any(path.suffix in (".safetensors", ".bin") for path in snapshot.rglob("*")):
                return snapshot
    return None


def _why_out_of_reach(name: str) -> str | None:
    """Return why the model hub cannot be asked for a model, or None if it can.

    sentence-transformers would retry for more than a minute before it says so.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "it is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it"
    answers: list[str | None] = []

    def ask() -> None:
        from huggingface_hub import get_session, get_token

        token = get_token()
        headers = {"authorization": f"Bearer {token}"} if token else {}

        for repository in _repositories(name):
            url = f"{constants.ENDPOINT}/api/models/{repository}"
            try:
                answer = get_session().head(url, headers=headers, timeout=HUB_TIMEOUT)
            except Exception as error:
                answers.append(f"{constants.ENDPOINT} is out of reach: {_short(error)}")
                return
            if answer.status_code in (403, 407) or answer.status_code >= 500:
                answers.append(f"{constants.ENDPOINT} answered {answer.status_code}")
                return
            if answer.status_code not in (401, 404):
                answers.append(None)
                return
        answers.append(f"{constants.ENDPOINT} has no public model of this name")

    # Resolving a host name knows no timeout, hence a thread that may be left behind.
    thread = threading.Thread(target=ask, daemon=True, name="dedup-widgets-hub")
    thread.start()
    thread.join(HUB_TIMEOUT + 1)
    if not answers:
        return f"{constants.ENDPOINT} did not answer within {HUB_TIMEOUT:.0f} seconds"
    return answers[0]
