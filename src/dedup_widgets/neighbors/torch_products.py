"""Products by torch."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup_widgets._threads import processors
from dedup_widgets.neighbors.magnified import magnify
from dedup_widgets.neighbors.products import (
    CUDA_BLOCK,
    CUDA_BYTES,
    MARGIN,
    PIECE,
    SHAPED,
    Entries,
    Rough,
    Tile,
    threads_of_torch,
    where,
)
from dedup_widgets.neighbors.vectors import Vectors, float32_error, parts

if TYPE_CHECKING:
    import torch


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
        return magnify(self, self._rounded, a, b, radius)

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
            with threads_of_torch(self.workers, torch.set_num_threads, 1) as pool:
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
        row, piece = where(has_high)
        some = self._pieces(rows[row], piece)
        is_high = some >= bound[row, None]
        is_high[piece > self.width // PIECE] = False
        is_high[piece == self.width // PIECE, self.width % PIECE :] = False
        nth, within = where(is_high)
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


def multiplies_float32() -> bool:
    """Tell whether torch multiplies float32 as such, and not in a type of fewer digits."""
    import torch

    if torch.get_float32_matmul_precision() != "highest":
        return False
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    return getattr(matmul, "fp32_precision", "none") in ("none", "ieee")
