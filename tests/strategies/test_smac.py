"""SMAC3 as a strategy, against SMAC's own loop with the same seed."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import GOAL, play

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Limit, Outcome
from nasbench.space import ChoiceSpace, get, to_configspace
from nasbench.space.configspace import architecture_of
from strategies.smac import Smac, in_order

smac = pytest.importorskip("smac")
pytestmark = pytest.mark.heavy

MINI = get("nb201-mini")
VALUES = MINI.ops(np.arange(MINI.size)) @ np.array([3.0, 2.0, 1.0])
FEW: dict[str, Any] = {"initial": 4, "challengers": 50}


def _seed(seed: int) -> int:
    return int(np.random.default_rng(seed).integers(2**31))


def test_it_asks_what_smac_tries(tmp_path: Path) -> None:
    tried: list[int] = []

    def loss(config: Any, seed: int = 0) -> float:
        tried.append(architecture_of(MINI, config))
        return -float(VALUES[tried[-1]])

    facade = smac.HyperparameterOptimizationFacade
    own = _seed(3)
    scenario = smac.Scenario(
        to_configspace(MINI, own),
        deterministic=True,
        n_trials=11,
        seed=own,
        output_directory=tmp_path,
    )
    facade(
        scenario,
        loss,
        initial_design=facade.get_initial_design(scenario, n_configs=4, max_ratio=1),
        acquisition_maximizer=in_order(facade.get_acquisition_maximizer(scenario, challengers=50)),
        logging_level=False,
        overwrite=True,
    ).optimize()
    assert play(Smac(MINI, GOAL, np.random.default_rng(3), **FEW), VALUES, 11) == tried


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_it_finds_the_best_and_repeats_nothing(seed: int) -> None:
    strategy = Smac(MINI, GOAL, np.random.default_rng(seed), initial=8, challengers=200)
    asked = play(strategy, VALUES, 32)
    assert len(set(asked)) == 32
    assert VALUES[asked].max() == VALUES.max()


def test_rules_hold_and_all_that_can_be_built_is_asked_for_once() -> None:
    space = ChoiceSpace(
        "ruled",
        {"depth": [1, 2], "kernel2": [3, 5], "left": ["a", "b"], "right": ["a", "b"]},
        only_if={"kernel2": {"depth": [2]}},
        alike=[["left", "right"]],
        never=[{"depth": 1, "left": "b"}],
    )
    strategy = Smac(space, GOAL, np.random.default_rng(0), **FEW)
    asked = play(strategy, np.arange(space.size, dtype=float), 50)
    assert sorted(asked) == space.representatives.tolist()
    assert strategy.ask() is None


def test_a_start_comes_first() -> None:
    strategy = Smac(MINI, GOAL, np.random.default_rng(0), warm_start=[7, 3], **FEW)
    asked = play(strategy, VALUES, 12)
    assert asked[:2] == [7, 3]
    assert len(set(asked)) == 12


def test_what_has_no_reward_is_told_as_the_worst_so_far() -> None:
    limited = Goal(GOAL.metric, GOAL.budget, GOAL.recipes, limits=(Limit("ms", at_most=1),))
    strategy = Smac(MINI, limited, np.random.default_rng(0), **FEW)
    queries = [strategy.ask() for _ in range(4)]
    outcomes = [(math.nan, 1.0), (8.0, 1.0), (90.0, 2.0), (9.0, 1.0)]
    for query, (accuracy, ms) in zip(queries, outcomes, strict=True):
        assert query is not None
        strategy.tell(query, Outcome({"valid_accuracy": accuracy, "ms": ms}, 1.0))
    costs = [value.cost for value in strategy._smac.runhistory.values()]
    assert costs == [-8.0, -8.0, -8.0, -9.0]


def test_nothing_is_printed_and_no_file_stays(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    play(Smac(MINI, GOAL, np.random.default_rng(0), **FEW), VALUES, 8)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def asked() -> list[int]:
    """What it asks for."""
    return play(Smac(MINI, GOAL, np.random.default_rng(5), **FEW), VALUES, 9)


@pytest.mark.slow
def test_another_process_asks_the_same() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "1"}  # whatever this process has
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    code = "import test_smac as t; print(t.asked())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{asked()}\n"


@pytest.mark.parametrize("parameters", [{"initial": 0}, {"challengers": "9"}])
def test_bad_parameters_are_one_sentence(parameters: dict[str, Any]) -> None:
    with pytest.raises(NasbenchError, match="integers of 1 or more"):
        Smac(MINI, GOAL, np.random.default_rng(0), **parameters)


@pytest.mark.parametrize("missing", ["smac", "ConfigSpace"])
def test_without_smac_the_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(NasbenchError, match=r"pip install 'nasbench-harness\["):
        Smac(MINI, GOAL, np.random.default_rng(0))
