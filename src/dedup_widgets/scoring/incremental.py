"""What earlier searches found, so that the next one looks only at what is new.

A search is kept in the store with a key for each picture that it compared, made of its fingerprint
and its vector. What is kept holds as long as both are the same; whatever else is found there, for
it was damaged, or written by another version, counts as nothing.
"""

import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import StoreError
from dedup_widgets.scoring.comparison import Compared
from dedup_widgets.scoring.uniqueness import compare
from dedup_widgets.store.database import Store

FORMAT = 1
"""Part of what is kept: raise it when distances are computed in another way."""


_HEADER = struct.Struct("<IIqqd")


_BLOCK = 2**16


def compare_remembering(
    store: Store | None,
    model: str,
    embeddings: NDArray[np.float16],
    *,
    fingerprints: Sequence[str],
    rank: NDArray[np.int64],
    **options: Any,
) -> pl.DataFrame:
    """Score images as :func:`uniqueness` does, going on from what a store remembers.

    Parameters
    ----------
    store, model
        What remembers, None for nothing, and the key of the model that made the vectors.
    embeddings
        (n, d), one row an image.
    fingerprints
        32 hex digits each.
    rank
        n numbers, all different, the lowest for the best keeper.
    options
        As :func:`dedup_widgets.scoring.uniqueness.compare` takes them.

    Returns
    -------
    pl.DataFrame
        To the last bit what :func:`uniqueness` returns.
    """
    if store is None or len(fingerprints) < 2:
        return compare(embeddings, fingerprints=fingerprints, rank=rank, **options)[0]
    best_first = np.argsort(rank)
    by_rank = pl.Series(fingerprints, dtype=pl.String).gather(best_first)
    first = by_rank.arg_unique().sort()
    names = by_rank.gather(first).to_list()
    known_by = keys(names, embeddings, best_first[first.to_numpy()])
    earlier = recall(store, model, names, known_by)
    scores, compared = compare(
        embeddings,
        fingerprints=fingerprints,
        rank=rank,
        earlier=None if earlier is None else earlier.compared,
        **options,
    )
    remember(store, model, known_by, compared, earlier)
    return scores


@dataclass(frozen=True, slots=True)
class Kept:
    """A search that is kept.

    Attributes
    ----------
    number
        By which the store knows it.
    compared
        What it found. Pictures that are gone have names that no fingerprint has.
    whole
        Whether none of its pictures is gone.
    """

    number: int
    compared: Compared
    whole: bool


