"""What a person decided, which nothing can compute again.

By name: collections. By path and by pair of fingerprints: decisions by hand. By the images that
they are of: reviews, step by step.
"""

import json
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from dedup_widgets.errors import InputError
from dedup_widgets.store.copies import copies_of, copy_today
from dedup_widgets.store.database import DAMAGE, WAIT_SECONDS, Database

if TYPE_CHECKING:
    import polars as pl

MANY_PATHS = 1_000
"""Paths that come into a collection at once, from which on they are written in parts."""
PATHS_IN_A_PART = 10_000
"""So that taking one path out writes a few hundred kilobytes, however large a collection is."""


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """What carries a name: absolute paths; and what it is for."""

    paths: set[str]
    description: str = ""


ReviewLine = tuple[str, str, str | None, str]
"""A line of a review's log: time by ISO 8601, action, step, value as JSON."""


class ChangedMeanwhileError(Exception):
    """Somebody else decided something since it was last looked at."""


class CollectionChange(NamedTuple):
    """What a change of a collection changed, beside its paths.

    Attributes
    ----------
    description
        Before and after.
    made
        Whether it was not there before.
    """

    description: tuple[str, str]
    made: bool


_DECIDED = ("collection", "chosen_keeper", "not_duplicates", "reviewed", "review")
"""The tables of what a person decided."""

_FROM_STORES = {
    "SELECT name, created, description FROM collection ORDER BY rowid": (
        "INSERT INTO collection (name, created, description) VALUES (?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET description = excluded.description WHERE description = ''"
    ),
    "SELECT collection, path FROM collection_item": (
        "INSERT OR IGNORE INTO collection_item VALUES (?, ?)"
    ),
    "SELECT path, fingerprint, created FROM chosen_keeper": (
        "INSERT OR IGNORE INTO chosen_keeper VALUES (?, ?, ?)"
    ),
    "SELECT a, b, created FROM not_duplicates": (
        "INSERT OR IGNORE INTO not_duplicates VALUES (?, ?, ?)"
    ),
}
"""How to read what earlier versions kept in the cache's file, and how to write it here."""


