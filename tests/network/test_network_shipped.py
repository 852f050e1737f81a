"""What holds for every family that ships, with every signal that it takes."""

from __future__ import annotations

import io
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seldom import seldom
from shipped import FEATURES, IMAGES, MELS, TOKENS, batch, check_network

import nasbench as nb
from nasbench.network import family_of, names, started
from nasbench.network.testing import check_family
from nasbench.space import CellSpace

pytestmark = pytest.mark.heavy

SIGNALS = {"image": IMAGES, "audio": MELS, "tokens": TOKENS, "features": FEATURES}
FAMILIES = [name for name in names() if not isinstance(nb.space(name), CellSpace)]
TAKEN = [(name, kind) for name in FAMILIES for kind in sorted(family_of(nb.space(name)).signals)]
TAKEN += [("nb201-mini", "audio")]
LARGE = {"darts", "efficientnet", "mnasnet", "proxyless"}
"""Exported by the slow tests: of each kind of layer another family stays."""
SMALL = {"darts": {"channels": 4, "cells": 3}}


def drawn(space):
    """An architecture at random; the smallest where they differ in size alone."""
    if space.name == "efficientnet":
        return 0
    return space.canonical(space.sample(np.random.default_rng(3)))


def begun(name, kind, architecture, seed=0):
    task = SimpleNamespace(signal=SIGNALS[kind], outputs=5)
    return started(name, architecture, task, SMALL.get(name, {}), seed)


def test_every_family_that_should_ship_does():
    assert set(FAMILIES) >= {
        *("nats-size", "nb-macro", "darts", "darts-mini", "mixed"),
        *("mobilenetv2", "mbv2-mini", "proxyless", "mnasnet", "efficientnet"),
        *("transformer", "mlp", "policy-mlp"),
    }


@pytest.mark.parametrize(("name", "kind"), TAKEN)
def test_networks_learn_and_start_from_their_seed_alone(name, kind):
    architecture = drawn(nb.space(name))
    network = begun(name, kind, architecture)
    torch.rand(1)  # what anybody draws from PyTorch's generator is without effect
    again, other = begun(name, kind, architecture), begun(name, kind, architecture, seed=1)
    weights = [torch.cat([p.flatten() for p in one.parameters()]) for one in (network, again)]
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], torch.cat([p.flatten() for p in other.parameters()]))
    check_network(network, SIGNALS[kind], 5)


@pytest.mark.parametrize("name", seldom(LARGE, FAMILIES))
def test_an_exported_network_is_the_network(name):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    kind = min(family_of(nb.space(name)).signals)
    network = begun(name, kind, drawn(nb.space(name)))
    examples = batch(SIGNALS[kind])
    with torch.no_grad():
        network(examples)  # moves what BatchNorm has seen
        expected = network.eval()(examples)
    expected = expected[0] if isinstance(expected, tuple) else expected
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch, about its own exporters
        axes = {"x": {0: "n"}}
        torch.onnx.export(
            network, (examples[:2],), file, dynamo=False, input_names=["x"], dynamic_axes=axes
        )
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": examples.numpy()})[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_is_traced_to_itself(name):
    kind = max(family_of(nb.space(name)).signals)
    network = begun(name, kind, drawn(nb.space(name))).eval()
    with torch.no_grad():
        expected = network(batch(SIGNALS[kind]))
        found = torch.fx.symbolic_trace(network)(batch(SIGNALS[kind]))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["mlp", "policy-mlp"])
def test_every_decision_changes_a_network_and_every_parameter_takes_part(name):
    assert check_family(nb.space(name)).findings == ()
