"""Where a training starts and which images it sees: the same for every engine.

Random numbers come from one SeedSequence per training. The order of the images depends on
the seed and the epoch alone; the initial weights on the seed and the architecture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasbench.errors import Unsupported
from nasbench.train.network import Shift
from nasbench.train.recipe import Recipe

__all__ = ["EpochOrder", "epoch_order", "initialize"]

_WEIGHTS, _ORDER = 0, 1

_DRAWN = (nn.Conv2d, nn.Linear)
_CONSTANT = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, Shift)


@dataclass(frozen=True, eq=False, slots=True)
class EpochOrder:
    """The order of one epoch's images and what is done to each, in that order.

    Attributes:
        images: a permutation, int64 `[n]`.
        shifts: rows and columns by which the crop moves, int64 `[n, 2]` in
            `[-crop_padding, crop_padding]`; None without crops.
        flips: which images are mirrored, bool `[n]`; None without flips.
    """

    images: NDArray[np.int64]
    shifts: NDArray[np.int64] | None
    flips: NDArray[np.bool_] | None


def epoch_order(recipe: Recipe, n: int, seed: int, epoch: int) -> EpochOrder:
    """What epoch `epoch` (from 0) of a training with this seed sees of `n` images."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER, epoch)))
    images = rng.permutation(n)
    pad = recipe.crop_padding
    shifts = rng.integers(-pad, pad + 1, size=(n, 2)) if pad else None
    flips = rng.random(n) < 0.5 if recipe.flip else None
    return EpochOrder(images, shifts, flips)


@torch.no_grad()
def initialize(network: nn.Module, seed: int, architecture: int) -> None:
    """Draw a network's initial weights, layer by layer in the order of its modules.

    PyTorch's default distributions: convolution weights and the classifier's weights and
    bias uniform within 1 / sqrt(fan-in); BatchNorm starts as the identity.

    Raises:
        Unsupported: before anything is drawn, where a module has parameters of which no start is
            known: they would be what PyTorch's global generator has left.
    """
    _check(network)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_WEIGHTS, architecture)))
    for module in network.modules():
        if isinstance(module, _DRAWN):
            bound = float(np.prod(module.weight.shape[1:])) ** -0.5
            for parameter in (module.weight, module.bias):
                if parameter is not None:
                    drawn = rng.random(tuple(parameter.shape), dtype=np.float32)
                    parameter.copy_(torch.from_numpy((2 * drawn - 1) * np.float32(bound)))


def _check(network: nn.Module) -> None:
    for name, module in network.named_modules():
        parameters = {key for key, _ in module.named_parameters(recurse=False)}
        if isinstance(module, _DRAWN):
            parameters -= {"weight", "bias"}
        if parameters and not isinstance(module, _CONSTANT):
            raise Unsupported(
                f"no start is known for {name or 'the network'} ({type(module).__name__}): what "
                f"is trained has its parameters in Conv2d, Linear and BatchNorm layers"
            )
