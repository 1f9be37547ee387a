"""Reads, decodes and embeds images, and keeps the results in the store.

Threads read and decode; where the embedder allows it, the same threads also run the network, on a
batch of fixed size each, so that no core waits for another. The calling thread only collects the
results and writes them to the store, each batch in one transaction.
"""

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dedup_widgets._progress import Progress
from dedup_widgets._secrets import without_secrets
from dedup_widgets._threads import in_order, single_core_threads
from dedup_widgets.errors import ImageError, ModelError
from dedup_widgets.images.decode import Decoding, decode, decoded_as, decoding_of
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.fetching import Files, Reading
from dedup_widgets.images.layers import to_bytes
from dedup_widgets.images.perceptual import DIMENSIONS, perceptual_vector
from dedup_widgets.images.pillow import kept_memory
from dedup_widgets.images.source import SourceFor
from dedup_widgets.images.thumbnail import thumbnail
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.perceptual import PERCEPTUAL_KEY
from dedup_widgets.scoring.keeping import Keeper, Memory
from dedup_widgets.store.cache import FileRecord

PATIENCE = 2.0
"""Seconds that work which was stopped waits for what is being decoded."""


_FILES_AT_A_TIME = 4096
"""Files or vectors that are looked up together: a million must not become a million tasks."""


@dataclass(frozen=True, slots=True)
class Descriptions:
    """Records and embeddings of files.

    Attributes
    ----------
    records
        One for each file, in the order of the paths.
    embeddings
        Unit vectors, (m, d) float16, one for each fingerprint.
    perceptual
        Perceptual vectors, (m, 144) float16, in the same order.
    row_of
        The row of each fingerprint in both.
    """

    records: list[FileRecord]
    embeddings: NDArray[np.float16]
    perceptual: NDArray[np.float16]
    row_of: dict[str, int]


