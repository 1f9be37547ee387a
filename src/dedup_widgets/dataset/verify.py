"""The check of what was written: decoded again, as scored, no exact duplicates."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dedup_widgets._text import about_file, counted, listed
from dedup_widgets.dataset.spec import DatasetSpec, Item, Place, changed, read_unchanged
from dedup_widgets.errors import DatasetError, ImageError
from dedup_widgets.images.decode import decode, decoding_of

_OURS = re.compile("[0-9a-f]{32}")
"""Matches fingerprints of ours; in a frame of others the column may hold another kind."""


def verified_fingerprints(
    spec: DatasetSpec, places: list[Place], allow_duplicates: bool, step: Callable[[int], object]
) -> list[str]:
    """Decode what was written, and compare it with what was scored and with each other.

    Returns the fingerprints.
    """

    def fingerprint(item: Item, place: Place, scored: str | None) -> str:
        data = read_unchanged(item, place)
        try:
            return decode(data, decoding_of(scored or "")).fingerprint
        except ImageError as error:
            raise DatasetError(
                f"{about_file(item.source, error)}. Leave it out: nothing was written."
            ) from error

    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for result in pool.map(fingerprint, spec.items, places, spec.fingerprints):
                found.append(result)
                step(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for item, now, scored in zip(spec.items, found, spec.fingerprints, strict=True):
        if scored is not None and _OURS.fullmatch(scored) and now != scored:
            raise DatasetError(
                f"{changed(item)} If the column 'fingerprint' is of another program, leave it out."
            )
    if not allow_duplicates:
        _refuse_duplicates(spec.items, found)
    return found


def _refuse_duplicates(items: list[Item], fingerprints: list[str]) -> None:
    first: dict[str, str] = {}
    copies = []
    for item, fingerprint in zip(items, fingerprints, strict=True):
        if fingerprint in first:
            copies.append(f"{item.source} is {first[fingerprint]}")
        else:
            first[fingerprint] = item.source
    if copies:
        raise DatasetError(
            f"{counted(len(copies), 'exact duplicate')} among {len(items):,} images: "
            f"{listed(copies)}. Leave them out, or pass allow_duplicates=True. "
            "Nothing was written."
        )
