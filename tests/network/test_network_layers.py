"""Networks of the size space of NATS-Bench and of NAS-Bench-Macro."""

from __future__ import annotations

import bz2
import pickle
from functools import partial

import pytest
import torch
from shipped import CIFAR, IMAGES, check_network, counted

import nasbench as nb
from nasbench.network.blocks import inverted_residual
from nasbench.network.layers import nats_size, nb_macro
from nasbench.task import Signal

SIZES, MACRO = nb.space("nats-size"), nb.space("nb-macro")
FOLDER = "natsbench_sample/NATS-sss-v1_0-50262-simple"


@pytest.mark.parametrize("number", [0, 11, 284])
def test_networks_of_nats_bench_have_the_sizes_of_its_release(published_data, number):
    path = published_data / FOLDER / f"{number:06d}.pickle.pbz2"
    release = pickle.loads(bz2.decompress(path.read_bytes()))["90"]
    build = partial(nats_size, SIZES.choices_of(SIZES.index(release["arch_str"])))
    small = Signal("image", (3, 16, 16), "uint8")
    for data, signal, classes in (
        ("cifar10", CIFAR, 10),
        ("cifar100", CIFAR, 100),
        ("ImageNet16-120", small, 120),
    ):
        parameters, multiply_adds = counted(build, signal, classes)
        published = release["all_results"][data, 777]
        assert parameters == round(published["params"] * 1e6)
        # The release counts the addition of the last layer's bias besides.
        assert multiply_adds + classes == round(published["flop"] * 1e6)


@pytest.mark.parametrize("string", ["8:8:16:8:24", "16:8:8:24:24"])
def test_networks_of_nats_bench_learn(string):
    choices = SIZES.choices_of(SIZES.index(string))
    check_network(nats_size(choices, IMAGES, 5), IMAGES, 5)


def macro(string, inputs=IMAGES):
    return nb_macro(MACRO.choices_of(MACRO.index(string)), inputs, 5)


@pytest.mark.parametrize("string", ["00000000", "01201201", "22222222"])
def test_networks_of_nas_bench_macro_learn(string):
    check_network(macro(string), IMAGES, 5)


def test_layers_of_nas_bench_macro_cost_what_blocks_cost():
    def size(module):
        return sum(p.numel() for p in module.parameters())

    empty = size(macro("00000000"))
    # 9 + 2 for the stem; 1 x 1 convolutions with BatchNorm; the last one; the classifier.
    convs = sum(i * o + 2 * o for i, o in ((32, 64), (64, 128), (128, 256), (256, 1280)))
    assert empty == 9 * 32 + 2 * 32 + convs + 1281 * 5
    one = size(inverted_residual(128, 128, 5, expand=6))
    assert size(macro("00002000")) == empty + one
    shortcut = 64 * 128 + 2 * 128
    assert size(macro("00100000")) == empty - shortcut + size(inverted_residual(64, 128, expand=3))


@torch.no_grad()
def test_architectures_of_one_class_of_nas_bench_macro_are_one_function():
    assert MACRO.canonical(MACRO.index("00002100")) == MACRO.canonical(MACRO.index("00020100"))
    one, other = macro("00002100"), macro("00020100")
    other.load_state_dict(dict(zip(other.state_dict(), one.state_dict().values(), strict=True)))
    images = torch.randn(2, *IMAGES.shape)
    assert torch.equal(one.eval()(images), other.eval()(images))
