"""Opening pictures by Pillow: plugins are loaded once, warnings silenced, EXIF orientation used."""

import contextlib
import ctypes
import io
import math
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from PIL import Image, ImageFile, _imaging

from dedup_widgets.images.developed import DevelopedFile
from dedup_widgets.images.formats import check_size

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_ORIENTATION_TAG = 0x0112


_EXIF_IFD_TAG = 0x8769


_DATE_TAKEN_TAGS, _SUBSECONDS_TAG = (0x9003, 0x9004), 0x9291


_OFFSET_TAGS = (0x9011, 0x9012, 0x9010)
"""OffsetTimeOriginal, of the digital picture, and of the last change."""


_OFFSET = re.compile(r"(?:([+-])(0\d|1[0-4]):?([0-5]\d)|Z)")


_DATE = re.compile(
    r"(\d{4})[:\-/.]?(\d\d?)[:\-/.]?(\d\d?)[ T]+(\d\d?)[:.]?(\d\d?)(?:[:.]?(\d\d?))?"
    rf"(?:[.,](\d{{1,9}}))? ?({_OFFSET.pattern})?"
)


_TAGS_OF_STORING = {
    *(_ORIENTATION_TAG, _EXIF_IFD_TAG),
    *(0x011A, 0x011B, 0x0128, 0x0213),  # resolution, its unit, where colour is sampled
    *(0x9000, 0x9101, 0xA000, 0xA001, 0xA002, 0xA003),  # versions, colour space, sides in pixels
}
"""What programs write that turn or store a picture, and that says nothing of where it is from."""


_CORE = Image.core  # type: ignore[attr-defined]

_BLOCK = 2**21
"""Bytes of a block. A block that serves a picture of another size is cut or grown, and what it
grows by the system has to clear: so the less it can be, the better."""


_BLOCKS_A_WORKER, _MOST_BLOCKS = 48, 256
"""Blocks of pictures that are gone: of about one of 24 megapixels a thread."""


def open_image(data: bytes, name: str, page: int = 0) -> ImageFile.ImageFile:
    """Open a picture of a known format, without warnings; of a TIFF a certain page."""
    _load_plugins()
    # Image.open() would try every plugin in turn and warn about large pictures. Here the format is
    # known, and the size is checked by `check_size`.
    image = _opener(name)(io.BytesIO(data), "")
    assert isinstance(image, ImageFile.ImageFile)
    if page:
        image.seek(page)
    return image


def _opener(name: str) -> Callable[..., Image.Image]:
    if name == "RAW":
        return DevelopedFile
    return _open_jpeg_xl if name == "JXL" else Image.OPEN[name][0]


def _open_jpeg_xl(file: io.BytesIO, _name: str) -> Image.Image:
    import pillow_jxl  # noqa: F401

    try:
        image = Image.OPEN["JXL"][0](file, "")
    except BaseException as error:
        # A panic of Rust is no Exception.
        if type(error).__name__ == "PanicException":
            raise ValueError(str(error)) from error
        raise
    # What was a JPEG is given as that, with its EXIF; all else the right way up.
    image.is_upright = not image.jpeg  # type: ignore[attr-defined]
    return image


_plugins_lock = threading.Lock()


def _load_plugins() -> None:
    with _plugins_lock:
        _load_plugins_once()


@cache
def _load_plugins_once() -> None:
    import pillow_heif

    Image.init()
    _silence_libtiff()
    pillow_heif.register_heif_opener()


def _silence_libtiff() -> None:
    """Keep libtiff from writing to the process's standard error, and so into the notebook.

    What it says of a damaged file is an error of Pillow's too.
    """
    library = ctypes.CDLL(_imaging.__file__)
    for kind in ("Error", "Warning"):
        # Where libtiff is a part of Pillow's own library, its functions have no names.
        if (set_handler := getattr(library, f"TIFFSet{kind}Handler", None)) is not None:
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)


class _QuietPillow:
    """Silences Pillow's warnings while any thread decodes.

    ``warnings.catch_warnings`` would not do: it swaps the filters of all threads, and threads
    that overlap restore each other's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filter: Any = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filter = warnings.filters[0]
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    with contextlib.suppress(ValueError):
                        warnings.filters.remove(self._filter)  # type: ignore[attr-defined]


quiet_pillow = _QuietPillow()


def frame_count(image: ImageFile.ImageFile) -> int:
    """Count the frames of an open file up to the first damaged one, which counts too."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:
        frames = 1
        while True:
            try:
                image.seek(frames)
            except Exception:
                return frames + 1
            frames += 1


