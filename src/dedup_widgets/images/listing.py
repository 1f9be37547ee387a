"""Finding the images of a folder, a glob or a list, and counting what is not taken."""

import fnmatch
import glob
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import polars as pl

from dedup_widgets._paths import absolute, as_unicode, native
from dedup_widgets._text import counts
from dedup_widgets._urls import WEB, is_far, redacted, refuse_secrets, scheme_of
from dedup_widgets.errors import InputError
from dedup_widgets.images.companions import SIDECAR_SUFFIXES, masks_among
from dedup_widgets.images.entry import Entry, as_columns
from dedup_widgets.images.formats import IMAGE_SUFFIXES, UNREAD, why_not_taken
from dedup_widgets.images.left_out import (
    BIN,
    DATASET,
    HIDDEN,
    HIDDEN_FOLDER,
    IN_CLOUD,
    MADE_BY_US,
    fits,
    is_below,
    is_excluded,
    is_left_out,
)
from dedup_widgets.images.object_listing import objects_at
from dedup_widgets.images.other_formats import RAW_SUFFIXES
from dedup_widgets.images.same_files import same_files
from dedup_widgets.images.shots import DEVELOPED, PARTS, shot_of
from dedup_widgets.images.source import first_bytes
from dedup_widgets.images.videos import PREFIX as FRAME_OF_VIDEO

BYTES_OF_HEAD = 4096
"""Bytes of a file by which it is told whether it is a picture."""


SAME_FILE = "further names of listed files"
"""Why a hard or symbolic link is not taken: it is no copy, and to remove it frees nothing."""


NO_PICTURE, EXCLUDED, MASK = "not pictures", "excluded", "masks of pictures"
PART = "raw files and live videos of pictures"
"""Why other files are not taken; see also :mod:`dedup_widgets.images.left_out`."""


NotTaken = dict[str, dict[str, int]]
"""How many files were not taken: by reason, and by suffix or, of folders, by name."""


WerePictures = Callable[[pl.DataFrame], Sequence[bool]]
"""Tells which files, as :data:`~dedup_widgets.images.entry.FILE` has them, were read as pictures
before: so they are not asked for to see what they are."""


@dataclass(frozen=True)
class Listing:
    """The images that were found, and what was not taken for one.

    Attributes
    ----------
    paths
        As :func:`find_images` returns them.
    root
        The folder that was searched; None where several, a pattern or files were given.
    not_taken
        See :data:`NotTaken`.
    entries
        What is known of paths elsewhere than on this disk, as
        :data:`~dedup_widgets.images.entry.FILE` has it: to list them is to look them up.
    """

    paths: list[str]
    root: str | None = None
    not_taken: NotTaken = field(default_factory=dict)
    entries: pl.DataFrame = field(default_factory=lambda: as_columns([]))


