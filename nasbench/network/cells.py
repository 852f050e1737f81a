"""Networks of the cells of DARTS, as it trains them after its search.

Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019: a stem, normal
cells, two reduction cells at one and two thirds that halve the image and double the channels,
global average pooling and a linear classifier. Its auxiliary head and its dropping of paths are
parts of its training and not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.errors import BadValue, unknown
from nasbench.network.blocks import ImageHead, image_channels

if TYPE_CHECKING:
    from nasbench.task import Signal

__all__ = [
    "SIGNALS",
    "DartsCell",
    "DartsEdge",
    "DartsNetwork",
    "Nodes",
    "darts",
    "darts_mini",
    "darts_operation",
    "entrances",
]

SIGNALS = frozenset({"image", "audio"})


class DartsEdge(NamedTuple):
    """What a node takes: an operation on an earlier state of the cell."""

    operation: str
    source: int


Nodes = tuple[tuple[DartsEdge, DartsEdge], ...]
"""Of a cell: the two edges of each node."""


class FactorizedReduction(nn.Module):
    """Half the image's size: two 1 x 1 convolutions, one of them on pixels that the other skips."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.even = nn.Conv2d(inputs, half, 1, 2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - half, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        # An image of odd size has no pixel behind its last: one of zeros stands there.
        behind = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        normed: Tensor = self.norm(torch.cat([self.even(x), self.odd(behind)], 1))
        return normed


def _relu_conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(outputs))


def _separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, each channel filtered alone, 1 x 1 convolution, BatchNorm."""
    padding = dilation * (kernel // 2)
    alone = nn.Conv2d(
        channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
    )
    mixed = nn.Conv2d(channels, channels, 1, bias=False)
    return [nn.ReLU(), alone, mixed, nn.BatchNorm2d(channels)]


def darts_operation(name: str, channels: int, stride: int) -> nn.Module:
    """An operation on a state, by its name in DARTS."""
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    kind, _, size = name.rpartition("_")
    kernel = int(size[0])
    if kind == "sep_conv":
        twice = _separable(channels, kernel, stride) + _separable(channels, kernel, 1)
        return nn.Sequential(*twice)
    return nn.Sequential(*_separable(channels, kernel, stride, dilation=2))


def entrances(
    before: tuple[int, int], channels: int, *, reduced: bool
) -> tuple[nn.Module, nn.Module]:
    """What brings the outputs of the two cells before to the shape of a cell's states."""
    first = FactorizedReduction if reduced else _relu_conv_bn
    return first(before[0], channels), _relu_conv_bn(before[1], channels)


class DartsCell(nn.Module):
    """A cell: the outputs of the two cells before it in, all its nodes side by side out.

    Args:
        nodes: of the cell.
        before: channels of the output of the cell before the last, and of the last.
        channels: of each node.
        reduces: whether this cell halves the image.
        reduced: whether the last one did, so that the one before it is twice as large.
    """

    def __init__(
        self,
        nodes: Nodes,
        before: tuple[int, int],
        channels: int,
        *,
        reduces: bool,
        reduced: bool,
    ) -> None:
        super().__init__()
        self.nodes = nodes
        self.first, self.second = entrances(before, channels, reduced=reduced)
        self.operations = nn.ModuleList(
            darts_operation(edge.operation, channels, 2 if reduces and edge.source < 2 else 1)
            for node in nodes
            for edge in node
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.first(before), self.second(last)]
        operations = iter(self.operations)
        for one, other in self.nodes:
            a, b = next(operations), next(operations)
            states.append(a(states[one.source]) + b(states[other.source]))
        return torch.cat(states[2:], 1)


def _cifar_stem(inputs: int, channels: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


def _imagenet_stems(inputs: int, channels: int) -> tuple[nn.Sequential, nn.Sequential]:
    """To a quarter, and on to an eighth of the image's size."""

    def halve(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs)]

    half = channels // 2
    first = nn.Sequential(*halve(inputs, half), nn.ReLU(), *halve(half, channels))
    return first, nn.Sequential(nn.ReLU(), *halve(channels, channels))


class DartsNetwork(nn.Module):
    """Cells in the skeleton of DARTS: images `[n, inputs, h, w]` to `[n, outputs]`.

    Args:
        normal: the nodes of cells that keep the image's size.
        reduce: the nodes of the two that halve it; like the others in a form that `cell` knows.
        inputs: channels of the images.
        outputs: how many numbers come out.
        channels: of the nodes of the first cells.
        cells: in all.
        stem: `cifar` keeps the image's size, `imagenet` divides it by 8.
        dropout: of the head.
        cell: makes each cell as `DartsCell` does.
    """

    def __init__(
        self,
        normal: Sized,
        reduce: Sized,
        inputs: int,
        outputs: int,
        *,
        channels: int,
        cells: int,
        stem: str = "cifar",
        dropout: float = 0.0,
        cell: Callable[..., nn.Module] = DartsCell,
    ) -> None:
        super().__init__()
        if channels < 2 or cells < 1:
            raise BadValue(
                f"DARTS needs 2 channels and a cell at least, got {channels} and {cells}"
            )
        self.stem: nn.Module
        self.stem_again: nn.Module
        if stem == "imagenet":
            self.stem, self.stem_again = _imagenet_stems(inputs, channels)
            before, reduced = (channels, channels), True
        elif stem == "cifar":
            self.stem, self.stem_again = _cifar_stem(inputs, 3 * channels), nn.Identity()
            before, reduced = (3 * channels, 3 * channels), False
        else:
            raise unknown("stem", stem, ("cifar", "imagenet"))
        self.cells = nn.ModuleList()
        for number in range(cells):
            reduces = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduces else 1
            nodes = reduce if reduces else normal
            self.cells.append(cell(nodes, before, channels, reduces=reduces, reduced=reduced))
            before, reduced = (before[1], channels * len(nodes)), reduces
        self.head = ImageHead(before[1], outputs, dropout)

    def forward(self, x: Tensor) -> Tensor:
        before = self.stem(x)
        last = self.stem_again(before)
        for cell in self.cells:
            before, last = last, cell(before, last)
        logits: Tensor = self.head(last)
        return logits


def _nodes(choices: Mapping[str, Any], cell: str) -> Nodes:
    """The nodes of a cell, as many as there are choices for."""
    nodes: list[tuple[DartsEdge, DartsEdge]] = []
    while (inputs := f"{cell}.n{len(nodes) + 2}.inputs") in choices:
        node = inputs.removesuffix("inputs")
        low, high = map(int, choices[inputs].split("+"))
        first, second = choices[f"{node}first"], choices[f"{node}second"]
        nodes.append((DartsEdge(first, low), DartsEdge(second, high)))
    return tuple(nodes)


def darts(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    channels: int = 36,
    cells: int = 20,
    stem: str = "cifar",
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `darts`; its sizes are those of the paper on CIFAR-10."""
    return DartsNetwork(
        _nodes(choices, "normal"),
        _nodes(choices, "reduce"),
        image_channels(inputs),
        outputs,
        channels=channels,
        cells=cells,
        stem=stem,
        dropout=dropout,
    )


def darts_mini(
    choices: Mapping[str, Any],
    inputs: Signal,
    outputs: int,
    *,
    channels: int = 4,
    cells: int = 3,
    dropout: float = 0.0,
) -> nn.Module:
    """A network of the space `darts-mini`: with three cells, one is normal and two reduce."""
    return darts(choices, inputs, outputs, channels=channels, cells=cells, dropout=dropout)
