"""Memory and traffic: known lifetimes counted on paper, and PyTorch's profiler."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
import zygote
from device_networks import image, network
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import nasbench as nb
from nasbench.device.inference import evaluating, examples
from nasbench.device.trace import trace
from nasbench.network.cell import CellNetwork
from nasbench.space import CellSpace

FLOAT = 4


class Scripted(CellNetwork):
    """A network whose tensors come and go as its test says."""

    def __init__(self, mini: CellSpace) -> None:
        super().__init__(mini.graph(0), inputs=1, classes=10, channels=1, cells=1)

    @property
    def held(self) -> int:
        return sum(t.numel() * t.element_size() for t in (*self.parameters(), *self.buffers()))


class Chain(Scripted):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(5):
            x = x + 1.0
        return x


class Fan(Scripted):
    def forward(self, x: Tensor) -> Tensor:
        kept = [x * float(i) for i in range(3)]
        del kept[0]
        return kept[0] + kept[1]


class Views(Scripted):
    def forward(self, x: Tensor) -> Tensor:
        y = x + 1.0
        half = y[..., :2]
        del y  # the view keeps all of it
        return half.transpose(2, 3).expand(3, -1, -1, -1) * 2.0


class Zeros(Scripted):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


@pytest.mark.parametrize(
    ("kind", "peak", "moved"),
    [
        (Chain, 3, 10),  # x, the old value and the new; read and written five times
        (Fan, 4, 9),  # x and three products; two products, the sum in the place of the first
        (Views, 3.5, 4),  # x, y, three halves; x to y, half of y (once) to three halves
        (Zeros, 2, 1),  # zeros are written, their model is not read
    ],
)
def test_known_lifetimes(kind: type[Scripted], peak: float, moved: float, mini: CellSpace) -> None:
    net = kind(mini)
    images = examples(net, image((1, 4, 4)), 1)
    seen = trace(net, images)
    assert seen.peak_bytes == net.held + peak * images.nbytes
    assert seen.moved_bytes == moved * images.nbytes


def profiled_peak(net: CellNetwork, images: np.ndarray) -> int:
    """The most that PyTorch's allocator held beyond what was there before the run."""
    with (
        evaluating(net, images) as x,
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler,
    ):
        net(x)
    events = profiler.profiler.kineto_results.events()
    memory = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return int(np.cumsum([size for _, size in memory]).max())


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("architecture", [0, 1, 30, 64, 93, 124])
def test_the_allocator_holds_that_and_the_kernels_workspace(
    architecture: int, live: bool, mini: CellSpace
) -> None:
    graph = mini.live_graph(architecture) if live else mini.graph(architecture)
    net = network(graph, inputs=3, cells=2)
    images = examples(net, image((3, 13, 11)), 3)
    held = sum(t.numel() * t.element_size() for t in (*net.parameters(), *net.buffers()))
    activations = trace(net, images).peak_bytes - held - images.nbytes
    # A kernel's workspace is one layer's patches at the most.
    widest = FLOAT * len(images) * 9 * 4 * 13 * 11
    assert activations <= profiled_peak(net, images) <= activations + widest


def test_nothing_is_left_of_a_trace(mini: CellSpace) -> None:
    net = network(mini.graph(93))
    images = examples(net, image((1, 8, 8)), 2)
    assert trace(net, images) == trace(net, images)


@pytest.mark.process
def test_a_trace_loads_no_compiler() -> None:
    zygote.run(traced_without_the_compiler)


def traced_without_the_compiler() -> None:
    space = nb.space("nb201-mini")
    traced = nb.network(space, 7, "digits", nb.Recipe(epochs=1, channels=2, cells=1))
    assert trace(traced, examples(traced, image((1, 8, 8)), 1)).moved_bytes > 0
    assert "torch._dynamo" not in sys.modules
