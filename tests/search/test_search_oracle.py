"""Table and surrogate as oracles: they say what they hold, and never a test value."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up import Scripted

import nasbench as nb
from nasbench.building import BuildSpec
from nasbench.errors import NasbenchError
from nasbench.search import (
    Budget,
    CostModel,
    Goal,
    Limit,
    Oracle,
    Query,
    RunSpec,
    SurrogateOracle,
    TableOracle,
    TrainerOracle,
    search,
)
from nasbench.search.testing import ToyOracle
from nasbench.surrogate import Surrogate, fit
from nasbench.table import Dataset, Table, write_table

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def surrogate(made_up_table: Table) -> Surrogate:
    return fit(made_up_table, recipe="short", train=40)


# The table.


@pytest.mark.parametrize("training_seed", [None, 0, 1])
@pytest.mark.parametrize("epochs", [1, 3, 4])
def test_table_oracle_says_what_the_table_holds(
    made_up_table: Table, training_seed: int | None, epochs: int
) -> None:
    table = made_up_table
    oracle = TableOracle(
        table, recipe="short", costs=["toy/latency_ms"], training_seed=training_seed
    )
    every = range(table.space.size)
    outcomes = [oracle.evaluate(Query(a, "short", epochs)) for a in every]
    place = {"recipe": "short", "epoch": epochs, "seed": training_seed}
    for metric in ("valid_accuracy", "train_loss"):
        shown = [outcome.values[metric] for outcome in outcomes]
        assert shown == table.values(metric, list(every), **place).tolist()
    seconds = [outcome.seconds for outcome in outcomes]
    assert seconds == table.values("train_seconds", list(every), **place).tolist()
    latency = [outcome.values["toy/latency_ms"] for outcome in outcomes]
    assert latency == table.cost("toy", "latency_ms", list(every)).tolist()
    assert set(outcomes[0].values) == {"valid_accuracy", "train_loss", "toy/latency_ms"}


def test_costs_of_the_network_are_shown_where_asked_for(made_up_table: Table) -> None:
    goal = Goal("valid_accuracy", Budget(1), (), limits=(Limit("flops", 1e9),))
    oracle = TableOracle(made_up_table, recipe="short", costs=goal.metrics)
    for a in (0, 7, 124):
        shown = oracle.evaluate(Query(a, "short", 4)).values
        assert shown["flops"] == made_up_table.values("flops", a)
        assert set(shown) == {"valid_accuracy", "train_loss", "flops"}


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        ("flps", "unknown metric 'flps'; did you mean flops?"),
        ("toy/latency", "unknown metric of device toy 'latency'; did you mean latency_ms?"),
        ("toi/latency_ms", "unknown device 'toi'; did you mean toy?"),
        ("nonsense", "known: flops, toy/latency_ms, train_loss, valid_accuracy"),
    ],
)
def test_unknown_costs_name_the_near_ones(made_up_table: Table, cost: str, why: str) -> None:
    with pytest.raises(NasbenchError) as told:
        TableOracle(made_up_table, recipe="short", costs=[cost])
    assert why in str(told.value)


def test_no_cost_shows_a_test_value(made_up_table: Table) -> None:
    oracle = TableOracle(made_up_table, recipe="short", costs=["test_accuracy"])
    assert "test_accuracy" not in oracle.evaluate(Query(0, "short", 4)).values


def test_surrogate_oracle_looks_costs_up_and_predicts_the_rest(
    make_table: Callable[..., Table], surrogate: Surrogate
) -> None:
    table = make_table(rows=[0, 7, 20], sharing="none", recipes={"short": 4})
    costs = ["valid_accuracy", "train_loss", "toy/latency_ms", "flops"]
    oracle = SurrogateOracle(surrogate, table=table, costs=costs)
    for a in (0, 7, 20):
        shown = oracle.evaluate(Query(a, "short", 4)).values
        assert set(shown) == {"valid_accuracy", "toy/latency_ms", "flops"}
        assert shown["toy/latency_ms"] == table.cost("toy", "latency_ms", a)
        assert shown["valid_accuracy"] == surrogate.predict_all(None)["valid_accuracy"][a]
    assert math.isnan(oracle.evaluate(Query(1, "short", 4)).values["flops"])


def test_rows_that_are_shared_have_one_key(made_up_table: Table) -> None:
    oracle, space = TableOracle(made_up_table, recipe="long"), made_up_table.space
    keys = np.asarray([oracle.key(a) for a in range(space.size)])
    assert ((keys[:, None] == keys) == (space.classes[:, None] == space.classes)).all()


def test_table_without_sharing_keeps_every_row_apart(make_table: Callable[..., Table]) -> None:
    oracle = TableOracle(make_table(rows=range(125), sharing="none"))
    assert len({oracle.key(a) for a in range(125)}) == 125


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (Query(3, "long", 4), "on recipe short, not on long"),
        (Query(3, "short", 5), "shows nothing of recipe short after 5 epochs"),
        (Query(3, "short", 0), "shows nothing of recipe short after 0 epochs"),
        (Query(3, "short", -1), "shows nothing of recipe short after -1 epochs"),
    ],
)
def test_out_of_a_tables_reach_is_refused(made_up_table: Table, query: Query, why: str) -> None:
    with pytest.raises(NasbenchError, match=why):
        TableOracle(made_up_table, recipe="short").evaluate(query)


@pytest.mark.parametrize("measure", [None, "flops", "toy/latency_ms"])
def test_a_cost_model_stands_in_for_the_tables_times(
    made_up_table: Table, measure: str | None
) -> None:
    table = made_up_table
    oracle = TableOracle(table, recipe="short", cost_model=CostModel(2.0, measure))
    seconds = [oracle.evaluate(Query(int(a), "short", 3)).seconds for a in table.rows]
    weights = {
        None: np.ones(len(table.rows)),
        "flops": table.column("flops"),
        "toy/latency_ms": table.device_column("toy", "latency_ms"),
    }[measure]
    np.testing.assert_allclose(seconds, 3 * 2.0 * weights / weights.mean(), rtol=1e-12)
    told = oracle.describe()["cost_model"]
    assert told == {"seconds_per_epoch": 2.0, "in_proportion_to": measure}


def test_a_table_without_times_is_searched_by_a_cost_model(
    make_table: Callable[..., Table],
) -> None:
    """Continuing pays the epochs that are added, starting anew pays all."""
    table = make_table(timed=False)
    budget = Budget(seconds=100.0)
    bare = TableOracle(table)
    goal = Goal("valid_accuracy", budget, bare.fidelities)
    with pytest.raises(NasbenchError, match=r"no training times: .* --seconds-per-epoch"):
        search(RunSpec("random_search", goal, 0), bare)
    oracle = TableOracle(table, cost_model=CostModel(5.0))
    queries = [Query(7, "r", 2), Query(7, "r", 4, resume=True), Query(7, "r", 4)]
    run = search(RunSpec("random_search", goal, 0), oracle, strategy=Scripted(queries))
    assert [e.outcome.seconds for e in run.evaluations] == [10.0, 10.0, 20.0]


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_cost_model_needs_seconds(seconds: float) -> None:
    with pytest.raises(NasbenchError, match="seconds of an epoch must be more than 0"):
        CostModel(seconds)


def test_what_seconds_are_in_proportion_to_must_be_known(made_up_table: Table) -> None:
    for measure, why in (
        ("flop", "did you mean network/flops"),
        ("toy/energy_mj", "unknown metric"),
    ):
        oracle = TableOracle(made_up_table, recipe="short", cost_model=CostModel(1.0, measure))
        with pytest.raises(NasbenchError, match=why):
            oracle.evaluate(Query(0, "short", 4))


def test_rows_that_a_table_lacks_are_refused(make_table: Callable[..., Table]) -> None:
    oracle = TableOracle(make_table(rows=[4, 9], sharing="none"))
    assert oracle.evaluate(Query(9, "r", 4)).seconds > 0
    with pytest.raises(NasbenchError, match="made-up has no architecture 5"):
        oracle.evaluate(Query(5, "r", 4))


def test_names_that_a_table_lacks_are_refused(made_up_table: Table) -> None:
    with pytest.raises(
        NasbenchError, match=r"has the recipes (long|short), (long|short): name one"
    ):
        TableOracle(made_up_table)
    with pytest.raises(NasbenchError, match="unknown recipe 'shrt'; did you mean short"):
        TableOracle(made_up_table, recipe="shrt")
    with pytest.raises(NasbenchError, match="unknown device 'toi'; did you mean toy"):
        TableOracle(made_up_table, recipe="short", costs=["toi/latency_ms"])
    with pytest.raises(NasbenchError, match="did you mean latency_ms"):
        TableOracle(made_up_table, recipe="short", costs=["toy/latency"])
    with pytest.raises(NasbenchError, match="was trained with seeds"):
        TableOracle(made_up_table, recipe="short", training_seed=7).evaluate(Query(1, "short", 4))


def test_a_metric_kept_without_seeds_is_shown_whatever_the_seed(tmp_path: Path) -> None:
    """Imported tables hold the validation of each training, but often one time for all."""
    valid = np.random.default_rng(0).random((3, 2, 1))
    datasets = {
        "recipe/r/valid_accuracy": Dataset(valid, {"kind": "imported", "epochs": [4]}),
        "recipe/r/train_seconds": Dataset(np.ones(3), {"kind": "imported", "epochs": [4]}),
    }
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=nb.space("nb201-mini"),
        rows=[0, 1, 2],
        sharing="none",
        recipes={"r": {"epochs": 4, "seeds": [5, 6]}},
        datasets=datasets,
    )
    outcome = TableOracle(table, training_seed=6).evaluate(Query(2, "r", 4))
    assert outcome.values == {"valid_accuracy": valid[2, 1, 0]}
    assert outcome.seconds == 1


# The surrogate.


def test_surrogate_oracle_says_what_it_predicts(surrogate: Surrogate) -> None:
    oracle, every = SurrogateOracle(surrogate), np.arange(125)
    outcomes = [oracle.evaluate(Query(a, "short", 4)) for a in every.tolist()]
    valid = [outcome.values["valid_accuracy"] for outcome in outcomes]
    assert valid == surrogate.predict("valid_accuracy", every).tolist()
    seconds = [outcome.seconds for outcome in outcomes]
    assert seconds == surrogate.predict("train_seconds", every).clip(0).tolist()
    keys = np.asarray([oracle.key(a) for a in every.tolist()])
    assert (keys == surrogate.space.canonical(every)).all()


@pytest.mark.parametrize("query", [Query(1, "long", 6), Query(1, "short", 3)])
def test_out_of_a_surrogates_reach_is_refused(surrogate: Surrogate, query: Query) -> None:
    with pytest.raises(NasbenchError, match="predicts recipe short after 4 epochs, not"):
        SurrogateOracle(surrogate).evaluate(query)


# What no oracle shows.


def test_no_outcome_holds_a_test_metric(
    made_up_table: Table, surrogate: Surrogate, tiny_spec: BuildSpec, tiny_table: Table
) -> None:
    recipe = tiny_spec.recipes["2ep"]
    oracles: list[tuple[Oracle, int]] = [
        (TableOracle(made_up_table, recipe="long", costs=["toy/latency_ms"]), 6),
        (TableOracle(made_up_table, recipe="long", training_seed=1), 6),
        (TableOracle(tiny_table), 2),
        (SurrogateOracle(surrogate), 4),
        (SurrogateOracle(surrogate, training_seed=0), 4),
        (TrainerOracle(tiny_spec.space, tiny_spec.task, "2ep", recipe), 2),
        (ToyOracle(tiny_spec.space), 4),
    ]
    for oracle, epochs in oracles:
        (fidelity,) = oracle.fidelities
        assert fidelity.epochs == epochs
        values = oracle.evaluate(Query(57, fidelity.recipe, epochs)).values
        assert "valid_accuracy" in values
        assert not [metric for metric in values if "test" in metric]
        assert all(math.isfinite(value) for value in values.values())


@pytest.mark.parametrize("metric", ["test_accuracy", "test_loss"])
def test_no_goal_names_a_test_metric(metric: str) -> None:
    with pytest.raises(NasbenchError, match=f"{metric} is kept for the report"):
        Goal(metric, Budget(evaluations=1), ())
