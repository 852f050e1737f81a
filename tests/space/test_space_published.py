"""Shipped spaces: how many networks they have by hand, and the published ones by name."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import mobile

BLOCK = 3 * 2  # kernels and expansions
MNASNET_STAGE = 4 * 2 * 2  # operations, kernels, squeeze-and-excitation


def layers(counts, least):
    """Layers of a stage, with what goes round them: nothing can go round a single one."""
    return sum(1 if least + more == 1 else 3 for more in range(counts))


NETWORKS = {
    "mobilenetv2": 6 * (4 * BLOCK) ** 6,
    "mbv2-mini": 2 * (3 * 2 * 2) ** 3,
    "proxyless": sum(BLOCK**depth for depth in (1, 2, 3, 4)) ** 5 * BLOCK,
    "mnasnet": math.prod(
        MNASNET_STAGE * channels * layers(counts, least)
        for channels, counts, least in (
            (3, 2, 1),
            (3, 3, 1),
            (3, 3, 2),
            (3, 3, 3),
            (4, 3, 2),
            (4, 3, 2),
            (3, 2, 1),
        )
    ),
    "efficientnet": 8,
    "transformer": 3 * 2 * 3 * 3 * 3 * 2 * 3,
    "mlp": 4 * 5 * 3 * 3 * 2 * 2,
    "policy-mlp": 3 * 5 * 3 * 2 * 2,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_there_are_as_many_networks_as_counted_by_hand(name):
    assert nb.space(name).unique == NETWORKS[name]


def test_spaces_have_the_sizes_that_papers_and_readers_know():
    assert NETWORKS["mbv2-mini"] == 3456
    assert f"{NETWORKS['proxyless']:.1e}" == "5.4e+16"
    assert nb.space("mixed").size == 9604
    sizes = [nb.space(name).size for name in ("transformer", "mlp", "policy-mlp")]
    assert sizes == [972, 720, 180]


@pytest.mark.parametrize("name", mobile.NAMED)
def test_published_networks_are_architectures_known_by_name(name):
    space = nb.space(name)
    for known, choices in mobile.NAMED[name].items():
        architecture = space.parse(known)
        assert space.named[known] == architecture == space.canonical(architecture)
        assert dict(space.choices_of(architecture)) == choices
        assert space.index(space.string(architecture)) == architecture


def test_a_name_of_another_space_is_refused():
    with pytest.raises(NasbenchError, match="not an architecture of mnasnet"):
        nb.space("mnasnet").parse("mobilenetv2")


def test_blocks_past_the_depth_decide_nothing():
    space = nb.space("proxyless")
    for architecture in space.sample(np.random.default_rng(0), 30).tolist():
        choices = space.choices_of(architecture)
        blocks = {name.rpartition(".")[0] for name in choices if ".b" in name}
        assert len(blocks) == 1 + sum(choices[f"s{stage}.depth"] for stage in range(2, 7))