def find_images(
    where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], exclude: Sequence[str] = ()
) -> list[str]:
    """List the images of a folder, a glob pattern or a sequence.

    Parameters
    ----------
    where : path-like, or sequence of path-like
        - A directory: searched with all its subdirectories. Symbolic links to directories are
          followed, each real directory once, so that loops end. Hidden files and directories,
          recycle bins, thumbnails of systems (``@eaDir``, ``__MACOSX``) and datasets that
          :func:`dedup_widgets.create_dataset` made are left out. A file without a suffix of
          `IMAGE_SUFFIXES` (any case) is taken if its content is a picture.
        - A glob pattern such as ``"photos/**/*.jpg"``, under the same rules. A directory or
          file whose own name contains ``*?[`` takes precedence over the pattern.
        - A single file.
        - The same in an object store: ``"s3://bucket/photos"``, ``"gs://…"``, ``"az://…"``.
        - The URL of a file on a web server. Web servers list nothing, so that a folder there is
          refused; pass a sequence of URLs.
        - A sequence of files and directories: files are kept as given and in order, whatever they
          are; only repetitions of one path, however spelled, are dropped. Directories are searched.

        A symbolic link to a file that is also found under its own name is left out, and so are all
        names but one of a file that has several (hard links): neither is a copy, so that none may
        be removed as a duplicate of the other. The name least deep in folders stays.

        Masks of pictures that are listed (``masks/1.png`` beside ``images/1.jpg``,
        ``1_mask.png`` beside ``1.jpg``) are left out, if they look like masks.

        A leading ``~`` stands for the home folder, except in sequences, where it is kept
        (`LocalFiles` expands it on reading).
    exclude : sequence of str
        Patterns of what is left out, such as ``"thumbs"`` (a file or folder of that name, at any
        depth), ``"*.gif"`` or ``"2019/export/*"`` (below the directory that is searched).

    Returns
    -------
    list of str
        Absolute and sorted, or as given for a sequence. Empty if nothing matches. A name that
        is no valid Unicode is listed with escapes, by which `LocalFiles` finds it.

    Raises
    ------
    InputError
        If a directory or file of that name does not exist, or `where` is of another type.

    Warns
    -----
    UserWarning
        For every subdirectory that cannot be read; the search goes on. Once, where files were left
        out that hold pictures in a format that is not read.

    Examples
    --------
    >>> find_images(["b.jpg", "a.jpg", "b.jpg"])
    ['b.jpg', 'a.jpg']
    """
    return list_images(where, exclude).paths


def list_images(
    where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    exclude: Sequence[str] = (),
    were_pictures: WerePictures | None = None,
) -> Listing:
    """List images as :func:`find_images` does, and count what is not taken."""
    if isinstance(exclude, str):
        raise InputError(f"exclude is a list of patterns; pass [{exclude!r}], not {exclude!r}")
    try:
        scan = _Scan([os.fspath(pattern) for pattern in exclude], were_pictures)
    except TypeError as error:
        raise InputError(f"exclude is a list of patterns ({error}); pass texts or paths") from error
    if isinstance(where, (str, os.PathLike)):
        root, paths = scan.of_one(os.fspath(where))
    else:
        root, paths = None, scan.of_several(where)
    paths = scan.without_parts(paths)
    scan.warn_of_pictures()
    not_taken = {why: dict(n.most_common()) for why, n in scan.not_taken.items()}
    entries = pl.concat([as_columns([]), *scan.entries])
    if len(scan.entries) > 1:
        entries = entries.unique("path", keep="last", maintain_order=True)
    return Listing(paths, root, not_taken, entries)


