"""Proxies that look at what flows through a network of changed weights."""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import torch
from torch import nn

from nasbench.network.cell import CellNetwork
from nasbench.proxy.probe import Probe, Values, gradients

__all__ = ["synflow", "zen"]

_CONSERVING_NOTHING = (nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)

ZEN_STEP = 0.01
"""By how much of a second image zen moves the first."""


def synflow(probe: Probe) -> Values:
    """The natural logarithm of the sum of |w dR/dw|.

    R is the sum of the logits of an image of ones, in the network with all its weights made
    positive (Tanaka et al.); the sum runs over convolutions and classifier.
    BatchNorm is left out: on a single image of ones it would measure itself. In float64,
    since the sum grows by an order of magnitude with every few layers. The input of a network of
    categories has the second of each. A network that reads tokens has no value, since there are
    no ones among them, nor has one that normalises in another way: nothing would be conserved
    from layer to layer.
    """
    if not probe.images.is_floating_point():
        probe.explain(np.ones(len(probe)), "tokens are no numbers: there is no input of ones")
        return np.full(len(probe), np.nan)
    ones = torch.ones_like(probe.images[:1], dtype=torch.float64)
    module = _without_batch_norm(probe.stack(probe.networks).double())
    if any(isinstance(part, _CONSERVING_NOTHING) for part in module.modules()):
        probe.explain(np.ones(len(probe)), "it normalises by other layers than BatchNorm")
        return np.full(len(probe), np.nan)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.abs_()
    held = probe.weighted(module)
    weights = [layer.weight for layer in held]
    found = gradients(probe.answers(module, ones).sum(), weights)
    flow = probe.sums(
        (layer.networks, (weight.detach() * gradient).reshape(len(layer.networks), -1).sum(1))
        for layer, weight, gradient in zip(held, weights, found, strict=True)
    )
    probe.explain(flow == 0, "nothing of the image reaches the logits")
    probe.explain(np.isinf(flow), "the flow exceeds float64")
    with np.errstate(divide="ignore"):
        return np.log(flow)


def _without_batch_norm(module: nn.Module) -> nn.Module:
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                setattr(parent, name, nn.Identity())
    return module


@torch.no_grad()
def zen(probe: Probe) -> Values:
    """The logarithms of mean |f(x) - f(x + 0.01 e)| and of BatchNorms' s, added up.

    Lin et al., algorithm 1: weights, images x and disturbances e are standard normal; f is what
    the average pooling sees, and the mean of its Euclidean norm runs over the images; s is the
    root of the mean over channels of the variance that a BatchNorm takes off. The paper first
    removes all residual links, which a cell, being a graph, has no counterpart of: they stay.
    A BatchNorm that sees zeros alone takes nothing off and is left out.
    """
    networks = [copy.deepcopy(network) for network in probe.networks]
    for network in networks:
        rng = probe.rng("weights of zen")
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.copy_(probe.normal(rng, *part.weight.shape))
    module = cast(CellNetwork, probe.stack(networks))
    norms = [(m, held) for m, held in probe.parts(module) if isinstance(m, nn.BatchNorm2d)]
    for norm, _ in norms:
        norm.momentum = 1.0  # its running variance is then the last batch's
    rng = probe.rng("images of zen")
    first, second = (probe.normal(rng, *probe.images.shape) for _ in range(2))

    def features(images: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = module.last(module.blocks(module.stem(images)))
        return seen

    difference = features(first + ZEN_STEP * second) - features(first)
    distance = difference.reshape(len(first), len(probe), -1).double().norm(dim=2).mean(0)
    scales = []
    for norm, held in norms:
        assert norm.running_var is not None
        variance = norm.running_var.view(len(held), -1).double().mean(1)
        scales.append((held, torch.where(variance == 0, 1, variance).log() / 2))
    probe.explain((distance == 0).cpu().numpy(), "a disturbed image gives the same features")
    everyone = torch.arange(len(probe), device=distance.device)
    return probe.sums([(everyone, distance.log()), *scales])
