"""Every proxy a second time: of one ordinary network, with loops and plain autograd.

Written from the formulas and not from the package's code. What a proxy draws itself is drawn from
the probe's generators in the stated order: weights layer by layer, then images.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.network.cell import CellNetwork
from nasbench.proxy.probe import Probe


class Given:
    """A network, a batch, and the probe whose generators a twin may draw from."""

    def __init__(self, net: CellNetwork, images: Tensor, labels: Tensor, probe: Probe) -> None:
        self.net = copy.deepcopy(net).train()
        self.images, self.labels = images, labels
        self.probe = probe

    def layers(self) -> list[nn.Conv2d | nn.Linear]:
        return [m for m in self.net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]

    def loss(self) -> Tensor:
        return F.cross_entropy(self.net(self.images), self.labels)

    def weight_gradients(self) -> list[Tensor]:
        self.net.zero_grad()
        self.loss().backward()
        return [
            torch.zeros_like(m.weight) if m.weight.grad is None else m.weight.grad.clone()
            for m in self.layers()
        ]


def l2_norm(given: Given) -> float:
    return sum(math.sqrt((m.weight.detach() ** 2).sum()) for m in given.layers())


def grad_norm(given: Given) -> float:
    return sum(math.sqrt((g**2).sum()) for g in given.weight_gradients())


def _masked(given: Given) -> list[Tensor]:
    """The loss's derivative by a factor of each weight, at 1."""
    masks = {}
    for name, module in given.net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            masks[f"{name}.weight"] = torch.ones_like(module.weight, requires_grad=True)
    parameters = dict(given.net.named_parameters())
    scaled = {name: parameters[name].detach() * mask for name, mask in masks.items()}
    logits = torch.func.functional_call(given.net, scaled, (given.images,))
    loss = F.cross_entropy(logits, given.labels)
    found = torch.autograd.grad(loss, list(masks.values()), allow_unused=True)
    return [g for g in found if g is not None]


def snip(given: Given) -> float:
    return sum(float(g.abs().sum()) for g in _masked(given))


def plain(given: Given) -> float:
    return sum(float(g.sum()) for g in _masked(given))


def grasp(given: Given) -> float:
    """H g as the difference of the gradients at w + step g and w - step g."""
    weights = [m.weight for m in given.layers()]
    start = [w.detach().clone() for w in weights]
    slope = given.weight_gradients()
    step = 1e-6
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for w, w0, g in zip(weights, start, slope, strict=True):
                w.copy_(w0 + sign * step * g)
        ends.append(given.weight_gradients())
    return -sum(
        float((w0 * (high - low)).sum()) / (2 * step)
        for w0, high, low in zip(start, *ends, strict=True)
    )


def fisher(given: Given) -> float:
    seen: list[Tensor] = []

    def keep(module: nn.Module, _: object, output: Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    for layer in given.layers():
        layer.register_forward_hook(keep)
    given.loss().backward()
    total = 0.0
    for output in seen:
        if output.grad is None:
            continue
        for channel in range(output.shape[1]):
            squares = [
                float((a[channel] * g[channel]).sum()) ** 2
                for a, g in zip(output.detach(), output.grad, strict=True)
            ]
            total += 0.5 * sum(squares) / len(squares)
    return total


def zico(given: Given) -> float:
    half = len(given.images) // 2
    parts = []
    for images, labels in (
        (given.images[:half], given.labels[:half]),
        (given.images[half : 2 * half], given.labels[half : 2 * half]),
    ):
        part = Given(given.net, images, labels, given.probe)
        parts.append([g.abs().numpy() for g in part.weight_gradients()])
    total = 0.0
    for both in zip(*parts, strict=True):
        mean, deviation = np.mean(both, axis=0), np.std(both, axis=0)
        ratios = mean[deviation > 0] / deviation[deviation > 0]
        if ratios.sum() > 0:
            total += math.log(ratios.sum())
    return total


def synflow(given: Given) -> float:
    """How fast the flow grows with each layer's weights, as a central difference."""
    net = copy.deepcopy(given.net)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = lambda x: x
    for parameter in net.parameters():
        parameter.data = parameter.data.abs()
    image = torch.ones(1, *given.images.shape[1:], dtype=torch.float64)
    total = 0.0
    for layer in [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]:
        weight, ends = layer.weight.data, []
        for factor in (1 + 1e-4, 1 - 1e-4):
            layer.weight.data = factor * weight
            ends.append(float(net(image).detach().sum()))
        layer.weight.data = weight
        total += (ends[0] - ends[1]) / 2e-4
    return math.log(total)


def zen(given: Given) -> float:
    net = given.net
    rng = given.probe.rng("weights of zen")
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = torch.from_numpy(rng.standard_normal(tuple(module.weight.shape)))
    rng = given.probe.rng("images of zen")
    first, second = (torch.from_numpy(rng.standard_normal(given.images.shape)) for _ in range(2))
    scales: list[float] = []
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):

            def look(module: nn.Module, inputs: tuple[Tensor]) -> None:
                by_channel = inputs[0].detach().transpose(0, 1).flatten(1)
                squares = ((by_channel - by_channel.mean(1, keepdim=True)) ** 2).sum(1)
                scales.append(float((squares / (by_channel.shape[1] - 1)).mean()) ** 0.5)

            module.register_forward_pre_hook(look)
    seen: list[Tensor] = []
    net.last.register_forward_hook(lambda _, __, y: seen.append(y.detach()))
    net(first + 0.01 * second)
    scales.clear()
    net(first)
    moved, still = seen
    distances = [float(((a - b) ** 2).sum()) ** 0.5 for a, b in zip(moved, still, strict=True)]
    return math.log(sum(distances) / len(distances)) + sum(math.log(s) for s in scales if s > 0)