class _Scan:
    """One search: patterns of what is excluded, and what was not taken so far."""

    def __init__(self, exclude: Sequence[str], were_pictures: WerePictures | None) -> None:
        self._exclude, self._were_pictures = list(exclude), were_pictures
        self.not_taken: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._pictures: Counter[str] = Counter()
        self._inodes: dict[str, int] = {}
        self._parts: list[tuple[str, str]] = []
        self._raws: set[str] = set()
        self.entries: list[pl.DataFrame] = []

    def of_one(self, given: str) -> tuple[str | None, list[str]]:
        """Return the folder that a name stands for, if it is one, and its images."""
        if is_far(given):
            return self._of_far(given)
        if given.startswith(FRAME_OF_VIDEO):
            return None, [given]
        given = _local(given)
        path = os.path.abspath(os.path.expanduser(given))  # noqa: PTH100, PTH111
        if not given:
            raise InputError("images is an empty string; pass a directory, '.' for this one")
        root = None
        if os.path.isdir(path):  # noqa: PTH112
            root, found = path, list(self._images_in(self._folders_below([path])))
        elif os.path.lexists(path):
            found = [path]
        elif "://" in given:
            raise InputError(
                f"{redacted(given)[:200]} is no local file; download the pictures, and pass their "
                "folder or paths"
            )
        elif glob.has_magic(path):
            found = list(self._matches(path))
        else:
            raise InputError(
                f"{given[:200]}: no such directory or file; check the path (seen as {path[:200]})"
            )
        kept = self._each_file_once([p for p in found if not self._excludes(p, root or "")])
        kept = self._without_masks(kept)
        return root and as_unicode(root), sorted({as_unicode(path) for path in kept})

    def _of_far(self, given: str) -> tuple[str | None, list[str]]:
        """Return the folder that a URL stands for, if it is one, and its images."""
        refuse_secrets(given)
        if scheme_of(given) in WEB:
            if given.endswith("/"):
                raise InputError(
                    f"{given[:200]} is a folder on a web server, and those list no files; pass a "
                    "list of the URLs of its pictures"
                )
            return None, [given]
        found = objects_at(given)
        if found is None:
            return None, [given]
        for why, names in found.not_taken.items():
            self.not_taken[why] += names
        listed, doubtful = found.entries, list[int]()
        is_taken = np.zeros(len(listed), np.bool_)
        for row, path in enumerate(listed["path"]):
            suffix = _suffix(path)
            if suffix in IMAGE_SUFFIXES:
                is_taken[row] = True
            elif suffix in SIDECAR_SUFFIXES:  # What can be no picture is not worth a request.
                self.not_taken[NO_PICTURE][suffix] += 1
            else:
                doubtful.append(row)
        if doubtful and self._were_pictures is not None:
            known = np.array(self._were_pictures(listed[doubtful]), np.bool_)
            is_taken[doubtful] = known
            doubtful = [row for row, is_known in zip(doubtful, known, strict=True) if not is_known]
        others = [Entry(*row) for row in listed[doubtful].iter_rows()]
        heads = first_bytes(others, BYTES_OF_HEAD, _is_picture)
        for row, entry, head in zip(doubtful, others, heads, strict=True):
            is_taken[row] = self._is_taken(head, _suffix(entry.path))
        root = found.root
        kept = listed.filter(is_taken)
        del found, listed  # or a million objects would be held twice
        kept = kept.sort("path")
        # A slash at the end of a name is not told.
        if not (is_first := kept["path"].ne_missing(kept["path"].shift())).all():
            kept = kept.filter(is_first)
        if self._exclude:
            kept = kept.filter([not self._excludes(path, root or "") for path in kept["path"]])
        paths = kept["path"].to_list()
        pictures = self._without_masks(paths, kept)
        if len(pictures) < len(paths):
            kept = kept.filter(pl.col("path").is_in(pictures))
        self.entries.append(kept)
        return root, pictures

    def _without_masks(self, paths: list[str], known: pl.DataFrame | None = None) -> list[str]:
        """Return the paths without the masks of pictures among them."""
        masks = masks_among(paths, known)
        for path in masks:
            self.not_taken[MASK][_suffix(path)] += 1
        return [path for path in paths if path not in masks]

    def of_several(self, where: Sequence[str | os.PathLike[str]]) -> list[str]:
        """Return the images of files and folders, in their order, each once."""
        paths: list[str] = []
        try:
            if isinstance(where, bytes | bytearray | Mapping) or hasattr(where, "read"):
                raise TypeError(type(where).__name__)
            for item in where:
                name = _local(os.fsdecode(item))
                if "\0" in name:  # The content of a file, and no name.
                    raise TypeError(type(item).__name__)
                refuse_secrets(name)
                if is_far(name):
                    paths += self._of_far(name)[1] if name.endswith("/") else [name]
                elif "://" not in name and os.path.isdir(native(name)):  # noqa: PTH112
                    paths += self.of_one(name)[1]
                elif (
                    "://" not in name
                    and glob.has_magic(name)
                    and not os.path.lexists(native(absolute(name)))
                ):
                    paths += self.of_one(name)[1] or [as_unicode(name)]
                else:
                    paths.append(as_unicode(name))
        except TypeError as error:
            raise InputError(_about_what_is_no_path(where)) from error
        first: dict[str, str] = {}
        for path in paths:
            if not (self._exclude and self._excludes(path, "")):
                first.setdefault(absolute(path), path)
        return self._each_file_once(list(first.values()))

    def without_parts(self, paths: list[str]) -> list[str]:
        """Return the paths without raw files of others; count what is one shot with a picture.

        A raw file that was developed is no picture beside that, and no copy of it.
        """
        if not self._parts and not self._raws:
            return paths
        pictures = {shot_of(absolute(path)) for path in paths if _suffix(path) in DEVELOPED}
        for path, why in self._parts:
            if shot_of(path) in pictures:
                suffix = _suffix(path)
                self.not_taken[PART][suffix] += 1
                self.not_taken[why] -= Counter([suffix])
                if why == UNREAD:
                    self._pictures -= Counter([suffix])
        dropped = {path for path in self._raws if shot_of(path) in pictures}.intersection(paths)
        for path in dropped:
            self.not_taken[PART][_suffix(path)] += 1
        self.not_taken = defaultdict(Counter, {why: n for why, n in self.not_taken.items() if n})
        return [path for path in paths if path not in dropped]

    def warn_of_pictures(self) -> None:
        """Warn of files that hold pictures and are not taken."""
        if self._pictures:
            warnings.warn(
                f"left out, as these formats are not read: {counts(self._pictures)}; "
                "export them as JPEG, PNG or TIFF",
                stacklevel=4,
            )

    def _excludes(self, path: str, root: str) -> bool:
        if not self._exclude:
            return False
        below = path[len(root) :] if root and path.startswith(root) else path
        below = below.replace(os.sep, "/").lstrip("/")
        # A whole path is meant as it is; whoever writes "/b" may mean it below the folder, too.
        whole = absolute(path).replace(os.sep, "/")
        if not is_excluded(below, self._exclude) and not is_below(whole, self._exclude):
            return False
        self.not_taken[EXCLUDED][_suffix(path)] += 1
        return True

    def _each_file_once(self, paths: list[str]) -> list[str]:
        """Return the paths without further names of files that are among them."""
        dropped = {name for its in same_files(paths, self._inodes) for name in its[1:]}
        for path in dropped:
            self.not_taken[SAME_FILE][_suffix(path)] += 1
        return [path for path in paths if path not in dropped]

    def _matches(self, pattern: str) -> Iterator[str]:
        """Yield the images that match an absolute glob pattern."""
        # glob.glob would follow a loop of links 40 levels deep, and silently skip unreadable
        # folders.
        root, *parts = Path(pattern).parts
        folders = [root]
        while not glob.has_magic(parts[0]):
            folders = [os.path.join(folders[0], parts.pop(0))]  # noqa: PTH118
        *between, last = parts
        for part in between:
            if part == "**":
                folders = list(self._folders_below(folders))
            else:
                folders = [
                    entry.path
                    for folder in folders
                    for entry in _children(folder)
                    if fits(entry.name, part) and _is_folder(entry)
                ]
        if last == "**":
            folders, last = list(self._folders_below(folders)), "*"
        return self._images_in(folders, last)

    def _images_in(
        self, folders: Iterator[str] | Sequence[str], pattern: str = "*"
    ) -> Iterator[str]:
        """Yield the images directly in folders whose names match a pattern."""
        for folder in folders:
            for entry in _children(folder):
                if _is_folder(entry) or not fnmatch.fnmatch(entry.name, pattern):
                    continue
                suffix = _suffix(entry.name)
                if not fits(entry.name, pattern):
                    if entry.name.endswith(".icloud"):  # as .a.jpg.icloud, in the place of a.jpg
                        meant = _suffix(entry.name.removesuffix(".icloud"))
                        if meant in IMAGE_SUFFIXES | RAW_SUFFIXES:
                            self.not_taken[IN_CLOUD][meant] += 1
                    # Others, as ._a.jpg beside a.jpg, are what systems write for themselves.
                    if suffix in IMAGE_SUFFIXES and not entry.name.startswith("._"):
                        self.not_taken[HIDDEN][suffix] += 1
                elif suffix in IMAGE_SUFFIXES or self._is_picture(entry, suffix):
                    if not entry.is_symlink():
                        self._inodes[entry.path] = entry.inode()
                    yield entry.path

    def _is_picture(self, entry: os.DirEntry[str], suffix: str) -> bool:
        """Tell by its content whether a file is a picture that is read; count it if not."""
        try:
            # Opening a pipe would wait for its writer forever.
            if not entry.is_file():
                return False
            with open(entry.path, "rb") as file:  # noqa: PTH123
                head = file.read(BYTES_OF_HEAD)
        except OSError:
            head = b""
        is_taken = self._is_taken(head, suffix)
        if is_taken and suffix in RAW_SUFFIXES:
            self._raws.add(as_unicode(entry.path))
        if not is_taken and suffix in PARTS:
            why = why_not_taken(head, suffix) or NO_PICTURE
            self._parts.append((as_unicode(entry.path), why))
        return is_taken

    def _is_taken(self, head: bytes, suffix: str) -> bool:
        """Tell by its first bytes whether a file is a picture that is read; count it if not."""
        why = why_not_taken(head, suffix)
        if why is None:
            return True
        self.not_taken[why or NO_PICTURE][suffix] += 1
        if why == UNREAD:
            self._pictures[suffix] += 1
        return False

    def _folders_below(self, tops: Sequence[str]) -> Iterator[str]:
        """Yield `tops` and every directory below them that is not left out, each once."""
        seen: set[tuple[int, int]] = set()
        waiting = sorted(tops, reverse=True)
        first = set(tops)
        while waiting:
            folder = waiting.pop()
            try:
                status = os.stat(folder)  # noqa: PTH116
            except OSError as error:
                _warn_skipped(folder, error)
                continue
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                continue
            seen.add(identity)
            children = _children(folder)
            if folder not in first and {child.name for child in children} >= MADE_BY_US:
                self.not_taken[DATASET][os.path.basename(folder)] += 1  # noqa: PTH119
                continue
            above, below = os.path.basename(folder), []  # noqa: PTH119
            for entry in children:
                if _is_folder(entry):
                    if is_left_out(entry.name, above):
                        self.not_taken[BIN][as_unicode(entry.name)] += 1
                    elif entry.name.startswith("."):
                        self.not_taken[HIDDEN_FOLDER][as_unicode(entry.name)] += 1
                    else:
                        below.append(entry.path)
            waiting += sorted(below, reverse=True)
            yield folder


