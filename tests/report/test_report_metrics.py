"""Tables that are judged by something else than accuracy: all that can be made of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from seldom import seldom

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.report import Report, write_comparison, write_report
from nasbench.report.again import sizes_command
from nasbench.report.judged import Judged
from nasbench.search import Objective
from nasbench.surrogate import Surrogate, fit, score, score_sizes, write_completed
from nasbench.table import Dataset, Table, direction, load, shipped_tables, write_table
from nasbench.table.metrics import primary

pytestmark = pytest.mark.heavy

MakeTable = Callable[..., Table]

METRICS = {  # unit of a metric: how far apart its values are
    "valid_miou": 0.1,
    "valid_error": 10.0,
    "valid_mse": 1e-6,
    "valid_perplexity": 1e4,
    "valid_return": 100.0,
}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeTable:
    """A table of a metric that counts an operation, and costs or only these."""

    def made(metric: str | None, unit: float = 1.0) -> Table:
        space = nb.space("nb201-mini")
        rows = np.arange(space.size)
        rng = np.random.default_rng(0)
        merit = (space.ops(rows) == 3).sum(1) + rng.normal(0, 0.1, space.size)
        values = unit * (merit + 2.0 if direction(metric or "") == "max" else 6.0 - merit)
        trained = {f"recipe/r/{metric}": Dataset(values[:, None, None], {"epochs": [3]})}
        return write_table(
            tmp_path_factory.mktemp("tables") / "t.h5",
            name="t",
            space=space,
            rows=rows,
            sharing="none",
            recipes={"r": {"epochs": 3, "seeds": [0]}} if metric else {},
            datasets={
                **(trained if metric else {}),
                "device/npu/latency_ms": Dataset(1 + rows / 50.0, {"kind": "measured"}),
            },
            devices={"npu": {}},
        )

    return made


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ("train_loss valid_loss valid_accuracy", "valid_accuracy"),
        ("valid_loss valid_miou valid_error", "valid_miou"),
        ("valid_loss train_seconds", "valid_loss"),
        ("test_accuracy train_accuracy valid_test_accuracy valid_seconds", None),
    ],
)
def test_what_is_judged_by(metrics: str, expected: str | None) -> None:
    assert primary(metrics.split()) == expected


@pytest.mark.drawn
@pytest.mark.parametrize(
    "metric",
    [
        *("valid_miou", "valid_mse"),
        pytest.param("valid_return", marks=pytest.mark.slow),
        pytest.param("valid_error", marks=pytest.mark.slow),
        pytest.param("valid_perplexity", marks=pytest.mark.slow),
    ],
)
def test_the_best_is_found_everywhere(make: MakeTable, tmp_path: Path, metric: str) -> None:
    table = make(metric, METRICS[metric])
    column = table.column(metric, recipe="r")
    best = column.argmax() if direction(metric) == "max" else column.argmin()
    assert table.primary() == metric
    assert table.top(1).iloc[0].architecture == best
    judged = Judged.of(table, "r")
    assert judged is not None
    assert judged.best == column[best]
    page = write_report(Report(table, "r"), tmp_path, "t").read_text(encoding="utf-8")
    assert f"architecture {best}<" in page
    assert "is the best, " + judged.text(column[best]) in page
    assert "accuracy" not in page.lower()


@pytest.mark.parametrize("metric", seldom(METRICS.keys() - {"valid_miou", "valid_mse"}, METRICS))
def test_surrogates_learn_it_whatever_its_unit(make: MakeTable, metric: str) -> None:
    table = make(metric, METRICS[metric])
    surrogate = fit(table, train=60)
    assert surrogate.primary == metric
    found = score(surrogate, table)
    assert found.metric == metric
    tau = stats.kendalltau(found.measured, found.predicted).statistic
    assert tau > 0.3
    assert np.abs(found.predicted - found.measured).mean() < found.measured.std()


def test_an_error_is_predicted_as_well_as_its_complement(make: MakeTable, tmp_path: Path) -> None:
    """In thousandths: trees that split nothing below a fixed gain would predict one number."""
    small, large = make("valid_mse", 2.0**-20), make("valid_mse", 1.0)
    every = np.arange(small.space.size)
    of_small, of_large = (
        fit(table, train=40).predict("valid_mse", every) for table in (small, large)
    )
    np.testing.assert_array_equal(of_small * 2.0**20, of_large)
    fit(small, train=40).save(tmp_path / "s.json")
    again = Surrogate.load(tmp_path / "s.json").predict("valid_mse", every)
    np.testing.assert_array_equal(again, of_small)


def test_predictors_are_compared_by_it(make: MakeTable) -> None:
    found = score_sizes(make("valid_error", 10.0), [20], draws=2, predictors=["ridge"])
    assert found.about["metric"] == "valid_error"
    assert found.summary(found.series[0], 20, "all", "kendall").mean > 0.3


def test_searches_for_it_make_a_page(make: MakeTable, tmp_path: Path) -> None:
    found = nb.compare(
        ["random_search"],
        make("valid_error"),
        budget_evaluations=4,
        seeds=range(2),
        metric="valid_error",
    )
    page = write_comparison(found, tmp_path).read_text(encoding="utf-8")
    assert "Error of the space" in page


@pytest.mark.drawn
def test_a_table_of_costs_alone(make: MakeTable, tmp_path: Path) -> None:
    table = make(None)
    assert table.primary() == "npu/latency_ms"
    assert table.top(2).architecture.tolist() == [0, 1]
    page = write_report(Report(table, None), tmp_path / "a", "t").read_text(encoding="utf-8")
    assert "npu: latency_ms" in page
    cost = "npu/latency_ms"
    found = nb.compare(["random_search"], table, budget_evaluations=4, seeds=[0], metric=cost)
    page = write_comparison(found, tmp_path / "b").read_text(encoding="utf-8")
    assert "holds costs alone" in page


@pytest.mark.parametrize(
    ("trained", "metric"),
    [
        (None, None),
        ("valid_miou", "npu/latency_ms"),
        pytest.param(None, "npu/latency_ms", marks=pytest.mark.slow),
        pytest.param("valid_miou", None, marks=pytest.mark.slow),
    ],
)
def test_surrogates_learn_costs(
    make: MakeTable, tmp_path: Path, metric: str | None, trained: str | None
) -> None:
    table = make(trained)
    surrogate = fit(table, train=60, metric=metric)
    target = metric or trained or "npu/latency_ms"
    assert surrogate.primary == target
    assert surrogate.recipe == ("r" if trained else "costs")
    surrogate.save(tmp_path / "s.json")
    found = score(Surrogate.load(tmp_path / "s.json"), table)
    assert found.metric == target
    assert stats.kendalltau(found.measured, found.predicted).statistic > 0.3
    sizes = score_sizes(table, [20], draws=1, predictors=["ridge"], metric=metric)
    assert sizes.about["metric"] == target
    searched = nb.compare(
        ["random_search"],
        table,
        budget_evaluations=9,
        seeds=[0],
        metric=target,
        surrogate=tmp_path / "s.json",
    )
    predicted = surrogate.predict(target, searched.traces["random_search"][0].architectures)
    rewards = searched.traces["random_search"][0].rewards
    assert rewards.tolist() == (predicted if target == trained else -predicted).tolist()


def test_what_is_predicted_is_no_feature_and_what_is_none_is_refused(make: MakeTable) -> None:
    table = make("valid_miou")
    with pytest.raises(NasbenchError, match="holds nothing for the feature devices"):
        fit(table, train=20, metric="npu/latency_ms", features=["devices"])
    with pytest.raises(NasbenchError, match="unknown metric 'npu/latency'; did you mean npu/lat"):
        fit(table, metric="npu/latency")
    with pytest.raises(NasbenchError, match="test_miou is of the test split, on which a surr"):
        fit(table, metric="test_miou")
    whole = fit(table, train=20, metric="npu/latency_ms")
    with pytest.raises(NasbenchError, match="npu/latency_ms is of no recipe: only what trainings"):
        write_completed(table, whole, table.path.with_name("whole.h5"))


def test_test_metrics_alone_are_shown_and_never_learnt(make: MakeTable, tmp_path: Path) -> None:
    table = make("test_accuracy", 10.0)
    assert table.primary() is None
    assert write_report(Report(table, "r"), tmp_path, "t").exists()
    for learn in (fit, lambda table: score_sizes(table, [20])):
        with pytest.raises(NasbenchError, match="never fitted on test metrics"):
            learn(table)
    with pytest.raises(NasbenchError, match="has no metric of the validation split"):
        table.top(1)


@pytest.mark.drawn
@pytest.mark.parametrize(
    "value", [0.0, *(pytest.param(value, marks=pytest.mark.slow) for value in (0.5, 1e20))]
)
def test_values_that_are_all_equal_draw_without_a_warning(tmp_path: Path, value: float) -> None:
    space = nb.space("nb201-mini")
    rows = np.arange(space.size)
    table = write_table(
        tmp_path / "t.h5",
        name="t",
        space=space,
        rows=rows,
        sharing="none",
        recipes={"r": {"epochs": 3, "seeds": [0]}},
        datasets={
            "recipe/r/valid_miou": Dataset(np.full((125, 1, 1), value), {"epochs": [3]}),
            "device/npu/latency_ms": Dataset(np.full(125, value), {"kind": "measured"}),
        },
        devices={"npu": {}},
    )
    found = nb.compare(
        ["random_search", "nsga2"],
        table,
        budget_evaluations=3,
        seeds=range(2),
        metric="valid_miou",
        objectives=[Objective("npu/latency_ms", maximize=False)],
    )
    assert "not looked up" not in write_comparison(found, tmp_path / "page").read_text("utf-8")


def test_values_that_no_model_can_learn_are_refused(make: MakeTable) -> None:
    with pytest.raises(NasbenchError, match=r"has a valid_mse of .*of which no model can learn"):
        fit(make("valid_mse", 1e20), train=20)


def test_a_target_with_ties_has_scores_that_json_can_hold(make: MakeTable) -> None:
    """In a best half that is all alike no rank correlation is known."""
    table = make("valid_miou")
    counts = (table.space.ops(table.rows) == 3).any(1).astype(float)
    flat = write_table(
        table.path.with_name("flat.h5"),
        name="flat",
        space=table.space,
        rows=table.rows,
        sharing="none",
        recipes={},
        datasets={"network/parameters": Dataset(counts, {"kind": "imported"})},
    )
    found = score_sizes(flat, [20], draws=2, predictors=["ridge"]).describe()
    assert found["metric"] == "parameters"
    assert found["scores"][0]["best half"]["kendall"]["mean"] is None
    json.dumps(found, allow_nan=False)


def test_a_command_names_a_shipped_sample_as_it_can_be_loaded() -> None:
    table = load("mixed-fashion16")
    assert table.name not in shipped_tables()
    found = score_sizes(table, [10], draws=1, predictors=("ridge",), metric="parameters")
    assert load(shlex.split(sizes_command(found))[3]).path == table.path
