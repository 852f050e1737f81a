"""Networks to measure: small, and with statistics that no initialisation leaves."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nasbench.network.cell import CellNetwork
from nasbench.space import CellGraph
from nasbench.task import Signal


def image(shape: tuple[int, int, int]) -> Signal:
    return Signal("image", shape, "uint8")


def network(graph: CellGraph, *, inputs: int = 1, channels: int = 4, cells: int = 1) -> CellNetwork:
    return CellNetwork(graph, inputs=inputs, classes=10, channels=channels, cells=cells)


@torch.no_grad()
def randomized(net: CellNetwork, seed: int) -> CellNetwork:
    """All weights and running statistics drawn anew, so that none is where it started."""
    rng = np.random.default_rng(seed)

    def draw(tensor: torch.Tensor, low: float, high: float) -> None:
        drawn = rng.uniform(low, high, tuple(tensor.shape)).astype(np.float32)
        tensor.copy_(torch.from_numpy(drawn))

    for parameter in net.parameters():
        bound = 2 * float(np.prod(parameter.shape[1:])) ** -0.5
        draw(parameter, -bound, bound)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            draw(module.weight, 0.5, 1.5)
            draw(module.running_mean, -0.5, 0.5)
            draw(module.running_var, 0.3, 2.0)
    return net