def _about_what_is_no_path(where: object) -> str:
    """Say of what kind something is that names no files, and what to do."""
    items = where if isinstance(where, list | tuple) else [where]
    kinds = sorted({type(item).__name__ for item in items})
    # By what they can do, as they may be of any library.
    if any(hasattr(item, "save") for item in items):
        write = 'picture.save(f"pictures/{i}.png")'
    elif any(hasattr(item, "__array__") for item in items):
        write = 'PIL.Image.fromarray(picture).save(f"pictures/{i}.png")'
    elif any(isinstance(item, bytes | bytearray) for item in items):
        write = 'pathlib.Path(f"pictures/{i}.jpg").write_bytes(picture)'
    else:
        write = ""
    remedy = f": for i, picture in enumerate(pictures): {write}" if write else ""
    return (
        "images must be a directory, a glob pattern, paths, or a frame with a column of paths, not "
        f"{', '.join(kinds[:3])}; write pictures that are in memory to files first{remedy}; or "
        "pass vectors of your own to dedup_widgets.uniqueness"
    )


def _local(name: str) -> str:
    """Return the path that a URL of a local file stands for; others as they are."""
    return url2pathname(urlsplit(name).path) if name.startswith("file://") else name


def _is_picture(path: str, head: bytes) -> bool:
    return why_not_taken(head, _suffix(path)) is None


def _suffix(name: str) -> str:
    return as_unicode(os.path.splitext(name)[1].lower()) or "without a suffix"  # noqa: PTH122


def _children(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        _warn_skipped(folder, error)
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _warn_skipped(folder: str, error: OSError) -> None:
    warnings.warn(
        f"{as_unicode(folder)}: this directory was left out ({error.strerror}); "
        "make it readable and scan again",
        stacklevel=2,
    )
