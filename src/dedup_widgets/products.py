"""Quick products of unit vectors, each off by no more than is known.

They pick who may be near whom; what they pick is then computed exactly. For vectors a and b that
are rounded to â and b̂, Cauchy-Schwarz bounds what a product is off by:
``|a·b - â·b̂| <= |a - â| |b| + |â| |b - b̂|``, where the lengths of the differences are measured as
the vectors are rounded. Adding up in float32 and rounding the sum come on top.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.threads import processors
from dedup_widgets.vectors import Vectors, float32_error, parts

if TYPE_CHECKING:
    import torch

SMALL = 4096**2 * 512
"""Components to multiply below which numpy is done before torch's threads have begun."""

WORTH_TORCH = 16_384**2 * 512
"""Components to multiply from which loading torch pays, if nothing has loaded it yet."""

MARGIN = 2.0**-20
"""What rounding a bound to float32 may add to an error, with plenty to spare."""

PIECE = 64
"""Products of a row that are passed over at a time."""

SHAPED = 4 * PIECE
"""What the rows and the columns of a tile are multiples of."""

CUDA_BLOCK = 8192
CUDA_BYTES = 2**31

Kind = Literal["cuda", "bfloat16 by AMX", "bfloat16", "float32"]
Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]


@dataclass(frozen=True)
class Rough:
    """Some vectors, rounded.

    Attributes
    ----------
    data
        Array or tensor, (n, d).
    error
        Length of what rounding changed, of each.
    """

    data: Any
    error: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.error)

    def __getitem__(self, part: slice) -> "Rough":
        return Rough(self.data[part], self.error[part])


class Tile(Protocol):
    """Products of some vectors with some others, (rows, columns).

    Attributes
    ----------
    slack
        What each is off by at most, and what rounding may add when it is compared.
    """

    slack: float

    @property
    def width(self) -> int:
        """How many columns there are."""

    @property
    def T(self) -> "Tile":  # noqa: N802 - as in numpy and torch
        """The same products, (columns, rows)."""

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """Put -inf in the place of some products: those of vectors with themselves."""

    def peaks(self) -> NDArray[np.floating]:
        """Return the largest product of each row, or something lower if all are negative."""

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        """Return the products of some rows that are at least so much, one bound a row.

        Returns
        -------
        tuple
            Place in `rows`, column and product of each; and which rows are left out because they
            have more than `most`, or about as many.
        """

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        """Return the columns in which any of these products is."""


class Products(Protocol):
    """A way to compute products.

    Attributes
    ----------
    block
        Rows and columns of a tile.
    at_a_time
        Bytes of rounded vectors to hold at a time, twice.
    itemsize
        Bytes of a number.
    workers
        Threads that compute tiles at the same time.
    """

    block: int
    at_a_time: int
    itemsize: int
    workers: int

    def load(self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor) -> Rough:
        """Round some vectors."""

    def multiply(self, a: Rough, b: Rough) -> Tile:
        """Return the products of all rows of a with all of b."""

    def magnify(self, a: NDArray[np.float32], b: NDArray[np.float32], radius: float) -> Tile:
        """Return the cosines of vectors that are close together, more finely than `multiply`.

        Parameters
        ----------
        a, b
            What is left of unit vectors when their centre, on the same grid, is subtracted.
        radius
            The length of the longest.
        """

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all products in float64, in the threads that `pool` gives."""

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield the threads to compute tiles in."""


def choose_products(n: int, others: int, dimensions: int, device: str | None = None) -> Products:
    """Choose how to multiply n vectors with others on this machine.

    ======================= ============================================================
    few                     float32, numpy
    CUDA device             float16
    CPU with AMX or bf16    bfloat16: here 8 times as fast as float32, on Zen 4 twice
    any other               float32
    ======================= ============================================================

    Parameters
    ----------
    n, others, dimensions
        How many are multiplied with how many, of how many numbers.
    device
        A torch device; default: CUDA if there is one. What is neither CUDA nor CPU counts as CPU.
    """
    work = n * others * dimensions
    if work < SMALL or (work < WORTH_TORCH and "torch" not in sys.modules and device is None):
        return NumpyProducts()
    import torch

    match fastest(device):
        case "cuda":
            return TorchProducts(torch.float16, device or "cuda")
        case "float32":
            return TorchProducts(torch.float32) if multiplies_float32() else NumpyProducts()
        case _:
            return TorchProducts(torch.bfloat16)


def fastest(device: str | None = None) -> Kind:
    """Return the fastest kind of products on this machine, by what the processor says it can."""
    import torch

    if torch.cuda.is_available() if device is None else torch.device(device).type == "cuda":
        return "cuda"
    if getattr(torch.cpu, "_is_amx_tile_supported", bool)():
        return "bfloat16 by AMX"
    return "bfloat16" if getattr(torch.cpu, "_is_avx512_bf16_supported", bool)() else "float32"


