"""Parameters and FLOPs of a network, from the graph that runs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.network.cell import CellNetwork, Shift
from nasbench.network.graph import graph_of, graph_on
from nasbench.network.tracing import evaluation_mode
from nasbench.task import Signal

__all__ = ["Counts", "count", "count_examples", "count_network"]

_COUNTED = (nn.Conv2d, nn.Linear)
_FREE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, Shift)


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of a network.

    Attributes:
        parameters: trainable numbers; BatchNorm's running statistics are not among them.
        flops: for one image, as the NAS-Bench-201 release counts them: a multiply-add of a
            convolution or of the classifier is one, so is the addition of the classifier's
            bias; BatchNorm, ReLU, pooling and sums of nodes count nothing. Twice the number,
            less the bias, is what tools call FLOPs that count a multiply and an add apart.
    """

    parameters: int
    flops: int


def count(network: nn.Module, shape: tuple[int, int, int]) -> Counts:
    """Count a network on an image of this shape `(channels, height, width)`.

    A network built with `live=False` is counted with its dead edges, as the release counts. It
    stays as it is.

    Raises:
        Unsupported: where a module has parameters and is none of those above: what it costs is
            not known here.
    """
    for name, module in network.named_modules():
        if not isinstance(module, _COUNTED + _FREE) and [*module.parameters(recurse=False)]:
            raise Unsupported(
                f"the FLOPs of {name or 'the network'} ({type(module).__name__}) are not known: "
                f"Conv2d and Linear layers are counted, BatchNorm is not"
            )
    flops = 0

    def add(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal flops
        weight = module.get_parameter("weight")
        # Each output value is a sum over weight[0]; a bias adds one number to it.
        terms = weight[0].numel() + (getattr(module, "bias", None) is not None)
        flops += output.numel() * terms

    # A copy would take several times as long as the run.
    with ExitStack() as stack:
        stack.enter_context(evaluation_mode(network))
        stack.enter_context(torch.inference_mode())
        for module in network.modules():
            if isinstance(module, _COUNTED):
                stack.callback(module.register_forward_hook(add).remove)
        network(next(network.parameters()).new_zeros(1, *shape))
    return Counts(sum(p.numel() for p in network.parameters()), flops)


def count_network(network: nn.Module, inputs: Signal) -> Counts:
    """Count a network of any family on one example.

    Cells are counted as their release counts them (see `count`). Of others a multiply-add of a
    convolution, a matrix product or attention is one; all else counts nothing.

    Args:
        network: it stays as it is.
        inputs: what goes in.
    """
    if isinstance(network, CellNetwork):
        channels, height, width = inputs.shape
        return count(network, (channels, height, width))
    graph = graph_of(network, inputs)
    return Counts(graph.parameters, graph.multiply_adds)


def count_examples(network: nn.Module, examples: NDArray[Any]) -> int:
    """The FLOPs, as `count_network` counts them, of one run on these examples `[n, ...]`."""
    if isinstance(network, CellNetwork):
        _, channels, height, width = examples.shape
        return len(examples) * count(network, (channels, height, width)).flops
    return graph_on(network, torch.from_numpy(examples)).multiply_adds
