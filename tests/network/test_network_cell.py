"""The networks: their skeleton, their size, and what they compute, against the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.network import network
from nasbench.network.cell import Cell, CellNetwork, Shift
from nasbench.space import SHIFT, CellGraph, CellSpace, Edge, Space
from nasbench.task import Signal

OFFICIAL = nb.Recipe(epochs=1, channels=16, cells=5)


class Cifar:
    """All that a network asks of a task."""

    signal = Signal("image", (3, 32, 32), "uint8")
    outputs = 10


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def closed_formula(
    ops: np.ndarray, *, channels: int, cells: int, inputs: int = 3, classes: int = 10
) -> np.ndarray:
    """Parameters of official networks with operations `[n, edges]`, by counting on paper."""

    def convolution(kernel: int, before: int, after: int) -> int:
        return kernel * kernel * before * after + 2 * after  # with BatchNorm's scale and shift

    pointwise, wide = (ops == 2).sum(-1), (ops == 3).sum(-1)
    total = np.full(ops.shape[:-1], convolution(3, inputs, channels))
    for width in (channels, 2 * channels, 4 * channels):
        total += cells * (
            pointwise * convolution(1, width, width) + wide * convolution(3, width, width)
        )
    for width in (2 * channels, 4 * channels):
        before = width // 2
        total += convolution(3, before, width) + convolution(3, width, width) + before * width
    return total + 2 * 4 * channels + (4 * channels + 1) * classes


# Size.


def test_parameters_are_those_the_release_counts(
    nb201: CellSpace, published: Mapping[str, Any]
) -> None:
    # Published in millions with six decimals; float32 leaves a sixteenth of a parameter.
    counted = published["parameters"].round()
    assert counted[0] == 129_306
    formula = closed_formula(nb201.ops(np.arange(nb201.size)), channels=16, cells=5)
    assert (formula == counted).all()


@pytest.mark.parametrize(("channels", "cells"), [(16, 5), (4, 1), (3, 2)])
def test_parameters_follow_the_closed_formula(nb201: CellSpace, channels: int, cells: int) -> None:
    recipe = nb.Recipe(epochs=1, channels=channels, cells=cells)
    some = np.random.default_rng(0).choice(nb201.size, 8, replace=False)
    built = [
        parameters(network(nb201, architecture, Cifar(), recipe, live=False))
        for architecture in some.tolist()
    ]
    assert built == closed_formula(nb201.ops(some), channels=channels, cells=cells).tolist()


def test_the_live_network_leaves_out_what_cannot_matter(nb201: CellSpace) -> None:
    # Node 1 is always zero; node 2 holds a shift beside dead ends.
    cell = nb201.index("|none~0|+|none~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|skip_connect~2|")
    official = network(nb201, cell, Cifar(), OFFICIAL, live=False)
    live = network(nb201, cell, Cifar(), OFFICIAL)
    saved = sum(5 * (9 * width * width + width) for width in (16, 32, 64))
    assert parameters(official) - parameters(live) == saved
    shifts = [m for m in live.modules() if isinstance(m, Shift)]
    assert [tuple(s.bias.shape) for s in shifts] == [(16,)] * 5 + [(32,)] * 5 + [(64,)] * 5
    # All edges zero: the skeleton is left.
    nothing = network(
        nb201, nb201.index("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), Cifar(), OFFICIAL
    )
    assert parameters(nothing) == int(closed_formula(np.zeros((6,)), channels=16, cells=5))


# Shape.


@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("size", [1, 2, 7, 16])
def test_any_size_of_image_goes_through(size: int, channels: int, cells: int) -> None:
    graph = CellGraph(2, (Edge(0, 1, "nor_conv_3x3"),))
    net = CellNetwork(graph, inputs=1, classes=7, channels=channels, cells=cells).eval()
    shapes = []
    for block in net.blocks:
        block.register_forward_hook(lambda _m, _x, y: shapes.append(tuple(y.shape[1:])))
    assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)
    half = -(-size // 2)
    quarter = -(-half // 2)
    assert shapes == [
        *[(channels, size, size)] * cells,
        *[(2 * channels, half, half)] * (cells + 1),
        *[(4 * channels, quarter, quarter)] * (cells + 1),
    ]


def test_parts_are_named_as_in_the_paper(mini: CellSpace) -> None:
    net = network(mini, 124, "digits", nb.Recipe(epochs=1, channels=4, cells=2))
    assert [name for name, _ in net.named_children()] == ["stem", "blocks", "last", "classifier"]
    kinds = [type(block).__name__ for block in net.blocks]
    assert kinds == ["Cell", "Cell", "Reduction", "Cell", "Cell", "Reduction", "Cell", "Cell"]
    assert net.stem[0].weight.shape == (4, 1, 3, 3)
    assert net.classifier.weight.shape == (10, 16)
    pools = [m for m in net.modules() if isinstance(m, nn.AvgPool2d) and m.stride == 1]
    assert all(not pool.count_include_pad for pool in pools)
    assert len(pools) == 6 * 3


# What it computes.


def by_the_paper(net: CellNetwork, operations: list[str], x: Tensor, cells: int) -> Tensor:
    """The network in functions alone, from the text of NAS-Bench-201, section 2.1 and table 1.

    Weights are taken in the order in which the paper's layers stand; BatchNorm uses the
    statistics of the batch.
    """
    weights = iter(net.parameters())

    def norm(x: Tensor) -> Tensor:
        scale, shift = next(weights), next(weights)
        mean = x.mean((0, 2, 3), keepdim=True)
        var = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        return (x - mean) / (var + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]

    def relu_conv_norm(x: Tensor, stride: int = 1) -> Tensor:
        weight = next(weights)
        return norm(F.conv2d(x.clamp(min=0), weight, None, stride, weight.shape[-1] // 2))

    def pool(x: Tensor) -> Tensor:
        total, count = torch.zeros_like(x), torch.zeros_like(x)
        size = x.shape[-1]
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                to_y = slice(max(0, -dy), min(size, size - dy))
                to_x = slice(max(0, -dx), min(size, size - dx))
                from_y = slice(max(0, dy), min(size, size + dy))
                from_x = slice(max(0, dx), min(size, size + dx))
                total[..., to_y, to_x] += x[..., from_y, from_x]
                count[..., to_y, to_x] += 1
        return total / count

    def cell(x: Tensor) -> Tensor:
        nodes = [x]
        held = iter(operations)
        while len(nodes) * (len(nodes) + 1) // 2 <= len(operations):
            total = torch.zeros_like(x)
            for node in nodes:
                name = next(held)
                if name.startswith("nor_conv"):
                    total = total + relu_conv_norm(node)
                elif name != "none":
                    total = total + (pool(node) if name == "avg_pool_3x3" else node)
            nodes.append(total)
        return nodes[-1]

    x = norm(F.conv2d(x, next(weights), None, 1, 1))
    for stage in range(3):
        if stage:
            inner = relu_conv_norm(relu_conv_norm(x, stride=2))
            halves = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean((3, 5))
            x = inner + torch.einsum("oi,nihw->nohw", next(weights)[:, :, 0, 0], halves)
        for _ in range(cells):
            x = cell(x)
    x = norm(x).clamp(min=0).mean((2, 3))
    weight, bias = next(weights), next(weights)
    assert next(weights, None) is None
    return x @ weight.T + bias


@pytest.mark.parametrize("cells", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_official_network_computes_what_the_paper_says(
    nb201: CellSpace, seed: int, cells: int
) -> None:
    recipe = nb.Recipe(epochs=1, channels=4, cells=cells)
    architecture = nb201.sample(np.random.default_rng(seed))
    net = network(nb201, architecture, Cifar(), recipe, live=False).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    x = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    operations = [edge.operation for edge in nb201.graph(architecture).edges]
    expected = by_the_paper(net, operations, x, cells)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


def test_a_shift_is_one_number_a_channel() -> None:
    cell = Cell(CellGraph(3, (Edge(1, 2, SHIFT),)), 3)
    cell.operations[0].bias.data = torch.tensor([1.0, -2.0, 3.0])
    y = cell(torch.randn(2, 3, 4, 4))
    assert y.shape == (2, 3, 4, 4)
    assert (y == torch.tensor([1.0, -2.0, 3.0])[:, None, None]).all()


# What is no network.


class Other(Space):
    def string(self, architecture: int) -> str:
        return str(architecture)

    def index(self, string: str) -> int:
        return int(string)

    def describe(self) -> Mapping[str, Any]:
        return {}


def test_what_cannot_be_built_is_refused(mini: CellSpace) -> None:
    recipe = nb.Recipe(epochs=1)
    with pytest.raises(NasbenchError, match="architectures 0 to 124, got 125"):
        nb.network(mini, 125, "digits", recipe)
    with pytest.raises(NasbenchError, match="no network is known for architectures of other"):
        nb.network(Other("other", (2, 2)), 0, "digits", recipe)
    with pytest.raises(NasbenchError, match="did you mean nb201-mini"):
        nb.network("nb201mini", 0, "digits", recipe)
