"""Every strategy on a space that nobody can list: 5e33 pairs of cells, as NASNet has them."""

from __future__ import annotations

import pytest

from nasbench.search import Budget, Goal, RunSpec, search
from nasbench.search.catalog import searching_names
from nasbench.search.testing import ToyOracle
from nasbench.space import ChoiceSpace

pytestmark = pytest.mark.heavy

NASNET = ChoiceSpace(
    "nasnet",
    {
        f"{cell}{node}.{name}": range(count)
        for cell in ("normal", "reduce")
        for node in range(5)
        for name, count in (("in1", node + 2), ("op1", 13), ("in2", node + 2), ("op2", 13))
    },
)
EVALUATIONS = {"gp_bo": 11, "hybrid": 12}
"""Of those that think longest: one model is fitted at least."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name == "smac"))  # it thinks for seconds
        for name in searching_names()
    ],
)
def test_every_strategy_searches_a_space_of_5e33(name: str) -> None:
    assert NASNET.size > 5 * 10**33
    oracle = ToyOracle(NASNET)
    budget = Budget(evaluations=EVALUATIONS.get(name, 20))
    goal = Goal("valid_accuracy", budget, oracle.fidelities)
    run = search(RunSpec(name, goal, 7), oracle)
    asked = {evaluation.query.architecture for evaluation in run.evaluations}
    assert len(run.evaluations) == budget.evaluations
    assert all(type(a) is int and 0 <= a < NASNET.size for a in asked)
    assert len(asked) > 1
