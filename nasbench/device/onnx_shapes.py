"""Rules for what moves, joins, sums or casts values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nasbench.device.onnx_calls import (
    Rule,
    Unwritten,
    axes_of,
    given,
    name_of,
    two_inputs,
)
from nasbench.network.tracing import Seen

if TYPE_CHECKING:
    from nasbench.device.onnx_writer import Writer

__all__ = ["SHAPES"]


def _reshape(to: Writer, seen: Seen) -> list[str]:
    return [to.reshaped(to.value_of(seen.args[0]), seen.result, name_of(seen))]


def _permute(to: Writer, seen: Seen) -> list[str]:
    x, *dims = seen.args
    order = dims[0] if dims and not isinstance(dims[0], int) else dims or seen.kwargs["dims"]
    perm = axes_of(tuple(order), x.dim())
    return [to.node("Transpose", [to.value_of(x)], name_of(seen), perm=perm)]


def _transpose(to: Writer, seen: Seen) -> list[str]:
    x = seen.args[0]
    first, second = (
        given(seen, place, name) % x.dim() for place, name in ((1, "dim0"), (2, "dim1"))
    )
    perm = [*range(x.dim())]
    perm[first], perm[second] = second, first
    return [to.node("Transpose", [to.value_of(x)], name_of(seen), perm=perm)]


def _mean(to: Writer, seen: Seen) -> list[str]:
    x, dims = seen.args[0], given(seen, 1, "dim")
    if dims is None or {"dtype", "out"} & {*seen.kwargs}:
        raise Unwritten("a mean of everything")
    keep = int(bool(given(seen, 2, "keepdim", False)))
    axes = axes_of(dims, x.dim())
    return [to.node("ReduceMean", [to.value_of(x)], name_of(seen), axes=axes, keepdims=keep)]


def _sum(to: Writer, seen: Seen) -> list[str]:
    x, dims = seen.args[0], given(seen, 1, "dim")
    if dims is None or {"dtype", "out"} & {*seen.kwargs}:
        raise Unwritten("a sum of everything")
    value = to.value_of(x)
    if x.dtype == torch.bool:  # PyTorch counts in integers
        value = to.node("Cast", [value], f"{name_of(seen)}.ones", to=to.type_of(torch.int64))
    keep = int(bool(given(seen, 2, "keepdim", False)))
    inputs = [value, to.integers(axes_of(dims, x.dim()))]
    return [to.node("ReduceSum", inputs, name_of(seen), keepdims=keep)]


def _cat(to: Writer, seen: Seen) -> list[str]:
    parts, axis = seen.args[0], given(seen, 1, "dim", 0) % seen.result.dim()
    return [to.node("Concat", [to.value_of(part) for part in parts], name_of(seen), axis=axis)]


def _squeezed(kind: str) -> Rule:
    def rule(to: Writer, seen: Seen) -> list[str]:
        dims, rank = given(seen, 1, "dim"), max(seen.args[0].dim(), seen.result.dim())
        if dims is None:
            raise Unwritten("a squeeze of whatever is 1")
        inputs = [to.value_of(seen.args[0]), to.integers(axes_of(dims, rank))]
        return [to.node(kind, inputs, name_of(seen))]

    return rule


def _unbind(to: Writer, seen: Seen) -> list[str]:
    x, dim = seen.args[0], given(seen, 1, "dim", 0)
    base = name_of(seen)
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
        base = name_of(seen)
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
    shape = to.node("Shape", [to.value_of(seen.args[0])], f"{name_of(seen)}.shape")
    return [to.node("ConstantOfShape", [shape], name_of(seen))]


def _expanded(to: Writer, seen: Seen) -> list[str]:
    value, like = seen.args
    shape = to.node("Shape", [to.value_of(like)], f"{name_of(seen)}.shape")
    return [to.node("Expand", [to.value_of(value), shape], name_of(seen))]


def _pad(to: Writer, seen: Seen) -> list[str]:
    x, sides = seen.args[0], list(given(seen, 1, "pad"))
    if given(seen, 2, "mode", "constant") != "constant":
        raise Unwritten("padding with what is there")
    before, after = [0] * x.dim(), [0] * x.dim()
    for place, (begin, end) in enumerate(zip(sides[::2], sides[1::2], strict=True)):
        before[-1 - place], after[-1 - place] = begin, end
    value = to.value_of(float(given(seen, 3, "value") or 0.0), x)
    return [to.node("Pad", [to.value_of(x), to.integers(before + after), value], name_of(seen))]


def _cast(to: Writer, seen: Seen) -> list[str]:
    value, dtype = to.value_of(seen.args[0]), seen.result.dtype
    if dtype == seen.args[0].dtype:
        return [value]
    return [to.node("Cast", [value], name_of(seen), to=to.type_of(dtype))]


def _unequal(to: Writer, seen: Seen) -> list[str]:
    (equal,) = two_inputs("Equal")(to, seen)
    return [to.node("Not", [equal], name_of(seen))]


SHAPES: Mapping[str, Rule] = {
    "flatten": _reshape,
    "ne": _unequal,
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
    "to": _cast,
    "long": _cast,
    "float": _cast,
}
"""Functions."""
