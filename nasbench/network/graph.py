"""A network as a graph of operations with shapes: what counting, memory, tags and ONNX read.

A network is traced once (`torch.fx`), and the trace is run on shapes without numbers. What a
trace cannot follow, such as a branch that depends on shapes or values, is seen operation by
operation while the network runs, and the graph says so.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nasbench.network.inputs import example_inputs
from nasbench.network.operations import Graph, Liveness, Operation, Tag
from nasbench.network.shapes import shapes_of, tensors_in
from nasbench.network.tracing import META, Products, Seen, ShapeRun, run_shapes, without_fast_path
from nasbench.task import Signal

__all__ = ["Graph", "Operation", "Tag", "graph_of", "graph_on"]


def graph_of(network: nn.Module, inputs: Signal, batch: int = 1) -> Graph:
    """The graph of a network in evaluation mode; the network stays as it is.

    Args:
        network: of any family, not lazy.
        inputs: what goes in.
        batch: examples.

    Example:
        >>> from nasbench.task import Signal
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        >>> graph = graph_of(net, Signal("image", (3, 4, 4), "uint8"))
        >>> [one.tag.kind for one in graph.operations], graph.multiply_adds
        (['conv2d', 'relu'], 3456)
        >>> graph.activation_bytes == 2 * 8 * 4 * 4 * 4
        True
    """
    return graph_on(network, example_inputs(inputs, batch))


def graph_on(network: nn.Module, example: Tensor) -> Graph:
    """The graph of a network on one batch, see `graph_of`: `example` is what goes in."""
    with without_fast_path():
        try:
            return _traced(network, example)
        except Exception:  # forward is anybody's code: what tracing does not follow is run
            return _run(network, example)


def _traced(network: nn.Module, example: Tensor) -> Graph:
    given = torch.empty_like(example, device=META)
    liveness = Liveness(network, given)

    class Noting(ShapeRun):
        def note(self, seen: Seen) -> None:
            given = tensors_in((seen.args, seen.kwargs))
            made = tensors_in(seen.result)
            if seen.module is not None:
                tag = Tag(seen.kind, seen.module.extra_repr(), shapes_of(given))
                weights = [*seen.module.parameters(), *seen.module.buffers()]
                liveness.add(tag, given, made, seen.multiply_adds, seen.path, weights)
                return
            tag, given = _tag(seen.kind, seen.args, seen.kwargs)
            weights = [self.weights[id(one)][1] for one in given if id(one) in self.weights]
            given = [one for one in given if id(one) not in self.weights]
            liveness.add(tag, given, made, seen.multiply_adds, weights=weights)

    _, answer = run_shapes(network, given, Noting)
    return liveness.graph("traced", len(example), tensors_in(answer))


def _run(network: nn.Module, example: Tensor) -> Graph:
    """The graph of one run: without numbers where that is possible."""
    try:
        return _ran(network, example, "meta")
    except Exception:  # a network that looks at its numbers cannot run without them
        return _ran(network, example, "cpu")


def _ran(network: nn.Module, example: Tensor, device: str) -> Graph:
    ran = copy.deepcopy(network).eval().to(device)
    given = example.to(device)
    liveness = Liveness(ran, given)
    for weight in (*ran.parameters(), *ran.buffers()):
        liveness.keep(weight)

    def note(name: str, args: Any, kwargs: Any, result: Any, multiply_adds: int) -> None:
        if made := tensors_in(result):
            tag, given = _tag(name.strip("_"), args, kwargs)
            liveness.add(tag, given, made, multiply_adds)

    with torch.no_grad(), torch.device(device), Products(note):
        answer = ran(given)
    return liveness.graph("run", len(example), tensors_in(answer))


def _tag(kind: str, args: Any, kwargs: Any) -> tuple[Tag, list[Tensor]]:
    """The tag of a function, and the tensors that go in."""
    leaves = tree_leaves((args, kwargs))
    given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    setting = ", ".join(str(leaf) for leaf in leaves if not isinstance(leaf, Tensor))
    return Tag(kind, setting, shapes_of(given)), given
