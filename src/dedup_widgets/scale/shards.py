"""Shards: files that were read, decoded and embedded together.

Three files each, of which the first is written last, so that it says that all are there:

- ``shards/<name>.parquet``: a row a file, as in a frame, with the number of its picture, and how
  many numbers a vector has.
- ``shards/<name>.npy``: a row a picture: its embedding, and its perceptual vector.
- ``shards/<name>.jpgs``: where the thumbnail and the layers of each picture begin, its size, and
  then these, end to end.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets._urls import is_far
from dedup_widgets.errors import ModelError
from dedup_widgets.images.decode import Decoding
from dedup_widgets.images.decoders import decoder_key
from dedup_widgets.images.entry import FILE, Entry
from dedup_widgets.images.perceptual import DIMENSIONS
from dedup_widgets.images.source import source_for
from dedup_widgets.models.base import Embedder, Precision
from dedup_widgets.models.load import load_embedder
from dedup_widgets.scale.work import Work
from dedup_widgets.scoring.columns import facts_of
from dedup_widgets.scoring.pipeline import Descriptions, describe
from dedup_widgets.store.cache import FileRecord

FOLDER, AGAIN = "shards", "again"
"""Where shards lie, and the paths of theirs that are to be read again."""


PLACE = np.dtype([("at", "<u8"), ("jpeg", "<u4"), ("layers", "<u4"), ("size", "<u4", 2)])
"""Where the thumbnail of a picture begins, how long it and its layers are, and its width and height
in pixels."""


LOST = "ended the process that read it, three times over; take it out of the input"
"""The error of a file that no worker outlives."""


@dataclass(frozen=True)
class Model:
    """A model as workers load it.

    Attributes
    ----------
    model, device, precision
        As :func:`dedup_widgets.score` takes them.
    key
        What the vectors of this run are called; empty while that is not known.
    decoder
        What decodes its files.
    batch_size
        Pictures a pass.
    decoding
        How much of a file is decoded.
    """

    model: Any
    device: str | None
    precision: Precision
    key: str
    decoder: str = field(default_factory=decoder_key)
    batch_size: int = 32
    decoding: Decoding = "full"

    def load(self) -> Embedder:
        """Load it, or return what was loaded before; refuse what makes other vectors."""
        with _loading:
            embedder = _loaded.get(self.key) or load_embedder(
                self.model, self.device, self.precision
            )
        if embedder.key != (self.key or embedder.key) or decoder_key() != self.decoder:
            raise ModelError(
                f"a worker makes vectors {embedder.key!r} of what decoder {decoder_key()} reads, "
                f"and this run has {self.key!r} of decoder {self.decoder}: its machine has another "
                "processor or other versions; take it out, or score with precision='exact'"
            )
        if self.key:
            _loaded[self.key] = embedder
        return embedder


_loaded: dict[str, Embedder] = {}
_loading = threading.Lock()


class _CacheOfShard:
    """What the cache is to a run on one machine, held for as long as a shard is described."""

    def __init__(self) -> None:
        self.lasting: set[str] = set()
        self.thumbnails: dict[str, bytes] = {}
        self.layers: dict[str, bytes] = {}

    def files(self, paths: Iterable[str]) -> dict[str, FileRecord]:  # noqa: ARG002
        return {}

    def embeddings(
        self,
        fingerprints: Iterable[str],  # noqa: ARG002
        model: str,  # noqa: ARG002
    ) -> dict[str, NDArray[Any]]:
        return {}

    def wait_for_turn(self) -> None:
        pass

    def add(
        self,
        files: Iterable[FileRecord] = (),
        thumbnails: Mapping[str, bytes] | None = None,
        embeddings: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,  # noqa: ARG002
        layers: Mapping[str, bytes] | None = None,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> None:
        self.lasting.update(record.entry.path for record in files)
        self.thumbnails.update(thumbnails or {})
        self.layers.update(layers or {})


def name_vectors(work: Work, file: str, model: Model) -> None:
    """Write what this machine calls the vectors of a model, which follows from its processor."""
    work.write(file, model.load().key.encode())


def describe_shard(work: Work, name: str, files: pl.DataFrame, model: Model, cores: int) -> None:
    """Read, decode and embed the files of a shard, and write what was found.

    Parameters
    ----------
    files
        ``path``, ``size`` and ``version``.
    cores
        Threads that read and decode.
    """
    if work.has(f"{FOLDER}/{name}.parquet"):
        return
    embedder = model.load()
    entries = {path: Entry(path, size, version) for path, size, version in files.iter_rows()}
    held = _CacheOfShard()
    described = describe(
        list(entries),
        embedder,
        held,
        source_for,
        batch_size=model.batch_size,
        workers=cores,
        progress=False,
        listed={path: it for path, it in entries.items() if is_far(path) and it.version},
        decoding=model.decoding,
    )
    _write(work, name, files, described, held)


def _write(
    work: Work, name: str, files: pl.DataFrame, described: Descriptions, held: _CacheOfShard
) -> None:
    names = list(described.row_of)
    facts = facts_of(files["path"].to_list(), described.records)
    picture = pl.DataFrame(
        {"fingerprint": names, "picture": range(len(names))},
        schema={"fingerprint": pl.String, "picture": pl.UInt32},
    )
    again = [path for path in files["path"] if path not in held.lasting]
    table = facts.drop("completeness", "enlarged").join(
        picture, on="fingerprint", how="left", maintain_order="left"
    )
    table = table.with_columns(dimensions=pl.lit(described.embeddings.shape[1], pl.UInt32))
    vectors = np.concatenate([described.embeddings, described.perceptual], axis=1)
    sizes = dict(
        zip(facts["fingerprint"], facts.select("width", "height").iter_rows(), strict=True)
    )
    places = np.zeros(len(names), PLACE)
    blobs: list[bytes] = []
    at = places.nbytes
    for row, fingerprint in enumerate(names):
        jpeg, layers = held.thumbnails[fingerprint], held.layers.get(fingerprint, b"")
        places[row] = (at, len(jpeg), len(layers), sizes[fingerprint])
        blobs += [jpeg, layers]
        at += len(jpeg) + len(layers)
    work.write_array(f"{FOLDER}/{name}.npy", vectors)
    work.write(f"{FOLDER}/{name}.jpgs", places.tobytes() + b"".join(blobs))
    if again:
        work.write_table(f"{AGAIN}/{name}.parquet", pl.DataFrame({"path": again}))
    work.write_table(f"{FOLDER}/{name}.parquet", table)


def write_lost(work: Work, name: str, files: pl.DataFrame) -> None:
    """Write a shard of files that no worker outlives: a row with an error each."""
    records = [
        FileRecord(Entry(path, size, version), error=f"{path}: {LOST}")
        for path, size, version in files.select(*FILE).iter_rows()
    ]
    nothing = Descriptions(
        records, np.empty((0, 0), np.float16), np.empty((0, DIMENSIONS), np.float16), {}
    )
    held = _CacheOfShard()
    held.lasting.update(files["path"])
    _write(work, name, files, nothing, held)


def read_facts(work: Work, name: str, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """Return the rows of a shard."""
    return work.read_table(f"{FOLDER}/{name}.parquet", columns)


def read_vectors(
    work: Work, name: str, pictures: NDArray[Any]
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Return the embeddings, (n, d), and perceptual vectors, (n, 144), of some of its pictures."""
    matrix = work.read_array(f"{FOLDER}/{name}.npy")[pictures]
    return matrix[:, :-DIMENSIONS], matrix[:, -DIMENSIONS:]


def read_looks(
    work: Work, name: str, pictures: Sequence[int]
) -> list[tuple[bytes, bytes, tuple[int, int]]]:
    """Return thumbnail, layers, and width and height of some of its pictures."""
    file = f"{FOLDER}/{name}.jpgs"
    starts = [picture * PLACE.itemsize for picture in pictures]
    heads = work.read_ranges(file, starts, [start + PLACE.itemsize for start in starts])
    places = np.frombuffer(b"".join(heads), PLACE)
    ends = (places["at"] + places["jpeg"] + places["layers"]).tolist()
    blobs = work.read_ranges(file, places["at"].tolist(), ends)
    return [
        (blob[:cut], blob[cut:], (int(width), int(height)))
        for blob, cut, (width, height) in zip(
            blobs, places["jpeg"].tolist(), places["size"].tolist(), strict=True
        )
    ]
