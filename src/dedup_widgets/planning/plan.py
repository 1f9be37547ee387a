"""Which images to keep and which to remove, and why: from a scored frame and decisions by hand.

First come the groups: those of the frame, or new ones at another boundary. Then the decisions by
hand, each of which changes only the group that it was made in. Last, which kinds may be removed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from dedup_widgets.planning.planner import REMOVABLE, Planner
from dedup_widgets.scoring.keepers import Rule


def plan(
    df: Any,
    *,
    near: float | None = None,
    remove: Iterable[str] = REMOVABLE,
    keep: Sequence[str | Rule] | None = None,
    keepers: Iterable[str] = (),
    not_duplicates: Iterable[tuple[str, str]] = (),
) -> pl.DataFrame:
    """Plan which images stay and which go, and say why.

    Nothing is removed here, and nothing but the frame and the decisions counts: the same ones give
    the same plan, in whatever order the rows come.

    Parameters
    ----------
    df
        A frame as :func:`dedup_widgets.score` makes it, of images that were scored together. It
        needs ``path``, ``group``, ``keep`` and ``fingerprint`` (or, for vectors of your own,
        ``uniqueness`` and ``nearest``); with ``embedding`` it can be grouped again.
    near
        Near-duplicate boundary on the uniqueness scale, in [0, 1]: images are grouped again at it,
        from the column ``embedding`` and without any model. Default: the frame's groups as they
        are.
    remove
        The kinds that may go, of ``"exact"`` and ``"near"``. Without ``"near"`` one copy of every
        picture stays; without ``"exact"`` every image that has exact copies stays.
    keep
        Keeper rules, strongest first, in place of those that the frame was scored with; see
        :mod:`dedup_widgets.keepers`. Groups are formed round keepers, so images are grouped again,
        at `near` or else at the frame's own boundary. A frame without embeddings cannot be: there
        the rules choose among exact copies only. Default: the frame's keepers; where images are
        grouped again, the default rules as far as the frame has their columns.
    keepers
        Paths chosen by hand to be the keeper of their group. No rule overrides them; of one group
        several may be chosen, and all of them stay.
    not_duplicates
        Pairs of fingerprints that a person declared to be no duplicates of each other: neither is
        removed because of the other. ``(f, f)`` keeps all copies of f. Fingerprints that the
        frame does not have are ignored.

    Returns
    -------
    pl.DataFrame
        One row an image, in the order of the frame:

        - ``path`` (String).
        - ``action`` (Enum): ``keep`` or ``remove``. An unreadable file is kept, because its
          content is unknown.
        - ``reason`` (String): for people to read.
        - ``keeper`` (String): the image that this one is a duplicate of; for a keeper itself;
          null for images in no group. The keeper of a row that goes stays.
        - ``kind`` (Enum): what it is to its keeper, ``exact`` or ``near``; else null.
        - ``rule`` (String): for a keeper, what the first rule prefers that tells it apart from
          its runner-up; null elsewhere, for a choice by hand, and where the frame's keeper is
          not the one that the rules would choose.
        - ``group`` (UInt32): same number = same group; null for images in none.
        - ``distance`` (Float32, [0, 1]): cosine distance to another image that is its keeper;
          null for others, and for near-duplicates in a frame without embeddings.
        - ``rank`` (UInt32): place in the order of keepers, 0 for the best; null if not compared.
        - ``fingerprint``, if the frame has one.

    Raises
    ------
    InputError
        When a column is missing, an argument is out of range, a path in `keepers` is not in the
        frame, or a group has two keepers because frames were put together after scoring.

    Notes
    -----
    A group in which something was decided by hand is formed again from its own members: the chosen
    keepers first, then by rank, each takes those within the boundary that are left, except across
    a pair of `not_duplicates`. What is left alone stays, even if a keeper of another group is
    near. Without embeddings, all that is known is that each member is near its group's keeper.

    An image whose score is above `near` has no other within it, so only images with lower scores
    are compared again. Images that were scored separately and put together afterwards are therefore
    not compared with each other, unless they share a fingerprint: score them together.

    Examples
    --------
    >>> df = pl.DataFrame(
    ...     {
    ...         "path": ["a.jpg", "b.jpg", "c.jpg"],
    ...         "group": [1, 1, None],
    ...         "keep": [True, False, True],
    ...         "fingerprint": ["f", "f", "g"],
    ...     }
    ... )
    >>> plan(df).select("path", "action", "reason").rows()  # doctest: +NORMALIZE_WHITESPACE
    [('a.jpg', 'keep', 'keeper: path that sorts first'),
     ('b.jpg', 'remove', 'exact duplicate of a.jpg'),
     ('c.jpg', 'keep', 'unique')]
    >>> plan(df, keepers=["b.jpg"])["action"].to_list()
    ['remove', 'keep', 'keep']
    """
    return Planner(df).plan(
        near=near, remove=remove, keep=keep, keepers=keepers, not_duplicates=not_duplicates
    )


def threshold_curve(
    df: Any,
    nears: Iterable[float] | None = None,
    *,
    keep: Sequence[str | Rule] | None = None,
) -> pl.DataFrame:
    """Count groups and images for near-duplicate boundaries to choose from.

    Parameters
    ----------
    df
        A frame as :func:`plan` takes it, with ``embedding``.
    nears
        Boundaries on the uniqueness scale, in [0, 1]. Default: 0, 0.0001 … 0.01 and on in steps
        of 0.01 to 0.2, and the one that the frame was scored with; the last ones are left out
        where more than 32,768 images may have another one within them.
    keep
        Keeper rules, as :func:`plan` takes them.

    Returns
    -------
    pl.DataFrame
        One row a boundary, in the order given:

        - ``near`` (Float64, [0, 1]): the boundary.
        - ``groups`` (UInt32): groups, of exact copies only or with near-duplicates.
        - ``near_groups`` (UInt32): groups that hold two or more different pictures.
        - ``stays`` (UInt32): images that stay if ``plan(df, near=near, keep=keep)`` is carried
          out.
        - ``removed`` (UInt32): images that go. With ``stays``, all readable images.

    Raises
    ------
    InputError
        When a column is missing, or a boundary is out of range.

    Examples
    --------
    >>> vectors = [[1.0, 0.0], [1.0, 0.2], [1.0, 0.6]]
    >>> df = pl.DataFrame({"path": ["a", "b", "c"], "embedding": vectors})
    >>> threshold_curve(df, [0.01, 0.02, 0.2]).rows()
    [(0.01, 0, 0, 3, 0), (0.02, 1, 1, 2, 1), (0.2, 1, 1, 1, 2)]
    """
    return Planner(df).curve(nears, keep=keep)
