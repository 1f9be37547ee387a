"""How true embeddings are to the reference: the network in float32 on fully decoded pictures.

Random weights make all embeddings of CLIP alike, so a plain cosine flatters: ``centred`` is the
cosine after the mean embedding is taken out, and ``distance_error`` how far the cosine distance
of two photos is off. EfficientNet has its real weights.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import data as make
from benchmarks.embedding import BATCH, EFFICIENTNET
from benchmarks.harness import Case, Values

PRECISIONS = ("fast", "exact")


def cases(size: str) -> list[Case]:
    n = BATCH if size == "tiny" else 4 * BATCH
    return [
        Case("fidelity", name, {"model": model, "n": n}, rounds=1)
        for model in ("CLIP", "EfficientNet")
        for name in VARIANTS
    ]


def prepare(data: Path, model: str, n: int) -> None:
    make.make_photos(data, n)
    make.clip(data)


def compare(data: Path, model: str, n: int, precision: str) -> Values:
    """Compare embeddings in batches of the same pictures, for batches round differently."""
    from PIL import Image

    from dedup_widgets.images.decode import decode
    from dedup_widgets.images.thumbnail import to_square
    from dedup_widgets.models.load import load_embedder

    name = make.clip(data) if model == "CLIP" else EFFICIENTNET
    embedder = load_embedder(name, device="cpu", precision=precision)
    reference = _reference(model, data)
    ours, theirs = [], []
    photos = make.photos(data, n)
    for start in range(0, n, BATCH):
        paths = photos[start : start + BATCH]
        pictures = [decode(Path(path).read_bytes()).rgb for path in paths]
        ours.append(embedder.encode([embedder.prepare(picture) for picture in pictures]))
        squares = [to_square(Image.open(path).convert("RGB"), 224) for path in paths]
        theirs.append(_unit(reference(squares)))
    a, b = np.concatenate(ours), np.concatenate(theirs)
    mean = b.mean(axis=0)
    cosine = (a * b).sum(axis=1)
    centred = (_unit(a - mean) * _unit(b - mean)).sum(axis=1)
    return {
        "cosine_least": float(cosine.min()),
        "cosine_mean": float(cosine.mean()),
        "centred_least": float(centred.min()),
        "distance_error": float(np.abs(a @ a.T - b @ b.T).max()),
        "bit_equal": float(np.array_equal(a, b)),
    }


def _reference(model: str, data: Path) -> Any:
    import torch

    if model == "CLIP":
        from sentence_transformers import SentenceTransformer

        network = SentenceTransformer(str(make.clip(data)), device="cpu")
        return lambda pictures: network.encode(pictures, batch_size=BATCH)

    from dedup_widgets.models.copy_head import load_head
    from dedup_widgets.models.efficientnet_lite0 import load_network

    lite, head = load_network("cpu"), load_head("cpu").head

    def vectors(pictures: list[Any]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
        with torch.inference_mode():
            return head(lite.features((pixels.permute(0, 3, 1, 2).float() - 127) / 128)).numpy()

    return vectors


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = rows.astype(np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)


VARIANTS = {
    precision: lambda data, precision=precision, **case: compare(data, **case, precision=precision)
    for precision in PRECISIONS
}
