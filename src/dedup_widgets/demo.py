"""Photos to try things on: real ones that scikit-image ships, and edited copies of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageEnhance, ImageOps

from dedup_widgets.errors import InputError
from dedup_widgets.store.library import Library
from dedup_widgets.store.open import Store, open_store

PHOTOS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
_COMPLETE = ".complete"

Edit = Callable[[Image.Image, Path], None]


def _resave(photo: Image.Image, to: Path) -> None:
    photo.save(to.with_suffix(".png"), compress_level=9)


def _resize(photo: Image.Image, to: Path) -> None:
    photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS).save(
        to.with_suffix(".jpg"), quality=90
    )


def _reencode(photo: Image.Image, to: Path) -> None:
    photo.save(to.with_suffix(".jpg"), quality=45)


def _reencode_webp(photo: Image.Image, to: Path) -> None:
    photo.save(to.with_suffix(".webp"), quality=60)


def _crop(photo: Image.Image, to: Path) -> None:
    x, y = photo.width // 14, photo.height // 14
    photo.crop((x, y, photo.width - x // 2, photo.height - y // 2)).save(
        to.with_suffix(".jpg"), quality=90
    )


def _flip(photo: Image.Image, to: Path) -> None:
    ImageOps.mirror(photo).save(to.with_suffix(".jpg"), quality=90)


def _rotate_by_exif(photo: Image.Image, to: Path) -> None:
    """Store the pixels turned, with the tag that turns them back: the same picture on screen."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save(to.with_suffix(".png"), exif=exif)


def _brighten(photo: Image.Image, to: Path) -> None:
    ImageEnhance.Brightness(photo).enhance(1.25).save(to.with_suffix(".jpg"), quality=90)


# Two photos of three get four of these in turn, so that each edit is made of several photos.
EDITS: tuple[tuple[str, Edit], ...] = (
    ("resaved", _resave),
    ("small", _resize),
    ("cropped", _crop),
    ("rotated by EXIF", _rotate_by_exif),
    ("re-encoded", _reencode),
    ("brightened", _brighten),
    ("web", _reencode_webp),
    ("flipped", _flip),
)


_practice: list[TemporaryDirectory[str]] = []


def practice_store() -> Store:
    """Return a store for practice: the usual cache, and a library that is gone with the process."""
    folder = TemporaryDirectory(prefix="dedup-widgets-practice-")
    _practice.append(folder)
    return Store(open_store().cache, Library(Path(folder.name) / "library.sqlite"))


def demo_photos(folder: str | os.PathLike[str]) -> Path:
    """Make the demo photo set, unless it is there already.

    Parameters
    ----------
    folder
        Where to put it; made when missing.

    Returns
    -------
    Path
        The folder: 19 photos, four edited copies of most of them, some plain copies, a truncated
        file, and a text that is named ``.jpg``.

    Raises
    ------
    InputError
        When scikit-image, which ships the photos, is not installed, or the folder holds other
        files.
    """
    folder = Path(folder)
    if (folder / _COMPLETE).exists():
        return folder
    try:
        import skimage
    except ImportError as error:
        raise InputError(
            'the demo photos come from scikit-image: pip install "dedup-widgets[demo]"'
        ) from error
    if folder.exists() and any(folder.iterdir()) and not (folder / "camera").is_dir():
        raise InputError(f"{folder} holds other files; name a new folder for the demo photos")
    source = Path(skimage.__file__).parent / "data"
    originals, copies = folder / "camera", folder / "copies"
    originals.mkdir(parents=True, exist_ok=True)
    copies.mkdir(exist_ok=True)
    for number, name in enumerate(PHOTOS):
        shutil.copyfile(source / name, originals / name)
        if number % 3 == 2:
            continue
        with Image.open(source / name) as image:
            photo = image.convert("RGB")
        for turn in range(4):
            edit, make = EDITS[(3 * number + turn) % len(EDITS)]
            make(photo, copies / f"{Path(name).stem} ({edit})")
        if number % 2 == 0:
            shutil.copyfile(source / name, copies / f"{Path(name).stem} (copy){Path(name).suffix}")
    rocket = (source / "rocket.jpg").read_bytes()
    (copies / "rocket (truncated).jpg").write_bytes(rocket[: len(rocket) // 3])
    (copies / "notes.jpg").write_text("This is a text that somebody named .jpg\n")
    (folder / _COMPLETE).touch()
    return folder
