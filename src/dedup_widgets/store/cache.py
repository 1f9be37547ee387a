"""What can be computed again, at a price.

By path, size and modification time: the fingerprint and the facts of a file. By fingerprint: the
thumbnail, and further layers of the picture. By fingerprint and model: the embedding. By pair of
fingerprints: what was found when the pictures were laid over each other. By model: what the last
few searches for neighbours found.
"""

import json
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dedup_widgets.errors import StoreError
from dedup_widgets.images.decode import Facts
from dedup_widgets.images.decoders import decoder_key
from dedup_widgets.images.entry import Entry
from dedup_widgets.store.database import WAIT_SECONDS, Database, is_damage, set_aside

CACHE_NAME = "cache.sqlite"
"""What the file is called unless somebody names it; what is damaged under this name is ours."""

_WITHOUT_DECISIONS = 4
"""The first schema in which decisions are elsewhere, in the library."""

_SEPARATOR = "\n"
"""Stands between the version and the stamp of a file."""

_NOW = "(SELECT coalesce(max(used), 0) + 1 FROM search)"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of one file: its fingerprint and facts, or why it could not be read."""

    entry: Entry
    fingerprint: str | None = None
    facts: Facts | None = None
    error: str | None = None


class Cache(Database):
    """The file of what can be computed again; it may be deleted at any time.

    A damaged one is set aside, with a warning, and made anew.

    Parameters
    ----------
    path
        The file; its folder is made when missing.
    carry_over
        Keeps what a person decided elsewhere. Files of before schema 4 held that too: it is
        called with a connection to the file, brought up to schema 3, in the transaction that then
        takes decisions out.
    searches
        Searches that are kept a model: the last ones used.
    search_bytes
        What all kept searches may take.
    wait_seconds
        See :class:`Database`.

    Raises
    ------
    StoreError
        When the file cannot be made or written, is another one, or is of a newer version; or when
        it holds decisions, and nothing to carry them over was given.
    """

    application_id = int.from_bytes(b"ddwC")
    journal_mode = "WAL"
    synchronous = "NORMAL"
    unmarked_schemas = 3
    schemas = (
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
        """
DROP TABLE collection_item;
DROP TABLE collection;
DROP TABLE chosen_keeper;
DROP TABLE not_duplicates;
""",
        """
