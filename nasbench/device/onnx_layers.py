"""Rules for what computes: convolutions, norms, activations, attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from nasbench.device.onnx_calls import (
    Rule,
    Unwritten,
    given,
    name_of,
    one_input,
    pair_of,
    same,
)
from nasbench.network.tracing import Seen

if TYPE_CHECKING:
    from nasbench.device.onnx_writer import Writer

__all__ = ["ATTENTION", "EITHER", "LAYERS"]


def _conv(to: Writer, seen: Seen) -> list[str]:
    conv: Any = seen.module
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise Unwritten(f"padding {conv.padding_mode} {conv.padding}")
    inputs = [to.value_of(seen.args[0]), to.weight(seen, "weight")]
    inputs += [to.weight(seen, "bias")] if conv.bias is not None else []
    made = to.node(
        "Conv",
        inputs,
        name_of(seen),
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
        return [to.node("Gemm", inputs, name_of(seen), transB=1)]
    turned = to.node("Transpose", [to.weight(seen, "weight")], f"{seen.path}.turned", perm=[1, 0])
    product = to.node("MatMul", [x, turned], f"{seen.path}.product")
    return [to.node("Add", [product, *bias], name_of(seen)) if bias else product]


def _batch_norm(to: Writer, seen: Seen) -> list[str]:
    norm: Any = seen.module
    if not norm.affine or norm.running_mean is None:
        raise Unwritten("BatchNorm without weights or statistics")
    names = ("weight", "bias", "running_mean", "running_var")
    inputs = [to.value_of(seen.args[0]), *(to.weight(seen, name) for name in names)]
    return [to.node("BatchNormalization", inputs, name_of(seen), epsilon=norm.eps)]


def _layer_norm(to: Writer, seen: Seen) -> list[str]:
    norm: Any = seen.module
    if norm.weight is None or norm.bias is None:
        raise Unwritten("LayerNorm without weights")
    inputs = [to.value_of(seen.args[0]), to.weight(seen, "weight"), to.weight(seen, "bias")]
    axis = -len(norm.normalized_shape)
    return [to.node("LayerNormalization", inputs, name_of(seen), axis=axis, epsilon=norm.eps)]


def _pool(kind: str) -> Rule:
    def rule(to: Writer, seen: Seen) -> list[str]:
        pool: Any = seen.module
        padding = pair_of(pool.padding)
        own: dict[str, Any] = {}
        if kind == "AveragePool":
            # PyTorch never counts what ceil_mode adds beyond the image; ONNX does where padding
            # is counted. Without padding it makes no difference.
            counts = pool.count_include_pad and any(padding)
            if (counts and pool.ceil_mode) or pool.divisor_override:
                raise Unwritten("an average that counts what is not there")
            own["count_include_pad"] = int(counts)
        else:
            own["dilations"] = pair_of(pool.dilation)
        made = to.node(
            kind,
            [to.value_of(seen.args[0])],
            name_of(seen),
            kernel_shape=pair_of(pool.kernel_size),
            strides=pair_of(pool.stride),
            pads=padding * 2,
            ceil_mode=int(pool.ceil_mode),
            **own,
        )
        return [made]

    return rule


def _whole_mean(to: Writer, seen: Seen) -> list[str]:
    if tuple(seen.result.shape[2:]) != (1, 1):
        raise Unwritten("a mean over parts of an image")
    return one_input("GlobalAveragePool")(to, seen)


def _clipped(to: Writer, seen: Seen) -> list[str]:
    x = seen.args[0]
    bounds = [to.value_of(0.0, x), to.value_of(6.0, x)]
    return [to.node("Clip", [to.value_of(x), *bounds], name_of(seen))]


def _silu(to: Writer, seen: Seen) -> list[str]:
    x = to.value_of(seen.args[0])
    gate = to.node("Sigmoid", [x], f"{name_of(seen)}.gate")
    return [to.node("Mul", [x, gate], name_of(seen))]


def _gelu(to: Writer, seen: Seen) -> list[str]:
    approximate = getattr(seen.module, "approximate", None) or seen.kwargs.get("approximate")
    if approximate not in (None, "none") or len(seen.args) > 1:
        raise Unwritten("an approximate GELU")
    x, base = seen.args[0], name_of(seen)
    scaled = to.node("Mul", [to.value_of(x), to.value_of(2**-0.5, x)], f"{base}.scaled")
    erf = to.node("Erf", [scaled], f"{base}.erf")
    gate = to.node("Add", [erf, to.value_of(1.0, x)], f"{base}.gate")
    gated = to.node("Mul", [to.value_of(x), gate], f"{base}.gated")
    return [to.node("Mul", [gated, to.value_of(0.5, x)], base)]


def _embedding(to: Writer, seen: Seen) -> list[str]:
    if getattr(seen.module, "max_norm", None) is not None:
        raise Unwritten("an embedding that changes as it is read")
    return [
        to.node("Gather", [to.weight(seen, "weight"), to.value_of(seen.args[0])], name_of(seen))
    ]


def _softmax(to: Writer, seen: Seen) -> list[str]:
    axis = given(seen, 1, "dim") if seen.module is None else getattr(seen.module, "dim", None)
    if not isinstance(axis, int):
        raise Unwritten("a softmax of no dimension")
    return [to.node("Softmax", [to.value_of(seen.args[0])], name_of(seen), axis=axis)]


def _attention(to: Writer, seen: Seen) -> list[str]:
    query, key, value = seen.args[:3]
    mask = given(seen, 3, "attn_mask")
    plain = not given(seen, 4, "dropout_p", 0.0) and not given(seen, 5, "is_causal", False)
    if not plain or {"scale", "enable_gqa"} & {*seen.kwargs} or len(seen.args) > 4:
        raise Unwritten("attention of another kind")
    base, rank = name_of(seen), key.dim()
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


EITHER: Mapping[str, Rule] = {
    "relu": one_input("Relu"),
    "relu6": _clipped,
    "silu": _silu,
    "gelu": _gelu,
    "sigmoid": one_input("Sigmoid"),
    "tanh": one_input("Tanh"),
    "hardswish": one_input("HardSwish"),
    "hardsigmoid": lambda to, seen: [
        to.node("HardSigmoid", [to.value_of(seen.args[0])], name_of(seen), alpha=1 / 6, beta=0.5)
    ],
    "softmax": _softmax,
    "dropout": same,
}
"""What is a module and a function."""

LAYERS: Mapping[str, Rule] = {
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
    "identity": same,
}
"""Modules."""

ATTENTION: Mapping[str, Rule] = {"scaled_dot_product_attention": _attention}
"""A function that computes as a layer does."""
