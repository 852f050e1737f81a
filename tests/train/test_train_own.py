"""Training loops and evaluations of one's own, in a user's file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import nasbench as nb
from nasbench._python_file import function_of
from nasbench.building import build
from nasbench.building.retrain import retrain
from nasbench.building.spec import read_spec
from nasbench.errors import NasbenchError
from nasbench.table import Table
from nasbench.train.engine import pick_engine
from nasbench.train.feed import prepare
from nasbench.train.recipe import Recipe
from nasbench.train.reference import ReferenceTrainer

SPACE = """\
import numpy as np, torch
from torch import nn
from nasbench.space import ChoiceSpace
space = ChoiceSpace("bandit", {"width": [2, 3], "bias": [True, False]})
def build(choices, inputs, outputs):
    first = nn.Linear(inputs.shape[0], choices["width"], bias=choices["bias"])
    return nn.Sequential(first, nn.Tanh(), nn.Linear(choices["width"], outputs))
def train(network, task, recipe, rng):
    for epoch in range(recipe.epochs):
        x = torch.from_numpy(rng.normal(size=(8, 4)).astype("float32"))
        loss = network(x).square().mean() + torch.rand(()) * 0
        loss.backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= recipe.options["rate"] * parameter.grad
                parameter.grad = None
        last = {"test_return": 3.5} if epoch == recipe.epochs - 1 else {}
        yield {"return": -loss, "noise": torch.rand(()).item(), **last}
def evaluate(network, task, rng):
    return {"robustness": float(rng.random())}
"""
RECIPE = """\
space = "bandit.py"
seeds = 2
[task]
source = "none"
name = "arms"
inputs = [4]
outputs = 2
[recipe.r]
epochs = 3
train = "bandit.py:train"
evaluate = "bandit.py:evaluate"
[recipe.r.options]
rate = 0.1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "bandit.py").write_text(SPACE)
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return build(read_spec(folder / "recipe.toml"), folder / "t.h5", processes=1)


def test_a_loop_makes_a_table(table: Table, folder: Path) -> None:
    assert len(table.rows) == 4
    assert table.metrics["r"] == (
        *("return", "noise", "train_seconds", "test_return", "robustness", "evaluation_seconds"),
    )
    assert table.primary() == "return"
    assert table.curves("return").shape == (4, 2, 3)
    assert (table.column("test_return") == 3.5).all()
    assert (np.diff(table.curves("train_seconds"), axis=2) > 0).all()
    said = table.manifest["recipes"]["r"]["trained"]
    assert (said["train"]["file"], said["train"]["function"]) == ("bandit.py", "train")
    assert said["train"]["text"] == SPACE
    assert str(folder) not in json.dumps(table.manifest)


def test_the_same_seed_gives_the_same_bytes(table: Table, folder: Path) -> None:
    torch.manual_seed(99)
    again = build(read_spec(folder / "recipe.toml"), folder / "again.h5", processes=1)
    assert again.manifest["content_sha256"] == table.manifest["content_sha256"]
    seeds = table.curves("noise")
    assert len(np.unique(seeds)) == seeds.size


def test_rows_are_trained_again_by_the_recipe_s_own_loop(table: Table, folder: Path) -> None:
    spec = read_spec(folder / "recipe.toml")
    known = {"task": spec.task, "space": spec.space, "processes": 1}
    assert retrain(table, 2, recipes=spec.recipes, **known).identical == 2
    with pytest.raises(NasbenchError, match=r"train of bandit\.py, and a table runs no code"):
        retrain(table, 2, **known)
    other = folder / "other.py"
    other.write_text(SPACE + "\n")
    changed = function_of("train", f"{other.name}:train", folder)
    unlike = {"r": replace(spec.recipes["r"], train=changed)}
    with pytest.raises(NasbenchError, match="is not what"):
        retrain(table, 2, recipes=unlike, **known)


def test_a_table_is_read_without_the_user_s_file(table: Table, tmp_path: Path) -> None:
    moved = tmp_path / "moved.h5"
    moved.write_bytes(table.path.read_bytes())
    assert Table(moved).top(1)["return"][0] == table.top(1)["return"][0]


def test_a_search_trains_by_the_loop(folder: Path) -> None:
    from nasbench.search import Budget, Fidelity, Goal, RunSpec, search
    from nasbench.search.trainer_oracle import TrainerOracle

    spec = read_spec(folder / "recipe.toml")
    oracle = TrainerOracle(spec.space, spec.task, "r", spec.recipes["r"])
    goal = Goal("return", Budget(3), (Fidelity("r", 3, (3,)),))
    run = search(RunSpec("random_search", goal, 0), oracle)
    assert all(np.isfinite(e.outcome.values["return"]) for e in run.evaluations)


