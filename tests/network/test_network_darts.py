"""Networks of DARTS's cells: published ones to the digit."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from shipped import CIFAR, IMAGENET, IMAGES, MELS, check_network, counted

import nasbench as nb
from nasbench.errors import BadValue, UnknownName
from nasbench.network import cells
from nasbench.space.cells import NAMED

DARTS = nb.space("darts")


def choices(name):
    return DARTS.choices_of(DARTS.index(NAMED["darts"][name]))


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        pytest.param("darts-v1", 3_169_414, 500_987_520, marks=pytest.mark.slow),
        ("darts-v2", 3_349_342, 528_359_040),
    ],
)
def test_published_cells_have_their_size_on_cifar(name, parameters, multiply_adds):
    build = partial(cells.darts, choices(name))
    assert counted(build, CIFAR, 10) == (parameters, multiply_adds)


@pytest.mark.slow
def test_published_cells_have_their_size_on_imagenet():
    # The paper says 4.7 M, and 574 M by another count than that of convolutions and the last layer.
    build = partial(cells.darts, choices("darts-v2"), channels=48, cells=14, stem="imagenet")
    assert counted(build, IMAGENET, 1000) == (4_718_752, 529_911_552)


@pytest.mark.parametrize("inputs", [IMAGES, MELS], ids=["image", "audio"])
def test_small_cells_learn_from_images_and_from_sound(inputs):
    space = nb.space("darts-mini")
    for architecture in space.sample(np.random.default_rng(1), 4).tolist():
        network = cells.darts_mini(space.choices_of(architecture), inputs, 7)
        check_network(network, inputs, 7)


def test_every_operation_keeps_or_halves_an_image_of_odd_size():
    x = torch.zeros(2, 4, 7, 9)
    for name in DARTS.operations:
        assert cells.darts_operation(name, 4, 1)(x).shape == x.shape
        assert cells.darts_operation(name, 4, 2)(x).shape == (2, 4, 4, 5)


def test_a_reduction_looks_at_every_other_pixel_in_each_half():
    reduction = cells.FactorizedReduction(1, 2).eval()
    with torch.no_grad():
        reduction.even.weight.fill_(1)
        reduction.odd.weight.fill_(1)
        image = torch.arange(16.0).reshape(1, 1, 4, 4)
        out = reduction(image) * (1 + reduction.norm.eps) ** 0.5
    torch.testing.assert_close(out[0, 0], image[0, 0, ::2, ::2])
    torch.testing.assert_close(out[0, 1], image[0, 0, 1::2, 1::2])


def test_sizes_that_no_network_has_are_refused():
    with pytest.raises(UnknownName, match="unknown stem 'cifra'; did you mean cifar"):
        cells.darts(choices("darts-v2"), CIFAR, 10, stem="cifra")
    with pytest.raises(BadValue, match="2 channels and a cell at least"):
        cells.darts(choices("darts-v2"), CIFAR, 10, cells=0)
