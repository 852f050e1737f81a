"""Scoring: on rows of classes that were not fitted on, beside what seed noise leaves."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from known_truth import noisy, worth
from scipy import stats

import nasbench as nb
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.stats import agreement
from nasbench.surrogate import fit, score
from nasbench.table import Table

pytestmark = pytest.mark.heavy

MakeTable = Callable[..., Table]


def accuracies(n: int, seeds: int, seed: int) -> dict[str, np.ndarray]:
    """Valid accuracies alone: one metric to fit."""
    return {"valid_accuracy": noisy(n, seeds, seed=seed)["valid_accuracy"]}


@pytest.mark.parametrize(
    ("sharing", "train"),
    [
        ("canonical", 50),
        ("none", 5),
        pytest.param("canonical", 5, marks=pytest.mark.slow),
        pytest.param("none", 50, marks=pytest.mark.slow),
    ],
)
def test_scored_rows_share_no_class_with_fitted_ones(
    make_table: MakeTable, train: int, sharing: str
) -> None:
    space = nb.space("nb201-mini")
    rows = space.representatives if sharing == "canonical" else np.arange(space.size)
    metrics = accuracies(65, 2, seed=0)
    if sharing == "none":  # as imported tables are: every cell trained for itself
        place = np.searchsorted(space.representatives, space.classes)
        metrics = {metric: values[place] for metric, values in metrics.items()}
    table = make_table(metrics, rows=rows, sharing=sharing)
    surrogate = fit(table, train=train)
    scored = score(surrogate, table)
    fitted = set(space.classes[surrogate.trained_on].tolist())
    fresh = [a for a in rows.tolist() if space.classes[a] not in fitted]
    assert scored.architectures.tolist() == fresh
    assert scored.trained_on == train
    assert (scored.measured == table.values("valid_accuracy", fresh)).all()
    assert (scored.predicted == surrogate.predict("valid_accuracy", fresh)).all()
    assert scored.agreement == agreement(scored.measured, scored.predicted)
    low, high = surrogate.interval("valid_accuracy", fresh)
    trained = table.trainings("valid_accuracy", fresh)[..., 0]
    inside = (low[:, None] <= trained) & (trained <= high[:, None])
    assert scored.coverage == pytest.approx(inside.mean())


def test_rows_without_a_value_are_not_scored(make_table: MakeTable) -> None:
    metrics = accuracies(65, 2, seed=1)
    metrics["valid_accuracy"][[1, 2, 60]] = np.nan
    table = make_table(metrics)
    surrogate = fit(table, train=30)
    scored = score(surrogate, table)
    assert scored.agreement.n == 65 - 3 - 30
    assert np.isfinite(scored.measured).all()
    assert not set(scored.architectures) & set(table.rows[[1, 2, 60]].tolist())


@pytest.mark.parametrize(
    ("noise", "seeds"), [(1.0, 3), pytest.param(3.0, 2, marks=pytest.mark.slow)]
)
def test_ceiling_is_that_of_the_noise(
    make_table: MakeTable, nb201: CellSpace, noise: float, seeds: int
) -> None:
    """True accuracies of std 3, so a k-seed mean is 9 / (9 + noise^2 / k) reliable."""
    rows = nb201.representatives[:2500]
    true = worth(nb201, rows)
    values = true[:, None] + np.random.default_rng(1).normal(0, noise, (len(rows), seeds))
    table = make_table({"valid_accuracy": values}, space=nb201, rows=rows)
    scored = score(fit(table, train=400, features=["one_hot"]), table)
    assert scored.ceiling is not None
    reliable = 9 / (9 + noise**2 / seeds)
    assert scored.ceiling.seeds == seeds
    assert scored.ceiling.reliability == pytest.approx(reliable, abs=0.03)
    assert scored.ceiling.r2 == scored.ceiling.reliability
    assert scored.ceiling.spearman == pytest.approx(
        6 / np.pi * np.arcsin(np.sqrt(reliable) / 2), abs=0.03
    )
    assert scored.ceiling.kendall == pytest.approx(
        2 / np.pi * np.arcsin(np.sqrt(reliable)), abs=0.03
    )
    # A perfect prediction of the true means gets there, this one nearly, none beyond.
    place = np.searchsorted(rows, scored.architectures)
    perfect = stats.spearmanr(true[place], scored.measured).statistic
    assert perfect == pytest.approx(scored.ceiling.spearman, abs=0.03)
    assert 0.5 * perfect < scored.agreement.spearman < perfect
    assert scored.agreement.r2 < scored.ceiling.r2
    for measure, (low, high) in scored.intervals.items():
        assert low < scored.agreement.describe()[measure] < high


@pytest.mark.parametrize("seeds", [0, 1])
def test_no_ceiling_is_made_up_without_several_seeds(make_table: MakeTable, seeds: int) -> None:
    metrics = noisy(65, 2, seed=2)
    valid = metrics["valid_accuracy"]
    metrics["valid_accuracy"] = valid[:, :1] if seeds else valid.mean(1)
    table = make_table(metrics)
    scored = score(fit(table, train=40), table)
    assert scored.ceiling is None
    assert scored.describe()["ceiling"] is None


def test_description_is_plain_json(make_table: MakeTable) -> None:
    table = make_table(noisy(65, 2, seed=3))
    described = score(fit(table, train=40), table, "train_seconds").describe()
    assert described["metric"] == "train_seconds"
    assert described["n"] == 25
    assert set(described["intervals"]) == {"r2", "kendall", "spearman", "mae"}
    assert json.loads(json.dumps(described)) == described


def test_bad_input_is_one_sentence(make_table: MakeTable, nb201: CellSpace) -> None:
    metrics = noisy(65, 2, seed=4)
    table = make_table({**metrics, "test_accuracy": metrics["valid_accuracy"]})
    surrogate = fit(table, train=63)
    with pytest.raises(NasbenchError, match="known has 2 trained rows that the surrogate was not"):
        score(surrogate, table)
    surrogate = fit(table, train=40)
    with pytest.raises(NasbenchError, match="unknown metric 'flops'"):
        score(surrogate, table, "flops")
    with pytest.raises(NasbenchError, match="predicts valid_accuracy, train_seconds, not test_acc"):
        score(surrogate, table, "test_accuracy")
    rows = nb201.representatives[:20]
    other = make_table(
        {"valid_accuracy": worth(nb201, rows)[:, None]}, space=nb201, rows=rows, name="other"
    )
    with pytest.raises(NasbenchError, match="the surrogate is of nb201-mini, other of nb201"):
        score(surrogate, other)


def test_three_rows_are_enough(make_table: MakeTable) -> None:
    table = make_table(accuracies(65, 2, seed=5))
    assert score(fit(table, train=62), table).agreement.n == 3
