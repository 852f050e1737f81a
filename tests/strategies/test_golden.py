"""A golden file pins the seeded trajectory of each strategy.

Where a trajectory changes on purpose, `python tests/strategies/test_golden.py` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nasbench.search import Budget, Goal, RunSpec, search, strategy_names
from nasbench.search.testing import ToyOracle
from nasbench.space import get

GOLDEN = Path(__file__).with_name("golden.json")
SHIPPED = (
    "asha",
    "bananas",
    "bohb",
    "curve_stopping",
    "dehb",
    "genetic_algorithm",
    "gp_bo",
    "hybrid",
    "hyperband",
    "local_search",
    "meta_qnn",
    "mo_rea",
    "nsga2",
    "optuna_sampler",
    "pnas",
    "ppo_controller",
    "predictor_evolution",
    "random_search",
    "regularized_evolution",
    "reinforce",
    "rnn_reinforce",
    "smac",
    "successive_halving",
    "tpe",
)
EVALUATIONS = {"gp_bo": 16, "smac": 14}
"""Instead of 30, where an ask takes long: `gp_bo` draws 10, then fits a process at each ask.

Its asks come out of L-BFGS, yet are the same from SSE4.2 to AVX-512 and on one thread or two.
"""


def trajectory(strategy: str, space: str, workers: int) -> list[int]:
    """The architectures that a run with seed 11 asks for."""
    oracle = ToyOracle(get(space), diverging=0.1)
    goal = Goal(
        "valid_accuracy", Budget(evaluations=EVALUATIONS.get(strategy, 30)), oracle.fidelities
    )
    search(RunSpec(strategy, goal, seed=11, workers=workers), oracle)
    return [query.architecture for query in oracle.asked]


def trajectories(strategy: str) -> dict[str, list[int]]:
    """By space and number of workers."""
    return {
        f"{space}, {workers} workers": trajectory(strategy, space, workers)
        for space in ("nb201", "nb201-mini")
        for workers in (1, 4)
    }


@pytest.mark.parametrize("strategy", SHIPPED)
def test_trajectory_is_the_golden_one(strategy: str) -> None:
    assert set(SHIPPED) <= set(strategy_names())
    assert trajectories(strategy) == json.loads(GOLDEN.read_text())[strategy]


if __name__ == "__main__":
    found = {strategy: trajectories(strategy) for strategy in SHIPPED}
    lines = json.dumps(found, indent=1).replace(",\n   ", ", ").replace("[\n   ", "[")
    GOLDEN.write_text(lines.replace("\n  ]", "]") + "\n")
