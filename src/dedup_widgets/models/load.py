"""Embedders: networks, or a user's own object, that turn pictures into unit vectors.

An embedder works in two steps, so that the first can run in decoding threads: `Embedder.prepare`
converts one picture to the network's input, `Embedder.encode` embeds many of them at once.

Networks that this package runs itself (CLIP, EfficientNet-Lite0) take pictures in batches of fixed
size, the last one padded: a picture's vector is then the same to the last bit, whatever the batch
size, its position in the batch and the other pictures in it. On a processor each batch is computed
by one thread, so that all cores embed and decode at the same time without waiting for each other;
the number of threads changes no bit either.
"""

import os
import sys
from pathlib import Path

from dedup_widgets._paths import absolute
from dedup_widgets.errors import InputError
from dedup_widgets.models.base import Embedder, Precision, check_precision
from dedup_widgets.models.custom import CustomModel
from dedup_widgets.models.efficientnet import EfficientNet
from dedup_widgets.models.hub import EMBEDDED_MODEL, find_model, pick_device
from dedup_widgets.models.perceptual import PERCEPTUAL, PerceptualModel
from dedup_widgets.models.sentence_transformer import load_sentence_transformer


def lasting_name(model: str | os.PathLike[str]) -> str:
    """Return the name by which :func:`load_embedder` finds a model from any folder."""
    name = os.fspath(model)
    is_folder = isinstance(model, os.PathLike) or Path(name).is_dir()
    if name in (EMBEDDED_MODEL, PERCEPTUAL) or not is_folder:
        return name
    return absolute(name)


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
        - ``"perceptual"``: the lowest frequencies of the picture; needs no weights at all.
        - Any other name, or the path of a folder: loaded through sentence-transformers. A name
          is looked up in the local cache first, so that a model loaded once needs no network.
        - An object with ``encode(list[PIL.Image.Image]) -> array`` of shape (n, d). It gets
          pictures of mode RGB, shrunk to 1024 pixels on the longest side so that a batch fits
          into memory. Optional attributes: ``key`` or ``name`` (a string that identifies its
          weights; without one, embeddings are not kept in the store), ``near_distance``
          (default 0.05), ``candidate_distance`` (default four times that).
        - An `Embedder`, which is returned as it is.
    device : str, optional
        As torch names it. By default ``"cuda"`` if there is one, else ``"mps"``, else ``"cpu"``.
    precision : {"fast", "exact"}
        ``"fast"``: the network in its fastest faithful form, with a cosine of at least 0.999 to
        the exact embedding: bfloat16 on processors that compute in it (AVX512-BF16, AMX), float16
        on CUDA. Of CLIP, the vision tower alone, on other processors in float32: ViT-B/32 with
        random weights had 0.999995 in bfloat16, and 0.9999999 in float32. EfficientNet-Lite0, on
        processors partly in bfloat16: 0.9996, and 0.9992 for pictures of one colour. All other
        models are exact.
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
        If the model cannot be loaded, or does not embed images. Without a reachable model hub
        this takes seconds. Another model is never used instead. Of EfficientNet-Lite0 damaged
        weights are told with the first picture, as they are not read before.
    InputError
        If `model` is none of the above, or `precision` neither word.
    """
    check_precision(precision)
    if isinstance(model, (str, os.PathLike)):
        name = os.fspath(model)
        if not name.strip():  # It would stand for the folder that one is in.
            raise InputError(f"model is {name!r}; it must be a name, or the path of a folder")
        if name == PERCEPTUAL:
            return PerceptualModel()
        if name == EMBEDDED_MODEL:
            return EfficientNet(pick_device(device), precision)
        loaded, key = find_model(name, isinstance(model, os.PathLike), device)
        return load_sentence_transformer(loaded, name, key, precision)
    if isinstance(model, Embedder):
        return model
    sentence_transformers = sys.modules.get("sentence_transformers")
    if sentence_transformers and isinstance(model, sentence_transformers.SentenceTransformer):
        name = getattr(model.model_card_data, "model_id", None) or type(model).__name__
        return load_sentence_transformer(model, name, None, precision)
    if callable(getattr(model, "encode", None)):
        return CustomModel(model)
    raise InputError(
        f"model must be a name, the path of a folder, or an object with "
        f"encode(list[PIL.Image]) -> array, not {model!r}"
    )
