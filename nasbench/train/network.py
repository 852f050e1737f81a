"""Any architecture as a `torch.nn.Module`: cells in the skeleton of NAS-Bench-201.

Dong & Yang, ICLR 2020, section 2.1: a 3 x 3 stem; three stages of N cells with C, 2C and 4C
channels; between stages a residual block of stride 2; BatchNorm, ReLU, global average
pooling and a linear classifier.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nasbench.errors import NasbenchError
from nasbench.space import SHIFT, CellGraph, CellSpace, Space
from nasbench.space import get as get_space
from nasbench.task import Task
from nasbench.task import get as get_task
from nasbench.train.recipe import Recipe

__all__ = ["Cell", "CellNetwork", "Reduction", "Shift", "generator_kept", "network"]

_forking = threading.Lock()


@contextmanager
def generator_kept() -> Iterator[None]:
    """Leave PyTorch's global generator as it is, whatever draws from it inside.

    One thread at a time, so that none puts back what another has moved: the native trainer
    builds its networks in several.
    """
    with _forking, torch.random.fork_rng(devices=[]):
        yield


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


def network(
    space: Space | str, architecture: int, task: Task | str, recipe: Recipe, *, live: bool = True
) -> CellNetwork:
    """An architecture as a network for a task, its weights as PyTorch starts them.

    They follow PyTorch's global generator, which stays as it is: the same each time, until you
    seed it (`torch.manual_seed`).

    Args:
        space: a cell space or its name.
        architecture: of the space.
        task: gives the images' channels and the number of classes.
        recipe: gives the width (`channels`) and depth (`cells`).
        live: build what stands for the architecture's class, without dead edges, as tables
            train and measure it; False builds every edge, as the release does.
    """
    space = get_space(space) if isinstance(space, str) else space
    task = get_task(task) if isinstance(task, str) else task
    if not isinstance(space, CellSpace):
        raise NasbenchError(
            f"no network is known for architectures of {space.name}: only cells are built and "
            f"trained here; bring measurements of others with nasbench import csv"
        )
    space.check(architecture)
    graph = space.live_graph(architecture) if live else space.graph(architecture)
    with generator_kept():
        return CellNetwork(
            graph,
            inputs=task.shape[0],
            classes=len(task.classes),
            channels=recipe.channels,
            cells=recipe.cells,
        )
