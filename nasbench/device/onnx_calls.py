"""What a rule is that writes a call of a traced network as ONNX nodes, and the plainest ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nasbench.network.tracing import Seen

if TYPE_CHECKING:
    from nasbench.device.onnx_writer import Writer

__all__ = [
    "Rule",
    "Unwritten",
    "axes_of",
    "given",
    "name_of",
    "one_input",
    "pair_of",
    "same",
    "two_inputs",
]


class Unwritten(Exception):  # noqa: N818 (it says what is the case)
    """What this module has no rule for."""


Rule = Callable[["Writer", Seen], list[str]]
"""Writes one call; the names of what comes out."""


def given(seen: Seen, place: int, name: str, default: Any = None) -> Any:
    """An argument of a call, by its place or by its name."""
    return seen.args[place] if place < len(seen.args) else seen.kwargs.get(name, default)


def name_of(seen: Seen) -> str:
    """What the result of a call is called."""
    return f"{seen.path}.out" if seen.path else seen.kind


def axes_of(dims: Any, rank: int) -> list[int]:
    """Dimensions counted from the first, as a list."""
    return [dim % rank for dim in ((dims,) if isinstance(dims, int) else dims)]


def pair_of(value: Any) -> list[int]:
    """A number, or two, as two."""
    return [value, value] if isinstance(value, int) else [int(one) for one in value]


def same(to: Writer, seen: Seen) -> list[str]:
    """Of what changes nothing in a network that is not trained."""
    return [to.value_of(seen.args[0])]


def one_input(kind: str) -> Rule:
    """Of what is one node of one input."""
    return lambda to, seen: [to.node(kind, [to.value_of(seen.args[0])], name_of(seen))]


def two_inputs(kind: str) -> Rule:
    """Of what is one node of two inputs, of which one may be a number."""

    def rule(to: Writer, seen: Seen) -> list[str]:
        like = next(one for one in seen.args if isinstance(one, Tensor))
        if seen.kwargs or len({one.dtype for one in seen.args if isinstance(one, Tensor)}) != 1:
            raise Unwritten(f"{seen.kind} of several kinds of numbers")
        if seen.result.dtype not in (like.dtype, torch.bool):
            raise Unwritten(f"{seen.kind} that changes the kind of its numbers")
        return [to.node(kind, [to.value_of(one, like) for one in seen.args], name_of(seen))]

    return rule
