"""Nearest neighbours by cosine distance, the same to the last bit however they are found.

Unit vectors are rounded to multiples of 2**-24, which float32 holds exactly. A product of two
components is then a multiple of 2**-48, and every partial sum of a dot product is at most about 1
(Cauchy-Schwarz), so float64 adds them up without any rounding: in whatever order, block or thread
it is done, the dot product is the same number. Fast float32 products, or a USearch graph, only
pick the candidates; the distance of a candidate always comes from :func:`cosines`.
"""

import threading
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dedup_widgets.errors import InputError

Method = Literal["auto", "exact", "hnsw"]

GRID = 2.0**24
BLOCK = 512
"""Rows multiplied at a time: a tile of 512 x 512 products stays in the processor's cache."""

HNSW_FROM = 300_000
"""Vectors from which a graph is about to be faster than all products on two processor cores.

By benchmarks/bench_neighbors.py: at 150,000 all products take 0.6 of its time. The graph is built
by one thread, to be the same each time, so more cores move the crossover further up.
"""

CANDIDATES = 11
"""Vectors that the graph is asked for, the query itself included."""

GRAPH_ERROR = 1e-3
"""Cosine distance by which bfloat16 may misplace a candidate: ten times its usual error."""


def unit_vectors(embeddings: Any) -> NDArray[np.float32]:
    """Normalise embeddings to unit length and round them to multiples of 2**-24.

    Each row depends on nothing but itself, and not on the memory layout.

    Parameters
    ----------
    embeddings
        n x d numbers: an array, a tensor, a list of rows, or a polars Array or List column.

    Returns
    -------
    NDArray[np.float32]
        Shape (n, d), each component within 2**-25 of the exact one.

    Raises
    ------
    InputError
        When the shape is not (n, d), or a row is zero, NaN, infinite or null.

    Examples
    --------
    >>> unit_vectors([[3, 4], [0, 2]]).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 1.0]]
    """
    matrix = _matrix(embeddings)
    unit = np.empty(matrix.shape, np.float32)
    largest = np.empty(len(matrix))
    for part in _parts(len(matrix)):
        rows = matrix[part].astype(np.float64, order="C")
        largest[part] = np.abs(rows).max(axis=1)
        # A power of two changes no digit, and keeps the squares from over- and underflowing.
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = np.ldexp(rows, -np.frexp(largest[part])[1][:, None])
            length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
            unit[part] = np.rint(rows / length * GRID) / GRID
    _refuse(~np.isfinite(largest), "contain NaN or infinity")
    _refuse(largest == 0, "are zero, so they have no direction")
    unit += 0.0  # turns -0.0 into 0.0: equal vectors are equal bytes
    return unit


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each row of `a` with each row of `b`, shape (len(a), len(b)).

    Both hold :func:`unit_vectors`. Dividing by the exact lengths takes the rounding to the grid
    back out: a vector's cosine with itself is exactly 1.
    """
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    squares = np.outer(_squares(a64), _squares(b64))
    quotient: NDArray[np.float64] = (a64 @ b64.T) / np.sqrt(squares)
    return quotient


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine distance of each row of `a` to the same row of `b`, clipped to [0, 1].

    Both hold :func:`unit_vectors`, n of them.
    """
    cosine = [_row_cosines(a[part], b[part][:, None])[:, 0] for part in _parts(len(a))]
    return np.clip(1.0 - np.concatenate([np.empty(0), *cosine]), 0.0, 1.0)


