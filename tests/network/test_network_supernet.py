"""A supernet along a path is the network of that architecture, and its slopes are slopes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nasbench as nb
from nasbench.network import family_of, network
from nasbench.network.capability import SharesWeights
from nasbench.network.cell import Cell, CellNetwork
from nasbench.network.making import sizes_of
from nasbench.network.supernet import CellSupernet
from nasbench.space import CellSpace
from nasbench.task import Signal

RECIPE = nb.Recipe(epochs=1, channels=3, cells=1)
FEWER = CellSpace("three-operations", 3, ("nor_conv_3x3", "skip_connect", "none"))


class Small:
    """All that a network asks of a task."""

    signal = Signal("image", (2, 6, 6), "uint8")
    outputs = 3


def supernet(space: CellSpace) -> CellSupernet:
    """In float64, with random weights, scales and shifts."""
    family = family_of(space)
    assert isinstance(family, SharesWeights)
    made = family.supernet(space, Small.signal, Small.outputs, sizes_of(family, RECIPE)).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    assert isinstance(made, CellSupernet)
    return made


def alone(space: CellSpace, architecture: int, whole: CellSupernet) -> nn.Module:
    """`nb.network` of an architecture, with the weights of its path, copied module by module."""
    net = network(space, architecture, Small(), RECIPE, live=False).double()
    assert isinstance(net, CellNetwork)
    for name in ("stem", "last", "classifier"):
        getattr(net, name).load_state_dict(getattr(whole.skeleton, name).state_dict())
    path = space.ops(architecture)
    for block, shared in zip(net.blocks, whole.skeleton.blocks, strict=True):
        if not isinstance(block, Cell):
            block.load_state_dict(shared.state_dict())
            continue
        assert isinstance(shared, Cell)
        for edge, operation in enumerate(block.operations):
            name = space.operations[path[edge]]
            [found] = [
                module
                for of, module in zip(shared.graph.edges, shared.operations, strict=True)
                if (of.source, of.target, of.operation) == (*space.pairs[edge], name)
            ] or [nn.Identity()]
            operation.load_state_dict(found.state_dict())
    return net


def images(n: int = 5) -> Tensor:
    drawn = np.random.default_rng(1).normal(size=(n, 2, 6, 6))
    return torch.from_numpy(drawn)


def paths() -> Iterator[tuple[CellSpace, int]]:
    rng = np.random.default_rng(2)
    for space in (nb.space("nb201"), nb.space("nb201-mini"), FEWER):
        assert isinstance(space, CellSpace)
        for architecture in {0, *space.sample(rng, 13).tolist()}:
            yield space, architecture


def test_a_path_is_the_network_of_its_architecture() -> None:
    """Outputs and the slopes of every weight, whatever leads to the output or not."""
    x = images()
    for space, architecture in paths():
        whole = supernet(space)
        net = alone(space, architecture, whole)
        path = space.ops(architecture).tolist()
        wanted, found = net(x), whole(x, None, path)
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
        by_mixture = whole(x, one_hot(space, path))
        torch.testing.assert_close(by_mixture, wanted, rtol=1e-9, atol=1e-9)
        scaled = whole(x, one_hot(space, path), path)
        torch.testing.assert_close(scaled, wanted, rtol=1e-10, atol=1e-10)
        wanted.square().sum().backward()
        found.square().sum().backward()
        for name in ("stem.0.weight", "last.0.bias"):
            wanted = slope(net.get_parameter(name))
            found = slope(whole.get_parameter(f"skeleton.{name}"))
            torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)


def slope(weight: nn.Parameter) -> Tensor:
    """Zeros where nothing led to it."""
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def one_hot(space: CellSpace, path: list[int]) -> Tensor:
    return torch.eye(len(space.operations), dtype=torch.float64)[path]


def test_slopes_to_a_mixture_are_finite_differences() -> None:
    space = nb.space("nb201-mini")
    assert isinstance(space, CellSpace)
    whole = supernet(space)
    drawn = np.random.default_rng(3).random((len(space.pairs), len(space.operations)))
    mixture = torch.from_numpy(drawn).requires_grad_()
    x = images(4)
    assert torch.autograd.gradcheck(lambda m: whole(x, m), mixture, eps=1e-6, atol=1e-4)


def test_what_is_off_a_path_has_the_slope_of_the_maps_sum() -> None:
    """GDAS's release: the weights of choices that did not run are zeros that were added."""
    space = nb.space("nb201")
    assert isinstance(space, CellSpace)
    whole = supernet(space)
    path = [3, 1, 4, 2, 3, 1]
    mixture = one_hot(space, path).requires_grad_()
    whole(images(), mixture, path).square().sum().backward()
    assert mixture.grad is not None
    for edge, choice in enumerate(path):
        others = np.delete(mixture.grad[edge].numpy(), choice)
        assert np.ptp(others) < 1e-9 * abs(others).max()
        assert abs(others).max() > 0


@pytest.mark.parametrize("space", ["nb201", "nb201-mini"])
def test_every_weight_but_none_is_in_the_parameters_once(space: str) -> None:
    cells = nb.space(space)
    assert isinstance(cells, CellSpace)
    names = dict(supernet(cells).named_parameters())
    assert len(names) == len(set(map(id, names.values())))
    convolutions = [op for op in cells.operations if op.startswith("nor_conv")]
    inside = [n for n in names if ".operations." in n]
    assert len(inside) == 3 * 3 * len(cells.pairs) * len(convolutions)


def test_part_of_the_channels_goes_through_the_mixture() -> None:
    """Xu et al., equation 2, operation by operation, with the first channels of each weight."""
    space = nb.space("nb201-mini")
    assert isinstance(space, CellSpace)
    family = family_of(space)
    assert isinstance(family, SharesWeights)
    sizes = {"channels": 4, "cells": 1}
    whole = family.supernet(space, Small.signal, Small.outputs, sizes).double()
    assert isinstance(whole, CellSupernet)
    mixture = torch.from_numpy(np.random.default_rng(4).random((3, 5)))
    x = images()

    def mixed(cell: Cell, x: Tensor) -> Tensor:
        n = x.shape[1] // 2
        nodes = [x, 0.0, 0.0]
        for edge, (source, target) in enumerate(space.pairs):
            given = nodes[source]
            assert isinstance(given, Tensor)
            total = torch.zeros_like(given[:, :n])
            for choice, place in enumerate(whole.places[edge]):
                if place < 0:
                    continue
                operation = cell.operations[place]
                weights = [p[:n, :n] if p.ndim == 4 else p[:n] for p in operation.parameters()]
                if weights:
                    pad = weights[0].shape[-1] // 2
                    z = nn.functional.conv2d(given[:, :n].relu(), weights[0], padding=pad)
                    value = nn.functional.batch_norm(z, None, None, *weights[1:], training=True)
                else:
                    value = operation(given[:, :n])
                total = total + mixture[edge, choice] * value
            both = torch.cat([total, mixture[edge].sum() * given[:, n:]], 1)
            shuffled = both.unflatten(1, (2, n)).transpose(1, 2).flatten(1, 2)
            nodes[target] = nodes[target] + shuffled
        assert isinstance(nodes[-1], Tensor)
        return nodes[-1]

    skeleton = whole.skeleton
    y = skeleton.stem(x)
    for block in skeleton.blocks:
        y = mixed(block, y) if isinstance(block, Cell) else block(y)
    wanted = skeleton.classifier(skeleton.last(y).mean((2, 3)))
    torch.testing.assert_close(whole(x, mixture, None, 2), wanted, rtol=1e-9, atol=1e-9)
