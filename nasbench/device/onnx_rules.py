"""Each call of a traced network as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nasbench.network.tracing import Seen

if TYPE_CHECKING:
    from nasbench.device.onnx_writer import Writer

__all__ = ["FUNCTIONS", "MODULES", "Rule", "Unwritten"]


class Unwritten(Exception):  # noqa: N818 (it says what is the case)
    """What this module has no rule for."""


Rule = Callable[["Writer", Seen], list[str]]
"""Writes one call; the names of what comes out."""


def _given(seen: Seen, place: int, name: str, default: Any = None) -> Any:
    """An argument of a call, by its place or by its name."""
    return seen.args[place] if place < len(seen.args) else seen.kwargs.get(name, default)


def _out(seen: Seen) -> str:
    return f"{seen.path}.out" if seen.path else seen.kind


def _axes(dims: Any, rank: int) -> list[int]:
    return [dim % rank for dim in ((dims,) if isinstance(dims, int) else dims)]


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else [int(one) for one in value]


def _same(to: Writer, seen: Seen) -> list[str]:
    return [to.value_of(seen.args[0])]


def _one(kind: str) -> Rule:
    """Of what is one node of one input."""
    return lambda to, seen: [to.node(kind, [to.value_of(seen.args[0])], _out(seen))]


def _two(kind: str) -> Rule:
    """Of what is one node of two inputs, of which one may be a number."""

    def rule(to: Writer, seen: Seen) -> list[str]:
        like = next(one for one in seen.args if isinstance(one, Tensor))
        if seen.kwargs or len({one.dtype for one in seen.args if isinstance(one, Tensor)}) != 1:
            raise Unwritten(f"{seen.kind} of several kinds of numbers")
        if seen.result.dtype not in (like.dtype, torch.bool):
            raise Unwritten(f"{seen.kind} that changes the kind of its numbers")
        return [to.node(kind, [to.value_of(one, like) for one in seen.args], _out(seen))]

    return rule


def _conv(to: Writer, seen: Seen) -> list[str]:
    conv: Any = seen.module
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise Unwritten(f"padding {conv.padding_mode} {conv.padding}")
    inputs = [to.value_of(seen.args[0]), to.weight(seen, "weight")]
    inputs += [to.weight(seen, "bias")] if conv.bias is not None else []
    made = to.node(
        "Conv",
        inputs,
        _out(seen),
        kernel_shape=[*conv.kernel_size],
        strides=[*conv.stride],
        pads=[*conv.padding] * 2,  # those at the begin of each dimension, then those at the end
        dilations=[*conv.dilation],
        group=conv.groups,
    )
    return [made]


def _linear(to: Writer, seen: Seen) -> list[str]:
    linear: Any = seen.module
    x = to.value_of(seen.args[0])
    bias = [to.weight(seen, "bias")] if linear.bias is not None else []
    if seen.args[0].dim() == 2:
        inputs = [x, to.weight(seen, "weight"), *bias]
        return [to.node("Gemm", inputs, _out(seen), transB=1)]
    turned = to.node("Transpose", [to.weight(seen, "weight")], f"{seen.path}.turned", perm=[1, 0])
    product = to.node("MatMul", [x, turned], f"{seen.path}.product")
    return [to.node("Add", [product, *bias], _out(seen)) if bias else product]


def _batch_norm(to: Writer, seen: Seen) -> list[str]:
    norm: Any = seen.module
    if not norm.affine or norm.running_mean is None:
        raise Unwritten("BatchNorm without weights or statistics")
    names = ("weight", "bias", "running_mean", "running_var")
    inputs = [to.value_of(seen.args[0]), *(to.weight(seen, name) for name in names)]
    return [to.node("BatchNormalization", inputs, _out(seen), epsilon=norm.eps)]


def _layer_norm(to: Writer, seen: Seen) -> list[str]:
    norm: Any = seen.module
    if norm.weight is None or norm.bias is None:
        raise Unwritten("LayerNorm without weights")
    inputs = [to.value_of(seen.args[0]), to.weight(seen, "weight"), to.weight(seen, "bias")]
    axis = -len(norm.normalized_shape)
    return [to.node("LayerNormalization", inputs, _out(seen), axis=axis, epsilon=norm.eps)]


def _pool(kind: str) -> Rule:
    def rule(to: Writer, seen: Seen) -> list[str]:
        pool: Any = seen.module
        padding = _pair(pool.padding)
        own: dict[str, Any] = {}
        if kind == "AveragePool":
            # PyTorch never counts what ceil_mode adds beyond the image; ONNX does where padding
            # is counted. Without padding it makes no difference.
            counts = pool.count_include_pad and any(padding)
            if (counts and pool.ceil_mode) or pool.divisor_override:
                raise Unwritten("an average that counts what is not there")
            own["count_include_pad"] = int(counts)
        else:
            own["dilations"] = _pair(pool.dilation)
        made = to.node(
            kind,
            [to.value_of(seen.args[0])],
            _out(seen),
            kernel_shape=_pair(pool.kernel_size),
            strides=_pair(pool.stride),
            pads=padding * 2,
            ceil_mode=int(pool.ceil_mode),
            **own,
        )
        return [made]

    return rule


def _whole_mean(to: Writer, seen: Seen) -> list[str]:
    if tuple(seen.result.shape[2:]) != (1, 1):
        raise Unwritten("a mean over parts of an image")
    return _one("GlobalAveragePool")(to, seen)


def _clipped(to: Writer, seen: Seen) -> list[str]:
    x = seen.args[0]
    bounds = [to.value_of(0.0, x), to.value_of(6.0, x)]
    return [to.node("Clip", [to.value_of(x), *bounds], _out(seen))]


def _silu(to: Writer, seen: Seen) -> list[str]:
    x = to.value_of(seen.args[0])
    gate = to.node("Sigmoid", [x], f"{_out(seen)}.gate")
    return [to.node("Mul", [x, gate], _out(seen))]


def _gelu(to: Writer, seen: Seen) -> list[str]:
    approximate = getattr(seen.module, "approximate", None) or seen.kwargs.get("approximate")
    if approximate not in (None, "none") or len(seen.args) > 1:
        raise Unwritten("an approximate GELU")
    x, base = seen.args[0], _out(seen)
    scaled = to.node("Mul", [to.value_of(x), to.value_of(2**-0.5, x)], f"{base}.scaled")
    erf = to.node("Erf", [scaled], f"{base}.erf")
    gate = to.node("Add", [erf, to.value_of(1.0, x)], f"{base}.gate")
    gated = to.node("Mul", [to.value_of(x), gate], f"{base}.gated")
    return [to.node("Mul", [gated, to.value_of(0.5, x)], base)]


def _embedding(to: Writer, seen: Seen) -> list[str]:
    if getattr(seen.module, "max_norm", None) is not None:
        raise Unwritten("an embedding that changes as it is read")
    return [to.node("Gather", [to.weight(seen, "weight"), to.value_of(seen.args[0])], _out(seen))]


def _reshape(to: Writer, seen: Seen) -> list[str]:
    return [to.reshaped(to.value_of(seen.args[0]), seen.result, _out(seen))]


def _permute(to: Writer, seen: Seen) -> list[str]:
    x, *dims = seen.args
    order = dims[0] if dims and not isinstance(dims[0], int) else dims or seen.kwargs["dims"]
    perm = _axes(tuple(order), x.dim())
    return [to.node("Transpose", [to.value_of(x)], _out(seen), perm=perm)]


def _transpose(to: Writer, seen: Seen) -> list[str]:
    x = seen.args[0]
    first, second = (
        _given(seen, place, name) % x.dim() for place, name in ((1, "dim0"), (2, "dim1"))
    )
    perm = [*range(x.dim())]
    perm[first], perm[second] = second, first
    return [to.node("Transpose", [to.value_of(x)], _out(seen), perm=perm)]


def _mean(to: Writer, seen: Seen) -> list[str]:
    x, dims = seen.args[0], _given(seen, 1, "dim")
    if dims is None or {"dtype", "out"} & {*seen.kwargs}:
        raise Unwritten("a mean of everything")
    keep = int(bool(_given(seen, 2, "keepdim", False)))
    axes = _axes(dims, x.dim())
    return [to.node("ReduceMean", [to.value_of(x)], _out(seen), axes=axes, keepdims=keep)]


def _sum(to: Writer, seen: Seen) -> list[str]:
    x, dims = seen.args[0], _given(seen, 1, "dim")
    if dims is None or {"dtype", "out"} & {*seen.kwargs}:
        raise Unwritten("a sum of everything")
    value = to.value_of(x)
    if x.dtype == torch.bool:  # PyTorch counts in integers
        value = to.node("Cast", [value], f"{_out(seen)}.ones", to=to.type_of(torch.int64))
    keep = int(bool(_given(seen, 2, "keepdim", False)))
    inputs = [value, to.integers(_axes(dims, x.dim()))]
    return [to.node("ReduceSum", inputs, _out(seen), keepdims=keep)]


def _cat(to: Writer, seen: Seen) -> list[str]:
    parts, axis = seen.args[0], _given(seen, 1, "dim", 0) % seen.result.dim()
    return [to.node("Concat", [to.value_of(part) for part in parts], _out(seen), axis=axis)]


def _squeezed(kind: str) -> Rule:
    def rule(to: Writer, seen: Seen) -> list[str]:
        dims, rank = _given(seen, 1, "dim"), max(seen.args[0].dim(), seen.result.dim())
        if dims is None:
            raise Unwritten("a squeeze of whatever is 1")
        inputs = [to.value_of(seen.args[0]), to.integers(_axes(dims, rank))]
        return [to.node(kind, inputs, _out(seen))]

    return rule


def _unbind(to: Writer, seen: Seen) -> list[str]:
    x, dim = seen.args[0], _given(seen, 1, "dim", 0)
    base = _out(seen)
    axis = dim % x.dim()
    bases = [f"{base}.{place}" for place in range(len(seen.result))]
    parts = to.several("Split", [to.value_of(x)], bases, axis=axis)
    return [to.node("Squeeze", [part, to.integers([axis])], f"{base}.part") for part in parts]


def _getitem(to: Writer, seen: Seen) -> list[str]:
    whole, wanted = seen.args
    if not isinstance(whole, Tensor):  # one of several results, which has a name
        return [to.value_of(seen.result)]
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    value, axis = to.value_of(whole), 0
    for one in wanted:
        base = _out(seen)
        if one is None:
            value = to.node("Unsqueeze", [value, to.integers([axis])], base)
        elif isinstance(one, slice) and (one.step or 1) > 0:
            if one != slice(None):
                bounds = [[one.start or 0], [2**62 if one.stop is None else one.stop]]
                places = [to.integers(b) for b in (*bounds, [axis], [one.step or 1])]
                value = to.node("Slice", [value, *places], base)
        elif isinstance(one, list) and one and {type(each) for each in one} == {int}:
            value = to.node("Gather", [value, to.integers(one)], base, axis=axis)
        elif isinstance(one, int) and not isinstance(one, bool):
            place = to.constant(f"{one}:place", np.asarray(one, np.int64))
            value = to.node("Gather", [value, place], base, axis=axis)
            continue  # this axis is gone
        else:
            raise Unwritten(f"[{one!r}]")
        axis += 1
    return [value]


def _zeros(to: Writer, seen: Seen) -> list[str]:
    if seen.kwargs or seen.result.dtype != torch.float32:
        raise Unwritten("zeros of another kind")
    shape = to.node("Shape", [to.value_of(seen.args[0])], f"{_out(seen)}.shape")
    return [to.node("ConstantOfShape", [shape], _out(seen))]


def _expanded(to: Writer, seen: Seen) -> list[str]:
    value, like = seen.args
    shape = to.node("Shape", [to.value_of(like)], f"{_out(seen)}.shape")
    return [to.node("Expand", [to.value_of(value), shape], _out(seen))]


def _pad(to: Writer, seen: Seen) -> list[str]:
    x, sides = seen.args[0], list(_given(seen, 1, "pad"))
    if _given(seen, 2, "mode", "constant") != "constant":
        raise Unwritten("padding with what is there")
    before, after = [0] * x.dim(), [0] * x.dim()
    for place, (begin, end) in enumerate(zip(sides[::2], sides[1::2], strict=True)):
        before[-1 - place], after[-1 - place] = begin, end
    value = to.value_of(float(_given(seen, 3, "value") or 0.0), x)
    return [to.node("Pad", [to.value_of(x), to.integers(before + after), value], _out(seen))]


def _cast(to: Writer, seen: Seen) -> list[str]:
    value, dtype = to.value_of(seen.args[0]), seen.result.dtype
    if dtype == seen.args[0].dtype:
        return [value]
    return [to.node("Cast", [value], _out(seen), to=to.type_of(dtype))]


def _unequal(to: Writer, seen: Seen) -> list[str]:
    (equal,) = _two("Equal")(to, seen)
    return [to.node("Not", [equal], _out(seen))]


def _softmax(to: Writer, seen: Seen) -> list[str]:
    axis = _given(seen, 1, "dim") if seen.module is None else getattr(seen.module, "dim", None)
    if not isinstance(axis, int):
        raise Unwritten("a softmax of no dimension")
    return [to.node("Softmax", [to.value_of(seen.args[0])], _out(seen), axis=axis)]


def _attention(to: Writer, seen: Seen) -> list[str]:
    query, key, value = seen.args[:3]
    mask = _given(seen, 3, "attn_mask")
    plain = not _given(seen, 4, "dropout_p", 0.0) and not _given(seen, 5, "is_causal", False)
    if not plain or {"scale", "enable_gqa"} & {*seen.kwargs} or len(seen.args) > 4:
        raise Unwritten("attention of another kind")
    base, rank = _out(seen), key.dim()
    perm = [*range(rank - 2), rank - 1, rank - 2]
    turned = to.node("Transpose", [to.value_of(key)], f"{base}.key", perm=perm)
    scores = to.node("MatMul", [to.value_of(query), turned], f"{base}.scores")
    scale = to.value_of(float(query.shape[-1]) ** -0.5, query)
    scores = to.node("Mul", [scores, scale], f"{base}.scaled")
    if mask is not None and mask.dtype == torch.bool:
        unseen = to.value_of(float("-inf"), query)
        scores = to.node("Where", [to.value_of(mask), scores, unseen], f"{base}.masked")
    elif mask is not None:
        scores = to.node("Add", [scores, to.value_of(mask)], f"{base}.masked")
    shares = to.node("Softmax", [scores], f"{base}.shares", axis=-1)
    return [to.node("MatMul", [shares, to.value_of(value)], base)]


_EITHER: Mapping[str, Rule] = {
    "relu": _one("Relu"),
    "relu6": _clipped,
    "silu": _silu,
    "gelu": _gelu,
    "sigmoid": _one("Sigmoid"),
    "tanh": _one("Tanh"),
    "hardswish": _one("HardSwish"),
    "hardsigmoid": lambda to, seen: [
        to.node("HardSigmoid", [to.value_of(seen.args[0])], _out(seen), alpha=1 / 6, beta=0.5)
    ],
    "softmax": _softmax,
    "dropout": _same,
    "flatten": _reshape,
}
"""What is a module and a function."""

MODULES: Mapping[str, Rule] = {
    **_EITHER,
    "conv1d": _conv,
    "conv2d": _conv,
    "linear": _linear,
    "batchnorm1d": _batch_norm,
    "batchnorm2d": _batch_norm,
    "layernorm": _layer_norm,
    "avgpool2d": _pool("AveragePool"),
    "maxpool2d": _pool("MaxPool"),
    "adaptiveavgpool2d": _whole_mean,
    "embedding": _embedding,
    "identity": _same,
}

FUNCTIONS: Mapping[str, Rule] = {
    **_EITHER,
    "add": _two("Add"),
    "iadd": _two("Add"),
    "sub": _two("Sub"),
    "mul": _two("Mul"),
    "imul": _two("Mul"),
    "truediv": _two("Div"),
    "div": _two("Div"),
    "matmul": _two("MatMul"),
    "eq": _two("Equal"),
    "ne": _unequal,
    "or": _two("Or"),
    "and": _two("And"),
    "mean": _mean,
    "sum": _sum,
    "cat": _cat,
    "pad": _pad,
    "permute": _permute,
    "transpose": _transpose,
    "reshape": _reshape,
    "view": _reshape,
    "unflatten": _reshape,
    "squeeze": _squeezed("Squeeze"),
    "unsqueeze": _squeezed("Unsqueeze"),
    "unbind": _unbind,
    "getitem": _getitem,
    "zeros_like": _zeros,
    "expand_as": _expanded,
    "contiguous": _same,
    "to": _cast,
    "long": _cast,
    "float": _cast,
    "scaled_dot_product_attention": _attention,
}
