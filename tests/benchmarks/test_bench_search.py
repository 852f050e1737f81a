"""The harness's cost of an evaluation on a table, beside a bare loop that looks the same up."""

import numpy as np
import pytest

import nasbench.space
from nasbench.search import Budget, Goal, RunSpec, TableOracle, search
from nasbench.table import Dataset, Table, write_table

EVALUATIONS = 1_000


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> TableOracle:
    space = nasbench.space.get("nb201")
    rng = np.random.default_rng(0)
    about = {"kind": "trained", "epochs": [12]}
    path = tmp_path_factory.mktemp("table") / "nb201.h5"
    write_table(
        path,
        name="nb201",
        space=space,
        rows=np.arange(space.size),
        sharing="none",
        recipes={"12ep": {"epochs": 12, "seeds": [0]}},
        datasets={
            f"recipe/12ep/{metric}": Dataset(rng.random((space.size, 1, 1), np.float32), about)
            for metric in ("valid_accuracy", "train_seconds")
        },
    )
    return TableOracle(Table(path))


@pytest.mark.benchmark(group=f"{EVALUATIONS} evaluations")
@pytest.mark.parametrize("strategy", ["random_search", "regularized_evolution", "reinforce"])
def test_search(benchmark, oracle, strategy):
    goal = Goal("valid_accuracy", Budget(evaluations=EVALUATIONS), oracle.fidelities)
    run = benchmark(search, RunSpec(strategy, goal, 0), oracle)
    assert len(run.evaluations) == EVALUATIONS


@pytest.mark.benchmark(group=f"{EVALUATIONS} evaluations")
def test_bare_loop(benchmark, oracle):
    column = oracle.table.column("valid_accuracy")

    def loop():
        rng = np.random.default_rng(0)
        return max(column[int(rng.integers(15_625))] for _ in range(EVALUATIONS))

    assert benchmark(loop) > 0.9
