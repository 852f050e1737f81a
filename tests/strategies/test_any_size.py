"""Searches of a space of 5e33 architectures: NASNet's cells, of which no list can be made."""

from __future__ import annotations

import math

import pytest
from seldom import seldom

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

SLOW = {"gp_bo", "hybrid", "tpe", "optuna_sampler", "smac", "bananas", "predictor_evolution"}
"""Each of their models takes a tenth of a second: a few evaluations behind the random ones."""
THINKING = {"gp_bo", "smac"}
"""They think for seconds."""


@pytest.mark.parametrize("name", seldom(THINKING, searching_names()))
def test_every_strategy_searches_a_space_that_nothing_lists(name: str) -> None:
    assert NASNET.size > 5 * 10**33
    oracle = ToyOracle(NASNET, diverging=0.0 if name in SLOW else 0.05)
    most = 12 if name in SLOW else 200
    goal = Goal("valid_accuracy", Budget(evaluations=most), oracle.fidelities)
    run = search(RunSpec(name, goal, 0, {}), oracle)
    assert len(run.evaluations) == most
    asked = {one.query.architecture for one in run.evaluations}
    assert all(type(a) is int and 0 <= a < NASNET.size for a in asked)
    assert len(asked) > 1
    values = [one.outcome.values["valid_accuracy"] for one in run.evaluations]
    assert sum(map(math.isnan, values)) < most / 4
    assert max(asked) >= 2**63


def test_random_search_without_repeats_needs_no_list() -> None:
    oracle = ToyOracle(NASNET)
    goal = Goal("valid_accuracy", Budget(evaluations=50), oracle.fidelities)
    run = search(RunSpec("random_search", goal, 0, {"repeats": False}), oracle)
    assert len({one.query.architecture for one in run.evaluations}) == 50


@pytest.mark.parametrize("name", ["random_search", "pnas", "predictor_evolution"])
def test_a_search_of_what_rules_leave_ends(name: str) -> None:
    space = ChoiceSpace(
        "few",
        {"depth": [1, 2], "kernel2": [3, 5, 7], "side": [1, 2]},
        only_if={"kernel2": {"depth": [2]}},
        never=[{"depth": 1, "side": 2}],
    )
    oracle = ToyOracle(space)
    goal = Goal("valid_accuracy", Budget(evaluations=50), oracle.fidelities)
    own = {"repeats": False} if name == "random_search" else {}
    run = search(RunSpec(name, goal, 0, own), oracle)
    assert {one.query.architecture for one in run.evaluations} == set(space.representatives)
    assert len(run.evaluations) == space.unique == 7
