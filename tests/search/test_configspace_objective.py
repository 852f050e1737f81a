"""A table as a function of configurations, and the guide that has others' optimisers search it."""

from __future__ import annotations

import importlib.util
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    ConfigSpaceObjective,
    Goal,
    Limit,
    Objective,
    TableOracle,
)

pytest.importorskip("ConfigSpace")

GUIDE = resources.files("nasbench") / "guide" / "others-optimisers.md"
BLOCKS = re.findall(
    r"```python[^\n]*\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL
)
NEEDED = ("dehb", "neps", "carps")


@pytest.fixture(scope="module")
def oracle() -> TableOracle:
    return TableOracle(nb.load("nb201-fashion16"), costs=["flops"])


def _goal(oracle: TableOracle, **more: Any) -> Goal:
    return Goal("valid_accuracy", Budget(evaluations=1), oracle.fidelities, **more)


def test_the_loss_is_what_the_table_says(oracle: TableOracle) -> None:
    objective = ConfigSpaceObjective(oracle, _goal(oracle), seed=2)
    table = oracle.table
    for configuration in objective.configspace.sample_configuration(20):
        architecture = objective.architecture(configuration)
        assert table.space.string(architecture) == "|{}|+|{}|{}|+|{}|{}|{}|".format(
            *(f"{configuration[name]}~{name[0]}" for name in table.space.decisions)
        )
        for epochs, shown in ((None, 10), (3, 3), (2.1, 3), (99, 10)):
            value = table.values("valid_accuracy", architecture, epoch=shown)
            assert objective(configuration, epochs) == -value
        seconds = table.values("train_seconds", architecture)
        assert objective.outcome(configuration).seconds == pytest.approx(seconds)


def test_what_breaks_a_limit_has_the_loss_of_a_failure(oracle: TableOracle) -> None:
    flops = oracle.table.column("flops")
    limits = (Limit("flops", at_most=float(np.median(flops))),)
    for failed, worth in ((None, 0.0), (-5.0, 5.0)):
        goal = _goal(oracle, limits=limits)
        objective = ConfigSpaceObjective(oracle, goal, seed=0, failed_reward=failed)
        for configuration in objective.configspace.sample_configuration(20):
            large = oracle.table.values("flops", objective.architecture(configuration)) > np.median(
                flops
            )
            assert (objective(configuration) == worth) == bool(large)


def test_goals_without_one_loss_are_one_sentence(oracle: TableOracle) -> None:
    with pytest.raises(NasbenchError, match="a goal of one objective"):
        ConfigSpaceObjective(oracle, _goal(oracle, objectives=(Objective("flops"),)))
    loss = Goal("valid_loss", Budget(evaluations=1), oracle.fidelities)
    with pytest.raises(NasbenchError, match="give failed_reward"):
        ConfigSpaceObjective(oracle, loss)


@pytest.mark.heavy
def test_the_optimisers_of_the_guide_search_where_they_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[0], str(GUIDE), "exec"), names)
    # What runs with the extra alone runs with the other pages of the guide.
    others = {
        of: block for of in NEEDED for block in BLOCKS if re.search(rf"(from|import) {of}\b", block)
    }
    for needed in {of for of in others if importlib.util.find_spec(of)}:
        exec(compile(others[needed], str(GUIDE), "exec"), names)
    assert names["loss"] == -names["table"].values("valid_accuracy", names["architecture"])
    assert len(others) == len(NEEDED)
