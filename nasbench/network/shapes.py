"""Shapes and multiply-adds by rule, of what networks are mostly made of.

PyTorch takes some hundred microseconds to find the shape that a BatchNorm, say, leaves as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

__all__ = [
    "ATEN",
    "ELEMENTWISE",
    "PRODUCTS",
    "RULES",
    "Shape",
    "averaged",
    "broadcast",
    "bytes_of",
    "shapes_of",
    "tensors_in",
]

Shape = tuple[int, ...]


def tensors_in(values: Any) -> list[Tensor]:
    """The tensors in what a function takes or gives."""
    if isinstance(values, Tensor):
        return [values]
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def bytes_of(tensor: Tensor) -> int:
    """The bytes of a tensor, those of an expanded dimension once."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.element_size() * math.prod(size for size, stride in steps if stride)


def shapes_of(tensors: Iterable[Tensor]) -> tuple[Shape, ...]:
    """Their shapes."""
    return tuple(tuple(one.shape) for one in tensors)


def _same(module: nn.Module, x: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _in_place_or_same(module: Any, x: Tensor) -> Tensor:
    return x if module.inplace else x.new_empty(x.shape)


def _passed(module: nn.Module, x: Tensor) -> Tensor:
    return x


def _conv2d(module: nn.Conv2d, x: Tensor) -> Tensor | None:
    if isinstance(module.padding, str) or x.dim() != 4:
        return None
    return _slid(module, x, module.out_channels, module.dilation)


def _pool2d(module: Any, x: Tensor) -> Tensor | None:
    if getattr(module, "return_indices", False) or x.dim() != 4:
        return None
    return _slid(module, x, x.shape[1], getattr(module, "dilation", 1), module.ceil_mode)


def _slid(module: Any, x: Tensor, channels: int, dilation: Any, up: bool = False) -> Tensor | None:
    """What a window gives that slides over images; `up`: beyond the end, if it begins before."""
    options = (module.kernel_size, module.stride, module.padding, dilation)
    pairs = ((one, one) if isinstance(one, int) else one for one in options)
    out = []
    for n, size, stride, pad, step in zip(x.shape[2:], *pairs, strict=True):
        way = n + 2 * pad - step * (size - 1) - 1
        places = way // stride + 1
        if up and way % stride and places * stride < n + pad:
            places += 1
        out.append(places)
    # PyTorch has a sentence for a window that is larger than the image.
    return x.new_empty((x.shape[0], channels, *out)) if min(out) > 0 else None


def _pooled(module: Any, x: Tensor) -> Tensor | None:
    """Of `AdaptiveAvgPool2d(1)`, the mean over an image."""
    return x.new_empty((*x.shape[:2], 1, 1)) if module.output_size in (1, (1, 1)) else None


def _linear(module: nn.Linear, x: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:-1], module.out_features))


RULES: Mapping[type[nn.Module], Callable[[Any, Tensor], Tensor | None]] = {
    nn.Conv2d: _conv2d,
    nn.Linear: _linear,
    nn.AdaptiveAvgPool2d: _pooled,
    nn.AvgPool2d: _pool2d,
    nn.MaxPool2d: _pool2d,
    nn.BatchNorm1d: _same,
    nn.BatchNorm2d: _same,
    nn.LayerNorm: _same,
    nn.GELU: _same,
    nn.Tanh: _same,
    nn.Sigmoid: _same,
    nn.ReLU: _in_place_or_same,
    nn.ReLU6: _in_place_or_same,
    nn.SiLU: _in_place_or_same,
    nn.Hardswish: _in_place_or_same,
    nn.Identity: _passed,
    nn.Dropout: _passed,
}
"""What a module in evaluation mode gives; None where the rule does not hold."""

PRODUCTS: Mapping[type[nn.Module], Callable[[Any, Tensor, Tensor], int]] = {
    nn.Conv2d: lambda module, x, out: out.numel() * module.weight[0].numel(),
    nn.Linear: lambda module, x, out: out.numel() * module.in_features,
}
"""The multiply-adds of a module."""


ELEMENTWISE = frozenset(["add", "mul", "sub", "truediv", "sigmoid", "tanh"])
"""Functions and methods whose output has the shape that their inputs come to together."""


def broadcast(args: tuple[Any, ...]) -> Tensor | None:
    """The output of an elementwise function; None where dtypes differ."""
    given = tensors_in(args)
    if len({one.dtype for one in given}) != 1 or not given[0].is_floating_point():
        return None
    return given[0].new_empty(np.broadcast_shapes(*shapes_of(given)))


def averaged(x: Any = None, dim: Any = None, keepdim: Any = False, **others: Any) -> Tensor | None:
    """What `mean` over dimensions gives; None in its other forms.

    PyTorch loads its compiler, more than a second, to find this shape.
    """
    dims = dim if isinstance(dim, (tuple, list)) else [dim]
    if not isinstance(x, Tensor) or not x.is_floating_point() or others or not dims:
        return None
    if not all(type(one) is int and -x.dim() <= one < x.dim() for one in dims):
        return None
    gone = {one % x.dim() for one in dims}
    if len(gone) != len(dims):  # PyTorch has a sentence for a dimension that is named twice
        return None
    sizes = enumerate(x.shape)
    return x.new_empty([1 if at in gone else n for at, n in sizes if keepdim or at not in gone])


def _convolution(args: tuple[Any, ...], result: Tensor) -> int:
    x, weight, transposed = args[0], args[1], args[6]
    return int((x if transposed else result).numel() * weight[0].numel())


def _matrices(args: tuple[Any, ...], result: Tensor) -> int:
    return int(result.numel() * args[0].shape[-1])


def _added_matrices(args: tuple[Any, ...], result: Tensor) -> int:
    return int(result.numel() * args[1].shape[-1])


def _attention(args: tuple[Any, ...], result: Any) -> int:
    query, key, value = (one.shape for one in args[:3])
    return int(np.prod(query[:-1]) * key[-2] * (query[-1] + value[-1]))


ATEN: Mapping[str, Callable[[tuple[Any, ...], Tensor], int]] = {
    "convolution": _convolution,
    "mm": _matrices,
    "bmm": _matrices,
    "addmm": _added_matrices,
    "baddbmm": _added_matrices,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_flash_attention": _attention,
}
"""PyTorch's own operations that multiply and add, to which all others come down."""
