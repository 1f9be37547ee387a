"""Frames of videos as pictures: sampled by time or scene, and read when needed, by PyAV."""

import io
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets._paths import absolute, as_unicode, native
from dedup_widgets._progress import Progress, steps
from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.left_out import is_left_out
from dedup_widgets.images.scenes import VIEW, scenes

PREFIX = "video://"
"""How the path of a frame begins: ``video:///films/a.mp4#t=1.500`` is what is shown at 1.5 s."""


SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv"),
        *(".mts", ".m2ts", ".ts", ".3gp", ".ogv"),
    }
)
"""Suffixes of files in a folder that are taken for videos."""


MOST_FRAMES = 1_000_000


_FRAME = re.compile(r"(?s)video://(.+)#t=(\d+(?:\.\d+)?)")


_WITHOUT_EXTRA = 'videos need PyAV: pip install "dedup-widgets[video]"'


_BMP_HEADER = 54


def frames(
    videos: Any,
    every: float | Literal["scene"] = 1.0,
    *,
    change: float = 0.3,
    progress: Progress = True,
) -> pl.DataFrame:
    """List frames of videos, for :func:`dedup_widgets.score`.

    Nothing is unpacked: a frame is decoded when it is needed. The path of one tells of which video
    and at which time it is, so frames have thumbnails, and go into datasets, as pictures do.

    Parameters
    ----------
    videos
        A file, a folder (searched with its subfolders), or a list of them.
    every
        Seconds from one frame to the next; or ``"scene"``: one frame of each scene. A scene begins
        where the picture has become another than that of the last scene, by a cut, a fade or a
        pan, and stays for half a second; where it does not come to rest, one frame is taken every
        two seconds. The whole video is decoded for that.
    change
        Of scenes: the share of the picture that has to look different, between 0 and 1. Slides
        that differ in a few lines of text need about 0.02.
    progress
        Of scenes: whether to show a bar, or a function of seconds done and in all.

    Returns
    -------
    pl.DataFrame
        ``path``, ``video`` (the file) and ``time`` (Float64, seconds from its beginning), video by
        video.

    Raises
    ------
    InputError
        When there is no video, one cannot be read, or the extra ``video`` is missing.

    Examples
    --------
    >>> frames("films/", every="scene")  # doctest: +SKIP
    >>> frames("no-such.mp4")
    Traceback (most recent call last):
    ...
    dedup_widgets.InputError: no-such.mp4: no such video or folder; check the path
    """
    by_scene = every == "scene"
    if not by_scene and not (isinstance(every, int | float) and 0 < every < math.inf):
        raise InputError(
            f"every is {every!r}; it must be a number of seconds above 0, or 'scene' for one "
            "frame of each scene"
        )
    if not (isinstance(change, int | float) and 0 < change < 1):
        raise InputError(f"change is {change!r}; it is a share of the picture, between 0 and 1")
    files = _files(videos)
    rows: list[tuple[str, str, float]] = []
    try:
        lengths = [_length(file) for file in files]
        seconds = sum(math.ceil(length) for length in lengths)
        with steps(seconds, "finding scenes", progress if by_scene else False) as report:
            for file, length in zip(files, lengths, strict=True):
                if by_scene:
                    times = list(scenes(_views(file, length, report), change)) or [0.0]
                else:
                    times = _moments(length, float(every), MOST_FRAMES - len(rows))
                rows += [(f"{PREFIX}{file}#t={time:.3f}", file, time) for time in times]
    except ImageError as error:
        raise InputError(str(error)) from error
    schema = {"path": pl.String, "video": pl.String, "time": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _moments(length: float, every: float, most: int) -> list[float]:
    """Return every so many seconds of a video, but for its last moment, which shows nothing new."""
    count = max(1, math.ceil((length - 1e-3) / every))
    if count > most:
        raise InputError(f"that makes more than {MOST_FRAMES:,} frames; choose a longer every=")
    return [round(number * every, 3) for number in range(count)]


def _files(videos: Any) -> list[str]:
    try:
        several = [videos] if isinstance(videos, str | os.PathLike) else videos
        given = [str(os.fspath(name)) for name in several]
    except TypeError as error:
        raise InputError(f"videos are files or folders ({error}); pass their names") from error
    found: list[str] = []
    for name in given:
        path = Path(absolute(name))
        if path.is_dir():
            below = (it for it in path.rglob("*") if it.suffix.lower() in SUFFIXES and it.is_file())
            found += sorted(str(it) for it in below if not _is_hidden(it.relative_to(path).parts))
        elif path.is_file():
            found.append(str(path))
        else:
            raise InputError(f"{name[:200]}: no such video or folder; check the path")
    if not found:
        where = ", ".join(given)[:200] or "[]"
        raise InputError(f"{where}: there is no video; name files or folders that hold some")
    return [as_unicode(file) for file in dict.fromkeys(found)]


def _is_hidden(parts: Sequence[str]) -> bool:
    above = ("", *parts)
    return any(
        part.startswith(".") or is_left_out(part, over)
        for part, over in zip(parts, above, strict=False)
    )


class VideoFrames:
    """Frames of videos as a :class:`dedup_widgets.images.source.Source`.

    A frame is given as BMP, whose length follows from its size without compressing it.
    """

    def read(self, path: str) -> bytes:
        """Return the frame that is shown at the time that a path names."""
        file, time = _parts(path)
        data = io.BytesIO()
        _at(file, time).save(data, "BMP")
        return data.getvalue()

    def stat(self, path: str) -> Entry:
        """Look the video up: a frame is what it was as long as its file is."""
        file, _ = _parts(path)
        try:
            status = os.stat(native(file))  # noqa: PTH116
        except OSError as error:
            raise ImageError(
                f"{file}: cannot be read ({error.strerror}); check the path"
            ) from error
        width, height = _size(file, status.st_mtime_ns, status.st_size)
        size = _BMP_HEADER + -(-3 * width // 4) * 4 * height
        stamp = f"{status.st_ino} {status.st_nlink} {status.st_ctime_ns}"
        return Entry(path, size, str(status.st_mtime_ns), None, stamp)


def _parts(path: str) -> tuple[str, float]:
    found = _FRAME.fullmatch(path)
    if not found:
        raise ImageError(f"{path[:200]}: no frame of a video; it looks like {PREFIX}FILE#t=SECONDS")
    return found[1], float(found[2])


@lru_cache(maxsize=4096)
def _size(file: str, _changed: int, _bytes: int) -> tuple[int, int]:
    """Return width and height of the frames of a video, as they are shown."""
    return _at(file, 0.0).size


def _at(file: str, time: float) -> Image.Image:
    """Return the frame that a video shows at a time, in seconds from its beginning."""
    with _opened(file) as (container, stream):
        start = (stream.start_time or 0) * stream.time_base
        if time > 0:
            container.seek(int((start + time) / stream.time_base), stream=stream)
        shown = None
        for frame in container.decode(stream):
            # Times are written in thousandths.
            if shown is not None and frame.time is not None and frame.time > start + time + 5e-4:
                break
            shown = frame
    if shown is None:
        raise ImageError(f"{file}: shows nothing at {time:g} s; check the file")
    picture: Image.Image = shown.to_image()
    # Phones write how they were held.
    return picture.rotate(shown.rotation, expand=True) if shown.rotation % 360 else picture


def _length(file: str) -> float:
    with _opened(file) as (_, stream):
        return _seconds(stream)


def _views(
    file: str, length: float, report: Callable[[int], object]
) -> Iterator[tuple[float, float, NDArray[np.uint8]]]:
    """Yield of each frame when it begins and ends to be shown, and a small view of it."""
    last: tuple[float, NDArray[np.uint8]] | None = None
    reported = 0
    try:
        for time, view in _decoded(file):
            if last:
                yield last[0], time, last[1]
            last = time, view
            if (whole := min(int(time), math.ceil(length))) > reported:
                report(whole - reported)
                reported = whole
    except ImageError as error:
        if last is None:
            raise
        warnings.warn(f"after {last[0]:.0f} s no scene is found: {error}", stacklevel=3)
    if last:
        yield last[0], max(length, last[0]), last[1]
    report(math.ceil(length) - reported)


def _decoded(file: str) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield all frames of a video, small, and their times from its beginning."""
    width, height = VIEW
    with _opened(file) as (container, stream):
        stream.codec_context.thread_count = 0  # One video at a time, by all cores.
        start = float((stream.start_time or 0) * stream.time_base)
        for frame in container.decode(stream):
            if frame.time is not None:
                small = frame.reformat(width, height, "rgb24", interpolation="AREA")
                yield round(max(0.0, frame.time - start), 3), small.to_ndarray()


@contextmanager
def _opened(file: str) -> Iterator[tuple[Any, Any]]:
    """Yield the container and its first video stream; errors of PyAV become ours."""
    try:
        import av
    except ImportError:
        raise ImageError(_WITHOUT_EXTRA) from None
    try:
        with av.open(os.fsdecode(native(file))) as container:
            if not container.streams.video:
                raise ImageError(f"{file}: holds no pictures, only sound; take it out of the input")
            stream = container.streams.video[0]
            # Several are read at once, each in a thread of its own.
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.error.FFmpegError as error:
        why = error.strerror or type(error).__name__
        raise ImageError(f"{file}: cannot be read as a video ({why}); play it to check") from error


def _seconds(stream: Any) -> float:
    """Return how long a video is; where it does not say, by its packets."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if stream.container.duration:
        return float(stream.container.duration / 1_000_000)
    ends = [
        (packet.pts + (packet.duration or 0)) * stream.time_base
        for packet in stream.container.demux(stream)
        if packet.pts is not None
    ]
    return float(max(ends, default=0))
