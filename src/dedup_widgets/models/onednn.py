"""Layers as oneDNN runs them fastest on a processor: weights packed once, activations fused.

These are the operators that ``torch.compile`` lowers to; called by themselves they need no
compiler. Measured on a core with AMX: a linear layer of CLIP in bfloat16 makes 750 GFLOP/s packed,
against 530 as `torch.nn.functional.linear`; EfficientNet-Lite0 fused 72 pictures/s, against 42. On
one with AVX2 alone, EfficientNet-Lite0 40 against 32.

torch promises nothing of these operators: another version may lack them, take other arguments or
compute something else. So they are trusted only where they give what plain torch gives. Everywhere
else, and on every other device, the same layers are plain torch.
"""

import platform
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

_ACTIVATIONS: dict[str, tuple[str, list[float]]] = {
    "none": ("none", []),
    "silu": ("swish", []),
    "gelu": ("gelu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}
"""Name and parameters of each activation in the operators of oneDNN."""

_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 3e-3}
"""Largest error allowed, as a part of the largest result: rounding takes a fifth of it at most."""


def usable(device: str, dtype: torch.dtype = torch.float32) -> bool:
    """Tell whether layers on a device can use the operators of oneDNN; see the module.

    Parameters
    ----------
    device : str
        Where the layers run, as torch names it.
    dtype : torch.dtype
        What they compute in.
    """
    return (
        torch.device(device).type == "cpu"
        and platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and trusted(dtype)
    )


@cache
def trusted(dtype: torch.dtype) -> bool:
    """Tell whether the operators, run once a process on small tensors, give what plain torch does.

    Parameters
    ----------
    dtype : torch.dtype
        What they compute in: float32, bfloat16 or float16.
    """
    try:
        with torch.inference_mode():
            return all(
                bool((theirs.float() - plain).abs().max() <= _TOLERANCE[dtype] * plain.abs().max())
                for theirs, plain in _trials(dtype)
            )
    # What nobody promises may fail in any way, and plain torch is right whatever it was.
    except Exception:
        return False


def _trials(dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what each operator gives, in each way it is called here, and plain torch in float32."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device="cpu").to(dtype)

    x, weight, bias = numbers(2, 5, 32), numbers(48, 32), numbers(48)
    for activation in ("none", "silu", "gelu"):
        for offset in (bias, None):
            plain = functional.linear(
                x.float(), weight.float(), None if offset is None else offset.float()
            )
            packed = Linear(weight, offset, activation, rows=10, fused=True)
            yield packed(x), _activated(plain, activation)
    image = numbers(2, 16, 12, 12).contiguous(memory_format=torch.channels_last)
    for groups, kernel, stride in ((1, 1, 1), (1, 3, 2), (16, 5, 2), (16, 3, 1)):
        weight, bias, padding = numbers(16, 16 // groups, kernel, kernel), numbers(16), kernel // 2
        where = (stride, padding, groups)
        plain = functional.conv2d(
            image.float(), weight.float(), bias.float(), stride, padding, groups=groups
        )
        narrow, wide = (
            Convolution(weight, bias, *where, activation, image.shape)
            for activation in ("none", "relu6")
        )
        other = numbers(*plain.shape).contiguous(memory_format=torch.channels_last)
        total = plain + other.float()
        yield narrow(image), plain
        yield narrow.added_to(other, image), total
        yield wide(image), _activated(plain, "relu6")


class Linear:
    """``activation(x @ weight.T + bias)``.

    Parameters
    ----------
    weight : Tensor
        (outer, inner), with the device and dtype to compute in.
    bias : Tensor, optional
        (outer,).
    activation : str
        ``"none"``, ``"silu"`` or ``"gelu"`` (the one with erf).
    rows : int
        Rows of the inputs to come: the weights are packed for so many. Others work too.
    fused : bool, optional
        Whether it is one call of oneDNN; by default where that is `usable`.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        activation: str = "none",
        rows: int = 1,
        *,
        fused: bool | None = None,
    ) -> None:
        self._fused = usable(str(weight.device), weight.dtype) if fused is None else fused
        self._bias = bias
        self._activation = activation
        self._weight = weight.contiguous()
        if self._fused:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, rows)

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the layer to (..., inner); returns (..., outer)."""
        name, numbers = _ACTIVATIONS[self._activation]
        if self._fused:
            packed: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, name, numbers, "none" if name == "gelu" else ""
            )
            return packed
        return _activated(functional.linear(x, self._weight, self._bias), self._activation)


class Convolution:
    """``activation(convolution + bias)``, or ``other + (convolution + bias)`` in place.

    Parameters
    ----------
    weight, bias : Tensor
        (outer, inner / groups, k, k) and (outer,), on a processor that is `usable`.
    stride, padding, groups : int
        As of `torch.nn.Conv2d`, equal in both directions.
    activation : str
        ``"none"`` or ``"relu6"``.
    shape : sequence of int
        (n, inner, height, width) of the inputs to come.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        stride: int,
        padding: int,
        groups: int,
        activation: str,
        shape: Sequence[int],
    ) -> None:
        self._bias = bias
        self._where = ([padding] * 2, [stride] * 2, [1, 1], groups)
        self._activation = _ACTIVATIONS[activation]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight.contiguous(memory_format=torch.channels_last), *self._where, list(shape)
        )
        side = (shape[-1] + 2 * padding - weight.shape[-1]) // stride + 1
        self.shape = (shape[0], len(weight), side, side)

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve (n, inner, height, width)."""
        name, numbers = self._activation
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._where, name, numbers, ""
        )
        return y

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        """Add the convolution of `x` to `other`, which is overwritten."""
        y: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            other, x, self._weight, self._bias, *self._where, "add", 1.0, None, [], None
        )
        return y


def _activated(x: Tensor, activation: str) -> Tensor:
    """Apply an activation by its name, in place where torch can."""
    match activation:
        case "silu":
            return functional.silu(x, inplace=True)
        case "gelu":
            return functional.gelu(x)
        case "relu6":
            return functional.relu6(x, inplace=True)
    return x