class Library(Database):
    """The file of what a person decided: the one to back up.

    It is one file at any time, without a second one beside it, and what was acknowledged outlives
    a power cut. On each day on which something is decided it is copied first, see
    :mod:`dedup_widgets.store.copies`.

    Parameters
    ----------
    path
        The file; its folder is made when missing.
    wait_seconds
        See :class:`Database`.
    rows_by_path
        Rows of one step of a review that are written as paths; more are written as bits.

    Raises
    ------
    StoreError
        When the file cannot be made or written, is another one, or is of a newer version.
    """

    application_id = int.from_bytes(b"ddwL")
    journal_mode = "DELETE"
    synchronous = "EXTRA"
    schemas = (
        """
CREATE TABLE collection (
    name TEXT PRIMARY KEY,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    description TEXT NOT NULL DEFAULT ''
);
CREATE TABLE collection_item (
    collection TEXT NOT NULL REFERENCES collection ON UPDATE CASCADE ON DELETE CASCADE,
    path TEXT NOT NULL,
    PRIMARY KEY (collection, path)
) WITHOUT ROWID;
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
CREATE TABLE reviewed (
    a TEXT NOT NULL,
    b TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (a, b),
    CHECK (a <= b)
) WITHOUT ROWID;
""",
        """
CREATE TABLE IF NOT EXISTS revision (what TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO revision VALUES ('collections', 0), ('decisions', 0);
CREATE TABLE IF NOT EXISTS review (
    id TEXT PRIMARY KEY,
    images INTEGER NOT NULL,
    of TEXT NOT NULL,
    changed TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS review_step (
    review TEXT NOT NULL REFERENCES review ON UPDATE CASCADE ON DELETE CASCADE,
    number INTEGER NOT NULL,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    step TEXT,
    value TEXT NOT NULL,
    PRIMARY KEY (review, number)
) WITHOUT ROWID;
""",
        # Many paths of a collection, one a line; further ones are items.
        """
CREATE TABLE IF NOT EXISTS collection_part (
    number INTEGER PRIMARY KEY,
    collection TEXT NOT NULL REFERENCES collection ON UPDATE CASCADE ON DELETE CASCADE,
    paths TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS part_of_collection ON collection_part (collection);
""",
    )

    def __init__(
        self, path: Path, *, wait_seconds: float = WAIT_SECONDS, rows_by_path: int = 1_000
    ) -> None:
        self.rows_by_path = rows_by_path
        self._copied: date | None = None
        super().__init__(path, wait_seconds=wait_seconds)

    @contextmanager
    def _transaction(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        self._copy_if_due()
        with super()._transaction(wait=wait) as db:
            yield db
        # Of one that was empty there is something to copy only now.
        self._copy_if_due()

    def _copy_if_due(self) -> None:
        today = date.today()
        if today == self._copied or not self.is_in_place or self._is_empty():
            return
        with self._reading:
            copy_today(self._reader, self.path, today)
        self._copied = today

    def _is_empty(self) -> bool:
        there = (f"EXISTS (SELECT 1 FROM {table})" for table in _DECIDED)
        return not self._query(f"SELECT {' OR '.join(there)}")[0][0]

    def _remedy(self, code: int) -> str:
        copies = copies_of(self.path)
        if code in DAMAGE and copies:
            return f"end all kernels and put its copy {copies[0]} in its place"
        return super()._remedy(code)

    def _number_of(self, what: Literal["collections", "decisions"]) -> int:
        found = self._query("SELECT number FROM revision WHERE what = ?", (what,))
        return int(found[0][0])

    @contextmanager
    def _changing(self, what: Literal["collections", "decisions"]) -> Iterator[sqlite3.Connection]:
        with self.together() as db:
            db.execute("UPDATE revision SET number = number + 1 WHERE what = ?", (what,))
            yield db

    def add_from_store(self, store: sqlite3.Connection) -> None:
        """Add what was decided in a store of schema 3, which kept it in the cache's file.

        What is here stays as it is, so doing it again changes nothing.
        """
        with self._changing("collections") as db:
            for read, write in _FROM_STORES.items():
                db.executemany(write, store.execute(read))

    # Collections

    def collections_version(self) -> tuple[int, int]:
        """Return what stays the same as long as no collection changed, whoever changes one."""
        return self.times_opened, self._number_of("collections")

    def collections(self) -> dict[str, StoredCollection]:
        """Return the collections by name, the oldest first."""
        found = self._query(
            "SELECT name, description, paths, is_part FROM collection LEFT JOIN ("
            " SELECT collection, json_group_array(path) AS paths, 0 AS is_part"
            " FROM collection_item GROUP BY collection"
            " UNION ALL SELECT collection, paths, 1 FROM collection_part"
            ") ON collection = name ORDER BY collection.rowid"
        )
        collections: dict[str, StoredCollection] = {}
        for name, description, paths, is_part in found:
            collection = collections.setdefault(name, StoredCollection(set(), description))
            if paths is not None:
                collection.paths.update(paths.split("\n") if is_part else json.loads(paths))
        return collections

    def change_collection(
        self,
        name: str,
        *,
        add: "Sequence[str] | pl.Series" = (),
        remove: Iterable[str] = (),
        description: str | None = None,
        make: bool = True,
        drop: bool = False,
    ) -> CollectionChange | None:
        """Change a collection in one transaction.

        Parameters
        ----------
        name
            Of the collection.
        add, remove
            Absolute paths to put in and to take out; none in both. Many are written fast from a
            column.
        description
            What it is for; None leaves it as it is.
        make
            Whether to make the collection when there is none of that name.
        drop
            Whether to forget the collection if nothing is left in it.

        Returns
        -------
        CollectionChange or None
            What changed; None when there is no such collection, and none was to be made.
        """
        with self._changing("collections") as db:
            is_new = False
            if make:
                made = db.execute("INSERT OR IGNORE INTO collection (name) VALUES (?)", (name,))
                is_new = made.rowcount > 0
            described = self._query("SELECT description FROM collection WHERE name = ?", (name,))
            if not described:
                return None
            before = described[0][0]
            self._take_out(db, name, set(remove))
            self._put_in(db, name, add)
            after = before if description is None else description
            db.execute("UPDATE collection SET description = ? WHERE name = ?", (after, name))
            if drop:
                db.execute(
                    "DELETE FROM collection WHERE name = ?1"
                    " AND NOT EXISTS (SELECT 1 FROM collection_item WHERE collection = ?1)"
                    " AND NOT EXISTS (SELECT 1 FROM collection_part WHERE collection = ?1)",
                    (name,),
                )
            return CollectionChange((before, after), is_new)

    def _take_out(self, db: sqlite3.Connection, name: str, paths: set[str]) -> None:
        if not paths:
            return
        of_name = "FROM {} WHERE collection = ?"
        if self._query(f"SELECT 1 {of_name.format('collection_item')} LIMIT 1", (name,)):
            db.executemany(
                "DELETE FROM collection_item WHERE collection = ? AND path = ?",
                [(name, path) for path in paths],
            )
        parts = self._query(f"SELECT number, paths {of_name.format('collection_part')}", (name,))
        for number, text in parts:
            there = text.split("\n")
            left = [path for path in there if path not in paths]
            if not left:
                db.execute("DELETE FROM collection_part WHERE number = ?", (number,))
            elif len(left) < len(there):
                db.execute(
                    "UPDATE collection_part SET paths = ? WHERE number = ?",
                    ("\n".join(left), number),
                )

    def _put_in(
        self, db: sqlite3.Connection, name: str, paths: "Sequence[str] | pl.Series"
    ) -> None:
        is_many = len(paths) >= MANY_PATHS
        for start in range(0, len(paths), PATHS_IN_A_PART):
            some = paths[start : start + PATHS_IN_A_PART]
            lines = _lines(some) if is_many else ""
            if is_many and lines.count("\n") == len(some) - 1:
                db.execute(
                    "INSERT INTO collection_part (collection, paths) VALUES (?, ?)", (name, lines)
                )
            else:  # few, or one of them has a line break in it
                db.executemany(
                    "INSERT INTO collection_item VALUES (?, ?) ON CONFLICT DO NOTHING",
                    [(name, path) for path in some],
                )

    def rename_collection(self, old: str, new: str) -> bool:
        """Give a collection another name, with all that is in it; False when there is none.

        Raises
        ------
        InputError
            When there is a collection of the new name.
        """
        with self._changing("collections") as db:
            if self._query("SELECT 1 FROM collection WHERE name = ?", (new,)):
                raise InputError(
                    f"cannot rename {old!r}: there is a collection {new!r} already, perhaps of "
                    "images of other frames; choose another name"
                )
            renamed = db.execute("UPDATE collection SET name = ? WHERE name = ?", (new, old))
            return renamed.rowcount > 0

    # Decisions by hand

    # There are few, compared to the images of a frame: all are read, and those in question picked.

    def decisions_version(self) -> int:
        """Return a number that rises with each decision by hand, whoever makes it."""
        return self._number_of("decisions")

    def chosen_keepers(self, fingerprints: Container[str] | None = None) -> dict[str, str]:
        """Return the keepers chosen by hand, of some pictures or of all.

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
        found = self._query("SELECT path, fingerprint FROM chosen_keeper")
        return {p: it for p, it in found if fingerprints is None or it in fingerprints}

    def not_duplicates(self, among: Container[str] | None = None) -> set[tuple[str, str]]:
        """Return the pairs (a, b), a ≤ b, of some fingerprints or of all that are no duplicates."""
        found = self._query("SELECT a, b FROM not_duplicates")
        return {(a, b) for a, b in found if among is None or (a in among and b in among)}

    def reviewed(self) -> set[tuple[str, str]]:
        """Return the pairs (a, b), a ≤ b, of fingerprints that were looked at side by side."""
        return set(self._query("SELECT a, b FROM reviewed"))

    def decide(
        self,
        *,
        add_keepers: Mapping[str, str] | None = None,
        remove_keepers: Iterable[str] = (),
        add_not_duplicates: Iterable[tuple[str, str]] = (),
        remove_not_duplicates: Iterable[tuple[str, str]] = (),
        add_reviewed: Iterable[tuple[str, str]] = (),
        remove_reviewed: Iterable[tuple[str, str]] = (),
        since: int | None = None,
    ) -> int:
        """Remember and forget decisions by hand, in one transaction.

        Parameters
        ----------
        add_keepers
            Fingerprints by absolute path, of the images that were chosen to be keepers.
        remove_keepers
            Absolute paths of images that are no longer.
        add_not_duplicates, remove_not_duplicates, add_reviewed, remove_reviewed
            Pairs of fingerprints, in any order.
        since
            The version of all decisions that these were made on; None for any.

        Returns
        -------
        int
            The version with these; see :meth:`decisions_version`.

        Raises
        ------
        ChangedMeanwhileError
            When there is another version by now; nothing is changed.
        """
        with self._changing("decisions") as db:
            version = self.decisions_version()
            if since is not None and version != since + 1:
                raise ChangedMeanwhileError
            db.executemany(
                "DELETE FROM chosen_keeper WHERE path = ?", [(path,) for path in remove_keepers]
            )
            db.executemany(
                "INSERT OR REPLACE INTO chosen_keeper (path, fingerprint) VALUES (?, ?)",
                list((add_keepers or {}).items()),
            )
            for table, add, remove in (
                ("not_duplicates", add_not_duplicates, remove_not_duplicates),
                ("reviewed", add_reviewed, remove_reviewed),
            ):
                db.executemany(
                    f"DELETE FROM {table} WHERE a = min(?1, ?2) AND b = max(?1, ?2)", list(remove)
                )
                db.executemany(
                    f"INSERT INTO {table} (a, b) VALUES (min(?1, ?2), max(?1, ?2))"
                    " ON CONFLICT (a, b) DO NOTHING",
                    list(add),
                )
            return version

    # Reviews, step by step

    def has_review(self, images: int) -> bool:
        """Tell whether there is a review of so many images."""
        return bool(self._query("SELECT 1 FROM review WHERE images = ? LIMIT 1", (images,)))

    def last_review(self, *of: str) -> tuple[str, str, list[ReviewLine]] | None:
        """Return the last review of some images, which any of some texts stands for.

        Returns
        -------
        tuple or None
            Its name, the text by which it was found, and the lines of its log.
        """
        found = self._query(
            f"SELECT id, of FROM review WHERE of IN ({', '.join('?' * len(of))})"
            " ORDER BY changed DESC LIMIT 1",
            of,
        )
        if not found:
            return None
        lines = self._query(
            "SELECT time, action, step, value FROM review_step WHERE review = ? ORDER BY number",
            found[0][:1],
        )
        return (*found[0], lines)

    def write_review(
        self,
        name: str,
        images: int,
        of: str,
        first: int,
        lines: Callable[[int], Sequence[ReviewLine]],
        *,
        goes_on: str | None = None,
    ) -> None:
        """Write the lines of a review that are new; inside no transaction nobody is waited for.

        Parameters
        ----------
        name
            Of the review.
        images, of
            How many images it is of, and a text by which these are known.
        first
            The first line that is new or another than before.
        lines
            Returns the lines from a number on.
        goes_on
            The name of the review that this one goes on with, and is called instead of.

        Raises
        ------
        StoreBusyError
            When somebody else writes at the moment.
        """
        with self.together(wait=False) as db:
            if goes_on is not None:
                db.execute("UPDATE review SET id = ? WHERE id = ?", (name, goes_on))
            db.execute(
                "INSERT INTO review VALUES (?, ?, ?, strftime('%Y-%m-%d %H:%M:%f', 'now'))"
                " ON CONFLICT (id) DO UPDATE SET of = excluded.of, changed = excluded.changed",
                (name, images, of),
            )
            there = db.execute("SELECT count(*) FROM review_step WHERE review = ?", (name,))
            # Where another review went on with this one, it is all to be written again.
            first = min(first, there.fetchone()[0])
            db.execute("DELETE FROM review_step WHERE review = ? AND number >= ?", (name, first))
            db.executemany(
                "INSERT INTO review_step VALUES (?, ?, ?, ?, ?, ?)",
                [(name, number, *line) for number, line in enumerate(lines(first), first)],
            )


def _lines(paths: "Sequence[str] | pl.Series") -> str:
    return "\n".join(paths) if isinstance(paths, Sequence) else str(paths.str.join("\n").item())
