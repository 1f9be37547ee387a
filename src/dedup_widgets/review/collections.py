"""Named selections that outlive the kernel.

In the library a collection is a name and the paths that carry it, like a tag. Seen through a frame
it is the rows of that frame; what other frames have under the same name is not touched.
"""

import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dedup_widgets._paths import absolutes
from dedup_widgets._text import storable
from dedup_widgets.errors import InputError
from dedup_widgets.frame.collection import Collection
from dedup_widgets.frame.lookup import Lookup
from dedup_widgets.review.steps import CollectionStep, Mask, RenameStep, Rows
from dedup_widgets.store.library import Library

UNSEEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text around them."""

LONGEST_NAME = 1_000
"""Characters of the name of a collection."""


class Members(NamedTuple):
    """What a frame sees of a collection: a mask over its rows, shape (n,); and its description."""

    mask: Mask
    description: str


class NoCollectionError(InputError, KeyError):
    """There is no collection of that name; the message lists those there are."""

    __str__ = Exception.__str__


class Collections(MutableMapping[str, Collection]):
    """The collections of a library, as seen through one frame; what ``ex.collections`` is.

    Reading asks the library each time, so that two notebooks on one library see each other's
    work, and what both add to one collection is in it. A collection without images stays until it
    is deleted. Those that have images of other frames only are not seen.

    Names are stripped and NFC-normalised. Assigning a frame, paths, a mask or another collection
    to a name makes these images, of this frame, the ones that carry it.

    Parameters
    ----------
    frame
        The rows to look at.
    path
        Its column of paths.
    library
        Where collections are kept.
    mask
        Turns what is assigned into a mask over the rows, or raises an InputError.
    record
        Called with each step that changed something, in the transaction that keeps it.
    changed
        Called with each such step once it is kept, if it was not made by :meth:`apply`.
    changing
        Entered while something is changed and reported.
    together
        Entered while it is written; default: the library's transaction.
    files
        The absolute paths of the rows, where they are known already.

    Attributes
    ----------
    frame : pl.DataFrame
        What the rows of collections are taken from. It may be replaced by a frame with the same
        images in the same order.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        path: str,
        library: Library,
        *,
        mask: Callable[[Any], np.ndarray],
        record: Callable[[CollectionStep | RenameStep], None] = lambda _step: None,
        changed: Callable[[CollectionStep | RenameStep], None] = lambda _step: None,
        changing: Callable[[], AbstractContextManager[Any]] | None = None,
        together: Callable[[], AbstractContextManager[Any]] | None = None,
        files: Lookup | None = None,
    ) -> None:
        self.frame = frame
        lock = threading.RLock()
        self._changing = (lambda: lock) if changing is None else changing
        self._path, self._library = path, library
        self._row_of_key = files or Lookup(absolutes(frame[path].cast(pl.String)))
        self._keys = self._row_of_key.texts
        self._together = library.together if together is None else together
        self._mask, self._record, self._changed = mask, record, changed
        # Those that were changed here stay in sight, even if only other frames' images are left.
        self._used_here: set[str] = set()
        self._seen: tuple[tuple[int, int] | None, dict[str, Members]] = None, {}

    def members(self) -> Mapping[str, Members]:
        """Return what this frame sees of each collection, the oldest first.

        Cheap as long as no collection has changed; then it is the same object as before. The masks
        are not to be written to.
        """
        version = self._library.collections_version()
        seen, members = self._seen
        if version != seen:
            members = self._read()
            self._seen = version, members
        return members

    def _read(self) -> dict[str, Members]:
        stored = self._library.collections()
        masks = np.zeros((len(stored), len(self._keys)), np.bool_)
        for mask, found in zip(masks, stored.values(), strict=True):
            mask[self._in_frame(found.paths)] = True
        masks.flags.writeable = False
        return {
            name: Members(mask, found.description)
            for mask, (name, found) in zip(masks, stored.items(), strict=True)
            if mask.any() or not found.paths or name in self._used_here
        }

    def __getitem__(self, name: str) -> Collection:
        name, (mask, description) = self._found(name)
        return Collection(name, partial(self.frame.filter, mask), self._path, description)

    def __setitem__(self, name: str, what: Any) -> None:
        inside, name = self._inside(what), self._named(name)
        exists = (name in self, True)
        self._do(CollectionStep(name, Rows(inside), Rows(~inside), exists=exists))

    def __delitem__(self, name: str) -> None:
        name, (mask, description) = self._found(name)
        none = Rows.none(len(mask))
        self._do(CollectionStep(name, none, Rows(mask), (description, ""), (True, False)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.members())

    def __len__(self) -> int:
        return len(self.members())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._spelled(name) in self.members()

    def __repr__(self) -> str:
        sizes = (f"{name!r}: {mask.sum():,}" for name, (mask, _) in self.members().items())
        return f"Collections({', '.join(sizes)})"

    def size(self, name: str) -> int:
        """Return how many images of the frame a collection has."""
        _, (mask, _) = self._found(name)
        return int(mask.sum())

    def add(self, name: str, what: Any) -> None:
        """Put images into a collection, which is made when there is none of that name.

        Parameters
        ----------
        name
            Of the collection.
        what
            A frame, paths, a mask over the rows, or another collection.

        Raises
        ------
        InputError
            When the name cannot be read, or something is not in the frame; nothing is changed.
        """
        inside, name = self._inside(what), self._named(name)
        exists = (name in self, True)
        none = Rows.none(len(inside))
        self._do(CollectionStep(name, Rows(inside), none, exists=exists))

    def remove(self, name: str, what: Any) -> None:
        """Take images out of a collection, which stays even if nothing is left in it.

        Parameters
        ----------
        name
            Of the collection.
        what
            As for :meth:`add`; images that are not in the collection are passed over.

        Raises
        ------
        InputError
            When there is no such collection, or something is not in the frame.
        """
        inside = self._inside(what)
        name, _ = self._found(name)
        self._do(CollectionStep(name, Rows.none(len(inside)), Rows(inside)))

    def rename(self, old: str, new: str) -> None:
        """Give a collection another name, with all that is in it, images of other frames too.

        Raises
        ------
        InputError
            When there is no collection of the old name, or one of the new name already.
        """
        old, _ = self._found(old)
        self._do(RenameStep(old, self._named(new)))

    def describe(self, name: str, text: str) -> None:
        """Describe what a collection is for.

        Raises
        ------
        InputError
            When there is no such collection, or the description is no text.
        """
        name, (mask, before) = self._found(name)
        text = storable(text, f"the description of {name!r}")
        none = Rows.none(len(mask))
        self._do(CollectionStep(name, none, none, (before, text.strip())))

    def apply(self, step: CollectionStep | RenameStep) -> CollectionStep | RenameStep | None:
        """Carry out and record a step, such as the inverse of an earlier one; it is not reported.

        Returns
        -------
        CollectionStep, RenameStep or None
            What really changed, from which it can be undone; None when nothing did, as when
            another notebook has deleted the collection.

        Raises
        ------
        InputError
            When the new name of a collection is taken.
        StoreError
            When the store cannot be written.
        """
        used_here = self._used_here.copy()
        try:
            with self._together():
                done = self._renamed(step) if isinstance(step, RenameStep) else self._change(step)
                if done is not None:
                    self._record(done)
        except BaseException:
            self._used_here, self._seen = used_here, (None, {})
            raise
        return done

    def _change(self, step: CollectionStep) -> CollectionStep | None:
        deletes = not step.exists[1]
        describes = step.description[0] != step.description[1] and not deletes
        before = self.members().get(step.name)
        inside = np.zeros(len(self._keys), np.bool_) if before is None else before.mask
        added, removed = Rows(step.add.mask() & ~inside), Rows(step.remove.mask() & inside)
        change = self._library.change_collection(
            step.name,
            add=self._keys.gather(added.numbers),
            remove=self._keys.gather(removed.numbers).to_list(),
            description=step.description[1] if describes else None,
            make=bool(step.add) or not step.exists[0],
            drop=deletes,
        )
        if change is None:
            return None
        (self._used_here.discard if deletes else self._used_here.add)(step.name)
        if not deletes and (before is not None or change.made):
            mask = (inside | added.mask()) & ~removed.mask()
            self._note(step.name, Members(mask, change.description[1]))
        after = self.members().get(step.name)
        done = CollectionStep(
            step.name,
            added,
            removed,
            (change.description[0], after.description if after else ""),
            (before is not None, after is not None),
        )
        return done or None

    def _note(self, name: str, members: Members) -> None:
        """Take note of what was just changed, if nobody else changed something meanwhile."""
        (seen, known), version = self._seen, self._library.collections_version()
        if seen is not None and version == (seen[0], seen[1] + 1):
            members.mask.flags.writeable = False
            self._seen = version, {**known, name: members}

    def _renamed(self, step: RenameStep) -> RenameStep | None:
        if not step or not self._library.rename_collection(step.old, step.new):
            return None
        self._used_here.discard(step.old)
        self._used_here.add(step.new)
        return step

    def _do(self, step: CollectionStep | RenameStep) -> None:
        # Not while others wait for what this holds.
        self._library.wait_for_turn()
        with self._changing():
            done = self.apply(step)
            if done is not None:
                self._changed(done)

    def _in_frame(self, keys: Iterable[str]) -> np.ndarray:
        """Return the rows of those of some absolute paths that the frame has."""
        rows = self._row_of_key.first(keys)
        return rows[rows >= 0]

    def _inside(self, what: Any) -> Mask:
        return self._mask(what.paths if isinstance(what, Collection) else what)

    def _spelled(self, name: str) -> str:
        """Return a name as the library has it; older ones have some that are not normalised."""
        return name if name in self.members() else _normal(name)

    def _found(self, name: str) -> tuple[str, Members]:
        members = self.members()
        spelled = self._spelled(name) if isinstance(name, str) else name
        if spelled not in members:
            there = ", ".join(map(repr, members)) or "none yet"
            raise NoCollectionError(f"no collection {name!r}; there are: {there}")
        return spelled, members[spelled]

    def _named(self, name: str) -> str:
        """Return a name as it may be stored."""
        if not isinstance(name, str) or all(map(_is_blank, name)):
            raise InputError(f"a collection needs a name, not {name!r}")
        storable(name, "the name of a collection")
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"the name {name[:20]!r}… has {len(name):,} characters, and {LONGEST_NAME:,} are "
                "the most"
            )
        if any(
            character in UNSEEN or unicodedata.category(character) == "Cc" for character in name
        ):
            raise InputError(
                f"the name {name!r} has characters that cannot be seen; leave them out"
            )
        return self._spelled(name)


def _is_blank(character: str) -> bool:
    """Tell whether a character takes no ink: a space, or one that only shapes others."""
    return character.isspace() or unicodedata.category(character) == "Cf"


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
