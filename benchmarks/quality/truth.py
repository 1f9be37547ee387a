"""The pictures to judge by, and the table that says what each of them is.

Columns: ``path``; ``source``, equal for pictures that are copies of each other, and of no others;
``edit``, what was done (``original``, the name of an edit, the variation of a negative); ``set``.
"""

import os
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

import polars as pl
from PIL import Image

from benchmarks.quality import sequences
from benchmarks.quality.edits import FURTHER, STANDARD, Edit, open_photo
from benchmarks.quality.negatives import BURSTS, COLLAGES, DRAWN, GIVEN
from dedup_widgets.errors import InputError
from dedup_widgets.images.listing import find_images

ORIGINAL = "original"
STANDARD_SET, FURTHER_SET, PHOTOS_SET = "standard edits", "further edits", "different photos"
THRESHOLDS_SET = "thresholds"
"""Edited copies of photos that no figure is of: thresholds are chosen on them."""
ASIDE = 50
"""Photos to choose thresholds by, where there are as many; more where more are judged."""
WRITTEN_AT = 1_600_000_000
"""The modification time of all files, in Unix time, so that none looks older than another."""

Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class Size:
    """How much is made.

    Attributes
    ----------
    photos : int
        Photos of which edited copies are made.
    each : int
        Photos of which each of the further edits is made.
    share : float
        Of the drawn negatives.
    """

    photos: int = 150
    each: int = 30
    share: float = 1.0


def make(
    photos: Path | None, folder: Path, size: Size, negatives: Path | None = None
) -> pl.DataFrame:
    """Write all pictures and ``truth.parquet`` into a folder and return the table.

    Where the folder holds what would be written, from an earlier run, it stays.

    Parameters
    ----------
    photos
        A folder of photos, none of which is a copy of another. A fifth or more of them is kept
        aside for thresholds. None: those that scikit-image ships.
    folder
        Where to write; what else is in it is deleted.
    size
        How much is made; less where there are fewer photos.
    negatives
        A folder of further pictures, none of which is a copy of another. They stay where they are.
    """
    own = [Path(path) for path in _photos(photos)]
    given = [] if negatives is None else find_images(str(negatives))
    version, stamp = _version(own, given, size), folder / "version.txt"
    if stamp.exists() and stamp.read_text() == version:
        return pl.read_parquet(folder / "truth.parquet")
    if folder.exists():
        shutil.rmtree(folder)
    judged, aside, everyone = _split(own, size.photos)
    rows = [
        *_edited(judged, folder, STANDARD_SET, dict.fromkeys(judged, STANDARD)),
        *_edited(judged, folder, FURTHER_SET, _some_each(judged, size.each)),
        *_edited(aside, folder, THRESHOLDS_SET, dict.fromkeys(aside, STANDARD)),
        *((str(path), path.name, ORIGINAL, PHOTOS_SET) for path in everyone),
        *_drawn(folder, size.share),
        *_of_photos(judged, folder, round(20 * size.share)),
    ]
    rows += [(path, path, GIVEN, GIVEN) for path in given]
    table = pl.DataFrame(rows, ["path", "source", "edit", "set"], orient="row")
    table.write_parquet(folder / "truth.parquet")
    stamp.write_text(version)
    return table


def _version(photos: Sequence[Path], given: Sequence[str], size: Size) -> str:
    """Return a text that changes with the photos, the size, and the code that makes pictures."""
    files = [(str(path), path.stat().st_size) for path in photos]
    makers = ("edits", "negatives", "pages", "graphics", "sequences", "truth")
    code = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in makers]
    return sha1(repr((files, given, size, code)).encode()).hexdigest()


def _photos(photos: Path | None) -> list[str]:
    if photos is not None:
        return find_images(str(photos))
    import skimage

    from dedup_widgets.demo import PHOTOS

    # The two of a stereo pair are similar, and so is what has no content to find again.
    apart = {"motorcycle_right.png"}
    data = Path(skimage.__file__).parent / "data"
    return [str(data / name) for name in PHOTOS if name not in apart]


def _split(paths: Sequence[Path], n: int) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the photos to judge by, those kept aside, and all, in an order that names decide."""
    if len(paths) < 5:
        raise InputError(f"there are {len(paths)} photos; the evaluation needs 5 or more")
    everyone = sorted(paths, key=lambda path: sha1(path.name.encode()).digest())
    n = min(n, len(everyone) * 4 // 5)
    return everyone[:n], everyone[n : n + max(ASIDE, n // 3)], sorted(everyone)


def _some_each(photos: Sequence[Path], each: int) -> dict[Path, list[Edit]]:
    """Deal the further edits out, so that each photo gets about as many."""
    dealt: dict[Path, list[Edit]] = {photo: [] for photo in photos}
    for number, edit in enumerate(FURTHER):
        for turn in range(min(each, len(photos))):
            dealt[photos[(number * each + turn) % len(photos)]].append(edit)
    return dealt


def _edited(
    photos: Sequence[Path], folder: Path, name: str, edits: Mapping[Path, Sequence[Edit]]
) -> list[Row]:
    to = folder / name.replace(" ", "-")
    to.mkdir(parents=True)

    def copies(number: int) -> list[Row]:
        return list(_copies(number, photos[number], to, name, edits[photos[number]]))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [row for rows in pool.map(copies, range(len(photos))) for row in rows]


def _copies(number: int, source: Path, to: Path, name: str, edits: Sequence[Edit]) -> Iterator[Row]:
    """Write a photo and its copies. The names do not say which is which: no rule can go by them."""

    def stem(edit: str) -> Path:
        return to / f"{number:04}-{sha1(f'{source.name}/{edit}'.encode()).hexdigest()[:6]}"

    photo = open_photo(source)
    original = stem(ORIGINAL).with_suffix(source.suffix)
    shutil.copyfile(source, original)
    written = [(original, ORIGINAL)]
    written += [(edit.write(source, photo, stem(edit.name)), edit.name) for edit in edits]
    for path, edit in written:
        os.utime(path, (WRITTEN_AT, WRITTEN_AT))
        yield str(path), f"{number:04} {source.name}", edit, name


def _drawn(folder: Path, share: float) -> Iterator[Row]:
    to = folder / "negatives"
    to.mkdir(parents=True)
    for kind in DRAWN:
        for path, variation in kind.write(to, share):
            yield str(path), path.name, variation, kind.name


def _of_photos(photos: Sequence[Path], folder: Path, count: int) -> Iterator[Row]:
    """Write bursts of photos, and collages beside the photos that they show.

    A collage is no copy: whoever drops the photo for it loses the photo.
    """
    chosen = [open_photo(path) for path in photos[:count]]
    made = {
        BURSTS: sequences.bursts(chosen, random.Random(BURSTS)),
        COLLAGES: iter([*((ORIGINAL, photo) for photo in chosen), *sequences.collages(chosen)]),
    }
    for name, pictures in made.items():
        to = folder / name
        to.mkdir(parents=True)
        for number, (variation, picture) in enumerate(pictures):
            path = to / f"{number:03}.jpg"
            _write(picture, path)
            yield str(path), f"{name}/{path.name}", variation, name


def _write(picture: Image.Image, path: Path) -> None:
    picture.save(path, quality=90)
