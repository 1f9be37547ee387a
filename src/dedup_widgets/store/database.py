"""An SQLite file in WAL mode that is brought up to the newest schema when it is opened.

Writers commit whole batches in one transaction, so a killed process loses at most the batch it
was working on, and what two processes write is merged.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from dedup_widgets.errors import StoreError

STORE_VARIABLE = "DEDUP_WIDGETS_STORE"
REMEDY = f"pass store=… or set {STORE_VARIABLE} to a file that can be written"
WAIT_SECONDS = 60
"""How long one process waits for another that writes."""


class Database:
    """One of the two files of a store. Safe to use from many threads.

    Parameters
    ----------
    path
        The file; its folder is made when missing.

    Raises
    ------
    StoreError
        When the file cannot be made or written, is another one, or is of a newer version.
    """

    schemas: ClassVar[tuple[str, ...]]
    """The migration from each version of the schema to the next, the first from an empty file."""

    application_id: ClassVar[int]
    """By which SQLite and others recognise the file; older files have none."""

    unmarked_schemas: ClassVar[int] = 0
    """How many of the schemas were there before files had an application id."""

    synchronous: ClassVar[str]
    """SQLite's setting: FULL, and what is committed outlives a power cut too; or NORMAL."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not _is_writable(path):
                # SQLite would leave files beside it that are as read-only, and stay so.
                raise sqlite3.OperationalError("attempt to write a readonly database")
            self._db = sqlite3.connect(
                path, timeout=WAIT_SECONDS, check_same_thread=False, isolation_level=None
            )
            self._write_ahead()
            self._db.execute(f"PRAGMA synchronous = {self.synchronous}")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the store {path}: {error}; {REMEDY}") from error

    def _write_ahead(self) -> None:
        """Turn to WAL mode, which SQLite refuses at once while another process does the same."""
        give_up = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() > give_up:
                    raise
            time.sleep(0.01)

    def _migrate(self) -> None:
        newest = len(self.schemas)
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (application,) = db.execute("PRAGMA application_id").fetchone()
            if application != self.application_id and (
                application or version > self.unmarked_schemas
            ):
                kind = type(self).__name__.lower()
                raise StoreError(f"{self.path} is no {kind} of dedup_widgets; {REMEDY}")
            if version > newest:
                raise StoreError(
                    f"the store {self.path} was written by a newer version (schema {version}; "
                    f"this one knows {newest}): upgrade, or pass another store=…"
                )
            for number, schema in enumerate(self.schemas[version:], version + 1):
                self._before_schema(number, db)
                for statement in schema.split(";"):
                    db.execute(statement)
            if version < newest:
                db.execute(f"PRAGMA user_version = {newest}")
                db.execute(f"PRAGMA application_id = {self.application_id}")

    def _before_schema(self, number: int, db: sqlite3.Connection) -> None:
        """Do what SQL alone cannot, in the transaction that migrates to a schema."""

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
        self,
        sql: str,
        values: Iterable[str],
        first: Sequence[Any] = (),
        last: Sequence[Any] = (),
    ) -> Iterator[Any]:
        """Run ``… IN (SELECT value FROM json_each(?))`` over values, a bounded piece at a time."""
        values = list(values)
        for start in range(0, len(values), 10_000):
            piece = json.dumps(values[start : start + 10_000], ensure_ascii=False)
            yield from self._query(sql, (*first, piece, *last))

    def close(self) -> None:
        """Close the file, which cannot be used afterwards."""
        with self._lock:
            self._db.close()


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
