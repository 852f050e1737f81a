"""What is known beforehand: scores reach who takes them, and the filter keeps the rest back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    Comparison,
    Goal,
    RunSpec,
    SurrogateOracle,
    TableOracle,
    compare,
    search,
)
from nasbench.search.prior import Prior, takes_scores
from nasbench.table import Dataset, Table, write_table

SPACE = nb.space("nb201-mini")
ROWS = SPACE.representatives


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Proxies that say the same, one by high values and one by low ones; three rows lack both."""
    rng = np.random.default_rng(0)
    accuracy = rng.normal(70, 5, (len(ROWS), 2, 1))
    scores = accuracy.mean((1, 2)) + rng.normal(0, 3, len(ROWS))
    scores[[2, 5, 7]] = np.nan
    computed = {"kind": "computed"}
    return write_table(
        tmp_path_factory.mktemp("prior") / "t.h5",
        name="scored",
        space=SPACE,
        rows=ROWS,
        sharing="canonical",
        recipes={"r": {"epochs": 1, "seeds": [0, 1]}},
        datasets={
            "recipe/r/valid_accuracy": Dataset(accuracy, {"kind": "trained", "epochs": [1]}),
            "proxy/up": Dataset(scores, {**computed, "better": "high"}),
            "proxy/down": Dataset(-scores, {**computed, "better": "low"}),
        },
    )


def spec_of(oracle: TableOracle, name: str, prior: Prior | None, **more: object) -> RunSpec:
    goal = Goal("valid_accuracy", Budget(evaluations=12), oracle.fidelities)
    return RunSpec(name, goal, 3, prior=prior, **more)  # type: ignore[arg-type]


def test_scores_are_high_for_what_is_good_and_shared_by_classes(table: Table) -> None:
    up, down = Prior("up").scores(table), Prior("down").scores(table)
    np.testing.assert_array_equal(up, down)
    np.testing.assert_array_equal(up, table.values("proxy/up", np.arange(SPACE.size)))


def test_a_strategy_that_takes_scores_gets_them(table: Table) -> None:
    oracle = TableOracle(table)
    assert takes_scores("hybrid")
    assert not takes_scores("random_search")
    told = search(spec_of(oracle, "hybrid", Prior("down")), oracle)
    given = {"scores": table.values("proxy/up", np.arange(SPACE.size))}
    expected = search(spec_of(oracle, "hybrid", None, parameters=given), oracle)
    without = search(spec_of(oracle, "hybrid", None), oracle)
    assert told.evaluations == expected.evaluations
    assert told.evaluations != without.evaluations


def test_scores_change_nothing_for_a_strategy_that_takes_none(table: Table) -> None:
    oracle = TableOracle(table)
    told = search(spec_of(oracle, "random_search", Prior("up")), oracle)
    assert told.evaluations == search(spec_of(oracle, "random_search", None), oracle).evaluations


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "name",
    [
        *("random_search", "regularized_evolution", "local_search", "reinforce", "nsga2"),
        *("hyperband", "bananas", "hybrid"),
    ],
)
def test_only_the_best_by_the_proxy_are_trained(table: Table, name: str, workers: int) -> None:
    oracle = TableOracle(table)
    run = search(spec_of(oracle, name, Prior("up", 0.4), workers=workers), oracle)
    scores = table.values("proxy/up", np.arange(SPACE.size))
    order = sorted(np.flatnonzero(np.isfinite(scores)).tolist(), key=lambda i: -scores[i])
    worst = scores[order[int(np.ceil(0.4 * len(order))) - 1]]
    kept = set(np.flatnonzero(scores >= worst).tolist())
    asked = {e.query.architecture for e in run.evaluations}
    assert asked <= kept
    # The filter takes no evaluation away, unless all that is kept was asked for.
    assert len(run.evaluations) == 12 or len(asked) == len(kept)


def test_a_start_is_never_kept_back(table: Table) -> None:
    oracle = TableOracle(table)
    worst = int(ROWS[np.nanargmin(table.column("proxy/up"))])
    run = search(spec_of(oracle, "random_search", Prior("up", 0.2), start=(worst,)), oracle)
    assert run.evaluations[0].query.architecture == worst
    assert len(run.evaluations) == 12


def test_a_strategy_that_repeats_nothing_ends_when_all_that_is_kept_was_asked(
    table: Table,
) -> None:
    oracle = TableOracle(table)
    run = search(spec_of(oracle, "bananas", Prior("up", 0.01)), oracle)
    scores = table.values("proxy/up", np.arange(SPACE.size))
    best = np.sort(scores[np.isfinite(scores)])[-2:]
    assert run.ended == "nothing left to ask"
    told = {scores[e.query.architecture] for e in run.evaluations}
    assert told == set(best.tolist())


def test_a_run_says_its_prior_and_others_are_as_before(table: Table) -> None:
    oracle = TableOracle(table)
    assert "prior" not in spec_of(oracle, "random_search", None).describe(oracle)
    told = spec_of(oracle, "random_search", Prior("up", 0.5)).describe(oracle)
    assert json.loads(json.dumps(told))["prior"] == {"proxy": "up", "keep": 0.5}


def test_a_comparison_keeps_its_prior(table: Table, tmp_path: Path) -> None:
    found = compare(
        ["random_search"],
        table,
        budget_evaluations=5,
        seeds=range(3),
        prior=Prior("up", 0.3),
        out=tmp_path,
    )
    kept = Comparison.load(tmp_path)
    assert kept.protocol.prior == Prior("up", 0.3)
    assert kept.summary() == found.summary()


@pytest.mark.parametrize("keep", [0.0, -1.0, 1.5])
def test_a_share_is_above_nothing_and_at_most_all(keep: float) -> None:
    with pytest.raises(NasbenchError, match="keeps a share above 0 and up to 1"):
        Prior("up", keep)


def test_what_has_no_scores_is_told(table: Table) -> None:
    oracle = TableOracle(table)
    with pytest.raises(NasbenchError, match="unknown proxy of scored 'ups'"):
        search(spec_of(oracle, "random_search", Prior("ups", 0.5)), oracle)
    without = object.__new__(SurrogateOracle)
    without.space, without.table = oracle.space, None
    with pytest.raises(NasbenchError, match="read from a table: search on a --table"):
        spec_of(oracle, "random_search", Prior("up")).begin(without)
