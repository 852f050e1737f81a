"""What the largest network of a space takes, as far as that is known before one is built.

Loads no torch: recipes are checked by it when they are read.
"""

from __future__ import annotations

from typing import NamedTuple

from nasbench.space import CellSpace, Space
from nasbench.task import Signal

__all__ = ["Extent", "extent_of"]

_KERNELS = {"nor_conv_3x3": 9, "nor_conv_1x1": 1}
"""Weights of an operation by pairs of channels; the others have none."""


class Extent(NamedTuple):
    """Roughly, and rather too much than too little.

    Attributes:
        weights: of the network.
        operations: of the network.
        values: in the feature maps of one example, all together.
        largest: values in the largest of them, or in what goes in.
    """

    weights: int
    operations: int
    values: float
    largest: int


def extent_of(space: Space, inputs: Signal, channels: int, cells: int) -> Extent | None:
    """Of networks of these sizes; None of a space whose networks are known once they are built.

    Args:
        space: of the architectures.
        inputs: of the task.
        channels: of the first stage.
        cells: of a stage.

    Example:
        >>> import nasbench as nb
        >>> from nasbench.task import Signal
        >>> extent_of(nb.space("nb201"), Signal("image", (3, 32, 32), "uint8"), 16, 5).operations
        90
    """
    if not isinstance(space, CellSpace) or len(inputs.shape) != 3:
        return None
    seen, height, width = inputs.shape
    pixels = height * width
    edges = len(space.pairs)
    kernel = max(_KERNELS.get(name, 0) for name in space.operations)
    # Three stages of 1, 2 and 4 times the channels, on 1, 1/4 and 1/16 of the pixels; between
    # them two blocks of two 3x3 convolutions and a 1x1 one each.
    squares = 21 * kernel * edges * cells + 56 * (1 + 4)
    return Extent(
        weights=channels**2 * squares,
        operations=3 * edges * cells,
        values=1.75 * channels * edges * cells * pixels,
        largest=max(channels, seen) * pixels,
    )
