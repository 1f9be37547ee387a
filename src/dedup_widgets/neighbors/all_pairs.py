"""All pairs of vectors compared: the nearest other vector of each, and the pairs within reach.

Every product is computed quickly, with a known error (:mod:`dedup_widgets.neighbors.products`). A
pair that may be some vector's nearest, or within reach, given that error, is computed exactly.
Where that would be too many, because thousands of vectors are nearly equal, their differences from
a common centre are multiplied, which tells them apart; where even that does not, all are computed
exactly. Nothing that is kept grows with the number of pairs.
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
from dedup_widgets.neighbors.pair_list import Sink, Table
from dedup_widgets.neighbors.products import Products, Rough, Tile
from dedup_widgets.neighbors.vectors import GRID, Vectors, cosines, pair_cosines, parts

DOUBTFUL = 1_000_000
"""Pairs of which it is left open at most whether they are within reach."""


STRIP = 64
"""Tiles that a thread computes at a time: a fraction of a second."""


CROWDED = 64
"""One candidate in so many products, and all products are sooner computed exactly than it is."""


FEW, SEVERAL = 256, 16
"""Candidates of a tile, and of a row of it, that are not worth a thought about crowds."""


WORTH_MAGNIFYING = 64**2
"""Products of a crowd that are sooner computed exactly than magnified."""


LEAST_MAGNIFIED = 1e-7
"""Cosine distances in a crowd whose vectors have too few digits to be magnified."""


LISTED_AT_A_TIME = 2**19
"""Products of which the pairs within reach are listed at a time."""


FINE_TILE = 512


SCORED_AT_A_TIME = 512
"""Pairs whose vectors stay in the processor's cache."""


LONG = 2e11
"""Components to multiply that take about a second; shorter work shows no progress bar."""


Run = Callable[[Callable[[slice], None], Iterable[slice]], Iterable[None]]


_NOTHING = np.inf


_NOBODY = np.empty(0, np.int64)


