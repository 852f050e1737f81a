"""Families: functions that keep the protocol, their sizes, and what a training starts from."""

from __future__ import annotations

import copy
import re
import sys

import numpy as np
import pytest
import torch
from torch import nn

import nasbench as nb
from nasbench.errors import BadValue, NasbenchError, UnknownName, Unsupported
from nasbench.network import Family, FunctionFamily, family_of, making, started
from nasbench.network.family import check_sizes
from nasbench.network.making import sizes_of
from nasbench.space import ChoiceSpace

SPACE = ChoiceSpace("rows", {"layers": [1, 2], "act": ["relu", "gelu"]})


def build(choices, inputs, outputs, *, width=4, drop=0.5, act="relu", bias=True):
    layers = [nn.Flatten(), nn.Linear(int(np.prod(inputs.shape)), width, bias=bias)]
    layers += [nn.Dropout(drop), nn.Linear(width, outputs)]
    return nn.Sequential(*layers)


@pytest.fixture
def rows(monkeypatch):
    """A family for `SPACE`."""
    family = FunctionFamily("rows", build)
    monkeypatch.setattr(making, "family_of", lambda space: family)
    return family


def test_cells_are_a_family_like_others(nb201):
    family = family_of(nb201)
    assert isinstance(family, Family)
    assert (family.name, family.describe()) == ("cell", {"name": "cell"})
    assert isinstance(FunctionFamily("rows", build), Family)


def test_a_space_without_networks_is_refused_in_one_sentence():
    with pytest.raises(Unsupported, match=r"no network is known .* import csv"):
        family_of(SPACE)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda choices, inputs: None, "and not build"),
        (lambda *choices: None, "and not build"),
        (lambda choices, inputs, outputs, **sizes: None, "and not build"),
        (lambda choices, inputs, outputs, *, width: None, "has no default"),
        (lambda choices, inputs, outputs, *, width=(1, 2): None, r"has default \(1, 2\)"),
        (3, "is a int, no function"),
    ],
)
def test_a_function_that_no_family_can_be_is_refused(function, why):
    with pytest.raises(Unsupported, match=why):
        FunctionFamily("mine", function)


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"widht": 3}, UnknownName, "did you mean width"),
        ({"width": 3.5}, BadValue, "a whole number, as in 4, got 3.5"),
        ({"width": True}, BadValue, "a whole number"),
        ({"width": 10**7}, BadValue, "0 to 1,000,000"),
        ({"width": -1}, BadValue, "0 to 1,000,000"),
        ({"drop": float("nan")}, BadValue, "0 to 1,000,000"),
        ({"drop": 10**400}, BadValue, "a number"),
        ({"act": "a\nb"}, BadValue, "printable"),
        ({"bias": 1}, BadValue, "true or false"),
    ],
)
def test_sizes_are_checked_against_the_familys(given, error, why):
    with pytest.raises(error, match=why):
        check_sizes(FunctionFamily("rows", build), given)


def test_a_whole_number_is_a_number():
    sizes = check_sizes(FunctionFamily("rows", build), {"drop": 1})
    assert sizes == {"width": 4, "drop": 1.0, "act": "relu", "bias": True}
    assert type(sizes["drop"]) is float


def test_sizes_of_cells_stand_in_the_recipe_or_in_its_network(nb201):
    family = family_of(nb201)
    assert sizes_of(family, nb.Recipe(epochs=1, channels=4)) == {"channels": 4, "cells": 5}
    assert sizes_of(family, nb.Recipe(epochs=1, network={"cells": 1}))["cells"] == 1
    with pytest.raises(BadValue, match="channels = 4 is a size of cells"):
        sizes_of(FunctionFamily("rows", build), nb.Recipe(epochs=1, channels=4))


def test_a_network_is_built_with_its_sizes_and_leaves_the_global_generator(rows, digits):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    net = nb.network(SPACE, 1, digits, nb.Recipe(epochs=1, network={"width": 9}))
    assert net[1].out_features == 9
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert torch.equal(net[1].weight, build({}, digits.signal, 10, width=9)[1].weight)


def test_a_training_starts_from_seed_and_architecture_alone(rows, digits):
    def start(architecture, seed):
        torch.manual_seed(int(np.random.default_rng().integers(2**31)))
        before = torch.get_rng_state()
        net = started(SPACE, architecture, digits, {}, seed)
        assert torch.equal(torch.get_rng_state(), before)
        return net[1].weight.detach().numpy().tobytes()

    weights = {key: start(*key) for key in ((0, 0), (0, 1), (1, 0))}
    assert len(set(weights.values())) == 3
    assert all(start(*key) == found for key, found in weights.items())


def test_lazy_modules_learn_their_shapes_where_a_network_is_built(rows, digits, monkeypatch):
    def lazy(*given, **sizes):
        return nn.Sequential(nn.Flatten(), nn.LazyBatchNorm1d(), nn.LazyLinear(10))

    monkeypatch.setattr(rows, "_build", lazy)
    net, again, other = (started(SPACE, 1, digits, {}, seed) for seed in (3, 3, 4))
    assert net.training
    assert net[2].weight.shape == (10, 64)
    assert torch.equal(net[2].weight, again[2].weight)
    assert not torch.equal(net[2].weight, other[2].weight)
    assert net[1].num_batches_tracked == 0


@pytest.mark.parametrize("part", ["shared", "copied", "frozen"])
def test_weights_that_two_trainings_would_share_are_refused(rows, digits, monkeypatch, part):
    outside = nn.Linear(64, 8).requires_grad_(part != "frozen")

    def reused(*given, **sizes):
        body = copy.deepcopy(outside) if part == "copied" else outside
        return nn.Sequential(nn.Flatten(), body, nn.Linear(8, 10))

    monkeypatch.setattr(rows, "_build", reused)
    nb.network(SPACE, 0, digits, {})
    if part == "shared":
        with pytest.raises(Unsupported, match="has weights of one that was built before"):
            nb.network(SPACE, 1, digits, {})
    else:
        nb.network(SPACE, 1, digits, {})


def test_what_a_function_does_wrong_is_told_with_its_place(rows, digits, monkeypatch):
    monkeypatch.setattr(rows, "_build", lambda *given, **sizes: 1 / 0)
    told = (
        r"building 1:gelu of rows failed: ZeroDivisionError: division by zero \(line \d+ of test_"
    )
    with pytest.raises(NasbenchError, match=told):
        nb.network(SPACE, 1, digits, {})
    monkeypatch.setattr(rows, "_build", lambda *given, **sizes: sys.exit(4))
    with pytest.raises(NasbenchError, match="SystemExit: 4"):
        nb.network(SPACE, 1, digits, {})
    monkeypatch.setattr(rows, "_build", lambda *given, **sizes: [1])
    with pytest.raises(Unsupported, match="returned a list"):
        nb.network(SPACE, 1, digits, {})


def test_what_goes_in_must_be_what_the_family_takes(rows, digits):
    rows.signals = frozenset({"tokens"})
    with pytest.raises(Unsupported, match=re.escape("take tokens, and the task has images 1 x")):
        nb.network(SPACE, 1, digits, {})
