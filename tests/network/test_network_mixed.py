"""Networks of unlike operations: each of them learns, and equal ones are one function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shipped import IMAGES, MELS, check_network
from torch import nn

import nasbench as nb
from nasbench.errors import UnknownName
from nasbench.network.mixed import build
from nasbench.space.mixed import MIXED_OPERATIONS

MIXED = nb.space("mixed")


def mixed(string, inputs=IMAGES, **sizes):
    return build(MIXED.choices_of(MIXED.index(string)), inputs, 7, **sizes)


@pytest.mark.parametrize("inputs", [IMAGES, MELS], ids=["image", "audio"])
@pytest.mark.parametrize("norm", ["batch:relu", "layer:gelu"])
def test_every_operation_learns(norm, inputs):
    first, second = ":".join(MIXED_OPERATIONS[:4]), ":".join(MIXED_OPERATIONS[3:])
    for operations in (first, second):
        check_network(mixed(f"{norm}:{operations}", inputs), inputs, 7)


def test_sizes_are_those_of_the_modules():
    network = mixed("batch:relu:conv:dw_conv:attention:max_pool", channels=8, kernel=5, heads=4)
    assert network[0].weight.shape == (8, 1, 2, 2)
    kernels = [m.kernel_size for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(2, 2), (5, 5), (5, 5), (1, 1), (2, 2)]
    pooled = [m.kernel_size for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    assert pooled == [5]
    wide = mixed("batch:relu:conv:conv:conv:conv", stride=4)
    assert wide[0].stride == (4, 4)
    assert wide(torch.zeros(1, *IMAGES.shape)).shape == (1, 7)


def test_any_number_of_places_is_built():
    choices = {"norm": "batch", "activation": "relu", **{f"op{n}": "conv" for n in range(1, 7)}}
    network = build(choices, IMAGES, 7)
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [16, 16, 16, 16, 32, 32, 32, 32]


@torch.no_grad()
def test_architectures_of_one_class_are_one_function():
    one, other = "layer:gelu:identity:conv:identity:attention", "layer:gelu:conv:identity:attention"
    other += ":identity"
    assert MIXED.canonical(MIXED.index(one)) == MIXED.index(other)
    first, second = mixed(one), mixed(other)
    second.load_state_dict(dict(zip(second.state_dict(), first.state_dict().values(), strict=True)))
    images = torch.randn(2, *IMAGES.shape)
    assert torch.equal(first.eval()(images), second.eval()(images))


def test_no_two_classes_are_alike_in_what_they_hold():
    # Of the distinct ones: per stage 6 x 6 pairs, 6 with one identity behind, one of two.
    assert MIXED.unique == 2 * 2 * (36 + 6 + 1) ** 2
    ops = MIXED.ops(MIXED.representatives)[:, 2:].reshape(-1, 2, 2)
    identity = ops == MIXED_OPERATIONS.index("identity")
    assert not (identity[..., 0] & ~identity[..., 1]).any()
    assert len(np.unique(MIXED.ops(MIXED.representatives), axis=0)) == MIXED.unique


def test_an_unknown_operation_names_the_near_ones():
    with pytest.raises(UnknownName, match="did you mean dil_conv"):
        build({"norm": "batch", "activation": "relu", "op1": "dill_conv"}, IMAGES, 7)
