"""Results of earlier searches in the store, so that the next search compares only new images.

A search is kept with a key for each picture that it compared, made of its fingerprint and its
vector: its result holds as long as both are the same. A stored search that is damaged, or was
written by another version, is ignored.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import StoreError
from dedup_widgets.scoring.comparison import Comparison
from dedup_widgets.scoring.uniqueness import Nearest, find_nearest
from dedup_widgets.store.cache import Cache
from dedup_widgets.store.seal import SEAL_BYTES, is_sealed, seal

FORMAT = 3
"""Part of what is kept: raise it when distances are computed in another way."""


_BLOCK_VECTORS = 2**16
"""Vectors whose keys are computed at a time."""


_TOO_MANY = np.empty(0, np.int32)
"""Stands for pairs that were too many to be kept."""


def find_with_store(
    cache: Cache | None,
    model: str,
    embeddings: NDArray[np.float16],
    *,
    fingerprints: Sequence[str],
    rank: NDArray[np.int64],
    old: NDArray[np.bool_] | None = None,
    **options: Any,
) -> Nearest:
    """Search as :func:`find_nearest` does, continuing from a search in a store.

    Parameters
    ----------
    cache, model
        Where searches are kept, None for nowhere, and the key of the model that made the vectors.
    embeddings
        (n, d), one row an image.
    fingerprints
        32 hex digits each.
    rank
        n numbers, all different, the lowest for the best keeper.
    old, options
        As :func:`dedup_widgets.scoring.uniqueness.find_nearest` takes them. A search against old
        images is not kept, as it does not say which of these are near each other.

    Returns
    -------
    Nearest
        To the last bit what :func:`find_nearest` returns.
    """
    if cache is None or len(fingerprints) < 2 or old is not None:
        return find_nearest(embeddings, fingerprints=fingerprints, rank=rank, old=old, **options)
    best_first = np.argsort(rank)
    by_rank = pl.Series(fingerprints, dtype=pl.String).gather(best_first)
    first = by_rank.arg_unique().sort()
    names = by_rank.gather(first).to_list()
    known_by = keys(names, embeddings, best_first[first.to_numpy()])
    earlier = find_search(cache, model, names, known_by)
    nearest = find_nearest(
        embeddings,
        fingerprints=fingerprints,
        rank=rank,
        earlier=None if earlier is None else earlier.compared,
        **options,
    )
    save_search(cache, model, known_by, nearest.found, earlier)
    return nearest


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """A search in the store.

    Attributes
    ----------
    number
        Its number in the store.
    compared
        Its result. Pictures that were removed since have names that no fingerprint has.
    whole
        Whether none of its pictures was removed.
    """

    number: int
    compared: Comparison
    whole: bool


def keys(
    fingerprints: Sequence[str], vectors: NDArray[np.float16], rows: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return keys that identify pictures and their vectors.

    Parameters
    ----------
    fingerprints
        n times 32 hex digits.
    vectors, rows
        ``vectors[rows[i]]`` is the vector of the i-th picture.

    Returns
    -------
    NDArray[np.uint64]
        Shape (n, 2).
    """
    made = np.frombuffer(bytes.fromhex("".join(fingerprints)), "<u8").reshape(-1, 2).copy()
    d = vectors.shape[1]
    # A sum with odd factors, modulo 2^64, changes when any one of its terms does.
    factors = np.random.default_rng(d).integers(2**63, size=-(-d // 4), dtype=np.uint64) * 2 + 1
    for start in range(0, len(made), _BLOCK_VECTORS):
        part = rows[start : start + _BLOCK_VECTORS]
        block = np.zeros((len(part), 4 * len(factors)), np.float16)
        block[:, :d] = vectors[part]
        made[start : start + _BLOCK_VECTORS, 1] ^= block.view(np.uint64) @ factors
    return made


def find_search(
    cache: Cache, model: str, fingerprints: Sequence[str], keys: NDArray[np.uint64]
) -> StoredSearch | None:
    """Return the stored search that saves the most work, None when none does.

    Parameters
    ----------
    cache, model
        Where searches are kept, and the key of the model.
    fingerprints, keys
        Of the pictures to be compared, the best keeper first.
    """
    by_first = np.argsort(keys[:, 0])
    best, most = None, (0, 0)
    for number, blob in cache.searches(model):
        theirs = _keys_of(blob)
        if (min(len(theirs), len(keys)), -len(theirs)) <= most:
            continue
        ranks = _ranks(theirs, keys, by_first)
        shared = ranks[ranks >= 0]
        # In another order of keepers, other pictures come first among those equally near.
        if (len(shared), -len(ranks)) > most and (shared[1:] > shared[:-1]).all():
            best, most = (number, blob, ranks), (len(shared), -len(ranks))
    if best is None:
        return None
    number, blob, ranks = best
    names = [
        fingerprints[rank] if rank >= 0 else f"gone {i}" for i, rank in enumerate(ranks.tolist())
    ]
    compared = unpack(names, blob, cache.search(number))
    return None if compared is None else StoredSearch(number, compared, most[0] == len(ranks))


def save_search(
    cache: Cache,
    model: str,
    keys: NDArray[np.uint64],
    compared: Comparison,
    earlier: StoredSearch | None,
) -> None:
    """Keep the result of a search; a warning says so where that fails, as nothing depends on it.

    Parameters
    ----------
    cache, model
        Where to keep it, and the key of the model.
    keys
        Of ``compared.fingerprints``.
    compared
        The result.
    earlier
        The stored search that it continued from.
    """
    try:
        if earlier is not None and _covers(earlier.compared, compared):
            cache.touch_search(earlier.number)
            return
        blob = np.ascontiguousarray(keys, "<u8").tobytes()
        superfluous = earlier.number if earlier is not None and earlier.whole else None
        cache.add_search(model, blob, _pack(compared, blob), instead_of=superfluous)
    except StoreError as error:
        warnings.warn(f"what was compared is not remembered: {error}", stacklevel=2)


def _covers(known: Comparison, found: Comparison) -> bool:
    """Tell whether a stored search includes the result of another one."""
    if known.fingerprints != found.fingerprints:
        return False
    return found.pairs is None or (known.pairs is not None and known.radius >= found.radius)


def _keys_of(blob: object) -> NDArray[np.uint64]:
    """Return keys, (n, 2), from their bytes; none if the bytes are damaged."""
    if not isinstance(blob, bytes) or len(blob) % 16:
        return np.empty((0, 2), np.uint64)
    return np.frombuffer(blob, "<u8").reshape(-1, 2)


def _ranks(
    stored: NDArray[np.uint64], keys: NDArray[np.uint64], by_first: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the index in `keys` of each stored key, -1 where it is not among them.

    `by_first` sorts `keys` by their first half.
    """
    if not len(keys):
        return np.full(len(stored), -1)
    at = np.searchsorted(keys[:, 0], stored[:, 0], sorter=by_first)
    index = by_first[np.minimum(at, len(keys) - 1)]
    return np.where((keys[index] == stored).all(axis=1), index, -1)


def _pack(compared: Comparison, keys: bytes) -> bytes:
    """Return a result as bytes."""
    file = io.BytesIO()
    np.savez(
        file,
        version=FORMAT,
        nearest=compared.nearest.astype(np.int32),
        distance=compared.distance,
        radius=compared.radius,
        pairs=_TOO_MANY if compared.pairs is None else compared.pairs,
    )
    found = file.getvalue()
    return seal(keys, found) + found


def unpack(names: list[str], keys: bytes, blob: Any) -> Comparison | None:
    """Return a result from the bytes of :func:`_pack`; None if damaged or a stranger's."""
    try:
        if not is_sealed(blob[:SEAL_BYTES], keys, blob[SEAL_BYTES:]):
            return None
        found = np.load(io.BytesIO(blob[SEAL_BYTES:]))
        if found["version"] != FORMAT:
            return None
        nearest, pairs = found["nearest"].astype(np.int64), found["pairs"]
        return Comparison(
            fingerprints=names,
            nearest=nearest,
            distance=found["distance"],
            radius=float(found["radius"]),
            pairs=None if pairs.shape == _TOO_MANY.shape else pairs,
        )
    except Exception:
        # Of earlier versions there are other things.
        return None