def keys(
    fingerprints: Sequence[str], vectors: NDArray[np.float16], rows: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return what identifies pictures and their vectors.

    Parameters
    ----------
    fingerprints
        n times 32 hex digits.
    vectors, rows
        Of the i-th picture, ``vectors[rows[i]]`` is the vector.

    Returns
    -------
    NDArray[np.uint64]
        Shape (n, 2).
    """
    made = np.frombuffer(bytes.fromhex("".join(fingerprints)), "<u8").reshape(-1, 2).copy()
    d = vectors.shape[1]
    # A sum with odd factors, modulo 2^64, changes when any one of its terms does.
    factors = np.random.default_rng(d).integers(2**63, size=-(-d // 4), dtype=np.uint64) * 2 + 1
    for start in range(0, len(made), _BLOCK):
        part = rows[start : start + _BLOCK]
        block = np.zeros((len(part), 4 * len(factors)), np.float16)
        block[:, :d] = vectors[part]
        made[start : start + _BLOCK, 1] ^= block.view(np.uint64) @ factors
    return made


def recall(
    store: Store, model: str, fingerprints: Sequence[str], keys: NDArray[np.uint64]
) -> Kept | None:
    """Return the kept search that saves the most work, None when none does.

    Parameters
    ----------
    store, model
        Where it is kept, and the key of the model.
    fingerprints, keys
        Of the pictures to be compared, the best keeper first.
    """
    by_first = np.argsort(keys[:, 0])
    best, most = None, (0, 0)
    for number, blob in store.searches(model):
        theirs = _keys_of(blob)
        if (min(len(theirs), len(keys)), -len(theirs)) <= most:
            continue
        place = _places(theirs, keys, by_first)
        still = place[place >= 0]
        # In another order of keepers other pictures come first among those equally near.
        if (len(still), -len(place)) > most and (still[1:] > still[:-1]).all():
            best, most = (number, blob, place), (len(still), -len(place))
    if best is None:
        return None
    number, blob, place = best
    names = [fingerprints[at] if at >= 0 else f"gone {i}" for i, at in enumerate(place.tolist())]
    compared = _unpack(names, blob, store.search(number))
    return None if compared is None else Kept(number, compared, most[0] == len(place))


def remember(
    store: Store, model: str, keys: NDArray[np.uint64], compared: Compared, earlier: Kept | None
) -> None:
    """Keep what a search found; one that cannot be kept costs time later, and nothing else.

    Parameters
    ----------
    store, model
        Where to keep it, and the key of the model.
    keys
        Of ``compared.fingerprints``.
    compared
        What was found.
    earlier
        The search that it went on from.
    """
    try:
        if earlier is not None and _says_as_much(earlier.compared, compared):
            store.touch_search(earlier.number)
            return
        blob = np.ascontiguousarray(keys, "<u8").tobytes()
        superfluous = earlier.number if earlier is not None and earlier.whole else None
        store.add_search(model, blob, _pack(compared, blob), instead_of=superfluous)
    except StoreError as error:
        warnings.warn(f"what was compared is not remembered: {error}", stacklevel=2)


def _says_as_much(known: Compared, found: Compared) -> bool:
    """Tell whether a search, known already, says all that another one found."""
    if known.fingerprints != found.fingerprints:
        return False
    return found.pairs is None or (known.pairs is not None and known.reach >= found.reach)


def _keys_of(blob: object) -> NDArray[np.uint64]:
    if not isinstance(blob, bytes) or len(blob) % 16:
        return np.empty((0, 2), np.uint64)
    return np.frombuffer(blob, "<u8").reshape(-1, 2)


def _places(
    theirs: NDArray[np.uint64], ours: NDArray[np.uint64], by_first: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the row of each of their keys among ours, -1 where there is none."""
    if not len(ours):
        return np.full(len(theirs), -1)
    at = np.searchsorted(ours[:, 0], theirs[:, 0], sorter=by_first)
    row = by_first[np.minimum(at, len(ours) - 1)]
    return np.where((ours[row] == theirs).all(axis=1), row, -1)


def _pack(compared: Compared, keys: bytes) -> bytes:
    pairs = -1 if compared.pairs is None else len(compared.pairs)
    body = b"".join(
        [
            compared.nearest.astype("<i4").tobytes(),
            compared.distance.astype("<f8").tobytes(),
            b"" if compared.pairs is None else compared.pairs.astype("<i4").tobytes(),
        ]
    )
    n, reach = len(compared.nearest), compared.reach
    head = _HEADER.pack(FORMAT, 0, n, pairs, reach)
    return _HEADER.pack(FORMAT, _checksum(keys, head, body), n, pairs, reach) + body


def _unpack(names: list[str], keys: bytes, blob: object) -> Compared | None:
    if not isinstance(blob, bytes) or len(blob) < _HEADER.size:
        return None
    version, checksum, n, pairs, reach = _HEADER.unpack_from(blob)
    body = memoryview(blob)[_HEADER.size :]
    whole = version == FORMAT and n == len(names) and len(body) == 12 * n + 8 * max(pairs, 0)
    if not whole or checksum != _checksum(keys, _HEADER.pack(version, 0, n, pairs, reach), body):
        return None
    return Compared(
        fingerprints=names,
        nearest=np.frombuffer(body, "<i4", n).astype(np.int64),
        distance=np.frombuffer(body, "<f8", n, 4 * n).copy(),
        reach=reach,
        pairs=None
        if pairs < 0
        else np.frombuffer(body, "<i4", 2 * pairs, 12 * n).reshape(-1, 2).copy(),
    )


def _checksum(*parts: "bytes | memoryview") -> int:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value
