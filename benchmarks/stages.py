"""Where the time of a photo goes, one stage after another on one thread."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import data as make
from benchmarks.embedding import BATCH, EFFICIENTNET
from benchmarks.harness import Case, Values

MODELS = ("CLIP", "EfficientNet")


def cases(size: str) -> list[Case]:
    n = BATCH if size == "tiny" else 4 * BATCH
    return [Case("stages", name, {"n": n}, rounds=1 if size == "tiny" else 3) for name in VARIANTS]


def prepare(data: Path, n: int) -> None:
    make.make_photos(data, n)
    make.clip(data)


def stages(data: Path, n: int, model: str) -> Values:
    """Return milliseconds of processor time a photo.

    The stages of a picture overlap in real runs, on all cores; here each runs by itself.
    ``decode`` is Pillow alone, ``fingerprint, metrics`` the rest of what `images.decode` does.
    """
    from PIL import Image

    from dedup_widgets.images.decode import decode
    from dedup_widgets.images.thumbnail import thumbnail
    from dedup_widgets.models.load import load_embedder

    embedder = load_embedder(make.clip(data) if model == "CLIP" else EFFICIENTNET, device="cpu")
    paths = make.photos(data, n)

    def pillow(path: str) -> None:
        with Image.open(path) as image:
            image.convert("RGB")

    ready = [embedder.prepare(decode(Path(path).read_bytes()).reduced) for path in paths[:BATCH]]
    embedder.encode(ready)
    read, files = _each(lambda path: Path(path).read_bytes(), paths)
    alone, _ = _each(pillow, paths)
    whole, pictures = _each(decode, files)
    small, _ = _each(lambda picture: thumbnail(picture.reduced), pictures)
    shrink, prepared = _each(lambda picture: embedder.prepare(picture.reduced), pictures)
    start = time.process_time()
    for at in range(0, n, BATCH):
        embedder.encode(prepared[at : at + BATCH])
    network = (time.process_time() - start) * 1000 / n
    values = {
        "read": read,
        "decode": max(alone - read, 0.0),
        "fingerprint, metrics": max(whole - (alone - read), 0.0),
        "thumbnail": small,
        "prepare": shrink,
        "network": network,
    }
    values["other"] = max(_whole_run(embedder, paths) - sum(values.values()), 0.0)
    return values


def _each(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """Return the milliseconds of one item, and all answers."""
    work(items[0])
    start = time.process_time()
    answers = [work(item) for item in items]
    return (time.process_time() - start) * 1000 / len(items), answers


def _whole_run(embedder: Any, paths: list[str]) -> float:
    """Return the milliseconds of processor time that `dedup_widgets.score` takes a photo."""
    import dedup_widgets as dw

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.sqlite"
        dw.score(paths[:2], model=embedder, store=store, progress=False)
        start = time.process_time()
        dw.score(paths, model=embedder, store=store, progress=False)
        return (time.process_time() - start) * 1000 / len(paths)


VARIANTS = {model: lambda data, n, model=model: stages(data, n, model) for model in MODELS}
