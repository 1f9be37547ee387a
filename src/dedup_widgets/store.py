"""One SQLite file that keeps what is dear to compute and what a person decided.

By path, size and modification time: the fingerprint and the facts of a file. By fingerprint:
the thumbnail. By fingerprint and model: the embedding. By name: collections. Writers commit whole
batches in one transaction, so a killed process loses at most the batch it was working on.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from dedup_widgets.errors import StoreError
from dedup_widgets.images import DECODER_VERSION, Facts
from dedup_widgets.sources import Entry

SCHEMA_VERSION = 1
STORE_VARIABLE = "DEDUP_WIDGETS_STORE"
REMEDY = f"pass store=… or set {STORE_VARIABLE} to a file that can be written"

_SCHEMA = """
CREATE TABLE file (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    decoder INTEGER NOT NULL,
    fingerprint TEXT,
    facts TEXT,
    error TEXT,
    CHECK ((fingerprint IS NULL) = (error IS NOT NULL))
);
CREATE TABLE thumbnail (fingerprint TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE embedding (
    fingerprint TEXT NOT NULL,
    model TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model, fingerprint)
);
CREATE TABLE collection (
    name TEXT PRIMARY KEY,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE collection_item (
    collection TEXT NOT NULL REFERENCES collection ON UPDATE CASCADE ON DELETE CASCADE,
    path TEXT NOT NULL,
    PRIMARY KEY (collection, path)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of one file: its fingerprint and facts, or why it could not be read."""

    entry: Entry
    fingerprint: str | None = None
    facts: Facts | None = None
    error: str | None = None


def store_path(store: "str | os.PathLike[str] | Store | None" = None) -> Path:
    """Return where a store lies: where it is said, ``DEDUP_WIDGETS_STORE``, or the user's cache."""
    if isinstance(store, Store):
        return store.path
    chosen = store or os.environ.get(STORE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("dedup-widgets", appauthor=False) / "store.sqlite"


def open_store(store: "str | os.PathLike[str] | Store | None" = None) -> "Store":
    """Return the store at a path (default: :func:`store_path`), the same object for one file.

    Parameters
    ----------
    store
        Path of the SQLite file, an open store, or None for the default one.

    Raises
    ------
    StoreError
        When the file cannot be made, is no store, or was written by a newer version.
    """
    if isinstance(store, Store):
        return store
    return _open(store_path(store), os.getpid())


@lru_cache(maxsize=32)
def _open(path: Path, _process: int) -> "Store":
    # A connection must not cross a fork, so each process opens its own.
    return Store(path)


class Store:
    """The SQLite file behind scores, thumbnails and collections. Safe to use from many threads.

    Parameters
    ----------
    path
        The file; its folder is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=60, check_same_thread=False, isolation_level=None
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the store {path}: {error}; {REMEDY}") from error

    def _migrate(self) -> None:
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise StoreError(
                    f"the store {self.path} was written by a newer version (schema {version}; "
                    f"this one knows {SCHEMA_VERSION}): upgrade, or pass another store=…"
                )
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise StoreError(
                        f"cannot write to the store {self.path}: {error}; {REMEDY}"
                    ) from error
                raise

    def _query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def _query_in(
        self, sql: str, values: Iterable[str], first: Sequence[Any] = ()
    ) -> Iterator[Any]:
        """Run ``… IN (SELECT value FROM json_each(?))`` over values, a bounded piece at a time."""
        values = list(values)
        for start in range(0, len(values), 10_000):
            piece = json.dumps(values[start : start + 10_000], ensure_ascii=False)
            yield from self._query(sql, (*first, piece))

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    # Files

    def files(self, paths: Iterable[str]) -> dict[str, FileRecord]:
        """Return what is known of each path; unknown ones are left out.

        A record is true only while the file's size and modification time are those of its
        ``entry``: compare before trusting it.
        """
        found = {}
        for path, size, mtime_ns, fingerprint, facts, error in self._query_in(
            "SELECT path, size, mtime_ns, fingerprint, facts, error FROM file"
            " WHERE decoder = ? AND path IN (SELECT value FROM json_each(?))",
            paths,
            (DECODER_VERSION,),
        ):
            found[path] = FileRecord(
                Entry(path, size, mtime_ns),
                fingerprint,
                None if facts is None else Facts(**json.loads(facts)),
                error,
            )
        return found

    def add(
        self,
        files: Iterable[FileRecord] = (),
        thumbnails: Mapping[str, bytes] | None = None,
        model: str = "",
        embeddings: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write a batch in one transaction.

        Parameters
        ----------
        files
            Records, replacing what was known of their paths.
        thumbnails
            JPEG bytes by fingerprint.
        model
            Key of the model that made the embeddings.
        embeddings
            Unit vectors, (d,) float16, by fingerprint.
        """
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        record.entry.path,
                        record.entry.size,
                        record.entry.mtime_ns,
                        DECODER_VERSION,
                        record.fingerprint,
                        None if record.facts is None else json.dumps(asdict(record.facts)),
                        record.error,
                    )
                    for record in files
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO thumbnail VALUES (?, ?)", list((thumbnails or {}).items())
            )
            db.executemany(
                "INSERT OR REPLACE INTO embedding (fingerprint, model, vector) VALUES (?, ?, ?)",
                [
                    (fingerprint, model, np.ascontiguousarray(vector, np.float16).tobytes())
                    for fingerprint, vector in (embeddings or {}).items()
                ],
            )

    def embeddings(self, fingerprints: Iterable[str], model: str) -> dict[str, np.ndarray]:
        """Return the stored unit vectors, (d,) float16, by fingerprint, for one model."""
        return {
            fingerprint: np.frombuffer(vector, np.float16)
            for fingerprint, vector in self._query_in(
                "SELECT fingerprint, vector FROM embedding WHERE model = ?"
                " AND fingerprint IN (SELECT value FROM json_each(?))",
                fingerprints,
                (model,),
            )
        }

    def thumbnails(self, fingerprints: Iterable[str]) -> dict[str, bytes]:
        """Return the stored JPEG thumbnails by fingerprint."""
        return dict(
            self._query_in(
                "SELECT fingerprint, jpeg FROM thumbnail"
                " WHERE fingerprint IN (SELECT value FROM json_each(?))",
                fingerprints,
            )
        )

    # Collections

    def collections(self) -> dict[str, set[str]]:
        """Return the paths of each collection by name, oldest collection first."""
        found: dict[str, set[str]] = {}
        for name, path in self._query(
            "SELECT name, path FROM collection LEFT JOIN collection_item ON collection = name"
            " ORDER BY collection.rowid"
        ):
            found.setdefault(name, set()).update([path] if path is not None else [])
        return found

    def update_collection(
        self, name: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        """Add paths to a collection, making it when new, and take others out."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO collection (name) VALUES (?)", (name,))
            db.executemany(
                "DELETE FROM collection_item WHERE collection = ? AND path = ?",
                [(name, path) for path in remove],
            )
            db.executemany(
                "INSERT OR IGNORE INTO collection_item VALUES (?, ?)",
                [(name, path) for path in add],
            )

    def drop_collection(self, name: str) -> None:
        """Forget a collection; the images in it are not touched."""
        with self._transaction() as db:
            db.execute("DELETE FROM collection WHERE name = ?", (name,))