def nearest(
    vectors: NDArray[np.float32],
    *,
    rows: NDArray[np.int64] | None = None,
    method: Method = "auto",
    block: int = BLOCK,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest other vector of each row.

    Parameters
    ----------
    vectors
        :func:`unit_vectors`, shape (n, d).
    rows
        Rows to answer for; all of them when None. Given rows are always searched exactly.
    method
        ``"exact"`` looks at all pairs: certain, quadratic time. ``"hnsw"`` takes candidates from
        a USearch graph, scores them exactly, and looks at all pairs of the rows that the graph
        serves badly; it may still miss the nearest of a few in 10,000 where thousands crowd
        together. ``"auto"`` is exact below :data:`HNSW_FROM` vectors.
    block
        Rows multiplied at a time. It bounds memory, and changes no result.

    Returns
    -------
    tuple[NDArray[np.int64], NDArray[np.float64]]
        The row of the nearest other vector, the lowest row of those equally near, or -1 when
        there is no other; and the cosine distance to it, clipped to [0, 1], 1 when there is none.
        One entry for each of `rows`.
    """
    if method not in ("auto", "exact", "hnsw"):
        raise InputError(f"method is {method!r}; it must be 'auto', 'exact' or 'hnsw'")
    best = _Nearest(vectors)
    if rows is not None:
        _scan(best, rows, block, answer_all=False)
    elif method == "exact" or (method == "auto" and len(vectors) < HNSW_FROM):
        _all_pairs(best, block)
    else:
        _graph_pairs(best, block)
    asked = slice(None) if rows is None else rows
    return best.row[asked], np.clip(1.0 - best.cosine[asked], 0.0, 1.0)


def leaders(vectors: NDArray[np.float32], reach: float, *, block: int = BLOCK) -> NDArray[np.int64]:
    """Group vectors greedily in row order, each group within reach of its leader.

    The first row that is in no group leads one, and takes all later rows within `reach` of it
    that are in none; so no row comes in through another member.

    Parameters
    ----------
    vectors
        :func:`unit_vectors`, shape (n, d), best leader first.
    reach
        Largest cosine distance from a leader to a member; negative: no groups.
    block
        Rows multiplied at a time. It bounds memory, and changes no result.

    Returns
    -------
    NDArray[np.int64]
        The leader of each row; a leader's own row for itself.
    """
    leader = np.arange(len(vectors))
    left = leader.copy()
    while left.size and reach >= 0:
        head, rest = left[:block], left[block:]
        within = _within(vectors[head], vectors[head], reach)
        for i in range(len(head)):
            if leader[head[i]] == head[i]:
                near = head[i + 1 :][within[i, i + 1 :]]
                leader[near[leader[near] == near]] = head[i]
        leading = head[leader[head] == head]
        for part in _parts(len(rest), block):
            columns = rest[part]
            within = _within(vectors[leading], vectors[columns], reach)
            taken = within.any(axis=0)
            leader[columns[taken]] = leading[within.argmax(axis=0)[taken]]
        left = rest[leader[rest] == rest]
    return leader


def any_within(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32],
    reach: float,
    *,
    block: int = BLOCK,
) -> NDArray[np.bool_]:
    """Tell which vectors have any of the others within reach.

    Parameters
    ----------
    vectors, others
        :func:`unit_vectors`, shapes (n, d) and (m, d).
    reach
        Largest cosine distance; negative: nobody has.
    block
        Rows multiplied at a time. It bounds memory, and changes no result.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n,).
    """
    found = np.zeros(len(vectors), np.bool_)
    for beside in _parts(len(others) if reach >= 0 else 0, block):
        left = np.flatnonzero(~found)
        for part in _parts(len(left), block):
            rows = left[part]
            found[rows] = _within(vectors[rows], others[beside], reach).any(axis=1)
    return found


def pairs(
    vectors: NDArray[np.float32], reach: float, *, at_most: int, block: int = BLOCK
) -> "Pairs":
    """Find all pairs of vectors within reach of each other.

    Parameters
    ----------
    vectors
        :func:`unit_vectors`, shape (n, d).
    reach
        Largest cosine distance of a pair; negative: no pairs.
    at_most
        How many pairs to keep. Where there are more, the farthest are dropped and the reach
        shrinks, to nothing if need be: memory is bounded, and within the reach that is left none
        is missing.
    block
        Rows multiplied at a time. It bounds memory too.

    Examples
    --------
    >>> found = pairs(unit_vectors([[1, 0], [3, 4], [0, 1]]), 0.5, at_most=100)
    >>> found.of(1, reach=0.5).tolist(), found.of(1, reach=0.3).tolist()
    ([2, 0], [2])
    """
    found = _PairsSoFar(reach, _slack(vectors.shape[1]), at_most)
    parts = list(_parts(len(vectors), block))
    for i, above in enumerate(parts):
        for beside in parts[i:]:
            if found.reach < 0:
                break
            tile = vectors[above] @ vectors[beside].T
            if above == beside:
                tile[np.tril_indices(len(tile))] = np.nan  # each pair once
            # Several times as quick as nonzero in two dimensions.
            at = np.flatnonzero(tile >= found.lowest)
            rows, columns = np.divmod(at, tile.shape[1])
            found.add(rows + above.start, columns + beside.start, tile.ravel()[at])
    return Pairs(vectors, found.reach, *found.joined())


class Pairs:
    """All pairs of vectors within reach of each other, listed for each vector; see :func:`pairs`.

    What float32 says about a distance decides where it can; a pair about as far apart as is asked
    for is computed exactly. So groups are the same as those of :func:`leaders`, to the last bit.

    Attributes
    ----------
    reach
        Cosine distance within which no pair is missing; negative: nothing is known.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        reach: float,
        first: NDArray[np.int32],
        second: NDArray[np.int32],
        product: NDArray[np.float32],
    ) -> None:
        self.reach = reach
        self._vectors = vectors
        self._slack = _slack(vectors.shape[1])
        row = np.concatenate([first, second])
        distance = np.tile(np.maximum(np.float32(1) - product, 0), 2)
        # One key of both, quicker to sort: floats from 0 on are ordered like their bits.
        order = np.argsort(row.astype(np.int64) << 32 | distance.view(np.uint32))
        self._other = np.concatenate([second, first])[order]
        self._distance = distance[order]
        self._start = np.searchsorted(row[order], np.arange(len(vectors) + 1))
        has_any = np.flatnonzero(np.diff(self._start))
        self._nearest = np.full(len(vectors), np.inf, np.float32)
        self._nearest[has_any] = self._distance[self._start[has_any]]

    def __len__(self) -> int:
        return len(self._other) // 2

    def of(self, row: int, reach: float) -> NDArray[np.int32]:
        """Return the vectors within reach of one, about the nearest first.

        Parameters
        ----------
        row
            Its row.
        reach
            Largest cosine distance, at most that of these pairs.
        """
        start, end = self._start[row], self._start[row + 1]
        distance, other = self._distance[start:end], self._other[start:end]
        if reach >= 1:  # no distance is more than 1, whatever the product
            return other
        sure, possible = distance.searchsorted((reach - self._slack, reach + self._slack))
        if sure == possible:
            return other[:sure]
        doubtful = other[sure:possible]
        exact = 1.0 - cosines(self._vectors[[row]], self._vectors[doubtful])[0]
        return np.concatenate([other[:sure], doubtful[exact <= reach]])

    def leaders(
        self, rows: NDArray[np.int64], reach: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Group some of the vectors greedily, as :func:`leaders` does.

        Parameters
        ----------
        rows
            Their rows, each once, best leader first.
        reach
            Largest cosine distance from a leader to a member, at most that of these pairs;
            negative: no groups.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.bool_]]
            For each of `rows`, the place in `rows` of its leader, and whether any other of them
            is within reach.
        """
        leader = np.arange(len(rows))
        crowded = np.zeros(len(rows), np.bool_)
        place = np.full(len(self._vectors), -1)
        place[rows] = leader
        may_lead = self._nearest[rows] <= (reach + self._slack if reach < 1 else np.inf)
        for i in np.flatnonzero(may_lead & (reach >= 0)):
            if leader[i] == i:
                near = place[self.of(rows[i], reach)]
                near = near[near >= 0]
                crowded[i] = near.size > 0
                later = near[near > i]
                leader[later[leader[later] == later]] = i
        return leader, crowded | (leader != np.arange(len(rows)))


class _PairsSoFar:
    """Pairs of which the farthest are dropped when they become too many."""

    def __init__(self, reach: float, slack: float, at_most: int) -> None:
        self.reach = reach
        self._slack = slack
        self._at_most = at_most
        self._size = 0
        self._first = [np.empty(0, np.int32)]
        self._second = [np.empty(0, np.int32)]
        self._product = [np.empty(0, np.float32)]

    @property
    def lowest(self) -> float:
        """The lowest float32 product of a pair that may be within reach."""
        # No distance is more than 1, whatever the product.
        return 1.0 - self.reach - self._slack if self.reach < 1 else -np.inf

    def add(
        self, first: NDArray[np.int64], second: NDArray[np.int64], product: NDArray[np.float32]
    ) -> None:
        self._first.append(first.astype(np.int32))
        self._second.append(second.astype(np.int32))
        self._product.append(product)
        self._size += len(product)
        while self._size > self._at_most:
            self._halve()

    def joined(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        return (
            np.concatenate(self._first),
            np.concatenate(self._second),
            np.concatenate(self._product),
        )

    def _halve(self) -> None:
        first, second, product = self.joined()
        too_far = np.partition(product, len(product) // 2)[len(product) // 2]
        # Twice, so that this very product is lower than the lowest; and no distance is above 1.
        self.reach = 1.0 - max(float(too_far), 0.0) - 2 * self._slack
        near = (product >= self.lowest) & (self.reach >= 0)
        self._first, self._second = [first[near]], [second[near]]
        self._product = [product[near]]
        self._size = len(self._product[0])


def first_equal(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return, for each row, the first row with the very same components."""
    seen: dict[bytes, int] = {}
    rows = (seen.setdefault(row.tobytes(), i) for i, row in enumerate(vectors))
    return np.fromiter(rows, np.int64, len(vectors))


