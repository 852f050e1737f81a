"""Searches of a table that has a part of its space: among the rows that there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.report.again import compare_command
from nasbench.search import Budget, Fidelity, Goal, Query, RunSpec, TableOracle, search
from nasbench.search.among import among
from nasbench.search.testing import ToyOracle
from nasbench.space import ChoiceSpace, get
from nasbench.table import Dataset, Table, write_table

ROWS = np.r_[0:40:3, 60, 61, 100:125]
MINI = get("nb201-mini")


def made(path: Path, rows: NDArray[np.int64], *, seconds: bool = True) -> Table:
    accuracy = (rows * 37 % 125) / 2 + 20
    curves = {"valid_accuracy": accuracy, "test_accuracy": accuracy - 1}
    if seconds:
        curves["train_seconds"] = np.full(len(rows), 10.0)
    return write_table(
        path,
        name=path.stem,
        space=MINI,
        rows=rows,
        sharing="none",
        recipes={"r": {"epochs": 2, "seeds": [0]}},
        datasets={
            f"recipe/r/{name}": Dataset(values[:, None, None], {"kind": "imported", "epochs": [2]})
            for name, values in curves.items()
        },
    )


def spec_of(strategy: str, evaluations: int, *, seed: int = 0, among_rows: bool = True) -> RunSpec:
    goal = Goal("valid_accuracy", Budget(evaluations), (Fidelity("r", 2, (2,)),))
    return RunSpec(strategy, goal, seed, among_rows=among_rows)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return made(tmp_path_factory.mktemp("part") / "part.h5", ROWS)


@pytest.mark.parametrize(
    "strategy",
    [
        "random_search",
        "local_search",
        "regularized_evolution",
        "reinforce",
        "dehb",
        "genetic_algorithm",
        "hyperband",
    ],
)
def test_every_evaluation_is_of_a_row_and_paid(part: Table, strategy: str) -> None:
    spec = spec_of(strategy, 30, seed=3)
    run = search(spec, TableOracle(part))
    asked = [e.query.architecture for e in run.evaluations]
    assert set(asked) <= set(ROWS.tolist())
    assert len(run.evaluations) == 30
    assert all(e.outcome.seconds == 10 for e in run.evaluations)
    assert run.evaluations[-1].finished == 300


def test_a_comparison_has_the_best_row_for_its_optimum(part: Table, tmp_path: Path) -> None:
    protocol: dict[str, Any] = {"budget_evaluations": 60, "seeds": range(2)}
    with pytest.raises(NasbenchError, match=r"has 41 of the 125 .* --among-rows"):
        nb.compare(["local_search"], part, **protocol)
    result = nb.compare(["local_search"], part, among_rows=True, out=tmp_path, **protocol)
    best = part.top(1, "valid_accuracy")["valid_accuracy"][0]
    found = result.summary()["strategies"]["local_search"]
    assert found["regret"]["mean"] == 0
    assert found["valid_accuracy"]["mean"] == best
    # The same folder goes on: what runs are of is in their header.
    again = nb.compare(["local_search"], part, among_rows=True, out=tmp_path, **protocol)
    assert again.summary() == result.summary()


def test_of_a_whole_table_nothing_changes(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole.h5", np.arange(MINI.size))
    spec = spec_of("regularized_evolution", 40, seed=1, among_rows=False)
    runs = [search(of, TableOracle(whole)) for of in (spec, replace(spec, among_rows=True))]
    asked = [[e.query.architecture for e in run.evaluations] for run in runs]
    assert asked[0] == asked[1]
    assert "among_rows" not in spec.describe(TableOracle(whole))


def test_beside_a_part_a_whole_table_is_searched_as_ever(part: Table, tmp_path: Path) -> None:
    whole = made(tmp_path / "whole.h5", np.arange(MINI.size))
    protocol: dict[str, Any] = {"budget_evaluations": 9, "seeds": range(2)}
    alone = nb.compare(["local_search"], whole, out=tmp_path / "both/tables/whole", **protocol)
    kept = tmp_path / "both/tables/whole/runs/local_search.jsonl"
    before = kept.read_bytes()
    both = nb.compare(
        ["local_search"], [whole, part], among_rows=True, out=tmp_path / "both", **protocol
    )
    assert both.tables["whole"].summary() == alone.summary()
    assert kept.read_bytes() == before  # the same runs: they go on
    assert "--among-rows" in compare_command(both)
    assert "--among-rows" not in compare_command(both.tables["whole"])


def test_what_has_no_rows_is_refused(part: Table) -> None:
    spec = spec_of("random_search", 3, seed=0)
    with pytest.raises(NasbenchError, match="is one on a table"):
        search(spec, ToyOracle(MINI))
    with pytest.raises(NasbenchError, match="architecture 1, of which there is no row"):
        search(replace(spec, start=(1,)), TableOracle(part))
    for architecture in (-1, 125):
        with pytest.raises(NasbenchError, match="architectures 0 to 124"):
            TableOracle(part).evaluate(Query(architecture, "r", 2))


def test_moves_stay_among_the_architectures_and_reach_them_all() -> None:
    kept = np.zeros(MINI.size, dtype=np.bool_)
    kept[ROWS] = True
    view = among(MINI, ROWS)
    rng = np.random.default_rng(0)
    assert {view.sample(rng) for _ in range(2000)} == set(ROWS.tolist())
    assert kept[view.sample(rng, 50)].all()
    for architecture in ROWS.tolist():
        near = set(view.neighbors(architecture).tolist())
        assert near == set(MINI.neighbors(architecture).tolist()) & set(ROWS.tolist())
        changed = {view.mutate(architecture, rng) for _ in range(5)}
        assert changed <= (near or set(ROWS.tolist()))
        assert kept[view.crossover(architecture, 100, rng)]
    alone = np.asarray([0, 124])
    assert {among(MINI, alone).mutate(0, rng) for _ in range(40)} == {0, 124}


def test_a_search_ends_where_nothing_is_left(part: Table) -> None:
    spec = spec_of("local_search", 1000, seed=0)
    run = search(spec, TableOracle(part))
    assert len({e.query.architecture for e in run.evaluations}) <= len(ROWS)


def test_a_budget_in_seconds_needs_training_times(tmp_path: Path) -> None:
    table = made(tmp_path / "t.h5", np.arange(MINI.size), seconds=False)
    with pytest.raises(NasbenchError, match=r"no training times: .*--budget-evaluations"):
        nb.compare(["random_search"], table, budget_seconds=100, seeds=range(2))


FORBIDDING = ChoiceSpace(
    "forbidding",
    {"a": [1, 2, 3], "b": [1, 2, 3], "c": [1, 2, 3]},
    never=[{"a": 1, "b": 2}, {"b": 3, "c": 3}],
)


@pytest.mark.parametrize(
    "strategy",
    ["random_search", "reinforce", "genetic_algorithm", "dehb", "nsga2", "meta_qnn", "hyperband"],
)
def test_what_rules_forbid_is_never_trained(strategy: str) -> None:
    oracle = ToyOracle(FORBIDDING)
    fidelity = oracle.fidelities[0]
    goal = Goal("valid_accuracy", Budget(40), (fidelity,))
    run = search(RunSpec(strategy, goal, 1), oracle)
    asked = [e.query.architecture for e in run.evaluations]
    assert len(asked) > 10
    assert FORBIDDING.allowed(asked).all()


def test_a_table_of_all_that_can_be_built_is_whole(tmp_path: Path) -> None:
    rows = FORBIDDING.representatives
    about = {"kind": "imported", "epochs": [2]}
    values = np.linspace(1, 90, len(rows))[:, None, None]
    table = write_table(
        tmp_path / "whole.h5",
        name="whole",
        space=FORBIDDING,
        rows=rows,
        sharing="canonical",
        recipes={"r": {"epochs": 2, "seeds": [0]}},
        datasets={"recipe/r/valid_accuracy": Dataset(values, about)},
    )
    run = search(spec_of("reinforce", 12, among_rows=False), TableOracle(table))
    assert len(run.evaluations) == 12
