"""What can be computed again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from dedup_widgets.images.decode import DECODER_VERSION, Facts
from dedup_widgets.images.source import Entry
from dedup_widgets.store.database import Database

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


class Cache(Database):
    """What can be computed again."""

    def files(self, paths: Iterable[str]) -> dict[str, FileRecord]:
        """Return what is known of each path; unknown ones are left out.

        A record is true only while the file's size and version are those of its
        ``entry``: compare before trusting it.
        """
        rows = list(
            self._query_in(
                # The column is older than versions of files that are no times.
                "SELECT path, size, CAST(mtime_ns AS TEXT), fingerprint,"
                " coalesce(facts, 'null'), error"
                " FROM file WHERE decoder = ? AND path IN (SELECT value FROM json_each(?))",
                paths,
                (DECODER_VERSION,),
            )
        )
        # One text for all is parsed several times faster than one each.
        facts = json.loads(f"[{','.join(row[4] for row in rows)}]")
        return {
            path: FileRecord(
                Entry(path, size, version),
                fingerprint,
                None if known is None else Facts(**known),
                error,
            )
            for (path, size, version, fingerprint, _, error), known in zip(rows, facts, strict=True)
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
                        record.entry.version,
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
