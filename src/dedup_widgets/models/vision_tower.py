"""The vision tower of a CLIP model alone, from bytes of pixels to embeddings.

A. Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML
2021. The weights are those of a ``transformers.CLIPModel``; the arithmetic differs from it only in
precision: matrix products in bfloat16 or float16 with float32 sums, or in float32; all else (the
residual stream, normalisation, the last projection) in float32. What the last layer would give for
other tokens than the first, which nobody reads, is left out: 7 % of ViT-B/32.

Measured with ViT-B/32 and random weights: cosine to the model in float32 at least 0.999995, where
the whole model converted to bfloat16 has 0.99995. Pictures a second of one core with AMX: 50,
against 33 converted, 47 with OpenVINO in bfloat16 and 12 in float32.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dedup_widgets.models.onednn import Linear

VERSION = 2
"""Part of a model's key: raise it when the arithmetic changes, and with it the last bits."""

_MIDDLE = 128
"""Subtracted from bytes, so that they are integers of 8 bits, which bfloat16 represents exactly."""


_QUICK_GELU = 1.702
"""quick_gelu(x) = x * sigmoid(1.702 x), so 1.702 * quick_gelu(x) = silu(1.702 x)."""


_ACTIVATIONS = {"quick_gelu": ("silu", _QUICK_GELU), "gelu": ("gelu", 1.0), "silu": ("silu", 1.0)}


@dataclass(frozen=True, slots=True)
class Colours:
    """How a model wants colours: ``(byte * scale - mean) / std`` for each of three channels."""

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


