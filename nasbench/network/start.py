"""Where cells start, layer by layer: the same bits for every engine."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nasbench.errors import Unsupported
from nasbench.network.cell import Shift

__all__ = ["initialize"]

_WEIGHTS = 0
"""Spawn key of the weights; that of what each epoch sees is 1."""

_DRAWN = (nn.Conv2d, nn.Linear)
_CONSTANT = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, Shift)


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
