"""Quick products of unit vectors, each off by no more than is known.

They pick who may be near whom; what they pick is then computed exactly. For vectors a and b that
are rounded to â and b̂, Cauchy-Schwarz bounds what a product is off by:
``|a·b - â·b̂| <= |a - â| |b| + |â| |b - b̂|``, where the lengths of the differences are measured as
the vectors are rounded. Adding up in float32 and rounding the sum come on top.
"""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup_widgets.threads import processors
from dedup_widgets.vectors import Vectors, float32_error, float64_error, parts

if TYPE_CHECKING:
    import torch

SMALL = 4096**2 * 512
"""Components to multiply below which numpy is done before torch's threads have begun."""

WORTH_TORCH = 16_384**2 * 512
"""Components to multiply from which loading torch pays, if nothing has loaded it yet."""

MARGIN = 2.0**-20
"""What rounding a bound to float32 may add to an error, with plenty to spare."""

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
    is_fine
        Whether it is of float64.
    """

    slack: float
    is_fine: bool

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
        self, rows: NDArray[np.int64], low: NDArray[np.floating], at_most: int
    ) -> Entries | None:
        """Return the products of some rows that are at least so much, one bound a row.

        Returns
        -------
        tuple or None
            Place in `rows`, column and product of each; None where there are more than `at_most`.
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

    def multiply_finely(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> Tile:
        """Return the products of vectors of length 1 in float64."""

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
        return _NumpyTile(a.data @ b.data.T, MARGIN + float32_error(a.data.shape[1]))

    def multiply_finely(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> Tile:
        """Return the products of vectors of length 1 in float64."""
        return _NumpyTile(a @ b.T, float64_error(a.shape[1]))

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Yield a thread to compute tiles in."""
        with _threads(self.workers) as pool:
            yield pool


class _NumpyTile:
    def __init__(self, product: NDArray[np.floating], slack: float) -> None:
        self._product, self.slack = product, slack
        self.is_fine = product.dtype == np.float64

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
        self, rows: NDArray[np.int64], low: NDArray[np.floating], at_most: int
    ) -> Entries | None:
        some = self._product[rows]
        low = low.astype(some.dtype)
        # Several times as quick as nonzero in two dimensions.
        at = np.flatnonzero(some >= low[:, None])
        if len(at) > at_most:
            return None
        row, column = np.divmod(at, some.shape[1])
        return row, column, some.ravel()[at]

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
        self, dtype: "torch.dtype", device: str = "cpu", block: int = 1024, at_a_time: int = 2**27
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

        kept = self._kept.__dict__
        shape = (len(a), len(b))
        if kept.get("shape") != shape:
            kept["shape"] = shape
            kept["product"] = torch.empty(shape, dtype=self.dtype, device=self.device)
        torch.mm(a.data, b.data.T, out=kept["product"])
        a_off, b_off = float(a.error.max()), float(b.error.max())
        # Rounded to nearest, a sum below 1 is off by half of what the last digit of 1/2 is worth.
        # One above it is taken for 1, which is no worse.
        # Tensor cores cut digits off where others round: four times their error covers it.
        last_digit = torch.finfo(self.dtype).eps / 4
        slack = a_off + (1 + a_off) * b_off + 4 * float32_error(a.data.shape[1]) + last_digit
        return _TorchTile(kept["product"], MARGIN + slack)

    def multiply_finely(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> Tile:
        """Return the products of vectors of length 1 in float64."""
        import torch

        # In numpy the threads would wait for each other.
        product = torch.mm(torch.from_numpy(a), torch.from_numpy(b).T)
        return _NumpyTile(product.numpy(), float64_error(a.shape[1]))

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


class _TorchTile:
    """Products as their bits: torch compares whole numbers eight times as fast as bfloat16.

    Floats from 0 on are ordered like their bits. Negative ones are below them, in the opposite
    order.
    """

    is_fine = False

    def __init__(self, product: "torch.Tensor", slack: float) -> None:
        self._product, self.slack = product, slack

    @property
    def width(self) -> int:
        return int(self._product.shape[1])

    @property
    def T(self) -> "_TorchTile":  # noqa: N802
        return _TorchTile(self._product.T, self.slack)

    def forget(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._product[rows, columns] = -np.inf

    def peaks(self) -> NDArray[np.floating]:
        return self._floats(self._bits(self._product).amax(dim=1))

    def at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating], at_most: int
    ) -> Entries | None:
        import torch

        some, is_high = self._high(rows, low)
        at = np.flatnonzero(is_high)
        if len(at) > at_most:
            return None
        row, column = np.divmod(at, self.width)
        return row, column, self._floats(some.ravel()[torch.from_numpy(at).to(some.device)])

    def columns_at_least(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        return np.flatnonzero(self._high(rows, low)[1].any(axis=0))

    def _high(
        self, rows: NDArray[np.int64], low: NDArray[np.floating]
    ) -> "tuple[torch.Tensor, NDArray[np.bool_]]":
        """Return the bits of some rows, and where they may be those of at least so much."""
        import torch

        device = self._product.device
        bound = torch.from_numpy(low).to(device, self._product.dtype)
        # Rounding a bound up would lose a product; and any may be above a negative one.
        bits = torch.where(bound > 0, self._bits(bound) - 1, torch.iinfo(self._whole).min)
        some = self._bits(self._product)[torch.from_numpy(rows).to(device)]
        return some, (some >= bits[:, None]).cpu().numpy()

    @property
    def _whole(self) -> "torch.dtype":
        import torch

        return {2: torch.int16, 4: torch.int32}[self._product.itemsize]

    def _bits(self, floats: "torch.Tensor") -> "torch.Tensor":
        return floats.view(self._whole)

    def _floats(self, bits: "torch.Tensor") -> NDArray[np.float32]:
        floats: NDArray[np.float32]
        floats = bits.view(self._product.dtype).float().clamp(max=1).cpu().numpy()
        return floats


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