def _codes(net: nn.Module, images: Tensor) -> np.ndarray:
    """Of each image, which rectified numbers are positive: bool `[batch, numbers]`."""
    seen: list[np.ndarray] = []
    hooks = [
        m.register_forward_pre_hook(lambda _, x: seen.append((x[0] > 0).flatten(1).numpy()))
        for m in net.modules()
        if isinstance(m, nn.ReLU)
    ]
    net(images)
    for hook in hooks:
        hook.remove()
    return np.concatenate(seen, axis=1)


def nwot(given: Given) -> float:
    codes = _codes(given.net, given.images)
    kernel = [[float((one == other).sum()) for other in codes] for one in codes]
    return math.log(abs(np.linalg.det(np.asarray(kernel) / codes.shape[1]))) + len(
        codes
    ) * math.log(codes.shape[1])


def _jacobian(given: Given) -> np.ndarray:
    images = given.images.clone().requires_grad_()
    given.net(images).sum().backward()
    assert images.grad is not None
    return images.grad.flatten(1).numpy()


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum()))


def jacob_cov(given: Given) -> float:
    rows = _jacobian(given)
    matrix = np.asarray([[_correlation(a, b) for b in rows] for a in rows])
    eigenvalues = np.linalg.eigvals(matrix).real
    return -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in eigenvalues)


def epe_nas(given: Given) -> float:
    rows, labels = _jacobian(given), given.labels.tolist()
    sums: dict[int, float] = {}
    for i, own in enumerate(labels):
        for j, other in enumerate(labels):
            if own == other:
                logarithm = math.log(abs(_correlation(rows[i], rows[j])) + 1e-5)
                sums[own] = sums.get(own, 0.0) + logarithm
    return sum(abs(s) for s in sums.values())


def ntk_condition(given: Given) -> float:
    rows = []
    for i in range(min(len(given.images), 32)):
        given.net.zero_grad()
        given.net(given.images[:32])[i].sum().backward()
        rows.append(
            torch.cat(
                [
                    (torch.zeros_like(p) if p.grad is None else p.grad).flatten()
                    for p in given.net.parameters()
                ]
            )
        )
    singular = torch.linalg.svdvals(torch.stack(rows))
    return float((singular[0] / singular[-1]) ** 2)


def linear_regions(given: Given) -> float:
    classes, _ = given.net.classifier.weight.shape
    channels = given.images.shape[1]
    net = CellNetwork(given.net.graph, inputs=channels, classes=classes, channels=1, cells=1)
    net.double()
    rng = given.probe.rng("weights of linear_regions")
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            _, inputs, height, width = module.weight.shape
            drawn = rng.standard_normal(tuple(module.weight.shape))
            module.weight.data = torch.from_numpy(drawn * math.sqrt(2 / (inputs * height * width)))
    rng = given.probe.rng("patches of linear_regions")
    n, _, height, width = given.images.shape
    places = [rng.integers(ends, size=1000) for ends in (n, height - 2, width - 2)]
    patches = [
        given.images[i, :, top : top + 3, left : left + 3]
        for i, top, left in zip(*places, strict=True)
    ]
    codes = _codes(net, torch.stack(patches))
    return float(len({code.tobytes() for code in codes}))


def _blocks(given: Given) -> Iterator[tuple[Tensor, nn.Module, Tensor]]:
    """What goes into each block, the block and what comes out; batch statistics in each."""
    x = given.net.stem(given.images).detach()
    for block in given.net.blocks:
        y = block(x).detach()
        yield x, block, y
        x = y


def _entropy(features: Tensor) -> float:
    pixels = features.transpose(0, 1).flatten(1).numpy()
    variances = np.linalg.svd(pixels - pixels.mean(1, keepdims=True), compute_uv=False) ** 2
    shares = variances / variances.sum()
    return -sum(p * math.log(p) for p in shares if p > 0)


def _entropies(given: Given) -> list[float]:
    features = [y for _, _, y in _blocks(given)]
    return [_entropy(x) for x in (given.net.stem(given.images).detach(), *features)]


def az_expressivity(given: Given) -> float:
    return sum(_entropies(given))


def az_progressivity(given: Given) -> float:
    entropies = _entropies(given)
    return min(b - a for a, b in pairwise(entropies))


def az_trainability(given: Given) -> float:
    rng = given.probe.rng("signs of az_trainability")
    scores = []
    for x, block, y in _blocks(given):
        x = x.clone().requires_grad_()
        signs = torch.from_numpy(rng.integers(2, size=tuple(y.shape)) * 2.0 - 1)
        block(x).backward(signs)
        found = torch.zeros_like(x) if x.grad is None else x.grad
        step = x.shape[2] // y.shape[2]
        product = np.zeros((x.shape[1] * step**2, y.shape[1]))
        for i in range(len(y)):
            for row in range(y.shape[2]):
                for column in range(y.shape[3]):
                    before = found[
                        i,
                        :,
                        step * row : step * (row + 1),
                        step * column : step * (column + 1),
                    ].flatten()
                    product += np.outer(before, signs[i, :, row, column])
        s = np.linalg.norm(product / (len(y) * y.shape[2] * y.shape[3]), 2)
        scores.append(2 - s - 1 / s)
    return sum(scores) / len(scores)


def params(given: Given) -> float:
    return sum(np.prod(p.shape) for p in given.net.parameters())


TWINS: dict[str, Callable[[Given], float]] = {
    twin.__name__: twin
    for twin in (
        *(l2_norm, grad_norm, snip, plain, grasp, fisher, zico, synflow, zen, nwot, jacob_cov),
        *(epe_nas, ntk_condition, linear_regions, params),
        *(az_expressivity, az_progressivity, az_trainability),
    )
}
