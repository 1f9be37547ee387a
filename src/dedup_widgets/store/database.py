"""One SQLite file that keeps what is dear to compute and what a person decided.

By path, size and modification time: the fingerprint and the facts of a file. By fingerprint:
the thumbnail. By fingerprint and model: the embedding. By model: what the last few searches for
neighbours found. By name: collections. By path and by pair of fingerprints: decisions by hand.
Writers commit whole batches in one transaction, so a killed
process loses at most the batch it was working on, and what two processes write is merged.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dedup_widgets.errors import StoreError

STORE_VARIABLE = "DEDUP_WIDGETS_STORE"
REMEDY = f"pass store=… or set {STORE_VARIABLE} to a file that can be written"


_SCHEMAS = (
    """
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
""",
    """
ALTER TABLE collection ADD COLUMN description TEXT NOT NULL DEFAULT '';
CREATE TABLE chosen_keeper (
    path TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID;
CREATE TABLE not_duplicates (
    a TEXT NOT NULL,
    b TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (a, b),
    CHECK (a <= b)
) WITHOUT ROWID;
""",
    """
CREATE TABLE search (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    used INTEGER NOT NULL,
    keys BLOB NOT NULL,
    found BLOB NOT NULL
);
""",
)
"""What leads from each version of the schema to the next, the first from an empty file."""


SCHEMA_VERSION = len(_SCHEMAS)


class Database:
    """The SQLite file behind scores, thumbnails and collections. Safe to use from many threads.

    Parameters
    ----------
    path
        The file; its folder is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._own_changes = 0
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
            for statement in ";".join(_SCHEMAS[version:]).split(";"):
                db.execute(statement)
            if version < SCHEMA_VERSION:
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
