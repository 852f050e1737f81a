"""Running a network on example images, the way that every number of this room is taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork

__all__ = ["Images", "evaluating", "example_images"]

Images = NDArray[np.float32]
"""Standardised images, float32 `[batch, channels, height, width]`."""


def example_images(network: nn.Module, shape: tuple[int, int, int], batch_size: int) -> Images:
    """Normal noise `[batch_size, *shape]`, always the same.

    Raises:
        NasbenchError: where the network does not take images of this shape.
    """
    if isinstance(network, CellNetwork):
        wanted = network.get_parameter("stem.0.weight").shape[1]
    else:  # of others nothing says so before they run
        wanted = shape[0] if shape else 0
    if len(shape) != 3 or min(shape) < 1 or shape[0] != wanted:
        raise NasbenchError(
            f"the network takes images (channels, height, width) of {wanted} channels, "
            f"got the shape {tuple(shape)}"
        )
    # Not zeros: arithmetic on zeros can be faster than on what a camera delivers.
    return np.random.default_rng(0).standard_normal((batch_size, *shape), dtype=np.float32)


@contextmanager
def evaluating(network: nn.Module, images: Images) -> Iterator[Tensor]:
    """The images as a tensor beside the network, which is in evaluation mode meanwhile."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode():
            yield torch.from_numpy(images).to(next(network.parameters()).device)
    finally:
        for module, mode in modes:
            module.training = mode
