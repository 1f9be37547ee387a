"""All pairs of vectors compared: the nearest other vector of each, and the pairs within a radius.

Every dot product is computed in low precision, with a bound on its error
(:mod:`dedup_widgets.neighbors.products`). A pair that, given this error, may be a vector's nearest
or within the radius is a candidate, and is computed exactly. Where thousands of vectors are nearly
equal, too many pairs would be candidates: there the vectors are re-centred and rescaled
(:mod:`dedup_widgets.neighbors.rescaled`), and where that does not distinguish them either, all
pairs of the cluster are computed exactly. Memory does not grow with the number of pairs.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._progress import Progress, steps
from dedup_widgets.neighbors.choose import choose_products
from dedup_widgets.neighbors.pair_list import PairCollector, Table
from dedup_widgets.neighbors.products import Products, RoundedVectors, Tile
from dedup_widgets.neighbors.vectors import GRID, Vectors, cosines, pair_cosines, parts

MAX_UNCERTAIN_PAIRS = 1_000_000
"""Pairs held at most for which the error leaves open whether they are within the radius."""


STRIP_TILES = 64
"""Tiles that a thread computes at a time: a fraction of a second."""


DENSE_PRODUCTS_PER_CANDIDATE = 64
"""If more than 1 in 64 products are candidates, computing all of them exactly is cheaper."""


DENSE_MIN_CANDIDATES_OF_TILE, DENSE_MIN_CANDIDATES_OF_ROW = 256, 16
"""Candidates of a tile, and of a row of it, up to which vectors never count as dense."""


RESCALE_MIN_PRODUCTS = 64**2
"""Products of a dense cluster below which computing them exactly is cheaper than rescaling."""


RESCALE_MIN_DISTANCE = 1e-7
"""Cosine distances in a dense cluster below which vectors have too few digits to be rescaled."""


LISTED_PRODUCTS_AT_A_TIME = 2**19
"""Products of a tile that are searched for pairs within the radius at a time."""


EXACT_TILE_ROWS = 512
"""Rows and columns of a tile of exact products."""


SCORED_PAIRS_AT_A_TIME = 512
"""Pairs that are computed exactly at a time: their vectors stay in the processor's cache."""


PROGRESS_MIN_WORK = 2e11
"""Components to multiply that take about a second; shorter work shows no progress bar."""


Run = Callable[[Callable[[slice], None], Iterable[slice]], Iterable[None]]
"""The built-in `map`, or that of a pool."""


_NO_ROWS = np.empty(0, np.int64)