class VisionTower:
    """From pictures to embeddings.

    Parameters
    ----------
    model : transformers.CLIPModel
        Whose weights are copied; one that `takes` allows.
    colours : Colours
        From the model's image processor.
    dtype : torch.dtype
        Of the matrix products.
    device : str
        Where it runs.
    pictures : int
        Pictures in each call.
    """

    def __init__(
        self, model: Any, colours: Colours, dtype: torch.dtype, device: str, pictures: int
    ) -> None:
        vision, config = model.vision_model, model.config.vision_config
        self._dtype = dtype
        self._heads = config.num_attention_heads
        self._patch = config.patch_size
        self._epsilon = config.layer_norm_eps
        tokens = vision.embeddings.position_embedding.weight.shape[0]
        rows = pictures * tokens

        def copied(parameter: Tensor) -> Tensor:
            return parameter.detach().to(device, torch.float32)

        def norm(module: Any) -> "_Norm":
            return _Norm(copied(module.weight), copied(module.bias), self._epsilon, dtype)

        def linear(
            *modules: Any,
            activation: str = "none",
            before: float = 1.0,
            after: float = 1.0,
            rows: int = rows,
        ) -> Linear:
            weight = torch.cat([copied(module.weight) for module in modules]) * (before / after)
            bias = torch.cat([copied(module.bias) for module in modules]) * before
            return Linear(weight.to(dtype), bias.to(dtype), activation, rows)

        activation, factor = _ACTIVATIONS[config.hidden_act]
        patches, first = _of_bytes(vision.embeddings.patch_embedding.weight.detach(), colours)
        positions = vision.embeddings.position_embedding.weight.detach().double()
        self._patches = Linear(patches.to(device, dtype), None, rows=pictures * (tokens - 1))
        self._positions = copied(positions[1:] + first.to(positions.device))
        self._class = copied(vision.embeddings.class_embedding.detach().double() + positions[0])
        self._before = norm(vision.pre_layrnorm)

        def layer(module: Any, *, is_last: bool) -> "_Layer":
            attention = module.self_attn
            query, key_value = attention.q_proj, (attention.k_proj, attention.v_proj)
            # Of the last layer only the first token is read.
            of = partial(linear, rows=pictures if is_last else rows)
            return _Layer(
                norm(module.layer_norm1),
                of(query) if is_last else None,
                linear(*(() if is_last else (query,)), *key_value),
                of(attention.out_proj),
                norm(module.layer_norm2),
                of(module.mlp.fc1, activation=activation, before=factor),
                of(module.mlp.fc2, after=factor),
            )

        *others, last = vision.encoder.layers
        self._layers = [*(layer(it, is_last=False) for it in others), layer(last, is_last=True)]
        self._after = norm(vision.post_layernorm)
        self._projection = copied(model.visual_projection.weight)

    @staticmethod
    def takes(model: Any) -> bool:
        """Tell whether a model's vision tower can be copied: a ``transformers.CLIPModel``."""
        from transformers import CLIPModel

        # Not a subclass, which may compute something else from the same weights.
        return type(model) is CLIPModel and model.config.vision_config.hidden_act in _ACTIVATIONS

    def __call__(self, pictures: Tensor) -> Tensor:
        """Embed pictures.

        Parameters
        ----------
        pictures : Tensor
            (n, height, width, 3) bytes, on the tower's device, of the size that the model takes.

        Returns
        -------
        Tensor
            (n, d) float32, not normalised.
        """
        n, height, width, channels = pictures.shape
        side = self._patch
        patches = (
            (pictures.to(self._dtype) - _MIDDLE)
            .view(n, height // side, side, width // side, side * channels)
            .transpose(2, 3)
            .reshape(n, -1, side * side * channels)
        )
        x = torch.cat(
            [self._class.expand(n, 1, -1), self._patches(patches) + self._positions], dim=1
        )
        x = self._before.exact(x)
        for layer in self._layers:
            normed = layer.norm_attention(x)
            if layer.query is None:
                query, key, value = layer.inputs(normed).chunk(3, dim=-1)
            else:
                x, query = x[:, :1], layer.query(normed[:, :1])
                key, value = layer.inputs(normed).chunk(2, dim=-1)
            x = x + layer.project(self._attention(query, key, value))
            x = x + layer.contract(layer.expand(layer.norm_mlp(x)))
        # A product of matrices in float32 may add in another order with other threads.
        return (self._after.exact(x[:, 0])[:, None] * self._projection).sum(dim=-1)

    def _attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return attention, (n, tokens of the query, width), to all tokens, (n, tokens, width)."""
        mixed = functional.scaled_dot_product_attention(
            self._by_head(query), self._by_head(key), self._by_head(value)
        )
        return mixed.transpose(1, 2).flatten(2)

    def _by_head(self, x: Tensor) -> Tensor:
        """Return (n, heads, tokens, width / heads) of (n, tokens, width)."""
        return x.view(*x.shape[:2], self._heads, -1).transpose(1, 2)


@dataclass(frozen=True, slots=True)
class _Norm:
    """Layer normalisation in float32, rounded to `dtype` for the layer that follows."""

    weight: Tensor
    bias: Tensor
    epsilon: float
    dtype: torch.dtype

    def __call__(self, x: Tensor) -> Tensor:
        return self.exact(x).to(self.dtype)

    def exact(self, x: Tensor) -> Tensor:
        """Normalise without rounding the result."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class _Layer:
    """The weights of one transformer layer: attention, then two linear layers.

    Attributes
    ----------
    query, inputs
        From tokens to query, key and value. Where only the first token is asked for, it has a query
        of its own; else that is one of the inputs.
    """

    norm_attention: _Norm
    query: Linear | None
    inputs: Linear
    project: Linear
    norm_mlp: _Norm
    expand: Linear
    contract: Linear


def _of_bytes(weight: Tensor, colours: Colours) -> tuple[Tensor, Tensor]:
    """Return the patch embedding as a product with ``byte - 128``, and what to add to it.

    The colours' own scaling goes into weights of (width, 3, side, side), in float64; the result
    is (width, side * side * 3), in the order of the bytes, and (width,).
    """
    weight = weight.double()
    mean, std = (
        torch.tensor(values, dtype=torch.float64, device=weight.device).view(1, 3, 1, 1)
        for values in (colours.mean, colours.std)
    )
    first = (weight * (_MIDDLE * colours.scale - mean) / std).sum(dim=(1, 2, 3))
    scaled = weight * colours.scale / std
    return scaled.permute(0, 2, 3, 1).reshape(len(weight), -1), first
