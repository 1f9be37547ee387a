"""Nearest neighbours by cosine distance, the same to the last bit however they are found.

Fast float32 products, or a USearch graph, only pick the candidates; the distance of a candidate
always comes from :func:`dedup_widgets.vectors.cosines`, which is exact.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.errors import InputError
from dedup_widgets.index import CANDIDATES, build_graph
from dedup_widgets.vectors import BLOCK, cosines, first_equal, float32_error, parts, row_cosines

Method = Literal["auto", "exact", "hnsw"]

HNSW_FROM = 300_000
"""Vectors from which a graph is about to be faster than all products on two processor cores.

By benchmarks/bench_neighbors.py: at 150,000 all products take 0.6 of its time. The graph is built
by one thread, to be the same each time, so more cores move the crossover further up.
"""

GRAPH_ERROR = 1e-3
"""Cosine distance by which bfloat16 may misplace a candidate: ten times its usual error."""


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
        for part in parts(len(rest), block):
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
    for beside in parts(len(others) if reach >= 0 else 0, block):
        left = np.flatnonzero(~found)
        for part in parts(len(left), block):
            rows = left[part]
            found[rows] = _within(vectors[rows], others[beside], reach).any(axis=1)
    return found


class _Nearest:
    """The nearest other vector found so far of each row."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.vectors = vectors
        self.slack = float32_error(vectors.shape[1])
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
    blocks = list(parts(len(best.vectors), block))
    for i, above in enumerate(blocks):
        rows = np.arange(above.start, above.stop)
        for beside in blocks[i:]:
            columns = np.arange(beside.start, beside.stop)
            tile = best.vectors[above] @ best.vectors[beside].T
            if above == beside:
                np.fill_diagonal(tile, -np.inf)
            else:
                best.offer_tile(columns, rows, tile.T)
            best.offer_tile(rows, columns, tile)


def _scan(best: _Nearest, rows: NDArray[np.int64], block: int, *, answer_all: bool) -> None:
    """Multiply some rows with all, and let it answer for them, or for all."""
    for part in parts(len(rows), block):
        some = rows[part]
        for beside in parts(len(best.vectors), block):
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
    found = build_graph(vectors).search(vectors, CANDIDATES)
    badly_served = []
    for part in parts(len(nodes), block):
        rows = nodes[part]
        # Short answers are padded with key 0.
        valid = np.arange(CANDIDATES) < found.counts[part, None]
        others = nodes[np.where(valid, found.keys[part].astype(np.int64), 0)]
        cosine = row_cosines(best.vectors[rows], best.vectors[others])
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


def _within(a: NDArray[np.float32], b: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
    """Return which cosine distances, clipped to [0, 1], are at most `reach`."""
    if reach >= 1:
        return np.ones((len(a), len(b)), np.bool_)
    tile = a @ b.T
    slack = float32_error(a.shape[1])
    within = tile >= 1 - reach + slack
    doubtful = (tile >= 1 - reach - slack) & ~within
    rows, columns = np.flatnonzero(doubtful.any(axis=1)), np.flatnonzero(doubtful.any(axis=0))
    within[np.ix_(rows, columns)] = 1.0 - cosines(a[rows], b[columns]) <= reach
    return within