class _KeptMemory:
    """Lets Pillow keep the memory of pictures for the next ones, while anybody decodes many.

    Otherwise the system takes it back after each and has to clear it for the next, which takes a
    third of the time of decoding. (Pillow's documentation: "Block allocator".)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[int] = []
        self._blocks, self._size = 0, 0

    @contextlib.contextmanager
    def __call__(self, workers: int) -> Iterator[None]:
        """Keep what so many threads use at a time."""
        blocks = min(_BLOCKS_A_WORKER * workers, _MOST_BLOCKS)
        with self._lock:
            if not self._asked:
                self._blocks, self._size = _CORE.get_blocks_max(), _CORE.get_block_size()
                _CORE.set_block_size(_BLOCK)
            self._asked.append(blocks)
            _CORE.set_blocks_max(max(self._blocks, *self._asked))
        try:
            yield
        finally:
            with self._lock:
                self._asked.remove(blocks)
                _CORE.set_blocks_max(max([self._blocks, *self._asked]))
                if not self._asked:
                    _CORE.set_block_size(self._size)


kept_memory = _KeptMemory()


def _load(image: Image.Image) -> None:
    """Decode a picture of up to as many pixels as are read.

    Of TIFF alone Pillow has a limit of its own, which is one for the whole process, and which it
    asks before it makes room: so the room is made here.
    """
    width, height = getattr(image, "_tile_size", (0, 0))
    is_beyond = width * height > 2 * (Image.MAX_IMAGE_PIXELS or math.inf)
    if is_beyond and getattr(image, "_im", None) is None:
        check_size((width, height))
        image.im = _CORE.new(image.mode, (width, height))
    image.load()


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return what brings a picture the right way up, by its EXIF orientation; None if it is."""
    # ImageOps.exif_transpose fails on damaged EXIF data, although the picture is good.
    _load(image)
    if getattr(image, "is_upright", False):
        return None
    try:
        return _ORIENTATIONS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return None


def oriented(image: Image.Image) -> Image.Image:
    """Return a picture the right way up, by its EXIF orientation."""
    turn = turn_of(image)
    return image if turn is None else image.transpose(turn)


def has_exif(image: Image.Image) -> bool:
    """Tell whether a picture carries EXIF data that say more than how it is stored."""
    try:
        exif = image.getexif()
        # Of the tags that lie beside those of EXIF a TIFF has some in any case.
        tags = {*exif.get_ifd(_EXIF_IFD_TAG), *(exif if "exif" in image.info else ())}
        return not tags <= _TAGS_OF_STORING
    except Exception:
        return True


def date_taken(image: Image.Image) -> str | None:
    """Return the camera's local time in EXIF, by ISO 8601; None without it.

    It is DateTimeOriginal or, of what was scanned, DateTimeDigitized; with parts of a second and
    the offset from UTC, where they are there too.
    """
    try:
        exif = image.getexif()
        if not exif:
            return None
        tags = dict(exif) | dict(exif.get_ifd(_EXIF_IFD_TAG))
        texts = (str(tags.get(tag)).strip("\0 ") for tag in _DATE_TAKEN_TAGS)
        # Programs write dashes, strokes or a T where the standard has colons and a space, and parts
        # of a second and the offset where it has tags of their own.
        date = next(filter(None, map(_DATE.fullmatch, texts)))
        year, month, day, hour, minute, second = (int(it or 0) for it in date.groups()[:6])
        # Some call midnight 24:00:00 of the day before.
        moment = datetime(year, month, day, hour % 24 if hour == 24 else hour, minute, second)
        moment += timedelta(days=hour == 24)
        part = re.fullmatch(r"\d{1,9}", str(tags.get(_SUBSECONDS_TAG)).strip("\0 "))
        if digits := part[0] if part else date[7]:
            moment = moment.replace(microsecond=int(digits.ljust(6, "0")[:6]))
        told = (str(tags.get(tag)).strip("\0 ") for tag in _OFFSET_TAGS)
        offset = next(filter(None, map(_OFFSET.fullmatch, (*told, date[8] or ""))), None)
        if offset:
            sign, hours, minutes = offset[1] or "+", offset[2] or 0, offset[3] or 0
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment.replace(tzinfo=timezone(-ahead if sign == "-" else ahead))
        return moment.isoformat()
    except Exception:
        # Cameras whose clock is not set write zeros or spaces.
        return None
