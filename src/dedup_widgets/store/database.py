"""An SQLite file that is brought up to the newest schema when it is opened.

Writers commit whole batches in one transaction, so a killed process loses at most the batch it
was working on, and what two processes write is merged. Reading has a connection of its own, and
never waits for who writes.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from dedup_widgets._durable import make_folder
from dedup_widgets._threads import whole
from dedup_widgets.errors import StoreError
from dedup_widgets.store.disk import is_on_network

T = TypeVar("T")

STORE_VARIABLE = "DEDUP_WIDGETS_STORE"
REMEDY = f"pass store=… or set {STORE_VARIABLE} to a file that can be written"
WAIT_SECONDS = 60.0
"""How long one process waits for another that writes."""
SLICE_SECONDS = 0.2
"""How long it waits at a time: between, Ctrl-C comes through."""
PATIENCE_TO_SWITCH_SECONDS = 2.0
"""How long it waits to change how a file is written; it stays as it is otherwise."""

_of_other_processes: list[Any] = []
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""SQLite's codes for a file that is damaged."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class StoreBusyError(StoreError):
    """Another process has been writing to the store for long."""


class Database:
    """One of the two files of a store. Safe to use from many threads.

    Parameters
    ----------
    path
        The file; its folder is made when missing.
    wait_seconds
        How long writing waits for another process that writes.

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

    journal_mode: ClassVar[str]
    """SQLite's setting on disks of this machine. On others it is DELETE: WAL needs shared memory,
    without which it damages files."""

    synchronous: ClassVar[str]
    """SQLite's setting: EXTRA, and what is committed outlives a power cut too; or NORMAL."""

    def __init__(self, path: Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self.path, self._wait_seconds = path, wait_seconds
        self.times_opened = 0
        self._is_ours = False
        self._begin_process()
        self._open()

    def _begin_process(self) -> None:
        self._process = os.getpid()
        self._writing, self._reading = threading.RLock(), threading.RLock()
        self._writer: int | None = None

    def _open(self) -> None:
        try:
            make_folder(self.path.parent)
            if self.path.exists() and not _is_writable(self.path):
                # SQLite would leave files beside it that are as read-only, and stay so.
                raise sqlite3.OperationalError("attempt to write a readonly database")
            self._set_remains_aside()
            self._check_kind()
            self._db = self._reader = self._connected()
            try:
                self._choose_journal()
                self._reader = self._connected()
                self._migrate()
                _read(self._reader, "PRAGMA query_only = ON")
                _read(self._reader, "SELECT count(*) FROM sqlite_schema")
            except BaseException:
                self.close()
                raise
        except (OSError, sqlite3.Error) as error:
            if self._took_damage(error):
                self._open()
                return
            raise StoreError(f"cannot open the store {self._why(error)}") from error
        self.times_opened += 1
        self._files = self._files_now()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=SLICE_SECONDS, check_same_thread=False, isolation_level=None
        )
        try:
            _read(db, f"PRAGMA synchronous = {self.synchronous}")
            _read(db, "PRAGMA fullfsync = ON")  # macOS syncs to the disk only when told twice
            _read(db, "PRAGMA foreign_keys = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _check_kind(self) -> None:
        """Raise for a file that is none of ours, before a byte of it is changed."""
        if not self.path.exists():
            return
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, timeout=SLICE_SECONDS, uri=True)) as db:
                [(version,)] = _read(db, "PRAGMA user_version")
                [(application,)] = _read(db, "PRAGMA application_id")
                if application == self.application_id:
                    self._is_ours = True
                    return
                is_older = not application and version <= self.unmarked_schemas
                if is_older and _tables(db) == self._tables_of(version):
                    return
        except sqlite3.OperationalError:
            # What a killed process left may have to be tidied up before it can be read.
            return
        kind = type(self).__name__.lower()
        raise StoreError(f"{self.path} is no {kind} of dedup_widgets; {REMEDY}")

    def _tables_of(self, version: int) -> set[tuple[str, ...]]:
        with closing(sqlite3.connect(":memory:")) as db:
            for schema in self.schemas[:version]:
                db.executescript(schema)
            return _tables(db)

    def _choose_journal(self) -> None:
        wanted = "DELETE" if is_on_network(self.path.parent) else self.journal_mode
        [(mode,)] = _read(self._db, "PRAGMA journal_mode")
        if mode.upper() == wanted:
            return
        with suppress(sqlite3.OperationalError):
            # Not while another process has the file open: next time, then.
            _patiently(
                lambda: self._db.execute(f"PRAGMA journal_mode = {wanted}").fetchall(),
                PATIENCE_TO_SWITCH_SECONDS,
            )

    def _migrate(self) -> None:
        newest = len(self.schemas)
        # Only who has something to change waits for who writes.
        if _read(self._db, "PRAGMA user_version") == [(newest,)]:
            return
        with self._begun() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
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

    # Files that are not what they were

    def _files_now(self) -> list[tuple[int, int] | None]:
        """Return which files lie at the path, and beside it where SQLite holds one open."""
        paths = [self.path, _beside(self.path, "-wal")]
        return [_identity(path) for path in paths]

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is open is the one that lies at the path."""
        return self._files_now() == self._files

    def _set_remains_aside(self) -> None:
        """Move what SQLite left beside a file that is gone: it would be taken for another's."""
        if self.path.exists():
            return
        for ending in ("-wal", "-shm", "-journal"):
            remains = _beside(self.path, ending)
            if remains.exists():
                remains.replace(_free_name(remains, "left"))

    def _took_damage(self, error: BaseException) -> bool:  # noqa: ARG002
        """Deal with a damaged file so that it can be opened anew; return whether it was."""
        return False

    def _was_replaced(self) -> None:
        """Go on when another file lies at the path, or raise."""
        raise StoreError(
            f"{self.path} was moved, deleted or replaced while it was open, so nothing more is "
            "written to it; put it back, or make the Explorer anew, which opens what is there then"
        )

    # Writing

    @contextmanager
    def together(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """Make one transaction of what this thread writes inside: all of it is kept, or nothing.

        One inside another is part of it.

        Parameters
        ----------
        wait
            Whether to wait for others who write.

        Raises
        ------
        StoreBusyError
            When somebody else writes for too long.
        StoreError
            When the file cannot be written.
        """
        if self._writer == threading.get_ident():
            yield self._db
        else:
            with self._transaction(wait=wait) as db:
                yield db

    @contextmanager
    def _transaction(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        self._come_out_of_a_fork()
        with self._turn(wait):
            self._keep_in_place()
            try:
                with self._begun(self._wait_seconds if wait else 0.0) as db:
                    yield db
            except sqlite3.Error as error:
                if self._took_damage(error):
                    self._open()
                    return
                why = f"cannot write to the store {self._why(error)}"
                busy = _code(error) in _BUSY
                raise (StoreBusyError if busy else StoreError)(why) from error

    def _keep_in_place(self) -> None:
        """See to it that what is written next goes to the file that lies at the path."""
        if not self.is_in_place:
            self._was_replaced()
        # A damaged file shows itself here, before there is something to write.
        self._query("SELECT count(*) FROM sqlite_schema")

    def _come_out_of_a_fork(self) -> None:
        """Open the file anew where the process was forked: connections must not be shared."""
        if self._process != os.getpid():
            # Closing them would tidy up behind the back of the other process.
            _of_other_processes.append((self._db, self._reader))
            self._begin_process()
            self._open()

    @contextmanager
    def _turn(self, wait: bool) -> Iterator[None]:
        if not self._writing.acquire(timeout=-1 if wait else SLICE_SECONDS):
            raise StoreBusyError(f"cannot write to the store {self.path}: another thread writes")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _begun(self, seconds: float = WAIT_SECONDS) -> Iterator[sqlite3.Connection]:
        with self._writing:
            try:
                _patiently(lambda: self._db.execute("BEGIN IMMEDIATE"), seconds)
                self._writer = threading.get_ident()
                yield self._db
                _patiently(lambda: self._db.execute("COMMIT"))
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                raise
            finally:
                self._writer = None

    def wait_for_turn(self) -> None:
        """Wait until no other process writes, so that what is written next need not wait.

        Nothing is held meanwhile, and Ctrl-C ends it.

        Raises
        ------
        StoreBusyError
            When another process writes for too long.
        """
        give_up = time.monotonic() + self._wait_seconds
        while self._writer != threading.get_ident():
            try:
                with self._writing, whole():
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.execute("ROLLBACK")
                return
            except sqlite3.Error as error:
                if _code(error) not in _BUSY:
                    return  # who writes next is told
                if time.monotonic() > give_up:
                    why = f"cannot write to the store {self._why(error)}"
                    raise StoreBusyError(why) from error
            time.sleep(0.01)

    # Reading

    def _query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        self._come_out_of_a_fork()
        if self._writer == threading.get_ident():
            return self._db.execute(sql, parameters).fetchall()
        try:
            with self._reading:
                return _read(self._reader, sql, parameters)
        except sqlite3.Error as error:
            if self._took_damage(error):
                self._open()
                return self._query(sql, parameters)
            raise StoreError(f"cannot read the store {self._why(error)}") from error

    def _query_in(
        self,
        sql: str,
        values: Iterable[str],
        first: Sequence[Any] = (),
        last: Sequence[Any] = (),
    ) -> Iterator[Any]:
        """Run ``… IN (SELECT value FROM json_each(?))`` over values, a bounded piece at a time."""
        for piece in json_pieces(list(values)):
            yield from self._query(sql, (*first, piece, *last))

    def close(self) -> None:
        """Close the file, which cannot be used afterwards."""
        with self._writing, self._reading:
            self._reader.close()
            self._db.close()

    def _why(self, error: BaseException) -> str:
        """Name the file, and say what happened and what to do."""
        return f"{self.path}: {error}; {self._remedy(_code(error))}"

    def _remedy(self, code: int) -> str:
        """Say what to do about an error."""
        if code in _BUSY:
            return "another process has been writing to it for long; wait for it, or end it"
        if code == sqlite3.SQLITE_FULL:
            return "free some space on its disk"
        if code == sqlite3.SQLITE_IOERR:
            return f"look after its disk, or {REMEDY}"
        return REMEDY


def _patiently(act: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """Act, again as long as another process is in the way."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if _code(error) not in _BUSY or time.monotonic() > give_up:
                raise
        # Where waiting cannot help, SQLite says so at once.
        time.sleep(0.01)


def _read(db: sqlite3.Connection, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """Read, also where another process commits, which for a moment keeps readers out too."""
    return _patiently(lambda: db.execute(sql, parameters).fetchall())


def json_pieces(values: Sequence[str]) -> Iterator[str]:
    """Return values as lists for ``json_each``, a bounded piece at a time."""
    for start in range(0, len(values), 10_000):
        yield json.dumps(values[start : start + 10_000], ensure_ascii=False)


def is_damage(error: BaseException) -> bool:
    """Tell whether an error says that a file is damaged."""
    return _code(error) in DAMAGE


def _code(error: BaseException) -> int:
    """Return SQLite's primary code of an error, 0 for none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _tables(db: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return the tables of a database, each with its columns."""
    names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {
        (
            name,
            *(column for (column,) in db.execute("SELECT name FROM pragma_table_info(?)", [name])),
        )
        for (name,) in names
        if not name.startswith("sqlite_")
    }


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")


def _free_name(path: Path, word: str) -> Path:
    """Return a name beside a path that no file has."""
    today = time.strftime("%Y-%m-%d")
    names = (f"{path.name}.{word}-{today}{f'-{n}' if n else ''}" for n in range(10**6))
    return next(free for name in names if not (free := path.with_name(name)).exists())


def set_aside(path: Path) -> Path:
    """Move a damaged database out of the way, with what SQLite has beside it; return where."""
    aside = _free_name(path, "damaged")
    path.replace(aside)
    for ending in ("-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            _beside(path, ending).replace(_beside(aside, ending))
    return aside


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
