"""Fixtures that every test may use: pictures made on the spot, a tiny CLIP, a store of its own."""

import io
import os
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# A busy machine is no failure; and what fails in CI must fail again on the next run.
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("fast", settings.get_profile("here"), max_examples=10)
settings.load_profile("here")

collect_ignore = ["fixtures", "on_screen.py", "soak.py"]
if find_spec("playwright") is None and "DEDUP_WIDGETS_TEST_ALL" not in os.environ:
    warnings.warn("NO PLAYWRIGHT: the browser tests are left out", stacklevel=1)
    collect_ignore += ["browser"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs CLIP as slow, S3 as lengthy: to import what it runs on takes seconds."""
    for item in items:
        if isinstance(item, pytest.Function):
            parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
            names = {*item.fixturenames, *filter(lambda it: isinstance(it, str), parameters)}
            if names & {"tiny_clip", "clip", "exact_clip"}:
                item.add_marker("slow")
            if "moto_server" in names:
                item.add_marker("lengthy")


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the user's store."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(path))
    return path


def _photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    return _made(seed, size).copy()


@cache
def _made(seed: int, size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(seed)
    layers = np.zeros((size[1], size[0], 3))
    for cells, weight in ((3, 1.0), (8, 0.6), (24, 0.35)):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        layers += weight * (np.asarray(layer) - 128.0)
    return Image.fromarray(np.clip(128 + 0.8 * layers, 0, 255).astype(np.uint8))


@cache
def _file(seed: int, kind: str) -> bytes:
    file = io.BytesIO()
    _photo(seed).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., Image.Image]:
    """Return ``make_photo(seed, size=(160, 120))``: a picture of colour blobs, one a seed."""
    return _photo


@pytest.fixture(scope="session")
def as_file() -> Callable[..., bytes]:
    """Return ``as_file(image, format="PNG", **options)``: the bytes of the saved picture."""

    def save(image: Image.Image, format: str = "PNG", **options: object) -> bytes:  # noqa: A002
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return save


@pytest.fixture
def photo_folder(tmp_path: Path) -> Callable[..., Path]:
    """Return ``photo_folder(n, copies=0)``: a folder of n photos, the first copied so often."""

    def make(n: int, copies: int = 0) -> Path:
        folder = tmp_path / "photos"
        folder.mkdir(exist_ok=True)
        for seed in range(n):
            (folder / f"photo-{seed:03}.png").write_bytes(_file(seed, "PNG"))
        for copy in range(copies):
            (folder / f"copy-{copy:03}.bmp").write_bytes(_file(0, "BMP"))
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small CLIP with random weights, as sentence-transformers loads it."""
    import json

    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer

    try:
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    except ImportError:  # before 5, the only one there is
        from transformers import CLIPImageProcessor as CLIPImageProcessorPil

    folder = tmp_path_factory.mktemp("tiny-clip")
    characters = _byte_characters()
    words = [*characters, *(c + "</w>" for c in characters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}))
    merges = folder / "merges.txt"
    merges.write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(vocabulary), str(merges), model_max_length=32)
    start, end = len(words) - 2, len(words) - 1
    layers = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = CLIPConfig(
        text_config={
            **layers,
            "vocab_size": len(words),
            "max_position_embeddings": 32,
            "bos_token_id": start,
            "eos_token_id": end,
            "pad_token_id": end,
        },
        vision_config={**layers, "image_size": 64, "patch_size": 16},
        projection_dim=24,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    )
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder


def _byte_characters() -> list[str]:
    """Return the 256 printable characters by which CLIP's tokenizer writes bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (chr(256 + i) for i in range(256 - len(kept)))
    return [chr(byte) if byte in kept else next(others) for byte in range(256)]


@pytest.fixture
def distances(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of how many distances each comparison that is made stands for."""
    from dedup_widgets.neighbors.all_pairs import AllPairs

    made: list[int] = []
    compare = AllPairs.compare

    def count(self, rows, others=(), progress=False):
        made.append(len(rows) * (len(rows) - 1) // 2 + len(rows) * len(others))
        return compare(self, rows, others, progress)

    monkeypatch.setattr(AllPairs, "compare", count)
    return made
