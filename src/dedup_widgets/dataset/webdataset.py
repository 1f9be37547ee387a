"""Tar shards of pictures and their JSON, as webdataset reads them."""

import datetime as dt
import io
import json
import math
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dedup_widgets.dataset.spec import DatasetSpec, Item, Place, read_in_order

_SAME_SUFFIX = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff"}
_FIELDS = {"jpg", "png", "webp", "gif", "bmp", "tiff"}
_ROWS_THAT_SHOW_THE_TYPES = 5
_TAR_BLOCK = 512


def stored_bytes(items: list[Item]) -> int:
    """Return about how many bytes the shards of these pictures take."""
    return sum(4 * _TAR_BLOCK + _padded(item.size) for item in items)


def write_shards(
    spec: DatasetSpec, folder: Path, shard_bytes: int, step: Callable[[int], object]
) -> list[Place]:
    """Write the shards; return where each picture is, in the order of the items."""
    field = _field(spec.items)
    known = [_known(row) for row in spec.metadata.iter_rows(named=True)]
    rows = [json.dumps(row, ensure_ascii=False, default=_as_text).encode() for row in known]
    places: dict[int, Place] = {}
    for split in spec.splits:
        members = [i for i, item in enumerate(spec.items) if item.split == split]
        order = _rows_covering_columns_first(members, known)
        with read_in_order([spec.items[i] for i in order]) as read:
            for number, shard in enumerate(_shards(order, spec.items, rows, shard_bytes)):
                file = folder / split / f"{spec.name}-{number:06}.tar"
                # webdataset's own writer would end a shard after it is too large, sort the picture
                # behind its JSON, and import torch.
                with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
                    for i in shard:
                        data = next(read)
                        key = Path(spec.items[i].name).stem
                        start = _add(tar, f"{key}.{field}", data)
                        places[i] = Place(str(file), start, len(data))
                        _add(tar, f"{key}.json", rows[i])
                        step(1)
    return [places[i] for i in range(len(spec.items))]


def _field(items: list[Item]) -> str:
    suffixes = {Path(item.name).suffix[1:].lower() for item in items}
    fields = {_SAME_SUFFIX.get(suffix, suffix) for suffix in suffixes}
    return fields.pop() if len(fields) == 1 and fields <= _FIELDS else "jpg"


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null, and empty lists, which would give loaders the wrong type."""
    finite = {name: _without_nan(value) for name, value in row.items()}
    return {name: value for name, value in finite.items() if value is not None and value != []}


def _without_nan(value: Any) -> Any:
    # JSON has no NaN.
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_without_nan(item) for item in value]
        case dict():
            return {name: _without_nan(item) for name, item in value.items()}
        case _:
            return value


def _as_text(value: Any) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return str(value)


def _rows_covering_columns_first(members: list[int], rows: list[dict[str, Any]]) -> list[int]:
    """Put a few rows first that together have a value in as many columns as possible.

    Loaders infer the types from the first rows, and fail on a column that has a value later only.
    """
    missing = set().union(*(rows[i] for i in members))
    first: list[int] = []
    while missing and len(first) < _ROWS_THAT_SHOW_THE_TYPES:
        _, best = max((len(missing & rows[i].keys()), -i) for i in members)
        first.append(-best)
        missing -= rows[-best].keys()
    chosen = set(first)
    return first + [i for i in members if i not in chosen]


def _shards(
    order: list[int], items: list[Item], rows: list[bytes], limit: int
) -> Iterator[list[int]]:
    # A tar file is filled up to a whole record; a long name takes two blocks more than the header.
    end = tarfile.RECORDSIZE
    shard: list[int] = []
    size = end
    for i in order:
        more = 6 * _TAR_BLOCK + _padded(items[i].size) + _padded(len(rows[i]))
        if shard and size + more > limit:
            yield shard
            shard, size = [], end
        shard.append(i)
        size += more
    yield shard


def _padded(size: int) -> int:
    return -(-size // _TAR_BLOCK) * _TAR_BLOCK


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(data))
    return int(tar.offset) - _padded(len(data))
