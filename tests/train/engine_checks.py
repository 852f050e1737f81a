"""What the native engine is held against: gradients in float64, by PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from nasbench.network.cell import CellNetwork
from nasbench.network.start import initialize
from nasbench.space import CellSpace


def runs_here(instructions: str) -> bool:
    """Whether this processor has an instruction set."""
    capability = torch.backends.cpu.get_cpu_capability()
    rank = {"base": 0, "avx2": 1, "avx512": 2}
    here = {"AVX512": 2, "AVX2": 1}.get(capability, 0)
    return rank[instructions] <= here


def perturbed(net: CellNetwork, rng: np.random.Generator) -> CellNetwork:
    """BatchNorm and shifts away from where they start, so that their gradients differ."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.ndim == 1 and "classifier" not in name:
                noise = 0.3 * rng.standard_normal(tuple(parameter.shape))
                parameter.add_(torch.from_numpy(noise).float())
    return net


Gate = tuple[int, int]
"""A ReLU, by the order of the calls, and an element of its input."""


def exact_gradients(
    net: CellNetwork, x: np.ndarray, y: np.ndarray, smoothing: float, flipped: Sequence[Gate] = ()
) -> tuple[float, np.ndarray, list[list[Gate]]]:
    """Loss and gradients in float64, and the eight values nearest to zero of those given to ReLUs.

    Each value comes as its gates: the convolutions that read a node have a ReLU each.

    Args:
        net: in float32.
        x: images.
        y: labels.
        smoothing: of labels.
        flipped: ReLUs that pass what they should stop, or stop what they should pass.
    """
    net = copy.deepcopy(net).double()
    calls = 0
    near: dict[float, list[Gate]] = {}

    def gate(module: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        value = given[0]
        opened = value > 0
        for call, element in flipped:
            if call == calls:
                opened.view(-1)[element] ^= True
        size = value.detach().abs().flatten()
        # Exact zeros, of empty cells, are zero in any precision.
        for element in ((size < 1e-5 * size.max()) & (size > 0)).nonzero().flatten().tolist():
            near.setdefault(float(size[element]), []).append((calls, element))
        calls += 1
        return value * opened

    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(gate)
    logits = net(torch.from_numpy(x).double())
    loss = F.cross_entropy(logits, torch.from_numpy(y), label_smoothing=smoothing)
    loss.backward()
    parts = [
        (torch.zeros_like(p) if p.grad is None else p.grad).numpy().ravel()
        for p in net.parameters()
    ]
    return loss.item(), np.concatenate(parts), [near[value] for value in sorted(near)[:8]]


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def random_case(space: CellSpace, trial: int) -> tuple[CellNetwork, np.ndarray, np.ndarray]:
    """A network, images and labels: of any size, the last chunk often not whole."""
    rng = np.random.default_rng(trial)
    architecture = int(rng.choice(space.representatives))
    size, n = int(rng.integers(4, 17)), int(rng.choice([3, 7, 31, 32, 33, 77]))
    inputs, classes = int(rng.choice([1, 3])), int(rng.choice([2, 10]))
    net = CellNetwork(
        space.live_graph(architecture),
        inputs=inputs,
        classes=classes,
        channels=int(rng.choice([1, 2, 3, 4, 5, 8, 12])),
        cells=int(rng.integers(1, 3)),
    )
    initialize(net, trial, architecture)
    net = perturbed(net, rng)
    x = rng.standard_normal((n, inputs, size, size)).astype(np.float32)
    return net, x, rng.integers(classes, size=n)


class Exact:
    """Loss and gradients in float64 of a network, that engines are held against."""

    def __init__(self, net: CellNetwork, x: np.ndarray, y: np.ndarray, smoothing: float) -> None:
        self.given = net, x, y, smoothing
        self.loss, self.gradients, self.near = exact_gradients(*self.given)

    def check(self, loss: float, gradients: np.ndarray) -> None:
        """That an engine's are those of float64 within rounding."""
        assert abs(loss - self.loss) <= 1e-5 * self.loss
        error = relative_error(gradients, self.gradients)
        # A value within rounding of zero may fall on the other side of it. If that is all, float64
        # with its ReLUs on that side agrees.
        for gates in self.near:
            if error < 1e-5:
                break
            _, exact, _ = exact_gradients(*self.given, gates)
            error = min(error, relative_error(gradients, exact))
        assert error < 1e-5, f"relative error {error:.1e}"
