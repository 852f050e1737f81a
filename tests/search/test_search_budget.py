"""Budgets in epochs, and what a budget means to strategies of several kinds."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from made_up import EPOCHS, MadeUpOracle, Scripted, whole

import nasbench as nb
from nasbench.errors import BadValue
from nasbench.search import (
    Budget,
    Evaluation,
    Goal,
    Objective,
    Query,
    RunSpec,
    search,
    strategy_info,
)
from nasbench.search.catalog import cautions, searching_names
from nasbench.search.testing import ToyOracle
from nasbench.table import Table


def scripted(queries: list[Query], budget: Budget, **given: Any) -> tuple[list[Evaluation], str]:
    oracle = MadeUpOracle()
    goal = Goal("valid_accuracy", budget, oracle.fidelities)
    spec = RunSpec("random_search", goal, 0, **given)
    run = search(spec, oracle, strategy=Scripted(queries))  # type: ignore[arg-type]
    return run.evaluations, run.ended


def part(architecture: int, epochs: int, resume: bool = False) -> Query:
    return Query(architecture, "r", epochs, resume)


def trained(evaluations: list[Evaluation], free: bool = False) -> list[int]:
    """Epochs of each evaluation, by the queries alone."""
    stands: defaultdict[int, int] = defaultdict(int)
    farthest: defaultdict[int, int] = defaultdict(int)
    found = []
    for architecture, _, epochs, resume in (e.query for e in evaluations):
        if free and farthest[architecture] >= epochs:
            found.append(0)
            continue
        goes_on = resume and stands[architecture] <= epochs
        found.append(epochs - stands[architecture] if goes_on else epochs)
        stands[architecture] = epochs
        farthest[architecture] = max(farthest[architecture], epochs)
    return found


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        ([whole(n) for n in range(9)], [EPOCHS] * 3),
        ([part(n, 1) for n in range(20)], [1] * 12),
        # What goes on pays the difference, what starts anew pays it all.
        ([part(1, 1), part(1, 3, True), part(1, 4), part(2, 4), part(3, 1)], [1, 2, 4, 4, 1]),
        ([part(1, 3), part(1, 2, True), part(1, 2, True), whole(2), whole(3)], [3, 2, 0, 4]),
        # What does not fit is not begun.
        ([whole(1), whole(2), part(3, 3), part(4, 2), part(4, 1)], [4, 4, 3]),
    ],
)
def test_a_budget_in_epochs_pays_what_is_trained(queries: list[Query], expected: list[int]) -> None:
    done, ended = scripted(queries, Budget(epochs=12))
    assert [e.trained for e in done] == trained(done) == expected
    assert ended == "epochs"


def test_the_first_bound_ends_a_search() -> None:
    queries = [whole(n) for n in range(9)]
    for budget, n, why in (
        (Budget(evaluations=2, epochs=40), 2, "evaluations"),
        (Budget(evaluations=5, epochs=16), 4, "epochs"),
        (Budget(seconds=9.0, epochs=40), 2, "seconds"),
    ):
        done, ended = scripted(queries, budget)
        assert (len(done), ended) == (n, why)


def test_free_repeats_train_nothing() -> None:
    queries = [whole(1), whole(1), part(1, 2), whole(2), whole(3), whole(4)]
    done, _ = scripted(queries, Budget(epochs=12), repeats="free")
    assert [e.trained for e in done] == trained(done, free=True) == [4, 0, 0, 4, 4]


@pytest.mark.parametrize("bad", [0, -3])
def test_a_budget_is_more_than_nothing(bad: int) -> None:
    with pytest.raises(BadValue, match="a budget in epochs must be more than 0"):
        Budget(epochs=bad)


@pytest.mark.parametrize("name", searching_names())
def test_every_strategy_keeps_the_budget_and_says_whether_it_trains_in_parts(name: str) -> None:
    oracle = ToyOracle(nb.space("nb201-mini"))
    most = oracle.fidelities[0].epochs
    goal = Goal("valid_accuracy", Budget(epochs=8 * most), oracle.fidelities)
    done = search(RunSpec(name, goal, 1), oracle).evaluations
    assert 7 * most < sum(trained(done)) <= 8 * most
    assert any(e.query.epochs < most for e in done) == strategy_info(name).multi_fidelity


# In comparisons.


def test_a_comparison_over_epochs(made_up_table: Table, caplog: pytest.LogCaptureFixture) -> None:
    names = ["random_search", "hyperband"]
    found = nb.compare(
        names, made_up_table, budget_epochs=24, seeds=range(3), search_recipe="short"
    )
    assert caplog.messages == []
    summary = found.summary()
    assert summary["budget_epochs"] == 24
    assert list(found.curves) == ["seconds", "epochs"]
    curves = found.curves["epochs"]
    assert curves.grid[-1] == 24
    worth = made_up_table.column("valid_accuracy", recipe="short")
    for name in names:
        ends = found.finals(name)["epochs"]
        assert summary["strategies"][name]["epochs"]["mean"] == pytest.approx(ends.mean())
        for seed, trace in enumerate(found.traces[name]):
            reached = np.cumsum(trace.trained)
            assert ends[seed] == reached[-1] <= 24
            incumbents = made_up_table.row_of[trace.incumbents()]
            for at, regret in zip(curves.grid, curves.regret[name][seed], strict=True):
                before = reached <= at
                expected = worth.max() - worth[incumbents[before][-1]] if before.any() else np.nan
                assert regret == pytest.approx(expected, nan_ok=True)


def test_a_budget_of_evaluations_beside_parts_of_trainings_is_said_once(
    made_up_table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["random_search", "hyperband", "asha"]
    given: dict[str, Any] = {"seeds": [0], "search_recipe": "short"}
    with caplog.at_level(logging.WARNING):
        found = nb.compare(names, made_up_table, budget_evaluations=6, **given)
    (said,) = caplog.messages
    assert said.startswith("each part of a training counts as an evaluation, and hyperband, asha")
    assert found.summary()["remarks"] == [said]
    caplog.clear()
    nb.compare(["random_search"], made_up_table, budget_evaluations=6, **given)
    nb.compare(names, made_up_table, budget_evaluations=6, budget_seconds=9.0, **given)
    assert caplog.messages == []


def test_strategies_of_one_objective_are_named() -> None:
    goal = Goal("valid_accuracy", Budget(5), (), objectives=(Objective("flops"),))
    assert cautions(["nsga2", "mo_rea", "optuna_sampler"], goal) == ()
    (said,) = cautions(["nsga2", "local_search"], goal)
    assert said.startswith("only the best valid_accuracy is searched for by local_search")


def test_what_a_strategy_takes_can_be_read() -> None:
    info = strategy_info("regularized_evolution")
    assert info.summary == "Aging evolution, algorithm 1 of Real et al."
    assert info.parameters == {"population_size": 10, "sample_size": 3}
