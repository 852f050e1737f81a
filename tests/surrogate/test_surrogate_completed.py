"""Surrogate tables: what was trained stays, what is predicted is marked, all commands work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from known_truth import noisy, worth

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.report.text import build_facts
from nasbench.space import CellSpace
from nasbench.surrogate import Surrogate, fit, score, score_sizes, write_completed
from nasbench.surrogate.features import Features
from nasbench.table import Dataset, Table, write_table
from nasbench.table.merging import merge

MakeTable = Callable[..., Table]


@pytest.fixture
def partly(make_table: MakeTable, mini: CellSpace) -> Table:
    """40 of the 65 distinct cells, two seeds, one of them not run once."""
    metrics = {metric: values[:40] for metric, values in noisy(65, 2, seed=0).items()}
    metrics["test_accuracy"] = metrics["valid_accuracy"] - 1
    for values in metrics.values():
        values[3, 1] = np.nan
    return make_table(metrics, rows=mini.representatives[:40])


@pytest.fixture
def fitted(partly: Table) -> Surrogate:
    return fit(partly, train=1.0)


def test_trained_cells_keep_what_was_trained(
    partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    assert made.rows.tolist() == partly.space.representatives.tolist()
    for metric in ("valid_accuracy", "train_seconds", "test_accuracy"):
        for seed in (0, 1):
            before = partly.values(metric, partly.rows, seed=seed)
            after = made.values(metric, partly.rows, seed=seed)
            assert np.array_equal(before, after, equal_nan=True), metric


def test_what_is_left_of_a_training_that_diverged_is_kept(
    make_table: MakeTable, mini: CellSpace, tmp_path: Path
) -> None:
    """It has no mean to fit on, and is no row without trainings."""
    metrics = {metric: values[:40] for metric, values in noisy(65, 2, seed=0).items()}
    metrics["valid_accuracy"][3, 1] = np.nan
    table = make_table(metrics, rows=mini.representatives[:40])
    fitted = fit(table, train=1.0)
    assert len(fitted.trained_on) == 39
    made = write_completed(table, fitted, tmp_path / "made.h5")
    for seed in (0, 1):
        before = table.values("valid_accuracy", table.rows, seed=seed)
        after = made.values("valid_accuracy", table.rows, seed=seed)
        assert np.array_equal(before, after, equal_nan=True)
    assert made.predicted("valid_accuracy").sum() == 25


def test_predicted_values_are_marked_and_only_they(
    partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5", name="whole")
    others = ~np.isin(made.rows, partly.rows)
    assert (made.predicted("valid_accuracy") == others).all()
    assert not made.predicted("test_accuracy").any()
    assert not partly.predicted("valid_accuracy").any()
    about = made.dataset("recipe/5ep/valid_accuracy").about
    assert about["kind"] == "predicted"
    assert made.dataset("recipe/5ep/test_accuracy").about["kind"] == "trained"
    assert np.isnan(made.values("test_accuracy", made.rows[others])).all()
    reasons = made.missing("test_accuracy")
    assert {reasons[int(row)] for row in made.rows[others]} == {"not trained, and not predicted"}
    said = made.manifest["predicted"]
    assert (made.name, said["rows_trained"], said["rows_predicted"]) == ("whole", 40, 25)
    assert said["table"]["sha256"] == partly.sha256
    made.verify()


def test_reasons_are_told_once_and_of_the_rows_that_they_are_of(
    partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    measured = np.arange(40, dtype=np.float32)
    unknown = np.full(40, np.nan, np.float32)
    costs = write_table(
        tmp_path / "costs.h5",
        name="costs",
        space=partly.space,
        rows=partly.rows,
        sharing="canonical",
        recipes={},
        datasets={
            "network/flops": Dataset(measured, {"kind": "counted"}),
            "device/npu/latency_ms": Dataset(measured, {"kind": "measured"}),
            "device/npu/energy_mj": Dataset(unknown, {"kind": "measured"}),
        },
        devices={"npu": {}},
        missing=[{"scope": "device/npu/energy_mj", "reason": "no meter", "architectures": []}],
    )
    both = merge([partly, costs], tmp_path / "both.h5")
    made = write_completed(both, fit(both, train=1.0), tmp_path / "made.h5")
    assert [(of["scope"], len(of["architectures"])) for of in made.manifest["missing"]] == [
        ("recipe/5ep/test_accuracy", 25),
        ("device", 25),
        ("network", 25),
        ("device/npu/energy_mj", 40),
    ]
    told = made.missing_cost("npu", "energy_mj")
    assert set(told.values()) == {"no meter", "the table has no such row"}


def test_seeds_of_predicted_cells_are_those_of_the_noise(
    partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    others = made.rows[~np.isin(made.rows, partly.rows)]
    for seed in (0, 1):
        drawn = fitted.predict_all(seed)["valid_accuracy"][others]
        assert made.values("valid_accuracy", others, seed=seed) == pytest.approx(drawn, rel=1e-6)
    first, second = (made.values("valid_accuracy", others, seed=seed) for seed in (0, 1))
    assert (first != second).all()


def test_predictions_are_near_the_truth(partly: Table, fitted: Surrogate, tmp_path: Path) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    others = made.rows[~np.isin(made.rows, partly.rows)]
    truth = worth(made.space, made.rows)[~np.isin(made.rows, partly.rows)]
    error = made.values("valid_accuracy", others) - truth
    assert np.abs(error).mean() < np.abs(truth - truth.mean()).mean()


def test_predictions_teach_and_judge_no_other_model(
    partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    again = fit(made, train=1.0)
    assert again.trained_on.tolist() == partly.rows.tolist()
    with pytest.raises(NasbenchError, match="2 to 40 trained rows of known-completed, got 41"):
        fit(made, train=41)
    on_some = fit(made, train=30)
    scored = score(on_some, made)
    assert set(scored.architectures) == set(partly.rows) - set(on_some.trained_on)
    found = score_sizes(made, [10], draws=1, predictors=["linear"])
    assert found.about["rows"] == 40


def test_predictions_stay_predictions_when_a_table_is_completed_again(
    make_table: MakeTable, partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    """All accuracies are trained here; of the seconds, most are still an earlier model's."""
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    every = make_table({"valid_accuracy": noisy(65, 2, seed=0)["valid_accuracy"]}, name="every")
    joined = merge([every, made], tmp_path / "joined.h5", from_first=["recipe/5ep/valid_accuracy"])
    assert not joined.predicted("valid_accuracy").any()
    assert joined.predicted("train_seconds").sum() == 25
    again = fit(joined, train=1.0)
    assert len(again.trained_on) == 65
    whole = write_completed(joined, again, tmp_path / "whole.h5")
    assert not whole.predicted("valid_accuracy").any()
    assert (whole.predicted("train_seconds") == joined.predicted("train_seconds")).all()
    only = fit(partly, train=1.0)
    given = [np.ravel(known.predict_all()["train_seconds"]) for known in (again, only)]
    assert given[0] == pytest.approx(given[1])


