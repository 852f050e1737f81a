"""The components of AZ-NAS: Lee & Ham, CVPR 2024.

The fourth, complexity, is `flops`. The paper adds up the logarithms of an architecture's ranks by
each, which takes a set of architectures. Blocks are the stem, the cells and what stands between the
stages; starts and images are those of all proxies here.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from nasbench.proxy.probe import Probe, Values, gradients

__all__ = ["az_expressivity", "az_progressivity", "az_trainability"]


def az_expressivity(probe: Probe) -> Values:
    """The sum over blocks of the entropy of their features' principal components."""
    total: Values = _entropies(probe).sum(1)
    return total


def az_progressivity(probe: Probe) -> Values:
    """The least gain of that entropy from one block to the next."""
    gains: Values = np.diff(_entropies(probe), axis=1).min(1)
    return gains


def az_trainability(probe: Probe) -> Values:
    """The mean over blocks of 2 - s - 1/s: 0 at best, where gradients keep their size.

    s is the spectral norm of a block's Jacobian as the paper estimates it: of the mean over
    images and pixels of (gradient before) x (gradient behind), the gradient behind being random
    signs. Where a block shrinks the image, the pixels before that go into one behind stand
    together as channels.
    """
    features = probe.forward.features
    rng = probe.rng("signs of az_trainability")
    total = np.zeros(len(probe))
    for before, behind in pairwise(features):
        batch, _, height, width = behind.shape
        signs = rng.integers(2, size=(batch, behind.shape[1] // len(probe), height, width)) * 2 - 1
        given = torch.from_numpy(signs).to(behind).repeat(1, len(probe), 1, 1)
        [found] = gradients((given * behind).sum(), [before])
        rest = (-before.shape[2] % height, -before.shape[3] % width)
        found = F.pad(found, (0, rest[1], 0, rest[0]))
        found = found.reshape(batch, len(probe), -1, *found.shape[2:])
        found = F.pixel_unshuffle(found, found.shape[3] // height)
        product = _pixels(found) @ _pixels(given.reshape(batch, len(probe), -1, height, width)).mT
        product = probe.finite(product / (batch * height * width))
        largest = torch.linalg.matrix_norm(product, 2).cpu().numpy()
        probe.explain(largest == 0, "no gradient passes one of the blocks")
        with np.errstate(divide="ignore"):
            total += 2 - largest - 1 / largest
    return total / (len(features) - 1)


def _entropies(probe: Probe) -> NDArray[np.float64]:
    """Of the shares of variance of the principal components, `[networks, blocks]`, in nats."""
    entropies = []
    for features in probe.forward.features:
        batch, _, height, width = features.shape
        own = _pixels(features.detach().reshape(batch, len(probe), -1, height, width))
        own = own - own.mean(2, keepdim=True)
        variances = torch.linalg.eigvalsh(probe.finite(own @ own.mT)).clamp(min=0)
        shares = variances / variances.sum(1, keepdim=True)
        entropies.append(-torch.xlogy(shares, shares).sum(1).cpu().numpy())
    entropy = np.stack(entropies, 1)
    probe.explain(np.isnan(entropy).any(1), "the features of a block are all the same")
    return entropy


def _pixels(values: Tensor) -> Tensor:
    """`[batch, networks, channels, h, w]` as float64 `[networks, channels, batch x h x w]`."""
    return values.permute(1, 2, 0, 3, 4).flatten(2).double()