class NumpyProducts:
    """Products in float32, which holds unit vectors as they are."""

    itemsize = 4
    workers = 1  # the library below numpy has threads of its own

    def __init__(self, block: int = 512, at_a_time: int = 2**27) -> None:
        self.block, self.at_a_time = block, at_a_time

    def load(self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor) -> Rough:
        """Return the vectors as they are; `pool` is for those who round."""
        del pool
        return Rough(vectors.unit(rows), np.zeros(len(rows), np.float32))

    def multiply(self, a: Rough, b: Rough) -> Tile:
        """Return the products of all rows of a with all of b."""
        slack = float(a.error.max() + 1.001 * b.error.max())
        return _NumpyTile(a.data @ b.data.T, MARGIN + slack + 2 * float32_error(a.data.shape[1]))

    def magnify(self, a: NDArray[np.float32], b: NDArray[np.float32], radius: float) -> Tile:
        """Return the cosines of vectors that are close together, more finely than `multiply`."""
        return _magnify(self, _rounded_by_numpy, a, b, radius)

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all products in float64."""
        return a @ b.T

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield a thread to compute tiles in."""
        with _threads(self.workers) as pool:
            yield pool


class _NumpyTile:
    def __init__(self, product: NDArray[np.floating], slack: float) -> None:
        self._product, self.slack = product, slack

    @property
    def width(self) -> int:
        return int(self._product.shape[1])

    @property
    def T(self) -> "_NumpyTile":  # noqa: N802
        return _NumpyTile(self._product.T, self.slack)

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._product[rows, columns] = -np.inf

    def peaks(self) -> NDArray[np.floating]:
        peaks: NDArray[np.floating] = self._product.max(axis=1)
        return peaks

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        some = self._product[rows]
        is_high = some >= low.astype(some.dtype)[:, None]
        is_crowded = is_high.sum(axis=1) > most
        is_high[is_crowded] = False
        at = _where(is_high)
        return (*at, some[at]), is_crowded

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        low = low.astype(self._product.dtype)
        return np.flatnonzero((self._product[rows] >= low[:, None]).any(axis=0))


