"""Proxies of weights and of the loss's gradients.

Sums run over the weights of convolutions, of linear layers (of cells that is the classifier) and
of the vectors that stand for tokens and categories, as in Abdelfattah, Mehrotra, Dudziak & Lane,
"Zero-Cost Proxies for Lightweight NAS", ICLR 2021: neither biases nor BatchNorm's scales and
shifts count. The loss L is the mean cross-entropy of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nasbench.proxy.probe import Layer, Probe, Values, gradients, losses

__all__ = ["fisher", "grad_norm", "grasp", "l2_norm", "plain", "snip", "zico"]


def l2_norm(probe: Probe) -> Values:
    """The sum over layers of the Euclidean norm of the weights."""
    return probe.sums(
        (layer.networks, _rows(layer.weight.detach(), layer).norm(dim=1)) for layer in probe.layers
    )


def grad_norm(probe: Probe) -> Values:
    """The sum over layers of the Euclidean norm of the gradient dL/dw."""
    found, _ = probe.loss_gradients
    return probe.sums(
        (layer.networks, _rows(gradient, layer).norm(dim=1))
        for layer, gradient in zip(probe.layers, found, strict=True)
    )


def snip(probe: Probe) -> Values:
    """The sum of |w dL/dw|: what the loss would change if each weight went, first order."""
    found, _ = probe.loss_gradients
    return _products(probe, found, unsigned=True)


def plain(probe: Probe) -> Values:
    """The sum of w dL/dw, signed.

    Mozer & Smolensky call -w dL/dw the relevance of what w multiplies: low is better. What
    BatchNorm follows has none at all, since its scale does not matter; left are the layers
    that it does not follow.
    """
    found, _ = probe.loss_gradients
    return _products(probe, found)


def grasp(probe: Probe) -> Values:
    """The sum of -w (H g), g being the loss's gradient and H its Hessian.

    The sign is that of Wang, Zhang & Grosse: -w (H g) is half of what the squared norm of the
    gradient gains, to first order, when w is taken away. Of weights that BatchNorm follows the
    sum is their gradient's squared norm; others can make it negative. High is better: so it
    correlates with accuracy where it was published. H and g are of one batch.
    """
    weights = [layer.weight for layer in probe.layers]
    found = gradients(probe.loss, weights, differentiable=True)
    product = sum((gradient.detach() * gradient).sum() for gradient in found)
    assert isinstance(product, Tensor)
    return -_products(probe, gradients(product, weights))


def fisher(probe: Probe) -> Values:
    """The sum over layers and their channels of 1/2 mean over images of (sum of a dL/da)^2.

    a is a channel of what a convolution or the classifier gives, of one image, over whose
    pixels the inner sum runs. Theis et al. weigh by each image's own loss; L here is the
    batch's mean, which divides all values by the square of the batch size. The values that
    NASLib published are what comes of counting a channel as often as it has weights; the papers
    count it once, and so do we.
    """
    _, found = probe.loss_gradients
    terms = []
    for layer, output, gradient in zip(probe.layers, probe.forward.outputs, found, strict=True):
        product = output.detach() * gradient
        if isinstance(layer.module, nn.Linear | nn.Embedding):
            # Of one network: its channels are the last axis.
            product = product.reshape(len(output), -1, output.shape[-1]).mT[:, None]
        else:
            pixels = output[0, 0].numel() if output.ndim == 4 else 1  # the classifier has none
            product = product.reshape(len(output), len(layer.networks), -1, pixels)
        product = product.sum(3).double()  # [batch, networks, channels]
        terms.append((layer.networks, product.square().mean(0).sum(1) / 2))
    return probe.sums(terms)


def zico(probe: Probe) -> Values:
    """The sum over layers of ln sum of mean |g| / std |g|, over two batches.

    Li et al., with the two batches that they use: here the halves of one. A weight
    whose gradient is the same in both is left out, and so is a layer that has no others.
    """
    halves = []
    size = len(probe.images) // 2
    for half in (slice(size), slice(size, 2 * size)):
        loss = losses(probe.logits(probe.images[half]), probe.labels[half]).sum()
        halves.append(gradients(loss, [layer.weight for layer in probe.layers]))
    terms = []
    for layer, first, second in zip(probe.layers, *halves, strict=True):
        one, two = _rows(first.abs(), layer), _rows(second.abs(), layer)
        mean, deviation = (one + two) / 2, (one - two).abs() / 2
        ratio = torch.where(deviation == 0, 0, mean / deviation).sum(1)
        terms.append((layer.networks, torch.where(ratio == 0, 1, ratio).log()))
    return probe.sums(terms)


def _rows(values: Tensor, layer: Layer) -> Tensor:
    """Numbers in the shape of a layer's weights as float64 `[networks, numbers]`."""
    return values.reshape(len(layer.networks), -1).double()


def _products(probe: Probe, found: Sequence[Tensor], *, unsigned: bool = False) -> Values:
    """The sum of weights times their gradients, or of what is left of these without sign."""

    def signed(values: Tensor) -> Tensor:
        return values.abs() if unsigned else values

    return probe.sums(
        (layer.networks, signed(_rows(layer.weight.detach() * gradient, layer)).sum(1))
        for layer, gradient in zip(probe.layers, found, strict=True)
    )