class VectorIndex:
    """The vectors nearest to a query, for similar-items.

    Distances are exact and rows at the same distance come in row order. Below `hnsw_from` vectors
    a search looks at all of them, so nothing is ever missed and nothing is built. Above, it asks
    a USearch graph, which is built by the first search; equal vectors share one node of it, and
    all of them are found. One index may serve several threads.

    Parameters
    ----------
    vectors
        n x d numbers, as :func:`unit_vectors` takes them.
    hnsw_from
        Number of vectors from which to build a graph.

    Raises
    ------
    InputError
        When the vectors are not n x d, or one is zero, NaN or infinite.

    Examples
    --------
    >>> rows, distances = VectorIndex([[1, 0], [0, 1], [1, 0]]).search([2, 0], k=2)
    >>> rows.tolist(), distances.tolist()
    ([0, 2], [0.0, 0.0])
    """

    def __init__(self, vectors: Any, *, hnsw_from: int = 1_000_000) -> None:
        self.vectors = unit_vectors(vectors)
        self._hnsw_from = hnsw_from
        self._lock = threading.Lock()
        self._graph: _SharedGraph | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, query: Any, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows nearest to a query and their cosine distances, nearest first.

        Parameters
        ----------
        query
            d numbers, of any length but zero.
        k
            How many rows; all of them when there are fewer.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.float32]]
            Row numbers and cosine distances in [0, 1], each of length min(k, n).

        Raises
        ------
        InputError
            When the query has another length than the vectors, or is zero, NaN or infinite, or k
            is negative.
        """
        if k < 0:
            raise InputError(f"k is {k}; it must be 0 or more")
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        unit = unit_vectors([query])
        if unit.shape[1] != self.vectors.shape[1]:
            raise InputError(
                f"the query has {unit.shape[1]} dimensions and the vectors have "
                f"{self.vectors.shape[1]}; embed both with the same model"
            )
        k = min(k, len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = self._candidates(unit, k)
        cosine = np.concatenate(
            [cosines(unit, self.vectors[rows[part]])[0] for part in _parts(len(rows))]
        )
        order = np.lexsort((rows, -cosine))[:k]
        return rows[order], np.clip(1.0 - cosine[order], 0.0, 1.0).astype(np.float32)

    def _candidates(self, unit: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return at least the k nearest rows, in any order."""
        if len(self) >= self._hnsw_from:
            with self._lock:
                self._graph = self._graph or _SharedGraph(self.vectors)
            return self._graph.candidates(unit[0], k)
        cosine = self.vectors @ unit[0]
        kth = np.partition(cosine, -k)[-k]
        return np.flatnonzero(cosine >= kth - 2 * _slack(self.vectors.shape[1]))