BROKEN = {
    "yield 3": "gave 3 in epoch 1: a mapping of metrics is expected",
    "yield {}": "gave {} in epoch 1",
    "yield None": "gave None in epoch 1: a mapping of metrics is expected",
    "yield {'valid_accuracy': 250}": "valid_accuracy = 250 in epoch 1: accuracies are in percent",
    "yield {'a/b': 1}": "calls a metric 'a/b'",
    "yield {'train_seconds': 1}": "calls a metric 'train_seconds'",
    "yield {'a': 'x'}": "gave a = 'x' in epoch 1: a number is expected",
    "yield {'a': float('inf')}": "gave a = inf",
    "yield {'test_a': 1}": "yielded test_a after epoch 1: the test split stays unseen",
    "yield {'a': 1}": "ended after 1 of 2 epochs",
    "yield {'a': 1}; yield {'b': 1}": "yielded a after some epochs and not after others",
    "yield {'a': 1}; 1 / 0": r"failed in epoch 2: ZeroDivisionError: .* \(line 2 of loop\.py\)",
    "yield {'a': 1}; raise SystemExit(0)": r"failed in epoch 2: SystemExit: 0",
    "return 3": "failed in epoch 1: TypeError",
}


@pytest.mark.parametrize(("body", "said"), BROKEN.items())
def test_what_no_loop_may_do_is_said_in_one_sentence(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "loop.py").write_text(f"def train(network, task, recipe, rng):\n    {body}\n")
    function = function_of("train", "loop.py:train", tmp_path)
    recipe = Recipe(epochs=2, channels=2, cells=1, train=function)
    task, space = nb.task("digits"), nb.space("nb201-mini")
    trainer = ReferenceTrainer("cpu")
    data = prepare(task, recipe, trainer.hardware)
    with pytest.raises(NasbenchError, match=said) as caught:
        list(trainer.epochs(space, 5, task, data, recipe, 0))
    assert "\n" not in str(caught.value)


def test_a_loop_is_the_reference_engine_s(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text("def train(network, task, recipe, rng): yield {}")
    recipe = Recipe(epochs=2, train=function_of("train", "loop.py:train", tmp_path))
    task, space = nb.task("digits"), nb.space("nb201-mini")
    assert pick_engine("auto", "cpu", space, task, [recipe]) == "reference"
    with pytest.raises(NasbenchError, match="the native engine trains without train"):
        pick_engine("native", "cpu", space, task, [recipe])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (3, "names a function, as in"),
        ("loop.py", "names a function, as in"),
        ("loop.py:1", "names a function, as in"),
        ("none.py:train", "cannot read Python file"),
        ("no.such.module:train", "module no.such.module cannot be found"),
        ("nosuchmodule:train", "there is no module nosuchmodule"),
    ],
)
def test_a_function_that_is_not_there_is_refused(tmp_path: Path, text: object, said: str) -> None:
    with pytest.raises(NasbenchError, match=said):
        function_of("train of recipe r", text, tmp_path)


@pytest.mark.parametrize("key", ["train", "evaluate"])
def test_a_build_refuses_an_absent_function_before_it_begins(folder: Path, key: str) -> None:
    recipe = folder / f"absent-{key}.toml"
    recipe.write_text(RECIPE.replace(f"bandit.py:{key}", "bandit.py:absent"))
    with pytest.raises(NasbenchError, match=r"bandit\.py has no function absent"):
        build(read_spec(recipe), folder / "absent.h5", processes=1)
    assert not list(folder.glob("absent.h5*"))


def test_a_loop_of_a_package_is_its_module_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may import its neighbours, which a file that is run by itself cannot."""
    package = tmp_path / "some_loops_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rates.py").write_text("RATE = 2.0")
    (package / "loop.py").write_text(
        "from .rates import RATE\n"
        "def train(network, task, recipe, rng):\n    yield {'a': RATE, 'test_a': 1}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    function = function_of("train", "some_loops_package.loop:train", tmp_path)
    recipe = Recipe(epochs=1, channels=2, cells=1, train=function)
    trainer = ReferenceTrainer("cpu")
    [record] = trainer.train(nb.space("nb201-mini"), [5], nb.task("digits"), recipe, [0])
    assert record.curves["a"].tolist() == [2.0]
