"""Where trainings start: the order of the images, and the initial weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

import nasbench as nb
from nasbench.space import CellGraph, Edge
from nasbench.train.network import CellNetwork
from nasbench.train.start import epoch_order, initialize

PLAIN = nb.Recipe(epochs=1)
AUGMENTED = nb.Recipe(epochs=1, crop_padding=2, flip=True)


def small() -> CellNetwork:
    graph = CellGraph(2, (Edge(0, 1, "nor_conv_3x3"),))
    return CellNetwork(graph, inputs=3, classes=10, channels=8, cells=1)


def state(net: nn.Module) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in net.state_dict().values())


@given(n=st.integers(1, 300), seed=st.integers(0, 2**32), epoch=st.integers(0, 10**4))
def test_an_epoch_sees_every_image_once(n: int, seed: int, epoch: int) -> None:
    order = epoch_order(AUGMENTED, n, seed, epoch)
    assert sorted(order.images.tolist()) == list(range(n))
    assert order.shifts is not None
    assert order.flips is not None
    assert order.shifts.shape == (n, 2)
    assert np.abs(order.shifts).max() <= 2
    assert order.flips.shape == (n,)
    again = epoch_order(AUGMENTED, n, seed, epoch)
    assert again.images.tolist() == order.images.tolist()
    assert again.shifts is not None
    assert again.shifts.tolist() == order.shifts.tolist()
    plain = epoch_order(PLAIN, n, seed, epoch)
    assert plain.images.tolist() == order.images.tolist()
    assert plain.shifts is None
    assert plain.flips is None


def test_orders_of_other_epochs_and_seeds_are_others() -> None:
    orders = {
        tuple(epoch_order(PLAIN, 50, seed, epoch).images.tolist())
        for seed in range(5)
        for epoch in range(5)
    }
    assert len(orders) == 25


def test_shifts_are_uniform_and_half_the_images_are_mirrored() -> None:
    order = epoch_order(AUGMENTED, 20_000, 0, 0)
    assert order.shifts is not None
    assert order.flips is not None
    table = np.histogram2d(*order.shifts.T, bins=np.arange(-2.5, 3))[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-4
    assert stats.binomtest(int(order.flips.sum()), 20_000).pvalue > 1e-4


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