CREATE TABLE layers (fingerprint TEXT PRIMARY KEY, layers BLOB NOT NULL);
CREATE TABLE evidence (
    a TEXT NOT NULL,
    b TEXT NOT NULL,
    rules INTEGER NOT NULL,
    found BLOB NOT NULL,
    PRIMARY KEY (a, b),
    CHECK (a < b)
) WITHOUT ROWID;
""",
    )

    def __init__(
        self,
        path: Path,
        *,
        carry_over: Callable[[sqlite3.Connection], None] | None = None,
        searches: int = 8,
        search_bytes: int = 2**29,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._carry_over = carry_over
        self._searches, self._search_bytes = searches, search_bytes
        # Who was killed leaves this file, too.
        self._others_had_it_open = path.with_name(f"{path.name}-wal").exists()
        super().__init__(path, wait_seconds=wait_seconds)

    def _choose_journal(self) -> None:
        if self._others_had_it_open and (fault := known_fault()) and not self._is_alone():
            _warn_once(f"another kernel has the cache open, too. {fault}")
        super()._choose_journal()

    def _is_alone(self) -> bool:
        """Tell whether nobody else has the file open: then its journal can be changed."""
        try:
            self._db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            return False
        return True

    def _before_schema(self, number: int, db: sqlite3.Connection) -> None:
        if number != _WITHOUT_DECISIONS:
            return
        if self._carry_over is not None:
            self._carry_over(db)
        elif _holds_decisions(db):
            raise StoreError(
                f"the store {self.path} of an earlier version holds decisions, which a cache does "
                "not keep; open it by dedup_widgets.store.open.open_store"
            )

    def _was_replaced(self) -> None:
        self.close()
        self._open()

    def _took_damage(self, error: BaseException) -> bool:
        if not (is_damage(error) and self.path.exists()):
            return False
        if not self._is_ours and self.path.name != CACHE_NAME:
            return False
        try:
            if hasattr(self, "_db"):
                self.close()
            aside = set_aside(self.path)
        except OSError as problem:
            raise StoreError(
                f"the cache {self.path} is damaged ({error}), and cannot be set aside ({problem}); "
                "end other kernels that use it and delete it: all in it can be computed again"
            ) from error
        warnings.warn(
            f"the cache {self.path} was damaged ({error}); it is now {aside.name}, which may be "
            f"deleted, and what was in it is computed again. {known_fault()}".strip(),
            stacklevel=2,
        )
        return True

    def files(self, paths: Iterable[str]) -> dict[str, FileRecord]:
        """Return what is known of each path; unknown ones are left out.

        A record is true only while the file's size and version are those of its
        ``entry``: compare before trusting it.
        """
        rows = list(
            self._query_in(
                # The column is older than versions of files that are no times, and stamps.
                "SELECT path, size, CAST(mtime_ns AS TEXT), fingerprint,"
                " coalesce(facts, 'null'), error"
                " FROM file WHERE decoder = ? AND path IN (SELECT value FROM json_each(?))",
                paths,
                (decoder_key(),),
            )
        )
        return {
            path: FileRecord(_entry(path, size, version), fingerprint, known, error)
            for (path, size, version, fingerprint, _, error), known in _with_facts(rows)
        }

    def add(
        self,
        files: Iterable[FileRecord] = (),
        thumbnails: Mapping[str, bytes] | None = None,
        embeddings: Mapping[str, Mapping[str, np.ndarray]] | None = None,
        layers: Mapping[str, bytes] | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Write a batch in one transaction.

        Parameters
        ----------
        files
            Records, replacing what was known of their paths.
        thumbnails
            JPEG bytes by fingerprint.
        embeddings
            Unit vectors, (d,) float16, by key of the model that made them, and by fingerprint.
        layers
            Layers as bytes, by fingerprint; of pictures that have none, nothing is kept.
        wait
            Whether to wait for another process that writes.

        Raises
        ------
        StoreBusyError
            When another process writes, at the moment or for long.
        StoreError
            When the file cannot be written.
        """
        with self._transaction(wait=wait) as db:
            db.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        record.entry.path,
                        record.entry.size,
                        _SEPARATOR.join(filter(None, (record.entry.version, record.entry.stamp))),
                        decoder_key(),
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
                    for model, vectors in (embeddings or {}).items()
                    for fingerprint, vector in vectors.items()
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO layers VALUES (?, ?)",
                [(fingerprint, kept) for fingerprint, kept in (layers or {}).items() if kept],
            )

    def embeddings(self, fingerprints: Iterable[str], model: str) -> dict[str, np.ndarray]:
        """Return the stored unit vectors, (d,) float16, by fingerprint, for one model."""
        found = self._query_in(
            "SELECT fingerprint, vector FROM embedding WHERE model = ?"
            " AND fingerprint IN (SELECT value FROM json_each(?))",
            fingerprints,
            (model,),
        )
        blobs = {
            fingerprint: vector
            for fingerprint, vector in found
            if isinstance(vector, bytes) and vector and len(vector) % 2 == 0
        }
        # What no model makes is not known, whoever wrote it.
        numbers = np.frombuffer(b"".join(blobs.values()), np.float16)
        ends = np.cumsum([len(blob) // 2 for blob in blobs.values()])
        odd = set(np.searchsorted(ends, np.flatnonzero(~np.isfinite(numbers)), "right").tolist())
        return {
            fingerprint: np.frombuffer(blob, np.float16)
            for place, (fingerprint, blob) in enumerate(blobs.items())
            if place not in odd
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

    def layers(self, fingerprints: Iterable[str]) -> dict[str, bytes]:
        """Return the stored layers by fingerprint, of the pictures that have any."""
        return dict(
            self._query_in(
                "SELECT fingerprint, layers FROM layers"
                " WHERE fingerprint IN (SELECT value FROM json_each(?))",
                fingerprints,
            )
        )

    # Pairs of pictures

    def evidence(
        self, pairs: Iterable[tuple[str, str]], rules: int
    ) -> dict[tuple[str, str], bytes]:
        """Return what was found of pairs of pictures, as it was added.

        Parameters
        ----------
        pairs
            Pairs of fingerprints, the lower one first.
        rules
            The version of the rules by which pictures are compared.
        """
        return {
            (a, b): found
            for a, b, found in self._query_in(
                "SELECT a, b, found FROM json_each(?) AS pair JOIN evidence"
                " ON a = substr(pair.value, 1, 32) AND b = substr(pair.value, 33)"
                " WHERE rules = ?",
                (a + b for a, b in pairs),
                last=(rules,),
            )
        }

    def add_evidence(self, found: Mapping[tuple[str, str], bytes], rules: int) -> None:
        """Keep what was found of pairs of pictures, in one transaction."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?)",
                [(a, b, rules, blob) for (a, b), blob in found.items()],
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
        if len(keys) + len(found) > self._search_bytes:
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
                (self._searches, self._search_bytes),
            )

    def touch_search(self, number: int) -> None:
        """Count a search as used just now."""
        with self._transaction() as db:
            db.execute(f"UPDATE search SET used = {_NOW} WHERE id = ?", (number,))


_facts = msgspec.json.Decoder(Facts | None)
_facts_of_many = msgspec.json.Decoder(list[Facts | None])


def _entry(path: str, size: int, written: str) -> Entry:
    version, _, stamp = written.partition(_SEPARATOR)
    return Entry(path, size, version, stamp=stamp)


def _with_facts(rows: Sequence[Any]) -> list[tuple[Any, Facts | None]]:
    """Return rows of files, each with its facts; what are none leave their row unknown."""
    try:
        # One text for all is parsed several times faster than one each.
        known = _facts_of_many.decode(f"[{','.join(row[4] for row in rows)}]")
        return list(zip(rows, known, strict=True))
    except (msgspec.MsgspecError, ValueError, TypeError):
        pass
    found = []
    for row in rows:
        with suppress(msgspec.MsgspecError, ValueError, TypeError):
            found.append((row, _facts.decode(row[4])))
    return found


def known_fault() -> str:
    """Name a fault of SQLite that damages what two processes write at once, where it has it.

    It is called WAL reset (https://sqlite.org/wal.html, "The WAL-Reset Bug").
    """
    version = sqlite3.sqlite_version_info
    if version < (3, 7) or version >= (3, 51, 3) or version[:2] in ((3, 44), (3, 50)):
        least = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}.get(version[:2])
        if least is None or version >= least:
            return ""
    return (
        f"SQLite {sqlite3.sqlite_version}, which this Python uses, can damage a cache that two "
        "processes write at once; it would be made anew, and decisions are not in it. 3.44.6, "
        "3.50.7, 3.51.3 and later do not: use a newer Python, or end one of the two"
    )


@cache
def _warn_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)


def _holds_decisions(db: sqlite3.Connection) -> bool:
    tables = ("collection", "chosen_keeper", "not_duplicates")
    return any(db.execute(f"SELECT EXISTS (SELECT 1 FROM {t})").fetchone()[0] for t in tables)