class _SharedGraph:
    """A USearch graph with one node for all equal vectors."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        first = first_equal(vectors)
        self._rows = np.argsort(first, kind="stable")
        nodes, self._start = np.unique(first[self._rows], return_index=True)
        self._end = np.append(self._start[1:], len(vectors))
        self._index = _graph(vectors[nodes])

    def candidates(self, unit: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        nodes = self._index.search(unit, min(k + CANDIDATES, len(self._start))).keys.astype(int)
        return np.concatenate([self._rows[self._start[i] : self._end[i]] for i in nodes])


class _Nearest:
    """The nearest other vector found so far of each row."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.vectors = vectors
        self.slack = _slack(vectors.shape[1])
        self.row = np.full(len(vectors), -1, np.int64)
        self.cosine = np.full(len(vectors), -np.inf)

    def offer_tile(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], tile: NDArray[np.float32]
    ) -> None:
        """Take in float32 products of some rows with some columns, -inf for a row with itself.

        Only what may beat the best so far, given what float32 may be off by, is scored exactly.
        """
        peak = tile.max(axis=1).astype(np.float64)
        better = np.flatnonzero(peak >= self.cosine[rows] - self.slack)
        if not better.size:
            return
        bound = np.maximum(peak[better] - 2 * self.slack, self.cosine[rows[better]] - self.slack)
        # A little lower, so that rounding the bound to float32 loses no candidate.
        bound = (bound - 2.0**-23).astype(np.float32)
        rows = rows[better]
        columns = columns[(tile[better] >= bound[:, None]).any(axis=0)]
        exact = cosines(self.vectors[rows], self.vectors[columns])
        exact[rows[:, None] == columns] = -np.inf
        at = exact.argmax(axis=1)
        self.offer(rows, columns[at], exact[np.arange(len(rows)), at])

    def offer(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> None:
        """Take in one exact cosine a row; rows must not repeat. Equal ones go to the lower row."""
        best = self.cosine[rows]
        better = (cosine > best) | ((cosine == best) & (others < self.row[rows]))
        self.row[rows[better]] = others[better]
        self.cosine[rows[better]] = cosine[better]


def _all_pairs(best: _Nearest, block: int) -> None:
    """Multiply each pair of blocks once, and let it answer for both."""
    parts = list(_parts(len(best.vectors), block))
    for i, above in enumerate(parts):
        rows = np.arange(above.start, above.stop)
        for beside in parts[i:]:
            columns = np.arange(beside.start, beside.stop)
            tile = best.vectors[above] @ best.vectors[beside].T
            if above == beside:
                np.fill_diagonal(tile, -np.inf)
            else:
                best.offer_tile(columns, rows, tile.T)
            best.offer_tile(rows, columns, tile)


def _scan(best: _Nearest, rows: NDArray[np.int64], block: int, *, answer_all: bool) -> None:
    """Multiply some rows with all, and let it answer for them, or for all."""
    for part in _parts(len(rows), block):
        some = rows[part]
        for beside in _parts(len(best.vectors), block):
            columns = np.arange(beside.start, beside.stop)
            tile = best.vectors[some] @ best.vectors[beside].T
            tile[some[:, None] == columns] = -np.inf
            best.offer_tile(some, columns, tile)
            if answer_all:
                best.offer_tile(columns, some, tile.T)


def _graph_pairs(best: _Nearest, block: int) -> None:
    """Take candidates from a graph, and look at all pairs of the rows that it serves badly.

    Many equal or nearly equal vectors cut a graph into pieces, for the others too. Of equal ones,
    one goes in. Nearly equal ones are among the rows that the graph serves badly, which are then
    compared with everyone: where they are many, a second graph is built without them.
    """
    first = first_equal(best.vectors)
    left = np.flatnonzero(first == np.arange(len(first)))
    for _ in range(2):
        if len(left) <= CANDIDATES:
            _scan(best, left, block, answer_all=True)
            break
        badly_served = _ask_graph(best, left, block)
        _scan(best, badly_served, block, answer_all=True)
        left = np.setdiff1d(left, badly_served, assume_unique=True)
        if len(badly_served) < len(left) // 100:
            break
    # Equal vectors are each other's neighbours, the lowest row first.
    later = np.flatnonzero(first != np.arange(len(first)))
    equal = np.ones(len(later))
    best.offer(later, first[later], equal)
    _offer_pairs(best, first[later], later, equal)


def _ask_graph(best: _Nearest, nodes: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    """Take in what a graph of some rows finds for each; return the rows that it serves badly.

    A row that does not find itself is lost in the graph, and likely missing from the answers of
    others. A row whose last candidate is about as near as its best may have better ones that did
    not fit the list.
    """
    vectors = best.vectors[nodes]
    found = _graph(vectors).search(vectors, CANDIDATES)
    badly_served = []
    for part in _parts(len(nodes), block):
        rows = nodes[part]
        # Short answers are padded with key 0.
        valid = np.arange(CANDIDATES) < found.counts[part, None]
        others = nodes[np.where(valid, found.keys[part].astype(np.int64), 0)]
        cosine = _row_cosines(best.vectors[rows], best.vectors[others])
        itself = others == rows[:, None]
        usable = valid & ~itself
        best_found = np.where(usable, cosine, -np.inf).max(axis=1)
        last_found = np.where(usable, cosine, np.inf).min(axis=1)
        is_full = last_found >= best_found - GRAPH_ERROR
        badly_served.append(rows[is_full | ~(itself & valid).any(axis=1)])
        asking = np.repeat(rows, usable.sum(axis=1))
        _offer_pairs(best, asking, others[usable], cosine[usable])
        _offer_pairs(best, others[usable], asking, cosine[usable])
    return np.concatenate(badly_served)


def _offer_pairs(
    best: _Nearest, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
) -> None:
    order = np.lexsort((others, -cosine, rows))
    each, top = np.unique(rows[order], return_index=True)
    best.offer(each, others[order][top], cosine[order][top])


def _graph(vectors: NDArray[np.float32]) -> Any:
    """Build a USearch HNSW graph: by one thread, for then it is the same one each time."""
    from usearch.index import Index

    graph = Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="bf16",
        connectivity=16,
        expansion_add=128,
        expansion_search=64,
    )
    graph.add(np.arange(len(vectors)), vectors, threads=1)
    return graph


def _row_cosines(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return cosines of row i, (n, d), with each of its k others, (n, k, d); as `cosines` does."""
    a, b = rows.astype(np.float64), others.astype(np.float64)
    dot = np.einsum("nd,nkd->nk", a, b)
    quotient: NDArray[np.float64] = dot / np.sqrt(_squares(a)[:, None] * _squares(b))
    return quotient


def _within(a: NDArray[np.float32], b: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
    """Return which cosine distances, clipped to [0, 1], are at most `reach`."""
    if reach >= 1:
        return np.ones((len(a), len(b)), np.bool_)
    tile = a @ b.T
    slack = _slack(a.shape[1])
    within = tile >= 1 - reach + slack
    doubtful = (tile >= 1 - reach - slack) & ~within
    rows, columns = np.flatnonzero(doubtful.any(axis=1)), np.flatnonzero(doubtful.any(axis=0))
    within[np.ix_(rows, columns)] = 1.0 - cosines(a[rows], b[columns]) <= reach
    return within


def _slack(dimensions: int) -> float:
    """Bound what a float32 product of unit vectors on the grid is off from their cosine by.

    d * 2**-24 for the sum, sqrt(d) * 2**-24 for lengths that are not quite 1, both rounded up
    for the terms of higher order and for a threshold that is itself rounded to float32.
    """
    return float(1.01 * (dimensions + np.sqrt(dimensions) + 8) * 2.0**-24)


def _squares(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.einsum("...d,...d->...", vectors, vectors)
    return squares


def _parts(n: int, block: int = BLOCK) -> Iterator[slice]:
    return (slice(start, min(start + block, n)) for start in range(0, n, block))


def _matrix(embeddings: Any) -> NDArray[Any]:
    """Return embeddings as an (n, d) array of numbers, in their own precision."""
    try:
        if isinstance(embeddings, pl.Series):
            matrix = _from_series(embeddings)
        elif hasattr(embeddings, "detach"):  # a torch tensor, recognised without importing torch
            tensor = embeddings.detach().cpu()
            # numpy has no bfloat16, and float32 holds all its values
            matrix = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
        else:
            matrix = np.asarray(embeddings)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the embeddings are no n x d numbers ({error}); pass rows of one length"
        ) from error
    if matrix.ndim == 1 and not matrix.size:
        return np.empty((0, 0), np.float32)
    if matrix.ndim != 2 or (len(matrix) and not matrix.shape[1]):
        raise InputError(
            f"the embeddings have shape {matrix.shape}; pass one row of d > 0 numbers an image"
        )
    if matrix.dtype.kind not in "fiub":
        raise InputError(f"the embeddings are {matrix.dtype}; pass real numbers")
    return matrix


def _from_series(column: pl.Series) -> NDArray[Any]:
    _refuse(column.is_null().to_numpy(), "are null")
    if not column.len():
        return np.empty((0, 0), np.float32)
    if isinstance(column.dtype, pl.List):
        column = column.list.to_array(column.list.len()[0])
    return column.to_numpy()


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    """Raise for the rows that are bad, naming the first of them."""
    rows = np.flatnonzero(bad)
    if rows.size:
        more = f" and {rows.size - 5} more" if rows.size > 5 else ""
        raise InputError(
            f"embeddings {what}: row {', '.join(map(str, rows[:5]))}{more}; "
            "leave these rows out, or embed them again"
        )
