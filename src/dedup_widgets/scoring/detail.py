"""How fine the detail of pictures is: of those that were not decoded in full, once it matters."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from dedup_widgets._paths import absolute
from dedup_widgets._progress import Progress, steps
from dedup_widgets.errors import ImageError
from dedup_widgets.images.decode import decode, decoding_of
from dedup_widgets.images.source import source_for


def unmeasured(pictures: pl.DataFrame) -> list[tuple[str, str]]:
    """Return path and fingerprint of the pictures whose detail could be measured, and was not.

    Parameters
    ----------
    pictures
        ``path``, ``fingerprint``, and ``spectrum`` as `Facts` has it.
    """
    rows = pictures.select("path", "fingerprint", "spectrum").iter_rows()
    return [
        (path, name) for path, name, waves in rows if not waves and decoding_of(name) == "reduced"
    ]


def measure(
    pictures: Sequence[tuple[str, str]], workers: int, progress: Progress = False
) -> dict[str, str]:
    """Decode files in full, and return their spectra by fingerprint.

    Parameters
    ----------
    pictures
        Path and fingerprint. Of a file that is not there as it was, the spectrum is empty.
    workers
        Threads that decode.
    progress
        Whether to show a bar, or a function that is called with files done and in all.
    """
    found: dict[str, str] = {}
    if not pictures:
        return found
    with (
        steps(len(pictures), "Measuring detail", progress) as report,
        ThreadPoolExecutor(workers, "dedup-widgets") as pool,
    ):
        for (_, name), spectrum in zip(pictures, pool.map(_measured, pictures), strict=True):
            found[name] = spectrum
            report(1)
    return found


def with_measured(pictures: pl.DataFrame, measured: Mapping[str, str]) -> list[bytes]:
    """Return the spectrum of each picture, as it was known or measured."""
    rows = pictures.select("fingerprint", "spectrum").iter_rows()
    return [bytes.fromhex(waves or measured.get(name, "")) for name, waves in rows]


def _measured(picture: tuple[str, str]) -> str:
    path, fingerprint = absolute(picture[0]), picture[1]
    try:
        data = source_for(path).read(path)
        if decode(data, "reduced").fingerprint != fingerprint:
            return ""
        return decode(data).facts.spectrum
    except ImageError:
        return ""
