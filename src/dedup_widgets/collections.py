"""Named selections that outlive the kernel.

In the store a collection is a name and the paths that carry it, like a tag. Seen through a frame
it is the rows of that frame; what other frames have under the same name is not touched.
"""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.store import Store


@dataclass(frozen=True)
class Collection:
    """A named set of images of a frame, as it was when it was asked for.

    Attributes
    ----------
    name : str
        Its name; that of a set operation tells what was combined.
    frame : pl.DataFrame
        Its rows, with all columns, in the order of the frame they were picked from.
    path : str
        The column of paths.

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

    name: str
    frame: pl.DataFrame
    path: str = "path"

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

    def __or__(self, other: "Collection") -> "Collection":
        frame = pl.concat([self.frame, (other - self).frame], how="diagonal")
        return Collection(f"{self.name} | {other.name}", frame, self.path)

    def __and__(self, other: "Collection") -> "Collection":
        return self._where(other, "&", pl.col(self.path).is_in(other.paths))

    def __sub__(self, other: "Collection") -> "Collection":
        return self._where(other, "-", ~pl.col(self.path).is_in(other.paths))

    def __xor__(self, other: "Collection") -> "Collection":
        both = (self - other) | (other - self)
        return Collection(f"{self.name} ^ {other.name}", both.frame, self.path)

    def _where(self, other: "Collection", sign: str, keep: pl.Expr) -> "Collection":
        return Collection(f"{self.name} {sign} {other.name}", self.frame.filter(keep), self.path)

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, {len(self):,} images)"


class Collections(MutableMapping[str, Collection]):
    """The collections of a store, as seen through one frame; what ``ex.collections`` is.

    Reading asks the store each time, so that two notebooks on one store see each other's work.
    Assigning a frame, paths, a mask or another collection to a name makes these images, of this
    frame, the ones that carry it.

    Parameters
    ----------
    frame
        The rows to look at.
    path
        Its column of paths.
    store
        Where collections are kept.
    mask
        Turns what is assigned into a mask over the rows, or raises an InputError.
    changed
        Called after each change.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        path: str,
        store: Store,
        *,
        mask: Callable[[Any], np.ndarray],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._frame, self._path, self._store = frame, path, store
        self._paths = frame[path]
        self._mask, self._changed = mask, changed

    def __getitem__(self, name: str) -> Collection:
        members = self._store.collection_paths(name)
        if members is None:
            there = ", ".join(map(repr, self)) or "none yet"
            raise KeyError(f"no collection {name!r}; there are: {there}")
        inside = self._paths.is_in(pl.Series(list(members), dtype=pl.String).implode())
        return Collection(name, self._frame.filter(inside), self._path)

    def __setitem__(self, name: str, what: Any) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"a collection needs a name, not {name!r}")
        inside = pl.Series(self._mask(what.paths if isinstance(what, Collection) else what))
        self._store.update_collection(
            name.strip(), add=self._paths.filter(inside), remove=self._paths.filter(~inside)
        )
        self._changed()

    def __delitem__(self, name: str) -> None:
        self[name]  # raises the KeyError that lists what there is
        self._store.update_collection(name, remove=self._paths)
        if not self._store.collection_paths(name):
            self._store.drop_collection(name)
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.collection_names())

    def __len__(self) -> int:
        return len(self._store.collection_names())

    def __repr__(self) -> str:
        return f"Collections({', '.join(f'{name!r}: {len(c):,}' for name, c in self.items())})"
