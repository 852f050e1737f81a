"""Made-up inputs of every kind, and what is asked of all networks that ship."""

from __future__ import annotations

from unittest.mock import patch

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nasbench.task import Signal

IMAGES = Signal("image", (1, 16, 16), "uint8")
MELS = Signal("audio", (1, 16, 20), "uint8")
TOKENS = Signal("tokens", (12,), "uint16", vocabulary=50)
FEATURES = Signal("features", (5,), "float32", categories=(0, 3, 0, 7, 0))
OBSERVED = Signal("features", (4,), "float32", categories=(0, 0, 0, 0))
IMAGENET = Signal("image", (3, 224, 224), "uint8")
CIFAR = Signal("image", (3, 32, 32), "uint8")


def batch(signal, n=3, seed=0):
    """Inputs as a trainer gives them: standardised pixels and numbers, ids."""
    draw = torch.Generator().manual_seed(seed)
    if signal.kind == "tokens":
        ids = torch.randint(1, signal.vocabulary, (n, *signal.shape), generator=draw)
        ids[0, 5:] = 0  # padding
        ids[1] = 0  # a text without a word
        return ids
    numbers = torch.randn((n, *signal.shape), generator=draw)
    for column, count in enumerate(signal.categories):
        if count:
            numbers[:, column] = torch.randint(0, count, (n,), generator=draw)
    return numbers


def _undrawn():
    """No weights are drawn where they are nowhere: that takes longer than all else."""
    names = ("kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "uniform_", "zeros_")
    return patch.multiple(nn.init, **{name: lambda tensor, *a, **b: tensor for name in names})


def counted(build, signal, outputs, **sizes):
    """Parameters and multiply-adds for one input, without computing anything."""
    with _undrawn(), torch.device("meta"), torch.no_grad():
        network = build(signal, outputs, **sizes).eval()
        inputs = torch.zeros(1, *signal.shape)
        with FlopCounterMode(display=False) as counter:
            network(inputs)
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def check_network(network, signal, outputs):
    """Forward and backward, no NaN, every parameter with a gradient, training and evaluation."""
    given = network(batch(signal))
    given = given if isinstance(given, tuple) else (given,)
    assert given[0].shape == (3, outputs)
    sum(one.square().sum() for one in given).backward()
    assert all(bool(one.isfinite().all()) for one in given)
    missing = [name for name, p in network.named_parameters() if p.grad is None]
    assert not missing
    assert all(bool(p.grad.isfinite().all()) for p in network.parameters())
    network.eval()
    with torch.no_grad():
        alone = network(batch(signal)[:1])
        together = network(batch(signal))
    first = together[0] if isinstance(together, tuple) else together
    one = alone[0] if isinstance(alone, tuple) else alone
    # What stands beside an example does not change its answer.
    torch.testing.assert_close(one, first[:1], atol=1e-5, rtol=1e-4)
