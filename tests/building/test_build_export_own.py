"""A network that one's own loop trained goes into the file with its weights, and what it showed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import nasbench as nb
from nasbench._quiet import import_onnxruntime
from nasbench.building.chosen import choose_in_recipe
from nasbench.building.exporting import export
from nasbench.building.spec import read_spec
from nasbench.errors import NasbenchError
from nasbench.network import started
from nasbench.train.own import own_training

SPACE = """\
import copy, torch
from torch import nn
from nasbench.space import ChoiceSpace
space = ChoiceSpace("bandit", {"width": [2, 3]})
def build(choices, inputs, outputs):
    return nn.Sequential(nn.Linear(*inputs.shape, choices["width"]), nn.Tanh(),
                         nn.Linear(choices["width"], outputs))
def train(network, task, recipe, rng):
    network = copy.deepcopy(network) if recipe.options.get("copy") else network
    for epoch in range(recipe.epochs):
        x = torch.from_numpy(rng.normal(size=(8, 4)).astype("float32"))
        loss = network(x).square().mean()
        loss.backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= recipe.options["rate"] * parameter.grad
                parameter.grad = None
        last = {"test_return": 3.5} if epoch == recipe.epochs - 1 else {}
        yield {"return": -loss, "odd": float("nan"), **last}
"""
RECIPE = """\
space = "bandit.py"
seeds = 1
[task]
source = "none"
name = "arms"
inputs = [4]
outputs = 2
[recipe.r]
epochs = 2
train = "bandit.py:train"
[recipe.r.options]
rate = 0.5
"""


def spec_in(folder: Path, recipe: str = RECIPE):
    (folder / "bandit.py").write_text(SPACE, encoding="utf-8")
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    return read_spec(folder / "recipe.toml")


def test_the_file_answers_as_the_network_that_the_loop_trained(tmp_path):
    spec = spec_in(tmp_path)
    recipe, file = spec.recipes["r"], tmp_path / "n.onnx"
    made = export(choose_in_recipe(spec, 1, seed=5, hardware="cpu"), file, train=True)
    net = started(spec.space, 1, spec.task, recipe, 5)
    *_, last = own_training(net, 1, spec.task, recipe, 5)
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    session = import_onnxruntime().InferenceSession(file, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = net.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(["logits"], {"images": x})[0], wanted, atol=1e-6)
    assert made.shown["return"] == last.metrics["return"]
    assert made.shown["test_return"] == 3.5
    assert (made.test, made.valid, made.trained) == (None, None, True)
    said = made.describe()
    assert (said["trained"], said["test"], said["metrics"]["odd"]) == (True, None, None)
    about = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert float(about["return"]) == pytest.approx(last.metrics["return"], rel=1e-5)
    assert "as train of bandit.py prepares it; nothing is standardised" in about["input"]
    assert "classes" not in about


def test_a_loop_that_trains_a_copy_is_refused(tmp_path):
    chosen = choose_in_recipe(spec_in(tmp_path, RECIPE + "copy = true\n"), 1, hardware="cpu")
    with pytest.raises(NasbenchError, match=r"train of bandit\.py left all weights"):
        export(chosen, tmp_path / "n.onnx", train=True)
    assert not (tmp_path / "n.onnx").exists()


def test_a_table_alone_says_what_an_untrained_policy_is(tmp_path: Path) -> None:
    alone, by_recipe = tmp_path / "alone.onnx", tmp_path / "recipe.onnx"
    nb.export("policy-cartpole", 7, alone, progress=False)
    nb.export(None, 7, by_recipe, recipe="policy-cartpole", progress=False)
    assert alone.read_bytes() == by_recipe.read_bytes()
    with pytest.raises(NasbenchError, match=r"calls train of ppo\.py, and a table runs no code"):
        nb.export("policy-cartpole", 7, alone, train=True, progress=False)
