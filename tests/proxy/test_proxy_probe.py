"""Which networks a layer of many holds, and whose the seconds are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import nasbench as nb
from nasbench.network.cell import CellNetwork
from nasbench.network.side_by_side import layers, side_by_side
from nasbench.proxy import probe as probes
from nasbench.proxy.probe import SHARED, Probe, Stopwatch
from nasbench.space import SHIFT, CellSpace

NB201 = nb.space("nb201")
assert isinstance(NB201, CellSpace)


def networks(n: int, seed: int) -> list[CellNetwork]:
    cells = NB201.sample(np.random.default_rng(seed), n)
    graphs = [NB201.live_graph(int(cell)) for cell in cells]
    return [CellNetwork(g, inputs=1, classes=4, channels=2, cells=2) for g in graphs]


@pytest.mark.parametrize("seed", range(3))
def test_layers_know_their_networks(seed: int) -> None:
    nets = networks(6, seed)
    sizes = [sum(p.numel() for p in net.parameters()) for net in nets]
    with torch.no_grad():
        for number, net in enumerate(nets):
            for parameter in net.parameters():
                parameter.fill_(number)
    found = np.zeros(len(nets), dtype=int)
    for layer, held in layers(side_by_side(nets), range(len(nets))):
        for parameter in layer.parameters():
            rows = parameter.detach().reshape(len(held), -1)
            for row, number in zip(rows, held, strict=True):
                assert (row == number).all()
                found[number] += row.numel()
    assert found.tolist() == sizes  # every weight, and once


def test_layers_of_an_ordinary_network() -> None:
    [net] = networks(1, 5)
    found = list(layers(net, range(1)))
    assert all(held == [0] for _, held in found)
    counted = sum(p.numel() for layer, _ in found for p in layer.parameters())
    assert counted == sum(p.numel() for p in net.parameters())


def test_what_only_shifts_has_no_gradient_of_the_images() -> None:
    space = CellSpace("two", 4, ("none", "nor_conv_3x3"))
    cell = space.index("|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|")
    graph = space.live_graph(cell)
    assert any(edge.operation == SHIFT for edge in graph.edges)
    shifting = CellNetwork(graph, inputs=1, classes=4, channels=2, cells=2)
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(5) % 4
    for nets in ([shifting], [*networks(1, 0), shifting]):
        jacobian = Probe(nets, images, labels, np.random.SeedSequence(0)).input_jacobian
        assert jacobian.shape == (len(nets), 5, 64)
        assert not jacobian[-1].any()


def test_what_is_done_within_counts_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 8.0, 10.0, 10.5, 11.0, 12.0])
    monkeypatch.setattr(probes, "perf_counter", lambda: next(now))
    clock = Stopwatch(torch.device("cpu"))
    with clock.counted("snip"), clock.counted(SHARED), clock.counted(SHARED):
        pass
    with clock.counted("snip"):
        pass
    # snip: 0 to 11 less 1 to 10.5, then 11 to 12; shared: 1 to 10.5 less 3 to 8, and these.
    assert dict(clock.seconds) == {SHARED: 5.0 + 4.0, "snip": 1.0 + 1.5}


def test_passes_are_made_once_and_with_gradients() -> None:
    nets = networks(2, 0)
    images, labels = torch.ones(4, 1, 8, 8), torch.arange(4)
    probe = Probe(nets, images, labels, np.random.SeedSequence(0))
    calls: list[nn.Module] = []
    probe.module.register_forward_hook(lambda module, _, __: calls.append(module))
    with torch.no_grad():
        assert probe.forward.logits.requires_grad
    assert probe.loss_gradients is probe.loss_gradients
    assert probe.input_jacobian.shape == (2, 4, 64)
    assert len(calls) == 1
