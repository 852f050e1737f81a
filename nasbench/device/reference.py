"""The network that is timed in every turn, so that turns can be compared with each other."""

from __future__ import annotations

import numpy as np
import torch

from nasbench.device.inference import Images, examples
from nasbench.network.cell import CellNetwork
from nasbench.network.cell_family import as_cells
from nasbench.space import get as get_space
from nasbench.task import Signal

__all__ = ["reference_network", "reference_of"]

_CELL = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
"""Each kind of operation that NAS-Bench-201 has."""
_CHANNELS, _CELLS, _CLASSES = 16, 1, 10
_IMAGE = Signal("image", (3, 32, 32), "uint8")


def reference_of(inputs: Signal, batch_size: int) -> tuple[CellNetwork, Images]:
    """The reference network beside networks of this signal, and what goes into it.

    That are images of the same shape, and small colour images where the signal is none.
    """
    image = inputs if len(inputs.shape) == 3 else _IMAGE
    network = reference_network(image.shape[0])
    return network, examples(network, image, batch_size)


@torch.no_grad()
def reference_network(channels: int) -> CellNetwork:
    """A small convolutional network for images of so many channels, the same in every process.

    Example:
        >>> sum(p.numel() for p in reference_network(3).parameters())
        176122
    """
    space = as_cells(get_space("nb201"))
    graph = space.live_graph(space.index(_CELL))
    network = CellNetwork(
        graph, inputs=channels, classes=_CLASSES, channels=_CHANNELS, cells=_CELLS
    )
    rng = np.random.default_rng(0)
    for weights in network.parameters():
        bound = float(np.prod(weights.shape[1:])) ** -0.5
        drawn = rng.uniform(-bound, bound, tuple(weights.shape))
        weights.copy_(torch.from_numpy(drawn.astype(np.float32)))
    return network.eval()
