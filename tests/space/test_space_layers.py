"""The sizes of NATS-Bench and the blocks of NAS-Bench-Macro, against what was published."""

from __future__ import annotations

import bz2
import itertools
import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np

from nasbench.space import ChoiceSpace, get


def test_nats_size_is_numbered_as_the_release(published_data: Path) -> None:
    meta = published_data / "natsbench_sample" / "NATS-sss-v1_0-50262-simple" / "meta.pickle.pbz2"
    with bz2.open(meta) as file:
        published = pickle.load(file)["meta_archs"]
    space = get("nats-size")
    assert [space.string(architecture) for architecture in range(space.size)] == published
    assert [space.index(string) for string in published] == list(range(32_768))


def test_nats_size_is_the_product_of_its_widths() -> None:
    space = get("nats-size")
    assert (space.size, space.unique, space.choices) == (32_768, 32_768, (8,) * 5)
    assert space.ops(space.index("64:8:16:24:32")).tolist() == [7, 0, 1, 2, 3]
    assert space.string(0) == "8:8:8:8:8"
    assert space.string(32_767) == "64:64:64:64:64"


def run(ops: str) -> tuple[float, ...]:
    """What a stand-in for the network computes: layers of the release's code, left to right.

    A layer is a random map in the place of its kernels; the weights of a stage go to its
    layers in turn, and identities past a stage's first layer do nothing and take none.
    """
    value = np.array([0.3, -0.7, 0.2])
    layers = iter(ops)
    for stage, length in enumerate((2, 3, 3)):
        taken = 0
        for place in range(length):
            op = int(next(layers))
            if place == 0:
                value = np.tanh(WEIGHTS[stage, 0, op] @ value)
            elif op:
                taken += 1
                value = value + np.tanh(WEIGHTS[stage, taken, op] @ value)
    return tuple(value.round(9).tolist())


WEIGHTS = np.random.default_rng(0).normal(size=(3, 3, 3, 3, 3))


def test_nb_macro_s_classes_are_the_networks_that_compute_the_same() -> None:
    space = get("nb-macro")
    strings = ["".join(ops) for ops in itertools.product("012", repeat=8)]
    assert [space.string(architecture) for architecture in range(space.size)] == strings
    groups: dict[tuple[float, ...], set[int]] = defaultdict(set)
    for architecture, string in enumerate(strings):
        groups[run(string)].add(architecture)
    # What the layers past a stage's first keep: up to n blocks, in order, of two kinds.
    kept = {n: sum(2**k for k in range(n + 1)) for n in (1, 2)}
    assert len(groups) == 3 * kept[1] * (3 * kept[2]) ** 2 == 3_969 == space.unique
    for members in groups.values():
        assert len({int(space.classes[member]) for member in members}) == 1


def test_nb_macro_s_networks_are_those_that_the_release_trained() -> None:
    space = get("nb-macro")
    assert isinstance(space, ChoiceSpace)
    for given, trained in {
        "01201201": "01210210",  # stages 01, 201, 201
        "00000000": "00000000",
        "10101101": "10110110",
        "02002002": "02020020",
    }.items():
        assert space.string(space.canonical(space.index(given))) == trained