class AllPairs:
    """The nearest other vector of each that was found so far, and the pairs within a radius.

    Parameters
    ----------
    vectors
        n of them.
    rank
        n different numbers: of others equally near, the lowest is the nearest. Default: the row.
    radius
        Largest cosine distance of the pairs that are given to `collector`; negative: none are.
    collector
        Receives the pairs within the radius, from one thread at a time; None: none are listed.
    wanted
        Mask, (n,), of the rows whose nearest other vector is wanted. Default: all.
    ties
        Receives rows, others and exact cosines, among them all pairs in which the other one is as
        near as the nearest; None: nobody asks, and `rank` alone decides.
    products
        How to multiply; default: chosen by the number of vectors and the machine.
    device
        Torch device to choose for.
    dense_min_candidates, rescale_min_products
        From how many candidates of a row vectors may count as dense, and from how many products
        such a cluster is rescaled. They change no result.

    Attributes
    ----------
    row
        (n,), the row of the nearest other vector, -1 while there is none.
    cosine
        (n,), the cosine of both, -inf while there is none, inf where none is wanted.
    vectors, rank
        As given.

    Notes
    -----
    The result is exact. With p the low-precision product of two vectors and s the slack of its
    tile, a bound on rounding errors [1]_, their cosine lies in [p - s, p + s]. The largest p - s of
    a row is a lower bound of the cosine of its nearest vector, so only pairs whose p + s is at
    least as large are candidates.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002,
       chapter 3.
    """

    def __init__(
        self,
        vectors: Vectors,
        *,
        rank: NDArray[np.int64] | None = None,
        radius: float = -1.0,
        collector: "PairCollector | None" = None,
        wanted: NDArray[np.bool_] | None = None,
        ties: Table | None = None,
        products: Products | None = None,
        device: str | None = None,
        dense_min_candidates: int = DENSE_MIN_CANDIDATES_OF_ROW,
        rescale_min_products: int = RESCALE_MIN_PRODUCTS,
    ) -> None:
        n = len(vectors)
        self.vectors = vectors
        self.row = np.full(n, -1, np.int64)
        self.cosine = np.full(n, -np.inf)
        self.rank = np.arange(n) if rank is None else rank
        self._products, self._device = products, device
        self._ties = ties
        self._dense_min_candidates = dense_min_candidates
        self._rescale_min_products = rescale_min_products
        # Lower bound of the cosine of each row's nearest.
        self._bound = np.full(n, -2.0)
        if wanted is not None:
            # No product reaches this bound, so these rows get no candidates.
            self.cosine[~wanted] = self._bound[~wanted] = np.inf
        self._candidates = Table(np.int32, np.int32, np.float64)
        self._lock = threading.RLock()
        self._radius, self._collector = radius, collector
        # Lowest cosine of a pair within the radius: distances are clipped to 1.
        self._min_cosine = (
            np.inf if radius < 0 or collector is None else -2.0 if radius >= 1 else 1.0 - radius
        )
        self._uncertain = Table(np.int32, np.int32)

    def initialise(self, row: NDArray[np.int64], cosine: NDArray[np.float64]) -> None:
        """Start from the nearest vector that each has among those that were compared before.

        Parameters
        ----------
        row, cosine
            (n,), as the attributes of these names.
        """
        self.row[:] = row
        np.maximum(self.cosine, cosine, out=self.cosine)
        np.maximum(self._bound, cosine, out=self._bound)

    def compare(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64] = _NO_ROWS,
        progress: Progress = False,
        *,
        across_only: bool = False,
    ) -> None:
        """Compare some rows with each other and with other rows; each pair is computed once.

        Parameters
        ----------
        rows, others
            Rows in ascending order, none in both.
        progress
            Whether to show a bar where it takes more than about a second, or a function that is
            called with the tiles done and in all. An error that it raises stops the work.
        across_only
            Whether the rows are compared with the others only.
        """
        if not len(rows):
            return
        dimensions = self.vectors.dimensions
        work = len(rows) * (len(rows) / 2 + len(others)) * dimensions
        products = self._products or choose_products(
            len(rows), len(rows) + len(others), dimensions, self._device
        )
        block = products.block
        height, width = -(-len(rows) // block), -(-len(others) // block)
        progress = progress if callable(progress) or work > PROGRESS_MIN_WORK else False
        total = (0 if across_only else height * (height + 1) // 2) + height * width
        with steps(total, "comparing", progress) as report, products.pool() as pool:
            for row_block, column_block in self._load_blocks(
                rows, others, products, pool, across_only
            ):
                tiles = list(
                    _strips(len(row_block), len(column_block), block, row_block is column_block)
                )
                compare = partial(self._compare_strip, row_block, column_block, products)
                for strip, _ in zip(tiles, pool.map(compare, tiles), strict=True):
                    report(len(strip[1]))
            self._rescore(pool)

    def _load_blocks(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        pool: ThreadPoolExecutor,
        across_only: bool,
    ) -> "Iterator[tuple[_LoadedBlock, _LoadedBlock]]":
        """Yield each pair of big blocks, each with itself too; two are in memory at a time."""
        size = products.bytes_at_a_time // (products.itemsize * self.vectors.dimensions)
        size = max(size // products.block, 1) * products.block
        own = [rows[part] for part in parts(len(rows), size)]
        across = [others[part] for part in parts(len(others), size)]
        for i, some in enumerate(own):
            row_block = _LoadedBlock(some, products.load(self.vectors, some, pool))
            if not across_only:
                yield row_block, row_block
            for more in across if across_only else (*own[i + 1 :], *across):
                column_block = _LoadedBlock(more, products.load(self.vectors, more, pool))
                yield row_block, column_block
                del column_block

    def _compare_strip(
        self,
        row_block: "_LoadedBlock",
        column_block: "_LoadedBlock",
        products: Products,
        strip: tuple[slice, list[slice]],
    ) -> None:
        """Multiply the tiles of a strip, (rows, columns of each tile), and collect candidates."""
        part, columns = strip
        rows, a = row_block[part]
        for other in columns:
            others, b = column_block[other]
            tile = products.multiply(a, b)
            is_diagonal = row_block is column_block and part == other
            if is_diagonal:
                tile.mask(*np.tile(np.arange(len(rows)), (2, 1)))
            self._collect(tile, rows, others, products, is_diagonal)

    def _collect(
        self,
        tile: Tile,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
        scale: float = 1.0,
    ) -> None:
        """Collect the candidates of a tile; compare dense clusters more precisely.

        Parameters
        ----------
        tile, rows, others
            Products of some rows with others, and their numbers.
        products
            How to multiply.
        is_diagonal
            Whether `rows` and `others` have rows in common.
        scale
            1, or the scale of the tile if it was rescaled.
        """
        sides = [(tile, rows, others)]
        if not is_diagonal:
            sides.append((tile.T, others, rows))
        row_maxima = [side.row_maxima() for side, _, _ in sides]
        # One thread at a time: for steps as short as these, two contend for the interpreter and are
        # slower than one. The others multiply meanwhile.
        with self._lock:
            if scale == 1.0:
                self._collect_pairs(tile, row_maxima[0], rows, others, products, is_diagonal)
            dense = [
                self._collect_nearest(side, maxima, own, across)
                for (side, own, across), maxima in zip(sides, row_maxima, strict=True)
            ]
        some, more = dense[0]
        for more_across, some_across in dense[1:]:
            some, more = np.union1d(some, some_across), np.union1d(more, more_across)
        if some.size:
            self._compare_dense(rows[some], others[more], products, is_diagonal, scale)

    def _collect_nearest(
        self,
        tile: Tile,
        maxima: NDArray[np.floating],
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Add the candidates of each row; return the dense rows and their columns.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.int64]]
            Indices in `rows` of those with too many candidates to list, and indices in `others` of
            all that are a candidate of any of these.
        """
        slack = tile.slack
        bound = self._bound[rows] = np.maximum(self._bound[rows], maxima - slack)
        threshold = bound - slack
        # Where all products of a row are negative, its maximum may be too low.
        hit = np.flatnonzero((maxima >= threshold) | (threshold <= 0))
        most = max(self._dense_min_candidates, tile.width // DENSE_PRODUCTS_PER_CANDIDATE)
        (at, column, product), is_dense = tile.entries_above(hit, threshold[hit], most)
        self._add_candidates(rows[hit[at]], others[column], product + slack)
        dense_rows = hit[is_dense]
        if not dense_rows.size:
            return _NO_ROWS, _NO_ROWS
        return dense_rows, tile.columns_above(dense_rows, threshold[dense_rows])

    def _collect_pairs(
        self,
        tile: Tile,
        maxima: NDArray[np.floating],
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
    ) -> None:
        """Collect the pairs of a tile that are, or may be, within the radius."""
        min_cosine, slack = self._min_cosine, tile.slack
        threshold = min_cosine - slack
        hit = np.flatnonzero((maxima >= threshold) | (min_cosine <= slack))
        for part in parts(len(hit), max(LISTED_PRODUCTS_AT_A_TIME // tile.width, 1)):
            if self._min_cosine == np.inf:
                return
            some = hit[part]
            (at, column, product), _ = tile.entries_above(some, np.full(len(some), threshold))
            row = some[at]
            if is_diagonal:
                is_once = rows[row] < others[column]
                row, column, product = row[is_once], column[is_once], product[is_once]
            is_certain = product - slack >= min_cosine
            few = len(some) * tile.width // DENSE_PRODUCTS_PER_CANDIDATE
            if np.count_nonzero(~is_certain) > DENSE_MIN_CANDIDATES_OF_TILE + few:
                a, b = rows[np.unique(row)], others[np.unique(column)]
                self._list_pairs_exactly(a, b, products, is_diagonal)
                continue
            with self._lock:
                self._uncertain.append(rows[row[~is_certain]], others[column[~is_certain]])
                self._add_pairs(rows[row[is_certain]], others[column[is_certain]])
                if len(self._uncertain) > MAX_UNCERTAIN_PAIRS:
                    self._rescore_uncertain(map)

    def _add_candidates(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], highest: NDArray[np.floating]
    ) -> None:
        """Keep candidates to compute exactly later: `others` may be nearest to `rows`.

        `highest` is an upper bound of the cosine of each pair.
        """
        if not len(rows):
            return
        with self._lock:
            self._candidates.append(rows, others, highest)
            limit = 2**20 + 6 * len(self.row)
            if len(self._candidates) > limit:
                self._drop_beaten()
                if len(self._candidates) > limit // 2:
                    self._rescore_candidates(map)

    def _add_pairs(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        """Hand pairs to the collector, until it wants no more."""
        with self._lock:
            if (
                self._min_cosine < np.inf
                and self._collector
                and not self._collector.add(rows, others)
            ):
                self._min_cosine = np.inf
                self._uncertain.clear()

    def _compare_dense(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
        scale: float,
    ) -> None:
        """Compare the vectors of a dense cluster, re-centred and rescaled.

        Outliers, and clusters that rescaling by another factor of 4 would not help, are compared
        exactly.
        """
        if len(rows) * len(others) < self._rescale_min_products:
            self._compare_exactly(rows, others, products, is_diagonal)
            return
        a, b = self.vectors.unit(rows), self.vectors.unit(others)
        centre = np.float32(np.rint(b.mean(axis=0) * GRID) / GRID)
        a, b = a - centre, b - centre
        norm, norm_across = (np.sqrt(np.einsum("nd,nd->n", x, x)) for x in (a, b))
        inside, inside_across = (x <= 2 * np.median(norm_across) for x in (norm, norm_across))
        max_norm = 1.001 * float(max(norm[inside].max(initial=0), norm_across[inside_across].max()))
        new_scale = 2 * max_norm**2
        if not RESCALE_MIN_DISTANCE < new_scale < scale / 4:
            self._compare_exactly(rows, others, products, is_diagonal)
            return
        if not (inside.all() and inside_across.all()):
            self._compare_exactly(rows[~inside], others, products, is_diagonal)
            self._compare_exactly(rows[inside], others[~inside_across], products, is_diagonal)
            rows, others, a, b = rows[inside], others[inside_across], a[inside], b[inside_across]
        if len(rows):
            tile = products.multiply_rescaled(a, b, max_norm)
            if is_diagonal:
                tile.mask(*np.intersect1d(rows, others, return_indices=True)[1:])
            self._collect(tile, rows, others, products, is_diagonal, new_scale)

    def _compare_exactly(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
    ) -> None:
        """Compute all cosines of some rows with others, and update the nearest of both."""
        # In this order the first of equal maxima is the one of the lowest rank.
        rows, others = (some[np.argsort(self.rank[some])] for some in (rows, others))
        for some, more, cosine in self._exactly(rows, others, products):
            if is_diagonal:
                cosine[some[:, None] == more] = -np.inf
            best, best_across = cosine.argmax(axis=1), cosine.argmax(axis=0)
            if self._ties is not None:
                self._note_ties(some, more, cosine)
            self.update(some, more[best], cosine[np.arange(len(some)), best])
            self.update(more, some[best_across], cosine[best_across, np.arange(len(more))])

    def _list_pairs_exactly(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
    ) -> None:
        """Compute all cosines of some rows with others, and list the pairs within the radius."""
        for some, more, cosine in self._exactly(rows, others, products):
            is_near = self._is_within(cosine)
            if is_diagonal:
                is_near &= some[:, None] < more
            row, column = np.divmod(np.flatnonzero(is_near), len(more))
            self._add_pairs(some[row], more[column])
            if self._min_cosine == np.inf:
                return

    def _exactly(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], products: Products
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
        """Yield rows, others and all their cosines, (rows, others), tile by tile."""
        for part in parts(len(rows), EXACT_TILE_ROWS) if len(others) else ():
            unit = self.vectors.unit(rows[part])
            for more in (others[across] for across in parts(len(others), EXACT_TILE_ROWS)):
                cosine = cosines(unit, self.vectors.unit(more), products.multiply_exactly)
                yield rows[part], more, cosine

    def _is_within(self, cosine: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which exact cosines are of pairs within the radius."""
        is_within: NDArray[np.bool_] = np.clip(1.0 - cosine, 0.0, 1.0) <= self._radius
        return is_within

    def update(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> None:
        """Update the nearest of some rows with one exact cosine each; each row occurs once."""
        with self._lock:
            best = self.cosine[rows]
            is_first = self.rank[others] < self.rank[self.row[rows]]
            better = (cosine > best) | ((cosine == best) & is_first & (cosine > -np.inf))
            rows, others, cosine = rows[better], others[better], cosine[better]
            self.row[rows], self.cosine[rows] = others, cosine
            self._bound[rows] = np.maximum(self._bound[rows], cosine)

    def _note_ties(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> None:
        """Keep of a tile of cosines what is highest in its row or in its column."""
        with self._lock:
            assert self._ties is not None
            at, column = np.nonzero(cosine == cosine.max(axis=1, keepdims=True))
            self._ties.append(rows[at], others[column], cosine[at, column])
            at, column = np.nonzero(cosine == cosine.max(axis=0, keepdims=True))
            self._ties.append(others[column], rows[at], cosine[at, column])

    def update_pairs(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> None:
        """Update the nearest of some rows with exact cosines, any number of each."""
        order = np.lexsort((self.rank[others], -cosine, rows))
        each, top = np.unique(rows[order], return_index=True)
        self.update(each, others[order][top], cosine[order][top])

    def _rescore(self, pool: ThreadPoolExecutor) -> None:
        """Compute exactly whatever the low-precision products left open."""
        self._rescore_candidates(pool.map)
        self._rescore_uncertain(pool.map)

    def _drop_beaten(self) -> None:
        """Drop the candidates that can no longer be nearest."""
        rows, others, highest = self._candidates.columns()
        may_be = highest >= self._bound[rows]
        self._candidates.clear()
        self._candidates.append(rows[may_be], others[may_be], highest[may_be])

    def _rescore_candidates(self, run: Run) -> None:
        """Compute the candidates exactly, the best of each row first: it rules out most others."""
        self._drop_beaten()
        rows, others, highest = self._candidates.columns()
        order = np.lexsort((-highest, rows))
        is_best = np.diff(rows[order], prepend=-1) != 0
        for some in order[is_best], order[~is_best]:
            left = some[highest[some] >= self._bound[rows[some]]]
            self._score_pairs(rows[left], others[left], run)
        self._candidates.clear()

    def _score_pairs(self, rows: NDArray[Any], others: NDArray[Any], run: Run) -> None:
        """Compute the cosines of pairs exactly, and update the nearest of both rows of each."""
        pairs = np.minimum(rows, others).astype(np.int64) * len(self.row) + np.maximum(rows, others)
        pairs.sort()
        one, other = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], len(self.row))
        cosine = np.empty(len(one))

        def score(part: slice) -> None:
            cosine[part] = pair_cosines(self.vectors, one[part], other[part])

        for _ in run(score, parts(len(one), SCORED_PAIRS_AT_A_TIME)):
            pass
        del pairs
        both_ways = (one, other), (other, one)
        if self._ties is not None:
            with self._lock:
                for rows, others in both_ways:
                    as_near = cosine >= self.cosine[rows]
                    self._ties.append(rows[as_near], others[as_near], cosine[as_near])
        for rows, others in both_ways:
            self.update_pairs(rows, others, cosine)

    def _rescore_uncertain(self, run: Run) -> None:
        """Compute exactly which of the uncertain pairs are within the radius."""
        rows, others = self._uncertain.columns()
        self._uncertain.clear()

        def add_if_near(part: slice) -> None:
            cosine = pair_cosines(self.vectors, rows[part], others[part])
            is_near = self._is_within(cosine)
            self._add_pairs(rows[part][is_near], others[part][is_near])

        for _ in run(add_if_near, parts(len(rows), SCORED_PAIRS_AT_A_TIME)):
            pass


class _LoadedBlock:
    """Some rows, and their rounded vectors."""

    def __init__(self, rows: NDArray[np.int64], vectors: RoundedVectors) -> None:
        self._rows, self._vectors = rows, vectors

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice) -> tuple[NDArray[np.int64], RoundedVectors]:
        return self._rows[part], self._vectors[part]


def _strips(
    height: int, width: int, block: int, is_diagonal: bool
) -> Iterator[tuple[slice, list[slice]]]:
    """Cut the products of two big blocks into strips: rows, and the columns of each tile."""
    for i, part in enumerate(parts(height, block)):
        columns = list(parts(width, block))[i if is_diagonal else 0 :]
        for start in range(0, len(columns), STRIP_TILES):
            yield part, columns[start : start + STRIP_TILES]
