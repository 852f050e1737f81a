"""What some families can do besides: small protocols, asked for with isinstance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nasbench.network.family import Size
from nasbench.space import Space
from nasbench.task import Signal

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SharesWeights", "Starts", "Whole"]


@runtime_checkable
class Starts(Protocol):
    """Draws initial weights by itself, so that every engine starts from the same bits."""

    def start(self, network: nn.Module, seed: int, architecture: int) -> None:
        """Draw the weights that the training of an architecture with this seed begins with."""


@runtime_checkable
class Whole(Protocol):
    """Leaves out what cannot change the output, and can build it, too."""

    def whole(
        self,
        space: Space,
        architecture: int,
        inputs: Signal,
        outputs: int,
        sizes: Mapping[str, Size],
    ) -> nn.Module:
        """As `Family.build`, with all that is dead."""


@runtime_checkable
class SharesWeights(Protocol):
    """Has one set of weights for all architectures of a space."""

    def supernet(
        self, space: Space, inputs: Signal, outputs: int, sizes: Mapping[str, Size]
    ) -> nn.Module:
        """A module whose `forward(inputs, mixture, path)` runs all choices or one path.

        `path` holds one choice a decision, `mixture` `[decisions, most choices]` a weight for
        each; either may be None. Along a path alone it computes what the network of that
        architecture does with the same weights. With both, each choice of the path is multiplied
        by its weight. In training mode, and by a mixture, BatchNorm goes by the batch's own
        statistics.
        """
