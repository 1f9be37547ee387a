"""Approximate dot products by torch."""

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
from dedup_widgets.neighbors.products import (
    CUDA_BLOCK_ROWS,
    CUDA_BYTES_AT_A_TIME,
    MARGIN,
    PIECE_COLUMNS,
    TILE_MULTIPLE,
    Entries,
    RoundedVectors,
    Tile,
    where,
    worker_threads,
)
from dedup_widgets.neighbors.rescaled import multiply_rescaled
from dedup_widgets.neighbors.vectors import Vectors, float32_error, parts

if TYPE_CHECKING:
    import torch


class TorchProducts:
    """Dot products by torch, in any of its floating-point types.

    The threads that compute tiles use one core each: a tile is too small to share.
    """

    def __init__(
        self,
        dtype: "torch.dtype",
        device: str = "cpu",
        block: int = 2048,
        bytes_at_a_time: int = 2**27,
    ) -> None:
        import torch

        self.dtype, self.device = dtype, torch.device(device)
        on_cpu = self.device.type == "cpu"
        self.block = block if on_cpu else CUDA_BLOCK_ROWS
        self.bytes_at_a_time = bytes_at_a_time if on_cpu else CUDA_BYTES_AT_A_TIME
        self.workers = processors() if on_cpu else 2
        self.itemsize = dtype.itemsize
        self._kept = threading.local()

    def load(
        self, vectors: Vectors, rows: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> RoundedVectors:
        """Round some vectors, in the threads of `pool`."""
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
        return RoundedVectors(data.to(self.device), error)

    def multiply(self, a: RoundedVectors, b: RoundedVectors) -> Tile:
        """Return the dot products of all rows of a with all rows of b.

        The tile is valid until the same thread calls `multiply` again: its memory is reused.
        """
        import torch

        left, right = (_padded(vectors.data) for vectors in (a, b))
        kept = self._kept.__dict__
        shape = (len(left), len(right))
        if kept.get("shape") != shape:
            kept["shape"] = shape
            kept["product"] = torch.empty(shape, dtype=self.dtype, device=self.device)
        torch.mm(left, right.T, out=kept["product"])
        a_off, b_off = float(a.error.max()), float(b.error.max())
        # A sum below 1, rounded to nearest, has an error of at most half a unit in the last place
        # of 1/2. A sum above 1 is clamped to 1, which is no worse.
        # Tensor cores truncate where others round: four times the float32 error covers it, and
        # rescaled vectors too, whose products are sums of at most 1.5 in magnitude.
        last_digit = torch.finfo(self.dtype).eps / 4
        slack = a_off + (1 + a_off) * b_off + 4 * float32_error(a.data.shape[1]) + last_digit
        return _TorchTile(kept["product"], (len(a), len(b)), MARGIN + slack)

    def multiply_rescaled(
        self, a: NDArray[np.float32], b: NDArray[np.float32], max_norm: float
    ) -> Tile:
        """Return the cosines of vectors that lie close together, see :class:`Products`."""
        return multiply_rescaled(self, self._rounded, a, b, max_norm)

    def multiply_exactly(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return all dot products in float64; numpy would start threads of its own."""
        import torch

        return torch.mm(torch.from_numpy(a), torch.from_numpy(b).T).numpy()

    def _rounded(self, rows: NDArray[np.float32]) -> tuple[Any, NDArray[np.float32]]:
        """Return rounded rows as a tensor on the device, and as float32."""
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
            with worker_threads(self.workers, torch.set_num_threads, 1) as pool:
                yield pool
        finally:
            matmul.allow_fp16_reduced_precision_reduction = reduced
            torch.set_num_threads(threads)


def _padded(rows: "torch.Tensor") -> "torch.Tensor":
    """Pad with rows of zeros to one of a few heights: oneDNN compiles a kernel for each shape."""
    import torch

    below = -len(rows) % TILE_MULTIPLE
    return torch.nn.functional.pad(rows, (0, 0, 0, below)) if below else rows


class _TorchTile:
    """Dot products as their bits: integers compare many times as fast as torch's bfloat16.

    Non-negative floats are ordered like their bits, read as integers. Negative ones come below
    them, in the opposite order. Each row is cut into pieces; a piece whose maximum is below the
    threshold is skipped.
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

    def mask(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        self._bits.view(self._type)[rows, columns] = -np.inf

    def row_maxima(self) -> NDArray[np.floating]:
        return self._floats(self._highest.max(axis=1))

    def entries_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating], most: float = np.inf
    ) -> tuple[Entries, NDArray[np.bool_]]:
        bound = self._bound(threshold)
        has_high = self._highest[rows] >= bound[:, None]
        # A row in which most pieces have a high product surely has many of them.
        many = max(12, 3 * has_high.shape[1] // 4)
        is_dense = has_high.sum(axis=1) > (most if most >= self.width else min(most, many))
        has_high[is_dense] = False
        row, piece = where(has_high)
        some = self._pieces(rows[row], piece)
        is_high = some >= bound[row, None]
        is_high[piece > self.width // PIECE_COLUMNS] = False
        is_high[piece == self.width // PIECE_COLUMNS, self.width % PIECE_COLUMNS :] = False
        nth, within = where(is_high)
        of_row = np.bincount(row[nth], minlength=len(rows))
        if (of_row > most).any():
            is_dense |= of_row > most
            is_wanted = ~is_dense[row[nth]]
            nth, within = nth[is_wanted], within[is_wanted]
        column = piece[nth] * PIECE_COLUMNS + within
        return (row[nth], column, self._floats(some[nth, within])), is_dense

    def columns_above(
        self, rows: NDArray[np.int64], threshold: NDArray[np.floating]
    ) -> NDArray[np.int64]:
        some = self._bits.index_select(int(self._across), self._on_device(rows)).cpu().numpy()
        bound = self._bound(threshold)
        if self._across:
            some = some.T
        return np.flatnonzero(np.any(some >= bound[:, None], axis=0)[: self.width])

    # The next two read the columns of a transposed tile in place: transposing it first would be
    # several times slower.

    @cached_property
    def _highest(self) -> NDArray[np.signedinteger]:
        """The largest bits of each piece of each row, (rows, pieces)."""
        if self._across:
            highest = (
                self._bits.view(-1, PIECE_COLUMNS, self._bits.shape[1]).amax(1).T[: self._size[1]]
            )
        else:
            highest = self._bits.view(len(self._bits), -1, PIECE_COLUMNS).amax(2)[: self._size[0]]
        return highest.cpu().numpy()

    def _pieces(self, rows: NDArray[Any], pieces: NDArray[Any]) -> NDArray[np.signedinteger]:
        """Return the bits of some pieces, (pieces, PIECE)."""
        row, piece = self._on_device(rows), self._on_device(pieces)
        if self._across:
            return (
                self._bits.view(-1, PIECE_COLUMNS, self._bits.shape[1])[piece, :, row].cpu().numpy()
            )
        return self._bits.view(len(self._bits), -1, PIECE_COLUMNS)[row, piece].cpu().numpy()

    def _bound(self, threshold: NDArray[np.floating]) -> NDArray[np.signedinteger]:
        """Return a lower bound of the bits of products that are not below a threshold."""
        import torch

        rounded = torch.from_numpy(threshold).to(self._type)
        # Products have the same type, so rounding the threshold to it loses none of them. A product
        # of any sign may be above a negative threshold, whose bits are ordered the other way.
        bits = rounded.view(self._bits.dtype) - 1
        return torch.where(rounded > 0, bits, self._lowest).numpy()

    def _on_device(self, rows: NDArray[np.int64]) -> "torch.Tensor":
        import torch

        return torch.from_numpy(rows).to(self._bits.device)

    def _floats(self, bits: NDArray[np.signedinteger]) -> NDArray[np.float32]:
        """Return products from their bits, at most 1."""
        import torch

        floats: NDArray[np.float32]
        floats = torch.from_numpy(bits).view(self._type).float().clamp(max=1).numpy()
        return floats


def multiplies_float32() -> bool:
    """Tell whether torch multiplies float32 in full precision, and not in TF32 or bfloat16."""
    import torch

    if torch.get_float32_matmul_precision() != "highest":
        return False
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    return getattr(matmul, "fp32_precision", "none") in ("none", "ieee")
