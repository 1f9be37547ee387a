"""Named selections that outlive the kernel.

In the store a collection is a name and the paths that carry it, like a tag. Seen through a frame
it is the rows of that frame; what other frames have under the same name is not touched.
"""

import unicodedata
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dedup_widgets.errors import InputError
from dedup_widgets.sources import absolute
from dedup_widgets.store import Store

UNSEEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text around them."""


@dataclass(frozen=True, eq=False)
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
        self._keys = pl.Series([absolute(p) for p in frame[path].to_list()], dtype=pl.String)
        self._mask, self._changed = mask, changed

    def __getitem__(self, name: str) -> Collection:
        seen = self._seen()
        if name not in seen:
            there = ", ".join(map(repr, seen)) or "none yet"
            raise KeyError(f"no collection {name!r}; there are: {there}")
        inside = self._keys.is_in(pl.Series(list(seen[name]), dtype=pl.String).implode())
        return Collection(name, self._frame.filter(inside), self._path)

    def _seen(self) -> dict[str, set[str]]:
        """Return the collections that have images of this frame, or none at all."""
        mine = set(self._keys)
        members = self._store.collections()
        return {name: paths & mine for name, paths in members.items() if not paths or paths & mine}

    def __setitem__(self, name: str, what: Any) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"a collection needs a name, not {name!r}")
        if any(
            character in UNSEEN or unicodedata.category(character) == "Cc" for character in name
        ):
            raise InputError(
                f"the name {name!r} has characters that cannot be seen; leave them out"
            )
        inside = pl.Series(self._mask(what.paths if isinstance(what, Collection) else what))
        self._store.update_collection(
            name.strip(), add=self._keys.filter(inside), remove=self._keys.filter(~inside)
        )
        self._changed()

    def __delitem__(self, name: str) -> None:
        self[name]  # raises the KeyError that lists what there is
        self._store.update_collection(name, remove=self._keys)
        if not self._store.collections()[name]:
            self._store.drop_collection(name)
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen())

    def __len__(self) -> int:
        return len(self._seen())

    def __repr__(self) -> str:
        return f"Collections({', '.join(f'{name!r}: {len(c):,}' for name, c in self.items())})"
