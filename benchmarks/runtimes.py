"""Another runtime for the networks: OpenVINO beside what `precision="fast"` runs here.

``python -m benchmarks.runtimes NAME`` needs ``pip install openvino``, and writes the figures to
``benchmarks/results/runtimes/NAME.json``, a file for each processor. All forms take turns on one
core in one process, for they are compared by processor time. *Other bits* counts the embeddings
that differ in a bit by the place in the pass, the pictures beside, zeros beside, or passes at the
same time.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import data as make
from benchmarks import machine
from benchmarks.__main__ import DATA, RESULTS
from benchmarks.embedding import EFFICIENTNET
from benchmarks.harness import rounded
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.efficientnet import EFFICIENTNET_BATCH_PICTURES
from dedup_widgets.models.load import load_embedder
from dedup_widgets.models.sentence_transformer import CLIP_BATCH_PICTURES

Form = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

N = 24
SIDE = 224
THREADS = 2


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("name the processor: python -m benchmarks.runtimes amd-avx2")
    torch.set_num_threads(1)
    DATA.mkdir(parents=True, exist_ok=True)
    pictures = _pictures()
    rows = []
    for network, size, forms, rounds in (
        ("CLIP ViT-B/32, random weights", CLIP_BATCH_PICTURES, _clip(), 5),
        ("EfficientNet-Lite0", EFFICIENTNET_BATCH_PICTURES, _efficientnet(), 15),
    ):
        exact = None
        speeds = _speeds(forms, pictures, size, rounds)
        for name, form in forms.items():
            vectors = _unit(_in_passes(form, pictures, size))
            exact = vectors if exact is None else exact
            rows.append(
                {
                    "network": network,
                    "form": name,
                    "images/s a core": rounded(statistics.median(speeds[name])),
                    "spread": [rounded(min(speeds[name])), rounded(max(speeds[name]))],
                    "lowest cosine": float((vectors * exact).sum(axis=1).min()),
                    "other bits": _other_bits(form, pictures, size),
                }
            )
            print(rows[-1], flush=True)
    kept = {"machine": machine.describe(), "results": rows}
    (RESULTS / "runtimes" / f"{sys.argv[1]}.json").write_text(json.dumps(kept, indent=1) + "\n")


def _pictures() -> NDArray[np.uint8]:
    """Return photos, noise and pictures of one colour, as a network takes them."""
    from PIL import Image

    from dedup_widgets.images.thumbnail import to_square

    photos = [np.asarray(to_square(Image.open(p), SIDE)) for p in make.photos(DATA, N - 8)]
    noise = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    plain = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in (0, 1, 128, 255)]
    return np.stack([*photos, *noise, *plain])


def _clip() -> dict[str, Form]:
    from transformers import CLIPModel

    folder = make.clip(DATA)
    wanted = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    mean, std = (torch.tensor(wanted[f"image_{of}"]).view(1, 3, 1, 1) for of in ("mean", "std"))

    def features(network: Any, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.permute(0, 3, 1, 2).float() * wanted["rescale_factor"] - mean) / std
        pooled = network.vision_model(pixel_values=x).pooler_output
        projected: torch.Tensor = network.visual_projection(pooled)
        return projected

    return _forms(folder, _Of(CLIPModel.from_pretrained(folder), features), CLIP_BATCH_PICTURES)


def _efficientnet() -> dict[str, Form]:
    from dedup_widgets.models.copy_head import load_head
    from dedup_widgets.models.efficientnet_lite0 import load_network

    head = load_head().head

    def features(network: Any, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.permute(0, 3, 1, 2).float() - 127) / 128
        vectors: torch.Tensor = head(network.features(x))
        return vectors

    return _forms(EFFICIENTNET, _Of(load_network(), features), EFFICIENTNET_BATCH_PICTURES)


def _forms(model: Path | str, network: "_Of", size: int) -> dict[str, Form]:
    from PIL import Image

    exact, fast = (load_embedder(model, "cpu", how) for how in ("exact", "fast"))

    def ours(embedder: Embedder) -> Form:
        return lambda pixels: embedder.encode(
            [embedder.prepare(Image.fromarray(p)) for p in pixels]
        )

    def plain(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(torch.from_numpy(pixels)).numpy()

    one = exact.key == fast.key
    return {
        "plain torch, float32": plain,
        **({"exact and fast": ours(exact)} if one else {"exact": ours(exact), "fast": ours(fast)}),
        "OpenVINO, float32": _openvino(network, size),
    }


class _Of(torch.nn.Module):
    """A network from bytes to features, in one module."""

    def __init__(self, network: Any, features: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.features = features

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.features(self.network, pixels)


def _openvino(network: _Of, size: int) -> Form:
    """Compile a network for passes of one size, in as many streams of one thread as run at once."""
    # Else its import reports itself to a server.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    shape = (size, SIDE, SIDE, 3)
    model = openvino.convert_model(
        network, example_input=torch.zeros(shape, dtype=torch.uint8), input=[shape]
    )
    asked = {
        "INFERENCE_NUM_THREADS": THREADS,
        "NUM_STREAMS": THREADS,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino.Core().compile_model(model, "CPU", asked)
    return lambda pixels: np.array(compiled.create_infer_request().infer({0: pixels})[0])


def _in_passes(form: Form, pictures: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    return np.concatenate([form(pictures[i : i + size]) for i in range(0, len(pictures), size)])


def _speeds(
    forms: dict[str, Form], pictures: NDArray[np.uint8], size: int, rounds: int
) -> dict[str, list[float]]:
    speeds: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds + 1):
        for name, form in forms.items():
            start = time.process_time()
            _in_passes(form, pictures, size)
            # The first round warms up.
            if number:
                speeds[name].append(len(pictures) / (time.process_time() - start))
    return speeds


def _other_bits(form: Form, pictures: NDArray[np.uint8], size: int) -> str:
    expected = _in_passes(form, pictures, size)

    def differing(shown: tuple[NDArray[np.uint8], NDArray[np.intp]]) -> int:
        pixels, which = shown
        rows = form(pixels)[: len(which)]
        return int((rows.view(np.uint32) != expected[which].view(np.uint32)).any(axis=1).sum())

    passes = list(_passes(pictures, size))
    with ThreadPoolExecutor(THREADS) as pool:
        differ = sum(pool.map(differing, passes))
    return f"{differ} of {sum(len(which) for _, which in passes)}"


def _passes(
    pictures: NDArray[np.uint8], size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.intp]]]:
    """Yield pictures in other places and company, and with zeros in place of the last ones."""
    random = np.random.default_rng(1)
    for _ in range(6):
        which = random.integers(0, len(pictures), size)
        yield pictures[which], which
    for n in (1, size // 2, size - 1):
        which = np.arange(n)
        yield np.concatenate([pictures[:n], np.zeros_like(pictures[n:size])]), which


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
