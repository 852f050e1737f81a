"""Proxies against a second implementation, and what must be true of each.

In float64, in which both agree within 1e-6; differences in place of derivatives within 1e-4.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from seldom import seldom
from torch import nn
from twins import TWINS, Given

import nasbench as nb
from nasbench.network import network
from nasbench.network.cell import CellNetwork
from nasbench.network.start import initialize
from nasbench.proxy import get
from nasbench.proxy.probe import Probe
from nasbench.proxy.registry import OWN
from nasbench.proxy.scoring import examine
from nasbench.space import CellSpace
from nasbench.train import Recipe

pytestmark = pytest.mark.heavy

NB201 = nb.space("nb201")
assert isinstance(NB201, CellSpace)
RECIPE = Recipe(epochs=1, channels=3, cells=1)
CELLS = [
    NB201.index(cell)
    for cell in (
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|",
        "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
        "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
    )
]
DIFFERENCES = {"grasp", "synflow"}
"""Of which the twin takes differences where the proxy takes derivatives."""


def networks(cells: list[int] = CELLS, seed: int = 0) -> list[CellNetwork]:
    made = [network(NB201, cell, "digits", RECIPE, live=False) for cell in cells]
    for net, cell in zip(made, cells, strict=True):
        initialize(net, seed, cell)
    return [net.double() for net in made]


def batch(n: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    split = nb.task("digits").train
    images = split.images[:n].astype(np.float64)
    return torch.from_numpy((images - images.mean()) / images.std()), torch.from_numpy(
        split.labels[:n] % 4  # so that classes have several images
    )


def probe(nets: list[CellNetwork], images: torch.Tensor, labels: torch.Tensor) -> Probe:
    return Probe(nets, images, labels, np.random.SeedSequence(3))


def value(name: str, of: Probe) -> np.ndarray:
    return examine(of, [get(name)])[name][0]


def test_every_proxy_has_a_twin() -> None:
    assert TWINS.keys() | {"flops"} == OWN.keys()  # flops are tested where they are counted


@pytest.mark.parametrize("name", TWINS)
def test_twin(name: str) -> None:
    nets, (images, labels) = networks(), batch()
    together = probe(nets, images, labels)
    expected = [TWINS[name](Given(net, images, labels, together)) for net in nets]
    tolerance = 1e-4 if name in DIFFERENCES else 1e-6
    assert value(name, together) == pytest.approx(expected, rel=tolerance)
    alone = [value(name, probe([net], images, labels))[0] for net in nets]
    assert alone == pytest.approx(expected, rel=tolerance)


# What must be true of each, whatever the code.

DEAR = {"az_trainability", "fisher", "grasp", "ntk_condition", "plain", "snip", "zen", "zico"}


BY_BATCH_ORDER = [name for name in OWN if name not in ("zico", "zen", "linear_regions")]
"""Those that see the batch as a set: not its halves, and none of what they draw by its order."""


@pytest.mark.parametrize(
    "name", seldom(DEAR, [n for n in BY_BATCH_ORDER if n != "az_trainability"])
)
def test_order_of_images_does_not_matter(name: str) -> None:
    nets, (images, labels) = networks(), batch()
    order = np.random.default_rng(0).permutation(len(images))
    found = [value(name, probe(nets, images[o], labels[o])) for o in (order, np.sort(order))]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@pytest.mark.parametrize("name", ["nwot", "jacob_cov", "epe_nas", "snip", "plain"])
def test_what_batch_norm_takes_off_does_not_matter(name: str) -> None:
    # The stem's weights, four times as large, are divided by four where their gradient is.
    nets, (images, labels) = networks(), batch()
    before = value(name, probe(nets, images, labels))
    with torch.no_grad():
        for net in nets:
            net.get_parameter("stem.0.weight").mul_(4)
    # BatchNorm adds 1e-5 to the variance, which is not the same share of both.
    assert value(name, probe(nets, images, labels)) == pytest.approx(before, rel=1e-3)


def test_synflow_grows_with_each_layer_that_all_must_pass() -> None:
    nets, (images, labels) = networks(), batch()
    before = value("synflow", probe(nets, images, labels))
    with torch.no_grad():
        for net in nets:
            net.get_parameter("stem.0.weight").mul_(-3)
    after = value("synflow", probe(nets, images, labels))
    assert after - before == pytest.approx(np.full(len(nets), math.log(3)), rel=1e-9)


def test_synflow_of_a_deep_network_is_beyond_float32() -> None:
    _, (images, labels) = networks(), batch()
    graph = NB201.graph(
        NB201.index(
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
            "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
        )
    )
    deep = CellNetwork(graph, inputs=1, classes=10, channels=16, cells=5)
    initialize(deep, 0, 0)
    [found] = value("synflow", probe([deep], images.float(), labels))
    assert math.log(np.finfo(np.float32).max) < found < math.log(np.finfo(np.float64).max)


def test_grasp_of_scale_free_weights_is_their_gradients_squared_norm() -> None:
    # Where w.g = 0 for all w, its derivative gives H w = -g, and so -w.(H g) = g.g; the layers
    # that BatchNorm does not follow are left out.
    nets, (images, labels) = networks(), batch(24)
    of = probe(nets, images, labels)
    of.layers = [
        layer for layer, output in zip(of.layers, of.forward.outputs, strict=True)
        if output.ndim == 4 and not _joins_a_shortcut(of, layer.module)
    ]  # fmt: skip
    del of.__dict__["forward"]
    squares = of.sums(
        (layer.networks, gradient.reshape(len(layer.networks), -1).square().sum(1))
        for layer, gradient in zip(of.layers, of.loss_gradients[0], strict=True)
    )
    assert value("grasp", of) == pytest.approx(squares, rel=0.05)  # up to BatchNorm's epsilon
    assert value("plain", of) == pytest.approx(np.zeros(len(nets)), abs=0.05)


def _joins_a_shortcut(of: Probe, layer: nn.Module) -> bool:
    names = {id(module): name for name, module in of.module.named_modules()}
    return "downsample" in names[id(layer)]


def test_nwot_stays_below_hadamards_bound() -> None:
    nets, (images, labels) = networks(), batch()
    of = probe(nets, images, labels)
    units = of.sums(
        (held, torch.full((len(held),), y[0].numel() / len(held)))
        for y, held in of.forward.rectified
    )
    found = value("nwot", of)
    assert (found < len(images) * np.log(units)).all()  # all codes orthogonal
    assert (found > 0).all()


@pytest.mark.parametrize("name", ["nwot", "jacob_cov", "ntk_condition"])
def test_the_same_image_twice_is_singular(name: str) -> None:
    nets, (images, labels) = networks(), batch()
    images[1] = images[0]
    of = probe(nets, images, labels)
    found, reasons = examine(of, [get(name)])[name]
    if name == "jacob_cov":  # which bounds what a singular matrix costs
        distinct = value(name, probe(nets, *batch()))
        assert (found < distinct - 1e4).all()
    else:
        assert np.isnan(found).all()
        assert len(reasons) == len(nets)


def test_epe_nas_does_not_care_what_classes_are_called() -> None:
    nets, (images, labels) = networks(), batch()
    renamed = value("epe_nas", probe(nets, images, 3 - labels))
    assert renamed == pytest.approx(value("epe_nas", probe(nets, images, labels)), rel=1e-9)


def test_weights_at_start_have_the_norm_of_their_distribution() -> None:
    # Uniform within 1 / sqrt(fan-in): each output's weights have a squared norm of 1/3.
    net = CellNetwork(NB201.graph(CELLS[0]), inputs=1, classes=10, channels=64, cells=1)
    initialize(net, 0, 0)
    images, labels = batch()
    expected = sum(
        math.sqrt(m.weight.shape[0] / 3)
        for m in net.modules()
        if isinstance(m, nn.Conv2d | nn.Linear)
    )
    [found] = value("l2_norm", probe([net], images.float(), labels))
    assert found == pytest.approx(expected, rel=0.01)


def test_epe_nas_of_many_classes() -> None:
    net = CellNetwork(NB201.graph(CELLS[0]), inputs=1, classes=101, channels=3, cells=1)
    initialize(net, 0, 0)
    images, labels = batch()
    of = probe([net.double()], images, labels)
    correlations = np.corrcoef(of.input_jacobian[0].numpy())
    sums = [
        np.log(np.abs(correlations[np.ix_(labels == c, labels == c)]) + 1e-5).sum()
        / int((labels == c).sum())
        for c in range(4)
    ]
    expected = sum(abs(a - b) for a in sums for b in sums) / 4
    assert value("epe_nas", of) == pytest.approx([expected], rel=1e-9)


def test_flow_beyond_float64_has_a_reason() -> None:
    nets, (images, labels) = networks(), batch()
    with torch.no_grad():
        nets[1].get_parameter("stem.0.weight").mul_(1e200)
        nets[1].classifier.weight.mul_(1e200)
    found, reasons = examine(probe(nets, images, labels), [get("synflow")])["synflow"]
    assert np.isfinite(found).tolist() == [True, False, True]
    assert reasons == {1: "the flow exceeds float64"}


@pytest.mark.parametrize(
    "name", seldom(DEAR, [n for n in OWN if n not in ("params", "flops", "linear_regions")])
)
def test_a_network_that_is_beyond_numbers_leaves_the_others_alone(name: str) -> None:
    nets, (images, labels) = networks(), batch()
    expected = value(name, probe(nets, images, labels))
    with torch.no_grad():
        nets[1].get_parameter("stem.1.bias").fill_(math.nan)
        nets[1].get_parameter("stem.0.weight").fill_(math.nan)
    found, reasons = examine(probe(nets, images, labels), [get(name)])[name]
    assert found[[0, 2]] == pytest.approx(expected[[0, 2]], rel=1e-9)
    if name == "zen":  # draws weights of its own; BatchNorm's shift is the network's
        assert reasons == {1: "the value is not a number"}
    assert np.isnan(found[1])
    assert list(reasons) == [1]
