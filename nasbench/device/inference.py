"""Running a network on example images, the way that every number of this room is taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork
from nasbench.network.inputs import example_inputs
from nasbench.network.tracing import evaluation_mode
from nasbench.task import Signal

__all__ = ["Images", "evaluating", "examples"]

Images = NDArray[Any]
"""What goes into networks: of images and sound standardised float32 `[batch, *shape]`, of tokens
int64 `[batch, length]`."""


def examples(network: nn.Module, inputs: Signal, batch_size: int) -> Images:
    """Noise of a signal's shape, `[batch_size, *shape]`, always the same, see `example_inputs`.

    It is not zeros: arithmetic on zeros can be faster than on what a camera delivers.

    Raises:
        NasbenchError: where the network does not take what has this shape.
    """
    if isinstance(network, CellNetwork):  # of others nothing says so before they run
        wanted, shape = network.get_parameter("stem.0.weight").shape[1], inputs.shape
        if len(shape) != 3 or min(shape) < 1 or shape[0] != wanted:
            raise NasbenchError(
                f"the network takes images (channels, height, width) of {wanted} channels, "
                f"got the shape {tuple(shape)}"
            )
    made: Images = example_inputs(inputs, batch_size).numpy()
    return made


@contextmanager
def evaluating(network: nn.Module, images: Images) -> Iterator[Tensor]:
    """The images as a tensor beside the network, which is in evaluation mode meanwhile."""
    with evaluation_mode(network), torch.inference_mode():
        yield torch.from_numpy(images).to(next(network.parameters()).device)
