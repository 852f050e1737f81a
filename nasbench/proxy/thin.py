"""The number of linear regions, which only networks far smaller than a task's show."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nasbench.network.cell import CellNetwork, as_cell_network
from nasbench.network.draws import generator_kept
from nasbench.network.side_by_side import layers
from nasbench.proxy.probe import Probe, Values

__all__ = ["linear_regions"]

PATCHES, SIDE = 1_000, 3
"""How many inputs, of how many pixels a side."""


@torch.no_grad()
def linear_regions(probe: Probe) -> Values:
    """How many of 1,000 inputs lie in linear regions of their own.

    Chen, Gong & Wang, section 3.1.2: inputs lie in one region where every ReLU treats them
    alike. Wide networks have so many that no two inputs ever share one; as in the paper's
    release, the cells stand in networks of one channel and of one cell a stage, with normal
    weights of variance 2 / fan-in, and inputs have 3 x 3 pixels: here patches of the batch's
    images, of all their channels, in one batch.
    """
    networks = [_thin(probe, as_cell_network(network)) for network in probe.networks]
    module = probe.stack(networks)
    codes: list[list[Tensor]] = [[] for _ in probe.networks]

    def keep(held: list[int], rectified: Tensor) -> None:
        own = rectified.reshape(len(rectified), len(held), -1) > 0
        for place, network in enumerate(held):
            codes[network].append(own[:, place])

    for part, held in layers(module, range(len(probe))):
        if isinstance(part, nn.ReLU):
            part.register_forward_hook(lambda _, __, y, held=held: keep(held, y))
    module(_patches(probe))
    return np.asarray(
        [len(torch.unique(torch.cat(own, 1), dim=0)) for own in codes], dtype=np.float64
    )


def _thin(probe: Probe, network: CellNetwork) -> CellNetwork:
    classes, _ = network.classifier.weight.shape
    with generator_kept():  # what PyTorch starts with is drawn anew below
        thin = CellNetwork(
            network.graph, inputs=probe.images.shape[1], classes=classes, channels=1, cells=1
        )
    rng = probe.rng("weights of linear_regions")
    for part in thin.modules():
        if isinstance(part, nn.Conv2d):
            deviation = (2 / part.weight[0].numel()) ** 0.5
            drawn = deviation * rng.standard_normal(tuple(part.weight.shape))
            part.weight.copy_(torch.from_numpy(drawn))
    return thin


def _patches(probe: Probe) -> Tensor:
    """`[1000, channels, 3, 3]` at random places of random images of the batch."""
    n, _, height, width = probe.images.shape
    rng = probe.rng("patches of linear_regions")
    side = min(SIDE, height, width)
    image, top, left = (
        torch.from_numpy(rng.integers(ends, size=PATCHES)).to(probe.images.device)
        for ends in (n, height - side + 1, width - side + 1)
    )
    across = torch.arange(side, device=probe.images.device)
    rows, columns = top[:, None, None] + across[:, None], left[:, None, None] + across
    patches = probe.images.permute(0, 2, 3, 1)[image[:, None, None], rows, columns]
    return patches.permute(0, 3, 1, 2).contiguous()