def describe(
    paths: Sequence[str],
    embedder: Embedder,
    cache: Memory,
    source_for: SourceFor,
    batch_size: int,
    workers: int,
    progress: Progress,
    also: str = "",
    listed: dict[str, Entry] | None = None,
    patience: float = PATIENCE,
    decoding: Decoding = "full",
) -> Descriptions:
    """Return a record for each path, and an embedding for each fingerprint among them.

    A file that the store has is not read again, and a picture whose vector it has, such as that
    of a file that was moved, is not embedded again. New pictures are written to it as soon as they
    are embedded: an interrupt loses at most `batch_size` pictures, or one batch of fixed size for
    each worker if that is more. At most about two batches of prepared pictures wait in memory, and
    each worker decodes one picture at a time.

    Parameters
    ----------
    paths
        Absolute paths.
    embedder, cache, source_for
        The model, where results are kept, and what tells where a file is read from.
    batch_size
        Pictures that are embedded before they are written. An embedder with a ``fixed_batch``
        takes that many in a pass of the network; another one takes the whole batch.
    workers
        Threads that read and decode, and run the network if the embedder has a ``fixed_batch``.
    progress
        Whether to show a progress bar, or a function that is called with the images done and in
        all: after each batch, and at least about every half a second. An error that it raises stops
        the work, without waiting for what is being decoded.
    also
        What else the bar says.
    listed
        What is known of files elsewhere than on this disk, by path; they are not looked up again.
        What the run learns of others is added.
    patience
        Seconds that work which was stopped waits for what is being decoded.
    decoding
        How much of a file is decoded; see :func:`~dedup_widgets.images.decode.decode`.

    Raises
    ------
    ModelError
        If the model fails, or its vectors differ in length from those in the cache.
    """
    files = Files(source_for, listed)
    with _threads(workers, embedder, patience) as pool:
        known, todo, vectors = _look_up(pool, paths, embedder, cache, files, decoding)
        with (
            Keeper(cache) as keeper,
            files.reading(todo) as readings,
            _ProgressReport(known, len(paths), progress, also) as report,
        ):
            size = embedder.fixed_batch or batch_size
            ahead = max(batch_size, 2 * workers)
            once = _Once(todo)
            reads = in_order(
                pool,
                lambda item: _read(*item, embedder, once, decoding),
                zip(todo, readings, strict=True),
                ahead,
                report.ask,
            )
            taken = partial(_take_stored, vectors, embedder, cache)
            batches = _batches(reads, size, set(vectors.row_of), taken)
            most = max(workers, batch_size // size)
            for batch, rows in _embedded(pool, batches, embedder, most):
                decoded = [read for read in batch.reads if read.jpeg]
                pictures = {r.record.fingerprint: r for r in decoded if r.record.fingerprint}
                perceptual = {name: read.perceptual for name, read in pictures.items()}
                embedded = {PERCEPTUAL_KEY: perceptual}
                if embedder.persistent:
                    embedded[embedder.key] = dict(zip(batch.new, rows, strict=True))
                keeper.add(
                    [read.record for read in batch.reads if read.lasting],
                    {name: read.jpeg for name, read in pictures.items()},
                    embedded,
                    {name: read.layers for name, read in pictures.items()},
                )
                vectors.add(batch.new, rows)
                vectors.perceptual.update(perceptual)
                known.update((read.record.entry.path, read.record) for read in batch.reads)
                report.update(batch, len(rows))
    return vectors.described([known[path] for path in paths])


def look_up(
    paths: Sequence[str],
    embedder: Embedder,
    cache: Memory,
    source_for: SourceFor,
    workers: int,
    listed: dict[str, Entry] | None = None,
    decoding: Decoding = "full",
) -> Descriptions:
    """Return what the store has of files by now, without reading a picture.

    Parameters
    ----------
    paths
        Absolute paths.
    embedder
        Only pictures that were embedded by this model count.
    cache, source_for
        Where results are kept, and what tells where files are, to see whether they have changed.
    workers
        Threads that look files up.
    listed
        What is known of files elsewhere than on this disk; no store is asked for others.
    decoding
        Only files that were decoded so count.

    Returns
    -------
    Described
        Files that are not in the store, or that have changed, are left out of ``records``; those
        that cannot be looked up are in it, with their error.
    """
    with _threads(workers, embedder, PATIENCE) as pool:
        files = Files(source_for, listed)
        known, _, vectors = _look_up(pool, paths, embedder, cache, files, decoding, ask=False)
    return vectors.described([known[path] for path in paths if path in known])


_NO_VECTOR = np.empty(0, np.float16)


@dataclass(frozen=True, slots=True)
class _ReadFile:
    """One file, read and decoded once.

    `jpeg` is the thumbnail, `layers` are what it does not show, `prepared` the picture as the
    embedder takes it; a record that is not `lasting` is not kept in the store. Of a file whose
    bytes were decoded under another path there is only the record.
    """

    record: FileRecord
    jpeg: bytes = b""
    layers: bytes = b""
    perceptual: NDArray[np.float16] = field(default_factory=lambda: _NO_VECTOR)
    prepared: Any = None
    lasting: bool = True

    def under(self, entry: Entry) -> "_ReadFile":
        """Return what another file of the same bytes has."""
        return _ReadFile(replace(self.record, entry=entry), lasting=self.lasting)


class _Once:
    """Lets files of the same bytes be decoded once; called in several threads.

    Parameters
    ----------
    entries
        All files; those of the same size may have the same bytes.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._sizes = {s for s, n in Counter(entry.size for entry in entries).items() if n > 1}
        # Files that were not looked up may have any size.
        self._any = not all(entry.version for entry in entries)
        self._found: dict[bytes, Future[_ReadFile]] = {}
        self._lock = threading.Lock()

    def __call__(self, entry: Entry, data: bytes, read: Callable[[], _ReadFile]) -> _ReadFile:
        """Return what `read` makes of the bytes, or made of the same bytes before."""
        if not self._any and entry.size not in self._sizes:
            return read()
        # A cryptographic hash, as for fingerprints: who shares it becomes an exact duplicate.
        name = hashlib.sha256(data).digest()
        with self._lock:
            earlier = self._found.get(name)
            if earlier is None:
                found = self._found[name] = Future()
        if earlier is not None:
            return earlier.result().under(entry)
        try:
            new = read()
        except BaseException as error:
            found.set_exception(error)
            raise
        # For all that come; without the picture, of which a million would not fit into memory.
        found.set_result(new.under(entry))
        return new


@dataclass(frozen=True, slots=True)
class _Batch:
    """Files in the order they were read; prepared new pictures among them by fingerprint."""

    reads: list[_ReadFile]
    new: dict[str, Any]


class _Vectors:
    """Embeddings in one matrix that fills as they come in.

    It is allocated for all files when the first embedding shows their length; the system provides
    memory only for what is written. `perceptual` are the perceptual vectors by fingerprint.
    """

    def __init__(self, most: int, model: str) -> None:
        self.row_of: dict[str, int] = {}
        self.perceptual: dict[str, NDArray[np.float16]] = {}
        self._most = most
        self._model = model
        self._matrix = np.empty((0, 0), np.float16)

    def add(self, fingerprints: Iterable[str], rows: Iterable[NDArray[np.float16]]) -> None:
        """Add the embedding, (d,), of each fingerprint."""
        for fingerprint, row in zip(fingerprints, rows, strict=True):
            if not self._matrix.size:
                self._matrix = np.empty((self._most, row.size), np.float16)
            if row.size != self._matrix.shape[1]:
                shorter, longer = sorted((row.size, self._matrix.shape[1]))
                raise ModelError(
                    f"model {self._model!r} gave vectors of different lengths, {shorter} and "
                    f"{longer}, now or in an earlier run; if the model changed, give it another key"
                )
            at = self.row_of.setdefault(fingerprint, len(self.row_of))
            self._matrix[at] = row

    def described(self, records: list[FileRecord]) -> Descriptions:
        perceptual = np.empty((len(self.row_of), DIMENSIONS), np.float16)
        for fingerprint, row in self.row_of.items():
            perceptual[row] = self.perceptual[fingerprint]
        return Descriptions(records, self._matrix[: len(self.row_of)], perceptual, self.row_of)


class _ProgressReport:
    """Reports progress: by a bar that also counts what came from the store, or to a function."""

    def __init__(
        self, known: dict[str, FileRecord], total: int, progress: Progress, also: str
    ) -> None:
        self._also = f", {also}" if also else ""
        self._callback = progress if callable(progress) else None
        self._stored = self._done = len(known)
        self._embedded = 0
        self._unreadable = sum(record.error is not None for record in known.values())
        self._total = total
        self._bar = tqdm(
            total=total,
            initial=len(known),
            desc="Scoring",
            unit="image",
            disable=progress is not True,
            smoothing=0.1,
        )

    def __enter__(self) -> "_ProgressReport":
        self._report(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, batch: _Batch, embedded: int) -> None:
        """Report a batch, of which so many pictures were embedded."""
        self._embedded += embedded
        self._unreadable += sum(read.record.error is not None for read in batch.reads)
        self._report(len(batch.reads))

    def ask(self) -> None:
        """Let the function say whether the work is to go on: it raises if not."""
        if self._callback:
            self._callback(self._done, self._total)

    def _report(self, more: int) -> None:
        """Report so many more files."""
        self._done += more
        self._bar.set_postfix_str(
            f"{self._embedded} embedded, {self._stored} from the store, "
            f"{self._unreadable} unreadable{self._also}",
            refresh=False,
        )
        self._bar.update(more)
        self.ask()


@contextmanager
def _threads(workers: int, embedder: Embedder, patience: float) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool, whose threads run the network on one core each if the embedder allows it."""
    if embedder.fixed_batch is None:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="dedup-widgets")
    else:
        pool = single_core_threads(workers)
    with kept_memory(workers):
        try:
            yield pool
        except BaseException:
            # An interrupt must not wait for long for what is being decoded: nobody takes it.
            pool.shutdown(wait=False, cancel_futures=True)
            ending = threading.Thread(target=pool.shutdown, daemon=True)
            ending.start()
            ending.join(patience)
            raise
        pool.shutdown()


