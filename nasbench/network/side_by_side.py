"""Many networks as one module: each layer holds that layer of all of them.

A group's activations lie side by side in the channels, `[batch, networks x channels, h, w]`:
a convolution becomes a grouped one, and BatchNorm, whose statistics belong to one channel and
so to one network, a wider one. This is how Wang et al., "Horizontally Fused Training Array",
MLSys 2021, fuse models that differ in their hyperparameters. Ours differ in their cells too:
networks with the same operation on the same edge are computed together.

No step mixes networks, so that one that diverges leaves the others as they are. Channels come
before pixels, not last: gathering some of the networks then moves whole images.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.errors import Unsupported
from nasbench.network.cell import Cell, CellNetwork, Reduction, Shift, Zero

__all__ = ["layers", "side_by_side"]

_BY_CHANNEL = frozenset({nn.AvgPool2d, nn.BatchNorm2d, nn.Identity, nn.ReLU, Shift, Zero})
"""Layers that treat each channel by itself."""
_CONTAINERS = (nn.ModuleList, CellNetwork, Reduction)
"""What only passes on what its layers make, besides `nn.Sequential`."""


def side_by_side(networks: Sequence[CellNetwork]) -> nn.Module:
    """The networks as one, starting from a copy of their weights.

    Args:
        networks: of one space, width and depth; their cells may differ.

    Returns:
        A module from images to logits `[batch, networks, classes]`. Images are
        `[batch, channels, h, w]` where all networks see the same, else
        `[batch, networks x channels, h, w]`.
    """
    return _stack(networks)


def layers(module: nn.Module, networks: Sequence[int]) -> Iterator[tuple[nn.Module, list[int]]]:
    """Each layer of a group's module, with the networks of the group that have it.

    A layer's weights, and channels, are those of its networks one after the other: in equal
    parts, in this order.

    Args:
        module: of `side_by_side`, or a part of it.
        networks: which networks of the group the module holds: of the whole, `range(group)`.
    """
    if isinstance(module, _Edge):
        networks = module.networks.tolist()
    children = list(module.children())
    if not children:
        yield module, list(networks)
    for child in children:
        yield from layers(child, networks)


def _stack(modules: Sequence[nn.Module]) -> nn.Module:
    """Modules of one kind as one; a container keeps its `forward` and has its layers stacked."""
    first = modules[0]
    if isinstance(first, Cell):
        return _Cells(cast(Sequence[Cell], modules))
    if type(first) is nn.Conv2d:
        return _Convolutions(cast(Sequence[nn.Conv2d], modules))
    if type(first) is nn.Linear:
        return _Linears(cast(Sequence[nn.Linear], modules))
    _check(first)
    joined: dict[int, object] = {}  # what stands in the copy for each part of the first
    for name, parameter in first.named_parameters(recurse=False):
        parameters = [module.get_parameter(name).detach() for module in modules]
        joined[id(parameter)] = nn.Parameter(torch.cat(parameters))
    for name, buffer in first.named_buffers(recurse=False):
        if buffer.ndim:
            joined[id(buffer)] = torch.cat([module.get_buffer(name) for module in modules])
    for name, child in first.named_children():
        joined[id(child)] = _stack([module.get_submodule(name) for module in modules])
    stacked = copy.deepcopy(first, joined)
    if isinstance(stacked, nn.BatchNorm2d):
        stacked.num_batches_tracked = None  # to count would take a kernel more
    return stacked


def _check(module: nn.Module) -> None:
    """Refuse what would mix networks that lie side by side in the channels, or might."""
    known = (
        type(module) in _BY_CHANNEL
        or isinstance(module, _CONTAINERS)
        or type(module).forward is nn.Sequential.forward
    )
    if not known:
        layers = ", ".join(sorted(kind.__name__ for kind in _BY_CHANNEL))
        raise Unsupported(
            f"{type(module).__name__} cannot stand side by side with others of its kind: only "
            f"Conv2d, Linear, {layers} can; train with the reference engine"
        )


class _Convolutions(nn.Module):
    """`[batch, networks x inputs, h, w]`, or images that all share, to as many outputs."""

    def __init__(self, modules: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        first = modules[0]
        plain = first.groups == 1 and first.dilation == (1, 1) and first.padding_mode == "zeros"
        if not plain or first.bias is not None:
            raise Unsupported(
                "a Conv2d with a bias, groups, a dilation or padding other than zeros cannot stand "
                "side by side with others: train with the reference engine"
            )
        self.weight = nn.Parameter(torch.cat([module.weight.detach() for module in modules]))
        self.stride, self.padding = modules[0].stride, modules[0].padding

    def forward(self, x: Tensor) -> Tensor:
        groups = x.shape[1] // self.weight.shape[1]  # one where all networks share the images
        return F.conv2d(x, self.weight, None, self.stride, self.padding, groups=groups)


class _Linears(nn.Module):
    """`[batch, networks x features]` to `[batch, networks, classes]`."""

    def __init__(self, modules: Sequence[nn.Linear]) -> None:
        super().__init__()
        if modules[0].bias is None:
            raise Unsupported(
                "a Linear without a bias cannot stand side by side with others: train with the "
                "reference engine"
            )
        self.weight = nn.Parameter(torch.stack([module.weight.detach() for module in modules]))
        self.bias = nn.Parameter(torch.stack([module.bias.detach() for module in modules]))

    def forward(self, x: Tensor) -> Tensor:
        features = x.view(len(x), len(self.weight), -1).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], features, self.weight.mT).transpose(0, 1)


class _Edge(nn.Module):
    """One operation on one edge, for the networks that have it there."""

    networks: Tensor

    def __init__(self, source: int, target: int, operation: nn.Module, networks: list[int]) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.operation = operation
        self.register_buffer("networks", torch.tensor(networks))


class _Cells(nn.Module):
    """One cell of each network, `[batch, networks x channels, h, w]` to the same shape."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        super().__init__()
        self.networks, self.nodes = len(cells), cells[0].graph.nodes
        found: dict[tuple[int, int, str], dict[int, nn.Module]] = defaultdict(dict)
        for network, cell in enumerate(cells):
            for edge, module in zip(cell.graph.edges, cell.operations, strict=True):
                found[edge.source, edge.target, edge.operation][network] = module
        edges = [
            _Edge(source, target, _stack(list(held.values())), list(held))
            for (source, target, _), held in sorted(found.items())
        ]
        self.edges = nn.ModuleList(edges)
        # Nodes are settled in their order, so that a source is whole before it is read.
        self.leaving = [(n, list(some)) for n, some in groupby(edges, lambda edge: edge.source)]

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        start = x.reshape(batch, self.networks, -1)
        nodes: list[Tensor | None] = [start] + [None] * (self.nodes - 1)
        for source, edges in self.leaving:
            # A shift has the shape of its node, but no value to read there.
            node = start if (value := nodes[source]) is None else value
            for edge, given in zip(edges, _take(node, edges), strict=True):
                term = edge.operation(given.view(batch, -1, height, width))
                total = nodes[edge.target]
                if total is None:
                    total = nodes[edge.target] = torch.zeros_like(start)
                term = term.reshape(given.shape).to(total.dtype)
                total.index_add_(1, edge.networks, term)
        output = nodes[-1]
        return torch.zeros_like(x) if output is None else output.view(x.shape)


class _Take(torch.autograd.Function):
    """What edges read of a node, `[batch, networks, numbers]`: each some of the networks.

    As many `index_select`s compute the same, but would each pass back a gradient of the whole
    node, zero in most places.
    """

    @staticmethod
    def forward(ctx: Any, node: Tensor, *networks: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(*networks)
        ctx.shape = node.shape
        return tuple(node.index_select(1, some) for some in networks)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        total = gradients[0].new_zeros(ctx.shape)
        for gradient, some in zip(gradients, ctx.saved_tensors, strict=True):
            total.index_add_(1, some, gradient)
        return total, *(None for _ in gradients)


def _take(node: Tensor, edges: Sequence[_Edge]) -> tuple[Tensor, ...]:
    networks = [edge.networks for edge in edges]
    taken: tuple[Tensor, ...] = _Take.apply(node, *networks)  # type: ignore[no-untyped-call]
    return taken
