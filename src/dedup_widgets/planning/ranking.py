"""The images of a scored frame that can be compared, best keeper first, and who is near whom."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.neighbors import grouping
from dedup_widgets.neighbors.pairs import Pairs, pairs_within
from dedup_widgets.neighbors.vectors import distances, first_equal, unit_vectors
from dedup_widgets.scoring.keepers import Rule, rank
from dedup_widgets.scoring.uniqueness import FLOOR, NEAR, SAME, reach, scale

LIMIT = 0.2
"""Boundary up to which images are compared once, on the uniqueness scale."""


COMPARED = 32_768
"""Images of which all pairs are compared in a few seconds."""


AT_A_TIME = 16_384
"""Pairs of embeddings whose distance is computed at a time, to bound memory."""


PAIRS = 8_000_000
"""Pairs of near images that are kept at most: 128 MB."""


class Scored:
    """What a scored frame tells of its images that can be compared with each other.

    Parameters
    ----------
    frame
        A frame with ``path``.
    needed
        The column without which an image cannot be compared.

    Attributes
    ----------
    images
        The images, without their embeddings.
    row
        The row of each in the frame.
    embeddings
        The frame's column of them, null for images without one; None if it has none.
    closeness
        Who is near whom; None where embeddings are not what is needed.
    """

    def __init__(self, frame: pl.DataFrame, needed: str) -> None:
        compared = pl.col(needed).is_not_null()
        if "error" in frame.columns:
            compared &= pl.col("error").is_null()
        mask = frame.select(compared).to_series()
        self.images = frame.drop("embedding", strict=False).filter(mask)
        self.row = np.flatnonzero(mask.to_numpy())
        self.embeddings = frame["embedding"] if "embedding" in frame.columns else None
        self.closeness = Closeness(self) if needed == "embedding" else None

    @cached_property
    def near(self) -> float:
        """The boundary that the frame was scored with, as far as its kinds and groups tell.

        It lies between the scores of kind near and those of kind unique, and no member of a group
        is farther from its keeper. Where the usual one does not fit, the lowest that does is
        taken: too low keeps images, too high loses them.
        """
        if not {"kind", "uniqueness"} <= set(self.images.columns):
            return NEAR
        score = self.images["uniqueness"].cast(pl.Float32)
        kind = self.images["kind"].cast(pl.String)
        low = score.filter(kind == "near").to_numpy().max(initial=self._widest_group())
        high = score.filter(kind == "unique").to_numpy().min(initial=np.inf)
        return NEAR if low <= np.float32(NEAR) < high else float(low)

    def _widest_group(self) -> float:
        """Return how far the farthest member of a group is from its keeper, as uniqueness."""
        embeddings = self.embeddings
        if (
            embeddings is None
            or self.gamma is None
            or not {"group", "keep"} <= set(self.images.columns)
        ):
            return 0.0
        grouped = (
            self.images.select("group", pl.col("keep").cast(pl.Boolean))
            .with_columns(row=self.row)
            .filter(embeddings.is_not_null().gather(self.row), pl.col("group").is_not_null())
        )
        keepers = grouped.filter("keep")
        pairs = grouped.filter(~pl.col("keep")).join(keepers, on="group", suffix="_keeper")
        distance = distances_between(
            embeddings, pairs["row"].to_numpy(), pairs["row_keeper"].to_numpy()
        )
        return float(scale(distance.max(initial=0.0), self.gamma))

    @cached_property
    def gamma(self) -> float | None:
        """The exponent that leads from the frame's distances to its scores, None if none does.

        The median of ln(uniqueness) / ln(distance), where most rows agree on it.
        """
        if not {"uniqueness", "distance"} <= set(self.images.columns):
            return None
        score = self.images["uniqueness"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        distance = self.images["distance"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        # At the floor the exponent cannot be seen, and near 1 the logarithm is all rounding.
        telling = (score > 2 * FLOOR) & (score < 1) & (distance > 0) & (distance < 0.999)
        exponents = np.log(score[telling]) / np.log(distance[telling])
        if not exponents.size:
            return None
        gamma = float(np.median(exponents))
        if not 1e-3 <= gamma <= 1e3 or np.mean(abs(exponents - gamma) <= 1e-3 * gamma) < 0.9:
            return None
        return 1.0 if abs(gamma - 1) < 1e-5 else gamma

    @property
    def limit(self) -> float:
        """The boundary up to which groups formed anew take seconds, however many images."""
        return self.near if self.closeness is None else self.closeness.limit

    def reach(self, near: float) -> float:
        """Return the largest cosine distance within a boundary, -1 when none is."""
        return reach(near, 1.0 if self.gamma is None else self.gamma)

    @cached_property
    def pictures(self) -> pl.Series | None:
        """A text for each image that is equal for exact duplicates, None if nothing tells."""
        if "fingerprint" in self.images.columns:
            text = pl.coalesce(pl.col("fingerprint").cast(pl.String), "path")
        elif {"uniqueness", "nearest"} <= set(self.images.columns):
            text = pl.when(pl.col("uniqueness") == 0).then("nearest").otherwise("path")
        else:
            return None
        return self.images.select(text).to_series()


class Ranked:
    """Images that can be compared with each other, the best keeper first.

    Attributes
    ----------
    scored, rules
        What they come from, and the rules that rank them.
    images
        As in :class:`Scored`.
    row
        The row of each in the frame.
    picture
        The first image with the same picture, itself if there is none before it.
    """

    def __init__(self, scored: Scored, rules: Sequence[str | Rule]) -> None:
        order = np.argsort(rank(scored.images, rules))
        self.scored, self.rules = scored, tuple(rules)
        self.images = scored.images[order]
        self.row = scored.row[order]
        if scored.pictures is None:
            assert scored.closeness is not None
            self.picture = scored.closeness.same(self.row)
        else:
            pictures = scored.pictures.gather(order).to_frame("picture").with_row_index("place")
            first = pictures.select(pl.col("place").min().over("picture"))
            self.picture = first.to_series().to_numpy().astype(np.int64)

    def __len__(self) -> int:
        return len(self.row)


class Closeness:
    """Which images are near which, for groups at any boundary.

    The pairs within a limit are searched once, when they are first needed, and kept. Beyond it,
    or where pairs are too many to keep, each boundary is searched by itself; the groups are the
    same. It may serve several threads.

    Whoever scored above a boundary has nobody within it, so only the others are compared. A frame
    without fingerprints, or without scores on the scale of distances, cannot tell, and all are.
    """

    def __init__(self, scored: Scored) -> None:
        assert scored.embeddings is not None
        self._embeddings = scored.embeddings
        self.reach = scored.reach
        self._row = scored.row
        # The lowest boundary at which somebody may be near, by row of the frame.
        self._from = np.zeros(len(scored.embeddings))
        if scored.gamma is not None and scored.pictures is not None:
            score = scored.images["uniqueness"].cast(pl.Float64).fill_null(0.0)
            # A copy's own score is 0, and any of the copies may be the keeper.
            score = score.set(scored.pictures.is_duplicated(), 0.0)
            # A little less than the score: gamma was read off rounded numbers.
            self._from[self._row] = (score.to_numpy() - 2 * FLOOR) / 1.001
        self._lowest = np.sort(self._from[self._row])
        self._lock = threading.Lock()
        self._found: _Found | None = None

    @property
    def limit(self) -> float:
        """The boundary up to which comparing takes seconds, however many images."""
        return min(LIMIT, self._affordable(COMPARED))

    def _affordable(self, images: int) -> float:
        """Return the highest boundary at which so many images may have somebody near."""
        return float(self._lowest[images]) if images < len(self._lowest) else 1.0

    def leaders(
        self, rows: NDArray[np.int64], near: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Group images greedily, as :func:`dedup_widgets.neighbors.grouping.leaders` does.

        Parameters
        ----------
        rows
            Rows of the frame, one of each picture, best keeper first.
        near
            Boundary on the uniqueness scale.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.bool_]]
            For each of `rows`, the place in `rows` of its leader, and whether any other of them
            is within the boundary.
        """
        leader, crowded = np.arange(len(rows)), np.zeros(len(rows), np.bool_)
        some = np.flatnonzero(self._from[rows] <= near)
        of_some, crowded[some] = self._leaders(rows[some], near, self.reach(near))
        leader[some] = some[of_some]
        return leader, crowded

    def same(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place in `rows` of the picture that each is, by the embeddings alone."""
        return self._leaders(rows, 0.0, SAME)[0]

    def _leaders(
        self, rows: NDArray[np.int64], near: float, reach: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if reach < 0:
            return np.arange(len(rows)), np.zeros(len(rows), np.bool_)
        found = self._pairs(near)
        if found.near < near or found.pairs.reach < reach:
            return _leaders_by_search(unit_vectors(self._embeddings.gather(rows)), reach)
        # Equal vectors have the same neighbours: the best of them, their head, stands for all.
        _, first, which = np.unique(found.vector[rows], return_index=True, return_inverse=True)
        heads = np.sort(first)
        head = np.searchsorted(heads, first[which])
        leader, crowded = found.pairs.leaders(found.vector[rows[heads]], reach)
        return heads[leader[head]], crowded[head] | (np.bincount(head)[head] > 1)

    def _pairs(self, near: float) -> "_Found":
        """Return the pairs up to a boundary, or those that could be kept."""
        with self._lock:
            known = found = self._found
            if found is None or (found.near < near and not found.is_cut):
                found = self._search(near)
                if known is not None and found.pairs.reach < known.pairs.reach:
                    found = replace(known, is_cut=True)
                self._found = found
            return found

    def _search(self, near: float) -> "_Found":
        before = 0 if self._found is None else int((self._found.vector >= 0).sum())
        # Never a little more than the last time: someone may be moving the boundary up.
        wanted = LIMIT if near <= LIMIT else min(1.0, 1.5 * near)
        limit = max(near, min(wanted, self._affordable(max(COMPARED, 2 * before))))
        rows = self._row[self._from[self._row] <= limit]
        vectors = unit_vectors(self._embeddings.gather(rows))
        distinct, which = np.unique(first_equal(vectors), return_inverse=True)
        vector = np.full(len(self._from), -1)
        vector[rows] = which
        reach = self.reach(limit)
        pairs = pairs_within(vectors[distinct], reach, at_most=PAIRS)
        return _Found(limit, vector, pairs, is_cut=pairs.reach < reach)


@dataclass(frozen=True)
class _Found:
    """The pairs of images within a boundary.

    Attributes
    ----------
    near
        The boundary.
    vector
        For each row of the frame, its place among the distinct vectors; -1 for images that can
        have nobody within the boundary.
    pairs
        Of these vectors.
    is_cut
        Whether those of this boundary, or of a wider one, are too many to keep.
    """

    near: float
    vector: NDArray[np.int64]
    pairs: Pairs
    is_cut: bool


def _leaders_by_search(
    vectors: NDArray[np.float32], reach: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    rows = np.arange(len(vectors))
    leader = grouping.leaders(vectors, reach)
    crowded = np.bincount(leader, minlength=len(rows))[leader] > 1
    # Who is near somebody and yet alone is near a member only.
    members, alone = vectors[leader != rows], np.flatnonzero(~crowded)
    crowded[alone] = grouping.any_within(vectors[alone], members, reach)
    return leader, crowded


def distances_between(
    embeddings: pl.Series, rows: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the cosine distance of each row's embedding to that of its other one, in [0, 1]."""
    distance = np.empty(len(rows))
    for start in range(0, len(rows), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        a = unit_vectors(embeddings.gather(rows[part]))
        b = unit_vectors(embeddings.gather(others[part]))
        distance[part] = distances(a, b)
    return distance
