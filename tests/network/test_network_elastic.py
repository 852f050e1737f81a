"""Supernets of slices and choices: along a path they are the single network, by exact weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.network import family_of
from nasbench.network.capability import SharesWeights
from nasbench.network.elastic import (
    Channels,
    Choose,
    Depth,
    ElasticConv,
    ElasticLinear,
    ElasticNorm,
    Kernel,
    Supernet,
)
from nasbench.network.elastic_cells import SharedNode
from nasbench.network.making import sizes_of
from nasbench.network.sharing_check import check_supernet
from nasbench.space import ChoiceSpace
from nasbench.space.cells import DartsSpace
from nasbench.task import Signal
from nasbench.train.shared import SharedWeights

SMALL = ChoiceSpace(
    "small", {"width": [2, 3], "kernel": [1, 3, 5], "depth": [1, 2], "act": ["tanh", "sin"]}
)


class Asked:
    """All that a network asks of a task."""

    signal = Signal("image", (2, 8, 8), "uint8")
    outputs = 3


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sin()


def small(**_: Any) -> Supernet:
    """Of each part one, in float64."""
    width = Channels.of(SMALL, lambda width: 2 * width, "width")
    kernel = Kernel.of(SMALL, int, "kernel")

    def block(inputs: Channels, *, depthwise: bool = False) -> nn.Module:
        conv = ElasticConv(inputs, width, kernel, depthwise=depthwise)
        return nn.Sequential(conv, ElasticNorm(width), Choose("act", [nn.Tanh(), Sine()]))

    blocks = [block(Channels(2)), block(width, depthwise=True)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), ElasticLinear(width.most, 3)]
    return Supernet(SMALL, nn.Sequential(Depth("depth", [1, 2], blocks), *head)).double()


@pytest.mark.parametrize(
    ("name", "sizes", "paths"),
    [
        ("mixed", {"channels": 4}, 4),
        ("mbv2-mini", {}, 3),
        ("nb-macro", {}, 1),
        ("darts-mini", {}, 4),
        ("darts", {"channels": 4, "cells": 4}, 1),
    ],
)
def test_a_path_is_the_network_of_its_architecture(
    name: str, sizes: dict[str, int], paths: int
) -> None:
    check_supernet(nb.space(name), Asked(), sizes, paths)


class Doubled(nn.Module):
    """Twice its input, over the input or beside it."""

    def __init__(self, *, over: bool) -> None:
        super().__init__()
        self.over = over

    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2) if self.over else x * 2


def test_a_choice_may_write_over_what_others_of_its_mixture_see() -> None:
    shown = []
    for over in (True, False):
        choices = [Doubled(over=over), nn.ReLU(inplace=over)]
        blocks = [Doubled(over=over), Doubled(over=over)]
        net = Supernet(SMALL, nn.Sequential(Choose("act", choices), Depth("depth", [1, 2], blocks)))
        mixture = torch.full((4, 3), 0.5, requires_grad=True)
        answer = net(torch.linspace(-1, 1, 6), mixture)
        (slope,) = torch.autograd.grad(answer.square().sum(), mixture)
        shown.append((answer.tolist(), slope.tolist()))
    assert shown[0] == shown[1]


def test_every_choice_of_a_mixture_has_its_slope() -> None:
    """Against finite differences, as outputs and weights; alone and along a path."""
    net = small()
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(3, 2, 4, 4)))
    mixture = torch.from_numpy(rng.random((4, 3))).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: net(x, m), mixture, eps=1e-6, atol=1e-5)
    net(x, mixture).square().sum().backward()
    assert mixture.grad is not None
    there = torch.arange(3) < torch.tensor(SMALL.choices)[:, None]
    assert (mixture.grad[there] != 0).all()
    assert (mixture.grad[~there] == 0).all()


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("mixed", {"channels": 4}), ("mbv2-mini", {}), ("nb-macro", {}), ("darts-mini", {})],
)
def test_slopes_of_spaces_that_ship_are_finite_differences(
    name: str, sizes: dict[str, int]
) -> None:
    """Of the outputs' sum to a mixture, along a random direction, in float64."""
    space = nb.space(name)
    family = family_of(space)
    assert isinstance(family, SharesWeights)
    given = sizes_of(family, sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # other weights may bend between the two ends
        net = family.supernet(space, Asked.signal, Asked.outputs, given).double().train()
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(3, 2, 8, 8)))
    weights = torch.from_numpy(rng.normal(size=(3, Asked.outputs)))
    shape = (len(space.choices), max(space.choices))
    mixture = torch.from_numpy(rng.random(shape)).requires_grad_()
    along = torch.from_numpy(rng.normal(size=shape))
    (net(x, mixture) * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert mixture.grad is not None
    found = float((mixture.grad * along).sum())
    with torch.no_grad():
        ends = [float((net(x, mixture + step * along) * weights).sum()) for step in (1e-7, -1e-7)]
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-4)


def test_what_is_off_a_path_has_no_slope() -> None:
    """A smaller network reads its slices alone."""
    net = small()
    net(torch.ones(2, 2, 4, 4).double().cumsum(3), path=[0, 1, 0, 0]).square().sum().backward()
    first = next(m for m in net.modules() if isinstance(m, ElasticConv))
    assert first.weight.grad is not None
    used = first.weight.grad != 0
    assert used[:4, :, 1:4, 1:4].all()
    assert not used[4:].any()
    assert not used[:, :, 0].any()
    assert not used[:, :, :, 4].any()


