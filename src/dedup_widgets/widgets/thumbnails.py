"""Thumbnails for the grid: from the cache, else decoded now and remembered."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from dedup_widgets._paths import absolute
from dedup_widgets.errors import ImageError, StoreError
from dedup_widgets.images.decode import decode
from dedup_widgets.images.source import SourceFor, source_for
from dedup_widgets.images.thumbnail import thumbnail
from dedup_widgets.store.cache import Cache, FileRecord


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG, or the reason why there is none."""

    jpeg: bytes | None = None
    error: str | None = None


def load_thumbnails(
    paths: Sequence[str],
    fingerprints: Sequence[str | None],
    cache: Cache,
    source_for: SourceFor = source_for,
) -> list[Thumbnail]:
    """Return a thumbnail for each path.

    Parameters
    ----------
    paths
        Image files.
    fingerprints
        Fingerprints of the contents to show, as the frame has them; None where it has none: then
        the file as it is now.
    cache, source_for
        Where thumbnails are kept, and what chooses the source of a path.
    """
    paths = [absolute(path) for path in paths]
    files = cache.files(path for path, f in zip(paths, fingerprints, strict=True) if f is None)
    wanted = [
        fingerprint or _current_fingerprint(files.get(path), source_for)
        for path, fingerprint in zip(paths, fingerprints, strict=True)
    ]
    stored = cache.thumbnails(fingerprint for fingerprint in wanted if fingerprint)
    result: list[Thumbnail] = []
    records: list[FileRecord] = []
    made: dict[str, bytes] = {}
    for path, fingerprint in zip(paths, wanted, strict=True):
        jpeg = stored.get(fingerprint) or made.get(fingerprint) if fingerprint else None
        if jpeg is not None:
            result.append(Thumbnail(jpeg))
            continue
        try:
            source = source_for(path)
            entry = source.stat(path)
            picture = decode(source.read(path))
        except ImageError as error:
            result.append(Thumbnail(error=str(error).removeprefix(f"{path}: ")))
            continue
        made[picture.fingerprint] = jpeg = thumbnail(picture.reduced)
        records.append(FileRecord(entry, picture.fingerprint, picture.facts))
        result.append(Thumbnail(jpeg))
    if records:
        _keep(cache, records, made)
    return result


def _keep(cache: Cache, records: list[FileRecord], made: dict[str, bytes]) -> None:
    """Keep what was made; a warning says so where that fails, as it is shown all the same."""
    try:
        cache.add(records, made)
    except StoreError as error:
        warnings.warn(f"pictures are shown, but not remembered: {error}", stacklevel=2)


def _current_fingerprint(record: FileRecord | None, source_for: SourceFor) -> str | None:
    """Return the stored fingerprint if the file still is what it was."""
    if record is None:
        return None
    path = record.entry.path
    try:
        now = source_for(path).stat(path)
        return record.fingerprint if now.is_unchanged(record.entry) else None
    except ImageError:
        return None
