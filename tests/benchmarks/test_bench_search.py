"""The harness's cost of an evaluation on a table, beside a bare loop that looks the same up.

`search_costs.py` gives the CPU time of all strategies in one table.
"""

from pathlib import Path

import numpy as np
import pytest
import search_costs

import nasbench as nb
from nasbench.search import Budget, Goal, RunSpec, TableOracle, search, strategy_names
from nasbench.search.catalog import searching_names

EVALUATIONS = 1_000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search_costs.made_up(tmp_path_factory.mktemp("table") / "made-up.h5")


@pytest.fixture(scope="module")
def oracle(path: Path) -> TableOracle:
    return TableOracle(nb.load(path))


@pytest.mark.benchmark(group=f"{EVALUATIONS} evaluations")
@pytest.mark.parametrize("strategy", ["random_search", "regularized_evolution", "reinforce"])
def test_search(benchmark, oracle, strategy):
    goal = Goal("valid_accuracy", Budget(evaluations=EVALUATIONS), oracle.fidelities)
    run = benchmark(search, RunSpec(strategy, goal, 0), oracle)
    assert len(run.evaluations) == EVALUATIONS


@pytest.mark.benchmark(group=f"{EVALUATIONS} evaluations")
def test_random_search_as_a_bare_loop(benchmark, oracle):
    accuracy = oracle.table.column("valid_accuracy").tolist()
    seconds = oracle.table.column("train_seconds").tolist()
    goal = Goal("valid_accuracy", Budget(evaluations=EVALUATIONS), oracle.fidelities)
    spec = RunSpec("random_search", goal, 0)

    def loop():
        rng = spec.rng()
        best, clock = -np.inf, 0.0
        for _ in range(EVALUATIONS):
            architecture = int(rng.random() * 15_625)
            clock += seconds[architecture]
            best = max(best, accuracy[architecture])
        return best, clock

    run = search(spec, oracle)
    trace = run.trace()
    assert benchmark(loop) == (trace.rewards.max(), trace.finished[-1])


@pytest.mark.benchmark(group="a run of 12,000 s")
@pytest.mark.parametrize("strategy", sorted({*searching_names()} - search_costs.MODEL_BASED))
def test_run(benchmark, oracle, strategy):
    run = benchmark(search, RunSpec(strategy, search_costs.goal_of(oracle), 0), oracle)
    assert run.ended == "seconds"


def test_strategies_with_a_model_are_registered() -> None:
    assert set(strategy_names()) >= search_costs.MODEL_BASED


def test_the_script_tells_what_each_strategy_costs(
    path: Path, oracle: TableOracle, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["random_search", "bohb", "local_search"]
    search_costs.main(["--table", str(path), "--strategies", ",".join(names), "--runs", "2"])
    *rows, _, about = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]
    assert {row[0] for row in cells[:2]} == {"random_search", "local_search"}
    assert [row[0] for row in cells[2:]] == ["bohb", "the 2 without a fitted model"]
    for name, evaluations, spread, total in cells[:3]:
        goal = search_costs.goal_of(oracle)
        runs = [search(RunSpec(name, goal, seed), oracle) for seed in range(2)]
        assert float(evaluations) == pytest.approx(
            np.mean([len(r.evaluations) for r in runs]), abs=0.1
        )
        middle, low, high = (float(n.strip("[],").replace(",", "")) for n in spread.split())
        assert 0 < low <= middle <= high
        assert float(total.replace(",", "")) > 0
    assert "n = 2 runs" in about


def test_the_script_refuses_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        search_costs.main(["--strategies", "random_serch"])
    assert "did you mean random_search" in capsys.readouterr().err
