"""The projection head that makes vectors for finding copies of what EfficientNet-Lite0 sees.

ImageNet's classes are the same for a picture, its mirror image and another picture of such a thing,
so the network's last layer alone is a poor judge of copies. The head takes earlier layers in as
well, and is fitted so that edited copies of a picture come near each other and pictures that look
alike stay apart. Its weights are made by ``scripts/fit_head.py``; on what, and how well they do,
says ``docs/head.md``.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dedup_widgets.errors import ModelError
from dedup_widgets.models.efficientnet_lite0 import Features, features_of_bytes

DIMENSIONS = 256
"""Numbers of an embedding."""


WEIGHTS = Path(__file__).parent / "weights" / "copy_head.npz"
"""What is shipped: the parameters of `CopyHead` by their names, matrices in float16."""


POOLED = 3888
CELL_CHANNELS = 112
LOCAL_CHANNELS = 192


class CopyHead(nn.Module):
    """From the features of a picture to a vector whose direction is compared.

    A linear map of the pooled features, and beside it one of what is found in single cells of the
    grid: a small pattern that is still there after the rest was cropped away, turned or covered.
    Both take signed square roots of features, standardised, so that no large one drowns the rest
    (F. Perronnin et al., "Improving the Fisher Kernel for Large-Scale Image Classification", ECCV
    2010). Everything is in float32.
    """

    mean: Tensor
    deviation: Tensor
    cell_mean: Tensor
    cell_deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, size in (("", POOLED), ("cell_", CELL_CHANNELS)):
            self.register_buffer(f"{name}mean", torch.zeros(size))
            self.register_buffer(f"{name}deviation", torch.ones(size))
        self.dropout = nn.Dropout(0.1)
        self.whole = nn.Linear(POOLED, DIMENSIONS)
        self.cells = nn.Linear(CELL_CHANNELS, LOCAL_CHANNELS)
        self.local = nn.Linear(LOCAL_CHANNELS, DIMENSIONS, bias=False)

    def forward(self, features: Features) -> Tensor:
        """Project the features of n pictures.

        Parameters
        ----------
        features : Features
            Of n pictures, in float32.

        Returns
        -------
        Tensor
            (n, 256), of any length.
        """
        return self.of_whole(features.pooled) + self.of_cells(features.grid)

    def of_whole(self, pooled: Tensor) -> Tensor:
        """Return what pooled features, (n, 3888), add to the vectors, (n, 256)."""
        standard = (signed_root(pooled) - self.mean) / self.deviation
        whole: Tensor = self.whole(self.dropout(standard))
        return whole

    def of_cells(self, grid: Tensor) -> Tensor:
        """Return what the cells of grids, (n, 49, 112), add to the vectors, (n, 256)."""
        standard = (signed_root(grid) - self.cell_mean) / self.cell_deviation
        found = functional.relu(self.cells(standard))
        strength = (found * found * found).mean(dim=1).add(1e-9).pow(1 / 3)
        local: Tensor = self.local(functional.layer_norm(strength, (LOCAL_CHANNELS,)))
        return local


def signed_root(x: Tensor) -> Tensor:
    """Return the square root of each number's size, with its sign."""
    return x.sign() * x.abs().sqrt()


class LoadedHead(NamedTuple):
    """A head, and the start of the SHA-256 of its file, which tells it from others."""

    head: CopyHead
    digest: str


def load_head(device: str = "cpu", path: Path = WEIGHTS) -> LoadedHead:
    """Load the head, ready for inference.

    Parameters
    ----------
    device : str
        Where it runs, as torch names it.
    path : Path
        Its weights.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """
    with torch.device("meta"):  # whose numbers nobody draws: all of them are read
        head = CopyHead()
    try:
        data = path.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            weights = {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
        head.load_state_dict(weights, assign=True)
    except Exception as error:
        raise ModelError(
            f"efficientnet-lite0: the weights {path} cannot be read ({error}); reinstall "
            "dedup-widgets"
        ) from error
    head.eval().requires_grad_(False).to(device)
    return LoadedHead(head, hashlib.sha256(data).hexdigest()[:8])


def vectors_of_bytes(
    head: CopyHead, device: str, low: torch.dtype | None, pictures: int
) -> Callable[[Tensor], Tensor]:
    """Return network and head, from bytes to (n, 256) vectors.

    Parameters
    ----------
    head : CopyHead
        On the device.
    device, low, pictures
        As `dedup_widgets.models.efficientnet_lite0.features_of_bytes` takes them.
    """
    features = features_of_bytes(device, low, pictures)
    return lambda pixels: head(features(pixels))