class AllPairs:
    """The nearest other vector found so far of each, and the pairs within reach.

    Parameters
    ----------
    vectors
        n of them.
    rank
        n different numbers: of others equally near, the lowest is the nearest. Default: the row.
    reach
        Largest cosine distance of the pairs that are given to `sink`; negative: none are.
    sink
        What takes the pairs within reach, or None. It is called by one thread at a time.
    products
        How to multiply; default: chosen by the number of vectors and the machine.
    device
        Torch device to choose for.

    Attributes
    ----------
    row
        (n,), the row of the nearest other vector, -1 while there is none.
    cosine
        (n,), the cosine of both, -inf while there is none.
    vectors, rank
        As given.
    """

    def __init__(
        self,
        vectors: Vectors,
        *,
        rank: NDArray[np.int64] | None = None,
        reach: float = -1.0,
        sink: "Sink | None" = None,
        products: Products | None = None,
        device: str | None = None,
    ) -> None:
        n = len(vectors)
        self.vectors = vectors
        self.row = np.full(n, -1, np.int64)
        self.cosine = np.full(n, -np.inf)
        self.rank = np.arange(n) if rank is None else rank
        self._products, self._device = products, device
        # The cosine that each row's nearest surely has at least.
        self._bound = np.full(n, -2.0)
        self._candidates = Table(np.int32, np.int32, np.float64)
        self._lock = threading.RLock()
        self._reach, self._sink = reach, sink
        # The cosine that pairs within reach have at least: no distance is more than 1.
        self._near = np.inf if reach < 0 or sink is None else -2.0 if reach >= 1 else 1.0 - reach
        self._doubtful = Table(np.int32, np.int32)

    def know(self, row: NDArray[np.int64], cosine: NDArray[np.float64]) -> None:
        """Begin from the nearest vector that each has among those that were compared before.

        A cosine that no product reaches, 2, takes a row out: it gets no answer.
        """
        self.row[:], self.cosine[:], self._bound[:] = row, cosine, np.maximum(cosine, -2)

    def compare(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64] = _NOBODY,
        progress: Progress = False,
    ) -> None:
        """Compare each of some rows with each other and with others, every pair once, for both.

        Parameters
        ----------
        rows, others
            Rows in ascending order, none in both.
        progress
            Where the work done is told, in tiles. What that raises stops the work.
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
        progress = progress if callable(progress) or work > LONG else False
        total = height * (height + 1) // 2 + height * width
        with steps(total, "comparing", progress) as tell, products.pool() as pool:
            for above, beside in self._loaded(rows, others, products, pool):
                tiles = list(_strips(len(above), len(beside), block, above is beside))
                compare = partial(self._compare_strip, above, beside, products)
                for strip, _ in zip(tiles, pool.map(compare, tiles), strict=True):
                    tell(len(strip[1]))
            self._settle(pool)

    def _loaded(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        pool: ThreadPoolExecutor,
    ) -> "Iterator[tuple[_Loaded, _Loaded]]":
        """Yield each pair of big blocks, of which two are in memory at a time."""
        size = products.at_a_time // (products.itemsize * self.vectors.dimensions)
        size = max(size // products.block, 1) * products.block
        own = [rows[part] for part in parts(len(rows), size)]
        rest = [others[part] for part in parts(len(others), size)]
        for i, some in enumerate(own):
            above = _Loaded(some, products.load(self.vectors, some, pool))
            yield above, above
            for more in (*own[i + 1 :], *rest):
                beside = _Loaded(more, products.load(self.vectors, more, pool))
                yield above, beside
                del beside

    def _compare_strip(
        self,
        above: "_Loaded",
        beside: "_Loaded",
        products: Products,
        strip: tuple[slice, list[slice]],
    ) -> None:
        part, columns = strip
        rows, a = above[part]
        for other in columns:
            others, b = beside[other]
            tile = products.multiply(a, b)
            is_diagonal = above is beside and part == other
            if is_diagonal:
                tile.forget(*np.tile(np.arange(len(rows)), (2, 1)))
            self._take(tile, rows, others, products, is_diagonal)

    def _take(
        self,
        tile: Tile,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
        magnified: float = 1.0,
    ) -> None:
        """Take in a tile: who may be nearest or within reach is kept, crowds are looked into."""
        sides = [(tile, rows, others)]
        if not is_diagonal:
            sides.append((tile.T, others, rows))
        peaks = [side.peaks() for side, _, _ in sides]
        # One thread at a time: over steps as short as these, two fight for the interpreter and are
        # slower than one. The others multiply meanwhile.
        with self._lock:
            if magnified == 1.0:
                self._take_pairs(tile, peaks[0], rows, others, products, is_diagonal)
            crowds = [
                self._take_nearest(side, peak, *who)
                for (side, *who), peak in zip(sides, peaks, strict=True)
            ]
        some, more = crowds[0]
        for more_across, some_across in crowds[1:]:
            some, more = np.union1d(some, some_across), np.union1d(more, more_across)
        if some.size:
            self._compare_closely(rows[some], others[more], products, is_diagonal, magnified)

    def _take_nearest(
        self,
        tile: Tile,
        peak: NDArray[np.floating],
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Keep who may be nearest to each row; return the rows that have too many, and whom."""
        slack = tile.slack
        bound = self._bound[rows] = np.maximum(self._bound[rows], peak - slack)
        low = bound - slack
        # A peak below 0 is not to be relied on.
        hit = np.flatnonzero((peak >= low) | (low <= 0))
        most = max(SEVERAL, tile.width // CROWDED)
        (at, column, product), is_crowded = tile.at_least(hit, low[hit], most)
        self._add(rows[hit[at]], others[column], product + slack)
        crowded = hit[is_crowded]
        if not crowded.size:
            return _NOBODY, _NOBODY
        return crowded, tile.columns_at_least(crowded, low[crowded])

    def _take_pairs(
        self,
        tile: Tile,
        peak: NDArray[np.floating],
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
    ) -> None:
        """Keep the pairs of a tile that are, or may be, within reach."""
        near, slack = self._near, tile.slack
        hit = np.flatnonzero((peak >= near - slack) | (near <= slack))
        for part in parts(len(hit), max(LISTED_AT_A_TIME // tile.width, 1)):
            if self._near == np.inf:
                return
            some = hit[part]
            (at, column, product), _ = tile.at_least(some, np.full(len(some), near - slack))
            row = some[at]
            if is_diagonal:
                is_once = rows[row] < others[column]
                row, column, product = row[is_once], column[is_once], product[is_once]
            is_sure = product - slack >= near
            if np.count_nonzero(~is_sure) > FEW + len(some) * tile.width // CROWDED:
                a, b = rows[np.unique(row)], others[np.unique(column)]
                self._list_exactly(a, b, products, is_diagonal)
                continue
            with self._lock:
                self._doubtful.append(rows[row[~is_sure]], others[column[~is_sure]])
                self._add_pairs(rows[row[is_sure]], others[column[is_sure]])
                if len(self._doubtful) > DOUBTFUL:
                    self._settle_doubtful(map)

    def _add(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], highest: NDArray[np.floating]
    ) -> None:
        """Keep who may be a row's nearest, to be scored exactly later."""
        if not len(rows):
            return
        with self._lock:
            self._candidates.append(rows, others, highest)
            limit = 2**20 + 6 * len(self.row)
            if len(self._candidates) > limit:
                self._drop_beaten()
                if len(self._candidates) > limit // 2:
                    self._settle_candidates(map)

    def _add_pairs(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        with self._lock:
            if self._near < np.inf and self._sink and not self._sink.add(rows, others):
                self._near = np.inf
                self._doubtful.clear()

    def _compare_closely(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
        magnified: float,
    ) -> None:
        """Compare a crowd, which rough products cannot tell apart, as seen from its own centre."""
        if len(rows) * len(others) < WORTH_MAGNIFYING:
            self._compare_exactly(rows, others, products, is_diagonal)
            return
        a, b = self.vectors.unit(rows), self.vectors.unit(others)
        centre = np.float32(np.rint(b.mean(axis=0) * GRID) / GRID)
        a, b = a - centre, b - centre
        far, far_across = (np.sqrt(np.einsum("nd,nd->n", x, x)) for x in (a, b))
        inside, inside_across = (x <= 2 * np.median(far_across) for x in (far, far_across))
        radius = 1.001 * float(max(far[inside].max(initial=0), far_across[inside_across].max()))
        by = 2 * radius**2
        if not LEAST_MAGNIFIED < by < magnified / 4:
            self._compare_exactly(rows, others, products, is_diagonal)
            return
        if not (inside.all() and inside_across.all()):
            self._compare_exactly(rows[~inside], others, products, is_diagonal)
            self._compare_exactly(rows[inside], others[~inside_across], products, is_diagonal)
            rows, others, a, b = rows[inside], others[inside_across], a[inside], b[inside_across]
        if len(rows):
            tile = products.magnify(a, b, radius)
            if is_diagonal:
                tile.forget(*np.intersect1d(rows, others, return_indices=True)[1:])
            self._take(tile, rows, others, products, is_diagonal, by)

    def _compare_exactly(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
    ) -> None:
        # In this order the first of equal maxima is the one of the lowest rank.
        rows, others = (some[np.argsort(self.rank[some])] for some in (rows, others))
        for some, more, cosine in self._exactly(rows, others, products):
            if is_diagonal:
                cosine[some[:, None] == more] = -np.inf
            best, best_across = cosine.argmax(axis=1), cosine.argmax(axis=0)
            self.offer(some, more[best], cosine[np.arange(len(some)), best])
            self.offer(more, some[best_across], cosine[best_across, np.arange(len(more))])

    def _list_exactly(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        products: Products,
        is_diagonal: bool,
    ) -> None:
        for some, more, cosine in self._exactly(rows, others, products):
            is_near = self._is_within(cosine)
            if is_diagonal:
                is_near &= some[:, None] < more
            row, column = np.divmod(np.flatnonzero(is_near), len(more))
            self._add_pairs(some[row], more[column])
            if self._near == np.inf:
                return

    def _exactly(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], products: Products
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
        """Yield all cosines of some rows with some others, in tiles."""
        for part in parts(len(rows), FINE_TILE) if len(others) else ():
            unit = self.vectors.unit(rows[part])
            for more in (others[across] for across in parts(len(others), FINE_TILE)):
                cosine = cosines(unit, self.vectors.unit(more), products.multiply_exactly)
                yield rows[part], more, cosine

    def _is_within(self, cosine: NDArray[np.float64]) -> NDArray[np.bool_]:
        is_within: NDArray[np.bool_] = np.clip(1.0 - cosine, 0.0, 1.0) <= self._reach
        return is_within

    def offer(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> None:
        """Take in one exact cosine a row, each row once."""
        with self._lock:
            best = self.cosine[rows]
            is_first = self.rank[others] < self.rank[self.row[rows]]
            better = (cosine > best) | ((cosine == best) & is_first & (cosine > -np.inf))
            rows, others, cosine = rows[better], others[better], cosine[better]
            self.row[rows], self.cosine[rows] = others, cosine
            self._bound[rows] = np.maximum(self._bound[rows], cosine)

    def offer_pairs(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], cosine: NDArray[np.float64]
    ) -> None:
        """Take in exact cosines, any number of a row."""
        order = np.lexsort((self.rank[others], -cosine, rows))
        each, top = np.unique(rows[order], return_index=True)
        self.offer(each, others[order][top], cosine[order][top])

    def _settle(self, pool: ThreadPoolExecutor) -> None:
        self._settle_candidates(pool.map)
        self._settle_doubtful(pool.map)

    def _drop_beaten(self) -> None:
        rows, others, highest = self._candidates.columns()
        may_be = highest >= self._bound[rows]
        self._candidates.clear()
        self._candidates.append(rows[may_be], others[may_be], highest[may_be])

    def _settle_candidates(self, run: Run) -> None:
        """Score the candidates exactly: each row's best first, which beats most of the others."""
        self._drop_beaten()
        rows, others, highest = self._candidates.columns()
        order = np.lexsort((-highest, rows))
        is_best = np.diff(rows[order], prepend=-1) != 0
        for some in order[is_best], order[~is_best]:
            left = some[highest[some] >= self._bound[rows[some]]]
            self._score(rows[left], others[left], run)
        self._candidates.clear()

    def _score(self, rows: NDArray[Any], others: NDArray[Any], run: Run) -> None:
        """Score pairs exactly, for both of each."""
        pairs = np.minimum(rows, others).astype(np.int64) * len(self.row) + np.maximum(rows, others)
        pairs.sort()
        one, other = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], len(self.row))
        cosine = np.empty(len(one))

        def score(part: slice) -> None:
            cosine[part] = pair_cosines(self.vectors, one[part], other[part])

        for _ in run(score, parts(len(one), SCORED_AT_A_TIME)):
            pass
        self.offer_pairs(np.append(one, other), np.append(other, one), np.append(cosine, cosine))

    def _settle_doubtful(self, run: Run) -> None:
        """Compute exactly which of the doubtful pairs are within reach."""
        rows, others = self._doubtful.columns()
        self._doubtful.clear()

        def sort_out(part: slice) -> None:
            cosine = pair_cosines(self.vectors, rows[part], others[part])
            is_near = self._is_within(cosine)
            self._add_pairs(rows[part][is_near], others[part][is_near])

        for _ in run(sort_out, parts(len(rows), SCORED_AT_A_TIME)):
            pass


class _Loaded:
    """Some rows, and their rounded vectors."""

    def __init__(self, rows: NDArray[np.int64], vectors: Rough) -> None:
        self._rows, self._vectors = rows, vectors

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice) -> tuple[NDArray[np.int64], Rough]:
        return self._rows[part], self._vectors[part]


def _strips(
    height: int, width: int, block: int, is_diagonal: bool
) -> Iterator[tuple[slice, list[slice]]]:
    """Cut the products of two big blocks into tiles, in short rows of them."""
    for i, part in enumerate(parts(height, block)):
        columns = list(parts(width, block))[i if is_diagonal else 0 :]
        for start in range(0, len(columns), STRIP):
            yield part, columns[start : start + STRIP]
