"""What making a dataset, looking at one before it is made, and handing it over give back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from humanize import naturalsize

from dedup_widgets._text import counted, counts
from dedup_widgets.dataset.naming import Format


@dataclass(frozen=True, slots=True)
class Annotation:
    """A dataset's project on a Label Studio server.

    Attributes
    ----------
    project : int
        Its number there.
    title : str
        Its name there.
    url : str
        Its page.
    tasks : int
        Tasks in it, one an image.
    """

    project: int
    title: str
    url: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that was written.

    Attributes
    ----------
    name : str
        Its name, which is that of its folder.
    path : Path
        Its folder, absolute.
    format : str
        ``"imagefolder"`` or ``"webdataset"``.
    images : int
        Pictures in it.
    bytes : int
        Bytes of these pictures, whether or not they are stored a second time.
    splits : dict of str to int
        Pictures a split.
    placed : dict of str to int
        How many pictures were placed how: ``"hardlink"``, ``"copy"``, ``"symlink"``,
        ``"paths"``, ``"shard"``.
    removed : int
        Rows of ``removed.parquet``.
    description, project, project_description : str
        As given.
    annotation : Annotation, optional
        Its project in the annotation tool; None if it was not sent.
    companions, left_behind : int
        Files that belong to its pictures (labels, captions, masks): those that went along, and
        those that this format or mode has no place for.
    """

    name: str
    path: Path
    format: Format
    images: int
    bytes: int
    splits: Mapping[str, int]
    placed: Mapping[str, int]
    removed: int
    description: str = ""
    project: str = ""
    project_description: str = ""
    annotation: Annotation | None = None
    companions: int = 0
    left_behind: int = 0

    def __repr__(self) -> str:
        sent = f", to annotate at {self.annotation.url}" if self.annotation else ""
        sent = about_companions(self.companions, self.left_behind) + sent
        return (
            f"Dataset({self.name!r}: {counted(self.images, 'image')} "
            f"({counts(self.splits)}), {naturalsize(self.bytes)}, {counts(self.placed)}, "
            f"{self.removed:,} left out, {str(self.path)!r}{sent})"
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What `create_dataset` would write.

    Attributes
    ----------
    path : Path
        The folder that it would make, absolute.
    images : int
        Pictures that go in.
    bytes : int
        Their bytes.
    splits : dict of str to int
        Pictures a split.
    placed : dict of str to int
        How many would be placed how, as in `Dataset`; where pictures lie on another file
        system, hardlinks become copies.
    new_bytes : int
        Bytes that the pictures add to the disk; 0 for links and paths.
    free_bytes : int
        Bytes free on the disk of `path`.
    renamed : int
        Pictures that get another file name: because two sources share one, or because it
        is not safe everywhere.
    unreadable : int
        Rows with an error, which are left out.
    removed : int
        Rows of ``removed.parquet``, the unreadable ones included.
    companions, left_behind : int
        As in `Dataset`.
    """

    path: Path
    images: int
    bytes: int
    splits: Mapping[str, int]
    placed: Mapping[str, int]
    new_bytes: int
    free_bytes: int
    renamed: int
    unreadable: int
    removed: int
    companions: int = 0
    left_behind: int = 0

    def __repr__(self) -> str:
        return (
            f"Preview({counted(self.images, 'image')} ({counts(self.splits)}), "
            f"{naturalsize(self.bytes)}, {counts(self.placed)}, "
            f"{naturalsize(self.new_bytes)} new on disk, {naturalsize(self.free_bytes)} free, "
            f"{self.removed:,} left out{about_companions(self.companions, self.left_behind)})"
        )


def about_companions(placed: int, left_behind: int) -> str:
    """Return how many files that belong to pictures go along, after a comma; empty for none."""
    text = f", {counted(placed, 'companion file')}" if placed else ""
    return text + (f", {counted(left_behind, 'companion file')} left behind" if left_behind else "")
