"""Photos to embeddings, end to end: this project, plain sentence-transformers, the network alone.

The project does more in its time: it fingerprints each picture, takes its quality metrics, makes
a thumbnail, keeps all that in a store, and scores. Networks are loaded and warm before the clock.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import data as make
from benchmarks.data import OWN_PHOTOS
from benchmarks.harness import OURS, Case, Values, clock
from dedup_widgets.models.base import Precision

BATCH = 32
EFFICIENTNET = "efficientnet-lite0"
PLAIN = "SentenceTransformer.encode"
ALL_BUT_EQUAL = 0.001
"""Cosine distance."""


def cases(size: str) -> list[Case]:
    n, lite = map(make.at_most, (8, 8) if size == "tiny" else (192, 512))
    rounds = {"tiny": 1, "quick": 2, "full": 3}[size]
    # Loading sentence-transformers takes longer than the measurement.
    clip = (*LITE_VARIANTS, PLAIN) if size == "quick" else VARIANTS
    return [
        Case("embedding", name, {"model": model, "n": n if model == "CLIP" else lite}, rounds)
        for model, names in (("CLIP", clip), ("EfficientNet", LITE_VARIANTS))
        for name in names
    ]


def prepare(data: Path, model: str, n: int) -> None:
    make.make_photos(data, n)
    make.make_copies(data, n)
    make.clip(data)


def score(
    data: Path, model: str, n: int, precision: Precision = "fast", with_copies: bool = False
) -> Values:
    """Go from files to the scored frame, by `dedup_widgets.score`."""
    import dedup_widgets as dw

    embedder = _loaded(data, model, precision)
    photos = make.photos(data, n, with_copies=with_copies)
    with tempfile.TemporaryDirectory() as folder:
        warm, store = Path(folder) / "warm.sqlite", Path(folder) / "store.sqlite"
        dw.score(photos[:BATCH], model=embedder, store=warm, progress=False)
        with clock() as reading:
            dw.score(photos, model=embedder, store=store, progress=False)
    return _per_second(n, reading.values())


def score_again(data: Path, model: str, n: int) -> Values:
    """Score photos that the store knows."""
    import dedup_widgets as dw

    embedder = _loaded(data, model)
    photos = make.photos(data, n)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.sqlite"
        dw.score(photos, model=embedder, store=store, progress=False)
        with clock() as reading:
            dw.score(photos, model=embedder, store=store, progress=False)
    return _per_second(n, reading.values())


def encode_alone(data: Path, model: str, n: int) -> Values:
    """Run the project's network on pictures that are decoded and prepared."""
    from dedup_widgets.images.decode import decode

    embedder = _loaded(data, model)
    ready = [
        embedder.prepare(decode(Path(path).read_bytes()).rgb) for path in make.photos(data, BATCH)
    ]
    return _network_alone(lambda: embedder.encode(ready), n)


def sentence_transformers(data: Path, model: str, n: int) -> Values:
    """Do what a user would write: open the photos, hand them to the model."""
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    network = SentenceTransformer(str(make.clip(data)), device="cpu")
    photos = make.photos(data, n)
    network.encode([Image.open(path) for path in photos[:BATCH]])
    with clock() as reading:
        network.encode([Image.open(path) for path in photos])
    return _per_second(n, reading.values())


def tower_alone(data: Path, model: str, n: int, dtype: str) -> Values:
    """Run the vision tower of transformers on tensors that are ready."""
    import torch
    from transformers import CLIPModel

    network = CLIPModel.from_pretrained(make.clip(data), dtype=getattr(torch, dtype)).eval()
    pixels = torch.randn(BATCH, 3, 224, 224, dtype=getattr(torch, dtype))
    with torch.inference_mode():
        return _network_alone(lambda: network.get_image_features(pixel_values=pixels), n)


def _network_alone(encode: Callable[[], Any], n: int) -> Values:
    encode()
    encode()
    batches = -(-n // BATCH)
    with clock() as reading:
        for _ in range(batches):
            encode()
    return _per_second(batches * BATCH, reading.values())


def _per_second(n: int, values: Values) -> Values:
    return {"photos_per_second": n / values["seconds"], **values}


def _loaded(data: Path, model: str, precision: Precision = "fast") -> Any:
    """Load a model, by which only pictures that are all but equal may be copies of each other.

    Photos that differ lie far apart in a network that was trained. Pictures that are made, or any
    by random weights, lie close together, and all would be looked at.
    """
    from dedup_widgets.models.load import load_embedder

    embedder = load_embedder(_model(data, model), device="cpu", precision=precision)
    if model == "CLIP" or OWN_PHOTOS not in os.environ:
        embedder.near_distance = embedder.candidate_distance = ALL_BUT_EQUAL
    return embedder


def _model(data: Path, model: str) -> Any:
    return make.clip(data) if model == "CLIP" else EFFICIENTNET


LITE_VARIANTS: dict[str, Callable[..., Values]] = {
    OURS: score,
    f"{OURS}, exact": lambda data, **case: score(data, **case, precision="exact"),
    f"{OURS}, each with a copy": lambda data, **case: score(data, **case, with_copies=True),
    f"{OURS}, known photos": score_again,
    f"{OURS}, network alone": encode_alone,
}
VARIANTS: dict[str, Callable[..., Values]] = {
    **LITE_VARIANTS,
    PLAIN: sentence_transformers,
    "transformers, tower alone, float32": lambda data, **case: tower_alone(
        data, **case, dtype="float32"
    ),
    "transformers, tower alone, bfloat16": lambda data, **case: tower_alone(
        data, **case, dtype="bfloat16"
    ),
}