def test_predictions_are_no_features_and_cost_nothing(
    make_table: MakeTable, partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    here = make_table(noisy(65, 2, seed=1), name="here")
    seen = Features.make(here, [f"table:{made.path}"], "5ep").of(made.rows)
    assert np.isnan(seen[:, 0]).sum() == 25
    said = dict(build_facts(made, "5ep").rows)
    before = dict(build_facts(partly, "5ep").rows)
    assert said["cost"] == before["cost"]


def test_tables_without_sharing_get_every_cell(make_table: MakeTable, mini: CellSpace) -> None:
    rows = np.arange(0, mini.size, 2)
    metrics = {"valid_accuracy": worth(mini, rows)[:, None], "train_seconds": 3 + 0.0 * rows}
    table = make_table(metrics, rows=rows, sharing="none")
    surrogate = fit(table, train=1.0)
    made = write_completed(table, surrogate, table.path.with_name("made.h5"))
    assert made.rows.tolist() == list(range(mini.size))
    others = np.setdiff1d(made.rows, rows)
    predicted = surrogate.predict("valid_accuracy", others)
    assert made.values("valid_accuracy", others) == pytest.approx(predicted, rel=1e-6)


def test_strategies_search_it(partly: Table, fitted: Surrogate, tmp_path: Path) -> None:
    made = write_completed(partly, fitted, tmp_path / "made.h5")
    strategies = ["random_search", "regularized_evolution"]
    out = tmp_path / "compared"
    found = nb.compare(strategies, made, budget_evaluations=30, seeds=range(3), out=out)
    best = np.nanmax(made.column("valid_accuracy"))
    for strategy in strategies:
        assert (found.finals(strategy)["valid_accuracy"] <= best).all()
    text = json.dumps(found.summary(), allow_nan=True)
    assert "random_search" in text


def test_another_table_is_refused(
    make_table: MakeTable, partly: Table, fitted: Surrogate, tmp_path: Path
) -> None:
    other = make_table(noisy(65, 2, seed=1), name="other")
    with pytest.raises(NasbenchError, match="the surrogate was fitted on another file than"):
        write_completed(other, fitted, tmp_path / "made.h5")
    assert not (tmp_path / "made.h5").exists()
