"""The fastest way to compute dot products of so many vectors on this machine."""

import sys
import time
from typing import get_args

import numpy as np

from dedup_widgets._processor import Dtype, chosen_dtype, remembered
from dedup_widgets.neighbors.numpy_products import NumpyProducts
from dedup_widgets.neighbors.products import Kind, Products
from dedup_widgets.neighbors.torch_products import TorchProducts, multiplies_float32
from dedup_widgets.neighbors.vectors import Vectors

MEASURED_ROWS = 2048
"""Rows and columns of the tile by which types are compared."""


NUMPY_MAX_WORK = 4096**2 * 512
"""Components to multiply up to which numpy has finished before torch's threads have started."""


TORCH_MIN_WORK = 16_384**2 * 512
"""Components to multiply from which importing torch pays, if it is not imported yet."""


def choose_products(n: int, others: int, dimensions: int, device: str | None = None) -> Products:
    """Choose how to compute the dot products of n vectors with others on this machine.

    ======================= ============================================================
    few                     float32, numpy
    CUDA device             float16
    CPU                     float32 or bfloat16: what was measured to be faster; with AMX
                            bfloat16 is 8 times as fast as float32, on Zen 4 twice, on
                            Intel's AVX-512 without AMX slower
    ======================= ============================================================

    Parameters
    ----------
    n, others, dimensions
        Numbers of vectors on each side, and of components of each.
    device
        A torch device; default: CUDA if there is one. What is neither CUDA nor CPU counts as CPU.
    """
    work = n * others * dimensions
    if work < NUMPY_MAX_WORK or (
        work < TORCH_MIN_WORK and "torch" not in sys.modules and device is None
    ):
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
    """Return the type whose products this machine computes fastest, by a measurement.

    It is measured once a machine: results do not depend on it. The environment variable
    ``DEDUP_WIDGETS_DTYPE`` names another type.
    """
    import torch

    if torch.cuda.is_available() if device is None else torch.device(device).type == "cuda":
        return "cuda"
    dtype = chosen_dtype() or remembered("products of vectors", _measured)
    if dtype != "bfloat16":
        return "float32"
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
    return "bfloat16 by AMX" if has_amx else "bfloat16"


def _measured() -> Dtype:
    """Measure a tile of products of each type, on one core, and return the fastest type."""
    times = {dtype: _seconds(dtype, MEASURED_ROWS // 4) for dtype in get_args(Dtype)}
    # What is far slower, as it is emulated, is not asked to compute a whole tile.
    times = {
        dtype: _seconds(dtype, MEASURED_ROWS)
        for dtype, seconds in times.items()
        if seconds < 3 * min(times.values())
    }
    return min(times, key=times.__getitem__)


def _seconds(dtype: Dtype, rows: int) -> float:
    """Return the shortest of a few times that products of so many vectors took."""
    import torch

    products = TorchProducts(getattr(torch, dtype))
    unit = np.random.default_rng(0).standard_normal((rows, 512), np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)

    def once() -> float:
        began = time.perf_counter()
        products.multiply(rounded, rounded).row_maxima()
        return time.perf_counter() - began

    with products.pool() as pool:
        rounded = products.load(Vectors.of(unit), np.arange(rows), pool)
        # The first time takes longer: kernels are made, memory is asked for.
        return min(pool.submit(lambda: min(once() for _ in range(4))).result() for _ in range(2))
