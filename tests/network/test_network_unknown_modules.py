"""Modules that we do not know are refused by name, instead of started, stacked or counted wrongly.

And the caller's global generator is where it was, whatever we build.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import nasbench as nb
from nasbench.device.export import export_onnx
from nasbench.errors import Unsupported
from nasbench.network import network
from nasbench.network.count import count
from nasbench.network.side_by_side import side_by_side
from nasbench.network.start import initialize
from nasbench.space import CellSpace
from nasbench.train.engine import ENGINES, make_trainer
from nasbench.train.native import library

pytestmark = pytest.mark.heavy

TINY = nb.Recipe(epochs=1, train_images=20, valid_images=10, test_images=10, channels=4, cells=1)


class Gain(nn.Conv2d):
    """A convolution with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__(4, 4, 1)
        self.gain = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain[:, None, None] * super().forward(x)


class Swapped(nn.Module):
    """No parameters, but each channel is another's."""

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, 1)


WEIGHTED: dict[str, Callable[[], nn.Module]] = {
    "Conv1d": lambda: nn.Conv1d(4, 4, 1),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 4, 1),
    "Embedding": lambda: nn.Embedding(9, 4),
    "LSTM": lambda: nn.LSTM(4, 4),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "LayerNorm": lambda: nn.LayerNorm(4),
    "PReLU": nn.PReLU,
    "Bilinear": lambda: nn.Bilinear(4, 4, 4),
    "LazyConv1d": lambda: nn.LazyConv1d(4, 1),
}
MIXING: dict[str, Callable[[], nn.Module]] = {
    **WEIGHTED,
    "Gain": Gain,
    "Swapped": Swapped,
    "Softmax2d": nn.Softmax2d,
    "PixelShuffle": lambda: nn.PixelShuffle(1),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(2),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(4),
    "Dropout": nn.Dropout,
    "Flatten": nn.Flatten,
}


def within(module: nn.Module, mini: CellSpace, digits: nb.Task) -> nn.Module:
    """A network with the module in place of its last layer's ReLU."""
    net = network(mini, 5, digits, TINY)
    net.last[1] = module
    return net


@pytest.mark.parametrize("kind", [*WEIGHTED, "Gain"])
def test_no_start_is_made_up(kind, mini, digits):
    net = within(MIXING[kind](), mini, digits)
    before = net.stem[0].weight.clone()
    with pytest.raises(Unsupported, match=rf"last.1 \({kind}\)"):
        initialize(net, 0, 5)
    assert torch.equal(net.stem[0].weight, before)


@pytest.mark.parametrize("kind", WEIGHTED)
def test_what_is_not_known_is_not_counted_as_nothing(kind, mini, digits):
    with pytest.raises(Unsupported, match=rf"last.1 \({kind}\)"):
        count(within(WEIGHTED[kind](), mini, digits), digits.shape)


@pytest.mark.parametrize("kind", MIXING)
def test_what_may_mix_channels_does_not_stand_side_by_side(kind, mini, digits):
    with pytest.raises(Unsupported, match=f"{kind} cannot stand"):
        side_by_side([within(MIXING[kind](), mini, digits) for _ in range(2)])


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(4, 4, 1, bias=True),
        nn.Conv2d(4, 4, 1, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, dilation=2, bias=False),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect", bias=False),
        nn.Linear(4, 4, bias=False),
    ],
    ids=str,
)
def test_variants_that_stacking_would_drop_are_refused(module, mini, digits):
    with pytest.raises(Unsupported, match="reference engine"):
        side_by_side([within(module, mini, digits) for _ in range(2)])


# The caller's generator.


def test_networks_and_what_is_made_of_them_leave_the_global_generator(mini, digits, tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    net = network(mini, 5, digits, TINY)
    assert torch.equal(torch.get_rng_state(), before)
    export_onnx(net, digits.signal, tmp_path / "n.onnx")
    count(net, digits.shape)
    side_by_side([net, network(mini, 6, digits, TINY)])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_follows_the_global_generator_as_before(mini, digits):
    """What PyTorch draws after a seed: the same module built by hand."""
    torch.manual_seed(7)
    net = network(mini, 5, digits, TINY)
    stem = nn.Conv2d(digits.shape[0], TINY.channels, 3, padding=1, bias=False)
    assert torch.equal(net.stem[0].weight, stem.weight)


@pytest.mark.parametrize("engine", ENGINES)
def test_trainers_leave_the_global_generator(engine, mini, digits):
    if engine == "native" and library() is None:
        pytest.skip("the native engine was not built")
    before = torch.get_rng_state()
    list(make_trainer(engine, "cpu", threads=2).train(mini, [5, 6], digits, TINY, [0, 1]))
    assert torch.equal(torch.get_rng_state(), before)