def _look_up(
    pool: ThreadPoolExecutor,
    paths: Sequence[str],
    embedder: Embedder,
    cache: Memory,
    files: Files,
    decoding: Decoding,
    *,
    ask: bool = True,
) -> tuple[dict[str, FileRecord], list[Entry], _Vectors]:
    """Look all files up in the store; those elsewhere only if they are known, or `ask` says so.

    Returns
    -------
    tuple
        The records of files that need not be read, by path; the files to read; and the vectors
        that the store has.
    """
    known: dict[str, FileRecord] = {}
    todo: list[Entry] = []
    vectors = _Vectors(len(paths), embedder.name)
    pieces = [paths[at : at + _FILES_AT_A_TIME] for at in range(0, len(paths), _FILES_AT_A_TIME)]
    looks = pool.map(lambda piece: [files.known(path) for path in piece], pieces)
    for piece, looked_up in zip(pieces, looks, strict=True):
        remembered = cache.files(piece)
        current: list[FileRecord] = []
        entries = files.look_up(piece, looked_up, remembered if ask else ())
        for path, entry in zip(piece, entries, strict=True):
            record = remembered.get(path)
            if isinstance(entry, ImageError):
                known[path] = FileRecord(Entry(path, 0, ""), error=without_secrets(str(entry)))
            elif record and entry.is_unchanged(record.entry) and _is_decoded(record, decoding):
                current.append(record)
            else:
                todo.append(entry)
        wanted = {r.fingerprint for r in current if r.fingerprint} - vectors.row_of.keys()
        _take_stored(vectors, embedder, cache, wanted)
        vectors.perceptual.update(cache.embeddings(wanted, PERCEPTUAL_KEY))
        for record in current:
            name = record.fingerprint
            if name is None or (name in vectors.row_of and name in vectors.perceptual):
                known[record.entry.path] = record
            else:
                todo.append(record.entry)
    return known, todo, vectors