class TorchProducts:
    """Products by torch, in any of its types of float.

    The threads that compute tiles use one core each: a tile is too small to share.
    """

    def __init__(
        self, dtype: "torch.dtype", device: str = "cpu", block: int = 2048, at_a_time: int = 2**27
    ) -> None:
        import torch

        self.dtype, self.device = dtype, torch.device(device)
        on_cpu = self.device.type == "cpu"
        self.block = block if on_cpu else CUDA_BLOCK
        self.at_a_time = at_a_time if on_cpu else CUDA_BYTES
        self.workers = processors() if on_cpu else 2
        self.itemsize = dtype.itemsize
        self._kept = threading.local()

    def load(self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor) -> Rough:
        """Round some vectors, in all threads."""
        import torch

        data = torch.empty((len(rows), vectors.dimensions), dtype=self.dtype)
        error = np.empty(len(rows), np.float32)

        def round_part(part: slice) -> None:
            unit = torch.from_numpy(vectors.unit(rows[part]))
            data[part] = unit.to(self.dtype)
            off = torch.linalg.vector_norm(unit - data[part].float(), dim=1)
            error[part] = 1.001 * off.numpy()

        for _ in pool.map(round_part, parts(len(rows), 2048)):
            pass
        return Rough(data.to(self.device), error)

    def multiply(self, a: Rough, b: Rough) -> Tile:
        """Return the products of all rows of a with all of b; it is gone with a thread's next."""
        import torch

        left, right = (_padded(rough.data) for rough in (a, b))
        kept = self._kept.__dict__
        shape = (len(left), len(right))
        if kept.get("shape") != shape:
            kept["shape"] = shape
            kept["product"] = torch.empty(shape, dtype=self.dtype, device=self.device)
        torch.mm(left, right.T, out=kept["product"])
        a_off, b_off = float(a.error.max()), float(b.error.max())
        # Rounded to nearest, a sum below 1 is off by half of what the last digit of 1/2 is worth.
        # One above it is taken for 1, which is no worse.
        # Tensor cores cut digits off where others round: four times their error covers it, and
        # magnified vectors, whose products are sums of at most 1.5 in magnitude, too.
        last_digit = torch.finfo(self.dtype).eps / 4
        slack = a_off + (1 + a_off) * b_off + 4 * float32_error(a.data.shape[1]) + last_digit
        return _TorchTile(kept["product"], (len(a), len(b)), MARGIN + slack)

    def magnify(self, a: NDArray[np.float32], b: NDArray[np.float32], radius: float) -> Tile:
        """Return the cosines of vectors that are close together, more finely than `multiply`."""
        return _magnify(self, self._rounded, a, b, radius)

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all products in float64; numpy's own threads would wait for each other."""
        import torch

        return torch.mm(torch.from_numpy(a), torch.from_numpy(b).T).numpy()

    def _rounded(self, rows: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32]]:
        import torch

        data = torch.from_numpy(rows).to(self.dtype)
        return data.to(self.device), data.float().numpy()

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield the threads to compute tiles in, each of which torch uses alone."""
        import torch

        threads = torch.get_num_threads()
        matmul = torch.backends.cuda.matmul
        reduced = matmul.allow_fp16_reduced_precision_reduction
        matmul.allow_fp16_reduced_precision_reduction = False
        try:
            with _threads(self.workers, torch.set_num_threads, 1) as pool:
                yield pool
        finally:
            matmul.allow_fp16_reduced_precision_reduction = reduced
            torch.set_num_threads(threads)


def _padded(rows: "torch.Tensor") -> "torch.Tensor":
    """Return rows and zeros, in one of a few lengths: oneDNN keeps a program for each shape."""
    import torch

    below = -len(rows) % SHAPED
    return torch.nn.functional.pad(rows, (0, 0, 0, below)) if below else rows


class _TorchTile:
    """Products as their bits: whole numbers compare many times as fast as torch's bfloat16.

    Floats from 0 on are ordered like their bits. Negative ones are below them, in the opposite
    order. Each row is cut into pieces; one whose highest product is too low is not looked at.
    """

    def __init__(self, product: "torch.Tensor", size: tuple[int, int], slack: float) -> None:
        import torch

        self.slack, self._size, self._type = slack, size, product.dtype
        self._bits = product.view({2: torch.int16, 4: torch.int32}[product.itemsize])
        self._lowest = torch.iinfo(self._bits.dtype).min
        self._bits[size[0] :] = self._bits[:, size[1] :] = self._lowest
        self._across = False

    @property
    def width(self) -> int:
        return int(self._size[0 if self._across else 1])

    @property
    def T(self) -> "_TorchTile":  # noqa: N802
        turned = copy(self)
        turned._across = not self._across
        turned.__dict__.pop("_highest", None)
        return turned

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._bits.view(self._type)[rows, columns] = -np.inf

    def peaks(self) -> NDArray[np.floating]:
        return self._floats(self._highest.max(axis=1))

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        bound = self._bound(low)
        has_high = self._highest[rows] >= bound[:, None]
        # There is at least one in each of these pieces; in most of them are surely many.
        many = max(12, 3 * has_high.shape[1] // 4)
        is_crowded = has_high.sum(axis=1) > (most if most >= self.width else min(most, many))
        has_high[is_crowded] = False
        row, piece = _where(has_high)
        some = self._pieces(rows[row], piece)
        is_high = some >= bound[row, None]
        is_high[piece > self.width // PIECE] = False
        is_high[piece == self.width // PIECE, self.width % PIECE :] = False
        nth, within = _where(is_high)
        of_row = np.bincount(row[nth], minlength=len(rows))
        if (of_row > most).any():
            is_crowded |= of_row > most
            stays = ~is_crowded[row[nth]]
            nth, within = nth[stays], within[stays]
        column = piece[nth] * PIECE + within
        return (row[nth], column, self._floats(some[nth, within])), is_crowded

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        some = self._bits.index_select(int(self._across), self._on_device(rows)).cpu().numpy()
        bound = self._bound(low)
        if self._across:
            some = some.T
        return np.flatnonzero(np.any(some >= bound[:, None], axis=0)[: self.width])

    # Turned around before, both would take several times as long.

    @cached_property
    def _highest(self) -> NDArray[np.signedinteger]:
        """The highest bits of each piece of each row, (rows, pieces)."""
        if self._across:
            highest = self._bits.view(-1, PIECE, self._bits.shape[1]).amax(1).T[: self._size[1]]
        else:
            highest = self._bits.view(len(self._bits), -1, PIECE).amax(2)[: self._size[0]]
        return highest.cpu().numpy()

    def _pieces(self, rows: NDArray[Any], pieces: NDArray[Any]) -> NDArray[np.signedinteger]:
        """Return the bits of some pieces, (pieces, PIECE)."""
        row, piece = self._on_device(rows), self._on_device(pieces)
        if self._across:
            return self._bits.view(-1, PIECE, self._bits.shape[1])[piece, :, row].cpu().numpy()
        return self._bits.view(len(self._bits), -1, PIECE)[row, piece].cpu().numpy()

    def _bound(self, low: NDArray[np.floating]) -> NDArray[np.signedinteger]:
        """Return bits that those of a product of at least so much have at least."""
        import torch

        rounded = torch.from_numpy(low).to(self._type)
        # Rounding a bound up would lose a product; and any may be above a negative one.
        bits = rounded.view(self._bits.dtype) - 1
        return torch.where(rounded > 0, bits, self._lowest).numpy()

    def _on_device(self, rows: NDArray[np.int64]) -> "torch.Tensor":
        import torch

        return torch.from_numpy(rows).to(self._bits.device)

    def _floats(self, bits: NDArray[np.signedinteger]) -> NDArray[np.float32]:
        import torch

        floats: NDArray[np.float32]
        floats = torch.from_numpy(bits).view(self._type).float().clamp(max=1).numpy()
        return floats


class _Magnified:
    """Cosines that were computed from how far apart vectors are: 1 - (1 - product) * by."""

    def __init__(self, tile: Tile, by: float, slack: float) -> None:
        self._tile, self._by, self.slack = tile, by, slack

    @property
    def width(self) -> int:
        return self._tile.width

    @property
    def T(self) -> "_Magnified":  # noqa: N802
        return _Magnified(self._tile.T, self._by, self.slack)

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._tile.forget(rows, columns)

    def peaks(self) -> NDArray[np.floating]:
        return self._cosine(self._tile.peaks())

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        (row, column, product), is_crowded = self._tile.at_least(rows, self._product(low), most)
        return (row, column, self._cosine(product)), is_crowded

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        return self._tile.columns_at_least(rows, self._product(low))

    def _cosine(self, product: NDArray[np.floating]) -> NDArray[np.float64]:
        return 1 - (1 - product.astype(np.float64)) * self._by

    def _product(self, cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        product: NDArray[np.float64] = 1 - (1 - cosine.astype(np.float64)) / self._by
        return product


def _magnify(
    products: Products,
    rounded: Callable[[NDArray[np.float32]], tuple[Any, NDArray[np.float32]]],
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    radius: float,
) -> Tile:
    """Multiply vectors so that a product of 1 means equal ones, and 0 those that are far apart.

    With x and y the differences a and b, divided by √2 times the radius, the product of
    (x, 1/2 - |x|²/2, 1) and (y, 1, 1/2 - |y|²/2) is 1 - |x - y|²/2.

    Rounded to the grid, a vector is off from length 1 by sqrt(d) * 2**-25 at most. That changes
    the square of a difference by twice as much, in proportion, and by the square of what two
    lengths differ by. The sums of squares in float32 come on top.
    """

    def rough(rows: NDArray[np.float32], is_left: bool) -> Rough:
        n, d = rows.shape
        wide = np.zeros((n, -(-(d + 4) // 32) * 32), np.float32)  # as wide as tiles of AMX
        x = np.multiply(rows, np.float32(1 / (np.sqrt(2) * radius)), out=wide[:, :d])
        rest = np.float32(0.5) - np.einsum("nd,nd->n", x, x) / 2
        own, ones = (slice(d, d + 2), slice(d + 2, d + 4))[:: 1 if is_left else -1]
        wide[:, ones] = 1
        wide[:, own.start] = rounded(rest)[1]
        wide[:, own.stop - 1] = rest - wide[:, own.start]
        data, exactly = rounded(wide)
        off = wide - exactly
        # What x is off by counts 0.71 times at most, the rest once: 1.25 times the length of both.
        return Rough(data, 1.26 * np.sqrt(np.einsum("nd,nd->n", off, off)))

    tile, by, d = products.multiply(rough(a, True), rough(b, False)), 2 * radius**2, a.shape[1]
    in_proportion = d**0.5 * 2.0**-23 + float32_error(d)
    return _Magnified(tile, by, by * (tile.slack + in_proportion) + d * 2.0**-48)


def _rounded_by_numpy(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return rows, rows


def _where(is_so: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns; several times as quick as nonzero in two dimensions."""
    row, column = np.divmod(np.flatnonzero(is_so), is_so.shape[1])
    return row, column


def multiplies_float32() -> bool:
    """Tell whether torch multiplies float32 as such, and not in a type of fewer digits."""
    import torch

    if torch.get_float32_matmul_precision() != "highest":
        return False
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    return getattr(matmul, "fp32_precision", "none") in ("none", "ieee")


@contextmanager
def _threads(workers: int, *begin: Any) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that begin with a call; what they have not begun when work fails is dropped."""
    initializer, *arguments = begin or (None,)
    pool = ThreadPoolExecutor(workers, initializer=initializer, initargs=tuple(arguments))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