def test_a_part_names_a_decision_that_is_not_there() -> None:
    net = Supernet(SMALL, Choose("acts", [nn.Tanh(), nn.ReLU()]))
    with pytest.raises(NasbenchError, match=r"decision of small 'acts'.*act"):
        net(torch.ones(1), path=[0, 0, 0, 0])
    with pytest.raises(NasbenchError, match="is a part of a Supernet, and stands in none"):
        Choose("act", [nn.Tanh()])(torch.ones(1))


def test_a_node_of_a_darts_cell_mixes_all_that_it_could_be() -> None:
    """The mean of all its paths, each by the product of its three shares."""
    space = DartsSpace("tiny", 2, ["skip_connect", "max_pool_3x3"])
    net = Supernet(space, SharedNode(space, "reduce.n3", 4, reduces=True)).double()
    rng = np.random.default_rng(0)
    # States from outside are halved by the node's edges; the cell's own are of its size.
    states: Any = [torch.from_numpy(rng.normal(size=(2, 4, size, size))) for size in (8, 8, 4)]
    shares = [np.pad(rng.dirichlet(np.ones(n)), (0, 3 - n)) for n in space.choices]
    mixture = torch.from_numpy(np.stack(shares))
    names = list(space.decisions)
    places = [names.index(f"reduce.n3.{of}") for of in ("inputs", "first", "second")]
    total = torch.zeros((), dtype=torch.float64)
    for choices in np.ndindex(3, 2, 2):
        path = [0] * len(names)
        weight = 1.0
        for place, choice in zip(places, choices, strict=True):
            path[place] = choice
            weight *= float(mixture[place, choice])
        total = total + weight * net(states, path=path)
    torch.testing.assert_close(net(states, mixture), total)


RECIPE = nb.Recipe(epochs=1, train_images=12, valid_images=12, batch_size=6)


def test_weights_of_slices_are_trained_scored_and_kept() -> None:
    """Steps along paths and by mixtures of `mbv2-mini`; a state goes on to the same bits."""
    space = nb.space("mbv2-mini")
    shared = SharedWeights(space, nb.task("digits"), RECIPE, 0)
    paths = space.ops(np.asarray([0, space.size - 1])).astype(np.int64)
    rates = np.full(1, 0.05, dtype=np.float32)
    kept = shared.state()

    def run() -> list[Any]:
        losses = shared.train(paths[None], rates)
        slope = shared.slope(np.full((10, 3), 1 / 3, dtype=np.float32))[1]
        return [losses, slope, *shared.score(paths, 9), shared.parameters.copy()]

    first = run()
    shared.restore(kept)
    for one, again in zip(first, run(), strict=True):
        np.testing.assert_array_equal(one, again)
    assert (first[-1] != kept.parameters).mean() > 0.9


OWN = """
from torch import nn
from nasbench.network.elastic import Choose, Supernet
from nasbench.space import ChoiceSpace

space = ChoiceSpace("own", {"hidden": [3, 5], "act": ["relu", "tanh"]})
ACTS = {"relu": nn.ReLU, "tanh": nn.Tanh}

def block(hidden, act, features, outputs, dropout):
    return nn.Sequential(nn.Flatten(), nn.Linear(features, hidden), act, nn.Dropout(dropout),
                         nn.Linear(hidden, outputs))

def build(choices, inputs, outputs, *, dropout=0.0):
    act = ACTS[choices["act"]]()
    return block(choices["hidden"], act, inputs.shape[1] ** 2, outputs, dropout)

def supernet(space, inputs, outputs, *, dropout=0.0):
    def act():
        return Choose("act", [ACTS[name]() for name in space.decisions["act"]])
    widths = space.values["hidden"]
    blocks = [block(hidden, act(), inputs.shape[1] ** 2, outputs, dropout) for hidden in widths]
    return Supernet(space, Choose("hidden", blocks))
"""


def own(tmp_path: Path, text: str = OWN) -> Any:
    (tmp_path / "own.py").write_text(text)
    return nb.space(str(tmp_path / "own.py"))


def test_a_file_of_ones_own_has_a_supernet(tmp_path: Path) -> None:
    """Its dropout draws from the seed: a state goes on to the same bits."""
    space = own(tmp_path)
    assert isinstance(family_of(space), SharesWeights)
    recipe = nb.Recipe(**{**RECIPE.describe(), "network": {"dropout": 0.5}})
    shared = SharedWeights(space, nb.task("digits"), recipe, 0)
    kept = shared.state()
    rates = np.full(1, 0.05, dtype=np.float32)
    losses = []
    for _ in range(2):
        shared.restore(kept)
        torch.rand(3)
        losses.append(float(shared.train(np.asarray([[[1, 0]]]), rates)[0, 0]))
    assert losses[0] == losses[1] != float(shared.score(np.asarray([[1, 0]]))[0][0])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('Choose("hidden", blocks)', "blocks[0]", "a Linear with weight .3, 64. runs where"),
        ("ACTS[name]()", "nn.ReLU()", "is not the network of"),
        ("*, dropout=0.0):\n    def", "*, drop=0.0):\n    def", "supernet of own.py has the sizes"),
        ("return Supernet", "return 1 or Supernet", "returned a int, not a torch.nn.Module"),
        ("    widths =", "    1 / 0\n    widths =", "building the supernet of own failed"),
    ],
)
def test_what_is_wrong_with_ones_own_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = OWN.replace(old, new)
    assert text != OWN
    with pytest.raises(NasbenchError, match=said):
        SharedWeights(own(tmp_path, text), nb.task("digits"), RECIPE, 0)
