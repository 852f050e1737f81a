"""Cells in the skeleton of NAS-Bench-201.

Dong & Yang, ICLR 2020, section 2.1: a 3 x 3 stem; three stages of N cells with C, 2C and 4C
channels; between stages a residual block of stride 2; BatchNorm, ReLU, global average
pooling and a linear classifier.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.space import SHIFT, CellGraph

__all__ = ["Cell", "CellNetwork", "Reduction", "Shift", "as_cell_network"]


class ReLUConvBN(nn.Sequential):
    """ReLU, a convolution without bias, BatchNorm: the release's `nor_conv`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class Shift(nn.Module):
    """What a convolution of zeros leaves: the learnt shift of its BatchNorm, `[channels]`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.bias[:, None, None].expand_as(x)


class Zero(nn.Module):
    """The `none` operation."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def _operation(name: str, channels: int) -> nn.Module:
    if name == "nor_conv_1x1":
        return ReLUConvBN(channels, channels, 1)
    if name == "nor_conv_3x3":
        return ReLUConvBN(channels, channels, 3)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    if name == "skip_connect":
        return nn.Identity()
    if name == SHIFT:
        return Shift(channels)
    return Zero()


class Cell(nn.Module):
    """One cell: node 0 is the input, each node sums its edges, the last is the output."""

    def __init__(self, graph: CellGraph, channels: int) -> None:
        super().__init__()
        self.graph = graph
        self.operations = nn.ModuleList(_operation(e.operation, channels) for e in graph.edges)

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x] + [None] * (self.graph.nodes - 1)
        for edge, operation in zip(self.graph.edges, self.operations, strict=True):
            source = nodes[edge.source]
            # A shift has the shape of its node, but no value to read there.
            term = operation(x if source is None else source)
            total = nodes[edge.target]
            nodes[edge.target] = term if total is None else total + term
        output = nodes[-1]
        return torch.zeros_like(x) if output is None else output


class Reduction(nn.Module):
    """The residual block that halves the image (rounded up) and doubles the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = ReLUConvBN(inputs, outputs, 3, stride=2)
        self.conv_b = ReLUConvBN(outputs, outputs, 3)
        self.downsample = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.downsample(x)
        residual: Tensor = self.conv_b(self.conv_a(x))
        return shortcut + residual


class CellNetwork(nn.Module):
    """A cell in the skeleton: images `[n, inputs, h, w]` to logits `[n, classes]`."""

    def __init__(
        self, graph: CellGraph, *, inputs: int, classes: int, channels: int, cells: int
    ) -> None:
        super().__init__()
        self.graph = graph
        self.cells = cells
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        blocks: list[nn.Module] = []
        for stage in range(3):
            width = channels * 2**stage
            if stage:
                blocks.append(Reduction(width // 2, width))
            blocks.extend(Cell(graph, width) for _ in range(cells))
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.BatchNorm2d(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        features = self.last(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


def as_cell_network(network: nn.Module) -> CellNetwork:
    """The network, where it is a cell in its skeleton.

    Raises:
        Unsupported: else.
    """
    if not isinstance(network, CellNetwork):
        raise Unsupported(
            f"this takes the networks of cells alone, and a {type(network).__name__} is none"
        )
    return network