def _is_decoded(record: FileRecord, decoding: Decoding) -> bool:
    """Tell whether a file was decoded as it would be now; what cannot be read is read in no way."""
    if record.fingerprint is None or record.facts is None:
        return True
    return decoding_of(record.fingerprint) == decoded_as(record.facts, decoding)


def _take_stored(
    vectors: _Vectors, embedder: Embedder, cache: Memory, fingerprints: set[str]
) -> int:
    """Add the vectors that the store has of some pictures to `vectors`; return how many."""
    found = cache.embeddings(fingerprints, embedder.key) if embedder.persistent else {}
    vectors.add(found, found.values())
    return len(found)


def _read(
    entry: Entry, reading: Reading, embedder: Embedder, once: _Once, decoding: Decoding
) -> _ReadFile:
    """Read a file, and decode it unless another one has its bytes."""
    try:
        entry, data = reading()
    except ImageError as error:
        # It may be readable next time with the same size and date, so this is not remembered.
        return _ReadFile(FileRecord(entry, error=without_secrets(str(error))), lasting=False)
    return once(entry, data, lambda: _decoded(entry, data, embedder, decoding))


def _decoded(entry: Entry, data: bytes, embedder: Embedder, decoding: Decoding) -> _ReadFile:
    """Decode a file, and prepare its picture and its thumbnail."""
    try:
        picture = decode(data, decoding)
    except ImageError as error:
        return _ReadFile(FileRecord(entry, error=str(error)), lasting=error.is_about_the_bytes)
    record = FileRecord(entry, picture.fingerprint, picture.facts)
    vector = perceptual_vector(picture.small)
    prepared = vector if embedder.key == PERCEPTUAL_KEY else embedder.prepare(picture.reduced)
    return _ReadFile(
        record,
        thumbnail(picture.reduced),
        to_bytes(picture.layers),
        vector.astype(np.float16),
        prepared,
    )


def _batches(
    reads: Iterable[_ReadFile], size: int, seen: set[str], taken: Callable[[set[str]], int]
) -> Iterator[_Batch]:
    """Cut files into batches of at most ``size`` new pictures and ``4 * size`` files.

    A picture that was decoded is new unless its fingerprint is in `seen`, or `taken` finds its
    vector in the store and returns 1; see `_take_stored`.
    """
    batch = _Batch([], {})
    for read in reads:
        fingerprint = read.record.fingerprint
        if fingerprint and read.jpeg and fingerprint not in seen:
            seen.add(fingerprint)
            if not taken({fingerprint}):
                batch.new[fingerprint] = read.prepared
        # Only `new` holds the prepared picture, so that its memory is freed once it is embedded.
        batch.reads.append(replace(read, prepared=None))
        if len(batch.new) == size or len(batch.reads) == 4 * size:
            yield batch
            batch = _Batch([], {})
    if batch.reads:
        yield batch


def _embedded(
    pool: ThreadPoolExecutor, batches: Iterable[_Batch], embedder: Embedder, most: int
) -> Iterator[tuple[_Batch, NDArray[np.float16]]]:
    """Yield each batch with the vectors of its new pictures, in order.

    With a ``fixed_batch``, the pool embeds up to ``most`` batches at the same time.
    """
    if embedder.fixed_batch is None:
        for batch in batches:
            yield batch, _embed(embedder, batch)
        return
    waiting: deque[tuple[_Batch, Future[NDArray[np.float16]]]] = deque()
    for batch in batches:
        waiting.append((batch, pool.submit(_embed, embedder, batch)))
        while waiting and (len(waiting) > most or waiting[0][1].done()):
            batch, future = waiting.popleft()
            yield batch, future.result()
    for batch, future in waiting:
        yield batch, future.result()


def _embed(embedder: Embedder, batch: _Batch) -> NDArray[np.float16]:
    """Return the unit vectors of new pictures, (n, d), rounded to float16 as the store has them."""
    if not batch.new:
        return np.empty((0, 0), np.float16)
    return np.asarray(embedder.encode(list(batch.new.values()))).astype(np.float16)
