"""Parameters and FLOPs against closed formulas, PyTorch's own counter and the release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from device_networks import network
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

import nasbench as nb
from nasbench.network.count import count
from nasbench.space import CellGraph, CellSpace

NB201 = nb.space("nb201")
assert isinstance(NB201, CellSpace)


def formula(
    graph: CellGraph, inputs: int, height: int, width: int, channels: int, cells: int
) -> tuple[int, int]:
    """Parameters and multiply-adds of a network, by counting on paper."""
    kernels = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}
    edges = [kernels[e.operation] for e in graph.edges if e.operation in kernels]
    shifts = sum(e.operation == "shift" for e in graph.edges)
    area, c = height * width, channels
    parameters = 9 * inputs * c + 2 * c
    flops = 9 * inputs * c * area
    for stage in range(3):
        if stage:
            height, width, c = -(-height // 2), -(-width // 2), 2 * c
            area = height * width
            kernel = 9 * (c // 2) * c + 9 * c * c + (c // 2) * c  # two 3x3, the shortcut's 1x1
            parameters += kernel + 2 * 2 * c
            flops += kernel * area
        parameters += cells * (sum(k * c * c + 2 * c for k in edges) + shifts * c)
        flops += cells * sum(k * c * c for k in edges) * area
    classifier = (c + 1) * 10
    return parameters + 2 * c + classifier, flops + classifier


@settings(max_examples=40)
@given(
    architecture=st.integers(0, 15624),
    live=st.booleans(),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    channels=st.integers(1, 5),
    cells=st.integers(1, 2),
)
def test_closed_formulas(
    architecture: int, live: bool, shape: tuple[int, int, int], channels: int, cells: int
) -> None:
    graph = NB201.live_graph(architecture) if live else NB201.graph(architecture)
    counts = count(network(graph, inputs=shape[0], channels=channels, cells=cells), shape)
    assert (counts.parameters, counts.flops) == formula(graph, *shape, channels, cells)


@pytest.mark.parametrize("architecture", [0, 7777, 15624])
def test_half_of_what_pytorch_counts(architecture: int) -> None:
    # PyTorch counts a multiply and an add apart, and leaves the bias out.
    net = network(NB201.graph(architecture), inputs=3, channels=6, cells=2).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 11, 14))
    assert counter.get_total_flops() == 2 * (count(net, (3, 11, 14)).flops - 10)


def test_dead_edges_count_only_in_the_release() -> None:
    dead = NB201.index("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    live, release = (
        count(network(g), (1, 8, 8)) for g in (NB201.live_graph(dead), NB201.graph(dead))
    )
    assert release.parameters - live.parameters == sum(9 * c * c + 2 * c for c in (4, 8, 16))
    assert release.flops - live.flops == sum(9 * c * c * a for c, a in ((4, 64), (8, 16), (16, 4)))


def test_the_releases_figures(nb201: CellSpace, published: Mapping[str, Any]) -> None:
    rows = np.random.default_rng(0).choice(nb201.size, 12, replace=False)
    for row in rows:
        architecture = nb201.index(str(published["architectures"][row]))
        net = network(nb201.graph(architecture), inputs=3, channels=16, cells=5)
        counts = count(net, (3, 32, 32))
        # Published in float32: its last digit may be off by one.
        for name, counted in (("parameters", counts.parameters), ("flops", counts.flops)):
            figure = published[name][row]
            assert abs(counted - float(figure)) <= np.spacing(figure), (name, row)


def test_counting_leaves_no_trace(mini: CellSpace) -> None:
    net = network(mini.graph(93)).train()
    first = count(net, (1, 8, 8))
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())
    assert count(net, (1, 8, 8)) == first
