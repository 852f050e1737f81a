"""The graph of a network, beside PyTorch's own counter, closed forms and a run that is watched."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import nasbench as nb
from nasbench.network.graph import Graph, graph_of
from nasbench.network.inputs import example_inputs
from nasbench.task import Signal

IMAGE = Signal("image", (3, 16, 16), "uint8")
TEXT = Signal("tokens", (12,), "uint16", vocabulary=50)
NUMBERS = Signal("features", (6,), "float32", categories=(0, 3, 0, 0, 4, 0))
SPACES = {
    "nb201": IMAGE,
    "nats-size": IMAGE,
    "nb-macro": IMAGE,
    "mbv2-mini": IMAGE,
    "mnasnet": IMAGE,
    "darts-mini": IMAGE,
    "mixed": IMAGE,
    "transformer": TEXT,
    "mlp": NUMBERS,
}


class Examples:
    outputs = 10

    def __init__(self, signal: Signal) -> None:
        self.signal = signal


def drawn(name: str, seed: int = 0) -> nn.Module:
    space = nb.space(name)
    architecture = space.sample(np.random.default_rng(seed))
    return nb.network(space, architecture, Examples(SPACES[name]), {})


def counted(network: nn.Module, signal: Signal, device: str = "meta") -> int:
    """Multiply-adds by PyTorch's own counter."""
    with torch.no_grad(), torch.device(device), FlopCounterMode(display=False) as counter:
        copy.deepcopy(network).eval().to(device)(example_inputs(signal, 1).to(device))
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("name", SPACES)
def test_shipped_networks_are_traced_and_counted_as_pytorch_counts(name: str) -> None:
    network = drawn(name)
    graph = graph_of(network, SPACES[name])
    assert graph.how == "traced"
    assert graph.multiply_adds == counted(network, SPACES[name])
    assert sum(one.parameters for one in graph.operations) == graph.parameters
    assert graph.parameters == sum(p.numel() for p in network.parameters())


class Functional(nn.Module):
    """What is written without modules: weights of its own, a constant, and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.ones(4, 3, 3, 3))
        self.mixing = nn.Parameter(torch.ones(4, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.filters, stride=2, padding=1)
        x = x.flatten(2).transpose(1, 2) @ self.mixing + torch.arange(8.0)
        x = functional.scaled_dot_product_attention(x, x, x)
        return torch.einsum("nlc,kc->nlk", x, self.mixing).mean(1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.memory = nn.LSTM(8, 6, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.memory(self.words(tokens))[0][:, -1]


class Branching(nn.Module):
    """A branch that no trace follows."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        taken = x.shape[2] > 5 if self.by == "shape" else x.sum() == x.sum()
        return self.first(x[:, :3]) if taken else x


ODD = {
    "functional": (Functional(), IMAGE, "traced"),
    "recurrent": (Recurrent(), TEXT, "traced"),
    "attention": (
        nn.TransformerEncoderLayer(16, 4, 32),
        Signal("features", (4, 16), "float32"),
        "",
    ),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(3, 5, 3, stride=2)), IMAGE, "traced"),
    "sound": (nn.Sequential(nn.Conv1d(1, 4, 9)), Signal("audio", (1, 64), "float32"), "traced"),
    "text padding": (nn.Sequential(nn.Conv2d(3, 4, 3, padding="same")), IMAGE, "traced"),
    "branch by shape": (Branching("shape"), IMAGE, "run"),
    "branch by value": (Branching("value"), IMAGE, "run"),
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_runs_has_a_graph(name: str) -> None:
    network, signal, how = ODD[name]
    graph = graph_of(network, signal)
    assert graph.how == (how or graph.how)
    assert graph.multiply_adds == counted(network, signal, "cpu" if "value" in name else "meta")


def test_the_network_stays_as_it_is() -> None:
    network = Functional()
    network.add_module("frozen", nn.Sequential(nn.BatchNorm2d(3)).eval())
    before, weights = dict(vars(network)), copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    graph_of(network, IMAGE)
    assert vars(network) == before
    assert network.training
    assert not network.get_submodule("frozen").training
    assert all(torch.equal(weights[k], v) for k, v in network.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


MAP = 8 * 16 * 16 * 4  # bytes of 8 channels


def layer(inputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, 8, 3, padding=1)


class Ladder(nn.Module):
    """The first map is read again at the end: three are alive while the last sum is made."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = layer(3), layer(8), layer(8)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return first + self.third(self.second(first))


@pytest.mark.parametrize(
    ("network", "maps"),
    [
        (nn.Sequential(layer(3)), 1),
        (nn.Sequential(layer(3), layer(8), layer(8)), 2),
        (nn.Sequential(layer(3), nn.ReLU(inplace=True), nn.Identity(), nn.Dropout()), 1),
        (nn.Sequential(layer(3), nn.ReLU()), 2),
        (Ladder(), 3),
    ],
    ids=["one", "chain", "views", "relu", "ladder"],
)
@pytest.mark.parametrize("batch", [1, 4])
def test_an_output_lives_until_its_last_reader(network: nn.Module, maps: int, batch: int) -> None:
    graph = graph_of(network, IMAGE, batch)
    weights = sum(p.numel() for p in network.parameters()) * 4
    assert graph.activation_bytes == maps * batch * MAP
    assert graph.peak_bytes == weights + batch * 3 * 16 * 16 * 4 + maps * batch * MAP


def test_both_ways_agree() -> None:
    """The same layers, once traced and once run because of a branch."""

    class Run(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if x.shape[2] > 1 else x

    layers = [layer(3), nn.ReLU(), layer(8)]
    traced, run = graph_of(nn.Sequential(*layers), IMAGE), graph_of(Run(*layers), IMAGE)
    assert (traced.how, run.how) == ("traced", "run")

    def sizes(graph: Graph) -> list[int]:
        return [graph.multiply_adds, graph.peak_bytes, graph.moved_bytes, graph.parameters]

    assert sizes(traced) == sizes(run)


def test_equal_operations_have_one_tag() -> None:
    tags = graph_of(nn.Sequential(layer(3), layer(8), layer(8), nn.Flatten()), IMAGE).tags()
    assert [(tag.kind, tag.inputs, n) for tag, n in tags.items()] == [
        ("conv2d", ((1, 3, 16, 16),), 1),
        ("conv2d", ((1, 8, 16, 16),), 2),
    ]
    assert "kernel_size=(3, 3)" in next(iter(tags)).setting


def test_sources_say_what_is_read() -> None:
    graph = graph_of(Ladder(), IMAGE)
    assert [(one.tag.kind, one.sources) for one in graph.operations] == [
        ("conv2d", (-1,)),
        ("conv2d", (0,)),
        ("conv2d", (1,)),
        ("add", (0, 2)),
    ]
    assert [one.module for one in graph.operations] == ["first", "second", "third", ""]
