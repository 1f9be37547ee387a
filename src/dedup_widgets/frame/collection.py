"""A named set of images of a frame."""

from collections.abc import Callable, Iterator
from functools import cached_property

import polars as pl

from dedup_widgets._text import counted


class Collection:
    """A named set of images of a frame, as it was when it was read.

    Parameters
    ----------
    name
        Its name; that of a set operation names what was combined.
    frame
        Its rows, or what picks them when they are first asked for.
    path
        The column of paths.
    description
        What it is for, in the user's words.

    Examples
    --------
    >>> import polars as pl
    >>> a = Collection("A", pl.DataFrame({"path": ["x.jpg", "y.jpg"]}))
    >>> b = Collection("B", pl.DataFrame({"path": ["y.jpg"]}))
    >>> (a - b).paths
    ['x.jpg']
    >>> "y.jpg" in b, len(a | b)
    (True, 2)
    """

    def __init__(
        self,
        name: str,
        frame: pl.DataFrame | Callable[[], pl.DataFrame],
        path: str = "path",
        description: str = "",
    ) -> None:
        self.name, self.path, self.description = name, path, description
        self._frame = frame

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Its rows, with all columns, in the order of the frame they were picked from."""
        return self._frame if isinstance(self._frame, pl.DataFrame) else self._frame()

    @property
    def paths(self) -> list[str]:
        """The paths of its images."""
        return self.frame[self.path].to_list()

    def __len__(self) -> int:
        return len(self.frame)

    def __contains__(self, path: object) -> bool:
        return path in self.paths

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Collection):
            return NotImplemented
        return (self.name, self.paths) == (other.name, other.paths)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: "Collection") -> "Collection":
        if not isinstance(other, Collection):
            return NotImplemented
        frame = pl.concat([self.frame, (other - self).frame], how="diagonal")
        return Collection(f"{self.name} | {other.name}", frame, self.path)

    def __and__(self, other: "Collection") -> "Collection":
        if not isinstance(other, Collection):
            return NotImplemented
        return self._where(other, "&", pl.col(self.path).is_in(other.paths))

    def __sub__(self, other: "Collection") -> "Collection":
        if not isinstance(other, Collection):
            return NotImplemented
        return self._where(other, "-", ~pl.col(self.path).is_in(other.paths))

    def __xor__(self, other: "Collection") -> "Collection":
        if not isinstance(other, Collection):
            return NotImplemented
        both = (self - other) | (other - self)
        return Collection(f"{self.name} ^ {other.name}", both.frame, self.path)

    def _where(self, other: "Collection", sign: str, keep: pl.Expr) -> "Collection":
        return Collection(f"{self.name} {sign} {other.name}", self.frame.filter(keep), self.path)

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, {counted(len(self), 'image')})"
