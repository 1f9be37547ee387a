"""Pictures resized to the input of a network, and batches of fixed size."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedup_widgets._processor import network_dtype
from dedup_widgets._threads import single_core_threads
from dedup_widgets.images.thumbnail import to_square
from dedup_widgets.models.base import MAX_SIDE_PIXELS, unit_rows
from dedup_widgets.models.hub import as_model_error

if TYPE_CHECKING:
    import torch

    _Network = Callable[[torch.Tensor], torch.Tensor]


DEVICE_BATCH_PICTURES = 32
"""Pictures in a batch on a graphics card."""


class FixedBatches:
    """A network that takes bytes of pixels, in batches of fixed size; loaded for the first one.

    On a processor each batch is computed by one thread on one core: by the calling thread if torch
    may use no other, else by as many threads as torch would use.
    """

    def __init__(self, name: str, load: "Callable[[], _Network]", device: str, size: int) -> None:
        self._name = name
        self._load, self._loading = load, threading.Lock()
        self._network: _Network | None = None
        self._device = device
        self._size = size

    def __call__(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the unit vectors of prepared pictures, shape (n, d)."""
        import torch

        if not prepared:
            return np.empty((0, 0), np.float32)
        n, size = len(prepared), self._size
        pixels = np.zeros((-(-n // size) * size, *prepared[0].shape), np.uint8)
        np.stack(prepared, out=pixels[:n])
        batches = torch.from_numpy(pixels).view(-1, size, *pixels.shape[1:])
        with as_model_error(self._name):
            features_of = partial(self._features, self._loaded())
            if self._device == "cpu" and torch.get_num_threads() > 1:
                with single_core_threads(min(torch.get_num_threads(), len(batches))) as pool:
                    rows = list(pool.map(features_of, batches))
            else:
                rows = list(map(features_of, batches))
            features = torch.cat(rows)[:n].cpu().numpy()
        return unit_rows(features, n, self._name)

    def _loaded(self) -> "_Network":
        """Return the network: threads that embed at the same time load it once."""
        with self._loading:
            if self._network is None:
                self._network = self._load()
            return self._network

    def _features(self, network: "_Network", pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the embeddings, (size, d), of one batch."""
        import torch

        with torch.inference_mode():
            return network(pixels.to(self._device)).float()


def fast_type(device: str) -> "torch.dtype | None":
    """Return the low-precision type in which networks are faster on a device; None if in none.

    float16 on CUDA, as CLIP was trained; never on a processor, where it is slower than float32.
    bfloat16 on processors that were measured: see `dedup_widgets._processor`.
    """
    import torch

    from dedup_widgets.models import onednn

    target = torch.device(device)
    if target.type == "cuda":
        return torch.float16 if torch.cuda.get_device_capability(target) >= (7, 0) else None
    if network_dtype() == "bfloat16" and onednn.usable(device, torch.bfloat16):
        return torch.bfloat16
    return None


def bounded(rgb: Image.Image) -> Image.Image:
    """Return a picture with no side longer than `MAX_SIDE_PIXELS`."""
    scale = MAX_SIDE_PIXELS / max(rgb.size)
    if scale >= 1:
        return rgb
    width, height = (max(1, round(side * scale)) for side in rgb.size)
    return rgb.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def squashed(rgb: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture resized to (width, height), without keeping its proportions."""
    width, height = size
    if width == height:
        return to_square(rgb, width)
    return rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def squashed_quickly(rgb: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize a picture as `squashed` does, three times as fast where torch can.

    One value in 400 of a photo differs, by 1. Pillow first reduces large pictures by a whole
    factor, and starts with the columns of tall ones; torch does neither, so these are left to it.
    """
    import torch

    (width, height), (wide, high) = rgb.size, size
    is_large = width >= 6 * wide or height >= 6 * high
    if is_large or height - high > 2 * (width - wide):
        return np.asarray(squashed(rgb, size))
    pixels = torch.from_numpy(np.array(rgb)).unsqueeze(0).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(
        pixels, size=(high, wide), mode="bicubic", antialias=True
    )
    return small[0].permute(1, 2, 0).numpy()
