"""Reads, decodes, embeds and remembers images: all that scoring needs to know of each file."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from tqdm.auto import tqdm

from dedup_widgets.embedding import Embedder
from dedup_widgets.errors import ImageError
from dedup_widgets.images import decode, thumbnail
from dedup_widgets.sources import Entry, Source
from dedup_widgets.store import FileRecord, Store

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Read:
    """One file, read and decoded once, with all that is needed of it."""

    record: FileRecord
    jpeg: bytes = b""
    prepared: Any = None
    lasting: bool = True


def _read(source: Source, entry: Entry, embedder: Embedder) -> _Read:
    try:
        data = source.read(entry.path)
    except ImageError as error:
        # It may be readable next time with the same size and date: nothing to remember.
        return _Read(FileRecord(entry, error=str(error)), lasting=False)
    try:
        picture = decode(data)
    except ImageError as error:
        return _Read(FileRecord(entry, error=str(error)))
    record = FileRecord(entry, picture.fingerprint, picture.facts)
    return _Read(record, thumbnail(picture.rgb), embedder.prepare(picture.rgb))


def describe(
    paths: Sequence[str],
    embedder: Embedder,
    store: Store,
    source: Source,
    batch_size: int,
    workers: int,
    progress: bool,
) -> tuple[list[FileRecord], dict[str, np.ndarray]]:
    """Return a record for each path, and an embedding for each fingerprint among them.

    Parameters
    ----------
    paths
        Absolute paths.
    embedder, store, source
        What embeds, remembers and reads.
    batch_size
        Images a pass of the network.
    workers
        Threads that read and decode.
    progress
        Whether to show a progress bar.

    Returns
    -------
    tuple
        Records in the order of the paths, and unit vectors, (d,) float16, by fingerprint.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="dedup-widgets") as pool:
        known, todo, embeddings = _recall(pool, paths, embedder, store, source)
        bar = tqdm(
            total=len(paths),
            initial=len(known),
            desc="Scoring",
            unit="image",
            disable=not progress,
            smoothing=0.1,
        )
        unreadable = sum(record.error is not None for record in known.values())
        stored, embedded = len(known), 0

        def tell() -> None:
            bar.set_postfix_str(
                f"{embedded} embedded, {stored} from the store, {unreadable} unreadable",
                refresh=False,
            )

        with bar:
            tell()
            reads = _in_order(pool, lambda entry: _read(source, entry, embedder), todo, batch_size)
            for batch in _batches(reads, batch_size, embeddings):
                new = {
                    read.record.fingerprint: read
                    for read in batch
                    if read.record.fingerprint and read.record.fingerprint not in embeddings
                }
                vectors = _embed(embedder, [read.prepared for read in new.values()])
                fresh = {str(key): vector for key, vector in zip(new, vectors, strict=True)}
                store.add(
                    [r.record for r in batch if r.lasting],
                    {r.record.fingerprint: r.jpeg for r in batch if r.record.fingerprint},
                    embedder.key,
                    fresh if embedder.persistent else {},
                )
                embeddings.update(fresh)
                known.update((read.record.entry.path, read.record) for read in batch)
                embedded += len(fresh)
                unreadable += sum(read.record.error is not None for read in batch)
                tell()
                bar.update(len(batch))
    return [known[path] for path in paths], embeddings


def _recall(
    pool: ThreadPoolExecutor,
    paths: Sequence[str],
    embedder: Embedder,
    store: Store,
    source: Source,
) -> tuple[dict[str, FileRecord], list[Entry], dict[str, np.ndarray]]:
    """Split the paths into those that the store knows all about, and those to read."""
    known: dict[str, FileRecord] = {}
    todo: list[Entry] = []
    remembered = store.files(paths)
    current: list[FileRecord] = []
    for path, entry in zip(paths, pool.map(lambda path: _stat(source, path), paths), strict=True):
        record = remembered.get(path)
        if isinstance(entry, FileRecord):
            known[path] = entry
        elif record is not None and record.entry == entry:
            current.append(record)
        else:
            todo.append(entry)
    fingerprints = {record.fingerprint for record in current if record.fingerprint}
    embeddings = store.embeddings(fingerprints, embedder.key) if embedder.persistent else {}
    for record in current:
        if record.fingerprint is None or record.fingerprint in embeddings:
            known[record.entry.path] = record
        else:
            todo.append(record.entry)
    return known, todo, embeddings


def _stat(source: Source, path: str) -> Entry | FileRecord:
    try:
        return source.stat(path)
    except ImageError as error:
        return FileRecord(Entry(path, 0, 0), error=str(error))


def _in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
) -> Iterator[Result]:
    """Map over items in threads, in order, with at most ``ahead`` results waiting in memory."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _batches(
    reads: Iterable[_Read], size: int, embeddings: dict[str, np.ndarray]
) -> Iterator[list[_Read]]:
    """Cut into batches of at most ``size`` new pictures, and few enough to lose in an interrupt."""
    batch: list[_Read] = []
    new: set[str] = set()
    for read in reads:
        batch.append(read)
        if read.record.fingerprint and read.record.fingerprint not in embeddings:
            new.add(read.record.fingerprint)
        if len(new) == size or len(batch) == 4 * size:
            yield batch
            batch, new = [], set()
    if batch:
        yield batch


def _embed(embedder: Embedder, prepared: Sequence[Any]) -> np.ndarray:
    """Return unit vectors, (n, d) float16: what is stored is what is scored."""
    if not prepared:
        return np.empty((0, 0), np.float16)
    return np.asarray(embedder.encode(prepared)).astype(np.float16)
