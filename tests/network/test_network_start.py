"""Where networks start: a function of seed and architecture, and of nothing else."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import nn

from nasbench.network.cell import CellNetwork
from nasbench.network.start import initialize
from nasbench.space import CellGraph, Edge


def small() -> CellNetwork:
    graph = CellGraph(2, (Edge(0, 1, "nor_conv_3x3"),))
    return CellNetwork(graph, inputs=3, classes=10, channels=8, cells=1)


def state(net: nn.Module) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in net.state_dict().values())


def test_weights_are_uniform_within_the_fan_in() -> None:
    net = small()
    initialize(net, 0, 0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            weights = module.weight.detach().numpy().ravel()
            assert stats.kstest(weights, "uniform", (-bound, 2 * bound)).pvalue > 1e-4
            if module.bias is not None:
                assert 0 < module.bias.abs().max() <= bound
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_weights_follow_seed_and_architecture_and_nothing_else() -> None:
    nets = {}
    for torch_seed in (0, 1):
        torch.manual_seed(torch_seed)
        for key in ((0, 0), (0, 1), (1, 0)):
            net = small()
            before = torch.get_rng_state()
            initialize(net, *key)
            assert torch.equal(torch.get_rng_state(), before)
            nets[torch_seed, key] = state(net)
    assert all(nets[0, key] == nets[1, key] for _, key in nets)
    assert len(set(nets.values())) == 3


@pytest.mark.parametrize("architecture", [0, 7])
def test_a_shift_starts_at_zero(architecture: int) -> None:
    net = CellNetwork(
        CellGraph(3, (Edge(1, 2, "shift"), Edge(0, 2, "skip_connect"))),
        inputs=1, classes=2, channels=4, cells=1,
    )  # fmt: skip
    initialize(net, 0, architecture)
    assert all((c.operations[0].bias == 0).all() for c in net.blocks if hasattr(c, "operations"))
