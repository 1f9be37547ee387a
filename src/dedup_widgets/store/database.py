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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dedup_widgets.errors import InputError, StoreError
from dedup_widgets.images.decode import DECODER_VERSION, Facts
from dedup_widgets.images.source import Entry

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


SEARCHES = 8
"""Searches that are kept a model: the last ones used."""


SEARCH_BYTES = 2**29
"""What all kept searches may take."""


_NOW = "(SELECT coalesce(max(used), 0) + 1 FROM search)"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of one file: its fingerprint and facts, or why it could not be read."""

    entry: Entry
    fingerprint: str | None = None
    facts: Facts | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """What carries a name: absolute paths; and what it is for."""

    paths: set[str]
    description: str = ""


@dataclass(frozen=True, slots=True)
class CollectionChange:
    """What a change of a collection really changed.

    Attributes
    ----------
    added, removed
        Paths that came in and that left.
    description
        Before and after.
    """

    added: list[str]
    removed: list[str]
    description: tuple[str, str]


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

    # Files

    def files(self, paths: Iterable[str]) -> dict[str, FileRecord]:
        """Return what is known of each path; unknown ones are left out.

        A record is true only while the file's size and modification time are those of its
        ``entry``: compare before trusting it.
        """
        rows = list(
            self._query_in(
                "SELECT path, size, mtime_ns, fingerprint, coalesce(facts, 'null'), error"
                " FROM file WHERE decoder = ? AND path IN (SELECT value FROM json_each(?))",
                paths,
                (DECODER_VERSION,),
            )
        )
        # One text for all is parsed several times faster than one each.
        facts = json.loads(f"[{','.join(row[4] for row in rows)}]")
        return {
            path: FileRecord(
                Entry(path, size, mtime_ns),
                fingerprint,
                None if known is None else Facts(**known),
                error,
            )
            for (path, size, mtime_ns, fingerprint, _, error), known in zip(
                rows, facts, strict=True
            )
        }

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

    # Searches for neighbours

    def searches(self, model: str) -> list[tuple[int, bytes]]:
        """Return the searches that are kept of a model, the last one used first.

        Returns
        -------
        list
            For each its number, and the keys of what was compared.
        """
        return self._query(
            "SELECT id, keys FROM search WHERE model = ? ORDER BY used DESC", (model,)
        )

    def search(self, number: int) -> bytes | None:
        """Return what a search found; None when it is kept no longer."""
        found = self._query("SELECT found FROM search WHERE id = ?", (number,))
        return found[0][0] if found else None

    def add_search(
        self, model: str, keys: bytes, found: bytes, *, instead_of: int | None = None
    ) -> None:
        """Keep what a search found, and drop those that were used longest ago.

        Parameters
        ----------
        model
            Key of the model whose vectors were compared.
        keys, found
            What was compared, and what came out.
        instead_of
            The number of a search that this one makes superfluous.
        """
        if len(keys) + len(found) > SEARCH_BYTES:
            return
        with self._transaction() as db:
            db.execute("DELETE FROM search WHERE id = ?", (instead_of,))
            db.execute(
                f"INSERT INTO search (model, used, keys, found) VALUES (?, {_NOW}, ?, ?)",
                (model, keys, found),
            )
            db.execute(
                "DELETE FROM search WHERE id IN (SELECT id FROM (SELECT id,"
                " row_number() OVER (PARTITION BY model ORDER BY used DESC) AS place,"
                " sum(length(keys) + length(found)) OVER (ORDER BY used DESC) AS bytes FROM search)"
                " WHERE place > ? OR bytes > ?)",
                (SEARCHES, SEARCH_BYTES),
            )

    def touch_search(self, number: int) -> None:
        """Count a search as used just now."""
        with self._transaction() as db:
            db.execute(f"UPDATE search SET used = {_NOW} WHERE id = ?", (number,))

    # Collections

    def collections_version(self) -> tuple[int, int]:
        """Return what stays the same as long as no collection changed, whoever changes one."""
        with self._lock:
            return self._query("PRAGMA data_version")[0][0], self._own_changes

    def collections(self) -> dict[str, StoredCollection]:
        """Return the collections by name, the oldest first."""
        found = self._query(
            "SELECT name, description, json_group_array(path) FILTER (WHERE path IS NOT NULL)"
            " FROM collection LEFT JOIN collection_item ON collection = name"
            " GROUP BY collection.rowid ORDER BY collection.rowid"
        )
        return {
            name: StoredCollection(set(json.loads(paths)), description)
            for name, description, paths in found
        }

    def change_collection(
        self,
        name: str,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        description: str | None = None,
        make: bool = True,
        drop: bool = False,
    ) -> CollectionChange | None:
        """Change a collection in one transaction, on top of what others made of it.

        Parameters
        ----------
        name
            Of the collection.
        add, remove
            Absolute paths to put in and to take out; none in both.
        description
            What it is for; None leaves it as it is.
        make
            Whether to make the collection when there is none of that name.
        drop
            Whether to forget the collection if nothing is left in it.

        Returns
        -------
        CollectionChange or None
            What really changed; None when there is no such collection, and none was to be made.
        """
        with self._changing_collections() as db:
            if make:
                db.execute("INSERT OR IGNORE INTO collection (name) VALUES (?)", (name,))
            described = self._query("SELECT description FROM collection WHERE name = ?", (name,))
            if not described:
                return None
            before = described[0][0]
            add, remove = dict.fromkeys(add), dict.fromkeys(remove)
            here = {
                path
                for (path,) in self._query_in(
                    "SELECT path FROM collection_item WHERE collection = ?"
                    " AND path IN (SELECT value FROM json_each(?))",
                    [*add, *remove],
                    (name,),
                )
            }
            change = CollectionChange(
                [path for path in add if path not in here],
                [path for path in remove if path in here],
                (before, before if description is None else description),
            )
            db.executemany(
                "INSERT INTO collection_item VALUES (?, ?)", [(name, p) for p in change.added]
            )
            db.executemany(
                "DELETE FROM collection_item WHERE collection = ? AND path = ?",
                [(name, path) for path in change.removed],
            )
            db.execute(
                "UPDATE collection SET description = ? WHERE name = ?",
                (change.description[1], name),
            )
            if drop:
                db.execute(
                    "DELETE FROM collection WHERE name = ?1 AND NOT EXISTS"
                    " (SELECT 1 FROM collection_item WHERE collection = ?1)",
                    (name,),
                )
            return change

    def rename_collection(self, old: str, new: str) -> bool:
        """Give a collection another name, with all that is in it; False when there is none.

        Raises
        ------
        InputError
            When there is a collection of the new name.
        """
        with self._changing_collections() as db:
            if self._query("SELECT 1 FROM collection WHERE name = ?", (new,)):
                raise InputError(
                    f"cannot rename {old!r}: there is a collection {new!r} already, perhaps of "
                    "images of other frames; choose another name"
                )
            renamed = db.execute("UPDATE collection SET name = ? WHERE name = ?", (new, old))
            return renamed.rowcount > 0

    @contextmanager
    def _changing_collections(self) -> Iterator[sqlite3.Connection]:
        with self._transaction() as db:
            self._own_changes += 1
            yield db

    # Decisions by hand

    # There are few, compared to the images of a frame: all are read, and those in question picked.

    def chosen_keepers(self, fingerprints: Iterable[str]) -> dict[str, str]:
        """Return the keepers chosen by hand among some pictures.

        Parameters
        ----------
        fingerprints
            Of the pictures.

        Returns
        -------
        dict
            The fingerprint that each chosen file had then, by its absolute path. The choice holds
            while the file's content is the same.
        """
        known = set(fingerprints)
        found = self._query("SELECT path, fingerprint FROM chosen_keeper")
        return {path: fingerprint for path, fingerprint in found if fingerprint in known}

    def not_duplicates(self, fingerprints: Iterable[str]) -> set[tuple[str, str]]:
        """Return the pairs (a, b), a ≤ b, of these fingerprints that are no duplicates."""
        known = set(fingerprints)
        found = self._query("SELECT a, b FROM not_duplicates")
        return {(a, b) for a, b in found if a in known and b in known}

    def decide(
        self,
        *,
        add_keepers: Mapping[str, str] | None = None,
        remove_keepers: Iterable[str] = (),
        add_not_duplicates: Iterable[tuple[str, str]] = (),
        remove_not_duplicates: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Remember and forget decisions by hand, in one transaction.

        Parameters
        ----------
        add_keepers
            Fingerprints by absolute path, of the images that were chosen to be keepers.
        remove_keepers
            Absolute paths of images that are no longer.
        add_not_duplicates, remove_not_duplicates
            Pairs of fingerprints, in any order.
        """
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM chosen_keeper WHERE path = ?", [(path,) for path in remove_keepers]
            )
            db.executemany(
                "INSERT OR REPLACE INTO chosen_keeper (path, fingerprint) VALUES (?, ?)",
                list((add_keepers or {}).items()),
            )
            db.executemany(
                "DELETE FROM not_duplicates WHERE a = min(?1, ?2) AND b = max(?1, ?2)",
                list(remove_not_duplicates),
            )
            db.executemany(
                "INSERT INTO not_duplicates (a, b) VALUES (min(?1, ?2), max(?1, ?2))"
                " ON CONFLICT (a, b) DO NOTHING",
                list(add_not_duplicates),
            )
